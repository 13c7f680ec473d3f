"""Figures of the desk over some weeks: what was asked, how soon it was replied to, what helped.

A ticket counts in the week in which it was opened, whatever became of it since, and an answer
in the week in which it was given, whenever it was rated: so each query reads the rows of its
time by their index, and no others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Column, ColumnElement, Connection, Label, Table, case, func, select

from api.desk.database import Database
from api.desk.models import State
from api.desk.tables import ANSWERS, FEEDBACK, TICKETS

_WEEK = timedelta(days=7)
_HOUR = timedelta(hours=1)
_WAITING: tuple[State, ...] = ("new", "open")
"""A ticket without a reply is one of these until it is finished."""
_FINISHED: tuple[State, ...] = ("solved", "closed")


@dataclass(frozen=True)
class Part:
    """How many there are of a kind."""

    kind: str | None
    """As it is stored; None: it is not known."""
    count: int


@dataclass(frozen=True)
class Week:
    """Seven days; the last week ends with the time that was asked for."""

    starts: datetime
    opened: int
    """Tickets."""
    finished: int
    """Those of them that are solved or closed by now."""
    asked: int | None
    """Answers; None: the week was over before the first that is still remembered."""
    rated: int
    """Answers with feedback."""
    helpful: int
    """Those of them that were."""

    @property
    def helpful_share(self) -> float | None:
        """Of the answers with feedback; None: there are none."""
        return _share(self.helpful, self.rated)


@dataclass(frozen=True)
class FirstReplies:
    """How soon people heard from somebody."""

    replied: int
    """Tickets with a reply."""
    median_h: float | None
    ninetieth_h: float | None
    """The hours within which nine of ten of them had it."""
    within_day: float | None
    """A share of the tickets opened a day or more before the end, finished ones without a reply
    left out."""
    within_three_days: float | None
    """As `within_day`."""
    finished_without: int
    """Tickets that ended without a reply."""
    waiting: int
    """Tickets that still wait for it, whenever they were opened."""
    oldest_waiting: datetime | None
    """When the first of those was opened."""


@dataclass(frozen=True)
class Answers:
    """What the helpdesk answered by itself."""

    known_since: datetime | None
    """Of the earliest answer that is remembered, wherever it went; None: there is none."""
    asked: int
    answered: int
    abstained: tuple[Part, ...]
    """By reason."""
    without_person: int
    """Answered, and no ticket came of it."""
    rated: int
    helpful: int

    @property
    def answered_share(self) -> float | None:
        """Of the questions; None: there are none."""
        return _share(self.answered, self.asked)

    @property
    def without_person_share(self) -> float | None:
        """Of the questions that were answered; None: there are none."""
        return _share(self.without_person, self.answered)

    @property
    def helpful_share(self) -> float | None:
        """Of the answers with feedback; None: there are none."""
        return _share(self.helpful, self.rated)


@dataclass(frozen=True)
class DeskFigures:
    """All of them, for one window of time."""

    since: datetime
    until: datetime
    opened: int
    """Tickets; these are what the next five count, the most frequent first."""
    states: tuple[Part, ...]
    """As they are now."""
    intents: tuple[Part, ...]
    countries: tuple[Part, ...]
    languages: tuple[Part, ...]
    priorities: tuple[Part, ...]
    weeks: tuple[Week, ...]
    first_replies: FirstReplies
    answers: Answers


class Figures:
    """Counts what a database holds."""

    def __init__(self, database: Database):
        """Read it there."""
        self._database = database

    def read(self, countries: frozenset[str], since: datetime, until: datetime) -> DeskFigures:
        """Count the tickets and the answers of a window of time.

        Args:
            countries: Whose, ISO 3166-1 alpha-2; empty: all, those without a country included.
            since: The first moment.
            until: The moment behind the last.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        window = _Window(countries, since, until)
        with self._database.reading() as connection:
            opened = _opened(connection, window)
            given = _given(connection, window)
            answers = _answers(connection, window, given)
            return DeskFigures(
                since=since,
                until=until,
                opened=sum(opened.values()),
                states=_parts((state, count) for (_, state), count in opened.items()),
                intents=_by(connection, window, TICKETS.c.intent),
                countries=_by(connection, window, TICKETS.c.country),
                languages=_by(connection, window, TICKETS.c.language),
                priorities=_by(connection, window, TICKETS.c.priority),
                weeks=_weeks(window, opened, given, answers.known_since),
                first_replies=_first_replies(connection, window),
                answers=answers,
            )


def first_monday(now: datetime, weeks: int) -> datetime:
    """Return the Monday, 0:00 UTC, that calendar weeks begin with, the running one the last."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday()) - (weeks - 1) * _WEEK


@dataclass(frozen=True)
class _Window:
    """Which rows are counted."""

    countries: frozenset[str]
    since: datetime
    until: datetime

    def starts(self) -> Sequence[datetime]:
        """When its weeks begin."""
        weeks = max(math.ceil((self.until - self.since) / _WEEK), 1)
        return [self.since + number * _WEEK for number in range(weeks)]

    def rows(self, table: Table) -> Sequence[ColumnElement[bool]]:
        """What holds for a row of a table that counts."""
        created = table.c.created_at
        return (created >= self.since, created < self.until, *self.anytime(table))

    def anytime(self, table: Table) -> Sequence[ColumnElement[bool]]:
        """What holds for one, were it of another time."""
        return [table.c.country.in_(sorted(self.countries))] if self.countries else []

    def week(self, table: Table) -> Label[int]:
        """The number of a row's week, from 0 on.

        To be grouped by its name: PostgreSQL takes the same expression with other parameters
        for another.
        """
        ends = ((start + _WEEK, number) for number, start in enumerate(self.starts()))
        return case(*((table.c.created_at < end, number) for end, number in ends)).label("week")


@dataclass(frozen=True)
class _Given:
    """How many answers there are of one week, outcome and rating."""

    week: int
    status: str
    reason: str | None
    helpful: bool | None
    count: int


@dataclass(frozen=True)
class _Clock:
    """What is known of a ticket's first reply."""

    opened: datetime
    replied: datetime | None
    state: State

    @property
    def replied_after(self) -> timedelta | None:
        return self.replied - self.opened if self.replied else None

    @property
    def finished_without(self) -> bool:
        return self.replied is None and self.state in _FINISHED


def _opened(connection: Connection, window: _Window) -> Mapping[tuple[int, State], int]:
    """How many tickets there are of each week and state."""
    counted = select(window.week(TICKETS), TICKETS.c.state, func.count())
    wanted = counted.where(*window.rows(TICKETS)).group_by("week", TICKETS.c.state)
    return {(week, state): count for week, state, count in connection.execute(wanted)}


def _by(connection: Connection, window: _Window, column: Column[Any]) -> tuple[Part, ...]:
    """How many tickets there are of each value of a column."""
    counted = select(column, func.count()).where(*window.rows(TICKETS)).group_by(column)
    return _parts((kind, count) for kind, count in connection.execute(counted))


def _given(connection: Connection, window: _Window) -> Sequence[_Given]:
    counted = select(
        window.week(ANSWERS), ANSWERS.c.status, ANSWERS.c.reason, FEEDBACK.c.helpful, func.count()
    ).select_from(ANSWERS.outerjoin(FEEDBACK))
    wanted = counted.where(*window.rows(ANSWERS)).group_by(
        "week", ANSWERS.c.status, ANSWERS.c.reason, FEEDBACK.c.helpful
    )
    return [_Given(*row) for row in connection.execute(wanted)]


def _answers(connection: Connection, window: _Window, given: Sequence[_Given]) -> Answers:
    # A ticket is opened after the answer that was not enough, wherever its person comes from.
    named = select(TICKETS.c.answer_id).where(
        TICKETS.c.created_at >= window.since, TICKETS.c.answer_id.is_not(None)
    )
    alone = select(func.count()).where(
        *window.rows(ANSWERS), ANSWERS.c.status == "answered", ANSWERS.c.answer_id.not_in(named)
    )
    return Answers(
        known_since=connection.scalar(select(func.min(ANSWERS.c.created_at))),
        asked=sum(each.count for each in given),
        answered=sum(each.count for each in given if each.status == "answered"),
        abstained=_parts((each.reason, each.count) for each in given if each.status == "abstained"),
        without_person=connection.execute(alone).scalar_one(),
        rated=sum(each.count for each in given if each.helpful is not None),
        helpful=sum(each.count for each in given if each.helpful),
    )


def _weeks(
    window: _Window,
    opened: Mapping[tuple[int, State], int],
    given: Sequence[_Given],
    known_since: datetime | None,
) -> tuple[Week, ...]:
    weeks = []
    for number, starts in enumerate(window.starts()):
        states = {state: count for (week, state), count in opened.items() if week == number}
        of_week = [each for each in given if each.week == number]
        known = known_since is not None and known_since < starts + _WEEK
        weeks.append(
            Week(
                starts=starts,
                opened=sum(states.values()),
                finished=sum(states.get(state, 0) for state in _FINISHED),
                asked=sum(each.count for each in of_week) if known else None,
                rated=sum(each.count for each in of_week if each.helpful is not None),
                helpful=sum(each.count for each in of_week if each.helpful),
            )
        )
    return tuple(weeks)


def _first_replies(connection: Connection, window: _Window) -> FirstReplies:
    clock = select(TICKETS.c.created_at, TICKETS.c.first_reply_at, TICKETS.c.state)
    tickets = [_Clock(*row) for row in connection.execute(clock.where(*window.rows(TICKETS)))]
    hours = [each.replied_after / _HOUR for each in tickets if each.replied_after is not None]
    median, ninetieth = np.quantile(hours, (0.5, 0.9)).tolist() if hours else (None, None)
    # Few, however long the table is: found by their state.
    waiting = select(func.count(), func.min(TICKETS.c.created_at)).where(
        TICKETS.c.state.in_(_WAITING),
        TICKETS.c.first_reply_at.is_(None),
        TICKETS.c.created_at < window.until,
        *window.anytime(TICKETS),
    )
    count, oldest = connection.execute(waiting).one()
    return FirstReplies(
        replied=len(hours),
        median_h=median,
        ninetieth_h=ninetieth,
        within_day=_within(timedelta(days=1), tickets, window.until),
        within_three_days=_within(timedelta(days=3), tickets, window.until),
        finished_without=sum(each.finished_without for each in tickets),
        waiting=count,
        oldest_waiting=oldest,
    )


def _within(limit: timedelta, tickets: Sequence[_Clock], now: datetime) -> float | None:
    """Which share of the tickets that are old enough to tell was replied to in time."""
    due = [
        each.replied_after is not None and each.replied_after <= limit
        for each in tickets
        if each.opened <= now - limit and not each.finished_without
    ]
    return _share(sum(due), len(due))


def _parts(counted: Iterable[tuple[str | None, int]]) -> tuple[Part, ...]:
    """Put kinds in order, those that there are most of first."""
    counts: Counter[str | None] = Counter()
    for kind, count in counted:
        counts[kind] += count
    found = (Part(kind, count) for kind, count in counts.items())
    return tuple(sorted(found, key=lambda part: (-part.count, part.kind or "")))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
