"""Which paragraphs of a PDF are headings, and which pages are slides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

from ingest.loaders.pdf_layout import BULLET, NUMBERED, Page, Paragraph
from ingest.loaders.pdf_lines import RAISED_FIGURES
from rag.text import letters_digits

_HEADING_NUMBER = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,5})\.?\s+(?=[^\W\d_])")
_CAPTION = re.compile(
    r"^(?:fig(?:ure|ura)?|tab(?:le|elle|la|\.)|abb(?:ildung)?|ilustración)\.?\s*\d", re.IGNORECASE
)


class Bookmark(NamedTuple):
    """An entry of the outline that a viewer shows beside the pages."""

    title: str
    page: int
    level: int
    """0 is the outermost."""


@dataclass(frozen=True)
class Heading:
    """A heading with what tells its rank."""

    text: str
    size: float
    bold: bool
    number: tuple[str, ...] = ()
    level: int | None = None
    """That of its bookmark."""

    def contains(self, other: Heading) -> bool:
        """Whether the other heading stands under this one."""
        if self.level is not None and other.level is not None:
            return self.level < other.level
        if other.number and not self.number and len(other.number) == 1:
            return False  # chapters stand under nothing
        if self.number and other.number:
            return self.number == other.number[: len(self.number)] and self.number != other.number
        if abs(self.size - other.size) > 0.04 * self.size:
            return self.size > other.size
        return self.bold and not other.bold


def heading_of(
    paragraph: Paragraph, body: float, bookmarks: Sequence[Bookmark] = ()
) -> Heading | None:
    """Tell a heading from a paragraph: by its bookmark, type or number.

    Args:
        paragraph: As it stands on its page.
        body: The type size of the running text.
        bookmarks: Those that lead to this page.
    """
    text = paragraph.text
    words = text.split()
    if paragraph.row or not re.search(r"[^\W\d_]{3}", text):
        return None
    found = _HEADING_NUMBER.match(text)
    number = tuple(found.group(1).split(".")) if found else ()
    heading = Heading(text, paragraph.size, paragraph.bold, number)
    key = letters_digits(text)
    for bookmark in bookmarks:
        if key and key in (
            letters_digits(bookmark.title),
            letters_digits(_unnumbered(bookmark.title)),
        ):
            return replace(heading, level=bookmark.level)
    if (
        paragraph.mono
        or len(words) > 25
        or BULLET.match(text)
        or (NUMBERED.match(text) and not number)
        or _CAPTION.match(text)
        or "@" in text
        or "://" in text
        or text[0] in f"({RAISED_FIGURES}"
    ):
        return None
    full_stop = text.endswith((".", ",", ";"))
    if paragraph.size > 1.14 * body:
        return None if full_stop and len(words) > 6 else heading
    if full_stop or paragraph.size < 0.96 * body or paragraph.lines > 2:
        return None
    if paragraph.bold and len(words) <= 14:
        return heading
    capitals = text.upper() == text and len(words) > 1
    return heading if number and (capitals or len(number) > 1) and len(words) <= 14 else None


def heads_something(paragraph: Paragraph, paragraphs: Sequence[Paragraph], height: float) -> bool:
    """Whether text follows below, near enough; nothing does below a quotation in the margin."""
    if paragraph.bottom > 0.8 * height:
        return True  # it does on the next page
    return any(
        other.top >= paragraph.bottom - 1
        and other.top - paragraph.bottom < 5 * max(paragraph.size, 10)
        and min(paragraph.x1, other.x1) - max(paragraph.x0, other.x0) > 0
        for other in paragraphs
    )


def _unnumbered(title: str) -> str:
    """A bookmark's title without its number, which the page may set apart."""
    return re.sub(r"^[\d.]+\s+", "", title)


# --- slides ------------------------------------------------------------------------------


def are_slides(pages: Sequence[Page]) -> bool:
    """Whether most pages are wider than high, in large type and with few words."""
    lettered = [page for page in pages if page.lines]
    if not lettered:
        return False
    wide = [page for page in lettered if page.width > page.height and page.words < 250]
    if len(wide) < 0.6 * len(lettered):
        return False
    return median(_size_share(page) for page in wide) > 0.018


def _size_share(page: Page) -> float:
    sizes = sorted(line.size for line in page.lines for _ in line.words)
    return sizes[len(sizes) // 2] / page.height


def slide_title(page: Page, paragraphs: Sequence[Paragraph]) -> int | None:
    """Return which paragraph is the title of a slide: large, and nearest to its top."""
    texts = [p for p in paragraphs if not p.row and any(c.isalpha() for c in p.text)]
    if not texts:
        return None
    usual = median(p.size for p in texts)
    largest = max(p.size for p in texts)
    if len(texts) > 2 and largest < 1.1 * usual:
        large = [p for p in texts if p.bold and p.top < 0.3 * page.height]
    else:
        large = [p for p in texts if p.size >= 0.85 * largest and len(p.text.split()) <= 25]
    if not large:
        return None
    title = min(large, key=lambda p: p.top)
    return next(index for index, p in enumerate(paragraphs) if p is title)
