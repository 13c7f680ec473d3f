"""What the commands of ingest share: bars, lists, settings, one line for each failure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import quote

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ingest.fetch.client import Client
from ingest.fetch.site import ROBOT
from ingest.settings import IngestSettings
from rag.errors import HelpdeskError
from rag.settings import Settings, read_settings
from rag.text import printable

SHOWN = 20
"""Lines of one kind in a report for people; ``--json`` has them all."""
_AGENT = f"{ROBOT}/0.1"
"""How the project names itself to those it asks."""


class Bars:
    """Progress bars on a terminal, a line a step elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Begin a step of `total` units; the callable counts them."""
        if not self._console.is_terminal:
            print(f"{name} ({total})" if total else name, file=sys.stderr)
            yield lambda _: None
            return
        columns = (
            TextColumn("{task.description:30}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=total or None)
            yield lambda count: bars.advance(task, count)


def show_list(heading: str, lines: Sequence[str]) -> None:
    """Print lines below their heading; nothing where there are none."""
    if lines:
        print(heading)
    for line in lines[:SHOWN]:
        print(f"  {printable(line)}")
    if len(lines) > SHOWN:
        print(f"  ... and {len(lines) - SHOWN} more (--json shows all)")


def client_of(settings: Settings) -> Client:
    """What asks the web, in the name of whoever runs it."""
    own = ingest_settings().fetch
    # A header takes no other letters.
    contact = quote(own.contact or settings.answer.contact, safe="@:/?&=#+,;%~")
    return Client(
        f"{_AGENT} (+{contact})",
        allowed_hosts=own.hosts,
        pause_s=own.pause_s,
    )


def core_settings() -> Settings:
    """The settings of the core; a bad one ends the command."""
    try:
        return read_settings(Settings)
    except HelpdeskError as error:
        fail(str(error), code=2)


def ingest_settings() -> IngestSettings:
    """The settings of ingest; a bad one ends the command."""
    try:
        return read_settings(IngestSettings)
    except HelpdeskError as error:
        fail(str(error), code=2)


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with one line."""
    print(printable(f"ingest: {message}", 1_000), file=sys.stderr)
    raise typer.Exit(code)
