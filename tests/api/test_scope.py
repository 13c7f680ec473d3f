"""Staff of one country meet no ticket of another, whichever call they make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from actors import STAFF
from conftest import app_over
from fastapi.testclient import TestClient
from problems import problem_of

from api.auth import PROOF
from api.desk.desk import Desk
from api.desk.models import NewTicket, Ticket
from api.desk.sessions import proof_of
from rag.store import Store

BODIES: dict[str, dict[str, Any]] = {
    "": {"title": "Mine"},
    "/assign": {"assignee": "me"},
    "/reply": {"text": "Mine"},
    "/note": {"text": "Mine"},
    "/solve": {},
    "/close": {},
    "/reopen": {},
}
"""What is sent to the calls of staff, by the end of their address."""
OPEN = {"/messages"}
"""Calls of whoever has the private link."""
WORDS = "penguins of the lighthouse"


class Lisbon:
    """A session of an agent of Portugal, and the tickets of three."""

    def __init__(self, http: TestClient, desk: Desk) -> None:
        self.http, self.desk = http, desk
        self.agent = desk.staff.add(STAFF, "Ana", "ana@pt.example", "agent", ["PT"])
        token = desk.sessions.start(self.agent.staff_id)
        http.cookies.set("desk", token)
        http.headers[PROOF] = proof_of(token)
        self.tickets: dict[str | None, Ticket] = {
            country: desk.tickets.open(
                NewTicket(WORDS, (), None, None, f"{country}@x.example", country, "en")
            )[0]
            for country in ("PT", "ES", None)
        }


@pytest.fixture
def lisbon(store: Store, tmp_path: Path) -> Iterator[Lisbon]:
    app = app_over(store, data_dir=tmp_path / "data")
    with TestClient(app, raise_server_exceptions=False) as http:
        yield Lisbon(http, app.state.services.desk)


def _calls(http: TestClient) -> list[tuple[str, str]]:
    """Method and end of the address of every call that names a ticket."""
    top = "/v1/tickets/{ticket_id}"
    paths = http.get("/openapi.json").json()["paths"]
    found = [
        (method.upper(), path.removeprefix(top))
        for path, calls in paths.items()
        if path.startswith(top)
        for method in calls
    ]
    return [(method, end) for method, end in found if end not in OPEN]


@pytest.mark.parametrize("country", ["ES", None])
def test_every_call_hides_the_tickets_of_others(lisbon: Lisbon, country: str | None) -> None:
    ticket = lisbon.tickets[country]
    calls = _calls(lisbon.http)
    assert {end for _, end in calls} == BODIES.keys(), "a call that nobody has thought of here"
    for method, end in calls:
        body = None if method == "GET" else {"version": ticket.version, **BODIES[end]}
        address = f"/v1/tickets/{ticket.ticket_id}{end}"
        told = lisbon.http.request(method, address, json=body)
        assert "penguins" not in str(problem_of(told, 404)), (method, end)
    assert lisbon.desk.tickets.read(STAFF, ticket.ticket_id).ticket.version == ticket.version


def test_every_call_is_theirs_with_tickets_of_their_country(lisbon: Lisbon) -> None:
    version = lisbon.tickets["PT"].version
    for method, end in _calls(lisbon.http):
        body = None if method == "GET" else {"version": version, **BODIES[end]}
        address = f"/v1/tickets/{lisbon.tickets['PT'].ticket_id}{end}"
        told = lisbon.http.request(method, address, json=body)
        assert told.status_code == 200, (method, end, told.text)
        version = told.json()["version"]


@pytest.mark.parametrize("params", [{}, {"country": "ES"}, {"nowhere": "true"}, {"q": "penguins"}])
def test_the_list_holds_none_of_others_and_does_not_count_them(
    lisbon: Lisbon, params: dict[str, str]
) -> None:
    told = lisbon.http.get("/v1/tickets", params=params).json()
    assert {each["country"] for each in told["tickets"]} <= {"PT"}
    assert sum(told["counts"].values()) == len(told["tickets"])
    older = lisbon.tickets["ES"].ticket_id
    beyond = lisbon.http.get("/v1/tickets", params={**params, "before": older}).json()
    assert {each["country"] for each in beyond["tickets"]} <= {"PT"}


def test_another_page_cannot_act_through_the_session(lisbon: Lisbon) -> None:
    address = f"/v1/tickets/{lisbon.tickets['PT'].ticket_id}/close"
    del lisbon.http.headers[PROOF]
    for headers in ({}, {PROOF: "a guess"}, {PROOF: "é"}):
        raw = {name: value.encode() for name, value in headers.items()}
        problem_of(lisbon.http.post(address, json={"version": 1}, headers=raw), 403)
    assert lisbon.http.get(address.removesuffix("/close")).json()["state"] == "new"


def test_who_has_left_is_nobody_from_then_on(lisbon: Lisbon) -> None:
    ana = lisbon.agent
    lisbon.desk.staff.change(STAFF, ana.staff_id, ana.name, ana.role, ana.countries, left=True)
    problem_of(lisbon.http.get("/v1/tickets"), 401)


def test_another_scope_holds_from_the_next_call_on(lisbon: Lisbon) -> None:
    ana = lisbon.agent
    lisbon.desk.staff.change(STAFF, ana.staff_id, ana.name, ana.role, ["ES"], left=False)
    told = lisbon.http.get("/v1/tickets").json()
    assert [each["country"] for each in told["tickets"]] == ["ES"]
