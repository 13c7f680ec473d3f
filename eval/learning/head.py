"""The head: one matrix behind the vectors of questions, learned from the ways people ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eval.learning.asks import Asked, Matcher, Numbers, Scores, article_scores, folds_of, own_ranks
from rag.embedder import Vectors
from rag.head import Head

_SHARPNESSES = (0.03, 0.05, 0.1)
"""Temperatures of the head to choose from: differences in cosine that count as large."""
_RATE = 5e-4
_STEPS = 100
_PAUSE = 10
"""Steps between two looks at the articles on which their number is chosen."""
_BATCH = 512
"""Variants of a step; each is told from those of all articles learned from."""


def head_matcher(asked: Asked, seed: int, say: Callable[[str], None] = lambda _: None) -> Matcher:
    """What matches with heads; what was learned once is remembered."""
    every = np.arange(len(asked.texts))
    known: dict[bytes, Scores] = {}

    def match(articles: Numbers) -> Scores:
        key = np.sort(articles).tobytes()
        if key not in known:
            say(f"learning a head from {len(articles)} articles")
            head = learn_head(asked, np.sort(articles), seed)
            known[key] = article_scores(asked, head.applied(asked.vectors), every)
        return known[key]

    return match


def learn_head(asked: Asked, articles: Numbers, seed: int) -> Head:
    """Learn a head from some articles.

    How sharply and how long is chosen on a fifth of them that is left out at
    first; that may be not at all.
    """
    chosen, *others = folds_of(articles, seed)
    known, rows = np.sort(articles), asked.rows(chosen)

    def reciprocal(head: Head) -> float:
        # Matched with these articles alone: of those left out for good nothing is known.
        scores = article_scores(asked, head.applied(asked.vectors), rows)[:, known]
        return float((1 / own_ranks(scores, np.searchsorted(known, asked.owners[rows]))).mean())

    found = [
        (reciprocal(head), -sharpness, -steps)
        for sharpness in _SHARPNESSES
        for steps, head in _heads(asked, np.concatenate(others), sharpness, _STEPS, seed)
    ]
    _, sharpness, steps = max(found)
    return _heads(asked, articles, -sharpness, -int(steps), seed)[-1][1]


def _heads(
    asked: Asked, articles: Numbers, sharpness: float, steps: int, seed: int
) -> list[tuple[int, Head]]:
    """The head after every few steps, from the identity on.

    Each variant is drawn to those of its article, the nearest most, and away
    from the variants of articles that are not akin, likewise.

    Source: Goldberger et al. (2004), Neighbourhood components analysis.
    """
    import torch

    rows = asked.rows(articles)
    owners = asked.owners[rows]
    vectors = torch.from_numpy(asked.vectors[rows])
    itself = torch.eye(len(rows), dtype=torch.bool)
    same = torch.from_numpy(owners[:, None] == owners[None, :]) & ~itself
    told_apart = same | torch.from_numpy(~asked.akin[np.ix_(owners, owners)])
    matrix = torch.nn.Parameter(torch.eye(vectors.shape[1]))
    descent = torch.optim.Adam([matrix], lr=_RATE)
    lot = torch.Generator().manual_seed(seed)
    found = [(0, _in_eight_bits(matrix.detach().numpy()))]
    for step in range(1, steps + 1):
        batch = torch.randperm(len(rows), generator=lot)[:_BATCH]
        seen = torch.nn.functional.normalize(vectors @ matrix.T, dim=1)
        cosines = seen[batch] @ seen.T / sharpness
        right = cosines.masked_fill(~same[batch], -torch.inf).logsumexp(dim=1)
        every = cosines.masked_fill(~told_apart[batch], -torch.inf).logsumexp(dim=1)
        loss: Any = (every - right).mean()
        descent.zero_grad()
        loss.backward()
        descent.step()
        if step % _PAUSE == 0 or step == steps:
            found.append((step, _in_eight_bits(matrix.detach().numpy())))
    return found


def _in_eight_bits(matrix: Vectors) -> Head:
    scales = np.abs(matrix).max(axis=1) / 127
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    return Head(np.round(matrix / scales[:, None]).astype(np.int8), scales)
