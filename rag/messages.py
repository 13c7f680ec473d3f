"""What the helpdesk itself says, by language, from plain files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from babel import Locale, UnknownLocaleError

FALLBACK = "en"


@dataclass(frozen=True)
class Messages:
    """Texts by language and key; English stands in for what is missing."""

    texts: Mapping[str, Mapping[str, str]]

    @classmethod
    def load(cls, folder: Path) -> Messages:
        """Read ``<language>.yaml`` files of a folder."""
        return cls(
            {
                file.stem: {
                    str(key): str(value)
                    for key, value in yaml.safe_load(file.read_text(encoding="utf-8")).items()
                }
                for file in sorted(folder.glob("*.yaml"))
            }
        )

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
            name = Locale.parse(code).languages.get(language)
        except UnknownLocaleError:
            continue
        if name:
            return str(name)
    return language
