from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEmbedder, passages
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "rag"))

import shelf

from eval import scale
from rag.index import Generation
from rag.models import Passage
from rag.settings import Settings, read_settings
from rag.store import Store


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    opened = shelf.written(tmp_path_factory.mktemp("real"), shelf.framework()).open()
    yield opened
    opened.close()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weigh and write in this process: a new one takes seconds to start."""
    monkeypatch.setattr(scale, "_apart", lambda work, *values: work(*values))


def _measured(real: Generation, folder: Path, *sizes: int) -> scale.Report:
    return scale.measure(real, read_settings(Settings), HashingEmbedder(), sizes, 4, folder)


def test_drawn_vectors_are_unit_vectors_as_far_from_each_other_as_the_real_ones() -> None:
    random = np.random.default_rng(1)
    real = random.normal(size=(300, 16)).astype(np.float32) + 3.0
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    drawn = scale._around(real, random.integers(0, 300, 3000), random)
    assert np.allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-5)
    quantiles = [0.01, 0.5, 0.99]
    between = [np.quantile(each[:300] @ each[:300].T, quantiles) for each in (real, drawn)]
    assert np.allclose(*between, atol=0.02)
    assert len(np.unique(drawn, axis=0)) == 3000


def test_words_are_invented_as_an_index_grows(real: Generation) -> None:
    known = {
        word for chunk in real.all_chunks() for word in f"{chunk.heading} {chunk.text}".split()
    }
    added = []
    for size in (50, 500):
        drawn = scale.draw(real, size)
        said = {word.rstrip(".") for text in drawn.chunk_texts for word in text.split()}
        added.append(len(said - {word.rstrip(".") for word in known}))
    assert 0 < added[0] < added[1]


def test_what_is_drawn_is_the_same_every_time(real: Generation) -> None:
    one, other = scale.draw(real, 30), scale.draw(real, 30)
    assert one.chunk_texts == other.chunk_texts
    assert np.array_equal(one.sentence_vectors, other.sentence_vectors)
    assert one.digest == other.digest != scale.draw(real, 31).digest


def test_every_size_is_measured_beside_the_index_in_use(
    real: Generation, tmp_path: Path, here: None
) -> None:
    report = _measured(real, tmp_path, 120, 40)
    assert [size.chunks for size in report.sizes] == [real.info.chunks, 40, 120]
    assert [size.sentences for size in report.sizes[1:]] == [120, 360]
    assert report.questions == 4
    for size in report.sizes:
        assert size.recall_at_10 == 1.0
        assert size.search_ms.p95 >= size.search_ms.p50 > 0
        assert size.disk_mb > 0
        assert size.to_embedding > 0
    first, last = report.sizes[1].search_ms.p50, report.sizes[-1].search_ms.p50
    assert report.growth == pytest.approx(last / first, abs=0.001)
    json.dumps(asdict(report))


def test_an_index_that_is_there_is_used_again(real: Generation, tmp_path: Path, here: None) -> None:
    assert _measured(real, tmp_path, 40).sizes[1].build_s is not None
    assert _measured(real, tmp_path, 40).sizes[1].build_s is None
    # Drawn otherwise, it is written anew.
    held = Store(tmp_path / "40")
    held.write("20210101T000000Z-other", scale.draw(real, 30))
    again = _measured(real, tmp_path, 40).sizes[1]
    assert again.build_s is not None
    assert again.chunks == 40


class _Searcher:
    """Finds the first ten chunks; half of them where sentences are pooled."""

    def __init__(self, generation: Generation):
        self._found = 10 if isinstance(generation, scale.Exhaustive) else 5

    def search(self, *_: object) -> list[Passage]:
        return passages(*"abcdefghij")[: self._found]


def test_what_a_pool_loses_is_told(real: Generation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "build_retriever", lambda _, generation, __: _Searcher(generation))
    asked = ["one", "two"]
    settings = read_settings(Settings)
    known = scale._Remembered(HashingEmbedder(), settings, asked)
    assert scale._recall(real, settings, known, asked) == 0.5


def test_what_is_compared_with_scores_every_sentence(real: Generation) -> None:
    (vector,) = HashingEmbedder().queries([shelf.NAMES])
    ranking = np.arange(real.info.chunks, dtype=np.float32)
    whole = real.vectors.best_sentences(vector, ranking)
    exhaustive = scale.Exhaustive(real.directory)
    assert np.array_equal(exhaustive.vectors.best_sentences(vector, ranking, pool=2), whole)
    exhaustive.close()


def test_memory_is_that_of_a_process_of_its_own(real: Generation) -> None:
    asked = ["Which form asks for permission?"]
    settings = read_settings(Settings)
    known = scale._Remembered(HashingEmbedder(), settings, asked)
    memory = scale._apart(scale._weigh, real.directory, settings, known, asked)
    assert 0 < memory.opened < 200
    assert memory.searched > 0


def test_without_an_index_the_cure_is_named() -> None:
    done = CliRunner().invoke(scale.app, ["--chunks", "10"])
    assert done.exit_code == 1
    assert "python -m ingest run" in done.output


def test_a_run_is_told_in_words_and_as_json(
    real: Generation, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "open_index", lambda _: Generation(real.directory))
    monkeypatch.setattr(scale, "build_embedder", lambda _: HashingEmbedder())
    options = ["--chunks", "20", "--chunks", "60", "--questions", "2"]
    told = CliRunner().invoke(scale.app, options)
    assert told.exit_code == 0, told.output
    assert "60 chunks, 180 sentences: written in" in told.stdout
    assert "largest by smallest index" in told.stdout
    as_json = json.loads(CliRunner().invoke(scale.app, [*options, "--json"]).stdout)
    assert [size["chunks"] for size in as_json["sizes"]] == [real.info.chunks, 20, 60]
