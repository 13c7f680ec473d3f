"""What leaves the desk's store: plain frozen values, never a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from rag.errors import HelpdeskError
from rag.models import Turn

State = Literal["new", "open", "pending", "solved", "closed"]
"""``open``: staff have it; ``pending``: they wait for the person; ``closed``: for good."""
Priority = Literal["high", "normal", "low"]
Kind = Literal["reply", "note", "requester"]
"""Of a message: to the person, among staff, or by the person."""
Role = Literal["agent", "lead", "admin"]
"""``agent``: handles tickets; ``lead``: publishes articles, too; ``admin``: and keeps the list of
staff."""


@dataclass(frozen=True)
class Actor:
    """Who does something at the desk, and what they may see there."""

    who: str
    """As the audit keeps it: an id, never a name."""
    role: Role
    countries: frozenset[str] = frozenset()
    """Whose tickets they see, ISO 3166-1 alpha-2; empty: all, those without a country, too."""

    def sees(self, country: str | None) -> bool:
        """Whether they may know of a ticket of this country."""
        return not self.countries or country in self.countries


@dataclass(frozen=True)
class Member:
    """One of staff, as the list has them."""

    staff_id: str
    created_at: datetime
    name: str
    email: str
    """In small letters."""
    role: Role
    countries: frozenset[str]
    """See `Actor`."""
    signed_in: bool
    """Whether it is known which account of the service that signs people in is theirs."""
    left_at: datetime | None
    """From then on they do not get in."""

    @property
    def actor(self) -> Actor:
        """Them, as they do something."""
        return Actor(self.staff_id, self.role, self.countries)


@dataclass(frozen=True)
class NewTicket:
    """A conversation that somebody asked to be passed on to a person."""

    question: str
    history: tuple[Turn, ...]
    """The conversation before the question, the earliest turn first."""
    answer_id: str | None
    """The answer that was not enough; it may have been forgotten since."""
    name: str | None
    email: str
    country: str | None
    """ISO 3166-1 alpha-2."""
    language: str | None
    """ISO 639-1."""


@dataclass(frozen=True)
class Ticket(NewTicket):
    """A ticket as it is stored; the hash of its private token stays in the store."""

    ticket_id: str
    created_at: datetime
    """In UTC, as are all times here."""
    state: State
    consent_at: datetime
    """When the person agreed to what they wrote being stored and read by staff."""
    title: str
    intent: str | None
    """As triage knows them; None: nobody has sorted it."""
    priority: Priority
    group: str | None
    """Who of staff should have it, where that is not one person."""
    assignee: str | None
    tags: tuple[str, ...]
    first_reply_at: datetime | None
    updated_at: datetime
    """When anything of it was changed last."""
    closed_at: datetime | None
    version: int
    """Rises with each change by people."""
    triage: Mapping[str, Any] | None
    """Why it was sorted as it was, personal data masked."""
    cited: tuple[Mapping[str, Any], ...]
    """What the answer that was not enough cited."""


@dataclass(frozen=True)
class Listed:
    """What of a ticket the queue shows; the fields are those of `Ticket`."""

    ticket_id: str
    created_at: datetime
    updated_at: datetime
    state: State
    title: str
    name: str | None
    email: str
    country: str | None
    language: str | None
    intent: str | None
    priority: Priority
    group: str | None
    assignee: str | None
    tags: tuple[str, ...]
    first_reply_at: datetime | None
    closed_at: datetime | None
    version: int


@dataclass(frozen=True)
class Message:
    """What was written about a ticket after it was opened."""

    number: int
    """From 1 on, within its ticket."""
    kind: Kind
    author: str | None
    """Of staff; None: the person who asked."""
    created_at: datetime
    text: str


@dataclass(frozen=True)
class Event:
    """A change, as the audit has it."""

    number: int
    """From 1 on, among all changes."""
    created_at: datetime
    who: str
    action: str
    fields: tuple[str, ...]
    """Names of what was changed."""


@dataclass(frozen=True)
class Followed:
    """A ticket as the person who asked may see it."""

    ticket: Ticket
    messages: tuple[Message, ...]
    """Without notes."""


@dataclass(frozen=True)
class Case:
    """All that is known of a ticket."""

    ticket: Ticket
    messages: tuple[Message, ...]
    history: tuple[Event, ...]


@dataclass(frozen=True)
class Seen:
    """A ticket as somebody saw it before they changed it."""

    ticket_id: str
    version: int


@dataclass(frozen=True)
class Findings:
    """What triage found of a ticket."""

    intent: str
    priority: Priority
    country: str | None
    language: str
    triage: Mapping[str, Any]
    """All of it, personal data masked."""


@dataclass(frozen=True)
class Limits:
    """Which tickets a queue shows; None: whatever it is."""

    states: Sequence[State] = ()
    """One of them; none: any."""
    country: str | None = None
    nowhere: bool = False
    """Only those without a country."""
    intent: str | None = None
    priority: Priority | None = None
    assignee: str | None = None
    unassigned: bool = False
    text: str = ""
    """Words that all stand in it, each as a whole or as it begins."""


@dataclass(frozen=True)
class SimilarTicket:
    """An earlier ticket that asks much the same."""

    ticket_id: str
    state: str
    created_at: datetime
    similarity: float
    """Cosine of the two questions' vectors."""


class NoSuchTicket(HelpdeskError):
    """No ticket has this id, or the private link is another's."""

    def __init__(self, text: str = ""):
        """Give back what was to be written, if anything."""
        super().__init__("there is no such ticket")
        self.text = text


class TicketClosed(HelpdeskError):
    """The ticket is closed, and takes no messages to or from the person."""

    def __init__(self, text: str = ""):
        """Give back what was to be written."""
        super().__init__("the ticket is closed")
        self.text = text


class TooManyMessages(HelpdeskError):
    """The person has written a good deal, and nobody has replied yet."""

    def __init__(self, text: str = ""):
        """Give back what was to be written."""
        super().__init__("no more can be added before somebody replies")
        self.text = text


class Conflict(HelpdeskError):
    """Somebody else changed the ticket first."""

    def __init__(self, who: str | None, when: datetime, version: int, text: str):
        """Tell who it was.

        Args:
            who: As the audit names them; None: nobody knows.
            when: Of their last change.
            version: Of the ticket now.
            text: What was to be written, so that it is not lost.
        """
        super().__init__(
            f"{who or 'somebody'} changed this ticket at {when:%Y-%m-%d %H:%M:%S} UTC;"
            " read it again before you change it"
        )
        self.who = who
        self.when = when
        self.version = version
        self.text = text
