"""How a generation lies on disk: what its writer and its reader share.

``index.sqlite`` holds what was read. ``chunks.npy``, ``sentences.npy`` and ``asks.npy`` are the
vectors that a search reads from end to end, and ``chroma/`` holds all of them once more; where a
Chroma server is set, it holds them instead, and there is no ``asks.npy``: those are asked there.
"""

from __future__ import annotations

from pydantic import TypeAdapter

from rag.models import Article, Chunk, Gap, IndexedDocument, Resource

INDEX_FORMAT = 4
"""Raised whenever an older generation can no longer be read."""
SQLITE = "index.sqlite"
MAPPED = ("chunks", "sentences")
"""Vectors that always lie in a file of their own."""
ASKS = "asks"
"""Those that do unless a server is asked for them."""

CHUNK: TypeAdapter[Chunk] = TypeAdapter(Chunk)
ARTICLE: TypeAdapter[Article] = TypeAdapter(Article)
GAP: TypeAdapter[Gap] = TypeAdapter(Gap)
CARD: TypeAdapter[IndexedDocument] = TypeAdapter(IndexedDocument)
RESOURCE: TypeAdapter[Resource] = TypeAdapter(Resource)
