"""What the page of freshness shows, looked through once for each index."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from rag.disagreements import KINDS, Disagreement, Kind
from rag.freshness import Freshness, SourceAge, Unheld, freshness_of
from rag.index import Generation
from rag.link_report import LinkKind, LinkReport, LostLink
from rag.models import IndexedDocument

YEARS = (1, 2, 3, 5)
"""Ages by which documents may be listed."""
LINK_KINDS: tuple[LinkKind, ...] = ("page", "anchor", "outside")


class FreshnessRoom:
    """Keeps what was found of the index that answers now: to look one through takes a while."""

    def __init__(self) -> None:
        """Look nothing through yet."""
        self._lock = threading.Lock()
        self._found: tuple[str, Freshness] | None = None

    def of(self, generation: Generation) -> Freshness:
        """Return what is to be looked after in an index; whoever comes second waits."""
        name = generation.info.generation
        with self._lock:
            if self._found is None or self._found[0] != name:
                self._found = name, freshness_of(generation)
            return self._found[1]


@dataclass(frozen=True)
class Source:
    """A source, and what of it is old."""

    age: SourceAge
    old: tuple[IndexedDocument, ...]


@dataclass(frozen=True)
class FreshnessView:
    """The page, for one source or for all."""

    found: Freshness
    links: LinkReport | None
    years: int
    today: date
    source: str
    """Only what concerns it; empty: all."""

    @property
    def names(self) -> list[str]:
        """The sources that can be chosen."""
        return [each.source for each in self.found.sources]

    @cached_property
    def sources(self) -> list[Source]:
        """Those that are shown."""
        return [
            Source(each, each.older_than(self.years, self.today))
            for each in self.found.sources
            if self.source in ("", each.source)
        ]

    @cached_property
    def unheld(self) -> list[Unheld]:
        """Statements of articles that a sentence has gone from under."""
        return [
            each for each in self.found.unheld if self._concerns(gone.source for gone in each.gone)
        ]

    @cached_property
    def disagreements(self) -> list[tuple[Kind, list[Disagreement]]]:
        """What documents say differently, by kind."""
        return [(kind, found) for kind in KINDS if (found := self._differing(kind))]

    @cached_property
    def lost(self) -> list[tuple[LinkKind, list[LostLink]]]:
        """Links that lead nowhere, by kind."""
        if self.links is None:
            return []
        return [(kind, found) for kind in LINK_KINDS if (found := self._lost(kind, self.links))]

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each, for the top of the page."""
        return {
            "unheld": len(self.unheld),
            "differ": sum(len(found) for _, found in self.disagreements),
            "dead": sum(each.dead for _, found in self.lost for each in found),
            "empty": sum(len(each.age.empty) for each in self.sources),
            "old": sum(len(each.old) for each in self.sources),
        }

    def _differing(self, kind: Kind) -> list[Disagreement]:
        return [
            each
            for each in self.found.disagreements
            if each.kind == kind and self._concerns(said.document.source for said in each.said)
        ]

    def _lost(self, kind: LinkKind, links: LinkReport) -> list[LostLink]:
        return [each for each in links.of(kind) if self._concerns(p.source for p in each.places)]

    def _concerns(self, sources: Iterable[str]) -> bool:
        return not self.source or self.source in set(sources)
