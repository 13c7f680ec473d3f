"""What personal data is looked for, and how it is masked.

Found: full names (in salutations and signatures, after titles, or by a known
given name), people's own mail addresses, telephone numbers, identity numbers,
ORCIDs, IBANs, dates of birth, and what is said of the health of an
identifiable person. Never found: gene symbols, HGVS, accessions, terms of
ontologies, DOIs, addresses of pages and machines, mailboxes of an office,
projects, institutes, diseases called after people, authors cited, a first
name alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from rag.language import detect_language
from rag.personal.health import health
from rag.personal.names import names
from rag.personal.numbers import Stretch, accounts, addresses, birth_dates, identities, phones
from rag.personal.protected import without_loose, without_strict
from rag.personal.spans import GAP, TOKENS, Blanked, Personal
from rag.personal.words import Reading

_ROUNDS = 4
"""What is found may show something else: a name, that a disease is somebody's."""


def find_personal(text: str, language: str | None = None) -> tuple[Personal, ...]:
    """Find the personal data in a text.

    Args:
        text: What somebody wrote; any length, in time that grows with it.
        language: ISO 639-1 of the text, if known. All languages are looked for
            whatever it is; it settles what words of several languages mean, and which
            name comes first (Hungarian).

    Returns:
        Stretches that do not overlap, in order.

    Raises:
        BadSetting: A file of ``corpus/personal`` cannot be read.
    """
    plain = Blanked.of(text)
    mailboxes = sorted(addresses(plain.text), key=lambda each: each[0])
    found = [plain.original(start, end, kind) for start, end, kind in mailboxes if kind]
    plain = without_strict(plain.without((start, end, GAP) for start, end, _ in mailboxes))
    for _ in range(_ROUNDS):
        numbers = _located(plain, _numbers(plain.text))
        plain = plain.hiding(numbers)
        shown = without_loose(plain)
        people = _located(shown, _people(shown.text, language))
        plain = plain.hiding(people)
        if not numbers and not people:
            break
        found += numbers + people
    return tuple(sorted(found, key=lambda each: each.start))


def _numbers(text: str) -> Iterator[Stretch]:
    if not any(map(str.isdigit, text)):
        return
    reading = Reading(text)
    yield from accounts(text)
    yield from identities(reading)
    yield from birth_dates(reading)
    yield from phones(reading)


def _people(text: str, language: str | None) -> Iterator[Stretch]:
    reading = Reading(text)

    @cache
    def spoken() -> str:
        return language or detect_language(text)

    yield from names(reading, spoken)
    yield from health(reading, spoken)


def _located(text: Blanked, stretches: Iterable[Stretch]) -> list[Personal]:
    """Tell where stretches are in the original; of two that overlap, the first given stays."""
    taken = bytearray(len(text.text))
    found = []
    for start, end, kind in stretches:
        if not any(taken[start:end]):
            taken[start:end] = b"\x01" * (end - start)
            found.append(text.original(start, end, kind))
    return sorted(found, key=lambda each: each.start)


def mask(text: str, found: Iterable[Personal]) -> str:
    """Put a token such as ``[name]`` for each stretch that was found; nothing else changes.

    Args:
        text: The text that was searched.
        found: What `find_personal` found in it.
    """
    pieces: list[str] = []
    after = 0
    for each in sorted(found, key=lambda each: each.start):
        pieces += (text[after : each.start], TOKENS[each.kind])
        after = each.end
    return "".join((*pieces, text[after:]))
