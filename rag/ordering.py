"""The order of passages that say the same, or the opposite, at different times."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from rag.lexical import words
from rag.models import Chunk, IndexedDocument, Passage

_ALIKE = 0.9
"""Share of three-word runs that two passages have in common, from which on they are one."""
_RUN = 3
_SAME_SUBJECT = 0.5
"""Share of the longer passage's words that the other has too, from which on both speak of
the same."""
_SAME_SENTENCE = 0.6
"""The same for two sentences, figures aside."""
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_NEGATIONS = frozenset("cannot neither never no none nor not without".split())


def collapsed(passages: Sequence[Passage]) -> list[Passage]:
    """Keep the first of passages that say the same; it names the places of the others.

    One name, figure, "not" or label that only one of them has, and both stay.
    """
    kept: list[tuple[Passage, frozenset[int]]] = []
    for passage in passages:
        runs = _runs(passage.chunk.text)
        fewest, most = _ALIKE * len(runs), len(runs) / _ALIKE
        for position, (better, known) in enumerate(kept):
            # Most differ so much in length that they need not be compared.
            alike = fewest <= len(known) <= most and _alike(runs, known)
            if alike and _telling(passage.chunk) == _telling(better.chunk):
                kept[position] = (replace(better, also=(*better.also, passage.chunk)), known)
                break
        else:
            kept.append((passage, runs))
    return [passage for passage, _ in kept]


def newer_first(
    passages: Sequence[Passage], documents: Mapping[str, IndexedDocument]
) -> list[Passage]:
    """Put the newer of two passages first where they speak of the same and figures differ.

    A passage of a document that has been replaced, or has left the menus of its
    site, follows one that speaks of the same, whatever its figures.
    """
    read = [documents.get(each.chunk.document_id) for each in passages]
    if len({(_date(each), _is_outdated(each)) for each in read if each}) < 2:
        return list(passages)  # none is newer than another
    ordered: dict[str, Passage] = {}

    def place(passage: Passage) -> None:
        for other in passages:
            known = other.chunk.chunk_id in ordered
            if not known and _replaces(other.chunk, passage.chunk, documents):
                place(other)
        ordered.setdefault(passage.chunk.chunk_id, passage)

    for passage in passages:
        place(passage)
    return list(ordered.values())


def disagree(one: str, other: str) -> bool:
    """Whether two sentences speak of the same and differ in a figure or in a "not"."""
    first, second = _words(one), _words(other)
    plain = frozenset(word for word in first | second if not _FIGURE.search(word))
    longer = max(len(first & plain), len(second & plain))
    if not longer or len(first & second & plain) < _SAME_SENTENCE * longer:
        return False
    figures, others = (frozenset(_FIGURE.findall(text)) for text in (one, other))
    denied, elsewhere = (not _NEGATIONS.isdisjoint(text.lower().split()) for text in (one, other))
    return (bool(figures and others) and figures.isdisjoint(others)) or denied != elsewhere


def is_newer(one: IndexedDocument, other: IndexedDocument) -> bool:
    """Whether a document is later than another, or that one is no longer in use."""
    if _is_outdated(one) != _is_outdated(other):
        return _is_outdated(other)
    return _is_later(_date(one), _date(other))


def _replaces(chunk: Chunk, other: Chunk, documents: Mapping[str, IndexedDocument]) -> bool:
    """Whether a chunk should be read instead of another one."""
    if chunk.document_id == other.document_id:
        return False
    own, theirs = documents.get(chunk.document_id), documents.get(other.document_id)
    if own is None or theirs is None:
        return False
    outdated = _is_outdated(theirs) and not _is_outdated(own)
    newer = _is_later(_date(own), _date(theirs))
    if not (outdated or newer) or (_is_outdated(own) and not outdated):
        return False
    if not _same_subject(chunk, other):
        return False
    return outdated or _figures(chunk) != _figures(other)


def _is_later(one: str, other: str) -> bool:
    """Whether a date follows another, as far as both are told: a month may lie in a year."""
    told = min(len(one), len(other))
    return one[:told] > other[:told]


def _is_outdated(document: IndexedDocument) -> bool:
    return document.older or document.superseded_by is not None


def _date(document: IndexedDocument) -> str:
    """The document's own date; that of a whole snapshot says nothing of it."""
    return (document.published or "") if document.dated_by != "snapshot" else ""


def _same_subject(one: Chunk, other: Chunk) -> bool:
    first, second = _words(one.text), _words(other.text)
    longer = max(len(first), len(second))
    return longer > 0 and len(first & second) >= _SAME_SUBJECT * longer


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(words(text))


def _telling(chunk: Chunk) -> tuple[str | None, frozenset[str]]:
    """Label, names, figures and negations: what two texts may differ in and say the opposite."""
    read = chunk.text.split()
    return chunk.label, frozenset(
        word
        for word in read
        if any(letter.isupper() or letter.isdigit() for letter in word)
        or word.strip(".,;:").lower() in _NEGATIONS
    )


def _figures(chunk: Chunk) -> frozenset[str]:
    return frozenset(_FIGURE.findall(chunk.text))


@lru_cache(maxsize=4096)
def _runs(text: str) -> frozenset[int]:
    """Every run of three words, by its hash: numbers are compared fastest."""
    read = text.lower().split()
    starts = range(max(1, len(read) - _RUN + 1))
    return frozenset(hash(tuple(read[at : at + _RUN])) for at in starts)


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    return len(one & other) >= _ALIKE * len(one | other)
