"""Whether a question leans on what was said before it, or asks something else.

In a chat people change the subject, and earlier turns then spoil the answer;
without them a real follow-up finds nothing. Which of the two a question is
shows in the question alone, in any language: it is learned from examples kept
by hand against the ways people ask what the articles answer. An index holds
the vectors of the examples; on one that does not, every question leans.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from rag.articles import centred
from rag.embedder import Vectors
from rag.index import Generation
from rag.kept import read_kept_as
from rag.models import Ask, asks_of

FILE = "leaning.yaml"
"""Its file in the corpus folder."""
_Text = Annotated[str, Field(min_length=2, max_length=200)]

_ASKS = 500
"""Ways of asking articles that are learned from; all of some 5,000 tell no better."""
_ASK_WEIGHT = 0.5
"""What one of them counts, beside 1 for an example."""
_RIDGE = 0.1
_STEPS = 8
"""Of Newton's method; it settles after five or six."""


class _Kept(BaseModel):
    """How ``leaning.yaml`` is written: language to questions."""

    model_config = ConfigDict(extra="forbid")

    leans: dict[str, tuple[_Text, ...]] = {}
    alone: dict[str, tuple[_Text, ...]] = {}


@dataclass(frozen=True)
class Turns:
    """Questions that are kept by hand."""

    leans: Sequence[Ask] = ()
    """Understood only with what was said before."""
    alone: Sequence[Ask] = ()
    """Understood by themselves."""

    @classmethod
    def load(cls, corpus: Path) -> Turns:
        """Read ``leaning.yaml`` in a folder; one that is not there is empty.

        Raises:
            BadSetting: The file is not as it should be; the message names it.
        """
        file = corpus / FILE
        if not file.is_file():
            return cls()
        kept = read_kept_as(file, TypeAdapter(_Kept))
        return cls(asks_of(kept.leans), asks_of(kept.alone))

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, to be embedded with the index."""
        return tuple(dict.fromkeys(ask.text for ask in (*self.leans, *self.alone)))


class Leaning:
    """Tells by its vector whether a question leans on earlier turns."""

    def __init__(self, generation: Generation, turns: Turns):
        """Learn from examples, as far as the generation knows their vectors."""
        self._generation = generation
        self._turns = turns

    def probability(self, asked: Vectors, language: str) -> float | None:
        """How likely a question leans on what was said before it.

        Args:
            asked: The vector of the question alone; shape ``(dimensions,)``.
            language: ISO 639-1 of the question.

        Returns:
            0..1; None where the index knows too little to tell.
        """
        weights = self._weights
        if weights is None:
            return None
        row = centred(asked[None, :], [language], self._generation.ask_centres)[0]
        score = float(row @ weights[:-1] + weights[-1])
        return 1 / (1 + math.exp(-max(min(score, 30.0), -30.0)))

    @cached_property
    def _weights(self) -> NDArray[np.float64] | None:
        """Logistic regression, learned when it is first needed; a fifth of a second.

        It comes of vectors that the index holds, so it fits whatever model that was
        built with.
        """
        generation = self._generation
        both = [
            (ask, side)
            for asks, side in ((self._turns.leans, 1.0), (self._turns.alone, 0.0))
            for ask in asks
            if ask.text in generation.standing
        ]
        sides = [side for _, side in both]
        if len(set(sides)) < len((0, 1)):
            return None
        examples = centred(
            np.stack([generation.standing[ask.text] for ask, _ in both]),
            [ask.language for ask, _ in both],
            generation.ask_centres,
        )
        asks = self._asks()
        rows = np.vstack([examples, asks])
        leans = np.array([*sides, *(0.0 for _ in asks)])
        counts = np.array([*(1.0 for _ in sides), *(_ASK_WEIGHT for _ in asks)])
        return _regression(rows.astype(np.float64), leans, counts)

    def _asks(self) -> Vectors:
        """Ways of asking articles, evenly chosen, as they were before the head saw them."""
        generation = self._generation
        count = len(generation.vectors.ask_articles)
        chosen = np.unique(np.linspace(0, max(count - 1, 0), _ASKS).astype(np.int64))
        seen = generation.vectors.of_asks(chosen[chosen < count])
        if generation.ask_head is None or not len(seen):
            return seen
        plain = np.linalg.lstsq(generation.ask_head, seen.T, rcond=None)[0].T
        return np.asarray(plain / np.linalg.norm(plain, axis=1, keepdims=True), dtype=np.float32)


def _regression(
    rows: NDArray[np.float64], sides: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of a logistic regression, and last what is added, by Newton's method.

    Args:
        rows: Shape ``(n, dimensions)``.
        sides: 1 or 0 of each.
        counts: How much each counts.
    """
    rows = np.hstack([rows, np.ones((len(rows), 1))])
    ridge = np.full(rows.shape[1], _RIDGE)
    ridge[-1] = 1e-3
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (counts * (share - sides)) + ridge * weights
        curve = (rows * (counts * share * (1 - share))[:, None]).T @ rows + np.diag(ridge)
        weights -= np.linalg.solve(curve, slope)
    return weights
