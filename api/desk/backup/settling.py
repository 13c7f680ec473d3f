"""What a restore that was killed has begun is brought to its end, or taken back.

Files are laid ready first, with a note of what is to be done with them. The audit of the database
tells whether the restore counts: that is written in the transaction that changes all the rest.
"""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import inspect, select

from api.desk.backup.archive import flush_folder
from api.desk.backup.backup import ARTICLES, Places
from api.desk.database import Database, DeskUnavailable
from api.desk.tables import AUDIT
from rag.errors import HelpdeskError
from rag.source_states import SYNC
from rag.store import Store
from rag.usage import USAGE

STAGED = ".restore"
"""Folder that files are laid ready in: one beside each place that they are for."""
PENDING = "pending.json"
"""In that of the data, once all of it is there."""
_BEFORE = "before"
"""In it, what was in their places."""
_LOG = logging.getLogger(__name__)


class RestoreRefused(HelpdeskError):
    """Something speaks against it; nothing has changed."""


@dataclass(frozen=True)
class Pending:
    """What is laid ready."""

    id: str
    """As the audit names the restore."""
    generation: str | None
    """Of the index."""


ADAPTER: TypeAdapter[Pending] = TypeAdapter(Pending)


def _pending(staged: Path) -> Pending | None:
    try:
        return ADAPTER.validate_json((staged / PENDING).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Be the only one that restores.

    Raises:
        RestoreRefused: Another does.
    """
    lock = FileLock(data_dir / "restore.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RestoreRefused("another restore is at work") from error
    try:
        yield
    finally:
        lock.release()


def finish(database: Database, places: Places) -> None:
    """Bring to its end what a restore that was killed had begun: forwards if it counts, or back.

    Args:
        database: Its tables of any revision.
        places: Where the rest lies.
    """
    if not (places.data_dir / STAGED).is_dir():
        return
    try:
        with alone(places.data_dir):
            settle(database, places)
    except RestoreRefused:
        pass  # it goes on, or another server brings it to its end
    except (DeskUnavailable, OSError, ValueError) as error:
        _LOG.warning("a restore that was broken off waits: %s", type(error).__name__)


def unsettled(places: Places) -> bool:
    """Whether the database and what lies beside it may be of two states: a restore is between."""
    return (places.data_dir / STAGED / PENDING).exists()


def settle(database: Database, places: Places) -> None:
    """As `finish`, for whoever is alone with it already.

    Raises:
        DeskUnavailable: Nobody can tell whether it counts.
        OSError: A disk fails.
    """
    pending = _pending(places.data_dir / STAGED)
    if pending and _counts(database, pending.id):
        take_up(database, places, pending.generation)
        _LOG.warning("a restore that was broken off has been brought to its end")
    else:
        clear(database, places)


def clear(database: Database, places: Places) -> None:
    """Remove what was laid ready; the list of it first, as without it nothing is to be done."""
    (places.data_dir / STAGED / PENDING).unlink(missing_ok=True)
    beside = [Store(places.index_dir).generations, places.index_dir]
    if database.file:
        beside.append(database.file.parent)
    # That of the data is last, as it tells whether there is something to be done.
    for directory in (*beside, places.data_dir):
        if (directory / STAGED).is_dir():
            shutil.rmtree(directory / STAGED)


def _counts(database: Database, restore_id: str) -> bool:
    """Whether a restore has changed the database."""
    noted = select(AUDIT.c.number).where(
        AUDIT.c.action == "restore", AUDIT.c.ticket_id == restore_id
    )
    with database.reading() as connection:
        # Before there was an audit there were no restores.
        return inspect(connection).has_table(AUDIT.name) and (connection.scalar(noted) is not None)


def take_up(database: Database, places: Places, generation: str | None) -> None:
    """Put the files in their places; where some are already, only the others."""
    index_dir, data_dir = places.index_dir, places.data_dir
    staged, store = index_dir / STAGED, Store(index_dir)
    _exchange(staged / ARTICLES, index_dir / ARTICLES)
    if generation:
        _exchange(store.generations / STAGED / generation, store.generations / generation)
    if (staged / SYNC).is_file():
        (staged / SYNC).replace(index_dir / SYNC)
    if generation and generation in store.names():
        flush_folder(store.generations)
        store.use(generation)
    if (data_dir / STAGED / USAGE).is_file():
        for tail in ("-wal", "-shm"):
            (data_dir / f"{USAGE}{tail}").unlink(missing_ok=True)
        (data_dir / STAGED / USAGE).replace(data_dir / USAGE)
    for each in (index_dir, data_dir):
        flush_folder(each)
    clear(database, places)


def _exchange(staged: Path, place: Path) -> None:
    """Put a folder that was laid ready in its place; what was there goes with what is cleared."""
    if staged.is_dir():
        if place.is_dir():
            place.rename(staged.with_name(f"{_BEFORE}-{secrets.token_hex(4)}"))
        staged.rename(place)
