"""What is said where an article fits: the answer, a hedge, a no; in the asker's language."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import shelf

from rag.answerer import Answerer
from rag.articles import twisted
from rag.models import Article, Filters, Question, Translation

FEE = "No page names a fee for the archive."
AGAIN = "Write to the desk instead."
GAP = replace(
    shelf.article(
        "fees",
        ("How much is the fee for the archive?", "archive fee euros"),
        (FEE, (shelf.evidence("pages/sharing.md", shelf.SIGNS),)),
        (AGAIN, (shelf.evidence("pages/sharing.md", shelf.NAMES),)),
    ),
    kind="known_gap",
)
RULE = replace(GAP, article_id="rule", document_id="articles:rule.md", kind="safety")
ASKED = Question("How much is the fee for the archive?")


def answerer(tmp_path: Path, *articles: Article) -> Answerer:
    made = shelf.framework()
    sourced = tuple(chunk for chunk in made.chunks if chunk.kind != "article")
    made = replace(made, chunks=sourced, articles=articles)
    return shelf.answerer_over(shelf.written(tmp_path, made).open())


@pytest.mark.parametrize(
    ("article", "reason", "opening"),
    [
        (GAP, "no_evidence", "The Framework does not say this."),
        (RULE, "unsafe", "I cannot help with this."),
    ],
)
def test_a_known_gap_and_a_rule_of_safety_are_a_no_with_the_first_reason(
    tmp_path: Path, article: Article, reason: str, opening: str
) -> None:
    answer = answerer(tmp_path, article).answer(ASKED)
    assert (answer.status, answer.reason) == ("abstained", reason)
    assert answer.text == f"{opening} {FEE}"
    assert (answer.statements, answer.citations) == ((), ())
    assert answer.next_step is not None
    assert answer.next_step.email == shelf.CONTACT
    assert answer.article is not None


def test_a_no_is_not_said_in_two_languages_at_once(tmp_path: Path) -> None:
    answer = answerer(tmp_path, GAP).answer(replace(ASKED, language="pt"))
    assert answer.language == "pt"
    assert FEE not in answer.text
    assert answer.text


def test_a_no_holds_although_the_sentences_have_gone_that_explain_it(tmp_path: Path) -> None:
    gone = shelf.evidence("pages/sharing.md", "Gone.", stale=True)
    statements = tuple(replace(each, evidence=(gone,)) for each in RULE.statements)
    answer = answerer(tmp_path, replace(RULE, statements=statements)).answer(ASKED)
    assert (answer.status, answer.reason) == ("abstained", "unsafe")
    assert answer.text == "I cannot help with this."


def test_a_no_holds_within_filters_and_an_answer_does_not(tmp_path: Path) -> None:
    within = replace(ASKED, filters=Filters(sources=("aurora",)))
    assert answerer(tmp_path, RULE).answer(within).status == "abstained"
    open_one = replace(GAP, kind="answer")
    assert answerer(tmp_path / "other", open_one).answer(within).article is None


def test_an_article_is_said_in_the_language_it_has_been_translated_to(tmp_path: Path) -> None:
    told = Translation("pt", "Taxas", ("Nenhuma.", "Escreva."), "NMG Portugal")
    translated = replace(GAP, kind="answer", translations=(told,))
    answer = answerer(tmp_path, translated).answer(replace(ASKED, language="pt"))
    assert answer.language == "pt"
    assert [each.text for each in answer.statements] == ["Nenhuma.", "Escreva."]
    assert all(each.citations for each in answer.statements)
    assert answer.article is not None
    assert answer.article.reviewed_by == "NMG Portugal"
    plain = answerer(tmp_path / "other", translated).answer(ASKED)
    assert [each.text for each in plain.statements] == [FEE, AGAIN]
    assert plain.language == "en"


def test_an_article_whose_first_sentence_has_gone_says_that_it_is_not_sure(tmp_path: Path) -> None:
    gone = shelf.evidence("pages/sharing.md", "Gone.", stale=True)
    first, second = replace(GAP, kind="answer").statements
    stale = replace(GAP, kind="answer", statements=(replace(first, evidence=(gone,)), second))
    answer = answerer(tmp_path, stale).answer(ASKED)
    assert (answer.status, answer.strength) == ("answered", "weak")
    assert [each.text for each in answer.statements] == [AGAIN]
    assert answer.text.startswith("I am not sure")


@pytest.mark.parametrize(
    ("question", "doubted"),
    [
        ("Is there a fee for the archive?", False),
        ("Is there not a fee for the archive?", True),
        ("Is the archive free without a fee?", True),
        ("What was the fee for the archive in 2019?", True),
        ("Gibt es keine Gebühr?", True),
    ],
)
def test_an_opposite_or_another_year_is_doubted(question: str, doubted: bool) -> None:
    assert twisted(question, "en", GAP) is doubted


@pytest.mark.parametrize(
    ("question", "doubted"),
    [
        ("What is the archive fee in Portugal?", False),
        ("What is the capital of Portugal?", True),
        ("best restaurants in Portugal", True),
    ],
)
def test_a_question_that_shares_but_the_country_with_its_page_is_doubted(
    question: str, doubted: bool
) -> None:
    assert twisted(question, "en", replace(GAP, country="PT")) is doubted


def test_the_country_that_is_asked_about_goes_before_the_one_somebody_asks_from(
    tmp_path: Path,
) -> None:
    asked = Question("How much is the fee for the archive in Sweden?", country="PT")
    answer = answerer(tmp_path, replace(GAP, kind="answer")).answer(asked)
    assert answer.next_step is not None
    assert "Portugal" not in answer.next_step.text
