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
    r"^(?:lorem ipsum\b|sample text\W*$|short text describing\b"
    r"|(?-i:REPLACE THIS|DELETE ME)\b)",
    re.IGNORECASE,
)
_INTERFACE = re.compile(
    r"^(?:browse other nations\W*$|you are here\W*$|back to all topics\W*$|learn more\W*$"
    r"|\.{3,}$|…$|please leave comments including\b)",
    re.IGNORECASE,
)
# What a spreadsheet keeps of its making: who wrote and read a version, what its colours
# mean, and what reviewers were asked to do.
_OF_ITS_MAKING = re.compile(
    r"^(?:(?:authors|reviewers|editors) of (?:the |this )?(?:latest |current )?version\W*$"
    r"|name \| date\b|colou?r legend\b|row colou?rs?\b"
    r"|(?:mandatory|recommended|optional|conditional|review)$"
    r"|mandatory(?:/recommended/option| and mandatory if applicable\b)"
    r"|confirmed elements\b|newly added elements\b"
    r"|review the sheet\b|if done with (?:the )?review\b|please leave comments\b"
    r"|final version after processing\b|this will become a collection\b"
    r"|decision\(s\):\s*\|)",
    re.IGNORECASE,
)
# "Jane Doe | 2025-02-10": who signed off a version answers nobody's question.
_SIGNED = re.compile(
    r"^[A-ZÀ-Ž][\w.'’-]*[\s|]+"
    r"(?:(?:[A-ZÀ-Ž][\w.'’-]*|d[aeiou]|de[lnr]|della|dos|l[ae]|t[er][nr]?|van|von)[\s|]+){1,4}"
    r"\d{4}-\d\d-\d\d(?:\s*&&[^|]*)?(?:\s*\|.*)?$"
)
_APPARATUS = re.compile(
    r"^(?:list of )?(?:bibliography|references?|citations?|literature|footnotes|authors?"
    r"|contributors?|licen[cs]e)\W*$",
    re.IGNORECASE,
)
# What a template wants replaced, in its brackets, with the language it stands for.
_PLACEHOLDER = re.compile(
    r"(?:\b(?-i:[A-Z]{2,3}):\s*)?(?:\[\s*(?:please\s+)?"
    r"(?:replace\s+(?:this|me|with)|insert\s+(?:your|the|an?|link|text|name|here)"
    r"|(?:add|put)\s+(?:your|the|an?)?\s*(?:link|text|name|title|url|image)"
    r"|your\s+[\w ]{1,30}\s+here|link\s+to\s+(?:be\s+)?(?:added|follow)|tb[acd]|todo)"
    r"\b[^\[\]]{0,80}\]"
    r"|\(\s*(?:please\s+)?replace\s+(?:this|me|with\s+(?:the|your|an?))\b[^()]{0,80}\))",
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


def is_of_its_making(text: str) -> bool:
    """Whether a line of a sheet tells how it was made and reviewed, not what it says."""
    line = text.strip()
    return bool(_OF_ITS_MAKING.match(line) or _SIGNED.match(line))


def says_nothing(description: str) -> bool:
    """Whether a page's description only repeats its title."""
    return bool(_EMPTY_DESCRIPTION.match(description.strip()))


def is_apparatus(heading: str) -> bool:
    """Whether a heading stands over a list that a program fills in, so that none is missed."""
    return bool(_APPARATUS.match(heading.strip()))


def without_placeholders(text: str) -> str:
    """Leave out what a template asks in brackets to be replaced, and nobody replaced."""
    return " ".join(_PLACEHOLDER.sub("", text).split()) if _PLACEHOLDER.search(text) else text
