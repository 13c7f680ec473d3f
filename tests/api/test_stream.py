from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shelf
from events import Event, events
from fastapi import FastAPI
from fastapi.testclient import TestClient
from parts import services
from problems import problem_of

from api import event_stream
from api.app import build_app
from api.live import LiveIndex
from rag.answerer import Answerer
from rag.errors import ModelUnavailable
from rag.models import Answer, Brought, Delta, Question
from rag.store import Store
from rag.usage import USAGE, Usage

TYPED = "zwiebelkuchen"
EVENTS = {"Accept": "text/event-stream"}
SHARE = "How can I share my data?"


def _stream(client: TestClient, question: str, **more: Any) -> list[Event]:
    body = {"question": question, **more}
    with client.stream("POST", "/v1/answers", json=body, headers=EVENTS) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(events(response.iter_lines()))


@pytest.mark.parametrize(
    "question", [SHARE, "Where do trainers meet?", "Who is the contact in Portugal?", "?!"]
)
def test_a_stream_brings_passages_then_text_then_the_answer_that_json_brings(
    client: TestClient, question: str
) -> None:
    first, *deltas, last = _stream(client, question)
    assert (first.name, last.name) == ("passages", "answer")
    assert {each.name for each in deltas} == {"delta"}
    assert "".join(each.data["text"] for each in deltas) == last.data["text"]
    whole = client.post("/v1/answers", json={"question": question}).json()
    drop = {"id", "timings_ms"}
    assert {key: value for key, value in last.data.items() if key not in drop} == {
        key: value for key, value in whole.items() if key not in drop
    }


def test_the_passages_of_a_stream_have_the_form_of_a_search(client: TestClient) -> None:
    first = _stream(client, SHARE)[0].data
    found = client.get("/v1/search", params={"q": SHARE}).json()["passages"]
    assert first["passages"]
    assert all(set(each) == set(found[0]) for each in first["passages"])


def test_a_question_that_is_refused_at_once_brings_no_passages(client: TestClient) -> None:
    assert _stream(client, "?!")[0].data == {"passages": []}


def test_events_are_numbered_in_order(client: TestClient) -> None:
    for _ in range(2):
        found = _stream(client, SHARE)
        assert [int(each.id) for each in found] == list(range(1, len(found) + 1))


def test_a_stream_is_not_kept_by_caches_nor_held_back_by_proxies(client: TestClient) -> None:
    response = client.post("/v1/answers", json={"question": SHARE}, headers=EVENTS)
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_streamed_answer_is_counted_once(store: Store, client: TestClient) -> None:
    def counted() -> int:
        return sum(each.count for each in Usage(store.directory / USAGE).read()[1])

    before = counted()
    _stream(client, SHARE)
    assert counted() == before + 1


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/*", "text/event-stream"),
        ("text/event-stream, */*", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("application/json;q=0.5, text/event-stream", "text/event-stream"),
        ("text/event-stream;q=0.1, application/json;q=0.2", "application/json"),
        ("text/event-stream;q=0, */*", "application/json"),
        ("", "application/json"),
        ("\xff;;;=,,", "application/json"),
    ],
)
def test_the_client_chooses_between_json_and_events(
    client: TestClient, accept: str, media_type: str
) -> None:
    headers = {"Accept": accept.encode("latin-1")}
    response = client.post("/v1/answers", json={"question": SHARE}, headers=headers)  # type: ignore[arg-type]
    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == media_type


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/xml, image/*"])
def test_a_form_that_there_is_not_is_refused(client: TestClient, accept: str) -> None:
    response = client.post("/v1/answers", json={"question": SHARE}, headers={"Accept": accept})
    assert "text/event-stream" in problem_of(response, 406)["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"question": ""}', 422),
        (json.dumps({"question": "x" * 4001}).encode(), 422),
        (b'{"question": "Who?", "country": "XX"}', 422),
        (b'{"question": "Who?", "filters": {"topics": ["cheese"]}}', 422),
        (b'{"question": "\xff"}', 400),
        (b"{", 400),
    ],
)
def test_what_is_wrong_before_the_first_event_is_a_problem_with_its_status(
    client: TestClient, body: bytes, status: int
) -> None:
    headers = {**EVENTS, "Content-Type": "application/json"}
    problem_of(client.post("/v1/answers", content=body, headers=headers), status)


def test_without_an_index_a_stream_is_a_problem(
    serve: Callable[[Store], TestClient], tmp_path: Path
) -> None:
    with serve(Store(tmp_path / "nothing")) as client:
        problem_of(client.post("/v1/answers", json={"question": "Who?"}, headers=EVENTS), 503)


class Scripted(Answerer):
    """An answerer that says what a test has it say."""

    script: Callable[[Question], Iterator[Brought | Delta | Answer]]

    def stream(self, question: Question) -> Iterator[Brought | Delta | Answer]:
        return self.script(question)


def scripted_app(
    store: Store, script: Callable[[Question], Iterator[Brought | Delta | Answer]]
) -> FastAPI:
    """The app over an answerer that follows a script."""

    def build() -> Answerer:
        answerer = shelf.answerer_over(store.open())
        answerer.__class__ = Scripted
        answerer.script = script  # type: ignore[attr-defined]
        return answerer

    index = LiveIndex(store, build)
    return build_app(services(index, store.directory))


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (ModelUnavailable("it sleeps"), 503, "it sleeps"),
        (RuntimeError(TYPED), 500, "something went wrong here; it has been noted"),
    ],
)
def test_an_error_within_a_stream_is_its_last_event(
    store: Store, caplog: pytest.LogCaptureFixture, error: Exception, status: int, detail: str
) -> None:
    def script(question: Question) -> Iterator[Brought | Delta | Answer]:
        yield Brought(())
        yield Delta("It begins ")
        raise error

    *_, last = _stream(TestClient(scripted_app(store, script)), TYPED)
    assert last.name == "error"
    assert (last.data["status"], last.data["detail"]) == (status, detail)
    assert (last.data["type"], last.id) == ("about:blank", "3")
    assert TYPED not in caplog.text


def test_a_comment_is_sent_while_there_is_nothing_to_say(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "PING_S", 0.05)
    waited = threading.Event()

    def script(question: Question) -> Iterator[Brought | Delta | Answer]:
        yield Brought(())
        waited.wait(0.3)
        yield Delta("Late.")

    found = _stream(TestClient(scripted_app(store, script)), SHARE)
    assert [each.name for each in found if not each.comment] == ["passages", "delta"]
    late = next(place for place, each in enumerate(found) if each.name == "delta")
    waiting = [each.comment for each in found[:late]]
    assert waiting.count("still here") >= 2


class Caller:
    """Calls an app as a server does, and leaves when a text has been seen."""

    def __init__(self, leaves_at: str):
        self.received = ""
        self._leaves_at = leaves_at
        self._gone = asyncio.Event()
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": json.dumps({"question": SHARE}).encode()}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.received += message.get("body", b"").decode()
        if self._leaves_at in self.received:
            self._gone.set()

    async def call(self, app: FastAPI) -> None:
        headers = [(b"accept", b"text/event-stream"), (b"content-type", b"application/json")]
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "method": "POST",
            "path": "/v1/answers", "raw_path": b"/v1/answers", "query_string": b"",
            "headers": headers, "scheme": "http", "http_version": "1.1", "root_path": "",
            "server": ("testserver", 80), "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await asyncio.wait_for(app(scope, self.receive, self.send), 10)


def test_when_the_client_goes_the_work_stops(store: Store) -> None:
    steps, closed = [], threading.Event()
    # Kept, so that it is closed by whoever reads it and not by being forgotten.
    running: list[Iterator[Brought | Delta | Answer]] = []

    def script(question: Question) -> Iterator[Brought | Delta | Answer]:
        running.append(work())
        return running[0]

    def work() -> Iterator[Brought | Delta | Answer]:
        try:
            yield Brought(())
            for step in range(10_000):
                steps.append(step)
                threading.Event().wait(0.01)
                yield Delta(f"piece {step} ")
        finally:
            closed.set()

    app = scripted_app(store, script)
    asyncio.run(Caller("piece 3").call(app))
    assert closed.is_set()
    assert len(steps) < 100
    assert app.state.answering._threads.borrowed_tokens == 0


def test_an_index_stays_open_while_an_answer_from_it_is_read(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    index = LiveIndex(store, lambda: shelf.answerer_over(store.open()))
    app = build_app(services(index, tmp_path))
    answering = app.state.answering

    async def read() -> Answer:
        answerer = await answering.answerer()
        steps = answering.stream(answerer, Question(SHARE))
        (first,) = await anext(steps)
        assert isinstance(first, Brought)
        del answerer
        store.write(shelf.SECOND, shelf.contents(shelf.shelved()))
        index.look()
        assert index.answerer().generation.info.generation == shelf.SECOND
        gc.collect()
        return [step async for made in steps for step in made][-1]

    answer = asyncio.run(read())
    assert answer.citations[0].quote == shelf.SIGNS
