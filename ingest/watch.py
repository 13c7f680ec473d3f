"""Scheduled sync: asks every listed source when it is due, until it is told to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Never

from ingest.loaders.articles import ARTICLES
from ingest.sources import ListedSource
from ingest.sync import due_at
from rag.source_states import SourceState

LONGEST_WAIT = timedelta(minutes=1)
"""Between two looks at what is due: lists change, clocks jump, machines sleep."""
SHORTEST_WAIT = timedelta(minutes=5)
"""Between two runs for one source, whatever became of the first."""
NEVER = datetime(1, 1, 1, tzinfo=UTC)
_BREATH_S = 5.0


def due(
    listed: Mapping[str, ListedSource], states: Mapping[str, SourceState], now: datetime
) -> tuple[list[str], datetime]:
    """Which sources are due, and when the next one is.

    Args:
        listed: By name.
        states: What came of asking them; see `rag.source_states`.
        now: The moment, in UTC.

    Returns:
        The names of those that are due, in the order they are listed, and the
        moment at which the first of the others will be.
    """
    moments = {
        name: due_at(states.get(name), source.refresh_s, now)
        for name, source in listed.items()
        if source.kind != ARTICLES
    }
    later = [moment for moment in moments.values() if moment > now]
    return [name for name, moment in moments.items() if moment <= now], min(
        later, default=now + LONGEST_WAIT
    )


def watch(
    plan: Callable[[datetime], tuple[list[str], datetime]],
    run: Callable[[Sequence[str]], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Never:
    """Run what is due, for ever; a signal or an error ends it.

    Args:
        plan: `due`, with what is listed now.
        run: Brings some sources up to date.
        sleep: Waits; a test looks on instead.
    """
    began: dict[str, datetime] = {}
    while True:
        now = datetime.now(UTC)
        names, following = plan(now)
        # What came of a run is noted on a disk, which may be full.
        names = [name for name in names if abs(now - began.get(name, NEVER)) >= SHORTEST_WAIT]
        if names:
            began |= dict.fromkeys(names, now)
            run(names)
            # A run that failed at once is not to be begun again at once.
            sleep(_BREATH_S)
        else:
            wait = min(following - datetime.now(UTC), LONGEST_WAIT)
            sleep(max(wait.total_seconds(), 1.0))


def run_as_child() -> int:
    """Bring what is due up to date by a process of its own; returns its exit code.

    What it takes, memory above all, is given back when it ends; that it may be
    killed at any moment is what the index is made for.
    """
    child = subprocess.Popen([sys.executable, "-m", "ingest", "run", "--due"])
    try:
        return child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()


def exit_on_signals(code: int = 0) -> None:
    """Have the signals that end a service end this one in good order, with an exit code.

    They raise instead of setting a flag: a lock that the flag needs may be held
    by what they interrupt.
    """

    def stopped(_: int, __: FrameType | None) -> None:
        raise SystemExit(code)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
