"""When each source was asked, what came of it, and when it is due again.

Not part of a generation: an unchanged source is asked, and nothing of the
index is written. It speaks of one generation: where that is lost, or the file
is, every source is asked once more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rag.source_states import STATES, SourceState, SourceStates, read_states

_FIRST_RETRY = timedelta(minutes=5)
"""After a failure; doubled with each further one, up to the refresh interval."""
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


class SyncLog:
    """One JSON file: name of a source to its state; replaced atomically."""

    def __init__(self, file: Path):
        """Name the file; it is made when first written."""
        self._file = file

    def states(self, generation: str | None) -> dict[str, SourceState]:
        """Every source that was asked for a generation.

        None where the file is missing, damaged, or speaks of another one.
        """
        kept = read_states(self._file)
        return kept.sources if kept.generation == generation else {}

    def record(
        self,
        outcomes: Mapping[str, str | None],
        *,
        was: str | None,
        generation: str | None,
        removed: Iterable[str] = (),
        now: datetime | None = None,
    ) -> dict[str, SourceState]:
        """Note what came of asking some sources.

        Args:
            outcomes: Name to why it could not be had; None: it was.
            was: The generation in use before; what the file says of another one is void.
            generation: The one in use from now on.
            removed: Sources that are known no more.
            now: The moment, in UTC.

        Returns:
            The states of all sources that are known.
        """
        moment = (now or datetime.now(UTC)).strftime(_STAMP)
        states = self.states(was)
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
        self._write(SourceStates(generation, states))
        return states

    def follow(self, generation: str) -> None:
        """Let the states speak of another generation: somebody went back to it on purpose."""
        self._write(SourceStates(generation, read_states(self._file).sources))

    def _write(self, kept: SourceStates) -> None:
        draft = self._file.with_name(f".{self._file.name}.draft")
        with draft.open("wb") as file:
            file.write(STATES.dump_json(kept, indent=1))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)


def due_at(state: SourceState | None, refresh_s: int, now: datetime) -> datetime:
    """When a source is to be asked next.

    Args:
        state: What came of the last time; None: it was never asked.
        refresh_s: How long it may go unasked, in seconds.
        now: The moment, in UTC; a clock that was set back asks at once.
    """
    if state is None:
        return now
    try:
        checked = datetime.strptime(state.checked_at, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return now  # the 31st of February
    if checked > now:
        return now
    interval = timedelta(seconds=refresh_s)
    if state.failures:
        # Ten doublings are longer than any interval.
        interval = min(interval, _FIRST_RETRY * 2 ** min(state.failures - 1, 10))
    return checked + interval
