"""How well messages to the desk are sorted: scores of any predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from eval.metrics import Interval, bootstrap
from eval.questions import Intent, LanguageCode, Text, read_lines

TriageIntent = Intent | Literal["out_of_scope", "spam"]
Priority = Literal["high", "normal", "low"]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Labels(BaseModel):
    """What there is to say of a message before anybody answers it."""

    model_config = ConfigDict(frozen=True)

    intent: TriageIntent
    country: CountryCode | None
    """ISO 3166-1 alpha-2, where stated or clearly implied."""
    priority: Priority
    answerable: bool
    """The indexed documents hold the answer."""
    contains_personal_data: bool


class Message(Labels):
    """A judged message."""

    id: Text
    subject: str
    text: str
    language: LanguageCode
    why: str = ""
    """A note of the judge."""


@dataclass(frozen=True)
class TriageScores:
    """Agreement of a predictor with the judge."""

    messages: int
    intent_macro_f1: float
    """Every intent counts alike, however rare."""
    intent_f1: dict[str, float]
    priority_macro_f1: float
    accuracy: dict[str, Interval]
    """By field."""
    personal_data_recall: Interval | None
    """Share of the messages with personal data that were seen to hold it; None: there are none."""
    personal_data_alarms: Interval | None
    """Share of the others that were said to hold some."""


def read_messages(file: Path) -> list[Message]:
    """Read judged messages.

    Raises:
        ValueError: A line does not have the form, or an id comes twice; one line.
    """
    read = read_lines(file, Message)
    seen: set[str] = set()
    for place, message in read:
        if message.id in seen:
            raise ValueError(f"{place}: id {message.id!r} is taken")
        seen.add(message.id)
    return [message for _, message in read]


def score_triage(
    messages: Sequence[Message], predict: Callable[[str, str], Labels]
) -> TriageScores:
    """Score a predictor.

    Args:
        messages: Judged messages.
        predict: Subject and text to labels; it sees nothing else.

    Source: macro-averaged F1 as in Sokolova and Lapalme 2009, over the labels
    that occur among the judgements or the predictions.
    """
    if not messages:
        raise ValueError("there are no messages to score")
    predicted = [predict(message.subject, message.text) for message in messages]
    by_intent = _f1([each.intent for each in messages], [each.intent for each in predicted])
    by_priority = _f1([each.priority for each in messages], [each.priority for each in predicted])
    both = list(zip(messages, predicted, strict=True))
    return TriageScores(
        messages=len(messages),
        intent_macro_f1=_mean(by_intent),
        intent_f1=by_intent,
        priority_macro_f1=_mean(by_priority),
        accuracy={
            field: bootstrap(
                [
                    float(getattr(message, field) == getattr(labels, field))
                    for message, labels in both
                ]
            )
            for field in Labels.model_fields
        },
        personal_data_recall=_seen(both, personal=True),
        personal_data_alarms=_seen(both, personal=False),
    )


def _f1(wanted: Sequence[str], given: Sequence[str]) -> dict[str, float]:
    from sklearn.metrics import f1_score  # type: ignore[import-untyped]

    labels = sorted({*wanted, *given})
    scores = f1_score(wanted, given, labels=labels, average=None, zero_division=0.0)
    return {name: float(score) for name, score in zip(labels, scores, strict=True)}


def _mean(scores: dict[str, float]) -> float:
    return sum(scores.values()) / len(scores)


def _seen(both: Sequence[tuple[Message, Labels]], *, personal: bool) -> Interval | None:
    seen = [
        float(labels.contains_personal_data)
        for message, labels in both
        if message.contains_personal_data == personal
    ]
    return bootstrap(seen) if seen else None
