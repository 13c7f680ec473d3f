"""Knowledge articles, matched by the ways people ask.

A question is compared with the asking variants of all articles, question with
question. What all questions of a language have in common says nothing about
what is asked, so the mean of the variants of that language is taken off both
sides: with one variant left out, its own article then comes first for 0.62 of
them instead of 0.43 (docs/evaluation.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rag.countries import countries_in
from rag.embedder import Vectors
from rag.head import seen_by
from rag.index import Generation
from rag.lexical import words
from rag.models import Article
from rag.query import Query
from rag.text import letters_digits

ANY = ""
"""The language whose centre is that of all variants."""
_LEAN = 10
"""So many variants of all languages are added to those of one, which may have few."""
_ENOUGH = 100
"""Variants from which on one can tell what they have in common."""
_WORD = re.compile(r"[^\W_]+(?:n['’]t)?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DENIALS = frozenset(
    "not never without except stop forbidden prohibited don't doesn't isn't can't won't shouldn't"
    " leave nicht nie kein keine keinen keiner ohne aufhören verboten pas jamais sans interdit"
    " sin nunca prohibido não sem nunca proibido non senza vietato niet geen nooit zonder verboden"
    " nie bez nigdy zabronione inte utan aldrig förbjudet ikke uden uten aldri aldrig forbudt ei"
    " eivät ilman kielletty ne nikdy zakázané nem nélkül soha tilos nu fără niciodată interzis"
    " не без никога забранено δεν χωρίς ποτέ ni brez nikoli nikada zabranjeno ära ilma mitte"
    " nav nekad aizliegts nėra niekada draudžiama".split()
)
"""Words that turn what is asked into its opposite; "no" alone is too often something else."""
_READ = 200
"""Variants looked at for a question."""
_CONSIDERED = 10
"""Articles of which the best is chosen."""
_EVEN, _NEAR, _LATE = 0.5, 1.7, 0.5
"""What certainty is made of."""
_LEAST = 0.01
"""The shortest way from floor to bar."""
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


def compared(
    vectors: Vectors, languages: Sequence[str], common: Mapping[str, Vectors], head: Vectors | None
) -> Vectors:
    """Vectors of questions as they are compared: centred, then seen by the head."""
    off = centred(vectors, languages, common)
    return off if head is None or not len(off) else seen_by(head, off)


@dataclass(frozen=True)
class Fit:
    """How well an article fits a question, passages considered."""

    article: Article
    nearness: float
    """Where its match lies between floor (0) and bar (1); beyond both, too."""
    rank: int
    """1-based rank, among the passages alone, of the first that the article rests on."""
    same: bool = False
    """Whether the question is one of the ways in which the article is asked."""

    @property
    def certainty(self) -> float:
        """How sure it is that the article answers: the share of such answers that are right.

        Question and variant may look alike and mean something else, so two signs
        are weighed: how near they are, and whether the passages alone, which know
        nothing of variants, lead to what the article rests on. Fitted by logistic
        regression to judged questions over real documents, and checked on others
        (docs/evaluation.md).
        """
        if self.same:
            return 1.0
        if self.nearness <= 0:
            return 0.0
        sign = _EVEN + _NEAR * self.nearness - _LATE * math.log(self.rank)
        return 1 / (1 + math.exp(-sign))


def twisted(question: str, language: str, article: Article) -> bool:
    """Whether a question may mean something else than the article it is near to.

    Vectors hardly see the difference between a thing and its opposite, nor between
    two years; and whatever is asked about a country is near to its page.

    Returns:
        Whether it says no, or names a year, where no way of asking the article
        does, or shares nothing with an article on a country but the country.
    """
    asked = set(_WORD.findall(question.lower()))
    known = set(_WORD.findall(" ".join(each.text for each in article.asks).lower()))
    told = known | set(_WORD.findall(" ".join(each.text for each in article.statements).lower()))
    denied = bool(asked & _DENIALS) and not known & _DENIALS
    if article.country:
        about = {word for word in words(question) if not countries_in(word, language)}
        if about.isdisjoint(words(" ".join(told))):
            return True
    return denied or any(_YEAR.fullmatch(word) and word not in told for word in asked)


class Articles:
    """The articles of a generation."""

    def __init__(self, generation: Generation):
        """Match against the asking variants of a generation."""
        self._generation = generation

    def matches(self, query: Query, asked: Vectors, count: int) -> list[Match]:
        """The articles whose asking variants are nearest, best first.

        An article about one country is none for a question that names others.

        Args:
            query: The question.
            asked: Its vector, alone or behind what was asked before it.
            count: How many articles at most.
        """
        generation = self._generation
        own = compared(
            asked[None, :], [query.language], generation.ask_centres, generation.ask_head
        )[0]
        numbers, cosines = generation.vectors.nearest_asks(own, _READ)
        best: dict[int, float] = {}
        for number, cosine in zip(numbers, cosines, strict=True):
            best.setdefault(int(generation.vectors.ask_articles[number]), float(cosine))
        named = set(query.countries)
        found = (Match(generation.articles[article], score) for article, score in best.items())
        apt = (
            each
            for each in found
            if not named or each.article.country is None or each.article.country in named
        )
        return [match for match, _ in zip(apt, range(count), strict=False)]

    def fits(
        self, question: str, matches: Sequence[Match], scores: NDArray[np.float32]
    ) -> list[Fit]:
        """Order the nearest articles by how well they fit, best first.

        Args:
            question: What was asked.
            matches: Articles near the question, best first.
            scores: What the passages alone say of every chunk; shape ``(chunks,)``.

        Returns:
            Those of the first few that rest on something indexed, or say no.
        """
        floor, reach = self._generation.ask_floor, self._reach
        asked = letters_digits(question)
        found = []
        for match in matches[:_CONSIDERED]:
            chunks, _ = self._evidence[match.article.document_id]
            # A no holds although nothing that explains it is indexed.
            if len(chunks) or match.article.declines:
                rank = int((scores > scores[chunks].max(initial=0)).sum()) + 1 if len(chunks) else 1
                same = asked in self._asked[match.article.document_id]
                found.append(Fit(match.article, (match.score - floor) / reach, rank, same))
        return sorted(found, key=lambda each: (-each.certainty, -each.nearness))

    @property
    def _reach(self) -> float:
        """How far the bar lies from the floor."""
        return max(self._generation.ask_bar - self._generation.ask_floor, _LEAST)

    def support(self, matches: Sequence[Match]) -> NDArray[np.float32]:
        """How much the articles near a question speak for each chunk.

        Args:
            matches: Of the question.

        Returns:
            Shape ``(chunks,)``, 0..1: for a chunk that carries the first statement
            of an article how near that is to the question, for later ones less.
        """
        found = np.zeros(self._generation.info.chunks, dtype=np.float32)
        # Where all variants are alike, the bars tell nothing.
        silent = min(self._generation.ask_floor, 1 - _LEAST) - _BELOW * self._reach
        for match in matches:
            near = min((match.score - silent) / (1 - silent), 1.0)
            if near > 0:
                chunks, shares = self._evidence[match.article.document_id]
                np.maximum.at(found, chunks, np.float32(near) * shares)
        return found

    @cached_property
    def _asked(self) -> dict[str, frozenset[str]]:
        """For each article the ways in which it is asked, by their letters."""
        return {
            article.document_id: frozenset(letters_digits(ask.text) for ask in article.asks)
            for article in self._generation.articles
        }

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
            known[article.document_id] = (
                np.array(list(shares), dtype=np.int64),
                np.array(list(shares.values()), dtype=np.float32),
            )
        return known
