from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import shelf
from conftest import app_over
from fakes import Clock
from fastapi.testclient import TestClient
from pages import one, read
from problems import problem_of
from starlette.types import Scope

from api import rate_limit
from api.app import Access
from api.desk.calls import Calls
from api.desk.database import DESK
from api.rate_limit import COUNTED, RateLimit
from rag.store import Store

TOKEN = "a-token-of-staff"  # noqa: S105 - of these tests


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("limits.storage.memory.time", made)
    monkeypatch.setattr("api.rate_limit.time", made)
    return made


@pytest.fixture
def limited(store: Store, tmp_path: Path, clock: Clock) -> Iterator[TestClient]:
    access = Access(per_minute=3, tickets_per_hour=2, staff_token=TOKEN)
    with TestClient(app_over(store, access, tmp_path), raise_server_exceptions=False) as opened:
        yield opened


def _call(client: TestClient, path: str = "/v1/answers", **more: Any) -> Any:
    return client.post(path, json={"question": "Who decides?"}, **more)


def _scope(host: str | None, path: str = "/v1/answers") -> dict[str, Any]:
    return {"type": "http", "path": path, "client": (host, 1) if host is not None else None}


def _now(counted: Callable[[Scope], Coroutine[Any, Any, int | None]], scope: Scope) -> int | None:
    """What counting comes to, outside any event loop."""
    return asyncio.run(counted(scope))


def _address(number: int) -> dict[str, Any]:
    return _scope(f"10.0.{number // 256}.{number % 256}")


def test_who_asks_too_often_is_told_when_to_come_back(limited: TestClient, clock: Clock) -> None:
    for _ in range(3):
        assert _call(limited).status_code == 200
        clock.now += 10
    refused = _call(limited)
    detail = problem_of(refused, 429)["detail"]
    assert refused.headers["retry-after"] == "30"
    assert "30 s" in detail
    clock.now += 29
    assert _call(limited).status_code == 429
    clock.now += 2
    assert _call(limited).status_code == 200
    assert _call(limited).status_code == 429, "the window moves: one has left it, not all"


@pytest.mark.parametrize(("method", "path"), sorted(COUNTED))
def test_every_call_that_costs_something_is_counted(
    limited: TestClient, method: str, path: str
) -> None:
    for _ in range(3):
        limited.request(method, path)
    assert limited.request(method, path).status_code == 429


@pytest.mark.parametrize(
    "path",
    ["/", "/healthz", "/readyz", "/v1/documents", "/v1/resources", "/static/page/page.css",
     "/v1/models", "/openapi.json", "/widget.js", "/v1/tickets/NMG-00000000"],
)  # fmt: skip
def test_pages_files_health_and_lists_are_free(limited: TestClient, path: str) -> None:
    for _ in range(4):
        _call(limited)
    assert limited.get(path).status_code in (200, 404)


def test_a_call_that_is_refused_reads_no_body(limited: TestClient) -> None:
    for _ in range(3):
        _call(limited)
    refused = limited.post("/v1/answers", content=b"x" * 2_000_001)
    problem_of(refused, 429)


def test_clients_of_openai_are_refused_in_their_own_form(limited: TestClient) -> None:
    for _ in range(4):
        refused = _call(limited, "/v1/chat/completions")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"


def test_staff_are_not_counted(limited: TestClient) -> None:
    for _ in range(5):
        staff = {"Authorization": f"Bearer {TOKEN}"}
        assert _call(limited, headers=staff).status_code == 200
    for _ in range(3):
        other = {"Authorization": "Bearer another-token-of-16"}
        assert _call(limited, headers=other).status_code == 200
    assert _call(limited, headers=other).status_code == 429


def test_tickets_have_a_limit_of_their_own_that_mistakes_do_not_count_for(
    limited: TestClient, clock: Clock
) -> None:
    asked = {"question": "Who?", "email": "a@b.example", "consent": True}
    for wrong in ({"email": "a"}, {"consent": False}, {"question": ""}):
        assert limited.post("/v1/tickets", json={**asked, **wrong}).status_code == 422
    clock.now += 61
    for _ in range(2):
        assert limited.post("/v1/tickets", json=asked).status_code == 201
    clock.now += 61
    refused = limited.post("/v1/tickets", json=asked)
    problem_of(refused, 429)
    assert int(refused.headers["retry-after"]) == 3600 - 61
    clock.now += 3600
    assert limited.post("/v1/tickets", json=asked).status_code == 201


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("testclient", "testclient", True),
        ("testclient", "another", False),
        (None, None, True),
        (None, "192.0.2.1", False),
    ],
)
def test_a_client_is_an_address_or_a_network_of_version_6(
    first: str | None, second: str | None, same: bool
) -> None:
    limit = RateLimit(per_minute=1, tickets_per_hour=0)
    assert _now(limit.call, _scope(first)) is None
    assert (_now(limit.call, _scope(second)) is not None) is same


def test_no_limit_is_none(store: Store) -> None:
    limit = RateLimit(per_minute=0, tickets_per_hour=0)
    assert all(_now(limit.call, _scope("192.0.2.1")) is None for _ in range(200))
    assert all(_now(limit.ticket, _scope("192.0.2.1")) is None for _ in range(200))


def test_a_flood_of_clients_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 50)
    limit = RateLimit(per_minute=1, tickets_per_hour=1)
    for number in range(1000):
        assert _now(limit.call, _address(number)) is None
        assert _now(limit.ticket, _address(number)) is None
    for window in (limit._calls, limit._tickets):
        assert window
        assert len(window._storage.events) <= 50


def test_a_flood_of_calls_makes_no_ticket_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 50)
    limit = RateLimit(per_minute=1, tickets_per_hour=1)
    assert _now(limit.ticket, _scope("192.0.2.1")) is None
    for number in range(200):
        _now(limit.call, _address(number))
    assert _now(limit.ticket, _scope("192.0.2.1")) is not None


def test_who_has_gone_makes_room_before_anybody_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 50)
    limit = RateLimit(per_minute=1, tickets_per_hour=0)
    for number in range(49):
        _now(limit.call, _address(number))
    clock.now += 50
    _now(limit.call, _scope("192.0.2.1"))
    clock.now += 20
    for number in range(100, 149):
        _now(limit.call, _address(number))
    assert _now(limit.call, _scope("192.0.2.1")) == 40


def test_the_threads_of_the_library_are_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 20)
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        limit = RateLimit(per_minute=1, tickets_per_hour=0)
        end = time.monotonic() + 1.5
        while time.monotonic() < end and not failed:
            for number in range(300):
                _now(limit.call, _address(number))
    finally:
        sys.setswitchinterval(often)
    assert failed == []


def test_a_refusal_names_no_client(limited: TestClient) -> None:
    for _ in range(4):
        refused = _call(limited)
    assert "testclient" not in problem_of(refused, 429)["detail"]


def test_a_reader_of_the_page_is_told_by_a_page_when_to_come_back(limited: TestClient) -> None:
    for wrong in ("", " ", "x" * 5000, ""):
        assert limited.post("/ask", data={"question": wrong}).status_code == 422, "not counted"
    asked = {"question": "Who decides?", "language": "en"}
    for _ in range(3):
        assert limited.post("/ask", data=asked).status_code == 200
    refused = limited.post("/ask", data=asked)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["cache-control"] == "no-store"
    shown = read(refused.text)
    assert "60 s" in one(shown, "#wrong").get_text()
    assert one(shown, "#question").get_text().strip() == "Who decides?"
    assert _call(limited).status_code == 429, "it is one limit for all questions"


@pytest.fixture
def budgeted(store: Store, tmp_path: Path) -> Iterator[TestClient]:
    access = Access(per_minute=100, per_day=3, total_per_day=4, staff_token=TOKEN)
    with TestClient(app_over(store, access, tmp_path), raise_server_exceptions=False) as opened:
        yield opened


def test_a_day_has_a_budget_and_whoever_has_spent_it_can_still_write_to_people(
    budgeted: TestClient,
) -> None:
    for path in ("/v1/answers", "/v1/answers", "/mcp"):
        assert _call(budgeted, path).status_code != 429
    refused = _call(budgeted)
    problem_of(refused, 429)
    until_midnight = 86_400 - time.time() % 86_400
    assert abs(int(refused.headers["retry-after"]) - until_midnight) < 60
    assert budgeted.get("/v1/search?q=who").status_code == 429
    asked = {"question": "Who?", "email": "a@b.example", "consent": True}
    assert budgeted.post("/v1/tickets", json=asked).status_code == 201
    staff = {"Authorization": f"Bearer {TOKEN}"}
    assert _call(budgeted, headers=staff).status_code == 200


def test_a_budget_for_all_is_spent_by_all(store: Store, tmp_path: Path) -> None:
    access = Access(per_day=100, total_per_day=2)
    app = app_over(store, access, tmp_path)
    limit: RateLimit = app.state.rate_limit
    for number, wait in ((1, False), (2, False), (3, True)):
        assert (_now(limit.call, _address(number)) is not None) is wait


def test_what_a_day_has_used_up_outlives_the_process(store: Store, tmp_path: Path) -> None:
    access = Access(per_day=1)
    first: RateLimit = app_over(store, access, tmp_path).state.rate_limit
    assert _now(first.call, _scope("192.0.2.1")) is None
    later: RateLimit = app_over(store, access, tmp_path).state.rate_limit
    assert _now(later.call, _scope("192.0.2.1"))
    assert _now(later.call, _scope("192.0.2.2")) is None


def test_where_the_database_has_gone_each_process_counts_for_itself(
    store: Store, tmp_path: Path
) -> None:
    app = app_over(store, Access(per_day=2, total_per_day=100), tmp_path / "kept")
    limit: RateLimit = app.state.rate_limit
    assert _now(limit.call, _scope("192.0.2.1")) is None
    shutil.rmtree(tmp_path / "kept")
    assert _now(limit.call, _scope("192.0.2.1")) is None
    assert _now(limit.call, _scope("192.0.2.1")), "what it had allowed before counts as well"
    assert _now(limit.call, _scope("192.0.2.2")) is None


def test_a_database_that_hangs_keeps_nobody_waiting_long(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_COUNT_S", 0.05)
    go_on = threading.Event()

    class Hangs(Calls):
        def hit(self, allowances: Any) -> int | None:
            go_on.wait(30)
            return 1

    limit = RateLimit(
        per_day=1, calls=Hangs(app_over(store, data_dir=tmp_path).state.services.desk.database)
    )

    async def two() -> list[int | None]:
        counted = [await limit.call(_scope("192.0.2.1")) for _ in range(2)]
        go_on.set()
        return counted

    first, second = asyncio.run(two())
    assert first is None
    assert second


def test_a_call_that_waits_for_another_that_writes_is_counted_for_all(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = app_over(store, data_dir=tmp_path).state.services.desk.database
    one, other = (RateLimit(per_day=1, calls=Calls(database)) for _ in range(2))
    assert _now(one.call, _scope("192.0.2.2")) is None
    with closing(sqlite3.connect(tmp_path / DESK, check_same_thread=False)) as writes:
        writes.execute("BEGIN IMMEDIATE")
        done = threading.Timer(1.2, writes.rollback)
        done.start()
        assert _now(one.call, _scope("192.0.2.1")) is None
        done.join()
    assert "counted here alone" not in caplog.text
    assert _now(other.call, _scope("192.0.2.1"))


def test_whoever_guesses_the_token_of_staff_is_stopped(limited: TestClient, clock: Clock) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}
    for number in range(rate_limit.GUESSES):
        wrong = {"Authorization": f"Bearer another-token-of-{number}"}
        assert limited.get("/v1/tickets", headers=wrong).status_code == 401
    refused = limited.get("/v1/tickets", headers=right)
    problem_of(refused, 429)
    assert refused.headers["retry-after"] == "60"
    clock.now += 61
    assert limited.get("/v1/tickets", headers=right).status_code == 200


def test_a_call_that_is_not_for_staff_tells_no_more_of_their_token(
    limited: TestClient, clock: Clock
) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}
    for number in range(3 + rate_limit.GUESSES):
        wrong = {"Authorization": f"Bearer another-token-of-{number}"}
        _call(limited, headers=wrong)
    assert _call(limited, headers=right).status_code == 429
    assert limited.get("/v1/tickets", headers=right).status_code == 429
    clock.now += 61
    assert _call(limited, headers=right).status_code == 200


def test_a_chat_program_with_a_key_of_its_own_locks_no_script_of_staff_out(
    limited: TestClient, clock: Clock
) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}
    chat = {"model": "helpdesk", "messages": [{"role": "user", "content": "Who decides?"}]}

    def asked(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return limited.post("/v1/chat/completions", json=chat, headers=headers).status_code

    told = {asked("any-key-of-the-program") for _ in range(3 + rate_limit.GUESSES)}
    assert told == {200, 429}
    assert limited.get("/v1/tickets", headers=right).status_code == 200
    assert _call(limited, headers=right).status_code == 200
    # Who guesses there learns no more.
    assert asked(TOKEN) == 429
    clock.now += 61
    assert asked(TOKEN) == 200


def test_what_all_may_spend_is_known_however_many_ask_while_the_database_is_gone(
    clock: Clock,
) -> None:
    limit = RateLimit(per_day=10, total_per_day=rate_limit.MAX_CLIENTS + 5)
    counted = [_now(limit.call, _address(number)) for number in range(rate_limit.MAX_CLIENTS + 6)]
    assert counted[:-1] == [None] * (rate_limit.MAX_CLIENTS + 5)
    assert counted[-1]


def test_no_address_is_stored(budgeted: TestClient, tmp_path: Path) -> None:
    _call(budgeted)
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("desk.sqlite*"))
    assert b"client_hmac" in kept
    assert b"testclient" not in kept


def test_a_reader_whose_day_is_spent_is_told_so_and_whom_to_write_to(
    store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now -= clock.now % 86_400
    monkeypatch.setattr("api.desk.calls.time", clock)
    app = app_over(store, Access(per_day=1), tmp_path)
    asked = {"question": "Who decides?", "language": "en"}
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.post("/ask", data=asked).status_code == 200
        refused = client.post("/ask", data=asked)
    assert refused.status_code == 429
    told = one(read(refused.text), "#wrong").get_text()
    assert "today" in told
    assert "hrs" in told
    assert shelf.CONTACT in told
