"""Query to ranked passages.

Four scores are added up: BM25 over words, BM25 over character 4-grams, the
chunk's own vector, and the best sentence in the chunk. A country that the
question names adds to what is filed under it, articles near the question add
to what they rest on, and a list of questions loses something, as it answers
none. Weights and form were measured on real documents (docs/evaluation.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rag.articles import Articles, Fit, Match
from rag.embedder import Vectors
from rag.index import Generation
from rag.models import Filters, IndexedDocument, Passage, Question
from rag.ordering import collapsed, newer_first
from rag.parents import parent_of
from rag.query import Query, QueryMaker
from rag.reranker import Reranker

RERANKED = 30
"""Passages that a reranker reads."""
_COUNTRY = 4
_ARTICLE = 6
"""The rows of the country and the articles among the scores."""
_TOLD = [_COUNTRY, _ARTICLE]
"""Rows that tell where a passage stands, not how near it is to the question."""
SURE = 0.8
"""How sure it must be that an article fits for it to answer."""
_LIKELY, _STRONG = 0.6, 1.2
"""How sure an article must fit, or how near a passage must be, for a question that may lean on
what was said before to be read alone."""
_NEAR = 40
"""Articles that may speak for a passage."""
_SPARE = 10
"""Passages looked at beyond those asked for, as some fall together."""


@dataclass(frozen=True)
class Weights:
    """How much each score counts; measured, see docs/evaluation.md."""

    words: float = 0.6
    grams: float = 0.6
    chunk: float = 0.5
    sentence: float = 0.3
    country: float = 0.3
    """For a chunk filed under a country that is named."""
    navigation: float = 0.05
    """What a list of questions loses."""
    article: float = 1.3
    """For a chunk that articles near the question rest on."""

    @property
    def values(self) -> NDArray[np.float32]:
        """All of them, in order."""
        return np.array(astuple(self), dtype=np.float32)


@dataclass(frozen=True)
class Findings:
    """What a query brings."""

    query: Query
    passages: list[Passage]
    """Best first."""
    matches: list[Match]
    """Articles near the question, best first."""
    fits: list[Fit]
    """The nearest articles, by how well they fit with the passages considered."""
    near: bool
    """Whether the question has to do with any article."""
    leant: bool = False
    """Whether the articles are near only with what was asked before."""

    @property
    def fit(self) -> Fit | None:
        """The article that fits best."""
        return next(iter(self.fits), None)

    @property
    def best(self) -> float:
        """How near the nearest passage is; it need not be the first."""
        return max((passage.near for passage in self.passages), default=0.0)


class Retriever:
    """Searches one generation."""

    def __init__(
        self,
        generation: Generation,
        maker: QueryMaker,
        weights: Weights = Weights(),
        reranker: Reranker | None = None,
    ):
        """Search a generation.

        Args:
            generation: What is searched.
            maker: Makes queries for it.
            weights: How much each score counts.
            reranker: Has the last word on the order of the best, if there is one.
        """
        self.generation = generation
        self._maker = maker
        self.weights = weights
        self._reranker = reranker
        self._articles = Articles(generation)

    def search(self, question: Question, count: int) -> list[Passage]:
        """Return the best passages, best first, each with the section it stands in."""
        found = self.passages(self.query(question), count, question.filters)
        return [replace(each, parent=parent_of(each.chunk, self.generation)) for each in found]

    def query(self, question: Question) -> Query:
        """Make a query of a question, for passages and articles alike."""
        return self._maker.make(question)

    def written_for(self, query: Query) -> bool:
        """Whether an article is asked in all but the same words as a question."""
        nearest = self._articles.matches(query, query.asked, 1)
        return bool(nearest) and nearest[0].score >= self.generation.ask_bar

    def passages(self, query: Query, count: int, filters: Filters | None = None) -> list[Passage]:
        """Return the best passages of a query, at most `count`, best first."""
        return self.find(query, count, filters).passages

    def find(self, query: Query, count: int, filters: Filters | None = None) -> Findings:
        """Find passages, and articles whose ways of asking are near the question.

        The reranker, where there is one, orders the best 30 passages; of those on
        the same subject the newer precedes the older; those that say the same are one.

        Args:
            query: What is searched with.
            count: How many passages at most.
            filters: What passages are limited to.
        """
        if query.alone is not None:
            found = self._found(query.alone, count, filters)
            if found.best >= _STRONG or any(fit.certainty >= _LIKELY for fit in found.fits[:1]):
                return found
        return self._found(query, count, filters)

    def _found(self, query: Query, count: int, filters: Filters | None) -> Findings:
        allowed = self.generation.allowed(filters or Filters())
        matches = self._articles.matches(query, query.asked, _NEAR)
        legs = self._legs(query, allowed, matches)
        near = _only(self._near(legs), allowed)
        fits = self._articles.fits(query.question, matches, near)
        leant = query.leaning is not None and not any(fit.certainty >= SURE for fit in fits[:1])
        if query.leaning is not None and leant:
            # By itself it asks nothing that an article answers: it leans on what was asked before.
            matches = self._articles.matches(query, query.leaning, _NEAR)
            legs[_ARTICLE] = self._articles.support(matches)
            fits = self._articles.fits(query.question, matches, near)
            # What was asked before may have had no answer; what is asked now need not be the same.
            fits = [fit for fit in fits if not fit.article.declines]
        scores = _only(self.weights.values @ legs, allowed)
        close = bool(matches) and matches[0].score >= self.generation.ask_floor
        passages = self._ranking(query, scores, near, count)
        return Findings(query, passages, matches, fits, close, leant)

    def _near(self, legs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores without what tells where a passage stands."""
        own = self.weights.values.copy()
        own[_TOLD] = 0
        return np.asarray(own @ legs, dtype=np.float32)

    def _ranking(
        self, query: Query, scores: NDArray[np.float32], near: NDArray[np.float32], count: int
    ) -> list[Passage]:
        looked_at = max(count + _SPARE, RERANKED if self._reranker else 0)
        while True:
            best = [number for number in _best(scores, looked_at) if np.isfinite(scores[number])]
            found = [
                Passage(
                    chunk=self.generation.chunk(int(number)),
                    rank=rank,
                    score=float(scores[number]),
                    near=float(near[number]),
                )
                for rank, number in enumerate(best, start=1)
            ]
            found = collapsed(newer_first(self._reranked(query, found), self._documents))
            # So many may say the same that more have to be looked at.
            if len(found) >= count or len(best) < looked_at:
                return _ranked(found[:count])
            looked_at *= 2

    def _reranked(self, query: Query, passages: list[Passage]) -> list[Passage]:
        if self._reranker is None or not passages:
            return passages
        read = passages[:RERANKED]
        texts = [f"{each.chunk.heading}\n{each.chunk.text}" for each in read]
        order = np.argsort(-self._reranker.scores(query.text, texts), kind="stable")
        return [*(read[position] for position in order), *passages[RERANKED:]]

    def legs(self, query: Query, allowed: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Every score of every chunk, before they are weighed.

        Args:
            query: What is searched with.
            allowed: Which chunks may be found; None for all. Of a large index
                the others get no sentence looked at.

        Returns:
            Shape ``(7, chunks)``, the rows in the order of `Weights`, navigation below 0.
        """
        return self._legs(query, allowed, self._articles.matches(query, query.asked, _NEAR))

    def _legs(
        self, query: Query, allowed: NDArray[np.bool_] | None, matches: Sequence[Match]
    ) -> NDArray[np.float32]:
        generation, weights = self.generation, self.weights.values
        cosines = generation.vectors.chunk_cosines(query.vector)
        named = generation.allowed(Filters(countries=query.countries))
        legs = np.zeros((len(weights), generation.info.chunks), dtype=np.float32)
        legs[0] = generation.words.scores(query.words.typed, query.words.meant)
        legs[1] = generation.grams.scores(query.grams.typed, query.grams.meant)
        legs[2] = _spread(cosines, cosines)
        if query.countries and named is not None:
            legs[_COUNTRY] = named
        legs[5] = -self._navigation
        legs[_ARTICLE] = self._articles.support(matches)
        ranking = weights @ legs
        best = generation.vectors.best_sentences(query.vector, _only(ranking, allowed))
        # What holds no sentence is judged as a whole.
        best[generation.vectors.silent] = cosines[generation.vectors.silent]
        # Of a large index not all sentences are looked at; the chunks tell how low they get.
        legs[3] = _spread(best, cosines if generation.vectors.pooled else best)
        return legs

    @cached_property
    def _navigation(self) -> NDArray[np.float32]:
        lists = self.generation.allowed(Filters(kinds=("navigation",)))
        return np.asarray(lists, dtype=np.float32)

    @cached_property
    def _documents(self) -> dict[str, IndexedDocument]:
        return {each.document_id: each for each in self.generation.documents()}


def _only(scores: NDArray[np.float32], allowed: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """The scores of what is allowed; the rest cannot be found."""
    return scores if allowed is None else np.where(allowed, scores, -np.inf).astype(np.float32)


def _best(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Numbers of the best, best first; of equals the first."""
    if count < len(scores):
        # All that score as much as the last one, so that equals keep their order.
        bar = np.partition(scores, len(scores) - count)[len(scores) - count]
        kept = np.flatnonzero(scores >= bar)
        return kept[np.argsort(-scores[kept], kind="stable")][:count]
    return np.argsort(-scores, kind="stable")


def _ranked(passages: Sequence[Passage]) -> list[Passage]:
    return [replace(each, rank=rank) for rank, each in enumerate(passages, start=1)]


def _spread(cosines: Vectors, over: Vectors) -> NDArray[np.float32]:
    """Cosines spread over 0..1, the lowest of `over` at 0; what was not met (NaN) stays at 0."""
    met = over[~np.isnan(over)]
    low, high = (float(met.min()), float(met.max())) if len(met) else (0.0, 0.0)
    share = (cosines - low) / (high - low) if high > low else np.ones_like(cosines)
    return np.nan_to_num(share, nan=0.0).astype(np.float32)
