"""Sentences of passages that may be said, nearest to the question first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.index import Generation
from rag.lexical import words
from rag.models import Chunk, Passage
from rag.query import Query
from rag.sentences import Sentence, chunk_sentences
from rag.text import letters_digits, word_count

_ALONE = 6
"""Shorter sentences say nothing without their heading."""
_SENTENCE_AT_MOST = 80
"""Longer ones are rows of a table read as running text."""
_SHARED = 0.1
"""What a sentence gains by holding all words of the question, in cosine."""
_BEHIND = 0.01
"""What a sentence loses for each rank of its passage, in cosine."""
_FOOTNOTE = re.compile(r"\s?\[\d{1,3}\]")
_ITEM_MARK = re.compile(r"^[-–•*]\s+")
"""What begins an item of a list, and says nothing outside it."""


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

    @property
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
    def shown(self) -> str:
        """What would be read: a summary whole, a short sentence behind its heading."""
        if self.chunk.kind == "article":
            return self.sentence.part.text
        alone = word_count(self.sentence.text) >= _ALONE
        heading = (self.sentence.part.section or (self.chunk.title,))[-1]
        said = _ITEM_MARK.sub("", self.sentence.text)
        text = said if alone else f"{heading}: {said}"
        # A footnote of the source's own would be read as one of ours.
        return _FOOTNOTE.sub("", text)


def extract(
    generation: Generation, query: Query, passages: Sequence[Passage], count: int
) -> list[Extract]:
    """Take the sentences nearest to the question, in the order of the passages.

    Args:
        generation: What the passages are of.
        query: What they were found with.
        passages: What sentences are taken from.
        count: How many at most.

    Returns:
        Each once; a heading or a question only where there is nothing else to show.
    """
    asked = set(words(query.text))
    found: list[Extract] = []
    for passage in passages:
        number = generation.chunk_number(passage.chunk.chunk_id)
        if number is None:
            continue
        cosines = generation.sentence_cosines(number, query.vector)
        for position, sentence in enumerate(chunk_sentences(passage.chunk)):
            shared = len(asked & set(words(sentence.text))) / (len(asked) or 1)
            score = float(cosines[position]) + _SHARED * shared - _BEHIND * passage.rank
            found.append(Extract(score, passage.rank, position, passage.chunk, sentence))
    telling = [each for each in found if each.tells] or found[:1]
    best = sorted(telling, key=lambda each: -each.score)[:count]
    once = {
        letters_digits(each.shown): each
        for each in sorted(best, key=lambda each: (each.rank, each.position), reverse=True)
    }
    return list(reversed(once.values()))
