"""What a generation holds before it is on disk, and how it gets there."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.chroma import FOLDER, write_folder
from rag.chroma_server import ChromaServer
from rag.embedder import Vectors
from rag.index_files import (
    ARTICLE,
    ASKS,
    CARD,
    CHUNK,
    GAP,
    INDEX_FORMAT,
    MAPPED,
    RESOURCE,
    SQLITE,
)
from rag.lexical import LexicalLeg, four_grams, words
from rag.models import Article, Chunk, Gap, IndexedDocument, Resource

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
    ask_centres: Mapping[str, Vectors] = field(default_factory=dict)
    """What the asking variants of each language have in common, see `rag.articles`."""
    ask_head: Vectors | None = None
    """The matrix that their vectors were seen by, see `rag.head`; None: none."""
    standing: Mapping[str, Vectors] = field(default_factory=dict)
    """Texts kept by hand that queries are made with, embedded as queries."""


def write_generation(
    folder: Path,
    name: str,
    contents: Contents,
    progress: Callable[[int], None],
    server: ChromaServer | None = None,
) -> None:
    """Write the files of a generation, and have them on the disk before returning.

    Args:
        folder: An empty folder.
        name: Id of the generation.
        contents: What it holds.
        progress: Called with the number of vectors stored since the last call.
        server: Holds its vectors; None: Chroma in the folder does.

    Raises:
        VectorsUnavailable: The server does not answer.
    """
    _write_sqlite(folder / SQLITE, name, contents, server.url if server else "")
    vectors = {
        "chunks": contents.chunk_vectors,
        "sentences": contents.sentence_vectors,
        ASKS: contents.ask_vectors,
    }
    if server:
        server.write(name, vectors, progress)
    else:
        write_folder(folder / FOLDER, vectors, progress)
    for kind in MAPPED if server else (*MAPPED, ASKS):
        rows = np.asarray(vectors[kind], dtype=np.float32).reshape(-1, contents.dimensions)
        np.save(folder / f"{kind}.npy", rows, allow_pickle=False)
    _flush(folder)


def _write_sqlite(file: Path, name: str, contents: Contents, server: str) -> None:
    cards = {stored.card.document_id: stored.card for stored in contents.documents}
    arrays: dict[str, bytes] = {
        "sentence_chunks": _dump(contents.sentence_chunks),
        "ask_articles": _dump(contents.ask_articles),
        "ask_centres": _dump(np.array(list(contents.ask_centres.values()), dtype=np.float32)),
        "ask_head": _dump(
            np.empty((0, 0), np.float32) if contents.ask_head is None else contents.ask_head
        ),
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
        "server": server,
        "documents": str(len(contents.documents)),
        "chunks": str(len(contents.chunks)),
        "ask_floor": repr(contents.ask_floor),
        "ask_bar": repr(contents.ask_bar),
        "acronyms": json.dumps(dict(contents.acronyms), ensure_ascii=False),
        "ask_centres": json.dumps(list(contents.ask_centres)),
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
                    CARD.dump_json(stored.card).decode(),
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
                    CHUNK.dump_json(chunk).decode(),
                )
                for number, chunk in enumerate(contents.chunks)
            ),
        )
        database.executemany(
            "INSERT INTO gaps VALUES (?, ?)",
            [(number, GAP.dump_json(gap).decode()) for number, gap in enumerate(contents.gaps)],
        )
        database.executemany(
            "INSERT INTO articles VALUES (?, ?)",
            [
                (number, ARTICLE.dump_json(article).decode())
                for number, article in enumerate(contents.articles)
            ],
        )
        database.executemany(
            "INSERT INTO resources VALUES (?, ?)",
            [
                (number, RESOURCE.dump_json(resource).decode())
                for number, resource in enumerate(contents.resources)
            ],
        )
        database.executemany("INSERT INTO leftovers VALUES (?, ?)", contents.leftovers)
        database.executemany("INSERT INTO arrays VALUES (?, ?)", arrays.items())


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
