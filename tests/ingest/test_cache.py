"""The embedding cache: every text once, and never one model's vector for another's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cache import EmbeddingCache, is_damage
from rag.embedder import Vectors


class Counting(HashingEmbedder):
    """Remembers what it was asked, and may fail."""

    def __init__(self, name: str = "counting", fail_after: int | None = None):
        self.name = name
        self.asked: list[str] = []
        self.fail_after = fail_after

    def _embed(self, texts: Sequence[str]) -> Vectors:
        if self.fail_after is not None and len(self.asked) >= self.fail_after:
            raise RuntimeError("the power went out")
        self.asked += texts
        return super()._embed(texts)


TEXTS = [f"The tide of day {number} turns." for number in range(80)]


def test_vectors_come_in_the_order_of_the_texts(tmp_path: Path) -> None:
    texts = ["a long tide that turns", "rope", "the quay at dawn", "rope"]
    found = EmbeddingCache(tmp_path / "e.sqlite").passages(texts, HashingEmbedder())
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, HashingEmbedder().passages(texts))


def test_each_text_is_embedded_once(tmp_path: Path) -> None:
    embedder = Counting()
    cache = EmbeddingCache(tmp_path / "e.sqlite")
    cache.passages([*TEXTS, *TEXTS], embedder)
    assert sorted(embedder.asked) == sorted(TEXTS)
    cache.passages(TEXTS, embedder)
    assert len(embedder.asked) == cache.embedded == len(TEXTS)


def test_a_later_run_finds_what_an_earlier_one_embedded(tmp_path: Path) -> None:
    first = EmbeddingCache(tmp_path / "e.sqlite").passages(TEXTS, Counting())
    embedder = Counting()
    cache = EmbeddingCache(tmp_path / "e.sqlite")
    again = cache.passages([*TEXTS, "One more."], embedder)
    assert embedder.asked == ["One more."]
    assert cache.embedded == 1
    np.testing.assert_array_equal(again[: len(TEXTS)], first)


def test_a_killed_run_starts_again_where_it_was(tmp_path: Path) -> None:
    killed = Counting(fail_after=32)
    with pytest.raises(RuntimeError, match="power"):
        EmbeddingCache(tmp_path / "e.sqlite").passages(TEXTS, killed)
    embedder = Counting()
    EmbeddingCache(tmp_path / "e.sqlite").passages(TEXTS, embedder)
    assert len(killed.asked) > 0
    assert sorted(killed.asked + embedder.asked) == sorted(TEXTS)


def test_another_model_has_vectors_of_its_own(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "e.sqlite")
    cache.passages(TEXTS, Counting("one"))
    other = Counting("other")
    cache.passages(TEXTS, other)
    assert len(other.asked) == len(TEXTS)


def test_a_question_and_a_passage_of_one_text_are_two(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "e.sqlite")
    embedder = Counting()
    cache.passages(["rope"], embedder)
    cache.queries(["rope"], embedder)
    cache.queries(["rope"], embedder)
    assert embedder.asked == ["rope", "rope"]


def test_a_stored_vector_of_another_length_is_embedded_anew(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "e.sqlite")
    cache.passages(["rope"], Counting())
    with sqlite3.connect(cache.file) as database:
        database.execute("UPDATE vectors SET vector = ?", (np.ones(3, np.float32).tobytes(),))
    assert cache.passages(["rope"], Counting()).shape == (1, 64)


def test_no_texts_have_no_vectors(tmp_path: Path) -> None:
    embedder = Counting()
    assert EmbeddingCache(tmp_path / "e.sqlite").passages([], embedder).shape == (0, 64)
    assert embedder.asked == []


def test_progress_counts_every_text_whether_known_or_new(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "deep" / "e.sqlite")
    for texts in (TEXTS[:40], TEXTS, [*TEXTS, "One more."]):
        counted: list[int] = []
        cache.passages(texts, Counting(), counted.append)
        assert sum(counted) == len(texts)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.text(max_size=20), max_size=5), max_size=4))
def test_a_cached_vector_is_the_vector(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[str]]
) -> None:
    cache = EmbeddingCache(tmp_path_factory.mktemp("cache") / "e.sqlite")
    for texts in runs:
        expected = HashingEmbedder().passages(texts)
        np.testing.assert_array_equal(cache.passages(texts, HashingEmbedder()), expected)
    assert cache.embedded == len({text for texts in runs for text in texts})


def test_only_a_broken_database_is_damage_and_a_full_disk_is_not(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database at all, " * 500)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        sqlite3.connect(broken).execute("SELECT 1 FROM vectors")
    assert is_damage(caught.value)
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "nowhere" / "x.sqlite")
    assert not is_damage(caught.value)
    assert not is_damage(sqlite3.OperationalError("database or disk is full"))
