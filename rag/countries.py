"""Countries named in a question, in any language of the EU.

The names come from CLDR by way of Babel. What they look like in a sentence
(inflected, as a demonym, as an adjective) is in ``corpus/countries.yaml``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from babel import Locale, UnknownLocaleError
from pydantic import TypeAdapter, ValidationError

from rag.errors import BadSetting
from rag.kept import read_kept
from rag.language import LANGUAGES

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
_MARKS = re.compile("[\u0300-\u036f]+")
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "ς": "σ"}
)
_KEY = 3
"""Letters by which the beginnings are shelved; none is shorter."""


class _Form(NamedTuple):
    """One way to name a country, or, with no country, something that looks like one."""

    country: str
    words: tuple[str, ...]
    """Lower-case and without diacritics; a star ends one that is a beginning."""
    spelling: tuple[str, ...] = ()
    """With diacritics, lower-case; given where the text must have them."""
    capital: bool = False
    """Whether it is an everyday word when it has none."""


_Ranked = tuple[tuple[int, ...], _Form]
"""A form with its place among others that fit: the lower, the better."""


class _Forms(NamedTuple):
    """What is looked for in texts of one language, by the first word, best first."""

    whole: Mapping[str, tuple[_Ranked, ...]]
    begun: Mapping[str, tuple[_Ranked, ...]]
    """Where the first word is a beginning: by the first letters of that."""
    beginnings: Mapping[str, tuple[str, ...]]
    """The same, without their stars: most words are turned down here, at little cost."""


def _fold(text: str) -> str:
    marked = unicodedata.normalize("NFD", text.lower())
    return _MARKS.sub("", marked).translate(_LETTERS)


@cache
def _listed() -> dict[str, dict[str, list[str]]]:
    """Read what the file lists: forms by language and country.

    Raises:
        BadSetting: The file is missing or is not written as it should be.
    """
    try:
        listed = TypeAdapter(dict[str, dict[str, list[str]]]).validate_python(read_kept(FORMS))
    except ValidationError as error:
        raise BadSetting(f"cannot read {FORMS}: {error}") from error
    for language, countries in listed.items():
        for country, forms in countries.items():
            if language not in LANGUAGES or country not in (*COUNTRIES, _NONE):
                raise BadSetting(f"{FORMS} lists {country} in {language}, which we do not speak of")
            for form in forms:
                short = any(len(word) <= _KEY for word in form.split() if word.endswith("*"))
                if short or not _FORM.fullmatch(form):
                    raise BadSetting(
                        f"{FORMS}: {form!r} under {language}, {country} is no word, no phrase and"
                        f" no beginning (*) of one with {_KEY} letters or more"
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


def _forms_of(language: str) -> Iterator[_Form]:
    """What the file lists for a language, then the names of CLDR that it does not speak of."""
    listed = set()
    for country, forms in _listed().get(language, {}).items():
        for form in forms:
            spelling = tuple(form.rstrip("!").lower().split())
            words = tuple(map(_fold, spelling))
            listed.add(words)
            yield _Form(
                country="" if country == _NONE else country,
                words=words,
                spelling=spelling if form.endswith("!") else (),
                capital=form[0].isupper(),
            )
    for country, name in _names(language):
        words = tuple(map(_fold, name))
        if words not in listed:
            yield _Form(country, words)


@cache
def _names_abroad() -> tuple[_Form, ...]:
    """The names of all languages, for texts in any of the others."""
    everyday = {
        form.words
        for language in LANGUAGES
        for form in _forms_of(language)
        if form.capital or not form.country
    }
    named = {name: country for language in LANGUAGES for country, name in _names(language)}
    folded = ((country, tuple(map(_fold, name)), name) for name, country in named.items())
    return tuple(_Form(country, words, name, words in everyday) for country, words, name in folded)


@cache
def _forms(language: str | None) -> _Forms:
    """What is looked for in a text: the language's own, then English, then other names."""
    own = list(_forms_of(language)) if language in LANGUAGES else []
    english = [form for form in _forms_of("en") if not form.capital]
    whole: dict[str, list[_Ranked]] = defaultdict(list)
    begun: dict[str, list[_Ranked]] = defaultdict(list)
    for layer, forms in enumerate((own, english, _names_abroad())):
        for form in forms:
            first = form.words[0]
            beginning = first.endswith("*")
            shelf = begun[first[:_KEY]] if beginning else whole[first]
            shelf.append(((-len(form.words), layer, beginning, -len(first)), form))
    return _Forms(
        {key: tuple(sorted(shelf)) for key, shelf in whole.items()},
        {key: tuple(sorted(shelf)) for key, shelf in begun.items()},
        {key: tuple(form.words[0][:-1] for _, form in shelf) for key, shelf in begun.items()},
    )


def countries_in(text: str, language: str | None = None) -> tuple[str, ...]:
    """Return the countries a text names, in order, each once.

    Args:
        text: What somebody wrote.
        language: ISO 639-1 of the text; its inflections and demonyms are then
            known. The names of all languages and the English demonyms always are.

    Raises:
        BadSetting: ``corpus/countries.yaml`` cannot be read.
    """
    whole, begun, beginnings = _forms(language)
    written = _WORD.findall(unicodedata.normalize("NFC", text))
    # Folded at once: word by word would take several times as long.
    folded = _fold("\n".join(written)).split("\n")
    found: dict[str, None] = {}
    after = 0
    for place, word in enumerate(folded):
        ranked = whole.get(word, ())
        key = word[:_KEY]
        if key in begun and word.startswith(beginnings[key]):
            ranked = tuple(sorted(ranked + begun[key]))
        if not ranked or place < after:
            continue
        for _, form in ranked:
            end = place + len(form.words)
            if not _agree(form.words, folded[place:end]):
                continue
            if form.spelling and not _agree(
                form.spelling, [each.lower() for each in written[place:end]]
            ):
                continue
            after = end
            if form.country and (written[place][0].isupper() or not form.capital):
                found[form.country] = None
            break
    return tuple(found)


def _agree(form: Sequence[str], words: Sequence[str]) -> bool:
    """Whether words are those of a form, where a star ends a beginning."""
    return len(form) == len(words) and all(
        word.startswith(each[:-1]) if each.endswith("*") else word == each
        for each, word in zip(form, words, strict=True)
    )


def country_code(code: str) -> str | None:
    """Return a code in ISO form (``UK`` becomes ``GB``), None if it is none of ours."""
    upper = code.upper()
    upper = ALIASES.get(upper, upper)
    return upper if upper in COUNTRIES else None


def country_name(country: str, language: str) -> str:
    """Return the name of a country in a language, else in English."""
    for code in (language, "en"):
        try:
            name = Locale.parse(code).territories.get(country)
        except UnknownLocaleError:
            continue
        if name:
            return str(name)
    return country
