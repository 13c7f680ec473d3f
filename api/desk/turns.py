"""What one process does while no other does, of all that share the desk's database.

With SQLite all of them are on one machine, and a lock of its file system tells who is at it: it
goes with the process, however that ends. Elsewhere it is a row of the database, which runs out
where nobody keeps it up; by the database's clock, as those of hosts differ.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import delete, extract, func, select
from sqlalchemy.dialects.postgresql import insert

from api.desk.database import Database
from api.desk.tables import LEASES

LASTS_S = 30.0
"""How long a row holds."""
KEEPS_UP_S = 8.0
"""How often whoever has it says so again."""


class Turn(Protocol):
    """Something that one process at a time has."""

    def take(self) -> bool:
        """Have it, or keep it up; returns whether it could be had.

        Raises:
            DeskUnavailable: Nobody can tell.
        """

    def release(self) -> None:
        """Let others have it.

        Raises:
            DeskUnavailable: They have to wait until it runs out.
        """


def turn_of(database: Database, name: str) -> Turn:
    """Return a turn by its name; each that is returned is somebody's of their own."""
    if database.engine != "sqlite":
        return _Lease(database, name)
    file = database.file
    folder = file.parent if file else database.data_dir
    return _Locked(folder / f"{name}.lock")


class _Locked:
    """By a lock of the file system."""

    def __init__(self, file: Path):
        self._lock = FileLock(file, thread_local=False)

    def take(self) -> bool:
        """See `Turn`."""
        if self._lock.is_locked:
            return True
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        """See `Turn`."""
        self._lock.release()


class _Lease:
    """By a row of PostgreSQL."""

    def __init__(self, database: Database, name: str):
        self._database = database
        self._name = name
        self._holder = secrets.token_hex(16)

    def take(self) -> bool:
        """See `Turn`."""
        with self._database.writing(durable=False) as connection:
            clock = select(extract("epoch", func.clock_timestamp()))
            now = float(connection.execute(clock).scalar_one())
            row = {"name": self._name, "holder": self._holder, "until": now + LASTS_S}
            # One that ends long after it could have begun is of a clock that was set back.
            free = (LEASES.c.until < now) | (LEASES.c.until > now + 2 * LASTS_S)
            taken = (
                insert(LEASES)
                .values(row)
                .on_conflict_do_update(
                    index_elements=[LEASES.c.name],
                    set_=row,
                    where=(LEASES.c.holder == self._holder) | free,
                )
                .returning(LEASES.c.holder)
            )
            return connection.execute(taken).first() is not None

    def release(self) -> None:
        """See `Turn`."""
        mine = (LEASES.c.name == self._name) & (LEASES.c.holder == self._holder)
        with self._database.writing(durable=False) as connection:
            connection.execute(delete(LEASES).where(mine))
