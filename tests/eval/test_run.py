from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import shelf
from fakes import HashingEmbedder

from eval.questions import Judged
from eval.run import RUN, SCORES, Row, Run, ask, of_row, run_of, summarise
from eval.support import lexical_support
from rag.answerer import Answerer
from rag.models import Answer, Passage, Question
from rag.store import Store

STEWARD = [{"path": "pages/sharing.md", "quote": shelf.NAMES}]
TRAVEL = [{"path": "pages/sharing.md", "quote": shelf.TRAVEL}]
COVERAGE = [{"path": "guide.pdf", "quote": shelf.COVERAGE}]


def judged(number: int, **fields: object) -> Judged:
    return Judged.model_validate(
        {
            "id": f"q{number}", "question": "How can I share my data?", "language": "en",
            "expect": "answer", **fields,
        }
    )  # fmt: skip


QUESTIONS = [
    judged(
        1,
        intent="share_data",
        type="how_to",
        evidence=[STEWARD, TRAVEL],
        nuggets=[{"text": "sign a transfer agreement", "vital": True}],
        must_not=["an agreement is not needed"],
    ),
    judged(
        2,
        question="Wie misst man coverage of every sample?",
        language="de",
        english="How is coverage measured?",
        evidence=[COVERAGE],
        history=[{"role": "user", "text": "quality reports"}],
    ),
    judged(
        3, question="What does the page of Portugal say?", expect="abstain", why="out_of_corpus"
    ),
]


class _Answerer(Answerer):
    """An answerer that fails at one question."""

    def search(self, question: Question, count: int) -> list[Passage]:
        if "boom" in question.text:
            raise RuntimeError("the shelf\nfell down")
        return super().search(question, count)

    def answer(self, question: Question) -> Answer:
        return super().answer(question)


def _asked(store: Store, questions: list[Judged]) -> list[Row]:
    answerer = shelf.answerer_over(store.open())
    answerer.__class__ = _Answerer
    embedder = HashingEmbedder()
    asked = list[int]()
    rows = ask(
        questions, answerer, lambda query: embedder.queries([query]), lexical_support, asked.append
    )
    assert sum(asked) == len(questions)
    return rows


def test_a_row_tells_what_was_wanted_what_came_and_what_was_said(store: Store) -> None:
    row, german, portugal = _asked(store, QUESTIONS)
    assert (row.id, row.intent, row.type, row.turns) == ("q1", "share_data", "how_to", 0)
    assert [[span.path for span in group] for group in row.wanted] == [["pages/sharing.md"]] * 2
    # Both groups stand in one passage.
    assert row.ranks == (row.ranks[0], row.ranks[0])
    assert row.ranks[0] is not None
    first = row.came[row.ranks[0] - 1]
    assert (first.path, first.holds, first.rank) == ("pages/sharing.md", True, row.ranks[0])
    assert sum(passage.holds for passage in row.came) == 1
    assert row.top_score == row.came[0].score
    assert (row.recall_at_5, row.recall_at_10) == (1.0, 1.0)
    assert (row.status, row.article, row.quote_valid, row.cited) == ("answered", "share", 1.0, True)
    assert row.statements[0].text == "Sign a transfer agreement first."
    assert row.evidence_cited == 1.0
    assert row.vital_recall == 1.0
    assert row.must_not_hits == ()
    assert row.error is None
    assert all(ms is not None and ms > 0 for ms in (row.search_ms, row.answer_ms, row.embed_ms))
    assert (german.english, german.turns) == ("How is coverage measured?", 1)
    assert not german.language_right
    assert (portugal.recall_at_5, portugal.ranks, portugal.why) == (None, (), "out_of_corpus")


def test_a_question_that_raises_is_a_row_and_not_the_end(store: Store) -> None:
    failing = judged(
        9,
        question="boom",
        evidence=[STEWARD],
        items=["Form"],
        nuggets=[{"text": "x", "vital": True}],
    )
    failed, fine = _asked(store, [failing, QUESTIONS[0]])
    assert failed.error == "RuntimeError: the shelf fell down"
    assert (failed.status, failed.recall_at_10, failed.rr, failed.ranks) == (
        "failed",
        0,
        0,
        (None,),
    )
    assert (failed.vital_recall, failed.item_recall, failed.cited) == (0.0, 0.0, False)
    assert fine.error is None
    scores = summarise([failed, fine])
    assert scores["recall_at_5"].mean == pytest.approx(0.5)
    assert scores["false_refusals"].mean == 0.0


def _row(number: int, **fields: object) -> Row:
    return replace(
        Row(
            id=f"r{number}", question="?", english="", language="en", intent="elsi", type="fact",
            audience="", expect="answer", why=None, turns=0, wanted=(),
        ),
        **{"status": "answered", **fields},  # type: ignore[arg-type]
    )  # fmt: skip


def test_scores_are_means_over_the_questions_that_have_them() -> None:
    rows = [
        _row(1, recall_at_5=1.0, ndcg_at_10=0.5, must_not=("x",), must_not_hits=("x",)),
        _row(2, recall_at_5=0.0, ndcg_at_10=1.0, must_not=("x",), language="fr"),
        _row(3, expect="abstain", status="abstained"),
    ]
    scores = summarise(rows)
    assert list(scores) == list(SCORES)
    assert (scores["recall_at_5"].mean, scores["recall_at_5"].count) == (0.5, 2)
    assert (scores["recall_at_5_english"].mean, scores["recall_at_5_other"].mean) == (1.0, 0.0)
    assert (scores["must_not_hits"].mean, scores["must_not_hits"].count) == (0.5, 2)
    assert (scores["refusal_recall"].mean, scores["refusal_f1"].mean) == (1.0, 1.0)
    assert scores["item_recall"].count == 0
    assert of_row(rows[0], "quote_valid") is None


def test_groups_are_by_language_intent_and_type() -> None:
    rows = [_row(1, language="fr", recall_at_5=1.0), _row(2, intent="", recall_at_5=0.0)]
    run = run_of(rows, {})
    assert set(run.groups) == {"language", "intent", "type"}
    assert set(run.groups["language"]) == {"en", "fr", "not en"}
    assert set(run.groups["intent"]) == {"elsi", "not given"}
    assert run.groups["language"]["fr"]["recall_at_5"].mean == 1.0


def test_latency_is_told_beside_the_bare_embedding() -> None:
    rows = [
        _row(number, embed_ms=10.0, search_ms=float(12 + number), answer_ms=30.0)
        for number in range(1, 21)
    ]
    run = run_of(rows, {})
    assert (run.latency["search"].p50, run.latency["search"].p95) == (22.0, 31.0)
    assert run.search_over_embedding == pytest.approx(2.2)
    assert run_of([_row(1)], {}).search_over_embedding is None


def test_a_run_survives_its_file(store: Store) -> None:
    # A search that failed has no score at all.
    failing = judged(9, question="boom", evidence=[STEWARD])
    run = run_of(
        _asked(store, [*QUESTIONS, failing]), {"generation": "g", "questions": {"q.jsonl": "0f"}}
    )
    read = RUN.validate_json(RUN.dump_json(run))
    assert read == run
    assert isinstance(read, Run)


def test_the_ranks_of_a_row_explain_its_scores(store: Store) -> None:
    row = _asked(store, QUESTIONS[:1])[0]
    rank = row.ranks[0]
    assert rank is not None
    assert row.rr == pytest.approx(1 / rank)
    gained = sum(1 / math.log2(place + 1) for place in (rank, rank + 1))
    assert row.ndcg_at_10 == pytest.approx(gained / (1 + 1 / np.log2(3)))
