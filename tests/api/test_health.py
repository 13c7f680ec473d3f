from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shelf
from conftest import app_over
from fakes import HashingEmbedder
from fastapi.testclient import TestClient
from parts import services
from problems import problem_of
from servers.chat import ChatServer, fails, writes

from api.app import build_app
from api.live import LiveIndex
from ingest.sync import SyncLog
from rag.answerer import Answerer
from rag.author import Author
from rag.guard import Guard
from rag.settings import GeneratorSettings, Settings
from rag.source_states import SYNC
from rag.store import Store
from rag.support import Support
from rag.wiring import build_model
from rag.writer import Writer

Serve = Callable[[Store], TestClient]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[TestClient]:
    """A server over an index and a desk of its own, looked after with every call."""
    store = shelf.written(tmp_path, shelf.framework())
    with TestClient(app_over(store), raise_server_exceptions=False) as client:
        client.app.state.checkups._fresh_s = 0  # type: ignore[attr-defined]
        yield client


def _degraded(client: TestClient) -> tuple[dict[str, Any], str]:
    """What /readyz tells, and the one trouble in it."""
    reply = client.get("/readyz")
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    assert told["status"] == "degraded"
    (trouble,) = told["troubles"]
    return told, trouble


def test_the_server_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    told = client.get("/readyz").json()
    assert told.pop("index_age_s") > 0
    assert told.pop("disk_free_bytes") > 0
    assert told == {
        "status": "ready",
        "generation": shelf.FIRST,
        "built_at": "2026-01-01T08:00:00Z",
        "documents": 11,
        "chunks": 8,
        "stale_sources": [],
        "stale_articles": told["stale_articles"],
        "desk": "reachable",
        "troubles": [],
    }


def test_a_stale_source_is_a_trouble_with_its_cure(opened: TestClient, tmp_path: Path) -> None:
    log = SyncLog(tmp_path / SYNC)
    moment = datetime(2026, 1, 2, 8, tzinfo=UTC)
    log.record({"tides": None, "ebb": None}, was=None, generation=shelf.FIRST, now=moment)
    assert opened.get("/readyz").json()["status"] == "ready"
    log.record({"tides": "http://10.0.0.7 refused"}, was=shelf.FIRST, generation=shelf.FIRST)
    told, trouble = _degraded(opened)
    assert told["stale_sources"] == ["tides"]
    assert "read on 2026-01-02T08:00:00Z" in trouble
    assert "python -m ingest run --source tides" in trouble
    # Anybody may read this, and why may name what is inside a network.
    assert "10.0.0.7" not in str(told)
    # What is said of another index does not count.
    log.record({"tides": "gone"}, was=shelf.FIRST, generation=shelf.SECOND)
    assert opened.get("/readyz").json()["stale_sources"] == []


def test_a_desk_that_has_gone_is_a_trouble_and_questions_are_answered(
    opened: TestClient, tmp_path: Path
) -> None:
    for file in tmp_path.glob("desk.sqlite*"):
        file.unlink()
    told, trouble = _degraded(opened)
    assert told["desk"] == "unreachable"
    assert "desk.sqlite" in trouble
    assert "helpdesk_desk_up 0.0" in opened.get("/metrics").text
    answer = opened.post("/v1/answers", json={"question": "How can I share my data?"})
    assert answer.json()["status"] == "answered"


def test_a_desk_that_hangs_does_not_hold_up_readyz(
    opened: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.checkup._DESK_S", 0.05)
    end = threading.Event()
    monkeypatch.setattr(opened.app.state.checkups, "_tally", lambda: end.wait(60))  # type: ignore[attr-defined]
    try:
        for _ in range(2):
            assert "has not replied" in _degraded(opened)[1]
    finally:
        end.set()


def test_little_disk_and_one_that_cannot_be_written_are_troubles(
    opened: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = opened.get("/readyz").json()["disk_free_bytes"]
    monkeypatch.setattr("api.checkup.LOW_DISK", free * 2)
    assert "make room" in _degraded(opened)[1]
    monkeypatch.setattr("api.checkup.LOW_DISK", 0)
    # Root may write anywhere but on a disk that is mounted to be read.
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "cannot be written" in _degraded(opened)[1]


def test_of_an_index_on_another_disk_what_lies_where_is_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full: list[Path] = []
    usage = shutil.disk_usage

    def used(folder: Path) -> Any:
        return usage(folder)._replace(free=1_000_000 if folder in full else 10**10)

    monkeypatch.setattr("shutil.disk_usage", used)
    with TestClient(app_over(store, data_dir=tmp_path)) as client:
        client.app.state.checkups._fresh_s = 0  # type: ignore[attr-defined]
        client.app.state.services.index.data_dir = tmp_path  # type: ignore[attr-defined]
        full[:] = [store.directory]
        trouble = _degraded(client)[1]
        assert "1 MB of disk are left in HELPDESK_INDEX_DIR" in trouble
        assert "too little for the next index" in trouble
        full[:] = [tmp_path]
        trouble = _degraded(client)[1]
        assert "left where the data directory is" in trouble
        assert "too little for tickets" in trouble
        full.clear()
        monkeypatch.setattr("os.access", lambda *_: False)
        # Another host builds the index, which can only be read from here.
        trouble = _degraded(client)[1]
        assert "no ticket is taken" in trouble
        assert "index" not in trouble


def test_an_index_that_has_gone_from_its_folder_is_a_trouble_while_it_still_answers(
    opened: TestClient, tmp_path: Path
) -> None:
    (tmp_path / "current").rename(tmp_path / "elsewhere")
    told, trouble = _degraded(opened)
    assert told["generation"] == shelf.FIRST
    assert "mounted" in trouble
    assert "python -m ingest run" in trouble
    (tmp_path / "elsewhere").rename(tmp_path / "current")
    assert opened.get("/readyz").json()["status"] == "ready"


def test_a_folder_of_the_index_that_hangs_holds_up_nobody_else(
    opened: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def current(_: Store) -> str:
        hangs.set()
        assert go_on.wait(30)
        return shelf.FIRST

    monkeypatch.setattr(Store, "current", current)
    looking = threading.Thread(target=lambda: opened.get("/readyz"))
    looking.start()
    try:
        assert hangs.wait(10)
        began = time.monotonic()
        assert opened.get("/healthz").status_code == 200
        assert time.monotonic() - began < 10
    finally:
        go_on.set()
        looking.join()


def test_messages_that_did_not_arrive_are_a_trouble(
    opened: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = opened.app.state.services.desk.tally()  # type: ignore[attr-defined]
    dead = replace(tally, dead=3)
    monkeypatch.setattr(opened.app.state.checkups, "_tally", lambda: dead)  # type: ignore[attr-defined]
    trouble = _degraded(opened)[1]
    assert trouble.startswith("3 messages")
    assert "python -m api.desk outbox list" in trouble


def test_a_new_index_that_does_not_open_is_a_trouble_while_the_old_one_answers(
    opened: TestClient, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    made = shelf.replace(shelf.contents(shelf.framework()), embedder="another-model")
    store.write(shelf.SECOND, made)
    opened.app.state.services.index.look()  # type: ignore[attr-defined]
    told, trouble = _degraded(opened)
    assert told["generation"] == shelf.FIRST
    assert shelf.SECOND in trouble
    assert "another-model" in trouble
    store.use(shelf.FIRST)
    assert opened.get("/readyz").json()["status"] == "ready"


def test_a_language_model_that_could_not_be_had_is_a_trouble_until_it_can(
    store: Store, tmp_path: Path
) -> None:
    embedder = HashingEmbedder()
    share = {"question": "How can I share my data?"}
    with ChatServer(fails(500)) as model:

        def build() -> Answerer:
            chosen = GeneratorSettings(model="openai:scripted", base_url=model.base_url)
            written_by = build_model(Settings(generator=chosen))
            writer = Writer(written_by, Guard(Support(embedder)), deadline_s=20)
            generation = store.open()
            author = Author(generation, writer, embedder, "scripted")
            return shelf.answerer_over(generation, embedder, author)

        app = build_app(services(LiveIndex(store, build), tmp_path))
        with TestClient(app) as client:
            app.state.checkups._fresh_s = 0
            client.post("/v1/answers", json=share)
            assert "HELPDESK_GENERATOR__MODEL" in _degraded(client)[1]
            assert "helpdesk_model_failing 1.0" in client.get("/metrics").text
            model.turns[:] = [writes(f"{shelf.SIGNS[:-1]} [1].")]
            client.post("/v1/answers", json=share)
            assert client.get("/readyz").json()["troubles"] == []


def test_however_many_ask_it_is_looked_after_once_in_a_while(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkups = client.app.state.checkups  # type: ignore[attr-defined]
    client.get("/readyz")
    looked: list[int] = []
    made = checkups._made
    monkeypatch.setattr(checkups, "_made", lambda: looked.append(1) or made())
    monkeypatch.setattr(checkups, "_fresh_s", 3600)
    for _ in range(20):
        client.get("/readyz")
    assert looked == []


def test_without_an_index_it_is_alive_and_not_ready(serve: Serve, tmp_path: Path) -> None:
    with serve(Store(tmp_path / "nothing")) as client:
        assert client.get("/healthz").status_code == 200
        told = problem_of(client.get("/readyz"), 503)
        assert "python -m ingest run" in told["detail"]
        assert told["desk"] == "reachable"
        assert "helpdesk_ready 0.0" in client.get("/metrics").text
        problem_of(client.post("/v1/answers", json={"question": "Who decides?"}), 503)
        problem_of(client.get("/v1/search", params={"q": "Who decides?"}), 503)
        problem_of(client.get("/v1/documents"), 503)
        assert client.get("/").status_code == 200


def test_it_is_ready_as_soon_as_there_is_an_index(serve: Serve, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with serve(store) as client:
        problem_of(client.get("/readyz"), 503)
        store.write(shelf.FIRST, shelf.contents(shelf.framework()))
        assert client.get("/readyz").status_code == 200


def test_an_index_of_another_embedder_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = shelf.replace(shelf.contents(shelf.framework()), embedder="another-model")
    store.write(shelf.FIRST, made)
    with serve(store) as client:
        assert client.get("/healthz").status_code == 200
        assert "another-model" in problem_of(client.get("/readyz"), 503)["detail"]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def test_the_description_of_the_api_is_whole(client: TestClient) -> None:
    response = client.get("/openapi.json")
    assert response.status_code == 200
    described = json.loads(response.text)
    assert described["openapi"].startswith("3.")
    for path in ("/v1/answers", "/v1/search", "/v1/documents", "/healthz", "/readyz"):
        assert path in described["paths"]
    for reference in _references(described):
        node = described
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node
    operations = [
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
    ]
    assert len(set(operations)) == len(operations)
