from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.abstention import Decision, abstention, auroc, refusal_scores, risk_coverage

SEVEN = (
    Decision(True, True, "safety", "unsafe", 0.9, 1.0),
    Decision(True, True, "out_of_corpus", "no_evidence", 0.2, 1.0),
    Decision(True, False, "out_of_corpus", None, 0.6, 1.0),
    Decision(False, True, None, "no_evidence", 0.1, 0.5),
    Decision(False, False, None, None, 0.8, 0.0),
    Decision(False, False, None, None, 0.7, 0.0),
    Decision(False, False, None, None, 0.5, None),
)
DECISIONS = st.lists(
    st.builds(
        Decision,
        to_refuse=st.booleans(),
        refused=st.booleans(),
        confidence=st.one_of(st.none(), st.sampled_from([0.1, 0.5, 0.9])),
        risk=st.one_of(st.none(), st.floats(0, 1)),
    ),
    min_size=1,
    max_size=20,
)


def test_refusals_are_counted_as_precision_recall_and_f1() -> None:
    found = refusal_scores(SEVEN)
    assert found["refusal_precision"].mean == pytest.approx(2 / 3)
    assert found["refusal_recall"].mean == pytest.approx(2 / 3)
    assert found["refusal_f1"].mean == pytest.approx(2 / 3)
    assert found["false_refusals"].mean == pytest.approx(1 / 4)
    assert found["refusal_f1"].low <= 2 / 3 <= found["refusal_f1"].high


def test_a_helpdesk_that_never_refuses_has_no_precision_and_no_recall() -> None:
    found = refusal_scores([Decision(True, False), Decision(False, False)])
    assert found["refusal_precision"].count == 0
    assert (found["refusal_recall"].mean, found["refusal_f1"].mean) == (0.0, 0.0)


def test_refusals_are_listed_by_kind_and_by_reason() -> None:
    found = abstention(SEVEN)
    assert {name: (kind.refused, kind.questions) for name, kind in found.by_kind.items()} == {
        "answerable": (1, 4), "out_of_corpus": (1, 2), "safety": (1, 1),
    }  # fmt: skip
    assert found.by_kind["safety"].reasons == {"unsafe": 1}
    assert found.by_reason == {"no_evidence": (1, 1), "unsafe": (1, 0)}


def test_auroc_counts_pairs_in_the_right_order() -> None:
    assert auroc([3.0, 1.0], [2.0, 1.0]) == pytest.approx((2 + 0.5) / 4)
    assert auroc([1.0], [None]) == 1.0
    assert auroc([], [1.0]) is None


def test_risk_grows_with_coverage_where_confidence_tells() -> None:
    points = risk_coverage(
        [Decision(False, False, confidence=c, risk=r) for c, r in ((0.1, 1), (0.9, 0), (0.5, 0.5))]
    )
    assert [point.coverage for point in points] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [point.risk for point in points] == pytest.approx([0, 0.25, 0.5])
    assert [point.threshold for point in points] == [0.9, 0.5, 0.1]


def test_equal_confidence_shares_its_risk_whatever_the_order() -> None:
    even = [Decision(False, False, confidence=0.5, risk=risk) for risk in (0.0, 1.0)]
    assert [p.risk for p in risk_coverage(even)] == [p.risk for p in risk_coverage(even[::-1])]


@settings(max_examples=50, deadline=None)
@given(DECISIONS)
def test_every_figure_is_a_share_and_full_coverage_has_the_mean_risk(
    decisions: list[Decision],
) -> None:
    for score in refusal_scores(decisions).values():
        assert 0 <= score.low <= score.mean <= score.high <= 1
    found = abstention(decisions)
    assert sum(kind.questions for kind in found.by_kind.values()) == len(decisions)
    risks = [each.risk for each in decisions if each.risk is not None]
    if risks:
        assert found.risk_coverage[-1].risk == pytest.approx(sum(risks) / len(risks))
    else:
        assert (found.risk_coverage, found.aurc) == ((), None)
