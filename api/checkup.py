"""How the server fares: whether it can answer, and what somebody should look after."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter, Lock, move_on_after, to_thread

from api.desk.database import DeskUnavailable
from api.desk.tally import Tally
from api.live import LiveIndex, why_not
from rag.answerer import Answerer
from rag.models import IndexInfo
from rag.source_states import SYNC, SourceState, read_states

FRESH_S = 5.0
"""How long a checkup is told before the next is made, unless the index changes."""
LOW_DISK = 500_000_000
"""Bytes; a new index is written beside the three before it: 32 MB each for the Framework."""
_DESK_S = 2.0
"""How long the desk's database may take to say that it is there."""


@dataclass(frozen=True)
class Checkup:
    """What was found."""

    info: IndexInfo | None
    """Of the index that is open; None: none is."""
    unready: str | None
    """Why nothing can be answered; None: questions are."""
    index_age_s: float
    """Since it was built; a source that has not changed does not make it any younger."""
    stale_articles: int
    """Articles that hold on to sentences that have gone."""
    sources: Mapping[str, SourceState]
    disk_free: int | None
    """Bytes where the data directory is; None: nobody can tell."""
    desk: Tally | None
    """None: its database cannot be had."""
    model_trouble: str | None
    """Why the language model could not be had the last time; None: it could, or there is none."""
    troubles: tuple[str, ...]
    """A sentence each, which names the cure."""

    @property
    def stale_sources(self) -> list[str]:
        """Sources that could not be had the last time."""
        return sorted(name for name, state in self.sources.items() if state.stale)


class Checkups:
    """Makes checkups, at most one every few seconds however many ask."""

    def __init__(self, index: LiveIndex, tally: Callable[[], Tally], fresh_s: float = FRESH_S):
        """Look after an index, and a desk.

        Args:
            index: What answers.
            tally: Counts what the desk holds; raises DeskUnavailable.
            fresh_s: Seconds for which a checkup is told again.
        """
        self._index = index
        self._tally = tally
        self._fresh_s = fresh_s
        self._turn = Lock()
        # By itself, as a database may hang, and then only this waits for it.
        self._desk_thread = CapacityLimiter(1)
        self._last: Checkup | None = None
        self._made_at = 0.0
        self._made_of: tuple[object, ...] = ()

    async def read(self) -> Checkup:
        """Return how the server fares."""
        async with self._turn:
            # A shared folder may hang, and then only this waits for it.
            of = await to_thread.run_sync(self._seen)
            old = time.monotonic() - self._made_at >= self._fresh_s
            if self._last is None or old or of != self._made_of:
                self._last = await self._made()
                self._made_at, self._made_of = time.monotonic(), of
            return self._last

    def _seen(self) -> tuple[str | None, int]:
        """What makes a checkup that was made before an old one."""
        return self._index.current, id(self._index.serving)

    async def _made(self) -> Checkup:
        tally, why = await self._desk()
        return await to_thread.run_sync(partial(self._put_together, tally, why))

    async def _desk(self) -> tuple[Tally | None, str]:
        """What the desk holds, or why that cannot be told."""
        with move_on_after(_DESK_S):
            try:
                return await to_thread.run_sync(
                    self._tally, abandon_on_cancel=True, limiter=self._desk_thread
                ), ""
            except DeskUnavailable as error:
                return None, error.why
        return None, f"it has not replied within {_DESK_S:g} s"

    def _put_together(self, tally: Tally | None, no_desk: str) -> Checkup:
        answerer, unready = None, None
        try:
            answerer = self._index.answerer()
            # Since it was opened a server that holds its vectors may have gone, or lost them.
            answerer.generation.check(answerer.generation.info.embedder)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            unready = why_not(error)
        info = answerer.generation.info if answerer else None
        known = read_states(self._index.directory / SYNC)
        # They speak of one generation; of another they know nothing.
        sources = known.sources if info and known.generation == info.generation else {}
        free = _free(self._index.data_dir)
        troubles = [
            *self._of_index(answerer, sources),
            *([_NO_DESK.format(no_desk)] if tally is None else []),
            *([_DEAD.format(tally.dead)] if tally and tally.dead else []),
            *_of_disk(self._index, free),
        ]
        return Checkup(
            info=info,
            unready=unready,
            index_age_s=_age_s(info.built_at) if info else 0,
            stale_articles=_stale_articles(answerer) if answerer else 0,
            sources=sources,
            disk_free=free,
            desk=tally,
            model_trouble=answerer.model_trouble if answerer else None,
            troubles=tuple(troubles),
        )

    def _of_index(
        self, answerer: Answerer | None, sources: Mapping[str, SourceState]
    ) -> Iterator[str]:
        if answerer is None:
            return
        answers, current = answerer.generation.info.generation, self._index.current
        if current is None:
            yield _NO_CURRENT.format(answers)
        elif current != answers and self._index.unopened:
            yield _UNOPENED.format(current, answers, self._index.unopened)
        for name, state in sorted(sources.items()):
            if state.stale:
                yield _STALE.format(name, state.read_at or "never", name)
        if answerer.model_trouble:
            yield _NO_MODEL.format(answerer.model_trouble)


_NO_CURRENT = (
    "the index has gone from its folder, and {} answers only until the server ends: look after how"
    " the data directory, or HELPDESK_INDEX_DIR, is mounted, or build one with: python -m ingest"
    " run"
)
_UNOPENED = "the new index {} does not open, and {} still answers: {}"
_STALE = (
    "source {} could not be had the last time, and is answered from as it was read on {}:"
    " python -m ingest status says why, python -m ingest run --source {} tries again"
)
_NO_MODEL = (
    "{}, and answers quote the sources instead: look after what HELPDESK_GENERATOR__MODEL and"
    " HELPDESK_GENERATOR__BASE_URL name"
)
_NO_DESK = (
    "the desk's database cannot be had ({}), so that tickets and feedback are refused: look after"
    " HELPDESK_DESK__DATABASE_URL, or desk.sqlite in the data directory"
)
_DEAD = (
    "{} messages could not be delivered: python -m api.desk outbox list says why, python -m"
    " api.desk outbox retry tries again"
)
_LOW = "{} MB of disk are left {}, and less than {} may be too little for {}: make room"
_READ_ONLY = (
    "the data directory cannot be written, so that {}: look after its owner and how it is mounted"
)


def _of_disk(index: LiveIndex, free: int | None) -> Iterator[str]:
    apart = index.directory != index.data_dir
    places = [(free, "where the data directory is", "tickets" if apart else "the next index")]
    # An index elsewhere that cannot be written is another host's to build.
    if apart and os.access(index.directory, os.W_OK):
        places.append((_free(index.directory), "in HELPDESK_INDEX_DIR", "the next index"))
    for left, where, what in places:
        if left is not None and left < LOW_DISK:
            yield _LOW.format(left // 1_000_000, where, LOW_DISK // 1_000_000, what)
    if index.data_dir.is_dir() and not os.access(index.data_dir, os.W_OK):
        lost = "no ticket is taken" if apart else "no index is built and no ticket taken"
        yield _READ_ONLY.format(lost)


def _free(folder: Path) -> int | None:
    """Bytes; None: nobody can tell."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _age_s(built_at: str) -> float:
    """Seconds; 0 where the clock says that it is still to come."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(built_at)).total_seconds())


def _stale_articles(answerer: Answerer) -> int:
    return sum(
        any(held.stale for statement in article.statements for held in statement.evidence)
        for article in answerer.generation.articles
    )
