"""What staff are told of a message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from api.desk.models import SimilarTicket
from api.schemas import AnswerOut, Reply
from rag.models import IndexInfo
from rag.personal import Kind
from rag.triage.triager import Of, Route, Triage


class ReasonOut(Reply):
    """Why something was decided."""

    of: Annotated[Of, Field(description="what was decided")]
    text: str
    quote: Annotated[
        str, Field(description="the words it rests on, personal data masked; often empty")
    ]


class IntentOut(Reply):
    """What may be asked for."""

    intent: str
    probability: float


class ContactOut(Reply):
    """The contact point of a country."""

    country: str
    name: str | None
    address: Annotated[str | None, Field(description="null: none is known")]
    source: str


class SimilarTicketOut(Reply):
    """An earlier ticket that asks much the same."""

    id: str
    state: str
    created_at: datetime
    similarity: Annotated[float, Field(description="cosine of the two questions")]


class TriageOut(Reply):
    """A message sorted, with a draft of its answer; nothing of it is kept."""

    intent: Annotated[str, Field(description="one of 16, or `out_of_scope`, or `spam`")]
    country: Annotated[str | None, Field(description="ISO 3166-1, where stated or clearly implied")]
    language: str
    priority: Literal["high", "normal", "low"]
    answerable: Annotated[bool, Field(description="whether the documents hold the answer")]
    contains_personal_data: bool
    route: Route
    reasons: list[ReasonOut]
    draft: Annotated[AnswerOut, Field(description="not remembered: it takes no feedback")]
    contact: Annotated[
        ContactOut | None, Field(description="where the route is `national_contact_point`")
    ]
    write_to: Annotated[
        str | None, Field(description="the address to pass it on to; null for spam")
    ]
    personal_data: Annotated[list[Kind], Field(description="kinds that were found")]
    intents: Annotated[list[IntentOut], Field(description="the three likeliest")]
    similar: Annotated[
        list[SimilarTicketOut] | None,
        Field(description="earlier tickets, the most alike first; null: they cannot be read now"),
    ]

    @classmethod
    def of(
        cls, triage: Triage, index: IndexInfo, similar: Sequence[SimilarTicket] | None
    ) -> TriageOut:
        """The public form of what was decided of a message."""
        return cls(
            intent=triage.intent,
            country=triage.country,
            language=triage.language,
            priority=triage.priority,
            answerable=triage.answerable,
            contains_personal_data=bool(triage.personal),
            route=triage.route,
            reasons=[
                ReasonOut(of=each.of, text=each.said, quote=each.quote) for each in triage.reasons
            ],
            draft=AnswerOut.of(triage.draft, index),
            contact=ContactOut.model_validate(triage.contact) if triage.contact else None,
            write_to=triage.write_to,
            personal_data=list(triage.personal),
            intents=[
                IntentOut(intent=each.label, probability=round(each.probability, 3))
                for each in triage.intents
            ],
            similar=None if similar is None else [_similar(each) for each in similar],
        )


def _similar(ticket: SimilarTicket) -> SimilarTicketOut:
    return SimilarTicketOut(
        id=ticket.ticket_id,
        state=ticket.state,
        created_at=ticket.created_at,
        similarity=round(ticket.similarity, 3),
    )
