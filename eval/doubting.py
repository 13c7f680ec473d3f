"""Learns when to doubt that the documents say what is asked: ``python -m eval.doubting``, by hand.

Two steps (`rag.doubt`): what sorts questions is a logistic regression on their
vectors; what comes out of it, each question left out of its own learning, is
weighed with the other signs by a second, small one. Everything is judged in
five folds over questions, and on files that nothing was learned from.

An index of the Framework with the articles is asked, the one the settings name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
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
from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]

from eval.questions import Judged, read_questions
from rag.doubt import Doubter, Learned, Signs
from rag.errors import HelpdeskError
from rag.models import Question, Turn
from rag.settings import Settings, read_settings
from rag.wiring import build_embedder, build_retriever, open_index

FOLDS = 5
_SEED = 20
_SORTING = 3.0
"""How freely questions are sorted (the inverse of the penalty)."""
_WEIGHING = 0.3
_FOUND = 10
"""Passages found for a question, as an answer takes."""
_FALSE_REFUSALS, _FALSE_HEDGES = 0.03, 0.10
"""Shares of the questions with an answer that may lie above each bar."""
_UNTOLD = frozenset({"out_of_corpus", "false_presupposition"})
"""Kinds of questions that are to be doubted; the others are refused by signs of their own."""

Numbers = NDArray[np.int64]
Scores = NDArray[np.float64]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Asked:
    """Judged questions with what is weighed."""

    files: NDArray[np.str_]
    """Where each is from."""
    kinds: NDArray[np.str_]
    """Why there is nothing to answer; ``answer`` where there is."""
    english: NDArray[np.bool_]
    applies: NDArray[np.bool_]
    """Whether what is learned here may be used for what was found."""
    directions: Scores
    signs: Scores
    """The first column is the sort, still 0."""

    @property
    def untold(self) -> Numbers:
        """1 where the documents do not say what is asked."""
        return np.asarray(self.kinds != "answer", dtype=np.int64)

    def of(self, rows: Numbers | NDArray[np.bool_]) -> Asked:
        """Some of them."""
        return Asked(*(getattr(self, each.name)[rows] for each in fields(self)))


def asked_of(files: Sequence[Path], settings: Settings) -> Asked:
    """Ask an index every question of some files that is to be answered or to be doubted."""
    generation = open_index(settings)
    retriever = build_retriever(settings, generation, build_embedder(settings))
    doubter = Doubter(generation, None)
    rows: list[tuple[str, str, bool, bool, Any, tuple[float, ...]]] = []
    for file in files:
        for each in read_questions([file]):
            if each.expect == "abstain" and each.why not in _UNTOLD:
                continue
            query = retriever.query(_question(each))
            found = retriever.find(query, _FOUND)
            signs = astuple(doubter.signs(query, found))
            kind = "answer" if each.expect == "answer" else str(each.why)
            direction = doubter.direction(query)
            english = query.language == "en"
            rows.append((file.stem, kind, english, doubter.applies(found), direction, signs))
    names, kinds, spoken, applies, directions, weighed = zip(*rows, strict=True)
    return Asked(
        np.array(names),
        np.array(kinds),
        np.array(spoken),
        np.array(applies),
        np.stack(directions).astype(np.float64),
        np.array(weighed, dtype=np.float64),
    )


def _question(judged: Judged) -> Question:
    return Question(
        judged.question, history=tuple(Turn(each.role, each.text) for each in judged.history)
    )


def learned_from(asked: Asked, trust: Scores) -> tuple[NDArray[Any], NDArray[Any]]:
    """What sorts questions, and how the signs are weighed.

    Args:
        asked: What to learn from.
        trust: How much each question counts.
    """
    untold = asked.untold
    sorts = np.zeros(len(untold))
    for learning, left_out in _folds(asked):
        sorts[left_out] = _sorted(
            _regression(asked.directions[learning], untold[learning], trust[learning], _SORTING),
            asked.directions[left_out],
        )
    signs = asked.signs.copy()
    signs[:, 0] = sorts
    # Signs are measured in their own spread, so that each is held back alike.
    spread = np.where(signs.std(axis=0) > 0, signs.std(axis=0), 1.0)
    weights = _regression(signs / spread, untold, trust, _WEIGHING)
    weights[:-1] /= spread
    return _regression(asked.directions, untold, trust, _SORTING), weights


def _folds(asked: Asked) -> list[tuple[Numbers, Numbers]]:
    alike = [
        f"{file} {kind != 'answer'}" for file, kind in zip(asked.files, asked.kinds, strict=True)
    ]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED)
    return list(folds.split(asked.signs, alike))


def _regression(rows: Scores, truth: Numbers, trust: Scores, freedom: float) -> NDArray[Any]:
    model = LogisticRegression(C=freedom, max_iter=2000).fit(rows, truth, sample_weight=trust)
    return np.append(model.coef_[0], model.intercept_[0])


def _sorted(sort: NDArray[Any], directions: Scores) -> Scores:
    return np.asarray(directions @ sort[:-1] + sort[-1])


def probabilities(sort: NDArray[Any], weights: NDArray[Any], asked: Asked) -> Scores:
    """How doubtful each question is."""
    signs = asked.signs.copy()
    signs[:, 0] = _sorted(sort, asked.directions)
    return np.asarray(asked.applies / (1 + np.exp(-(signs @ weights[:-1] + weights[-1]))))


def crossed(asked: Asked, trust: Scores) -> Scores:
    """How doubtful each question is, learned without it and its fold."""
    found = np.zeros(len(trust))
    for learning, left_out in _folds(asked):
        sort, weights = learned_from(asked.of(learning), trust[learning])
        found[left_out] = probabilities(sort, weights, asked.of(left_out))
    return found


def report(asked: Asked, doubts: Scores, decline: float, hedge: float) -> list[str]:
    """A line for each file, and in it for English and for other languages."""
    lines = []
    for file in dict.fromkeys(asked.files.tolist()):
        for spoken, name in ((True, "English"), (False, "others")):
            chosen = (asked.files == file) & (asked.english == spoken)
            lines.append(
                f"{file}, {name}: {_scores(asked.of(chosen), doubts[chosen], decline, hedge)}"
            )
    return lines


def _scores(asked: Asked, doubts: Scores, decline: float, hedge: float) -> str:
    untold = asked.untold == 1
    said = [f"{untold.sum()} of {len(untold)} to be doubted"]
    if untold.any() and not untold.all():
        said.append(f"AUROC {roc_auc_score(untold, doubts):.3f}")
        said.append(f"average precision {average_precision_score(untold, doubts):.3f}")
    refused = doubts >= decline
    right = int((refused & untold).sum())
    if untold.any():
        said.append(f"F1 {2 * right / (refused.sum() + untold.sum()):.3f}")
    for kind in dict.fromkeys(asked.kinds.tolist()):
        of_it = asked.kinds == kind
        share, hedged = refused[of_it].mean(), (doubts[of_it] >= hedge).mean()
        said.append(f"{kind} declined {share:.3f}, hedged or declined {hedged:.3f}")
    return "; ".join(said)


def _named(weights: NDArray[Any]) -> str:
    names = [each.name for each in fields(Signs)] + ["even"]
    return ", ".join(f"{name} {weight:+.2f}" for name, weight in zip(names, weights, strict=True))


@app.command()
def main(
    questions: Annotated[list[Path], typer.Option(help="Files of judged questions to learn from.")],
    tested: Annotated[list[Path] | None, typer.Option(help="Files only to be judged on.")] = None,
    invented: Annotated[
        list[Path] | None,
        typer.Option(help="Of the files, those whose answerable are not typical."),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Where to write what was learned.")] = None,
) -> None:
    """Learn when to doubt, and say what it is worth."""
    settings = read_settings(Settings)
    try:
        asked = asked_of(questions, settings)
        trust = np.ones(len(asked.kinds))
        sort, weights = learned_from(asked, trust)
        doubts = crossed(asked, trust)
        odd = [file.stem for file in invented or []]
        typical = np.sort(doubts[(asked.kinds == "answer") & ~np.isin(asked.files, odd)])
        decline, hedge = np.quantile(typical, [1 - _FALSE_REFUSALS, 1 - _FALSE_HEDGES])
        typer.echo(f"{_named(weights)}\ndecline from {decline:.3f}, hedge from {hedge:.3f}")
        typer.echo("\n".join(report(asked, doubts, decline, hedge)))
        if tested:
            unseen = asked_of(tested, settings)
            found = probabilities(sort, weights, unseen)
            typer.echo("\n".join(report(unseen, found, decline, hedge)))
        if save:
            embedder = open_index(settings).info.embedder
            learned = Learned(
                sort.astype(np.float32), weights.astype(np.float32), float(decline), float(hedge)
            )
            learned.save(save, embedder)
    except (HelpdeskError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
