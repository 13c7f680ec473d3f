"""Chroma in the folder of a generation: a copy of every vector, for `ingest doctor` and others.

It alone opens Chroma's own library, and only where vectors are written or looked up there: a
server that answers reads plain files (docs/decisions/0018) and does without the library's memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from rag.embedder import Vectors

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.collection_configuration import CreateHNSWConfiguration
    from chromadb.api.models.Collection import Collection

FOLDER = "chroma"
"""Its name in the folder of a generation."""
KINDS = ("chunks", "sentences", "asks")
"""The collections of a generation."""
HNSW = {"space": "cosine", "ef_construction": 200, "ef_search": 1000, "max_neighbors": 32}
"""How each of them is searched."""

_BATCH = 2000
"""Vectors that Chroma is given at once."""
_OPENING = threading.RLock()
"""Held while a client of Chroma's is made or closed."""


class Collections(Protocol):
    """The vectors of one generation, as Chroma holds them."""

    def count(self, kind: str) -> int:
        """How many there are of one of `KINDS`."""

    def nearest(self, kind: str, vector: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        """Numbers and cosines of the `count` nearest, of which there are as many; best first."""

    def stored(self, kind: str, numbers: NDArray[np.int64]) -> Vectors:
        """Those with some numbers, ascending; those that are not there are left out."""

    def close(self) -> None:
        """Let go of what is open."""


class FolderCollections:
    """Those in a folder, which Chroma writes into even to read."""

    def __init__(self, directory: Path):
        """Open them.

        Raises:
            ValueError: There are none.
        """
        if not directory.is_dir():
            raise ValueError("the folder of Chroma is gone")
        self._client = _opened(directory)
        self._kinds: dict[str, Collection] = {}

    def count(self, kind: str) -> int:
        """See `Collections`."""
        return self._collection(kind).count()

    def nearest(self, kind: str, vector: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        """See `Collections`."""
        found = self._collection(kind).query(
            query_embeddings=[vector.tolist()], n_results=count, include=["distances"]
        )
        distances = found["distances"]
        assert distances is not None  # noqa: S101 - asked for above
        return ranked(found["ids"][0], distances[0])

    def stored(self, kind: str, numbers: NDArray[np.int64]) -> Vectors:
        """See `Collections`."""
        ids = [str(number) for number in numbers]
        found = self._collection(kind).get(ids=ids, include=["embeddings"])
        return in_order(found["ids"], np.asarray(found["embeddings"], dtype=np.float32))

    def close(self) -> None:
        """See `Collections`."""
        with _OPENING:
            self._client.close()

    def _collection(self, kind: str) -> Collection:
        if kind not in self._kinds:
            self._kinds[kind] = self._client.get_collection(kind, embedding_function=None)
        return self._kinds[kind]


def write_folder(
    directory: Path, vectors: Mapping[str, Vectors], progress: Callable[[int], None]
) -> None:
    """Write collections into a new folder.

    Args:
        directory: The folder.
        vectors: By kind.
        progress: Called with the number of vectors stored since the last call.
    """
    client = _opened(directory)
    try:
        for kind, rows in vectors.items():
            collection = client.create_collection(
                kind,
                # Our own vectors only: the built-in function would download a model.
                embedding_function=None,
                configuration={"hnsw": cast("CreateHNSWConfiguration", HNSW)},
            )
            for start in range(0, len(rows), _BATCH):
                batch = rows[start : start + _BATCH]
                collection.add(
                    ids=[str(number) for number in range(start, start + len(batch))],
                    embeddings=batch,
                )
                progress(len(batch))
    finally:
        # It would keep every vector in memory for as long as the process lives.
        with _OPENING:
            client.close()


def ranked(ids: list[str], distances: list[float]) -> tuple[NDArray[np.int64], Vectors]:
    """Numbers and cosines of what Chroma found."""
    numbers = np.array([int(each) for each in ids], dtype=np.int64)
    return numbers, 1.0 - np.array(distances, dtype=np.float32)


def in_order(ids: list[str], rows: Vectors) -> Vectors:
    """Vectors of Chroma's in the order of their numbers."""
    return rows[np.argsort([int(each) for each in ids])]


def _opened(directory: Path) -> Client:
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False, is_persistent=True)
    # Two threads that open one folder at once meet a half-made client of Chroma's.
    with _OPENING:
        return cast("Client", chromadb.PersistentClient(path=str(directory), settings=settings))
