"""The queue as its address has it: every view can be kept as a bookmark and sent to a colleague."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field

from api.console.people import People
from api.desk.models import Actor, Limits, Listed, Priority, State
from api.requests import Country, Line, Name, Sent
from rag.countries import COUNTRIES, country_name
from rag.messages import FALLBACK
from rag.triage.sorter import Intent

PAGE = 50
"""Tickets of a page."""
ME, NOBODY, NOWHERE = "me", "nobody", "none"
Tab = Literal["todo", "new", "open", "pending", "solved", "closed", "all"]
TABS: Mapping[Tab, tuple[str, tuple[State, ...]]] = {
    "todo": ("To do", ("new", "open")),
    "new": ("New", ("new",)),
    "open": ("Open", ("open",)),
    "pending": ("Pending", ("pending",)),
    "solved": ("Solved", ("solved",)),
    "closed": ("Closed", ("closed",)),
    "all": ("All", ("new", "open", "pending", "solved", "closed")),
}
"""What each is called, and the states that it shows."""

# A form sends what was not chosen as an empty text.
_blank = BeforeValidator(lambda value: None if value == "" else value)
_first = BeforeValidator(lambda value: value or "todo")


class Wanted(Sent):
    """Which tickets somebody wants to see."""

    state: Annotated[Tab, _first] = "todo"
    country: Annotated[Literal["none"] | Country | None, _blank] = None
    intent: Annotated[Intent | None, _blank] = None
    priority: Annotated[Priority | None, _blank] = None
    assignee: Annotated[Line | None, _blank] = None
    q: Annotated[str, Field(max_length=200)] = ""
    before: Annotated[Name | None, _blank] = None

    @property
    def narrowed(self) -> bool:
        """Whether any filter is set."""
        return bool(self.country or self.intent or self.priority or self.assignee or self.q.strip())

    def limits(self, by: Actor) -> Limits:
        """The limits as the desk knows them."""
        return Limits(
            states=TABS[self.state][1],
            country=None if self.country == NOWHERE else self.country,
            nowhere=self.country == NOWHERE,
            intent=self.intent,
            priority=self.priority,
            assignee={ME: by.who, NOBODY: None}.get(self.assignee or NOBODY, self.assignee),
            unassigned=self.assignee == NOBODY,
            text=self.q,
        )

    def query(self, **changes: str | None) -> str:
        """The query of the address for the same with changes, begun anew at the newest."""
        fields = {**self.model_dump(), "before": None, **changes}
        kept = {name: value for name, value in fields.items() if value}
        if kept.get("state") == "todo":
            del kept["state"]
        return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True)
class Choice:
    """What a filter offers."""

    value: str
    name: str


@dataclass(frozen=True)
class QueueView:
    """A page of the queue."""

    wanted: Wanted
    tickets: Sequence[Listed]
    more: bool
    """Whether older ones follow."""
    counts: Mapping[Tab, int]
    countries: Sequence[Choice]
    """Those that the reader may see."""
    people: People

    @property
    def staff(self) -> Sequence[Choice]:
        """Whose tickets one may ask for."""
        members = self.people.members
        return [Choice(each.staff_id, each.name) for each in members if not each.left_at]

    @classmethod
    def of(
        cls,
        by: Actor,
        wanted: Wanted,
        found: Sequence[Listed],
        counts: Mapping[State, int],
        people: People,
    ) -> QueueView:
        """Put a page together; `found` holds one more than is shown where more follow."""
        return cls(
            wanted=wanted,
            tickets=found[:PAGE],
            more=len(found) > PAGE,
            counts={tab: sum(counts[each] for each in states) for tab, (_, states) in TABS.items()},
            countries=countries_of(by),
            people=people,
        )


def countries_of(by: Actor) -> list[Choice]:
    """The countries that somebody may see, in the order of their names."""
    named = [Choice(code, country_name(code, FALLBACK)) for code in by.countries or COUNTRIES]
    return sorted(named, key=lambda each: each.name)
