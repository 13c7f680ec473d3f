"""Which language a text is in, among those spoken to this helpdesk."""

from __future__ import annotations

from functools import cache
from typing import Any

LANGUAGES = "bg cs da de el en es et fi fr ga hr hu it lt lv mt nl no pl pt ro sk sl sv".split()
"""ISO 639-1 of the 24 languages of the EU, and Norwegian."""

_ENGLISH = frozenset("who what how where which why when should does whom whose".split())
_FEW = 4
_SAMPLE = 2000
"""Characters that are looked at; more change nothing."""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages([*LANGUAGES, "nn"])
    return identifier


def detect_language(text: str) -> str:
    """Return the ISO 639-1 code of the language a text is most likely in.

    Text without letters counts as English, and so does a question of a few
    words that begins like no other language's.
    """
    words = text.lower().split()
    if not any(character.isalpha() for character in text):
        return "en"
    if len(words) <= _FEW and words[0] in _ENGLISH:
        return "en"
    code = str(_identifier().classify(text[:_SAMPLE])[0])
    return "no" if code == "nn" else code
