"""Towns, institutions and the words around them that matter, from plain files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter

from rag.countries import ALIASES, COUNTRIES
from rag.errors import BadSetting
from rag.forms import KEY, Form, Forms, fold
from rag.kept import read_kept_as

FILE = Path(__file__).resolve().parent.parent / "corpus" / "places.yaml"
"""Places and cues; the file itself says how it is written."""
TOWNS = FILE.with_name("towns.yaml")
"""More towns, written alike."""

ABROAD = "ZZ"
"""Some country that is none of ours; the code that ISO leaves to its users."""
NONE = ""
"""What only looks like a place."""

Cue = Literal[
    "own", "other", "compared", "among", "model", "event", "agreed", "union", "court", "place",
    "surname", "house", "tongue", "spoken", "following", "greeting", "title", "closing",
]  # fmt: skip
"""What a word tells about the place beside it; the file says what each is for."""

_FORM = re.compile(r"\w+\*?(?: \w+\*?)*!?")


class _Towns(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    cities: dict[str, list[str]]
    doubtful: dict[str, list[str]]


class _File(_Towns):
    names: dict[str, list[str]]
    seats: dict[str, list[str]]
    institutions: dict[str, list[str]]
    domains: dict[str, list[str]]
    international: list[str]
    elsewhere: list[str]
    none: list[str]
    cues: dict[Cue, list[str]]


class Places(NamedTuple):
    """What the file lists, ready to be looked for."""

    forms: Forms
    doubtful: frozenset[Form]
    seats: frozenset[Form]
    names: frozenset[Form]
    institutions: frozenset[Form]
    cues: Mapping[Cue, Forms]
    domains: Mapping[str, str]
    """Countries by the endings of domains."""
    international: frozenset[str]


@cache
def load_places() -> Places:
    """Read the file.

    Raises:
        BadSetting: It is missing or is not written as it should be; one line.
    """
    read, more = read_kept_as(FILE, TypeAdapter(_File)), read_kept_as(TOWNS, TypeAdapter(_Towns))
    cities, doubtful, seats, names, institutions = (
        frozenset(_listed(*parts))
        for parts in (
            (read.cities, more.cities),
            (read.doubtful, more.doubtful),
            (read.seats,),
            (read.names,),
            (read.institutions,),
        )
    )
    doubtful = frozenset(form._replace(capital=True) for form in doubtful)
    others = [_form(ABROAD, form) for form in read.elsewhere]
    others += [_form(NONE, form) for form in read.none]
    domains = {code.lower(): code for code in COUNTRIES}
    domains |= {alias.lower(): code for alias, code in ALIASES.items()}
    domains |= {ending: code for code, endings in read.domains.items() for ending in endings}
    return Places(
        Forms([[*cities, *doubtful, *seats, *names, *institutions, *others]]),
        doubtful,
        seats,
        names,
        institutions,
        {cue: Forms([[_form(cue, form) for form in forms]]) for cue, forms in read.cues.items()},
        domains,
        frozenset(read.international),
    )


def _listed(*parts: Mapping[str, Iterable[str]]) -> Iterator[Form]:
    for part in parts:
        for country, forms in part.items():
            if country not in COUNTRIES:
                raise BadSetting(f"{FILE} lists {country}, which is no country of ours")
            yield from (_form(country, form) for form in forms)


def _form(name: str, written: str) -> Form:
    words = written.rstrip("!").split()
    short = any(len(fold(word)) <= KEY for word in words if word.endswith("*"))
    if short or not _FORM.fullmatch(written):
        raise BadSetting(
            f"{FILE}: {written!r} is no word, no phrase and no beginning (*) of one with"
            f" {KEY} letters or more"
        )
    # A single capital is that of a sentence or of a name; any other is meant.
    cased = any(word[1:] != word[1:].lower() for word in words) or written == "I"
    return Form(
        name,
        tuple(map(fold, words)),
        spelling=tuple(word.lower() for word in words) if written.endswith("!") else (),
        capital=written[0].isupper(),
        cased=tuple(words) if cased else (),
    )
