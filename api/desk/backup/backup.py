"""What goes into a backup: all that cannot be had again, while the server runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from api import __version__
from api.desk.backup.archive import FORMAT, BadBackup, Manifest, Sink, Writer, writing
from api.desk.backup.rows import tables_of, written
from api.desk.database import Database, known_revisions, revision_of
from rag.index_files import INDEX_FORMAT, SQLITE
from rag.source_states import SYNC
from rag.store import Store
from rag.usage import USAGE

DESK, ARTICLES, INDEX = "desk", "articles", "index"
"""Folders in a backup; the last two are called so in the data directory, too."""
_PIECE = 1 << 20
_TIMES = 3
"""How often the index is begun anew where another has taken its place meanwhile."""


class Progress(Protocol):
    """Told of every step."""

    def step(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a step of `total` units, 0 where nobody knows; the callable counts them."""


@dataclass(frozen=True)
class Places:
    """Where what is not in the database lies."""

    data_dir: Path
    """Of this host."""
    index_dir: Path
    """Of the index and of one's own articles; the same, unless several hosts share it."""


def make_backup(
    database: Database, places: Places, place: Path, progress: Progress, *, index: bool = True
) -> Manifest:
    """Write a backup of a desk and of what lies beside it; the server may run.

    Args:
        database: Of the desk; its tables may be of an earlier revision.
        places: Where the rest lies.
        place: The file; it must not be there yet.
        progress: Told of every step.
        index: Whether the index in use goes with it.

    Returns:
        What is in it.

    Raises:
        BadBackup: The file is there already, or there is nothing that could be written.
        DeskUnavailable: The database cannot be read.
        OSError: It cannot be written.
    """
    with writing(place) as out:
        # First of all, as the rest belongs to what stands in it.
        revision = _add_desk(out, database, progress)
        _add_articles(out, places.index_dir / ARTICLES)
        left_out = _add_usage(out, places.data_dir / USAGE)
        added = _add_index(out, places.index_dir, progress) if index else _Index()
        manifest = Manifest(
            format=FORMAT,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            program=__version__,
            revision=revision,
            engine=database.engine,
            index_format=added.format,
            generation=added.name,
            members=out.members,
            left_out=(*left_out, *added.left_out),
        )
        out.finish(manifest)
    return manifest


def _add_desk(out: Writer, database: Database, progress: Progress) -> str:
    with database.snapshot() as connection:
        # Of the same moment as the rows: a server that starts may change the tables meanwhile.
        revision = revision_of(connection)
        if revision is None:
            raise BadBackup("the desk's database holds no tables yet")
        if revision not in known_revisions():
            raise BadBackup("the desk's tables were made by a later version; back up with that one")
        for table in tables_of(connection):
            with progress.step(f"Writing {table.name}", 0) as count:
                fill = partial(written, connection, table, progress=count)
                out.add(f"{DESK}/{table.name}.jsonl", fill)
    return revision


def _add_articles(out: Writer, folder: Path) -> None:
    for file in sorted(folder.rglob("*")):
        # Links would lead to what is not ours to hand on.
        if file.is_file() and not file.is_symlink():
            name = file.relative_to(folder).as_posix()
            out.add(f"{ARTICLES}/{name}", partial(_copied, file, lambda _: None))


def _add_usage(out: Writer, file: Path) -> tuple[str, ...]:
    """Add the counts, in one state whoever counts meanwhile; returns why they are left out."""
    if not file.is_file():
        return ()
    try:
        address = f"{file.absolute().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(address, uri=True)) as database,
            closing(sqlite3.connect(":memory:")) as copy,
        ):
            database.backup(copy)
            ((said,),) = copy.execute("PRAGMA quick_check(1)").fetchall()
            content = copy.serialize()
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        return (f"{file.name}: it is damaged; it holds counts only, and may be removed",)
    out.add(USAGE, partial(_put, content))
    return ()


@dataclass(frozen=True)
class _Index:
    """Which index went into a backup."""

    name: str | None = None
    format: int | None = None
    left_out: tuple[str, ...] = ()


def _add_index(out: Writer, index_dir: Path, progress: Progress) -> _Index:
    """Add the index in use, if there is one that a folder can hold."""
    store = Store(index_dir)
    for _ in range(_TIMES):
        name = store.current()
        if name is None:
            return _Index()
        folder = store.generations / name
        try:
            told = _meta(folder / SQLITE)
            if told is None:
                return _Index(left_out=(f"the index {name}: it is damaged; see: ingest doctor",))
            if told.get("server"):
                return _Index(left_out=(f"the index {name}: its vectors are in a Chroma server",))
            before = _states(folder)
            total = sum(size for size, _ in before.values())
            with progress.step("Writing the index", total) as count:
                for file in before:
                    # Vectors do not get smaller.
                    packed = not file.endswith(".npy")
                    copy = partial(_copied, folder / file, count)
                    out.add(f"{INDEX}/{name}/{file}", copy, packed=packed)
            if (index_dir / SYNC).is_file():
                out.add(SYNC, partial(_copied, index_dir / SYNC, lambda _: None))
            # Complete it is never written again; but who opens it may touch Chroma's files.
            if _states(folder) == before:
                return _Index(name, int(told.get("format", INDEX_FORMAT)))
        except FileNotFoundError:
            pass  # a newer one has pushed it out
        out.drop(f"{INDEX}/{name}")
        out.drop(SYNC)
    raise BadBackup("the index changes all the time; back up again when the ingest has ended")


def _meta(file: Path) -> dict[str, str] | None:
    """What an index says of itself; None: it is damaged."""
    if not file.is_file():
        raise FileNotFoundError(file)
    try:
        address = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            return dict(database.execute("SELECT key, value FROM meta").fetchall())
    except (sqlite3.Error, ValueError):
        return None


def _states(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of the last change of each file below a folder."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {
        each.relative_to(folder).as_posix(): ((stat := each.stat()).st_size, stat.st_mtime_ns)
        for each in files
    }


def _copied(file: Path, count: Callable[[int], None], sink: Sink) -> None:
    with file.open("rb") as source:
        while piece := source.read(_PIECE):
            sink.write(piece)
            count(len(piece))


def _put(content: bytes, sink: Sink) -> None:
    sink.write(content)
