"""The mails that the helpdesk writes: to the person who asked, and to its own people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, Policy
from email.utils import format_datetime
from urllib.parse import quote

from email_validator import EmailNotValidError, validate_email

from api.desk.delivery.models import Delivery, Undelivered
from api.desk.models import Case, Ticket
from rag.countries import country_name
from rag.messages import FALLBACK, Messages

HEADER = "X-Helpdesk-Ticket"
"""In every mail of ours, so that one that comes back is known."""
AUTOMATIC = ("Auto-Submitted", "auto-generated")
"""In mails that nobody wrote, so that machines do not answer (RFC 3834)."""
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")
"""Printable characters of ASCII between angle brackets."""
_MOST_REFERENCES = 10


class _MessageIds(UnstructuredHeader, BaseHeader):
    """Message-IDs, one in a line: encoded words, as which long ones are written else, are none."""

    def fold(self, *, policy: Policy) -> str:
        """See `BaseHeader`."""
        lines = f"{policy.linesep} ".join(self.split())
        return f"{self.name}: {lines}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("Message-ID", "In-Reply-To", "References"):
    _HEADERS.map_to_type(_name, _MessageIds)


@dataclass(frozen=True)
class Sender:
    """Who mails are from."""

    name: str
    address: str
    reply_to: str
    """Mailbox whose mails become messages of tickets; empty: there is none."""
    team: str
    """Where the helpdesk's own people read; empty: nowhere."""

    @property
    def domain(self) -> str:
        """What comes after the @."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True)
class Mail:
    """A message, and whom it goes to."""

    message: EmailMessage
    recipient: str


class Mails:
    """Writes them; the same delivery is the same mail while its ticket stays as it is."""

    def __init__(self, texts: Messages, sender: Sender, site: str):
        """Write in the languages of some texts.

        Args:
            texts: Of `corpus/messages/mail`.
            sender: Whom they are from.
            site: Where people reach the helpdesk.
        """
        self.sender = sender
        self._texts = texts
        self._site = site

    def write(self, delivery: Delivery, case: Case) -> Mail:
        """Write the mail of a delivery.

        Raises:
            Undelivered: The person's address is none that mail can be sent to.
        """
        if delivery.channel == "team":
            return self._mail(delivery, self.sender.team, *self._to_team(delivery, case.ticket))
        if delivery.what == "opened":
            words = self._received(delivery, case.ticket)
        else:
            words = self._reply(delivery, case)
        return self._mail(delivery, case.ticket.email, *words)

    def _received(self, delivery: Delivery, ticket: Ticket) -> tuple[str, str]:
        """Subject and text that confirm a question.

        Nothing of the question: anybody may have written it, with the address of somebody else.
        """
        language, token = ticket.language or FALLBACK, quote(delivery.payload["token"])
        link = f"{self._site}/tickets/{ticket.ticket_id}?token={token}"
        said = self._texts.say
        text = "\n\n".join(
            (
                said(language, "received", id=ticket.ticket_id),
                f"{said(language, 'link')}\n{link}",
                said(language, "not_you"),
                f"{self.sender.name}\n{self._site}",
            )
        )
        return said(language, "received_subject"), text

    def _reply(self, delivery: Delivery, case: Case) -> tuple[str, str]:
        ticket, number = case.ticket, delivery.payload["number"]
        language, said = ticket.language or FALLBACK, self._texts.say
        reply = next(each for each in case.messages if each.number == number)
        back = "answer_by_mail" if self.sender.reply_to else "answer_by_link"
        about = said(language, "about", id=ticket.ticket_id, title=_line(ticket.title))
        text = f"{reply.text}\n\n-- \n{about}\n{said(language, back)}\n{self.sender.name}"
        return _line(ticket.title), text

    def _to_team(self, delivery: Delivery, ticket: Ticket) -> tuple[str, str]:
        """Subject and text for the team: nothing of what the person wrote, nor who they are."""
        happened = "New question" if delivery.what == "opened" else "The person wrote back"
        facts = (
            ("Country", country_name(ticket.country, FALLBACK) if ticket.country else "not known"),
            ("About", (ticket.intent or "not sorted").replace("_", " ")),
            ("Priority", ticket.priority),
        )
        told = "\n".join(f"{name}: {value}" for name, value in facts)
        return happened, f"{told}\n\n{self._site}/desk/tickets/{ticket.ticket_id}\n"

    def _mail(self, delivery: Delivery, recipient: str, subject: str, text: str) -> Mail:
        address = _reachable(recipient)
        # Whatever stands in a header, it cannot begin another one: the policy refuses line ends.
        policy = (SMTP if address.isascii() else SMTPUTF8).clone(
            cte_type="7bit", header_factory=_HEADERS
        )
        message = EmailMessage(policy=policy)
        message["From"] = _header(self.sender.address, self.sender.name)
        message["To"] = _header(address)
        if self.sender.reply_to and delivery.channel == "mail":
            message["Reply-To"] = _header(self.sender.reply_to)
        message["Subject"] = f"[{delivery.ticket_id}] {subject}"
        message["Date"] = format_datetime(delivery.created_at)
        message["Message-ID"] = delivery.message_id
        if thread := _thread(delivery):
            message["In-Reply-To"] = thread[-1]
            message["References"] = " ".join(thread)
        if delivery.what == "opened" or delivery.channel == "team":
            message[AUTOMATIC[0]] = AUTOMATIC[1]
        message[HEADER] = delivery.ticket_id
        message.set_content(text)
        return Mail(message, address)


def _thread(delivery: Delivery) -> Sequence[str]:
    """Message-IDs of the mails that one belongs to, the earliest first."""
    began = delivery.payload.get("in_reply_to")
    named = [began] if began and _MESSAGE_ID.fullmatch(began) else []
    named += delivery.earlier
    return named if len(named) <= _MOST_REFERENCES else [named[0], *named[1 - _MOST_REFERENCES :]]


def _reachable(address: str) -> str:
    """Return an address in ASCII, if it can be written so.

    Raises:
        Undelivered: It is none.
    """
    try:
        checked = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        raise Undelivered("no address", for_good=True) from None
    return checked.ascii_email or checked.normalized


def _header(address: str, name: str = "") -> Address:
    user, _, domain = address.rpartition("@")
    return Address(name, user, domain)


def _line(text: str) -> str:
    """Return a text as one line of characters that can be seen."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
