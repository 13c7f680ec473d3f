"""The report of gaps kept up to date, beside the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn, TypeVar

from anyio import CapacityLimiter, to_thread

from api.answering import Answering
from api.desk.desk import Desk
from api.desk.models import Actor
from api.gap_report import GapReport, Report
from api.memory import give_back

_EVERY_S = 60
"""How often what is new, questions or an index, is looked for."""
_COMPARED, _PUT = 50, 10
"""New questions that are compared, and gaps that are put to the index, at a time: some 4 s."""
_COMPARED_NOW, _PUT_NOW = 20, 2
"""The same while somebody waits for the page."""
_AT_ONCE = 2
"""Threads: one that keeps the report up to date, one that reads it."""
_LOG = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class Gapping:
    """Reads the report, and keeps it up to date while nobody does."""

    def __init__(self, answering: Answering, desk: Desk):
        """Report what the current index does not answer."""
        self._answering = answering
        self._report = GapReport(desk.gaps)
        # Nothing is compared or asked twice at once.
        self._turn = asyncio.Lock()
        self._limiter = CapacityLimiter(_AT_ONCE)

    async def read(self, by: Actor, weeks: int) -> Report:
        """Return what was not answered in some weeks, of the questions that somebody may see.

        What is new is looked at first; where that fails, what is known already is told.

        Raises:
            DeskUnavailable: It cannot be read.
            HelpdeskError: There is no index that answers.
        """
        now = datetime.now(UTC)
        answerer = await self._answering.answerer()
        model = answerer.generation.info.embedder
        if not self._turn.locked():
            async with self._turn:
                try:
                    await self._beside(partial(self._report.refresh, answerer, now, _COMPARED_NOW))
                    await self._beside(partial(self._report.settle, answerer, now, _PUT_NOW))
                except Exception as error:  # noqa: BLE001 - reading needs nothing of it
                    _LOG.warning("gaps are shown as they were: %s", type(error).__name__)
        return await self._beside(partial(self._report.read, by, weeks, now, model))

    async def watching(self) -> NoReturn:
        """Compare new questions, and ask again what a new index may answer, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.catch_up()
            except Exception as error:  # noqa: BLE001 - it is tried again in a minute
                _LOG.warning("gaps are not up to date: %s", type(error).__name__)

    async def catch_up(self) -> None:
        """Do all that is due now.

        Raises:
            DeskUnavailable: It cannot be read or kept.
            HelpdeskError: There is no index that answers.
        """
        for work, most in ((self._report.refresh, _COMPARED), (self._report.settle, _PUT)):
            left = 1
            while left:
                # Each time anew: an index that was replaced meanwhile is not held on to.
                answerer = await self._answering.answerer()
                async with self._turn:
                    left = await self._beside(partial(work, answerer, datetime.now(UTC), most))
        await self._beside(give_back)

    async def _beside(self, work: Callable[[], _Result]) -> _Result:
        return await to_thread.run_sync(work, limiter=self._limiter)
