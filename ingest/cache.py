"""Vectors already computed: unchanged texts are never embedded twice."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from rag.embedder import Embedder, Vectors

_BATCH = 32
"""Texts embedded between two steps of the progress bar."""
_LOOKUP = 500


Progress = Callable[[int], None]


def _silent(count: int) -> None:
    """Progress that nobody watches."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether a database is no database any more; a full disk or a lock will pass."""
    code = getattr(error, "sqlite_errorcode", None)
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class EmbeddingCache:
    """One SQLite file, keyed by model and sha256 of the text."""

    def __init__(self, file: Path):
        """Name the file; it is made when first written."""
        self.file = file
        self.embedded = 0
        """Texts that had to be embedded since this object was made."""
        self.seconds = 0.0
        """How long the model took for them."""

    def passages(
        self, texts: Sequence[str], embedder: Embedder, progress: Progress = _silent
    ) -> Vectors:
        """Return the vectors of texts that are searched in, embedding only the new ones.

        Each batch is stored as soon as it is computed, so that a killed run
        starts again where it was.

        Returns:
            Shape ``(len(texts), embedder.dimensions)``.
        """
        return self._vectors(texts, embedder.passages, embedder.name, embedder.dimensions, progress)

    def queries(
        self, texts: Sequence[str], embedder: Embedder, progress: Progress = _silent
    ) -> Vectors:
        """Return the vectors of texts as they are searched with, like `passages`."""
        model = f"{embedder.name} query"
        return self._vectors(texts, embedder.queries, model, embedder.dimensions, progress)

    def _vectors(
        self,
        texts: Sequence[str],
        embed: Callable[[Sequence[str]], Vectors],
        model: str,
        dimensions: int,
        progress: Progress,
    ) -> Vectors:
        try:
            return self._looked_up(texts, embed, model, dimensions, progress)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            # It is only a cache: what is damaged is put aside and computed anew.
            self.file.replace(self.file.with_suffix(".damaged"))
            return self._looked_up(texts, embed, model, dimensions, progress)

    def _looked_up(
        self,
        texts: Sequence[str],
        embed: Callable[[Sequence[str]], Vectors],
        model: str,
        dimensions: int,
        progress: Progress,
    ) -> Vectors:
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.file, timeout=60)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS vectors (model TEXT, key TEXT, vector BLOB,"
                " PRIMARY KEY (model, key)) WITHOUT ROWID"
            )
            known = _known(database, model, dimensions, sorted(set(keys)))
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            progress(len(texts) - sum(key in missing for key in keys))
            # Texts of like length share a batch: none waits for the longest.
            waiting = sorted(missing.items(), key=lambda item: len(item[1]))
            for start in range(0, len(waiting), _BATCH):
                batch = waiting[start : start + _BATCH]
                started = time.monotonic()
                found = embed([text for _, text in batch])
                self.seconds += time.monotonic() - started
                with database:
                    database.executemany(
                        "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                        [
                            (model, key, vector.astype(np.float32).tobytes())
                            for (key, _), vector in zip(batch, found, strict=True)
                        ],
                    )
                known.update((key, vector) for (key, _), vector in zip(batch, found, strict=True))
                self.embedded += len(batch)
                progress(len(batch))
        if not keys:
            return np.empty((0, dimensions), dtype=np.float32)
        return np.stack([known[key] for key in keys]).astype(np.float32)


def _known(
    database: sqlite3.Connection, model: str, dimensions: int, keys: Sequence[str]
) -> dict[str, Vectors]:
    found: dict[str, Vectors] = {}
    for start in range(0, len(keys), _LOOKUP):
        some = keys[start : start + _LOOKUP]
        marks = ",".join("?" * len(some))
        rows = database.execute(
            f"SELECT key, vector FROM vectors WHERE model = ? AND key IN ({marks})",  # noqa: S608 - question marks only
            (model, *some),
        )
        for key, blob in rows:
            vector = np.frombuffer(blob, dtype=np.float32)
            if vector.shape == (dimensions,):
                found[key] = vector
    return found
