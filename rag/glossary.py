"""What people call things, tied to what documents call them.

Documents say "synthetic data", people ask for "made-up patients", and half of
them in another language. The vectors see through some of that; the lexical side
sees through none of it, so the documents' own words are added to the query.
Everything is kept by hand: ``corpus/glossary.yaml`` in English, and
``corpus/glossary/<language>.yaml`` for what people say in theirs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from rag.kept import read_kept_as
from rag.lexical import words

_Kept = TypeVar("_Kept")
_WORD = re.compile(r"[^\W_]+")
_COMPOUNDING = frozenset("da de et fi hu nl no sv".split())
"""Languages that write a noun and what it is about as one word."""
_INSIDE = 6
"""Letters from which on a beginning is also looked for inside the words of those."""

_LETTERS = 3
"""First letters by which names are looked up."""
_STROKES = str.maketrans({
    "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ß": "ss", "œ": "oe", "æ": "ae", "ı": "i",
})  # fmt: skip

Name = Annotated[str, Field(min_length=2, max_length=80)]


class _Term(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    term: Name
    also: tuple[Name, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    acronyms: dict[Name, Name] = {}
    meanings: dict[Name, tuple[Name, ...]] = {}
    terms: tuple[_Term, ...] = ()


_NEUTRAL: TypeAdapter[dict[str, tuple[str, ...]]] = TypeAdapter(dict[str, tuple[str, ...]])
_BEGINNINGS: TypeAdapter[dict[Name, tuple[Name, ...]]] = TypeAdapter(dict[Name, tuple[Name, ...]])


@dataclass(frozen=True)
class Glossary:
    """Other names of terms, by language."""

    acronyms: Mapping[str, str]
    """Lower-case acronym to long form, beside those that the documents explain."""
    meanings: Mapping[str, Sequence[str]]
    """Lower-case acronym to all that it may stand for, where that is several things."""
    names: Mapping[str, Sequence[str]]
    """English term to what else it is called in English: jargon and lay words."""
    foreign: Mapping[str, Mapping[str, Sequence[str]]]
    """Language (ISO 639-1) to English term to the beginnings of the words for it."""

    @classmethod
    def load(cls, corpus: Path) -> Glossary:
        """Read the glossary in a folder; one that is not there is empty.

        Raises:
            BadSetting: A file is not as it should be; the message names it.
        """
        file = corpus / "glossary.yaml"
        english = _read(file, TypeAdapter(_File))
        foreign = {}
        for file in sorted((corpus / "glossary").glob("*.yaml")):
            foreign[file.stem] = _read(file, _BEGINNINGS)
        return cls(
            {short.lower(): long.lower() for short, long in english.acronyms.items()},
            {short.lower(): meant for short, meant in english.meanings.items()},
            {each.term: each.also for each in english.terms},
            foreign,
        )

    def terms_in(self, text: str, language: str) -> tuple[str, ...]:
        """Return the terms that a text speaks of by another name.

        Args:
            text: What a person typed.
            language: ISO 639-1 of the text. English names of several words are
                found in any language, single ones in English only: short words
                of other languages look like them ("die", "pays").

        Returns:
            Terms, each once. One that the text holds itself is not among them.
        """
        stems = words(text)
        found = [
            term for name, term in self._english.starting(stems)
            if (language == "en" or len(name) > 1) and _side_by_side(name, stems)
        ]  # fmt: skip
        typed = f" {' '.join(_WORD.findall(text.lower()))} "
        found += [term for phrase, term in self._phrases if f" {phrase} " in typed]
        if language in self.foreign:
            found += self._foreign_names(language).terms_in(_folded(text))
        own = f" {' '.join(stems)} "
        return tuple(
            term for term in dict.fromkeys(found) if f" {' '.join(words(term))} " not in own
        )

    @cached_property
    def _english(self) -> _ByFirstWord:
        return _ByFirstWord(
            (tuple(words(name)), term)
            for term, names in self.names.items()
            for name in names
            if not _leans_on_small_words(name)
        )

    @cached_property
    def _phrases(self) -> list[tuple[str, str]]:
        """Names that mean something else without their small words, as they are written."""
        return [
            (" ".join(_WORD.findall(name.lower())), term)
            for term, names in self.names.items()
            for name in names
            if _leans_on_small_words(name)
        ]

    def _foreign_names(self, language: str) -> _Beginnings:
        known = self._by_language.get(language)
        if known is None:
            known = _Beginnings(self.foreign[language], inside=language in _COMPOUNDING)
            self._by_language[language] = known
        return known

    @cached_property
    def _by_language(self) -> dict[str, _Beginnings]:
        return {}


def load_neutral(corpus: Path) -> dict[str, tuple[str, ...]]:
    """Read questions that ask about nothing in particular, by language.

    Raises:
        BadSetting: The file is not as it should be.
    """
    return _read(corpus / "neutral.yaml", _NEUTRAL)


class _ByFirstWord:
    """English names by their first word, so that a text is looked through once."""

    def __init__(self, names: Iterable[tuple[tuple[str, ...], str]]):
        self._names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name, term in names:
            if name:
                self._names.setdefault(name[0], []).append((name, term))

    def starting(self, stems: Sequence[str]) -> list[tuple[tuple[str, ...], str]]:
        """The names that begin with one of the words, in the order of the words."""
        return [each for stem in dict.fromkeys(stems) for each in self._names.get(stem, ())]


class _Beginnings:
    """The names of one language by the first letters of their first word."""

    def __init__(self, terms: Mapping[str, Sequence[str]], *, inside: bool):
        self._names: dict[str, list[tuple[list[str], str]]] = {}
        self._inside: list[tuple[str, str]] = []
        for term, beginnings in terms.items():
            for each in map(_folded, beginnings):
                if len(each) == 1 and inside and len(each[0]) >= _INSIDE:
                    self._inside.append((each[0], term))
                elif each:
                    self._names.setdefault(each[0][:_LETTERS], []).append((each, term))

    def terms_in(self, typed: Sequence[str]) -> list[str]:
        """The terms whose names words side by side begin with."""
        found = []
        for start, word in enumerate(typed):
            found += [
                term
                for length in range(1, _LETTERS + 1)
                for name, term in self._names.get(word[:length], ())
                # A shorter word has its letters looked up once.
                if length <= len(word) and _begin(typed[start : start + len(name)], name)
            ]
        joined = " ".join(typed)
        return found + [term for piece, term in self._inside if piece in joined]


def _leans_on_small_words(name: str) -> bool:
    """Whether one word alone would be left of several: "opt out", "who pays"."""
    return len(words(name)) == 1 and len(_WORD.findall(name)) > 1


def _begin(typed: Sequence[str], name: Sequence[str]) -> bool:
    return len(typed) == len(name) and all(map(str.startswith, typed, name))


def _side_by_side(name: Sequence[str], stems: Sequence[str]) -> bool:
    length = len(name)
    return any(tuple(stems[at : at + length]) == name for at in range(len(stems) - length + 1))


def _folded(text: str) -> list[str]:
    """Lower-case words without accents, nor the strokes that are part of a letter."""
    normal = unicodedata.normalize("NFKD", text.lower().translate(_STROKES))
    bare = "".join(character for character in normal if not unicodedata.combining(character))
    return _WORD.findall(bare)


def _read(file: Path, kind: TypeAdapter[_Kept]) -> _Kept:
    return read_kept_as(file, kind) if file.exists() else kind.validate_python({})
