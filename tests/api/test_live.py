from __future__ import annotations

import gc
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import shelf
from fakes import HashingEmbedder
from fastapi.testclient import TestClient
from parts import services

from api import live, main
from api.app import build_app
from api.live import LiveIndex
from rag import wiring
from rag.answerer import Answerer
from rag.chroma_server import ChromaServer
from rag.errors import NoIndex, VectorsUnavailable
from rag.models import Question
from rag.store import Store

Serve = Callable[[Store], TestClient]
MEADOW = "The meadow behind the orchard has one gate."


def _meadow() -> shelf.Shelf:
    return shelf.shelved(shelf.page("one.md", "Meadow", shelf.Part(MEADOW)))


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOKS_EVERY_S", 0.01)


def _generation(client: TestClient, awaited: str = "") -> str:
    """What serves, as soon as it is the one that is waited for."""
    until = time.monotonic() + 30
    while True:
        response = client.get("/readyz")
        assert response.status_code == 200, response.text
        name: str = response.json()["generation"]
        if name == awaited or not awaited or time.monotonic() > until:
            return name
        time.sleep(0.01)


def test_a_new_generation_is_taken_up_without_a_restart(serve: Serve, tmp_path: Path) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    with serve(store) as client:
        assert _generation(client) == shelf.FIRST
        store.write(shelf.SECOND, shelf.contents(_meadow()))
        assert _generation(client, shelf.SECOND) == shelf.SECOND
        answer = client.post(
            "/v1/answers", json={"question": "Which gate has the meadow behind the orchard?"}
        ).json()
        assert answer["index"]["generation"] == shelf.SECOND
        assert MEADOW in answer["text"]
        assert len(client.get("/v1/documents").json()["documents"]) == 1


def test_going_back_a_generation_is_taken_up_too(serve: Serve, tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _meadow())
    store.write(shelf.SECOND, shelf.contents(_meadow()))
    with serve(store) as client:
        assert _generation(client) == shelf.SECOND
        store.use(shelf.FIRST)
        assert _generation(client, shelf.FIRST) == shelf.FIRST


def _hollow(store: Store) -> None:
    (store.generations / shelf.SECOND).mkdir()


def _garbage(store: Store) -> None:
    _hollow(store)
    (store.generations / shelf.SECOND / "index.sqlite").write_bytes(b"no database at all " * 99)


def _empty(store: Store) -> None:
    _hollow(store)
    (store.generations / shelf.SECOND / "index.sqlite").touch()


def _without_vectors(store: Store) -> None:
    _hollow(store)
    first = store.generations / shelf.FIRST / "index.sqlite"
    (store.generations / shelf.SECOND / "index.sqlite").write_bytes(first.read_bytes())


def _another_model(store: Store) -> None:
    made = shelf.replace(shelf.contents(_meadow()), embedder="another-model")
    store.write(shelf.SECOND, made)


@pytest.mark.parametrize("harm", [_hollow, _garbage, _empty, _without_vectors, _another_model])
def test_a_broken_generation_leaves_the_old_one_in_service(
    serve: Serve, tmp_path: Path, harm: Callable[[Store], None]
) -> None:
    store = shelf.written(tmp_path, _meadow())
    with serve(store) as client:
        assert _generation(client) == shelf.FIRST
        harm(store)
        store.use(shelf.SECOND)
        client.app.state.services.index.look()  # type: ignore[attr-defined]
        assert _generation(client) == shelf.FIRST
        assert client.get("/v1/search", params={"q": "meadow"}).status_code == 200
        store.write(shelf.THIRD, shelf.contents(_meadow()))
        assert _generation(client, shelf.THIRD) == shelf.THIRD


@pytest.mark.parametrize("harm", [_hollow, _garbage, _empty])
def test_a_server_that_starts_on_a_broken_generation_lives_and_says_so(
    serve: Serve, tmp_path: Path, harm: Callable[[Store], None]
) -> None:
    store = Store(tmp_path)
    store.generations.mkdir(parents=True)
    harm(store)
    store.use(shelf.SECOND)
    with serve(store) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503


def test_a_pointer_that_is_lost_leaves_the_generation_in_service(
    serve: Serve, tmp_path: Path
) -> None:
    store = shelf.written(tmp_path, _meadow())
    with serve(store) as client:
        assert _generation(client) == shelf.FIRST
        (tmp_path / "current").unlink()
        assert _generation(client) == shelf.FIRST


def test_a_generation_is_opened_once_however_many_ask_at_once(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _meadow())
    opened: list[Answerer] = []

    def build() -> Answerer:
        opened.append(shelf.answerer_over(store.open(), HashingEmbedder()))
        return opened[-1]

    watched = LiveIndex(store, build)
    served: list[Answerer] = []
    threads = [
        threading.Thread(target=lambda: served.append(watched.answerer())) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(served) == 20
    assert {id(each) for each in served} == {id(opened[0])}
    assert len(opened) == 1


def test_without_an_index_the_cure_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    watched = LiveIndex(store, lambda: shelf.answerer_over(store.open()))
    for _ in range(2):
        with pytest.raises(NoIndex, match="ingest run"):
            watched.answerer()


def test_questions_asked_while_the_index_changes_are_all_answered(
    serve: Serve, tmp_path: Path
) -> None:
    store = shelf.written(tmp_path, _meadow())
    store.write(shelf.SECOND, shelf.contents(_meadow()))
    statuses: list[int] = []

    with serve(store) as client:

        def ask() -> None:
            for _ in range(5):
                response = client.post("/v1/answers", json={"question": "Where is the gate?"})
                statuses.append(response.status_code)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(10):
            store.use((shelf.FIRST, shelf.SECOND)[turn % 2])
        for thread in threads:
            thread.join()
    assert statuses == [200] * 20


def test_an_index_is_released_when_the_last_question_to_it_is_answered(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _meadow())
    watched = LiveIndex(store, lambda: shelf.answerer_over(store.open()))
    answering = watched.answerer()
    for name in (shelf.SECOND, f"{shelf.SECOND}-3", f"{shelf.SECOND}-4"):
        store.write(name, shelf.contents(_meadow()))
        watched.look()
    assert watched.answerer() is not answering
    assert answering.generation.payloads()
    query = HashingEmbedder().queries(["meadow"])[0]
    assert len(answering.generation.vectors.nearest_asks(query, 1)[0]) == 0
    released = answering.generation._release
    assert released.alive
    del answering
    gc.collect()
    assert not released.alive


def test_whoever_asks_while_a_new_index_opens_is_answered_by_the_old_one(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _meadow())
    opening, go_on = threading.Event(), threading.Event()

    def build() -> Answerer:
        if store.current() == shelf.SECOND:
            opening.set()
            assert go_on.wait(30)
        return shelf.answerer_over(store.open())

    watched = LiveIndex(store, build)
    old = watched.answerer()
    store.write(shelf.SECOND, shelf.contents(_meadow()))
    looking = threading.Thread(target=watched.look)
    looking.start()
    assert opening.wait(30)
    assert watched.answerer() is old
    go_on.set()
    looking.join()
    assert watched.answerer().generation.info.generation == shelf.SECOND


def test_a_generation_that_is_pruned_answers_whoever_still_has_it(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    answerer = shelf.answerer_over(store.open())
    shutil.rmtree(store.generations / shelf.FIRST)
    answer = answerer.answer(Question("How can I share my data?"))
    assert "transfer agreement" in answer.text
    assert answer.citations[0].quote == shelf.SIGNS


def test_a_broken_generation_is_not_opened_again_and_again(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, _meadow())
    built: list[str] = []

    def build() -> Answerer:
        built.append(str(store.current()))
        return shelf.answerer_over(store.open())

    watched = LiveIndex(store, build)
    watched.answerer()
    _hollow(store)
    store.use(shelf.SECOND)
    for _ in range(5):
        watched.look()
    assert built == [shelf.FIRST, shelf.SECOND]


def test_a_generation_whose_vectors_are_away_is_tried_again_only_after_some_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = shelf.written(tmp_path, _meadow())
    away = [True, True, False]

    def build() -> Answerer:
        if store.current() == shelf.SECOND and away.pop(0):
            raise VectorsUnavailable("the Chroma server does not answer")
        return shelf.answerer_over(store.open())

    watched = LiveIndex(store, build)
    watched.answerer()
    store.write(shelf.SECOND, shelf.contents(_meadow()))
    for _ in range(5):
        watched.look()
    assert away == [True, False]
    monkeypatch.setattr(live, "_AWAY_AGAIN_S", 0.0)
    now = time.monotonic() + 11
    monkeypatch.setattr("api.live.time.monotonic", lambda: now)
    watched.look()
    watched.look()
    assert watched.answerer().generation.info.generation == shelf.SECOND


def test_a_server_of_vectors_is_reached_once_however_often_the_index_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HELPDESK_CHROMA__URL", "http://127.0.0.1:9")
    reached: list[ChromaServer] = []

    def reach(url: str, token: str) -> ChromaServer:
        reached.append(ChromaServer(url, token))
        return reached[-1]

    monkeypatch.setattr(wiring, "ChromaServer", reach)
    monkeypatch.setattr("api.logs.install", lambda _: None)
    monkeypatch.setattr(main, "end_at_once_when_told_twice", lambda: None)
    monkeypatch.setattr(main, "build_embedder", lambda _: HashingEmbedder())
    monkeypatch.setattr(main, "build_answerer", lambda _, opened, __: shelf.answerer_over(opened))
    local = shelf.written(tmp_path, _meadow())
    index = main.create_app().state.services.index
    index.answerer()
    local.write(shelf.SECOND, shelf.contents(_meadow()))
    index.look()
    assert index.answerer().generation.info.generation == shelf.SECOND
    assert len(reached) == 1


class _Unmounted(OSError):
    """As a disk or a shared folder fails, in words that are not ours."""


def _fails_raw(tmp_path: Path, built: list[str]) -> LiveIndex:
    """A store whose second generation cannot be read."""
    store = shelf.written(tmp_path, _meadow())

    def build() -> Answerer:
        built.append(str(store.current()))
        if store.current() == shelf.SECOND:
            raise _Unmounted("stale handle of nfs://10.0.0.7")
        return shelf.answerer_over(store.open())

    return LiveIndex(store, build)


def test_a_generation_that_fails_in_words_of_others_is_told_and_left_alone_for_a_while(
    tmp_path: Path,
) -> None:
    built: list[str] = []
    watched = _fails_raw(tmp_path, built)
    old = watched.answerer()
    Store(tmp_path).write(shelf.SECOND, shelf.contents(_meadow()))
    for _ in range(5):
        watched.look()
    assert built == [shelf.FIRST, shelf.SECOND]
    assert watched.answerer() is old
    assert "_Unmounted" in watched.unopened
    assert "10.0.0.7" not in watched.unopened


def test_a_server_that_starts_on_a_disk_that_fails_lives_and_says_so(tmp_path: Path) -> None:
    watched = _fails_raw(tmp_path, [])
    Store(tmp_path).write(shelf.SECOND, shelf.contents(_meadow()))
    app = build_app(services(watched, tmp_path))
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/healthz").status_code == 200
        told = client.get("/readyz")
        assert told.status_code == 503
        assert "cannot be read (_Unmounted)" in told.json()["detail"]
        Store(tmp_path).use(shelf.FIRST)
        assert client.get("/readyz").status_code == 200
