"""The desk's database: a SQLite file, or another engine by URL."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from rag.errors import BadSetting, HelpdeskError

DESK = "desk.sqlite"
"""Its name in the data directory."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_S = 2
"""How long one waits for another that writes."""
_CONNECTIONS = 24
"""At a time; SQLite has one that writes."""
_MIGRATE_S = 120
"""How long a server that starts waits for another that changes the tables."""
_LATER = "the desk's database is not available; try again later"
_LOG = logging.getLogger(__name__)


class DeskUnavailable(HelpdeskError):
    """The desk's database cannot be reached, or does not take what it is given."""


class Database:
    """Hands out transactions, and keeps the tables up to date."""

    def __init__(self, url: str, data_dir: Path):
        """Name the database; nothing is opened yet.

        Args:
            url: As SQLAlchemy writes it; empty: a SQLite file in `data_dir`.
            data_dir: Holds that file, and the lock for changing the tables.

        Raises:
            BadSetting: The URL is none, or its driver is not installed.
        """
        self.data_dir = data_dir
        self._own = None if url else data_dir / DESK
        self._opened: int | None = None
        self._engine = _engine(url, data_dir / DESK)
        # Writers of this process take turns here: SQLite lets them poll, and some starve.
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._turns = threading.BoundedSemaphore(1 if self._sqlite else _CONNECTIONS)

    def migrate(self) -> None:
        """Bring the tables up to date; servers that start together take turns.

        Raises:
            DeskUnavailable: It cannot be reached, is damaged, or was written by a later version.
        """
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            if self._own:
                # It holds addresses of people: what SQLite makes by itself anybody could read.
                self._own.touch(mode=0o600)
            with (
                FileLock(self.data_dir / "desk.lock", timeout=_MIGRATE_S),
                self._altering() as connection,
            ):
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            self._opened = self._own.stat().st_ino if self._own else None
        except CommandError as error:
            raise DeskUnavailable("the desk's tables were made by a later version") from error
        except (OSError, Timeout) as error:
            raise DeskUnavailable(f"the desk's database cannot be made: {error}") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads.

        Raises:
            DeskUnavailable: It cannot be had.
        """
        with self._transaction() as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a transaction that writes, and keep what it wrote unless it raises.

        Args:
            durable: What is written outlives a power failure; it costs a wait for the disk.

        Raises:
            DeskUnavailable: It cannot be had.
        """
        if not self._turns.acquire(timeout=_BUSY_S):
            raise DeskUnavailable(_LATER)
        try:
            self._still_there()
            with self._transaction(sync="FULL" if durable else "NORMAL") as connection:
                yield connection
        finally:
            self._turns.release()

    def _still_there(self) -> None:
        """Look whether the file is the one that is open: into one that was removed writes are lost.

        Raises:
            DeskUnavailable: It has gone.
        """
        if self._own is None:
            return
        try:
            now = self._own.stat().st_ino
        except OSError:
            _LOG.warning("desk database: the file has gone")
            raise DeskUnavailable(_LATER) from None
        if now != self._opened:
            # Another was put in its place, as when a backup is restored.
            self._engine.dispose()
            self._opened = now

    def scrub(self) -> None:
        """Leave nothing of deleted rows in the files of SQLite; other engines see to it themselves.

        What is deleted is overwritten at once (`secure_delete`), but where rows had been moved
        between pages before, letters of them stay behind (2 of some 2,000 rows): the file
        is written anew, and the log beside it, which holds older pages, is emptied. 0.7 s
        for 130 MB, in which nobody else writes.

        Raises:
            DeskUnavailable: Others read or write all the time; bytes may be left.
        """
        if not self._sqlite:
            return
        if not self._turns.acquire(timeout=_BUSY_S):
            raise DeskUnavailable(_LATER)
        try:
            with closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM")
                emptied = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if emptied.fetchone()[0]:
                    raise DeskUnavailable(_LATER)
        except (SQLAlchemyError, sqlite3.Error) as error:
            _LOG.warning("desk database: %s", type(error).__name__)
            raise DeskUnavailable(_LATER) from None
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close the connections that are idle."""
        self._engine.dispose()

    @contextmanager
    def _altering(self) -> Iterator[Connection]:
        """Open a transaction that may replace tables by changed copies of themselves.

        Dropping a table that others refer to would delete their rows with it, so SQLite
        looks at what refers to what only when all is done.
        """
        with self._transaction(sync="FULL", foreign_keys="OFF") as connection:
            yield connection
            if self._sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise DeskUnavailable("the desk's tables cannot be changed: rows would be lost")

    @contextmanager
    def _transaction(self, **options: str) -> Iterator[Connection]:
        try:
            with (
                self._engine.connect().execution_options(**options) as connection,
                connection.begin(),
            ):
                yield connection
        # sqlite3's own where a connection is opened, SQLAlchemy's from then on.
        except (SQLAlchemyError, sqlite3.Error) as error:
            # The kind of error only: its text may hold what a person wrote.
            _LOG.warning("desk database: %s", type(error).__name__)
            raise DeskUnavailable(_LATER) from None


def _engine(url: str, file: Path) -> Engine:
    try:
        chosen = make_url(url) if url else URL.create("sqlite", database=str(file))
        sqlite = chosen.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"connect_args": {"timeout": _BUSY_S}} if sqlite else {}
        engine = create_engine(
            chosen,
            # An error must not carry what a person wrote into a log.
            hide_parameters=True,
            pool_pre_ping=not sqlite,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=_BUSY_S,
            **options,
        )
    except ArgumentError as error:
        raise BadSetting("setting DESK__DATABASE_URL: is no database URL") from error
    except (NoSuchModuleError, ImportError) as error:
        raise BadSetting(f"setting DESK__DATABASE_URL: its driver is missing: {error}") from error
    if sqlite:
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    """Have sqlite3 leave transactions to us: by itself it begins none before tables change."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    # Before each, as it cannot be changed inside, and another may have used the connection.
    connection.exec_driver_sql(f"PRAGMA foreign_keys = {options.get('foreign_keys', 'ON')}")
    sync = options.get("sync")
    if sync is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous = {sync}")
    # At once: one that begins by reading would fail instead of waiting for its turn.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
