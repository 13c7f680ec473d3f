"""PDF files: text by page, page numbers as a reader's viewer counts them.

Every section has one page. A section that runs on over a page border goes on
as another section with the same heading path; its first block is then no
heading line, because none is printed there.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

import pdfplumber
import pypdf
from pdfminer.psexceptions import PSException
from pdfplumber.utils.exceptions import MalformedPDFException, PdfminerException
from pypdf.errors import PyPdfError

from ingest.boilerplate import is_boilerplate, is_of_its_making
from ingest.loaders import ocr
from ingest.loaders.item_tables import ItemColumns, ItemTable, read_item_table
from ingest.loaders.mender import Mender
from ingest.loaders.pdf_headings import (
    Bookmark,
    Heading,
    are_slides,
    heading_of,
    heads_something,
    slide_title,
)
from ingest.loaders.pdf_layout import BULLET, Frame, Page, Paragraph, Table, paragraphs_of
from ingest.loaders.pdf_lines import Glyph, Line, Rule, Word, lines_of
from ingest.loaders.pdf_running import body_size, without_contents, without_running_lines
from ingest.models import Block, Document, Loaded, Problem, Section, Source, fingerprint
from rag.errors import UnreadableDocument
from rag.language import detect_language
from rag.text import fold, letters_digits, word_count

# Two libraries meet damaged files with nearly any exception.
_DAMAGED = (
    PyPdfError,
    PSException,
    PdfminerException,
    MalformedPDFException,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    ArithmeticError,
    AssertionError,
    NotImplementedError,
)
_MAX_BYTES = 200_000_000
_POOR_TITLE = re.compile(
    r"^(?:untitled|unbenannt|microsoft (?:word|powerpoint|excel)|powerpoint\b|document\d*\b"
    r"|slide \d|folie \d|ganzseitiges foto)|^\S*[-_]\S*$"
    r"|\.(?:docx?|dotx?|pptx?|xlsx?|od[tps]|pdf|dvi|tex|indd|qxp|html?|txt|rtf|pages|key)$",
    re.IGNORECASE,
)
_OCR_SECONDS = 22.0
"""From the beginning of a file: a parser is given 30 s for all of it."""
_BOLD = re.compile(r"bold|black|heavy|semibold|demi|CMBX", re.IGNORECASE)
_MONO = re.compile(r"mono|courier|consol|menlo|code|CMTT", re.IGNORECASE)
_SYMBOLS = re.compile(r"symbol|wingdings|webdings|dingbats", re.IGNORECASE)
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
_MANY_PATHS = 5000
"""More lines than a table has: a drawing."""
_WHITE = (None, 1, (1,), (1, 1, 1), (0, 0, 0, 0))
_MANY_RULES = 300
_MANY_PAIRS = 2_000_000
_MANY_LINES = 99
_COVER_WORDS = 40
"""More words on the first page are text under its title."""
_DRAWING_PATHS = 12
"""Fewer lines and boxes on a page without text are a frame."""


@dataclass
class _Read:
    """A file as read, before its pages are compared with one another."""

    pages: list[Page] = field(default_factory=list)
    item_tables: dict[int, ItemTable] = field(default_factory=dict)
    pictures: dict[int, tuple[tuple[Any, ...], ...]] = field(default_factory=dict)
    """The large images of each page, by where they stand and what size they have."""
    drawn: set[int] = field(default_factory=set)
    """Pages with a drawing of lines."""
    unreadable: list[int] = field(default_factory=list)
    bookmarks: list[Bookmark] = field(default_factory=list)
    title: str = ""


def read_pdf(
    path: Path, relative: str, source: Source, url: str | None, *, published: str | None = None
) -> Loaded:
    """Read one PDF file; what cannot be read is a problem in the result."""
    loaded = Loaded()
    deadline = time.monotonic() + _OCR_SECONDS
    try:
        read = _read(path)
    except UnreadableDocument as error:
        loaded.problems.append(Problem(relative, str(error)))
        return loaded
    recognised, problems = _recognise(path, read, deadline)
    loaded.problems += [Problem(relative, problem) for problem in problems]
    title, sections = _sections(read, recognised, path)
    if not any(section.blocks for section in sections):
        if not problems:
            problem = "needs OCR: no page has a text layer"
            loaded.problems.append(Problem(relative, problem))
        return loaded
    loaded.documents.append(
        Document(
            document_id=f"{source.name}:{relative}",
            source=source.name,
            path=relative,
            title=title,
            url=url,
            language=detect_language("\n".join(section.text for section in sections)),
            sha256=fingerprint(title, url, sections, published, source.licence),
            sections=sections,
            kind="pdf",
            published=published,
            licence=source.licence,
        )
    )
    return loaded


# --- from file to pages ------------------------------------------------------------------


def _read(path: Path) -> _Read:
    """Everything on the pages of a file.

    Raises:
        UnreadableDocument: Not a PDF, damaged, encrypted or too large.
    """
    if path.stat().st_size == 0:
        raise UnreadableDocument("the file is empty")
    if path.stat().st_size > _MAX_BYTES:
        raise UnreadableDocument(f"larger than {_MAX_BYTES // 10**6} MB")
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            raise UnreadableDocument("not a PDF, whatever its name says")
    for library in ("pypdf", "pdfminer"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    read = _Read()
    try:
        with pypdf.PdfReader(path) as reader:
            if reader.is_encrypted and not reader.decrypt(""):
                raise UnreadableDocument("encrypted: it needs a password")
            expected = len(reader.pages)
            metadata = reader.metadata
            read.title = fold(str(metadata.title)) if metadata and metadata.title else ""
            read.bookmarks = list(_bookmarks(reader))
        with pdfplumber.open(path) as file_of_pages:
            _read_pages(file_of_pages, read)
        if read.item_tables:
            read.pages = [_without_making(page) for page in read.pages]
    except UnreadableDocument:
        raise
    except _DAMAGED as error:
        reason = fold(str(error))[:120] or type(error).__name__
        raise UnreadableDocument(f"damaged or unsupported PDF: {reason}") from error
    if not expected or (read.unreadable and len(read.unreadable) == expected):
        raise UnreadableDocument("damaged or unsupported PDF: no page can be read")
    return read


def _bookmarks(reader: pypdf.PdfReader) -> Iterator[Bookmark]:
    """The outline, flat; a damaged one is worth no complaint."""

    def walk(entries: Sequence[Any], level: int) -> Iterator[Bookmark]:
        for entry in entries:
            if isinstance(entry, list):
                yield from walk(entry, level + 1)
                continue
            number = reader.get_destination_page_number(entry)
            if number is not None and entry.title:
                yield Bookmark(fold(str(entry.title)), number + 1, level)

    try:
        yield from walk(reader.outline, 0)
    except _DAMAGED:
        return


def _read_pages(file: pdfplumber.PDF, read: _Read) -> None:
    columns: ItemColumns | None = None
    for number, page in enumerate(file.pages, start=1):
        try:
            glyphs = list(_glyphs(page))
            if not page.chars:
                _look_for_pictures(page, number, read)
                read.pages.append(Page(number, page.width, page.height, ()))
                continue
            table = read_item_table(page, columns)
            columns = table.columns if table else None
            if table:
                read.item_tables[number] = table
                continue
            _look_for_pictures(page, number, read)
            tables, rest, turned = _ruled_tables(page, glyphs)
            rules = _rules(page)
            legible = tables or turned or not all(glyph.text.isspace() for glyph in glyphs)
            if not legible and not all(char["text"].isspace() for char in page.chars):
                read.drawn.add(number)  # letters that the file gives no meaning
            lines = _said((*lines_of(rest, rules), *turned))
            size = (page.width, page.height)
            read.pages.append(Page(number, *size, tuple(lines), tables, _frames(page), rules))
        except _DAMAGED:
            columns = None
            read.unreadable.append(number)
        finally:
            page.close()


def _frames(page: Any) -> tuple[Frame, ...]:
    """The painted boxes that are larger than a line and smaller than the page."""
    area = page.width * page.height
    found = []
    for shape in (*page.rects, *page.curves, *page.images)[:_MANY_PATHS]:
        size = shape["width"] * shape["height"]
        image = shape["object_type"] == "image"
        painted = image or (shape["fill"] and shape["non_stroking_color"] not in _WHITE)
        if painted and 0.02 * area < size < 0.5 * area:
            found.append(Frame(shape["x0"], shape["x1"], shape["top"], shape["bottom"]))
    return tuple(found)


def _rules(page: Any) -> tuple[Rule, ...]:
    """The upright lines, long enough to stand beside text."""
    thin = [
        shape
        for shape in (*page.rects, *page.lines)[:_MANY_PATHS]
        if shape["width"] < 2 and shape["height"] > 8
    ]
    return tuple(Rule(shape["x0"], shape["top"], shape["bottom"]) for shape in thin[:_MANY_RULES])


def _said(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if not is_boilerplate(line.text)]


def _without_making(page: Page) -> Page:
    """A page of a metadata model without what its spreadsheet keeps of its making.

    Elsewhere "mandatory" in a cell, or a name beside a date, is what a table says.
    """
    tables = [
        replace(table, rows=rows)
        for table in page.tables
        if (rows := tuple(cells for row in table.rows if (cells := _own_cells(row))))
    ]
    return replace(page, lines=_own_lines(page.lines), tables=tuple(tables))


def _own_cells(row: Iterable[Iterable[Line]]) -> tuple[tuple[Line, ...], ...]:
    return tuple(lines for cell in row if (lines := _own_lines(cell)))


def _own_lines(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(line for line in lines if not is_of_its_making(line.text))


def _glyphs(page: Any) -> Iterator[Glyph]:
    """The characters that are printed, upright ones first as they stand in the file."""
    fonts: dict[str, tuple[bool, bool, bool]] = {}
    for char in page.chars:
        name = char["fontname"]
        if name not in fonts:
            fonts[name] = (
                bool(_BOLD.search(name)),
                bool(_MONO.search(name)),
                bool(_SYMBOLS.search(name)),
            )
        bold, mono, symbols = fonts[name]
        text = _character(char["text"], symbols=symbols)
        if not text or _is_turned(char):
            continue
        yield Glyph(
            text,
            char["x0"],
            char["x1"],
            char["top"],
            char["bottom"],
            char["bottom"] + char["y0"] - char["matrix"][5],
            char["size"],
            bold,
            mono,
            char.get("tag") == "Artifact",
        )


def _character(text: str, *, symbols: bool) -> str:
    """A character as it is meant; empty where the file does not say what it means."""
    if text.startswith("(cid:"):
        return ""
    text = text.translate(_LIGATURES)
    if len(text) == 1 and 0xE000 <= ord(text) <= 0xF8FF:
        return "•" if symbols else ""
    return "".join(
        character for character in text if character.isprintable() or character.isspace()
    )


def _is_turned(char: dict[str, Any]) -> bool:
    across, along = char["matrix"][:2]
    return bool(abs(along) > abs(across))


def _turned_lines(page: Any) -> list[Line]:
    """Lines set sideways, as the heads of narrow columns are, at their place on the page."""
    upwards, downwards = [], []
    for char in page.chars:
        text = _character(char["text"], symbols=False) if _is_turned(char) else ""
        if not text:
            continue
        if char["matrix"][1] > 0:
            along = (page.height - char["bottom"], page.height - char["top"])
            across = (char["x0"], char["x1"])
            upwards.append(Glyph(text, *along, *across, char["x1"], char["width"]))
        else:
            along = (char["top"], char["bottom"])
            across = (-char["x1"], -char["x0"])
            downwards.append(Glyph(text, *along, *across, -char["x0"], char["width"]))
    found = []
    for line in lines_of(upwards):
        word = Word(line.text, line.top, line.bottom)
        top, bottom = page.height - line.x1, page.height - line.x0
        found.append(replace(line, words=(word,), top=top, bottom=bottom, baseline=bottom))
    for line in lines_of(downwards):
        word = Word(line.text, -line.bottom, -line.top)
        found.append(replace(line, words=(word,), top=line.x0, bottom=line.x1, baseline=line.x1))
    return found


def _ruled_tables(
    page: Any, glyphs: Sequence[Glyph]
) -> tuple[tuple[Table, ...], list[Glyph], list[Line]]:
    """The tables that rules or filled cells make, and the text outside of them.

    A frame around prose is no table, nor are the boxes of a drawing: it takes
    two rows with two filled cells. A row that holds whole paragraphs is a
    layout, to be read as prose.

    Returns:
        A table for each row, what stands outside, and what is set sideways there.
    """
    turned = _turned_lines(page)
    rest = list(glyphs)
    if len(page.rects) + len(page.lines) + len(page.curves) > _MANY_PATHS:
        return (), rest, turned
    tables = []
    for found in sorted(_without_shading(page).find_tables(), key=_area):
        width = found.bbox[2] - found.bbox[0]
        inside = [glyph for glyph in rest if _within(glyph, found.bbox)]
        turned_inside = [line for line in turned if _within(line, found.bbox)]
        rows = [_cells(row, inside, turned_inside) for row in found.rows]
        if sum(sum(1 for cell in row if cell.lines) > 1 for row in rows) < 2:
            continue
        for row in rows:
            filled = [cell for cell in row if cell.lines]
            if not filled:
                continue
            lines = tuple(cell.lines for cell in filled)
            layout = _is_layout(filled, width)
            inked = [line for cell in lines for line in cell]
            top, bottom = min(line.top for line in inked), max(line.bottom for line in inked)
            tables.append(Table((lines,), found.bbox[0], found.bbox[2], top, bottom, layout))
            used = {id(glyph) for cell in filled for glyph in cell.glyphs}
            rest = [glyph for glyph in rest if id(glyph) not in used]
            turned = [line for line in turned if all(line not in cell.lines for cell in filled)]
    return tuple(tables), rest, turned


def _without_shading(page: Any) -> Any:
    """The page without what is painted on a painted cell, line by line, in its colour.

    Word processors shade a cell, and then every line of text in it; the edges
    of the latter would be taken for rows.
    """
    painted = [rect for rect in page.rects if rect["fill"] and not rect["stroke"]]
    cells = [rect for rect in painted if min(rect["width"], rect["height"]) > 4]
    if len(painted) * len(cells) > _MANY_PAIRS:
        return page
    shades = {id(rect) for rect in painted for cell in cells if _painted_on(rect, cell)}
    return page.filter(lambda thing: id(thing) not in shades) if shades else page


def _painted_on(rect: dict[str, Any], cell: dict[str, Any]) -> bool:
    return (
        rect is not cell
        and rect["non_stroking_color"] == cell["non_stroking_color"]
        and rect["x0"] >= cell["x0"] - 1
        and rect["x1"] <= cell["x1"] + 1
        and rect["top"] >= cell["top"] - 1
        and rect["bottom"] <= cell["bottom"] + 1
        and rect["width"] * rect["height"] < 0.98 * cell["width"] * cell["height"]
    )


@dataclass(frozen=True)
class _Cell:
    """What stands in a cell."""

    width: float
    glyphs: tuple[Glyph, ...]
    lines: tuple[Line, ...]


def _area(table: Any) -> float:
    x0, top, x1, bottom = table.bbox
    return float((x1 - x0) * (bottom - top))


def _within(thing: Glyph | Line, bbox: tuple[float, float, float, float]) -> bool:
    x0, top, x1, bottom = bbox
    return x0 <= (thing.x0 + thing.x1) / 2 <= x1 and top <= (thing.top + thing.bottom) / 2 <= bottom


def _cells(row: Any, glyphs: Sequence[Glyph], turned: Sequence[Line]) -> list[_Cell]:
    in_row = [glyph for glyph in glyphs if _within(glyph, row.bbox)]
    cells = []
    for bbox in row.cells:
        if bbox is None:
            continue
        inside = tuple(glyph for glyph in in_row if _within(glyph, bbox))
        lines = _said(lines_of(inside))
        lines += [line for line in turned if _within(line, bbox)]
        cells.append(_Cell(bbox[2] - bbox[0], inside, tuple(lines)))
    return cells


def _is_layout(cells: Sequence[_Cell], width: float) -> bool:
    """Whether a row is a frame around prose rather than a row of a table."""
    if len(cells) == 1:
        return cells[0].width > 0.9 * width
    return any(
        sum(len(line.words) for line in cell.lines) > 80
        and sum(bool(BULLET.match(line.text)) for line in cell.lines) > 2
        for cell in cells
    )


# --- pages that show something and say nothing -------------------------------------------


def _look_for_pictures(page: Any, number: int, read: _Read) -> None:
    area = page.width * page.height
    pictures = []
    for image in page.images:
        x0, x1 = max(0, image["x0"]), min(page.width, image["x1"])
        top, bottom = max(0, image["top"]), min(page.height, image["bottom"])
        if x1 > x0 and bottom > top and (x1 - x0) * (bottom - top) > 0.05 * area:
            place = (round(x0), round(top), round(x1), round(bottom))
            pictures.append((*place, *image.get("srcsize", ())))
    read.pictures[number] = tuple(pictures)
    paths = [*page.curves, *page.lines, *page.rects]
    if len(paths) >= _DRAWING_PATHS:
        width = max(path["x1"] for path in paths) - min(path["x0"] for path in paths)
        height = max(path["bottom"] for path in paths) - min(path["top"] for path in paths)
        if width * height > 0.05 * area:
            read.drawn.add(number)


def _mute_pages(read: _Read) -> list[int]:
    """Pages without text that show something: not blank, nor the background of slides."""
    lettered = {page.number for page in read.pages if page.lines or page.tables}
    lettered |= set(read.item_tables)
    background = Counter(
        picture for number in lettered for picture in set(read.pictures.get(number, ()))
    )
    return [
        page.number
        for page in read.pages
        if page.number not in lettered
        and (
            page.number in read.drawn
            or any(picture not in background for picture in read.pictures.get(page.number, ()))
        )
    ]


def _recognise(
    path: Path, read: _Read, deadline: float
) -> tuple[dict[int, list[list[str]]], list[str]]:
    """The words of pages that are pictures, and what is left to report."""
    mute = _mute_pages(read)
    problems = []
    if read.unreadable:
        problems.append(f"damaged: {_pages(read.unreadable, verb=False)} cannot be read")
    if not mute:
        return {}, problems
    # Nothing else in the file has text: then the file is named, not its pages.
    whole = not read.item_tables and not any(page.lines or page.tables for page in read.pages)
    if not ocr.installed():
        if not whole:
            problems.append(f"needs OCR: {_pages(mute)} no text layer")
        elif not any(read.pictures.values()):
            problems.append("needs OCR: a drawing without a text layer")
        else:
            problems.append("needs OCR: no page has a text layer")
        return {}, problems
    words = " ".join(line.text for page in read.pages for line in page.lines)
    language = detect_language(words) if words else None
    recognised: dict[int, list[list[str]]] = {}
    late = []
    for number in mute:
        left = deadline - time.monotonic()
        if left <= 0:
            late.append(number)
        elif paragraphs := ocr.recognise(path, number, language, left):
            recognised[number] = paragraphs
    wordless = [number for number in mute if number not in recognised and number not in late]
    if late:
        problems.append(f"needs OCR: {_pages(late)} no text layer, and the time was up")
    if wordless:
        where = "" if whole and not recognised else f" on {_pages(wordless, verb=False)}"
        problems.append(f"no text could be recognised{where}")
    return recognised, problems


def _pages(numbers: Sequence[int], *, verb: bool = True) -> str:
    """``page 3 has`` or ``pages 3, 7 have``."""
    listed = ", ".join(str(number) for number in numbers)
    if len(numbers) == 1:
        return f"page {listed}" + (" has" if verb else "")
    return f"pages {listed}" + (" have" if verb else "")


# --- from pages to sections --------------------------------------------------------------


def _sections(
    read: _Read, recognised: dict[int, list[list[str]]], path: Path
) -> tuple[str, tuple[Section, ...]]:
    """The title and the sections of a document, in the order of its pages."""
    slides = are_slides(read.pages)
    pages = without_contents(without_running_lines(read.pages))
    mender = _mender(pages)
    found = {page.number: paragraphs_of(page, mender.join, slide=slides) for page in pages}
    if read.item_tables:
        found = {
            number: [each for each in paragraphs if not is_of_its_making(each.text)]
            for number, paragraphs in found.items()
        }
    for number, texts in recognised.items():
        # No heading can be told by its type here.
        joined = (reduce(mender.join, lines) for lines in texts)
        found[number] = [Paragraph(text, lines=_MANY_LINES) for text in joined]
    body = body_size(pages)
    first = next((page for page in pages if found[page.number]), None)
    printed = _printed_title(found[first.number], body) if first else ()
    title = _title(read.title, " ".join(printed), path)
    by_number = {page.number: page for page in pages}
    sections: list[Section] = []
    walker = _Walker(body, read.bookmarks)
    if first and _outstanding(printed, first.number, found):
        walker.printed_title(title, printed, first.number)
    for number in sorted({*found, *read.item_tables}):
        if number in read.item_tables:
            sections += _item_sections(read.item_tables[number], number)
        elif slides and number not in recognised:
            sections += _slide(by_number[number], found[number])
        else:
            height = by_number[number].height if number in by_number else 0.0
            sections += walker.page(number, found[number], height)
    return title, tuple(sections)


def _mender(pages: Sequence[Page]) -> Mender:
    lines = [line.text for page in pages for line in page.lines]
    cells = [
        [line.text for line in cell]
        for page in pages
        for table in page.tables
        for row in table.rows
        for cell in row
    ]
    sample = " ".join([*lines, *(text for cell in cells for text in cell)])
    return Mender(lines, cells, english=detect_language(sample) == "en")


def _printed_title(paragraphs: Sequence[Paragraph], body: float) -> tuple[str, ...]:
    """The paragraphs in the largest type of the first page, where they stand out."""
    texts = [p for p in paragraphs if not p.row and sum(c.isalpha() for c in p.text) > 2]
    if not texts:
        return ()
    largest = max(texts, key=lambda p: (round(p.size), p.bold))
    if largest.size <= 1.14 * body and not (largest.bold and largest is texts[0]):
        return ()
    title: list[str] = []
    for paragraph in texts[texts.index(largest) :]:
        if abs(paragraph.size - largest.size) > 0.5 or len(title) > 2:
            break
        if title and largest.size <= 1.14 * body:
            break
        title.append(paragraph.text)
    return tuple(title) if word_count(" ".join(title)) <= 30 else ()


def _outstanding(printed: Sequence[str], number: int, found: dict[int, list[Paragraph]]) -> bool:
    """Whether the title is in larger type than any heading, and so none itself."""
    sizes = [p.size for p in found[number] if p.text in printed]
    return not sizes or not any(
        paragraph.size > max(sizes) - 0.5 and not paragraph.row
        for other, paragraphs in found.items()
        if other != number
        for paragraph in paragraphs
    )


def _title(given: str, printed: str, path: Path) -> str:
    """The title of the document properties, unless a program made it up."""
    if given and not _POOR_TITLE.search(given):
        # Properties may hold the beginning only.
        longer = letters_digits(printed).startswith(letters_digits(given))
        return printed if longer else given
    return printed or fold(path.stem.replace("_", " "))


def _item_sections(table: ItemTable, number: int) -> Iterator[Section]:
    if table.others:
        yield Section(heading=(), blocks=tuple(table.others), page=number)
    for row in table.rows:
        heading = (row.item.of_class, row.item.name)
        yield Section(heading=heading, blocks=row.blocks, page=number, item=row.item)


def _slide(page: Page, paragraphs: Sequence[Paragraph]) -> Iterator[Section]:
    """A slide is one section; its title comes first, wherever it stands."""
    place = slide_title(page, paragraphs)
    blocks = [Block(p.text) for i, p in enumerate(paragraphs) if i != place and _says(p.text)]
    if place is None:
        if blocks:
            yield Section(heading=(), blocks=tuple(blocks), page=page.number)
        return
    title = paragraphs[place].text
    yield Section(heading=(title,), blocks=(Block(title, entry=True), *blocks), page=page.number)


def _says(text: str) -> bool:
    return any(character.isalnum() for character in text) and not is_boilerplate(text)


def _usual_size(paragraphs: Sequence[Paragraph]) -> float:
    sizes: Counter[float] = Counter()
    for paragraph in paragraphs:
        sizes[paragraph.size] += len(paragraph.text)
    return sizes.most_common(1)[0][0]


class _Walker:
    """Walks the pages of a document and keeps the path of open headings."""

    def __init__(self, body: float, bookmarks: Sequence[Bookmark]) -> None:
        self._title_page = 0
        self._title = ""
        self._title_keys: set[str] = set()
        self._body = body
        self._usual = 0.0
        """The type size of the last page of text."""
        self._bookmarks = bookmarks
        self._open: list[Heading] = []

    def printed_title(self, title: str, lines: Sequence[str], page: int) -> None:
        """Say where the title is printed, so that it becomes no heading."""
        self._title_page = page
        self._title = letters_digits(title)
        self._title_keys = {self._title, *(letters_digits(line) for line in lines)}

    def page(
        self, number: int, paragraphs: Sequence[Paragraph], height: float
    ) -> Iterator[Section]:
        """The sections of a page, the first with the headings still open.

        Args:
            number: Of the page.
            paragraphs: Of the page, in reading order.
            height: Of the page.
        """
        words = sum(word_count(paragraph.text) for paragraph in paragraphs)
        body = self._body
        if words > _COVER_WORDS:  # a page in larger type throughout is not all headings
            usual = _usual_size(paragraphs)
            body = max(body, usual)
            if self._usual and usual and not 0.5 < usual / self._usual < 2:
                self._open = []  # a drawing after text: another thing altogether
            self._usual = usual
        # A cover sets everything in large type, and heads nothing.
        cover = number == self._title_page and words < _COVER_WORDS
        blocks: list[Block] = []
        beside: list[Heading] | None = None
        """The headings that were open where a box beside the text began."""
        for paragraph in paragraphs:
            if not _says(paragraph.text):
                continue
            if paragraph.aside and beside is None:
                beside = list(self._open)
            heading = self._heading(paragraph, paragraphs, number, height, body)
            if heading is None or (cover and not self._is_title(heading, number)):
                blocks.append(Block(paragraph.text))
                continue
            if blocks:
                yield self._section(number, blocks)
            blocks = []
            if self._is_title(heading, number):
                self._open = []
                if letters_digits(heading.text) not in self._title:
                    blocks.append(Block(heading.text))
                continue
            self._open = [each for each in self._open if each.contains(heading)]
            self._open.append(heading)
            blocks.append(Block(heading.text, entry=True))
        if blocks:
            yield self._section(number, blocks)
        if beside is not None:
            self._open = beside

    def _heading(
        self,
        paragraph: Paragraph,
        paragraphs: Sequence[Paragraph],
        number: int,
        height: float,
        body: float,
    ) -> Heading | None:
        bookmarks = [bookmark for bookmark in self._bookmarks if bookmark.page == number]
        heading = heading_of(paragraph, body, bookmarks)
        if heading is None or heading.number or heading.level is not None:
            return heading
        if self._is_title(heading, number) or heads_something(paragraph, paragraphs, height):
            return heading
        return None

    def _section(self, number: int, blocks: Sequence[Block]) -> Section:
        path = tuple(heading.text for heading in self._open)
        return Section(heading=path, blocks=tuple(blocks), page=number)

    def _is_title(self, heading: Heading, number: int) -> bool:
        return number == self._title_page and letters_digits(heading.text) in self._title_keys
