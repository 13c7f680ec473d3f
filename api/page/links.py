"""Addresses in plain text, as links."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from api.page.views import web_address

_ADDRESS = re.compile(r"https?://[^\s<>\"'`“”„«»]+", re.IGNORECASE)
_AFTER = ".,;:!?…*_"
"""Belongs to the sentence, where an address ends with it."""
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def linkified(text: str) -> Markup:
    """Escape a text, with its addresses of the web as links; nothing else of it becomes one."""
    pieces: list[Markup] = []
    after = 0
    for found in _ADDRESS.finditer(text):
        address = _bare(found.group())
        if web_address(address) is None:
            continue
        pieces += (escape(text[after : found.start()]), _link(address))
        after = found.start() + len(address)
    return Markup("").join([*pieces, escape(text[after:])])


def _bare(address: str) -> str:
    """An address without the marks of the sentence around it."""
    while address:
        last = address[-1]
        opened = _BRACKETS.get(last)
        closes = opened is not None and address.count(opened) < address.count(last)
        if last not in _AFTER and not closes:
            break
        address = address[:-1]
    return address


def _link(address: str) -> Markup:
    # A reader who follows it has not left what they were writing.
    return Markup('<a href="{0}" target="_blank" rel="noopener nofollow">{0}</a>').format(address)
