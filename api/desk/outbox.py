"""What is to be told of tickets elsewhere, kept until it has arrived.

A row is written in the transaction of the change that it tells of: either both are
stored, or neither. It is taken by one process at a time, and settled when the receiver has
confirmed; where a process dies in between, its claim runs out and another takes the row.
So everything arrives at least once, and twice only where the receiver took it and nobody
heard so.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, update

from api.desk.audit import record
from api.desk.database import Database
from api.desk.delivery.models import Channel, Delivery, Undelivered, What
from api.desk.models import Actor, Ticket
from api.desk.tables import OUTBOX, TICKETS
from rag.errors import HelpdeskError

CLAIM = timedelta(minutes=5)
"""How long a row is somebody's; a delivery is given up well before that."""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=6)
"""Between two attempts."""
GIVES_UP = timedelta(days=3)
"""How long it is tried before it is for people to look at."""
_TRIES = 5
"""How often at least: a clock that jumps, or a server that was off for a week, tells of days that
nobody has tried in."""
_FARTHEST = timedelta(days=2)
"""Nothing is put off, or somebody's, for longer: what says so was written by a clock that was
wrong."""
SORTED = timedelta(seconds=10)
"""How long a new ticket is given to be sorted, before anybody but the person is told of it."""
_IN_ORDER: Sequence[Channel] = ("zammad", "webhook")
"""Where what happened to a ticket later is not told before what happened earlier."""
_SPREAD = 0.25
"""So that what failed together is not tried again together."""


class NoSuchDelivery(HelpdeskError):
    """Nothing waits under this id, or it is of a ticket that is none of theirs."""

    def __init__(self) -> None:
        super().__init__("nothing that waits to be sent has this id")


@dataclass(frozen=True)
class Outlets:
    """Where changes of tickets are told."""

    mail_domain: str = ""
    """Of the helpdesk's address, for Message-IDs; empty: no mail is sent."""
    team: bool = False
    """Whether its own people are told by mail."""
    zammad: bool = False
    webhook: bool = False

    def channels(self, what: What) -> tuple[Channel, ...]:
        """Where something that happened is told."""
        told: dict[Channel, bool] = {
            "mail": bool(self.mail_domain) and what != "written",
            "team": bool(self.mail_domain) and self.team and what != "replied",
            "zammad": self.zammad,
            "webhook": self.webhook,
        }
        return tuple(channel for channel, on in told.items() if on)


NOWHERE = Outlets()


@dataclass(frozen=True)
class Undone:
    """What has not arrived yet, as people see it."""

    delivery_id: str
    ticket_id: str
    title: str
    country: str | None
    channel: Channel
    what: What
    state: str
    """``waiting`` or ``dead``."""
    created_at: datetime
    due_at: datetime
    attempts: int
    last_error: str | None


class Outbox:
    """The table of what is to be sent."""

    def __init__(self, database: Database, outlets: Outlets = NOWHERE):
        """Keep it in a database; by default nothing is told anywhere."""
        self._database = database
        self._outlets = outlets

    def opened(
        self, connection: Connection, ticket: Ticket, token: str, in_reply_to: str | None
    ) -> None:
        """Have a new ticket told, in the transaction that stores it.

        Args:
            connection: Of that transaction.
            ticket: The new one.
            token: Of its private link; it stays here until the person has been sent it.
            in_reply_to: Message-ID of the mail that it came by, if it did.
        """
        self._put(connection, ticket, "opened", 0, {"token": token, "in_reply_to": in_reply_to}, {})

    def replied(self, connection: Connection, ticket: Ticket, number: int) -> None:
        """Have a reply of staff told, by its number."""
        self._put(connection, ticket, "replied", number, {"number": number}, {"number": number})

    def written(self, connection: Connection, ticket: Ticket, number: int) -> None:
        """Have a message of the person who asked told, by its number."""
        self._put(connection, ticket, "written", number, {}, {"number": number})

    def _put(
        self,
        connection: Connection,
        ticket: Ticket,
        what: What,
        number: int,
        to_person: dict[str, Any],
        to_others: dict[str, Any],
    ) -> None:
        now = datetime.now(UTC)
        rows = [
            {
                "delivery_id": secrets.token_hex(16),
                "ticket_id": ticket.ticket_id,
                "channel": channel,
                "what": what,
                "payload": to_person if channel == "mail" else to_others,
                "message_id": self._message_id(ticket.ticket_id, number)
                if channel in ("mail", "team")
                else None,
                "created_at": now,
                "since": now,
                "due_at": now if channel == "mail" or what != "opened" else now + SORTED,
                "attempts": 0,
                "state": "waiting",
            }
            for channel in self._outlets.channels(what)
        ]
        if rows:
            connection.execute(insert(OUTBOX), rows)

    def _message_id(self, ticket_id: str, number: int) -> str:
        """Name a mail; what is random in it shows that an answer to it has seen it."""
        return f"<{ticket_id}.{number}.{secrets.token_hex(12)}@{self._outlets.mail_domain}>"

    def claim(self, channel: Channel, now: datetime) -> Delivery | None:
        """Take what is due, for as long as `CLAIM`; None: nothing is.

        Raises:
            DeskUnavailable: Nobody can tell.
        """
        due = _due(channel, now)
        with self._database.reading() as connection:
            if connection.scalar(select(OUTBOX.c.delivery_id).where(due).limit(1)) is None:
                return None
        with self._database.writing() as connection:
            first = select(OUTBOX).where(due).order_by(OUTBOX.c.due_at, OUTBOX.c.delivery_id)
            row = connection.execute(first.limit(1).with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            # Counted before it is tried: whoever dies meanwhile has tried.
            values = {"claimed_until": now + CLAIM, "attempts": row.attempts + 1}
            of_it = OUTBOX.c.delivery_id == row.delivery_id
            connection.execute(update(OUTBOX).where(of_it).values(values))
            return _delivery(connection, row)

    def done(self, delivery: Delivery, reference: str | None) -> None:
        """Note that something has arrived, and forget what was only needed to send it.

        Raises:
            DeskUnavailable: It is not noted, and may be sent again.
        """
        self._settle(
            delivery,
            {
                "state": "done",
                "done_at": datetime.now(UTC),
                "payload": None,
                "reference": reference,
                "last_error": None,
            },
        )

    def failed(self, delivery: Delivery, why: Undelivered, now: datetime) -> None:
        """Note that something has not arrived, and when it is tried again, if it is.

        Raises:
            DeskUnavailable: It is not noted; it is tried again when the claim has run out.
        """
        with self._database.reading() as connection:
            since = connection.scalar(
                select(OUTBOX.c.since).where(OUTBOX.c.delivery_id == delivery.delivery_id)
            )
        if since is None:
            return  # erased meanwhile
        # As long as has passed, so the times between double.
        wait = min(max(now - since, SHORTEST), LONGEST)
        wait *= random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - no secret
        due_at = now + max(wait, timedelta(seconds=why.wait_s))
        late = due_at > since + GIVES_UP and delivery.attempts >= _TRIES
        dead = why.for_good or late
        self._settle(
            delivery,
            {"state": "dead" if dead else "waiting", "due_at": due_at, "last_error": why.kind},
        )

    def _settle(self, delivery: Delivery, values: dict[str, Any]) -> None:
        # Only by whoever took it last: somebody may have taken it over from one who was slow.
        mine = (OUTBOX.c.delivery_id == delivery.delivery_id) & (
            OUTBOX.c.attempts == delivery.attempts
        )
        with self._database.writing() as connection:
            connection.execute(update(OUTBOX).where(mine).values({**values, "claimed_until": None}))

    def undone(self, by: Actor, limit: int) -> tuple[Undone, ...]:
        """What has not arrived and somebody may see: the dead first, then by when it is due.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        wanted = select(
            OUTBOX.c.delivery_id, OUTBOX.c.ticket_id, TICKETS.c.title, TICKETS.c.country,
            OUTBOX.c.channel, OUTBOX.c.what, OUTBOX.c.state, OUTBOX.c.created_at, OUTBOX.c.due_at,
            OUTBOX.c.attempts, OUTBOX.c.last_error,
        ).join_from(OUTBOX, TICKETS).where(OUTBOX.c.state != "done", _seen_by(by))  # fmt: skip
        ordered = wanted.order_by(OUTBOX.c.state, OUTBOX.c.due_at, OUTBOX.c.delivery_id)
        with self._database.reading() as connection:
            return tuple(Undone(*row) for row in connection.execute(ordered.limit(limit)).all())

    def counts(self, by: Actor) -> dict[str, int]:
        """How much waits and how much is dead, of what somebody may see.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        wanted = select(OUTBOX.c.state, func.count()).join_from(OUTBOX, TICKETS)
        with self._database.reading() as connection:
            rows = connection.execute(
                wanted.where(OUTBOX.c.state != "done", _seen_by(by)).group_by(OUTBOX.c.state)
            )
            return {"waiting": 0, "dead": 0, **dict(tuple(row) for row in rows)}

    def again(self, by: Actor, delivery_id: str) -> str:
        """Have something tried again now, and for as long as if it were new.

        Returns:
            The id of its ticket.

        Raises:
            NoSuchDelivery: It has arrived, or nobody knows it, or it is none of theirs.
            DeskUnavailable: It is not changed.
        """
        now = datetime.now(UTC)
        wanted = select(OUTBOX.c.ticket_id, OUTBOX.c.channel).join_from(OUTBOX, TICKETS)
        of_it = (OUTBOX.c.delivery_id == delivery_id) & (OUTBOX.c.state != "done")
        with self._database.writing() as connection:
            row = connection.execute(wanted.where(of_it, _seen_by(by))).first()
            if row is None:
                raise NoSuchDelivery
            values = {"state": "waiting", "since": now, "due_at": now}
            connection.execute(update(OUTBOX).where(of_it).values(values))
            record(connection, by.who, "resend", [row.ticket_id], [row.channel])
        return str(row.ticket_id)


def ticket_sent(connection: Connection, message_ids: Iterable[str]) -> str | None:
    """Return the ticket that one of some Message-IDs, of mails to a person, is about.

    Args:
        connection: Of any transaction.
        message_ids: In angle brackets, the one that counts most first.
    """
    for message_id in message_ids:
        if "\0" in message_id:
            continue  # PostgreSQL takes no such text
        wanted = select(OUTBOX.c.ticket_id).where(
            OUTBOX.c.message_id == message_id, OUTBOX.c.channel == "mail"
        )
        if found := connection.scalar(wanted):
            return str(found)
    return None


def _due(channel: Channel, now: datetime) -> ColumnElement[bool]:
    """What nobody has and is to be tried now."""
    ahead = now + _FARTHEST
    claimed = OUTBOX.c.claimed_until
    due = (
        (OUTBOX.c.state == "waiting")
        & (OUTBOX.c.channel == channel)
        & or_(OUTBOX.c.due_at <= now, OUTBOX.c.due_at > ahead)
        & or_(claimed.is_(None), claimed < now, claimed > ahead)
    )
    if channel not in _IN_ORDER:
        return due
    other = OUTBOX.alias("other")
    before = select(other.c.delivery_id).where(
        other.c.ticket_id == OUTBOX.c.ticket_id,
        other.c.channel == channel,
        other.c.state == "waiting",
        other.c.created_at < OUTBOX.c.created_at,
    )
    return due & ~before.exists()


def _delivery(connection: Connection, row: Row[tuple[Any, ...]]) -> Delivery:
    same = (OUTBOX.c.ticket_id == row.ticket_id) & (OUTBOX.c.channel == row.channel)
    sent = select(OUTBOX.c.message_id, OUTBOX.c.reference).where(
        same, OUTBOX.c.created_at < row.created_at
    )
    earlier = connection.execute(sent.order_by(OUTBOX.c.created_at)).all()
    return Delivery(
        delivery_id=row.delivery_id,
        ticket_id=row.ticket_id,
        channel=row.channel,
        what=row.what,
        payload=row.payload,
        message_id=row.message_id,
        created_at=row.created_at,
        attempts=row.attempts + 1,
        earlier=tuple(each.message_id for each in earlier if each.message_id),
        reference=next((each.reference for each in earlier if each.reference), None),
    )


def _seen_by(by: Actor) -> ColumnElement[bool]:
    if not by.countries:
        return TICKETS.c.ticket_id.is_not(None)
    return TICKETS.c.country.in_(sorted(by.countries))
