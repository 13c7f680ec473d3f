"""The process that parses a source: ``python -m ingest.worker``, started by `ingest.sandbox`.

Files come from anywhere, and parsers written in C meet them. What happens here
happens to a process that holds nothing, has little memory and may be ended at
any moment. It is spoken to over its standard input and output, a line of JSON
each way: first an `Order`, then a path to read a line.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import TypeAdapter

from ingest.loaders.folder import FolderReader
from ingest.loaders.jekyll import JekyllReader
from ingest.loaders.outline import Outline
from ingest.models import Loaded, Problem, Source

_PR_SET_PDEATHSIG = 1
_DATA_SHARE = 7 / 8
"""Of the memory allowed; the rest is for what is mapped, as code is."""
_SPARE_CPU_S = 5
"""On top of the wall time, which is what should end a file that takes too long."""
_MAX_TEMPORARY = 256 * 2**20
"""Bytes a file written on the way may have."""


@dataclass(frozen=True)
class Order:
    """What a worker is started for."""

    source: Source
    leave_out: frozenset[str]
    """Paths that ended workers before this one."""
    seconds: float
    """Wall time allowed for a file."""
    megabytes: int
    """Memory allowed."""
    parent: int
    """Process id of the one that waits; a worker does not outlive it."""


@dataclass(frozen=True)
class Opened:
    """The source is open: what can be read of it."""

    paths: tuple[str, ...]
    outline: Outline


@dataclass(frozen=True)
class Reply:
    """What a worker says; one field is set."""

    ready: bool = False
    """It has started, and waits for its `Order`."""
    begun: str | None = None
    """A file whose parsing begins, while the source is opened."""
    opened: Opened | None = None
    loaded: Loaded | None = None
    out_of_memory: bool = False
    """The worker ends after this."""


ORDER: TypeAdapter[Order] = TypeAdapter(Order)
REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)


def main() -> None:
    """Read what is asked for until nobody asks any more."""
    requests, replies = _own_pipes()

    def reply(message: Reply) -> None:
        replies.write(REPLY.dump_json(message, exclude_defaults=True) + b"\n")
        replies.flush()

    reply(Reply(ready=True))
    order = ORDER.validate_json(requests.readline())
    _limit_memory(order)
    try:
        _serve(order, requests, reply)
    except MemoryError:
        reply(Reply(out_of_memory=True))


def _serve(order: Order, requests: BinaryIO, reply: Callable[[Reply], None]) -> None:
    def announce(path: str) -> None:
        _limit_time(order.seconds)
        reply(Reply(begun=path))

    reader: JekyllReader | FolderReader
    if order.source.kind == "jekyll":
        reader = JekyllReader(order.source, announce, order.leave_out)
        outline = reader.outline
    else:
        reader, outline = FolderReader(order.source), Outline()
    reply(Reply(opened=Opened(reader.paths, outline)))
    for line in requests:
        path = str(json.loads(line))
        _limit_time(order.seconds)
        try:
            reply(Reply(loaded=reader.read(path)))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - one file must not end the others
            reply(Reply(loaded=Loaded(problems=[Problem(path, _unexpected(error))])))


def _unexpected(error: Exception) -> str:
    words = " ".join(str(error).split())[:120]
    return f"cannot be read: {type(error).__name__}{f': {words}' if words else ''}"


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes to the parent, out of reach of libraries that print or ask."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, replies


def _limit_memory(order: Order) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != order.parent:
            sys.exit(1)
    allowed = int(order.megabytes * 2**20 * _DATA_SHARE)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_TEMPORARY, _MAX_TEMPORARY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(seconds: float) -> None:
    """Allow processor time for one more file; the limit counts from the start of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = used.ru_utime + used.ru_stime
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent + seconds + _SPARE_CPU_S), most))


if __name__ == "__main__":
    main()
