"""Questions that ask for the same are put together."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import shelf
from fakes import HashingEmbedder, retriever_of
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from rag.gaps.clustering import _BAR_PLAIN, Asked, asked_of, grouped
from rag.index import Generation
from rag.retriever import Retriever


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return shelf.written(tmp_path_factory.mktemp("gaps"), shelf.framework()).open()


@pytest.fixture(scope="module")
def retriever(generation: Generation) -> Retriever:
    return retriever_of(generation, HashingEmbedder())


def _asked(*numbers: float, countries: tuple[str, ...] = ()) -> Asked:
    vector = np.array(numbers, dtype=np.float32)
    return Asked(vector / np.linalg.norm(vector), "en", countries)


def test_what_is_near_is_one_group_and_the_largest_comes_first(generation: Generation) -> None:
    asked = [_asked(0, 1), _asked(1, 0), _asked(1, 0.1), _asked(1, 0.2)]
    # The one between the others stands for them.
    assert grouped(asked, generation) == [(2, 3, 1), (0,)]


def test_what_is_asked_of_two_countries_is_not_the_same(generation: Generation) -> None:
    asked = [_asked(1, 0, countries=(name,)) for name in ("MT", "CY", "MT")]
    assert grouped(asked, generation) == [(0, 2), (1,)]


def test_who_names_no_country_may_mean_one(generation: Generation) -> None:
    asked = [_asked(1, 0, countries=("MT",)), _asked(1, 0)]
    assert grouped(asked, generation) == [(0, 1)]


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_those_of_all_pairs_at_once(generation: Generation, seed: int) -> None:
    # More than are held against the others at a time.
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(60, 8))
    points = centres[chance.integers(60, size=700)] + chance.normal(scale=0.5, size=(700, 8))
    asked = [_asked(*point) for point in points]
    rows = np.stack([each.vector for each in asked])
    labels = fcluster(linkage(rows, "average", "cosine"), 1 - _BAR_PLAIN, "distance")
    expected = {frozenset(np.flatnonzero(labels == label)) for label in labels}
    assert 20 < len(expected) < 600
    assert {frozenset(group) for group in grouped(asked, generation)} == expected


def test_what_is_asked_all_the_time_takes_no_memory_for_each_pair(generation: Generation) -> None:
    asked = [_asked(1, 0)] * 1500
    tracemalloc.start()
    groups = grouped(asked, generation)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(group) for group in groups] == [1500]
    # Two numbers of eight bytes are more than what all distances take, several times over.
    assert peak < 32 * 1500**2


@given(
    points=st.lists(
        st.tuples(st.floats(0.1, 1), st.floats(0.1, 1), st.sampled_from(("", "MT", "CY")))
    )
)
def test_every_question_is_in_one_group(
    generation: Generation, points: list[tuple[float, float, str]]
) -> None:
    asked = [_asked(x, y, countries=(name,) if name else ()) for x, y, name in points]
    groups = grouped(asked, generation)
    assert sorted(at for group in groups for at in group) == list(range(len(points)))
    for group in groups:
        assert len({asked[at].countries for at in group} - {()}) <= 1


def test_what_is_asked_in_a_message_counts_more_than_what_is_told_around(
    retriever: Retriever,
) -> None:
    question = asked_of(retriever, "Which walrus may travel?").vector
    message = "Dear friends, we harvest barley. Which walrus may travel? Cheerful greetings."
    whole = HashingEmbedder().queries([message])[0]
    assert question @ asked_of(retriever, message).vector > question @ whole + 0.1


def test_a_text_that_asks_nothing_is_taken_as_it_is(retriever: Retriever, tmp_path: Path) -> None:
    text = "We harvest barley. The walrus travels."
    assert asked_of(retriever, text).vector == pytest.approx(HashingEmbedder().queries([text])[0])
