"""A desk that tells what happens to its tickets, and time that passes as a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import shelf
from actors import STAFF
from sqlalchemy import select

from api.desk.delivery.courier import Courier
from api.desk.delivery.mails import Mails, Sender
from api.desk.delivery.models import Carrier, Channel, Delivery
from api.desk.delivery.smtp import Smtp, SmtpServer
from api.desk.desk import Desk, open_desk
from api.desk.models import Case, NewTicket, Seen, Ticket
from api.desk.outbox import Outlets
from api.desk.tables import OUTBOX
from rag.messages import Messages

SITE = "https://helpdesk.example.org"
DESK_ADDRESS, TEAM = "helpdesk@nmg.example", "team@nmg.example"
SENDER = Sender("NMG Helpdesk", DESK_ADDRESS, "", TEAM)
TEXTS = Messages.load(shelf.ROOT / "corpus" / "messages" / "mail")
EVERYWHERE = Outlets("nmg.example", team=True, zammad=True, webhook=True)
MAIL_ONLY = Outlets("nmg.example")
ASKED = NewTicket(
    "May our clinic share old samples?", (), None, "Ada", "ada@clinic.example", "PT", "en"
)


@contextmanager
def telling(url: str, data: Path, outlets: Outlets = EVERYWHERE) -> Iterator[Desk]:
    """A desk over a database that tells of its tickets."""
    desk = open_desk(url, data, 30, 365, outlets=outlets)
    try:
        yield desk
    finally:
        desk.close()


def smtp(port: int, sender: Sender = SENDER, **how: Any) -> Smtp:
    """What hands mails to a server on this machine."""
    server = {"host": "127.0.0.1", "security": "none", "user": "", "password": "", **how}
    return Smtp(SmtpServer(port=port, **server), Mails(TEXTS, sender, SITE))


class Noted:
    """Delivers to nowhere, and keeps what it was given."""

    def __init__(self, fails: Callable[[Delivery], Exception | None] = lambda _: None) -> None:
        self.fails = fails
        self.carried: list[tuple[Delivery, Case]] = []

    async def carry(self, delivery: Delivery, case: Case) -> str | None:
        if error := self.fails(delivery):
            raise error
        self.carried.append((delivery, case))
        return f"there-{len(self.carried)}"


def deliver(desk: Desk, carriers: Mapping[Channel, Carrier], later_s: float = 20) -> int:
    """Deliver what is due by then; returns how many were tried."""

    async def all_of_it() -> int:
        courier, tried = Courier(desk, carriers), 0
        for channel in carriers:
            now = datetime.now(UTC) + timedelta(seconds=later_s)
            while await courier.deliver_one(channel, now):
                tried += 1
        return tried

    return asyncio.run(all_of_it())


def rows(desk: Desk) -> list[dict[str, Any]]:
    """What the outbox holds, the earliest first."""
    with desk.database.reading() as connection:
        found = connection.execute(select(OUTBOX).order_by(OUTBOX.c.created_at, OUTBOX.c.channel))
        return [dict(row._mapping) for row in found]


def reply(desk: Desk, ticket: Ticket, text: str = "They may.") -> None:
    """Have staff reply to a ticket, whatever its version is."""
    now = desk.tickets.read(STAFF, ticket.ticket_id).ticket
    desk.handling.reply(STAFF, Seen(now.ticket_id, now.version), text)
