"""A ticket as staff see it: what was asked and said, what triage found, what they are typing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from api.console.people import People
from api.console.queue import Choice
from api.console.reply_text import place
from api.console.typed import Typed, as_shown
from api.desk.models import Case, Event, Ticket
from api.triage_schemas import TriageOut
from rag.countries import COUNTRIES, country_name
from rag.language import LANGUAGES
from rag.messages import FALLBACK, language_name

_LIKELY = 0.15
"""How probable a second intent must be to be shown."""
_WRITTEN = ("reply", "note", "write")
"""Actions that add a message."""
_DID = {
    "open": "opened the ticket",
    "sort": "sorted it",
    "assign": "changed who has it",
    "reply": "replied",
    "note": "added a note",
    "write": "wrote a message",
    "solve": "solved it",
    "close": "closed it",
    "reopen": "opened it again",
    "resend": "had it sent again",
}


def readable(ticket: Ticket) -> Ticket:
    """A ticket as not sorted where another version of the helpdesk has sorted it otherwise."""
    if ticket.triage is None:
        return ticket
    try:
        # Similar tickets are not stored.
        TriageOut.model_validate({**ticket.triage, "similar": None})
    except ValidationError:
        return replace(ticket, triage=None)
    return ticket


@dataclass(frozen=True)
class Trouble:
    """Why something was not done."""

    said: str
    field: str = ""
    """Name of the field that is wrong."""
    since: Sequence[Event] = ()
    """What changed since the page was shown."""


@dataclass(frozen=True)
class Evidence:
    """A passage that carries the draft, or the answer that was not enough."""

    marker: int
    place: str
    quote: str
    url: str | None
    label: str | None


@dataclass(frozen=True)
class TicketView:
    """The page of a ticket."""

    case: Case
    people: People
    draft: str
    """The reply to begin with."""
    typed: Typed | None
    """What was typed before, where the page is shown again."""
    trouble: Trouble | None
    similar: Sequence[Ticket]
    titles: Mapping[str, str]
    """Of documents, by id."""

    @property
    def ticket(self) -> Ticket:
        """The ticket itself."""
        return self.case.ticket

    @property
    def reply(self) -> str:
        """What stands in the editor of the reply; a draft only until somebody has replied."""
        if self.typed:
            return self.typed.reply
        return "" if self.ticket.first_reply_at or self.ticket.state == "closed" else self.draft

    @property
    def note(self) -> str:
        """What stands in the editor of the note."""
        return self.typed.note if self.typed else ""

    @property
    def was(self) -> Mapping[str, str]:
        """The fields as they are."""
        return as_shown(self.ticket)

    @property
    def shown(self) -> Mapping[str, str]:
        """The fields as they stand in the form."""
        return {**self.was, **(self.typed.edits if self.typed else {})}

    @property
    def unsent(self) -> bool:
        """Whether something stands there that is not stored."""
        return self.typed is not None and self.typed.unsent(self.draft)

    @property
    def new_messages(self) -> int:
        """How many messages came since the page was shown before; they are the last ones."""
        since = self.trouble.since if self.trouble else ()
        return sum(each.action in _WRITTEN for each in since)

    @property
    def foreign(self) -> str | None:
        """The language that the draft begins in, where the person wrote in another."""
        draft = self.ticket.triage["draft"] if self.ticket.triage else {}
        said = draft.get("statements")
        language = said[0]["language"] if said else None
        return language if self.ticket.language not in (None, language) else None

    @property
    def second(self) -> Mapping[str, Any] | None:
        """Another intent that it may be, with its probability."""
        found = self.ticket.triage["intents"][1:2] if self.ticket.triage else []
        return found[0] if found and found[0]["probability"] >= _LIKELY else None

    @property
    def evidence(self) -> Sequence[tuple[str, Sequence[Evidence]]]:
        """What the draft rests on, and what the answer that was not enough did."""
        drafted = self.ticket.triage["draft"]["citations"] if self.ticket.triage else ()
        parts = (("Of the draft", drafted), ("Of the answer before", self.ticket.cited))
        return [(name, [self._evidence(each) for each in found]) for name, found in parts if found]

    def _evidence(self, citation: Mapping[str, Any]) -> Evidence:
        titled = {"title": self.titles.get(citation["document_id"]), **citation}
        return Evidence(
            marker=citation["marker"],
            place=place(titled),
            quote=citation.get("quote", ""),
            url=citation["url"],
            label=citation["label"],
        )

    def did(self, event: Event) -> str:
        """What an event was, in words."""
        if event.action == "change":
            return f"changed {', '.join(event.fields)}"
        return _DID.get(event.action, event.action)

    @property
    def assignees(self) -> Sequence[Choice]:
        """Who may have the ticket, and who has it."""
        found = [
            Choice(each.staff_id, each.name) for each in self.people.who_see(self.ticket.country)
        ]
        held = self.ticket.assignee
        if held and held not in {each.value for each in found}:
            found.append(Choice(held, self.people.name(held)))
        return found

    @property
    def countries(self) -> Sequence[Choice]:
        """All of them: a ticket may be another country's."""
        named = [Choice(code, country_name(code, FALLBACK)) for code in COUNTRIES]
        return sorted(named, key=lambda each: each.name)

    @property
    def languages(self) -> Sequence[Choice]:
        """Those of the texts, and that of the ticket."""
        codes = dict.fromkeys([*LANGUAGES, *filter(None, [self.ticket.language])])
        named = [Choice(code, language_name(code, FALLBACK)) for code in codes]
        return sorted(named, key=lambda each: each.name)
