"""Sentences that sites print and nobody says: they must never reach an answer.

Rules are short patterns of notices (work in progress, filler text, leftovers),
not sentences of one page, so that they hold for any site of the theme.
"""

from __future__ import annotations

import re

_NOTICE = re.compile(
    r"^(?:we are (?:still )?working on (?:the )?content for this (?:page|section)\b"
    r"|if you are interested in adding to the page, then"
    r"|feel free to contribute\W*$"
    r"|this is a community[- ]driven website, so contributions are welcome"
    r"|you will, of course, be listed as a contributor"
    r")",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"^(?:lorem ipsum\b|sample text\W*$|short text describing\b|replace this\b|delete me\b)",
    re.IGNORECASE,
)
_INTERFACE = re.compile(
    r"^(?:browse other nations\W*$|you are here\W*$|back to all topics\W*$|learn more\W*$"
    r"|\.{3,}$|…$|please leave comments including\b)",
    re.IGNORECASE,
)
_EMPTY_DESCRIPTION = re.compile(
    r"^(?:introduction to\b.{0,60}|short text describing\b.*)$", re.IGNORECASE
)


def is_notice(sentence: str) -> bool:
    """Whether a sentence says that the page or section is still to be written."""
    return bool(_NOTICE.match(sentence.strip()))


def is_filler(paragraph: str) -> bool:
    """Whether a paragraph only fills a layout until somebody writes it."""
    return bool(_FILLER.match(paragraph.strip()))


def is_boilerplate(sentence: str) -> bool:
    """Whether a sentence is a notice, filler or interface and must be left out."""
    return is_notice(sentence) or is_filler(sentence) or bool(_INTERFACE.match(sentence.strip()))


def says_nothing(description: str) -> bool:
    """Whether a page's description only repeats its title."""
    return bool(_EMPTY_DESCRIPTION.match(description.strip()))
