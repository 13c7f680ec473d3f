"""What leaves the desk's store: plain frozen values, never a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rag.models import Turn


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
    state: str
    consent_at: datetime
    """When the person agreed to what they wrote being stored and read by staff."""
