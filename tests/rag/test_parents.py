from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import shelf
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.index import Generation
from rag.models import Chunk, DataItem, Part
from rag.parents import parent_of
from rag.text import word_count

ITEM = DataItem("Crate", "weight", "What it weighs", "kg", "1", "mandatory", "", None)


class Shelved:
    """What a parent needs of a generation, for pure properties."""

    def __init__(self, chunks: Sequence[Chunk]):
        self._chunks = tuple(chunks)

    def chunks_of(self, document_id: str) -> tuple[Chunk, ...]:
        return tuple(each for each in self._chunks if each.document_id == document_id)


def chunks_of(*parts: Part, path: str = "isle.md") -> list[Chunk]:
    """A document with one chunk a part."""
    document = f"isle:{path}"
    return [
        Chunk(f"{document}#{number}", document, "isle", path, "Isle", None, (part,))
        for number, part in enumerate(parts)
    ]


def opened(folder: Path, chunks: Sequence[Chunk]) -> Generation:
    stored, _ = shelf.page("isle.md", "Isle", source="isle")
    made = shelf.Shelf(
        documents=(replace(stored, card=replace(stored.card)),), chunks=tuple(chunks)
    )
    return shelf.written(folder, made).open()


def prose(words: int, stem: str = "w") -> str:
    return " ".join(f"{stem}{number}" for number in range(words))


def test_the_section_is_the_smallest_that_says_more_than_the_passage(tmp_path: Path) -> None:
    chunks = chunks_of(
        Part("Of the isle."),
        Part("Ferries leave.", ("Travel", "Ferries")),
        Part("Ferries return.", ("Travel", "Ferries")),
        Part("Boats are slow.", ("Travel", "Boats")),
        Part("Honey is sold.", ("Market",)),
    )
    generation = opened(tmp_path, chunks)
    ferries, boats, market = (parent_of(chunks[place], generation) for place in (1, 3, 4))
    assert ferries is not None
    assert boats is not None
    assert market is not None
    assert (ferries.section, ferries.text) == (
        ("Travel", "Ferries"), "Ferries leave.\nFerries return.",
    )  # fmt: skip
    assert ferries.chunk_ids == ("isle:isle.md#1", "isle:isle.md#2")
    assert (boats.section, boats.whole) == (("Travel",), True)
    assert boats.text == "Ferries leave.\nFerries return.\nBoats are slow."
    assert (market.section, len(market.chunk_ids), market.whole) == ((), 5, True)


def test_of_a_long_section_as_much_is_given_as_six_hundred_words_hold(tmp_path: Path) -> None:
    parts = [Part(prose(150, f"s{number}x"), ("Long",)) for number in range(9)]
    chunks = chunks_of(*parts)
    generation = opened(tmp_path, chunks)
    for place, chunk in enumerate(chunks):
        parent = parent_of(chunk, generation)
        assert parent is not None
        assert not parent.whole
        assert word_count(parent.text) == 600
        assert chunk.text in parent.text
        numbers = [int(each.rsplit("#", 1)[1]) for each in parent.chunk_ids]
        assert numbers == list(range(numbers[0], numbers[0] + 4))
        assert place in numbers


def test_equal_headings_that_stand_apart_are_two_sections(tmp_path: Path) -> None:
    chunks = chunks_of(
        Part("Apples, first.", ("Notes",)),
        Part("Apples, second.", ("Notes",)),
        Part("Between them.", ("Other",)),
        Part("Pears, third.", ("Notes",)),
    )
    parent = parent_of(chunks[0], opened(tmp_path, chunks))
    assert parent is not None
    assert parent.text == "Apples, first.\nApples, second."


@pytest.mark.parametrize("part", [Part("All there is."), Part("All.", ("Only", "One"))])
def test_a_document_of_one_passage_has_no_section_around_it(tmp_path: Path, part: Part) -> None:
    chunks = chunks_of(part)
    assert parent_of(chunks[0], opened(tmp_path, chunks)) is None


def test_an_item_of_a_metadata_model_stands_for_itself(tmp_path: Path) -> None:
    chunks = chunks_of(
        Part("weight | 1", ("Items",), item=ITEM), Part("Below the table.", ("Items",))
    )
    assert parent_of(chunks[0], opened(tmp_path, chunks)) is None


def test_a_passage_that_alone_is_too_long_has_no_section_around_it(tmp_path: Path) -> None:
    chunks = chunks_of(Part(prose(601)), Part("Short."))
    assert parent_of(chunks[0], opened(tmp_path, chunks)) is None


def test_a_passage_of_another_index_has_no_section(generation: Generation) -> None:
    assert parent_of(chunks_of(Part("Stray."))[0], generation) is None


HEADINGS = st.lists(st.sampled_from("ab"), max_size=3).map(tuple)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(HEADINGS, st.sampled_from([1, 50, 200, 450, 700])), min_size=1, max_size=8),
    st.data(),
)
def test_a_section_holds_its_passage_and_nothing_from_outside(
    made: list[tuple[tuple[str, ...], int]], data: st.DataObject
) -> None:
    chunks = chunks_of(
        *(
            Part(prose(length, f"p{place}x"), heading)
            for place, (heading, length) in enumerate(made)
        )
    )
    own = data.draw(st.sampled_from(chunks))
    parent = parent_of(own, Shelved(chunks))  # type: ignore[arg-type]
    if parent is None:
        return
    ids = [each.chunk_id for each in chunks]
    first, last = ids.index(parent.chunk_ids[0]), ids.index(parent.chunk_ids[-1])
    inside = chunks[first : last + 1]
    assert tuple(each.chunk_id for each in inside) == parent.chunk_ids
    assert own in inside
    assert len(inside) > 1
    assert parent.text == "\n".join(each.text for each in inside)
    assert word_count(parent.text) <= 600
    depth = len(parent.section)
    assert {each.section[:depth] for each in inside} == {parent.section}
    before, after = chunks[:first][-1:], chunks[last + 1 :][:1]
    more = [each for each in before + after if each.section[:depth] == parent.section]
    assert parent.whole == (not more)
