"""Learns when to show the list that fits best: ``python -m eval.listing``, by hand.

Two steps. What asks for a list is a logistic regression on the vectors of
questions. Whether the best list is shown, a second, small one on its score and
on what the question asks for by its words and by its vector, each question left
out of what the vectors tell of it. All is judged in folds that keep questions
with the same entries together.

An index of the Framework with the articles is asked, the one the settings name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.metrics import (  # type: ignore[import-untyped]
    average_precision_score,
    roc_auc_score,
)
from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

from eval.answers import list_scores
from eval.questions import Judged, read_questions
from rag.asking import LISTS, Asked, AskReader
from rag.errors import HelpdeskError
from rag.lists import Lists
from rag.models import Filters, Question, Turn
from rag.settings import Settings, read_settings
from rag.wiring import build_embedder, build_retriever, open_index

FOLDS = 8
_STEPS = 3000
_SORTING = 3.0
"""How freely questions are sorted (the inverse of the penalty)."""
_WEIGHING = 30.0
_RIGHT = 0.75
"""From this F1 of its entries on a list is the right one."""
_BARS = (0.3, 0.4, 0.5, 0.6)
_FOUND = 10
"""Passages found for a question, as an answer takes."""

Numbers = NDArray[np.float64]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Case:
    """A judged question with the lists that may be meant."""

    group: str
    """Its entries; of a question that asks for no list its id."""
    is_list: bool
    vector: Numbers
    asked: Asked
    score: float | None
    """Of the list that fits best; None: there is none."""
    right: float
    """F1 of its entries."""
    best: float
    """The highest F1 of any list."""


@app.command()
def main(
    questions: Annotated[list[Path], typer.Argument(help="Files of judged questions.")],
    save: Annotated[bool, typer.Option(help="Write what tells a list into the corpus.")] = False,
) -> None:
    """Learn from questions; say how well that does on those left out, and the weights."""
    try:
        settings = read_settings(Settings)
        embedder = build_embedder(settings)
        cases = collect(settings, read_questions(questions))
    except HelpdeskError as error:
        raise typer.Exit(_told(error)) from error
    _judge(cases)
    sort, showing = learn(cases)
    typer.echo(f"score, words, vector, always: {', '.join(f'{each:.2f}' for each in showing)}")
    if save:
        file = settings.corpus_dir / LISTS
        np.savez(file, sort=sort.astype(np.float32), embedder=np.array(embedder.name))


def _told(error: HelpdeskError) -> int:
    typer.echo(str(error), err=True)
    return 1


def collect(settings: Settings, questions: Sequence[Judged]) -> list[Case]:
    """Ask every question that has an answer, and look at the lists that may be meant."""
    generation = open_index(settings)
    retriever = build_retriever(settings, generation, build_embedder(settings))
    reader, lists = AskReader.load(settings.corpus_dir), Lists(generation)
    cases = []
    for judged in questions:
        # Lists whose entries nobody judged tell nothing.
        if judged.expect != "answer" or (judged.type == "list" and not judged.items):
            continue
        turns = tuple(Turn(each.role, each.text) for each in judged.history)
        query = retriever.query(Question(judged.question, history=turns))
        found = retriever.find(query, _FOUND, Filters())
        asked = reader.asked(judged.question, query.language)
        held = lists.candidates(found.query, asked, found.passages, Filters())
        first = max(held, key=lambda each: each.score, default=None)
        if first is not None and math.isinf(first.score):
            continue
        cases.append(
            Case(
                group=" ".join(sorted(judged.items)) or judged.id,
                is_list=judged.type == "list",
                vector=np.asarray(found.query.vector, dtype=np.float64),
                asked=asked,
                score=first.score if first else None,
                right=_right(judged, first.entries) if first else 0.0,
                best=max((_right(judged, each.entries) for each in held), default=0.0),
            )
        )
    return cases


def _right(judged: Judged, entries: Sequence[Any]) -> float:
    if judged.type != "list":
        return 0.0
    recall, precision = list_scores(judged.items, [each.title for each in entries])
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def learn(cases: Sequence[Case]) -> tuple[Numbers, Numbers]:
    """Learn what tells a list, and when to show one.

    Returns:
        Shapes ``(dimensions + 1,)`` and ``(4,)``: how score, words and vector weigh, and what
        is added.
    """
    vectors = np.array([each.vector for each in cases])
    is_list = np.array([each.is_list for each in cases])
    told = np.zeros(len(cases))
    for known, other in _folds(cases):
        sort = _logistic(vectors[known], is_list[known])
        told[other] = vectors[other] @ sort[:-1] + sort[-1]
    held = [
        (case, lists) for case, lists in zip(cases, told, strict=True) if case.score is not None
    ]
    model = LogisticRegression(C=_WEIGHING, max_iter=_STEPS)
    model.fit([_looks(*each) for each in held], [case.right >= _RIGHT for case, _ in held])
    return _logistic(vectors, is_list), np.append(model.coef_[0], model.intercept_)


def _logistic(vectors: Numbers, labels: NDArray[np.bool_]) -> Numbers:
    model = LogisticRegression(C=_SORTING, class_weight="balanced", max_iter=_STEPS)
    model.fit(vectors, labels)
    return np.append(model.coef_[0], model.intercept_)


def _looks(case: Case, lists: float) -> list[float]:
    return [case.score or 0.0, float(case.asked.type == "list"), lists]


def _folds(cases: Sequence[Case]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    groups = [each.group for each in cases]
    return list(GroupKFold(FOLDS).split(np.zeros(len(cases)), groups=groups))


def _judge(cases: Sequence[Case]) -> None:
    """Say how well it does on questions that it was not learned from."""
    chances = np.zeros(len(cases))
    for known, other in _folds(cases):
        sort, showing = learn([cases[number] for number in known])
        for number in other:
            case = cases[number]
            if case.score is not None:
                looks = np.array(_looks(case, float(case.vector @ sort[:-1] + sort[-1])))
                chances[number] = 1 / (1 + np.exp(-(looks @ showing[:-1] + showing[-1])))
    asked = np.array([each.is_list for each in cases])
    right = np.array([each.right for each in cases])
    best = np.array([each.best for each in cases])
    good = right >= _RIGHT
    typer.echo(f"{asked.sum()} ask for a list, {(~asked).sum()} do not")
    typer.echo(
        f"F1 of the list chosen {right[asked].mean():.3f}, of the best {best[asked].mean():.3f}"
    )
    typer.echo(
        f"the chance: AUROC {roc_auc_score(good, chances):.3f},"
        f" average precision {average_precision_score(good, chances):.3f}"
    )
    for bar in _BARS:
        shown = chances >= bar
        typer.echo(
            f"from {bar}: {(shown & good).sum()} right, {(shown & asked & ~good).sum()} wrong,"
            f" {(shown & ~asked).sum()} not asked for"
        )


if __name__ == "__main__":
    app()
