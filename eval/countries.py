"""How well the country of a message is told: ``python -m eval.countries [--messages FILE]…``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import BaseModel, ConfigDict

from eval.metrics import Interval
from eval.questions import LanguageCode, Text, read_lines
from eval.triage import CountryCode
from rag.places import country_of

OURS = Path(__file__).resolve().parent / "data" / "countries.jsonl"

Predict = Callable[[str, str, str], str | None]
"""Subject, text and language to a country."""

app = typer.Typer(add_completion=False, help=__doc__)


class Message(BaseModel):
    """A message with the country it states or clearly implies."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Text
    subject: str
    text: str
    language: LanguageCode
    country: CountryCode | None
    split: Literal["dev", "test"] | None = None


@dataclass(frozen=True)
class CountryScores:
    """Agreement with the judge."""

    messages: int
    stated: int
    """How many state a country."""
    found: Interval | None
    """Share of those that are told, and told right; None: there are none."""
    invented: Interval | None
    """Share of the others that are told to have a country."""
    wrong: tuple[str, ...]
    """Ids of messages told another country than they have, or one that they have not."""
    missed: tuple[str, ...]
    """Ids of messages whose country is not told."""


def score_countries(messages: Sequence[Message], predict: Predict) -> CountryScores:
    """Score a predictor.

    Args:
        messages: Judged messages.
        predict: It sees nothing but subject, text and language.
    """
    told = [(each, predict(each.subject, each.text, each.language)) for each in messages]
    stated = [each.country == country for each, country in told if each.country]
    others = [country is not None for each, country in told if not each.country]
    return CountryScores(
        len(messages),
        len(stated),
        _share(stated),
        _share(others),
        tuple(each.id for each, country in told if country and country != each.country),
        tuple(each.id for each, country in told if each.country and not country),
    )


def _share(hits: Sequence[bool]) -> Interval | None:
    """A share with its exact 95 % interval (Clopper and Pearson 1934): most are 0 or 1."""
    if not hits:
        return None
    # Here, as is sklearn elsewhere: they take longer to load than all the rest of a command.
    from scipy.stats import binomtest

    exact = binomtest(sum(hits), len(hits)).proportion_ci(method="exact")
    return Interval(sum(hits) / len(hits), float(exact.low), float(exact.high), len(hits))


@app.command()
def main(
    messages: Annotated[
        list[Path] | None, typer.Option(help="Judged messages, JSON lines; default: our own.")
    ] = None,
    misses: Annotated[bool, typer.Option(help="Name the messages told wrong, by id.")] = False,
) -> None:
    """Print accuracy where a country is stated, and the share of invented ones."""
    for file in messages or [OURS]:
        read = [message for _, message in read_lines(file, Message)]
        for split in sorted({each.split or "all" for each in read}):
            part = [each for each in read if (each.split or "all") == split]
            scores = score_countries(part, _predict)
            typer.echo(f"{file.name}, {split}: {scores.messages} messages")
            typer.echo(f"  right where stated  {_shown(scores.found)} of {scores.stated}")
            others = scores.messages - scores.stated
            typer.echo(f"  invented            {_shown(scores.invented)} of {others}")
            if misses:
                typer.echo(f"  wrong: {' '.join(scores.wrong) or 'none'}")
                typer.echo(f"  not told: {' '.join(scores.missed) or 'none'}")


def _predict(subject: str, text: str, language: str) -> str | None:
    found = country_of(subject, text, language)
    return found.country if found else None


def _shown(share: Interval | None) -> str:
    return f"{share.mean:.3f} [{share.low:.3f}, {share.high:.3f}]" if share else "–"


if __name__ == "__main__":
    app()
