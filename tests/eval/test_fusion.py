"""Weights learned from judged questions."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from eval.fusion import Example, fit, learn
from rag.retriever import Weights

CHUNKS = 40
LEGS = [each.name for each in fields(Weights)]
NONE = dict.fromkeys(("country", "navigation", "article"), 0.0)


def examples(count: int, telling: int) -> list[Example]:
    """Questions in which one leg alone tells the passage that holds the evidence."""
    random = np.random.default_rng(count)
    found = []
    for _ in range(count):
        legs = random.random((len(LEGS), CHUNKS))
        right = int(random.integers(CHUNKS))
        legs[telling, right] = 1.2
        found.append(Example(legs, (np.array([right]),)))
    return found


@pytest.mark.parametrize("telling", [0, 3])
def test_the_leg_that_tells_gains_weight(telling: int) -> None:
    used = np.full(len(LEGS), 0.5)
    fitted = fit(examples(40, telling), used)
    assert int(np.argmax(fitted)) == telling
    assert fitted[telling] > used[telling]


def test_learned_weights_win_outside_the_folds_where_those_in_use_are_wrong() -> None:
    wrong = Weights(words=0.0, grams=0.8, chunk=0.8, sentence=0.8, **NONE)
    ndcg, recall = learn(examples(60, 0), wrong).differences
    assert (ndcg.name, recall.name) == ("ndcg_at_10", "recall_at_5")
    assert ndcg.difference.low > 0
    assert recall.difference.low > 0


def test_nothing_is_won_where_the_weights_in_use_are_right() -> None:
    right = Weights(words=1.0, grams=0.0, chunk=0.0, sentence=0.0, **NONE)
    ndcg, _ = learn(examples(60, 0), right).differences
    assert ndcg.difference.low <= 0 <= ndcg.difference.high + 1e-9
