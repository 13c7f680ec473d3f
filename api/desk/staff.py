"""Who staff are: another service says who somebody is, this list what they may do."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from api.desk.audit import record
from api.desk.database import Database
from api.desk.models import Actor, Member, Role
from api.desk.tables import AUDIT, SESSIONS, SIGN_INS, STAFF
from api.desk.tickets import CROCKFORD
from rag.errors import HelpdeskError

_MOST = 2000
"""People of staff that are listed."""
_ADMINS = (STAFF.c.role == "admin") & STAFF.c.left_at.is_(None)
"""Who can change the list."""
_NOBODY = "nobody of staff has this id or address"


class AlreadyListed(HelpdeskError):
    """Somebody with this address is on the list."""


class NoSuchMember(HelpdeskError):
    """Nobody of staff has this id."""


class LastAdmin(HelpdeskError):
    """Nobody would be left who could change the list."""


class StaffList:
    """The list of staff."""

    def __init__(self, database: Database):
        """Keep it in a database."""
        self._database = database

    def add(
        self, by: Actor, name: str, email: str, role: Role, countries: Collection[str]
    ) -> Member:
        """Put somebody on the list.

        Args:
            by: Does so.
            name: As colleagues read it.
            email: By which they are known when they sign in for the first time.
            role: What they may do.
            countries: Whose tickets they see, ISO 3166-1 alpha-2; none: all.

        Raises:
            AlreadyListed: The address is on the list, maybe of somebody who has left.
            DeskUnavailable: It is not stored.
        """
        row = {
            "staff_id": "S-" + "".join(secrets.choice(CROCKFORD) for _ in range(6)),
            "created_at": datetime.now(UTC),
            "name": name,
            "email": email.lower(),
            "role": role,
            "countries": sorted(set(countries)),
        }
        with self._database.writing() as connection:
            try:
                connection.execute(insert(STAFF).values(row))
            except IntegrityError:
                raise AlreadyListed(f"{row['email']} is on the list already") from None
            added = _known(connection, str(row["staff_id"]))
            fields = ("name", "email", "role", "countries")
            record(connection, by.who, "add", [added.staff_id], fields)
            return added

    def change(
        self,
        by: Actor,
        staff_id: str,
        name: str,
        role: Role,
        countries: Collection[str],
        *,
        left: bool,
        anew: bool = False,
    ) -> Member:
        """Say anew what somebody is called and may; who has left is signed out.

        Args:
            by: Does so.
            staff_id: Of whom.
            name: As colleagues read it.
            role: What they may do, from their next call on.
            countries: Whose tickets they see; none: all.
            left: They do not get in any more; False: again.
            anew: Forget which account of the service that signs people in is theirs: the
                next one with their address is.

        Raises:
            NoSuchMember: Nobody has this id.
            LastAdmin: Nobody would be left who could change the list.
            DeskUnavailable: It is not stored.
        """
        with self._database.writing() as connection:
            # Two who take each other's rights away at once take turns.
            connection.execute(select(STAFF.c.staff_id).where(_ADMINS).with_for_update()).all()
            before = _known(connection, staff_id)
            left_at = (before.left_at or datetime.now(UTC)) if left else None
            values: dict[str, Any] = {
                "name": name, "role": role, "countries": sorted(set(countries)), "left_at": left_at,
            }  # fmt: skip
            of_them = STAFF.c.staff_id == staff_id
            account = {"issuer": None, "subject": None} if anew and before.signed_in else {}
            connection.execute(update(STAFF).where(of_them).values({**values, **account}))
            admins = select(func.count()).select_from(STAFF).where(_ADMINS)
            if before.role == "admin" and not before.left_at and not connection.scalar(admins):
                raise LastAdmin("nobody would be left who could change the list")
            if left:
                for table in (SESSIONS, SIGN_INS):
                    connection.execute(delete(table).where(table.c.staff_id == staff_id))
            after = _known(connection, staff_id)
            changed = [each for each in values if getattr(after, each) != getattr(before, each)]
            changed += account
            if changed:
                record(connection, by.who, "change", [staff_id], changed)
            return after

    def everyone(self) -> tuple[Member, ...]:
        """Return the list in the order of names, with those who have left.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            rows = connection.execute(select(STAFF).order_by(STAFF.c.name).limit(_MOST))
            return tuple(member_of(row) for row in rows)

    def last_sign_ins(self) -> Mapping[str, datetime]:
        """Return when each of staff signed in last, by id; who never did is missing.

        Raises:
            DeskUnavailable: That cannot be read.
        """
        wanted = (
            select(AUDIT.c.ticket_id, func.max(AUDIT.c.at))
            .where(AUDIT.c.ticket_id.in_(select(STAFF.c.staff_id)), AUDIT.c.action == "sign-in")
            .group_by(AUDIT.c.ticket_id)
        )
        with self._database.reading() as connection:
            found = connection.execute(wanted)
            return {staff_id: datetime.fromisoformat(at) for staff_id, at in found}

    def member(self, named: str) -> Member:
        """Return whom an id or an address belongs to.

        Raises:
            NoSuchMember: Nobody.
            DeskUnavailable: The list cannot be read.
        """
        # PostgreSQL takes no such text, not even to look for it.
        if "\0" in named:
            raise NoSuchMember(_NOBODY)
        theirs = or_(STAFF.c.staff_id == named, STAFF.c.email == named.lower())
        with self._database.reading() as connection:
            return _found(connection, theirs)

    def identified(self, issuer: str, subject: str, email: str | None) -> Member | None:
        """Return whom another service has signed in; None: nobody who may get in.

        The first time they are known by their address, from then on by what the service
        calls them: an address may change hands. Where another service is asked than before,
        or an admin has said so, they are known by their address once more.

        Args:
            issuer: The service.
            subject: Its id of the person.
            email: Their address, where the service has checked that it is theirs.

        Raises:
            DeskUnavailable: The list cannot be read.
        """
        with self._database.writing() as connection:
            theirs = (STAFF.c.issuer == issuer) & (STAFF.c.subject == subject)
            found = _one(connection, theirs)
            if found is None and email:
                unknown = STAFF.c.issuer.is_distinct_from(issuer)
                found = _one(connection, (STAFF.c.email == email.lower()) & unknown)
                if found and not found.left_at:
                    known = update(STAFF).where(STAFF.c.staff_id == found.staff_id)
                    connection.execute(known.values(issuer=issuer, subject=subject))
                    fields = ("issuer", "subject")
                    record(connection, found.staff_id, "identify", [found.staff_id], fields)
                    found = _known(connection, found.staff_id)
            return found if found and not found.left_at else None


def member_of(row: Row[tuple[object, ...]]) -> Member:
    """Return one of staff as a value."""
    return Member(
        staff_id=row.staff_id,
        created_at=row.created_at,
        name=row.name,
        email=row.email,
        role=row.role,
        countries=frozenset(row.countries),
        signed_in=row.subject is not None,
        left_at=row.left_at,
    )


def _one(connection: Connection, condition: ColumnElement[bool]) -> Member | None:
    row = connection.execute(select(STAFF).where(condition)).first()
    return member_of(row) if row else None


def _known(connection: Connection, staff_id: str) -> Member:
    return _found(connection, STAFF.c.staff_id == staff_id)


def _found(connection: Connection, condition: ColumnElement[bool]) -> Member:
    found = _one(connection, condition)
    if found is None:
        raise NoSuchMember(_NOBODY)
    return found
