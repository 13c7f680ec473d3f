from __future__ import annotations

import math
from dataclasses import replace

import pytest
from fakes import passages
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics import (
    bootstrap,
    found_at,
    holds,
    ndcg_at,
    percentile,
    recall_at,
    reciprocal_rank,
)
from eval.questions import Judged, Span

RANKS = st.lists(st.one_of(st.none(), st.integers(1, 10)), min_size=1, max_size=6)
SHARES = st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=30)


def _judged(*groups: list[tuple[str, str]]) -> Judged:
    return Judged(
        id="q",
        question="?",
        language="en",
        expect="answer",
        evidence=tuple(tuple(Span(path=path, quote=quote) for path, quote in g) for g in groups),
    )


def test_recall_counts_groups_by_the_rank_of_their_passage() -> None:
    ranks = [1, 6, None, 5]
    assert recall_at(ranks, 5) == pytest.approx(2 / 4)
    assert recall_at(ranks, 10) == pytest.approx(3 / 4)


def test_a_group_found_by_passage_k_counts_even_if_another_shares_an_earlier_passage() -> None:
    assert recall_at([1, 1, 1, 5], 5) == 1.0
    assert recall_at([4, 4, 5, 5], 5) == 1.0


def test_reciprocal_rank_is_that_of_the_first_evidence_however_far_down() -> None:
    assert reciprocal_rank([None, 4, 7]) == pytest.approx(1 / 4)
    assert reciprocal_rank([10]) == pytest.approx(1 / 10)
    assert reciprocal_rank([None]) == 0.0


def test_ndcg_discounts_by_the_logarithm_of_the_place() -> None:
    ideal = 1 + 1 / math.log2(3)
    assert ndcg_at([2, 4], 10) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert ndcg_at([1, None], 10) == pytest.approx(1 / ideal)
    assert ndcg_at([None], 10) == 0.0


def test_two_groups_in_one_passage_take_two_places() -> None:
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at([1, 1, 2], 10) == pytest.approx(1.0)
    gained = 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
    assert ndcg_at([2, 2, 3], 10) == pytest.approx(gained / ideal)


def test_a_passage_behind_the_cutoff_gains_nothing() -> None:
    assert ndcg_at([11], 10) == 0.0
    assert recall_at([11], 10) == 0.0


def test_a_question_without_evidence_is_not_scored() -> None:
    with pytest.raises(ValueError, match="without evidence"):
        recall_at([], 5)


@settings(max_examples=60, deadline=None)
@given(RANKS)
def test_recall_is_the_plain_share_of_groups(ranks: list[int | None]) -> None:
    for k in (1, 5, 10):
        plain = sum(rank is not None and rank <= k for rank in ranks) / len(ranks)
        assert recall_at(ranks, k) == pytest.approx(plain)


@settings(max_examples=60, deadline=None)
@given(RANKS)
def test_no_run_is_better_than_the_perfect_one(ranks: list[int | None]) -> None:
    perfect = list(range(1, len(ranks) + 1))
    assert ndcg_at(perfect, 10) == pytest.approx(1.0)
    assert 0.0 <= ndcg_at(ranks, 10) <= 1.0
    assert 0.0 <= reciprocal_rank(ranks) <= reciprocal_rank(perfect) == 1.0


@settings(max_examples=60, deadline=None)
@given(RANKS)
def test_evidence_that_comes_later_never_scores_more(ranks: list[int | None]) -> None:
    later = [None if rank is None else min(rank + 1, 11) for rank in ranks]
    for k in (5, 10):
        assert recall_at(later, k) <= recall_at(ranks, k)
        assert ndcg_at(later, k) <= ndcg_at(ranks, k) + 1e-9
    assert reciprocal_rank(later) <= reciprocal_rank(ranks)


@settings(max_examples=40, deadline=None)
@given(SHARES)
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    found = bootstrap(values, rounds=500)
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9
    assert found.mean == pytest.approx(sum(values) / len(values))
    assert found.count == len(values)


def test_an_interval_has_the_width_that_theory_gives_it() -> None:
    found = bootstrap([0.0] * 50 + [1.0] * 50)
    # 1.96 standard errors of a share of one half over 100 questions.
    assert found.high - found.mean == pytest.approx(1.96 * 0.05, abs=0.015)
    assert bootstrap([0.0] * 50 + [1.0] * 50) == found


def test_no_values_have_an_empty_interval() -> None:
    assert bootstrap([]).count == 0


def test_a_percentile_is_a_value_that_occurred() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(each) for each in range(1, 101)], 0.95) == 95.0
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([], 0.5) == 0.0


def test_a_quote_is_found_under_other_markup_and_punctuation() -> None:
    assert holds("The key stays with the receiver.", "The **key** [stays](x.md) with, the receiver")
    assert not holds("The key stays with the sender.", "The key stays with the receiver")
    assert not holds("Anything.", "***")


def test_a_quote_cut_by_a_border_is_found_from_sixty_percent_on() -> None:
    quote = "abcdefghij"
    assert holds("... abcdef", quote)
    assert not holds("... abcde", quote)
    assert holds("efghij then more", quote)
    assert not holds("more abcdef more", quote)


def test_a_group_is_found_at_the_first_passage_that_holds_any_member() -> None:
    found = passages("nothing here", "the steward signs", "files travel encrypted")
    question = _judged(
        [("p3.md", "files travel encrypted"), ("p2.md", "the steward signs")],
        [("p1.md", "the steward signs")],
    )
    assert found_at(question, found) == [2, None]
    assert found_at(question, [replace(found[1], rank=7)]) == [7, None]
