"""When each source was asked, what came of it, and when it is due again.

Not part of a generation: an unchanged source is asked, and nothing of the
index is written. Whoever loses the file asks every source once more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

_FIRST_RETRY = timedelta(minutes=5)
"""After a failure; doubled with each further one, up to the refresh interval."""
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class SourceState:
    """What came of asking a source."""

    checked_at: str
    """When it was asked last; UTC, ISO 8601."""
    read_at: str | None = None
    """When it was last had whole; None: never."""
    problem: str | None = None
    """Why it could not be had the last time: what is indexed of it is stale."""
    failures: int = 0
    """How often in a row."""

    @property
    def stale(self) -> bool:
        """Whether the index holds an older state than the source may have."""
        return self.problem is not None


_STATES: TypeAdapter[dict[str, SourceState]] = TypeAdapter(dict[str, SourceState])


class SyncLog:
    """One JSON file: name of a source to its state; replaced atomically."""

    def __init__(self, file: Path):
        """Name the file; it is made when first written."""
        self._file = file

    def states(self) -> dict[str, SourceState]:
        """Every source that was asked; none where the file is missing or damaged."""
        try:
            return _STATES.validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return {}

    def record(
        self,
        outcomes: Mapping[str, str | None],
        removed: Iterable[str] = (),
        now: datetime | None = None,
    ) -> dict[str, SourceState]:
        """Note what came of asking some sources.

        Args:
            outcomes: Name to why it could not be had; None: it was.
            removed: Sources that are known no more.
            now: The moment, in UTC.
        """
        moment = (now or datetime.now(UTC)).strftime(_STAMP)
        states = self.states()
        for name in removed:
            states.pop(name, None)
        for name, problem in outcomes.items():
            before = states.get(name)
            states[name] = SourceState(
                checked_at=moment,
                read_at=moment if problem is None else before.read_at if before else None,
                problem=problem,
                failures=0 if problem is None else 1 + (before.failures if before else 0),
            )
        draft = self._file.with_name(f".{self._file.name}.draft")
        with draft.open("wb") as file:
            file.write(_STATES.dump_json(states, indent=1))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)
        return states


def due_at(state: SourceState | None, refresh_s: int, now: datetime) -> datetime:
    """When a source is to be asked next.

    Args:
        state: What came of the last time; None: it was never asked.
        refresh_s: How long it may go unasked, in seconds.
        now: The moment, in UTC; a clock that was set back asks at once.
    """
    if state is None:
        return now
    checked = datetime.strptime(state.checked_at, _STAMP).replace(tzinfo=UTC)
    if checked > now:
        return now
    interval = timedelta(seconds=refresh_s)
    if state.failures:
        # Ten doublings are longer than any interval.
        interval = min(interval, _FIRST_RETRY * 2 ** min(state.failures - 1, 10))
    return checked + interval
