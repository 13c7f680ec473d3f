"""Whether the documents speak of a subject and still do not say what is asked.

No score tells by itself, so several signs are weighed by a small logistic
model: what sort of question it is (prices, deadlines and names are asked for,
and rarely told), whether an article that says no is near, how near the best
passage and sentence come, and which words and names nothing speaks of. What it was
learned from and what it is worth: docs/decisions/0013-doubt-from-several-signs.md;
``python -m eval.doubting`` learns it anew.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.articles import centred
from rag.countries import countries_in
from rag.embedder import Vectors
from rag.index import Generation
from rag.learned import Misfit, Numbers, read_learned
from rag.lexical import unstemmed, words
from rag.models import Chunk
from rag.query import Query
from rag.retriever import Findings

DOUBT = "doubt.npz"
"""Its file in the corpus folder."""
_READ = 5
"""Passages that are looked at."""
_BEST = 3
"""Of them, those that tell which sources a question is about."""
_FAR = -1.0
"""How near an article is taken to be where none was found."""
_TOKEN = re.compile(r"[^\W_][\w+&.-]*\w|[^\W_]")
_INSIDE = re.compile(r"[^\s.!?…:;¿¡\"'“„«(][\"'“„«(\s]*$")
"""What stands before a word inside a sentence: something other than its beginning."""
_NOUN_CAPITALS = "de"
"""In this language a capital does not tell a name."""
_SHORTEST = 3
_TOLD_AT_MOST = 3


@dataclass(frozen=True)
class Doubt:
    """How doubtful it is that the documents answer a question."""

    probability: float
    """That they do not say what is asked; 0 where nothing was learned for the index."""
    missing: tuple[str, ...] = ()
    """Names in the question that nothing speaks of, as typed; a few at most."""
    declines: bool = False
    """Whether it is so doubtful that it is better to say no."""
    hedges: bool = False
    """Whether an answer should say that it may not be what was asked."""


@dataclass(frozen=True)
class Signs:
    """What is weighed; each is 0 where it says nothing."""

    sort: float
    """How much it is a question of the sort that documents leave out."""
    left_out: float
    """How much nearer the nearest article that says no is than the nearest that answers,
    both counted from floor to bar."""
    near: float
    """In English, where the words of question and passage can be compared: score of the
    best passage, less 1."""
    english: float
    sentence: float
    """Cosine of the best sentence."""
    unseen: float
    """In English: share of the question, by rarity, that nothing speaks of."""
    names: float
    """Names in the question that nothing speaks of: none, one or several (2)."""


@dataclass(frozen=True)
class Learned:
    """What was learned for one embedder."""

    sort: Vectors
    """What sorts questions; shape ``(dimensions + 1,)``, the last is added to what comes out."""
    weights: NDArray[np.float32]
    """One for each of `Signs`, and one more that is added; shape ``(signs + 1,)``."""
    decline: float
    """From this probability on a question is declined: of those that can be answered
    some 3 in 100 lie above."""
    hedge: float
    """From this one on an answer says that it may not be what was asked."""

    def save(self, file: Path, embedder: str) -> None:
        """Write it, with the name of the embedder that it was learned for."""
        np.savez(
            file,
            sort=self.sort,
            weights=self.weights,
            bars=np.array([self.decline, self.hedge]),
            embedder=np.array(embedder),
        )


def load_learned(corpus: Path, embedder: str) -> Learned | None:
    """Read what was learned, from a corpus folder.

    Returns:
        None where there is nothing, or it was learned for another embedder.

    Raises:
        BadSetting: The file is broken; the message names it.
    """
    return read_learned(corpus / DOUBT, embedder, _built)


def _built(held: Numbers) -> Learned:
    decline, hedge = (float(each) for each in held["bars"])
    weights = held["weights"].astype(np.float32)
    if weights.shape != (len(Signs.__dataclass_fields__) + 1,):
        raise Misfit("it weighs other signs; learn it anew")
    return Learned(held["sort"].astype(np.float32), weights, decline, hedge)


class Doubter:
    """Doubts answers over one generation."""

    def __init__(self, generation: Generation, learned: Learned | None):
        """Doubt with what was learned; without it, only missing names are told."""
        self._generation = generation
        self.learned = learned

    def doubt(self, query: Query, findings: Findings) -> Doubt:
        """Weigh the signs that the documents do not say what is asked.

        Args:
            query: What was searched with.
            findings: What that brought.
        """
        missing = self._names(query)[:_TOLD_AT_MOST]
        if self.learned is None or not self.applies(findings):
            return Doubt(0.0, missing)
        *weights, even = (float(each) for each in self.learned.weights)
        signs = astuple(self.signs(query, findings))
        total = even + sum(weight * sign for weight, sign in zip(weights, signs, strict=True))
        probability = 1 / (1 + math.exp(-total))
        return Doubt(
            probability,
            missing,
            declines=probability >= self.learned.decline,
            hedges=probability >= self.learned.hedge,
        )

    def applies(self, findings: Findings) -> bool:
        """Whether what was learned tells anything of what was found.

        It was learned from what the sources of the articles leave out; of others
        nobody knows it (over invented documents 4 in 10 answers were doubted, else).
        """
        # Without articles nothing is known of what questions have in common, either.
        if not self._generation.ask_centres:
            return False
        best = (passage.chunk for passage in findings.passages[:_BEST])
        return all(each.kind == "article" or each.source in self._described for each in best)

    @cached_property
    def _described(self) -> frozenset[str]:
        """The sources that articles rest on."""
        return frozenset(
            evidence.source
            for article in self._generation.articles
            for said in article.statements
            for evidence in said.evidence
        )

    def signs(self, query: Query, findings: Findings) -> Signs:
        """What is weighed."""
        english = float(query.language == "en")
        read = [passage.chunk for passage in findings.passages[:_READ]]
        no = [fit for fit in findings.fits if fit.article.declines]
        yes = [fit for fit in findings.fits if not fit.article.declines]
        return Signs(
            sort=self._sort(query),
            left_out=max((fit.nearness for fit in no), default=_FAR)
            - max((fit.nearness for fit in yes), default=_FAR),
            near=(findings.best - 1) * english,
            english=english,
            sentence=self._best_cosine(query, read),
            unseen=self._unseen(query) * english,
            names=float(min(len(self._names(query)), 2)),
        )

    def _sort(self, query: Query) -> float:
        if self.learned is None:
            return 0.0
        vector = self.direction(query)
        return float(vector @ self.learned.sort[:-1] + self.learned.sort[-1])

    def direction(self, query: Query) -> Vectors:
        """The vector of a question less what its language has in common."""
        common = self._generation.ask_centres
        return np.asarray(centred(query.asked[None, :], [query.language], common)[0])

    def _best_cosine(self, query: Query, read: list[Chunk]) -> float:
        best = 0.0
        for chunk in read:
            number = self._generation.chunk_number(chunk.chunk_id)
            if number is not None and not self._generation.vectors.silent[number]:
                best = max(
                    best,
                    float(self._generation.vectors.sentence_cosines(number, query.vector).max()),
                )
        return best

    def _unseen(self, query: Query) -> float:
        leg = self._generation.words
        rarity = {term: leg.weight(term) for term in words(query.question)}
        unseen = sum(rarity[term] for term in rarity if term not in leg.terms)
        return unseen / (sum(rarity.values()) or 1.0)

    def _names(self, query: Query) -> tuple[str, ...]:
        """What is written as a name, and nothing speaks of."""
        found: dict[str, None] = {}
        asked = unicodedata.normalize("NFKC", query.question)
        for match in _TOKEN.finditer(asked):
            token = match.group()
            mixed = token[1:] != token[1:].lower() or (
                any(letter.isdigit() for letter in token)
                and any(letter.isalpha() for letter in token)
            )
            inside = _INSIDE.search(asked[: match.start()]) and query.language != _NOUN_CAPITALS
            capital = inside and token[0].isupper()
            if (
                (mixed or capital)
                and len(token) >= _SHORTEST
                and not countries_in(token, query.language)
                and not self._spoken_of(token)
            ):
                found.setdefault(token)
        return tuple(found)

    def _spoken_of(self, token: str) -> bool:
        known = self._generation.words.terms
        return any(word in known for word in words(token)) or not self._asked.isdisjoint(
            unstemmed(token)
        )

    @cached_property
    def _asked(self) -> frozenset[str]:
        """Every word in which an article is asked or told."""
        return frozenset(
            word
            for article in self._generation.articles
            for text in (
                *(ask.text for ask in article.asks),
                *(said.text for said in article.statements),
            )
            for word in unstemmed(text)
        )
