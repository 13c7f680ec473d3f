"""Tickets and what is written about them, brought into a Zammad.

Nothing is made twice there: before a second attempt it is looked whether the first has
come through, by our number in the title of a ticket and in the subject of an article.

Source: https://docs.zammad.org/en/latest/api/ticket/index.html and …/articles.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from api.desk.delivery.http import ask
from api.desk.delivery.models import Delivery, Undelivered
from api.desk.models import Case, Message, Ticket


class _Found(BaseModel):
    """A ticket, as far as we need to know it."""

    id: int
    title: str


class _Article(BaseModel):
    """An article of a ticket, as far as we need to know it."""

    subject: str | None = None


_TICKET = TypeAdapter(_Found)
_TICKETS = TypeAdapter(list[_Found])
_ARTICLES = TypeAdapter(list[_Article])
_MOST_FOUND = "50"

_Form = TypeVar("_Form")


class Zammad:
    """Makes tickets and articles by its API."""

    def __init__(self, url: str, token: str, group: str, site: str):
        """Make them in a group.

        Args:
            url: Of the Zammad.
            token: Of one of its agents, who may write in the group.
            group: Its name.
            site: Where people reach the helpdesk.
        """
        self._api = f"{url}/api/v1"
        self._headers = {"Authorization": f"Token token={token}"}
        self._group = group
        self._site = site

    async def carry(self, delivery: Delivery, case: Case) -> str:
        """See `Carrier`; returns Zammad's id of the ticket."""
        ticket, again = case.ticket, delivery.attempts > 1
        known = delivery.reference
        if known is None and (again or delivery.what != "opened"):
            known = await self._search(ticket)
        if known is None:
            known = await self._create(ticket)
        if delivery.what == "opened":
            return known
        number = delivery.payload["number"]
        subject = f"{ticket.ticket_id}/{number}"
        if not (again and await self._has(known, subject)):
            message = next(each for each in case.messages if each.number == number)
            await self._add(known, subject, message)
        return known

    async def _search(self, ticket: Ticket) -> str | None:
        """Look for a ticket of ours there."""
        # Zammad puts a * behind what it looks for, so no word may be parted by a stroke.
        query = {
            "query": ticket.ticket_id.partition("-")[2],
            "limit": _MOST_FOUND,
            "expand": "true",
        }
        answered = await ask("GET", f"{self._api}/tickets/search", self._headers, query=query)
        found = _read(_TICKETS, answered.body)
        return next((str(each.id) for each in found if each.title.startswith(_mark(ticket))), None)

    async def _create(self, ticket: Ticket) -> str:
        link = f"{self._site}/desk/tickets/{ticket.ticket_id}"
        made = {
            "title": f"{_mark(ticket)} {ticket.title}",
            "group": self._group,
            # Makes the person known there, if they are not.
            "customer_id": f"guess:{ticket.email}",
            "article": {
                "subject": ticket.ticket_id,
                "body": f"{ticket.question}\n\n{link}",
                "content_type": "text/plain",
                "type": "web",
                "sender": "Customer",
                "internal": False,
            },
        }
        answered = await self._post("tickets", made)
        return str(_read(_TICKET, answered).id)

    async def _has(self, known: str, subject: str) -> bool:
        url = f"{self._api}/ticket_articles/by_ticket/{known}"
        answered = await ask("GET", url, self._headers)
        return any(each.subject == subject for each in _read(_ARTICLES, answered.body))

    async def _add(self, known: str, subject: str, message: Message) -> None:
        of_staff = message.kind == "reply"
        await self._post(
            "ticket_articles",
            {
                "ticket_id": int(known),
                "subject": subject,
                "body": message.text,
                "content_type": "text/plain",
                # It is told, not sent: the person has it from us.
                "type": "note" if of_staff else "web",
                "sender": "Agent" if of_staff else "Customer",
                "internal": False,
            },
        )

    async def _post(self, what: str, told: Mapping[str, object]) -> bytes:
        body = json.dumps(told).encode()
        return (await ask("POST", f"{self._api}/{what}", self._headers, body=body)).body


def _mark(ticket: Ticket) -> str:
    """What the title of a ticket of ours begins with there."""
    return f"[{ticket.ticket_id}]"


def _read(form: TypeAdapter[_Form], body: bytes) -> _Form:
    """Read what was answered.

    Raises:
        Undelivered: It is not what such a service says.
    """
    try:
        return form.validate_json(body)
    except ValidationError:
        raise Undelivered("answer not understood") from None
