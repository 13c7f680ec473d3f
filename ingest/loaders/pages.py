"""Which pages of a site are no content: templates, demos, error pages, empty ones."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.boilerplate import is_boilerplate
from ingest.loaders.html import Reading
from ingest.models import Block, Section
from rag.text import letters_digits, word_count

DEMO = "template or demo page"
NO_TEXT = "no text"

# Pages that show off a layout; "sample-handling" is none of them.
_DEMO = re.compile(
    r"^(?:(?:template|demo)(?:[_-]|$)|test\d*$"
    r"|(?:sample|example|test)[_-](?:accordion|tab|scroll|page|post|layout|content))",
    re.IGNORECASE,
)
_ERROR_PAGE = re.compile(r"^(?:404|500)$")
_REPEATED_AT_MOST = 0.5
"""A page whose paragraphs are at least half repeats shows off a layout."""
_OWN_WORDS = 40
"""A page with filler text and fewer words of its own has no text of its own."""


def no_content_by_name(*names: str) -> str | None:
    """Why a page is left out, by its file name and the last part of its address."""
    if any(_DEMO.match(name) for name in names):
        return DEMO
    if any(_ERROR_PAGE.match(name) for name in names):
        return "error page"
    return None


def no_content(reading: Reading) -> str | None:
    """Why a page is left out, by what it says; a notice that it is to be written is kept."""
    if _repeats_itself(reading.sections):
        return DEMO
    body = own_blocks(reading.sections)
    own_words = sum(word_count(block.text) for block in body)
    if not (body or reading.notice) or (reading.filler and own_words < _OWN_WORDS):
        return NO_TEXT
    return None


def own_blocks(sections: Sequence[Section]) -> list[Block]:
    """All blocks that say something: text, and headings that link or label what they name."""
    return [
        block
        for section in sections
        for number, block in enumerate(section.blocks)
        if number or not section.heading or block.links
    ]


def _repeats_itself(sections: Sequence[Section]) -> bool:
    paragraphs = [
        letters_digits(block.text)
        for section in sections
        for block in section.blocks
        if word_count(block.text) > 8 and not is_boilerplate(block.text)
    ]
    return len(paragraphs) >= 4 and len(set(paragraphs)) <= _REPEATED_AT_MOST * len(paragraphs)
