"""What must be done once, whatever number of processes serve: one of them does it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

from api.desk.desk import Desk
from api.desk.turns import KEEPS_UP_S, LASTS_S, turn_of

TRIES_EVERY_S = 5.0
"""How often a process that does not do them looks whether it should."""
_NAME = "duties"
_LOG = logging.getLogger(__name__)

Duty = Callable[[], Coroutine[Any, Any, object]]
"""Done until it is cancelled, or ends."""


class Duties:
    """Does them in this process while no other does."""

    def __init__(self, desk: Desk, duties: Sequence[Duty]):
        """Do them beside a desk, which knows who does."""
        self._desk = desk
        self._duties = duties
        self._turn = turn_of(desk.database, _NAME)

    async def doing(self) -> NoReturn:
        """Do them when nobody else does, until cancelled."""
        while True:
            if await self._mine():
                await self._done()
            await asyncio.sleep(TRIES_EVERY_S)

    async def _mine(self) -> bool | None:
        """Whether this process has them; None: nobody can tell."""
        try:
            return await self._desk.beside(self._turn.take)
        except Exception as error:  # noqa: BLE001 - it is tried again
            _LOG.warning("nobody can tell who has the duties: %s", type(error).__name__)
            return None

    async def _done(self) -> None:
        tasks = [asyncio.create_task(each()) for each in self._duties]
        try:
            kept_up = time.monotonic()
            # Where the database has gone nobody else can begin before that has passed.
            while time.monotonic() - kept_up < LASTS_S:
                await asyncio.sleep(KEEPS_UP_S)
                asked = time.monotonic()
                mine = await self._mine()
                if mine:
                    kept_up = asked
                elif mine is False:
                    _LOG.warning("another process has taken the duties over")
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            try:
                await self._desk.beside(self._turn.release)
            except Exception as error:  # noqa: BLE001 - it runs out
                _LOG.warning("the duties are not handed over: %s", type(error).__name__)
