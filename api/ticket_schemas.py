"""What is replied about tickets: the public contract of replies."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from api.desk.models import Case, Followed, Kind, Priority, State, Ticket
from api.schemas import ProblemOut, Reply


class ReceivedOut(Reply):
    """A message of a ticket as the person who asked sees it."""

    by: Literal["helpdesk", "requester"]
    created_at: datetime
    text: str


class TicketOut(Reply):
    """A ticket as the person who asked sees it."""

    id: str
    state: Annotated[
        State,
        Field(
            description="`pending`: the helpdesk has replied and waits; `closed`: nothing can be"
            " added any more"
        ),
    ]
    created_at: Annotated[datetime, Field(description="in UTC")]
    question: str
    country: str | None
    language: str | None
    messages: Annotated[list[ReceivedOut], Field(description="the earliest first")]

    @classmethod
    def of(cls, followed: Followed) -> TicketOut:
        """The form that shows nothing of who the person is, and nothing of who staff are."""
        ticket = followed.ticket
        return cls(
            id=ticket.ticket_id,
            state=ticket.state,
            created_at=ticket.created_at,
            question=ticket.question,
            country=ticket.country,
            language=ticket.language,
            messages=[
                ReceivedOut(
                    by="helpdesk" if each.kind == "reply" else "requester",
                    created_at=each.created_at,
                    text=each.text,
                )
                for each in followed.messages
            ],
        )


class OpenedTicketOut(Reply):
    """A ticket that has just been opened."""

    ticket: TicketOut
    link: Annotated[
        str,
        Field(description="the private page of the ticket; whoever has the link can follow it"),
    ]


class TicketTurnOut(Reply):
    """A turn of the conversation that was handed over."""

    role: Literal["user", "assistant"]
    text: str


class ListedOut(Reply):
    """A ticket as staff see it among others."""

    id: Annotated[str, Field(validation_alias=AliasChoices("id", "ticket_id"))]
    state: State
    created_at: datetime
    name: str | None
    email: str
    country: str | None
    language: str | None
    title: str
    intent: Annotated[str | None, Field(description="null: not sorted")]
    priority: Priority
    group: str | None
    assignee: Annotated[str | None, Field(description="id of one of staff, or any name")]
    tags: list[str]
    first_reply_at: datetime | None
    updated_at: datetime
    closed_at: datetime | None
    version: Annotated[int, Field(description="goes with every change")]


class MessageOut(Reply):
    """A message of a ticket as staff see it."""

    number: int
    kind: Annotated[Kind, Field(description="`note`: among staff")]
    author: Annotated[str | None, Field(description="null: the person who asked")]
    created_at: datetime
    text: str


class EventOut(Reply):
    """A change of a ticket."""

    number: Annotated[int, Field(description="among all changes of all tickets")]
    created_at: datetime
    who: str
    action: str
    fields: Annotated[list[str], Field(description="names of what was changed")]


class CaseOut(ListedOut):
    """A ticket with all that is known of it."""

    question: str
    history: list[TicketTurnOut]
    answer_id: str | None
    consent_at: datetime
    triage: Annotated[
        dict[str, Any] | None,
        Field(description="why it was sorted as it was, personal data masked"),
    ]
    cited: Annotated[
        list[dict[str, Any]], Field(description="what the answer that was not enough cited")
    ]
    messages: Annotated[list[MessageOut], Field(description="the earliest first")]
    audit: Annotated[list[EventOut], Field(description="its changes, the earliest first")]

    @classmethod
    def of_case(cls, case: Case) -> CaseOut:
        """The public form of a ticket with its messages and changes."""
        return cls(
            **_fields(case.ticket),
            messages=[MessageOut.model_validate(each) for each in case.messages],
            audit=[EventOut.model_validate(each) for each in case.history],
        )


class TicketsOut(Reply):
    """Tickets, the newest first."""

    tickets: list[ListedOut]
    next: Annotated[
        str | None, Field(description="`before` of the next page; null: it is the last")
    ]
    counts: Annotated[dict[State, int], Field(description="by state, whichever states are listed")]


class ConflictOut(ProblemOut):
    """A change that was not made, as somebody else was quicker or the ticket is closed."""

    who: Annotated[str | None, Field(description="changed it last")] = None
    when: datetime | None = None
    version: Annotated[int | None, Field(description="of the ticket now")] = None
    text: Annotated[str | None, Field(description="what was to be written")] = None


def _fields(ticket: Ticket) -> dict[str, Any]:
    fields: dict[str, Any] = asdict(ticket)
    fields["id"] = fields.pop("ticket_id")
    return fields
