"""What the commands of ingest show: bars, lists, one line for each failure."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rag.errors import HelpdeskError
from rag.text import printable

SHOWN = 20
"""Lines of one kind in a report for people; ``--json`` has them all."""
_SAID_EVERY_S = 30
"""How often a step that is under way says how far it is, where no bar can be drawn."""


class Bars:
    """Progress bars on a terminal; elsewhere a line a step, and for a long one some more."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Begin a step of `total` units; the callable counts them."""
        if not self._console.is_terminal:
            print(f"{name} ({total})" if total else name, file=sys.stderr)
            yield _lines(name, total)
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


def _lines(name: str, total: int) -> Callable[[int], None]:
    done, said = 0, time.monotonic()

    def count(more: int) -> None:
        nonlocal done, said
        done += more
        if total and time.monotonic() - said >= _SAID_EVERY_S:
            print(f"{name}: {done} of {total}", file=sys.stderr, flush=True)
            said = time.monotonic()

    return count


def show_list(heading: str, lines: Sequence[str]) -> None:
    """Print lines below their heading; nothing where there are none."""
    if lines:
        print(heading)
    for line in lines[:SHOWN]:
        print(f"  {printable(line)}")
    if len(lines) > SHOWN:
        print(f"  ... and {len(lines) - SHOWN} more (--json shows all)")


@contextmanager
def failing_in_a_line(place: Path) -> Iterator[None]:
    """End the command with one line where work on a folder fails, whatever its error is."""
    try:
        yield
    except typer.Exit:
        raise  # said already
    except HelpdeskError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{place}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - the door: databases have errors of their own
        fail(f"{place}: {type(error).__name__}: {error}")


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with one line."""
    print(printable(f"ingest: {message}", 1_000), file=sys.stderr)
    raise typer.Exit(code)
