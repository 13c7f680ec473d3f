"""Forms of names found in a text: words, phrases and beginnings of words."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

KEY = 3
"""Letters by which the beginnings are shelved; none is shorter."""

_WORD = re.compile(r"\w+")
_MARKS = re.compile("[\u0300-\u036f]+")
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "ς": "σ"}
)


class Form(NamedTuple):
    """One way to name something, or, with no name, something that only looks like one."""

    name: str
    words: tuple[str, ...]
    """Folded; a star ends one that is a beginning."""
    spelling: tuple[str, ...] = ()
    """With diacritics, lower-case; given where the text must have them."""
    capital: bool = False
    """Whether it is an everyday word when it has none."""
    cased: tuple[str, ...] = ()
    """As it is written, capitals and all; given where nothing else will do."""


class Found(NamedTuple):
    """A form where a text has it."""

    form: Form
    start: int
    end: int
    """Places in the text, which is in Unicode's form NFC."""


_Ranked = tuple[tuple[int, ...], Form]
"""A form with its place among others that fit: the lower, the better."""


class Forms:
    """What is looked for: the longest phrase counts, then the earlier layer.

    Within a layer whole words come before beginnings, and the longest beginning first.
    """

    def __init__(self, layers: Iterable[Iterable[Form]]):
        """Shelve forms by their first words; those that ask for more come before their likes."""
        whole: dict[str, list[_Ranked]] = defaultdict(list)
        begun: dict[str, list[_Ranked]] = defaultdict(list)
        for layer, forms in enumerate(layers):
            for form in forms:
                first = form.words[0]
                beginning = first.endswith("*")
                shelf = begun[first[:KEY]] if beginning else whole[first]
                lax = not (form.spelling or form.cased)
                shelf.append(((-len(form.words), layer, beginning, -len(first), lax), form))
        self._whole = {key: tuple(sorted(shelf)) for key, shelf in whole.items()}
        self._begun = {key: tuple(sorted(shelf)) for key, shelf in begun.items()}
        # Without their stars: most words are turned down here, at little cost.
        self._beginnings: Mapping[str, tuple[str, ...]] = {
            key: tuple(form.words[0][:-1] for _, form in shelf) for key, shelf in begun.items()
        }

    def find(self, text: str) -> Iterator[Found]:
        """Find forms, in order and apart from one another.

        Args:
            text: In Unicode's form NFC, or the places are none of its own.
        """
        spans = [match.span() for match in _WORD.finditer(text)]
        written = [text[start:end] for start, end in spans]
        # Folded at once: word by word would take several times as long.
        folded = fold("\n".join(written)).split("\n")
        after = 0
        for place, word in enumerate(folded):
            ranked = self._whole.get(word, ())
            key = word[:KEY]
            if key in self._begun and word.startswith(self._beginnings[key]):
                ranked = tuple(sorted(ranked + self._begun[key]))
            if not ranked or place < after:
                continue
            for _, form in ranked:
                end = place + len(form.words)
                if _fits(form, folded[place:end], written[place:end]):
                    after = end
                    if written[place][0].isupper() or not form.capital:
                        yield Found(form, spans[place][0], spans[end - 1][1])
                    break


def fold(text: str) -> str:
    """Lower case without diacritics."""
    marked = unicodedata.normalize("NFD", text.lower())
    return _MARKS.sub("", marked).translate(_LETTERS)


def _fits(form: Form, folded: Sequence[str], written: Sequence[str]) -> bool:
    return (
        _agree(form.words, folded)
        and (not form.spelling or _agree(form.spelling, [each.lower() for each in written]))
        and (not form.cased or _agree(form.cased, written))
    )


def _agree(form: Sequence[str], words: Sequence[str]) -> bool:
    """Whether words are those of a form, where a star ends a beginning."""
    return len(form) == len(words) and all(
        word.startswith(each[:-1]) if each.endswith("*") else word == each
        for each, word in zip(form, words, strict=True)
    )
