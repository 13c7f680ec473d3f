"""Two runs over the same questions, paired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import permutation_test

from eval.metrics import Interval, bootstrap
from eval.run import PAIRED, About, Row, Run, of_row

_SHUFFLES = 9_999
_SEED = 20_26
_ALWAYS_OTHER = ("date",)
_SHOWN = 32
"""Letters of a setting: more than of any model, less than of a hash."""


@dataclass(frozen=True)
class Difference:
    """One score of two runs over the questions that both have scored."""

    name: str
    first: float
    second: float
    difference: Interval
    """Second less first."""
    p_value: float


@dataclass(frozen=True)
class Change:
    """A question that came out differently, or a setting that was not the same."""

    id: str
    first: str
    second: str


@dataclass(frozen=True)
class Comparison:
    """What changed from one run to another."""

    about: tuple[Change, ...]
    """Index and settings that were not the same; their ids are keys, parted by full stops."""
    differences: tuple[Difference, ...]
    won: tuple[Change, ...]
    """Questions whose evidence ranks higher in the second run, by nDCG@10, largest gain first."""
    lost: tuple[Change, ...]
    decided: tuple[Change, ...]
    """Questions answered in one run and declined in the other."""
    paired: int
    only_first: int
    only_second: int
    reworded: int
    """Questions left out because they share their id and nothing else."""


def compare(first: Run, second: Run) -> Comparison:
    """Pair two runs by question id."""
    by_id = {row.id: row for row in second.rows}
    shared = [(row, by_id[row.id]) for row in first.rows if row.id in by_id]
    pairs = [(one, two) for one, two in shared if _same(one, two)]
    gains = sorted(
        ((two.ndcg_at_10 - one.ndcg_at_10, one, two)
         for one, two in pairs
         if one.ndcg_at_10 is not None and two.ndcg_at_10 is not None),
        key=lambda gain: (-gain[0], gain[1].id),
    )  # fmt: skip
    refusals = [(one, two) for one, two in pairs if one.status != two.status]
    return Comparison(
        about=tuple(_settings_changed(first.about, second.about)),
        differences=tuple(
            found for name in PAIRED if (found := _difference(name, pairs)) is not None
        )
        + _right_decisions(pairs),
        won=tuple(_ranked(one, two) for gain, one, two in gains if gain > 0),
        lost=tuple(_ranked(one, two) for gain, one, two in reversed(gains) if gain < 0),
        decided=tuple(Change(one.id, _decided(one), _decided(two)) for one, two in refusals),
        paired=len(pairs),
        only_first=len(first.rows) - len(shared),
        only_second=len(second.rows) - len(shared),
        reworded=len(shared) - len(pairs),
    )


def _settings_changed(first: About, second: About) -> Iterator[Change]:
    before, after = _flat(first), _flat(second)
    for key in dict.fromkeys((*before, *after)):
        one, two = before.get(key, "none"), after.get(key, "none")
        if one != two and key not in _ALWAYS_OTHER:
            yield Change(key, one[:_SHOWN], two[:_SHOWN])


def _flat(about: About) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in about.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}": str(held) for inner, held in value.items()}
        else:
            found[key] = str(value)
    return found


def _same(one: Row, two: Row) -> bool:
    return (one.question, one.expect, one.wanted) == (two.question, two.expect, two.wanted)


def _right_decisions(pairs: Sequence[tuple[Row, Row]]) -> tuple[Difference, ...]:
    values = [(float(_decided_right(one)), float(_decided_right(two))) for one, two in pairs]
    return (paired_difference("right_decision", values),) if values else ()


def _decided_right(row: Row) -> bool:
    return row.status == ("abstained" if row.expect == "abstain" else "answered")


def _difference(name: str, pairs: Sequence[tuple[Row, Row]]) -> Difference | None:
    values = [
        (before, after)
        for one, two in pairs
        if (before := of_row(one, name)) is not None and (after := of_row(two, name)) is not None
    ]
    return paired_difference(name, values) if values else None


def paired_difference(name: str, values: Sequence[tuple[float, float]]) -> Difference:
    """How two runs differ in a score, from its values for each question in both."""
    before, after = np.array(values, dtype=np.float64).T
    return Difference(
        name,
        float(before.mean()),
        float(after.mean()),
        bootstrap(list(after - before)),
        p_value(list(after - before)),
    )


def p_value(differences: Sequence[float]) -> float:
    """Chance of a mean this far from 0, were the two runs exchangeable.

    A paired permutation test, two-sided: under the null hypothesis each
    difference could as well have the other sign. Exact where there are few
    questions, else over random signs from a fixed seed.

    Source: Smucker, Allan and Carterette 2007, CIKM.
    """
    array = np.asarray(differences, dtype=np.float64)
    if not array.any():
        return 1.0
    # Questions without a difference keep it under any sign.
    array = array[array != 0]
    if len(array) == 1:
        return 1.0
    tested = permutation_test(
        (array, np.zeros_like(array)),
        lambda one, two, axis: (one - two).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_SHUFFLES,
        rng=np.random.default_rng(_SEED),
    )
    return float(tested.pvalue)


def _ranked(one: Row, two: Row) -> Change:
    return Change(one.id, _ranks(one), _ranks(two))


def _ranks(row: Row) -> str:
    return " ".join("-" if rank is None else str(rank) for rank in row.ranks)


def _decided(row: Row) -> str:
    return f"{row.status} ({row.reason})" if row.reason else row.status
