"""How well messages to the desk are sorted: scores of any predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from sklearn.metrics import f1_score  # type: ignore[import-untyped]

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
    accuracy: dict[str, Interval]
    """By field."""
    personal_data_missed: int
    """Messages with personal data that were taken for harmless: the costly error."""


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

    Source: macro-averaged F1 as in Sokolova and Lapalme 2009, over the intents
    that occur among the judgements or the predictions.
    """
    if not messages:
        raise ValueError("there are no messages to score")
    predicted = [predict(message.subject, message.text) for message in messages]
    wanted, given = [each.intent for each in messages], [each.intent for each in predicted]
    intents = sorted({*wanted, *given})
    by_intent = f1_score(wanted, given, labels=intents, average=None, zero_division=0.0)
    return TriageScores(
        messages=len(messages),
        intent_macro_f1=float(by_intent.mean()),
        intent_f1={name: float(value) for name, value in zip(intents, by_intent, strict=True)},
        accuracy={
            field: bootstrap(
                [
                    float(getattr(message, field) == getattr(labels, field))
                    for message, labels in zip(messages, predicted, strict=True)
                ]
            )
            for field in Labels.model_fields
        },
        personal_data_missed=sum(
            message.contains_personal_data and not labels.contains_personal_data
            for message, labels in zip(messages, predicted, strict=True)
        ),
    )
