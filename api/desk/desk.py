"""The desk as the routes call it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from anyio import CapacityLimiter, to_thread

from api.desk.conversations import Conversations
from api.desk.database import Database
from api.desk.tickets import Tickets

_AT_ONCE = 8
"""Threads that read and write; where the database hangs, nothing else waits for it."""

FORGET_EVERY_S = 3600
"""How often what has expired is deleted."""
_LOG = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class Desk:
    """Its stores, and the threads that call them beside the event loop."""

    def __init__(self, database: Database, days: int):
        """Put the stores over a database; conversations are kept for a number of days."""
        self._database = database
        self.conversations = Conversations(database, days)
        self.tickets = Tickets(database)
        self._limiter = CapacityLimiter(_AT_ONCE)

    async def beside(self, work: Callable[[], _Result]) -> _Result:
        """Have something done beside the event loop.

        Raises:
            DeskUnavailable: The database cannot be reached.
        """
        return await to_thread.run_sync(work, limiter=self._limiter)

    async def forgetting(self) -> NoReturn:
        """Delete what has expired every hour, asked or not, until cancelled."""
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            try:
                await self.beside(self.conversations.forget)
            except Exception as error:  # noqa: BLE001 - it is tried again in an hour
                _LOG.warning("what has expired is still there: %s", type(error).__name__)

    def close(self) -> None:
        """Let the database go."""
        self._database.close()


def open_desk(url: str, data_dir: Path, days: int) -> Desk:
    """Open the desk, its tables up to date and what has expired forgotten.

    Args:
        url: Of the database, as SQLAlchemy writes it; empty: a SQLite file in `data_dir`.
        data_dir: Where stored data live.
        days: How long conversations are kept.

    Raises:
        BadSetting: The URL is none, or its driver is not installed.
        DeskUnavailable: The database cannot be reached, or is damaged.
    """
    database = Database(url, data_dir)
    database.migrate()
    desk = Desk(database, days)
    desk.conversations.forget()
    return desk
