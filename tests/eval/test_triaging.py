from __future__ import annotations

from typing import Any

from eval.triage import Message
from eval.triaging import GATED, gated
from rag.triage.sorter import Decided, Guess


class Told:
    """Decides what a message itself says."""

    def decide(self, subject: str, text: str) -> dict[str, Decided]:
        assert "@" not in text, "what is sorted is masked"
        intent, priority = subject.split()
        return {
            name: Decided((Guess(label, 1.0),), "")
            for name, label in (("intent", intent), ("priority", priority))
        }


def _message(said: str, text: str, **judged: Any) -> Message:
    told: dict[str, Any] = {
        "id": said + text, "subject": said, "text": text, "language": "en", "country": None,
        "intent": "elsi", "priority": "low", "answerable": True, "contains_personal_data": False,
    }  # fmt: skip
    return Message.model_validate(told | judged)


def test_what_is_sorted_is_held_against_the_judge() -> None:
    messages = [
        _message("elsi low", "Greetings from Lisbon.", country="PT"),
        _message("spam low", "We are in Porto.", country="ES"),
        _message("elsi high", "Nothing is said."),
        _message("elsi low", "Our lab in Vienna asks."),
        _message("elsi low", "Write to ilka.s@gmail.example.com", contains_personal_data=True),
    ]
    done: list[None] = []
    scores = gated(messages, Told(), lambda: done.append(None))  # type: ignore[arg-type]
    assert tuple(scores) == GATED
    assert len(done) == len(messages)
    told = {name: (round(score.mean, 3), score.count) for name, score in scores.items()}
    # elsi: precision 4/4, recall 4/5; spam: never right.
    assert told["triage_intent"] == (round((8 / 9 + 0) / 2, 3), 5)
    assert told["triage_country"] == (0.5, 2)
    assert told["triage_country_invented"] == (0.333, 3)
    assert told["triage_personal_data"] == (1.0, 1)
    assert told["triage_personal_data_alarms"] == (0.0, 4)


def test_what_no_message_could_show_is_not_measured() -> None:
    scores = gated([_message("elsi low", "Nothing is said.")], Told())  # type: ignore[arg-type]
    assert scores["triage_country"].count == 0
    assert scores["triage_personal_data"].count == 0
