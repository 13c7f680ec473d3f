"""The console as a colleague has it open: an app over a desk, signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from bs4 import BeautifulSoup
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pages import one, read

from api.desk.desk import Desk
from api.desk.models import Actor, Member, NewTicket, Role, Ticket
from api.desk.sessions import proof_of
from rag.models import Turn

BY = Actor("operator", "admin")
"""Keeps the list of staff."""
_NUMBERS = count()
ASKED = NewTicket(
    "May our clinic share old samples?", (), None, "Ada", "ada@clinic.example", None, "en"
)


@dataclass(frozen=True)
class Colleague:
    """One of staff, and the browser that they are signed in with."""

    http: TestClient
    member: Member
    proof: str

    @property
    def by(self) -> Actor:
        return self.member.actor

    @cached_property
    def desk(self) -> Desk:
        desk: Desk = self.http.app.state.services.desk  # type: ignore[attr-defined]
        return desk

    def page(self, address: str, status: int = 200) -> BeautifulSoup:
        """A page of the console."""
        response = self.http.get(address)
        assert response.status_code == status, response.text
        return read(response.text)

    def ticket(self, ticket: Ticket) -> BeautifulSoup:
        """The page of a ticket."""
        return self.page(f"/desk/tickets/{ticket.ticket_id}")

    def press(
        self, page: BeautifulSoup, button: str, **typed: str
    ) -> tuple[int, BeautifulSoup, str]:
        """Fill in the form of a ticket and press a button, as a browser would.

        Returns:
            Status, page and address where it led to.
        """
        pressed = next(
            each for each in page.select("button[formaction]") if each.get_text() == button
        )
        fields = {**fields_of(page), **typed}
        if pressed.get("name"):
            fields[str(pressed["name"])] = str(pressed["value"])
        address = str(pressed["formaction"]).replace("../", "").removeprefix("./")
        response = self.http.post(f"/{address}", data=fields)
        return response.status_code, read(response.text), str(response.url)


def fields_of(page: BeautifulSoup) -> dict[str, str]:
    """What the form of a ticket sends."""
    found = {str(each["name"]): str(each["value"]) for each in page.select("#case input")}
    for each in page.select("[form=case]"):
        name = str(each.get("name"))
        if each.name == "textarea":
            # The first line end belongs to the tag.
            found[name] = each.get_text().removeprefix("\n")
        elif each.name == "select":
            chosen = each.select("option[selected]") or each.select("option")[:1]
            found[name] = str(chosen[0]["value"])
        elif each.name == "input":
            found[name] = str(each["value"])
    return found


@contextmanager
def colleague(
    app: FastAPI, name: str = "Grace", role: Role = "agent", *countries: str
) -> Iterator[Colleague]:
    """Sign somebody new in at an app, which is open meanwhile."""
    with TestClient(app) as http:
        yield sign_in(http, name, role, *countries)


def sign_in(http: TestClient, name: str, role: Role = "agent", *countries: str) -> Colleague:
    """Sign somebody new in at an app that is open; a client is a browser."""
    desk: Desk = http.app.state.services.desk  # type: ignore[attr-defined]
    email = f"{name.lower()}-{next(_NUMBERS)}@desk.example"
    member = desk.staff.add(BY, name, email, role, countries)
    token = desk.sessions.start(member.staff_id)
    http.cookies.set("desk", token)
    return Colleague(http, member, proof_of(token))


def opened(desk: Desk, question: str = ASKED.question, **other: Any) -> Ticket:
    """A ticket as it comes in."""
    fields = {**vars(ASKED), "question": question, **other}
    return desk.tickets.open(NewTicket(**fields))[0]


TALKED = (Turn("user", "Who signs?"), Turn("assistant", "A steward signs. [1]"))
__all__ = ["ASKED", "TALKED", "Colleague", "colleague", "fields_of", "one", "opened", "sign_in"]
