"""Markdown as kramdown renders it: ids, attribute lists, HTML in pieces."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from ingest.loaders.markdown import to_soup

REQUIRED = '<span class="badge badge-warning">Required</span>'


def ids(markdown: str) -> list[str | None]:
    headings = to_soup(markdown).find_all(re.compile("^h[1-6]$"))
    return [str(each["id"]) if each.get("id") else None for each in headings]


def words(soup: BeautifulSoup) -> str:
    return " ".join(soup.get_text(" ").split())


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("1+MG Initiative", "1mg-initiative"),
        ("Storage & Interfaces", "storage--interfaces"),
        ("Who may read `tide_log`?", "who-may-read-tide_log"),
        ("The *whole* [gauge](https://gauge.example/g) list", "the-whole-gauge-list"),
        ("Marées d'été", "marées-dété"),
        ("Version 2.0 (draft) – notes", "version-20-draft--notes"),
    ],
)
def test_a_heading_gets_the_id_that_kramdown_gives_it(heading: str, anchor: str) -> None:
    assert ids(f"## {heading}\n\nText.\n") == [anchor]


def test_a_label_in_a_heading_is_part_of_its_id() -> None:
    markdown = f"### [Gauge log](https://gauge.example/log) {REQUIRED}\n\nText.\n"
    assert ids(markdown) == ["gauge-log-required"]


def test_a_label_on_the_next_line_is_no_part_of_the_id() -> None:
    assert ids(f"### Gauge log\n{REQUIRED}\n\nText.\n") == ["gauge-log"]


def test_repeated_headings_count_up() -> None:
    assert ids("## Rope\n\n## Rope\n\n### Rope\n\n## Knots\n") == [
        "rope",
        "rope-1",
        "rope-2",
        "knots",
    ]


@pytest.mark.parametrize("notation", ["{#moorings}", "{: #moorings}", "{: #moorings .wide}"])
def test_an_id_set_by_hand_wins_and_is_no_text(notation: str) -> None:
    soup = to_soup(f"## Where boats lie {notation}\n\nText.\n")
    assert soup.h2 is not None
    assert soup.h2["id"] == "moorings"
    assert words(soup) == "Where boats lie Text."


def test_an_id_may_stand_on_the_line_below_its_heading() -> None:
    soup = to_soup("## Where boats lie\n{: #moorings .wide}\n\nText.\n")
    assert soup.h2 is not None
    assert soup.h2["id"] == "moorings"
    assert words(soup) == "Where boats lie Text."


def test_an_id_set_by_hand_does_not_make_the_next_equal_heading_count_up() -> None:
    assert ids("## Rope {#first}\n\n## Rope\n") == ["first", "rope"]


def test_a_heading_in_a_list_item_is_a_heading() -> None:
    markdown = "* ### [Tide desk](https://desk.example)\n\n  Answers calls.\n\n* ### Night desk\n"
    assert ids(markdown) == ["tide-desk", "night-desk"]


def test_an_underlined_heading_is_a_heading() -> None:
    assert ids("Spring tides\n------------\n\nText.\n") == ["spring-tides"]


@pytest.mark.parametrize(
    "markdown",
    [
        '[Read the log](https://log.example){: class="btn btn-primary rounded-pill"}\n',
        "Read the log\n{: .lead}\n",
        "{:.lead}\nRead the log\n",
        'Read *the*{: style="color: red"} log\n',
    ],
)
def test_attribute_lists_are_removed(markdown: str) -> None:
    assert words(to_soup(markdown)) == "Read the log"


def test_braces_that_are_no_attribute_list_stay() -> None:
    assert words(to_soup("The set {a, b} has two.\n")) == "The set {a, b} has two."


def test_what_looks_like_an_attribute_list_stays_in_fenced_code() -> None:
    soup = to_soup("```\n## not a heading {: .x}\n```\n")
    assert soup.find("h2") is None
    assert "{: .x}" in words(soup)


def test_a_block_of_html_with_empty_lines_and_indentation_stays_html() -> None:
    markdown = (
        "Before.\n\n"
        '<div class="cards">\n\n'
        '    <div class="card">\n\n'
        '        <p>The <a href="https://pier.example">pier</a> is closed.</p>\n\n'
        "    </div>\n\n"
        "</div>\n"
        "After *the* cards.\n"
    )
    soup = to_soup(markdown)
    assert soup.find(["pre", "code"]) is None
    assert soup.find("a", href="https://pier.example") is not None
    assert words(soup) == "Before. The pier is closed. After the cards."
    assert soup.find("em") is not None, "Markdown after the block is Markdown again"


def test_html_that_is_never_closed_does_not_swallow_the_page() -> None:
    soup = to_soup("<div>\n\nOne *two*.\n\n## Three\n\nFour.\n")
    assert words(soup) == "One two . Three Four."
    assert soup.h2 is not None


def test_a_link_target_may_hold_spaces() -> None:
    soup = to_soup("See [the form](/files/log sheet.pdf) and ![a map](/img/old harbour.png).\n")
    assert soup.a is not None
    assert soup.img is not None
    assert soup.a["href"] == "/files/log%20sheet.pdf"
    assert soup.img["src"] == "/img/old%20harbour.png"
    assert words(soup) == "See the form and ."


def test_a_link_with_a_title_keeps_its_target() -> None:
    soup = to_soup('See [the form](/form.pdf "Log sheet").\n')
    assert soup.a is not None
    assert soup.a["href"] == "/form.pdf"


@pytest.mark.parametrize("tag", ["<br />", "<br>", "  <br/>"])
def test_a_line_break_alone_does_not_turn_what_follows_into_html(tag: str) -> None:
    soup = to_soup(f"{tag}\n## Slack water\nThe *turn* of the tide.\n")
    assert soup.h2 is not None
    assert soup.h2["id"] == "slack-water"
    assert soup.em is not None


def test_tables_definition_lists_and_footnotes_are_read() -> None:
    soup = to_soup(
        "| Mark | Depth |\n|---|---|\n| A | 3 m |\n\n"
        "Neap\n: The smallest tide.\n\n"
        "Measured twice.[^1]\n\n[^1]: By two people.\n"
    )
    assert [cell.get_text() for cell in soup.find_all("td")] == ["A", "3 m"]
    assert soup.dd is not None
    assert soup.dd.get_text().strip() == "The smallest tide."
    assert "By two people." in words(soup)


@given(
    st.lists(
        st.lists(st.sampled_from("tide rope buoy quay mast".split()), min_size=1, max_size=4),
        min_size=1,
        max_size=6,
    )
)
def test_every_heading_has_an_id_and_words_are_neither_lost_nor_added(
    headings: list[list[str]],
) -> None:
    soup = to_soup("\n\n".join(f"## {' '.join(each)}\n\nUnder it." for each in headings))
    found = soup.find_all("h2")
    assert [each.get_text().split() for each in found] == headings
    anchors = [str(each["id"]) for each in found]
    assert all(
        re.fullmatch(rf"{'-'.join(text)}(-\d+)?", anchor)
        for text, anchor in zip(headings, anchors, strict=True)
    )
    assert len(set(anchors)) == len(anchors)


def test_blocks_of_pymdown_are_named_and_pieces_of_other_files_left_out() -> None:
    text = (
        '--8<-- "tides.md"\n\n/// details | How a net is mended\n    open: True\n\nWith twine.\n\n'
        "///\n\n/// note\nIt holds.\n///\n"
    )
    words = to_soup(text).get_text(" ", strip=True)
    assert words == "How a net is mended With twine. Note It holds."
