"""A tree of HTML, cut into sections along its headings.

Both readers of a site end here: the Jekyll reader with rendered Markdown, the
HTML reader with the main part of a page. A section holds the blocks under one
heading, wherever the heading stands, also inside a list item.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bs4 import BeautifulSoup, Comment, Tag
from bs4.element import NavigableString, PageElement

from ingest.boilerplate import (
    is_apparatus,
    is_boilerplate,
    is_filler,
    is_notice,
    says_nothing,
)
from ingest.loaders.frame import HEADING, drop_frame, main_part, outermost, without_site
from ingest.loaders.inline import BLOCKS, Inline
from ingest.models import Block, Section
from rag.text import fold, letters_digits, sentences, word_count

__all__ = ["Reading", "main_part", "parse_html", "read_page", "read_sections", "without_repeats"]

_BAR = 2
"""Badges in a row from which on they are a menu."""
_MAX_DEPTH = 200
_WRONG_END = re.compile(
    r"(<h([1-6])\b[^>]*>(?:(?!</?h[1-6]\b).)*)</h[1-6]\s*>", re.DOTALL | re.IGNORECASE
)
_SECONDARY = frozenset(
    "text-secondary text-muted text-body-secondary subtitle visually-hidden sr-only".split()
)
_CARD = re.compile(r"^(?:[\w-]+-)?(?:card|tile|teaser)$")
_CARD_WORDS = 80
"""A card with more words than this is no pointer to another page but a text of its own."""
_ALT_WORDS = 6
_GENERIC_ALT = re.compile(
    r"\b(?:logo|icon|banner|avatar|photo|picture|image|screen ?shot|thumbnail)\b|\.\w{3,4}$",
    re.IGNORECASE,
)
# What players call themselves where nobody named the video.
_PLAYER = re.compile(
    r"^(?:(?:youtube|vimeo|embedded|external|video|media|audio|player|content|iframe)\b\W*)+$",
    re.IGNORECASE,
)
_TEMPLATE_TAG = re.compile(r"^(?:\{%[^{}]*%\}|\{\{[^{}]*\}\}|\s)+$")
"""A template's tag that stands alone: nothing drew it, and nobody says it."""
_TERM_WORDS = 12
_CELL_WORDS = 40
"""A cell with more words is a text beside its rows and no name for them."""
_SPANNED = 200
_HANGING = 20
"""Rows or columns that a cell covers, and cells that hang into a row; pages write nonsense."""
_BOX_WORDS = 40
"""Words up to which what many pages print is a box of the site."""
_REPEATED_ON = 5
"""Pages on which the same words stand at the edge before they count as the site's own."""


@dataclass(frozen=True)
class Reading:
    """A tree as read."""

    title: str
    """What the page is called: as given, else its first ``<h1>``; empty where it has none."""
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
    terms: list[_Open] = field(default_factory=list)
    """Terms of a glossary that stands in it, each a section of its own."""
    pictured: bool = False
    """It holds a picture, so that it is not empty though it may have no words."""


def parse_html(text: str) -> BeautifulSoup:
    """Parse HTML; a heading ends at the next end of any heading, as in browsers."""
    return BeautifulSoup(_WRONG_END.sub(r"\1</h\2>", text), "lxml")


def read_page(text: str) -> Reading:
    """Read a rendered page: its main content, under the title that it prints.

    A page without ``<h1>`` is called what its ``<title>`` says, the site's name left out.
    """
    soup = parse_html(text)
    reading = read_sections(main_part(soup))
    if reading.title or soup.title is None:
        return reading
    return replace(reading, title=without_site(soup.title.get_text()))


def read_sections(root: Tag, title: str = "") -> Reading:
    """Cut a tree into sections, in reading order, boilerplate left out.

    A heading with nothing under it comes as a section with `empty` set. The
    title is no heading of a section: heading paths begin below it.

    Args:
        root: The part of a page that holds its content; it is changed.
        title: The title that stands above the content; empty: the first ``<h1>`` is the title.
    """
    _clean(root)
    walker = _Walker(fold(title))
    walker.walk(root, 0)
    return Reading(walker.title, walker.sections(), walker.notice, walker.filler)


def without_repeats(pages: Sequence[tuple[Section, ...]]) -> list[tuple[Section, ...]]:
    """Leave out what a site prints before or after the content of many of its pages.

    Only whole sections at the edges of a page go, of two blocks at least: one
    equal line may well be meant, and what stands between is the page's own.
    One that says more than a box does stays on the first page that has it.
    """
    counts: Counter[str] = Counter()
    for sections in pages:
        counts.update({_key(section) for section in (*sections[:2], *sections[-2:])})
    site = {key for key, count in counts.items() if key and count >= _REPEATED_ON}
    own: list[tuple[Section, ...]] = []
    shown: set[str] = set()
    for sections in pages:
        first = {_key(each) for each in sections if word_count(each.text) > _BOX_WORDS} & site
        own.append(_own_sections(sections, site - (first - shown)))
        shown |= first
    return own


def _key(section: Section) -> str:
    """What two equal sections share; empty for one that is too short to tell."""
    blocks = [letters_digits(block.text) for block in section.blocks]
    return "\n".join(blocks) if len(blocks) > 1 else ""


def _own_sections(sections: tuple[Section, ...], site: set[str]) -> tuple[Section, ...]:
    first, last = 0, len(sections)
    while last > first and _key(sections[last - 1]) in site:
        last -= 1
    while first < last and _key(sections[first]) in site:
        first += 1
    return sections[first:last]


def _clean(root: Tag) -> None:
    for comment in root.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for drawing in outermost(root, lambda tag: tag.name == "svg"):
        words = [fold(text.get_text(" ")) for text in drawing.find_all("text")]
        if any(words):
            drawing.insert_before(NavigableString(" ".join(word for word in words if word)))
        drawing.decompose()
    for frame in outermost(root, lambda tag: tag.name == "iframe"):
        if frame.get("src"):
            # A video has no words but its title, yet a section that holds one is not empty.
            frame.insert_before(_video(str(frame["src"]), fold(str(frame.get("title") or ""))))
        frame.decompose()
    drop_frame(root)
    for picture in root.find_all("img", alt=True):
        _read_picture(picture)
    for heading in root.find_all(HEADING):
        _card_to_item(heading)


def _video(address: str, title: str) -> Tag:
    link = BeautifulSoup("", "lxml").new_tag("a", href=address)
    if title and not _PLAYER.match(title):
        link.string = title
    else:
        link["data-wordless"] = ""
    return link


def _read_picture(picture: Tag) -> None:
    """Put a picture's words in its place, where it stands for words or has meaning."""
    words = fold(str(picture["alt"]))
    link = picture.find_parent("a")
    if link is not None:
        if not fold(link.get_text()):
            picture.insert_after(NavigableString(words))
        return
    if word_count(words) < _ALT_WORDS or _GENERIC_ALT.search(words):
        return
    if picture.find_parent(HEADING) or picture.find_parent(["td", "th"]):
        return
    holder = picture.find_parent(["figure", "p", "div", "li", "center"])
    # Beside a caption, or within a sentence, the words of the picture are said already.
    if holder is not None and not fold(holder.get_text()):
        picture.insert_after(NavigableString(words))


def _card_to_item(heading: Tag) -> None:
    """Turn a card that names another page into a line: its title, linked, and what it says.

    Its heading opens no section of this page.
    """
    link = heading.find_parent("a", href=True)
    if link is None or heading.name == "h1" or heading.get("id"):
        return
    address = str(link["href"])
    title = fold(heading.get_text())
    if address.startswith("#") or not title:
        return
    card = link
    for parent in link.parents:
        if any(_CARD.match(str(each)) for each in parent.get_attribute_list("class") if each):
            card = parent
            break
    if len(card.find_all(HEADING, limit=2)) > 1 or card.find(["ul", "ol", "table", "pre"]):
        card = link
    if len(card.find_all(HEADING, limit=2)) > 1 or word_count(card.get_text(" ")) > _CARD_WORDS:
        return
    heading.extract()
    said = fold(card.get_text(" "))
    item = BeautifulSoup("", "lxml").new_tag("li")
    name = BeautifulSoup("", "lxml").new_tag("a", href=address)
    name.string = title
    item.append(name)
    if said and not says_nothing(said):
        item.append(NavigableString(f": {said}"))
    card.replace_with(item)


class _Walker:
    """Walks a tree once, in reading order."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._titled = bool(title)
        self.notice = False
        self.filler = False
        self._done: list[_Open] = []
        self._open = _Open((), None, None, 0, [])
        self._path: list[tuple[int, str]] = []

    def sections(self) -> tuple[Section, ...]:
        opened = [
            each for section in (*self._done, self._open) for each in (section, *section.terms)
        ]
        found = []
        for index, section in enumerate(opened):
            follower = opened[index + 1] if index + 1 < len(opened) else None
            has_children = follower is not None and follower.level > section.level
            content = section.blocks[bool(section.heading) :]
            empty = bool(section.heading) and not content and not has_children
            if not section.heading and not section.blocks:
                continue
            linked = any(block.links for block in section.blocks)
            empty = empty and not (linked or section.pictured or section.label)
            if empty and is_apparatus(section.heading[-1]):
                continue
            found.append(
                Section(
                    heading=section.heading,
                    blocks=tuple(section.blocks),
                    anchor=section.anchor,
                    label=section.label,
                    empty=empty,
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
        if element.name in BLOCKS or HEADING.match(element.name):
            return True
        # An <a> or <span> around blocks (cards, unclosed links) is walked into.
        return (
            element.find(lambda tag: tag.name in BLOCKS or bool(HEADING.match(tag.name)))
            is not None
        )

    def _block(self, element: Tag, depth: int) -> None:
        if depth > _MAX_DEPTH:
            return
        if HEADING.match(element.name):
            self._heading(element)
        elif element.name == "table":
            self._table(element, depth)
        elif element.name == "dl":
            self._definitions(element, depth)
        elif element.name == "pre":
            self._add(Block(element.get_text().strip("\n")), keep_lines=True)
        else:
            self.walk(element, depth)

    def _heading(self, element: Tag) -> None:
        level = int(element.name[1])
        if level == 1 and self._is_title(element):
            return
        inline = Inline([element])
        if not inline.plain:
            return
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, inline.plain))
        self._done.append(self._open)
        self._open = _Open(
            heading=tuple(text for _, text in self._path),
            anchor=_anchor(element) or self._open.anchor,
            label=inline.only_label,
            level=level,
            blocks=[Block(inline.text, inline.only_label, entry=True, links=inline.links)],
        )

    def _is_title(self, element: Tag) -> bool:
        """Whether a first-level heading is the page's title, which opens no section."""
        if self._titled:
            if letters_digits(Inline([element]).plain) != letters_digits(self.title):
                return False
        else:
            for secondary in element.find_all(["small", "span", "div"]):
                classes = secondary.get_attribute_list("class")
                if secondary.name == "small" or _SECONDARY & {str(each) for each in classes}:
                    secondary.decompose()
            inline = Inline([element])
            if not inline.plain or inline.links or inline.only_label:
                return False
            self.title = inline.plain
            self._titled = True
        self._path.clear()
        self._done.append(self._open)
        self._open = _Open((), _anchor(element), None, 1, [])
        return True

    def _table(self, table: Tag, depth: int) -> None:
        """Read a table row by row; one that only lays out a page, cell by cell."""
        if _is_layout(table):
            for part in table.find_all(["caption", "td", "th"]):
                if part.find_parent("table") is table:
                    self.walk(part, depth + 1)
            return
        caption = table.find("caption", recursive=False)
        if isinstance(caption, Tag):
            self.walk(caption, depth + 1)
        known: dict[int, Inline] = {}
        for row, cells in _grid(table):
            for cell in cells:
                if id(cell) not in known:
                    known[id(cell)] = Inline([cell])
            self._row(row, cells, [known[id(cell)] for cell in cells])

    def _row(self, row: Tag, cells: Sequence[Tag], read: Sequence[Inline]) -> None:
        filled = [cell for cell in read if cell.text]
        anchor = _anchor(row) or (_anchor(cells[0]) if cells else None)
        if anchor and len(filled) > 1 and filled[0] is read[0] and _is_term(filled[0]):
            self._term(anchor, filled[0], [_joined(filled[1:])])
            return
        named = len(cells) > 1 and all(cell.name == "th" for cell in cells)
        self._add(replace(_joined(read), header=named))

    def _definitions(self, terms: Tag, depth: int) -> None:
        """Read a definition list: each term with what is said of it."""
        pairs: list[tuple[list[Tag], list[Tag]]] = []
        # HTML allows a <div> around a term and what is said of it.
        for child in outermost(terms, lambda tag: tag.name != "div"):
            if child.name not in ("dt", "dd"):
                self.walk(child, depth + 1)
                continue
            if (child.name == "dt" and (not pairs or pairs[-1][1])) or not pairs:
                pairs.append(([], []))
            pairs[-1][child.name == "dd"].append(child)
        for names, said in pairs:
            self._definition(names, said, depth)

    def _definition(self, names: Sequence[Tag], said: Sequence[Tag], depth: int) -> None:
        name = Inline([piece for each in names for piece in (each, NavigableString(" "))])
        anchor = next((found for each in names if (found := _anchor(each))), None)
        if any(each.find(["ul", "ol", "dl", "pre", "table", HEADING]) for each in said):
            self._add(Block(name.text, name.only_label, entry=True, links=name.links))
            for each in said:
                self.walk(each, depth + 1)
            return
        read = [Inline([each]) for each in said]
        blocks = [Block(each.text, each.only_label, links=each.links) for each in read if each.text]
        if anchor and blocks and _is_term(name):
            self._term(anchor, name, blocks)
        elif len(blocks) == 1 and name.text:
            text = f"{name.text.rstrip(':')}: {blocks[0].text}"
            labels = name.only_label or blocks[0].label
            self._add(Block(text, labels, entry=True, links=(*name.links, *blocks[0].links)))
        else:
            self._add(Block(name.text, name.only_label, entry=True, links=name.links))
            for block in blocks:
                self._add(block)

    def _term(self, anchor: str, name: Inline, said: Sequence[Block]) -> None:
        """A term with an anchor of its own is a section, so that a citation lands on it."""
        around = self._open
        heading = Block(name.text, name.only_label, entry=True, links=name.links)
        self._open = _Open(
            (*around.heading, name.plain), anchor, name.only_label, around.level + 1, [heading]
        )
        for block in said:
            self._add(block)
        around.terms.append(self._open)
        self._open = around

    def _paragraph(self, run: list[PageElement], parent: Tag) -> None:
        if any(each.name == "img" or each.find("img") for each in run if isinstance(each, Tag)):
            self._open.pictured = True
        inline = Inline(run)
        if not (inline.text or inline.links) or _TEMPLATE_TAG.match(inline.text):
            return
        if _is_bar(inline, run):
            return
        if not inline.plain and inline.only_label:
            self._label_alone(inline.only_label, inline.text)
            return
        entry = parent.name == "summary" or (
            parent.name in ("p", "body", "div", "main") and inline.begins_with_link
        )
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
            text = "\n".join(line for line in lines if line)
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


def _is_bar(inline: Inline, run: Sequence[PageElement]) -> bool:
    """Whether a line is but a row of badges, each a link: a menu within the page."""
    anchors = [
        anchor
        for each in run
        if isinstance(each, Tag)
        for anchor in ([each] if each.name == "a" else each.find_all("a"))
    ]
    badged = all(anchor.find("span", class_="badge") for anchor in anchors)
    only_links = fold(" ".join(link.text for link in inline.links)) == inline.text
    return len(anchors) >= _BAR and badged and only_links and inline.only_label is None


def _anchor(element: Tag) -> str | None:
    """The anchor of an element: its own, that of its section, or one set inside it."""
    if element.get("id"):
        return str(element["id"])
    around = element.parent
    if around is not None and around.get("id") and HEADING.match(element.name):
        classes = around.get_attribute_list("class")
        if around.name == "section" or "section" in classes:
            return str(around["id"])
    inside = element.find(["a", "span"], attrs={"id": True}) or element.find(
        "a", attrs={"name": True}
    )
    if isinstance(inside, Tag):
        return str(inside.get("id") or inside["name"])
    return None


def _is_term(name: Inline) -> bool:
    """Whether words may be the term of a glossary, not a line number or a sentence."""
    return 0 < word_count(name.plain) <= _TERM_WORDS and any(map(str.isalpha, name.plain))


def _is_layout(table: Tag) -> bool:
    """Whether a table only places things: tables or headings in its cells, or one cell a row."""
    if table.get("role") in ("presentation", "none") or table.find(["table", HEADING]):
        return True
    rows = [row for row in table.find_all("tr") if row.find(["td", "th"])]
    single = all(len(row.find_all(["td", "th"], recursive=False)) == 1 for row in rows)
    return bool(rows) and single and table.find(["p", "ul", "ol", "div", "pre"]) is not None


def _grid(table: Tag) -> Iterator[tuple[Tag, list[Tag]]]:
    """The rows of a table; a short cell that spans rows stands in each of them.

    So each row reads by itself. A cell that spans columns stands once.
    """
    hanging: dict[int, tuple[Tag | None, int, int]] = {}
    for row in table.find_all("tr"):
        cells: list[Tag] = []
        column = 0
        own = iter(row.find_all(["td", "th"], recursive=False))
        while True:
            if column in hanging:
                cell, width, rows = hanging.pop(column)
                if rows > 1:
                    hanging[column] = (cell, width, rows - 1)
            else:
                following = next(own, None)
                if following is None:
                    beyond = [each for each in hanging if each > column]
                    if not beyond:
                        break
                    column = min(beyond)
                    continue
                cell = following
                width = _span(cell, "colspan")
                if _span(cell, "rowspan") > 1:
                    long = word_count(cell.get_text(" ")) > _CELL_WORDS
                    left = None if long else cell
                    if len(hanging) < _HANGING:
                        hanging[column] = (left, width, _span(cell, "rowspan") - 1)
            if cell is not None:
                cells.append(cell)
            column += width
        yield row, cells


def _span(cell: Tag, attribute: str) -> int:
    """How many rows or columns a cell covers, within bounds: pages write nonsense."""
    written = str(cell.get(attribute) or "1").strip()
    return min(max(int(written), 1), _SPANNED) if re.fullmatch(r"[0-9]{1,9}", written) else 1


def _joined(cells: Sequence[Inline]) -> Block:
    labels = {cell.only_label for cell in cells if cell.only_label}
    return Block(
        " | ".join(cell.text for cell in cells if cell.text),
        labels.pop() if len(labels) == 1 else None,
        links=tuple(link for cell in cells for link in cell.links),
    )
