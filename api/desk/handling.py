"""What staff do with tickets: each change whole, audited, and refused if somebody was quicker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from api.desk.audit import HELPDESK, last_change
from api.desk.database import Database
from api.desk.models import (
    Actor,
    Case,
    Conflict,
    Findings,
    NoSuchTicket,
    Seen,
    State,
    Ticket,
    TicketClosed,
)
from api.desk.outbox import Outbox
from api.desk.tickets import append, case_of, locked, store


class Handling:
    """Changes tickets.

    Each change names the version that its author saw. Where the ticket is a later
    one by then nothing is changed, and `Conflict` says who was quicker; it
    gives back the text that was to be written.
    """

    def __init__(self, database: Database, outbox: Outbox):
        """Change them in a database, and have an outbox tell of it."""
        self._database = database
        self._outbox = outbox

    def assign(self, by: Actor, seen: Seen, assignee: str | None) -> Case:
        """Give a ticket to one of staff, or to nobody; a new one is open then.

        Args:
            by: Does it.
            seen: The ticket as they saw it.
            assignee: Shall have it; None: nobody.

        Raises:
            NoSuchTicket: Nobody knows it, or it is none of theirs.
            Conflict: Somebody else changed it first.
            DeskUnavailable: It is not changed.
        """
        with self._database.writing() as connection:
            ticket = _held(connection, by, seen)
            state: State = "open" if assignee and ticket.state == "new" else ticket.state
            changed = replace(ticket, assignee=assignee, state=state)
            return _stored(connection, changed, by.who, "assign", ticket)

    def reply(self, by: Actor, seen: Seen, text: str) -> Case:
        """Write to the person who asked; the first reply stops the clock, the ticket is pending.

        Raises:
            NoSuchTicket: Nobody knows it, or it is none of theirs.
            Conflict: Somebody else changed it first; holds the text.
            TicketClosed: It has to be opened again first.
            DeskUnavailable: It is not stored.
        """
        with self._database.writing() as connection:
            ticket = _held(connection, by, seen, text)
            if ticket.state == "closed":
                raise TicketClosed(text)
            number = append(connection, ticket.ticket_id, "reply", by.who, text)
            self._outbox.replied(connection, ticket, number)
            first = ticket.first_reply_at or datetime.now(UTC)
            changed = replace(ticket, state="pending", first_reply_at=first)
            store(connection, changed, by.who, "reply", ticket)
            return case_of(connection, ticket.ticket_id)

    def note(self, by: Actor, seen: Seen, text: str) -> Case:
        """Write something that only staff read.

        Raises:
            NoSuchTicket: Nobody knows it, or it is none of theirs.
            Conflict: Somebody else changed it first; holds the text.
            DeskUnavailable: It is not stored.
        """
        with self._database.writing() as connection:
            ticket = _held(connection, by, seen, text)
            append(connection, ticket.ticket_id, "note", by.who, text)
            store(connection, ticket, by.who, "note", ticket)
            return case_of(connection, ticket.ticket_id)

    def solve(self, by: Actor, seen: Seen) -> Case:
        """Say that nothing is left to do; the person may still write back.

        Raises:
            NoSuchTicket: Nobody knows it, or it is none of theirs.
            Conflict: Somebody else changed it first.
            TicketClosed: It has to be opened again first.
            DeskUnavailable: It is not changed.
        """
        with self._database.writing() as connection:
            ticket = _held(connection, by, seen)
            if ticket.state == "closed":
                raise TicketClosed
            return _stored(connection, replace(ticket, state="solved"), by.who, "solve", ticket)

    def close(self, by: Actor, seen: Seen) -> Case:
        """Close a ticket: nothing more is written to the person or by them.

        Raises:
            NoSuchTicket: Nobody knows it, or it is none of theirs.
            Conflict: Somebody else changed it first.
            DeskUnavailable: It is not changed.
        """
        with self._database.writing() as connection:
            ticket = _held(connection, by, seen)
            closed_at = ticket.closed_at or datetime.now(UTC)
            changed = replace(ticket, state="closed", closed_at=closed_at)
            return _stored(connection, changed, by.who, "close", ticket)

    def reopen(self, by: Actor, seen: Seen) -> Case:
        """Open a ticket again that was pending, solved or closed.

        Raises:
            NoSuchTicket: Nobody knows it, or it is none of theirs.
            Conflict: Somebody else changed it first.
            DeskUnavailable: It is not changed.
        """
        with self._database.writing() as connection:
            ticket = _held(connection, by, seen)
            state: State = ticket.state if ticket.state == "new" else "open"
            changed = replace(ticket, state=state, closed_at=None)
            return _stored(connection, changed, by.who, "reopen", ticket)

    def change(self, by: Actor, seen: Seen, values: Mapping[str, Any]) -> Case:
        """Set fields of a ticket.

        Args:
            by: Does it.
            seen: The ticket as they saw it.
            values: By the names of `Ticket`: title, intent, priority, group, tags, country,
                language.

        Raises:
            NoSuchTicket: Nobody knows it, or it is none of theirs.
            Conflict: Somebody else changed it first.
            DeskUnavailable: It is not changed.
        """
        with self._database.writing() as connection:
            ticket = _held(connection, by, seen)
            return _stored(connection, replace(ticket, **values), by.who, "change", ticket)

    def sort(self, ticket_id: str, found: Findings, *, once: bool = False) -> None:
        """Set what triage found of a ticket; what people have said of it stands.

        Its version stays: nobody who works on it has to be told.

        Args:
            ticket_id: Which.
            found: By triage.
            once: Leave it as it is where another process has sorted it meanwhile.

        Raises:
            NoSuchTicket: Nobody knows it.
            DeskUnavailable: It is not changed.
        """
        with self._database.writing() as connection:
            ticket = locked(connection, ticket_id)
            if ticket is None:
                raise NoSuchTicket
            if once and ticket.triage is not None:
                return
            changed = replace(
                ticket,
                triage=found.triage,
                intent=ticket.intent or found.intent,
                country=ticket.country or found.country,
                language=ticket.language or found.language,
                priority=found.priority if ticket.version == 1 else ticket.priority,
            )
            store(connection, changed, HELPDESK, "sort", ticket, version=ticket.version)


def _held(connection: Connection, by: Actor, seen: Seen, text: str = "") -> Ticket:
    """Return a ticket that nobody else changes until the transaction ends.

    Raises:
        NoSuchTicket: Nobody knows it, or it is none of theirs.
        Conflict: It is another version than was seen.
    """
    ticket = locked(connection, seen.ticket_id)
    if ticket is None or not by.sees(ticket.country):
        raise NoSuchTicket(text)
    if ticket.version != seen.version:
        last = last_change(connection, seen.ticket_id)
        who = last.who if last else None
        raise Conflict(who, ticket.updated_at, ticket.version, text)
    return ticket


def _stored(connection: Connection, changed: Ticket, who: str, action: str, before: Ticket) -> Case:
    """Store a change, if it is one, and return all that is known of the ticket."""
    if changed != before:
        store(connection, changed, who, action, before)
    return case_of(connection, before.ticket_id)
