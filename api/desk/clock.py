"""Whether what the machine's clock says may be acted on, where that cannot be undone.

A clock that once says 2040 must not have everything deleted as expired. Nobody here can tell
what time it is; but whoever has looked every hour sees that the clock has jumped, and can wait
until it has said the same for a day.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

JUMP = timedelta(days=1)
"""More at once is taken for a jump, or for a machine that was off."""
WAITS = timedelta(days=1)
"""How long it has to go on from there before it is believed."""
_FILE = "clock.json"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    last: AwareDatetime
    """When it was believed last."""
    since: AwareDatetime | None = None
    """What it said first after a jump; None: there was none."""


_ADAPTER: TypeAdapter[_Seen] = TypeAdapter(_Seen)


def _judged(seen: _Seen | None, now: datetime) -> _Seen:
    """What is to be noted of what it says, after what was noted before."""
    if seen is None or now <= seen.last + JUMP:
        return _Seen(now)
    # Of one that went back meanwhile the day begins anew.
    since = seen.since if seen.since and seen.since <= now else now
    return _Seen(now) if now >= since + WAITS else _Seen(seen.last, since)


def _until(seen: _Seen) -> datetime | None:
    return seen.since + WAITS if seen.since else None


class Clock:
    """What the clock of this host has said, in a file of its own."""

    def __init__(self, data_dir: Path):
        """Remember it in a data directory; nothing is read or written yet."""
        self._file = data_dir / _FILE
        self._unwritten: _Seen | None = None

    def doubted_until(self, now: datetime) -> datetime | None:
        """Return until when nothing should be deleted; None: it may be. Nothing is noted.

        A clock that goes back deletes too little, never too much: it is believed.

        Args:
            now: What it says.
        """
        return _until(_judged(self._read(), now))

    def look(self, now: datetime) -> datetime | None:
        """Return the same, and note what it says.

        Args:
            now: What it says.
        """
        before = self._read()
        judged = _judged(before, now)
        if judged != before:
            self._write(judged)
        return _until(judged)

    def believe(self, now: datetime) -> None:
        """Take what it says for right, as somebody has looked."""
        self._write(_Seen(now))

    def _read(self) -> _Seen | None:
        try:
            return _ADAPTER.validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return self._unwritten

    def _write(self, seen: _Seen) -> None:
        draft = self._file.with_name(f".{_FILE}.{os.getpid()}.draft")
        self._unwritten = seen
        try:
            draft.write_bytes(_ADAPTER.dump_json(seen))
            draft.replace(self._file)
        except OSError as error:
            # On a disk that cannot be written it is remembered until the process ends.
            _LOG.warning("what the clock says is not noted: %s", error.strerror)
