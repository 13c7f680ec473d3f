from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import shelf
from conftest import app_over
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import problem_of
from served import await_status, free_port, start

from api.app import Access
from api.desk.database import DESK
from api.desk.desk import open_desk
from api.desk.models import Actor
from rag.store import Store

TOKEN = "harbour-watch-token"  # noqa: S105 - of these tests
STAFF = {"Authorization": f"Bearer {TOKEN}"}
TYPED = "zwiebelkuchen"
ASKED: dict[str, Any] = {
    "question": "May our clinic share old samples?",
    "history": [
        {"role": "user", "text": "Who decides?"},
        {"role": "assistant", "text": "A committee. " * 1000},
    ],
    "answer_id": "forgotten-long-ago",
    "name": "Ada Example",
    "email": "Ada@Clinic.example",
    "country": "UK",
    "language": "DE",
    "consent": True,
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def desk(store: Store, data_dir: Path) -> Iterator[TestClient]:
    """A client of an app with staff."""
    app = app_over(store, Access(staff_token=TOKEN), data_dir)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def _open(client: TestClient, **other: Any) -> tuple[dict[str, Any], str]:
    response = client.post("/v1/tickets", json={**ASKED, **other})
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    told = response.json()
    return told["ticket"], parse_qs(urlsplit(told["link"]).query)["token"][0]


def test_a_ticket_is_opened_and_followed_by_its_private_link(desk: TestClient) -> None:
    ticket, token = _open(desk)
    assert re.fullmatch(r"NMG-[0-9A-HJKMNP-TV-Z]{8}", ticket["id"])
    assert ticket["created_at"].endswith("Z")
    assert {**ticket, "id": "", "created_at": ""} == {
        "id": "", "created_at": "", "state": "new", "question": ASKED["question"],
        "country": "GB", "language": "de", "messages": [],
    }  # fmt: skip
    found = desk.get(f"/v1/tickets/{ticket['id']}", params={"token": token})
    assert found.json() == ticket
    assert found.headers["cache-control"] == "no-store"


def test_a_question_and_an_address_are_enough(desk: TestClient) -> None:
    least = {"question": "Who?", "email": "a@b.example", "consent": True}
    assert desk.post("/v1/tickets", json=least).status_code == 201
    blank = {**least, "name": " ", "history": None, "answer_id": None, "country": None}
    assert desk.post("/v1/tickets", json=blank).status_code == 201
    assert [each["name"] for each in desk.get("/v1/tickets", headers=STAFF).json()["tickets"]] == [
        None, None,
    ]  # fmt: skip


def test_a_link_leads_where_the_helpdesk_was_called_unless_it_is_told_where(
    store: Store, data_dir: Path
) -> None:
    for public, expected in (
        ("", "http://testserver/tickets/NMG-"),
        ("https://help.example.org/desk", "https://help.example.org/desk/tickets/NMG-"),
    ):
        client = TestClient(app_over(store, Access(public_url=public), data_dir))
        assert client.post("/v1/tickets", json=ASKED).json()["link"].startswith(expected)


@pytest.mark.parametrize("host", ["evil example", "a/b?c", "[::", "x" * 300, "hôte", ":99999"])
def test_no_host_that_is_sent_brings_the_server_down(desk: TestClient, host: str) -> None:
    headers = {b"Host": host.encode("latin-1")}
    response = desk.post("/v1/tickets", json=ASKED, headers=headers)  # type: ignore[arg-type]
    assert response.status_code in (201, 400)


def test_a_wrong_token_is_told_like_a_ticket_that_is_not_there(desk: TestClient) -> None:
    ticket, token = _open(desk)
    _, other = _open(desk)
    wrong = [
        desk.get(f"/v1/tickets/{ticket['id']}", params={"token": other}),
        desk.get(f"/v1/tickets/{ticket['id']}", params={"token": token + "x"}),
        desk.get(f"/v1/tickets/{ticket['id']}", params={"token": "é\0"}),
        desk.get(f"/v1/tickets/{ticket['id']}"),
        desk.get("/v1/tickets/NMG-00000000", params={"token": token}),
        desk.get("/v1/tickets/%00%ff", params={"token": token}),
    ]
    # All but the id of the request is the same.
    told = [{**response.json(), "request_id": ""} for response in wrong]
    assert all(each == told[0] for each in told)
    for response in wrong:
        problem_of(response, 404)
        assert response.headers["cache-control"] == "no-store"


def test_only_the_hash_of_a_token_is_stored(desk: TestClient, data_dir: Path) -> None:
    _, token = _open(desk)
    assert len(token) >= 43
    with closing(sqlite3.connect(data_dir / DESK)) as read:
        assert token not in "".join(read.iterdump())
        [(stored,)] = read.execute("SELECT token_sha256 FROM tickets")
    assert stored == hashlib.sha256(token.encode()).hexdigest()


def test_nobody_else_can_read_the_file(data_dir: Path) -> None:
    desk = open_desk("", data_dir, 30)
    desk.staff.add(Actor("operator", "admin"), "Ada", "ada@clinic.example", "agent", ())
    files = list(data_dir.glob(f"{DESK}*"))
    assert len(files) == 3, "with its write-ahead log"
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    desk.close()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"consent": False}, "consent"),
        ({"consent": None}, "consent"),
        ({"consent": 1}, "consent"),
        ({"consent": "true"}, "consent"),
        ({"question": " "}, "question"),
        ({"question": "x" * 4001}, "question"),
        ({"email": ""}, "email"),
        ({"email": None}, "email"),
        ({"email": TYPED}, "email"),
        ({"email": f"{TYPED}@"}, "email"),
        ({"email": f"{TYPED}@localhost"}, "email"),
        ({"email": f"{TYPED} <a@b.example>"}, "email"),
        ({"email": f"a@b.example\nBcc: {TYPED}@c.example"}, "email"),
        ({"email": "a" * 250 + "@b.example"}, "email"),
        ({"name": f"{TYPED}\r\nBcc: x"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"country": TYPED}, "country"),
        ({"language": TYPED}, "language"),
        ({"answer_id": "x" * 65}, "answer_id"),
        ({"answer_id": ""}, "answer_id"),
        ({"history": [{"role": "user", "text": "x"}] * 201}, "history"),
        ({"history": [{"role": "user", "text": "x" * 20_001}]}, "history.0.text"),
        ({"history": [{"role": TYPED, "text": "x"}]}, "history.0.role"),
    ],
)
def test_a_ticket_that_is_wrong_is_named_and_not_repeated(
    client: TestClient, wrong: dict[str, Any], field: str
) -> None:
    response = client.post("/v1/tickets", json={**ASKED, **wrong})
    assert problem_of(response, 422)["errors"][0]["field"] == field
    assert TYPED not in response.text


def test_without_consent_one_clear_line_says_what_is_missing(client: TestClient) -> None:
    response = client.post("/v1/tickets", json={**ASKED, "consent": False})
    assert problem_of(response, 422)["detail"] == (
        "consent: must be true: without consent nothing is passed on to a person"
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from(sorted(ASKED)), JSON_VALUES))
def test_no_json_at_all_brings_tickets_down(client: TestClient, other: dict[str, Any]) -> None:
    content = json.dumps({**ASKED, **other})
    headers = {"Content-Type": "application/json"}
    response = client.post("/v1/tickets", content=content, headers=headers)
    if response.status_code != 201:
        problem_of(response, 422)


@settings(max_examples=80)
@given(st.text(), st.text(), st.text())
def test_no_address_at_all_brings_tickets_down(
    client: TestClient, ticket_id: str, token: str, before: str
) -> None:
    found = client.get(
        "/v1/tickets/" + "".join(f"%{byte:02x}" for byte in ticket_id.encode("utf-8", "replace")),
        params={"token": token.encode("utf-8", "replace").decode()},
    )
    assert found.status_code in (401, 404)
    listed = client.get(
        "/v1/tickets", params={"before": before.encode("utf-8", "replace").decode()}
    )
    problem_of(listed, 401)


def test_staff_see_every_ticket_the_newest_first_page_by_page(desk: TestClient) -> None:
    opened = [_open(desk, question=f"Question {n}?")[0]["id"] for n in range(5)]
    seen, before = [], None
    for _ in range(3):
        asked = {"limit": 2, **({"before": before} if before else {})}
        page = desk.get("/v1/tickets", params=asked, headers=STAFF)
        assert page.headers["cache-control"] == "no-store"
        seen += [each["id"] for each in page.json()["tickets"]]
        before = page.json()["next"]
    assert before is None
    assert seen == opened[::-1]
    listed = desk.get("/v1/tickets", headers=STAFF).json()["tickets"][0]
    whole = desk.get(f"/v1/tickets/{listed['id']}", headers=STAFF).json()
    assert listed == {name: whole[name] for name in listed}
    assert not {"history", "triage", "cited", "question"} & listed.keys()
    assert whole["email"] == "Ada@clinic.example"
    assert whole["name"] == ASKED["name"]
    assert whole["history"] == ASKED["history"]
    assert whole["answer_id"] == ASKED["answer_id"]
    assert whole["consent_at"]
    assert "token" not in json.dumps(whole)
    none = desk.get("/v1/tickets", params={"before": "nobody's"}, headers=STAFF).json()
    assert (none["tickets"], none["next"]) == ([], None)


@pytest.mark.parametrize("limit", ["0", "201", "many"])
def test_a_page_of_tickets_has_a_size(desk: TestClient, limit: str) -> None:
    problem_of(desk.get("/v1/tickets", params={"limit": limit}, headers=STAFF), 422)


@pytest.mark.parametrize(
    "authorization",
    [
        None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN,
        f"Basic {TOKEN}", "Bearer \xe9\xff",
    ],
)  # fmt: skip
def test_nobody_else_sees_tickets(desk: TestClient, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    refused = desk.get("/v1/tickets", headers=headers)  # type: ignore[arg-type]
    problem_of(refused, 401)
    assert refused.headers["www-authenticate"] == "Bearer"


def test_a_staff_token_may_hold_any_letters(store: Store, data_dir: Path) -> None:
    token = "schlüssel-für-alle"  # noqa: S105 - of this test
    client = TestClient(app_over(store, Access(staff_token=token), data_dir))
    headers = {b"Authorization": f"bearer {token}".encode()}
    assert client.get("/v1/tickets", headers=headers).status_code == 200  # type: ignore[arg-type]


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer x"])
def test_without_a_staff_token_there_are_no_staff_calls(
    client: TestClient, authorization: str
) -> None:
    refused = client.get("/v1/tickets", headers={"Authorization": authorization})
    assert "HELPDESK_STAFF_TOKEN" in problem_of(refused, 403)["detail"]


def test_while_the_database_is_locked_a_ticket_is_refused_and_read(
    desk: TestClient, data_dir: Path
) -> None:
    ticket, token = _open(desk)
    with closing(sqlite3.connect(data_dir / DESK)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = problem_of(desk.post("/v1/tickets", json=ASKED), 503)
        assert "try again" in refused["detail"]
        found = desk.get(f"/v1/tickets/{ticket['id']}", params={"token": token})
        assert found.status_code == 200
    assert len(desk.get("/v1/tickets", headers=STAFF).json()["tickets"]) == 1


def test_a_database_that_is_gone_is_told_and_answers_are_given(
    desk: TestClient, data_dir: Path
) -> None:
    with closing(sqlite3.connect(data_dir / DESK)) as other, other:
        other.execute("DROP TABLE tickets")
    problem_of(desk.post("/v1/tickets", json=ASKED), 503)
    problem_of(desk.get("/v1/tickets/NMG-00000000?token=x"), 503)
    problem_of(desk.get("/v1/tickets", headers=STAFF), 503)
    assert desk.post("/v1/answers", json={"question": "Who decides?"}).status_code == 200


def test_nothing_of_a_ticket_is_logged(
    desk: TestClient, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = {
        "question": TYPED, "name": TYPED, "email": f"{TYPED}@b.example", "consent": True,
        "history": [{"role": "user", "text": TYPED}],
    }  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        assert desk.post("/v1/tickets", json=asked).status_code == 201
        desk.post("/v1/tickets", json={**asked, "email": TYPED, "consent": False})
        with closing(sqlite3.connect(data_dir / DESK)) as other, other:
            other.execute("DROP TABLE tickets")
        problem_of(desk.post("/v1/tickets", json=asked), 503)
    said = [each for each in caplog.records if each.name != "httpx"]
    assert any("OperationalError" in each.getMessage() for each in said)
    assert not any(TYPED in each.getMessage() + str(each.exc_info) for each in said)


def test_a_restarted_server_still_has_its_tickets_and_logs_none(
    real_store: Store, tmp_path: Path
) -> None:
    generations = tmp_path / "generations"
    generations.symlink_to(real_store.directory / "generations")
    (tmp_path / "current").write_bytes((real_store.directory / "current").read_bytes())
    said = ""
    link = ""
    for end in ("kill", "terminate"):
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        process = start(
            shelf.ROOT, tmp_path, PORT=str(port), HELPDESK_STAFF_TOKEN=TOKEN,
            HELPDESK_SERVER__PUBLIC_URL=address,
        )  # fmt: skip
        try:
            await_status(process, f"{address}/healthz")
            if not link:
                asked = {**ASKED, "question": TYPED}
                link = httpx.post(f"{address}/v1/tickets", json=asked).json()["link"]
            path = urlsplit(link)
            found = httpx.get(f"{address}/v1{path.path}?{path.query}")
            assert found.json()["question"] == TYPED
            listed = httpx.get(f"{address}/v1/tickets", headers=STAFF).json()["tickets"]
            assert [each["title"] for each in listed] == [TYPED]
            getattr(process, end)()
            said += "".join(process.communicate(timeout=30))
        finally:
            process.kill()
    assert TYPED not in said
    assert "token" not in said
    assert "Traceback" not in said
