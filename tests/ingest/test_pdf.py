"""PDF files: text by page, and a clear word on those that cannot be read."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pypdf
import pypdfium2
import pytest
from fpdf import FPDF
from fpdf.outline import OutlineSection
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from ingest.loaders import ocr
from ingest.loaders.pdf import read_pdf
from ingest.models import Document, Loaded, Source
from rag.text import letters_digits

Pdf = Callable[..., bytes]


def read(folder: Path, content: bytes, name: str = "log_sheet.pdf") -> Loaded:
    path = folder / name
    path.write_bytes(content)
    source = Source("atlas", "folder", folder, "https://tide.example", licence="CC0-1.0")
    return read_pdf(path, name, source, f"https://tide.example/{name}", published="2031-05-04")


def the(loaded: Loaded) -> Document:
    assert loaded.problems == []
    (document,) = loaded.documents
    return document


def problem(loaded: Loaded) -> str:
    assert loaded.documents == []
    (found,) = loaded.problems
    assert found.path == "log_sheet.pdf"
    return found.problem


def locked(content: bytes, password: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    writer.encrypt(password, f"{password} of the harbour master", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


@pytest.fixture
def _no_tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "installed", tuple)


class Sheets(FPDF):
    """A PDF written line by line."""

    def __init__(self, orientation: str = "portrait", height: float = 7) -> None:
        super().__init__(orientation=orientation)  # type: ignore[arg-type]
        self.line_height = height
        self.set_font("Helvetica", size=11)

    def write_lines(self, text: str, size: float = 11, style: str = "") -> None:
        self.set_font("Helvetica", style=style, size=size)
        self.multi_cell(0, self.line_height * size / 11, text, new_x="LMARGIN", new_y="NEXT")
        self.ln(self.line_height)

    def bytes(self) -> bytes:
        return bytes(self.output())


PROSE = (
    "The gauge at the mole is read twice a day by volunteers who live beside the harbour and"
    " know the water well. They write the height into a log, which is kept dry in the shelter."
)


def headings(document: Document) -> list[tuple[int | None, tuple[str, ...]]]:
    return [(section.page, section.heading) for section in document.sections]


def test_each_page_is_a_section_with_the_number_that_a_viewer_shows(
    tmp_path: Path, pdf_bytes: Pdf
) -> None:
    document = the(read(tmp_path, pdf_bytes(["The first tide.", "", "The third tide."])))
    assert [(each.page, each.text) for each in document.sections] == [
        (1, "The first tide."),
        (3, "The third tide."),
    ]
    assert {(each.heading, each.anchor) for each in document.sections} == {((), None)}


def test_a_pdf_says_what_it_is(tmp_path: Path, pdf_bytes: Pdf) -> None:
    text = "The gauge shows how high the water stands."
    document = the(read(tmp_path, pdf_bytes([text])))
    assert (document.kind, document.url, document.language) == (
        "pdf",
        "https://tide.example/log_sheet.pdf",
        "en",
    )
    assert (document.published, document.licence) == ("2031-05-04", "CC0-1.0")


def test_lines_of_a_paragraph_are_joined_and_paragraphs_stay_apart(
    tmp_path: Path, pdf_bytes: Pdf
) -> None:
    text = (
        "The gauge is read\ntwice a day by\nvolunteers.\nThe log is kept dry\nin the shelter.\n"
        "- Bring a rope\n- Bring a well-\nknown friend"
    )
    (section,) = the(read(tmp_path, pdf_bytes([text]))).sections
    assert [block.text for block in section.blocks] == [
        "The gauge is read twice a day by volunteers.",
        "The log is kept dry in the shelter.",
        "- Bring a rope",
        "- Bring a well-known friend",
    ]


def test_words_of_the_interface_are_left_out(tmp_path: Path, pdf_bytes: Pdf) -> None:
    text = "Please leave comments including your name and date.\nThe tide turns."
    assert the(read(tmp_path, pdf_bytes([text]))).text == "The tide turns."


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("How to read a gauge", "How to read a gauge"),
        ("", "log sheet"),
        ("Untitled", "log sheet"),
        ("Microsoft Word - final.docx", "log sheet"),
        ("gauge_v3.pptx", "log sheet"),
    ],
)
def test_the_title_is_that_of_the_file_unless_a_program_made_it_up(
    tmp_path: Path, pdf_bytes: Pdf, given: str, title: str
) -> None:
    assert the(read(tmp_path, pdf_bytes(["The tide turns."], title=given))).title == title


def test_a_pdf_that_anybody_may_open_is_read(tmp_path: Path, pdf_bytes: Pdf) -> None:
    assert the(read(tmp_path, locked(pdf_bytes(["The tide turns."]), ""))).text == "The tide turns."


def test_a_pdf_with_a_password_is_a_problem_that_says_so(tmp_path: Path, pdf_bytes: Pdf) -> None:
    assert "password" in problem(read(tmp_path, locked(pdf_bytes(["The tide turns."]), "ebb")))


@pytest.mark.parametrize("kept", [0.25, 0.5, 0.75])
def test_a_pdf_cut_short_is_a_problem(tmp_path: Path, pdf_bytes: Pdf, kept: float) -> None:
    whole = pdf_bytes([f"The tide turns {number} times." for number in range(20)])
    assert problem(read(tmp_path, whole[: int(kept * len(whole))]))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"The tide turns.\n", "not a PDF, whatever its name says"),
        (b"PK\x03\x04" + bytes(200), "not a PDF, whatever its name says"),
        (b"%PDF-1.7\n%%EOF\n", "damaged or unsupported PDF"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 40, "damaged or unsupported PDF"),
    ],
    ids=["0 bytes", "text", "zip", "only a header", "garbage"],
)
def test_what_is_no_pdf_is_a_problem_that_says_why(
    tmp_path: Path, content: bytes, why: str
) -> None:
    assert problem(read(tmp_path, content)).startswith(why)


@pytest.mark.parametrize("pages", [[""], ["", "", ""]])
def test_a_pdf_without_any_text_is_a_problem(
    tmp_path: Path, pdf_bytes: Pdf, pages: Sequence[str]
) -> None:
    assert problem(read(tmp_path, pdf_bytes(pages))).startswith("needs OCR")


def test_the_digest_changes_with_the_text_and_only_with_it(tmp_path: Path, pdf_bytes: Pdf) -> None:
    first = the(read(tmp_path, pdf_bytes(["The tide turns."]))).sha256
    same = the(read(tmp_path, locked(pdf_bytes(["The tide turns."]), ""))).sha256
    other = the(read(tmp_path, pdf_bytes(["The tide stands."]))).sha256
    assert first == same != other


def test_headings_are_told_by_their_type_and_run_on_over_pages(tmp_path: Path) -> None:
    sheets = Sheets()
    sheets.add_page()
    for text, size, style in (
        ("Tides of the north", 24, ""),
        ("1 Gauges", 16, "B"),
        (PROSE, 11, ""),
        ("1.1 Reading", 13, "B"),
        (PROSE, 11, ""),
    ):
        sheets.write_lines(text, size, style)
    sheets.add_page()
    for text, size, style in ((PROSE, 11, ""), ("2 Buoys", 16, "B"), (PROSE, 11, "")):
        sheets.write_lines(text, size, style)
    document = the(read(tmp_path, sheets.bytes()))
    assert document.title == "Tides of the north"
    assert headings(document) == [
        (1, ("1 Gauges",)),
        (1, ("1 Gauges", "1.1 Reading")),
        (2, ("1 Gauges", "1.1 Reading")),
        (2, ("2 Buoys",)),
    ]
    starts = [(section.blocks[0].text, section.blocks[0].entry) for section in document.sections]
    assert starts == [
        ("1 Gauges", True),
        ("1.1 Reading", True),
        (PROSE, False),  # it goes on, and no heading is printed here
        ("2 Buoys", True),
    ]
    assert all(section.blocks[-1].text == PROSE for section in document.sections)


def test_bookmarks_are_headings_with_their_level(tmp_path: Path) -> None:
    sheets = Sheets()
    sheets.add_page()
    for text, level in (("Gauges", 0), ("Reading", 1)):
        sheets.start_section(text, level)
        sheets.write_lines(text)
        sheets.write_lines(PROSE)
    document = the(read(tmp_path, sheets.bytes()))
    assert headings(document) == [(1, ("Gauges",)), (1, ("Gauges", "Reading"))]


def test_the_rows_of_a_ruled_table_stay_whole_and_are_read_once(tmp_path: Path) -> None:
    sheets = Sheets()
    sheets.add_page()
    sheets.write_lines(PROSE)
    rows = [
        ("Name", "Meaning"),
        ("gauge", "It shows how high the water stands at the mole, read twice a day by us."),
        ("buoy", "It floats."),
    ]
    with sheets.table(col_widths=(30, 60), width=90) as table:
        for cells in rows:
            row = table.row()
            for cell in cells:
                row.cell(cell)
    document = the(read(tmp_path, sheets.bytes()))
    assert [block.text for block in document.sections[0].blocks] == [
        PROSE,
        *(" | ".join(cells) for cells in rows),
    ]


def test_what_a_table_asks_and_when_is_said_though_a_sheet_has_it_of_its_making(
    tmp_path: Path,
) -> None:
    sheets = Sheets()
    sheets.add_page()
    sheets.write_lines(PROSE)
    rows = [("Name", "Date of it", "Obligation"), ("North Mole", "2031-02-10", "Mandatory")]
    with sheets.table(rows):
        pass
    assert [block.text for block in the(read(tmp_path, sheets.bytes())).sections[0].blocks[1:]] == [
        "Name | Date of it | Obligation",
        "North Mole | 2031-02-10 | Mandatory",
    ]


def test_a_frame_around_prose_is_no_table(tmp_path: Path) -> None:
    sheets = Sheets()
    sheets.add_page()
    sheets.rect(8, 8, 190, 60)
    sheets.rect(6, 6, 194, 64)
    sheets.write_lines(PROSE)
    assert the(read(tmp_path, sheets.bytes())).text == PROSE


def test_a_slide_is_a_section_with_its_title(tmp_path: Path) -> None:
    sheets = Sheets("landscape", 9)
    for title, text in (("Ebb", "The water falls"), ("Flow", "The water rises")):
        sheets.add_page()
        sheets.write_lines(title, 30)
        sheets.write_lines(f"- {text}\n- Twice a day", 20)
    document = the(read(tmp_path, sheets.bytes()))
    assert headings(document) == [(1, ("Ebb",)), (2, ("Flow",))]
    first = document.sections[0]
    assert [block.text for block in first.blocks] == ["Ebb", "- The water falls", "- Twice a day"]
    assert first.blocks[0].entry


def test_running_heads_page_numbers_and_contents_are_left_out(tmp_path: Path) -> None:
    class Log(Sheets):
        def header(self) -> None:
            self.set_font("Helvetica", size=8)
            self.text(20, 8, "Log of the harbour")

        def footer(self) -> None:
            self.text(100, 290, f"{self.page_no()} of 4")

    def contents(pdf: FPDF, outline: list[OutlineSection]) -> None:
        for each in outline:
            pdf.cell(
                0, 8, f"{each.name} {'.' * 60} {each.page_number}", new_y="NEXT", new_x="LMARGIN"
            )

    sheets = Log()
    sheets.add_page()
    sheets.insert_toc_placeholder(contents)  # type: ignore[arg-type]
    for name in ("Gauges", "Buoys", "Moles"):
        if name != "Gauges":
            sheets.add_page()
        sheets.set_y(80)
        sheets.start_section(name)
        sheets.write_lines(name, 16, "B")
        sheets.write_lines(PROSE)
    document = the(read(tmp_path, sheets.bytes()))
    assert document.text.split("\n") == ["Gauges", PROSE, "Buoys", PROSE, "Moles", PROSE]


def test_a_title_of_the_file_that_is_cut_short_gives_way_to_the_printed_one(tmp_path: Path) -> None:
    sheets = Sheets()
    sheets.set_title("Tides of the ")
    sheets.add_page()
    sheets.write_lines("Tides of the north", 24)
    sheets.write_lines(PROSE)
    assert the(read(tmp_path, sheets.bytes())).title == "Tides of the north"


# --- pages that show something and say nothing -------------------------------------------


def picture() -> io.BytesIO:
    """A grey picture."""
    bitmap = pypdfium2.PdfBitmap.new_native(60, 80, 1)
    bitmap.fill_rect((120, 120, 120, 255), 0, 0, 60, 80)
    content = io.BytesIO()
    bitmap.to_pil().save(content, "PNG")
    return content


def with_pictures(*pages: str) -> bytes:
    """A page for each text; `picture` is one, an empty text a blank page."""
    sheets = Sheets()
    for text in pages:
        sheets.add_page()
        if text == "picture":
            sheets.image(picture(), x=20, y=20, w=120)
        elif text:
            sheets.write_lines(text)
    return sheets.bytes()


@pytest.mark.usefixtures("_no_tesseract")
def test_a_file_of_pictures_needs_ocr(tmp_path: Path) -> None:
    found = problem(read(tmp_path, with_pictures("picture", "picture")))
    assert found == "needs OCR: no page has a text layer"


@pytest.mark.usefixtures("_no_tesseract")
def test_pages_that_are_pictures_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    loaded = read(tmp_path, with_pictures(PROSE, "picture", "", "picture"))
    assert [found.problem for found in loaded.problems] == [
        "needs OCR: pages 2, 4 have no text layer"
    ]
    assert [document.text for document in loaded.documents] == [PROSE]


def without_meaning(content: bytes, number: int) -> bytes:
    """The file with a font on one page of which nobody knows what its letters are."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    about = {"/Registry": "Adobe", "/Ordering": "Identity"}
    info = DictionaryObject({NameObject(k): TextStringObject(v) for k, v in about.items()})
    info[NameObject("/Supplement")] = NumberObject(0)
    letters = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/CIDFontType2"),
            NameObject("/BaseFont"): NameObject("/Nobodys"),
            NameObject("/CIDSystemInfo"): info,
        }
    )
    fonts = writer.pages[number - 1]["/Resources"]["/Font"]  # type: ignore[index]
    for name in fonts:
        fonts[name] = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type0"),
                NameObject("/BaseFont"): NameObject("/Nobodys"),
                NameObject("/Encoding"): NameObject("/Identity-H"),
                NameObject("/DescendantFonts"): ArrayObject([letters]),
            }
        )
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


@pytest.mark.usefixtures("_no_tesseract")
@pytest.mark.parametrize("orientation", ["portrait", "landscape"])
def test_a_page_whose_letters_nobody_knows_needs_ocr(tmp_path: Path, orientation: str) -> None:
    sheets = Sheets(orientation)
    sheets.add_page()
    sheets.write_lines(PROSE)
    sheets.add_page()
    sheets.set_font("Times", size=11)
    sheets.cell(text="The tide turns")
    loaded = read(tmp_path, without_meaning(sheets.bytes(), 2))
    assert [found.problem for found in loaded.problems] == ["needs OCR: page 2 has no text layer"]
    assert len(loaded.documents) == 1


@pytest.mark.usefixtures("_no_tesseract")
def test_a_drawing_without_text_is_a_problem_that_says_so(tmp_path: Path) -> None:
    sheets = Sheets()
    sheets.add_page()
    for step in range(20):
        sheets.line(20, 20 + 8 * step, 180, 40 + 8 * step)
    assert "drawing" in problem(read(tmp_path, sheets.bytes()))


@pytest.mark.usefixtures("_no_tesseract")
def test_the_background_that_slides_share_needs_no_ocr(tmp_path: Path) -> None:
    sheets = Sheets("landscape")
    for text in ("The water falls", ""):
        sheets.add_page()
        sheets.image(picture(), x=0, y=0, w=297)
        if text:
            sheets.write_lines(text, 30)
    assert len(the(read(tmp_path, sheets.bytes())).sections) == 1


# --- the real files ----------------------------------------------------------------------


def real_files(framework: Path) -> Iterator[Path]:
    yield from sorted((framework.parent / "pdfs").glob("*.pdf"))
    yield from sorted((framework / "assets").rglob("*.pdf"))


class Printed:
    """What two other libraries find on each page, letters and digits alone."""

    def __init__(self, path: Path) -> None:
        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        self._pages = pypdf.PdfReader(path).pages
        document = pypdfium2.PdfDocument(path)
        self._fast = [letters_digits(page.get_textpage().get_text_range()) for page in document]
        document.close()
        self._slow: dict[int, str] = {}

    def has(self, number: int, text: str) -> bool:
        wanted = letters_digits(text)
        if wanted in self._fast[number - 1]:
            return True
        if number not in self._slow:
            self._slow[number] = letters_digits(self._pages[number - 1].extract_text())
        return wanted in self._slow[number]


@pytest.mark.parametrize(
    "every", [9, pytest.param(1, marks=pytest.mark.long)], ids=["each ninth file", "all files"]
)
def test_every_quote_of_a_real_page_is_on_that_page(
    framework: Path, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr, "installed", tuple)  # what is recognised is in no text layer
    cells = by_words = 0
    for path in list(real_files(framework))[::every]:
        source = Source("real", "folder", path.parent)
        for document in read_pdf(path, path.name, source, None).documents:
            pages = Printed(path)
            for section in document.sections:
                assert section.page is not None
                for cell in (c for block in section.blocks for c in block.text.split(" | ")):
                    cells += 1
                    if pages.has(section.page, cell):
                        continue
                    # Columns, labels of drawings: another order, the same words.
                    by_words += 1
                    missing = [word for word in cell.split() if not pages.has(section.page, word)]
                    assert missing == [], (path.name, section.page)
    assert cells > 5000 / every
    assert by_words <= 0.01 * cells
