"""What is noted of requests, as people and machines read it."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from conftest import app_over
from fastapi.testclient import TestClient
from problems import problem_of

from api import logs
from api.app import Access
from api.observing import HEADER
from rag.store import Store

SHARE = {"question": "How can I share my data?"}
TYPED = "zwiebelkuchen"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """Where the log is written; all is put back behind it."""
    root, shown = logging.getLogger(), warnings.showwarning
    kept, hooks = list(root.handlers), (threading.excepthook, sys.unraisablehook)
    monkeypatch.setattr(sys, "stderr", StringIO())
    # A server that another test ran in this process may have set these to its own liking.
    others = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi")]
    levels = [other.level for other in others]
    for other in others:
        for attribute, given in (("propagate", True), ("handlers", []), ("disabled", False)):
            monkeypatch.setattr(other, attribute, given)
        other.setLevel(logging.NOTSET)
    yield sys.stderr  # type: ignore[misc]
    root.handlers, warnings.showwarning = kept, shown
    threading.excepthook, sys.unraisablehook = hooks
    for other, level in zip(others, levels, strict=True):
        other.setLevel(level)
    for name in ("api", "rag"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def lines(stderr: StringIO) -> Lines:
    """Reads the lines that have come since it was read last."""
    logs.install("json")

    def read() -> list[dict[str, Any]]:
        told = [json.loads(line) for line in stderr.getvalue().splitlines()]
        stderr.seek(0)
        stderr.truncate()
        return told

    return read


def _requests(lines: Lines) -> list[dict[str, Any]]:
    return [line for line in lines() if line["message"] == "request"]


def test_a_request_is_a_line_that_tells_what_came_of_it(client: TestClient, lines: Lines) -> None:
    client.post("/v1/answers", json=SHARE, headers={HEADER: "of-the-proxy-1"})
    client.post("/v1/answers", json={"question": "Who is the contact in Portugal?"})
    answered, abstained = _requests(lines)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answered.pop("time"))
    assert answered.pop("ms") > 0
    assert answered == {
        "level": "info",
        "message": "request",
        "logger": "api.observing",
        "method": "POST",
        "route": "/v1/answers",
        "status": 200,
        "answer": "answered",
        "detail": "strong",
        "generation": answered["generation"],
        "request_id": "of-the-proxy-1",
    }
    assert (abstained["answer"], abstained["detail"]) == ("abstained", "not_written_yet")


@pytest.mark.parametrize(
    ("method", "address", "status", "route"),
    [
        ("GET", f"/v1/documents/{TYPED}", 404, "/v1/documents/{document_id:path}"),
        ("GET", f"/tickets/{TYPED}?token={TYPED}", 404, "/tickets/{ticket_id}"),
        ("GET", f"/{TYPED}/{TYPED}?q={TYPED}", 404, "none"),
        ("GET", f"/static/{TYPED}.js", 404, "/static"),
        ("PUT", f"/v1/answers?{TYPED}", 405, "/v1/answers"),
        ("POST", f"/mcp/?{TYPED}", 400, "/mcp"),
    ],
)
def test_an_address_is_told_by_its_route_never_as_it_was_called(
    client: TestClient, lines: Lines, method: str, address: str, status: int, route: str
) -> None:
    client.request(method, address)
    (line,) = _requests(lines)
    assert (line["status"], line["route"]) == (status, route)
    assert TYPED not in json.dumps(line)


def test_what_is_refused_on_its_way_is_told_by_its_route_too(store: Store, lines: Lines) -> None:
    with TestClient(app_over(store, Access(per_minute=1))) as client:
        for _ in range(2):
            client.post("/v1/feedback", json={})
        client.post("/v1/tickets", headers={"Origin": f"https://{TYPED}.example"})
        client.request(TYPED.upper(), "/")
    told = [(line["method"], line["route"], line["status"]) for line in _requests(lines)]
    assert told == [
        ("POST", "/v1/feedback", 422),
        ("POST", "/v1/feedback", 429),
        ("POST", "/v1/tickets", 403),
        ("OTHER", "/", 405),
    ]


def test_what_machines_ask_all_day_is_told_only_when_it_goes_wrong(
    client: TestClient, lines: Lines
) -> None:
    for address in ("/healthz", "/readyz", "/metrics"):
        assert client.get(address).status_code == 200
        assert client.put(address).status_code == 405
    assert [line["status"] for line in _requests(lines)] == [405] * 3


@pytest.mark.parametrize("named", ["", "short", "a" * 65, "with space!", "zwiebel@kuchen.example"])
def test_an_id_that_is_not_plain_is_not_taken_over(client: TestClient, named: str) -> None:
    told = client.get("/healthz", headers={HEADER: named}).headers[HEADER]
    assert re.fullmatch("[0-9a-f]{32}", told)
    assert client.get("/healthz", headers={HEADER: named}).headers[HEADER] != told


def test_a_problem_names_its_request_and_so_does_every_reply(client: TestClient) -> None:
    for reply in (
        client.get("/nothing"),
        client.post("/v1/answers", json={}),
        client.post("/v1/answers", content=b"{"),
        client.put("/v1/answers"),
        client.post("/v1/tickets", headers={"Origin": "https://elsewhere.example"}),
    ):
        assert problem_of(reply, reply.status_code)["request_id"] == reply.headers[HEADER]
    # OpenAI's clients read it from the header.
    refused = client.post("/v1/chat/completions", json={})
    assert set(refused.json()) == {"error"}
    for reply in (
        refused,
        client.get("/"),
        client.get("/widget.js"),
        client.options("/v1/answers"),
    ):
        assert reply.headers[HEADER]


def test_an_error_nobody_expected_is_told_by_its_kind_and_place(
    store: Store, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(f"no such {TYPED}")

    with TestClient(app_over(store)) as client:
        monkeypatch.setattr("rag.answerer.Answerer.stream", fail)
        lines()
        reply = client.post("/v1/answers", json=SHARE)
        events = client.post("/v1/answers", json=SHARE, headers={"Accept": "text/event-stream"})
    assert reply.status_code == 500
    assert f'"request_id":"{events.headers[HEADER]}"' in events.text
    told = lines()
    errors = [line for line in told if line["level"] == "error"]
    assert [line["request_id"] for line in errors] == [
        reply.headers[HEADER],
        events.headers[HEADER],
    ]
    for line in errors:
        assert re.match(r"unexpected: ValueError at api/test_observing\.py:\d+ < ", line["message"])
    assert [line["error"] for line in told if line["message"] == "request"] == ["ValueError"] * 2
    assert TYPED not in json.dumps(told)


def test_lines_of_threads_that_answer_carry_the_id(
    store: Store, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("rag.of_this_test")
    monkeypatch.setattr("rag.usage.Usage.count", lambda *_: log.warning("counted"))
    with TestClient(app_over(store)) as client:
        lines()
        for accept in ("application/json", "text/event-stream"):
            client.post("/v1/answers", json=SHARE, headers={"Accept": accept, HEADER: "the-same"})
        log.warning("outside")
    told = [(line["message"], line.get("request_id")) for line in lines()]
    assert told == [
        ("counted", "the-same"),
        ("request", "the-same"),
        ("counted", "the-same"),
        ("request", "the-same"),
        ("outside", None),
    ]


def test_of_other_libraries_the_place_is_written_and_no_word(lines: Lines) -> None:
    other = logging.getLogger("python_multipart.multipart")
    other.warning("Did not find boundary character %r at index %d", TYPED, 3)
    other.warning(f"Unknown Content-Type: {TYPED}", extra={"noted": {"typed": TYPED}})
    logging.getLogger("uvicorn.asgi").warning("ASGI [1] Started scope=%s", {"path": TYPED})
    try:
        raise LookupError(TYPED)
    except LookupError:
        logging.getLogger("uvicorn.error").exception("Exception in %s", TYPED)
    warnings.warn(f"unexpected value {TYPED}", RuntimeWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: {}[TYPED])
    thread.start()
    thread.join()
    told = lines()
    assert [line["message"].partition(":")[0] for line in told] == [
        *["said at api/test_observing.py"] * 3,
        "LookupError at api/test_observing.py",
        "RuntimeWarning at api/test_observing.py",
        "KeyError at api/test_observing.py",
    ]
    assert TYPED not in json.dumps(told)


@pytest.fixture
def text(stderr: StringIO) -> StringIO:
    logs.install("text")
    return stderr


def test_a_line_for_people_is_one_line(text: StringIO) -> None:
    logging.getLogger("api.of_this_test").warning("two\nlines %s", "and\nmore")
    told = text.getvalue()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z warning two lines and more\n", told)
