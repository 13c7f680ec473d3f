"""The index: an immutable generation on disk; the only importer of Chroma.

``generations/<id>/`` holds one SQLite file, one Chroma directory and the
vectors that a search reads from end to end; it is never written again once
complete. ``current`` names the generation in use and is replaced atomically.
So a killed ingest harms nothing, and no reader sees half an index (DESIGN 2).

Chroma keeps all vectors and finds the asking variants nearest to a question.
Chunks and sentences are scored exactly, from plain arrays mapped into memory:
a cosine with each of 100,000 chunks takes about as long as to embed the
question, and the system may let go of the memory when others need it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import chromadb
import numpy as np
from chromadb.api.client import Client
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import TypeAdapter

from rag.embedder import Vectors
from rag.errors import IndexLocked, IndexMismatch, NoIndex, UnknownTopic
from rag.lexical import LexicalLeg, four_grams, words
from rag.models import (
    Article,
    Chunk,
    DataItem,
    Filters,
    Gap,
    IndexedDocument,
    IndexInfo,
    Part,
    Resource,
)
from rag.text import letters_digits, sentences, word_count

INDEX_FORMAT = 2
"""Raised whenever an older generation can no longer be read."""
KEPT = 3
"""Generations left for rollback."""

_CHUNK: TypeAdapter[Chunk] = TypeAdapter(Chunk)
_ARTICLE: TypeAdapter[Article] = TypeAdapter(Article)
_GAP: TypeAdapter[Gap] = TypeAdapter(Gap)
_CARD: TypeAdapter[IndexedDocument] = TypeAdapter(IndexedDocument)
_RESOURCE: TypeAdapter[Resource] = TypeAdapter(Resource)

SENTENCE_WORDS = 3
"""Shorter sentences get no vector of their own (DESIGN 3)."""
POOL = 4000
"""Chunks whose sentences are scored for a query; smaller indexes are scored whole.
``python -m eval.scale`` shows what is lost."""

_BATCH = 2000
_CHUNKS_READ = 5000
_DOCUMENTS_READ = 500
"""Chunks, and documents with theirs, that stay parsed: to parse them takes as long as to search."""
_OPENING = threading.RLock()
_DAMAGE = (sqlite3.Error, ChromaError, EOFError, LookupError, ValueError, TypeError, OSError)
"""What reading a damaged generation ends in."""
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    id TEXT PRIMARY KEY, ordinal INTEGER NOT NULL, source TEXT NOT NULL, path TEXT NOT NULL,
    card TEXT NOT NULL, payload TEXT NOT NULL);
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL,
    source TEXT NOT NULL, kind TEXT NOT NULL, country TEXT, topic TEXT, labels TEXT NOT NULL,
    content TEXT NOT NULL);
CREATE INDEX chunks_document ON chunks (document_id);
CREATE TABLE leftovers (source TEXT NOT NULL, payload TEXT NOT NULL);
CREATE TABLE gaps (number INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE resources (number INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE articles (number INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE arrays (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


@dataclass(frozen=True)
class StoredDocument:
    """A document's card, and its whole content as the ingest room wrote it."""

    card: IndexedDocument
    payload: str


@dataclass(frozen=True)
class Contents:
    """Everything a generation holds, before it is written."""

    embedder: str
    dimensions: int
    digest: str
    """Hash of all that went in; equal contents need no new generation."""
    documents: Sequence[StoredDocument]
    chunks: Sequence[Chunk]
    chunk_texts: Sequence[str]
    """What is searched in lexically: the heading path, then the text."""
    chunk_vectors: Vectors
    sentence_chunks: NDArray[np.int32]
    """For each sentence the number of its chunk."""
    sentence_vectors: Vectors
    gaps: Sequence[Gap]
    resources: Sequence[Resource]
    topics: Mapping[str, str]
    """Any name of a topic, as letters and digits, to its id."""
    articles: Sequence[Article]
    ask_articles: NDArray[np.int32]
    """For each asking variant the number of its article."""
    ask_vectors: Vectors
    ask_floor: float
    """Cosine under which a question has nothing to do with any article."""
    ask_bar: float
    """Cosine from which on an article answers a question by itself."""
    acronyms: Mapping[str, str]
    leftovers: Sequence[tuple[str, str]]
    """``(source, payload)``: what else the ingest room carries to its next run."""
    standing: Mapping[str, Vectors] = field(default_factory=dict)
    """Texts kept by hand that queries are made with, embedded as queries."""


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


@dataclass(frozen=True)
class Sentence:
    """A sentence of a chunk with the part that tells its place and label."""

    text: str
    """What is said; an item of a metadata model is told in a sentence of ours."""
    part: Part
    quote: str
    """Exact text of the source that carries it."""


def chunk_sentences(chunk: Chunk) -> list[Sentence]:
    """The sentences of a chunk that are indexed by themselves, in order."""
    found: list[Sentence] = []
    for part in chunk.parts:
        if part.item is not None:
            # The row, and the condition below it, where it has one.
            row, *below = part.text.splitlines()
            said = [line for line in below[:1] if line == part.item.condition]
            found.append(Sentence(told(part.item), part, " ".join([row, *said])))
            continue
        found += [
            Sentence(text, part, text)
            for text in sentences(part.text)
            if word_count(text) >= SENTENCE_WORDS
        ]
    return found


_NO_CONDITION = ("", "na", "n/a", "n.a.", "none", "-", "–", "—")
"""What the column of conditions says of an item that has none."""


def told(item: DataItem) -> str:
    """One item of a metadata model in words: what is asked of it, then what it is."""
    place = f"{item.of_class}, {item.scope}" if item.scope else item.of_class
    facts = [item.obligation, f"cardinality {item.cardinality}" if item.cardinality else ""]
    said = [f"{item.name} ({place}): {', '.join(fact for fact in facts if fact)}"]
    if item.definition:
        said.append(item.definition)
    if item.condition.lower() not in _NO_CONDITION:
        said.append(f"Condition: {item.condition}")
    if item.review == "for review":
        said.append("Newly added, still for review")
    return " ".join(f"{each.rstrip(' .')}." for each in said)


class Store:
    """The data directory: its generations and which one is current."""

    def __init__(self, directory: Path):
        """Name the data directory; nothing is read or written yet."""
        self.directory = directory
        self.generations = directory / "generations"
        self._pointer = directory / "current"

    def current(self) -> str | None:
        """Return the id of the generation in use, None where there is none."""
        try:
            name = self._pointer.read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return name if name and (self.generations / name).is_dir() else None

    def open(self, name: str | None = None) -> Generation:
        """Open a generation for reading, by default the current one.

        Raises:
            NoIndex: There is none.
            IndexMismatch: It was written by another version of this program, or is damaged.
        """
        chosen = name or self.current()
        if chosen is None:
            raise NoIndex(
                f"there is no index in {self.directory} yet; build one with: python -m ingest run"
            )
        try:
            return Generation(self.generations / chosen)
        except _DAMAGE as error:
            raise IndexMismatch(
                f"index {chosen} is damaged ({type(error).__name__}); go back with: python -m"
                " ingest rollback, or build it anew with: python -m ingest run"
            ) from error

    def write(
        self, name: str, contents: Contents, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Write a complete generation and make it the current one.

        Args:
            name: Its id, also the name of its directory.
            contents: What it holds.
            progress: Called with the number of vectors stored since the last call.
        """
        self.generations.mkdir(parents=True, exist_ok=True)
        draft = self.generations / f".{name}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        _write_sqlite(draft / "index.sqlite", name, contents)
        _write_chroma(draft / "chroma", contents, progress)
        for kind, vectors in (
            ("chunks", contents.chunk_vectors),
            ("sentences", contents.sentence_vectors),
        ):
            rows = np.asarray(vectors, dtype=np.float32).reshape(-1, contents.dimensions)
            np.save(draft / f"{kind}.npy", rows, allow_pickle=False)
        _flush(draft)
        draft.rename(self.generations / name)
        self.use(name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one that writes.

        Raises:
            IndexLocked: Another process is.
        """
        lock = FileLock(self.directory / "ingest.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise IndexLocked("another ingest is writing; try again when it has ended") from error
        try:
            yield
        finally:
            lock.release()

    def use(self, name: str) -> None:
        """Make a complete generation the current one, atomically."""
        draft = self.directory / ".current.draft"
        with draft.open("w", encoding="utf-8") as file:
            file.write(name + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._pointer)

    def names(self) -> list[str]:
        """Every complete generation, oldest first."""
        if not self.generations.is_dir():
            return []
        return sorted(
            path.name
            for path in self.generations.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )

    def prune(self) -> None:
        """Remove drafts that a killed ingest left, and all but the last few generations."""
        if not self.generations.is_dir():
            return
        for draft in self.generations.glob(".*.draft"):
            shutil.rmtree(draft, ignore_errors=True)
        current = self.current()
        for name in self.names()[:-KEPT]:
            if name != current:
                shutil.rmtree(self.generations / name, ignore_errors=True)


class Generation:
    """A generation opened for reading; safe to use from several threads."""

    def __init__(self, directory: Path):
        """Open it.

        Raises:
            NoIndex: The directory holds no generation.
            IndexMismatch: It was written by another version of this program.
        """
        self.directory = directory
        file = directory / "index.sqlite"
        if not file.is_file():
            raise NoIndex(f"{directory.name} is no index; build one with: python -m ingest run")
        self._database = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        self._lock = threading.Lock()
        meta = dict(self._rows("SELECT key, value FROM meta"))
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
        self.acronyms: Mapping[str, str] = json.loads(meta["acronyms"])
        self.standing: Mapping[str, Vectors] = self._standing(meta)
        self.words = self._leg("words")
        self.grams = self._leg("grams")
        self.sentence_chunks: NDArray[np.int32] = self._array("sentence_chunks")
        self._sentence_starts = np.searchsorted(
            self.sentence_chunks, np.arange(self.info.chunks + 1)
        )
        self.silent: NDArray[np.bool_] = np.diff(self._sentence_starts) == 0
        """Chunks without a sentence that is indexed by itself."""
        self._chunks_read: dict[int, Chunk] = {}
        self._documents_read: dict[str, tuple[Chunk, ...]] = {}
        self.ask_articles: NDArray[np.int32] = self._array("ask_articles")
        self.articles = tuple(
            _ARTICLE.validate_json(content)
            for (content,) in self._rows("SELECT content FROM articles ORDER BY number")
        )
        self.gaps = tuple(
            _GAP.validate_json(content)
            for (content,) in self._rows("SELECT content FROM gaps ORDER BY number")
        )
        self.resources = tuple(
            _RESOURCE.validate_json(content)
            for (content,) in self._rows("SELECT content FROM resources ORDER BY number")
        )
        self._topics: Mapping[str, str] = json.loads(meta["topics"])
        self._columns = {
            name: _Column.of(
                [value for (value,) in self._rows(f"SELECT {name} FROM chunks ORDER BY number")]  # noqa: S608
            )
            for name in ("source", "kind", "country", "topic", "labels")
        }
        if not (directory / "chroma").is_dir():
            raise ValueError("the vectors are gone")
        self._chroma = _chroma(directory / "chroma")
        # Whoever still answers from it holds it; after the last one it goes by itself.
        self._release = weakref.finalize(self, _release, self._database, self._chroma)
        self._release.atexit = False
        self._collections = {
            name: self._chroma.get_collection(name, embedding_function=None)
            for name in ("chunks", "sentences", "asks")
        }
        # Chroma loads all of a collection as soon as it is counted; the others
        # are checked where search reads them, and whole by `ingest doctor`.
        if self._collections["asks"].count() != len(self.ask_articles):
            raise ValueError("asks has lost vectors")
        self.chunk_vectors = self._mapped("chunks")
        self.sentence_vectors = self._mapped("sentences")

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
        """Make sure that a query is embedded as the index was.

        Raises:
            IndexMismatch: The index was built with another embedder.
        """
        if embedder != self.info.embedder:
            raise IndexMismatch(
                f"the index was built with {self.info.embedder}, the setting says {embedder};"
                " rebuild it with: python -m ingest run"
            )

    def close(self) -> None:
        """Release the files and the memory; what is asked after that fails."""
        with self._lock:
            self._release()

    def nearest(
        self, collection: str, vector: Vectors, count: int
    ) -> tuple[NDArray[np.int64], Vectors]:
        """Find the nearest vectors of ``chunks``, ``sentences`` or ``asks``.

        Args:
            collection: Which vectors.
            vector: A unit vector of shape ``(dimensions,)``.
            count: How many at most.

        Returns:
            Their numbers and their cosines, best first.
        """
        target = self._collections[collection]
        available = min(count, int(self._size(collection)))
        if available == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        found = target.query(
            query_embeddings=[vector.tolist()], n_results=available, include=["distances"]
        )
        numbers = np.array([int(each) for each in found["ids"][0]], dtype=np.int64)
        distances = found["distances"]
        assert distances is not None  # noqa: S101 - asked for above
        return numbers, 1.0 - np.array(distances[0], dtype=np.float32)

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
            rows = self._rows("SELECT content FROM chunks WHERE number = ?", (int(number),))
            known = _CHUNK.validate_json(rows[0][0])
            if len(self._chunks_read) >= _CHUNKS_READ:
                self._chunks_read.clear()
            self._chunks_read[number] = known
        return known

    def chunks_of(self, document_id: str) -> tuple[Chunk, ...]:
        """Every chunk of a document, in reading order."""
        known = self._documents_read.get(document_id)
        if known is None:
            rows = self._rows(
                "SELECT content FROM chunks WHERE document_id = ? ORDER BY number", (document_id,)
            )
            known = tuple(_CHUNK.validate_json(content) for (content,) in rows)
            if len(self._documents_read) >= _DOCUMENTS_READ:
                self._documents_read.clear()
            self._documents_read[document_id] = known
        return known

    def chunk_by_id(self, chunk_id: str) -> Chunk | None:
        """Return a chunk by its id, None where there is none."""
        rows = self._rows("SELECT content FROM chunks WHERE id = ?", (chunk_id,))
        return _CHUNK.validate_json(rows[0][0]) if rows else None

    def chunk_number(self, chunk_id: str) -> int | None:
        """Return the number of a chunk, None where there is none."""
        rows = self._rows("SELECT number FROM chunks WHERE id = ?", (chunk_id,))
        return int(rows[0][0]) if rows else None

    def all_chunks(self) -> Iterator[Chunk]:
        """Every chunk, in order."""
        for (content,) in self._rows("SELECT content FROM chunks ORDER BY number"):
            yield _CHUNK.validate_json(content)

    def documents(self) -> list[IndexedDocument]:
        """What is indexed."""
        return [
            _CARD.validate_json(card)
            for (card,) in self._rows("SELECT card FROM documents ORDER BY ordinal")
        ]

    def document(self, document_id: str) -> IndexedDocument | None:
        """Return one document's card, None where there is none."""
        rows = self._rows("SELECT card FROM documents WHERE id = ?", (document_id,))
        return _CARD.validate_json(rows[0][0]) if rows else None

    def payloads(self) -> list[tuple[str, str]]:
        """``(source, payload)`` of every document, for the next ingest."""
        return [
            (source, payload)
            for source, payload in self._rows(
                "SELECT source, payload FROM documents ORDER BY ordinal"
            )
        ]

    def leftovers(self) -> list[tuple[str, str]]:
        """What else the ingest room left for its next run."""
        return [
            (source, payload)
            for source, payload in self._rows("SELECT source, payload FROM leftovers")
        ]

    def _rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(query, parameters).fetchall()

    def _array(self, name: str) -> NDArray[Any]:
        """Read an array in place: those of a large index are not held twice."""
        (row,) = self._rows("SELECT value FROM arrays WHERE name = ?", (name,))
        head = io.BytesIO(row[0])
        np.lib.format.read_magic(head)
        shape, _, dtype = np.lib.format.read_array_header_1_0(head)
        return np.frombuffer(row[0], dtype, offset=head.tell()).reshape(shape)

    def _mapped(self, name: str) -> Vectors:
        """Vectors to be read from end to end."""
        file = self.directory / f"{name}.npy"
        if file.is_file():
            vectors = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
        else:
            # Written before there were such files.
            found = self._collections[name].get(include=["embeddings"])
            held = np.asarray(found["embeddings"], dtype=np.float32)
            vectors = held[np.argsort([int(each) for each in found["ids"]])]
        if vectors.shape != (self._size(name), self.info.dimensions):
            raise ValueError(f"{name} has lost vectors")
        return vectors

    def _standing(self, meta: Mapping[str, str]) -> dict[str, Vectors]:
        texts = json.loads(meta.get("standing", "[]"))
        return dict(zip(texts, self._array("standing"), strict=True)) if texts else {}

    def _leg(self, name: str) -> LexicalLeg:
        (row,) = self._rows("SELECT value FROM arrays WHERE name = ?", (f"{name}.terms",))
        terms = row[0].decode().split("\n") if row[0] else []
        return LexicalLeg(
            terms={term: number for number, term in enumerate(terms)},
            starts=self._array(f"{name}.starts"),
            chunks=self._array(f"{name}.chunks"),
            weights=self._array(f"{name}.weights"),
            idf=self._array(f"{name}.idf"),
            count=self.info.chunks,
        )


def _write_sqlite(file: Path, name: str, contents: Contents) -> None:
    cards = {stored.card.document_id: stored.card for stored in contents.documents}
    arrays: dict[str, bytes] = {
        "sentence_chunks": _dump(contents.sentence_chunks),
        "ask_articles": _dump(contents.ask_articles),
        "standing": _dump(np.array(list(contents.standing.values()), dtype=np.float32)),
    }
    for leg_name, tokenize in (("words", words), ("grams", four_grams)):
        leg = LexicalLeg.build(contents.chunk_texts, tokenize)
        arrays[f"{leg_name}.terms"] = "\n".join(leg.terms).encode()
        for part in ("starts", "chunks", "weights", "idf"):
            arrays[f"{leg_name}.{part}"] = _dump(getattr(leg, part))
    meta = {
        "format": str(INDEX_FORMAT),
        "generation": name,
        "built_at": _built_at(name),
        "embedder": contents.embedder,
        "dimensions": str(contents.dimensions),
        "digest": contents.digest,
        "documents": str(len(contents.documents)),
        "chunks": str(len(contents.chunks)),
        "ask_floor": repr(contents.ask_floor),
        "ask_bar": repr(contents.ask_bar),
        "acronyms": json.dumps(dict(contents.acronyms), ensure_ascii=False),
        "standing": json.dumps(list(contents.standing), ensure_ascii=False),
        "topics": json.dumps(dict(contents.topics), ensure_ascii=False),
    }
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(_SCHEMA)
        database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        database.executemany(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    stored.card.document_id,
                    ordinal,
                    stored.card.source,
                    stored.card.path,
                    _CARD.dump_json(stored.card).decode(),
                    stored.payload,
                )
                for ordinal, stored in enumerate(contents.documents)
            ],
        )
        database.executemany(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    number,
                    chunk.chunk_id,
                    chunk.document_id,
                    chunk.source,
                    chunk.kind,
                    cards[chunk.document_id].country,
                    cards[chunk.document_id].topic,
                    " ".join(sorted({part.label for part in chunk.parts if part.label})),
                    _CHUNK.dump_json(chunk).decode(),
                )
                for number, chunk in enumerate(contents.chunks)
            ),
        )
        database.executemany(
            "INSERT INTO gaps VALUES (?, ?)",
            [(number, _GAP.dump_json(gap).decode()) for number, gap in enumerate(contents.gaps)],
        )
        database.executemany(
            "INSERT INTO articles VALUES (?, ?)",
            [
                (number, _ARTICLE.dump_json(article).decode())
                for number, article in enumerate(contents.articles)
            ],
        )
        database.executemany(
            "INSERT INTO resources VALUES (?, ?)",
            [
                (number, _RESOURCE.dump_json(resource).decode())
                for number, resource in enumerate(contents.resources)
            ],
        )
        database.executemany("INSERT INTO leftovers VALUES (?, ?)", contents.leftovers)
        database.executemany("INSERT INTO arrays VALUES (?, ?)", arrays.items())


def _release(database: sqlite3.Connection, chroma: Client) -> None:
    database.close()
    with _OPENING:
        chroma.close()


def _cosines(vectors: Vectors, vector: Vectors) -> Vectors:
    """Cosines of unit vectors with one.

    Not ``vectors @ vector``: BLAS divides that among threads and waits for the
    last of them, on a busy machine for longer than the sum takes (8 ms for 0.1).
    """
    return np.asarray(np.vecdot(vectors, vector), dtype=np.float32)


def _flush(folder: Path) -> None:
    """Have a folder on the disk, not in its cache, before anything points at it."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _built_at(name: str) -> str:
    """The moment a generation's id begins with, in ISO 8601."""
    stamp = name.split("-", 1)[0]
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[9:11]}:{stamp[11:13]}:{stamp[13:15]}Z"


def _dump(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _write_chroma(directory: Path, contents: Contents, progress: Callable[[int], None]) -> None:
    client = _chroma(directory)
    try:
        for name, vectors in (
            ("chunks", contents.chunk_vectors),
            ("sentences", contents.sentence_vectors),
            ("asks", contents.ask_vectors),
        ):
            collection = client.create_collection(
                name,
                # Our own vectors only: the built-in function would download a model.
                embedding_function=None,
                configuration={
                    "hnsw": {
                        "space": "cosine",
                        "ef_construction": 200,
                        "ef_search": 1000,
                        "max_neighbors": 32,
                    }
                },
            )
            for start in range(0, len(vectors), _BATCH):
                batch = vectors[start : start + _BATCH]
                collection.add(
                    ids=[str(number) for number in range(start, start + len(batch))],
                    embeddings=batch,
                )
                progress(len(batch))
    finally:
        # It would keep every vector in memory for as long as the process lives.
        with _OPENING:
            client.close()


def _chroma(directory: Path) -> Client:
    settings = ChromaSettings(anonymized_telemetry=False, is_persistent=True)
    # Two threads that open one folder at once meet a half-made client of Chroma's.
    with _OPENING:
        return cast(Client, chromadb.PersistentClient(path=str(directory), settings=settings))
