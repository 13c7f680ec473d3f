"""The chunker: nothing lost, nothing moved, every part knows its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunker import CHUNK_WORDS, MERGE_WORDS, chunk_document, drop_equal
from ingest.models import Block, Document, Section
from rag.models import Chunk, DataItem
from rag.sentences import chunk_sentences, told
from rag.text import sentences, word_count

LABELS = st.sampled_from([None, None, "required", "recommended", "informational"])


def document(sections: Sequence[Section], path: str = "a.md") -> Document:
    return Document(
        document_id=f"atlas:{path}",
        source="atlas",
        path=path,
        title="Tide atlas",
        url="https://atlas.example/a",
        language="en",
        sha256="0" * 64,
        sections=tuple(sections),
    )


def prose(words: int, stem: str = "w") -> str:
    return " ".join(f"{stem}{number}" for number in range(words))


def section(name: str, *texts: str, **more: object) -> Section:
    return Section(heading=(name,), blocks=tuple(map(Block, texts)), anchor=name, **more)  # type: ignore[arg-type]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Documents whose every word is unique, so that a lost or moved one shows."""
    numbers = count()

    def text(lengths: Sequence[int]) -> str:
        return " ".join(
            " ".join(f"W{next(numbers)}" for _ in range(length)) + "." for length in lengths
        )

    sections = []
    for index in range(draw(st.integers(1, 6))):
        lengths = st.lists(st.sampled_from([1, 3, 9, 30, 90, 230]), min_size=1, max_size=5)
        blocks = tuple(
            Block(text(draw(lengths)), label=draw(LABELS), entry=draw(st.booleans()))
            for _ in range(draw(st.integers(0, 5)))
        )
        sections.append(
            Section(
                heading=(f"H{index}",),
                blocks=blocks,
                anchor=f"h{index}",
                page=draw(st.sampled_from([None, 1, 2])),
                label=draw(LABELS),
            )
        )
    return document(sections)


def words_of(chunks: Sequence[Chunk]) -> list[str]:
    return [word for chunk in chunks for word in chunk.text.split()]


@given(documents())
def test_no_word_is_lost_and_their_order_is_kept(whole: Document) -> None:
    assert words_of(chunk_document(whole)) == whole.text.split()


@given(documents())
def test_no_chunk_is_longer_than_two_hundred_words(whole: Document) -> None:
    assert all(0 < word_count(each.text) <= CHUNK_WORDS for each in chunk_document(whole))


@given(documents())
def test_a_part_keeps_the_place_and_the_label_of_what_it_holds(whole: Document) -> None:
    home = {
        word: (each, block)
        for each in whole.sections
        for block in each.blocks
        for word in block.text.split()
    }
    for chunk in chunk_document(whole):
        for part in chunk.parts:
            held = [home[word] for word in part.text.split()]
            (place,) = {id(each): each for each, _ in held}.values()
            assert (part.section, part.anchor, part.page) == (
                place.heading,
                place.anchor,
                place.page,
            )
            labels = {block.label for _, block in held if block.label}
            expected = labels or {place.label}
            assert part.label == (expected.pop() if len(expected) == 1 else None)


@given(documents())
def test_short_neighbours_are_merged_wherever_they_fit(whole: Document) -> None:
    for before, after in pairwise(chunk_document(whole)):
        first = after.parts[0]
        short = min(word_count(before.text), word_count(first.text)) < MERGE_WORDS
        fits = word_count(before.text) + word_count(first.text) <= CHUNK_WORDS
        assert not (short and fits and before.parts[-1].page == first.page)


@given(documents())
def test_a_chunk_never_crosses_a_page(whole: Document) -> None:
    assert all(len({part.page for part in each.parts}) == 1 for each in chunk_document(whole))


@given(documents())
def test_chunks_are_numbered_and_belong_to_their_document(whole: Document) -> None:
    chunks = chunk_document(whole)
    assert [each.chunk_id for each in chunks] == [f"atlas:a.md#{n}" for n in range(len(chunks))]
    assert {(each.document_id, each.path, each.title, each.url) for each in chunks} <= {
        ("atlas:a.md", "a.md", "Tide atlas", "https://atlas.example/a")
    }


def test_a_section_of_two_hundred_words_stays_whole() -> None:
    (chunk,) = chunk_document(document([section("Tides", prose(150), prose(50, "v"))]))
    assert word_count(chunk.text) == 200


def test_a_longer_section_is_cut_between_its_blocks() -> None:
    first, second = chunk_document(document([section("Tides", prose(150), prose(71, "v"))]))
    assert (first.text, second.text) == (prose(150), prose(71, "v"))


def test_a_longer_block_is_cut_between_its_sentences() -> None:
    sentence = f"A{prose(119)}."
    first, second = chunk_document(document([section("Tides", f"{sentence} {sentence}")]))
    assert (first.text, second.text) == (sentence, sentence)


def test_sections_of_thirty_five_words_stand_apart() -> None:
    chunks = chunk_document(document([section("Ebb", prose(35)), section("Flow", prose(35, "v"))]))
    assert [each.section for each in chunks] == [("Ebb",), ("Flow",)]


def test_a_shorter_section_joins_its_neighbour_and_keeps_its_own_place() -> None:
    sections = [section("Ebb", prose(34)), section("Flow", prose(40, "v"), label="required")]
    (chunk,) = chunk_document(document(sections))
    assert [(part.section, part.anchor, part.label) for part in chunk.parts] == [
        (("Ebb",), "Ebb", None),
        (("Flow",), "Flow", "required"),
    ]


def test_entries_led_by_a_link_stand_apart_with_their_descriptions() -> None:
    blocks = tuple(
        block
        for name in ("Log", "Chart")
        for block in (Block(name, entry=True), Block(prose(60, name)))
    )
    log, chart = chunk_document(document([Section(heading=("Forms",), blocks=blocks)]))
    assert log.text == f"Log\n{prose(60, 'Log')}"
    assert chart.text == f"Chart\n{prose(60, 'Chart')}"


def test_labels_that_differ_make_no_label_of_the_part() -> None:
    blocks = (Block("One thing.", label="required"), Block("Another.", label="recommended"))
    (chunk,) = chunk_document(document([Section(heading=("A",), blocks=blocks, label="required")]))
    assert chunk.parts[0].label is None


def test_a_document_without_sections_has_no_chunks() -> None:
    assert chunk_document(document([])) == ()


def test_what_has_no_words_is_no_chunk() -> None:
    video = Section(heading=(), blocks=(Block("", entry=True),))
    assert chunk_document(document([video])) == ()


def test_of_equal_chunks_the_first_is_kept() -> None:
    here = chunk_document(document([section("Tides", "The tide turns; the tide turns.")]))
    there = chunk_document(document([section("Ebb", "The tide turns, the tide TURNS!")], "b.md"))
    other = chunk_document(document([section("Ebb", "The tide stands.")], "c.md"))
    assert drop_equal([*here, *there, *other]) == (*here, *other)


@given(st.text())
def test_sentences_lose_no_letter(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["Tide", "e.g.", "3.5", "J.", "turns.", "“Ebb”?", "\n", "art."])))
def test_sentences_are_pieces_of_the_text_in_order(tokens: list[str]) -> None:
    text = " ".join(tokens)
    position = 0
    for sentence in sentences(text):
        assert sentence == sentence.strip() != ""
        assert "\n" not in sentence
        position = text.index(sentence, position) + len(sentence)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It turns. It ebbs! Does it? Yes.", ["It turns.", "It ebbs!", "Does it?", "Yes."]),
        ("Bring rope, e.g. Manila, etc. and wait.", ["Bring rope, e.g. Manila, etc. and wait."]),
        ("See Art. 9 and J. Smith.", ["See Art. 9 and J. Smith."]),
        ("It is 3.5 metres. Then 4.", ["It is 3.5 metres.", "Then 4."]),
        ("One line\nAnother line", ["One line", "Another line"]),
        ("He said “stop.” She did.", ["He said “stop.”", "She did."]),
    ],
)
def test_sentences_end_where_a_reader_hears_them_end(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def item_section(name: str, page: int = 3) -> Section:
    item = DataItem(
        "Gauge", name, "Height of the water.", "Number", "0..1", "conditional", "At flood.",
        "confirmed",
    )  # fmt: skip
    row = Block(f"Gauge | {name} | Height of the water. | Number | 0..1 | conditional", entry=True)
    return Section(("Gauge", name), (row, Block("At flood.")), page=page, item=item)


def test_each_item_of_a_metadata_model_is_a_chunk_of_its_own() -> None:
    prose_before = Section((), (Block("A short note."),), page=3)
    chunks = chunk_document(document([prose_before, *map(item_section, ("level", "time"))]))
    assert [chunk.section for chunk in chunks] == [(), ("Gauge", "level"), ("Gauge", "time")]
    assert [chunk.parts[0].item.name for chunk in chunks[1:] if chunk.parts[0].item] == [
        "level",
        "time",
    ]
    assert {chunk.page for chunk in chunks} == {3}


def test_an_item_is_told_in_one_sentence_and_quoted_by_its_row() -> None:
    (chunk,) = chunk_document(document([item_section("level")]))
    (sentence,) = chunk_sentences(chunk)
    assert sentence.text == (
        "level (Gauge): conditional, cardinality 0..1. Height of the water. Condition: At flood."
    )
    row = "Gauge | level | Height of the water. | Number | 0..1 | conditional"
    assert sentence.quote == f"{row} At flood."


def test_an_item_still_for_review_says_so() -> None:
    section = item_section("level")
    assert section.item is not None
    waiting = replace(section.item, review="for review", definition="", condition="na")
    assert told(waiting) == (
        "level (Gauge): conditional, cardinality 0..1. Newly added, still for review."
    )


def test_lines_of_code_stay_lines_where_a_block_is_cut() -> None:
    lines = [prose(90, stem) for stem in "abc"]
    chunks = chunk_document(document([Section((), (Block("\n".join(lines)),))]))
    assert [chunk.text for chunk in chunks] == ["\n".join(lines[:2]), lines[2]]


def test_rows_of_a_table_that_go_on_take_its_header_along() -> None:
    header = Block("Gauge | Depth", header=True)
    rows = [Block(f"{prose(80, stem)} | deep") for stem in "abc"]
    after = Block(prose(150, "z"))
    chunks = chunk_document(document([Section((), (header, *rows, after))]))
    assert [chunk.text.splitlines()[0] == header.text for chunk in chunks] == [True, True, False]
    assert sum(chunk.text.count(" | deep") for chunk in chunks) == 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Where do divers sleep? Who feeds the seals? When does the ferry leave?", "navigation"),
        ("Where do divers sleep? Who feeds seals? When is high tide? Ask the cook.", "navigation"),
        ("Where do divers sleep? Who feeds the seals?", "page"),
        ("Where do divers sleep? Who feeds it? When is high tide? They sleep in the hall. Seals are"
         " fed by nobody. High tide comes at noon.", "page"),
        ("Divers sleep in the north hall. Seals are fed by nobody.", "page"),
        ("Why? Who? When? What? Where?", "page"),
        ("", "page"),
    ],
    ids=["questions", "most", "two", "answered", "none", "too short to count", "empty"],
)  # fmt: skip
def test_a_text_that_only_asks_is_navigation(text: str, kind: str) -> None:
    chunks = chunk_document(document([section("Divers", text)]))
    assert {chunk.kind for chunk in chunks} <= {kind}
    assert bool(chunks) == bool(text)


def test_only_the_part_of_a_page_that_asks_is_navigation() -> None:
    asked = " ".join(f"Where may a diver keep the wet suit of crew number {n}?" for n in range(12))
    chunks = chunk_document(document([section("Asked", asked), section("Told", prose(120) + ".")]))
    assert [(chunk.section, chunk.kind) for chunk in chunks] == [
        (("Asked",), "navigation"), (("Told",), "page"),
    ]  # fmt: skip
