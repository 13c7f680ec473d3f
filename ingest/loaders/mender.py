"""Words that a line end has cut, put together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

_ADDRESS = re.compile(r"(?:https?://|www\.)\S*$", re.IGNORECASE)
_NAME = re.compile(r"^[a-z]+:[A-Za-z]+$")
"""A name with the prefix of its vocabulary: `dct:title`."""
_HYPHENS = "-\u2010\u2011\u00ad"
_COMPOUND = frozenset(
    "all cross double end full half high large long low mid multi non one open peer real second"
    " self short single small so third two well wide".split()
)
"""First parts that make a compound with a hyphen, where the text itself does not tell."""
_AND = frozenset("and or und oder bzw y o e et ou".split())


class Mender:
    """Joins what a line end has cut, by the words the document itself uses.

    `infra-` and `structure` become one word; `cross-` and `border` keep their
    hyphen where the document writes it elsewhere, or where both halves are
    words of their own. A cell is narrow, and may cut a name without a hyphen.

    Args:
        lines: The lines of running text.
        cells: The lines of each cell.
        english: Whether two words that stand together keep their hyphen.
            German writes them as one.
    """

    def __init__(
        self,
        lines: Iterable[str],
        cells: Iterable[Sequence[str]] = (),
        *,
        english: bool = True,
    ) -> None:
        self._known: Counter[str] = Counter()
        self._english = english
        for text in lines:
            words = text.split()
            # The half before a hyphen at a line end is no word that the document uses.
            whole = words[:-1] if words and words[-1][-1] in _HYPHENS else words
            self._known.update(_bare(word) for word in whole)
        for cell in cells:
            for index, text in enumerate(cell):
                words = text.split()
                start = 0 if index == 0 else 1
                end = len(words) if index == len(cell) - 1 else -1
                self._known.update(_bare(word) for word in words[start:end])

    def join(self, text: str, following: str) -> str:
        """Return two ends of lines as one text."""
        last = text.rpartition(" ")[2]
        first = following.partition(" ")[0]
        if self._one_address(last, first) or self._one_name(last, first):
            return text + following
        if len(last) < 2 or last[-1] not in _HYPHENS or not last[-2].isalnum():
            return f"{text} {following}"
        if last[-1] == "\u00ad":
            return text[:-1] + following
        if _bare(first) in _AND:  # "Daten- und Metadaten"
            return f"{text} {following}"
        if not first[0].islower() or self._compound(last[:-1], first):
            return text + following
        return text[:-1] + following

    def _one_address(self, last: str, first: str) -> bool:
        """Whether a web address goes on in the next line."""
        if not _ADDRESS.search(last) or not (first[0].islower() or first[0].isdigit()):
            return False
        return last[-1] in "/-_=?&#%" or bool(re.search(r"\w[/_=%#]|\w\.\w", first))

    def _one_name(self, last: str, first: str) -> bool:
        """Whether a narrow cell has cut a word: whole it is known, and the halves are not."""
        start, end = _bare(last), _bare(first)
        if not start or not end or last[-1] in _HYPHENS or self._known[start]:
            return False
        if self._known[start + end]:
            return True
        return bool(_NAME.match(last)) and end.isalnum() and not self._known[end]

    def _compound(self, start: str, end: str) -> bool:
        first, second = _bare(start), _bare(end)
        joined, hyphened = self._known[first + second], self._known[f"{first}-{second}"]
        if joined or hyphened:
            return hyphened > joined
        part = first.rpartition("-")[2]
        if "-" in first or part in _COMPOUND or any(each.isdigit() for each in part):
            return True
        words = len(first) > 3 and len(second) > 3 and self._known[first] and self._known[second]
        return self._english and bool(words)


def _bare(word: str) -> str:
    return word.strip(".,;:!?()[]{}\"'“”‘’«»„…").lower()
