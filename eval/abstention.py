"""Whether the right questions were declined, pure functions; each names where it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics import Interval, bootstrap


@dataclass(frozen=True)
class Decision:
    """What was decided on one question, and what should have been."""

    to_refuse: bool
    refused: bool
    why: str | None = None
    """The kind of question, where there is nothing to answer."""
    reason: str | None = None
    """What the refusal said."""
    confidence: float | None = None
    """The higher, the surer the answer; None where nothing was found."""
    risk: float | None = None
    """What an answer would cost: 1 - Recall@5, and 1 where there is none to give;
    None where nobody judged it."""


@dataclass(frozen=True)
class Refusals:
    """What became of the questions of one kind."""

    questions: int
    refused: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Point:
    """The risk of answering only the surest share of the questions."""

    coverage: float
    risk: float
    threshold: float | None
    """Confidence of the last question that is still answered; None: none at all."""


@dataclass(frozen=True)
class Abstention:
    """Refusals by kind, and what a threshold on the confidence could do."""

    by_kind: dict[str, Refusals]
    """By `why` of the questions; those that have an answer stand under ``answerable``."""
    by_reason: dict[str, tuple[int, int]]
    """For each reason given how often a refusal was right, and how often wrong."""
    auroc: float | None
    risk_coverage: tuple[Point, ...]
    aurc: float | None
    """Area under the risk-coverage curve; the lower the better."""


def refusal_scores(decisions: Sequence[Decision]) -> dict[str, Interval]:
    """Precision, recall and F1 of refusals, and false refusals as a share of the answerable."""
    return {
        "refusal_precision": bootstrap(
            [float(each.to_refuse) for each in decisions if each.refused]
        ),
        "refusal_recall": bootstrap([float(each.refused) for each in decisions if each.to_refuse]),
        "refusal_f1": _f1(decisions),
        "false_refusals": bootstrap(
            [float(each.refused) for each in decisions if not each.to_refuse]
        ),
    }


def _f1(decisions: Sequence[Decision], *, rounds: int = 10_000, seed: int = 20_26) -> Interval:
    """2 tp / (2 tp + fp + fn), resampled over questions; 0 where nothing is to be refused."""
    right = np.array([each.to_refuse and each.refused for each in decisions], dtype=np.float64)
    either = np.array([each.to_refuse + each.refused for each in decisions], dtype=np.float64)
    if not either.sum():
        return Interval(0.0, 0.0, 0.0, 0)
    draws = np.random.default_rng(seed).integers(0, len(right), (rounds, len(right)))
    below = either[draws].sum(axis=1)
    above = 2 * right[draws].sum(axis=1)
    drawn = np.divide(above, below, out=np.zeros(rounds), where=below > 0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    mean = 2 * right.sum() / either.sum()
    return Interval(float(mean), float(low), float(high), int((either > 0).sum()))


def abstention(decisions: Sequence[Decision]) -> Abstention:
    """Sum up refusals by kind and reason, and how well the confidence tells."""
    kinds: dict[str, list[Decision]] = {}
    for each in decisions:
        name = (each.why or "no kind given") if each.to_refuse else "answerable"
        kinds.setdefault(name, []).append(each)
    reasons: dict[str, list[bool]] = {}
    for each in decisions:
        if each.refused:
            reasons.setdefault(each.reason or "none", []).append(each.to_refuse)
    points = risk_coverage(decisions)
    return Abstention(
        by_kind={
            name: Refusals(
                len(members),
                sum(each.refused for each in members),
                dict(Counter(each.reason or "none" for each in members if each.refused)),
            )
            for name, members in sorted(kinds.items())
        },
        by_reason={
            name: (sum(right), len(right) - sum(right)) for name, right in sorted(reasons.items())
        },
        auroc=auroc(
            [each.confidence for each in decisions if not each.to_refuse],
            [each.confidence for each in decisions if each.to_refuse],
        ),
        risk_coverage=points,
        aurc=sum(point.risk for point in points) / len(points) if points else None,
    )


def auroc(answerable: Sequence[float | None], other: Sequence[float | None]) -> float | None:
    """Chance that an answerable question is met with more confidence than another.

    A tie counts half; no confidence at all is the lowest there is. None where
    one side is empty.

    Source: Hanley and McNeil 1982, Radiology 143, 29-36.
    """
    if not answerable or not other:
        return None
    one, two = (
        np.array([-np.inf if each is None else each for each in side], dtype=np.float64)
        for side in (answerable, other)
    )
    above = (one[:, None] > two[None, :]).mean()
    even = (one[:, None] == two[None, :]).mean()
    return float(above + even / 2)


def risk_coverage(decisions: Sequence[Decision]) -> tuple[Point, ...]:
    """The mean risk of the surest 1, 2, … questions, were only they answered.

    Equal confidences carry the mean of their risks, so that the order of the
    file tells nothing.

    Source: El-Yaniv and Wiener 2010, JMLR 11; AURC: Geifman et al. 2019, ICLR.
    """
    judged = [
        (-np.inf if each.confidence is None else each.confidence, each.risk)
        for each in decisions
        if each.risk is not None
    ]
    if not judged:
        return ()
    confidences, risks = np.array(judged, dtype=np.float64).T
    order = np.argsort(-confidences, kind="stable")
    confidences, risks = confidences[order], risks[order]
    _, group, sizes = np.unique(confidences, return_inverse=True, return_counts=True)
    even = (np.bincount(group, risks) / sizes)[group]
    count = len(even)
    means = np.cumsum(even) / np.arange(1, count + 1)
    return tuple(
        Point(
            (place + 1) / count,
            float(means[place]),
            float(confidences[place]) if np.isfinite(confidences[place]) else None,
        )
        for place in range(count)
    )
