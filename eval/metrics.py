"""How well the evidence was found, pure functions; each names where it comes from.

The measures are computed by ``ir-measures`` (MacAvaney et al. 2022). What is
judged is not a passage but an evidence group: each group is one relevant
"document" of its question, so the scores do not depend on how a system cuts
its passages. A run lists, passage by passage, the groups that the passage
newly covers; one that covers none stands as one document that nobody judged.

A passage may bring two groups at once. It then takes two places of the run,
which would push what follows beyond a cutoff; so a run is cut after k
passages, not after k places, and the measures are taken over all of what is
left. Thereby R@k is exactly the share of groups found by passage k, and nDCG
stays within 0..1, as every group gains once and none shares a place. Text that
repeats a group gains nothing, as under alpha-nDCG with alpha 1 (Clarke et al.
2008).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

from eval.questions import Judged, Span
from rag.models import Passage
from rag.text import letters_digits

HELD = 0.6
"""Share of a quote that a passage must hold in one run where a border cut it."""
_TARGET = re.compile(r"\]\((?:<[^>]*>|[^)]*)\)")
_TAG = re.compile(r"<[^>]*>")


def plain_quote(quote: str) -> str:
    """Reduce a quote copied with its markup to letters and digits."""
    return letters_digits(_TAG.sub("", _TARGET.sub("]", quote)))


def holds(passage_text: str, quote: str) -> bool:
    """Whether a passage holds a quote, or at least 60 % of it as one run."""
    text, wanted = letters_digits(passage_text), plain_quote(quote)
    if not wanted:
        return False
    if wanted in text:
        return True
    length = int(np.ceil(HELD * len(wanted)))
    # Only a border may cut: the run is at the start or the end of the passage.
    return any(
        text.startswith(wanted[-size:]) or text.endswith(wanted[:size])
        for size in range(length, len(wanted))
    )


def found_at(question: Judged, passages: Sequence[Passage]) -> list[int | None]:
    """For each evidence group the rank of the first passage that holds a member."""
    return [
        next(
            (passage.rank for passage in passages if any(carries(passage, span) for span in group)),
            None,
        )
        for group in question.evidence
    ]


def carries(passage: Passage, span: Span) -> bool:
    """Whether a passage comes from a span's file and holds its quote."""
    return passage.chunk.path == span.path and holds(passage.chunk.text, span.quote)


_ALL = 1_000_000
"""A cutoff no run reaches: runs are cut by passage before they are measured."""


def recall_at(ranks: Sequence[int | None], k: int) -> float:
    """Share of evidence groups found among the first k passages."""
    return _measured(ranks, k)[0]


def reciprocal_rank(ranks: Sequence[int | None]) -> float:
    """One over the rank of the first passage that holds any evidence."""
    return _measured(ranks, max((rank for rank in ranks if rank), default=1))[1]


def ndcg_at(ranks: Sequence[int | None], k: int) -> float:
    """Discounted gain of the groups among the first k passages, 1 at best.

    Every group gains 1, discounted by log2(place + 1), over what all groups
    would gain at the head of the list (Järvelin and Kekäläinen 2002).
    """
    return _measured(ranks, k)[2]


def _measured(ranks: Sequence[int | None], k: int) -> tuple[float, float, float]:
    """Recall, reciprocal rank and nDCG of the first k passages."""
    if not ranks:
        raise ValueError("a question without evidence has nothing to be found")
    qrels = [ir_measures.Qrel("q", f"group {number}", 1) for number in range(len(ranks))]
    places = list(_places(ranks, k))
    run = [
        ir_measures.ScoredDoc("q", name, float(len(places) - place))
        for place, name in enumerate(places)
    ]
    found = ir_measures.calc_aggregate([R @ _ALL, RR, nDCG], qrels, run)
    # Rounding in the library must not make a perfect run better than perfect.
    recall, first, gain = (min(1.0, float(found[each])) for each in (R @ _ALL, RR, nDCG))
    return recall, first, gain


def _places(ranks: Sequence[int | None], k: int) -> Iterator[str]:
    """The run of the first k passages: the groups each newly covers, or itself."""
    for rank in range(1, k + 1):
        covered = [f"group {number}" for number, each in enumerate(ranks) if each == rank]
        yield from covered or [f"passage {rank}"]


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    count: int


def bootstrap(values: Sequence[float], *, rounds: int = 10_000, seed: int = 20_26) -> Interval:
    """Mean and 95 % percentile interval over resampled questions.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 13.
    """
    if not values:
        return Interval(0.0, 0.0, 0.0, 0)
    array = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(array), (rounds, len(array)))
    means = array[draws].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(array.mean()), float(low), float(high), len(array))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
