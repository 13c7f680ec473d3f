from __future__ import annotations

from dataclasses import replace

import pytest
import shelf

from eval.answers import (
    StoredTexts,
    citation_scores,
    evidence_cited,
    frame,
    frame_right,
    item_scores,
    language_right,
    must_not_hits,
    quote_valid,
    vital_recall,
)
from eval.questions import Judged
from rag.models import Answer, Citation, Item, NextStep, Question, Statement
from rag.store import Store


def _citation(marker: int, quote: str, *, kind: str = "source", path: str = "a.md") -> Citation:
    return Citation(
        marker=marker, kind=kind, document_id=f"s:{path}", source="s", path=path,
        title="T", section=(), url=None, page=None, quote=quote,
    )  # type: ignore[arg-type]  # fmt: skip


def _answer(*statements: tuple[str, tuple[int, ...]], quotes: tuple[str, ...] = ()) -> Answer:
    return Answer(
        id="x",
        status="answered",
        language="en",
        text=" ".join(f"{text} {''.join(f'[{m}]' for m in each)}" for text, each in statements),
        statements=tuple(Statement(text, markers) for text, markers in statements),
        citations=tuple(_citation(n, quote) for n, quote in enumerate(quotes, start=1)),
    )  # fmt: skip


def _judged(**fields: object) -> Judged:
    return Judged.model_validate(
        {"id": "q", "question": "?", "language": "en", "expect": "answer", **fields}
    )


def _words(premise: str, statement: str) -> bool:
    """A judge to count by hand with: every letter of the statement is a line of the premise."""
    return set(statement.split()) <= set(premise.split())


def test_recall_is_the_share_of_statements_that_their_citations_support_together() -> None:
    answer = _answer(("a b", (1, 2)), ("c", (2,)), ("d", ()), quotes=("a", "b"))
    precision, recall = citation_scores(answer, _words)
    # "a b" is carried by both together, "c" by none, "d" has none.
    assert recall == pytest.approx(1 / 3)
    # Of three citations, the two under "a b" are needed, the one under "c" carries nothing.
    assert precision == pytest.approx(2 / 3)


def test_a_citation_that_neither_carries_nor_is_missed_is_not_precise() -> None:
    answer = _answer(("a", (1, 2)), quotes=("a", "z"))
    assert citation_scores(answer, _words) == (pytest.approx(1 / 2), 1.0)


def test_two_citations_that_each_carry_the_statement_are_both_precise() -> None:
    answer = _answer(("a", (1, 2)), quotes=("a", "a z"))
    assert citation_scores(answer, _words) == (1.0, 1.0)


def test_an_invented_marker_carries_nothing() -> None:
    assert citation_scores(_answer(("a", (7,)), quotes=("a",)), _words) == (None, 0.0)


def test_a_summary_is_not_judged_by_itself() -> None:
    answer = _answer(("a", (1,)), ("b", (2,)), quotes=("a", "z"))
    first, second = answer.citations
    both = replace(answer, citations=(replace(first, kind="summary"), second))
    assert citation_scores(both, _words) == (0.0, 0.0)
    alone = replace(both, statements=both.statements[:1])
    assert citation_scores(alone, _words) == (None, None)


def test_a_refusal_has_no_citations_to_judge() -> None:
    refused = replace(_answer(quotes=("a",)), status="abstained")
    assert citation_scores(refused, _words) == (None, None)


def test_the_heading_of_a_citation_counts_as_read() -> None:
    answer = _answer(("Fees x", (1,)), quotes=("x",))
    headed = replace(answer, citations=(replace(answer.citations[0], section=("Fees",)),))
    assert citation_scores(headed, _words) == (1.0, 1.0)


def test_quotes_are_exact_text_of_what_is_stored(store: Store) -> None:
    generation = store.open()
    answerer = shelf.answerer_over(generation)
    texts = StoredTexts(generation)
    for asked in ("How can I share my data?", "What does storage cost per cohort?"):
        citations = answerer.answer(Question(asked)).citations
        assert citations
        assert quote_valid(citations, texts) == 1.0
        changed = [replace(each, quote=each.quote.replace("a", "o")) for each in citations]
        assert quote_valid(changed, texts) == 0.0
        elsewhere = [replace(each, document_id="aurora:pages/estonia.md") for each in citations]
        assert quote_valid(elsewhere, texts) == 0.0
        spaced = [replace(each, quote=each.quote.replace(" ", " \n ")) for each in citations]
        assert quote_valid(spaced, texts) == 1.0
    assert quote_valid([], texts) is None


def test_evidence_is_cited_where_a_quote_of_its_file_holds_it() -> None:
    question = _judged(
        evidence=[
            [{"path": "a.md", "quote": "the **committee** decides"}],
            [{"path": "a.md", "quote": "fees are waived"}, {"path": "b.md", "quote": "x y z"}],
            [{"path": "b.md", "quote": "the committee decides"}],
        ]
    )
    answer = _answer(quotes=("In the end the committee decides.", "Fees are waived for all."))
    assert evidence_cited(question, answer) == pytest.approx(2 / 3)
    assert evidence_cited(question, replace(answer, citations=())) == 0.0
    assert evidence_cited(_judged(expect="abstain"), answer) is None


def test_a_quote_that_is_the_better_part_of_the_evidence_counts() -> None:
    question = _judged(evidence=[[{"path": "a.md", "quote": "the committee decides in May"}]])
    assert evidence_cited(question, _answer(quotes=("The committee decides",))) == 1.0
    assert evidence_cited(question, _answer(quotes=("in May",))) == 0.0


def test_vital_nuggets_alone_count() -> None:
    question = _judged(
        nuggets=[
            {"text": "a", "vital": True},
            {"text": "b", "vital": True},
            {"text": "c", "vital": False},
        ]
    )
    assert vital_recall(question, _answer(("a c", ())), _words) == pytest.approx(1 / 2)
    refused = replace(_answer(("a b", ())), status="abstained")
    assert vital_recall(question, refused, _words) == 0.0
    assert vital_recall(_judged(), _answer(("a", ())), _words) is None


def test_a_claim_that_must_not_be_made_is_found() -> None:
    question = _judged(must_not=["a b", "z"])
    assert must_not_hits(question, _answer(("a", ()), ("b", ())), _words) == ("a b",)
    assert must_not_hits(question, replace(_answer(("z", ())), status="abstained"), _words) == ()


def test_items_are_found_in_the_list_and_in_the_text() -> None:
    question = _judged(type="list", items=["Code of Consent", "DAC", "Data model", "Form 7"])
    answer = replace(
        _answer(("Read the data-model first; the DACs differ.", ())),
        items=(
            Item("The code of consent", None, None, "standard", None, 1),
            Item("Toolkit", None, None, "tool", None, 1),
        ),
    )
    # "DAC" is short: only a word of its own would name it.
    assert item_scores(question, answer) == (pytest.approx(2 / 4), pytest.approx(1 / 2))
    assert item_scores(question, replace(answer, items=())) == (pytest.approx(1 / 4), None)
    assert item_scores(_judged(), answer) == (None, None)


def test_the_language_is_that_of_the_question() -> None:
    german = _judged(language="de")
    answer = replace(
        _answer(("The committee decides.", (1,)), quotes=("The committee decides.",)),
        next_step=NextStep("contact", "Wenn das nicht reicht, schreiben Sie bitte an x@y.example."),
    )
    assert not language_right(german, answer)
    assert language_right(german, replace(answer, language="de"))
    assert frame(answer) == "Wenn das nicht reicht, schreiben Sie bitte an"
    assert frame_right(german, answer)
    assert not frame_right(_judged(), answer)
    assert frame_right(german, replace(answer, next_step=None)) is None
