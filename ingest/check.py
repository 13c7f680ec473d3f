"""What the checks of the doctor share."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from rag.index import Generation
from rag.store import Store


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    """Of the part, or of the service."""
    verdict: Literal["ok", "note", "fault"]
    """A note needs nobody; a fault needs somebody."""
    said: str
    """One plain line."""


def judged(name: str, fine: str, faults: Iterable[str]) -> Iterator[Check]:
    """A check for each fault, or one that says that all is well.

    Args:
        name: Of the part, or of the service.
        fine: What is said where there are no faults.
        faults: What is wrong, a line each.
    """
    found = list(faults)
    if not found:
        yield Check(name, "ok", fine)
    for each in found:
        yield Check(name, "fault", each)


def listed(names: Iterable[str], shown: int = 5) -> str:
    """Some names on one line, and how many there are beside them."""
    every = list(names)
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(every[:shown]) + more


@contextmanager
def opened_copy(store: Store, name: str) -> Iterator[Generation]:
    """Open a copy of a generation.

    Opening is not reading alone: the vector store writes into its own files,
    and makes those that are missing. What is damaged stays as it was found.

    Raises:
        NoIndex: There is nothing in it.
        IndexMismatch: It was written by another version of this program, or is damaged.
    """
    with TemporaryDirectory(prefix="index-", ignore_cleanup_errors=True) as folder:
        copy = Store(Path(folder), store.server)
        shutil.copytree(store.generations / name, copy.generations / name)
        with closing(copy.open(name)) as generation:
            yield generation
