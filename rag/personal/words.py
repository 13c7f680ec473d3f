"""The words that tell of personal data, looked up in one walk over a text.

They are in ``corpus/personal``, a file for each language; ``common.yaml`` there
says how the files are written.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from rag.errors import BadSetting
from rag.forms import fold
from rag.kept import read_kept_as
from rag.personal.spans import GAP, NAMED

WORDS = Path(__file__).resolve().parents[2] / "corpus" / "personal"

COMMON = "common"
"""The file of what is the same in every language."""
_GIVEN = "given_names"

_TOKEN = re.compile(rf"[^\W_]+|[{GAP}{NAMED}]")
_GAP = 40
"""Characters between two words that are looked at."""
_SHELF = 2
"""Letters by which beginnings and ends are shelved."""


class Token(NamedTuple):
    """A word, or a stretch that is not looked into."""

    start: int
    end: int
    text: str
    folded: str


class Hit(NamedTuple):
    """Words of a text that are listed."""

    first: int
    last: int
    """Tokens: from the first up to, and without, the last."""
    languages: frozenset[str]


class _Phrase(NamedTuple):
    words: tuple[str, ...]
    """Folded; a star begins or ends one that is an end or a beginning."""
    category: str
    language: str


class _Listed(NamedTuple):
    """The phrases by their first word: whole, by its first letters, by its last."""

    whole: Mapping[str, tuple[_Phrase, ...]]
    begun: Mapping[str, tuple[_Phrase, ...]]
    ended: Mapping[str, tuple[_Phrase, ...]]

    def beginning_with(self, word: str) -> _Begun:
        """What a word may begin: phrases of it alone, and longer ones by their second word."""
        fitting = (
            *self.whole.get(word, ()),
            *(each for each in self.begun.get(word[:_SHELF], ()) if _fits(each.words[0], word)),
            *(each for each in self.ended.get(word[-_SHELF:], ()) if _fits(each.words[0], word)),
        )
        alone: dict[str, set[str]] = defaultdict(set)
        longer: dict[str, list[_Phrase]] = defaultdict(list)
        for phrase in fitting:
            if len(phrase.words) == 1:
                alone[phrase.category].add(phrase.language)
            else:
                longer[phrase.words[1].strip("*")[:1]].append(phrase)
        return _Begun({key: frozenset(each) for key, each in alone.items()}, longer)


class _Begun(NamedTuple):
    """What a word may begin."""

    alone: Mapping[str, frozenset[str]]
    """Categories, each with the languages in which the word is listed alone."""
    longer: Mapping[str, list[_Phrase]]
    """By the first letter of the second word."""


def tokens_of(text: str) -> list[Token]:
    """Cut a text into words; hyphens and apostrophes part them."""
    found = [(match.start(), match.end(), match.group()) for match in _TOKEN.finditer(text)]
    # Folded at once: word by word would take several times as long.
    folded = fold("\n".join(text for _, _, text in found)).split("\n") if found else []
    return [Token(*each, word) for each, word in zip(found, folded, strict=True)]


@cache
def _listed() -> dict[str, dict[str, str]]:
    """Read what the files list, by language and category.

    Raises:
        BadSetting: A file is missing or is not written as it should be.
    """
    found = {}
    for file in sorted(WORDS.glob("*.yaml")):
        found[file.stem] = read_kept_as(file, TypeAdapter(dict[str, str]))
    for name in (COMMON, _GIVEN):
        if name not in found:
            raise BadSetting(f"there is no {WORDS / name}.yaml: no personal data could be found")
    return found


def _phrases() -> Iterator[_Phrase]:
    for language, categories in _listed().items():
        if language == _GIVEN:
            continue
        for category, phrases in categories.items():
            for phrase in phrases.split(","):
                words = tuple(re.findall(r"\*?[^\W_]+\*?", fold(phrase)))
                if words:
                    yield _Phrase(words, category, language)


@cache
def _shelves() -> _Listed:
    shelves: tuple[dict[str, list[_Phrase]], ...] = tuple(defaultdict(list) for _ in range(3))
    for phrase in _phrases():
        first = phrase.words[0]
        if first.startswith("*"):
            shelves[2][first[-_SHELF:]].append(phrase)
        elif first.endswith("*"):
            shelves[1][first[:_SHELF]].append(phrase)
        else:
            shelves[0][first].append(phrase)
    return _Listed(*({key: tuple(shelf) for key, shelf in each.items()} for each in shelves))


@cache
def given_names() -> Mapping[str, frozenset[str]]:
    """The languages of each given name, in small letters, with its diacritics or without any."""
    found: dict[str, set[str]] = defaultdict(set)
    for language, names in _listed()[_GIVEN].items():
        for name in names.lower().split():
            found[name].add(language)
            found[fold(name)].add(language)
    return {name: frozenset(languages) for name, languages in found.items()}


@cache
def listed(category: str) -> frozenset[str]:
    """The phrases of a category in all languages, folded."""
    return frozenset(" ".join(each.words) for each in _phrases() if each.category == category)


class Reading:
    """A text in tokens, with the listed words that it holds."""

    def __init__(self, text: str):
        """Read a text."""
        self.text = text
        self.tokens = tokens_of(text)
        self._hits: dict[str, dict[int, Hit]] = defaultdict(dict)
        begun: dict[str, _Begun] = {}
        for place, token in enumerate(self.tokens):
            word = token.folded
            if word not in begun:
                begun[word] = _shelves().beginning_with(word)
            self._add(place, begun[word])

    def hits(self, category: str) -> Mapping[int, Hit]:
        """The listed words of a category by the token they begin with, each the longest."""
        return self._hits.get(category, {})

    def gap(self, place: int) -> str:
        """What stands before a token, after the one before it; the end, where it is long."""
        start = self.tokens[place].start
        before = self.tokens[place - 1].end if place else 0
        return self.text[max(before, start - _GAP) : start]

    def _add(self, place: int, begun: _Begun) -> None:
        for category, languages in begun.alone.items():
            self._hits[category][place] = Hit(place, place + 1, languages)
        if not begun.longer or place + 1 == len(self.tokens):
            return
        for phrase in begun.longer.get(self.tokens[place + 1].folded[:1], ()):
            end = place + len(phrase.words)
            words = self.tokens[place:end]
            if len(words) < len(phrase.words) or not all(
                _fits(listed, token.folded)
                for listed, token in zip(phrase.words, words, strict=True)
            ):
                continue
            hits = self._hits[phrase.category]
            known = hits.get(place)
            if known is None or known.last < end:
                hits[place] = Hit(place, end, frozenset({phrase.language}))
            elif known.last == end:
                hits[place] = known._replace(languages=known.languages | {phrase.language})


def _fits(listed: str, word: str) -> bool:
    if listed.endswith("*"):
        return word.startswith(listed[:-1])
    if listed.startswith("*"):
        return word.endswith(listed[1:])
    return word == listed
