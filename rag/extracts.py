"""Sentences of passages that may be said, nearest to the question first."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from rag.index import Generation
from rag.lexical import words
from rag.models import Chunk
from rag.planted import harmless, showable, steers
from rag.retriever import Findings
from rag.sentences import Sentence, chunk_sentences
from rag.text import letters_digits, word_count

READ = 6
"""Passages that sentences are taken from."""
_ALONE = 6
"""Shorter sentences say nothing without their heading."""
_SENTENCE_AT_MOST = 80
"""Longer ones are rows of a table read as running text."""
_WEIGHTS = np.array([3.3, 1.3, 4.2, 5.7, 0.4])
"""How much each sign counts, as `Extractor._read` lists them; fitted by logistic
regression to the evidence of judged questions (docs/evaluation.md)."""
_CHUNKS_TOLD = 1000
"""Chunks whose sentences stay cut, some 8 KB each."""
_LATER = 0.9
"""What each further statement of an article counts beside the one before it."""
_FOOTNOTE = re.compile(r"\s?\[\^?\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\]")
_ITEM_MARK = re.compile(r"^[-–•*]\s+")
"""What begins an item of a list, and says nothing outside it."""


_steers = lru_cache(maxsize=4000)(steers)
"""Of what documents say, which is asked for again and again."""


@dataclass(frozen=True)
class _Told:
    """A sentence with what is asked of it for every question."""

    sentence: Sentence
    words: frozenset[str]
    length: float
    rests: tuple[tuple[str, float], ...]
    """The articles that rest on it, and how much that counts."""


@dataclass(frozen=True)
class Extract:
    """A sentence that may be said."""

    score: float
    rank: int
    """Of its passage."""
    position: int
    """In its passage."""
    chunk: Chunk
    sentence: Sentence
    known: frozenset[str] | None = frozenset()
    """Hosts that its addresses may lead to; None: any, as an article rests on it."""

    @cached_property
    def steers(self) -> bool:
        """Whether it was written for a machine, or to lead readers away; nobody is shown it."""
        return self.known is not None and _steers(self.sentence.text, self.known)

    @cached_property
    def tells(self) -> bool:
        """Whether it states something: no question, no heading, no row of a table."""
        own = letters_digits(self.sentence.text).removesuffix(self.sentence.part.label or "")
        headings = self.sentence.part.section[-1:]
        return (
            not self.sentence.text.endswith("?")
            and own not in map(letters_digits, headings)
            and (
                word_count(self.sentence.text) <= _SENTENCE_AT_MOST
                or self.sentence.part.item is not None
            )
        )

    @property
    def heading(self) -> str:
        """What it stands under: the nearest heading, else the title; empty where that steers."""
        return self._harmless((self.sentence.part.section or (self.chunk.title,))[-1])

    @property
    def place(self) -> str:
        """The page with the headings it stands under."""
        heads = map(self._harmless, (self.chunk.title, *self.sentence.part.section))
        return " > ".join(dict.fromkeys(filter(None, heads)))

    def _harmless(self, heading: str) -> str:
        """A heading as it may be shown."""
        return heading if self.known is None else harmless(heading, self.known)

    @cached_property
    def shown(self) -> str:
        """What would be read: a summary whole, a short sentence behind its heading."""
        if self.chunk.kind == "article":
            return self.sentence.part.text
        alone = word_count(self.sentence.text) >= _ALONE
        said = _ITEM_MARK.sub("", self.sentence.text)
        text = said if alone or not self.heading else f"{self.heading}: {said}"
        # A footnote of the source's own would be read as one of ours.
        bare = _FOOTNOTE.sub("", text)
        return bare if self.known is None else showable(bare, self.known)


class Extractor:
    """Takes sentences from the passages of one generation."""

    def __init__(self, generation: Generation):
        """Take sentences of a generation."""
        self._generation = generation
        self._told_by: dict[str, tuple[_Told, ...]] = {}

    def candidates(self, found: Findings) -> list[Extract]:
        """What may be said, the sentences that tell most about a question first.

        What articles near the question rest on counts for more: somebody has read it. What
        nobody has, and was planted there, is left out.

        Returns:
            Each once; a heading or a question only where there is nothing else to show.
        """
        read = [each for each in self._read(found) if not each.steers]
        telling = [each for each in read if each.tells] or read[:1]
        once: dict[str, Extract] = {}
        for each in sorted(telling, key=lambda each: -each.score):
            once.setdefault(letters_digits(each.shown), each)
        return list(once.values())

    def _read(self, found: Findings) -> list[Extract]:
        """Every sentence of the passages that are read, with what speaks for it."""
        query, generation = found.query, self._generation
        asked = {word: generation.words.weight(word) for word in words(query.text)}
        all_asked = sum(asked.values()) or 1.0
        near = {match.article.article_id: match.score for match in found.matches}
        signs, places = [], []
        for passage in found.passages[:READ]:
            number = generation.chunk_number(passage.chunk.chunk_id)
            if number is None:
                continue
            cosines = generation.vectors.sentence_cosines(number, query.vector)
            for position, told in enumerate(self._told(passage.chunk)):
                shared = told.words & asked.keys()
                vouched = passage.chunk.kind == "article" or bool(told.rests)
                known = None if vouched else generation.hosts
                places.append((passage, position, told.sentence, known))
                signs.append(
                    (
                        cosines[position],
                        sum(asked[word] for word in shared) / all_asked,
                        passage.score,
                        max((near.get(name, 0) * later for name, later in told.rests), default=0),
                        told.length,
                    )
                )
        if not signs:
            return []
        seen = np.array(signs)
        # Cosines of one model lie close together, those of another far apart.
        seen[:, 0] /= np.ptp(seen[:, 0]) or 1.0
        return [
            Extract(float(score), passage.rank, position, passage.chunk, sentence, known)
            for score, (passage, position, sentence, known) in zip(
                seen @ _WEIGHTS, places, strict=True
            )
        ]

    def _told(self, chunk: Chunk) -> tuple[_Told, ...]:
        """The sentences of a chunk."""
        known = self._told_by.get(chunk.chunk_id)
        if known is None:
            known = tuple(
                _Told(
                    each,
                    frozenset(words(each.text)),
                    math.log1p(word_count(each.text)),
                    tuple(self._rests.get(_place(chunk.chunk_id, each.quote), ())),
                )
                for each in chunk_sentences(chunk)
            )
            if len(self._told_by) >= _CHUNKS_TOLD:
                self._told_by.clear()
            self._told_by[chunk.chunk_id] = known
        return known

    @cached_property
    def _rests(self) -> dict[tuple[str, str], list[tuple[str, float]]]:
        """For each sentence that articles rest on which ones, and how much that counts."""
        found: dict[tuple[str, str], list[tuple[str, float]]] = {}
        for article in self._generation.articles:
            for order, statement in enumerate(article.statements):
                for each in statement.evidence:
                    if each.quote and each.chunk_id:
                        said = found.setdefault(_place(each.chunk_id, each.quote), [])
                        said.append((article.article_id, _LATER**order))
        return found


def _place(chunk_id: str, quote: str) -> tuple[str, str]:
    return chunk_id, letters_digits(quote)
