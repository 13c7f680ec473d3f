"""How often clients called of late, counted over all processes and hosts.

No address is stored: rows are found by a hash of it under a key that is drawn anew each day and
deleted after it, and go themselves when they count no more (docs/operators/privacy.md).
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from api.desk.database import Database
from api.desk.tables import CALL_KEYS, CALLS

_DAY_S = 86_400
_PARTS = 12
"""Into so many a window is divided: a call leaves it up to a twelfth of it late."""
_FORGET_EVERY_S = 60.0
EVERYBODY = ""
"""All clients together."""


@dataclass(frozen=True)
class Allowance:
    """How much is allowed of something."""

    what: str
    """One word; calls of one word are counted together."""
    most: int
    window_s: int
    """In which; a day is a day of UTC, anything shorter moves with the time, and begins anew with
    the day, as whose calls they were is not known any more then."""
    of: str
    """The client's address, or `EVERYBODY`."""

    @property
    def part_s(self) -> int:
        """Seconds that are counted in one row."""
        return self.window_s if self.window_s == _DAY_S else self.window_s // _PARTS

    def counted_from(self, now: float) -> int:
        """Beginning of the first row that still counts."""
        current = int(now) // self.part_s * self.part_s
        return current if self.window_s == _DAY_S else current - self.window_s

    def wait_s(self, rows: Sequence[tuple[int, int]], now: float) -> int:
        """Seconds until one more is allowed; 0: it is.

        Args:
            rows: Beginning and count of those that count, the earliest first; this call included.
            now: In seconds since 1970.
        """
        over = sum(count for _, count in rows) - self.most
        for since, count in rows:
            if over <= 0:
                break
            over -= count
            if over <= 0:
                return max(1, math.ceil(self.counts_until(since) - now))
        return 0

    def counts_until(self, since: int) -> int:
        """When a row counts no more: with its day at the latest, whose key goes then.

        Args:
            since: Its beginning.
        """
        return min(since + self.part_s + self.window_s, (since // _DAY_S + 1) * _DAY_S)


class _TooMany(Exception):
    """One is used up: nothing is counted of the call."""

    def __init__(self, wait_s: int):
        self.wait_s = wait_s


class Calls:
    """The table of them."""

    def __init__(self, database: Database):
        """Count in a database."""
        self._database = database
        self._key: tuple[str, bytes] | None = None
        self._forget_at = 0.0

    def hit(self, allowances: Sequence[Allowance]) -> int | None:
        """Count a call towards some allowances, or towards none if one is used up.

        Args:
            allowances: Always in the same order, as processes wait for one another's rows.

        Returns:
            Seconds after which it may be tried again; None: it is allowed.

        Raises:
            DeskUnavailable: It is not counted.
        """
        now = time.time()
        key = self._key_of(now)
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET_EVERY_S
            self.forget()
        try:
            with self._database.writing(durable=False) as connection:
                for each in allowances:
                    if wait_s := _counted(connection, each, _hmac(key, each.of), now):
                        raise _TooMany(wait_s)
        except _TooMany as error:
            return error.wait_s
        return None

    def forget(self) -> None:
        """Delete what counts no more.

        Raises:
            DeskUnavailable: It is still there.
        """
        now = time.time()
        with self._database.writing(durable=False) as connection:
            # A clock may have been set back: what is far ahead counts no more either.
            gone = (CALLS.c.until <= now) | (CALLS.c.since > now + _DAY_S)
            connection.execute(delete(CALLS).where(gone))
            # Where the clock of another host is ahead, it counts by tomorrow's already.
            kept = (_day(now), _day(now + _DAY_S))
            connection.execute(delete(CALL_KEYS).where(CALL_KEYS.c.day.not_in(kept)))

    def _key_of(self, now: float) -> bytes:
        day = _day(now)
        known = self._key
        if known is None or known[0] != day:
            with self._database.writing() as connection:
                made = {"day": day, "key": secrets.token_bytes(32)}
                connection.execute(
                    _insert(connection, CALL_KEYS).values(made).on_conflict_do_nothing()
                )
                wanted = select(CALL_KEYS.c.key).where(CALL_KEYS.c.day == day)
                known = (day, bytes(connection.execute(wanted).scalar_one()))
            self._key = known
        return known[1]


def _counted(connection: Connection, allowance: Allowance, client: str, now: float) -> int:
    """Count one; returns the seconds to wait if it is one too many."""
    since = int(now) // allowance.part_s * allowance.part_s
    row = {
        "what": allowance.what, "client_hmac": client, "since": since,
        "until": allowance.counts_until(since), "count": 1,
    }  # fmt: skip
    one_more = _insert(connection, CALLS).values(row)
    connection.execute(
        one_more.on_conflict_do_update(
            index_elements=list(CALLS.primary_key.columns), set_={"count": CALLS.c.count + 1}
        )
    )
    wanted = select(CALLS.c.since, CALLS.c.count).where(
        CALLS.c.what == allowance.what,
        CALLS.c.client_hmac == client,
        CALLS.c.since.between(allowance.counted_from(now), int(now) + allowance.window_s),
    )
    rows = connection.execute(wanted.order_by(CALLS.c.since)).all()
    return allowance.wait_s([(since, count) for since, count in rows], now)


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _hmac(key: bytes, client: str) -> str:
    return hmac.new(key, client.encode(), hashlib.sha256).hexdigest() if client else EVERYBODY


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()
