from __future__ import annotations

import numpy as np

from eval.listing import FOLDS, Case, learn
from rag.asking import Asked


def _case(number: int, *, is_list: bool, score: float | None) -> Case:
    vector = np.array([1.0 if is_list else -1.0, number / 100])
    asked = Asked("list" if is_list else "fact")
    return Case(str(number), is_list, vector, asked, score, float(is_list), float(is_list))


def test_a_list_that_nothing_speaks_for_is_learned_from_and_no_list_is_not() -> None:
    shown = [_case(number, is_list=True, score=1.0) for number in range(2 * FOLDS)]
    nothing = [_case(100 + number, is_list=False, score=0.0) for number in range(2 * FOLDS)]
    none = [_case(200 + number, is_list=False, score=None) for number in range(2 * FOLDS)]
    _, showing = learn([*shown, *nothing, *none])
    # Without the zeros there would be lists that are right alone, and nothing to learn.
    assert showing[0] > 0
