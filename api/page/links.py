"""Addresses in plain text, as links."""

from __future__ import annotations

import re
from collections import Counter

from markupsafe import Markup, escape

from api.page.views import web_address

_ADDRESS = re.compile(r"https?://[^\s<>\"'`“”„«»]+", re.IGNORECASE)
_AFTER = ".,;:!?…*_"
"""Belongs to the sentence, where an address ends with it."""
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_LONGEST = 2000
"""Characters of an address that becomes a link; browsers and servers take hardly more."""


def linkified(text: str) -> Markup:
    """Escape a text, with its addresses of the web as links; nothing else of it becomes one."""
    pieces: list[Markup] = []
    after = 0
    for found in _ADDRESS.finditer(text):
        if found.end() - found.start() > _LONGEST:
            continue
        address = _bare(found.group())
        if web_address(address) is None:
            continue
        pieces += (escape(text[after : found.start()]), _link(address))
        after = found.start() + len(address)
    return Markup("").join([*pieces, escape(text[after:])])


def _bare(address: str) -> str:
    """An address without the marks of the sentence around it."""
    left = Counter(each for each in address if each in "()[]{}")
    end = len(address)
    while end:
        last = address[end - 1]
        opened = _BRACKETS.get(last)
        closes = opened is not None and left[opened] < left[last]
        if last not in _AFTER and not closes:
            break
        left[last] -= 1
        end -= 1
    return address[:end]


def _link(address: str) -> Markup:
    # A reader who follows it has not left what they were writing.
    return Markup('<a href="{0}" target="_blank" rel="noopener nofollow">{0}</a>').format(address)
