"""How well a list fits a question: the signs, and how much each of them counts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from rag.asking import Asked
from rag.countries import countries_in
from rag.enumerations import Entry, Enumeration
from rag.index import Generation
from rag.lexical import expand, words, words_told
from rag.models import Filters, IndexedDocument, Passage
from rag.query import Query
from rag.sentences import chunk_sentences
from rag.text import letters_digits

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "words": 0.55, "heading": 0.15, "near": 0.15, "nearest": 0.2, "meaning": 0.3,
        "country": 0.3, "countries": 0.4, "resources": 0.1, "unasked": -0.25, "page": -0.3,
        "headings": 0.05, "announced": 0.1, "table": -0.1, "sentence": -0.1,
        "two": -0.2, "broad": -0.1, "other": -0.15, "unlabelled": -0.2,
    }
)  # fmt: skip
"""Chosen by hand over the list questions of ``eval/data/real/framework*.jsonl``. Weights learned
from 190 of them put the right list first no more often, in folds that keep lists together: the
F1 of the first list is 0.74 by hand and 0.72 to 0.74 learned."""
_SCORED, _READ, _SORTED, _ALWAYS = 5.4, 1.9, 0.8, -6.0
"""How much the score of a list, the words of a question and its vector count, in log-odds, for
its being the one asked for, and what is added; learned by ``python -m eval.listing``."""
_ENOUGH = 2.3
"""How many words as rare as can be tell what a question is about."""
_SPREAD = 0.2
"""How far below the best sentence one has nothing to do with the question, in cosine."""
_CHUNKS_DOUBLED = 5
"""How often chunks double from a section to a long page."""
_OF_TOPIC = 2.0
"""How much broader a topic is than a long page."""
_SPOKEN = frozenset(words(
    "all any complete every everything list lists listed name give show tell which document"
    " documents required recommended informational mandatory obligatory optional label labels"
    " labelled many following"
))  # fmt: skip
"""Words that ask for a list and do not say of what."""
_EVERYWHERE = frozenset(words("across whole entire framework overall together resources items"))
"""Words that ask for all there is."""
_RESOURCES = frozenset(words(
    "policies resources reports deliverables documents standards tools guidelines guidance videos"
    " recordings publications papers templates materials components services specifications notes"
))  # fmt: skip
"""What people call what the register holds."""
_WHICH_COUNTRIES = re.compile(
    r"\b(?:which|what|list|name|all|these|the)\b[^?.]{0,20}\bcountries\b", re.IGNORECASE
)
_MEMBER_STATE = frozenset(words("member state"))
"""What the glossary makes of countries in other languages."""


@dataclass(frozen=True)
class Wanted:
    """What a question asks for, made ready once for all lists."""

    query: Query
    asked: Asked
    filters: Filters
    passages: Sequence[Passage]
    """Those whose documents are looked through, best first."""
    generation: Generation
    terms: Mapping[str, float]
    """Its known words that say what it is about, by rarity."""
    near: Mapping[str, float]
    """Chunk to how near it is, 1 for the nearest."""

    @classmethod
    def of(
        cls,
        query: Query,
        asked: Asked,
        filters: Filters,
        passages: Sequence[Passage],
        generation: Generation,
    ) -> Wanted:
        """Read what a question asks for, and how near the passages are to it."""
        leg = generation.words
        spoken = {**query.words.meant, **query.words.typed}
        top = max(max(each.near for each in passages), 1e-6)
        return cls(
            query,
            asked,
            filters,
            passages,
            generation,
            terms={
                term: weight * leg.weight(term)
                for term, weight in spoken.items()
                if term in leg.terms and term not in _SPOKEN
            },
            near={each.chunk.chunk_id: each.near / top for each in passages},
        )

    @cached_property
    def cosines(self) -> Mapping[str, Sequence[tuple[str, float]]]:
        """The letters of each sentence of the passages, and its cosine; read when asked for."""
        return {
            each.chunk.chunk_id: _cosines(each, self.query, self.generation)
            for each in self.passages
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that entries are limited to."""
        return self.filters.labels or self.asked.labels

    @property
    def resources(self) -> bool:
        """Whether it asks for what the register holds."""
        return bool(self.labels or self.asked.kinds or self.query.words.typed.keys() & _RESOURCES)

    @property
    def countries(self) -> bool:
        """Whether it asks which countries."""
        if self.query.countries:
            return False
        if self.query.language == "en":
            return bool(_WHICH_COUNTRIES.search(self.query.question))
        return self.query.words.meant.keys() >= _MEMBER_STATE

    @property
    def everything(self) -> bool:
        """Whether it asks for all that carries a label, wherever it stands."""
        return bool(
            self.labels
            and self.query.language == "en"
            and self.terms.keys() <= _EVERYWHERE
            and not self.query.countries
        )


def _cosines(
    passage: Passage, query: Query, generation: Generation
) -> tuple[tuple[str, float], ...]:
    number = generation.chunk_number(passage.chunk.chunk_id)
    if number is None:
        return ()
    held = zip(
        chunk_sentences(passage.chunk),
        generation.vectors.sentence_cosines(number, query.vector),
        strict=True,
    )
    return tuple((letters_digits(sentence.quote), float(cosine)) for sentence, cosine in held)


def countries_of(entry: Entry) -> tuple[str, ...]:
    """The countries an entry is of, or names."""
    return (entry.country,) if entry.country else countries_in(entry.title, "en")


def signs(
    found: Enumeration, entries: Sequence[Entry], wanted: Wanted, card: IndexedDocument | None
) -> dict[str, float]:
    """Everything that speaks for or against a list, each about 0..1.

    How near its `meaning` is takes longest to tell: until `compared` does, it is the most it
    may be, and so is the `score`.

    Args:
        found: The list.
        entries: Those of its entries that fit.
        wanted: What is asked for.
        card: Of the document that holds the list; None: it spans several.
    """
    generation = wanted.generation
    weight = generation.words.weight
    own = words_told(" ".join((*(found.section[-1:] or (found.title,)), found.intro)))
    path = " ".join((found.title, *found.section, (card and card.topic) or ""))
    place = own | words_told(f"{path} {expand(path, generation.acronyms)}")
    inside = words_told(" ".join(each.title for each in entries))
    spoken = sum(
        weighs * (1.0 if term in place else 0.5 if term in inside else 0.0)
        for term, weighs in wanted.terms.items()
    )
    rarest = math.log(1 + generation.info.chunks / 0.5)
    heading = sum(map(weight, own))
    named = sum(weight(term) for term in own if term in wanted.terms)
    total = sum(wanted.terms.values())
    near = max((wanted.near.get(each, 0.0) for each in found.chunk_ids), default=0.0)
    of_country = bool(wanted.query.countries) and (
        (card is not None and card.country in wanted.query.countries)
        or all(each.country in wanted.query.countries for each in entries)
    )
    several = wanted.countries and _of_several_countries(entries)
    asked = wanted.resources or of_country
    bare_page = not found.section and not wanted.labels and not several
    return {
        "words": spoken / max(total, _ENOUGH * rarest),
        "heading": named / heading if heading else 0.0,
        "near": near,
        "nearest": near**6,
        "meaning": 1.0,
        "country": float(of_country),
        "countries": float(several),
        "resources": float(found.kind == "resources" and asked),
        "unasked": float(found.kind == "resources" and not asked),
        "other": float(wanted.resources and found.kind not in ("resources", "items")),
        "page": float(bare_page and found.kind in ("headings", "resources")),
        "headings": float(found.kind == "headings"),
        "announced": float(found.kind == "list" and bool(found.intro)),
        "table": float(found.kind == "table"),
        "sentence": float(found.kind == "sentence"),
        "two": float(len(entries) == 2),
        "unlabelled": float(bool(wanted.labels) and not any(each.label for each in entries)),
        "broad": _breadth(found, card),
    }


def _of_several_countries(entries: Sequence[Entry]) -> bool:
    named = [countries_of(each) for each in entries]
    return all(named) and len({country for each in named for country in each}) > 1


def _breadth(found: Enumeration, card: IndexedDocument | None) -> float:
    """How much a list spans: a section little, a page more, all pages of a topic most."""
    if card is None:
        return _OF_TOPIC if found.kind == "resources" else 0.0
    return math.log2(max(1, len(found.chunk_ids))) / _CHUNKS_DOUBLED


def _nearest_sentence(found: Enumeration, wanted: Wanted) -> float:
    """The cosine of the sentence nearest to the question among those that make up a list."""
    named = (*(entry.place.text for entry in found.entries), found.intro, *found.section[-1:])
    own = [plain for each in named if len(plain := letters_digits(each)) > 3]
    return max(
        (
            cosine
            for chunk_id in found.chunk_ids & wanted.cosines.keys()
            for plain, cosine in wanted.cosines[chunk_id]
            if any(plain in each or each in plain for each in own)
        ),
        default=0.0,
    )


def compared(
    held: Sequence[Mapping[str, float]], lists: Sequence[Enumeration], wanted: Wanted
) -> list[dict[str, float]]:
    """The signs of all lists, with how near the meaning of each is to that of the nearest."""
    cosines = [_nearest_sentence(each, wanted) for each in lists]
    nearest = max(cosines, default=0.0)
    return [
        {**each, "meaning": max(1 - (nearest - cosine) / _SPREAD, 0.0)}
        for each, cosine in zip(held, cosines, strict=True)
    ]


def score(held: Mapping[str, float]) -> float:
    """How well a list fits, from its signs; at best, until they are `compared`."""
    return sum(weight * held[name] for name, weight in WEIGHTS.items())


def chance(best: float, asked: Asked) -> float:
    """How likely the list that fits best is the one that is asked for.

    Args:
        best: Its score.
        asked: What the question asks for.
    """
    odds = _SCORED * best + _READ * (asked.type == "list") + _SORTED * asked.lists + _ALWAYS
    return 1 / (1 + math.exp(-odds))
