"""What was fetched, on disk: by content, so that a crash leaves nothing half.

A file is written under a name of its own and then renamed to the hash of its
bytes; what is known of an address stands in SQLite and points at such a file.
All of it can be fetched again: losing it costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from ingest.cache import is_damage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pages (
    source TEXT NOT NULL, address TEXT NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (source, address));
CREATE TABLE IF NOT EXISTS files (
    key TEXT PRIMARY KEY, name TEXT NOT NULL);
"""
_KEPT_S = 30 * 86_400
"""How long what nobody points at any more is kept."""


@dataclass(frozen=True)
class StoredPage:
    """What an address said when it was asked last."""

    url: str
    """The address that answered, after redirects."""
    status: int
    media_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    """Both as sent, for the next conditional request."""
    file: str | None = None
    """Name of the stored body in the `Downloads`; None: it had none that is kept."""
    modified: str | None = None
    """ISO date from which on the body is as it is: of the first answer that had it."""
    facts: str = ""
    """What its reader found in the body, as JSON; opaque here."""


_Asked = TypeVar("_Asked")
_PAGE: TypeAdapter[StoredPage] = TypeAdapter(StoredPage)


class Downloads:
    """A folder of fetched files, of unpacked trees, and what is known of addresses."""

    def __init__(self, directory: Path):
        """Name the folder; it is made when first written."""
        self.directory = directory
        self._database = directory / "addresses.sqlite"

    def path(self, name: str) -> Path:
        """Where a stored file is."""
        return self.directory / "files" / name

    def keep(self, content: bytes, suffix: str) -> str:
        """Store bytes; returns their name.

        Args:
            content: The bytes.
            suffix: By which a reader will tell the type: ``.html``, ``.pdf``.
        """
        with self.draft() as draft:
            draft.write_bytes(content)
            return self.adopt(draft, suffix)

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """A file, or folder, to be filled; what is not adopted is removed."""
        drafts = self.directory / "drafts"
        drafts.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=drafts, ignore_cleanup_errors=True) as folder:
            yield Path(folder) / "draft"

    def adopt(self, draft: Path, suffix: str) -> str:
        """Store a complete draft under the hash of its bytes; returns its name."""
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        name = f"{digest}{suffix}"
        kept = self.path(name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(kept)
        return name

    def tree(self, name: str) -> Path | None:
        """An unpacked tree, None where there is none of that name."""
        path = self.directory / "trees" / name
        return path if path.is_dir() else None

    def adopt_tree(self, draft: Path, name: str) -> Path:
        """Store a complete folder under a name."""
        kept = self.directory / "trees" / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not kept.is_dir():
            draft.rename(kept)
        return kept

    def page(self, source: str, address: str) -> StoredPage | None:
        """What an address of a source said last."""
        rows = self._rows(
            "SELECT content FROM pages WHERE source = ? AND address = ?", (source, address)
        )
        try:
            stored = _PAGE.validate_json(rows[0][0]) if rows else None
        except ValidationError:
            return None
        if stored and stored.file and not self.path(stored.file).is_file():
            return None
        return stored

    def remember(self, source: str, address: str, page: StoredPage) -> None:
        """Keep what an address said."""
        content = _PAGE.dump_json(page).decode()
        self._write("INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", (source, address, content))

    def forget(self, source: str, keep: frozenset[str] = frozenset()) -> None:
        """Drop what is known of a source's addresses, but for some."""
        for (address,) in self._rows("SELECT address FROM pages WHERE source = ?", (source,)):
            if address not in keep:
                self._write("DELETE FROM pages WHERE source = ? AND address = ?", (source, address))

    def file(self, key: str) -> str | None:
        """The name of the file that is stored under a key, such as record, name and checksum."""
        rows = self._rows("SELECT name FROM files WHERE key = ?", (key,))
        name = str(rows[0][0]) if rows else None
        return name if name and self.path(name).is_file() else None

    def file_as(self, key: str, name: str) -> None:
        """Find a stored file by a key from now on."""
        self._write("INSERT OR REPLACE INTO files VALUES (?, ?)", (key, name))

    def prune(self, now: Callable[[], float] = time.time) -> None:
        """Remove drafts of a killed run, and files and trees that were not in use for a month.

        What is in use is touched at every sync (`touch`).
        """
        shutil.rmtree(self.directory / "drafts", ignore_errors=True)
        for folder in ("files", "trees"):
            for path in (self.directory / folder).glob("*"):
                if now() - path.stat().st_mtime < _KEPT_S:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    @staticmethod
    def touch(path: Path) -> None:
        """Note that a file or tree is still in use."""
        path.touch(exist_ok=True)

    def _rows(self, query: str, values: tuple[str, ...]) -> list[tuple[str, ...]]:
        if not self._database.is_file():
            return []
        return self._sound(lambda database: database.execute(query, values).fetchall())

    def _write(self, statement: str, values: tuple[str, ...]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._sound(lambda database: database.execute(statement, values))

    def _sound(self, ask: Callable[[sqlite3.Connection], _Asked]) -> _Asked:
        """Ask the database; a damaged one is put aside and begun anew, as it is only a cache."""
        try:
            with closing(self._connect()) as database, database:
                return ask(database)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._database.replace(self._database.with_suffix(".damaged"))
            with closing(self._connect()) as database, database:
                return ask(database)

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._database, timeout=30)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_SCHEMA)
        return database
