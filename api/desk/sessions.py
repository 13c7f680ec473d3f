"""Who is signed in: a random token in the browser's cookie, its hash here."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from api.desk.audit import record
from api.desk.database import Database, DeskUnavailable
from api.desk.models import Member
from api.desk.staff import member_of
from api.desk.tables import SESSIONS, SIGN_INS, STAFF

LASTS = timedelta(hours=12)
"""How long one is signed in: a working day."""
IDLE = timedelta(hours=2)
"""How long one may do nothing meanwhile."""
SIGN_IN = timedelta(minutes=15)
"""How long one may take to sign in."""
_AHEAD = timedelta(minutes=5)
"""By how much another host's clock may be ahead. What is later was written by a clock that was
wrong, and would last until that moment comes."""
_NOTED = timedelta(minutes=1)
"""How often it is noted that somebody is there: a page must not cost a write."""


class Sessions:
    """The tables of who is signed in, and of who is about to."""

    def __init__(self, database: Database):
        """Keep them in a database."""
        self._database = database

    def start(self, staff_id: str) -> str:
        """Sign somebody in; returns the token for their cookie, of which only the hash is kept.

        Raises:
            DeskUnavailable: It is not stored.
        """
        now, token = datetime.now(UTC), secrets.token_urlsafe(32)
        row = {
            "token_sha256": _hash(token), "staff_id": staff_id, "created_at": now, "seen_at": now,
        }  # fmt: skip
        with self._database.writing() as connection:
            over = or_(
                SESSIONS.c.created_at < now - LASTS,
                SESSIONS.c.seen_at < now - IDLE,
                SESSIONS.c.created_at > now + _AHEAD,
            )
            connection.execute(delete(SESSIONS).where(over))
            connection.execute(insert(SESSIONS).values(row))
            record(connection, staff_id, "sign-in", [staff_id], ())
        return token

    def member(self, token: str) -> Member | None:
        """Return whom a token belongs to; None: nobody, or no longer.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        now, of_it = datetime.now(UTC), SESSIONS.c.token_sha256 == _hash(token)
        wanted = (
            select(STAFF, SESSIONS.c.seen_at)
            .join(SESSIONS, SESSIONS.c.staff_id == STAFF.c.staff_id)
            .where(
                of_it,
                SESSIONS.c.created_at.between(now - LASTS, now + _AHEAD),
                SESSIONS.c.seen_at.between(now - IDLE, now + _AHEAD),
                STAFF.c.left_at.is_(None),
            )
        )
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            return None
        if row.seen_at < now - _NOTED:
            # No page is refused because somebody else writes; it is noted with the next.
            with suppress(DeskUnavailable), self._database.writing(durable=False) as connection:
                connection.execute(update(SESSIONS).where(of_it).values(seen_at=now))
        return member_of(row)

    def end(self, token: str) -> None:
        """Sign out.

        Raises:
            DeskUnavailable: They may still be signed in.
        """
        ended = delete(SESSIONS).where(SESSIONS.c.token_sha256 == _hash(token))
        with self._database.writing() as connection:
            staff_id = connection.scalar(ended.returning(SESSIONS.c.staff_id))
            if staff_id:
                record(connection, staff_id, "sign-out", [staff_id], ())

    def expect(self, expected: dict[str, Any], staff_id: str | None = None) -> str:
        """Begin to sign somebody in; returns the token by which they come back, once.

        Args:
            expected: What the answer of another service is held against.
            staff_id: Who they are; None: the other service will tell.

        Raises:
            DeskUnavailable: It is not stored.
        """
        now, token = datetime.now(UTC), secrets.token_urlsafe(32)
        row = {
            "token_sha256": _hash(token), "created_at": now, "staff_id": staff_id,
            "expected": expected,
        }  # fmt: skip
        with self._database.writing() as connection:
            connection.execute(delete(SIGN_INS).where(SIGN_INS.c.created_at < now - SIGN_IN))
            connection.execute(insert(SIGN_INS).values(row))
        return token

    def expected(self, token: str) -> tuple[dict[str, Any], str | None] | None:
        """Return what `expect` was given, and forget it; None: too late, or never.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        forgotten = delete(SIGN_INS).where(SIGN_INS.c.token_sha256 == _hash(token))
        with self._database.writing() as connection:
            # In one step: of two who come at once, one gets it.
            row = connection.execute(forgotten.returning(SIGN_INS)).first()
        now = datetime.now(UTC)
        if row is None or not now - SIGN_IN <= row.created_at <= now + _AHEAD:
            return None
        return row.expected, row.staff_id


def proof_of(token: str) -> str:
    """Return what a form or call of a session carries besides the cookie; no other page knows."""
    return hmac.new(token.encode(), b"forms of the desk", hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
