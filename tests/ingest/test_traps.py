"""Traps of real sites, each with an invented page that holds it.

Those of labels, of headings in lists and of empty pages are beside the rest of
their reader, in ``test_html.py``, ``test_markdown.py`` and ``test_jekyll.py``.
"""

from __future__ import annotations

import pytest

from ingest.boilerplate import is_apparatus, without_placeholders
from ingest.loaders.html import Reading, parse_html, read_page, read_sections, without_repeats
from ingest.loaders.markdown import to_soup
from ingest.models import Block, Section


def markdown(text: str, title: str = "") -> Reading:
    soup = to_soup(text)
    return read_sections(soup.body or soup, title)


def blocks(reading: Reading) -> list[Block]:
    return [block for section in reading.sections for block in section.blocks]


def texts(reading: Reading) -> list[str]:
    return [block.text for block in blocks(reading)]


PROSE = "The harbour keeps a log of every tide and of every ship that comes in on it. " * 5


# The title, and what stands around the content


def test_the_title_is_the_one_first_heading_without_buttons_and_kind() -> None:
    reading = read_page(
        "<title>North pier | Tide atlas</title><main><h1><span class='d-block text-secondary'>"
        "Stations</span><span class='visually-hidden'>:</span> North pier <div id='edit-me'>"
        "<a role='button' href='/edit'><i class='pencil'></i></a></div></h1>"
        "<p>Hello.</p><h2 id='ebb'>Ebb</h2><p>Goes.</p></main>"
    )
    assert reading.title == "North pier"
    assert [(each.heading, each.anchor, each.text) for each in reading.sections] == [
        ((), None, "Hello."),
        (("Ebb",), "ebb", "Ebb\nGoes."),
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("North pier | Tide atlas", "North pier"),
        ("Ebb - and flow – Tide atlas", "Ebb - and flow"),
        ("Tide atlas", "Tide atlas"),
    ],
)
def test_a_page_without_a_heading_has_the_title_of_its_window_without_the_site(
    title: str, expected: str
) -> None:
    assert read_page(f"<title>{title}</title><body><p>Hello.</p></body>").title == expected


def test_a_given_title_is_not_repeated_and_another_first_heading_stays() -> None:
    assert texts(markdown("# Tides!\n\nThey turn.\n", "Tides")) == ["They turn."]
    assert texts(markdown("# Ropes\n\nThey hold.\n", "Tides")) == ["Ropes", "They hold."]


def test_a_second_first_level_heading_is_a_section_of_its_own() -> None:
    reading = markdown("# Tides\n\nThey turn.\n\n## Ebb\n\nGoes.\n\n# Ropes\n\nThey hold.\n")
    assert reading.title == "Tides"
    assert [each.heading for each in reading.sections] == [(), ("Ebb",), ("Ropes",)]


@pytest.mark.parametrize(
    "around",
    [
        "<div role='navigation'>Around</div>",
        "<nav>Around</nav>",
        "<ol class='breadcrumb'><li>Around</li></ol>",
        "<div class='cookie-banner'>Around</div>",
        "<div role='dialog'>Around</div>",
        "<a class='visually-hidden-focusable' href='#main'>Around</a>",
        "<div class='input-group'><span>Around</span><input></div>",
        "<div id='toc'>Around</div>",
        "<ul class='pagination'><li>Around</li></ul>",
        "<div class='p-4 page-contributors'><p>Around</p></div>",
        "<p hidden>Around</p>",
        "<p style='color: red; display:none'>Around</p>",
        "<p aria-hidden='true'>Around</p>",
        "<div class='d-none'>Around</div>",
    ],
)
def test_what_is_around_the_content_or_hidden_stays_out(around: str) -> None:
    page = f"<main><h1>Tides</h1><p>They turn.</p>{around}<p>They ebb.</p></main>"
    assert texts(read_page(page)) == ["They turn.", "They ebb."]


@pytest.mark.parametrize(
    "shown",
    [
        "<h2 id='pagination'>Shown</h2>",
        "<section id='toc'><p>Shown</p></section>",
        "<dl><dt id='toc'>Shown</dt><dd id='pagination'>Shown</dd></dl>",
        "<h2><button>Shown</button></h2>",
        "<div role='tabpanel' style='display: none'>Shown</div>",
        "<div class='d-none d-md-block'>Shown</div>",
        "<details><summary>Shown</summary></details>",
        "<div class='note'>Shown</div>",
    ],
)
def test_content_that_only_resembles_a_frame_stays(shown: str) -> None:
    assert "Shown" in texts(read_page(f"<main><h1>Tides</h1><p>They turn.</p>{shown}</main>"))


def test_a_page_without_a_main_part_is_what_holds_its_title_and_its_words() -> None:
    reading = read_page(
        "<body><header>Atlas</header><div class='menu'><a href='/'>Home</a></div>"
        f"<div class='box'><h1>Tides</h1><p>{PROSE}</p></div>"
        "<div><p>Follow us.</p></div><footer>Print</footer></body>"
    )
    assert reading.title == "Tides"
    assert texts(reading) == [PROSE.strip()]


def test_a_list_of_links_to_the_headings_of_the_page_is_its_contents() -> None:
    page = (
        "## On this page\n- [Ebb](#ebb)\n- [Flow](#flow)\n    - [Neap](#old-name)\n\n"
        "## Ebb\n\nGoes.\n\n## Flow\n\nComes.\n\n## Neap\n\n- [Ebb](#ebb) goes further.\n- Rare.\n"
    )
    assert texts(markdown(page)) == [
        "Ebb", "Goes.", "Flow", "Comes.", "Neap", "Ebb goes further.", "Rare.",
    ]  # fmt: skip


def test_a_box_at_the_end_of_many_pages_is_the_sites_and_not_the_pages() -> None:
    box = "<h2>Useful things</h2><p>Want a rope of your own?</p>"
    pages = [
        read_page(f"<main><h1>Pier {n}</h1><p>It has {n} gauges.</p>{box}</main>").sections
        for n in range(5)
    ]
    assert [[each.text for each in page] for page in without_repeats(pages)] == [
        [f"It has {n} gauges."] for n in range(5)
    ]
    assert without_repeats(pages[:4]) == pages[:4], "four pages may well say the same"


def test_more_than_a_box_stays_on_the_first_page_that_says_it() -> None:
    rules = " ".join(f"Rule {n} is kept by all who moor here." for n in range(8))
    pages = [
        read_page(
            f"<main><h1>Pier {n}</h1><p>It has {n} gauges.</p><h2>Rules</h2><p>{rules}</p></main>"
        ).sections
        for n in range(6)
    ]
    said = ["\n".join(each.text for each in page) for page in without_repeats(pages)]
    assert ["Rule 7" in text for text in said] == [True, *[False] * 5]


def test_what_many_pages_say_in_between_is_their_own() -> None:
    def page(n: int) -> tuple[Section, ...]:
        said = "".join(
            f"<h2>{h}</h2><p>It is {h} there.</p>" for h in (n, n + 9, "wet", n + 20, n + 30)
        )
        return read_page(f"<main><h1>Pier</h1>{said}</main>").sections

    pages = [page(n) for n in range(6)]
    assert without_repeats(pages) == pages


# Headings, terms, definitions


@pytest.mark.parametrize(
    "heading",
    [
        "<section id='ebb'><h2>Ebb</h2><p>Goes.</p></section>",
        "<div class='section' id='ebb'><h2>Ebb</h2><p>Goes.</p></div>",
        "<h2><a name='ebb'></a>Ebb</h2><p>Goes.</p>",
        "<h2>Ebb<a class='headerlink' href='#ebb'>¶</a><span id='ebb'></span></h2><p>Goes.</p>",
    ],
)
def test_the_anchor_of_a_heading_may_stand_beside_it(heading: str) -> None:
    (section,) = read_page(f"<main>{heading}</main>").sections
    assert (section.heading, section.anchor, section.text) == (("Ebb",), "ebb", "Ebb\nGoes.")


@pytest.mark.parametrize(
    "glossary",
    [
        "<table><tr><th>Term</th><th>Meaning</th></tr><tr><td id='neap'>Neap</td><td>A small tide."
        "</td></tr><tr id='set'><td>Set</td><td>Of a current.</td></tr></table>",
        "<table><tr><th>Term</th><th>Meaning</th></tr><tr><td><a name='neap'></a>Neap</td><td>A"
        " small tide.</td></tr><tr><td><span id='set'></span>Set</td><td>Of a current.</td></tr>"
        "</table>",
        "<p>Term | Meaning</p><dl><dt id='neap'>Neap</dt><dd>A small tide.</dd>"
        "<div><dt id='set'>Set</dt><dd>Of a current.</dd></div></dl>",
    ],
    ids=["cells", "anchors in cells", "a definition list"],
)
def test_a_term_with_an_anchor_is_a_section_that_a_citation_lands_on(glossary: str) -> None:
    page = f"<main><h1>Words</h1><h2 id='all'>All</h2>{glossary}<p>See the log.</p></main>"
    assert [(each.heading, each.anchor, each.text) for each in read_page(page).sections] == [
        (("All",), "all", "All\nTerm | Meaning\nSee the log."),
        (("All", "Neap"), "neap", "Neap\nA small tide."),
        (("All", "Set"), "set", "Set\nOf a current."),
    ]


def test_a_definition_list_reads_term_and_meaning_together() -> None:
    assert texts(
        markdown("Neap\n: The smallest tide.\n\nSet\n: Of a current.\n: Of a sail.\n")
    ) == [
        "Neap: The smallest tide.",
        "Set",
        "Of a current.",
        "Of a sail.",
    ]


def test_line_numbers_are_no_terms() -> None:
    page = "<table><tr><td id='L1'>1</td><td>begin</td></tr></table>"
    assert texts(read_page(page)) == ["1 | begin"]


# Tables


def test_a_cell_that_spans_rows_and_columns_is_said_in_each_row_once() -> None:
    page = (
        "<table><tr><td rowspan=3>Ebb</td><td>Read</td><td rowspan='2'>Ann</td></tr>"
        "<tr><td>Write</td></tr><tr><td colspan=2>Rest</td></tr>"
        "<tr><td colspan='3'>Flow</td></tr></table>"
    )
    assert texts(read_page(page)) == ["Ebb | Read | Ann", "Ebb | Write | Ann", "Ebb | Rest", "Flow"]


@pytest.mark.parametrize("span", ["0", "-1", "99999999999999999999", "two", ""])
def test_a_span_of_nonsense_loses_no_cell(span: str) -> None:
    page = f"<table><tr><td rowspan='{span}'>Ebb</td></tr><tr><td>Flow</td></tr></table>"
    assert [text.split(" | ")[-1] for text in texts(read_page(page))] == ["Ebb", "Flow"]


def test_a_table_that_lays_out_a_page_is_read_cell_by_cell() -> None:
    page = (
        "<table><tr><td><h2>Ebb</h2><p>Goes.</p></td><td><table><tr><th>Mark</th><th>Depth</th>"
        "</tr><tr><td>A</td><td>3</td></tr></table></td></tr></table>"
    )
    assert texts(read_page(page)) == ["Ebb", "Goes.", "Mark | Depth", "A | 3"]


# Flags, pictures, videos, links


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ('<span class="flag-icon ms-2 flag-icon-nl"></span> [Desk](/d)', "Netherlands: Desk"),
        (
            '<span class="fi fi-se"></span> <i class="flag-no"></i> [Desk](/d)',
            "Sweden, Norway: Desk",
        ),
        ("🇵🇹 Tide desk", "Portugal: Tide desk"),
        ("Tide desk 🇮🇪", "Tide desk (Ireland)"),
        ('<span class="flag-icon flag-icon-se"></span> Swedish desk', "Swedish desk"),
        ("🇩🇰", "Denmark"),
        ('<span class="fi fi-rr-home"></span> Home port', "Home port"),
    ],
)
def test_a_flag_is_the_name_of_its_country_unless_the_line_says_it(line: str, read: str) -> None:
    assert texts(markdown(line)) == [read]


def test_a_flag_before_a_link_leaves_it_an_entry() -> None:
    (block,) = blocks(markdown('<span class="flag-icon flag-icon-nl"></span> [Desk](/d)\n'))
    assert block.entry
    assert [link.text for link in block.links] == ["Desk"]


@pytest.mark.parametrize(
    ("alt", "read"),
    [
        ("The water rises for six hours and falls for six", True),
        ("Harbour logo", False),
        ("Screenshot of the page on which the log is kept", False),
        ("harbour-map-of-the-old-town in two colours.png", False),
    ],
)
def test_a_picture_speaks_where_its_words_say_something(alt: str, read: bool) -> None:
    assert texts(markdown(f"Before.\n\n![{alt}](a.png)\n")) == ["Before.", alt][: 1 + read]


def test_a_picture_with_a_caption_or_within_a_sentence_is_silent() -> None:
    alt = "The water rises for six hours and falls for six"
    picture = f"<img alt='{alt}'>"
    page = f"<figure>{picture}<figcaption>Tides</figcaption></figure><p>So {picture}</p>"
    assert texts(read_page(page)) == ["Tides", "So"]


def test_a_section_that_holds_only_a_picture_is_not_empty() -> None:
    assert [each.empty for each in markdown("## Map\n\n![map](a.png)\n\n## Ebb\n").sections] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("title", "words"),
    [("Workshop on tides", "Workshop on tides"), ("YouTube video player", ""), ("", "")],
)
def test_a_video_has_the_words_of_its_title_unless_it_is_the_players(
    title: str, words: str
) -> None:
    section = markdown(f'## Ebb\n\n<iframe src="https://v.example/e" title="{title}"></iframe>\n')
    (link,) = section.sections[0].blocks[-1].links
    assert (link.text, link.address) == (words, "https://v.example/e")
    assert not section.sections[0].empty


@pytest.mark.parametrize(
    "link",
    [
        "[the log]([https://log.example/a])",
        "[the log]((https://log.example/a))",
        "[the log[(https://log.example/a)",
        "[the log]](https://log.example/a)",
    ],
)
def test_a_link_with_odd_brackets_reads_as_its_text(link: str) -> None:
    (block,) = blocks(markdown(f"Read {link} first.\n"))
    assert block.text == "Read the log first."
    assert {each.address for each in block.links} <= {"https://log.example/a"}


def test_sentences_without_a_space_between_them_are_two() -> None:
    fused = "We keep <b>the data.</b><i>Ships</i> come in. See tide.Log and v1.Beta now."
    assert texts(read_page(f"<p>{fused}</p>")) == [
        "We keep the data. Ships come in. See tide. Log and v1.Beta now."
    ]


def test_thirteen_documents_of_one_section_are_thirteen_entries() -> None:
    page = "## Forms\n\n" + "".join(
        f"[Form {n}](/f/{n})\n\n* What form {n} is for.\n\n" for n in range(13)
    )
    (section,) = markdown(page).sections
    entries = [block.text for block in section.blocks if block.entry]
    assert entries == ["Forms", *(f"Form {n}" for n in range(13))]


# What nobody wrote


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("NL: [replace with NL PDF link]", ""),
        ("Report | NL: [replace with NL PDF link]", "Report |"),
        ("See (replace with the exact link) there", "See there"),
        ("[insert your name]", ""),
        ("[TODO]", ""),
        ("Replace the rope [a new one] (replace it with care)", None),
        ("Insert [the card] here", None),
        ("[replaced in 2020]", None),
        ("[TBX] is a format", None),
    ],
)
def test_what_a_template_wants_replaced_is_left_out_and_no_more(
    text: str, left: str | None
) -> None:
    assert without_placeholders(text) == (text if left is None else left)


def test_a_link_that_nobody_filled_in_is_no_link() -> None:
    (block,) = blocks(read_page("<p>Report, EN: <a href='#'>[replace with EN link]</a> of May</p>"))
    assert (block.text, block.links) == ("Report, of May", ())


def test_a_heading_over_a_list_that_a_program_fills_is_no_gap() -> None:
    assert is_apparatus("References")
    assert not is_apparatus("License to fish")
    assert [each.heading for each in markdown("## Ebb\n\n## Bibliography\n").sections] == [("Ebb",)]


def test_a_tag_that_no_program_resolved_is_no_text() -> None:
    assert texts(read_page("<p>{% include_relative ebb.html %}</p><p>Goes.</p>")) == ["Goes."]


# Dialects of Markdown


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('!!! note "Mind"\n    The *tide*\n    turns.\n\nAfter.',
         ["Mind: The tide turns.", "After."]),
        ("!!! warning\n\n    It turns.\n", ["Warning: It turns."]),
        ('??? tip "Fold"\n    It turns.\n', ["Fold: It turns."]),
        ('=== "Ebb"\n    Goes.\n', ["Ebb", "Goes."]),
        ("::: tip\nIt turns.\n:::\n\nAfter.", ["Tip: It turns.", "After."]),
        (":::note[Mind]\nIt turns.\n:::", ["Mind: It turns."]),
        ("::: {.wide}\nIt turns.\n:::", ["It turns."]),
        ("```{note}\nIt turns.\n```", ["Note: It turns."]),
        ("````{admonition} Mind\n:class: tip\n\nIt turns.\n````", ["Mind: It turns."]),
        (
            "````{dropdown} **More**\n:open:\n\n```{figure} a.png\n---\nwidth: 9px\nalt: x\n---\n"
            "The slip.\n```\n````\n\nAfter.",
            ["More", "The slip.", "After."],
        ),
        ("```{toctree}\nebb\nflow\n```\n\nAfter.", ["After."]),
        ("```{authors_atlas}\nAnn: wrote it\n```\n\nAfter.", ["After."]),
        ("```{list-table}\n:header-rows: 1\n* - Mark\n  - Depth\n* - A\n  - 3\n```",
         ["Mark | Depth", "A | 3"]),
        ("(ebb)=\nSee {ref}`the log <log>` and {term}`neap`{cite}`ann2031`.",
         ["See the log and neap."]),
        ("> [!NOTE]\n> It turns.", ["Note: It turns."]),
        ("import Tabs from '@theme/Tabs';\n\nIt turns.", ["It turns."]),
        ("<Tabs>\n<TabItem value='e' label='Ebb'>\n\nGoes.\n\n</TabItem>\n</Tabs>",
         ["Ebb", "Goes."]),
        ("It {{< ref ebb >}}turns. {{% notice %}}Now.{{% /notice %}}", ["It turns. Now."]),
        ("[Read it](/l){ .md-button target=_blank } now {.wide}", ["Read it now"]),
        ("[TOC]\n\nIt turns.", ["It turns."]),
        ("* TOC\n{:toc}\n\nIt turns.", ["It turns."]),
        ("It turns.[^1] Twice.\n\n[^1]: By the moon.", ["It turns. Twice.", "By the moon."]),
        ("Press :pencil: now at 10:30:15.", ["Press now at 10:30:15."]),
        ("<tide:Neap Tide|Neaps> are small, as the <tide:Log>.", ["Neaps are small, as the Log."]),
        ("It <!-- never\n\n## stops\n-->turns.", ["It turns."]),
        ("```mermaid\nflowchart\n  a[Low water] -->|rises| b(\"`High\n water`\")\n```",
         ["Low water, rises, High water"]),
        ("The set {a, b} and {c} has three. Is it ours !!! yes", [
            "The set {a, b} and {c} has three. Is it ours !!! yes"]),
    ],
)  # fmt: skip
def test_dialects_of_markdown_keep_their_words_and_lose_their_notation(
    written: str, read: list[str]
) -> None:
    assert texts(markdown(written)) == read


def test_a_glossary_of_a_book_is_terms_with_anchors() -> None:
    reading = markdown("## Words\n\n```{glossary}\nNeap tide\n    The smallest.\n```\n")
    assert [(each.heading, each.anchor) for each in reading.sections] == [
        (("Words",), "words"),
        (("Words", "Neap tide"), "term-Neap-tide"),
    ]


@pytest.mark.parametrize(
    "written",
    [
        "Write `<tide:Neap Tide>` or ``{{< x >}}`` or `{ref}` here.",
        "See {term}`neap` and `x {.y}` of {term}`ebb`.",
    ],
)
def test_in_code_within_a_line_every_notation_stays(written: str) -> None:
    plain = written.replace("{term}`neap`", "neap").replace("{term}`ebb`", "ebb")
    assert texts(markdown(written)) == [plain.replace("`", "")]


def test_a_line_of_prose_that_begins_as_code_does_is_read() -> None:
    prose = "It is hard to\nexport default settings from the gauge."
    assert texts(markdown(prose)) == [prose.replace("\n", " ")]
    assert texts(markdown("export default Gauge;\n\nIt turns.")) == ["It turns."]


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_in_code_every_notation_stays(fence: str) -> None:
    code = "{{< x >}} ::: {ref}`a` <!-- b --> [TOC] import c"
    assert texts(markdown(f"{fence}\n{code}\n{fence}\n")) == [code]


def test_front_matter_in_toml_gives_the_title() -> None:
    reading = markdown('+++\ntitle = "Tides"\nweight = 1\n+++\n\nThey turn.\n')
    assert (reading.title, texts(reading)) == ("Tides", ["They turn."])


def test_a_tree_of_html_may_be_read_without_a_title() -> None:
    assert read_sections(parse_html("<p>It turns.</p>")).title == ""
