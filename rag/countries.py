"""Countries named in a question, in any language of the EU.

The names come from CLDR by way of Babel. What they look like in a sentence
(inflected, as a demonym, as an adjective) is in ``corpus/countries.yaml``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from babel import Locale, UnknownLocaleError
from pydantic import TypeAdapter

from rag.errors import BadSetting
from rag.forms import KEY, Form, Forms, fold
from rag.kept import read_kept_as
from rag.language import LANGUAGES, LOCALES

COUNTRIES = (
    "AT BE BG CY CZ DE DK EE ES FI FR GB GR HR HU IE IT LT LU LV MT NL NO PL PT RO SE SI SK".split()
)
"""ISO 3166-1 alpha-2 of the EU, Norway and the United Kingdom."""

ALIASES = {"UK": "GB", "EL": "GR"}

FORMS = Path(__file__).resolve().parent.parent / "corpus" / "countries.yaml"
"""Demonyms and inflections; the file itself says how it is written."""

_NONE = "none"
"""Where the file lists what looks like a country and is none."""

_LOCALES = {"pt": ("pt", "pt_PT"), "no": ("no", "nn")}
_ARTICLES = {"ga": {"an", "na"}, "mt": {"id", "il", "in", "ir", "is", "l"}}
"""With which CLDR writes the names; a sentence often has another."""

_WORD = re.compile(r"\w+")
_FORM = re.compile(r"[^\W\d_]+\*?(?: [^\W\d_]+\*?)*!?")


class Named(NamedTuple):
    """A country where a text names it."""

    country: str
    """ISO 3166-1 alpha-2."""
    start: int
    end: int
    """Places in the text in Unicode's form NFC."""


@cache
def _listed() -> dict[str, dict[str, list[str]]]:
    """Read what the file lists: forms by language and country.

    Raises:
        BadSetting: The file is missing or is not written as it should be.
    """
    listed = read_kept_as(FORMS, TypeAdapter(dict[str, dict[str, list[str]]]))
    for language, countries in listed.items():
        for country, forms in countries.items():
            if language not in LANGUAGES or country not in (*COUNTRIES, _NONE):
                raise BadSetting(f"{FORMS} lists {country} in {language}, which we do not speak of")
            for form in forms:
                short = any(len(word) <= KEY for word in form.split() if word.endswith("*"))
                if short or not _FORM.fullmatch(form):
                    raise BadSetting(
                        f"{FORMS}: {form!r} under {language}, {country} is no word, no phrase and"
                        f" no beginning (*) of one with {KEY} letters or more"
                    )
    return listed


def _names(language: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Countries and their names in one language, in lower case and without an article."""
    for code in _LOCALES.get(language, (language,)):
        territories = Locale.parse(code).territories
        for country in COUNTRIES:
            words = _WORD.findall(str(territories.get(country, "")).lower())
            if len(words) > 1 and words[0] in _ARTICLES.get(language, ()):
                del words[0]
            if words:
                yield country, tuple(words)


def _forms_of(language: str) -> Iterator[Form]:
    """What the file lists for a language, then the names of CLDR that it does not speak of."""
    listed = set()
    for country, forms in _listed().get(language, {}).items():
        for form in forms:
            spelling = tuple(form.rstrip("!").lower().split())
            words = tuple(map(fold, spelling))
            listed.add(words)
            yield Form(
                name="" if country == _NONE else country,
                words=words,
                spelling=spelling if form.endswith("!") else (),
                capital=form[0].isupper(),
            )
    for country, name in _names(language):
        words = tuple(map(fold, name))
        if words not in listed:
            yield Form(country, words)


@cache
def _names_abroad() -> tuple[Form, ...]:
    """The names of all languages, for texts in any of the others."""
    everyday = {
        form.words
        for language in LANGUAGES
        for form in _forms_of(language)
        if form.capital or not form.name
    }
    named = {name: country for language in LANGUAGES for country, name in _names(language)}
    folded = ((country, tuple(map(fold, name)), name) for name, country in named.items())
    return tuple(Form(country, words, name, words in everyday) for country, words, name in folded)


@cache
def _forms(language: str | None) -> Forms:
    """What is looked for in a text: the language's own, then English, then other names."""
    own = list(_forms_of(language)) if language in LANGUAGES else []
    english = [form for form in _forms_of("en") if not form.capital]
    return Forms((own, english, _names_abroad()))


def countries_in(text: str, language: str | None = None) -> tuple[str, ...]:
    """Return the countries a text names, in order, each once.

    Args:
        text: What somebody wrote.
        language: ISO 639-1 of the text; its inflections and demonyms are then
            known. The names of all languages and the English demonyms always are.

    Raises:
        BadSetting: ``corpus/countries.yaml`` cannot be read.
    """
    return tuple(dict.fromkeys(each.country for each in countries_named(text, language)))


def countries_named(text: str, language: str | None = None) -> Iterator[Named]:
    """The same with the places, in order; a country may come more than once."""
    for form, start, end in _forms(language).find(unicodedata.normalize("NFC", text)):
        if form.name:
            yield Named(form.name, start, end)


def country_code(code: str) -> str | None:
    """Return a code in ISO form (``UK`` becomes ``GB``), None if it is none of ours."""
    upper = code.upper()
    upper = ALIASES.get(upper, upper)
    return upper if upper in COUNTRIES else None


def country_name(country: str, language: str) -> str:
    """Return the name of a country in a language, else in English."""
    for code in (language, "en"):
        try:
            name = Locale.parse(LOCALES.get(code, code)).territories.get(country)
        except UnknownLocaleError:
            continue
        if name:
            return str(name)
    return country
