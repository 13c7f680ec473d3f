"""How long what people wrote is kept, and that nothing is left of it then."""

from __future__ import annotations

import logging
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, false, func, select, update

from api.desk.audit import HELPDESK, record
from api.desk.clock import JUMP, Clock
from api.desk.database import Database, owe_scrub
from api.desk.tables import ANSWERS, DRAFTS, FEEDBACK, TICKETS

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counts:
    """How many rows."""

    answers: int
    feedback: int
    tickets: int

    def __bool__(self) -> bool:
        """Whether there is any."""
        return any(astuple(self))

    def __str__(self) -> str:
        """``answers 2, feedback 1, tickets 0``."""
        return f"answers {self.answers}, feedback {self.feedback}, tickets {self.tickets}"


@dataclass(frozen=True)
class Kept:
    """What the database holds."""

    rows: Counts
    expired: Counts
    """Those of them that should not be there any more."""
    oldest_answer: datetime | None
    """In UTC; None where there is none."""
    oldest_ticket: datetime | None


class Retention:
    """Deletes what has expired, and tells what is there."""

    def __init__(self, database: Database, conversation_days: int, ticket_days: int):
        """Keep for a number of days.

        Args:
            database: Where all is kept.
            conversation_days: For answers, and the feedback on them, from when they were given.
            ticket_days: For tickets, from when they were closed, or else changed last; 0: until
                somebody erases them.
        """
        self._database = database
        self._conversation_days = conversation_days
        self._ticket_days = ticket_days
        self.clock = Clock(database.data_dir)

    def forget(self) -> Counts:
        """Delete what has expired, from the files of the database, too.

        Nothing while the clock is in doubt, see `api.desk.clock`.

        Returns:
            What was deleted.

        Raises:
            DeskUnavailable: It may still be there.
        """
        if until := self.clock.look(datetime.now(UTC)):
            _LOG.warning(
                "the clock has jumped ahead, or this was off: nothing expires before %s; to do it"
                " at once if the clock is right: python -m api.desk forget --clock-is-right",
                f"{until:%Y-%m-%d %H:%M} UTC",
            )
            return Counts(0, 0, 0)
        with self._database.writing() as connection:
            gone = deleted(connection, HELPDESK, "expire", *self._expired())
        # Whoever deleted last may have been killed before it had scrubbed.
        if self._database.scrub_owed():
            self._database.scrub()
        return gone

    def redate(self) -> Counts:
        """Have what is dated in the future expire as if it were of now.

        A clock that was ahead has dated it; it would be kept until that time has come, and longer.

        Returns:
            How much it was.

        Raises:
            DeskUnavailable: It is dated as it was.
        """
        now = datetime.now(UTC)
        answers, tickets = _of_the_future(now)
        with self._database.writing() as connection:
            found = counted(connection, answers, tickets)
            connection.execute(update(ANSWERS).where(answers).values(created_at=now))
            closed = TICKETS.c.closed_at > now + JUMP
            connection.execute(update(TICKETS).where(closed).values(closed_at=now))
            changed = TICKETS.c.updated_at > now + JUMP
            connection.execute(update(TICKETS).where(changed).values(updated_at=now))
        return found

    def of_the_future(self) -> Counts:
        """Count what is dated in the future.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            return counted(connection, *_of_the_future(datetime.now(UTC)))

    def kept(self) -> Kept:
        """Tell what is there.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            return Kept(
                rows=counted(connection, ANSWERS.c.answer_id.is_not(None), _EVERY_TICKET),
                expired=counted(connection, *self._expired()),
                oldest_answer=connection.scalar(select(func.min(ANSWERS.c.created_at))),
                oldest_ticket=connection.scalar(select(func.min(TICKETS.c.created_at))),
            )

    def _expired(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """Which answers and which tickets have expired."""
        now = datetime.now(UTC)
        answers = ANSWERS.c.created_at < now - timedelta(days=self._conversation_days)
        if not self._ticket_days:
            return answers, false()
        ended = func.coalesce(TICKETS.c.closed_at, TICKETS.c.updated_at)
        return answers, ended < now - timedelta(days=self._ticket_days)


def _of_the_future(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Which answers and tickets are dated later than clocks that are right may differ."""
    ended = func.coalesce(TICKETS.c.closed_at, TICKETS.c.updated_at)
    return ANSWERS.c.created_at > now + JUMP, ended > now + JUMP


_EVERY_TICKET = TICKETS.c.ticket_id.is_not(None)


def counted(
    connection: Connection, answers: ColumnElement[bool], tickets: ColumnElement[bool]
) -> Counts:
    """Count some answers with the feedback on them, and some tickets."""
    chosen = select(ANSWERS.c.answer_id).where(answers)
    of_them = FEEDBACK.c.answer_id.in_(chosen)
    wanted = ((ANSWERS, answers), (FEEDBACK, of_them), (TICKETS, tickets))
    return Counts(
        *(
            connection.execute(select(func.count()).select_from(table).where(where)).scalar_one()
            for table, where in wanted
        )
    )


def deleted(
    connection: Connection,
    who: str,
    action: str,
    answers: ColumnElement[bool],
    tickets: ColumnElement[bool],
) -> Counts:
    """Delete some answers with their feedback, and some tickets with all that belongs to them.

    Args:
        connection: Of a transaction that writes; behind it the database has to be scrubbed.
        who: Deletes them, as the audit names it.
        action: One word for why.
        answers: Which answers.
        tickets: Which tickets.
    """
    gone = counted(connection, answers, tickets)
    if gone:
        owe_scrub(connection)
    connection.execute(delete(ANSWERS).where(answers))
    ids = list(connection.scalars(delete(TICKETS).where(tickets).returning(TICKETS.c.ticket_id)))
    if ids:
        # Of what was written from them only what is, or may be, public stays; no ticket is told.
        of_them = DRAFTS.c.ticket_id.in_(ids)
        connection.execute(delete(DRAFTS).where(of_them, DRAFTS.c.article_id.is_(None)))
        connection.execute(update(DRAFTS).where(of_them).values(ticket_id=None))
        record(connection, who, action, ids, ())
    return gone
