"""The SQLite file of a generation, opened to be read."""

from __future__ import annotations

import io
import json
import sqlite3
import threading
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from rag.embedder import Vectors
from rag.errors import IndexMismatch, NoIndex
from rag.index_files import SQLITE
from rag.lexical import LexicalLeg

HEADERS = threading.Lock()
"""NumPy parses the head of an array as Python; before 3.11.8 and 3.12.2 two threads that do so at
once may fail (CPython issue 106905), as when a server opens one generation while another closes."""
DAMAGE = (sqlite3.Error, EOFError, LookupError, ValueError, TypeError, OSError)
"""What reading a damaged generation ends in."""
_ROTTEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNREADABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)
Kind = TypeVar("Kind")


def damaged(name: str, error: Exception) -> IndexMismatch:
    """What to tell of a generation that cannot be read."""
    if reason := _outside(error):
        return IndexMismatch(
            f"index {name} cannot be read: {reason}; look after the folder it lies in, who may"
            " read it, and how many files may be open"
        )
    return IndexMismatch(
        f"index {name} is damaged ({type(error).__name__}); go back with: python -m"
        " ingest rollback, or build it anew with: python -m ingest run"
    )


def _outside(error: Exception) -> str:
    """Why a file cannot be read that may be whole; empty: it is gone, or damaged."""
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return error.strerror or type(error).__name__
    if isinstance(error, sqlite3.Error):
        kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return str(error) if kind in _UNREADABLE else ""
    return ""


class IndexFile:
    """The file; safe to use from several threads."""

    def __init__(self, directory: Path):
        """Open it; nothing is written.

        Args:
            directory: Of the generation.

        Raises:
            NoIndex: The directory holds no generation.
        """
        self.directory = directory
        file = directory / SQLITE
        if not file.is_file():
            raise NoIndex(f"{directory.name} is no index; build one with: python -m ingest run")
        self._database = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        self._lock = threading.Lock()

    @cached_property
    def meta(self) -> dict[str, str]:
        """What is said of the generation as a whole, by name."""
        return dict(self.rows("SELECT key, value FROM meta"))

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """What a query finds.

        Raises:
            IndexMismatch: The file is damaged.
        """
        try:
            with self._lock:
                return self._database.execute(query, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            # A page may rot long after it was opened; other errors are not the file's.
            if getattr(error, "sqlite_errorcode", None) not in _ROTTEN:
                raise
            raise damaged(self.directory.name, error) from error

    def all(self, kind: TypeAdapter[Kind], table: str) -> tuple[Kind, ...]:
        """Every object of a table, in order."""
        found = self.rows(f"SELECT content FROM {table} ORDER BY number")  # noqa: S608
        return tuple(kind.validate_json(content) for (content,) in found)

    def array(self, name: str) -> NDArray[Any]:
        """Read an array in place: those of a large index are not held twice."""
        (row,) = self.rows("SELECT value FROM arrays WHERE name = ?", (name,))
        head = io.BytesIO(row[0])
        np.lib.format.read_magic(head)
        with HEADERS:
            shape, _, dtype = np.lib.format.read_array_header_1_0(head)
        return np.frombuffer(row[0], dtype, offset=head.tell()).reshape(shape)

    def named(self, name: str) -> dict[str, Vectors]:
        """Vectors by what they are of."""
        names = json.loads(self.meta[name])
        return dict(zip(names, self.array(name), strict=True)) if names else {}

    def leg(self, name: str, count: int) -> LexicalLeg:
        """A lexical side.

        Args:
            name: Which.
            count: How many chunks there are.
        """
        (row,) = self.rows("SELECT value FROM arrays WHERE name = ?", (f"{name}.terms",))
        terms = row[0].decode().split("\n") if row[0] else []
        return LexicalLeg(
            terms={term: number for number, term in enumerate(terms)},
            starts=self.array(f"{name}.starts"),
            chunks=self.array(f"{name}.chunks"),
            weights=self.array(f"{name}.weights"),
            idf=self.array(f"{name}.idf"),
            count=count,
        )

    def close(self) -> None:
        """Close it, when a query that runs has ended."""
        with self._lock:
            self._database.close()
