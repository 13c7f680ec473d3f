"""The way back: all of a backup, or nothing of it.

Files are laid ready beside the data first. Then the database changes in one transaction, which
notes the restore in the audit; from that moment on the new state holds. What is left, to put the
files in their places, is done by whoever comes next if this process is killed: a server that
starts, or any command of the desk.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Table, delete, func, inspect, select

from api.desk.audit import OPERATOR, Verified, record, verified
from api.desk.backup.archive import BadBackup, Manifest, Member, Reader, flush_folder
from api.desk.backup.backup import ARTICLES, DESK, INDEX, Places, Progress
from api.desk.backup.rows import Misfit, stored, tables_of
from api.desk.backup.settling import (
    ADAPTER,
    PENDING,
    STAGED,
    Pending,
    RestoreRefused,
    alone,
    clear,
    settle,
    take_up,
)
from api.desk.database import Database, DeskUnavailable, known_revisions
from api.desk.retention import deleted
from api.desk.tables import ANSWERS, AUDIT, METADATA, TICKETS
from rag.chroma import FOLDER
from rag.index_files import INDEX_FORMAT
from rag.source_states import SYNC
from rag.store import Store
from rag.usage import USAGE

_HOLDS = ("tickets", "drafts", "staff")
"""Tables that nobody would want to lose by mistake."""
_WAIT_S = 60
"""How long an ingest that writes is waited for."""
_AT_ONCE = 500


@dataclass(frozen=True)
class Restored:
    """What came of it."""

    manifest: Manifest
    audit: Verified
    """Of the backup, before the restore was noted in it."""
    erased: int
    """Tickets of the backup that had been erased since, and were again."""
    notes: tuple[str, ...]
    """What an operator should know; a line each."""


def restore(
    place: Path, database: Database, places: Places, progress: Progress, *, replace: bool = False
) -> Restored:
    """Bring back what is in a backup; the database may be of another engine.

    Args:
        place: The backup.
        database: That becomes what the backup holds; it may be of any revision, or damaged.
        places: Where the rest lies.
        progress: Told of every step.
        replace: What is there goes; otherwise there must be no tickets, drafts, staff or
            articles of one's own.

    Raises:
        BadBackup: It is damaged, or was made by a later version.
        RestoreRefused: Something would be lost, or a disk has no room.
        DeskUnavailable: The database cannot be reached, or fails.
        OSError: A disk fails.
    """
    places.data_dir.mkdir(parents=True, exist_ok=True)
    places.index_dir.mkdir(parents=True, exist_ok=True)
    with alone(places.data_dir), Reader(place) as backup:
        manifest = backup.manifest
        # Of one before that was killed, so that what is there is one state.
        with suppress(DeskUnavailable):
            settle(database, places)
        if manifest.revision not in known_revisions():
            raise BadBackup(
                f"{place} was made by a later version of this program"
                f" ({manifest.program}); run that one"
            )
        total = sum(member.size for member in manifest.members)
        with progress.step("Reading the backup", total) as count:
            backup.check(count)
        if database.file:
            # What SQLite makes by itself anybody could read.
            database.file.touch(mode=0o600)
        damage = database.damage()
        if not replace and (held := _held(database, places.index_dir, manifest, damage)):
            raise RestoreRefused(f"there is {held}; --replace puts the backup in their place")
        _make_sure_of_room(database, places, manifest, damage)
        return _Restoring(backup, database, places, progress).done(damage)


class _Restoring:
    """One restore, from a backup that has been checked."""

    def __init__(self, backup: Reader, database: Database, places: Places, progress: Progress):
        self._backup = backup
        self._manifest = backup.manifest
        self._database = database
        self._places = places
        self._store = Store(places.index_dir)
        self._progress = progress
        self._staged = places.data_dir / STAGED
        self._id = secrets.token_hex(8)
        self._audit: Verified | None = None
        self._erased = 0
        self._notes: list[str] = list(backup.manifest.left_out)

    def done(self, damage: str | None) -> Restored:
        clear(self._database, self._places)
        try:
            with self._alone_with_the_index():
                generation = self._lay_ready()
                self._commit(damage)
                take_up(self._database, self._places, generation)
        except BaseException:
            # Where nobody can tell whether it counts, whoever comes next settles it.
            with suppress(DeskUnavailable, OSError):
                settle(self._database, self._places)
            raise
        try:
            self._database.scrub()
        except DeskUnavailable:
            self._notes.append("bytes of what was there before may be left in the database's files")
        assert self._audit  # noqa: S101 - noted by the transaction
        return Restored(self._manifest, self._audit, self._erased, tuple(self._notes))

    def _alone_with_the_index(self) -> AbstractContextManager[None]:
        return self._store.locked(_WAIT_S) if self._store.writable else nullcontext()

    def _lay_ready(self) -> str | None:
        """Have all files on the disk; returns the name of the index, None: none is put in place."""
        self._staged.mkdir(mode=0o700)
        files = {each.name: each for each in self._manifest.members}
        if USAGE in files:
            self._backup.extract([files[USAGE]], "", self._staged)
        generation = None
        if self._store.writable:
            generation = self._lay_index_ready()
        else:
            self._notes.append(
                "the index can only be read from here: articles and index were left out"
            )
        draft = self._staged / f".{PENDING}"
        with draft.open("wb") as file:
            file.write(ADAPTER.dump_json(Pending(self._id, generation)))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._staged / PENDING)
        for each in (self._staged, self._places.data_dir):
            flush_folder(each)
        return generation

    def _lay_index_ready(self) -> str | None:
        index_dir, articles = self._places.index_dir, self._manifest.below(ARTICLES)
        staged = index_dir / STAGED
        staged.mkdir(mode=0o700, exist_ok=True)
        if articles or (index_dir / ARTICLES).is_dir():
            (staged / ARTICLES).mkdir()
            self._backup.extract(articles, ARTICLES, staged / ARTICLES)
        generation = self._index()
        states = [each for each in self._manifest.members if each.name == SYNC]
        self._backup.extract(states if generation else [], "", staged)
        flush_folder(staged)
        flush_folder(index_dir)
        return generation

    def _index(self) -> str | None:
        """Lay the index ready; returns its name, None: it is left out.

        One of that name that is whole stays where it is: others may be reading it.
        """
        name, found = self._manifest.generation, self._manifest.index_format
        if name is None:
            self._notes.append("no index is in the backup; bring it up to date: ingest run")
            return None
        if found != INDEX_FORMAT:
            self._notes.append(
                f"its index has format {found}, this program reads {INDEX_FORMAT}, so it was left"
                " out; build one: python -m ingest run"
            )
            return None
        below, members = f"{INDEX}/{name}", self._manifest.below(f"{INDEX}/{name}")
        if not _whole(self._store.generations / name, below, members):
            staged = self._store.generations / STAGED
            staged.mkdir(mode=0o700, parents=True)
            with self._progress.step("Writing the index", 0):
                self._backup.extract(members, below, staged / name)
            flush_folder(staged)
            flush_folder(self._store.generations)
        return name

    def _commit(self, damage: str | None) -> None:
        """Have the database hold what the backup does: in one step, whatever it holds now."""
        if damage is None:
            erased = _erased_of(self._database)
            self._database.rebuild(
                self._manifest.revision,
                self._fill,
                lambda connection: self._finish(connection, erased),
            )
            return
        file = self._database.file
        assert file  # noqa: S101 - of others no damage is known
        # Beside it: another disk may hold the rest.
        (file.parent / STAGED).mkdir(mode=0o700, exist_ok=True)
        fresh = file.parent / STAGED / "desk.sqlite"
        anew = Database(f"sqlite:///{fresh}", self._places.data_dir)
        try:
            anew.rebuild(
                self._manifest.revision, self._fill, lambda connection: self._finish(connection, [])
            )
        finally:
            # The last connection brings what is in its log into the file.
            anew.close()
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        # What is open of the damaged one would go on to answer for it.
        self._database.close()
        aside = _set_aside(file)
        fresh.replace(file)
        flush_folder(file.parent)
        self._notes.append(f"the damaged database is kept as {aside}; remove it when you are sure")

    def _fill(self, connection: Connection) -> None:
        tables = {f"{DESK}/{each.name}.jsonl": each for each in tables_of(connection)}
        members = {each.name: each for each in self._manifest.below(DESK)}
        if tables.keys() != members.keys():
            raise BadBackup("its tables are not those of its revision")
        for table in reversed(tables.values()):
            # A revision may have put in what every desk has.
            connection.execute(delete(table))
        for name, table in tables.items():
            member = members[name]
            with (
                self._progress.step(f"Storing {table.name}", member.rows or 0) as count,
                self._backup.open(member) as lines,
            ):
                found = stored(connection, table, lines, count)
            if found != member.rows:
                raise Misfit(f"{table.name}: {found} rows instead of {member.rows}")

    def _finish(self, connection: Connection, erased: Sequence[str]) -> None:
        self._audit = verified(connection)
        for start in range(0, len(erased), _AT_ONCE):
            tickets = TICKETS.c.ticket_id.in_(erased[start : start + _AT_ONCE])
            about = list(connection.scalars(select(TICKETS.c.answer_id).where(tickets)))
            answers = ANSWERS.c.answer_id.in_([each for each in about if each])
            # While tables are altered, rows do not go with those that they belong to.
            _delete_of(connection, TICKETS, tickets)
            _delete_of(connection, ANSWERS, answers)
            gone = deleted(connection, OPERATOR, "erase", answers, tickets)
            self._erased += gone.tickets
        record(connection, OPERATOR, "restore", [self._id], ["backup"])


def _delete_of(connection: Connection, owner: Table, where: ColumnElement[bool]) -> None:
    """Delete the rows that belong to some of a table's."""
    for table in METADATA.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table is owner:
                chosen = select(key.column).where(where)
                connection.execute(delete(table).where(key.parent.in_(chosen)))


def _held(database: Database, index_dir: Path, manifest: Manifest, damage: str | None) -> str:
    """What would be lost; empty: nothing of worth."""
    if damage:
        return f"a damaged desk ({damage})"
    found = []
    with database.snapshot() as connection:
        tables: Mapping[str, Table] = {each.name: each for each in tables_of(connection)}
        for name in _HOLDS:
            if name in tables:
                count = connection.scalar(select(func.count()).select_from(tables[name])) or 0
                found += [f"{count} {name}"] if count else []
    kept = {(each.name, each.sha256) for each in manifest.below(ARTICLES)}
    own = {
        (file.relative_to(index_dir).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest())
        for file in (index_dir / ARTICLES).rglob("*")
        if file.is_file()
    }
    if own - kept:
        found.append(f"{len(own - kept)} articles that are not so in the backup")
    return ", ".join(found)


def _whole(folder: Path, below: str, members: Sequence[Member]) -> bool:
    """Whether the files of an index are those of the backup.

    Chroma's only have to be there: it writes into them even to read. They hold what the others
    do once more, and `ingest doctor` looks after them.
    """
    for member in members:
        name = member.name.removeprefix(f"{below}/")
        file = folder / name
        if not file.is_file():
            return False
        if name.startswith(f"{FOLDER}/"):
            continue
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != member.sha256:
                return False
    return True


def _make_sure_of_room(
    database: Database, places: Places, manifest: Manifest, damage: str | None
) -> None:
    sizes = {
        folder: sum(each.size for each in manifest.below(folder))
        for folder in (DESK, ARTICLES, INDEX)
    }
    shares = [(places.data_dir, sum(each.size for each in manifest.members if each.name == USAGE))]
    if Store(places.index_dir).writable:
        shares.append((places.index_dir, sizes[ARTICLES] + sizes[INDEX]))
    if file := database.file:
        # The database takes its share twice: in its log, and then in its file.
        copy = file.stat().st_size if damage else 0
        shares.append((file.parent, 2 * sizes[DESK] + copy))
    by_disk: dict[int, list[tuple[Path, int]]] = {}
    for folder, size in shares:
        by_disk.setdefault(_disk(folder), []).append((folder, size))
    for on_it in by_disk.values():
        folder, _ = max(on_it, key=lambda each: each[1])
        needed = sum(size for _, size in on_it)
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise RestoreRefused(
                f"{needed / 1e6:.0f} MB are needed in {folder}, {free / 1e6:.0f} MB are free:"
                " make room"
            )


def _disk(folder: Path) -> int:
    """Which disk a folder lies on."""
    return folder.stat().st_dev


def _erased_of(database: Database) -> list[str]:
    """Ids of the tickets that were erased from a database, as far as its audit tells."""
    with database.snapshot() as connection:
        if not inspect(connection).has_table(AUDIT.name):
            return []
        wanted = select(AUDIT.c.ticket_id).where(AUDIT.c.action == "erase")
        return list(connection.scalars(wanted))


def _set_aside(file: Path) -> Path:
    """Keep a damaged database for whoever can rescue more of it; the file itself stays, too."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = file.with_name(f"{file.name}.damaged-{stamp}")
    aside.touch(mode=0o600)
    shutil.copyfile(file, aside)
    # Left in its place, its log would be read into the new file.
    for tail in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            file.with_name(f"{file.name}{tail}").rename(aside.with_name(f"{aside.name}{tail}"))
    return aside
