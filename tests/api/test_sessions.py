"""Who is signed in, and how calls tell it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from actors import STAFF
from conftest import app_over
from fastapi.testclient import TestClient
from problems import problem_of
from sqlalchemy import func, select, update

from api.app import Access
from api.desk.audit import verify
from api.desk.database import Database, DeskUnavailable
from api.desk.desk import Desk
from api.desk.sessions import IDLE, LASTS, SIGN_IN, Sessions, proof_of
from api.desk.tables import AUDIT, SESSIONS, SIGN_INS
from rag.store import Store

SITE = "https://www.example.org"


@pytest.fixture
def ada(opened: Desk) -> str:
    return opened.staff.add(STAFF, "Ada", "ada@clinic.example", "agent", ("PT",)).staff_id


@pytest.fixture
def database(opened: Desk) -> Database:
    """Beneath the desk."""
    return opened.database


def _age(database: Database, table: Any, column: str, by: timedelta) -> None:
    with database.writing() as connection:
        connection.execute(update(table).values({column: datetime.now(UTC) - by}))


def _rows(database: Database, table: Any) -> int:
    with database.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def test_whoever_has_the_token_is_signed_in_until_they_sign_out(opened: Desk, ada: str) -> None:
    token = opened.sessions.start(ada)
    member = opened.sessions.member(token)
    assert member is not None
    assert (member.staff_id, member.countries) == (ada, {"PT"})
    assert opened.sessions.member("another") is None
    opened.sessions.end("another")
    assert opened.sessions.member(token)
    opened.sessions.end(token)
    assert opened.sessions.member(token) is None


@pytest.mark.parametrize(("column", "limit"), [("created_at", LASTS), ("seen_at", IDLE)])
def test_a_session_ends_by_itself_and_is_forgotten(
    opened: Desk, database: Database, ada: str, column: str, limit: timedelta
) -> None:
    token = opened.sessions.start(ada)
    _age(database, SESSIONS, column, limit - timedelta(minutes=1))
    assert opened.sessions.member(token)
    _age(database, SESSIONS, column, limit + timedelta(seconds=1))
    assert opened.sessions.member(token) is None
    opened.sessions.start(ada)
    assert _rows(database, SESSIONS) == 1


def test_whoever_is_there_stays_signed_in(opened: Desk, database: Database, ada: str) -> None:
    token = opened.sessions.start(ada)
    _age(database, SESSIONS, "seen_at", IDLE - timedelta(minutes=1))
    opened.sessions.member(token)
    with database.reading() as connection:
        seen = connection.scalar(select(SESSIONS.c.seen_at))
    assert datetime.now(UTC) - seen < timedelta(minutes=1)


def test_a_page_can_be_read_where_nobody_can_write(
    opened: Desk, database: Database, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = opened.sessions.start(ada)
    _age(database, SESSIONS, "seen_at", timedelta(minutes=5))

    def busy(**_: object) -> None:
        raise DeskUnavailable("busy")

    monkeypatch.setattr(database, "writing", busy)
    assert opened.sessions.member(token)


def test_tokens_are_kept_as_hashes(opened: Desk, database: Database, ada: str) -> None:
    token, link = opened.sessions.start(ada), opened.sessions.expect({"a": 1}, ada)
    with database.reading() as connection:
        rows = [*connection.execute(select(SESSIONS)), *connection.execute(select(SIGN_INS))]
    assert len(rows) == 2
    for secret in (token, link, proof_of(token)):
        assert secret not in repr(rows)


def test_a_sign_in_is_expected_once_and_in_time(opened: Desk, database: Database, ada: str) -> None:
    link = opened.sessions.expect({"to": "desk"}, ada)
    assert opened.sessions.expected("another") is None
    assert opened.sessions.expected(link) == ({"to": "desk"}, ada)
    assert opened.sessions.expected(link) is None
    late = opened.sessions.expect({})
    _age(database, SIGN_INS, "created_at", SIGN_IN + timedelta(seconds=1))
    assert opened.sessions.expected(late) is None
    opened.sessions.expect({})
    _age(database, SIGN_INS, "created_at", SIGN_IN + timedelta(seconds=1))
    opened.sessions.expect({})
    assert _rows(database, SIGN_INS) == 1


def test_of_two_who_use_a_link_at_once_one_is_signed_in(opened: Desk, ada: str) -> None:
    for _ in range(10):
        link = opened.sessions.expect({}, ada)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(opened.sessions.expected, [link] * 4))
        assert sum(each is not None for each in found) == 1


def test_who_signs_in_and_out_stands_in_the_audit_without_an_address(
    opened: Desk, database: Database, ada: str
) -> None:
    token = opened.sessions.start(ada)
    opened.sessions.end(token)
    opened.sessions.end(token)
    with database.reading() as connection:
        rows = connection.execute(select(AUDIT).order_by(AUDIT.c.number)).all()
    assert [(row.who, row.action, row.ticket_id) for row in rows] == [
        ("staff", "add", ada), (ada, "sign-in", ada), (ada, "sign-out", ada),
    ]  # fmt: skip
    assert "ada@" not in repr(rows)
    assert verify(database).broken_at is None


def test_a_proof_is_of_one_session_only() -> None:
    assert proof_of("one") == proof_of("one") != proof_of("other")
    assert "one" not in proof_of("one")


class Calls:
    """An agent of Portugal who calls the API with the cookie of the console."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        desk: Desk = http.app.state.services.desk  # type: ignore[attr-defined]
        self.staff = desk.staff.add(STAFF, "Ada", "ada@clinic.example", "agent", ("PT",))
        self.sessions: Sessions = desk.sessions
        self.token = self.sessions.start(self.staff.staff_id)
        http.cookies.set("desk", self.token, domain="testserver.local")
        asked = {"question": "?", "email": "a@b.example", "country": "PT", "consent": True}
        opened = http.post("/v1/tickets", json=asked)
        self.ticket = f"/v1/tickets/{opened.json()['ticket']['id']}"

    def note(self, **headers: str) -> Any:
        body = {"version": 1, "text": "My own words"}
        return self.http.post(f"{self.ticket}/note", json=body, headers=headers)


@pytest.fixture
def calls(store: Store, tmp_path: Path) -> Iterator[Calls]:
    access = Access(allowed_origins=(SITE,))
    with TestClient(app_over(store, access, tmp_path / "data")) as http:
        yield Calls(http)


def test_a_session_reads_by_its_cookie_and_changes_with_the_proof_only(calls: Calls) -> None:
    read = calls.http.get("/v1/tickets")
    assert read.status_code == 200
    assert len(read.json()["tickets"]) == 1
    for headers in (
        {},
        {"X-Desk-Proof": ""},
        {"X-Desk-Proof": "é"},
        {"X-Desk-Proof": proof_of("x")},
    ):
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        problem = problem_of(calls.note(**encoded), 403)  # type: ignore[arg-type]
        assert "X-Desk-Proof" in problem["detail"]
    assert calls.note(**{"X-Desk-Proof": proof_of(calls.token)}).status_code == 200


def test_a_session_that_has_ended_calls_no_more(calls: Calls) -> None:
    calls.sessions.end(calls.token)
    problem_of(calls.http.get("/v1/tickets"), 401)
    problem_of(calls.note(**{"X-Desk-Proof": proof_of(calls.token)}), 401)


@pytest.mark.parametrize("origin", [SITE, "https://evil.example", "null"])
def test_pages_of_others_cannot_use_the_cookie(calls: Calls, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-desk-proof",
    }
    before = calls.http.options(f"{calls.ticket}/note", headers=asked)
    assert before.status_code == 400
    assert "x-desk-proof" not in before.headers.get("access-control-allow-headers", "").lower()
    read = calls.http.get("/v1/tickets", headers={"Origin": origin})
    for response in (before, read):
        # Without it no browser gives a page what was fetched with a cookie.
        assert "access-control-allow-credentials" not in response.headers
    assert calls.note(Origin=origin).status_code == 403


def test_without_credentials_staff_calls_are_refused_though_no_token_is_set(
    calls: Calls,
) -> None:
    calls.http.cookies.clear()
    for response in (calls.http.get("/v1/tickets"), calls.note(), calls.http.post("/v1/triage")):
        problem_of(response, 401)
