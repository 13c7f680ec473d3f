"""Tickets: questions passed on to a person, each followed by a private link."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from api.desk.audit import REQUESTER, history, record
from api.desk.database import Database
from api.desk.models import (
    Actor,
    Case,
    Followed,
    Kind,
    Message,
    NewTicket,
    NoSuchTicket,
    State,
    Ticket,
    TicketClosed,
    TooManyMessages,
)
from api.desk.outbox import Outbox
from api.desk.tables import ANSWERS, DRAFTS, MESSAGES, TICKETS
from api.desk.words import add_words, first_words, note_words
from rag.models import Turn

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base 32 without letters that are taken for figures (https://www.crockford.com/base32.html)."""
_NOBODY = hashlib.sha256(secrets.token_bytes()).hexdigest()
"""What a token is compared with where there is no ticket: it fits none."""
_TITLE = 100
"""Characters of a question that make the title of its ticket."""


MOST_UNANSWERED = 20
"""Messages that a person may add to their ticket before somebody replies."""


class Tickets:
    """The table of tickets, for the people who ask and for whoever reads one."""

    def __init__(self, database: Database, outbox: Outbox):
        """Keep them in a database, and have an outbox tell of them."""
        self._database = database
        self._outbox = outbox

    def open(self, asked: NewTicket, in_reply_to: str | None = None) -> tuple[Ticket, str]:
        """Store a ticket of somebody who has just agreed to that.

        Args:
            asked: What they want to know, and who they are.
            in_reply_to: Message-ID of the mail that they asked by; None: it was no mail.

        Returns:
            The ticket, and the token of its private link, of which only the hash is kept.

        Raises:
            DeskUnavailable: It is not stored.
        """
        # Before the turn to write: the history may be long.
        title = title_of(asked.question)
        words = words_about(asked, title)
        with self._database.writing() as connection:
            ticket, token = self.begin(connection, asked, title, words, in_reply_to)
            record(connection, REQUESTER, "open", [ticket.ticket_id], ["state"])
        return ticket, token

    def begin(
        self,
        connection: Connection,
        asked: NewTicket,
        title: str,
        words: Iterable[str],
        in_reply_to: str | None,
    ) -> tuple[Ticket, str]:
        """Store a ticket as a part of more; whoever has it stored records that at the end.

        Args:
            connection: Of the transaction that writes all of it.
            asked: See `open`.
            title: Of the ticket.
            words: That it is found by, besides its number.
            in_reply_to: See `open`.

        Returns:
            As `open` does.
        """
        now = datetime.now(UTC)
        ticket_id = "NMG-" + "".join(secrets.choice(CROCKFORD) for _ in range(8))
        token = secrets.token_urlsafe(32)
        ticket = Ticket(
            **vars(asked),
            ticket_id=ticket_id,
            created_at=now,
            state="new",
            consent_at=now,
            title=title,
            intent=None,
            priority="normal",
            group=None,
            assignee=None,
            tags=(),
            first_reply_at=None,
            updated_at=now,
            closed_at=None,
            version=1,
            triage=None,
            cited=_cited(connection, asked.answer_id),
        )
        row = {**asdict(ticket), "token_sha256": _hash(token)}
        connection.execute(insert(TICKETS).values(row))
        add_words(connection, ticket_id, dict.fromkeys([*first_words([ticket_id]), *words]))
        self._outbox.opened(connection, ticket, token, in_reply_to)
        return ticket, token

    def follow(self, ticket_id: str, token: str) -> Followed | None:
        """Return the ticket that a private link leads to, as the person who asked may see it.

        None for an unknown id as for a wrong token, in the same time, so that
        nobody learns which tickets there are.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            ticket = _admitted(connection, ticket_id, token)
            if ticket is None:
                return None
            said = messages_of(connection, ticket_id)
        return Followed(ticket, tuple(each for each in said if each.kind != "note"))

    def write_back(self, ticket_id: str, token: str, text: str) -> Followed:
        """Add what the person who asked has to say; the ticket is open again if it was answered.

        Returns:
            The ticket as `follow` does.

        Raises:
            NoSuchTicket: The link leads nowhere.
            TicketClosed: Nothing can be added.
            TooManyMessages: Nothing can be added before somebody replies.
            DeskUnavailable: It is not stored.
        """
        with self._database.writing() as connection:
            ticket = _admitted(connection, ticket_id, token, lock=True)
            if ticket is None:
                raise NoSuchTicket(text)
            changed = self.add(connection, ticket, text)
            said = messages_of(connection, ticket_id)
        return Followed(changed, tuple(each for each in said if each.kind != "note"))

    def add(self, connection: Connection, ticket: Ticket, text: str) -> Ticket:
        """Add what the person who asked has to say to a ticket that is locked, and record it.

        Args:
            connection: Of a transaction that changes nothing after this.
            ticket: As it is.
            text: Theirs.

        Returns:
            The ticket as it is then.

        Raises:
            TicketClosed: Nothing can be added.
            TooManyMessages: Nothing can be added before somebody replies.
        """
        if ticket.state == "closed":
            raise TicketClosed(text)
        if _unanswered(connection, ticket.ticket_id) >= MOST_UNANSWERED:
            raise TooManyMessages(text)
        number = append(connection, ticket.ticket_id, "requester", None, text)
        self._outbox.written(connection, ticket, number)
        state: State = "open" if ticket.state in ("pending", "solved") else ticket.state
        return store(connection, replace(ticket, state=state), REQUESTER, "write", ticket)

    def read(self, by: Actor, ticket_id: str) -> Case:
        """Return all that is known of a ticket.

        Raises:
            NoSuchTicket: Nobody knows it, or it is none of theirs.
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            found = case_of(connection, ticket_id)
        if not by.sees(found.ticket.country):
            raise NoSuchTicket
        return found


def words_about(asked: NewTicket, title: str) -> list[str]:
    """Return the words that a new ticket is found by, besides its number."""
    said = (turn.text for turn in asked.history if turn.role == "user")
    return first_words((title, asked.question, asked.name or "", asked.email, *said))


def title_of(question: str) -> str:
    """Return how a question begins, in one line."""
    line = " ".join(question.split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1].rstrip() + "…"


def ticket_of(row: Row[tuple[object, ...]]) -> Ticket:
    """Return the ticket that a row holds."""
    fields = dict(row._mapping)
    del fields["token_sha256"]
    fields["history"] = tuple(Turn(**turn) for turn in fields["history"])
    fields["tags"] = tuple(fields["tags"])
    fields["cited"] = tuple(fields["cited"])
    return Ticket(**fields)


def locked(connection: Connection, ticket_id: str) -> Ticket | None:
    """Return a ticket that nobody else changes until the transaction ends."""
    row = _row(connection, ticket_id, lock=True)
    return ticket_of(row) if row else None


def case_of(connection: Connection, ticket_id: str) -> Case:
    """Return all that is known of a ticket.

    Raises:
        NoSuchTicket: Nobody knows it.
    """
    row = _row(connection, ticket_id)
    if row is None:
        raise NoSuchTicket
    said, done = messages_of(connection, ticket_id), history(connection, ticket_id)
    return Case(ticket_of(row), said, done)


def messages_of(connection: Connection, ticket_id: str) -> tuple[Message, ...]:
    """Return what was written about a ticket, the earliest first."""
    wanted = select(
        MESSAGES.c.number, MESSAGES.c.kind, MESSAGES.c.author, MESSAGES.c.created_at,
        MESSAGES.c.text,
    ).where(MESSAGES.c.ticket_id == ticket_id)  # fmt: skip
    return tuple(
        Message(*row) for row in connection.execute(wanted.order_by(MESSAGES.c.number)).all()
    )


def append(
    connection: Connection, ticket_id: str, kind: Kind, author: str | None, text: str
) -> int:
    """Add a message to a ticket that is locked, and return its number."""
    of_it = MESSAGES.c.ticket_id == ticket_id
    last = connection.scalar(select(func.max(MESSAGES.c.number)).where(of_it)) or 0
    connection.execute(
        insert(MESSAGES).values(
            ticket_id=ticket_id,
            number=last + 1,
            kind=kind,
            author=author,
            created_at=datetime.now(UTC),
            text=text,
        )
    )
    add_words(connection, ticket_id, first_words([text]))
    return last + 1


def _unanswered(connection: Connection, ticket_id: str) -> int:
    """How many messages the person who asked has written since the last reply."""
    of_it = MESSAGES.c.ticket_id == ticket_id
    replied = select(func.max(MESSAGES.c.number)).where(of_it, MESSAGES.c.kind == "reply")
    return (
        connection.scalar(
            select(func.count()).where(
                of_it,
                MESSAGES.c.kind == "requester",
                MESSAGES.c.number > func.coalesce(replied.scalar_subquery(), 0),
            )
        )
        or 0
    )


def store(
    connection: Connection,
    changed: Ticket,
    who: str,
    action: str,
    before: Ticket,
    version: int | None = None,
) -> Ticket:
    """Store a change of a ticket that is locked, with its words and the audit.

    Args:
        connection: Of a transaction that writes.
        changed: As it is now; its version and the time of its last change are set here.
        who: Changed it.
        action: One word.
        before: As it was.
        version: Of the ticket then; None: the next one.

    Returns:
        The ticket as it is stored.
    """
    was, now = asdict(before), asdict(changed)
    values: dict[str, Any] = {name: now[name] for name in now if now[name] != was[name]}
    # Messages are no field of a ticket; that one came is told by the action.
    fields = list(values)
    values |= {"version": version or before.version + 1, "updated_at": datetime.now(UTC)}
    of_it = TICKETS.c.ticket_id == before.ticket_id
    connection.execute(update(TICKETS).where(of_it).values(values))
    if "country" in fields:
        # Who may not see the ticket any more is not to see what was made of it.
        of_drafts = DRAFTS.c.ticket_id == before.ticket_id
        connection.execute(update(DRAFTS).where(of_drafts).values(country=changed.country))
    if "title" in fields:
        note_words(connection, before.ticket_id)
    record(connection, who, action, [before.ticket_id], fields)
    return replace(changed, version=values["version"], updated_at=values["updated_at"])


def _row(
    connection: Connection, ticket_id: str, *, lock: bool = False
) -> Row[tuple[object, ...]] | None:
    # PostgreSQL takes no such text, not even to look for it.
    if "\0" in ticket_id:
        return None
    wanted = select(TICKETS).where(TICKETS.c.ticket_id == ticket_id)
    return connection.execute(wanted.with_for_update() if lock else wanted).first()


def _admitted(
    connection: Connection, ticket_id: str, token: str, *, lock: bool = False
) -> Ticket | None:
    """Return the ticket that a private link leads to; None where it leads nowhere."""
    row = _row(connection, ticket_id, lock=lock)
    fits = hmac.compare_digest(_hash(token), row.token_sha256 if row else _NOBODY)
    return ticket_of(row) if row and fits else None


def _cited(connection: Connection, answer_id: str | None) -> tuple[dict[str, Any], ...]:
    """What an answer cited, as long as it is remembered."""
    wanted = select(ANSWERS.c.cited).where(ANSWERS.c.answer_id == answer_id)
    return tuple(connection.scalar(wanted) or ())


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
