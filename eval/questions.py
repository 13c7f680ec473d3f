"""Judged questions: one JSON object a line (format: ``eval/data/README.md``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Audience = Literal[
    "researcher", "data_holder", "infrastructure", "policy", "clinician", "citizen",
    "contact_point", "staff",
]  # fmt: skip
Intent = Literal[
    "engage", "find_data", "access_data", "share_data", "run_pipeline", "connect_institute",
    "elsi", "metadata", "data_quality", "infrastructure", "healthcare", "use_case", "national",
    "citizen", "about", "contribute",
]  # fmt: skip
QuestionType = Literal[
    "fact", "how_to", "definition", "list", "yes_no", "compare", "where", "contact", "follow_up",
    "unanswerable", "not_written_yet", "out_of_scope", "harmful",
]  # fmt: skip
Why = Literal[
    "underspecified", "false_presupposition", "nonsense", "modality", "safety", "out_of_corpus",
    "placeholder_page",
]  # fmt: skip


class _Read(BaseModel):
    # A file may carry fields of its own; those we know are held to their form,
    # as a misspelt kind would otherwise become a group of its own in the scores.
    model_config = ConfigDict(frozen=True, extra="ignore")


class HistoryTurn(_Read):
    """An earlier turn of the conversation."""

    role: Literal["user", "assistant"]
    text: str


class Span(_Read):
    """A span of a source file that holds the evidence."""

    path: Text
    quote: Text


class Nugget(_Read):
    """A fact that a right answer states, in the judge's words."""

    text: Text
    vital: bool
    """Without it the answer is not right."""


class Judged(_Read):
    """A question with what a right answer rests on."""

    id: Text
    question: Text
    language: LanguageCode
    expect: Literal["answer", "abstain"]
    english: str = ""
    """The question in English, where it is asked in another language."""
    audience: Audience | None = None
    intent: Intent | None = None
    type: QuestionType | None = None
    history: tuple[HistoryTurn, ...] = ()
    evidence: tuple[Annotated[tuple[Span, ...], Field(min_length=1)], ...] = ()
    """Groups: every group is needed, inside a group any one member is enough."""
    nuggets: tuple[Nugget, ...] = ()
    items: tuple[Text, ...] = ()
    """For a list: what a complete answer names, by its title in the source."""
    must_not: tuple[Text, ...] = ()
    """Claims that a right answer does not make."""
    why: Why | None = None
    """For an abstention: why there is nothing to answer."""


Line = TypeVar("Line", bound=BaseModel)


def read_questions(files: Iterable[Path]) -> list[Judged]:
    """Read judged questions.

    Raises:
        ValueError: A line is no question, or an id comes twice; the message is
            one line and names file, line and field.
    """
    read = [each for file in files for each in read_lines(file, Judged)]
    first: dict[str, str] = {}
    for place, question in read:
        if question.id in first:
            raise ValueError(f"{place}: id {question.id!r} is taken by {first[question.id]}")
        first[question.id] = place
    return [question for _, question in read]


def read_lines(file: Path, kind: type[Line]) -> list[tuple[str, Line]]:
    """Read a file of one JSON object a line, each with its place.

    Raises:
        ValueError: A line does not have the form; one line, with file, line and field.
    """
    try:
        # A line separator inside a string is a character, not the end of a line.
        lines = file.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 ({error.reason} at byte {error.start})") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{file}, line {number}"
        try:
            found.append((place, kind.model_validate(json.loads(line))))
        except json.JSONDecodeError as error:
            raise ValueError(f"{place}: no JSON ({error.msg}, column {error.colno})") from error
        except ValidationError as error:
            raise ValueError(f"{place}: {_first(error)}") from error
    return found


def _first(error: ValidationError) -> str:
    """The first thing wrong, in one line."""
    details = error.errors(include_url=False)
    if details[0]["type"] == "model_type":
        return "not a JSON object"
    field = ".".join(str(part) for part in details[0]["loc"])
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{field}: {' '.join(details[0]['msg'].split())}{more}"
