"""``python -m api.desk doctor``."""

from __future__ import annotations

import typer

from api.desk.doctor import of_desk
from api.desk.terminal import named
from rag.text import printable


def doctor() -> None:
    """Check database, disk, retention, outbox and settings; every fault is told with its cure."""
    settings, database = named()
    found = list(of_desk(database, settings))
    for each in found:
        typer.echo(printable(f"{each.verdict:7} {each.name}: {each.said}", 1_000))
    if any(each.verdict == "fault" for each in found):
        raise typer.Exit(1)
