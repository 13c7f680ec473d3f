from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval.triage import Labels, read_messages, score_triage

LINES = [
    {"intent": "find_data", "country": "PT", "priority": "normal"},
    {"intent": "find_data", "country": None, "priority": "low"},
    {"intent": "elsi", "country": None, "priority": "high", "contains_personal_data": True},
    {"intent": "spam", "country": None, "priority": "low"},
]


def _file(folder: Path, **change: object) -> Path:
    file = folder / "messages.jsonl"
    common = {
        "subject": "", "language": "en", "answerable": True, "contains_personal_data": False,
        "why": "a note",
    }  # fmt: skip
    lines = [
        {**common, "id": f"m{number}", "text": str(number), **line, **change}
        for number, line in enumerate(LINES)
    ]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def test_a_predictor_is_scored_against_the_judge(tmp_path: Path) -> None:
    messages = read_messages(_file(tmp_path))

    def predict(subject: str, text: str) -> Labels:
        return Labels(
            intent="find_data" if text in "012" else "spam",
            country="PT" if text == "0" else "ES" if text == "1" else None,
            priority="low",
            answerable=True,
            contains_personal_data=False,
        )

    found = score_triage(messages, predict)
    # find_data: precision 2/3, recall 1; elsi: never given; spam: right.
    assert found.intent_f1 == pytest.approx({"find_data": 0.8, "elsi": 0.0, "spam": 1.0})
    assert found.intent_macro_f1 == pytest.approx((0.8 + 0 + 1) / 3)
    assert {field: score.mean for field, score in found.accuracy.items()} == {
        "intent": 0.75, "country": 0.75, "priority": 0.5, "answerable": 1.0,
        "contains_personal_data": 0.75,
    }  # fmt: skip
    # low: precision 2/4, recall 1; normal and high: never given.
    assert found.priority_macro_f1 == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert found.personal_data_recall is not None
    assert found.personal_data_alarms is not None
    assert (found.messages, found.personal_data_recall.mean) == (4, 0.0)
    assert (found.personal_data_alarms.mean, found.personal_data_alarms.count) == (0.0, 3)


def test_the_judge_itself_scores_full_marks(tmp_path: Path) -> None:
    messages = read_messages(_file(tmp_path))
    by_text = {message.text: message for message in messages}
    found = score_triage(messages, lambda _, text: by_text[text])
    assert (found.intent_macro_f1, found.priority_macro_f1) == (1.0, 1.0)
    assert found.personal_data_recall is not None
    assert found.personal_data_recall.mean == 1.0
    assert {score.mean for score in found.accuracy.values()} == {1.0}


@pytest.mark.parametrize(
    "change", [{"intent": "refund"}, {"country": "PRT"}, {"priority": "urgent"}, {"id": "m0"}]
)
def test_a_bad_message_is_told_in_one_line(tmp_path: Path, change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"messages\.jsonl, line \d: ") as bad:
        read_messages(_file(tmp_path, **change))
    assert "\n" not in str(bad.value)


def test_the_messages_beside_the_project_have_the_format(root: Path) -> None:
    file = root.parent / "shared" / "eval" / "triage-dev.jsonl"
    if not file.is_file():
        pytest.skip("the judged messages beside the project are absent")
    assert len(read_messages(file)) == 150
