"""``python -m api.desk gaps``: what people ask and the pages do not answer."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from api.console.gaps import as_csv, as_lines, issue_of
from api.desk.audit import OPERATOR
from api.desk.gaps import Gaps
from api.desk.models import Actor
from api.desk.terminal import answering, done, fail, opened
from api.gap_report import GapReport, Report

_BY = Actor(OPERATOR, "admin")
_ALL = 1_000_000
"""More than there are."""


def gaps(
    weeks: Annotated[
        Literal["4", "12", "52"], typer.Option(help="How far back, the running one among them.")
    ] = "12",
    table: Annotated[
        Path | None, typer.Option("--csv", help="Write all of them to a file.")
    ] = None,
    issue: Annotated[
        int | None, typer.Option(help="Number of a gap, to be printed as an issue.")
    ] = None,
) -> None:
    """Print what people ask and the pages do not answer, by what asks for the same."""
    _, database = opened()
    answerer, repositories = answering()
    made, now = GapReport(Gaps(database)), datetime.now(UTC)
    done(partial(made.refresh, answerer, now, _ALL))
    done(partial(made.settle, answerer, now, _ALL))
    model = answerer.generation.info.embedder
    report: Report = done(partial(made.read, _BY, int(weeks), now, model))
    if issue is not None:
        if not 1 <= issue <= len(report.every):
            fail(f"--issue {issue}: there are {len(report.every)} gaps in these weeks", code=2)
        gap = report.every[issue - 1]
        told, repository = issue_of(gap, int(weeks)), repositories.of(gap.place)
        typer.echo(f"# {told.title}\n\n{told.body}")
        if repository:
            typer.echo(f"api.desk: file it at {told.form(repository)}", err=True)
        return
    if table is not None:
        try:
            table.write_text(as_csv(report), encoding="utf-8-sig", newline="")
        except OSError as error:
            fail(f"cannot write {table}: {error.strerror}")
        typer.echo(f"api.desk: {len(report.every)} gaps in {table}", err=True)
        return
    for line in as_lines(report):
        typer.echo(line)
