"""What was read before: a source, or a file, that has not changed is not parsed again.

Keyed by everything that decides what a reader finds: the bytes, what is known
of the source, and the readers' own code. So nothing has to be told that
something changed, and a wrong hit would need equal hashes.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ingest.cache import is_damage
from ingest.loaders.folder import folder_files
from ingest.loaders.history import git_log
from ingest.models import Loaded, Menus, Source

_CODE = Path(__file__).resolve().parent
_PARSERS = (
    "beautifulsoup4", "lxml", "markdown-it-py", "mdit-py-plugins", "pdfplumber", "py3langid",
    "pypandoc-binary", "pypdf", "pypdfium2", "python-liquid", "pyyaml",
)  # fmt: skip
_KEPT_S = 30 * 86_400
_TRIED_AGAIN_S = 7 * 86_400
"""After which what had a problem is read again: a page that took too long may not the next time."""
_LOADED: TypeAdapter[list[Loaded]] = TypeAdapter(list[Loaded])


class Readings:
    """One SQLite file: key to what was read. Losing it costs time and nothing else."""

    def __init__(self, file: Path):
        """Name the file; it is made when first written."""
        self._file = file

    def get(self, key: str) -> list[Loaded] | None:
        """What was read under a key, None where nothing was."""
        if not self._file.is_file():
            return None
        try:
            with closing(self._connect()) as database, database:
                rows = database.execute("SELECT made_at, value FROM readings WHERE key = ?", (key,))
                row = rows.fetchone()
                if row is None:
                    return None
                now = int(time.time())
                database.execute("UPDATE readings SET used_at = ? WHERE key = ?", (now, key))
            read = _LOADED.validate_json(row[1])
        except (sqlite3.DatabaseError, ValidationError):
            return None
        old = now - row[0] > _TRIED_AGAIN_S
        return None if old and any(loaded.problems for loaded in read) else read

    def put(self, key: str, read: Sequence[Loaded]) -> None:
        """Keep what was read; what has problems, for a week."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        value = _LOADED.dump_json(list(read))
        try:
            self._store(key, value)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            # It is only a cache: what is damaged is put aside and begun anew.
            self._file.replace(self._file.with_suffix(".damaged"))
            with suppress(sqlite3.DatabaseError):
                self._store(key, value)

    def _store(self, key: str, value: bytes) -> None:
        now = int(time.time())
        with closing(self._connect()) as database, database:
            database.execute(
                "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)", (key, now, now, value)
            )
            database.execute("DELETE FROM readings WHERE used_at < ?", (now - _KEPT_S,))

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._file, timeout=60)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS readings"
            " (key TEXT PRIMARY KEY, made_at INTEGER NOT NULL, used_at INTEGER NOT NULL,"
            " value BLOB NOT NULL) WITHOUT ROWID"
        )
        return database


def source_key(source: Source) -> str:
    """The key of a source as a whole."""
    digest = _digest_of(source)
    if source.files is not None:
        for each in source.files:
            # Its name is the hash of its bytes; the folder it lies in says nothing.
            fact = replace(each, file=Path(each.file.name))
            digest.update(f"\0{fact}".encode(errors="replace"))
        return digest.hexdigest()
    # Dates come from the history, which may grow while the files stay.
    digest.update(git_log(source.path, "-1", "--format=%H").encode())
    root = source.path if source.path.is_dir() else source.path.parent
    for path in folder_files(source.path):
        name = path.relative_to(root).as_posix()
        digest.update(f"\0{name}\0".encode(errors="surrogateescape"))
        digest.update(_sha256(path))
    return digest.hexdigest()


def file_key(source: Source, path: str, file: Path) -> str:
    """The key of one file of a source whose files are read each by itself."""
    facts = [replace(each, file=Path()) for each in source.files or () if each.path == path]
    # Menus concern all files together, and none by itself.
    digest = _digest_of(replace(source, menus=Menus()))
    digest.update(f"\0{path}\0{facts}\0".encode(errors="replace"))
    digest.update(_sha256(file))
    return digest.hexdigest()


def _digest_of(source: Source) -> hashlib._Hash:
    """Of what is known of a source beside its files, and of the code that reads them."""
    bare = replace(source, path=Path(), files=None)
    return hashlib.sha256(f"{_code()}\0{bare}".encode(errors="replace"))


def _sha256(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return repr(error).encode()


@functools.cache
def _code() -> str:
    """A digest of the readers' code, and of the programs they use."""
    digest = hashlib.sha256()
    for folder in (_CODE, _CODE.parent / "rag"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update(repr([version(name) for name in _PARSERS]).encode())
    digest.update(repr(shutil.which("tesseract")).encode())
    return digest.hexdigest()
