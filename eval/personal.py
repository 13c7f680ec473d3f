"""Personal data in messages: ``python -m eval.personal [--messages FILE]``, run by hand (seconds).

Over our own messages (``eval/data/personal.jsonl``, written in 25 languages, its
halves apart: the rules were tuned on `dev` only) and over any file of triage
messages, of which nothing but the figures is shown.

Of messages: recall, and how many of the harmless are false alarms. Of spans, by
kind: found where a stretch of that kind overlaps, hidden where none of its
letters and digits is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import BaseModel, ConfigDict

from eval.metrics import Interval, bootstrap
from eval.questions import LanguageCode, Text, read_lines
from eval.triage import read_messages
from rag.personal import Kind, Personal, find_personal

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

OWN = Path(__file__).resolve().parent / "data" / "personal.jsonl"


class Span(BaseModel):
    """Personal data in a message, word for word."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    text: Text


class PersonalMessage(BaseModel):
    """A message of ours, with what is personal in it."""

    model_config = ConfigDict(frozen=True)

    id: Text
    text: Text
    language: LanguageCode
    contains_personal_data: bool
    spans: tuple[Span, ...]
    split: Literal["dev", "test"]


def read_own(file: Path = OWN) -> list[PersonalMessage]:
    """Read our messages.

    Raises:
        ValueError: A line does not have the form, or a span is not in its message; one line.
    """
    messages = []
    for place, message in read_lines(file, PersonalMessage):
        if any(span.text not in message.text for span in message.spans):
            raise ValueError(f"{place}: a span is not in the text")
        if message.contains_personal_data != bool(message.spans):
            raise ValueError(f"{place}: the spans and the label disagree")
        messages.append(message)
    return messages


def found_in(message: PersonalMessage, span: Span) -> tuple[bool, bool]:
    """Whether a span was found as what it is, and whether all of it would be hidden."""
    found = find_personal(message.text)
    start = message.text.index(span.text)
    end = start + len(span.text)
    hidden = {place for each in found for place in range(each.start, each.end)}
    left = any(message.text[at].isalnum() and at not in hidden for at in range(start, end))
    return any(_overlaps(each, start, end) and each.kind == span.kind for each in found), not left


def _overlaps(each: Personal, start: int, end: int) -> bool:
    return each.start < end and start < each.end


def report(judged: Sequence[tuple[str, bool]]) -> str:
    """Recall and false alarms over texts, each with whether it holds personal data."""
    told = [(bool(find_personal(text)), personal) for text, personal in judged]
    recall = [float(found) for found, personal in told if personal]
    alarms = [float(found) for found, personal in told if not personal]
    return f"recall {_share(recall)}   false alarms {_share(alarms)}"


def _share(values: Sequence[float]) -> str:
    if not values:
        return "none to judge"
    interval: Interval = bootstrap(list(values))
    return (
        f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
        f" ({sum(values):.0f} of {len(values)})"
    )


def spans_report(messages: Iterable[PersonalMessage]) -> list[str]:
    """A line for each kind."""
    found: dict[Kind, list[float]] = defaultdict(list)
    hidden: dict[Kind, list[float]] = defaultdict(list)
    for message in messages:
        for span in message.spans:
            known, gone = found_in(message, span)
            found[span.kind].append(float(known))
            hidden[span.kind].append(float(gone))
    return [
        f"{kind:12} found {_share(values)}   hidden {_share(hidden[kind])}"
        for kind, values in sorted(found.items())
    ]


@app.command()
def run(
    messages: Annotated[Path | None, typer.Option(help="Triage messages; figures only.")] = None,
) -> None:
    """Print recall and false alarms, over our messages and another file."""
    own = read_own()
    for split in ("dev", "test"):
        part = [each for each in own if each.split == split]
        judged = [(each.text, each.contains_personal_data) for each in part]
        typer.echo(f"{split}: {report(judged)}")
        for line in spans_report(part):
            typer.echo(f"  {line}")
    if messages is not None:
        read = read_messages(messages)
        judged = [(f"{each.subject}\n{each.text}", each.contains_personal_data) for each in read]
        typer.echo(f"{messages.name}: {report(judged)}")


if __name__ == "__main__":
    app()
