from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
import shelf
from hypothesis import example, given
from hypothesis import strategies as st

from rag.models import Chunk, DatedBy, IndexedDocument, Part, Passage
from rag.ordering import collapsed, newer_first

FEE = "The harbour office asks a landing fee of {} crowns for every crate of kelp, paid in spring."
HALL = "Divers store their gear in the north hall and sign the book before they leave the island."
HALL_TOO = "Wet suits dry on the lines behind it, and nobody takes the suit of somebody else."


def passage(text: str, name: str, *, score: float = 1.0) -> Passage:
    document = f"isle:{name}"
    url = f"https://isle.example/{name}"
    chunk = Chunk(f"{document}#0", document, "isle", name, name.title(), url, (Part(text),))
    return Passage(chunk, 1, score)


def card(
    name: str,
    published: str | None = None,
    *,
    dated_by: DatedBy | None = "page",
    older: bool = False,
    superseded_by: str | None = None,
) -> tuple[str, IndexedDocument]:
    stored, _ = shelf.page(name, name.title(), source="isle")
    changed = replace(
        stored.card, published=published, dated_by=dated_by, older=older,
        superseded_by=superseded_by,
    )  # fmt: skip
    return changed.document_id, changed


def names(passages: Sequence[Passage]) -> list[str]:
    return [each.chunk.path for each in passages]


def test_of_near_duplicates_the_best_is_kept_and_names_the_places_of_the_others() -> None:
    found = collapsed(
        [
            passage(f"{HALL} {HALL_TOO}", "a"),
            passage(FEE.format(10), "b"),
            passage(f"{HALL} {HALL_TOO} perhaps", "c"),
            passage(f"{HALL}\n {HALL_TOO}", "d"),
        ]
    )
    assert names(found) == ["a", "b"]
    assert [each.path for each in found[0].also] == ["c", "d"]
    assert found[1].also == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HALL, FEE),
        (f"{HALL} {HALL_TOO}", f"{HALL} {HALL_TOO}".replace("store", "never store")),
        (f"{HALL} {HALL_TOO} It lies in Kelpsound.", f"{HALL} {HALL_TOO} It lies in Crabsound."),
        (HALL, "Divers store their gear in the south shed."),
        (FEE.format(10), FEE.format(12)),
        ("Kelp.", "Crabs."),
        ("What is it?", "Who are you?"),
        ("???", "🧬"),
    ],
)
def test_texts_that_say_something_else_are_never_one(one: str, other: str) -> None:
    found = collapsed([passage(one, "a"), passage(other, "b")])
    assert names(found) == ["a", "b"]
    assert all(each.also == () for each in found)


def test_equal_texts_of_any_length_are_one() -> None:
    for text in ("Kelp.", "What is it?", "", "🧬", HALL * 30):
        found = collapsed([passage(text, "a"), passage(text, "b")])
        assert [(each.chunk.path, len(each.also)) for each in found] == [("a", 1)], text


def test_a_copy_with_another_figure_does_not_hide_the_newer_one() -> None:
    long = " ".join([HALL] * 5)
    old = passage(f"{long} {FEE.format(10)}", "old.md")
    new = passage(f"{long} {FEE.format(12)}", "new.md")
    documents = dict([card("old.md", "2020-01-01"), card("new.md", "2025-01-01")])
    assert names(newer_first(collapsed([old, new]), documents)) == ["new.md", "old.md"]


def test_the_newer_precedes_the_older_where_the_same_is_said_with_other_figures() -> None:
    shown = [passage(FEE.format(10), "old.md"), passage(HALL, "x.md"),
             passage(FEE.format(12), "new.md")]  # fmt: skip
    documents = dict(
        [card("old.md", "2020-01-01"), card("x.md", "2010-01-01"), card("new.md", "2025-01-01")]
    )
    assert names(newer_first(shown, documents)) == ["new.md", "old.md", "x.md"]


@pytest.mark.parametrize(
    ("text", "published", "dated_by"),
    [
        (FEE.format(10), "2025-01-01", "page"),
        (HALL, "2025-01-01", "page"),
        (FEE.format(12), "2025-01-01", "snapshot"),
        (FEE.format(12), None, None),
        (FEE.format(12), "2020-01-01", "page"),
        (FEE.format(12), "2019-12-31", "page"),
    ],
    ids=["equal figures", "another subject", "a snapshot", "no date", "same day", "older"],
)
def test_otherwise_what_fits_better_stays_first(
    text: str, published: str | None, dated_by: DatedBy | None
) -> None:
    shown = [passage(FEE.format(10), "old.md"), passage(text, "new.md")]
    documents = dict([card("old.md", "2020-01-01"), card("new.md", published, dated_by=dated_by)])
    assert names(newer_first(shown, documents)) == ["old.md", "new.md"]


def test_against_the_date_of_a_whole_snapshot_no_page_is_newer() -> None:
    shown = [passage(FEE.format(10), "old.md"), passage(FEE.format(12), "new.md")]
    documents = dict(
        [card("old.md", "2020-01-01", dated_by="snapshot"), card("new.md", "2025-01-01")]
    )
    assert names(newer_first(shown, documents)) == ["old.md", "new.md"]


@pytest.mark.parametrize(
    "outdated", [{"older": True}, {"superseded_by": "https://isle.example/new"}]
)
def test_what_has_been_replaced_follows_what_speaks_of_the_same(
    outdated: dict[str, object],
) -> None:
    shown = [passage(f"{FEE.format(10)} Pay in time.", "old.md"), passage(FEE.format(10), "new.md")]
    documents = dict(
        [card("old.md", "2025-01-01", **outdated), card("new.md", "2020-01-01")]  # type: ignore[arg-type]
    )
    assert names(newer_first(shown, documents)) == ["new.md", "old.md"]
    assert names(newer_first(shown[::-1], documents)) == ["new.md", "old.md"]


def test_what_has_been_replaced_keeps_its_place_among_other_subjects() -> None:
    shown = [passage(FEE.format(10), "old.md"), passage(HALL, "new.md")]
    documents = dict([card("old.md", older=True), card("new.md", "2025-01-01")])
    assert names(newer_first(shown, documents)) == ["old.md", "new.md"]


def test_the_passages_of_one_document_keep_their_order() -> None:
    first = passage(FEE.format(10), "a.md")
    second = Passage(replace(first.chunk, chunk_id="isle:a.md#1", parts=(Part(FEE.format(12)),)),
                     2, 0.9)  # fmt: skip
    assert newer_first([first, second], dict([card("a.md", "2025-01-01")])) == [first, second]


def test_a_passage_whose_document_is_unknown_keeps_its_place() -> None:
    shown = [passage(FEE.format(10), "old.md"), passage(FEE.format(12), "new.md")]
    assert newer_first(shown, {}) == shown


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_of_three_comes_first_though_it_shares_words_with_the_second_alone(
    order: Sequence[int],
) -> None:
    shown = [
        passage("kelp eel cod bass 1", "first.md"),
        passage("eel cod bass tuna clam 2", "second.md"),
        passage("bass tuna clam sole 3", "third.md"),
    ]
    documents = dict(
        [card("first.md", "2020"), card("second.md", "2021"), card("third.md", "2022")]
    )
    found = names(newer_first([shown[place] for place in order], documents))
    assert found == ["third.md", "second.md", "first.md"]


WORDS = ["kelp", "crab", "eel", "cod", "bass", "tuna", "clam", "10", "12", "not"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
DATES = st.sampled_from([None, "2020", "2021-03", "2021-03-04", "2025-01-01"])


@st.composite
def shown_passages(draw: st.DrawFn) -> tuple[list[Passage], dict[str, IndexedDocument]]:
    texts = draw(st.lists(TEXTS, max_size=8))
    shown = [passage(text, f"p{place}.md") for place, text in enumerate(texts)]
    cards = [
        card(
            f"p{place}.md",
            draw(DATES),
            dated_by=draw(st.sampled_from(["page", "snapshot", None])),
            older=draw(st.booleans()),
        )
        for place in range(len(texts))
    ]
    return shown, dict(cards)


@given(shown_passages())
def test_ordering_loses_and_doubles_nothing(
    made: tuple[list[Passage], dict[str, IndexedDocument]],
) -> None:
    shown, documents = made
    assert sorted(names(newer_first(shown, documents))) == sorted(names(shown))


THREE = (
    [passage("kelp", "p0.md"), passage("crab 10", "p1.md"), passage("kelp crab", "p2.md")],
    dict([card("p0.md", older=True), card("p1.md", "2021-03"), card("p2.md", "2020")]),
)


@example(THREE)
@given(shown_passages())
def test_what_is_in_order_stays_as_it_is(
    made: tuple[list[Passage], dict[str, IndexedDocument]],
) -> None:
    shown, documents = made
    once = newer_first(shown, documents)
    assert newer_first(once, documents) == once


@given(shown_passages())
def test_every_place_is_named_once_after_collapsing(
    made: tuple[list[Passage], dict[str, IndexedDocument]],
) -> None:
    shown, _ = made
    kept = collapsed(shown)
    places = [chunk.path for each in kept for chunk in (each.chunk, *each.also)]
    assert sorted(places) == sorted(names(shown))
    order = names(shown)
    assert [order.index(each) for each in names(kept)] == sorted(map(order.index, names(kept)))
    assert names(collapsed([replace(each, also=()) for each in kept])) == names(kept)


@given(st.permutations(["kelp crab eel", "cod bass tuna", "clam whelk 3", "hall book 4"]))
def test_passages_about_different_things_keep_their_order(texts: list[str]) -> None:
    shown = [passage(text, f"p{place}.md") for place, text in enumerate(texts)]
    documents = dict(card(f"p{place}.md", f"202{place}-01-01") for place in range(len(texts)))
    assert newer_first(collapsed(shown), documents) == shown
