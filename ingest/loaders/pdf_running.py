"""What is printed on every page, or leads to other pages, and is no content.

Running heads and feet, page numbers, tables of contents.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ingest.loaders.pdf_layout import Page
from ingest.loaders.pdf_lines import Line

# To a page number: a form has the same dots and strokes, to be written on.
_LEADERS = re.compile(r"(?:\.{4,}|(?:\.\s){4,}|…{2,}|_{4,})\s*[\divxlc]+$", re.IGNORECASE)
_ENDS_IN_NUMBER = re.compile(r"\s\d{1,3}$")


def without_running_lines(pages: Sequence[Page]) -> list[Page]:
    """Drop running heads, running feet and page numbers.

    A line runs when it stands at the same height of the margin on several
    pages with the same words, a number that counts the pages aside; a larger
    one has to do so on most pages, because slides repeat their titles.
    """
    body = body_size(pages)
    seen: dict[tuple[str, int], set[int]] = defaultdict(set)
    for page in pages:
        for line in page.lines:
            if _in_margin(line, page):
                for name in _running_names(line.text, page.number):
                    for height in _heights(line):
                        seen[name, height].add(page.number)
    few = 2 if len(pages) < 5 else 3
    # A page turned sideways has the same line at another height.
    times_of: Counter[str] = Counter()
    for (name, _), numbers in seen.items():
        times_of[name] = max(times_of[name], len(numbers))
    cleaned = []
    for page in pages:
        kept = []
        for line in page.lines:
            if _in_margin(line, page):
                times = max(times_of[name] for name in _running_names(line.text, page.number))
                large = line.size > 1.15 * body
                if line.artifact or times >= (max(few, 0.6 * len(pages)) if large else few):
                    continue
            kept.append(line)
        cleaned.append(replace(page, lines=tuple(kept)))
    cleaned = _without_page_numbers(cleaned)
    if not any(page.lines or page.tables for page in cleaned):
        return list(pages)  # then it is all that the document says
    return cleaned


def _without_page_numbers(pages: Sequence[Page]) -> list[Page]:
    """Drop figures that count the pages, first or last on each, wherever the margin begins."""
    counted: dict[int, list[tuple[int, Line]]] = defaultdict(list)
    for index, page in enumerate(pages):
        lines = sorted(page.lines, key=lambda line: line.baseline)
        for line in {id(line): line for line in (*lines[:1], *lines[-1:])}.values():
            if found := re.match(r"^\W*(\d{1,4})\W*$", line.text):
                counted[page.number - int(found.group(1))].append((index, line))
    cleaned = list(pages)
    for group in counted.values():
        if len(group) > 2:
            for index, line in group:
                kept = tuple(each for each in cleaned[index].lines if each is not line)
                cleaned[index] = replace(cleaned[index], lines=kept)
    return cleaned


def _in_margin(line: Line, page: Page) -> bool:
    return line.bottom < 0.12 * page.height or line.top > 0.88 * page.height


def _heights(line: Line) -> tuple[int, int]:
    """Two overlapping steps of height, so that a hair's breadth never matters."""
    return 2 * int(line.baseline / 6), 2 * int((line.baseline + 3) / 6) + 1


def _running_names(text: str, page: int) -> list[str]:
    """What a line would be called on each page it runs on: its words, its numbers counting on.

    "Page 3 of 60" is one line with "Page 4 of 60" of the next page; "Article 3" and
    "Article 5" at the top of two pages are not.
    """
    line = text.lower()
    names = [line]
    for number in re.finditer(r"\d{1,4}", line):
        masked = f"{line[: number.start()]}#{line[number.end() :]}"
        names.append(f"{masked}{int(number.group()) - page:+d}")
    if re.fullmatch(r"\W*[ivxl]+\W*", line):
        names.append("roman")
    return names


def body_size(pages: Sequence[Page]) -> float:
    """The size most letters are set in."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def without_contents(pages: Sequence[Page]) -> list[Page]:
    """Drop tables of contents: lines that lead to a page number, and their heading."""
    cleaned = []
    listing = False
    for page in pages:
        lines = sorted(page.lines, key=lambda line: (line.baseline, line.x0))
        entry = _entries_of_contents(lines, going_on=listing)
        drop = set(entry)
        listing = bool(entry) and max(entry) >= len(lines) - 2
        if entry:
            first = min(entry)
            # The heading of the list goes with it.
            above = lines[first - 1] if first else lines[0]
            larger = above.size > 1.05 * lines[first].size
            if first and (larger or (above.bold and len(above.words) < 5)):
                drop.add(first - 1)
        kept = tuple(line for index, line in enumerate(lines) if index not in drop)
        cleaned.append(replace(page, lines=kept) if drop else page)
    return cleaned


def _entries_of_contents(lines: Sequence[Line], *, going_on: bool) -> set[int]:
    """The lines of a page that are entries of a table of contents, by their index."""
    dotted = {index for index, line in enumerate(lines) if _LEADERS.search(line.text)}
    numbered = [
        index for index, line in enumerate(lines) if index in dotted or _leads_to_page(line, lines)
    ]
    values = [int(found.group()) for i in numbered if (found := re.search(r"\d+$", lines[i].text))]
    rising = bool(values) and all(a <= b for a, b in pairwise(values))
    # Without dots it takes more of them, in rising order, to be sure.
    if len(dotted) < 2 and not (rising and len(numbered) >= (2 if going_on else 5)):
        return set()
    entries = set(numbered)
    # What stands between two entries is the first line of a long one.
    for first, second in pairwise(sorted(entries)):
        if second - first <= 3:
            entries.update(range(first, second))
    if going_on and entries and min(entries) <= 2:
        entries.update(range(min(entries)))
    return entries


def _leads_to_page(line: Line, lines: Sequence[Line]) -> bool:
    if not _ENDS_IN_NUMBER.search(line.text) or len(line.words) < 2:
        return False
    edge = max(each.x1 for each in lines)
    gap = line.words[-1].x0 - line.words[-2].x1
    return gap > 1.2 * line.size and edge - line.x1 < 1.5 * line.size
