"""Where an answer should stand."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
import shelf
from fakes import chunk

from rag.answerer import Answerer
from rag.author import Author
from rag.gaps.places import Heard, Place, hear, place_of
from rag.models import Passage, Question

NOTHING = Heard(strong=False, citations=(), empty=None, near=())
EMPTY = Place("page", "aurora", "Events", (), "https://aurora.example/events")


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    left_out = replace(
        shelf.article(
            "no-boats",
            ("Do you lend boats?",),
            ("Boats are not lent.", (shelf.evidence("pages/access.md", shelf.DECIDES),)),
        ),
        kind="known_gap",
    )
    made = shelf.framework()
    made = replace(made, articles=(*made.articles, left_out))
    return shelf.answerer_over(shelf.written(tmp_path_factory.mktemp("gaps"), made).open())


def _near(*names: str) -> Heard:
    found = (
        Passage(chunk("Text.", path=f"{name}.md", title=name, section=("One",), anchor="one"), 1, 1)
        for name in names
    )
    return replace(NOTHING, near=tuple(found))


def test_an_empty_page_is_named_by_what_the_helpdesk_says(answerer: Answerer) -> None:
    heard = hear(answerer, "What does the page on Portugal offer?")
    assert not heard.strong
    assert heard.empty == Place("page", "aurora", "Portugal", (), shelf.PORTUGAL.url)


def test_what_is_known_to_be_left_out_is_told_by_where_that_rests(answerer: Answerer) -> None:
    empty = hear(answerer, "Do you lend boats?").empty
    assert empty
    assert (empty.kind, empty.title) == ("left_out", "A page of the evidence")


def test_a_sure_answer_is_told_with_what_it_cites(answerer: Answerer) -> None:
    heard = hear(answerer, "How can I share my data?")
    assert heard.strong
    assert heard.citations[0].document_id == "aurora:pages/sharing.md"
    assert heard.empty is None


def test_a_language_model_is_not_asked_for_what_nobody_reads(answerer: Answerer) -> None:
    class Never:
        def rewrite(self, *_: object) -> Never:
            raise AssertionError

    written = shelf.answerer_over(answerer.generation, author=cast("Author", Never()))
    with pytest.raises(AssertionError):
        written.answer(Question("How can I share my data?"))
    assert hear(written, "How can I share my data?") == hear(answerer, "How can I share my data?")


def test_what_is_empty_goes_before_what_is_near() -> None:
    assert place_of([_near("Access"), replace(NOTHING, empty=EMPTY)]) == EMPTY


def test_the_section_that_most_questions_are_near_to_is_the_place() -> None:
    place = place_of([_near("Access", "Fees"), _near("Fees"), _near("Fees", "Access")])
    assert place == Place("there", "invented", "Fees", ("One",), "https://example.org/Fees#one")


def test_where_nothing_is_near_there_is_no_place() -> None:
    assert place_of([NOTHING, NOTHING]) is None
