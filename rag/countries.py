"""Countries named in a question, in any language of the EU."""

from __future__ import annotations

import re
from functools import cache

from babel import Locale, UnknownLocaleError

from rag.language import LANGUAGES

COUNTRIES = (
    "AT BE BG CY CZ DE DK EE ES FI FR GB GR HR HU IE IT LT LU LV MT NL NO PL PT RO SE SI SK".split()
)
"""ISO 3166-1 alpha-2 of the EU, Norway and the United Kingdom."""

ALIASES = {"UK": "GB", "EL": "GR"}

_ENGLISH = {
    "AT": "austrian austrians", "BE": "belgian belgians", "BG": "bulgarian bulgarians",
    "CY": "cypriot cypriots", "CZ": "czech czechs czechia", "DE": "german germans",
    "DK": "danish", "EE": "estonian estonians", "ES": "spanish spaniards",
    "FI": "finnish", "FR": "french", "GB": "british uk england scotland wales",
    "GR": "greek greeks", "HR": "croatian croatians croats", "HU": "hungarian hungarians",
    "IE": "irish", "IT": "italian italians", "LT": "lithuanian lithuanians",
    "LU": "luxembourgish luxembourger", "LV": "latvian latvians", "MT": "maltese",
    "NL": "dutch holland", "NO": "norwegian norwegians", "PL": "polish",
    "PT": "portuguese", "RO": "romanian romanians", "SE": "swedish swedes",
    "SI": "slovenian slovenians slovene", "SK": "slovak slovaks slovakian",
}  # fmt: skip


@cache
def _names() -> dict[str, str]:
    """Lower-case name to country."""
    names: dict[str, str] = {}
    for language in (*LANGUAGES, "pt_PT"):
        try:
            territories = Locale.parse(language).territories
        except UnknownLocaleError:
            continue
        for country in COUNTRIES:
            name = territories.get(country)
            if name:
                names.setdefault(name.lower(), country)
    for country, words in _ENGLISH.items():
        for word in words.split():
            names[word] = country
    names |= {"great britain": "GB", "northern ireland": "GB"}
    return names


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(_names(), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def countries_in(text: str) -> tuple[str, ...]:
    """Return the countries a text names, in order, each once."""
    found = (_names()[name] for name in _pattern().findall(text.lower()))
    return tuple(dict.fromkeys(found))


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
