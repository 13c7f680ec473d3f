"""An embedder that keeps all that it is given."""

from __future__ import annotations

from collections.abc import Sequence

from fakes import HashingEmbedder

from rag.embedder import Vectors


class Overheard(HashingEmbedder):
    """Keeps all that it is given to embed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def _embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super()._embed(texts)
