"""Markdown as kramdown renders it on a Jekyll site, to HTML.

markdown-it-py is the parser. Kramdown's own notations that it does not know
(attribute lists, ids of headings) are dealt with before, other dialects in
`dialects`; the ids that kramdown gives to headings are set on its tokens.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin

from ingest.loaders.dialects import plain_markdown
from ingest.loaders.html import parse_html

_PARSER = (
    MarkdownIt("commonmark", {"html": True})
    .enable(["table", "strikethrough"])
    .use(deflist_plugin)
    .use(footnote_plugin)
)
_HEADING_ID = re.compile(r"^(#{1,6} .*?)\s*\{:?\s*#([\w:.-]+)[^}\n]*\}[ \t]*$", re.MULTILINE)
_HEADING_IAL = re.compile(r"^(#{1,6} [^\n]*)\n\{:[^}\n]*#([\w:.-]+)[^}\n]*\}[ \t]*$", re.MULTILINE)
_ATTRIBUTE_LIST = re.compile(r"\{:[^}\n]*\}")
# Kramdown takes a link target with spaces, CommonMark only between < and >.
_SPACED_TARGET = re.compile(r"\]\(((?!<)[^()\n\"']*[^()\s\"'] [^()\n\"']*)\)")
_PARENTHESIS = re.compile(r"^( {0,3}(?:> ?)*\d{1,9})\)(?=[ \t])", re.MULTILINE)
_LONE_BREAK = re.compile(r"^[ \t]*<br\s*/?>[ \t]*$", re.MULTILINE)
_HTML_BLOCK = re.compile(
    r"^ {0,3}<(div|section|article|table|ul|ol|dl|details|center|nav|aside|header|footer|main|form"
    r"|figure|blockquote|p|svg)\b",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_EXPLICIT_ID = re.compile(r'<span data-anchor="([^"]*)">')
_NOT_IN_ANCHOR = re.compile(r"[^\w\- \t]")


def to_soup(markdown: str) -> BeautifulSoup:
    """Render Markdown to a tree whose headings carry their true `id`."""
    text = _outside_fences(plain_markdown(markdown), _resolve_kramdown)
    tokens = _PARSER.parse(_close_html_blocks(text))
    _set_heading_ids(tokens)
    rendered = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return parse_html(rendered)


def as_kramdown(markdown: str) -> str:
    """Write what kramdown takes for text so that CommonMark does, too: ``1)`` begins no list."""
    return _outside_fences(markdown, lambda text: _PARENTHESIS.sub(r"\1&#41;", text))


def _set_heading_ids(tokens: Sequence[Token]) -> None:
    """Give each Markdown heading the `id` that kramdown's GitHub rules give it.

    The id is made from the heading as rendered, labels included: lower case,
    all but letters, digits, ``-``, ``_`` and spaces dropped, spaces to ``-``;
    a repeated one counts up. Headings written as HTML get none.

    Source: kramdown-parser-gfm, ``generate_gfm_header_id``.
    """
    seen: Counter[str] = Counter()
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        explicit = _EXPLICIT_ID.search(inline.content)
        if explicit:
            opening.attrSet("id", explicit[1])
            continue
        anchor = _NOT_IN_ANCHOR.sub("", _plain(inline).strip().lower())
        anchor = anchor.replace(" ", "-").replace("\t", "-")
        repeats = seen[anchor]
        seen[anchor] += 1
        opening.attrSet("id", f"{anchor}-{repeats}" if repeats else anchor)


def _plain(inline: Token) -> str:
    """The text of a heading as a reader sees it."""
    kept = ("text", "code_inline", "softbreak", "text_special")
    return "".join(
        " " if child.type == "softbreak" else child.content
        for child in inline.children or ()
        if child.type in kept
    )


def _resolve_kramdown(text: str) -> str:
    for pattern in (_HEADING_IAL, _HEADING_ID):
        text = pattern.sub(r'\1 <span data-anchor="\2"></span>', text)
    # A line break alone on a line would make CommonMark take what follows as HTML.
    text = _LONE_BREAK.sub("", text)
    text = _SPACED_TARGET.sub(r"](<\1>)", text)
    return _ATTRIBUTE_LIST.sub("", text)


def _close_html_blocks(text: str) -> str:
    """Keep each block of HTML in one piece, from its opening to its closing tag.

    Kramdown takes all of it as HTML; CommonMark would end it at the first
    empty line and read the indented rest as code.
    """
    lines = text.split("\n")
    kept: list[str] = []
    position = 0
    while position < len(lines):
        opening = _HTML_BLOCK.match(lines[position])
        end = _closing_line(lines, position, opening[1].lower()) if opening else None
        if end is None:
            kept.append(lines[position])
            position += 1
            continue
        kept += ["", *(line.strip() for line in lines[position : end + 1] if line.strip()), ""]
        position = end + 1
    return "\n".join(kept)


def _closing_line(lines: Sequence[str], start: int, name: str) -> int | None:
    """The line on which an element closes, None where it never does."""
    tag = re.compile(rf"<(/?){name}\b[^>]*?(/?)>", re.IGNORECASE)
    depth = 0
    for number in range(start, len(lines)):
        for match in tag.finditer(lines[number]):
            if not match[2]:
                depth += -1 if match[1] else 1
        if depth <= 0:
            return number
    return None


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Apply a change to everything but fenced code."""
    pieces: list[str] = []
    start = 0
    for fence in _FENCE.finditer(text):
        pieces += [change(text[start : fence.start()]), fence.group()]
        start = fence.end()
    return "".join([*pieces, change(text[start:])])
