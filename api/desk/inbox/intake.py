"""Mails made into tickets and messages, each exactly once."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api.desk.audit import HELPDESK, REQUESTER, record
from api.desk.database import Database
from api.desk.inbox.mail import Mail
from api.desk.inbox.nature import Machine
from api.desk.inbox.own_text import is_forwarded, own_text
from api.desk.models import Kind, NewTicket, Ticket, TicketClosed, TooManyMessages
from api.desk.outbox import ticket_sent
from api.desk.tables import MAILS, MESSAGES, TICKETS
from api.desk.tickets import (
    CROCKFORD,
    Tickets,
    append,
    locked,
    store,
    ticket_of,
    title_of,
    words_about,
)
from api.requests import MAX_MESSAGE, MAX_QUESTION

Became = Literal[
    "ticket", "message", "note", "nothing", "auto_reply", "bounce", "list", "loop", "spam",
    "repeat", "taken", "waits",
]  # fmt: skip
"""What became of a mail. ``note``: for staff, as of a bounce; ``repeat``: the same words are
there already; ``taken``: it had been taken before; ``waits``: its sender has written a good
deal, it is taken later."""

_NUMBER = re.compile(rf"\[(NMG-[{CROCKFORD}]{{8}})\]", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:\s*(?:re|aw|sv|antw|odp|ynt|vá|ре|απ)\s*:|\s*\[NMG-\w{8}\])+\s*", re.I)
_HOUR = timedelta(hours=1)
_REPEATED = timedelta(days=1)
"""Within it the same words of the same sender are not taken again: machines send those."""
_BEARABLE = 20
"""Tickets of one sender within an hour where no number is set: machines in a loop have an end."""
_REMEMBERED = timedelta(days=365)
"""How long it is kept that a mail became nothing."""
_ENCRYPTED = "(This mail is encrypted: it cannot be read here.)"
_EMPTY = "(This mail has no text.)"
_NAMED = 20
"""Attachments that a note names."""


@dataclass(frozen=True)
class Taken:
    """What became of a mail."""

    became: Became
    ticket: Ticket | None = None
    """A new one."""


class Intake:
    """Makes mails into what they become; keeps the table of those that were taken."""

    def __init__(self, database: Database, tickets: Tickets):
        """Keep them in a database, beside the tickets that they become."""
        self._database = database
        self._tickets = tickets

    def take(self, mail: Mail, tickets_per_hour: int) -> Taken:
        """Make of a mail what it is to be, in one transaction with the note that it was taken.

        Args:
            mail: As it was read.
            tickets_per_hour: Of one sender; 0: as many as are bearable.

        Raises:
            DeskUnavailable: It is not taken.
        """
        if mail.nature != "person":
            return self._machine(mail, mail.nature)
        with self._database.reading() as connection:
            found = _of_ticket(connection, mail)
            if _is_taken(connection, mail):
                return Taken("taken")
        try:
            if found and found.ticket.state != "closed" and found.may_write:
                return self._message(mail, found)
            return self._ticket(mail, found, tickets_per_hour)
        except (TicketClosed, TooManyMessages):
            # Nothing of it is stored. One that was closed meanwhile is seen to be so next time.
            return Taken("waits")

    def forget(self) -> None:
        """Delete the notes of mails that became nothing, long ago.

        Raises:
            DeskUnavailable: They are still there.
        """
        before = datetime.now(UTC) - _REMEMBERED
        with self._database.writing() as connection:
            old = (MAILS.c.taken_at < before) & MAILS.c.ticket_id.is_(None)
            connection.execute(delete(MAILS).where(old))

    def _machine(self, mail: Mail, nature: Machine) -> Taken:
        with self._database.writing() as connection:
            if not _noted(connection, mail, nature, None):
                return Taken("taken")
            ticket_id = ticket_sent(connection, mail.reported) if mail.status else None
            ticket = locked(connection, ticket_id) if ticket_id else None
            if ticket is None:
                return Taken(nature)
            told = f"A mail to the requester came back: {mail.status}."
            if _is_told(connection, ticket, "note", told):
                return Taken("repeat")
            append(connection, ticket.ticket_id, "note", HELPDESK, told)
            _became(connection, mail, "note", ticket.ticket_id)
            store(connection, ticket, HELPDESK, "note", ticket)
        return Taken("note")

    def _message(self, mail: Mail, found: _Found) -> Taken:
        text = _words(mail, answers=True) or _EMPTY
        with self._database.writing() as connection:
            ticket = locked(connection, found.ticket.ticket_id)
            if ticket is None:
                return Taken("waits")  # erased meanwhile
            if not _noted(connection, mail, "message", ticket.ticket_id):
                return Taken("taken")
            if _can_repeat(mail) and _is_told(connection, ticket, "requester", text[:MAX_MESSAGE]):
                _became(connection, mail, "repeat", ticket.ticket_id)
                return Taken("repeat")
            for note in _notes(mail, text, MAX_MESSAGE, found):
                append(connection, ticket.ticket_id, "note", HELPDESK, note)
            self._tickets.add(connection, ticket, text[:MAX_MESSAGE])
        return Taken("message")

    def _ticket(self, mail: Mail, found: _Found | None, tickets_per_hour: int) -> Taken:
        text = _words(mail, answers=found is not None)
        if not (text or mail.attachments or mail.encrypted):
            with self._database.writing() as connection:
                _noted(connection, mail, "nothing", None)
            return Taken("nothing")
        question = (text or _EMPTY)[:MAX_QUESTION]
        asked = NewTicket(
            question=question,
            history=(),
            answer_id=None,
            name=mail.name,
            email=mail.sender,
            country=None,
            language=None,
        )
        title = title_of(_PREFIX.sub("", mail.subject) or question)
        words = words_about(asked, title)
        with self._database.writing() as connection:
            if not _noted(connection, mail, "ticket", None):
                return Taken("taken")
            earlier = _earlier(connection, mail.sender)
            if _can_repeat(mail) and any(
                each.question == question and each.title == title for each in earlier
            ):
                _became(connection, mail, "repeat", None)
                return Taken("repeat")
            since = datetime.now(UTC) - _HOUR
            lately = sum(each.created_at > since for each in earlier)
            if lately >= (tickets_per_hour or _BEARABLE):
                raise TooManyMessages
            ticket, _ = self._tickets.begin(
                connection, asked, title, words, mail.message_id or None
            )
            for note in _notes(mail, text, MAX_QUESTION, found):
                append(connection, ticket.ticket_id, "note", HELPDESK, note)
            _became(connection, mail, "ticket", ticket.ticket_id)
            record(connection, REQUESTER, "open", [ticket.ticket_id], ["state"])
        return Taken("ticket", ticket)


@dataclass(frozen=True)
class _Found:
    """The ticket that a mail is about."""

    ticket: Ticket
    own: bool
    """It is the sender's."""
    may_write: bool
    """It is, or they answer a mail that only its owner was sent."""


def _of_ticket(connection: Connection, mail: Mail) -> _Found | None:
    """The ticket that a mail answers; None: none.

    Whoever names one of our Message-IDs was shown the mail, as nobody can guess one; a number
    and the ids of other people's mails can be guessed, so these count for the owner only.
    """

    def by(ticket_id: str | None) -> Ticket | None:
        row = connection.execute(select(TICKETS).where(TICKETS.c.ticket_id == ticket_id)).first()
        return ticket_of(row) if row else None

    def is_own(ticket: Ticket) -> bool:
        return ticket.email.casefold() == mail.sender.casefold()

    if sent := by(ticket_sent(connection, mail.references)):
        return _Found(sent, own=is_own(sent), may_write=True)
    number = _NUMBER.search(mail.subject)
    if named := by(number[1].upper() if number else None):
        return _Found(named, own=is_own(named), may_write=is_own(named))
    hashed = [_hash(each) for each in mail.references]
    answered = select(MAILS.c.ticket_id).where(MAILS.c.message_sha256.in_(hashed))
    known = answered.where(MAILS.c.ticket_id.is_not(None)).order_by(MAILS.c.taken_at.desc())
    before = by(connection.scalar(known.limit(1)))
    # Whoever answers a mail of somebody else is not to be told that it is a ticket.
    return _Found(before, own=True, may_write=True) if before and is_own(before) else None


def _words(mail: Mail, *, answers: bool) -> str:
    """What somebody wrote; the subject where there is nothing else."""
    if mail.encrypted:
        return _ENCRYPTED
    whole = is_forwarded(mail.subject)
    text = mail.text if whole else own_text(mail.text, answers=answers)
    return text.strip() or _PREFIX.sub("", mail.subject).strip()


def _notes(mail: Mail, text: str, most: int, found: _Found | None) -> list[str]:
    """What staff have to know of a mail beside its text."""
    notes = []
    if found and not found.own and found.may_write and found.ticket.state != "closed":
        notes.append(f"The next message came from {mail.sender}, not from the ticket's address.")
    elif found and not found.own:
        notes.append(
            f"This mail names {found.ticket.ticket_id}, a ticket of another address: nothing was"
            " added there."
        )
    elif found and found.ticket.state == "closed":
        notes.append(f"This mail answers {found.ticket.ticket_id}, which is closed.")
    if mail.answer_to:
        notes.append(f"The sender asks for answers to {mail.answer_to}.")
    if len(text) > most:
        notes.append(
            f"The text was cut: {most} of {len(text)} characters are here, the whole is in the"
            " mailbox."
        )
    if mail.encrypted:
        notes.append("The mail is encrypted. Ask for it without encryption.")
    if mail.attachments:
        notes.append(_attached(mail))
    return notes


def _attached(mail: Mail) -> str:
    named = [
        f"- {each.name} ({each.media_type}{_size(each.size)})" for each in mail.attachments[:_NAMED]
    ]
    if len(mail.attachments) > _NAMED:
        named.append(f"- and {len(mail.attachments) - _NAMED} more")
    return "\n".join(["Attached, and not kept here; they are in the mailbox:", *named])


def _size(size: int | None) -> str:
    if size is None:
        return ""
    return f", {size / 1_000_000:.1f} MB" if size >= 100_000 else f", {max(1, size // 1000)} kB"


def _noted(connection: Connection, mail: Mail, became: str, ticket_id: str | None) -> bool:
    """Note that a mail is taken; whether nobody had taken it before.

    Who takes the same mail meanwhile waits here until this transaction ends.
    """
    engine = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {
        "mail_sha256": mail.sha256,
        "taken_at": datetime.now(UTC),
        "became": became,
        "message_sha256": _hash(mail.message_id) if mail.message_id else None,
        "ticket_id": ticket_id,
    }
    # What it returns tells, on both engines: PostgreSQL's driver does not count the rows.
    put = engine.insert(MAILS).values(row).on_conflict_do_nothing()
    return connection.scalar(put.returning(MAILS.c.mail_sha256)) is not None


def _became(connection: Connection, mail: Mail, became: str, ticket_id: str | None) -> None:
    of_it = MAILS.c.mail_sha256 == mail.sha256
    connection.execute(update(MAILS).where(of_it).values(became=became, ticket_id=ticket_id))


def _is_taken(connection: Connection, mail: Mail) -> bool:
    of_it = MAILS.c.mail_sha256 == mail.sha256
    return connection.scalar(select(func.count()).where(of_it)) == 1


def _can_repeat(mail: Mail) -> bool:
    """Whether the words of a mail are all of it: only then the same words are the same mail."""
    return bool(mail.text) and not mail.attachments and not mail.encrypted


def _is_told(connection: Connection, ticket: Ticket, kind: Kind, text: str) -> bool:
    """Whether a ticket's last day has these very words already, since staff last replied.

    To another reply the same words are another answer.
    """
    of_it = MESSAGES.c.ticket_id == ticket.ticket_id
    replied = select(func.max(MESSAGES.c.number)).where(of_it, MESSAGES.c.kind == "reply")
    same = (
        of_it
        & (MESSAGES.c.kind == kind)
        & (MESSAGES.c.text == text)
        & (MESSAGES.c.created_at > datetime.now(UTC) - _REPEATED)
        & (MESSAGES.c.number > func.coalesce(replied.scalar_subquery(), 0))
    )
    return bool(connection.scalar(select(func.count()).where(same)))


def _earlier(connection: Connection, sender: str) -> list[Row[Any, Any, Any, Any]]:
    """Tickets of a sender of the last day."""
    wanted = select(TICKETS.c.email, TICKETS.c.created_at, TICKETS.c.title, TICKETS.c.question)
    since = datetime.now(UTC) - _REPEATED
    lately = connection.execute(wanted.where(TICKETS.c.created_at > since))
    # Compared here: of letters beyond ASCII SQLite does not know the small ones.
    return [row for row in lately if row.email.casefold() == sender.casefold()]


def _hash(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()
