"""Questions that ask for the same thing, in whatever words and languages.

Questions are compared as the ways of asking articles are: less what a language has in
common, seen by the head that was learned for it. They are then joined step by step, the two
groups first whose questions are nearest on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.articles import compared
from rag.embedder import Vectors
from rag.index import Generation
from rag.models import Question
from rag.retriever import Retriever
from rag.text import sentences

_BAR = 0.5
"""Average cosine from which on two groups ask for the same: of 193 questions and messages on 30
gaps (eval/data/gaps.jsonl) among 250 on other things 0.79 are then put together with another, 0.99
of a group asks for the same, and 0.04 of the others are disturbed; see docs/editors/gaps.md."""
_BAR_PLAIN = 0.87
"""The same where an index does not know what the questions of a language have in common."""
_QUESTION = ("?", ";", "\u037e")
"""How a question ends; a Greek one with a semicolon."""
_BLOCK = 256
"""Questions that are held against all others at a time: 4 MB where there are 4,000."""
_ROUNDING = 1e-5
"""How far two ways of computing the same cosine are apart, at most."""
_APART = 2.0
"""How far apart questions are that name different countries; no cosine makes it so much."""
_Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Asked:
    """What of a question is compared with others."""

    vector: Vectors
    """A unit vector; of a message rather what is asked in it than what is told around that."""
    language: str
    """ISO 639-1."""
    countries: tuple[str, ...]
    """ISO 3166-1 alpha-2 of those that it names."""


def asked_of(retriever: Retriever, text: str) -> Asked:
    """Look at a question as it is compared with others.

    Who writes a message greets, tells who they are and thanks, and so do others who ask for
    something else: its questions count once more, alone. So 0.98 of what a message is put
    together with asks for the same, instead of 0.96, and more of them find another.

    Args:
        retriever: Of the index that is to answer.
        text: A question or a message, personal data masked.
    """
    query = retriever.query(Question(text))
    vector = query.asked
    said = sentences(text)
    questions = " ".join(each for each in said if each.endswith(_QUESTION))
    if len(said) > 1 and questions:
        both = vector + retriever.query(Question(questions)).asked
        vector = both / np.linalg.norm(both)
    return Asked(vector, query.language, query.countries)


def grouped(asked: Sequence[Asked], generation: Generation) -> list[tuple[int, ...]]:
    """Put questions together that ask for the same thing.

    Groups whose questions are nearest on average are joined first, until none are near enough.
    Two that are joined have questions near enough to each other, so what is not linked by such
    pairs is never joined: each set of linked questions is looked at by itself, which gives the
    same groups in a fraction of the memory.

    Args:
        asked: The questions, by the embedder of the generation. Time grows with the square of
            their number, memory with that of the most that are linked: 4,000 take 0.2 GB.
        generation: Knows what the questions of a language have in common.

    Returns:
        Numbers of the questions of each group, the largest group first; in each the most
        central question first. Every question is in one group, alone where nothing is like it.
    """
    if not asked:
        return []
    rows = compared(
        np.stack([each.vector for each in asked]),
        [each.language for each in asked],
        generation.ask_centres,
        generation.ask_head,
    )
    named = _numbered([each.countries for each in asked])
    bar = 1 - (_BAR if generation.ask_centres else _BAR_PLAIN)
    groups = [
        group
        for linked in _linked(rows, named, bar)
        for group in _joined(
            linked, _distances(rows[linked], rows[linked], named[linked], named[linked]), bar
        )
    ]
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def _linked(rows: Vectors, named: _Numbers, bar: float) -> list[_Numbers]:
    """Numbers of the questions of each set that pairs near enough hold together."""
    labels = np.arange(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        for near in _distances(rows[block], rows, named[block], named) <= bar + _ROUNDING:
            # Pairs are not kept: where one question is asked all the time there are millions.
            joined = np.unique(labels[near])
            if len(joined) > 1:
                is_joined = np.zeros(len(rows), dtype=bool)
                is_joined[joined] = True
                labels[is_joined[labels]] = joined[0]
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _joined(numbers: _Numbers, distances: Vectors, bar: float) -> list[tuple[int, ...]]:
    """The groups that linked questions make, the most central one of each first."""
    if len(numbers) == 1:
        return [(int(numbers[0]),)]
    # Imported here: a server that puts nothing together does without its 18 MB.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    np.fill_diagonal(distances, 0)
    labels = fcluster(linkage(squareform(distances, checks=False), "average"), bar, "distance")
    found = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        apart = distances[np.ix_(members, members)].sum(axis=1)
        found.append(tuple(numbers[members[np.argsort(apart, kind="stable")]].tolist()))
    return found


def _distances(one: Vectors, other: Vectors, of_one: _Numbers, of_other: _Numbers) -> Vectors:
    """How far apart questions are, by rows and by what numbers their countries have."""
    distances: Vectors = np.clip(1 - one @ other.T, 0, _APART)
    differ = (
        (of_one[:, None] > 0) & (of_other[None, :] > 0) & (of_one[:, None] != of_other[None, :])
    )
    distances[differ] = _APART
    return distances


def _numbered(countries: Sequence[Sequence[str]]) -> _Numbers:
    """A number for all that name the same countries, 0 for those that name none."""
    known: dict[frozenset[str], int] = {frozenset(): 0}
    return np.array([known.setdefault(frozenset(each), len(known)) for each in countries])
