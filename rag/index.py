"""A generation of the index, opened for reading: what was indexed, and how it is searched.

``generations/<id>/`` holds one SQLite file (`rag.index_reader`), one Chroma directory and the
vectors that a search reads from end to end (`rag.index_vectors`).
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.chroma_server import ChromaServer
from rag.embedder import Vectors
from rag.errors import (
    IndexMismatch,
    UnknownTopic,
)
from rag.index_files import (
    ARTICLE,
    CARD,
    CHUNK,
    GAP,
    INDEX_FORMAT,
    RESOURCE,
)
from rag.index_reader import IndexFile
from rag.index_vectors import IndexVectors
from rag.models import (
    Chunk,
    Filters,
    IndexedDocument,
    IndexInfo,
)
from rag.planted import hosts
from rag.text import letters_digits

_CHUNKS_READ = 5000
_DOCUMENTS_READ = 500
"""Chunks and cards of documents, and documents with their chunks, that stay parsed: to parse them
takes as long as to search."""


@dataclass(frozen=True)
class _Column:
    """A column of few different values, by their numbers."""

    values: Sequence[str | None]
    numbers: NDArray[np.int32]
    """For each chunk the position of its value."""

    @classmethod
    def of(cls, column: Sequence[str | None]) -> _Column:
        known: dict[str | None, int] = {}
        numbers = [known.setdefault(value, len(known)) for value in column]
        return cls(tuple(known), np.array(numbers, dtype=np.int32))

    def where(self, admits: Callable[[str | None], bool]) -> NDArray[np.bool_]:
        """Which chunks have a value that is admitted."""
        return np.array([admits(value) for value in self.values], dtype=np.bool_)[self.numbers]


class Generation:
    """A generation opened for reading; safe to use from several threads."""

    def __init__(self, directory: Path, server: ChromaServer | None = None):
        """Open it; nothing is written, and no server is asked.

        Args:
            directory: Its own.
            server: Holds its vectors, if its own directory does not.

        Raises:
            NoIndex: The directory holds no generation.
            IndexMismatch: It was written by another version of this program.
        """
        self.directory = directory
        self._file = IndexFile(directory)
        self._held = ExitStack()
        self._held.callback(self._file.close)
        # Whoever still answers from it holds it; after the last one it goes by itself.
        self._release = weakref.finalize(self, self._held.close)
        self._release.atexit = False
        meta = self._file.meta
        if meta.get("format") != str(INDEX_FORMAT):
            raise IndexMismatch(
                f"index {directory.name} has format {meta.get('format')}, this program reads"
                f" {INDEX_FORMAT}; rebuild it with: python -m ingest run"
            )
        self.digest = meta["digest"]
        self.info = IndexInfo(
            generation=meta["generation"],
            built_at=meta["built_at"],
            embedder=meta["embedder"],
            dimensions=int(meta["dimensions"]),
            documents=int(meta["documents"]),
            chunks=int(meta["chunks"]),
        )
        self.ask_floor = float(meta["ask_floor"])
        self.ask_bar = float(meta["ask_bar"])
        head = self._file.array("ask_head")
        self.ask_head: Vectors | None = head if head.size else None
        self.ask_centres: Mapping[str, Vectors] = self._file.named("ask_centres")
        self.acronyms: Mapping[str, str] = json.loads(meta["acronyms"])
        self.standing: Mapping[str, Vectors] = self._file.named("standing")
        self.words = self._file.leg("words", self.info.chunks)
        self.grams = self._file.leg("grams", self.info.chunks)
        self._chunks_read: dict[int, Chunk] = {}
        self._documents_read: dict[str, tuple[Chunk, ...]] = {}
        self._cards_read: dict[str, IndexedDocument] = {}
        self.articles = self._file.all(ARTICLE, "articles")
        self.gaps = self._file.all(GAP, "gaps")
        self.resources = self._file.all(RESOURCE, "resources")
        self._topics: Mapping[str, str] = json.loads(meta["topics"])
        self._columns: dict[str, _Column] = {}
        for name in ("source", "kind", "country", "topic", "labels"):
            found = self._file.rows(f"SELECT {name} FROM chunks ORDER BY number")  # noqa: S608
            self._columns[name] = _Column.of([value for (value,) in found])
        self.vectors = IndexVectors(self._file, self.info, self._held, server)

    def topic(self, name: str) -> str:
        """The id of a topic by any of its names.

        Raises:
            UnknownTopic: Nothing is filed under it.
        """
        known = self._topics.get(letters_digits(name))
        if known is None:
            listed = ", ".join(sorted(set(self._topics.values()))) or "none yet"
            raise UnknownTopic(f"there is no such topic; there are: {listed}")
        return known

    def check(self, embedder: str) -> None:
        """Make sure that the index can be searched as the settings say.

        Args:
            embedder: Name of the one that embeds queries.

        Raises:
            IndexMismatch: It was built with another embedder, or its vectors are elsewhere.
            VectorsUnavailable: They are in a server that does not answer.
        """
        if embedder != self.info.embedder:
            raise IndexMismatch(
                f"the index was built with {self.info.embedder}, the setting says {embedder};"
                " rebuild it with: python -m ingest run"
            )
        self.vectors.check()

    def close(self) -> None:
        """Close the files: what is read from them after that fails.

        The arrays stay until nobody holds the generation.
        """
        self._release()

    def allowed(self, filters: Filters) -> NDArray[np.bool_] | None:
        """Which chunks a filter admits; None where there is no limit."""
        if filters == Filters():
            return None
        admitted = np.ones(self.info.chunks, dtype=np.bool_)
        for name, wanted in (
            ("source", filters.sources),
            # A list of questions is part of its page.
            ("kind", (*filters.kinds, "navigation") if "page" in filters.kinds else filters.kinds),
            ("country", filters.countries),
            ("topic", filters.topics),
        ):
            if wanted:
                admitted &= self._columns[name].where(wanted.__contains__)
        if filters.labels:
            labels = set(filters.labels)
            admitted &= self._columns["labels"].where(
                lambda held: not labels.isdisjoint((held or "").split())
            )
        return admitted

    def chunk(self, number: int) -> Chunk:
        """Return a chunk by its number."""
        known = self._chunks_read.get(number)
        if known is None:
            rows = self._file.rows("SELECT content FROM chunks WHERE number = ?", (int(number),))
            known = CHUNK.validate_json(rows[0][0])
            if len(self._chunks_read) >= _CHUNKS_READ:
                self._chunks_read.clear()
            self._chunks_read[number] = known
        return known

    def chunks_of(self, document_id: str) -> tuple[Chunk, ...]:
        """Every chunk of a document, in reading order."""
        known = self._documents_read.get(document_id)
        if known is None:
            rows = self._file.rows(
                "SELECT content FROM chunks WHERE document_id = ? ORDER BY number", (document_id,)
            )
            known = tuple(CHUNK.validate_json(content) for (content,) in rows)
            if len(self._documents_read) >= _DOCUMENTS_READ:
                self._documents_read.clear()
            self._documents_read[document_id] = known
        return known

    def chunk_by_id(self, chunk_id: str) -> Chunk | None:
        """Return a chunk by its id, None where there is none."""
        number = self.chunk_number(chunk_id)
        return None if number is None else self.chunk(number)

    def chunk_number(self, chunk_id: str) -> int | None:
        """Return the number of a chunk, None where there is none."""
        rows = self._file.rows("SELECT number FROM chunks WHERE id = ?", (chunk_id,))
        return int(rows[0][0]) if rows else None

    def chunk_numbers(self) -> dict[str, int]:
        """The number of every chunk, by its id."""
        return dict(self._file.rows("SELECT id, number FROM chunks"))

    def all_chunks(self) -> Iterator[Chunk]:
        """Every chunk, in order."""
        for (content,) in self._file.rows("SELECT content FROM chunks ORDER BY number"):
            yield CHUNK.validate_json(content)

    def documents(self) -> list[IndexedDocument]:
        """What is indexed."""
        return [
            CARD.validate_json(card)
            for (card,) in self._file.rows("SELECT card FROM documents ORDER BY ordinal")
        ]

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The hosts of the sources, as `rag.planted` takes them."""
        return hosts(card.url for card in self.documents())

    @cached_property
    def vouched(self) -> frozenset[str] | None:
        """The hosts that lists may link: those that the sources of articles link, and the sources.

        Whoever wrote an article has read the source it rests on. None where articles rest on
        nothing that is indexed here: then nobody has, and no source is above another.
        """
        read = {
            evidence.source
            for article in self.articles
            for said in article.statements
            for evidence in said.evidence
            if evidence.chunk_id is not None
        }
        if not read:
            return None
        named = (
            each.url for each in self.resources if any(m.source in read for m in each.mentions)
        )
        return hosts(named) | self.hosts

    def document(self, document_id: str) -> IndexedDocument | None:
        """Return one document's card, None where there is none."""
        known = self._cards_read.get(document_id)
        if known is None:
            rows = self._file.rows("SELECT card FROM documents WHERE id = ?", (document_id,))
            if not rows:
                return None
            known = CARD.validate_json(rows[0][0])
            if len(self._cards_read) >= _CHUNKS_READ:
                self._cards_read.clear()
            self._cards_read[document_id] = known
        return known

    def payloads(self) -> list[tuple[str, str]]:
        """``(source, payload)`` of every document, for the next ingest."""
        return [
            (source, payload)
            for source, payload in self._file.rows(
                "SELECT source, payload FROM documents ORDER BY ordinal"
            )
        ]

    def leftovers(self) -> list[tuple[str, str]]:
        """What else the ingest room left for its next run."""
        return [
            (source, payload)
            for source, payload in self._file.rows("SELECT source, payload FROM leftovers")
        ]
