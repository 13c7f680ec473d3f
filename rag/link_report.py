"""Which links of the sources lead nowhere: found by ingest, shown by the console.

A file in the data directory, as a link is asked for now and then and not with each visitor.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

LINKS = "links.json"
"""Name of the file in the data directory."""

LinkKind = Literal["anchor", "page", "outside"]
"""A place on a page that is indexed; a page of a site that is; anywhere else."""


@dataclass(frozen=True)
class LinkPlace:
    """Where a link stands."""

    source: str
    path: str
    title: str
    """Of the page."""
    section: tuple[str, ...]
    url: str | None
    text: str
    """The words that are linked."""


@dataclass(frozen=True)
class LostLink:
    """An address that sources link, and where nothing is."""

    kind: LinkKind
    address: str
    dead: bool
    """Nothing is there, as far as anybody can tell; else it could not be had when it was asked."""
    why: str
    """In a few words: `answers 404`, `no such heading`."""
    since: str
    """When it was found so first; UTC, ISO 8601."""
    places: tuple[LinkPlace, ...]


@dataclass(frozen=True)
class LinkReport:
    """What came of the last check."""

    checked_at: str
    """UTC, ISO 8601."""
    generation: str
    """Of the index that was looked through."""
    links: int
    """Different addresses that were looked at."""
    asked_at: str | None
    """When addresses elsewhere were asked last; None: never."""
    asked: int
    """How many of them."""
    unasked: int
    """How many of them there was no time for."""
    lost: tuple[LostLink, ...]

    def of(self, kind: LinkKind) -> tuple[LostLink, ...]:
        """Those of a kind, the dead first."""
        found = (each for each in self.lost if each.kind == kind)
        return tuple(sorted(found, key=lambda each: (not each.dead, each.address)))


_REPORT: TypeAdapter[LinkReport] = TypeAdapter(LinkReport)


def read_links(data_dir: Path) -> LinkReport | None:
    """Return what came of the last check; None where there was none that can be read."""
    try:
        return _REPORT.validate_json((data_dir / LINKS).read_bytes())
    except (OSError, ValidationError):
        return None


def write_links(data_dir: Path, report: LinkReport) -> None:
    """Keep what came of a check, in place of the one before."""
    draft = data_dir / f".{LINKS}.draft"
    with draft.open("wb") as file:
        file.write(_REPORT.dump_json(report, indent=1))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(data_dir / LINKS)
