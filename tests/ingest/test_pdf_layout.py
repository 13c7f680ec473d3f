"""From what is printed on a page to what was written: pure, so without any file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.loaders.mender import Mender
from ingest.loaders.pdf_headings import (
    Bookmark,
    Heading,
    are_slides,
    heading_of,
    slide_title,
)
from ingest.loaders.pdf_layout import (
    Frame,
    Page,
    Paragraph,
    Table,
    aligned_tables,
    paragraphs_of,
)
from ingest.loaders.pdf_lines import Glyph, Line, Rule, Word, lines_of
from ingest.loaders.pdf_running import without_contents, without_running_lines

EM = 10.0
WIDE = 0.5
"""Width of a character in ems."""


def glyphs(
    text: str,
    x: float = 50,
    baseline: float = 100,
    size: float = EM,
    space: float = WIDE,
    *,
    bold: bool = False,
) -> Iterator[Glyph]:
    """A text printed without its spaces, as many programs do."""
    for character in text:
        if character == " ":
            x += space * size
            continue
        step = WIDE * size
        yield Glyph(
            character,
            x,
            x + step,
            baseline - 0.8 * size,
            baseline + 0.2 * size,
            baseline,
            size,
            bold,
        )
        x += step


def line(
    text: str,
    x: float = 50,
    baseline: float = 100,
    size: float = EM,
    *,
    bold: bool = False,
    artifact: bool = False,
) -> Line:
    words = []
    at = x
    for word in text.split():
        end = at + WIDE * size * len(word)
        words.append(Word(word, at, end))
        at = end + WIDE * size
    top, bottom = baseline - 0.8 * size, baseline + 0.2 * size
    return Line(tuple(words), top, bottom, baseline, size, bold=bold, artifact=artifact)


def column(lines: Sequence[str], x: float = 50, first: float = 100, step: float = 12) -> list[Line]:
    return [line(text, x, first + index * step) for index, text in enumerate(lines)]


def page(
    lines: Sequence[Line],
    number: int = 1,
    tables: Sequence[Table] = (),
    frames: Sequence[Frame] = (),
    rules: Sequence[Rule] = (),
) -> Page:
    return Page(number, 595, 842, tuple(lines), tuple(tables), tuple(frames), tuple(rules))


def texts(lines: Sequence[Line]) -> list[str]:
    return [each.text for each in lines]


def read(sheet: Page, *, slide: bool = False) -> list[str]:
    mender = Mender(texts(sheet.lines))
    return [each.text for each in paragraphs_of(sheet, mender.join, slide=slide)]


# --- glyphs to lines ---------------------------------------------------------------------

WORDS = st.lists(st.text("abcdefghijkl", min_size=1, max_size=9), min_size=1, max_size=8)


@given(WORDS, st.floats(0.2, 0.6), st.floats(4, 40))
def test_a_line_comes_back_whatever_its_size_and_spaces(
    words: list[str], space: float, size: float
) -> None:
    text = " ".join(words)
    (found,) = lines_of(glyphs(text, size=size, space=space))
    assert found.text == text


def test_spaces_that_the_file_writes_are_kept_and_letter_spacing_is_none() -> None:
    spaced = [
        Glyph(c, 50 + 6.2 * i, 55 + 6.2 * i, 92, 102, 100, EM) for i, c in enumerate("low tide")
    ]
    (found,) = lines_of(spaced)
    assert found.text == "low tide"


def test_the_number_of_a_footnote_does_not_run_into_the_word() -> None:
    # "gauge" ends at 75; the figure stands behind it, small and raised.
    printed = [*glyphs("gauge"), *glyphs("12", 75.5, 96, 6), *glyphs("shows", 85)]
    (found,) = lines_of(printed)
    assert found.text == "gauge ¹² shows"


def test_a_full_stop_behind_a_raised_figure_stays_with_it() -> None:
    printed = [*glyphs("gauge"), *glyphs("3", 75.5, 96, 6), *glyphs(".", 78.6)]
    (found,) = lines_of(printed)
    assert found.text == "gauge ³."


def test_type_printed_twice_to_look_bold_is_read_once() -> None:
    printed = [*glyphs("ebb and flow"), *glyphs("ebb and flow", 50.3)]
    assert texts(lines_of(printed)) == ["ebb and flow"]


def test_text_on_top_of_text_is_not_shuffled() -> None:
    printed = [*glyphs("the first note"), *glyphs("another one", 52)]
    assert sorted(texts(lines_of(printed))) == ["another one", "the first note"]


def test_columns_of_the_same_row_are_two_lines() -> None:
    printed = [
        glyph
        for row in range(4)
        for x, text in ((50, "left column of text"), (157, "right column of text"))
        for glyph in glyphs(text, x, 100 + 12 * row)
    ]
    assert len(lines_of(printed)) == 8


def test_a_justified_line_with_wide_spaces_stays_one() -> None:
    printed = [
        *glyphs("the water rises and falls twice", baseline=88),
        *glyphs("the  water", space=0.9, baseline=100),
        *glyphs("rises", x=140, baseline=100),
        *glyphs("the water rises and falls twice", baseline=112),
    ]
    assert "the water rises" in texts(lines_of(printed))


def test_a_bullet_belongs_to_the_text_far_behind_it() -> None:
    printed = [*glyphs("●", 50), *glyphs("Bring a rope", 75)]
    assert texts(lines_of(printed)) == ["● Bring a rope"]


def test_a_rule_keeps_two_columns_apart() -> None:
    printed = [*glyphs("Topic"), *glyphs("Summary", 90)]
    assert texts(lines_of(printed, [Rule(82, 90, 110)])) == ["Topic", "Summary"]
    assert texts(lines_of(printed)) == ["Topic Summary"]


# --- lines to paragraphs -----------------------------------------------------------------


def test_columns_are_read_one_after_the_other_below_a_title_over_both() -> None:
    title = line("Tides of the northern harbour and its gauges", 50, 70, 18)
    left = column(["the left column begins here", "and goes on in this line", "to its end."], 50)
    right = column(["Then the right one begins", "and goes on like the left", "to its end."], 250)
    assert read(page([*right, title, *left])) == [
        title.text,
        "the left column begins here and goes on in this line to its end.",
        "Then the right one begins and goes on like the left to its end.",
    ]


def test_a_sentence_goes_on_in_the_next_column() -> None:
    left = column(["The gauge is read twice", "a day by volunteers who"], 50)
    right = column(["keep the log dry and in", "the shelter by the mole."], 250)
    assert read(page([*left, *right])) == [
        "The gauge is read twice a day by volunteers who keep the log dry and in"
        " the shelter by the mole."
    ]


def test_a_sentence_that_ends_at_the_edge_does_not_end_the_paragraph() -> None:
    lines = ["The gauge shows the water.", "The log shows what it was"]
    assert len(read(page(column(lines)))) == 1


def test_a_short_line_and_a_capital_end_the_paragraph() -> None:
    lines = [
        "The gauge is read twice a day by our",
        "volunteers.",
        "The log is kept in the shelter.",
    ]
    assert len(read(page(column(lines)))) == 2


def test_a_coloured_box_beside_the_text_is_read_after_it() -> None:
    beside = column([f"Rule {n} of the house is long" for n in range(4)], 50, 200)
    text = column([f"line {n} of the running text goes on" for n in range(20)], 300)
    before = column(["the text before it", "is in the same column"], 50)
    frame = Frame(40, 280, 185, 260)
    found = read(page([*beside, *before, *text], frames=[frame]))
    assert found[0].startswith("the text before it")
    assert [each.startswith("Rule") for each in found][-1]
    assert paragraphs_of(page([*beside, *text], frames=[frame]), lambda a, b: f"{a} {b}")[-1].aside


def test_a_footnote_begins_a_paragraph() -> None:
    notes = column(["¹ The first gauge, see the", "log of 2031", "² The second gauge"], first=700)
    assert read(page(notes)) == ["¹ The first gauge, see the log of 2031", "² The second gauge"]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 30), st.sampled_from([8.0, 10.0, 16.0])),
        unique_by=lambda each: each[:2],
        min_size=1,
        max_size=40,
    )
)
def test_every_word_of_a_page_is_read_once_wherever_it_stands(
    places: list[tuple[int, int, float]],
) -> None:
    lines = [
        line(f"w{index}a w{index}b", 40 + 90 * x, 60 + 20 * y, size)
        for index, (x, y, size) in enumerate(places)
    ]
    found = " ".join(read(page(lines))).replace(" | ", " ").split()
    assert sorted(found) == sorted(word.text for each in lines for word in each.words)


# --- tables ------------------------------------------------------------------------------

ROWS = [("Name", "Code", "Type"), ("Start date", "C1", "Date"), ("End date", "C2", "Date")]


def grid(rows: Sequence[Sequence[str]]) -> list[Line]:
    return [
        line(cell, 50 + 120 * x, 100 + 12 * y)
        for y, row in enumerate(rows)
        for x, cell in enumerate(row)
        if cell
    ]


def test_cells_in_line_with_one_another_are_a_table_without_rules() -> None:
    assert read(page(grid(ROWS))) == [" | ".join(row) for row in ROWS]


def test_what_stands_alone_under_a_cell_goes_on_with_it() -> None:
    rows = [("Status", "open to all"), ("", "who ask"), ("Version", "2"), ("Date", "May")]
    assert read(page(grid(rows))) == ["Status | open to all who ask", "Version | 2", "Date | May"]


def test_prose_in_two_columns_is_no_table() -> None:
    left = column(["the gauge is read twice by", "the volunteers of the mole", "who write it in a"])
    right = column(
        ["Then comes the harbour who", "reads it in the same week", "and puts it on a"], 250
    )
    tables, rest = aligned_tables([*left, *right])
    assert tables == []
    assert len(rest) == 6


def test_the_lines_of_a_cell_are_folded_and_empty_cells_left_out() -> None:
    cell = (line("A gauge on the"), line("north mole", baseline=112))
    table = Table(((cell, (), (line("0..n", 200),)),), 50, 300, 90, 120)
    assert read(page([], tables=[table])) == ["A gauge on the north mole | 0..n"]


def test_a_cell_of_paragraphs_is_read_as_prose() -> None:
    cell = (line("● The first."), line("● The second.", baseline=112))
    table = Table((((line("Welcome"),), cell),), 50, 300, 90, 120, layout=True)
    assert read(page([], tables=[table])) == ["Welcome", "● The first.", "● The second."]


def test_labels_of_a_slide_are_no_table() -> None:
    assert not any(" | " in each for each in read(page(grid(ROWS)), slide=True))


# --- line ends ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "first", "second", "joined"),
    [
        ("", "an infra-", "structure for", "an infrastructure for"),
        ("a cross-border case", "in cross-", "border care", "in cross-border care"),
        ("", "in cross-", "border care", "in cross-border care"),
        ("a crossborder case", "in cross-", "border care", "in crossborder care"),
        ("gene based on a gene", "a gene-", "based test", "a gene-based test"),
        ("", "an end-to-", "end test", "an end-to-end test"),
        ("", "the COVID-", "19 ward", "the COVID-19 ward"),
        ("", "the North-", "South line", "the North-South line"),
        ("", "pre- and post-", "war", "pre- and postwar"),
        ("", "Daten-", "und Metadaten", "Daten- und Metadaten"),
        ("", "a soft\u00ad", "ware", "a software"),
        ("", "see https://tide.example/log-", "sheet", "see https://tide.example/log-sheet"),
        ("", "see https://tide.ex", "ample/log.pdf", "see https://tide.example/log.pdf"),
        ("", "see https://tide.example", "for more", "see https://tide.example for more"),
        ("", "low –", "and high", "low – and high"),
    ],
)
def test_a_line_end_is_mended(known: str, first: str, second: str, joined: str) -> None:
    assert Mender([known, first, second]).join(first, second) == joined


def test_two_german_words_are_written_as_one() -> None:
    mender = Mender(["weiter verwendet"], english=False)
    assert mender.join("wird weiter-", "verwendet") == "wird weiterverwendet"


def test_a_name_that_a_narrow_cell_has_cut_is_put_together() -> None:
    cells = [["dct:RightsStatement"], ["dct:RightsState", "ment"], ["rdfs:Literal", "typed"]]
    mender = Mender(["one rdfs:Literal is typed"], cells)
    assert mender.join("dct:RightsState", "ment") == "dct:RightsStatement"
    assert mender.join("rdfs:Literal", "typed") == "rdfs:Literal typed"


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_mending_changes_nothing_but_the_line_end(first: str, second: str) -> None:
    first, second = " ".join(first.split()), " ".join(second.split())
    joined = Mender([first, second]).join(first, second)
    assert joined.replace(" ", "").startswith(first.replace(" ", "")[:-1])
    assert joined.endswith(second)


# --- what is on every page ---------------------------------------------------------------


def many(*, count: int = 6, extra: Sequence[Line] = ()) -> list[Page]:
    return [
        page([*extra, *column([f"Sentence {'abcdefgh'[n]} of the text."], first=300)], n + 1)
        for n in range(count)
    ]


def test_running_heads_and_feet_go_whatever_their_numbers() -> None:
    pages = [
        page(
            [
                line("Tide log, May 2031", 50, 40),
                line(f"Page {n} of 6", 400 if n % 2 else 50, 810),
                line(f"Sentence {n} of the text.", 50, 300),
            ],
            n,
        )
        for n in range(1, 7)
    ]
    cleaned = [texts(each.lines) for each in without_running_lines(pages)]
    assert cleaned == [[f"Sentence {n} of the text."] for n in range(1, 7)]


def test_headings_that_count_something_else_than_pages_are_kept() -> None:
    pages = [
        page([line(f"Article {n * n}", 50, 40), line(f"Sentence {n} of it.", 50, 300)], n)
        for n in range(1, 7)
    ]
    kept = [text for each in without_running_lines(pages) for text in texts(each.lines)]
    assert [text for text in kept if text.startswith("Article")] == [
        f"Article {n * n}" for n in range(1, 7)
    ]


def test_a_line_that_stands_on_two_of_many_pages_is_kept() -> None:
    head = line("A heading", 50, 40)
    pages = [*many(count=2, extra=[head]), *many(count=4)]
    kept = [text for each in without_running_lines(pages) for text in texts(each.lines)]
    assert kept.count("A heading") == 2


def test_a_title_that_some_slides_share_is_kept() -> None:
    pages = [
        page([line("Profile", 50, 60, 28), line(f"Sentence {n} of the text.", 50, 300)], n)
        for n in range(1, 5)
    ] + many(count=6)
    kept = [text for each in without_running_lines(pages) for text in texts(each.lines)]
    assert kept.count("Profile") == 4


def test_page_numbers_go_even_far_from_the_edge() -> None:
    pages = [
        page([line(f"Sentence {n} of the text.", 50, 300), line(str(n + 4), 290, 690)], n)
        for n in range(1, 5)
    ]
    cleaned = [texts(each.lines) for each in without_running_lines(pages)]
    assert cleaned == [[f"Sentence {n} of the text."] for n in range(1, 5)]


def test_a_document_of_nothing_but_one_line_a_page_keeps_it() -> None:
    pages = [page([line("Closed", 50, 40)], n) for n in range(1, 5)]
    assert without_running_lines(pages) == pages


def entry(text: str, number: int, row: int, dots: str = "") -> Line:
    written = line(f"{text} {dots}".strip(), 50, 100 + 14 * row)
    return Line(
        (*written.words, Word(str(number), 500, 510)),
        written.top,
        written.bottom,
        written.baseline,
        EM,
    )


@pytest.mark.parametrize("dots", ["", "........"])
def test_a_table_of_contents_goes_with_its_heading(dots: str) -> None:
    names = ["Ebb", "Flow", "Slack water", "Springs", "Neaps", "Surges"]
    rows = [entry(name, 3 + 2 * n, n, dots) for n, name in enumerate(names)]
    sheet = page([line("Contents", 50, 70, 16), *rows, line("The tide turns.", 50, 400)])
    (cleaned,) = without_contents([sheet])
    assert texts(cleaned.lines) == ["The tide turns."]


@pytest.mark.parametrize("stroke", ["_", ".", "…"])
def test_a_form_to_be_written_on_is_no_table_of_contents(stroke: str) -> None:
    form = ["Name: " + 12 * stroke, "I may leave at any time.", "Date: " + 12 * stroke]
    assert without_contents([page(column(form))]) == [page(column(form))]


def test_lines_that_end_in_numbers_are_no_table_of_contents() -> None:
    rows = column([f"The gauge was read in {2030 - n}" for n in range(8)])
    assert without_contents([page(rows)]) == [page(rows)]


# --- headings ----------------------------------------------------------------------------


def heading(text: str, size: float = EM, *, bold: bool = False) -> Heading | None:
    return heading_of(Paragraph(text, size, bold), EM)


@pytest.mark.parametrize(
    ("text", "size", "bold"),
    [
        ("Reading a gauge", 14.0, False),
        ("Reading a gauge", EM, True),
        ("2.1 Reading a gauge", EM, False),
        ("3. READING A GAUGE", EM, False),
    ],
)
def test_a_heading_is_told_by_size_weight_or_number(text: str, size: float, bold: bool) -> None:
    assert heading(text, size, bold=bold) is not None


@pytest.mark.parametrize(
    ("text", "size", "bold"),
    [
        ("Reading a gauge", EM, False),
        ("3. Read the gauge", EM, False),
        ("Read the gauge.", EM, True),
        ("Figure 3: A gauge", EM, True),
        ("● Reading", EM, True),
        ("desk@tide.example", 14.0, True),
        ("¹ Reading", 14.0, False),
        ("1 2 3", 14.0, True),
        (" ".join(["tide"] * 30), 14.0, True),
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str, size: float, bold: bool) -> None:
    assert heading(text, size, bold=bold) is None


def test_a_bookmark_makes_a_heading_of_plain_type_and_gives_its_level() -> None:
    found = heading_of(Paragraph("Reading a gauge", EM), EM, [Bookmark("2 Reading a gauge", 1, 1)])
    assert found is not None
    assert found.level == 1


def test_rank_goes_by_bookmark_then_number_then_type() -> None:
    large, bold = Heading("A", 14, False), Heading("B", EM, True)
    plain = Heading("C", EM, False)
    assert large.contains(bold)
    assert bold.contains(plain)
    assert not plain.contains(plain)
    first, under = Heading("1 A", EM, False, ("1",)), Heading("1.2 B", 14, True, ("1", "2"))
    assert first.contains(under)
    assert not under.contains(first)
    assert not large.contains(first)  # a chapter stands under nothing
    outer, inner = Heading("A", EM, False, level=0), Heading("B", 20, True, level=1)
    assert outer.contains(inner)


# --- slides ------------------------------------------------------------------------------


def slide(*lines: Line) -> Page:
    return Page(1, 720, 405, lines)


def test_wide_pages_in_large_type_are_slides_and_wide_tables_are_not() -> None:
    assert are_slides([slide(line("Tides", size=24), line("Ebb", size=16))])
    assert not are_slides([slide(line("Tides", size=4), line("Ebb", size=4))])
    assert not are_slides([page([line("Tides", size=24)])])


def test_the_title_of_a_slide_is_large_and_nearest_to_the_top() -> None:
    sheet = slide()
    found = [
        Paragraph("Harbour board", 10, top=5),
        Paragraph("Reading a gauge", 24, top=30),
        Paragraph("Twice a day", 16, top=100),
        Paragraph("At low water", 24, top=200),
    ]
    assert slide_title(sheet, found) == 1
    assert slide_title(sheet, []) is None
