"""One matrix, learned from the ways people ask, behind the vectors of questions.

It brings questions nearer to one another that one article answers, in every
language of the embedder. How it was learned and what it is worth:
docs/contributors/asks-head.md; ``python -m eval.learning`` learns it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.embedder import Vectors
from rag.learned import Misfit, Numbers, read_learned

HEAD = "asks_head.npz"
"""Its file in the corpus folder."""


@dataclass(frozen=True)
class Head:
    """A square matrix in 8 bits, with a scale for each of its rows."""

    numbers: NDArray[np.int8]
    scales: NDArray[np.float32]

    @property
    def matrix(self) -> Vectors:
        """What vectors are multiplied with; shape ``(dimensions, dimensions)``."""
        return np.asarray(self.numbers * self.scales[:, None], dtype=np.float32)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.numbers.nbytes + self.scales.nbytes

    def applied(self, vectors: Vectors) -> Vectors:
        """Vectors as the head sees them, of length 1."""
        return seen_by(self.matrix, vectors)

    def save(self, file: Path, embedder: str) -> None:
        """Write it, with the name of the embedder that it was learned for."""
        np.savez(
            file, numbers=self.numbers, scales=self.scales, embedder=np.array(embedder)
        )  # fmt: skip


def seen_by(matrix: Vectors, vectors: Vectors) -> Vectors:
    """Vectors times a matrix, of length 1; shape ``(n, dimensions)``."""
    seen = vectors @ matrix.T
    lengths = np.linalg.norm(seen, axis=1, keepdims=True)
    return np.asarray(seen / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def load_head(corpus: Path, embedder: str) -> Head | None:
    """Read the head of a corpus folder.

    Returns:
        None where there is none, or one that was learned for another embedder:
        its numbers mean nothing there.

    Raises:
        BadSetting: The file is broken; the message names it.
    """
    return read_learned(corpus / HEAD, embedder, _built)


def _built(held: Numbers) -> Head:
    head = Head(held["numbers"].astype(np.int8), held["scales"].astype(np.float32))
    if head.numbers.ndim != 2 or head.numbers.shape != (len(head.scales), len(head.scales)):
        raise Misfit(f"its shape is {head.numbers.shape}")
    return head
