"""Tables of a metadata model, printed from a spreadsheet: a record for each item.

Such a sheet is scaled to the width of a page, so that its type is 1.6 to 4 pt,
and text extraction with the usual tolerances runs rows together. Here a cell is
what its ruled lines enclose, every tolerance is a share of the type size, and
what a column holds is read from the words of its header.
"""

from __future__ import annotations

import colorsys
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from operator import itemgetter
from statistics import median
from typing import Any, Literal

import pdfplumber.page
from pdfplumber.utils.geometry import rect_to_edges

from ingest.boilerplate import is_boilerplate
from ingest.models import Block
from rag.models import DataItem
from rag.text import fold

Span = tuple[float, float]
Review = Literal["confirmed", "for review"]

_LARGEST_TYPE = 5.0
"""Points. The sheets come in 1.6 to 3.5 pt, notes and slides in 6 pt and more."""
_TOLERANCE = 0.35
"""Share of the type size. Rules are 0.08 of it thick; the margin of a cell is 0.43."""
_WORD_GAP = 0.15
"""Share of the type size; narrower gaps between letters are kerning."""
_MOST_COLUMNS = 100
"""The sheets have up to 32; a page of thousands of rules is a drawing."""
_MOST_TRIES = 20
"""How often "cardinality" may stand on a page before its header is given up."""

# What a column holds, by its header without spaces and underscores, since headers
# are cut anywhere. The first column that matches has the role.
_ROLES = {
    "obligation": re.compile(r"mandatory.*optional|obligation"),
    "cardinality": re.compile(r"cardinality"),
    "condition": re.compile(r"condition"),
    "definition": re.compile(r"definition"),
    "values": re.compile(r"values?(?:list|set)?$"),
    "of_class": re.compile(r"class|domain"),
    "mapping": re.compile(r"(?:item|property|term)used$"),
    "name": re.compile(r"(?:item|element|attribute|property)(?:name)?$"),
    "scope": re.compile(r"^partof"),
    "reasoning": re.compile(r"reasoning|explanation|rationale"),
    "example": re.compile(r"^examples?"),
}
_NEEDED = frozenset({"of_class", "name", "definition", "cardinality", "obligation"})
# Columns about the mapping to other vocabularies name "item" and "class" again.
_ELSEWHERE = re.compile(r"link|match")

_OBLIGATION = re.compile(r"\b(mandatory|recommended|optional|conditional)\b")
_CARDINALITY = re.compile(r"^(?:\d+\s*\.\.\s*(?:\d+|[nm*])|\d+|[nm*])$", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"^(?:n\.?/?a\.?|none|[-–—]*)$", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://|mailto:|www\.)\S*", re.IGNORECASE)
# A line that goes on with what the line before began: "co-" and "morbidity", "e." and
# "g.", "1.." and "n".
_GOES_ON = re.compile(r"(?:[^\W\d_]-\n[a-z]|\b[a-z]\.\n[a-z]\.|\d\.\.\n[\dnm*]|\d\n\.\.)")
# "added by Jane 2024-06-10: ...": the note may help, who wrote it does not.
_SIGNED = re.compile(
    r"^(?i:added|suggested|proposed|commented?|changed|moved|checked|reviewed)\b[^:.]{0,40}?"
    r"\b(?:by|from)\s+[^\W\d_a-z][\w'’-]*(?:\s+[^\W\d_a-z][\w'’-]*){0,3}"
    r"(?:,?\s*\d{4}-\d\d-\d\d)?\s*:\s*"
)


@dataclass(frozen=True)
class ItemColumns:
    """Where the columns of a table stand; carried from page to page."""

    edges: tuple[float, ...]
    """Left to right, in points."""
    roles: tuple[tuple[str, int], ...]
    """Which column, counted from 0, holds what."""
    headers: tuple[str, ...]
    """The header of each column, as printed."""

    def column(self, role: str) -> int | None:
        """The column that holds something, None where the table has none for it."""
        return dict(self.roles).get(role)

    def span(self, column: int) -> Span:
        """From where to where a column reaches, in points."""
        return self.edges[column], self.edges[column + 1]


@dataclass(frozen=True)
class ItemRow:
    """An item, and its row as text: cells, condition, further notes."""

    item: DataItem
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class ItemTable:
    """The part of a table that stands on one page."""

    rows: tuple[ItemRow, ...]
    columns: ItemColumns
    others: tuple[Block, ...]
    """Titles and notes between the rows."""


def read_item_table(
    page: pdfplumber.page.Page, columns: ItemColumns | None = None
) -> ItemTable | None:
    """Read the items of a metadata model from a page.

    Args:
        page: Of a PDF with a text layer.
        columns: Of the table on the page before, for a page without header.

    Returns:
        None where the page holds no such table.
    """
    if page.width <= page.height or not page.chars:
        return None
    if median(char["size"] for char in page.chars) > _LARGEST_TYPE:
        return None
    sheet = _Sheet(page)
    header = _find_header(sheet)
    if header is not None:
        columns, heading = header
    elif columns is not None and _continues(sheet, columns):
        heading = None
    else:
        return None
    return _read_rows(sheet, columns, heading)


@dataclass(frozen=True)
class _Line:
    """A line of text within one cell, with the space that stands at a wrap."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class _Sheet:
    """A page as ruled lines, filled rectangles and lines of text."""

    def __init__(self, page: pdfplumber.page.Page) -> None:
        self._chars = [char for char in page.chars if char["upright"]]
        self._fills = [each for each in page.rects if each["fill"]]
        self.type_size: float = median(char["size"] for char in page.chars)
        self.tolerance = _TOLERANCE * self.type_size
        # Cells are drawn as lines, as thin filled shapes, or as a frame each.
        marks = [*page.lines, *page.rects, *page.curves]
        marks += [edge for rect in page.rects if rect["stroke"] for edge in rect_to_edges(rect)]
        self._across: list[Mapping[str, Any]] = []
        self._down: list[Mapping[str, Any]] = []
        for each in marks:
            width, height = each["x1"] - each["x0"], each["bottom"] - each["top"]
            if height <= self.tolerance < width:
                self._across.append(each)
            elif width <= self.tolerance < height:
                self._down.append(each)
        self._across.sort(key=lambda each: (each["top"] + each["bottom"]) / 2)

    @cached_property
    def lines(self) -> list[_Line]:
        """All lines of text, in the order of the file: cell after cell, row by row."""
        edges = sorted((each["x0"] + each["x1"]) / 2 for each in self._down)
        return [_line(run) for run in _runs(self._chars, edges)]

    def edges_at(self, y: float) -> tuple[float, ...]:
        """Where ruled lines cross a height, left to right."""
        return self._apart(
            (each["x0"] + each["x1"]) / 2
            for each in self._down
            if each["top"] - self.tolerance <= y <= each["bottom"] + self.tolerance
        )

    def cuts(self, span: Span) -> list[float]:
        """Where ruled lines part the cells of a column: those that cross all of it."""
        left, right = span[0] + self.tolerance, span[1] - self.tolerance
        pieces = [each for each in self._across if each["x0"] < right and each["x1"] > left]
        found: list[float] = []
        at = 0
        while at < len(pieces):
            height = (pieces[at]["top"] + pieces[at]["bottom"]) / 2
            reach, level = span[0], []
            while at < len(pieces) and pieces[at]["top"] <= height + self.tolerance:
                level.append(pieces[at])
                at += 1
            for piece in sorted(level, key=lambda piece: piece["x0"]):
                if piece["x0"] <= reach + self.tolerance:
                    reach = max(reach, piece["x1"])
            if reach >= right:
                # A link is underlined close to the edge of its cell; the edge is longer.
                edge = max(level, key=lambda piece: piece["x1"] - piece["x0"])
                found.append((edge["top"] + edge["bottom"]) / 2)
        return found

    def colour(self, x: float, y: float) -> tuple[float, ...] | None:
        """What the page is filled with at a point: what was painted last."""
        for each in reversed(self._fills):
            if each["x0"] <= x <= each["x1"] and each["top"] <= y <= each["bottom"]:
                colour = each["non_stroking_color"]
                return tuple(colour) if isinstance(colour, (tuple, list)) else None
        return None

    def _apart(self, places: Iterable[float]) -> tuple[float, ...]:
        """Sorted places, those that differ by no more than the tolerance once."""
        kept: list[float] = []
        for place in sorted(places):
            if not kept or place - kept[-1] > self.tolerance:
                kept.append(place)
        return tuple(kept)


def _runs(
    chars: Sequence[Mapping[str, Any]], edges: Sequence[float]
) -> Iterator[list[Mapping[str, Any]]]:
    """Cut the letters, in the order of the file, at line ends and between cells."""
    run: list[Mapping[str, Any]] = []
    for char in chars:
        if run:
            last, size = run[-1], char["size"]
            gap = char["x0"] - last["x1"]
            level = abs(char["bottom"] - last["bottom"]) <= _TOLERANCE * size
            if not level or not -size / 2 < gap < size or _parted(last, char, edges):
                yield run
                run = []
        run.append(char)
    if run:
        yield run


def _parted(last: Mapping[str, Any], char: Mapping[str, Any], edges: Sequence[float]) -> bool:
    """Whether the edge of a column stands between two letters."""
    at = bisect_left(edges, last["x1"])
    return at < len(edges) and edges[at] <= char["x0"]


def _line(run: Sequence[Mapping[str, Any]]) -> _Line:
    text = run[0]["text"]
    for last, char in pairwise(run):
        apart = char["x0"] - last["x1"] > _WORD_GAP * char["size"]
        if apart and not last["text"].isspace() and not char["text"].isspace():
            text += " "
        text += char["text"]
    inked = [char for char in run if not char["text"].isspace()] or run
    return _Line(
        text,
        inked[0]["x0"],
        inked[-1]["x1"],
        min(char["top"] for char in inked),
        max(char["bottom"] for char in inked),
    )


def _find_header(sheet: _Sheet) -> tuple[ItemColumns, Span] | None:
    """The columns by the words of the header, and the height it takes."""
    found = (line for line in sheet.lines if "cardinality" in _compact(line.text))
    for line in islice(found, _MOST_TRIES):
        edges = sheet.edges_at(line.middle)
        column = _column_of(line, edges, sheet)
        if column is None or len(edges) > _MOST_COLUMNS:
            continue
        cuts = sheet.cuts((edges[column], edges[column + 1]))
        heading = _reach((line.middle, line.middle), cuts, sheet.tolerance)
        columns = _columns(sheet, edges, heading)
        if columns is not None:
            return columns, heading
    return None


def _columns(sheet: _Sheet, edges: tuple[float, ...], heading: Span) -> ItemColumns | None:
    """Which column holds what, None where a column that a metadata model has is missing."""
    headers = tuple(
        _folded(
            [line for line in lines if heading[0] <= line.middle <= heading[1]],
            edges[column + 1] - edges[column],
            sheet,
        )
        for column, lines in enumerate(_by_column(sheet, edges))
    )
    roles: dict[str, int] = {}
    for column, header in enumerate(headers):
        compact = _compact(header)
        role = next((role for role, words in _ROLES.items() if words.search(compact)), None)
        if role and role not in roles and not _ELSEWHERE.search(compact):
            roles[role] = column
    if not roles.keys() >= _NEEDED:
        return None
    return ItemColumns(edges, tuple(roles.items()), headers)


def _compact(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()


def _continues(sheet: _Sheet, columns: ItemColumns) -> bool:
    """Whether a page without header goes on with a table: same columns, an item's cells."""
    at = dict(columns.roles)
    lines = _by_column(sheet, columns.edges)
    return (
        bool(sheet.cuts(columns.span(at["cardinality"])))
        and any(_CARDINALITY.search(line.text.strip()) for line in lines[at["cardinality"]])
        and any(_OBLIGATION.search(line.text.lower()) for line in lines[at["obligation"]])
    )


def _by_column(sheet: _Sheet, edges: Sequence[float]) -> list[list[_Line]]:
    """The lines of each column, in the order of the file."""
    columns: list[list[_Line]] = [[] for _ in pairwise(edges)]
    for line in sheet.lines:
        column = _column_of(line, edges, sheet)
        if column is not None:
            columns[column].append(line)
    return columns


def _column_of(line: _Line, edges: Sequence[float], sheet: _Sheet) -> int | None:
    """The column whose cell holds a line.

    A line too long for its cell runs over the next ones: from the left edge of
    its own, or from the middle of it to both sides.
    """
    for at in (line.x0, (line.x0 + line.x1) / 2):
        column = bisect_left(edges, at) - 1
        if not 0 <= column < len(edges) - 1:
            continue
        margin = line.x0 - edges[column]
        if line.x1 <= edges[column + 1] + sheet.tolerance or margin <= sheet.type_size / 2:
            return column
    return column if 0 <= column < len(edges) - 1 else None


def _read_rows(sheet: _Sheet, columns: ItemColumns, heading: Span | None) -> ItemTable | None:
    """Read row by row; a row is as high as the cell of its item's name."""
    table = [
        _Column(sheet, columns.span(at), lines)
        for at, lines in enumerate(_by_column(sheet, columns.edges))
    ]
    rows: list[ItemRow] = []
    others: list[Block] = []
    for row in pairwise(table[dict(columns.roles)["name"]].cuts):
        # Above the header stand legends and lists of who reviewed what.
        if heading is not None and row[0] < heading[1] - sheet.tolerance:
            continue
        cells = [column.text(row) for column in table]
        found = _row(cells, columns, _review(sheet, columns, row))
        if found is not None:
            rows.append(found)
        else:
            notes = (_SIGNED.sub("", text) for text in cells)
            others.extend(Block(text) for text in notes if _says_something(text))
    return ItemTable(tuple(rows), columns, tuple(others)) if rows else None


class _Column:
    """The lines of a column, and what parts its cells."""

    def __init__(self, sheet: _Sheet, span: Span, lines: Iterable[_Line]) -> None:
        self._sheet = sheet
        self._width = span[1] - span[0]
        self.cuts = sheet.cuts(span)
        self._lines = sorted((line.middle, order, line) for order, line in enumerate(lines))

    def text(self, row: Span) -> str:
        """What stands in the column beside a row."""
        top, bottom = _reach(row, self.cuts, self._sheet.tolerance)
        start, end = (bisect_left(self._lines, (height,)) for height in (top, bottom))
        # In the order of the file: small raised letters stand higher than their line.
        lines = [line for _, _, line in sorted(self._lines[start:end], key=itemgetter(1))]
        return _folded(lines, self._width, self._sheet)


def _reach(row: Span, cuts: Sequence[float], tolerance: float) -> Span:
    """What of a column belongs to a row: one cell, its pieces, or one merged over rows."""
    above = bisect_right(cuts, row[0] + tolerance) - 1
    below = bisect_left(cuts, row[1] - tolerance)
    return (
        cuts[above] if above >= 0 else row[0],
        cuts[below] if below < len(cuts) else row[1],
    )


def _row(cells: Sequence[str], columns: ItemColumns, review: Review | None) -> ItemRow | None:
    """An item from the cells of a row, None where the row is a title or a note."""

    def cell(role: str) -> str:
        column = columns.column(role)
        return cells[column] if column is not None else ""

    if not (cell("of_class") and cell("name") and (cell("cardinality") or cell("obligation"))):
        return None
    word = _OBLIGATION.search(cell("obligation").lower())
    condition = cell("condition")  # as printed, be it "na"
    item = DataItem(
        of_class=cell("of_class"),
        name=cell("name"),
        definition=cell("definition"),
        values=cell("values"),
        cardinality=cell("cardinality"),
        obligation=word[1] if word else cell("obligation").lower(),
        condition=condition,
        review=review,
        scope=cell("scope"),
    )
    core = ("of_class", "name", "definition", "values", "cardinality", "obligation")
    blocks = [Block(" | ".join(filter(None, map(cell, core))), entry=True)]
    if _says_something(condition):
        blocks.append(Block(condition))
    further = []
    for role in ("scope", "mapping", "reasoning", "example"):
        text = _SIGNED.sub("", cell(role))
        column = columns.column(role)
        if column is None or text == condition:
            continue
        if _says_something(_ADDRESS.sub("", text)):
            # What a cell of reasoning is, it says itself.
            further += [text] if role == "reasoning" else [columns.headers[column], text]
    if further:
        blocks.append(Block(" | ".join(further)))
    return ItemRow(item, tuple(blocks))


def _says_something(text: str) -> bool:
    return not _PLACEHOLDER.match(text.strip()) and not is_boilerplate(text)


def _review(sheet: _Sheet, columns: ItemColumns, row: Span) -> Review | None:
    """What the colour of a row says, read where the cells have no colour of their own.

    New cells in a confirmed row are still to be reviewed, and so is the row.
    """
    colours = set()
    for role in ("of_class", "name", "definition"):
        column = columns.column(role)
        if column is not None:
            left, right = columns.span(column)
            colours.add(_meaning(sheet.colour((left + right) / 2, sum(row) / 2)))
    if "for review" in colours:
        return "for review"
    return "confirmed" if "confirmed" in colours else None


def _meaning(colour: tuple[float, ...] | None) -> Review | None:
    """Green is confirmed, yellow to orange newly added; anything else says nothing."""
    if colour is None or len(colour) != 3:
        return None
    hue, saturation, _ = colorsys.rgb_to_hsv(*colour)
    if saturation < 0.05:
        return None
    if 80 <= hue * 360 <= 170:
        return "confirmed"
    return "for review" if 25 <= hue * 360 <= 65 else None


def _folded(lines: Sequence[_Line], width: float, sheet: _Sheet) -> str:
    """Join the lines of a cell: with a space, or with none where a word was cut.

    Spreadsheets cut what is wider than its cell at any letter, addresses at their
    punctuation, and leave the space of a wrap at the end of the line.
    """
    text = ""
    for at, line in enumerate(lines):
        if at and _is_cut(lines[at - 1], text, line, width, sheet):
            text += line.text
        else:
            text = f"{text} {line.text}"
    return fold(text)


def _is_cut(last: _Line, text: str, line: _Line, width: float, sheet: _Sheet) -> bool:
    """Whether a line goes on in the middle of a word of the text before."""
    if not text or text[-1].isspace() or not line.text or line.text[0].isspace():
        return False
    if _GOES_ON.search(f"{text[-3:]}\n{line.text[:2]}"):
        return True
    room = width - (last.x1 - last.x0) - 2 * sheet.tolerance
    letter = (line.x1 - line.x0) / len(line.text)
    if _ADDRESS.match(text.split()[-1]):
        return not _ADDRESS.match(line.text) and len(line.text.split()[0]) * letter > room
    return " " not in last.text.strip() and letter > room
