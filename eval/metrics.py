"""Scores, pure functions; each names where it comes from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.questions import Judged, Span
from rag.models import Passage
from rag.text import letters_digits

_HELD = 0.6
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
    length = int(np.ceil(_HELD * len(wanted)))
    # Only a border may cut: the run is at the start or the end of the passage.
    return any(
        text.startswith(wanted[-size:]) or text.endswith(wanted[:size])
        for size in range(length, len(wanted))
    )


def found_at(question: Judged, passages: Sequence[Passage]) -> list[int | None]:
    """For each evidence group the rank of the first passage that holds a member."""
    return [
        next(
            (
                passage.rank
                for passage in passages
                if any(_carries(passage, span) for span in group)
            ),
            None,
        )
        for group in question.evidence
    ]


def _carries(passage: Passage, span: Span) -> bool:
    return passage.chunk.path == span.path and holds(passage.chunk.text, span.quote)


def recall_at(ranks: Sequence[int | None], k: int) -> float:
    """Share of evidence groups found among the first k passages."""
    return sum(rank is not None and rank <= k for rank in ranks) / len(ranks)


def reciprocal_rank(ranks: Sequence[int | None]) -> float:
    """One over the rank of the first passage that holds any evidence."""
    return max((1 / rank for rank in ranks if rank), default=0.0)


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
