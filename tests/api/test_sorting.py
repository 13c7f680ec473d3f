"""Tickets are sorted as they come in, and nobody notices where they cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shelf
from actors import STAFF
from fakes import FixedSorter
from fastapi.testclient import TestClient
from parts import services

from api.app import Services, build_app
from api.desk.desk import Desk
from api.desk.models import Case, Conflict, Findings, NewTicket, Seen
from api.live import LiveIndex
from rag.errors import ModelUnavailable
from rag.models import Turn
from rag.store import Store
from rag.triage.sorter import Sorter
from rag.triage.triager import Triager

SHARE = "How can I share my data?"
ASKED: dict[str, Any] = {"question": SHARE, "email": "ada@clinic.example", "consent": True}
Build = Callable[..., tuple[TestClient, Desk]]


@pytest.fixture
def build(store: Store, tmp_path: Path) -> Iterator[Build]:
    opened: list[TestClient] = []

    def make(load: Callable[[], Sorter], before: Callable[[Desk], None] = lambda _: None) -> Any:
        index = LiveIndex(store, lambda: shelf.answerer_over(store.open()))
        parts: Services = services(index, tmp_path / "data")
        before(parts.desk)
        app = build_app(replace(parts, triager=Triager(load, {}, shelf.CONTACT)))
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client, parts.desk

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def _opened(client: TestClient, desk: Desk, **asked: Any) -> Case:
    told = client.post("/v1/tickets", json={**ASKED, **asked})
    assert told.status_code == 201, told.text
    return desk.tickets.read(STAFF, told.json()["ticket"]["id"])


def test_a_new_ticket_has_its_intent_its_priority_its_country_and_a_draft(build: Build) -> None:
    client, desk = build(lambda: FixedSorter(intent="elsi", priority="high"))
    case = _opened(client, desk, question=f"Hello, we are in Finland. {SHARE}")
    ticket = case.ticket
    assert (ticket.intent, ticket.priority, ticket.country, ticket.language) == (
        "elsi", "high", "FI", "en",
    )  # fmt: skip
    assert ticket.triage
    assert ticket.triage["draft"]["status"] == "answered"
    assert {each["of"] for each in ticket.triage["reasons"]} >= {"intent", "priority", "country"}
    assert "similar" not in ticket.triage
    assert [(each.who, each.action) for each in case.history] == [
        ("requester", "open"), ("helpdesk", "sort"),
    ]  # fmt: skip
    # Whoever had it open already does not have to read it again.
    assert ticket.version == 1


def test_what_the_person_has_said_stands(build: Build) -> None:
    client, desk = build(FixedSorter)
    said = {"question": f"We are in Finland. {SHARE}", "country": "PT"}
    assert _opened(client, desk, **said).ticket.country == "PT"


def test_what_staff_have_said_stands(build: Build) -> None:
    client, desk = build(_broken)
    ticket = _opened(client, desk).ticket
    said = {"intent": "metadata", "priority": "low"}
    desk.handling.change(STAFF, Seen(ticket.ticket_id, 1), said)
    assert client.portal
    client.app.state.sorting._triager = Triager(FixedSorter, {}, shelf.CONTACT)  # type: ignore
    assert client.portal.call(client.app.state.sorting.sort, ticket.ticket_id)  # type: ignore
    after = desk.tickets.read(STAFF, ticket.ticket_id).ticket
    assert (after.intent, after.priority) == ("metadata", "low")
    assert after.triage


def test_a_ticket_is_sorted_once(build: Build) -> None:
    client, desk = build(FixedSorter)
    ticket = _opened(client, desk).ticket
    assert client.portal
    assert client.portal.call(client.app.state.sorting.sort, ticket.ticket_id)  # type: ignore
    case = desk.tickets.read(STAFF, ticket.ticket_id)
    assert [each.action for each in case.history] == ["open", "sort"]
    # Nor by another process that had begun before.
    desk.handling.sort(ticket.ticket_id, Findings("elsi", "low", None, "en", {}), once=True)
    assert desk.tickets.read(STAFF, ticket.ticket_id) == case


def test_personal_data_stand_in_the_ticket_only_and_not_in_why_it_was_sorted(build: Build) -> None:
    client, desk = build(FixedSorter)
    ticket = _opened(client, desk, question="My name is Ada Byron. May I share my data?").ticket
    assert "Byron" in ticket.question
    assert "Byron" not in str(ticket.triage)
    assert ticket.triage
    assert ticket.triage["contains_personal_data"]


def test_the_draft_goes_on_from_what_was_said_before(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Turn, ...]] = []
    triage = Triager.triage

    def heard(self: Triager, *given: Any) -> Any:
        asked.append(given[3])
        return triage(self, *given)

    monkeypatch.setattr(Triager, "triage", heard)
    client, desk = build(FixedSorter)
    _opened(client, desk, history=[{"role": "user", "text": "Who may apply?"}])
    assert asked == [(Turn("user", "Who may apply?"),)]


def test_a_ticket_that_cannot_be_sorted_is_there_all_the_same(build: Build) -> None:
    client, desk = build(_broken)
    ticket = _opened(client, desk).ticket
    assert (ticket.state, ticket.intent, ticket.triage) == ("new", None, None)


def test_tickets_that_came_in_unsorted_are_sorted_when_the_server_starts(build: Build) -> None:
    ids: list[str] = []

    def before(desk: Desk) -> None:
        asked = NewTicket(SHARE, (), None, None, "ada@clinic.example", None, "en")
        ids.extend(desk.tickets.open(asked)[0].ticket_id for _ in range(3))

    _, desk = build(FixedSorter, before)
    until = time.monotonic() + 30
    while not all(desk.tickets.read(STAFF, each).ticket.triage for each in ids):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert desk.queue.unsorted(9) == []


def _broken() -> Sorter:
    raise ModelUnavailable("there is no model here")


def test_one_that_cannot_be_sorted_keeps_back_no_other(build: Build) -> None:
    ids: list[str] = []

    class Sulking(FixedSorter):
        def decide(self, subject: str, text: str) -> Any:
            if "riddle" in text:
                raise ValueError(text)
            return super().decide(subject, text)

    def before(desk: Desk) -> None:
        # The newest comes first.
        for question in (SHARE, "A riddle"):
            asked = NewTicket(question, (), None, None, "ada@clinic.example", None, "en")
            ids.append(desk.tickets.open(asked)[0].ticket_id)

    _, desk = build(Sulking, before)
    until = time.monotonic() + 30
    while not desk.tickets.read(STAFF, ids[0]).ticket.triage:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert desk.queue.unsorted(9) == [ids[1]]


def test_a_colleague_is_told_of_who_was_quicker_and_not_of_the_machine(build: Build) -> None:
    client, desk = build(_broken)
    ticket = _opened(client, desk).ticket
    desk.handling.note(STAFF, Seen(ticket.ticket_id, 1), "I have it.")
    desk.handling.sort(ticket.ticket_id, Findings("elsi", "low", None, "en", {}))
    with pytest.raises(Conflict) as refused:
        desk.handling.note(STAFF, Seen(ticket.ticket_id, 1), "So do I.")
    assert refused.value.who == STAFF.who
