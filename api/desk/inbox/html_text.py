"""What a reader sees of a mail written in HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from lxml import etree  # type: ignore[import-untyped]

_LONGEST = 400_000
"""Characters of HTML that are read."""
_UNSEEN = frozenset("script style head title noscript template object svg iframe".split())
_BLOCKS = frozenset(
    "address article aside blockquote dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6"
    " header hr li main nav ol p pre section table tbody thead tr ul".split()
)
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?![.\d])"
    r"|max-height\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])",
    re.IGNORECASE,
)
_QUOTE_NAMES = frozenset({"gmail_quote", "protonmail_quote", "yahoo_quoted"})
"""Classes that mail programs give to the mail that is answered, and what introduces it."""
_DEEPEST = 5
"""Quotes within quotes that are told apart."""


def html_text(html: str) -> str:
    """Return the text of a mail; what is quoted has ``>`` before it, as in one of plain text."""
    told = _Told()
    # Told tag by tag, without a tree: some are thousands of tags deep.
    parser = etree.HTMLParser(target=told, encoding="utf-8", huge_tree=True)
    # By bytes, as a page may claim a charset that it was in before.
    parser.feed(html[:_LONGEST].encode("utf-8", "replace"))
    with suppress(etree.LxmlError):
        parser.close()
    return told.text()


class _Told:
    """Takes the tags of a page in their order."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, str]] = []
        self._line: list[str] = []
        self._quotes = 0
        self._hidden = 0
        # Of each open tag: its name, whether it quotes, whether it hides.
        self._open: list[tuple[str, bool, bool]] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _BLOCKS or name == "br":
            self._end_line()
        elif name in ("td", "th"):
            self._line.append(" ")
        if name in ("p", "blockquote"):
            self._free_line()
        if name in _VOID:
            return
        classes = (attributes.get("class") or "").split()
        quotes = name == "blockquote" or not _QUOTE_NAMES.isdisjoint(classes)
        style = attributes.get("style") or ""
        hides = name in _UNSEEN or "hidden" in attributes or bool(_HIDDEN.search(style[:2000]))
        self._open.append((name, quotes, hides))
        self._quotes += quotes
        self._hidden += hides

    def end(self, name: str) -> None:
        if name in _VOID:
            return
        if name in _BLOCKS:
            self._end_line()
        if self._open and self._open[-1][0] == name:
            _, quotes, hides = self._open.pop()
            self._quotes -= quotes
            self._hidden -= hides
        if name in ("p", "blockquote"):
            self._free_line()

    def data(self, text: str) -> None:
        if not self._hidden:
            self._line.append(text)

    def comment(self, text: str) -> None:
        """Nobody sees it."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nobody sees it."""

    def close(self) -> None:
        self._end_line()
        while self._lines and not self._lines[-1][1]:
            self._lines.pop()

    def text(self) -> str:
        """All lines, free ones between paragraphs."""
        marked = ("> " * min(quotes, _DEEPEST) + line for quotes, line in self._lines)
        return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in marked)).strip()

    def _end_line(self) -> None:
        line = " ".join("".join(self._line).split())
        self._line = []
        if line:
            self._lines.append((self._quotes, line))

    def _free_line(self) -> None:
        if self._lines and self._lines[-1][1]:
            self._lines.append((min(self._quotes, self._lines[-1][0]), ""))
