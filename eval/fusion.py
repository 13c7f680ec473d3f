"""Could weights learned from judged questions do better? ``python -m eval.fusion``, by hand.

The scores that search adds up are taken apart again for every judged question,
and their weights fitted so that a passage that holds evidence outranks those
that hold none. Whether that is worth anything is read off questions that the
weights were not fitted on, in five folds, beside the weights in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.optimize import minimize

from eval.compare import Difference, paired_difference
from eval.metrics import carries, ndcg_at, recall_at
from eval.questions import Judged, read_questions
from rag.errors import HelpdeskError
from rag.index import Generation
from rag.models import Passage, Question, Turn
from rag.retriever import Retriever, Weights
from rag.settings import Settings, read_settings
from rag.wiring import build_embedder, build_retriever, open_index

FOLDS = 5
_SEED = 20
_RIVALS = 60
"""Passages without evidence that a question is learned from: the best ones."""
_STEEPNESS = 10.0
"""How sharply a lead in score counts as an order; scores lie some tenths apart."""
_TIE = 0.01
"""How strongly weights are held where they are: they are few, and so are the questions."""
_MOST = 3.0

Weighed = NDArray[np.float64]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Example:
    """A judged question with the scores of every chunk."""

    legs: Weighed
    """Shape ``(weights, chunks)``."""
    groups: tuple[NDArray[np.int64], ...]
    """For each evidence group the chunks that hold a member."""


@dataclass(frozen=True)
class Outcome:
    """What learning would change outside the folds it learned on."""

    differences: tuple[Difference, ...]
    """Of nDCG@10 and of Recall@5: learned less in use."""
    weights: Weights
    """Fitted on all questions."""


def learn(examples: Sequence[Example], start: Weights) -> Outcome:
    """Fit weights in folds and compare them with those in use.

    Args:
        examples: Judged questions over one index.
        start: The weights in use.
    """
    used = start.values.astype(np.float64)
    order = np.random.default_rng(_SEED).permutation(len(examples))
    before: list[tuple[float, float]] = []
    after: list[tuple[float, float]] = []
    for fold in np.array_split(order, FOLDS):
        held_out = set(fold.tolist())
        fitted = fit([each for at, each in enumerate(examples) if at not in held_out], used)
        before += [_scores(examples[at], used) for at in fold]
        after += [_scores(examples[at], fitted) for at in fold]
    pairs = list(zip(before, after, strict=True))
    differences = tuple(
        paired_difference(name, [(old[at], new[at]) for old, new in pairs])
        for at, name in enumerate(("ndcg_at_10", "recall_at_5"))
    )
    return Outcome(differences, Weights(*map(float, fit(examples, used).round(3))))


def fit(examples: Sequence[Example], used: Weighed) -> Weighed:
    """Fit weights by pairs of passages, with and without evidence.

    Source: Burges et al. (2005), Learning to rank using gradient descent.
    """
    done = minimize(
        _loss, used, args=(examples, used), jac=True, method="L-BFGS-B",
        bounds=[(0.0, _MOST)] * len(used),
    )  # fmt: skip
    return np.asarray(done.x, dtype=np.float64)


def _loss(weights: Weighed, examples: Sequence[Example], used: Weighed) -> tuple[float, Weighed]:
    """The loss over all pairs, and its slope."""
    loss, slope, pairs = 0.0, np.zeros_like(weights), 0
    for example in examples:
        scores = weights @ example.legs
        holding = np.unique(np.concatenate(example.groups))
        rivals = np.setdiff1d(np.argsort(-scores)[:_RIVALS], holding)
        for group in example.groups:
            if not len(group) or not len(rivals):
                continue
            best = group[np.argmax(scores[group])]
            lead = _STEEPNESS * (scores[best] - scores[rivals])
            wrong = 1 / (1 + np.exp(lead))
            loss += float(np.logaddexp(0, -lead).mean())
            gaps = example.legs[:, [best]] - example.legs[:, rivals]
            slope -= _STEEPNESS * (gaps * wrong).mean(axis=1)
            pairs += 1
    tie = weights - used
    return loss / max(1, pairs) + _TIE * float(tie @ tie), slope / max(1, pairs) + 2 * _TIE * tie


def _scores(example: Example, weights: Weighed) -> tuple[float, float]:
    """NDCG@10 and Recall@5."""
    order = np.argsort(-(weights @ example.legs), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(1, len(order) + 1)
    ranks = [int(place[group].min()) if len(group) else None for group in example.groups]
    return ndcg_at(ranks, 10), recall_at(ranks, 5)


def examples_of(questions: Sequence[Judged], retriever: Retriever) -> list[Example]:
    """Take apart what search does with every question that has evidence."""
    passages = _all_passages(retriever.generation)
    found = []
    for judged in questions:
        if judged.expect != "answer" or not judged.evidence:
            continue
        history = tuple(Turn(turn.role, turn.text) for turn in judged.history)
        legs = retriever.legs(retriever.query(Question(judged.question, history=history)))
        groups = tuple(
            np.array(
                [
                    number
                    for number, passage in enumerate(passages)
                    if any(carries(passage, span) for span in group)
                ],
                dtype=np.int64,
            )
            for group in judged.evidence
        )
        found.append(Example(legs.astype(np.float64), groups))
    return found


def _all_passages(generation: Generation) -> list[Passage]:
    return [Passage(chunk, 1, 0.0) for chunk in generation.all_chunks()]


@app.command()
def main(
    questions: Annotated[list[Path], typer.Option(help="Judged questions over the index in use.")],
) -> None:
    """Fit the fusion weights on judged questions, and say whether that is worth anything."""
    try:
        judged = read_questions(questions)
        settings = read_settings(Settings)
    except (HelpdeskError, OSError, ValueError) as error:
        typer.echo(f"eval.fusion: {error}", err=True)
        raise typer.Exit(2) from error
    try:
        retriever = build_retriever(settings, open_index(settings), build_embedder(settings))
    except HelpdeskError as error:
        typer.echo(f"eval.fusion: {error}", err=True)
        raise typer.Exit(1) from error
    examples = examples_of(judged, retriever)
    if len(examples) < FOLDS:
        typer.echo(f"eval.fusion: {len(examples)} questions are too few to learn from", err=True)
        raise typer.Exit(1)
    outcome = learn(examples, retriever.weights)
    typer.echo(
        f"{len(examples)} questions, {FOLDS} folds; learned minus in use, outside the folds:"
    )
    for each in outcome.differences:
        gain = each.difference
        typer.echo(f"{each.name:12} {gain.mean:+.4f}  [{gain.low:+.4f}, {gain.high:+.4f}]")
    typer.echo("fitted on all:", nl=False)
    for field in fields(Weights):
        typer.echo(f" {field.name} {getattr(outcome.weights, field.name):.3f}", nl=False)
    typer.echo()


if __name__ == "__main__":
    app(prog_name="python -m eval.fusion")
