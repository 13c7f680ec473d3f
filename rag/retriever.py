"""Question to ranked passages.

Four scores are added up: BM25 over words, BM25 over character 4-grams, the
chunk's own vector, and the best sentence in the chunk. Weights and form were
measured on the real corpus (DESIGN 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.embedder import Embedder, Vectors
from rag.index import Generation
from rag.lexical import Tokens, expand, four_grams, words
from rag.models import Article, Filters, Passage, Question, Turn

TURNS = 2
"""How many earlier turns go into the query; follow-ups need them (DESIGN 3)."""
_TURN_WORDS = 40
_TURN_CHARACTERS = 300
"""How much of an earlier turn: a whole answer would drown the question."""
_EMBEDDED = 800
"""Characters of a query that are embedded, some 130 words: one request must
not keep the model from all others."""
_POOL = 2000
"""Nearest vectors asked of each collection; smaller indexes are scored whole."""


@dataclass(frozen=True)
class Weights:
    """How much each score counts; measured, see DESIGN 3."""

    words: float = 0.6
    grams: float = 0.6
    chunk: float = 0.5
    sentence: float = 0.3
    acronym: float = 0.5


@dataclass(frozen=True)
class Match:
    """An article and how near its best asking variant is to the question."""

    article: Article
    score: float
    """Cosine of the question and the variant."""


class Retriever:
    """Searches one generation."""

    def __init__(self, generation: Generation, embedder: Embedder, weights: Weights | None = None):
        """Search a generation with the embedder it was built with."""
        self.generation = generation
        self._embedder = embedder
        self._weights = weights or Weights()

    def search(self, question: Question, count: int) -> list[Passage]:
        """Return the best passages, best first."""
        query = query_of(question.text, question.history)
        return self.passages(query, self.embed(query), count, question.filters)

    def embed(self, query: str) -> Vectors:
        """Embed a query once, for passages and articles alike."""
        return np.asarray(self._embedder.queries([query[:_EMBEDDED]])[0], dtype=np.float32)

    def passages(
        self, query: str, vector: Vectors, count: int, filters: Filters | None = None
    ) -> list[Passage]:
        """Return the best passages of a query already embedded."""
        scores = self._scores(query, vector)
        allowed = self.generation.allowed(filters) if filters else None
        if allowed is not None:
            scores = np.where(allowed, scores, -np.inf)
        order = np.argsort(-scores, kind="stable")[:count]
        return [
            Passage(self.generation.chunk(int(number)), rank, float(scores[number]))
            for rank, number in enumerate(order, start=1)
            if np.isfinite(scores[number])
        ]

    def articles(self, vector: Vectors, count: int = 5) -> list[Match]:
        """Return the articles whose asking variants are nearest, best first."""
        numbers, cosines = self.generation.nearest("asks", vector, count * 8)
        best: dict[int, float] = {}
        for number, cosine in zip(numbers, cosines, strict=True):
            best.setdefault(int(self.generation.ask_articles[number]), float(cosine))
        return [
            Match(self.generation.articles[article], score)
            for article, score in list(best.items())[:count]
        ]

    def _scores(self, query: str, vector: Vectors) -> NDArray[np.float32]:
        generation, weights = self.generation, self._weights
        long_forms = expand(query, generation.acronyms)
        scores = weights.words * generation.words.scores(
            _weighted(words(query), words(long_forms), weights.acronym)
        )
        scores = scores + weights.grams * generation.grams.scores(
            _weighted(four_grams(query), four_grams(long_forms), weights.acronym)
        )
        count = generation.info.chunks
        numbers, cosines = generation.nearest("chunks", vector, _POOL)
        scores = scores + weights.chunk * _spread(numbers, cosines, count)
        numbers, cosines = generation.nearest("sentences", vector, _POOL)
        owners = generation.sentence_chunks[numbers]
        # Nearest first: the first sentence met of a chunk is its best.
        first = np.unique(owners, return_index=True)[1]
        scores = scores + weights.sentence * _spread(owners[first], cosines[first], count)
        return np.asarray(scores, dtype=np.float32)


def query_of(text: str, history: Sequence[Turn]) -> str:
    """What is searched with: how the last two turns begin, then the question."""
    earlier = (
        " ".join(turn.text.split()[:_TURN_WORDS])[:_TURN_CHARACTERS] for turn in history[-TURNS:]
    )
    return "\n".join([*earlier, text])


def _weighted(tokens: Sequence[str], expansion: Sequence[str], weight: float) -> Tokens:
    """Each term once: a word typed twice is not worth double."""
    return {**dict.fromkeys(expansion, weight), **dict.fromkeys(tokens, 1.0)}


def _spread(
    numbers: NDArray[np.int64] | NDArray[np.int32], cosines: Vectors, count: int
) -> NDArray[np.float32]:
    """Cosines spread over 0..1, the farthest at 0; what was not met stays at 0."""
    spread = np.zeros(count, dtype=np.float32)
    if len(cosines):
        low, high = float(cosines.min()), float(cosines.max())
        spread[numbers] = (cosines - low) / (high - low) if high > low else 1.0
    return spread
