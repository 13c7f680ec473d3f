"""What is found, and the text that it is looked for in."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

Kind = Literal["name", "email", "phone", "national_id", "iban", "birth_date", "health"]
KINDS: tuple[Kind, ...] = get_args(Kind)

TOKENS: dict[Kind, str] = {
    "name": "[name]",
    "email": "[email]",
    "phone": "[phone]",
    "national_id": "[id]",
    "iban": "[iban]",
    "birth_date": "[birth date]",
    "health": "[health]",
}
"""What stands in a masked text instead."""

GAP = "\x00"
"""Stands in a `Blanked` text for what is not looked into."""
NAMED = "\x01"
"""The same for a name: who is named is somebody."""


@dataclass(frozen=True)
class Personal:
    """A stretch of a text that tells of a person."""

    start: int
    end: int
    """In characters of the text, as slices count."""
    kind: Kind


class Blanked(NamedTuple):
    """A text in which stretches are one character each, with the way back.

    A masked text and the text it was made from are the same here, so that
    nothing more is found in the masked one.
    """

    text: str
    places: tuple[int, ...]
    """Where each character began in the original; one more, for its end."""

    @classmethod
    def of(cls, text: str) -> Blanked:
        """Return a text as it is; the two characters that stand for stretches are none of its."""
        plain = text.replace(GAP, " ").replace(NAMED, " ")
        return cls(plain, tuple(range(len(text) + 1)))

    def without(self, stretches: Iterable[tuple[int, int, str]]) -> Blanked:
        """Put one character each for stretches that do not overlap, in order."""
        pieces: list[str] = []
        places: list[int] = []
        after = 0
        for start, end, character in stretches:
            pieces += (self.text[after:start], character)
            places += (*self.places[after:start], self.places[start])
            after = end
        pieces.append(self.text[after:])
        places += self.places[after:]
        return Blanked("".join(pieces), tuple(places))

    def hiding(self, found: Iterable[Personal]) -> Blanked:
        """Put one character each for what was found, in order."""
        return self.without(
            (
                bisect_left(self.places, each.start),
                bisect_left(self.places, each.end),
                NAMED if each.kind == "name" else GAP,
            )
            for each in found
        )

    def original(self, start: int, end: int, kind: Kind) -> Personal:
        """Tell where a stretch of this text is in the original."""
        return Personal(self.places[start], self.places[end], kind)
