"""What the server writes on stderr: a line an event, and nothing that a person typed.

Lines of our own code are written as they are: they name ids and kinds of errors. What other
libraries say may hold anything, so of their lines only the place in their code is written,
and of an error its kind and where it was raised. The standard `logging` does all of it: what
formatters of other packages add is every `extra` of every library.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Literal, TextIO

from api.exchange import request_id

LogForm = Literal["text", "json"]

_OURS = ("api", "rag")
_SERVER = "uvicorn.error"
"""Whose words are written, too: constant ones of starting and ending. At lower levels it names
clients, and its other loggers write whole requests."""
_FRAMES = 4
"""Places that are named of an error, the innermost first."""
_LOG = logging.getLogger(__name__)


def install(form: LogForm) -> None:
    """Have everything that is logged in this process written on stderr, in one form.

    Called again it changes the form.

    Args:
        form: ``text`` for people, ``json`` for what collects logs.
    """
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, _Stderr)]
    root.addHandler(_Stderr(form))
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    # What would be written past the handlers may hold what was typed, too.
    warnings.showwarning = _warned
    threading.excepthook = _thread_failed
    sys.unraisablehook = _unraisable


def told_of(error: BaseException) -> str:
    """The kind of an error and where it was raised; never its words."""
    frames = [
        f"{_place(frame.f_code.co_filename, line)}" for frame, line in walk_tb(error.__traceback__)
    ]
    where = " < ".join(reversed(frames[-_FRAMES:]))
    return f"{type(error).__name__} at {where}" if where else type(error).__name__


class _Stderr(logging.StreamHandler[TextIO]):
    def __init__(self, form: LogForm):
        super().__init__(sys.stderr)
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        if self._form == "json":
            return json.dumps(fields, ensure_ascii=False)
        del fields["logger"]
        head = f"{fields.pop('time')} {fields.pop('level'):7} {fields.pop('message')}"
        return " ".join([head, *(f"{name}={value}" for name, value in fields.items())])

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is given
        """Say nothing: the standard one writes the record's arguments on stderr."""


def _fields(record: logging.LogRecord) -> dict[str, object]:
    moment = datetime.fromtimestamp(record.created, UTC)
    fields: dict[str, object] = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "message": _said(record),
        "logger": record.name,
    }
    if _ours(record):
        fields |= getattr(record, "noted", {})
    if asked := request_id():
        fields["request_id"] = asked
    return fields


def _said(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[1] is not None:
        return told_of(record.exc_info[1])
    if not (_ours(record) or (record.name == _SERVER and record.levelno >= logging.INFO)):
        return f"said at {_place(record.pathname, record.lineno)}"
    return " ".join(record.getMessage().split())


def _ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OURS


def _place(file: str, line: int) -> str:
    return f"{'/'.join(Path(file).parts[-2:])}:{line}"


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    _LOG.warning("%s at %s", category.__name__, _place(filename, lineno))


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    _raised(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _unraisable(failed: sys.UnraisableHookArgs) -> None:
    _raised(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _raised(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    _LOG.error("%s", told_of(error.with_traceback(trace)) if error else kind.__name__)
