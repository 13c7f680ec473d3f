"""The desk as the routes call it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from api.desk.conversations import Conversations
from api.desk.database import Database
from api.desk.tickets import Tickets

_AT_ONCE = 8
"""Threads that read and write; where the database hangs, nothing else waits for it."""

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
