"""The calls by which staff handle tickets, and by which whoever asked writes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import app_over
from fastapi.testclient import TestClient
from problems import problem_of

from api.app import Access
from rag.store import Store

TOKEN = "a-token-of-staff"  # noqa: S105 - of these tests
STAFF = {"Authorization": f"Bearer {TOKEN}"}
ASKED: dict[str, Any] = {
    "question": "May our clinic share old samples?",
    "email": "ada@clinic.example",
    "country": "PT",
    "consent": True,
}
CALLS: dict[str, dict[str, Any]] = {
    "assign": {"assignee": "Grace"},
    "reply": {"text": "My own words"},
    "note": {"text": "My own words"},
    "solve": {},
    "close": {},
    "reopen": {},
    "": {"title": "Old samples"},
}
"""What is done to a ticket, by the end of the address; the empty one is a PATCH."""


class Client:
    """A client with a ticket."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        told = http.post("/v1/tickets", json=ASKED).json()
        self.id: str = told["ticket"]["id"]
        self.token: str = parse_qs(urlsplit(told["link"]).query)["token"][0]
        self.address = f"/v1/tickets/{self.id}"

    def call(self, name: str, body: dict[str, Any], headers: dict[str, str] = STAFF) -> Any:
        if not name:
            return self.http.patch(self.address, json=body, headers=headers)
        return self.http.post(f"{self.address}/{name}", json=body, headers=headers)

    def done(self, name: str, **body: Any) -> dict[str, Any]:
        response = self.call(name, body)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        told: dict[str, Any] = response.json()
        return told

    def write(self, text: str, token: str | None = None) -> Any:
        params = {"token": self.token if token is None else token}
        return self.http.post(f"{self.address}/messages", params=params, json={"text": text})


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Iterator[Client]:
    app = app_over(store, Access(staff_token=TOKEN), tmp_path / "data")
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield Client(opened)


def test_a_ticket_is_handled_from_its_opening_to_its_end(desk: Client) -> None:
    read = desk.http.get(desk.address, headers=STAFF)
    assert read.headers["cache-control"] == "no-store"
    assert (read.json()["email"], read.json()["version"]) == ("ada@clinic.example", 1)
    assert read.json()["messages"] == []
    assert desk.done("assign", version=1, assignee="Grace")["assignee"] == "Grace"
    assert desk.done("", version=2, tags=["consent"], intent="share_data")["tags"] == ["consent"]
    assert desk.done("note", version=3, text="Ask the lawyer.")["state"] == "open"
    replied = desk.done("reply", version=4, text="Which samples?")
    assert (replied["state"], replied["first_reply_at"] is None) == ("pending", False)
    written = desk.write("Those of 2010.")
    assert written.status_code == 201
    assert written.headers["cache-control"] == "no-store"
    assert desk.done("solve", version=6)["state"] == "solved"
    closed = desk.done("close", version=7)
    assert closed["closed_at"]
    assert [each["action"] for each in closed["audit"]] == [
        "open", "sort", "assign", "change", "note", "reply", "write", "solve", "close",
    ]  # fmt: skip
    assert [(each["kind"], each["author"]) for each in closed["messages"]] == [
        ("note", "staff"), ("reply", "staff"), ("requester", None),
    ]  # fmt: skip
    assert desk.done("reopen", version=8)["state"] == "open"


def test_who_asked_follows_the_replies_and_learns_nothing_of_staff(desk: Client) -> None:
    desk.done("assign", version=1, assignee="Grace Hopper")
    desk.done("note", version=2, text="A secret note")
    desk.done("", version=3, tags=["difficult"], group="lawyers")
    desk.done("reply", version=4, text="Which samples?")
    desk.write("Those of 2010.")
    found = desk.http.get(desk.address, params={"token": desk.token})
    told = found.json()
    assert (told["state"], told["country"]) == ("open", "PT")
    assert [(each["by"], each["text"]) for each in told["messages"]] == [
        ("helpdesk", "Which samples?"),
        ("requester", "Those of 2010."),
    ]
    for word in ("secret", "Grace", "difficult", "lawyers", "staff", "ada@", "version", "audit"):
        assert word not in found.text


@pytest.mark.parametrize("name", CALLS)
def test_of_two_at_once_the_second_is_told_and_given_their_text_back(
    desk: Client, name: str
) -> None:
    desk.done("note", version=1, text="I was first.")
    response = desk.call(name, {"version": 1, **CALLS[name]})
    problem = problem_of(response, 409)
    assert response.headers["cache-control"] == "no-store"
    assert (problem["who"], problem["version"]) == ("staff", 2)
    assert problem["when"].endswith("Z")
    assert problem.get("text") == CALLS[name].get("text")
    assert len(desk.http.get(desk.address, headers=STAFF).json()["audit"]) == 3


def test_a_closed_ticket_takes_no_reply_and_gives_the_text_back(desk: Client) -> None:
    desk.done("close", version=1)
    for response in (
        desk.call("reply", {"version": 2, "text": "My own words"}),
        desk.write("My own words"),
    ):
        problem = problem_of(response, 409)
        assert (problem["detail"], problem["text"]) == ("the ticket is closed", "My own words")


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}])
def test_nobody_else_changes_a_ticket_not_even_by_its_link(
    desk: Client, name: str, headers: dict[str, str]
) -> None:
    body = {"version": 1, **CALLS[name]}
    problem_of(desk.call(name, body, headers), 401)
    path = f"{desk.address}/{name}".rstrip("/")
    method = "POST" if name else "PATCH"
    by_link = desk.http.request(
        method, path, params={"token": desk.token}, json=body, headers=headers
    )
    problem_of(by_link, 401)
    assert len(desk.http.get(desk.address, headers=STAFF).json()["audit"]) == 2


@pytest.mark.parametrize("name", CALLS)
def test_a_ticket_that_is_not_there_is_told(desk: Client, name: str) -> None:
    desk.address = "/v1/tickets/NMG-00000000"
    problem_of(desk.call(name, {"version": 1, **CALLS[name]}), 404)
    problem_of(desk.http.get(desk.address, headers=STAFF), 404)


def test_a_wrong_staff_token_reads_no_ticket(desk: Client) -> None:
    problem_of(desk.http.get(desk.address, headers={"Authorization": "Bearer nobody"}), 401)
    problem_of(desk.http.get(desk.address), 404)


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("note", {"text": "x"}, "version"),
        ("note", {"version": 0, "text": "x"}, "version"),
        ("note", {"version": "one", "text": "x"}, "version"),
        ("note", {"version": 1, "text": " "}, "text"),
        ("reply", {"version": 1, "text": "x" * 20_001}, "text"),
        ("reply", {"version": 1, "text": "a\0b"}, "text"),
        ("assign", {"version": 1}, "assignee"),
        ("assign", {"version": 1, "assignee": "a\nb"}, "assignee"),
        ("", {"version": 1}, ""),
        ("", {"version": 1, "state": "closed"}, "state"),
        ("", {"version": 1, "email": "b@c.example"}, "email"),
        ("", {"version": 1, "title": ""}, "title"),
        ("", {"version": 1, "title": None}, "title"),
        ("", {"version": 1, "priority": "urgent"}, "priority"),
        ("", {"version": 1, "intent": "Anything at all"}, "intent"),
        ("", {"version": 1, "country": "XX"}, "country"),
        ("", {"version": 1, "tags": ["x" * 51]}, "tags.0"),
        ("", {"version": 1, "tags": ["x"] * 21}, "tags"),
    ],
)
def test_a_change_that_is_wrong_is_named(
    desk: Client, name: str, body: dict[str, Any], field: str
) -> None:
    assert problem_of(desk.call(name, body), 422)["errors"][0]["field"] == field


def test_a_field_can_be_emptied_and_a_tag_stands_once(desk: Client) -> None:
    desk.done("", version=1, intent="share_data", group="lawyers", tags=["b", "a", "b"])
    read = desk.http.get(desk.address, headers=STAFF).json()
    assert (read["intent"], read["group"], read["tags"]) == ("share_data", "lawyers", ["b", "a"])
    emptied = desk.done("", version=2, intent=None, group=None, country=None, tags=[])
    assert (emptied["intent"], emptied["group"], emptied["country"], emptied["tags"]) == (
        None, None, None, [],
    )  # fmt: skip


def test_the_queue_is_limited_and_counted(desk: Client) -> None:
    other = Client(desk.http)
    desk.done("", version=1, priority="high", intent="elsi")
    desk.done("assign", version=2, assignee="Grace")
    desk.done("note", version=3, text="penguins")

    def listed(**params: Any) -> list[str]:
        response = desk.http.get("/v1/tickets", params=params, headers=STAFF)
        assert response.status_code == 200, response.text
        told = response.json()
        return [each["id"] for each in told["tickets"]]

    assert listed() == [other.id, desk.id]
    assert listed(state=["new", "open"]) == [other.id, desk.id]
    for params in (
        {"state": "open"}, {"priority": "high"}, {"intent": "elsi"}, {"q": "PENG"},
        {"assignee": "Grace"}, {"country": "pt", "state": "open"},
    ):  # fmt: skip
        assert listed(**params) == [desk.id], params
    assert listed(unassigned=True) == [other.id]
    assert listed(country="GB") == []
    counted = desk.http.get("/v1/tickets", params={"state": "closed"}, headers=STAFF).json()
    assert counted["tickets"] == []
    assert counted["counts"] == {"new": 1, "open": 1, "pending": 0, "solved": 0, "closed": 0}


@pytest.mark.parametrize(
    "params",
    [{"state": "lost"}, {"country": "XX"}, {"priority": "urgent"}, {"q": "x" * 201},
     {"intent": "no such"}, {"unassigned": "perhaps"}],
)  # fmt: skip
def test_a_limit_that_is_none_is_named(desk: Client, params: dict[str, str]) -> None:
    problem_of(desk.http.get("/v1/tickets", params=params, headers=STAFF), 422)


@pytest.mark.parametrize("token", ["", "x", "é\0"])
def test_without_the_link_nobody_writes_back(desk: Client, token: str) -> None:
    assert "writes" not in problem_of(desk.write("nobody writes", token), 404)["detail"]
    desk.address = "/v1/tickets/NMG-00000000"
    problem_of(desk.write("nobody writes"), 404)


@pytest.mark.parametrize("text", ["", " ", "x" * 4001, "a\0b"])
def test_what_is_no_message_is_refused(desk: Client, text: str) -> None:
    problem_of(desk.write(text), 422)


def test_who_writes_too_often_waits(store: Store, tmp_path: Path) -> None:
    app = app_over(store, Access(staff_token=TOKEN, per_minute=3), tmp_path / "data")
    with TestClient(app) as http:
        desk = Client(http)
        codes = [desk.write("again").status_code for _ in range(3)]
        refused = desk.write("again")
    assert codes == [201, 201, 429]
    assert int(refused.headers["retry-after"]) > 0
