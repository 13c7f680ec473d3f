"""How many tickets there are in each state, and what has not been sent: figures for operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import func, select

from api.desk.database import Database, DeskUnavailable
from api.desk.models import State
from api.desk.tables import OUTBOX, TICKETS


@dataclass(frozen=True)
class Tally:
    """What the desk holds now."""

    tickets: Mapping[State, int]
    """Of each state, those included that no ticket has."""
    oldest_new: datetime | None
    """When the first ticket was opened that nobody has looked at."""
    waiting: int
    """Messages that are on their way."""
    dead: int
    """Messages that are not tried any more."""
    oldest_waiting: datetime | None
    """When the first of those on their way was written."""


def read_tally(database: Database) -> Tally:
    """Count what a database holds.

    Raises:
        DeskUnavailable: It cannot be read.
    """
    # A file that was removed can be read as long as it is open, and nothing be written.
    if database.file and not database.file.exists():
        raise DeskUnavailable(why="its file has gone")
    by_state = select(TICKETS.c.state, func.count(), func.min(TICKETS.c.created_at))
    undone = select(OUTBOX.c.state, func.count(), func.min(OUTBOX.c.created_at))
    with database.reading() as connection:
        tickets = {
            row[0]: (row[1], row[2])
            for row in connection.execute(by_state.group_by(TICKETS.c.state))
        }
        wanted = undone.where(OUTBOX.c.state != "done").group_by(OUTBOX.c.state)
        outbox = {row[0]: (row[1], row[2]) for row in connection.execute(wanted)}
    none = (0, None)
    return Tally(
        tickets={state: tickets.get(state, none)[0] for state in get_args(State)},
        oldest_new=tickets.get("new", none)[1],
        waiting=outbox.get("waiting", none)[0],
        dead=outbox.get("dead", none)[0],
        oldest_waiting=outbox.get("waiting", none)[1],
    )
