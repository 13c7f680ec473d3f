"""Trees of HTML, cut into sections: labels, entries, and what must stay out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.loaders.html import Reading, main_part, parse_html, read_sections
from ingest.loaders.markdown import to_soup
from ingest.models import Block, Section

REQUIRED = '<span class="badge badge-warning">Required</span>'
RECOMMENDED = '<span class="badge badge-dark">Recommended</span>'
INFORMATIONAL = '<span class="badge badge-primary">Informational</span>'


def read_html(markup: str) -> Reading:
    return read_sections(main_part(parse_html(markup)))


def read_markdown(markdown: str) -> Reading:
    soup = to_soup(markdown)
    return read_sections(soup.body or soup)


def texts(reading: Reading) -> list[str]:
    return [block.text for section in reading.sections for block in section.blocks]


def blocks(reading: Reading) -> list[Block]:
    return [block for section in reading.sections for block in section.blocks]


def only(reading: Reading) -> Section:
    (section,) = reading.sections
    return section


# Sections


def test_a_section_holds_what_stands_under_its_heading() -> None:
    reading = read_markdown(
        "Hello.\n\n## Tides\n\nThey turn.\n\n### Ebb\n\nGoes.\n\n## Knots\n\nA.\n"
    )
    assert [(each.heading, each.anchor, each.text) for each in reading.sections] == [
        ((), None, "Hello."),
        (("Tides",), "tides", "Tides\nThey turn."),
        (("Tides", "Ebb"), "ebb", "Ebb\nGoes."),
        (("Knots",), "knots", "Knots\nA."),
    ]


def test_a_heading_inside_a_list_item_opens_a_section() -> None:
    reading = read_markdown(
        "* ### [Tide desk](/desk)\n\n  Answers calls.\n\n* ### Night desk\n\n  Sleeps.\n"
    )
    assert [(each.heading, each.anchor, each.text) for each in reading.sections] == [
        (("Tide desk",), "tide-desk", "Tide desk\nAnswers calls."),
        (("Night desk",), "night-desk", "Night desk\nSleeps."),
    ]


def test_a_heading_without_an_id_leads_to_the_nearest_anchor_before_it() -> None:
    reading = read_html("<h2 id='tides'>Tides</h2><p>A.</p><h3>Ebb</h3><p>B.</p>")
    assert [each.anchor for each in reading.sections] == ["tides", "tides"]


@pytest.mark.parametrize("read", [read_html, read_markdown], ids=["in HTML", "in Markdown"])
@pytest.mark.parametrize("following", ["<p>They turn.</p>", "They turn.", "<div>They turn.</div>"])
def test_a_heading_with_the_wrong_end_tag_ends_there(
    read: Callable[[str], Reading], following: str
) -> None:
    reading = read(f"<div><h2>Tides</h3>{following}<h2>Knots</h2><p>Hold.</p></div>")
    assert [(each.heading, each.text) for each in reading.sections] == [
        (("Tides",), "Tides\nThey turn."),
        (("Knots",), "Knots\nHold."),
    ]


def test_a_heading_without_words_opens_nothing() -> None:
    reading = read_html("<p>A.</p><h2><img src='line.png'></h2><p>B.</p>")
    assert only(reading).text == "A.\nB."


def test_a_link_that_is_never_closed_loses_and_swallows_nothing() -> None:
    reading = read_html(
        '<p>Read it <a href="/log">here<a> and go on.</p><h2>Knots</h2><p>They hold.</p>'
    )
    assert texts(reading) == ["Read it here and go on.", "Knots", "They hold."]
    assert [(link.text, link.address) for link in blocks(reading)[0].links] == [("here", "/log")]


def test_a_card_that_leads_to_another_page_is_one_line_and_no_section() -> None:
    reading = read_html('<a href="/pier"><h3>North pier</h3><p>Two gauges.</p></a>')
    assert only(reading).text == "North pier: Two gauges."


def test_a_paragraph_is_one_line_and_code_keeps_its_lines() -> None:
    reading = read_html("<p>A\n   long\tline<br>and its <em>end</em>.</p><pre>one\n  two\n</pre>")
    assert texts(reading) == ["A long line and its end.", "one\ntwo"]


def test_the_main_part_is_the_page_without_what_surrounds_it() -> None:
    reading = read_html(
        "<body><div>Menu words</div><main><p>Content.</p></main><div>Small print</div></body>"
    )
    assert texts(reading) == ["Content."]


# Labels


@pytest.mark.parametrize(
    "markdown",
    [
        f"### Tide log {REQUIRED}\n\nKeep one.\n",
        f"### Tide log\n{REQUIRED}\n\nKeep one.\n",
        f"### Tide log\n\n{REQUIRED}\n\nKeep one.\n",
    ],
    ids=["in the heading", "on the next line", "in a paragraph of its own"],
)
def test_a_label_at_a_heading_is_the_label_of_its_section(markdown: str) -> None:
    section = only(read_markdown(markdown))
    assert (section.heading, section.label) == (("Tide log",), "required")
    assert [(each.text, each.label) for each in section.blocks] == [
        ("Tide log Required", "required"),
        ("Keep one.", None),
    ]


def test_a_label_belongs_to_the_link_before_it() -> None:
    section = only(read_markdown(f"### [Tide log](/log) {REQUIRED}\n"))
    assert [(each.text, each.label) for each in section.blocks[0].links] == [
        ("Tide log", "required")
    ]


def test_each_link_of_one_heading_has_its_own_label() -> None:
    section = only(
        read_markdown(
            f"### [Log](/l) {REQUIRED}, [Chart](/c) {RECOMMENDED} / [Flag](/f) {RECOMMENDED}\n"
        )
    )
    assert section.heading == ("Log, Chart / Flag",)
    assert section.label is None, "neither label is that of the whole section"
    assert {each.text: each.label for each in section.blocks[0].links} == {
        "Log": "required",
        "Chart": "recommended",
        "Flag": "recommended",
    }


def test_a_label_after_a_link_in_a_paragraph_is_not_the_label_of_its_section() -> None:
    section = only(
        read_markdown(
            f"## Forms\n\n[Log](/log) {REQUIRED}\n\n* Daily.\n\n[Flag](/flag) {INFORMATIONAL}\n"
        )
    )
    assert section.label is None
    assert [(each.text, each.label) for each in section.blocks] == [
        ("Forms", None),
        ("Log Required", "required"),
        ("Daily.", None),
        ("Flag Informational", "informational"),
    ]


def test_a_label_on_the_line_after_a_link_belongs_to_that_link() -> None:
    section = only(read_markdown(f"## Forms\n\n[Log](/log)\n\n{RECOMMENDED}\n\n[Flag](/flag)\n"))
    assert [(each.text, each.label) for each in section.blocks] == [
        ("Forms", None),
        ("Log Recommended", "recommended"),
        ("Flag", None),
    ]
    assert section.blocks[1].links[0].label == "recommended"
    assert section.label is None


def test_of_two_labels_after_one_link_the_first_is_its_own() -> None:
    (block,) = blocks(read_markdown(f"[Log](/log) {REQUIRED} by night {RECOMMENDED}\n"))
    assert block.links[0].label == "required"
    assert block.label is None


def test_a_paragraph_without_a_label_has_none() -> None:
    assert [each.label for each in blocks(read_markdown("Required reading is scarce.\n"))] == [None]


@pytest.mark.parametrize(
    "badge",
    [
        '<span class="badge badge-warning national">National genomic plans</span>',
        '<span class="badge">New</span>',
        '<span class="note">Required</span>',
    ],
)
def test_only_a_badge_with_a_label_is_a_label(badge: str) -> None:
    (block,) = blocks(read_markdown(f"The log {badge} is kept.\n"))
    assert block.label is None


# Entries


def test_a_paragraph_that_begins_with_a_link_is_an_entry() -> None:
    found = blocks(
        read_markdown(
            "[Log](/log)\n\n* Daily, as [agreed](/a).\n\n**[Chart](/chart)** of depths\n\n"
            "See [the flag](/flag).\n\n* [Rope](/rope)\n"
        )
    )
    assert [(each.text, each.entry) for each in found] == [
        ("Log", True),
        ("Daily, as agreed.", False),
        ("Chart of depths", True),
        ("See the flag.", False),
        ("Rope", False),
    ]


# What must stay out


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- Secret words -->",
        "<script>let secret = 1</script>",
        "<style>.secret {}</style>",
        "<nav>Secret menu</nav>",
        "<footer>Secret print</footer>",
        "<form>Secret <input value='secret'></form>",
        "<button>Secret</button>",
        "<noscript>Secret</noscript>",
        "<template><p>Secret</p></template>",
    ],
)
def test_what_is_no_content_stays_out(hidden: str) -> None:
    assert texts(read_html(f"<div><p>Shown.</p>{hidden}<p>Too.</p></div>")) == ["Shown.", "Too."]
    assert texts(read_markdown(f"Shown.\n\n{hidden}\n\nToo.\n")) == ["Shown.", "Too."]


def test_a_comment_may_hold_a_whole_section() -> None:
    reading = read_markdown("Shown.\n\n<!--\n## Hidden\n\nSecret.\n\n<p>More.</p>\n-->\n\nToo.\n")
    assert texts(reading) == ["Shown.", "Too."]


NOTICE = (
    "**We are still working on the content for this page.** If you are interested in adding to"
    " the page, then:\n\n[Feel free to contribute](/contribute)\n\nThis is a community-driven"
    " website, so contributions are welcome! You will, of course, be listed as a contributor on"
    " the page.\n"
)


def test_the_notice_that_a_page_is_unwritten_is_noticed_and_left_out() -> None:
    reading = read_markdown(NOTICE)
    assert (reading.sections, reading.notice) == ((), True)


def test_a_notice_after_real_content_leaves_the_content() -> None:
    reading = read_markdown(f"The tide turns. It ebbs.\n\n{NOTICE}")
    assert texts(reading) == ["The tide turns. It ebbs."]


def test_a_notice_inside_a_paragraph_takes_no_neighbour_with_it() -> None:
    reading = read_markdown(
        "The tide turns. We are working on content for this section. It ebbs.\n"
    )
    assert texts(reading) == ["The tide turns. It ebbs."]
    assert reading.notice


@pytest.mark.parametrize("filler", ["Lorem ipsum dolor sit amet.", "Sample Text", "REPLACE THIS"])
def test_filler_is_noticed_and_left_out(filler: str) -> None:
    reading = read_markdown(f"The tide turns.\n\n{filler}\n")
    assert (texts(reading), reading.filler) == (["The tide turns."], True)


@pytest.mark.parametrize(
    "words",
    ["...", "…", "You are here.", "Browse other nations", "Back to all topics", "Learn More"],
)
def test_words_of_the_interface_are_left_out(words: str) -> None:
    reading = read_markdown(f"The tide turns.\n\n{words}\n")
    assert (texts(reading), reading.notice, reading.filler) == (["The tide turns."], False, False)


@pytest.mark.parametrize(
    "sentence",
    [
        "We are working on the tide tables.",
        "Learn more about tides from the desk.",
        "You are here to measure water.",
        "The filler says lorem ipsum.",
        "Feel free to contribute your log to the desk.",
    ],
)
def test_sentences_that_only_resemble_a_notice_stay(sentence: str) -> None:
    assert texts(read_markdown(sentence)) == [sentence]


# Empty sections


def test_a_heading_with_nothing_under_it_is_empty() -> None:
    ebb, flow = read_markdown("## Ebb\n\n## Flow\n\nComes.\n").sections
    assert (ebb.empty, flow.empty) == (True, False)


def test_a_section_that_holds_only_a_notice_is_empty() -> None:
    section = only(read_markdown("## Ebb\n\nWe are working on the content for this section.\n"))
    assert section.empty
    assert section.text == "Ebb"


def test_the_last_heading_of_a_page_may_be_empty() -> None:
    assert read_markdown("Text.\n\n## Ebb\n").sections[-1].empty


@pytest.mark.parametrize(
    "content",
    [
        "### Spring ebb\n\nGoes far.\n",
        '<iframe src="https://video.example/ebb"></iframe>\n',
        "[![Screenshot of the ebb](ebb.png)](https://video.example/ebb)\n",
        "| Mark | Depth |\n|---|---|\n| A | 3 |\n",
    ],
    ids=["a smaller heading", "a video", "a linked picture", "a table"],
)
def test_a_section_that_holds_something_is_not_empty(content: str) -> None:
    first = read_markdown(f"## Ebb\n\n{content}\n## Flow\n\nComes.\n").sections[0]
    assert first.heading == ("Ebb",)
    assert not first.empty


def test_a_heading_that_is_itself_a_link_or_labelled_is_not_empty() -> None:
    linked, labelled = read_markdown(f"## [Ebb](/ebb)\n\n## Flow {REQUIRED}\n").sections
    assert not linked.empty
    assert not labelled.empty


def test_a_video_is_a_link_without_words() -> None:
    section = only(read_markdown('## Ebb\n\n<iframe src="https://video.example/ebb"></iframe>\n'))
    assert section.text.strip() == "Ebb"
    assert section.blocks[-1].links[0].address == "https://video.example/ebb"


# Tables and drawings


def test_a_table_is_read_row_by_row() -> None:
    reading = read_html(
        "<table><thead><tr><th>Stage</th><th>Task</th><th>Who</th></tr></thead><tbody>"
        "<tr><td rowspan='2'>Ebb</td><td>Read the <a href='/g'>gauge</a></td><td>Ann</td></tr>"
        "<tr><td>Write it down</td><td>Ben</td></tr>"
        f"<tr><td>Flow</td><td>Call the desk {REQUIRED}</td><td></td></tr>"
        "</tbody></table>"
    )
    assert texts(reading) == [
        "Stage | Task | Who",
        "Ebb | Read the gauge | Ann",
        "Ebb | Write it down | Ben",
        "Flow | Call the desk Required",
    ]
    assert blocks(reading)[1].links[0].address == "/g"
    assert [each.label for each in blocks(reading)] == [None, None, None, "required"]


def test_the_words_of_a_drawing_are_kept_and_its_styles_are_not() -> None:
    reading = read_markdown(
        '<svg viewBox="0 0 9 9">\n<style>.a { fill: red }</style>\n'
        '<a href="./ebb"><text x="1">Ebb</text></a>\n\n'
        '<text x="2">Slack <tspan>water</tspan></text>\n<path d="M0"/>\n</svg>\n\nThe cycle.\n'
    )
    assert texts(reading) == ["Ebb Slack water", "The cycle."]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["p", "li", "div", "td", "h2", "h3", "span", "a", "blockquote"]),
            st.lists(st.sampled_from("tide rope buoy quay mast".split()), min_size=1, max_size=5),
        ),
        max_size=8,
    )
)
def test_every_visible_word_comes_once_and_in_order(elements: list[tuple[str, list[str]]]) -> None:
    numbered = [
        (tag, [f"{word}{index}" for index, word in enumerate(words, start=100 * number)])
        for number, (tag, words) in enumerate(elements)
    ]
    wrap = {"li": "<ul><li>{}</li></ul>", "td": "<table><tr><td>{}</td></tr></table>"}
    markup = "\n".join(
        wrap.get(tag, f"<{tag}>{{}}</{tag}>").format(" ".join(words)) for tag, words in numbered
    )
    expected = [word for _, words in numbered for word in words]
    assert " ".join(texts(read_html(f"<body>{markup}</body>"))).split() == expected


def test_a_row_of_badges_that_are_links_is_a_menu_and_left_out() -> None:
    bar = "".join(
        f'<a href="/{name}"><span class="badge badge-dark national">{name}</span></a> '
        for name in ("charts", "ropes", "nets")
    )
    assert texts(read_html(f"<p>{bar}</p><p>We mend nets.</p>")) == ["We mend nets."]
    labelled = '<a href="/log">Log</a> <span class="badge badge-warning">Required</span>'
    assert texts(read_html(f"<p>{labelled}</p>")) == ["Log Required"]


def test_marks_that_nobody_sees_part_no_words() -> None:
    assert texts(read_html("<p>The har\u00adbour\u200bmaster\ufeff.</p>")) == ["The harbourmaster."]


def test_code_within_a_sentence_is_not_mended() -> None:
    reading = read_html("<p>Call <code>gauge.Read is</code> first.It works. then</p>")
    assert texts(reading)[0].startswith("Call gauge.Read is first")
