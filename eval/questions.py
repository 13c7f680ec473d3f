"""Judged questions: one JSON object a line (format: ``eval/data/README.md``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError


class _Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class HistoryTurn(_Open):
    """An earlier turn of the conversation."""

    role: Literal["user", "assistant"]
    text: str


class Span(_Open):
    """A span of a source file that holds the evidence."""

    path: str
    quote: str


class Judged(_Open):
    """A question with what a right answer rests on."""

    id: str
    question: str
    language: str
    expect: Literal["answer", "abstain"]
    intent: str = ""
    type: str = ""
    history: tuple[HistoryTurn, ...] = ()
    evidence: tuple[tuple[Span, ...], ...] = ()
    """Groups: every group is needed, inside a group any one member is enough."""


def read_questions(files: Iterable[Path]) -> list[Judged]:
    """Read judged questions.

    Raises:
        ValueError: A line is no question; the message names file and line.
    """
    questions: list[Judged] = []
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    questions.append(Judged.model_validate(json.loads(line)))
                except (json.JSONDecodeError, ValidationError) as error:
                    first = str(error).splitlines()[0]
                    raise ValueError(f"{file}, line {number}: {first}") from error
    return questions
