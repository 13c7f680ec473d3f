from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import shelf
from shelf import Shelf, page, shelved

from rag.answerer import Answerer
from rag.index import Generation
from rag.index_writer import StoredDocument
from rag.models import Answer, Chunk, Part, Question

Page = tuple[StoredDocument, tuple[Chunk, ...]]


def dated(shelved_page: Page, published: str) -> Page:
    """The page with a date of its own."""
    document, chunks = shelved_page
    card = replace(document.card, published=published, dated_by="page")
    return replace(document, card=card), chunks


def opened(folder: Path, held: Shelf) -> Generation:
    return shelf.written(folder, held).open()


def asked(folder: Path, held: Shelf, question: str) -> Answer:
    return shelf.answerer_over(opened(folder, held)).answer(Question(question))


OLD = "Withdrawal of consent takes effect within 48 hours of the letter."
NEW = "Withdrawal of consent takes effect within 24 hours of the letter."


@pytest.mark.parametrize("newer_is_first", [True, False])
def test_pages_that_disagree_are_both_cited_the_newer_first(
    tmp_path: Path, newer_is_first: bool
) -> None:
    old = dated(page("old.md", "Rules", Part(OLD)), "2022-01-01")
    new = dated(page("new.md", "Questions", Part(NEW)), "2025-01-01")
    pages = [new, old] if newer_is_first else [old, new]
    answer = asked(tmp_path, shelved(*pages), "When does withdrawal of consent take effect?")
    assert [each.quote for each in answer.citations] == [NEW, OLD]
    assert [each.published for each in answer.citations] == ["2025-01-01", "2022-01-01"]
    assert "do not agree" in answer.text


def test_pages_that_agree_are_not_said_to_disagree(tmp_path: Path) -> None:
    old = dated(page("old.md", "Rules", Part(OLD)), "2022-01-01")
    other = dated(page("new.md", "Fees", Part(shelf.FEES)), "2025-01-01")
    answer = asked(tmp_path, shelved(old, other), "When does withdrawal of consent take effect?")
    assert "do not agree" not in answer.text


def test_what_is_required_comes_before_what_is_recommended(tmp_path: Path) -> None:
    advised = Part("Holders sign the ethics form of the archive each year.", label="recommended")
    due = Part("Holders sign the transfer form of the archive each year.", label="required")
    answer = asked(
        tmp_path, shelved(page("forms.md", "Forms", advised, due)), "Which form do holders sign?"
    )
    labels = [each.label for each in answer.citations]
    assert labels == ["required", "recommended"]


def test_a_sentence_that_leans_on_the_one_before_does_not_stand_alone(tmp_path: Path) -> None:
    first = page("a.md", "Steward", Part("Every holder of data names a steward for transfers."))
    other = page("b.md", "Stewards", Part("This steward of data transfers answers to the holder."))
    answer = asked(tmp_path, shelved(first, other), "Who names a steward for data transfers?")
    assert not any(each.text.startswith("This") for each in answer.statements)


def test_steps_stand_on_lines_of_their_own_behind_their_headings(tmp_path: Path) -> None:
    steps = [
        Part(f"Holders {verb} the samples of the archive with care.", (heading,))
        for verb, heading in (("label", "Labels"), ("freeze", "Cold"), ("ship", "Transport"))
    ]
    answer = asked(
        tmp_path, shelved(page("how.md", "Samples", *steps)),
        "How do I label, freeze and ship the samples of the archive?",
    )  # fmt: skip
    assert "\n- Cold: Holders freeze" in answer.text
    assert len(answer.statements) == 3


@pytest.fixture
def answerer_of_articles(generation: Generation) -> Answerer:
    return shelf.answerer_over(generation)


def test_what_an_article_says_comes_first_and_is_not_said_twice(
    answerer_of_articles: Answerer,
) -> None:
    answer = answerer_of_articles.answer(Question("How can I share my data?"))
    assert answer.article is not None
    texts = [each.text for each in answer.statements]
    assert len(set(texts)) == len(texts)
    assert texts[0] == "Sign a transfer agreement first."
