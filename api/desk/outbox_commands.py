"""``python -m api.desk outbox list | retry``: what has not arrived elsewhere."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from api.desk.audit import OPERATOR
from api.desk.models import Actor
from api.desk.outbox import NoSuchDelivery, Outbox
from api.desk.terminal import done, fail, opened

app = typer.Typer(no_args_is_help=True, help="What is to be told elsewhere, and has not arrived.")

_BY = Actor(OPERATOR, "admin")
_MOST = 100_000

Named = Annotated[list[str] | None, typer.Argument(help="As `list` tells them.")]


@app.command("list")
def show_all() -> None:
    """Print what waits, and what was given up: the id, where to, the ticket, why not."""
    _, database = opened()
    outbox = Outbox(database)
    for each in done(partial(outbox.undone, _BY, _MOST)):
        when = "given up" if each.state == "dead" else f"next {each.due_at:%Y-%m-%d %H:%M} UTC"
        typer.echo(
            f"{each.delivery_id}  {each.channel:7}  {each.what:7}  {each.ticket_id}"
            f"  tried {each.attempts}  {when}  {each.last_error or ''}".rstrip()
        )
    counts = done(partial(outbox.counts, _BY))
    typer.echo(f"api.desk: waiting {counts['waiting']}, given up {counts['dead']}", err=True)


@app.command()
def retry(
    delivery: Named = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that was given up.")] = False,
) -> None:
    """Have a running server try something again now."""
    if bool(delivery) == dead:
        fail("name what to try again, or --dead", code=2)
    _, database = opened()
    outbox = Outbox(database)
    found = done(partial(outbox.undone, _BY, _MOST))
    named = delivery or [each.delivery_id for each in found if each.state == "dead"]
    for each in named:
        try:
            done(partial(outbox.again, _BY, each))
        except NoSuchDelivery as error:
            fail(f"{each}: {error}")
    typer.echo(f"tried again: {len(named)}")
