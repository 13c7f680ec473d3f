"""Questions that ask for the same thing, in whatever words and languages.

Questions are compared as the ways of asking articles are: less what a language has in
common, seen by the head that was learned for it. They are then joined step by step, the two
groups first whose questions are nearest on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
_PAIR = 2
_APART = 2.0
"""How far apart questions are that name different countries; no cosine makes it so much."""


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

    Args:
        asked: The questions, by the embedder of the generation. Memory and time grow with the
            square of their number: 4,000 take 0.3 GB.
        generation: Knows what the questions of a language have in common.

    Returns:
        Numbers of the questions of each group, the largest group first; in each the most
        central question first. Every question is in one group, alone where nothing is like it.
    """
    count = len(asked)
    if count < _PAIR:
        return [(at,) for at in range(count)]
    rows = compared(
        np.stack([each.vector for each in asked]),
        [each.language for each in asked],
        generation.ask_centres,
        generation.ask_head,
    )
    distances = 1 - rows @ rows.T
    distances[_differ([each.countries for each in asked])] = _APART
    np.fill_diagonal(distances, 0)
    bar = 1 - (_BAR if generation.ask_centres else _BAR_PLAIN)
    # Imported here: a server that puts nothing together does without its 18 MB.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    joined = linkage(squareform(np.clip(distances, 0, _APART), checks=False), "average")
    labels = fcluster(joined, bar, "distance")
    # Members of a group by how near they are to the others.
    groups = (np.flatnonzero(labels == label) for label in np.unique(labels))
    central = (
        tuple(
            group[np.argsort(distances[np.ix_(group, group)].sum(axis=1), kind="stable")].tolist()
        )
        for group in groups
    )
    return sorted(central, key=lambda group: (-len(group), group[0]))


def _differ(countries: Sequence[Sequence[str]]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which pairs of questions name countries, and not the same ones."""
    known: dict[frozenset[str], int] = {frozenset(): 0}
    named = np.array([known.setdefault(frozenset(each), len(known)) for each in countries])
    both = (named[:, None] > 0) & (named[None, :] > 0)
    return np.asarray(both & (named[:, None] != named[None, :]))
