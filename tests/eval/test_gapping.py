"""How well questions are put together, and what is judged."""

from __future__ import annotations

import pytest

from eval.gapping import OWN, Scores, Wording, missed
from eval.questions import read_lines
from rag.models import Answer


def test_groups_of_what_asks_for_the_same_are_right() -> None:
    found = Scores.of(["fee", "fee", "logo", "logo", None], [(0, 1), (2, 3), (4,)])
    assert found == Scores(precision=1, recall=1, found=1, pure=1, disturbed=0)


def test_what_is_alone_is_precise_and_not_found() -> None:
    found = Scores.of(["fee", "fee", None], [(0,), (1,), (2,)])
    assert (found.precision, found.recall, found.found, found.pure) == (1, 0.5, 0, 0)


def test_what_is_among_others_is_not_pure() -> None:
    found = Scores.of(["fee", "fee", "fee", "logo", None], [(0, 1, 3), (2, 4)])
    assert found.precision == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2) / 4)
    assert found.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert (found.found, found.pure, found.disturbed) == (1, 0.5, 1)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"status": "answered"}, False),
        ({"status": "answered", "strength": "weak"}, True),
        ({"status": "abstained", "reason": "no_evidence"}, True),
        ({"status": "abstained", "reason": "not_written_yet"}, True),
        ({"status": "abstained", "reason": "unsafe"}, False),
    ],
)
def test_what_is_not_surely_answered_is_missed(told: dict[str, str], wanted: bool) -> None:
    assert missed(Answer(id="a", language="en", text="", **told)) is wanted  # type: ignore[arg-type]


def test_every_gap_of_ours_is_asked_for_in_several_ways_and_languages() -> None:
    own = [wording for _, wording in read_lines(OWN, Wording)]
    assert len({each.question for each in own}) == len(own)
    for gap in {each.gap for each in own}:
        ways = [each for each in own if each.gap == gap]
        assert len(ways) >= 4, gap
        assert len({each.language for each in ways}) >= 2, gap
