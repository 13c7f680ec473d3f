"""The desk's database: a SQLite file, or another engine by URL."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from api.desk.tables import METADATA
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
_ALTERING = 0x6E6D67
"""By this number servers of all hosts take turns to change the tables."""
_CONNECT_S = 5
"""How long one waits for a server of databases to take a call."""
_AGAIN_S = 5
"""After the tables could not be brought up to date, how long nobody tries again."""
_SCRUB_OWED = "PRAGMA user_version"
"""A number in the file of SQLite that is its user's; it changes with a transaction, or not."""
_LATER = "the desk's database is not available; try again later"
_NEWER = "the desk's tables were made by a later version of this program; run that one"
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_WHY = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the disk, or the file, is read-only",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened or made",
    sqlite3.SQLITE_IOERR: "the disk fails, or is full",
    sqlite3.SQLITE_BUSY: "others write all the time",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
    sqlite3.SQLITE_NOTADB: "its file is damaged, or no database",
}
_LOG = logging.getLogger(__name__)


class DeskUnavailable(HelpdeskError):
    """The desk's database cannot be reached, or does not take what it is given."""

    def __init__(self, told: str = _LATER, why: str = "", *, lasting: bool = False):
        """Say it to anybody, and to operators.

        Args:
            told: For whoever called; nothing of the machine stands in it.
            why: For operators; empty: `told` says it all.
            lasting: It does not pass by itself.
        """
        super().__init__(told)
        self.why = why or told
        self.lasting = lasting


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
        self._opened: int | None = None
        self._engine = _engine(url, data_dir / DESK)
        # Writers of this process take turns here: SQLite lets them poll, and some starve.
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._turns = threading.BoundedSemaphore(1 if self._sqlite else _CONNECTIONS)
        self._owed = False
        self._owed_from = 0.0
        self._paying = threading.Lock()

    @property
    def engine(self) -> str:
        """``sqlite``, ``postgresql`` or another."""
        return self._engine.dialect.name

    @property
    def file(self) -> Path | None:
        """The file of SQLite; None: another engine keeps it, or its URL names no plain file."""
        name = self._engine.url.database
        return Path(name) if self._sqlite and name and not name.startswith("file:") else None

    def migrate(self) -> None:
        """Bring the tables up to date; servers that start together take turns.

        Raises:
            DeskUnavailable: It cannot be reached, is damaged, or was written by a later version.
        """
        with self._alone() as connection:
            _upgrade(connection, "head")

    def migrate_later(self) -> None:
        """Bring the tables up to date before they are used next: now they cannot be."""
        self._owed, self._owed_from = True, time.monotonic() + _AGAIN_S

    def rebuild(
        self,
        revision: str,
        fill: Callable[[Connection], None],
        finish: Callable[[Connection], None],
    ) -> None:
        """Make the desk's tables anew in one transaction: what they held goes, or nothing does.

        Tables of others in the same database stay as they are.

        Args:
            revision: That they are made of at first.
            fill: Called with the empty tables of that revision.
            finish: Called with the tables brought up to date.

        Raises:
            DeskUnavailable: Nothing has changed.
        """
        with self._alone() as connection:
            ours = {*METADATA.tables, "alembic_version"}
            there = MetaData()
            there.reflect(connection, only=lambda name, _: name in ours)
            there.drop_all(connection)
            owe_scrub(connection)
            _upgrade(connection, revision)
            fill(connection)
            _upgrade(connection, "head")
            finish(connection)

    def damage(self) -> str | None:
        """Say what is wrong with the file of SQLite; None: nothing, or there is none to look at.

        Raises:
            DeskUnavailable: It cannot be looked at.
        """
        if self.file is None or not self.file.is_file():
            return None
        try:
            with self._transaction() as connection:
                said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        except DeskUnavailable as error:
            if error.lasting:
                return error.why
            raise
        return None if said == "ok" else " ".join(str(said).split())

    def revision(self) -> str | None:
        """Return the revision of its tables; None: there are none.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self.snapshot() as connection:
            return revision_of(connection)

    def lock(self, timeout_s: float) -> FileLock:
        """What servers of this data directory that start together take turns by."""
        return FileLock(self.data_dir / "desk.lock", timeout=timeout_s)

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """Open a transaction that alters tables, while nobody else does."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            if self.file:
                # It holds addresses of people: what SQLite makes by itself anybody could read.
                self.file.touch(mode=0o600)
            with (
                self.lock(_MIGRATE_S),
                self._altering() as connection,
            ):
                yield connection
            self._opened = self.file.stat().st_ino if self.file else None
        except CommandError as error:
            raise DeskUnavailable(_NEWER, lasting=True) from error
        except Timeout as error:
            raise DeskUnavailable(_LATER, "another process changes its tables") from error
        except OSError as error:
            raise DeskUnavailable(
                _LATER, f"it cannot be made: {error.strerror or 'the disk fails'}"
            ) from error

    def _catch_up(self) -> None:
        """Bring the tables up to date, if that is owed; not all the time, where it fails."""
        with self._paying:
            if not self._owed:
                return
            if time.monotonic() < self._owed_from:
                raise DeskUnavailable
            self.migrate_later()
            self.migrate()
            self._owed = False
            _LOG.warning("desk database: it is available again")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads.

        Raises:
            DeskUnavailable: It cannot be had.
        """
        if self._owed:
            self._catch_up()
        with self._transaction() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a transaction that sees all tables as they are when it first reads.

        Nobody waits for it; they are not brought up to date before.

        Raises:
            DeskUnavailable: It cannot be had.
        """
        with self._transaction() as connection:
            if self.engine == "postgresql":
                # As SQLite does anyway.
                connection.exec_driver_sql(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
                )
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a transaction that writes, and keep what it wrote unless it raises.

        Args:
            durable: What is written outlives a power failure; it costs a wait for the disk.

        Raises:
            DeskUnavailable: It cannot be had.
        """
        if self._owed:
            self._catch_up()
        if not self._turns.acquire(timeout=_BUSY_S):
            raise DeskUnavailable
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
        if self.file is None:
            return
        try:
            now = self.file.stat().st_ino
        except OSError:
            _LOG.warning("desk database: the file has gone")
            raise DeskUnavailable from None
        if now != self._opened:
            # Another was put in its place, as when a backup is restored.
            self._engine.dispose()
            self._opened = now

    def scrub_owed(self) -> bool:
        """Whether rows were deleted, by whomever, and `scrub` has not been done since.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        if not self._sqlite:
            return False
        with self.reading() as connection:
            return bool(_owed(connection))

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
            raise DeskUnavailable
        try:
            with self._transaction() as reading:
                owed = _owed(reading)
            with closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM")
                emptied = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if emptied.fetchone()[0]:
                    raise DeskUnavailable
            with self._transaction(sync="NORMAL") as writing:
                # Of what another process has deleted meanwhile it is still owed.
                if _owed(writing) == owed:
                    writing.exec_driver_sql(f"{_SCRUB_OWED} = 0")
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise _unavailable(error) from None
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
            if self.engine == "postgresql":
                # Servers of other hosts know nothing of the lock in our data directory.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ALTERING})")
            yield connection
            if self._sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise DeskUnavailable(
                    "the desk's tables cannot be changed: rows would be lost", lasting=True
                )

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
            raise _unavailable(error) from None


def owe_scrub(connection: Connection) -> None:
    """Note that rows go with this transaction, so that whoever comes next scrubs if we cannot."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"{_SCRUB_OWED} = {_owed(connection) + 1}")


def _owed(connection: Connection) -> int:
    """How many deletions there were since the last scrub began."""
    count: int = connection.exec_driver_sql(_SCRUB_OWED).scalar_one()
    return count


def revision_of(connection: Connection) -> str | None:
    """The revision of the tables that a transaction sees; None: there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def known_revisions() -> frozenset[str]:
    """The revisions of tables that this program can bring up to date."""
    return frozenset(each.revision for each in ScriptDirectory(str(_MIGRATIONS)).walk_revisions())


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _unavailable(error: Exception) -> DeskUnavailable:
    """Tell of an error by its kind only: its text may hold what a person wrote."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    # SQLite's own numbers stand in the lowest byte.
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    kind = type(error).__name__
    _LOG.warning("desk database: %s", f"{kind}: {_WHY[code]}" if code in _WHY else kind)
    return DeskUnavailable(_LATER, _WHY.get(code, kind), lasting=code in _DAMAGED)


def _engine(url: str, file: Path) -> Engine:
    try:
        chosen = make_url(url) if url else URL.create("sqlite", database=str(file))
        sqlite = chosen.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"connect_args": {"timeout": _BUSY_S}} if sqlite else {}
        if chosen.get_backend_name() == "postgresql" and "connect_timeout" not in chosen.query:
            options["connect_args"] = {"connect_timeout": _CONNECT_S}
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
