from __future__ import annotations

from pathlib import Path

import pytest

from eval.gate import FloorLowered, Floors, accepted, broken, corpus_hash
from eval.metrics import Interval
from eval.run import SCORES
from eval.triaging import GATED

FLOORS = Floors(
    corpus="abc",
    margin=0.02,
    floors={"rr": 0.8, "recall_at_5": 0.9},
    ceilings={"false_refusals": 0.1},
)


def _scores(**means: float) -> dict[str, Interval]:
    kept = {"rr": 0.8, "recall_at_5": 0.9, "false_refusals": 0.1} | means
    return {name: Interval(mean, mean, mean, 10) for name, mean in kept.items()}


def test_scores_at_their_floors_and_within_the_margin_pass() -> None:
    assert broken(FLOORS, _scores(), "abc") == []
    assert broken(FLOORS, _scores(rr=0.781, false_refusals=0.119), "abc") == []


def test_what_falls_below_a_floor_or_rises_above_a_ceiling_is_named() -> None:
    found = broken(FLOORS, _scores(rr=0.77, false_refusals=0.13), "abc")
    assert [line.split()[0] for line in found] == ["rr", "false_refusals"]
    assert "0.770" in found[0]
    assert "0.800" in found[0]


def test_other_questions_or_documents_break_the_gate() -> None:
    (line,) = broken(FLOORS, _scores(), "abd")
    assert "--accept" in line


def test_a_score_whose_floor_is_lost_breaks_the_gate_and_one_left_out_on_purpose_does_not() -> None:
    lost = FLOORS.model_copy(update={"floors": {"recall_at_5": 0.9}})
    (line,) = broken(lost, _scores(), "abc")
    assert line.startswith("rr is measured and has no floor")
    assert broken(lost.model_copy(update={"unbounded": ("rr",)}), _scores(), "abc") == []


def test_a_score_that_nothing_was_measured_for_needs_no_floor() -> None:
    unmeasured = {"item_recall": Interval(0.0, 0.0, 0.0, 0)}
    assert broken(FLOORS, _scores() | unmeasured, "abc") == []


def test_every_score_of_a_run_has_a_floor_or_is_left_out_on_purpose(root: Path) -> None:
    floors = Floors.model_validate_json((root / "eval" / "floors.json").read_text(encoding="utf-8"))
    named = [*floors.floors, *floors.ceilings, *floors.unbounded]
    assert len(named) == len(set(named))
    assert set(named) == {*SCORES, *GATED}


def test_a_floor_that_was_not_measured_is_broken() -> None:
    scores = _scores()
    del scores["rr"]
    scores["recall_at_5"] = Interval(0.0, 0.0, 0.0, 0)
    assert len(broken(FLOORS, scores, "abc")) == 2
    with pytest.raises(FloorLowered, match="not measured: rr, recall_at_5"):
        accepted(FLOORS, scores, "abc")


def test_better_scores_become_the_floors() -> None:
    new = accepted(FLOORS, _scores(rr=0.8504, false_refusals=0.05), "abd")
    assert (new.corpus, new.margin) == ("abd", 0.02)
    assert new.floors == {"rr": 0.85, "recall_at_5": 0.9}
    assert new.ceilings == {"false_refusals": 0.05}


@pytest.mark.parametrize("worse", [{"rr": 0.799}, {"false_refusals": 0.101}])
def test_no_floor_is_lowered_unless_it_is_named(worse: dict[str, float]) -> None:
    (name,) = worse
    with pytest.raises(FloorLowered, match=name):
        accepted(FLOORS, _scores(**worse), "abc")
    with pytest.raises(FloorLowered, match=name):
        accepted(FLOORS, _scores(**worse), "abc", lower=["recall_at_5"])
    new = accepted(FLOORS, _scores(**worse), "abc", lower=[name])
    assert {**new.floors, **new.ceilings}[name] == worse[name]


def test_only_a_floor_that_exists_can_be_lowered() -> None:
    with pytest.raises(FloorLowered, match="no floor named rrr"):
        accepted(FLOORS, _scores(), "abc", lower=["rrr"])


def test_the_hash_follows_content_and_names_alone(tmp_path: Path) -> None:
    one, two = tmp_path / "one.md", tmp_path / "two.md"
    one.write_text("a")
    two.write_text("b")
    known = corpus_hash([("x/one.md", one), ("x/two.md", two)])
    assert corpus_hash([("x/two.md", two), ("x/one.md", one)]) == known
    assert corpus_hash([("x/one.md", two), ("x/two.md", one)]) != known
    assert corpus_hash([("y/one.md", one), ("x/two.md", two)]) != known
    one.write_text("ab")
    assert corpus_hash([("x/one.md", one), ("x/two.md", two)]) != known
