"""The index: an immutable generation on disk.

``generations/<id>/`` holds one SQLite file, one Chroma directory and the
vectors that a search reads from end to end; it is never written again once
complete. ``current`` names the generation in use and is replaced atomically.
So a killed ingest harms nothing, and no reader sees half an index (DESIGN 2).

Chunks, sentences and asking variants are scored exactly, from plain arrays mapped into memory:
a cosine with each of 100,000 chunks takes about as long as to embed the question, the system may
let go of the memory when others need it, processes share it, and a folder that can only be read
is enough. Chroma holds every vector besides (docs/decisions/0018): where it is a server, that one
is asked for the asking variants.
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

from rag.chroma import FOLDER, KINDS, Collections, FolderCollections
from rag.chroma_server import ChromaServer
from rag.embedder import Vectors
from rag.errors import (
    IndexMismatch,
    UnknownTopic,
)
from rag.index_files import (
    ARTICLE,
    ASKS,
    CARD,
    CHUNK,
    GAP,
    INDEX_FORMAT,
    RESOURCE,
)
from rag.index_reader import HEADERS, IndexFile
from rag.models import (
    Chunk,
    Filters,
    IndexedDocument,
    IndexInfo,
)
from rag.planted import hosts
from rag.text import letters_digits

POOL = 4000
"""Chunks whose sentences are scored for a query; smaller indexes are scored whole.
``python -m eval.scale`` shows what is lost."""

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
        self.sentence_chunks: NDArray[np.int32] = self._file.array("sentence_chunks")
        self._sentence_starts = np.searchsorted(
            self.sentence_chunks, np.arange(self.info.chunks + 1)
        )
        self.silent: NDArray[np.bool_] = np.diff(self._sentence_starts) == 0
        """Chunks without a sentence that is indexed by itself."""
        self._chunks_read: dict[int, Chunk] = {}
        self._documents_read: dict[str, tuple[Chunk, ...]] = {}
        self._cards_read: dict[str, IndexedDocument] = {}
        self.ask_articles: NDArray[np.int32] = self._file.array("ask_articles")
        self.articles = self._file.all(ARTICLE, "articles")
        self.gaps = self._file.all(GAP, "gaps")
        self.resources = self._file.all(RESOURCE, "resources")
        self._topics: Mapping[str, str] = json.loads(meta["topics"])
        self._columns: dict[str, _Column] = {}
        for name in ("source", "kind", "country", "topic", "labels"):
            found = self._file.rows(f"SELECT {name} FROM chunks ORDER BY number")  # noqa: S608
            self._columns[name] = _Column.of([value for (value,) in found])
        self._server = server
        self._server_url = meta.get("server", "")
        self.chunk_vectors = self._mapped("chunks")
        self.sentence_vectors = self._mapped("sentences")
        self.ask_vectors = None if self._server_url else self._own_asks()
        """Of the asking variants; None: a server has them."""

    def _own_asks(self) -> Vectors:
        if (self.directory / f"{ASKS}.npy").is_file():
            return self._mapped(ASKS)
        # Chroma alone has those of an index that an earlier version wrote.
        try:
            found = self.collections.stored(ASKS, np.arange(self._size(ASKS)))
        except Exception as error:  # Chroma's own, of many kinds
            raise ValueError("asks has lost vectors") from error
        if len(found) != self._size(ASKS):
            raise ValueError("asks has lost vectors")
        return found

    @cached_property
    def collections(self) -> Collections:
        """The vectors as Chroma holds them; in a folder it is opened to be written.

        Raises:
            ValueError: Its folder has gone.
            IndexMismatch: The vectors are in a server that is not set, or that has lost them.
            VectorsUnavailable: The server does not answer.
        """
        opened: Collections
        if not self._server_url:
            opened = FolderCollections(self.directory / FOLDER)
        elif self._server:
            opened = self._server.collections(self.info.generation)
        else:
            raise IndexMismatch(
                f"the vectors of the index are in the Chroma server at {self._server_url}; set"
                " HELPDESK_CHROMA__URL to it, or build the index anew with: python -m ingest run"
            )
        self._held.callback(opened.close)
        return opened

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
        if self._server and not self._server_url:
            raise IndexMismatch(
                "the vectors of the index are in its own folder, and HELPDESK_CHROMA__URL names a"
                " server; bring them there with: python -m ingest run"
            )
        if self._server_url:
            for kind in KINDS:
                if self.collections.count(kind) != self._size(kind):
                    raise IndexMismatch(
                        f"the Chroma server has lost vectors of index {self.info.generation};"
                        " build it anew with: python -m ingest run"
                    )

    def close(self) -> None:
        """Release the files and the memory; what is asked after that fails."""
        self._release()

    def nearest_asks(self, vector: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        """Find the asking variants nearest to a question.

        Args:
            vector: A unit vector of shape ``(dimensions,)``, as `rag.articles.compared` makes it.
            count: How many at most.

        Returns:
            Their numbers and their cosines, best first.

        Raises:
            IndexMismatch: The server that holds them has lost some.
            VectorsUnavailable: It does not answer.
        """
        available = min(count, self._size(ASKS))
        if available == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        if self.ask_vectors is None:
            numbers, cosines = self.collections.nearest(ASKS, vector, available)
            self._whole(len(numbers) == available)
            return numbers, cosines
        every = _cosines(self.ask_vectors, vector)
        best = np.argpartition(every, len(every) - available)[len(every) - available :]
        # Those that are equally near stand in their order.
        best = best[np.lexsort((best, -every[best]))]
        return best.astype(np.int64), every[best]

    def asks(self, numbers: NDArray[np.int64]) -> Vectors:
        """Vectors of some asking variants.

        Args:
            numbers: Of them, ascending.

        Returns:
            Shape ``(len(numbers), dimensions)``.

        Raises:
            IndexMismatch: The server that holds them has lost some.
            VectorsUnavailable: It does not answer.
        """
        if not len(numbers):  # a server would be asked for all
            return np.empty((0, self.info.dimensions), dtype=np.float32)
        if self.ask_vectors is not None:
            return self.ask_vectors[numbers]
        found = self.collections.stored(ASKS, numbers)
        self._whole(len(found) == len(numbers))
        return found

    def _whole(self, whole: bool) -> None:
        if not whole:
            raise IndexMismatch(
                f"the Chroma server has lost vectors of index {self.info.generation};"
                " build it anew with: python -m ingest run"
            )

    def _size(self, collection: str) -> int:
        sizes = {
            "chunks": self.info.chunks,
            "sentences": len(self.sentence_chunks),
            "asks": len(self.ask_articles),
        }
        return sizes[collection]

    @property
    def pooled(self) -> bool:
        """Whether `best_sentences` leaves chunks out.

        Its cosines are then to be spread between the lowest and the highest of
        `chunk_cosines`, which lie as far apart (on average 1.01 times at 100,000
        chunks, 1.2 at 477) and do not depend on the pool.
        """
        return self.info.chunks > POOL

    def chunk_cosines(self, vector: Vectors) -> Vectors:
        """Cosine of every chunk.

        Args:
            vector: A unit vector of shape ``(dimensions,)``.

        Returns:
            Shape ``(chunks,)``, in order.
        """
        return _cosines(self.chunk_vectors, vector)

    def best_sentences(
        self, vector: Vectors, ranking: NDArray[np.float32], pool: int = POOL
    ) -> Vectors:
        """Cosine of the best sentence of every chunk that may matter.

        An index of up to `pool` chunks is scored whole, of a larger one the
        `pool` that rank highest so far. Their lowest cosine then says nothing
        of the index (see `pooled`).

        Args:
            vector: A unit vector of shape ``(dimensions,)``.
            ranking: What is known of each chunk so far, more being better; shape ``(chunks,)``.
            pool: How many chunks.

        Returns:
            Shape ``(chunks,)``, in order; NaN where a chunk was not scored or has no sentence.
        """
        count, starts = self.info.chunks, self._sentence_starts
        best = np.full(count, np.nan, dtype=np.float32)
        if count <= pool:
            chosen = np.arange(count)
        else:
            chosen = np.sort(np.argpartition(ranking, count - pool)[count - pool :])
        lengths = starts[chosen + 1] - starts[chosen]
        chosen, lengths = chosen[lengths > 0], lengths[lengths > 0]
        if not len(chosen):
            return best
        ends = np.cumsum(lengths)
        vectors = self.sentence_vectors
        if count > pool:
            # The rows of each chunk follow one another: its start, and one more each time.
            rows = np.arange(ends[-1]) + np.repeat(starts[chosen] - (ends - lengths), lengths)
            vectors = vectors[rows]
        best[chosen] = np.maximum.reduceat(_cosines(vectors, vector), ends - lengths)
        return best

    def sentence_cosines(self, number: int, vector: Vectors) -> Vectors:
        """Cosines of a chunk's sentences, as `chunk_sentences` orders them.

        Args:
            number: The chunk's number.
            vector: A unit vector of shape ``(dimensions,)``.

        Returns:
            Shape ``(sentences,)``.
        """
        first, last = self._sentence_starts[number : number + 2]
        return _cosines(self.sentence_vectors[first:last], vector)

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

    def _mapped(self, name: str) -> Vectors:
        """Vectors to be read from end to end."""
        file = self.directory / f"{name}.npy"
        with HEADERS:
            vectors = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
        if vectors.shape != (self._size(name), self.info.dimensions):
            raise ValueError(f"{name} has lost vectors")
        return vectors


def _cosines(vectors: Vectors, vector: Vectors) -> Vectors:
    """Cosines of unit vectors with one.

    Not ``vectors @ vector``: BLAS divides that among threads and waits for the
    last of them, on a busy machine for longer than the sum takes (8 ms for 0.1).
    """
    return np.asarray(np.vecdot(vectors, vector), dtype=np.float32)
