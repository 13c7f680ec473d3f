"""Checks of the desk and of the settings around it; they read only, whoever else is at work.

What is amiss is told with its cure. The index has a doctor of its own: ``python -m ingest doctor``.
"""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import func, select

from api.desk.audit import verify
from api.desk.database import Database, DeskUnavailable, known_revisions
from api.desk.retention import Retention
from api.desk.tables import OUTBOX, STAFF
from api.settings import ApiSettings
from rag.usage import USAGE

_AIR = 100_000_000
"""Bytes that are to be free besides what the database needs to be written anew."""
_WAITS = timedelta(days=1)
"""How long news of a ticket may wait before somebody should know."""
_RESTORE = (
    "stop the server, keep a copy, and bring back the last backup: python -m api.desk restore"
    " FILE --replace"
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Literal["ok", "note", "fault"]
    """A note needs nobody; a fault needs somebody."""
    said: str
    """One plain line; of a fault with what to do."""


def of_desk(database: Database, settings: ApiSettings) -> Iterator[Check]:
    """Check the database, what lies beside it, and settings that contradict one another.

    Args:
        database: Its tables as they are.
        settings: Of the server.
    """
    days = settings.retention
    retention = Retention(database, days.conversation_days, days.ticket_days)
    yield from _settings(settings)
    yield from _folder(database)
    current = None
    try:
        revision = database.revision()
        current = revision == max(known_revisions())
        yield _revision(revision)
        yield from _sound(database)
    except DeskUnavailable as error:
        yield Check("database", "fault", f"{error.why}; {_cure(error)}")
    if current:
        checks: dict[str, Callable[[], Iterator[Check]]] = {
            "audit": partial(_audit, database),
            "retention": partial(_retention, retention),
            "outbox": partial(_outbox, database),
            "staff": partial(_staff, database, settings),
        }
        for name, check in checks.items():
            try:
                yield from check()
            except DeskUnavailable as error:
                yield Check(name, "fault", f"cannot be checked: {error.why}; {_cure(error)}")
    yield from _usage(database.data_dir / USAGE)
    yield from _left(database)


def _cure(error: DeskUnavailable) -> str:
    if error.lasting:
        return _RESTORE
    return (
        "look after HELPDESK_DESK__DATABASE_URL, its server, or the disk; a server that runs"
        " takes it up by itself when it is back"
    )


def _settings(settings: ApiSettings) -> Iterator[Check]:
    mail, public = settings.mail, urlsplit(settings.server.public_url).hostname
    faults = []
    if settings.inbox.host and not mail.reply_to:
        faults.append(
            "mails are taken in, and answers to ours go nowhere: set HELPDESK_MAIL__REPLY_TO to"
            " the address of that mailbox"
        )
    if settings.sign_in.issuer and not public:
        faults.append(
            "staff are sent to another service and it is not told the way back: set"
            " HELPDESK_SERVER__PUBLIC_URL"
        )
    for each in faults:
        yield Check("settings", "fault", each)
    if not faults:
        yield Check("settings", "ok", "none contradicts another")


def _folder(database: Database) -> Iterator[Check]:
    folder, file = database.data_dir, database.file
    if not folder.is_dir():
        yield Check("folder", "fault", f"there is no {folder}: HELPDESK_DATA_DIR names it")
        return
    size = file.stat().st_size if file and file.is_file() else 0
    # What is deleted leaves the file by its being written anew.
    needed, free = 2 * size + _AIR, shutil.disk_usage(folder).free
    enough = free >= needed
    yield Check(
        "disk",
        "ok" if enough else "fault",
        f"{free / 1e6:.0f} MB free at {folder}"
        + ("" if enough else f", and {needed / 1e6:.0f} MB may be needed: make room"),
    )
    if file and file.is_file() and (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
        yield Check(
            "folder",
            "fault",
            f"others on this machine can read {file.name} ({mode:o}): chmod 600 {file}",
        )


def _revision(revision: str | None) -> Check:
    head = max(known_revisions())
    if revision is None:
        return Check("database", "note", "it has no tables yet; the server makes them")
    if revision not in known_revisions():
        return Check(
            "database",
            "fault",
            f"its tables are of revision {revision}, this program knows {head}: run the later"
            " version that made them, or bring back a backup that is older",
        )
    if revision != head:
        return Check(
            "database",
            "note",
            f"its tables are of revision {revision}; the next start brings them to {head}."
            " Back up before: python -m api.desk backup FILE",
        )
    return Check("database", "ok", f"reachable, tables at revision {revision}")


def _sound(database: Database) -> Iterator[Check]:
    if damage := database.damage():
        yield Check("database", "fault", f"its file is damaged ({damage}): {_RESTORE}")
        return
    if database.engine != "sqlite":
        return
    with database.snapshot() as connection:
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if lost:
        yield Check("database", "fault", f"rows of {lost[0]} belong to nothing: {_RESTORE}")
    else:
        yield Check("database", "ok", "its file is sound")


def _audit(database: Database) -> Iterator[Check]:
    found = verify(database)
    if found.broken_at is None:
        yield Check("audit", "ok", f"whole: {found.rows} rows")
    else:
        yield Check(
            "audit",
            "fault",
            f"broken at row {found.broken_at}: {found.why}. Somebody wrote into the database by"
            " hand, or it is damaged: compare with a backup; nothing mends a chain",
        )


def _retention(retention: Retention) -> Iterator[Check]:
    if ahead := retention.of_the_future():
        yield Check(
            "clock",
            "fault",
            f"dated in the future: {ahead}; a clock was ahead. If it is right now:"
            " python -m api.desk forget --redate",
        )
    expired = retention.kept().expired
    if not expired:
        yield Check("retention", "ok", "nothing has outlived its time")
    elif until := retention.clock.doubted_until(datetime.now(UTC)):
        yield Check(
            "clock",
            "fault",
            f"it has jumped ahead, or this was off: {expired} wait until {until:%Y-%m-%d %H:%M} UTC"
            " to be deleted. If the clock is right: python -m api.desk forget --clock-is-right",
        )
    else:
        yield Check(
            "retention",
            "fault",
            f"expired and still there: {expired}. A running server deletes it every hour; now:"
            " python -m api.desk forget",
        )


def _outbox(database: Database) -> Iterator[Check]:
    late = OUTBOX.c.since < datetime.now(UTC) - _WAITS
    with database.reading() as connection:
        dead, waiting = (
            connection.scalar(select(func.count()).select_from(OUTBOX).where(where)) or 0
            for where in (OUTBOX.c.state == "dead", (OUTBOX.c.state == "waiting") & late)
        )
    if dead:
        yield Check(
            "outbox",
            "fault",
            f"{dead} have not arrived and are tried no more: python -m api.desk outbox list says"
            " why, outbox retry --dead tries again",
        )
    if waiting:
        yield Check(
            "outbox",
            "fault",
            f"{waiting} have waited for more than a day: python -m api.desk outbox list says why;"
            " a running server tries them by itself",
        )
    if not dead and not waiting:
        yield Check("outbox", "ok", "nothing is stuck")


def _staff(database: Database, settings: ApiSettings) -> Iterator[Check]:
    admins = (STAFF.c.role == "admin") & STAFF.c.left_at.is_(None)
    with database.reading() as connection:
        count = connection.scalar(select(func.count()).select_from(STAFF).where(admins)) or 0
    if count:
        yield Check("staff", "ok", f"{count} of role admin")
    elif settings.staff_token.get_secret_value():
        yield Check("staff", "note", "no admin yet; only machines with the staff token get in")
    else:
        yield Check("staff", "note", "nobody can read tickets yet: python -m api.desk admin")


def _usage(file: Path) -> Iterator[Check]:
    if not file.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as counts:
            ((said,),) = counts.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        said = str(error)
    if said == "ok":
        yield Check(USAGE, "ok", "sound")
    else:
        yield Check(
            USAGE,
            "fault",
            f"damaged ({' '.join(said.split())}); it holds counts only: remove {file}",
        )


def _left(database: Database) -> Iterator[Check]:
    if (database.data_dir / ".restore").is_dir():
        yield Check(
            "restore",
            "note",
            "one was broken off, or is at work; the next start of the server, or any other command"
            " of the desk, brings it to its end",
        )
    file = database.file
    kept = sorted(file.parent.glob(f"{file.name}.damaged-*")) if file else []
    if kept:
        yield Check(
            "restore",
            "note",
            f"{kept[0].name} holds what people wrote, and nothing expires in it: remove it when"
            " nobody needs it any more",
        )
