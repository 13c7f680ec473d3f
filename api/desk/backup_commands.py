"""``python -m api.desk backup | restore``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from api.desk.backup.archive import Manifest
from api.desk.backup.backup import DESK, make_backup
from api.desk.backup.restore import restore as bring_back
from api.desk.backup.settling import finish, unsettled
from api.desk.database import DeskUnavailable
from api.desk.terminal import fail, named, places, told
from rag.errors import HelpdeskError


class Bars:
    """Progress bars on a terminal, nothing elsewhere: what runs by itself has no reader."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Begin a step of `total` units; the callable counts them."""
        if not self._console.is_terminal:
            yield lambda _: None
            return
        shown = (TextColumn("{task.description:30}"), BarColumn(), TaskProgressColumn(),
                 TimeRemainingColumn())  # fmt: skip
        with Progress(*shown, console=self._console) as bars:
            task = bars.add_task(name, total=total or None)
            yield lambda count: bars.advance(task, count)


def backup(
    to: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="File to write, or a folder: then it is named by the time."
        ),
    ],
    index: Annotated[
        bool, typer.Option("--index/--no-index", help="The index in use goes with it.")
    ] = True,
) -> None:
    """Write all that cannot be had again into one file; the server may run."""
    _, database = named()
    file = Path(to)
    if to.endswith("/") and not file.is_dir():
        # A file of its name would be in the way of all backups to come.
        fail(f"there is no folder {file}: make it first, or name a file")
    place = file / f"helpdesk-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip" if file.is_dir() else file
    there = places()
    finish(database, there)
    if unsettled(there):
        fail("a restore is at work, or waits to be brought to its end: back up after it")
    try:
        made = make_backup(database, there, place, Bars(), index=index)
    except DeskUnavailable as error:
        fail(told(error))
    except HelpdeskError as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot write {place}: {error.strerror or error}; nothing is left of it")
    for line in made.left_out:
        typer.echo(f"api.desk: left out: {line}", err=True)
    typer.echo(f"backup: {place}, {place.stat().st_size / 1e6:.1f} MB")
    _print(made)


def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` has written.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="What is there now goes: tickets, staff, articles.")
    ] = False,
) -> None:
    """Bring back all that is in a backup, or nothing; the database may be of another engine."""
    _, database = named(make=True)
    try:
        done = bring_back(file, database, places(), Bars(), replace=replace)
    except DeskUnavailable as error:
        fail(f"nothing has changed: {told(error)}")
    except HelpdeskError as error:
        fail(f"nothing has changed: {error}")
    except OSError as error:
        fail(
            f"{database.data_dir}: {error.strerror or error}; nothing has changed, or the next"
            " command or start of the server brings the restore to its end"
        )
    typer.echo(f"restored: {file}, as of {done.manifest.made_at}")
    _print(done.manifest)
    audit = done.audit
    if audit.broken_at is None:
        typer.echo(
            f"the audit is whole up to the backup: its last row is {audit.rows}:{audit.head}"
        )
    else:
        typer.echo(f"the audit was broken at row {audit.broken_at} when the backup was made")
    if done.erased:
        typer.echo(f"erased again, as the desk had noted it since: {done.erased} tickets")
    for note in done.notes:
        typer.echo(f"note: {note}")
    typer.echo(
        f"Who was erased after {done.manifest.made_at} is back, unless it says so above:"
        " erase them again."
    )


def _print(manifest: Manifest) -> None:
    rows = {
        each.name.removeprefix(f"{DESK}/").removesuffix(".jsonl"): each.rows or 0
        for each in manifest.below(DESK)
    }
    counted = ", ".join(f"{name} {rows[name]}" for name in ("tickets", "answers") if name in rows)
    articles = len(manifest.below("articles"))
    typer.echo(
        f"holds:  {counted}, {sum(rows.values())} rows of {len(rows)} tables at revision"
        f" {manifest.revision}; own articles {articles}; index {manifest.generation or 'none'}"
    )
