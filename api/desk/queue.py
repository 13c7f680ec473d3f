"""The queue: tickets page by page, limited to what somebody looks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_

from api.desk.database import Database
from api.desk.models import Actor, Limits, Listed, State
from api.desk.tables import TICKETS
from api.desk.words import matching

_SHOWN = [TICKETS.c[each.name] for each in fields(Listed)]


class Queue:
    """Reads the table of tickets."""

    def __init__(self, database: Database):
        """Read it in a database."""
        self._database = database

    def page(self, by: Actor, limits: Limits, count: int, before: str | None) -> Sequence[Listed]:
        """Return tickets that somebody may see, the newest first.

        Args:
            by: Sees them.
            limits: Which ones.
            count: How many at most.
            before: Id of a ticket: those that are older; None: from the newest on. None are
                older than one that nobody knows, or that is none of theirs.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        with self._database.reading() as connection:
            after = None
            if before is not None:
                key = select(TICKETS.c.created_at, TICKETS.c.ticket_id).where(*_theirs(by))
                after = connection.execute(key.where(TICKETS.c.ticket_id == before)).first()
                if after is None:
                    return ()
            wanted = page_of(by, limits, count, (after[0], after[1]) if after else None)
            return [_listed(row) for row in connection.execute(wanted)]

    def counts(self, by: Actor, limits: Limits) -> Mapping[State, int]:
        """Tell how many tickets somebody may see of each state, whatever states the limits name.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        with self._database.reading() as connection:
            found = {row[0]: row[1] for row in connection.execute(counts_of(by, limits))}
        return {state: found.get(state, 0) for state in get_args(State)}

    def unsorted(self, count: int) -> Sequence[str]:
        """Return ids of new tickets that nobody has sorted, the newest first.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        newest = TICKETS.c.created_at.desc(), TICKETS.c.ticket_id.desc()
        wanted = select(TICKETS.c.ticket_id).where(
            TICKETS.c.state == "new", TICKETS.c.triage.is_(None)
        )
        with self._database.reading() as connection:
            return connection.scalars(wanted.order_by(*newest).limit(count)).all()


def page_of(
    by: Actor, limits: Limits, count: int, before: tuple[datetime, str] | None
) -> Select[Any]:
    """The query for a page; `before` is the time and the id of the ticket that it goes on from."""
    order = tuple_(TICKETS.c.created_at, TICKETS.c.ticket_id)
    wanted = select(TICKETS.c.ticket_id).where(*_conditions(by, limits))
    if limits.states:
        wanted = wanted.where(TICKETS.c.state.in_(limits.states))
    if before is not None:
        wanted = wanted.where(order < before)
    newest = TICKETS.c.created_at.desc(), TICKETS.c.ticket_id.desc()
    # Where many have to be sorted, only their ids are.
    chosen = wanted.order_by(*newest).limit(count).subquery()
    of_them = TICKETS.c.ticket_id == chosen.c.ticket_id
    return select(*_SHOWN).join(chosen, of_them).order_by(*newest)


def counts_of(by: Actor, limits: Limits) -> Select[Any]:
    """The query for how many tickets there are of each state."""
    counted = select(TICKETS.c.state, func.count()).where(*_conditions(by, limits))
    return counted.group_by(TICKETS.c.state)


def _conditions(by: Actor, limits: Limits) -> list[ColumnElement[bool]]:
    """What a ticket has to be, its state aside."""
    equal = (
        (TICKETS.c.country, limits.country),
        (TICKETS.c.intent, limits.intent),
        (TICKETS.c.priority, limits.priority),
        (TICKETS.c.assignee, limits.assignee),
    )
    found = [column == value for column, value in equal if value is not None]
    if limits.unassigned:
        found.append(TICKETS.c.assignee.is_(None))
    if limits.nowhere:
        found.append(TICKETS.c.country.is_(None))
    return [*found, *_theirs(by), *matching(limits.text)]


def _theirs(by: Actor) -> list[ColumnElement[bool]]:
    """What a ticket has to be for somebody to see it."""
    return [TICKETS.c.country.in_(sorted(by.countries))] if by.countries else []


def _listed(row: Row[Any]) -> Listed:
    values = dict(row._mapping)
    return Listed(**{**values, "tags": tuple(values["tags"])})
