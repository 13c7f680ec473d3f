from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.countries import OURS, Message, app, score_countries
from eval.questions import read_lines
from rag.countries import COUNTRIES
from rag.language import LANGUAGES
from rag.places import country_of


def message(number: int, country: str | None) -> Message:
    return Message(id=f"m{number}", subject="", text="text", language="en", country=country)


def test_right_invented_and_missed_are_counted_apart() -> None:
    messages = [message(1, "PT"), message(2, "ES"), message(3, None), message(4, None)]
    answers = iter(["PT", None, "FR", None])
    scores = score_countries(messages, lambda *_: next(answers))
    assert scores.found is not None
    assert scores.invented is not None
    assert (scores.stated, scores.found.mean, scores.invented.mean) == (2, 0.5, 0.5)
    assert (scores.wrong, scores.missed) == (("m3",), ("m2",))


def test_another_country_than_the_one_stated_is_wrong() -> None:
    scores = score_countries([message(1, "PT")], lambda *_: "ES")
    assert scores.found is not None
    assert (scores.found.mean, scores.invented, scores.wrong) == (0.0, None, ("m1",))


def test_a_share_of_all_is_not_said_to_be_certain() -> None:
    scores = score_countries([message(n, "PT") for n in range(20)], lambda *_: "PT")
    assert scores.found is not None
    assert scores.found.low == pytest.approx(0.025 ** (1 / 20))


@pytest.fixture(scope="module")
def ours() -> list[Message]:
    return [each for _, each in read_lines(OURS, Message)]


def test_our_messages_speak_every_language_and_of_every_country(ours: list[Message]) -> None:
    assert {each.language for each in ours} == set(LANGUAGES)
    assert {each.country for each in ours} == {*COUNTRIES, None}
    assert len({each.id for each in ours}) == len(ours) >= 300
    assert sum(each.country is None for each in ours) >= 110
    assert {each.split for each in ours} == {"dev", "test"}


def test_the_country_of_our_messages_is_told(ours: list[Message]) -> None:
    def predict(subject: str, text: str, language: str) -> str | None:
        found = country_of(subject, text, language)
        return found.country if found else None

    scores = score_countries(ours, predict)
    assert scores.found is not None
    assert scores.invented is not None
    assert scores.found.mean >= 0.98
    assert scores.invented.mean <= 0.01


def test_the_command_reads_other_files_and_fields(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    row = {"id": "a", "subject": "", "text": "Who answers in Malta?", "language": "en"}
    file.write_text(json.dumps({**row, "country": "MT", "intent": "national"}), encoding="utf-8")
    shown = CliRunner().invoke(app, ["--messages", str(file), "--misses"])
    assert shown.exit_code == 0
    assert "1.000" in shown.output
    assert "wrong: none" in shown.output
