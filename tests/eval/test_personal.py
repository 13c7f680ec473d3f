"""The judged messages of personal data, and how they are counted."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from typer.testing import CliRunner

from eval.personal import PersonalMessage, Span, app, found_in, read_own, report, spans_report
from rag.language import LANGUAGES
from rag.personal import find_personal


def test_our_messages_are_in_every_language_and_half_of_them_harmless():
    messages = read_own()
    assert {each.language for each in messages} == set(LANGUAGES)
    for split in ("dev", "test"):
        labels = Counter(each.contains_personal_data for each in messages if each.split == split)
        assert labels.total() == 120
        assert abs(labels[True] - labels[False]) <= 2


def test_a_span_that_is_not_in_its_message_is_refused(tmp_path):
    file = tmp_path / "personal.jsonl"
    line = {
        "id": "a", "text": "Hello", "language": "en", "contains_personal_data": True,
        "spans": [{"kind": "name", "text": "Ida Lund"}], "split": "dev",
    }  # fmt: skip
    file.write_text(json.dumps(line), encoding="utf-8")
    with pytest.raises(ValueError, match="not in the text"):
        read_own(file)


def message(text: str, *spans: Span) -> PersonalMessage:
    return PersonalMessage(
        id="a",
        text=text,
        language="en",
        contains_personal_data=bool(spans),
        spans=spans,
        split="dev",
    )


def test_a_span_found_in_part_is_found_and_not_hidden():
    whole = Span(kind="birth_date", text="born 14 March 1961")
    assert found_in(message("She was born 14 March 1961.", whole), whole) == (True, False)
    date = Span(kind="birth_date", text="14 March 1961")
    assert found_in(message("She was born 14 March 1961.", date), date) == (True, True)
    missed = Span(kind="name", text="qqq")
    assert found_in(message("It is qqq.", missed), missed) == (False, False)


def test_recall_and_false_alarms_are_told_apart():
    told = report([("Regards,\nIda Lund", True), ("qqq", True), ("Hello", False)])
    assert "recall 0.500" in told
    assert "(1 of 2)" in told
    assert "(0 of 1)" in told


def test_each_kind_has_its_line():
    span = Span(kind="name", text="Ida Lund")
    (line,) = spans_report([message("Regards,\nIda Lund", span)])
    assert line.startswith("name")
    assert "found 1.000" in line


def test_of_other_messages_nothing_but_figures_is_shown(tmp_path):
    file = tmp_path / "triage.jsonl"
    line = {
        "id": "a", "subject": "Plum", "text": "Ask Ida Lund", "language": "en", "intent": "about",
        "country": None, "priority": "normal", "answerable": False, "contains_personal_data": True,
    }  # fmt: skip
    file.write_text(json.dumps(line), encoding="utf-8")
    shown = CliRunner().invoke(app, ["--messages", str(file)])
    assert shown.exit_code == 0
    assert "triage.jsonl: recall 1.000" in shown.stdout
    assert "Plum" not in shown.stdout
    assert "Lund" not in shown.stdout


def test_the_floors_of_the_rules_hold_over_our_messages():
    messages = read_own()
    missed = [each.id for each in messages if each.spans and not find_personal(each.text)]
    alarms = [each.id for each in messages if not each.spans and find_personal(each.text)]
    assert len(missed) <= 0.04 * sum(bool(each.spans) for each in messages), missed
    assert len(alarms) <= 0.03 * sum(not each.spans for each in messages), alarms
