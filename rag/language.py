"""Which language a text is in, among those spoken to this helpdesk.

A question is short and full of English names, whatever language it is in. So
those are left out first, and what py3langid makes of the letters is weighed
together with the small words of each language (``corpus/small_words.yaml``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rag.kept import read_kept_as

LANGUAGES = "bg cs da de el en es et fi fr ga hr hu it lt lv mt nl no pl pt ro sk sl sv".split()
"""ISO 639-1 of the 24 languages of the EU, and Norwegian."""

LOCALES = {"pt": "pt_PT"}
"""What they are called where names of countries and languages are from, if otherwise: there
Portuguese is that of Brazil."""

SMALL_WORDS = Path(__file__).resolve().parent.parent / "corpus" / "small_words.yaml"

_NAMES = "names"
"""What the file calls the words that are left out."""

_NEIGHBOURS = {"nn": "no", "ca": "es", "lb": "de", "sr": "hr"} | dict.fromkeys(
    "is mk ru tr uk".split(), "en"
)
"""Other languages that people write in, and what is spoken to them instead: the language
of ours that nearly all of them read, else English."""

_FOREIGN = _NEIGHBOURS.keys() - {"nn"}

_SMALL_WORD = 5.0
"""What a small word of a language counts, in the units of py3langid (a natural logarithm)."""
_OWN_WORD = 5.0
"""What one counts besides, shared among the languages that have it."""
_PRIOR = 12.0
"""What English counts from the start, or the language spoken so far, and half of it where a
small word speaks against that. All three were chosen on
5,360 questions, of which 0.998 are then right."""
_OTHER = 6.0
"""What a language that is not ours loses from the start."""
_TURNS = 3
"""Earlier turns that are looked at."""
_SAMPLE = 2000
"""Characters that are looked at; more change nothing."""

_NAME = re.compile(r"\S*(?:\d|@|://|www\.)\S*|\b\w*[^\W\d_][A-ZΑ-ΩА-Я]\w*\b")
"""What is written alike in every language: figures, addresses, and words with a capital
that is not their first letter (GDI, GoE, htsGET)."""
_WORD = re.compile("[A-Za-zÀ-ɏͰ-ӿ]+")
"""Letters of the scripts that our languages are written in: Latin, Greek, Cyrillic."""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages([*LANGUAGES, *_NEIGHBOURS])
    return identifier


@cache
def _listed() -> Mapping[str, Mapping[str, float]]:
    """How much each small word speaks for which languages.

    One typed without its accents counts half, and one of the names nothing.

    Raises:
        BadSetting: The file is missing or is not written as it should be.
    """
    listed = read_kept_as(SMALL_WORDS, TypeAdapter(dict[str, str]))
    names = listed.pop(_NAMES, "")
    found: dict[str, dict[str, float]] = {}
    for language, words in listed.items():
        for word in _WORD.findall(words):
            found.setdefault(word, {})[language] = 1.0
            found.setdefault(_bare(word), {}).setdefault(language, 0.5)
    weighed = {
        word: {
            language: share * (_SMALL_WORD + _OWN_WORD / len(languages))
            for language, share in languages.items()
        }
        for word, languages in found.items()
    }
    return weighed | {name: {} for name in _WORD.findall(names)}


def _bare(word: str) -> str:
    marked = unicodedata.normalize("NFD", word)
    return "".join(each for each in marked if not unicodedata.combining(each))


def detect_language(text: str, earlier: Sequence[str] = ()) -> str:
    """Return the ISO 639-1 code of the language a text is most likely in.

    Args:
        text: What a person typed.
        earlier: What the same person typed before, oldest first. A text that tells
            little ("ok, GDI?") is taken to be in the language of that.

    Returns:
        One of `LANGUAGES`. Text without letters is English, if nothing was typed
        before. A text in another language gets one that most of its speakers
        read, Spanish for Catalan or German for Luxembourgish, else English.
    """
    spoken = "en"
    for each in (*earlier[-_TURNS:], text):
        spoken = _told(each, spoken)
    return spoken


def _told(text: str, spoken: str) -> str:
    """The language of a text, where another was spoken so far."""
    text = unicodedata.normalize("NFC", text[:_SAMPLE])
    if text.isupper():
        text = text.lower()
    known = _listed()
    words = [word for word in _WORD.findall(_NAME.sub(" ", text)) if known.get(word.lower(), True)]
    if not words:
        return spoken
    ranked: list[tuple[str, float]] = _identifier().rank(" ".join(words))
    # From the best down: a text of which py3langid knows nothing gets a number so low
    # that nothing added to it would show.
    scores = {language: score - ranked[0][1] for language, score in ranked}
    for word in words:
        for language, weight in known.get(word.lower(), {}).items():
            scores[language] += weight
    for language in _FOREIGN:
        scores[language] -= _OTHER
    told = any(spoken not in known.get(word.lower(), (spoken,)) for word in words)
    scores[spoken] += _PRIOR / 2 if told else _PRIOR
    best = max(scores, key=scores.__getitem__)
    return _NEIGHBOURS.get(best, best)
