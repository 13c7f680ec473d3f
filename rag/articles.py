"""Knowledge articles, matched by the ways people ask.

A question is compared with the asking variants of all articles, question with
question. What all questions of a language have in common says nothing about
what is asked, so the mean of the variants of that language is taken off both
sides: with one variant left out, its own article then comes first for 0.62 of
them instead of 0.43 (docs/evaluation.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rag.embedder import Vectors
from rag.index import Generation
from rag.models import Article
from rag.query import Query

ANY = ""
"""The language whose centre is that of all variants."""
_LEAN = 10
"""So many variants of all languages are added to those of one, which may have few."""
_ENOUGH = 100
"""Variants from which on one can tell what they have in common."""
_READ = 400
"""Variants looked at for a question."""
_LEAD = 1.25
"""A lead beyond which more of it says no more."""
_LEAST = 0.01
_BELOW = 0.9
"""How far below the floor an article still has something to say, in parts of the way from
there to the bar: one that does not answer may yet lead to the right page."""
_LATER = 0.9
"""What each further statement of an article counts beside the one before it."""


@dataclass(frozen=True)
class Match:
    """An article and how near its best asking variant is to the question."""

    article: Article
    score: float
    """Cosine of the question and the variant, each less what its language has in common."""


def centres(vectors: Vectors, languages: Sequence[str]) -> dict[str, Vectors]:
    """What the asking variants of each language have in common.

    Args:
        vectors: Unit vectors of shape ``(variants, dimensions)``.
        languages: ISO 639-1 of each.

    Returns:
        A mean for each language, and one for all others under `ANY`; nothing where
        there are too few variants to tell.
    """
    if len(vectors) < _ENOUGH:
        return {}
    every = vectors.mean(axis=0)
    found = {ANY: every}
    own = np.array(languages)
    for language in sorted(set(languages)):
        of_it = vectors[own == language]
        found[language] = (of_it.sum(axis=0) + _LEAN * every) / (len(of_it) + _LEAN)
    return {language: np.asarray(mean, dtype=np.float32) for language, mean in found.items()}


def centred(vectors: Vectors, languages: Sequence[str], common: Mapping[str, Vectors]) -> Vectors:
    """Vectors less what their languages have in common, as unit vectors again.

    Args:
        vectors: Of shape ``(n, dimensions)``.
        languages: ISO 639-1 of each.
        common: See `centres`; where it is empty, nothing is taken off.
    """
    if not common or not len(vectors):
        return vectors
    off = vectors - np.stack([common.get(each, common[ANY]) for each in languages])
    lengths = np.linalg.norm(off, axis=1, keepdims=True)
    return np.asarray(off / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def certainty(matches: Sequence[Match], rank: int | None, floor: float, bar: float) -> float:
    """How sure it is that the best article answers a question.

    Question and variant may look alike and mean something else, so three signs
    are weighed: how near they are, how much nearer than the next article, and
    whether the passages alone, which know nothing of variants, lead to what the
    article rests on. Fitted by logistic regression to 328 judged questions over
    real documents, and checked on 140 others (docs/evaluation.md).

    Args:
        matches: Articles, best first.
        rank: 1-based rank, among the passages alone, of the first that the best
            article rests on; None where it rests on none that is indexed.
        floor: Cosine under which a question has nothing to do with any article.
        bar: Cosine that only one in ten variants reaches with another article's.

    Returns:
        0..1: the share of such matches that are right.
    """
    if not matches or rank is None:
        return 0.0
    reach = max(bar - floor, _LEAST)
    nearness = (matches[0].score - floor) / reach
    if nearness <= 0:
        return 0.0
    # Where there is no other article it is nearer than none.
    lead = (matches[0].score - matches[1].score) / reach if len(matches) > 1 else 0.0
    sign = 0.61 + 1.14 * nearness + 1.43 * min(lead, _LEAD) - 0.36 * math.log(rank)
    return 1 / (1 + math.exp(-sign))


class Articles:
    """The articles of a generation."""

    def __init__(self, generation: Generation):
        """Match against the asking variants of a generation."""
        self._generation = generation

    def matches(self, query: Query, count: int) -> list[Match]:
        """The articles whose asking variants are nearest, best first.

        An article about one country is none for a question that names others.
        """
        generation = self._generation
        own = centred(query.asked[None, :], [query.language], generation.ask_centres)[0]
        numbers, cosines = generation.nearest("asks", own, _READ)
        best: dict[int, float] = {}
        for number, cosine in zip(numbers, cosines, strict=True):
            best.setdefault(int(generation.ask_articles[number]), float(cosine))
        named = set(query.countries)
        found = (Match(generation.articles[article], score) for article, score in best.items())
        apt = (
            each
            for each in found
            if not named or each.article.country is None or each.article.country in named
        )
        return [match for match, _ in zip(apt, range(count), strict=False)]

    def rank(self, match: Match, scores: NDArray[np.float32]) -> int | None:
        """At which rank scores bring the first chunk that an article rests on.

        Args:
            match: The article.
            scores: Of every chunk; shape ``(chunks,)``.

        Returns:
            1-based; None where it rests on nothing that is indexed.
        """
        chunks, _ = self._evidence[match.article.article_id]
        return int((scores > scores[chunks].max()).sum()) + 1 if len(chunks) else None

    def support(self, matches: Sequence[Match]) -> NDArray[np.float32]:
        """How much the articles near a question speak for each chunk.

        Args:
            matches: Of the question.

        Returns:
            Shape ``(chunks,)``, 0..1: for a chunk that carries the first statement
            of an article how near that is to the question, for later ones less.
        """
        found = np.zeros(self._generation.info.chunks, dtype=np.float32)
        low, high = self._generation.ask_floor, self._generation.ask_bar
        silent = low - _BELOW * (high - low)
        for match in matches:
            near = (match.score - silent) / (1 - silent)
            if near > 0:
                chunks, shares = self._evidence[match.article.article_id]
                np.maximum.at(found, chunks, np.float32(near) * shares)
        return found

    @cached_property
    def _evidence(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each article the chunks it rests on, and how much each counts."""
        numbers = self._generation.chunk_numbers()
        known = {}
        for article in self._generation.articles:
            shares: dict[int, float] = {}
            for place, statement in enumerate(article.statements):
                for evidence in statement.evidence:
                    number = numbers.get(evidence.chunk_id or "")
                    if number is not None:
                        shares.setdefault(number, _LATER**place)
            # What it says of sources that are not indexed here is a chunk of its own.
            own = numbers.get(f"{article.document_id}#0")
            if own is not None:
                shares.setdefault(own, 1.0)
            known[article.article_id] = (
                np.array(list(shares), dtype=np.int64),
                np.array(list(shares.values()), dtype=np.float32),
            )
        return known
