"""What the helpdesk itself says, by language, from plain files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from babel import Locale, UnknownLocaleError
from pydantic import TypeAdapter

from rag.errors import BadSetting
from rag.kept import read_kept_as
from rag.language import LOCALES

FALLBACK = "en"
_TEXTS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


@dataclass(frozen=True)
class Messages:
    """Texts by language and key; English stands in for what is missing."""

    texts: Mapping[str, Mapping[str, str]]

    @classmethod
    def load(cls, folder: Path) -> Messages:
        """Read ``<language>.yaml`` files of a folder.

        Raises:
            BadSetting: There are none in English, or one is not written as it should be.
        """
        texts: dict[str, dict[str, str]] = {}
        for file in sorted(folder.glob("*.yaml")):
            texts[file.stem] = read_kept_as(file, _TEXTS)
        if FALLBACK not in texts:
            raise BadSetting(f"there is no {folder / FALLBACK}.yaml: nothing could be said")
        return cls(texts)

    def languages(self) -> frozenset[str]:
        """The languages there are texts for."""
        return frozenset(self.texts)

    def say(self, language: str, key: str, /, **values: str) -> str:
        """Return a text with its placeholders filled."""
        text = self.texts.get(language, {}).get(key) or self.texts[FALLBACK][key]
        return text.format(**values)


def language_name(language: str, spoken: str) -> str:
    """What a language is called in another, else in English, else by its code."""
    for code in (spoken, FALLBACK):
        try:
            name = Locale.parse(LOCALES.get(code, code)).languages.get(language)
        except UnknownLocaleError:
            continue
        if name:
            return str(name)
    return language
