"""How well messages are sorted: ``python -m eval.triaging [--messages FILE]...``, by hand.

Over messages of ours that nothing learned from (``eval/data/triage.jsonl``), and
over any file of judged messages, of which nothing but the figures is shown. The
index that the settings name drafts the answers, as it does for staff.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.progress import track

from eval.countries import CountryScores, score_countries
from eval.countries import Message as Located
from eval.metrics import Interval
from eval.triage import Labels, Message, TriageIntent, TriageScores, read_messages, score_triage
from rag.errors import HelpdeskError
from rag.settings import Settings, read_settings
from rag.triage.sorter import Sorter
from rag.triage.triager import Triage, sort
from rag.wiring import build_answerer, build_embedder, build_triager, open_index

OWN = Path(__file__).resolve().parent / "data" / "triage.jsonl"

GATED = (
    "triage_intent", "triage_priority", "triage_country", "triage_country_invented",
    "triage_personal_data", "triage_personal_data_alarms",
)  # fmt: skip
"""Scores that have a floor or a ceiling."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def gated(
    messages: Sequence[Message], sorter: Sorter, done: Callable[[], object] = lambda: None
) -> dict[str, Interval]:
    """What the gate holds against its floors, for which no index is needed.

    Args:
        messages: Judged messages.
        sorter: What was learned.
        done: Called after each message.

    Returns:
        The scores of `GATED`; an interval of no width where one is not a mean, a count
        of 0 where there was nothing to measure.
    """
    labels = []
    for message in messages:
        labels.append(_sorted(message, sorter))
        done()
    scores, places = _scores(messages, labels)
    unmeasured = _flat(0.0, 0)
    return {
        "triage_intent": _flat(scores.intent_macro_f1, len(messages)),
        "triage_priority": _flat(scores.priority_macro_f1, len(messages)),
        "triage_country": places.found or unmeasured,
        "triage_country_invented": places.invented or unmeasured,
        "triage_personal_data": scores.personal_data_recall or unmeasured,
        "triage_personal_data_alarms": scores.personal_data_alarms or unmeasured,
    }


def _scores(
    messages: Sequence[Message], labels: Sequence[Labels]
) -> tuple[TriageScores, CountryScores]:
    given = iter(labels)
    scores = score_triage(messages, lambda _subject, _text: next(given))
    located = [Located.model_validate(each.model_dump()) for each in messages]
    countries = iter([each.country for each in labels])
    return scores, score_countries(located, lambda _subject, _text, _language: next(countries))


def _flat(score: float, count: int) -> Interval:
    return Interval(score, score, score, count)


def _sorted(message: Message, sorter: Sorter) -> Labels:
    """All but whether the documents answer, which nobody tells without asking them."""
    found = sort(sorter, message.subject, message.text)
    return Labels.model_validate(
        {
            "intent": found.decided["intent"].label,
            "priority": found.decided["priority"].label,
            "answerable": message.answerable,
            "country": found.place.country if found.place else None,
            "contains_personal_data": bool(found.personal),
        }
    )


def labels_of(triage: Triage) -> Labels:
    """What a judge says of a message, as the helpdesk says it."""
    return Labels.model_validate(
        {
            "intent": triage.intent,
            "country": triage.country,
            "priority": triage.priority,
            "answerable": triage.answerable,
            "contains_personal_data": bool(triage.personal),
        }
    )


def report(messages: Sequence[Message], labels: Sequence[Labels]) -> list[str]:
    """The figures, a line for each."""
    scores, places = _scores(messages, labels)
    return [
        f"messages                 {scores.messages}",
        f"intent macro-F1          {scores.intent_macro_f1:.3f}",
        f"intent accuracy          {_told(scores.accuracy['intent'])}",
        f"priority macro-F1        {scores.priority_macro_f1:.3f}",
        f"answerable, accuracy     {_told(scores.accuracy['answerable'])}",
        f"country stated, right    {_told(places.found)}",
        f"country invented         {_told(places.invented)}",
        f"personal data, recall    {_told(scores.personal_data_recall)}",
        f"personal data, alarms    {_told(scores.personal_data_alarms)}",
        *_by_intent(scores),
    ]


def _by_intent(scores: TriageScores) -> list[str]:
    named = [*get_args(get_args(TriageIntent)[0]), "out_of_scope", "spam"]
    return [
        f"  {name:18} {scores.intent_f1[name]:.2f}" for name in named if name in scores.intent_f1
    ]


def _told(share: Interval | None) -> str:
    if share is None:
        return "none to judge"
    return f"{share.mean:.3f} [{share.low:.3f}, {share.high:.3f}] of {share.count}"


@app.command()
def run(
    messages: Annotated[
        list[Path] | None, typer.Option(help="Judged messages, JSON lines; ours otherwise.")
    ] = None,
) -> None:
    """Sort messages, and print how often a judge agrees."""
    try:
        settings = read_settings(Settings)
        embedder = build_embedder(settings)
        answerer = build_answerer(settings, open_index(settings), embedder)
        triager = build_triager(settings)
        for file in messages or [OWN]:
            judged = read_messages(file)
            sorted_ = [
                labels_of(triager.triage(each.subject, each.text, answerer))
                for each in track(judged, description=file.name, transient=True)
            ]
            typer.echo(f"{file.name}:")
            for line in report(judged, sorted_):
                typer.echo(f"  {line}")
    except (HelpdeskError, ValueError, OSError) as error:
        typer.echo(f"eval.triaging: {error}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app(prog_name="python -m eval.triaging")
