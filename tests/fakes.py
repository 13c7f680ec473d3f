"""Fakes at the edge: a hashing embedder, passages by the word, and a clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from rag.answerer import Answerer, Checks
from rag.asking import AskReader
from rag.doubt import Doubter
from rag.embedder import Embedder, Vectors
from rag.glossary import Glossary
from rag.index import Generation
from rag.lexical import words
from rag.messages import Messages
from rag.models import Chunk, Part, Passage
from rag.query import Effort, QueryMaker
from rag.refusals import Refusals
from rag.retriever import Retriever
from rag.triage.sorter import Decided, Guess
from rag.unwritten import Unwritten


class HashingEmbedder:
    """Bag of stemmed words, hashed to a unit vector: equal words, equal place."""

    name = "hashing-64"
    dimensions = 64

    def passages(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.full((len(texts), self.dimensions), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in words(text):
                digest = hashlib.sha256(word.encode()).digest()
                vectors[row, digest[0] % self.dimensions] += 1.0
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def retriever_of(generation: Generation, embedder: Embedder) -> Retriever:
    """A retriever with the measured weights that knows no other words for anything."""
    maker = QueryMaker(
        embedder,
        Glossary({}, {}, {}, {}),
        {},
        known=generation.words.terms,
        acronyms=generation.acronyms,
        standing={},
        effort=Effort(),
    )
    return Retriever(generation, maker)


def answerer_of(generation: Generation, embedder: Embedder, messages: Messages) -> Answerer:
    """An answerer over `retriever_of` that knows no kinds of questions and has learned nothing."""
    checks = Checks(Refusals(None), Unwritten(generation, embedder), Doubter(generation, None))
    retriever = retriever_of(generation, embedder)
    return Answerer(retriever, AskReader({}), checks, messages, "nobody@example.org")


def chunk(text: str, *, path: str = "page.md", title: str = "Page", **part: object) -> Chunk:
    """A chunk of one part."""
    return Chunk(
        chunk_id=f"invented:{path}#0",
        document_id=f"invented:{path}",
        source="invented",
        path=path,
        title=title,
        url=f"https://example.org/{path.removesuffix('.md')}",
        parts=(Part(text=text, **part),),  # type: ignore[arg-type]
    )


def passages(*texts: str) -> list[Passage]:
    """Passages of these texts, ranked as they come."""
    return [
        Passage(chunk(text, path=f"p{rank}.md"), rank, 1.0 / rank)
        for rank, text in enumerate(texts, start=1)
    ]


class FixedSorter:
    """Decides alike about all messages, for all that it is shown, and keeps that."""

    def __init__(self, **labels: str) -> None:
        """Decide as told: ``intent="spam"``; otherwise to share data, normal, answerable."""
        self._labels = {
            "intent": "share_data", "priority": "normal", "answerable": "True", **labels,
        }  # fmt: skip
        self.shown: list[str] = []

    def decide(self, subject: str, text: str) -> Mapping[str, Decided]:
        self.shown.append(f"{subject}\n{text}")
        because = f"{subject} {text}".strip()[:160]
        return {
            name: Decided((Guess(label, 0.8), Guess(_OTHERS.get(label, "elsi"), 0.2)), because)
            for name, label in self._labels.items()
        }


_OTHERS = {"True": "False", "False": "True", "high": "low", "normal": "low", "low": "normal"}


class Clock:
    """A time that passes when told to, in place of the module ``time``."""

    def __init__(self, now: float = 1_800_000_000.0):
        """Begin at a moment, in seconds since 1970."""
        self.now = now

    def time(self) -> float:
        """What ``time.time`` returns."""
        return self.now

    def monotonic(self) -> float:
        """What ``time.monotonic`` returns."""
        return self.now
