"""Vectors in Chroma's own server, as it comes and goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shelf
from fakes import HashingEmbedder
from servers.chroma import ChromaProcess

from rag import chroma_server
from rag.chroma_server import ChromaServer
from rag.errors import HelpdeskError, IndexMismatch, VectorsUnavailable
from rag.index import Generation
from rag.models import Question
from rag.store import Store

ASKED = HashingEmbedder().queries(["How can I share my data?"])[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaProcess]:
    with ChromaProcess(tmp_path_factory.mktemp("chroma")) as server:
        yield server


@pytest.fixture
def store(running: ChromaProcess, tmp_path: Path) -> Iterator[Store]:
    """The invented framework, its vectors in the server."""
    made = Store(tmp_path, ChromaServer(running.address))
    made.write(shelf.FIRST, shelf.contents(shelf.framework()))
    yield made
    assert made.server
    made.server.remove(shelf.FIRST)


@pytest.fixture
def nowhere() -> ChromaServer:
    """One that does not run."""
    return ChromaServer(ChromaProcess(Path()).address)


def _nearest(generation: Generation) -> list[int]:
    return generation.vectors.nearest_asks(ASKED, 5)[0].tolist()


def test_what_a_server_holds_is_found_as_in_a_folder(store: Store, tmp_path: Path) -> None:
    local = shelf.written(tmp_path / "local", shelf.framework()).open()
    opened = store.open()
    opened.check(HashingEmbedder.name)
    numbers, cosines = opened.vectors.nearest_asks(ASKED, 100)
    assert numbers.tolist() == local.vectors.nearest_asks(ASKED, 100)[0].tolist()
    assert np.abs(cosines - local.vectors.nearest_asks(ASKED, 100)[1]).max() < 1e-5
    some = np.array([0, 2])
    assert np.allclose(opened.vectors.of_asks(some), local.vectors.of_asks(some), atol=1e-6)
    answered, there = shelf.answerer_over(opened), shelf.answerer_over(local)
    for asked in ("How can I share my data?", "Who decides about access?", "What does it cost?"):
        question = Question(asked)
        assert answered.answer(question).text == there.answer(question).text
    folder = store.generations / shelf.FIRST
    assert {each.name for each in folder.iterdir()} == {
        "index.sqlite",
        "chunks.npy",
        "sentences.npy",
    }


def test_an_index_opened_with_another_setting_names_the_cure(store: Store, tmp_path: Path) -> None:
    without = Store(tmp_path).open()
    with pytest.raises(IndexMismatch, match="set HELPDESK_CHROMA__URL to it, or build"):
        without.check(HashingEmbedder.name)
    assert without.payloads(), "what an ingest needs of it can be read"
    shelf.written(tmp_path / "local", shelf.framework())
    with pytest.raises(IndexMismatch, match=r"in its own folder.*ingest run"):
        Store(tmp_path / "local", store.server).open().check(HashingEmbedder.name)


def test_a_server_that_has_lost_vectors_is_not_asked(store: Store, running: ChromaProcess) -> None:
    assert store.server
    opened = store.open()
    opened.check(HashingEmbedder.name)
    store.server.remove(shelf.FIRST)
    with pytest.raises(IndexMismatch, match="no vectors of index"):
        _nearest(opened)
    with pytest.raises(IndexMismatch, match="no vectors of index"):
        store.open().check(HashingEmbedder.name)
    fewer = shelf.contents(shelf.framework())
    kinds = {"chunks": fewer.chunk_vectors, "sentences": fewer.sentence_vectors}
    store.server.write(shelf.FIRST, {**kinds, "asks": fewer.ask_vectors[:2]}, lambda _: None)
    with pytest.raises(IndexMismatch, match="has lost vectors"):
        store.open().check(HashingEmbedder.name)
    with pytest.raises(IndexMismatch, match="has lost vectors"):
        _nearest(store.open())


def test_pruning_removes_what_the_server_held_and_what_a_killed_ingest_left(
    store: Store, running: ChromaProcess
) -> None:
    assert store.server
    names = [f"2026010{number}T080000Z-aaaaaaaa" for number in range(2, 6)]
    for name in names:
        store.write(name, shelf.contents(shelf.framework()))
    killed = f"{shelf.THIRD}-killed"
    (store.generations / f".{killed}.draft").mkdir()
    store.server.write(killed, {"chunks": np.eye(2, 64, dtype=np.float32)}, lambda _: None)
    assert f"{killed}-chunks" in running.collections()
    store.prune()
    assert store.names() == names[-3:]
    kinds = ("chunks", "sentences", "asks")
    assert running.collections() == {f"{name}-{kind}" for name in names[-3:] for kind in kinds}
    store.use(names[-2])
    before = store.open()
    before.check(HashingEmbedder.name)
    assert len(_nearest(before)) == 5
    for name in names:
        store.server.remove(name)


def test_what_cannot_be_deleted_now_is_deleted_later(store: Store, nowhere: ChromaServer) -> None:
    draft = store.generations / f".{shelf.SECOND}.draft"
    draft.mkdir()
    Store(store.directory, nowhere).prune()
    assert draft.is_dir()
    store.prune()
    assert not draft.exists()


def test_a_server_that_hangs_holds_one_question_and_no_other(
    store: Store, running: ChromaProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma_server, "_READ_S", 0.5)
    opened = Store(store.directory, ChromaServer(running.address)).open()
    whole = _nearest(opened)
    running.hang()
    try:
        with pytest.raises(VectorsUnavailable, match="try again"):
            _nearest(opened)
        began = time.monotonic()
        for _ in range(50):
            with pytest.raises(VectorsUnavailable):
                _nearest(opened)
        assert time.monotonic() - began < 0.4, "they were told at once"
    finally:
        running.hang(hangs=False)
    monkeypatch.setattr(chroma_server, "_READ_S", 10.0)
    assert _eventually(opened) == whole


def test_a_server_that_went_and_came_back_is_asked_again(
    store: Store, running: ChromaProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma_server, "_AGAIN_S", 0.1)
    saw, missed_it = store.open(), Store(store.directory, ChromaServer(running.address)).open()
    whole = _nearest(saw)
    assert _nearest(missed_it) == whole
    running.kill()
    with pytest.raises(VectorsUnavailable):
        _nearest(saw)
    running.start()
    assert _eventually(saw) == whole
    assert _nearest(missed_it) == whole, "whoever asked nothing meanwhile notices nothing"


def test_an_index_whose_server_has_gone_is_not_made_half(
    store: Store, nowhere: ChromaServer
) -> None:
    with pytest.raises(VectorsUnavailable):
        Store(store.directory, nowhere).write(shelf.SECOND, shelf.contents(shelf.framework()))
    assert store.current() == shelf.FIRST
    assert store.names() == [shelf.FIRST]


def test_vectors_of_many_numbers_are_sent_in_parts(
    running: ChromaProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma_server, "_BATCH_BYTES", 64 * 4 * 3)
    server, told = ChromaServer(running.address), list[int]()
    rows = np.eye(10, 64, dtype=np.float32)
    server.write(shelf.THIRD, dict.fromkeys(("chunks", "sentences", "asks"), rows), told.append)
    held = server.collections(shelf.THIRD)
    assert sum(told) == 30
    assert max(told) == 3
    assert np.array_equal(held.stored("asks", np.arange(10)), rows)
    server.remove(shelf.THIRD)


class _Proxy(BaseHTTPRequestHandler):
    """What stands before a server, and says one status whatever is asked."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def _refusing(status: int) -> Iterator[ChromaServer]:
    handler = type("Refusing", (_Proxy,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        proxy.daemon_threads = True
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield ChromaServer(f"http://127.0.0.1:{proxy.server_port}")
        finally:
            proxy.shutdown()


@pytest.mark.parametrize(("status", "cure"), [(401, "TOKEN"), (403, "TOKEN"), (413, "before it")])
def test_a_refusal_is_told_with_its_status_and_silences_nobody(status: int, cure: str) -> None:
    with _refusing(status) as server:
        for _ in range(2):
            with pytest.raises(VectorsUnavailable, match=f"status {status}; .*{cure}"):
                server.collections(shelf.FIRST)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_has_too_much_to_do_is_left_alone_for_a_while(status: int) -> None:
    with _refusing(status) as server:
        for _ in range(2):
            with pytest.raises(VectorsUnavailable, match="try again"):
                server.collections(shelf.FIRST)


def test_a_collection_that_is_asked_for_twice_is_made_once(
    running: ChromaProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ChromaServer(running.address)
    send = server._http.request

    def lost(method: str, path: str, **more: Any) -> object:
        """The server did it, and the connection broke before it could say so."""
        answer = send(method, path, **more)
        if path == "/collections" and not told:
            told.append(path)
            raise chroma_server._CUT[0]("gone")
        return answer

    told: list[str] = []
    monkeypatch.setattr(server._http, "request", lost)
    rows = np.eye(3, 64, dtype=np.float32)
    server.write(shelf.THIRD, dict.fromkeys(("chunks", "sentences", "asks"), rows), lambda _: None)
    assert server.collections(shelf.THIRD).count("chunks") == 3
    server.remove(shelf.THIRD)


def _eventually(generation: Generation) -> list[int]:
    until = time.monotonic() + 30
    while True:
        try:
            return _nearest(generation)
        except HelpdeskError:
            assert time.monotonic() < until
            time.sleep(0.05)
