"""Tickets: questions passed on to a person, each followed by a private link."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Row, insert, select, tuple_

from api.desk.database import Database
from api.desk.models import NewTicket, Ticket
from api.desk.tables import TICKETS
from rag.models import Turn

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base 32 without letters that are taken for figures (https://www.crockford.com/base32.html)."""
_NOBODY = hashlib.sha256(secrets.token_bytes()).hexdigest()
"""What a token is compared with where there is no ticket: it fits none."""


class Tickets:
    """The table of tickets."""

    def __init__(self, database: Database):
        """Keep them in a database."""
        self._database = database

    def open(self, asked: NewTicket) -> tuple[Ticket, str]:
        """Store a ticket of somebody who has just agreed to that.

        Returns:
            The ticket, and the token of its private link, of which only the hash is kept.

        Raises:
            DeskUnavailable: It is not stored.
        """
        now = datetime.now(UTC)
        ticket = Ticket(
            **vars(asked),
            ticket_id="NMG-" + "".join(secrets.choice(_CROCKFORD) for _ in range(8)),
            created_at=now,
            state="new",
            consent_at=now,
        )
        token = secrets.token_urlsafe(32)
        with self._database.writing() as connection:
            connection.execute(insert(TICKETS).values(**asdict(ticket), token_sha256=_hash(token)))
        return ticket, token

    def follow(self, ticket_id: str, token: str) -> Ticket | None:
        """Return the ticket that a private link leads to.

        None for an unknown id as for a wrong token, in the same time, so that
        nobody learns which tickets there are.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                select(TICKETS).where(TICKETS.c.ticket_id == ticket_id)
            ).first()
        fits = hmac.compare_digest(_hash(token), row.token_sha256 if row else _NOBODY)
        return _ticket(row) if row and fits else None

    def latest(self, limit: int, before: str | None) -> Sequence[Ticket]:
        """Return tickets, the newest first.

        Args:
            limit: How many at most.
            before: Id of a ticket: those that are older; None: from the newest on. None are
                older than one that nobody knows.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        order = tuple_(TICKETS.c.created_at, TICKETS.c.ticket_id)
        wanted = (
            select(TICKETS)
            .order_by(TICKETS.c.created_at.desc(), TICKETS.c.ticket_id.desc())
            .limit(limit)
        )
        if before is not None:
            last = select(TICKETS.c.created_at, TICKETS.c.ticket_id)
            wanted = wanted.where(
                order < last.where(TICKETS.c.ticket_id == before).scalar_subquery()
            )
        with self._database.reading() as connection:
            return [_ticket(row) for row in connection.execute(wanted)]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _ticket(row: Row[tuple[object, ...]]) -> Ticket:
    fields = dict(row._mapping)
    del fields["token_sha256"]
    fields["history"] = tuple(Turn(**turn) for turn in fields["history"])
    return Ticket(**fields)
