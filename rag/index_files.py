"""How a generation lies on disk: what its writer and its reader share.

It alone opens Chroma; `rag.index` and `rag.index_writer` ask what it has opened.

``index.sqlite`` holds what was read, ``chroma/`` every vector, and
``chunks.npy`` and ``sentences.npy`` those that a search reads from end to end.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import chromadb
from chromadb.api.client import Client
from chromadb.config import Settings as ChromaSettings
from pydantic import TypeAdapter

from rag.models import Article, Chunk, Gap, IndexedDocument, Resource

INDEX_FORMAT = 4
"""Raised whenever an older generation can no longer be read."""
SQLITE = "index.sqlite"
CHROMA = "chroma"
MAPPED = ("chunks", "sentences")
"""Vectors that lie in a file of their own too."""

CHUNK: TypeAdapter[Chunk] = TypeAdapter(Chunk)
ARTICLE: TypeAdapter[Article] = TypeAdapter(Article)
GAP: TypeAdapter[Gap] = TypeAdapter(Gap)
CARD: TypeAdapter[IndexedDocument] = TypeAdapter(IndexedDocument)
RESOURCE: TypeAdapter[Resource] = TypeAdapter(Resource)

OPENING = threading.RLock()
"""Held while a client of Chroma's is made or closed."""


def open_chroma(directory: Path) -> Client:
    """Open a Chroma directory."""
    settings = ChromaSettings(anonymized_telemetry=False, is_persistent=True)
    # Two threads that open one folder at once meet a half-made client of Chroma's.
    with OPENING:
        return cast(Client, chromadb.PersistentClient(path=str(directory), settings=settings))
