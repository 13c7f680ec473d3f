"""The desk as the routes call it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from anyio import CapacityLimiter, to_thread
from filelock import Timeout

from api.desk.calls import Calls
from api.desk.conversations import Conversations
from api.desk.database import Database, DeskUnavailable
from api.desk.drafts import Drafts
from api.desk.figures import Figures
from api.desk.gaps import Gaps
from api.desk.handling import Handling
from api.desk.inbox.intake import Intake
from api.desk.outbox import NOWHERE, Outbox, Outlets
from api.desk.queue import Queue
from api.desk.retention import Retention
from api.desk.sessions import Sessions
from api.desk.similar import Similar
from api.desk.staff import StaffList
from api.desk.tally import Tally, read_tally
from api.desk.tickets import Tickets
from rag.embedder import Embedder

_AT_ONCE = 8
"""Threads that read and write; where the database hangs, nothing else waits for it."""

FORGET_EVERY_S = 3600
"""How often what has expired is deleted."""
_LOG = logging.getLogger(__name__)
_STILL_THERE = "what has expired may still be there: %s"

_Result = TypeVar("_Result")


class Desk:
    """Its stores, and the threads that call them beside the event loop."""

    def __init__(
        self,
        database: Database,
        days: int,
        ticket_days: int,
        embedder: Embedder | None = None,
        outlets: Outlets = NOWHERE,
    ):
        """Put the stores over a database; conversations and tickets are kept for so many days."""
        self.database = database
        self.outbox = Outbox(database, outlets)
        self.conversations = Conversations(database, days)
        self.tickets = Tickets(database, self.outbox)
        self.intake = Intake(database, self.tickets)
        self.queue = Queue(database)
        self.handling = Handling(database, self.outbox)
        self.similar = Similar(database, embedder)
        self.drafts = Drafts(database)
        self.figures = Figures(database)
        self.gaps = Gaps(database)
        self.staff = StaffList(database)
        self.sessions = Sessions(database)
        self.retention = Retention(database, days, ticket_days)
        self.calls = Calls(database)
        self._limiter = CapacityLimiter(_AT_ONCE)

    def tally(self) -> Tally:
        """Count what it holds.

        Raises:
            DeskUnavailable: The database cannot be read.
        """
        return read_tally(self.database)

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
                await self.beside(self.calls.forget)
                if gone := await self.beside(self.retention.forget):
                    _LOG.info("expired and deleted: %s", gone)
            except Exception as error:  # noqa: BLE001 - it is tried again in an hour
                _LOG.warning(_STILL_THERE, type(error).__name__)

    def close(self) -> None:
        """Let the database go."""
        self.database.close()


def open_desk(
    url: str,
    data_dir: Path,
    days: int,
    ticket_days: int = 0,
    embedder: Embedder | None = None,
    outlets: Outlets = NOWHERE,
) -> Desk:
    """Open the desk, its tables up to date and what has expired forgotten.

    Args:
        url: Of the database, as SQLAlchemy writes it; empty: a SQLite file in `data_dir`.
        data_dir: Where stored data live.
        days: How long conversations are kept.
        ticket_days: How long tickets are; 0: until somebody erases them.
        embedder: Compares tickets; None: they are not compared.
        outlets: Where changes of tickets are told.

    Raises:
        BadSetting: The URL is none, or its driver is not installed.
        DeskUnavailable: The database is damaged, or of a later version. Where it cannot be
            reached or written, that may pass: whatever needs it says so until it has.
    """
    database = Database(url, data_dir)
    desk = Desk(database, days, ticket_days, embedder, outlets)
    try:
        database.migrate()
    except DeskUnavailable as error:
        if error.lasting:
            raise
        database.migrate_later()
        _LOG.warning(
            "the desk's database cannot be had (%s): questions are answered, tickets and feedback"
            " are refused until it can; it is tried again by itself",
            error.why,
        )
        return desk
    try:
        with database.lock(0):
            desk.retention.forget()
    except Timeout:
        # Another that starts does it, or is about to.
        pass
    except DeskUnavailable as error:
        # It is tried again in an hour.
        _LOG.warning(_STILL_THERE, type(error).__name__)
    return desk
