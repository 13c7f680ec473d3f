"""Where two documents say different things of the same: figures, labels, items of data models.

Nobody asks for these: whoever keeps the sources is shown them, to mend one side. So a pair
that is none costs more than one that is missed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice
from typing import Literal

import numpy as np

from rag.claims import Claims, Word
from rag.embedder import Vectors
from rag.index import Generation
from rag.models import Chunk, IndexedDocument, Part
from rag.ordering import is_newer
from rag.sentences import chunk_sentences
from rag.text import letters_digits, word_count

Kind = Literal["figure", "item", "label"]
KINDS: tuple[Kind, ...] = ("figure", "item", "label")

_CLOSE = 0.995
"""Quantile of the cosines between sentences of an index: what lies above speaks of the same."""
_SAMPLE = 1000
"""Sentences that tell what is usual in an index."""
_FEWEST = 100
"""Fewer tell nothing."""
_SHARED = 0.6
"""Share of the words of the longer sentence from which both speak of the same anyway."""
_FEWEST_WORDS = 5
"""Shorter lines are titles and cells."""
_COUNTED = 2
"""Words after a figure that tell what it counts."""
_LOOKED_AT = 6
"""Words after a figure among which those stand."""
_MOST = 500
"""Sentences that count the same: what is counted by more (per cent, in a large index) is
compared as far as that."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_FIGURE = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty"
    r"|fifty|sixty|seventy|eighty|ninety|hundred|thousand)\b",
    re.IGNORECASE,
)
_NO_CLAIM = re.compile(r"https?://\S+|\[\d+\]|[⁰¹²³⁴-⁹]+|(?<!\d)(?<!\d[.,\u00a0\u202f ])0\d+")
"""Addresses, marks of notes, and numbers that name something."""
_PERCENT = re.compile(r"(\d)\s?%")
_NUMBERED = re.compile(r"\W*\d+(?:\.\d+)*[.):]")
"""The number of an entry, at its head."""
_NAMED = frozenset(
    "annex appendix art article articles box chapter class deliverable figure fig grade item level"
    " line milestone no number option page paragraph part phase point question recital release row"
    " section slide stage step tab table task tier type version volume week work package wp".split()
)
"""What a figure only numbers that stands behind it."""
_MONTHS = frozenset(
    "january february march april may june july august september october november december jan feb"
    " mar apr jun jul aug sep sept oct nov dec".split()
)
_PER_CENT = "percent"
_MULTIPLICITY = r"\[\s*(\d+|\*|n)\s*\.\.\s*(\d+|\*|n)\s*\]"
"""How often something may be given, as diagrams write it (UML): ``[0..1]``."""
_OF_CLASS = re.compile(rf"(?P<name>[^\[\]]+?)\s*{_MULTIPLICITY}$")
_PROPERTY = re.compile(rf"[-–•*+#~]?\s*(?P<name>[^:\[\]]{{1,60}}?)\s*:[^\[\]]*{_MULTIPLICITY}$")


@dataclass(frozen=True)
class Said:
    """What one document says."""

    document: IndexedDocument
    section: tuple[str, ...]
    url: str | None
    page: int | None
    """1-based page of a PDF, else None."""
    text: str
    value: str
    """What differs, as it is to be compared at a glance: ``25``, ``required``, ``0..1``."""


@dataclass(frozen=True)
class Disagreement:
    """The same thing, said in different ways."""

    kind: Kind
    subject: str
    """What it is about; for a figure what is counted, as the newer side puts it."""
    said: tuple[Said, ...]
    """Two or more, the newer first as far as dates tell."""


@dataclass(frozen=True)
class _Stated:
    """What a document says of an item of a metadata model."""

    of_class: str
    name: str
    said: Said
    cardinality: str
    obligation: str = ""
    """Empty where it does not say."""
    scope: str = ""
    """As `obligation`."""

    def agrees(self, other: _Stated) -> bool:
        """Whether both may hold: of different use cases, or of what may be left out."""
        if self.scope and other.scope and self.scope != other.scope:
            return True
        if self.obligation and other.obligation and self.obligation != other.obligation:
            return False
        (least, most), (its_least, its_most) = self._bounds, other._bounds
        return most == its_most and bool(least & its_least)

    @property
    def _bounds(self) -> tuple[frozenset[str], str]:
        """The least numbers that it may mean, and the largest; what is conditional may be none."""
        least, _, most = self.cardinality.partition("..")
        conditional = self.obligation == "conditional"
        return frozenset({least, "0"} if conditional else {least}), most


@dataclass(frozen=True)
class _Sentence:
    """A sentence with a figure."""

    number: int
    """Of its vector."""
    chunk: Chunk
    part: Part
    text: str

    @cached_property
    def claims(self) -> Claims:
        return Claims(_PERCENT.sub(rf"\1 {_PER_CENT}", _NO_CLAIM.sub(" ", self.text)))

    @cached_property
    def counts(self) -> dict[tuple[str, ...], set[str]]:
        """The figures that count something, by the stems of what they count."""
        found: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for place, word in enumerate(self.claims.words):
            if counted := self._counted(place, word):
                found[counted].add(word.figure)
        return found

    def _counted(self, place: int, word: Word) -> tuple[str, ...]:
        """The stems of what a figure counts; none where it counts nothing."""
        words = self.claims.words
        if not word.figure or _YEAR.fullmatch(word.written):
            return ()
        if place and words[place - 1].lower in _NAMED:
            return ()
        stems: list[str] = []
        after = words[place + 1 : place + 1 + _LOOKED_AT]
        for each in after:
            if each.first or each.figure or (each.capital and each.lower in _MONTHS):
                return ()
            if each.stem:
                stems.append(each.stem)
            if each.lower == _PER_CENT or len(stems) == _COUNTED:
                return tuple(stems)
        # One word is enough where the sentence ends with it: "for fifteen years".
        return tuple(stems) if len(after) < _LOOKED_AT else ()

    def as_counted(self, counted: tuple[str, ...]) -> str:
        """What is counted, as it is written here."""
        words = self.claims.words
        place = next(at for at, word in enumerate(words) if self._counted(at, word) == counted)
        written: list[str] = []
        left = list(counted)
        for each in words[place + 1 :]:
            if not left:
                break
            left = left[1:] if each.stem == left[0] else left
            written.append(each.written)
        return "%" if counted == (_PER_CENT,) else " ".join(written)

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(self.claims.stems)


def disagreements(generation: Generation) -> tuple[Disagreement, ...]:
    """Find what documents of an index say differently, the figures nearest to one another first.

    What a newer document replaces is left out: there the difference is meant.
    """
    documents = {
        card.document_id: card for card in generation.documents() if not card.superseded_by
    }
    chunks = (
        chunk
        for chunk in generation.all_chunks()
        if chunk.document_id in documents and chunk.kind != "article"
    )
    return (
        *_figures(generation, documents),
        *_items(chunks, documents),
        *_labels(generation, documents),
    )


def _figures(
    generation: Generation, documents: Mapping[str, IndexedDocument]
) -> list[Disagreement]:
    by_counted: dict[tuple[str, ...], list[_Sentence]] = defaultdict(list)
    for each in _sentences(generation, documents):
        for counted in each.counts:
            by_counted[counted].append(each)
    bar = _usual(generation.vectors.sentences)
    found: dict[tuple[int, int], tuple[float, Disagreement]] = {}
    for counted, sentences in by_counted.items():
        for near, one, other in _alike(sentences[:_MOST], counted, generation, bar):
            pair = (one.number, other.number)
            if pair not in found:
                found[pair] = near, _of_figures(counted, one, other, documents)
    return [each for _, each in sorted(found.values(), key=lambda each: -each[0])]


def _sentences(
    generation: Generation, documents: Mapping[str, IndexedDocument]
) -> Iterator[_Sentence]:
    """Every sentence that holds a figure; lists of links, rows of tables and titles aside."""
    number = -1
    for chunk in generation.all_chunks():
        wanted = chunk.document_id in documents and chunk.kind in ("page", "pdf")
        for said in chunk_sentences(chunk):
            number += 1
            text = said.text
            if not wanted or said.part.item is not None or " | " in text:
                continue
            if word_count(text) < _FEWEST_WORDS or not _FIGURE.search(text):
                continue
            if not _NUMBERED.match(text):
                yield _Sentence(number, chunk, said.part, text)


def _usual(vectors: Vectors) -> float:
    """The cosine above which two sentences of an index are nearer than sentences mostly are."""
    if len(vectors) < _FEWEST:
        return float("inf")
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), _SAMPLE)).astype(np.int64))
    sample = np.asarray(vectors)[rows]
    return float(np.quantile((sample @ sample.T)[np.triu_indices(len(sample), 1)], _CLOSE))


def _alike(
    sentences: Sequence[_Sentence],
    counted: tuple[str, ...],
    generation: Generation,
    bar: float,
) -> Iterator[tuple[float, _Sentence, _Sentence]]:
    """Pairs of different documents that speak of the same and give no figure in common."""
    if len(sentences) < 2:
        return
    vectors = np.asarray(generation.vectors.sentences)[[each.number for each in sentences]]
    cosines = vectors @ vectors.T
    for (i, one), (j, other) in combinations(enumerate(sentences), 2):
        if one.chunk.document_id == other.chunk.document_id:
            continue
        if one.counts[counted] & other.counts[counted]:
            continue
        longer = max(len(one.stems), len(other.stems))
        shared = len(one.stems & other.stems) >= _SHARED * longer
        if shared or cosines[i, j] >= bar:
            yield float(cosines[i, j]), one, other


def _of_figures(
    counted: tuple[str, ...],
    one: _Sentence,
    other: _Sentence,
    documents: Mapping[str, IndexedDocument],
) -> Disagreement:
    sides = [
        _said(
            each.chunk,
            each.part,
            documents,
            text=each.text,
            value=", ".join(sorted(each.counts[counted], key=float))
            + (" %" if counted == (_PER_CENT,) else ""),
        )
        for each in (one, other)
    ]
    said = _newest_first(sides)
    newest = one if said[0] is sides[0] else other
    return Disagreement("figure", newest.as_counted(counted), said)


def _items(
    chunks: Iterable[Chunk], documents: Mapping[str, IndexedDocument]
) -> Iterator[Disagreement]:
    """Items of a metadata model whose cardinality or obligation two documents give differently."""
    given: dict[tuple[str, str], list[_Stated]] = defaultdict(list)
    for chunk in chunks:
        for part in chunk.parts:
            for each in _stated(chunk, part, documents):
                given[letters_digits(each.of_class), letters_digits(each.name)].append(each)
    for listed in given.values():
        differing = (
            (one, other)
            for one, other in combinations(listed, 2)
            if one.said.document != other.said.document and not one.agrees(other)
        )
        # The first two: a third says what one of them says, or is shown once they are mended.
        for one, other in islice(differing, 1):
            subject = f"{one.of_class}: {one.name}"
            yield Disagreement("item", subject, _newest_first([one.said, other.said]))


def _stated(
    chunk: Chunk, part: Part, documents: Mapping[str, IndexedDocument]
) -> Iterator[_Stated]:
    """The items that a part tells of, as the row of a table or in a diagram."""
    if item := part.item:
        if item.cardinality:
            value = ", ".join(filter(None, (_plain(item.cardinality), item.obligation)))
            said = _said(chunk, part, documents, text=part.text, value=value)
            cardinality = _plain(item.cardinality)
            yield _Stated(item.of_class, item.name, said, cardinality, item.obligation, item.scope)
        return
    heading = _OF_CLASS.match(part.section[-1]) if part.section else None
    if heading is None:
        return
    for line in map(str.strip, part.text.splitlines()):
        if found := _PROPERTY.fullmatch(line):
            value = _plain(f"{found[2]}..{found[3]}")
            said = _said(chunk, part, documents, text=line, value=value)
            yield _Stated(heading["name"], found["name"], said, value)


def _plain(cardinality: str) -> str:
    return cardinality.replace(" ", "").replace("*", "n").lower()


def _labels(
    generation: Generation, documents: Mapping[str, IndexedDocument]
) -> Iterator[Disagreement]:
    """Resources that are required on one page and only recommended on another."""
    by_place = {(card.source, card.path): card for card in documents.values()}
    for resource in generation.resources:
        if len(resource.labels) < 2:
            continue
        said = [
            Said(card, each.section, each.url, each.page, each.text, each.label)
            for each in resource.mentions
            if each.label and (card := by_place.get((each.source, each.path)))
        ]
        once = list({(each.document.document_id, each.value): each for each in said}.values())
        if len({each.value for each in once}) > 1:
            yield Disagreement("label", resource.title, _newest_first(once))


def _said(
    chunk: Chunk, part: Part, documents: Mapping[str, IndexedDocument], *, text: str, value: str
) -> Said:
    document = documents[chunk.document_id]
    return Said(document, part.section, chunk.address(part), part.page, text, value)


def _newest_first(said: Iterable[Said]) -> tuple[Said, ...]:
    ordered: list[Said] = []
    for each in said:
        place = next(
            (at for at, other in enumerate(ordered) if is_newer(each.document, other.document)),
            len(ordered),
        )
        ordered.insert(place, each)
    return tuple(ordered)
