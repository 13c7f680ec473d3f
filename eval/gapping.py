"""Which questions are put together as one gap: ``python -m eval.gapping``, by hand.

Over our own wordings of invented gaps (``eval/data/gaps.jsonl``), among other questions of ours,
it tells how well they are put together. With ``--questions`` or ``--messages`` it puts together
what the index that the settings name does not answer, or not surely, of judged files, and prints
the groups to be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from eval.questions import LanguageCode, Text, _Read, read_lines, read_questions
from eval.triage import read_messages
from rag.answerer import Answerer
from rag.errors import HelpdeskError
from rag.gaps.clustering import asked_of, grouped
from rag.gaps.places import hear, place_of
from rag.models import Answer, Question
from rag.personal import find_personal, mask
from rag.settings import Settings, read_settings
from rag.wiring import build_answerer, build_embedder, open_index

_DATA = Path(__file__).resolve().parent / "data"
OWN = _DATA / "gaps.jsonl"
OTHERS = _DATA / "real" / "framework.jsonl"
MESSAGES = _DATA / "triage.jsonl"
_DISTURBING = 100
"""Messages of ours among those others."""
_APART = ("spam", "out_of_scope")
"""Intents of messages that are in no report."""
_PUT = 3
"""Questions of a gap that tell where it should be answered."""
_MISSING = ("no_evidence", "not_written_yet")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Wording(_Read):
    """A way to ask for something that nothing answers."""

    gap: Text
    """What is asked for: the same for all ways to ask for it."""
    language: LanguageCode
    question: Text


@dataclass(frozen=True)
class Scores:
    """How well wordings are put together."""

    precision: float
    """B-cubed: of a wording's group the share that asks for the same."""
    recall: float
    """B-cubed: of all that ask for the same the share that is in a wording's group."""
    found: float
    """Share of wordings that are in a group with another question."""
    pure: float
    """Share of those that stand in a group of which most ask for the same as they do."""
    disturbed: float
    """Share of other questions, which are all about something else, that are in a group."""

    @classmethod
    def of(cls, gaps: Sequence[str | None], groups: Sequence[Sequence[int]]) -> Scores:
        """Judge groups.

        Args:
            gaps: What each question asks for; None: something that no other asks for.
            groups: Numbers of the questions of each.

        Source: Amigó et al., A comparison of extrinsic clustering evaluation metrics based on
            formal constraints, Information Retrieval 12 (2009), for B-cubed.
        """
        every = Counter(gaps)
        precisions: list[float] = []
        recalls: list[float] = []
        found: list[bool] = []
        pure: list[bool] = []
        disturbed: list[bool] = []
        for group in groups:
            inside = Counter(gaps[at] for at in group)
            most = max((count for gap, count in inside.items() if gap), default=0)
            for at in group:
                gap = gaps[at]
                if gap is None:
                    disturbed.append(len(group) > 1)
                    continue
                precisions.append(inside[gap] / len(group))
                recalls.append(inside[gap] / every[gap])
                found.append(len(group) > 1)
                if len(group) > 1:
                    pure.append(inside[gap] == most and 2 * most > len(group))
        return cls(_mean(precisions), _mean(recalls), _mean(found), _mean(pure), _mean(disturbed))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def missed(answer: Answer) -> bool:
    """Whether an answer makes its question one of the report."""
    if answer.status == "abstained":
        return answer.reason in _MISSING
    return answer.strength == "weak"


def score(answerer: Answerer) -> list[str]:
    """How well our own wordings are put together, a line for each figure."""
    own = [wording for _, wording in read_lines(OWN, Wording)]
    messages = [each for each in read_messages(MESSAGES) if each.intent not in _APART]
    others = [
        *(each.question for each in read_questions([OTHERS])),
        *(f"{each.subject} {each.text}" for each in messages[:_DISTURBING]),
    ]
    texts = [*(each.question for each in own), *others]
    gaps = [*(each.gap for each in own), *(None for _ in others)]
    asked = [asked_of(answerer.retriever, text) for text in track(texts, transient=True)]
    groups = grouped(asked, answerer.generation)
    found = Scores.of(gaps, groups)
    return [
        f"wordings          {len(own)} of {len({each.gap for each in own})} gaps",
        f"other questions   {len(others)}",
        f"B-cubed precision {found.precision:.3f}",
        f"B-cubed recall    {found.recall:.3f}",
        f"found             {found.found:.3f}",
        f"pure              {found.pure:.3f}",
        f"others disturbed  {found.disturbed:.3f}",
    ]


def reading(answerer: Answerer, texts: Sequence[str], *, every: bool) -> Iterator[str]:
    """Groups to be read, the largest first.

    Args:
        answerer: Of the index that may answer them.
        texts: Questions and messages.
        every: Put those together, too, that are surely answered.
    """
    asked = [
        text
        for text in track(texts, description="asking", transient=True)
        if every or missed(answerer.answer(Question(text)))
    ]
    groups = grouped([asked_of(answerer.retriever, text) for text in asked], answerer.generation)
    several = [group for group in groups if len(group) > 1]
    inside = sum(map(len, several))
    yield f"{len(asked)} of {len(texts)} in the report, {inside} of them in {len(several)} groups"
    for number, group in enumerate(several, start=1):
        place = place_of([hear(answerer, asked[at]) for at in group[:_PUT]])
        where = (
            f"{place.kind}: {' > '.join((place.title, *place.section))}" if place else "new page"
        )
        yield f"{number}. [{where}]"
        yield from (f"     {' '.join(asked[at].split())[:300]}" for at in group)


@app.command()
def run(
    questions: Annotated[list[Path] | None, typer.Option(help="Judged questions.")] = None,
    messages: Annotated[list[Path] | None, typer.Option(help="Judged messages.")] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Also what is surely answered: more to read.")
    ] = False,
) -> None:
    """Put questions together, and print the groups; without files: how well it is done."""
    try:
        settings = read_settings(Settings)
        embedder = build_embedder(settings)
        answerer = build_answerer(settings, open_index(settings), embedder)
        if not questions and not messages:
            lines: Iterator[str] = iter(score(answerer))
        else:
            texts = [each.question for each in read_questions(questions or ())]
            for file in messages or ():
                texts += [f"{each.subject} {each.text}".strip() for each in read_messages(file)]
            texts = [mask(text, find_personal(text)) for text in texts]
            lines = reading(answerer, texts, every=every)
        for line in lines:
            typer.echo(line)
    except (HelpdeskError, ValueError, OSError) as error:
        typer.echo(f"eval.gapping: {error}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app(prog_name="python -m eval.gapping")
