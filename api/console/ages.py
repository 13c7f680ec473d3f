"""How long ago something was, in as few letters as a table has room for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_DATED = 60
"""Days from which on a date says more."""


def lasted(time: timedelta) -> str:
    """Write a length of time: `5 min`, `3 h`, `12 d`."""
    if time < _HOUR:
        return f"{max(0, time // _MINUTE)} min"
    if time < 2 * _DAY:
        return f"{time // _HOUR} h"
    return f"{time // _DAY} d"


def ago(when: datetime, now: datetime) -> str:
    """Write how long ago a time was; a date where that is long."""
    if now - when >= _DATED * _DAY:
        return f"{when.astimezone(UTC):%d %b %Y}"
    return lasted(now - when)
