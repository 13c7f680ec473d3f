"""What staff may ask about tickets, and who opened one: the public contract of requests."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from api.desk.models import Limits, Priority, State
from api.requests import Anyone, Country, Language, Line, Message, Name, Sent, Text
from rag.triage.sorter import Intent


def _number(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("must be a whole number")
    return value


Tag = Annotated[Line, Field(max_length=50)]
Version = Annotated[
    int,
    Field(ge=1, description="of the ticket as it was read; if it is another by now: 409"),
    BeforeValidator(_number),
]


class TicketsIn(Sent):
    """Which tickets to list."""

    state: Annotated[tuple[State, ...], Field(max_length=5, description="any of them")] = ()
    country: Country | None = None
    nowhere: Annotated[bool, Field(description="only those without a country")] = False
    intent: Intent | None = None
    priority: Priority | None = None
    assignee: Line | None = None
    unassigned: Annotated[bool, Field(description="only those that nobody has")] = False
    q: Annotated[
        str, Field(max_length=200, description="words that are all in it, as whole or begun")
    ] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[
        Name | None, Field(description="id of a ticket: only older ones; `next` of the page before")
    ] = None

    def to_limits(self) -> Limits:
        """The limits as the desk knows them."""
        return Limits(
            states=self.state,
            country=self.country,
            nowhere=self.nowhere,
            intent=self.intent,
            priority=self.priority,
            assignee=self.assignee,
            unassigned=self.unassigned,
            text=self.q,
        )


class SeenIn(Sent):
    """A change that needs no words."""

    version: Version


class AssignIn(SeenIn):
    """Whose a ticket shall be."""

    assignee: Annotated[Anyone, Field(description="null: nobody's")]


class WrittenIn(SeenIn):
    """A reply or a note."""

    text: Message


class ChangesIn(SeenIn):
    """Fields of a ticket that shall be set; those that are left out stay."""

    # The version, and something to set.
    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 2})

    title: Line = ""
    intent: Intent | None = None
    priority: Priority = "normal"
    group: Anyone = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=20)] = ()
    country: Country | None = None
    language: Language | None = None

    @model_validator(mode="after")
    def _any(self) -> Self:
        if self.model_fields_set <= {"version"}:
            raise ValueError("must name a field to set")
        return self

    def values(self) -> dict[str, Any]:
        """What is set, by the names of a ticket's fields."""
        named = {name: getattr(self, name) for name in self.model_fields_set - {"version"}}
        if "tags" in named:
            named["tags"] = tuple(dict.fromkeys(named["tags"]))
        return named


class AddedIn(Sent):
    """What the person who asked has to add."""

    text: Text
