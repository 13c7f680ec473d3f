"""Health of an identifiable person: the writer, the writer's family, a patient who is somebody.

A statement about patients in general, or about data of theirs, is none. The
words of one language only are read together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from rag.personal.numbers import Stretch
from rag.personal.spans import GAP, NAMED
from rag.personal.words import COMMON, Hit, Reading

_SENTENCE = re.compile(r"[.!?;…]\W*\s|\n|[.!?…]$")
_ABBREVIATED = frozenset("dr prof mr mrs ms st ca geb nar z b approx".split())
_LONGEST = 50
"""Words of a sentence; a longer one is read in parts."""
_NEAR = 4
"""Words between "I have" and the disease."""
_FAR = 10
"""Words between a relation and the disease."""
_SMALL_WORD = 4
"""Letters of words that end a name for a thing ("cancer and data")."""
_BEFORE = 4
"""Words by which a disease may stand before a relation ("the diagnosis of my son")."""


def health(reading: Reading, language: Callable[[], str]) -> Iterator[Stretch]:
    """Statements about health, without what is never masked inside them.

    Args:
        reading: The text.
        language: Tells ISO 639-1 of it, if asked.
    """
    for first, last in _sentences(reading):
        found = _Sentence(reading, first, last, language).statement()
        if found:
            yield from _pieces(reading, *found)


class _Sentence:
    """A sentence, or a part of a long one."""

    def __init__(self, reading: Reading, first: int, last: int, language: Callable[[], str]):
        self._reading = reading
        self._tokens = reading.tokens
        self._first = first
        self._last = last
        self._language = language
        self._others = self._in("other")
        self._conditions = self._of_people("condition")
        self._genetic = self._of_people("genetic")

    def statement(self) -> tuple[int, int] | None:
        """The words from the person to the disease, or the other way round."""
        if not (self._conditions or self._genetic or self._in("statement")):
            return None
        spans = [
            *self._said(),
            *self._about(self._in("i"), _NEAR, self._near_genes(), parted=False),
            *self._about(self._in("my"), 2, self._near_genes(), diseases=()),
            *self._mine(),
            *self._about(self._relations(), _FAR, self._genetic, before=_BEFORE),
            *self._somebody(),
        ]
        if not spans:
            return None
        return min(first for first, _ in spans), max(last for _, last in spans)

    def _in(self, category: str) -> list[Hit]:
        hits = self._reading.hits(category)
        within = (hits.get(place) for place in range(self._first, self._last))
        return [hit for hit in within if hit and hit.last <= self._last]

    def _of_people(self, category: str) -> list[Hit]:
        return [each for each in self._in(category) if not self._is_other(each)]

    def _said(self) -> Iterator[tuple[int, int]]:
        """What says by itself that the writer is ill, with the disease if it follows."""
        for hit in self._in("statement"):
            if self._is_other(hit):
                continue
            follows = [
                each.last
                for each in self._conditions
                if hit.last <= each.first <= hit.last + _FAR and _shared(hit, each)
            ]
            yield hit.first, max(follows, default=hit.last)

    def _about(
        self,
        people: Sequence[Hit],
        far: int,
        genetic: Sequence[Hit],
        before: int = 0,
        diseases: Sequence[Hit] | None = None,
        parted: bool = True,
    ) -> Iterator[tuple[int, int]]:
        for person in people:
            for disease in (*(self._conditions if diseases is None else diseases), *genetic):
                if not _shared(person, disease) or self._chance(person, disease):
                    continue
                if 0 <= disease.first - person.last <= far:
                    if not parted and self._parted(person.last, disease.first):
                        continue
                    if not self._others_between(person.last, disease.first, person):
                        yield person.first, disease.last
                elif 0 <= person.first - disease.last < before and not self._others_between(
                    disease.last, person.first, person
                ):
                    yield disease.first, person.last

    def _mine(self) -> Iterator[tuple[int, int]]:
        """A disease that the writer calls their own: "my breast cancer", but no patient's."""
        patients = {hit.first for hit in (*self._in("patient"), *self._in("kin"))}
        for my in self._in("mine"):
            for disease in self._conditions:
                # With a word between where it is no verb: "my breast cancer", "my account carries".
                far = 1 if COMMON in disease.languages else 0
                near = 0 <= disease.first - my.last <= far and _shared(my, disease)
                others = patients.intersection(range(my.last, disease.last + 2))
                if near and not others and not self._chance(my, disease):
                    yield my.first, disease.last

    def _relations(self) -> list[Hit]:
        """Such as "my daughter": both words beside each other, or one that says both."""
        found = self._in("mykin")
        mine: dict[int, Hit] = {}
        for hit in self._in("my"):
            mine.update(dict.fromkeys(range(hit.first, hit.last), hit))
        for kin in self._in("kin"):
            if self._is_other(kin):
                continue
            for place in (kin.first - 1, kin.first - 2, kin.last):
                my = mine.get(place)
                if my and my.languages & kin.languages and self._together(my, kin):
                    first, last = min(my.first, kin.first), max(my.last, kin.last)
                    found.append(Hit(first, last, my.languages & kin.languages))
                    break
        return found

    def _together(self, my: Hit, kin: Hit) -> bool:
        first, last = sorted((my, kin))
        return all(
            self._reading.gap(place).strip() in ("", "-", "'", "’")
            for place in range(first.last, last.last)
        )

    def _near_genes(self) -> list[Hit]:
        """Words such as "mutation", where a gene stands beside it and nothing is said of data."""
        if self._others:
            return []
        return [
            hit
            for hit in self._genetic
            if any(
                _gene(self._tokens[place].text)
                for place in range(max(self._first, hit.first - 3), min(self._last, hit.last + 4))
            )
        ]

    def _somebody(self) -> Iterator[tuple[int, int]]:
        """A patient who is named, or whose age is told, with the disease."""
        named = [
            place for place in range(self._first, self._last) if self._tokens[place].text == NAMED
        ]
        aged = [
            hit
            for hit in self._in("aged")
            if any(
                self._tokens[place].text.isdigit()
                for place in (hit.first - 1, hit.last)
                if self._first <= place < self._last
            )
        ]
        people = [*self._in("person"), *self._in("patient")]
        for disease in (*self._conditions, *self._near_genes()):
            for place in named:
                if abs(place - disease.first) <= _FAR and not self._others_between(
                    min(place, disease.last), max(place, disease.first), disease
                ):
                    yield disease.first, disease.last
            for age in aged:
                if any(_shared(age, each) and _shared(age, disease) for each in people):
                    yield min(age.first, disease.first), max(age.last, disease.last)

    def _chance(self, person: Hit, disease: Hit) -> bool:
        """Whether a small word says "I have" in a language that the text is not in."""
        if person.last - person.first > 1 or COMMON not in disease.languages:
            return False
        own = person.languages - {COMMON}
        return not own & disease.languages and self._language() not in own

    def _parted(self, first: int, last: int) -> bool:
        """Whether there is a comma or the like on the way."""
        return any(set(",:;()") & set(self._reading.gap(place)) for place in range(first, last + 1))

    def _others_between(self, first: int, last: int, person: Hit) -> bool:
        return any(first <= each.first < last and _shared(each, person) for each in self._others)

    def _is_other(self, word: Hit) -> bool:
        """Whether a disease or a relation is part of a name for data or people: "cancer data"."""
        for place in (word.last, word.last + 1):
            if place >= self._last or self._reading.gap(place) not in (" ", "-"):
                return False
            if any(each.first == place and _shared(each, word) for each in self._others):
                return True
            if len(self._tokens[place].text) <= _SMALL_WORD:
                return False
        return False


def _shared(one: Hit, other: Hit) -> bool:
    """Whether two words may be of one language."""
    return bool(
        one.languages & other.languages or COMMON in one.languages or COMMON in other.languages
    )


def _gene(text: str) -> bool:
    return text == GAP or (len(text) > 2 and text.isupper())


def _sentences(reading: Reading) -> Iterator[tuple[int, int]]:
    borders = [0]
    for place in range(1, len(reading.tokens)):
        ends = _SENTENCE.search(reading.gap(place)) and (
            reading.tokens[place - 1].folded not in _ABBREVIATED
        )
        if ends or place - borders[-1] >= _LONGEST:
            borders.append(place)
    return pairwise((*borders, len(reading.tokens)))


def _pieces(reading: Reading, first: int, last: int) -> Iterator[Stretch]:
    """A statement in stretches around genes, variants and names in it."""
    conditions: Mapping[int, Hit] = reading.hits("condition")
    begun = None
    for place in range(first, last + 1):
        token = reading.tokens[place] if place < last else None
        kept = (
            token is None
            or token.text in (GAP, NAMED)
            or (len(token.text) > 2 and token.text.isupper() and place not in conditions)
        )
        if kept and begun is not None:
            yield reading.tokens[begun].start, reading.tokens[place - 1].end, "health"
            begun = None
        elif not kept and begun is None:
            begun = place
