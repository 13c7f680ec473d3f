"""What counts as the same text: folding, sentences, pins.

Everything that compares text does it here, so that a quote found by one room
is found by all.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

# A full stop after these does not end a sentence.
_ABBREVIATIONS = frozenset(
    "e.g i.e etc vs cf al art arts dr prof mr mrs ms st no nos fig figs vol pp ca approx resp incl"
    " inc ltd dept ed eds sec ch para recital ref refs z.b bzw d.h u.a usw nr abs p.ex sog"
    " ggf".split()
)
_BOUNDARY = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=[\"'“‘«(\[¿¡]*[^\W_])|\n+")
_LAST_WORD = re.compile(r"([^\s(\[\"'“‘]+)[.!?…]+[\"'”’»)\]]*$")
_LOOKED_BACK = 100
"""Characters before a boundary in which the last word is looked for."""
PIN_LENGTH = 16


def printable(text: str, limit: int = 300) -> str:
    """A line for a terminal: what steers one, or turns its writing round, is written out."""
    plain = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
    return plain if len(plain) <= limit else f"{plain[: limit - 1]}…"


def fold(text: str) -> str:
    """Return the text with every run of white space as one space.

    Halves of characters, which no file can hold, become question marks.
    """
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def letters_digits(text: str) -> str:
    """Return the lower-case letters and digits alone.

    Two renderings of one sentence (Markdown, HTML, PDF) are equal here.
    """
    normal = unicodedata.normalize("NFKC", text).lower()
    return "".join(filter(str.isalnum, normal))


def pin(sentence: str) -> str:
    """Return the hash by which an article holds on to a sentence.

    The source's own words stay out of the repository, and a change of
    punctuation or markup does not make the article stale.

    Returns:
        The first 16 hexadecimal digits of the SHA-256 of `letters_digits`.
    """
    return hashlib.sha256(letters_digits(sentence).encode()).hexdigest()[:PIN_LENGTH]


def sentences(text: str) -> list[str]:
    """Cut a text into sentences; a line end always ends one.

    Returns:
        Substrings of the text, stripped, in order, none empty.
    """
    found: list[str] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if "\n" not in match.group():
            # A look at its end tells; all of it, time and again, would take squared time.
            piece = text[max(start, match.start() - _LOOKED_BACK) : match.start()]
            if not _ends_here(piece, text[match.end() : match.end() + 1]):
                continue
        found.append(text[start : match.end()])
        start = match.end()
    found.append(text[start:])
    return [stripped for piece in found if (stripped := piece.strip())]


def _ends_here(piece: str, following: str) -> bool:
    """Whether the full stop at the end of `piece` closes a sentence."""
    last = _LAST_WORD.search(piece)
    if last is None or not piece.rstrip("\"'”’»)]").endswith("."):
        return not following.islower()
    word = last.group(1).lower()
    if word in _ABBREVIATIONS or word.rstrip(".") in _ABBREVIATIONS:
        return False
    if len(word) == 1 and word.isalpha():  # an initial: "J. Smith"
        return False
    return not following.islower()


def word_count(text: str) -> int:
    """Return the number of words, as white space separates them."""
    return len(text.split())
