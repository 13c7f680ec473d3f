"""What the page says, in the language of its reader."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal
from babel.units import format_unit

from rag.countries import COUNTRIES, country_name
from rag.messages import FALLBACK, Messages

_LOCALES = {"en": "en_GB", "pt": "pt_PT"}
"""Where Europe writes otherwise than most who speak the language."""
_READ = 1000
"""Characters of `Accept-Language` that are looked at."""
_MINUTES_FROM_S, _HOURS_FROM_S = 120, 7200
_SAME = {"nb": "no", "nn": "no"}
_RANGE = re.compile(r"([a-z]{1,8})(?:-[a-z0-9-]*)?(?:\s*;\s*q=([01](?:\.\d{0,3})?))?", re.I | re.A)


@dataclass(frozen=True)
class PageTexts:
    """The texts of the page in one language, and the chat's where both say the same."""

    language: str
    """ISO 639-1."""
    page: Messages
    chat: Messages

    def say(self, key: str, **values: str) -> str:
        """Return a text of the page with its placeholders filled."""
        return self.page.say(self.language, key, **values)

    def as_chat(self, key: str, **values: str) -> str:
        """Return a text of the chat with its placeholders filled."""
        return self.chat.say(self.language, key, **values)

    def date(self, text: str) -> str:
        """Write a date in words; one of a month or a year only stays as it is."""
        try:
            return str(format_date(date.fromisoformat(text[:10]), "long", self._locale))
        except ValueError:
            return text

    def number(self, count: int) -> str:
        """Write a count."""
        return str(format_decimal(count, locale=self._locale))

    def wait(self, seconds: int) -> str:
        """Write a time to wait, such as `30 secs`; in minutes or hours where it is long."""
        if seconds < _MINUTES_FROM_S:
            count, unit = seconds, "second"
        elif seconds < _HOURS_FROM_S:
            count, unit = math.ceil(seconds / 60), "minute"
        else:
            count, unit = math.ceil(seconds / 3600), "hour"
        return str(format_unit(count, f"duration-{unit}", length="short", locale=self._locale))

    def country(self, code: str) -> str:
        """Return the name of a country."""
        return country_name(code, self.language)

    def countries(self) -> list[tuple[str, str]]:
        """Codes and names of the countries, in the order of their names."""
        named = [(code, self.country(code)) for code in COUNTRIES]
        return sorted(named, key=lambda each: unicodedata.normalize("NFD", each[1].casefold()))

    def languages(self) -> list[tuple[str, str]]:
        """Codes of the languages the page is in, each with its own name for itself."""
        return [(code, own_name(code)) for code in sorted(self.page.languages())]

    @property
    def _locale(self) -> Locale:
        return Locale.parse(_LOCALES.get(self.language, self.language))


def own_name(language: str) -> str:
    """Return what a language calls itself, with a capital as it stands alone."""
    name = str(Locale.parse(language).languages[language])
    return name[0].upper() + name[1:]


def chosen_language(named: str | None, accept: str, spoken: Collection[str]) -> str:
    """Choose the language of the page.

    Args:
        named: What the reader chose, if anything.
        accept: The header `Accept-Language`; what cannot be read of it is passed over.
        spoken: ISO 639-1 codes there are texts for.

    Returns:
        What was chosen, else the most wanted of the header, else English.
    """
    wanted = [named] if named else []
    told = accept[:_READ].split(",")
    ranges = [found for each in told if (found := _RANGE.fullmatch(each.strip()))]
    # Sorting keeps the order of equals, which is that of preference.
    ranges.sort(key=lambda found: -float(found[2] or 1))
    wanted += [found[1] for found in ranges if float(found[2] or 1) > 0]
    codes = (_SAME.get(code, code) for code in map(str.lower, wanted))
    return next((code for code in codes if code in spoken), FALLBACK)
