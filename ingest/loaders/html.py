"""A tree of HTML, cut into sections along its headings.

Both readers of a site end here: the Jekyll reader with rendered Markdown, the
HTML reader with the main part of a page. A section holds the blocks under one
heading, wherever the heading stands, also inside a list item.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bs4 import BeautifulSoup, Comment, Tag
from bs4.element import NavigableString, PageElement

from ingest.boilerplate import is_boilerplate, is_filler, is_notice
from ingest.models import Block, Link, Section
from rag.text import fold, sentences

LABELS = ("required", "recommended", "informational")

_HEADING = re.compile(r"^h[1-6]$")
_INVISIBLE = (
    "script", "style", "noscript", "template", "iframe", "object", "embed", "audio", "video",
    "nav", "footer", "form", "button", "input", "select", "textarea", "svg", "canvas", "head",
)  # fmt: skip
_BLOCKS = frozenset(
    "address article aside blockquote body center details dd div dl dt figcaption figure header"
    " hr html li main ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_MAX_DEPTH = 200
_WRONG_END = re.compile(
    r"(<h([1-6])\b[^>]*>(?:(?!</?h[1-6]\b).)*)</h[1-6]\s*>", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True)
class Reading:
    """A tree as read."""

    sections: tuple[Section, ...]
    notice: bool
    """A notice was met that the page, or a section, is still to be written."""
    filler: bool
    """Filler text was met and left out."""


@dataclass
class _Open:
    """The section being filled."""

    heading: tuple[str, ...]
    anchor: str | None
    label: str | None
    level: int
    blocks: list[Block]


def parse_html(text: str) -> BeautifulSoup:
    """Parse HTML; a heading ends at the next end of any heading, as in browsers."""
    return BeautifulSoup(_WRONG_END.sub(r"\1</h\2>", text), "lxml")


def read_sections(root: Tag) -> Reading:
    """Cut a tree into sections, in reading order, boilerplate left out.

    A heading with nothing under it comes as a section with `empty` set.

    Args:
        root: The part of a page that holds its content; it is changed.
    """
    _clean(root)
    walker = _Walker()
    walker.walk(root, 0)
    return Reading(walker.sections(), walker.notice, walker.filler)


def main_part(soup: BeautifulSoup) -> Tag:
    """Return the part of a rendered page that holds its content."""
    return soup.find("main") or soup.find("article") or soup.body or soup


def _clean(root: Tag) -> None:
    for comment in root.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for drawing in root.find_all("svg"):
        words = [fold(text.get_text(" ")) for text in drawing.find_all("text")]
        if any(words):
            drawing.insert_before(NavigableString(" ".join(word for word in words if word)))
    for frame in root.find_all("iframe", src=True):
        # A video has no words, yet a section that holds one is not empty.
        frame.insert_before(_link_without_words(str(frame["src"])))
    for element in root.find_all(_INVISIBLE):
        if not element.decomposed:
            element.decompose()
    for picture in root.find_all("img", alt=True):
        link = picture.find_parent("a")
        if link is not None and not fold(link.get_text()):
            picture.insert_after(NavigableString(str(picture["alt"])))


def _link_without_words(address: str) -> Tag:
    link = BeautifulSoup("", "lxml").new_tag("a", href=address)
    link["data-wordless"] = ""
    return link


def label_of(element: Tag) -> str | None:
    """Return the importance label that a badge of the theme carries."""
    if element.name != "span" or "badge" not in element.get_attribute_list("class"):
        return None
    words = fold(element.get_text()).lower()
    return words if words in LABELS else None


class _Walker:
    """Walks a tree once, in reading order."""

    def __init__(self) -> None:
        self.notice = False
        self.filler = False
        self._done: list[_Open] = []
        self._open = _Open((), None, None, 0, [])
        self._path: list[tuple[int, str]] = []

    def sections(self) -> tuple[Section, ...]:
        opened = [*self._done, self._open]
        found = []
        for index, section in enumerate(opened):
            follower = opened[index + 1] if index + 1 < len(opened) else None
            has_children = follower is not None and follower.level > section.level
            content = section.blocks[bool(section.heading) :]
            empty = bool(section.heading) and not content and not has_children
            if not section.heading and not section.blocks:
                continue
            linked = any(block.links for block in section.blocks)
            found.append(
                Section(
                    heading=section.heading,
                    blocks=tuple(section.blocks),
                    anchor=section.anchor,
                    label=section.label,
                    empty=empty and not linked and section.label is None,
                )
            )
        return tuple(found)

    def walk(self, element: Tag, depth: int) -> None:
        """Read the children of an element: runs of inline content become blocks."""
        run: list[PageElement] = []
        for child in list(element.children):
            if isinstance(child, Tag) and self._is_block(child):
                self._paragraph(run, element)
                run = []
                self._block(child, depth + 1)
            else:
                run.append(child)
        self._paragraph(run, element)

    def _is_block(self, element: Tag) -> bool:
        if element.name in _BLOCKS or _HEADING.match(element.name):
            return True
        # An <a> or <span> around blocks (cards, unclosed links) is walked into.
        return (
            element.find(lambda tag: tag.name in _BLOCKS or bool(_HEADING.match(tag.name)))
            is not None
        )

    def _block(self, element: Tag, depth: int) -> None:
        if depth > _MAX_DEPTH:
            return
        if _HEADING.match(element.name):
            self._heading(element)
        elif element.name == "tr":
            self._row(element)
        elif element.name == "pre":
            self._add(Block(element.get_text().strip("\n")), keep_lines=True)
        else:
            self.walk(element, depth)

    def _heading(self, element: Tag) -> None:
        inline = _Inline([element])
        level = int(element.name[1])
        if not inline.plain:
            return
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, inline.plain))
        anchor = element.get("id")
        self._done.append(self._open)
        self._open = _Open(
            heading=tuple(text for _, text in self._path),
            anchor=str(anchor) if anchor else self._nearest_anchor(),
            label=inline.only_label,
            level=level,
            blocks=[Block(inline.text, inline.only_label, entry=True, links=inline.links)],
        )

    def _nearest_anchor(self) -> str | None:
        """The anchor a reader lands closest with where a heading has none."""
        return self._open.anchor

    def _row(self, row: Tag) -> None:
        cells = [_Inline([cell]) for cell in row.find_all(["td", "th"], recursive=False)]
        text = " | ".join(cell.text for cell in cells if cell.text)
        links = tuple(link for cell in cells for link in cell.links)
        labels = {cell.only_label for cell in cells if cell.only_label}
        self._add(Block(text, labels.pop() if len(labels) == 1 else None, links=links))

    def _paragraph(self, run: list[PageElement], parent: Tag) -> None:
        inline = _Inline(run)
        if not inline.text and not inline.links:
            return
        if not inline.plain and inline.only_label:
            self._label_alone(inline.only_label, inline.text)
            return
        entry = parent.name in ("p", "body", "div", "main") and inline.begins_with_link
        self._add(Block(inline.text, inline.only_label, entry=entry, links=inline.links))

    def _label_alone(self, label: str, text: str) -> None:
        """A label on a line of its own belongs to what stands before it."""
        blocks = self._open.blocks
        if not blocks:
            return
        before = blocks[-1]
        links = before.links
        if links and links[-1].label is None:
            links = (*links[:-1], replace(links[-1], label=label))
        blocks[-1] = replace(before, text=f"{before.text} {text}", label=label, links=links)
        if len(blocks) == 1:
            self._open.label = label

    def _add(self, block: Block, *, keep_lines: bool = False) -> None:
        if keep_lines:
            lines = [fold(line) for line in block.text.splitlines()]
            text = " ".join(line for line in lines if line)
        else:
            text = fold(block.text)
        if is_filler(text):
            self.filler = True
            return
        every = sentences(text)
        kept = [sentence for sentence in every if not is_boilerplate(sentence)]
        self.notice = self.notice or any(map(is_notice, every))
        if len(kept) < len(every):
            text = " ".join(kept)
        if text or (block.links and not every):
            self._open.blocks.append(replace(block, text=text))


def _tight(text: str) -> str:
    """Fold white space, also that before a comma, where a label stood."""
    return fold(text).replace(" ,", ",")


class _Inline:
    """A run of inline content: its text, its links, and its labels."""

    def __init__(self, elements: list[PageElement]):
        self._words: list[str] = []
        self._plain: list[str] = []
        self._links: list[Link] = []
        self._labels: list[str] = []
        self.begins_with_link = False
        for element in elements:
            self._read(element)
        self.text = _tight("".join(self._words))
        self.plain = _tight("".join(self._plain)).strip(" :,")
        self.links = tuple(self._links)

    @property
    def only_label(self) -> str | None:
        return self._labels[0] if len(set(self._labels)) == 1 else None

    def _read(self, element: PageElement) -> None:
        if isinstance(element, NavigableString):
            self._words.append(str(element))
            self._plain.append(str(element))
        elif isinstance(element, Tag):
            label = label_of(element)
            if label:
                self._labels.append(label)
                self._words.append(f" {fold(element.get_text())} ")
                if self._links and self._links[-1].label is None:
                    self._links[-1] = replace(self._links[-1], label=label)
            elif element.name == "br":
                self._words.append("\n")
                self._plain.append(" ")
            elif element.name == "a" and element.get("href"):
                self._link(element)
            else:
                for child in element.children:
                    self._read(child)
                if element.name in _BLOCKS:
                    self._words.append(" ")
                    self._plain.append(" ")

    def _link(self, element: Tag) -> None:
        begins = not fold("".join(self._words))
        for child in element.children:
            self._read(child)
        text = fold(element.get_text())
        if text or element.has_attr("data-wordless"):
            self.begins_with_link = self.begins_with_link or begins
            self._links.append(Link(text, str(element["href"])))
