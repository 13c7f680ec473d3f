"""Where documents say the same thing differently; invented pages, real index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import shelf
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.disagreements import Disagreement, Kind, disagreements
from rag.models import DataItem, Mention, Part, Resource

Compare = Callable[..., tuple[Disagreement, ...]]
NEWER, OLDER = "2026-05-01", "2024-05-01"


def page(name: str, *texts: str, published: str = NEWER, **card: object) -> tuple[object, object]:
    stored, chunks = shelf.page(f"{name}.md", name.capitalize(), *(Part(each) for each in texts))
    dated = replace(stored.card, published=published, dated_by="page", **card)
    return replace(stored, card=dated), chunks


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """What pages disagree on, with resources where they are given."""

    def look(*pages: object, resources: tuple[Resource, ...] = ()) -> tuple[Disagreement, ...]:
        shelved = replace(shelf.shelved(*pages), resources=resources)  # type: ignore[arg-type]
        generation = shelf.written(tmp_path, shelved).open()
        try:
            return disagreements(generation)
        finally:
            generation.close()

    return look


def values(found: tuple[Disagreement, ...], kind: Kind = "figure") -> list[tuple[str, ...]]:
    return [tuple(said.value for said in each.said) for each in found if each.kind == kind]


# ---- figures


def test_two_pages_that_count_the_same_differently_are_found_the_newer_first(
    compare: Compare,
) -> None:
    found = compare(
        page(
            "old",
            "The declaration was signed by 24 harbour towns and two islands.",
            published=OLDER,
        ),
        page("new", "The declaration was signed by 26 harbour towns and two islands."),
    )
    assert values(found) == [("26", "24")]
    assert found[0].subject == "harbour towns"
    assert [said.document.title for said in found[0].said] == ["New", "Old"]
    assert found[0].said[0].url == f"{shelf.SITE}/new"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ropes are kept in store for fifteen years.", "Ropes are kept in store for ten years."),
        ("About 12% of the nets are mended by hand.", "About 15 % of the nets are mended by hand."),
        (
            "Up to 1,000 boats may moor in the harbour.",
            "Up to 2,000 boats may moor in the harbour.",
        ),
    ],
)
def test_figures_differ_in_words_in_percent_and_at_the_end(
    compare: Compare, one: str, other: str
) -> None:
    assert len(values(compare(page("one", one), page("other", other)))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # the same figure, written otherwise
        (
            "The fleet keeps 1,000 boats ready for storms.",
            "The fleet keeps 1000 boats ready for storms.",
        ),
        ("Ropes are kept in store for ten years.", "Ropes are kept in store for 10 years."),
        # another thing is counted
        ("The harbour has 12 cranes for heavy nets.", "The harbour has 15 berths for heavy nets."),
        # years, dates, numbers of chapters and of notes
        (
            "The tide was measured in the year 2019 by pilots.",
            "The tide was measured in the year 2021 by pilots.",
        ),
        (
            "The pilots met on 3 May in the old harbour.",
            "The pilots met on 9 May in the old harbour.",
        ),
        (
            "See chapter 3 tide tables of the old harbour.",
            "See chapter 5 tide tables of the old harbour.",
        ),
        (
            "Pilots read tide tables [3] of the harbour.",
            "Pilots read tide tables [5] of the harbour.",
        ),
        (
            "Read https://a.example/12/ropes in harbour.",
            "Read https://a.example/15/ropes in harbour.",
        ),
        (
            "Buoys carry the name AB:0012 red lamps here.",
            "Buoys carry the name AB:0015 red lamps here.",
        ),
        # entries of a list, rows of a table
        ("1. Ropes and nets of the harbour store", "2. Ropes and nets of the harbour store"),
        ("Crew | 3 | boats moor in the harbour", "Crew | 5 | boats moor in the harbour"),
    ],
)
def test_what_is_no_disagreement_is_left_alone(compare: Compare, one: str, other: str) -> None:
    assert compare(page("one", one), page("other", other)) == ()


def test_sentences_on_other_subjects_may_count_differently(compare: Compare) -> None:
    found = compare(
        page("one", "Pilots of the northern coast guard keep seven old boats ready in winter."),
        page("other", "Every museum shows nine old boats behind glass to school classes."),
    )
    assert found == ()


def test_a_page_does_not_disagree_with_itself(compare: Compare) -> None:
    one = "The store keeps ropes for ten years.", "The store keeps ropes for fifteen years."
    assert compare(page("one", *one)) == ()


def test_what_a_newer_document_replaces_may_say_otherwise(compare: Compare) -> None:
    replaced = page(
        "old", "Ropes are kept in store for ten years.", superseded_by=f"{shelf.SITE}/new"
    )
    assert compare(replaced, page("new", "Ropes are kept in store for fifteen years.")) == ()


@settings(max_examples=30)  # an index each
@given(st.integers(2, 1800), st.integers(2, 1800))
def test_figures_are_equal_or_told_apart(
    tmp_path_factory: pytest.TempPathFactory, one: int, other: int
) -> None:
    text = "The store of the old harbour keeps {} coils of rope."
    shelved = shelf.shelved(page("a", text.format(one)), page("b", text.format(other)))  # type: ignore[arg-type]
    generation = shelf.written(tmp_path_factory.mktemp("figures"), shelved).open()
    found = disagreements(generation)
    generation.close()
    assert len(found) == (one != other)


# ---- items of data models


def item(cardinality: str, obligation: str = "", scope: str = "") -> Part:
    row = DataItem("Buoy", "Colour_Code", "", "", cardinality, obligation, "", None, scope)
    return Part(f"Buoy | Colour_Code | {cardinality} | {obligation}", ("Buoy",), page=3, item=row)


def diagram(cardinality: str) -> Part:
    return Part(f"- colour code: list [{cardinality}]", ("Buoy [0..*]",), page=1)


def with_part(name: str, part: Part) -> object:
    return shelf.page(f"{name}.pdf", name, part, kind="pdf")


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        (item("1..1"), item("0..1"), True),
        (item("0..n"), diagram("0..*"), False),
        (item("0..n"), diagram("0..1"), True),
        # what is conditional may be left out
        (item("1..1", "conditional"), diagram("0..1"), False),
        (item("1..1", "conditional"), diagram("1..1"), False),
        (item("1..1", "conditional"), diagram("0..*"), True),
        (item("1..1", "mandatory"), item("1..1", "recommended"), True),
        # of two use cases
        (item("1..1", "mandatory", "Reef"), item("0..1", "optional", "Open sea"), False),
    ],
)
def test_items_are_compared_between_tables_and_diagrams(
    compare: Compare, one: Part, other: Part, *, differ: bool
) -> None:
    found = compare(with_part("table", one), with_part("drawing", other))
    assert [each.kind for each in found] == (["item"] if differ else [])


def test_an_item_is_named_with_its_class_and_both_places(compare: Compare) -> None:
    (found,) = compare(
        with_part("table", item("1..1", "mandatory")), with_part("drawing", diagram("0..1"))
    )
    assert found.subject == "Buoy: Colour_Code"
    assert {said.value for said in found.said} == {"1..1, mandatory", "0..1"}
    assert {said.page for said in found.said} == {1, 3}


# ---- labels


def labelled(*given: tuple[str, str]) -> Resource:
    mentions = tuple(
        Mention(
            "aurora", f"{path}.md", path, ("Reading",), f"{shelf.SITE}/{path}#reading", "reading",
            None, "Code of nets", "https://nets.example/", "entry", label, None, None,
        )
        for path, label in given
    )  # fmt: skip
    return Resource("nets", "Code of nets", "https://nets.example/", "standard", mentions)


def test_a_resource_with_two_labels_is_found_with_every_page_that_gives_one(
    compare: Compare,
) -> None:
    pages = [page(name, f"About {name}.") for name in ("a", "b", "c")]
    resource = labelled(("a", "required"), ("b", "recommended"), ("c", "required"))
    (found,) = compare(*pages, resources=(resource,))
    assert (found.kind, found.subject) == ("label", "Code of nets")
    assert [said.value for said in found.said] == ["required", "recommended", "required"]


def test_a_resource_with_one_label_everywhere_is_none(compare: Compare) -> None:
    pages = [page(name, f"About {name}.") for name in ("a", "b")]
    assert compare(*pages, resources=(labelled(("a", "required"), ("b", "required")),)) == ()


# ---- the real framework's kind of size


def test_in_a_larger_index_near_sentences_need_not_share_most_words(compare: Compare) -> None:
    noise = [
        f"{verb} {thing} lie {place} the quay while nobody looks at the tide tables of pilots."
        for verb in ("Old", "New", "Wet", "Dry", "Red", "Tarred")
        for thing in ("ropes", "nets", "buoys", "masts", "sails")
        for place in ("below", "behind", "beside", "under")
    ]
    found = compare(
        page("noise", *noise),
        page("one", "Keepers say that 40 lamp rooms burn oil from autumn until spring."),
        page("other", "From autumn until spring oil burns in 44 lamp rooms, keepers told pilots."),
    )
    assert values(found) == [("40", "44")]
