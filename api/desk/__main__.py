"""The desk from the command line: what is kept of people, who staff are, and the audit.

``python -m api.desk status | forget | export | erase | verify | backup | restore | doctor |
staff | admin | gaps | inbox | outbox``;
run beside the server or without it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.desk import (
    backup_commands,
    doctor_command,
    gap_command,
    inbox_command,
    outbox_commands,
    staff_commands,
)
from api.desk.audit import Noted
from api.desk.audit import verify as verify_audit
from api.desk.database import Database
from api.desk.persons import Persons
from api.desk.retention import Kept, Retention
from api.desk.terminal import checked, done, fail, opened
from api.settings import ApiSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(staff_commands.app, name="staff")
app.add_typer(outbox_commands.app, name="outbox")
app.command("backup")(backup_commands.backup)
app.command("restore")(backup_commands.restore)
app.command("doctor")(doctor_command.doctor)
app.command("admin")(staff_commands.admin)
app.command("gaps")(gap_command.gaps)
app.command("inbox")(inbox_command.inbox)

Address = Annotated[str, typer.Option(help="The person's e-mail address.")]

_HASH = 64
"""Characters of a hash."""


@app.callback()
def desk() -> None:
    """What is kept of people: tell, delete what has expired, hand over, erase; who staff are."""
    # What goes wrong is told in a line of our own.
    logging.getLogger("api.desk").addHandler(logging.NullHandler())


@app.command()
def status() -> None:
    """Tell how much is kept, since when, and whether anything has outlived its time."""
    settings, database = opened()
    _print_kept(settings, done(_retention(settings, database).kept))


@app.command()
def forget(
    clock_is_right: Annotated[
        bool, typer.Option("--clock-is-right", help="Although it has jumped by more than a day.")
    ] = False,
    redate: Annotated[
        bool, typer.Option("--redate", help="What is dated in the future is dated as of now.")
    ] = False,
) -> None:
    """Delete now what has expired (a running server does so every hour), and tell what is left."""
    settings, database = opened()
    retention = _retention(settings, database)
    now = datetime.now(UTC)
    if clock_is_right:
        retention.clock.believe(now)
    if until := retention.clock.look(now):
        fail(
            f"the clock has jumped to {now:%Y-%m-%d %H:%M} UTC, or nobody was here for a day:"
            f" nothing is deleted before {until:%Y-%m-%d %H:%M} UTC, unless with --clock-is-right"
        )
    if redate:
        print(f"dated as of now: {done(retention.redate)}")
    print(f"deleted: {done(retention.forget)}")
    _print_kept(settings, done(retention.kept))


@app.command()
def export(
    address: Address,
    out: Annotated[
        Path | None, typer.Option(help="File to write; by default it is printed.")
    ] = None,
) -> None:
    """Write what is kept of one person as JSON: tickets, with what was written and answered."""
    person = checked(address)
    _, database = opened()
    found = done(lambda: Persons(database).find(person))
    told = {"address": person, "exported_at": datetime.now(UTC), **asdict(found)}
    text = json.dumps(told, ensure_ascii=False, indent=2, default=datetime.isoformat)
    if out is None:
        print(text)
    else:
        _write(out, f"{text}\n")
    print(f"api.desk: {found.counts}", file=sys.stderr)


@app.command()
def erase(
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Delete what is kept of one person, down to the bytes in the files."""
    person = checked(address)
    _, database = opened()
    persons = Persons(database)
    found = done(lambda: persons.find(person))
    if not yes and found.counts:
        typer.confirm(f"Delete of {person}: {found.counts}?", abort=True, err=True)
    # Even where nothing is found: it may have been deleted before, and its bytes not.
    print(f"deleted: {done(lambda: persons.erase(person))}")
    if found.mentioned_in:
        print(f"kept: the address is also in tickets of others: {', '.join(found.mentioned_in)}")


@app.command()
def verify(
    noted: Annotated[
        str, typer.Option(help="A row as it was told before, NUMBER:HASH; it has to be there.")
    ] = "",
) -> None:
    """Tell whether the audit is whole, or which is the first row that does not fit."""
    row = _noted(noted) if noted else None
    _, database = opened()
    found = done(lambda: verify_audit(database, row))
    if found.broken_at is not None:
        fail(f"the audit is broken at row {found.broken_at}: {found.why}; {found.rows} rows fit")
    # Noted elsewhere, it shows one that was cut short, or made anew as a whole.
    print(f"the audit is whole: {found.rows} rows, the last is {found.rows}:{found.head}")


def _noted(text: str) -> Noted:
    number, _, sha256 = text.partition(":")
    if not number.isdecimal() or len(sha256) != _HASH:
        fail(f"--noted {text}: not NUMBER:HASH, as `verify` tells it", code=2)
    return Noted(int(number), sha256)


def _retention(settings: ApiSettings, database: Database) -> Retention:
    kept = settings.retention
    return Retention(database, kept.conversation_days, kept.ticket_days)


def _print_kept(settings: ApiSettings, kept: Kept) -> None:
    days = settings.retention
    print(f"kept:    {kept.rows}")
    print(f"expired: {kept.expired}")
    print(f"oldest answer: {_day(kept.oldest_answer)} (kept {days.conversation_days} days)")
    limit = f"{days.ticket_days} days" if days.ticket_days else "until erased"
    print(f"oldest ticket: {_day(kept.oldest_ticket)} (kept {limit})")


def _day(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else "none"


def _write(out: Path, text: str) -> None:
    """Write a file that nobody else can read."""
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        fail(f"cannot write {out}: {error.strerror}")


if __name__ == "__main__":
    app(prog_name="python -m api.desk")
