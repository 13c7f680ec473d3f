from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from eval.support import EntailmentModel, lexical_support, semantic_support
from rag.embedder import load_embedder

RULE = "Applicants receive a decision within thirty working days; members serve for 5 years."


@pytest.mark.parametrize(
    ("statement", "supported"),
    [
        ("Applicants receive a decision within 30 working days.", True),
        ("Members serve for five years.", True),
        ("Applicants receive a decision within 31 working days.", False),
        ("Applicants receive a decision within 5 working days.", False),
        ("Applicants never receive a decision within thirty working days.", False),
        ("Holders receive a decision within thirty working days.", False),
        ("Applicants pay a fee of some euros for their first attempt.", False),
        ("", False),
    ],
)
def test_a_premise_carries_what_it_says_and_no_more(statement: str, supported: bool) -> None:
    assert lexical_support(RULE, statement) is supported


@pytest.mark.parametrize(
    ("premise", "right", "wrong"),
    [
        (
            "Files must not leave the vault.",
            "Files may not leave the vault.",
            "Files may leave the vault.",
        ),
        (
            "The common template is required for new cohorts.",
            "The template is required for new cohorts.",
            "The common template is recommended for new cohorts.",
        ),
        (
            "The archive uses Beacon for discovery.",
            "Beacon is used for discovery by the archive.",
            "The archive uses OMOP for discovery.",
        ),
        (
            "The Data Access Committee (DAC) of Sweden decides.",
            "In Sweden the DAC decides.",
            "In Norway the DAC decides.",
        ),
        (
            "The holder informs the committee about changes.",
            "The committee is informed about changes by the holder.",
            "The committee informs the holder about changes.",
        ),
        (
            "Check the metadata before the release.",
            "The metadata are checked before the release.",
            "Check the metadata after the release.",
        ),
        (
            "Storage costs 1,200 euros a year.",
            "Storage costs 1200 euros a year.",
            "Storage costs 12,000 euros a year.",
        ),
        (
            "Die Proben werden nach zehn Jahren vernichtet.",
            "Proben werden nach zehn Jahren vernichtet.",
            "Proben werden nach zehn Jahren nicht vernichtet.",
        ),
    ],
)
def test_one_changed_fact_takes_the_support_away(premise: str, right: str, wrong: str) -> None:
    assert lexical_support(premise, right)
    assert not lexical_support(premise, wrong)


def test_the_judge_is_as_good_as_its_docstring_says(root: Path) -> None:
    lines = (root / "eval" / "data" / "support.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    assert len(pairs) >= 60
    assert sum(pair["supported"] for pair in pairs) * 2 == len(pairs)
    for part, least in (("tuning", 0.92), ("held_out", 0.9)):
        judged = [
            lexical_support(pair["premise"], pair["statement"]) == pair["supported"]
            for pair in pairs
            if pair["part"] == part
        ]
        assert sum(judged) / len(judged) == pytest.approx(least)


def test_the_judge_of_meaning_knows_what_is_told_in_other_words() -> None:
    judge = semantic_support(load_embedder())
    rule = "Applicants are informed of the decision of the committee within thirty working days."
    assert judge(rule, "The committee tells applicants what it has decided within 30 working days.")
    assert not judge(rule, "The committee tells applicants what it has decided within 60 days.")
    assert not judge(rule, "Penguins are fed in the evening by two keepers of the zoo.")


class _Encoder:
    """A cross-encoder that finds entailment where both texts are equal."""

    def __init__(self, name: str) -> None:
        if name == "nowhere":
            raise OSError("no such\nmodel")
        labels = {0: "contradiction", 1: "entailment", 2: "neutral"}
        if name == "reranker":
            labels = {0: "LABEL_0"}
        self.model = SimpleNamespace(config=SimpleNamespace(id2label=labels))

    def predict(self, pairs: list[tuple[str, str]]) -> list[np.ndarray]:
        return [np.array([0.1, 0.8 if one == two else 0.0, 0.2]) for one, two in pairs]


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(CrossEncoder=_Encoder)
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)


@pytest.mark.usefixtures("encoders")
def test_a_cross_encoder_judges_by_its_class_for_entailment() -> None:
    judge = EntailmentModel("nli")
    assert judge("A sentence.", "A sentence.")
    assert not judge("A sentence.", "Another.")


@pytest.mark.usefixtures("encoders")
@pytest.mark.parametrize("name", ["nowhere", "reranker"])
def test_a_model_that_cannot_judge_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}'") as refused:
        EntailmentModel(name)
    assert "\n" not in str(refused.value)
