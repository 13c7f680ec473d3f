"""Metadata models printed from a spreadsheet: an item for each row, as a reader sees it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pdfplumber
import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.loaders.item_tables import ItemTable, read_item_table
from ingest.loaders.pdf import read_pdf
from ingest.models import Source
from rag.text import letters_digits

GREEN, YELLOW, PINK, BLUE = (217, 234, 211), (255, 229, 153), (255, 199, 206), (189, 215, 238)
WHITE = (255, 255, 255)
HEADERS = (
    "Suggested_Domain/class/table",
    "Suggested Item",
    "Proposed_Definition",
    "Proposed_Values",
    "Proposed_cardinality",
    "Suggested_mandatory\n/recommended/optional",
    "If conditional, terms of condition",
    "Link to ontology that defines item",
    "Reasoning/explanation",
    "Class: close match with",
    "Example data",
)
WIDTHS = (45, 45, 70, 60, 30, 45, 60, 50, 60, 30, 50)
CLASS, NAME, DEFINITION, VALUES, CARDINALITY, OBLIGATION, CONDITION, LINK, REASON, _, EXAMPLE = (
    range(11)
)
PADDING = 1.3


class Printout:
    """A spreadsheet as a spreadsheet program prints it: frames, fills, lines of text."""

    def __init__(self, type_size: float = 3, landscape: bool = True) -> None:
        self.pdf = FPDF("landscape" if landscape else "portrait", "pt", "a4")
        self.pdf.set_auto_page_break(False)
        self.pdf.set_line_width(0.1)
        self.size = type_size
        self.page()

    def page(self) -> None:
        self.pdf.add_page()
        self.pdf.set_font("Helvetica", size=self.size)
        self.y = 50.0

    def frame(
        self,
        column: int,
        height: float,
        text: str = "",
        fill: tuple[int, int, int] = GREEN,
        top: float = 0,
        centred: bool = False,
    ) -> None:
        """A cell, `top` below the row's own top; line feeds are where its text wraps."""
        x, y = 50 + sum(WIDTHS[:column]), self.y + top
        self.pdf.set_fill_color(*fill)
        self.pdf.rect(x, y, WIDTHS[column], height, style="DF")
        lines = text.split("\n")
        y += (height - len(lines) * self.size * 1.1) / 2 + self.size * 0.85
        for line in lines:
            inner = (WIDTHS[column] - self.pdf.get_string_width(line.strip())) / 2
            self.pdf.text(x + (inner if centred else PADDING), y, line)
            y += self.size * 1.1

    def row(
        self,
        *texts: str,
        height: float = 12,
        fill: tuple[int, int, int] = GREEN,
        fills: Mapping[int, tuple[int, int, int]] | None = None,
        drawn: Iterable[int] = (),
        centred: bool = False,
    ) -> None:
        """A row of cells; the columns of `drawn` have been drawn, or are drawn later."""
        for column in set(range(len(WIDTHS))) - set(drawn):
            text = texts[column] if column < len(texts) else ""
            self.frame(column, height, text, (fills or {}).get(column, fill), centred=centred)
        self.y += height

    def header(self, *texts: str) -> None:
        self.row(*(texts or HEADERS), fill=(200, 200, 200), centred=True)

    def read(self, number: int = 1, after: ItemTable | None = None) -> ItemTable | None:
        with pdfplumber.open(io.BytesIO(bytes(self.pdf.output()))) as document:
            page = document.pages[number - 1]
            return read_item_table(page, after.columns if after else None)

    def table(self) -> ItemTable:
        table = self.read()
        assert table is not None
        return table


@pytest.fixture
def sheet() -> Printout:
    printout = Printout()
    printout.header()
    return printout


def gauge(**cells: str) -> tuple[str, ...]:
    """The cells of a plain row, some of them changed."""
    texts = {
        "of_class": "Gauge",
        "name": "Level",
        "definition": "Height of the water.",
        "values": "Integer",
        "cardinality": "0..1",
        "obligation": "optional",
        "condition": "",
        "link": "",
        "reason": "",
        "match": "",
        "example": "",
    }
    return tuple({**texts, **cells}.values())


def test_how_the_sheet_was_made_is_no_text_of_its_document(tmp_path: Path) -> None:
    cover = Printout(9)
    for text in ("Authors of latest version:", "Ann van der Quay 2031-02-10", "Row colours"):
        cover.pdf.text(50, cover.y, text)
        cover.y += 40
    cover.pdf.text(50, cover.y, "Ebb 2031-02-12 is low.")
    cover.size = 3
    cover.page()
    cover.header()
    cover.row(*gauge())
    path = tmp_path / "sheet.pdf"
    path.write_bytes(bytes(cover.pdf.output()))
    (document,) = read_pdf(path, path.name, Source("a", "folder", tmp_path), None).documents
    assert [section.item is not None for section in document.sections] == [False, True]
    assert document.sections[0].text == "Ebb 2031-02-12 is low."


def test_a_row_is_an_item_with_its_cells_its_condition_and_what_helps(sheet: Printout) -> None:
    sheet.row(
        *gauge(
            values="Centimetres,\nwhole numbers",
            cardinality="1..n",
            obligation="conditional",
            condition="If the gauge \nis read by hand",
            link="https://tide.example/level",
            reason="Ships ask for it.",
            example="417",
        ),
        fills={OBLIGATION: BLUE},
    )
    (row,) = sheet.table().rows
    item = row.item
    assert (item.of_class, item.name, item.definition, item.values) == (
        "Gauge",
        "Level",
        "Height of the water.",
        "Centimetres, whole numbers",
    )
    assert (item.cardinality, item.obligation, item.condition, item.review) == (
        "1..n",
        "conditional",
        "If the gauge is read by hand",
        "confirmed",
    )
    assert [(block.text, block.entry) for block in row.blocks] == [
        (
            "Gauge | Level | Height of the water. | Centimetres, whole numbers | 1..n"
            " | conditional",
            True,
        ),
        ("If the gauge is read by hand", False),
        ("Ships ask for it. | Example data | 417", False),
    ]


def test_a_table_goes_on_over_a_page_that_has_no_header(sheet: Printout) -> None:
    sheet.row(*gauge(name="Level"))
    sheet.page()
    sheet.row(*gauge(name="Tide", obligation="mandatory", cardinality="1..1"))
    first = sheet.table()
    second = sheet.read(2, after=first)
    assert second is not None
    assert [row.item.name for row in (*first.rows, *second.rows)] == ["Level", "Tide"]
    assert second.rows[0].item.obligation == "mandatory"
    assert second.columns == first.columns
    assert sheet.read(2) is None


def test_a_header_that_is_repeated_is_no_row(sheet: Printout) -> None:
    sheet.row(*gauge(name="Level"))
    sheet.page()
    sheet.header()
    sheet.row(*gauge(name="Tide"))
    second = sheet.read(2, after=sheet.table())
    assert second is not None
    assert [row.item.name for row in second.rows] == ["Tide"]
    assert second.others == ()


def test_the_pieces_of_a_cell_belong_to_the_row_they_stand_beside(sheet: Printout) -> None:
    for top in (0, 10, 20):
        sheet.frame(CONDITION, 10, "If the tide\nis high" if top == 20 else "", top=top)
        sheet.frame(REASON, 10, "Asked for." if top == 10 else "", top=top)
    sheet.row(*gauge(), height=30, drawn=(CONDITION, REASON))
    sheet.row(*gauge(name="Tide"))
    first, second = sheet.table().rows
    assert first.item.condition == "If the tide is high"
    assert first.blocks[-1].text == "Asked for."
    assert second.item.condition == ""


def test_a_cell_merged_over_rows_counts_for_each_of_them(sheet: Printout) -> None:
    sheet.frame(CLASS, 24, "Gauge")
    sheet.frame(CONDITION, 24, "If there is a gauge")
    sheet.row(*gauge(name="Level"), drawn=(CLASS, CONDITION))
    sheet.row(*gauge(name="Tide"), drawn=(CLASS, CONDITION))
    sheet.row(*gauge(of_class="Buoy", name="Colour"))
    found = [(row.item.of_class, row.item.name, row.item.condition) for row in sheet.table().rows]
    assert found == [
        ("Gauge", "Level", "If there is a gauge"),
        ("Gauge", "Tide", "If there is a gauge"),
        ("Buoy", "Colour", ""),
    ]


def test_a_name_is_whole_wherever_its_cell_wrapped_it(sheet: Printout) -> None:
    long = "Gauge_reading_correction_factor_of_the_harbour"
    room = WIDTHS[NAME] - 2 * PADDING
    fits = max(
        count for count in range(len(long)) if sheet.pdf.get_string_width(long[:count]) <= room
    )
    sheet.row(*gauge(name=f"{long[:fits]}\n{long[fits:]}"), centred=True)
    sheet.row(*gauge(name="Date of the last \nreading"), centred=True)
    sheet.row(*gauge(name="Reading\nAccuracy"), centred=True)
    assert [row.item.name for row in sheet.table().rows] == [
        long,
        "Date of the last reading",
        "Reading Accuracy",
    ]


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("https://tide.\nexample/levels-and-their-units-in-the-harbours", "https://tide.example/levels-and-their-units-in-the-harbours"),
        ("See https://tide.example/\nlevels?of=the-whole-harbour", "See https://tide.example/levels?of=the-whole-harbour"),
        ("https://tide.example\nor\nhttps://sea.example", "https://tide.example or https://sea.example"),
        ("Tide-\ntables, e.\ng. of 1..\nn days", "Tide-tables, e.g. of 1..n days"),
    ],
)  # fmt: skip
def test_only_what_was_one_word_is_joined(sheet: Printout, printed: str, read: str) -> None:
    sheet.row(*gauge(values=printed), height=20)
    assert sheet.table().rows[0].item.values == read


@pytest.mark.parametrize(
    ("printed", "obligation"),
    [
        ("mandatory", "mandatory"),
        ("Recommended", "recommended"),
        ("OPTIONAL", "optional"),
        ("Mandatory \n(if applicable)", "mandatory"),
        ("to be decided", "to be decided"),
        ("", ""),
    ],
)
def test_the_word_tells_the_obligation_not_the_colour_of_its_cell(
    sheet: Printout, printed: str, obligation: str
) -> None:
    sheet.row(*gauge(obligation=printed), fills={OBLIGATION: PINK})
    assert sheet.table().rows[0].item.obligation == obligation


@pytest.mark.parametrize(
    ("fills", "review"),
    [
        ({}, "confirmed"),
        ({OBLIGATION: YELLOW}, "confirmed"),
        ({CLASS: YELLOW, NAME: YELLOW, DEFINITION: YELLOW}, "for review"),
        ({DEFINITION: YELLOW}, "for review"),
        ({CLASS: WHITE, NAME: WHITE, DEFINITION: WHITE}, None),
        ({CLASS: PINK, NAME: PINK, DEFINITION: PINK}, None),
    ],
)
def test_the_colour_of_the_row_tells_whether_it_is_still_for_review(
    sheet: Printout, fills: Mapping[int, tuple[int, int, int]], review: str | None
) -> None:
    sheet.row(*gauge(), fills=fills)
    assert sheet.table().rows[0].item.review == review


@pytest.mark.parametrize("centred", [True, False])
def test_text_that_runs_over_the_next_cells_stays_with_its_own(
    sheet: Printout, centred: bool
) -> None:
    long = "The height of the water above the zero of the gauge, by the hour and in centimetres"
    # Spreadsheets run text over empty cells only.
    sheet.row(*gauge(definition=long, values=""), fills={VALUES: GREEN}, centred=centred)
    item = sheet.table().rows[0].item
    assert (item.definition, item.values, item.name) == (long, "", "Level")


def test_titles_and_notes_are_kept_and_are_no_items(sheet: Printout) -> None:
    sheet.row("Further items of the harbour", fill=WHITE)
    sheet.row(*gauge())
    sheet.row("", "", "", "", "The class is not mandatory, but its number is.", fill=WHITE)
    table = sheet.table()
    assert [row.item.name for row in table.rows] == ["Level"]
    assert [block.text for block in table.others] == [
        "Further items of the harbour",
        "The class is not mandatory, but its number is.",
    ]


def test_who_added_or_reviewed_something_is_left_out() -> None:
    printout = Printout()
    printout.row("Jane Doe", "2031-05-04", fill=WHITE)
    printout.header()
    printout.row(*gauge(reason="added by Jane 2031-05-04:\nships ask for it"))
    printout.row(*gauge(reason="Added following this comment from Jane Doe: Pilots do."))
    printout.row("Suggested by Jane:\nread the gauge twice", fill=WHITE)
    table = printout.table()
    assert [row.blocks[-1].text for row in table.rows] == ["ships ask for it", "Pilots do."]
    assert [block.text for block in table.others] == ["read the gauge twice"]


def test_cells_that_say_nothing_make_no_block(sheet: Printout) -> None:
    sheet.row(*gauge(condition="na", reason="https://tide.example/why", example="n/a"))
    sheet.row(*gauge(condition="By hand only", reason="By hand only"))
    bare, repeated = sheet.table().rows
    assert bare.item.condition == "na"  # as printed
    assert len(bare.blocks) == 1
    assert [block.text for block in repeated.blocks[1:]] == ["By hand only"]


def test_a_header_in_other_words_is_understood() -> None:
    printout = Printout()
    printout.header(
        "Domain", "Element name", "Definition", "Value set", "Cardinality", "Mandatory/optional"
    )
    printout.row(*gauge())
    assert [(row.item.name, row.item.values) for row in printout.table().rows] == [
        ("Level", "Integer")
    ]


@pytest.mark.parametrize("missing", [CLASS, NAME, DEFINITION, CARDINALITY, OBLIGATION])
def test_a_table_without_a_column_that_a_model_has_is_left_to_others(missing: int) -> None:
    printout = Printout()
    printout.header(*("Remarks" if at == missing else text for at, text in enumerate(HEADERS)))
    printout.row(*gauge())
    assert printout.read() is None


@pytest.mark.parametrize(("type_size", "landscape"), [(7.0, True), (3.0, False)])
def test_pages_of_other_size_or_type_are_left_to_others(type_size: float, landscape: bool) -> None:
    printout = Printout(type_size, landscape)
    printout.header()
    printout.row(*gauge())
    assert printout.read() is None


def test_a_page_of_small_type_without_such_a_header_is_left_to_others(sheet: Printout) -> None:
    sheet.row(*gauge())
    other = Printout()
    other.row("Station", "Opened", "Keeper", height=8)
    other.row("North", "1931", "none", height=8)
    assert other.read() is None
    assert other.read(after=sheet.table()) is None
    empty = Printout()
    assert empty.read() is None


WORDS = st.lists(
    st.text("abcdefgh_", min_size=2, max_size=6), min_size=1, max_size=2, unique=True
).map(" ".join)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            WORDS,
            WORDS,
            st.sampled_from(["0..1", "1..1", "0..n", "1..n"]),
            st.sampled_from(["mandatory", "recommended", "optional", "conditional"]),
            st.sampled_from(["", "If it is read by hand"]),
            st.sampled_from([(GREEN, "confirmed"), (YELLOW, "for review"), (WHITE, None)]),
            st.floats(6, 20),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_row_is_read_once_in_order_and_from_its_own_cells(
    rows: Sequence[tuple[str, str, str, str, str, tuple[tuple[int, int, int], str | None], float]],
) -> None:
    printout = Printout()
    printout.header()
    for of_class, name, cardinality, obligation, condition, (fill, _), height in rows:
        printout.row(
            *gauge(
                of_class=of_class,
                name=name,
                cardinality=cardinality,
                obligation=obligation,
                condition=condition,
            ),
            fill=fill,
            height=height,
        )
    items = [row.item for row in printout.table().rows]
    assert [
        (
            item.of_class,
            item.name,
            item.cardinality,
            item.obligation,
            item.condition,
            item.review,
        )
        for item in items
    ] == [(*cells[:5], cells[5][1]) for cells in rows]


MODEL = Path("assets") / "minimal-metadata-model"
LISTED = Path(__file__).resolve().parent.parent / "data" / "metadata_items.csv"


Page = tuple[str, int]
"""A file, and the number of a page in it."""


@pytest.fixture(scope="module")
def pages(framework: Path) -> dict[Page, tuple[ItemTable, str]]:
    """The pages with a table of the framework's metadata model: it, and all that is printed."""
    found = {}
    for path in sorted((framework / MODEL).glob("*.pdf")):
        last = None
        with pdfplumber.open(path) as document:
            for page in document.pages:
                # Cells stand in the file one after the other.
                printed = letters_digits("".join(each["text"] for each in page.chars))
                table = read_item_table(page, last.columns if last else None)
                if table is not None:
                    last, found[path.name, page.page_number] = table, (table, printed)
    return found


@pytest.fixture(scope="module")
def tables(pages: Mapping[Page, tuple[ItemTable, str]]) -> dict[Page, ItemTable]:
    return {place: table for place, (table, _) in pages.items()}


def test_the_metadata_model_is_read_as_a_person_reads_it(
    tables: Mapping[Page, ItemTable],
) -> None:
    # The list was made from the rendered pages; it holds the first words of a condition.
    names = ("file", "page", "class", "item", "cardinality", "obligation", "condition", "review")
    with LISTED.open(newline="", encoding="utf-8") as file:
        listed = [tuple(row) for row in csv.reader(file) if tuple(row) != names]
    read = [
        (
            file,
            str(page),
            row.item.of_class,
            row.item.name,
            row.item.cardinality,
            row.item.obligation,
            " ".join(row.item.condition.split()[:4]),
            row.item.review or "",
        )
        for (file, page), table in tables.items()
        for row in table.rows
    ]
    assert len(listed) >= 60
    assert sorted(read) == sorted(listed)


def test_every_block_of_the_metadata_model_is_text_of_its_page(
    pages: Mapping[Page, tuple[ItemTable, str]],
) -> None:
    checked = 0
    for table, page in pages.values():
        blocks = [*table.others, *(block for row in table.rows for block in row.blocks)]
        for block in blocks:
            for cell in block.text.split(" | "):
                assert letters_digits(cell) in page
                checked += 1
    assert checked > 1000


def test_nobody_who_wrote_a_note_is_named(
    tables: Mapping[Page, ItemTable],
) -> None:
    text = " ".join(
        block.text
        for table in tables.values()
        for block in (*table.others, *(block for row in table.rows for block in row.blocks))
    )
    for sign in ("dded by", "uggested by", "comment from", "eviewer", "Please leave"):
        assert sign not in text
