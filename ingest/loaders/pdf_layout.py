"""Lines of a page, back to what was written: paragraphs, list items, rows of tables.

Pure, like `pdf_lines`: lengths are points, thresholds multiples of the type size.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ingest.loaders.pdf_lines import RAISED_FIGURES, Line, Rule
from rag.text import fold

BULLET = re.compile(r"^(?:[●○■•▪◦‣·➢✓→]\s*|[–—*-]\s+)(?=\S)")
NUMBERED = re.compile(r"^\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\s")
_SUBSECTION = re.compile(r"^\d{1,2}(?:\.\d{1,2})+\.?\s+[^\W\d_]")
_ENDS = re.compile(r"[.:;?!…][\"'”’»)\]⁰¹²³⁴⁵⁶⁷⁸⁹]*$")
_BEGINS = re.compile(r"^[\"'“‘«„(\[]*[A-ZÀ-ÖØ-Þ0-9]")


@dataclass(frozen=True)
class Table:
    """Rows of cells, each cell the lines in it, and where they stand."""

    rows: tuple[tuple[tuple[Line, ...], ...], ...]
    x0: float
    x1: float
    top: float
    bottom: float
    layout: bool = False
    """Its cells hold paragraphs, which are read cell by cell."""


class Frame(NamedTuple):
    """A painted box that text may stand in."""

    x0: float
    x1: float
    top: float
    bottom: float

    def holds(self, line: Line) -> bool:
        """Whether the middle of a line is within."""
        across, down = (line.x0 + line.x1) / 2, (line.top + line.bottom) / 2
        return self.x0 <= across <= self.x1 and self.top <= down <= self.bottom


@dataclass(frozen=True)
class Page:
    """A page as printed."""

    number: int
    """1-based."""
    width: float
    height: float
    lines: tuple[Line, ...]
    tables: tuple[Table, ...] = ()
    frames: tuple[Frame, ...] = ()
    """Painted boxes."""
    rules: tuple[Rule, ...] = ()

    @property
    def words(self) -> int:
        """How many words stand in its lines."""
        return sum(len(line.words) for line in self.lines)


@dataclass(frozen=True)
class Paragraph:
    """Lines that were written as one: a paragraph, list item, heading or table row."""

    text: str
    size: float = 0.0
    bold: bool = False
    lines: int = 1
    row: bool = False
    """It is a row of a table."""
    mono: bool = False
    x0: float = 0.0
    x1: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    aside: bool = False
    """It stands in a coloured box beside the text."""


# --- reading order -----------------------------------------------------------------------


class _Box(NamedTuple):
    """Something that is read in one go."""

    x0: float
    x1: float
    top: float
    bottom: float
    lines: tuple[Line, ...]
    table: Table | None = None


_MANY_LINES = 800
"""More pieces of text than a page of prose has: a drawing, whose labels have no order."""
_MANY_BOXES = 100


def _overlap(a: _Box | Line, b: _Box | Line) -> bool:
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5


def _boxes(lines: Sequence[Line]) -> list[_Box]:
    """Lines that follow one another with no choice: each has one next and one before."""
    if len(lines) > _MANY_LINES:
        return [_box((line,)) for line in lines]
    below: dict[int, list[int]] = defaultdict(list)
    above: dict[int, list[int]] = defaultdict(list)
    order = sorted(range(len(lines)), key=lambda index: lines[index].baseline)
    for rank, index in enumerate(order):
        line = lines[index]
        nearest: float | None = None
        for other_index in order[rank + 1 :]:
            other = lines[other_index]
            if nearest is not None and other.baseline > nearest + 0.5 * line.size:
                break
            if _overlap(line, other) and other.baseline > line.baseline + 0.2 * line.size:
                nearest = other.baseline if nearest is None else nearest
                below[index].append(other_index)
    for index, others in below.items():
        for other_index in others:
            above[other_index].append(index)
    follows: dict[int, int] = {}
    for index, others in below.items():
        if len(others) != 1:
            continue
        line, following = lines[index], lines[others[0]]
        # What stands above the next one without touching this one begins elsewhere.
        near = [i for i in above[others[0]] if lines[i].bottom > line.top]
        close = following.baseline - line.baseline < 2.4 * max(line.size, following.size)
        alike = 0.75 < line.size / following.size < 1.34
        if near == [index] and close and alike:
            follows[index] = others[0]
    started = set(follows.values())
    boxes = []
    for index in order:
        if index in started:
            continue
        chain = [lines[index]]
        at = index
        while at in follows:
            at = follows[at]
            chain.append(lines[at])
        boxes.append(_box(tuple(chain)))
    return boxes


def _box(lines: tuple[Line, ...]) -> _Box:
    return _Box(
        min(line.x0 for line in lines),
        max(line.x1 for line in lines),
        min(line.top for line in lines),
        max(line.bottom for line in lines),
        lines,
    )


def _in_order(boxes: list[_Box], rules: Sequence[Rule] = ()) -> list[_Box]:
    """Sort boxes as they are read: down a column, then the next column.

    Source: the two rules of T. M. Breuel, "High performance document layout
    analysis", 2003, sorted topologically.
    """
    boxes = sorted(boxes, key=lambda box: (box.top, box.x0))
    if len(boxes) > _MANY_BOXES:
        return boxes
    before: list[set[int]] = [set() for _ in boxes]
    for a_index, a in enumerate(boxes):
        for b_index, b in enumerate(boxes):
            if a_index != b_index and _reads_before(a, b, boxes, rules):
                before[b_index].add(a_index)
    ordered: list[_Box] = []
    left = list(range(len(boxes)))
    while left:
        free = [index for index in left if not before[index] & set(left)]
        following = (free or left)[0]
        ordered.append(boxes[following])
        left.remove(following)
    return ordered


def _reads_before(a: _Box, b: _Box, boxes: Sequence[_Box], rules: Sequence[Rule]) -> bool:
    if _overlap(a, b):
        return a.top < b.top
    if _ruled_apart(a, b, rules):
        # As in a table: a name on the left goes with what stands beside it.
        left, right = (a, b) if a.x0 < b.x0 else (b, a)
        return (left.top < right.bottom - 2) == (a is left)
    if a.x1 > b.x0 + 0.5:
        return False
    beside = min(a.bottom, b.bottom) - max(a.top, b.top) > 0
    if not beside and len(a.lines) == len(b.lines) == 1:
        return a.top < b.top
    upper, lower = min(a.top, b.top), max(a.bottom, b.bottom)
    if beside:
        upper, lower = max(a.top, b.top), min(a.bottom, b.bottom)
    return not any(
        c is not a
        and c is not b
        and _overlap(a, c)
        and _overlap(b, c)
        and (c.top + c.bottom) / 2 > upper
        and (c.top + c.bottom) / 2 < lower
        for c in boxes
    )


def _ruled_apart(a: _Box, b: _Box, rules: Sequence[Rule]) -> bool:
    left, right = (a, b) if a.x0 < b.x0 else (b, a)
    return any(
        left.x1 - 1 <= rule.x <= right.x0 + 1
        and rule.bottom > max(left.top, right.top)
        and rule.top < min(left.bottom, right.bottom)
        for rule in rules
    ) or any(
        # The rule is drawn in pieces, row by row.
        left.x1 - 1 <= rule.x <= right.x0 + 1 and rule.top < left.bottom and rule.bottom > left.top
        for rule in rules
    )


# --- tables without rules ----------------------------------------------------------------


def aligned_tables(lines: Sequence[Line]) -> tuple[list[Table], list[Line]]:
    """Find tables that nothing but the alignment of their cells makes.

    At least three rows in a row whose pieces keep to the same columns; prose
    in columns is told from it by its many words and by lines that do not
    share their baselines.

    Returns:
        The tables, and the lines that belong to none.
    """
    if len(lines) > _MANY_LINES:
        return [], list(lines)
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.baseline, line.x0)):
        if rows and line.baseline - rows[-1][0].baseline <= 0.2 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        row.sort(key=lambda line: line.x0)
    tables: list[Table] = []
    rest: list[Line] = []
    start = 0
    while start < len(rows):
        group = _group(rows[start:])
        columns = _columns(group)
        if _is_table(group, columns):
            tables.append(_aligned_table(group, columns))
            start += len(group)
        else:
            rest += rows[start]
            start += 1
    return tables, rest


def _group(rows: Sequence[list[Line]]) -> list[list[Line]]:
    """The rows from the first one on that may be one table.

    A piece alone in its row goes on with a cell of the row above.
    """
    if len(rows[0]) < 2:
        return []
    group = [rows[0]]
    starts = [line.x0 for line in rows[0]]
    for row in rows[1:]:
        em = row[0].size
        step = row[0].baseline - group[-1][0].baseline
        goes_on = len(row) == 1 and any(abs(row[0].x0 - x0) < 0.3 * em for x0 in starts[1:])
        aligned = len(row) > 1 and abs(row[-1].x0 - starts[-1]) < 0.3 * em
        if step > (4 if aligned else 1.6 if goes_on else 2.6) * em or not (goes_on or len(row) > 1):
            break
        group.append(row)
    while len(group[-1]) == 1 and len(group) > 1 and _BEGINS.match(group[-1][0].text):
        group.pop()
    return group


def _columns(rows: Sequence[Sequence[Line]]) -> list[tuple[float, float]]:
    """The intervals that the pieces of all rows leave between free strips."""
    columns: list[tuple[float, float]] = []
    for x0, x1 in sorted((line.x0, line.x1) for row in rows for line in row):
        if columns and x0 - columns[-1][1] < 2:
            columns[-1] = (columns[-1][0], max(columns[-1][1], x1))
        else:
            columns.append((x0, x1))
    return columns


def _is_table(rows: Sequence[Sequence[Line]], columns: Sequence[tuple[float, float]]) -> bool:
    full = [row for row in rows if len(row) > 1]
    if len(full) < 3 or len(columns) < 2:
        return False
    lines = [line for row in rows for line in row]
    if any(BULLET.match(line.text) for line in lines):
        return False
    full_lines = sum(len(row) for row in full)
    if full_lines < 0.6 * len(full) * len(columns):
        return False
    cells = [[line for line in lines if x0 - 1 <= line.x0 <= x1] for x0, x1 in columns]
    if len(full) < len(rows):  # names on the left, longer text on the right
        labels = cells[0]
        words = sum(len(line.words) for line in labels) / len(labels)
        return len(columns) == 2 and words <= 3 and not _is_prose(labels)
    if any(_is_prose(column) for column in cells):
        return False
    words = sum(len(line.words) for line in lines) / len(lines)
    return words <= (4 if len(columns) > 2 else 3)


def _is_prose(lines: Sequence[Line]) -> bool:
    """Whether the lines of a column fill it, as those of a paragraph do."""
    widths = [line.x1 - line.x0 for line in lines]
    words = sum(len(line.words) for line in lines) / len(lines)
    return words > 3.5 and median(widths) > 0.85 * max(widths)


def _aligned_table(rows: Sequence[Sequence[Line]], columns: Sequence[tuple[float, float]]) -> Table:
    table: list[list[tuple[Line, ...]]] = []
    for row in rows:
        cells = [tuple(line for line in row if x0 - 1 <= line.x0 <= x1) for x0, x1 in columns]
        if len(row) == 1 and table:
            table[-1] = [above + cell for above, cell in zip(table[-1], cells, strict=True)]
        else:
            table.append(cells)
    bottom = max(line.bottom for line in rows[-1])
    cells_of_rows = tuple(tuple(row) for row in table)
    return Table(cells_of_rows, columns[0][0], columns[-1][1], rows[0][0].top, bottom)


# --- lines to paragraphs -----------------------------------------------------------------


def paragraphs_of(
    page: Page, mend: Callable[[str, str], str], *, slide: bool = False
) -> list[Paragraph]:
    """The paragraphs, list items, headings and table rows of a page, in reading order.

    A coloured box beside the text comes after it.

    Args:
        page: Without running lines and tables of contents.
        mend: Joins the end of a line and the beginning of the next, see `Mender`.
        slide: It is one: labels that happen to be in line with one another are
            no table, and no box is beside the text.
    """
    asides = [] if slide else _asides(page)
    beside = [[line for line in page.lines if frame.holds(line)] for frame in asides]
    held = {id(line) for lines in beside for line in lines}
    lines = [line for line in page.lines if id(line) not in held]
    found = _flow(lines, page.tables, mend, aligned=not slide, rules=page.rules)
    for inside in beside:
        within = _flow(inside, (), mend, aligned=True)
        found += [replace(paragraph, aside=True) for paragraph in within]
    return found


def _asides(page: Page) -> list[Frame]:
    """The painted boxes that running text passes by."""
    asides: list[Frame] = []
    for frame in page.frames:
        inside = [line for line in page.lines if frame.holds(line)]
        passing = [
            line
            for line in page.lines
            if (line.x0 > frame.x1 or line.x1 < frame.x0)
            and frame.top < line.baseline < frame.bottom
            and len(line.words) > 3
        ]
        overlapping = any(
            frame.x0 < other.x1 and other.x0 < frame.x1
            and frame.top < other.bottom and other.top < frame.bottom
            for other in asides
        )  # fmt: skip
        if len(inside) > 2 and len(passing) > 4 and not overlapping:
            asides.append(frame)
    return asides


def _flow(
    lines: Sequence[Line],
    ruled: Sequence[Table],
    mend: Callable[[str, str], str],
    *,
    aligned: bool,
    rules: Sequence[Rule] = (),
) -> list[Paragraph]:
    """Lines and tables as paragraphs, in reading order."""
    tables, lines = aligned_tables(lines) if aligned else ([], list(lines))
    boxes = _boxes(lines)
    boxes += [_Box(t.x0, t.x1, t.top, t.bottom, (), t) for t in (*ruled, *tables)]
    leading = _leading(boxes)
    found: list[Paragraph] = []
    open_lines: list[Line] = []

    def close() -> None:
        if open_lines:
            found.append(_paragraph(open_lines, mend))
            open_lines.clear()

    for box in _in_order(boxes, rules):
        if box.table:
            close()
            for row in box.table.rows:
                if box.table.layout:
                    for cell in row:
                        found += _flow(cell, (), mend, aligned=False)
                    continue
                texts = ([line.text for line in cell] for cell in row if cell)
                text = " | ".join(fold(reduce(mend, cell)) for cell in texts)
                found.append(
                    Paragraph(text, row=True, x0=box.x0, x1=box.x1, top=box.top, bottom=box.bottom)
                )
            continue
        for line in box.lines:
            fresh = line is box.lines[0]
            if open_lines and (
                _begins_elsewhere(open_lines, line)
                if fresh
                else _begins(open_lines, line, leading, box.x1)
            ):
                close()
            open_lines.append(line)
    close()
    return found


def _leading(boxes: Iterable[_Box]) -> dict[float, float]:
    """The usual distance of baselines, by type size."""
    steps: dict[float, list[float]] = defaultdict(list)
    for box in boxes:
        for a, b in pairwise(box.lines):
            steps[round(b.size)].append(round(b.baseline - a.baseline, 1))
    return {size: _usual(found) for size, found in steps.items()}


def _usual(steps: Sequence[float]) -> float:
    (value, count), *_ = Counter(round(step * 2) / 2 for step in steps).most_common(1)
    return value if count > 1 else min(steps)


def _begins(lines: Sequence[Line], line: Line, leading: dict[float, float], edge: float) -> bool:
    """Whether a line under the last one begins a paragraph of its own."""
    last, first = lines[-1], lines[0]
    em = line.size
    text = line.text
    if line.mono or last.mono:
        return True
    if abs(last.size - em) > 0.08 * max(last.size, em):
        return True
    if text[0] in RAISED_FIGURES:
        return True
    room = max(edge, *(each.x1 for each in lines)) - last.x1
    fits = line.words[0].x1 - line.words[0].x0 + 0.3 * em < room
    if BULLET.match(text) or (NUMBERED.match(text) and (fits or not _mid_sentence(last.text))):
        return True
    step = line.baseline - last.baseline
    usual = min(leading.get(round(em), 1.3 * em), 2.2 * em)
    goes_on = not _ENDS.search(last.text) and not _BEGINS.match(text)
    if step > (1.7 if goes_on else 1.25) * usual + 0.5:
        return True
    if last.bold != line.bold and (_ENDS.search(last.text) or fits):
        return True
    if fits and _SUBSECTION.match(text):
        return True
    in_item = bool(BULLET.match(first.text) or NUMBERED.match(first.text))
    if in_item and line.x0 < first.x0 - 0.3 * em:
        return True
    if goes_on:
        return False
    if _ENDS.search(last.text) and _BEGINS.match(text):
        indented = line.x0 - last.x0 > 0.8 * em and not in_item
        return fits or indented
    width = max(each.x1 for each in lines) - first.x0
    return bool(_BEGINS.match(text)) and fits and room > 0.3 * max(width, edge - first.x0)


def _begins_elsewhere(lines: Sequence[Line], line: Line) -> bool:
    """Whether the first line of another column or box begins a paragraph of its own."""
    last = lines[-1]
    if line.mono or last.mono or _ENDS.search(last.text) or line.top > last.top:
        return True
    if last.bold != line.bold or abs(last.size - line.size) > 0.08 * line.size:
        return True
    return not line.text[0].islower()


def _mid_sentence(text: str) -> bool:
    return not _ENDS.search(text) and text[-1] not in ",)"


def _paragraph(lines: Sequence[Line], mend: Callable[[str, str], str]) -> Paragraph:
    text = ""
    for line in lines:
        text = mend(text, line.text) if text else line.text
    letters = Counter[float]()
    for line in lines:
        letters[line.size] += len(line.text)
    return Paragraph(
        text=fold(text),
        size=letters.most_common(1)[0][0],
        bold=all(line.bold for line in lines),
        lines=len(lines),
        mono=lines[0].mono,
        x0=min(line.x0 for line in lines),
        x1=max(line.x1 for line in lines),
        top=min(line.top for line in lines),
        bottom=max(line.bottom for line in lines),
    )
