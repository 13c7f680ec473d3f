"""What is printed on a page, glyph by glyph, as lines of words.

Pure: it knows positions, sizes and weights, and no file format. Lengths are
points, counted from the top left corner of a page. Thresholds are multiples of
the type size, so that they hold for a poster and for a footnote.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

_WIDE = 0.8
"""Ems between two pieces of a row from which on they may belong to two columns."""
_MARKER = re.compile(r"^(?:[●○■•▪◦‣·–—➢✓*-]|→|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])$")
_SECTION_NUMBER = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,5})\.?$")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
RAISED_FIGURES = "⁰¹²³⁴⁵⁶⁷⁸⁹"


class Glyph(NamedTuple):
    """A printed character."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    baseline: float
    size: float
    bold: bool = False
    mono: bool = False
    artifact: bool = False
    """The file itself marks it as decoration: a running head, a page number."""


class Word(NamedTuple):
    """Characters without space between them."""

    text: str
    x0: float
    x1: float


@dataclass(frozen=True)
class Line:
    """A piece of a row that belongs to one column."""

    words: tuple[Word, ...]
    top: float
    bottom: float
    baseline: float
    size: float
    bold: bool = False
    """Every word is."""
    mono: bool = False
    artifact: bool = False

    @cached_property
    def text(self) -> str:
        """The words, with single spaces."""
        return " ".join(word.text for word in self.words)

    @property
    def x0(self) -> float:
        """The left edge."""
        return self.words[0].x0

    @property
    def x1(self) -> float:
        """The right edge."""
        return max(word.x1 for word in self.words)


class Rule(NamedTuple):
    """An upright line that keeps columns apart."""

    x: float
    top: float
    bottom: float


def lines_of(glyphs: Iterable[Glyph], rules: Sequence[Rule] = ()) -> list[Line]:
    """Put the characters of a page, or of a cell, together to lines.

    Columns stay apart: a row that a gutter or a rule crosses becomes several lines.
    Raised and lowered figures are written as such (`²`), so that the number of
    a footnote never runs into a word.

    Returns:
        Lines from top to bottom and left to right; not yet in reading order.
    """
    runs = list(_runs(glyphs))
    spaces = sum(glyph.text.isspace() for run in runs for glyph in run)
    letters = sum(len(run) for run in runs)
    # Where the file writes its spaces, a gap of the same width may be letter spacing.
    space = 0.2 if letters and spaces / letters > 0.05 else 0.17
    rows = _attach_small([_pieces(row, space) for row in _rows(runs)])
    return [line for row in _join_rows(rows, rules) for line in row]


def _runs(glyphs: Iterable[Glyph]) -> Iterator[list[Glyph]]:
    """Characters printed one after another, in the order of the file.

    Text over text, as slides have it, would be shuffled by sorting characters.
    """
    run: list[Glyph] = []
    for glyph in glyphs:
        if run:
            last = run[-1]
            em = max(last.size, glyph.size)
            if (
                abs(glyph.baseline - last.baseline) <= 0.1 * em
                and -0.3 * em <= glyph.x0 - last.x1 <= _WIDE * em
                and glyph.size > 0.75 * last.size
                and last.size > 0.75 * glyph.size
            ):
                run.append(glyph)
                continue
            if not all(each.text.isspace() for each in run):
                yield _trim(run)
        run = [glyph]
    if run and not all(each.text.isspace() for each in run):
        yield _trim(run)


def _trim(run: list[Glyph]) -> list[Glyph]:
    """Without the spaces at the ends: their width says nothing."""
    start, end = 0, len(run)
    while run[start].text.isspace():
        start += 1
    while run[end - 1].text.isspace():
        end -= 1
    return run[start:end]


def _rows(runs: Sequence[list[Glyph]]) -> list[list[list[Glyph]]]:
    """Runs that share a baseline, each row from left to right."""
    rows: list[list[list[Glyph]]] = []
    for run in sorted(runs, key=lambda run: run[0].baseline):
        row = rows[-1] if rows else None
        if row and run[0].baseline - row[0][0].baseline <= 0.2 * min(run[0].size, row[0][0].size):
            row.append(run)
        else:
            rows.append([run])
    for row in rows:
        row.sort(key=lambda run: run[0].x0)
    return rows


def _pieces(row: Sequence[list[Glyph]], space: float) -> list[Line]:
    """Join the runs of a row wherever the gap is narrow."""
    pieces: list[list[Glyph]] = []
    for run in row:
        if pieces:
            last = pieces[-1][-1]
            em = min(last.size, run[0].size)
            gap = run[0].x0 - last.x1
            if _printed_twice(pieces[-1], run):
                continue
            if -0.3 * em <= gap <= _WIDE * em:
                pieces[-1] += run
                continue
        pieces.append(list(run))
    return [_line(piece, space) for piece in pieces]


def _printed_twice(printed: Sequence[Glyph], run: Sequence[Glyph]) -> bool:
    """Whether a run stands on itself, as imitated bold type does."""
    same = [glyph for glyph in printed if abs(glyph.x0 - run[0].x0) < 0.15 * glyph.size]
    return bool(same) and "".join(g.text for g in printed if g.x0 >= same[0].x0).strip().startswith(
        "".join(g.text for g in run)
    )


def _line(glyphs: Sequence[Glyph], space: float) -> Line:
    words: list[Word] = []
    text, x0, x1 = "", 0.0, 0.0
    spaced = False
    for glyph in glyphs:
        if glyph.text.isspace():
            spaced = True
            continue
        gap = glyph.x0 - x1
        if text and (gap > space * glyph.size or (spaced and gap > 0.05 * glyph.size)):
            words.append(Word(text, x0, x1))
            text = ""
        if not text:
            x0, x1 = glyph.x0, glyph.x1
        text += glyph.text
        x1 = max(x1, glyph.x1)
        spaced = False
    words.append(Word(text, x0, x1))
    inked = [glyph for glyph in glyphs if not glyph.text.isspace()]
    if words[0].text == "o" and inked[0].mono and (len(words) == 1 or not inked[-1].mono):
        # Word processors borrow the letter for the bullet of a second level.
        words[0] = words[0]._replace(text="◦")
    sizes = Counter(round(glyph.size, 1) for glyph in inked)
    # Of small capitals, the large ones give the size.
    share = 0.03 if all(word.text.isupper() for word in words) else 0.1
    size = max(size for size, count in sizes.items() if count >= share * len(inked))
    return Line(
        words=tuple(words),
        top=min(glyph.top for glyph in inked),
        bottom=max(glyph.bottom for glyph in inked),
        baseline=glyphs[0].baseline,
        size=size,
        bold=all(glyph.bold for glyph in inked if glyph.text.isalnum()),
        mono=all(glyph.mono for glyph in inked),
        artifact=all(glyph.artifact for glyph in inked),
    )


def _attach_small(rows: list[list[Line]]) -> list[list[Line]]:
    """Give raised and lowered characters back to the word they stand at."""
    result: list[list[Line]] = [list(row) for row in rows]
    for index, row in enumerate(rows):
        for small in row:
            if len(small.text) > 6 or len(small.words) > 1:
                continue
            found = _beside(result, index, small)
            if found is None:
                continue
            target, place = found
            grown = _with_small(result[target][place], small)
            result[target][place] = grown
            result[index] = [line for line in result[index] if line is not small]
    return [row for row in result if row]


def _beside(rows: Sequence[Sequence[Line]], index: int, small: Line) -> tuple[int, int] | None:
    for target in range(max(0, index - 3), min(len(rows), index + 4)):
        for place, line in enumerate(rows[target]):
            raised = line.baseline - small.baseline
            if (
                line is not small
                and small.size < 0.8 * line.size
                and -0.35 * line.size < raised < 0.7 * line.size
                and abs(raised) > 0.05 * line.size
                and line.x0 - 2.5 * line.size <= small.x0 <= line.x1 + 0.4 * line.size
            ):
                return target, place
    return None


def _with_small(line: Line, small: Line) -> Line:
    figures = _RAISED if small.baseline < line.baseline else _LOWERED
    text = small.text.translate(figures)
    before = [word for word in line.words if word.x0 < small.x0]
    after = line.words[len(before) :]
    mark = Word(text, small.words[0].x0, small.words[-1].x1)
    if not before:
        return replace(line, words=(mark, *after))
    if after and after[0].x0 - mark.x1 < 0.15 * line.size:
        # The full stop behind it.
        mark = Word(text + after[0].text, mark.x0, after[0].x1)
        after = after[1:]
    last = before[-1]
    # A number at the end of a word is not part of it, and must not be found with it.
    apart = text != small.text and small.baseline < line.baseline and _is_word(last.text)
    if apart or mark.x0 - last.x1 > 0.3 * line.size:
        before.append(mark)
    else:
        before[-1] = Word(last.text + mark.text, last.x0, max(last.x1, mark.x1))
    return replace(line, words=(*before, *after))


def _is_word(text: str) -> bool:
    return bool(re.search(r"[^\W\d_]{3}$", text))


def _join_rows(rows: Sequence[Sequence[Line]], rules: Sequence[Rule]) -> list[list[Line]]:
    """Join the pieces of each row, except across a gutter or a rule."""
    joined = []
    for index, row in enumerate(rows):
        lines = [row[0]]
        for piece in row[1:]:
            left = lines[-1]
            ruled = any(
                left.x1 - 1 <= rule.x <= piece.x0 + 1 and rule.top <= left.baseline <= rule.bottom
                for rule in rules
            )
            if not ruled and _one_line(left, piece, rows, index):
                lines[-1] = _joined(left, piece)
            else:
                lines.append(piece)
        joined.append(lines)
    return joined


def _one_line(left: Line, right: Line, rows: Sequence[Sequence[Line]], index: int) -> bool:
    """Whether two pieces of a row are one line with a wide space, as justified text has."""
    em = max(left.size, right.size)
    gap = right.x0 - left.x1
    if -em < gap < _WIDE * em and left.words[-1].text[-1] in RAISED_FIGURES:
        return True
    if gap < 0:  # one on top of the other
        return False
    if _MARKER.match(left.text) or _SECTION_NUMBER.match(left.text):
        return gap < 6 * em
    if max(left.size, right.size) > 1.15 * min(left.size, right.size):
        return False  # a heading beside the text of another column
    taken: list[tuple[float, float]] = []
    for step in (-1, 1):
        beside, columns = _neighbours(left, right, rows, index, step)
        # The last row of a table has prose below it, so either side will do.
        if columns and _free_width(left.x1, right.x0, beside) >= _WIDE * em:
            return False
        taken += beside
    return _free_width(left.x1, right.x0, taken) < 2 * em


def _neighbours(
    left: Line, right: Line, rows: Sequence[Sequence[Line]], index: int, step: int
) -> tuple[list[tuple[float, float]], bool]:
    """Where the rows above or below have words, and whether they keep to the same columns."""
    taken: list[tuple[float, float]] = []
    columns = 0
    em = max(left.size, right.size)
    position = index + step
    while 0 <= position < len(rows):
        row = rows[position]
        if abs(row[0].baseline - left.baseline) > 4 * em:
            break
        words = [word for line in row for word in line.words]
        taken += [(word.x0, word.x1) for word in words]
        columns += any(abs(line.x0 - right.x0) < 0.2 * em for line in row)
        position += step
    return taken, columns > 1


def _free_width(start: float, end: float, taken: Iterable[tuple[float, float]]) -> float:
    """The widest part of an interval that nothing is printed in."""
    widest, at = 0.0, start
    for x0, x1 in sorted(taken):
        if x1 <= start or x0 >= end:
            continue
        widest = max(widest, x0 - at)
        at = max(at, x1)
    return max(widest, end - at)


def _joined(left: Line, right: Line) -> Line:
    words = left.words + right.words
    last, first = left.words[-1], right.words[0]
    if last.text[-1] in RAISED_FIGURES and first.text[0] in ".,;:)":
        both = Word(last.text + first.text, last.x0, first.x1)
        words = (*left.words[:-1], both, *right.words[1:])
    return Line(
        words=words,
        top=min(left.top, right.top),
        bottom=max(left.bottom, right.bottom),
        baseline=left.baseline,
        size=right.size if _MARKER.match(left.text) else max(left.size, right.size),
        bold=right.bold if _MARKER.match(left.text) else left.bold and right.bold,
        mono=left.mono and right.mono,
        artifact=left.artifact and right.artifact,
    )
