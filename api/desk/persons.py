"""What is kept of one person: handed over to them, or erased.

A person is an e-mail address: a ticket is theirs where it was left for replies,
and with it what was written about it, its vector, the answer that it was about and
the feedback on that. Other answers and feedback are nobody's: they hold no address, no
account and no network address, and personal data in them are masked. What was done to a
ticket stays in the audit, by its number.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

from api.desk.audit import OPERATOR
from api.desk.database import Database
from api.desk.retention import Counts, deleted
from api.desk.tables import ANSWERS, DRAFTS, FEEDBACK, MESSAGES, OUTBOX, TICKET_VECTORS, TICKETS

_SECRET = ("token_sha256", "payload")
"""Columns that hold private links, or tell whether one is right."""


@dataclass(frozen=True)
class Person:
    """What is kept of one person, as it is stored."""

    tickets: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]
    """On the tickets: replies, notes of staff, and what the person wrote."""
    vectors: Sequence[Mapping[str, Any]]
    """Of the tickets, where they have one: numbers of 16 bits, in base64."""
    deliveries: Sequence[Mapping[str, Any]]
    """What was told of the tickets elsewhere, or is to be; not the token of the private link."""
    drafts: Sequence[Mapping[str, Any]]
    """Articles that were begun from the tickets."""
    answers: Sequence[Mapping[str, Any]]
    feedback: Sequence[Mapping[str, Any]]
    mentioned_in: Sequence[str]
    """Ids of tickets of others that speak of the address."""

    @property
    def counts(self) -> Counts:
        """How much it is."""
        return Counts(len(self.answers), len(self.feedback), len(self.tickets))


class Persons:
    """Finds and erases what belongs to an address."""

    def __init__(self, database: Database):
        """Look in a database."""
        self._database = database

    def find(self, address: str) -> Person:
        """Return what is kept of a person.

        Args:
            address: Their e-mail address, in small letters or capitals.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            answers, tickets = _theirs(connection, address)
            of_them = FEEDBACK.c.answer_id.in_(select(ANSWERS.c.answer_id).where(answers))
            return Person(
                tickets=_rows(connection, TICKETS, tickets),
                messages=_messages(connection, tickets),
                vectors=list(_vectors(connection, tickets)),
                deliveries=_rows(connection, OUTBOX, _about(tickets)),
                drafts=_rows(connection, DRAFTS, _made_of(tickets)),
                answers=_rows(connection, ANSWERS, answers),
                feedback=_rows(connection, FEEDBACK, of_them),
                mentioned_in=list(_mentions(connection, address)),
            )

    def erase(self, address: str) -> Counts:
        """Delete what is kept of a person, from the files of the database, too.

        Raises:
            DeskUnavailable: It may still be there.
        """
        with self._database.writing() as connection:
            gone = deleted(connection, OPERATOR, "erase", *_theirs(connection, address))
        self._database.scrub()
        return gone


def _theirs(
    connection: Connection, address: str
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Which answers and which tickets belong to an address."""
    every = connection.execute(select(TICKETS.c.ticket_id, TICKETS.c.email, TICKETS.c.answer_id))
    # Compared here: of letters beyond ASCII SQLite does not know the small ones.
    own = [row for row in every if _same(row.email, address)]
    answers = ANSWERS.c.answer_id.in_([row.answer_id for row in own if row.answer_id])
    return answers, TICKETS.c.ticket_id.in_([row.ticket_id for row in own])


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _mentions(connection: Connection, address: str) -> Iterator[str]:
    """Ids of tickets of others whose text holds an address."""
    wanted = select(
        TICKETS.c.ticket_id, TICKETS.c.email, TICKETS.c.name, TICKETS.c.title, TICKETS.c.question,
        TICKETS.c.history,
    ).order_by(TICKETS.c.created_at)  # fmt: skip
    written: dict[str, list[str]] = {}
    for ticket_id, text in connection.execute(select(MESSAGES.c.ticket_id, MESSAGES.c.text)):
        written.setdefault(ticket_id, []).append(text)
    for row in connection.execute(wanted):
        turns = (turn["text"] for turn in row.history)
        more = written.get(row.ticket_id, ())
        said = (row.name or "", row.title, row.question, *turns, *more)
        if not _same(row.email, address) and address.casefold() in "\n".join(said).casefold():
            yield row.ticket_id


def _rows(
    connection: Connection, table: Table, where: ColumnElement[bool]
) -> list[Mapping[str, Any]]:
    """Rows of a table, the oldest first; the hash of a private link tells nothing of anybody."""
    columns = [column for column in table.columns if column.name not in _SECRET]
    wanted = select(*columns).where(where).order_by(table.c.created_at)
    return [dict(row._mapping) for row in connection.execute(wanted)]


def _messages(connection: Connection, tickets: ColumnElement[bool]) -> list[Mapping[str, Any]]:
    """What was written about some tickets, in its order."""
    chosen = select(TICKETS.c.ticket_id).where(tickets)
    wanted = select(MESSAGES).where(MESSAGES.c.ticket_id.in_(chosen))
    ordered = wanted.order_by(MESSAGES.c.ticket_id, MESSAGES.c.number)
    return [dict(row._mapping) for row in connection.execute(ordered)]


def _about(tickets: ColumnElement[bool]) -> ColumnElement[bool]:
    return OUTBOX.c.ticket_id.in_(select(TICKETS.c.ticket_id).where(tickets))


def _made_of(tickets: ColumnElement[bool]) -> ColumnElement[bool]:
    return DRAFTS.c.ticket_id.in_(select(TICKETS.c.ticket_id).where(tickets))


def _vectors(connection: Connection, tickets: ColumnElement[bool]) -> Iterator[Mapping[str, Any]]:
    """Vectors of some tickets, in a form that text can hold."""
    chosen = select(TICKETS.c.ticket_id).where(tickets)
    wanted = select(TICKET_VECTORS).where(TICKET_VECTORS.c.ticket_id.in_(chosen))
    for row in connection.execute(wanted):
        yield {**row._mapping, "vector": b64encode(row.vector).decode()}
