"""Figures for Prometheus."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import shelf
from conftest import app_over
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import Access
from api.metrics import shared_by_workers
from rag.store import Store

SHARE = {"question": "How can I share my data?"}
TYPED = "zwiebelkuchen"

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _parsed(text: str) -> Figures:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _figures(client: TestClient) -> Figures:
    reply = client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    return _parsed(reply.text)


def _value(figures: Figures, name: str, **labels: str) -> float | None:
    return figures.get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def fresh(store: Store) -> Iterator[TestClient]:
    """A server that has counted nothing."""
    with TestClient(app_over(store), raise_server_exceptions=False) as client:
        yield client


def test_requests_and_answers_are_counted_by_kind(fresh: TestClient) -> None:
    for _ in range(2):
        fresh.post("/v1/answers", json=SHARE)
    fresh.post("/v1/answers", json={"question": "Who is the contact in Portugal?"})
    fresh.post("/v1/answers", json=SHARE, headers={"Accept": "text/event-stream"})
    fresh.post("/v1/answers", json={})
    told = _figures(fresh)
    of_answers = {"route": "/v1/answers", "method": "POST"}
    assert _value(told, "helpdesk_requests_total", **of_answers, status="200") == 4
    assert _value(told, "helpdesk_requests_total", **of_answers, status="422") == 1
    assert _value(told, "helpdesk_request_seconds_count", route="/v1/answers") == 5
    article = {"status": "answered", "detail": "strong", "kind": "article"}
    assert _value(told, "helpdesk_answers_total", **article) == 3
    refused = {"status": "abstained", "detail": "not_written_yet", "kind": "none"}
    assert _value(told, "helpdesk_answers_total", **refused) == 1
    for stage in ("retrieve", "answer"):
        assert _value(told, "helpdesk_answer_seconds_count", stage=stage) == 4
    assert _value(told, "helpdesk_answering") == 0


def test_the_state_of_index_desk_disk_and_process_is_told(fresh: TestClient) -> None:
    ticket = {**SHARE, "email": "ada@clinic.example", "consent": True}
    assert fresh.post("/v1/tickets", json=ticket).status_code == 201
    fresh.app.state.checkups._fresh_s = 0  # type: ignore[attr-defined]
    told = _figures(fresh)
    assert _value(told, "helpdesk_ready") == 1
    assert _value(told, "helpdesk_desk_up") == 1
    assert _value(told, "helpdesk_index_documents") == 11
    assert _value(told, "helpdesk_index_built_timestamp_seconds") == 1767254400
    new = _value(told, "helpdesk_tickets", state="new") or 0
    assert new >= 1
    assert _value(told, "helpdesk_tickets", state="closed") == 0
    assert _value(told, "helpdesk_outbox", state="dead") == 0
    for name in ("disk_free_bytes", "index_age_seconds", "tickets_oldest_new_seconds"):
        assert (_value(told, f"helpdesk_{name}") or 0) > 0
    for name in ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"):
        assert (_value(told, name) or 0) > 0


def test_nothing_that_was_typed_becomes_a_label(fresh: TestClient) -> None:
    fresh.get(f"/{TYPED}")
    fresh.get(f"/tickets/{TYPED}", params={"token": TYPED})
    fresh.request(TYPED.upper(), "/")
    fresh.post("/v1/answers", json={"question": TYPED}, headers={"X-Request-ID": TYPED})
    before = len(_figures(fresh))
    for number in range(20):
        fresh.get(f"/{TYPED}/{number}")
        fresh.request(f"{TYPED.upper()}{number}", f"/v1/documents/{number}")
    assert TYPED not in fresh.get("/metrics").text.lower()
    # One more route was called, with one more method.
    assert len(_figures(fresh)) - before < 40


def test_whoever_waits_in_line_is_counted_until_it_is_their_turn(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, end = threading.Event(), threading.Event()
    with TestClient(app_over(store, Access())) as client:
        told: list[int] = []
        client.app.state.answering._line.total_tokens = 1  # type: ignore[attr-defined]
        answerer = client.app.state.services.index.answerer()  # type: ignore[attr-defined]
        stream = answerer.stream

        def slow(question: Any) -> Iterator[Any]:
            begun.set()
            assert end.wait(30)
            return iter(stream(question))

        monkeypatch.setattr(answerer, "stream", slow)
        ask = lambda: told.append(client.post("/v1/answers", json=SHARE).status_code)  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert begun.wait(30)
        _until(lambda: _value(_figures(client), "helpdesk_waiting") == 2)
        end.set()
        for thread in threads:
            thread.join()
        after = _figures(client)
    assert told == [200] * 3
    assert _value(after, "helpdesk_waiting") == 0
    assert _value(after, "helpdesk_answering") == 0


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        threading.Event().wait(0.05)
    pytest.fail("it did not come to that within 30 s")


@contextmanager
def _worker(answers: int) -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).parent / "counting.py"
    process = subprocess.Popen(
        [sys.executable, str(script), str(answers)],
        env={**os.environ, "PYTHONPATH": str(shelf.ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        assert process.stdout.readline() == "counted\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_figures_of_several_processes_add_up_and_outlive_them() -> None:
    with shared_by_workers():
        folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        with _worker(3) as one:
            with _worker(2) as other:
                assert len(list(folder.glob("gauge_livesum_*.db"))) == 2
                told = _parsed(other.communicate("\n")[0])
                both = _value(told, "process_open_fds") or 0
            # It has gone by now: what it counted stays, what it had at hand does not.
            left = _parsed(one.communicate("\n")[0])
    assert not folder.exists()
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
    labels = {"status": "answered", "detail": "strong", "kind": "passages"}
    for figures, answering in ((told, 2), (left, 1)):
        assert _value(figures, "helpdesk_answers_total", **labels) == 5
        assert _value(figures, "helpdesk_request_seconds_sum", route="/v1/answers") == 2.5
        assert _value(figures, "helpdesk_answering") == answering
    assert both > (_value(left, "process_open_fds") or 0) > 0
