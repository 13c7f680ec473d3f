"""What somebody has typed into the page of a ticket, all of which comes with every button.

The page is one form: whatever is done, and whatever comes between, what was
typed beside it is there again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError

from api.desk.models import Seen, Ticket
from api.requests import MAX_MESSAGE
from api.ticket_requests import ChangesIn, WrittenIn

EDITED = ("title", "intent", "priority", "group", "tags", "country", "language")
"""Fields of a ticket that the page lets one set."""
Part = Literal["reply", "note", "edits"]
_DIGITS = 18
"""Of a number that is read."""


class Wrong(Exception):
    """What was typed cannot be taken; the message says why."""

    def __init__(self, said: str, field: str):
        """Name the field where it stands."""
        super().__init__(said)
        self.field = field


@dataclass(frozen=True)
class Typed:
    """The form of a ticket as it was sent."""

    seen: Seen
    """The ticket as the page showed it."""
    reply: str
    note: str
    edits: Mapping[str, str]
    """Fields by name that are another than the page showed."""
    last: int
    """Number of the last change that the page showed."""
    assignee: str
    """Whom a button or the list names; empty: nobody."""

    @classmethod
    def of(cls, ticket_id: str, fields: Mapping[str, Sequence[str]]) -> Typed:
        """Read a form; what is missing in it was not touched."""
        first = {name: values[0] for name, values in fields.items() if values}
        edits = {
            name: first[name]
            for name in EDITED
            if name in first and first[name] != first.get(f"was_{name}")
        }
        return cls(
            # None has the version 0: it is told as another than was seen.
            seen=Seen(ticket_id, version_of(first.get("version", ""))),
            last=version_of(first.get("last", "")),
            reply=first.get("reply", ""),
            note=first.get("note", ""),
            edits=edits,
            assignee=first.get("to", first.get("assignee", "")),
        )

    def unsent(self, draft: str) -> bool:
        """Whether anything of it would be lost; the draft that a reply begins with would not."""
        changed = self.reply.strip() not in ("", draft.strip())
        return changed or bool(self.note.strip()) or bool(self.edits)

    def without(self, used: Sequence[Part], version: int) -> Typed:
        """The same without what is done, for the ticket as it is now."""
        return replace(
            self,
            seen=replace(self.seen, version=version),
            reply="" if "reply" in used else self.reply,
            note="" if "note" in used else self.note,
            edits={} if "edits" in used else self.edits,
        )

    def texts(self) -> list[str]:
        """What is worth being given back where there is no ticket any more."""
        return [each for each in (self.reply, self.note) if each.strip()]

    def written(self, part: Literal["reply", "note"]) -> str:
        """Return the reply or the note.

        Raises:
            Wrong: It is none.
        """
        text = self.reply if part == "reply" else self.note
        try:
            return WrittenIn(version=1, text=text).text
        except ValidationError:
            if not text.strip():
                raise Wrong(f"The {part} is empty: there is nothing to send.", part) from None
            said = f"The {part} is too long: at most {MAX_MESSAGE:,} characters fit."
            if len(text) <= MAX_MESSAGE:
                said = f"The {part} holds characters that cannot be stored."
            raise Wrong(said, part) from None

    def changes(self) -> dict[str, Any]:
        """Return the fields to set, by the names of `Ticket`.

        Raises:
            Wrong: One of them cannot be.
        """
        if not self.edits:
            return {}
        values: dict[str, Any] = {name: text.strip() or None for name, text in self.edits.items()}
        if "tags" in values:
            tags = (each.strip() for each in self.edits["tags"].split(","))
            values["tags"] = [each for each in tags if each]
        try:
            return ChangesIn(version=1, **values).values()
        except ValidationError as error:
            field = str(error.errors()[0]["loc"][0])
            raise Wrong(f"This {field} cannot be set: it {_WRONG[field]}.", field) from None


_WRONG = {
    "title": "has to be one line of at most 200 characters",
    "intent": "is none of the list",
    "priority": "is none of the list",
    "group": "has to be one line of at most 200 characters",
    "tags": "has to be at most 20 words or short phrases, with commas between them",
    "country": "is none of the list",
    "language": "is none of the list",
}


def version_of(text: str) -> int:
    """Read what a hidden field counts; 0 where it was tampered with."""
    return int(text[:_DIGITS]) if text.isdecimal() else 0


def as_shown(ticket: Ticket) -> dict[str, str]:
    """The fields of a ticket as the page shows them."""
    values: dict[str, Any] = {name: getattr(ticket, name) or "" for name in EDITED}
    return {**values, "tags": ", ".join(ticket.tags)}
