from __future__ import annotations

import errno
import mmap
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shelf
from fakes import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

import rag.index
import rag.index_files
import rag.index_vectors
from rag.embedder import Vectors
from rag.errors import HelpdeskError, IndexMismatch, NoIndex
from rag.index import Generation
from rag.models import Filters
from rag.sentences import chunk_sentences
from rag.store import KEPT, Store


def _small(word: str = "orchard") -> shelf.Shelf:
    return shelf.shelved(shelf.page("one.md", "One", shelf.Part(f"The {word} has one gate.")))


def test_what_is_written_is_read_again(generation: Generation) -> None:
    made = shelf.framework()
    assert list(generation.all_chunks()) == list(made.chunks)
    assert generation.documents() == [stored.card for stored in made.documents]
    assert generation.articles == made.articles
    assert generation.gaps == made.gaps
    assert generation.acronyms == made.acronyms
    assert (generation.ask_floor, generation.ask_bar) == (made.ask_floor, made.ask_bar)
    assert generation.digest == "0" * 64
    assert generation.leftovers() == [("aurora", '{"kept": true}')]
    assert generation.payloads() == [
        (stored.card.source, stored.payload) for stored in made.documents
    ]


def test_an_index_tells_what_it_is(generation: Generation) -> None:
    info = generation.info
    assert info.generation == shelf.FIRST
    assert info.built_at == "2026-01-01T08:00:00Z"
    assert (info.embedder, info.dimensions) == ("hashing-64", 64)
    assert (info.documents, info.chunks) == (11, 8)


def test_the_lexical_side_is_read_as_it_was_built(generation: Generation) -> None:
    scores = generation.words.scores({"steward": 1.0})
    assert [number for number, score in enumerate(scores) if score > 0] == [0]
    assert generation.grams.scores({"#ste": 1.0})[0] > 0


def test_a_chunk_is_found_by_its_number_and_its_id(generation: Generation) -> None:
    for number, chunk in enumerate(shelf.framework().chunks):
        assert generation.chunk(number) == chunk
        assert generation.chunk_by_id(chunk.chunk_id) == chunk
        assert generation.chunk_number(chunk.chunk_id) == number
    assert generation.chunk_by_id("aurora:pages/portugal.md#0") is None
    assert generation.chunk_number("nobody") is None


def test_a_document_is_found_by_its_id(generation: Generation) -> None:
    found = generation.document("folder:notes/my file one.md")
    assert found is not None
    assert found.title == "Notes of the archive"
    assert generation.document("folder:notes") is None


def test_the_nearest_vectors_come_first_with_their_cosines(generation: Generation) -> None:
    vector = HashingEmbedder().queries([shelf.ESTONIA])[0]
    numbers, cosines = generation.vectors.collections.nearest("sentences", vector, 1000)
    assert len(numbers) == len(generation.vectors.sentence_chunks)
    assert sorted(numbers) == list(range(len(numbers)))
    assert cosines[0] == pytest.approx(1, abs=1e-4)
    assert (np.diff(cosines) <= 1e-6).all()
    nearest = generation.chunk(int(generation.vectors.sentence_chunks[numbers[0]]))
    assert nearest.title == "Estonia"


def test_no_more_neighbours_are_given_than_asked_for(generation: Generation) -> None:
    vector = HashingEmbedder().queries(["a gate"])[0]
    numbers, cosines = generation.vectors.collections.nearest("chunks", vector, 2)
    assert len(numbers) == len(cosines) == 2


def _unit(count: int) -> Vectors:
    drawn = np.random.default_rng(count).normal(size=(count, 64)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


MANY = 700
"""Chunks of a shelf with one, two or three sentences each, but none in every tenth."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    pages = [
        shelf.page(f"{number}.md", f"Page {number}", shelf.Part(f"Wave {number} breaks here."))
        for number in range(MANY)
    ]
    owners = [number for number in range(MANY) if number % 10 for _ in range(1 + number % 3)]
    store = Store(tmp_path_factory.mktemp("many"))
    made = replace(
        shelf.contents(shelf.shelved(*pages)),
        chunk_vectors=_unit(MANY),
        sentence_chunks=np.array(owners, dtype=np.int32),
        sentence_vectors=_unit(len(owners)),
    )
    store.write(shelf.FIRST, made)
    opened = store.open()
    yield opened
    opened.close()


def _best_by_hand(generation: Generation, vector: Vectors) -> list[float]:
    found = [float("nan")] * generation.info.chunks
    for owner, sentence in zip(
        generation.vectors.sentence_chunks, generation.vectors.sentences, strict=True
    ):
        cosine = float(sentence.astype(np.float64) @ vector.astype(np.float64))
        found[owner] = max(cosine, found[owner]) if found[owner] == found[owner] else cosine
    return found


def test_every_chunk_is_scored_exactly(many: Generation) -> None:
    for vector in _unit(5):
        exact = many.vectors.chunks.astype(np.float64) @ vector.astype(np.float64)
        cosines = many.vectors.chunk_cosines(vector)
        assert cosines.shape == (MANY,)
        assert np.abs(cosines - exact).max() < 1e-6
        assert np.argsort(-cosines)[:20].tolist() == np.argsort(-exact)[:20].tolist()


def test_chunks_are_scored_as_the_vector_store_scores_them(many: Generation) -> None:
    (vector,) = _unit(1)
    numbers, cosines = many.vectors.collections.nearest("chunks", vector, MANY)
    assert np.allclose(many.vectors.chunk_cosines(vector)[numbers], cosines, atol=1e-5)


def test_the_best_sentence_of_each_chunk_is_found_exactly(many: Generation) -> None:
    for vector in _unit(5):
        exact = _best_by_hand(many, vector)
        found = many.vectors.best_sentences(vector, np.zeros(MANY, dtype=np.float32))
        assert np.array_equal(np.isnan(found), np.isnan(exact))
        assert np.isnan(found).sum() == MANY / 10
        assert np.allclose(found, exact, atol=1e-6, equal_nan=True)


def test_a_pool_scores_what_leads_as_the_whole_does(many: Generation) -> None:
    for vector in _unit(5):
        ranking = many.vectors.chunk_cosines(vector)
        whole = many.vectors.best_sentences(vector, ranking)
        pooled = many.vectors.best_sentences(vector, ranking, pool=100)
        leading = np.argsort(-ranking)[:100]
        assert np.array_equal(pooled[leading], whole[leading], equal_nan=True)
        rest = np.setdiff1d(np.arange(MANY), leading)
        assert np.isnan(pooled[rest]).all()


def test_a_pool_leads_to_the_same_first_ten(many: Generation) -> None:
    shared = []
    for vector in _unit(20):
        ranking = many.vectors.chunk_cosines(vector)
        whole, pooled = (
            np.argsort(
                -(ranking + 0.3 * np.nan_to_num(many.vectors.best_sentences(vector, ranking, n)))
            )
            for n in (MANY, 200)
        )
        shared.append(len(set(whole[:10].tolist()) & set(pooled[:10].tolist())))
    assert np.mean(shared) >= 9.8


def test_only_an_index_larger_than_the_pool_is_pooled(
    many: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not many.vectors.pooled
    monkeypatch.setattr(rag.index_vectors, "POOL", MANY)
    assert not many.vectors.pooled
    monkeypatch.setattr(rag.index_vectors, "POOL", MANY - 1)
    assert many.vectors.pooled


def test_vectors_are_mapped_and_postings_read_in_place(many: Generation) -> None:
    for vectors in (many.vectors.chunks, many.vectors.sentences):
        base: object = vectors
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, mmap.mmap)
    for leg in (many.words, many.grams):
        for values in (leg.starts, leg.chunks, leg.weights, leg.idf):
            assert not values.flags.owndata
            assert not values.flags.writeable


@pytest.mark.parametrize("kind", ["chunks", "sentences", "asks"])
def test_what_chroma_holds_comes_in_order_without_what_is_not_there(
    generation: Generation, kind: str
) -> None:
    made = shelf.contents(shelf.framework())
    expected: Vectors = getattr(made, f"{kind.removesuffix('s')}_vectors")
    numbers = np.array([0, 2, len(expected) + 5])
    assert np.allclose(
        generation.vectors.collections.stored(kind, numbers), expected[[0, 2]], atol=1e-6
    )
    assert len(generation.vectors.collections.stored(kind, numbers[2:])) == 0


def test_asking_variants_are_compared_exactly_as_chroma_does(generation: Generation) -> None:
    made = shelf.contents(shelf.framework()).ask_vectors
    for text in ("How can I share my data?", "Which form?", "costs of storage"):
        vector = HashingEmbedder().queries([text])[0]
        numbers, cosines = generation.vectors.nearest_asks(vector, len(made) + 5)
        assert len(numbers) == len(made)
        assert np.abs(cosines - (made @ vector)[numbers]).max() < 1e-6
        assert (np.diff(cosines) <= 0).all()
        _, chromas = generation.vectors.collections.nearest("asks", vector, len(made))
        assert np.abs(cosines - chromas).max() < 1e-5
        few, _ = generation.vectors.nearest_asks(vector, 2)
        assert few.tolist() == numbers[:2].tolist()
    some = np.array([0, 2])
    assert np.array_equal(generation.vectors.of_asks(some), made[some])
    assert generation.vectors.of_asks(some[:0]).shape == (0, 64)


def test_sentence_cosines_follow_the_sentences_of_the_chunk(generation: Generation) -> None:
    model = HashingEmbedder()
    vector = model.queries([shelf.NAMES])[0]
    found = chunk_sentences(generation.chunk(0))
    expected = model.passages([sentence.text for sentence in found]) @ vector
    assert np.allclose(generation.vectors.sentence_cosines(0, vector), expected, atol=1e-5)
    assert found[int(np.argmax(expected))].text == shelf.NAMES


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        (Filters(labels=("required",)), {"Sharing", "Access"}),
        (Filters(labels=("recommended",)), {"Sharing"}),
        (Filters(labels=("recommended", "informational")), {"Sharing", "Consent"}),
        (Filters(sources=("folder",)), {"Notes of the archive"}),
        (Filters(countries=("EE",)), {"Estonia"}),
        (Filters(kinds=("pdf",)), {"Guide to quality"}),
        (Filters(kinds=("article",)), {"Storage fees"}),
        (Filters(sources=("aurora",), labels=("required",), kinds=("pdf",)), set()),
        (Filters(sources=("nobody",)), set()),
    ],
)
def test_a_filter_admits_what_it_names(
    generation: Generation, filters: Filters, titles: set[str]
) -> None:
    admitted = generation.allowed(filters)
    assert admitted is not None
    assert {
        chunk.title for chunk, ok in zip(generation.all_chunks(), admitted, strict=True) if ok
    } == titles


def test_no_filter_is_no_limit(generation: Generation) -> None:
    assert generation.allowed(Filters()) is None


_FILTERS = st.builds(
    Filters,
    labels=st.lists(st.sampled_from(["required", "recommended", "other"]), max_size=2).map(tuple),
    sources=st.lists(st.sampled_from(["aurora", "folder", "other"]), max_size=2).map(tuple),
    kinds=st.lists(st.sampled_from(["page", "pdf", "article"]), max_size=2).map(tuple),
    countries=st.lists(st.sampled_from(["EE", "PT"]), max_size=1).map(tuple),
)


@given(_FILTERS, _FILTERS)
def test_each_further_limit_admits_no_more(
    generation: Generation, one: Filters, more: Filters
) -> None:
    both = replace(
        one,
        labels=one.labels or more.labels,
        sources=one.sources or more.sources,
        kinds=one.kinds or more.kinds,
        countries=one.countries or more.countries,
    )
    wide, narrow = generation.allowed(one), generation.allowed(both)
    if wide is not None:
        assert narrow is not None
        assert not (narrow & ~wide).any()


def test_an_empty_shelf_is_an_index_too(tmp_path: Path) -> None:
    opened = shelf.written(tmp_path, shelf.Shelf()).open()
    vector = HashingEmbedder().queries(["a gate"])[0]
    assert opened.info.chunks == 0
    assert opened.documents() == []
    for collection in ("chunks", "sentences", "asks"):
        assert len(opened.vectors.collections.nearest(collection, vector, 10)[0]) == 0
    assert opened.vectors.chunk_cosines(vector).shape == (0,)
    assert opened.vectors.best_sentences(vector, np.empty(0, dtype=np.float32)).shape == (0,)
    nothing = opened.allowed(Filters(sources=("aurora",), labels=("required",)))
    assert nothing is not None
    assert nothing.shape == (0,)


def test_without_an_index_the_cure_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoIndex, match="python -m ingest run"):
        Store(tmp_path / "nothing").open()


@pytest.mark.parametrize("pointer", ["", "\n", "gone", "../elsewhere"])
def test_a_pointer_that_leads_nowhere_is_no_index(tmp_path: Path, pointer: str) -> None:
    store = shelf.written(tmp_path, _small())
    (tmp_path / "current").write_text(pointer)
    assert store.current() is None
    with pytest.raises(NoIndex):
        store.open()


def test_a_directory_that_holds_no_generation_is_no_index(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.generations / "hollow").mkdir(parents=True)
    store.use("hollow")
    with pytest.raises(NoIndex, match="hollow"):
        store.open()


def test_another_embedder_than_that_of_the_index_is_refused(generation: Generation) -> None:
    generation.check("hashing-64")
    with pytest.raises(IndexMismatch, match="ingest run") as caught:
        generation.check("another-model")
    assert "hashing-64" in str(caught.value)
    assert "another-model" in str(caught.value)


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = shelf.written(tmp_path, _small())
    monkeypatch.setattr(rag.index, "INDEX_FORMAT", rag.index.INDEX_FORMAT + 1)
    with pytest.raises(IndexMismatch, match="ingest run"):
        store.open()


def test_the_last_generation_written_is_the_current_one(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _small("orchard"))
    store.write(shelf.SECOND, shelf.contents(_small("meadow")))
    assert store.current() == shelf.SECOND
    assert "meadow" in store.open().chunk(0).text
    assert "orchard" in store.open(shelf.FIRST).chunk(0).text
    store.use(shelf.FIRST)
    assert "orchard" in store.open().chunk(0).text


def test_the_pointer_is_replaced_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = shelf.written(tmp_path, _small())
    seen: list[tuple[str, str]] = []
    rename: Callable[[Path, Path], Path] = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append((self.read_text().strip(), target.read_text().strip()))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    (store.generations / shelf.SECOND).mkdir()
    store.use(shelf.SECOND)
    # Complete beside the old one, which stands untouched until then.
    assert seen == [(shelf.SECOND, shelf.FIRST)]
    assert store.current() == shelf.SECOND


def test_no_reader_ever_meets_half_a_pointer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    names = [shelf.FIRST, shelf.SECOND]
    for name in names:
        (store.generations / name).mkdir(parents=True)
    store.use(names[0])
    done = threading.Event()
    seen: set[str | None] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(store.current())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(60):
        store.use(names[turn % 2])
    done.set()
    reader.join()
    assert seen
    assert seen <= set(names)


class Killed(BaseException):
    pass


def test_the_draft_of_a_killed_write_is_not_seen_and_swept_later(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _small())

    def die(_: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        store.write(shelf.SECOND, shelf.contents(_small("meadow")), die)
    assert store.current() == shelf.FIRST
    assert store.names() == [shelf.FIRST]
    assert "orchard" in store.open().chunk(0).text
    assert len(list(store.generations.iterdir())) == 2
    store.prune()
    assert [path.name for path in store.generations.iterdir()] == [shelf.FIRST]


def test_a_killed_write_can_be_written_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.generations / f".{shelf.FIRST}.draft").mkdir(parents=True)
    (store.generations / f".{shelf.FIRST}.draft" / "index.sqlite").write_text("half")
    store.write(shelf.FIRST, shelf.contents(_small()))
    assert store.open().info.chunks == 1
    assert store.names() == [shelf.FIRST]


def test_progress_counts_every_vector(tmp_path: Path) -> None:
    counted: list[int] = []
    made = shelf.contents(shelf.framework())
    Store(tmp_path).write(shelf.FIRST, made, counted.append)
    assert sum(counted) == sum(
        len(each) for each in (made.chunk_vectors, made.sentence_vectors, made.ask_vectors)
    )


def test_pruning_keeps_the_last_generations_and_the_current_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    names = [f"2026010{day}T080000Z-aaaaaaaa" for day in range(1, 7)]
    for name in names:
        (store.generations / name).mkdir(parents=True)
    store.use(names[0])
    store.prune()
    assert store.names() == [names[0], *names[-KEPT:]]
    store.use(names[-1])
    store.prune()
    assert KEPT == 3
    assert store.names() == names[-3:]


def test_what_another_host_may_still_read_stays_for_a_while(tmp_path: Path) -> None:
    store = Store(tmp_path)
    now = datetime.now(UTC)

    def built(minutes_ago: float) -> str:
        return f"{now - timedelta(minutes=minutes_ago):%Y%m%dT%H%M%S%fZ}-aaaaaaaa"

    names = [built(each) for each in (60, 30, 9, 3, 2, 1)]
    for name in names:
        (store.generations / name).mkdir(parents=True)
    store.use(names[-1])
    store.prune()
    assert store.names() == names[1:], "the second was current until nine minutes ago"
    many = [built(0.9 - number / 100) for number in range(30)]
    for name in many:
        (store.generations / name).mkdir(parents=True)
    store.use(many[-1])
    store.prune()
    assert store.names() == many[-12:]


def test_an_old_generation_that_everybody_reads_outlives_the_one_that_replaces_it(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    names = [f"2026010{day}T080000Z-aaaaaaaa" for day in range(1, 7)]
    for name in names:
        (store.generations / name).mkdir(parents=True)
    store.use(names[-1])
    store.prune(keep=names[0])
    assert store.names() == [names[0], *names[-KEPT:]]
    store.prune(keep=names[-1])
    assert store.names() == names[-KEPT:], "it goes with the next run"


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES, errno.ESTALE])
def test_an_index_that_cannot_be_read_now_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = shelf.written(tmp_path, _small())

    def refused(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(np, "load", refused)
    with pytest.raises(IndexMismatch, match=f"cannot be read: {os.strerror(code)}; look") as told:
        store.open()
    assert "damaged" not in str(told.value)
    assert "rollback" not in str(told.value)


def test_an_index_file_that_may_not_be_opened_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = shelf.written(tmp_path, _small())

    def refused(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    monkeypatch.setattr(sqlite3, "connect", refused)
    with pytest.raises(IndexMismatch, match="cannot be read: unable to open database file"):
        store.open()


@pytest.mark.parametrize("rotten", [b"\xff\xfe\x00", b"x" * 5000, b"\x00"])
def test_a_rotten_name_of_the_current_generation_names_none(tmp_path: Path, rotten: bytes) -> None:
    store = shelf.written(tmp_path, _small())
    (tmp_path / "current").write_bytes(rotten)
    assert store.current() is None
    with pytest.raises(NoIndex):
        store.open()


def test_pruning_where_nothing_is_harms_nothing(tmp_path: Path) -> None:
    Store(tmp_path / "nothing").prune()
    assert Store(tmp_path / "nothing").names() == []


def test_a_generation_is_never_written_to_by_readers(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    file = store.generations / shelf.FIRST / "index.sqlite"
    before = file.read_bytes()
    opened = store.open()
    with pytest.raises(sqlite3.OperationalError):
        opened._file.rows("DELETE FROM chunks")
    assert file.read_bytes() == before


def _nearest(store: Store) -> list[int]:
    vector = HashingEmbedder().queries(["How can I share my data?"])[0]
    with closing(store.open()) as opened:
        return [
            *opened.vectors.nearest_asks(vector, 3)[0].tolist(),
            *opened.vectors.of_asks(np.arange(2)).shape,
        ]


@pytest.mark.parametrize("harm", ["_without_vectors", "_garbage_vectors"])
def test_a_damaged_folder_of_chroma_changes_no_answer(tmp_path: Path, harm: str) -> None:
    store = shelf.written(tmp_path / "made", shelf.framework())
    before = _nearest(store)
    (tmp_path / "made").rename(tmp_path / "moved")
    moved = Store(tmp_path / "moved")
    globals()[harm](moved.generations / shelf.FIRST)
    assert _nearest(moved) == before


def test_an_index_that_an_earlier_version_wrote_is_read_by_chroma(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    before = _nearest(store)
    (store.generations / shelf.FIRST / "asks.npy").unlink()
    assert _nearest(store) == before


def test_many_threads_read_at_once(generation: Generation) -> None:
    model = HashingEmbedder()
    chunks = list(generation.all_chunks())
    trouble: list[str] = []

    def read(number: int) -> None:
        try:
            for turn in range(10):
                wanted = (number + turn) % len(chunks)
                vector = model.passages([f"{chunks[wanted].heading}\n{chunks[wanted].text}"])[0]
                found, cosines = generation.vectors.collections.nearest("chunks", vector, 3)
                assert found[0] == wanted
                assert cosines[0] > 0.999
                assert generation.chunk(wanted) == chunks[wanted]
                assert generation.chunk_number(chunks[wanted].chunk_id) == wanted
                assert len(generation.vectors.sentence_cosines(wanted, vector)) == len(
                    chunk_sentences(chunks[wanted])
                )
        except BaseException as error:  # noqa: BLE001 - told in the main thread
            trouble.append(repr(error))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []


def test_many_threads_score_alike(many: Generation) -> None:
    vectors = _unit(8)
    ranking = np.zeros(MANY, dtype=np.float32)
    expected = [
        (many.vectors.chunk_cosines(each), many.vectors.best_sentences(each, ranking))
        for each in vectors
    ]

    def score(number: int) -> bool:
        cosines, best = expected[number % 8]
        return np.array_equal(
            many.vectors.chunk_cosines(vectors[number % 8]), cosines
        ) and np.array_equal(
            many.vectors.best_sentences(vectors[number % 8], ranking), best, equal_nan=True
        )

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(score, range(200)))


def _garbage(directory: Path) -> None:
    (directory / "index.sqlite").write_bytes(b"this is no database " * 200)


def _truncated(directory: Path) -> None:
    file = directory / "index.sqlite"
    file.write_bytes(file.read_bytes()[:5000])


def _hollow(directory: Path) -> None:
    (directory / "index.sqlite").write_bytes(b"")


def _without_vectors(directory: Path) -> None:
    (directory / "chroma").rename(directory / "elsewhere")


def _cut_vectors(directory: Path) -> None:
    file = directory / "sentences.npy"
    file.write_bytes(file.read_bytes()[:-4])


def _fewer_vectors(directory: Path) -> None:
    np.save(directory / "chunks.npy", np.zeros((0, 64), dtype=np.float32))


def _no_mapped_vectors(directory: Path) -> None:
    (directory / "chunks.npy").unlink()


def _fewer_asks(directory: Path) -> None:
    np.save(directory / "asks.npy", np.zeros((7, 64), dtype=np.float32))


def _garbage_vectors(directory: Path) -> None:
    (directory / "chroma" / "chroma.sqlite3").write_bytes(b"this is no database " * 200)


@pytest.mark.parametrize(
    "harm",
    [
        _garbage,
        _truncated,
        _hollow,
        _cut_vectors,
        _fewer_vectors,
        _no_mapped_vectors,
        _fewer_asks,
    ],
)
def test_a_broken_generation_is_an_error_of_ours_with_a_cure(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    # Written under another path than the one opened: Chroma remembers clients by path.
    made = shelf.written(tmp_path / "made", _small())
    (tmp_path / "made").rename(tmp_path / "moved")
    assert made.current() is None
    store = Store(tmp_path / "moved")
    harm(store.generations / shelf.FIRST)
    with pytest.raises(HelpdeskError, match="ingest run"):
        store.open()


def test_many_threads_may_open_one_index_at_once(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _small())
    query = HashingEmbedder().queries(["orchard"])[0]
    found: list[int] = []

    def look() -> None:
        opened = store.open()
        found.append(len(opened.vectors.collections.nearest("chunks", query, 5)[0]))
        opened.close()

    threads = [threading.Thread(target=look) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 12


def test_closing_one_of_two_that_are_open_leaves_the_other(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _small())
    one, other = store.open(), store.open()
    one.close()
    assert (
        len(
            other.vectors.collections.nearest(
                "chunks", HashingEmbedder().queries(["orchard"])[0], 5
            )[0]
        )
        == 1
    )
