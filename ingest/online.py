"""What is assumed of Zenodo, of GitHub and of sites, asked of them as they are today.

Each service is asked on a thread of its own, with a client of its own, so that
one that does not answer holds up no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Thread

from ingest.assumed.github import check_github, repository_of
from ingest.assumed.service import Different, Service
from ingest.assumed.site import Cited, check_site, cited_pages
from ingest.assumed.zenodo import check_zenodo, record_of
from ingest.check import Check
from ingest.fetch.client import Client
from ingest.sources import Registry
from rag.errors import SourceUnavailable
from rag.store import Store

WITHIN_S = 55.0
"""For all services together; the promise is a minute."""


@dataclass
class _Inquiry:
    """The checks of one service, on their thread."""

    name: str
    checks: Callable[[Service], Iterator[Check]]
    found: list[Check] = field(default_factory=list)
    service: Service | None = None
    ended: bool = False

    def run(self, connect: Callable[[], Client]) -> None:
        fault = ""
        try:
            with connect() as client:
                self.service = Service(self.name, client)
                # One by one: what is found before the time is up counts.
                for check in self.checks(self.service):
                    self.found.append(check)
        except Different as error:
            fault = str(error)
        except SourceUnavailable as error:
            fault = f"{self._what}: {error}"
        except Exception as error:  # noqa: BLE001 - a thread that ends unseen would look like one that waits
            fault = f"{self._what} cannot be checked: {type(error).__name__}"
        if fault:
            self.found.append(Check(self.name, "fault", fault))
        self.ended = True

    def outcome(self, within_s: float) -> list[Check]:
        """What was found so far."""
        if self.ended:
            return self.found
        late = f"no answer within {within_s:g} s, waiting for {self._what}"
        return [*self.found, Check(self.name, "fault", late)]

    @property
    def _what(self) -> str:
        return self.service.what if self.service else "an answer"


def of_services(
    connect: Callable[[], Client],
    registry: Registry,
    store: Store,
    *,
    zenodo: str,
    github: str,
    within_s: float = WITHIN_S,
) -> list[Check]:
    """Check what is assumed of the services that sources come from.

    Args:
        connect: Makes a client; each service has its own, as none may be shared by threads.
        registry: Names what is asked for: the first record, the first repository, all sites.
        store: Where the index is, whose citations are looked up on the sites.
        zenodo: Address of the Zenodo that is asked.
        github: Address of the API of GitHub.
        within_s: When to give up on who has not answered.
    """
    until = time.monotonic() + within_s
    inquiries = _inquiries(
        registry, zenodo.rstrip("/"), github.rstrip("/"), partial(cited_pages, store)
    )
    threads = [
        # Who still waits for an answer in the end does not keep the program from ending.
        Thread(target=inquiry.run, args=(connect,), name=inquiry.name, daemon=True)
        for inquiry in inquiries
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if not inquiries:
        return [Check("services", "note", "no source on the web is listed")]
    return [check for inquiry in inquiries for check in inquiry.outcome(within_s)]


def _inquiries(registry: Registry, zenodo: str, github: str, cited: Cited) -> list[_Inquiry]:
    found: list[_Inquiry] = []
    sources = registry.sources.values()
    if record := next(filter(None, (record_of(each, zenodo) for each in sources)), None):
        found.append(_Inquiry("Zenodo", partial(check_zenodo, zenodo, record)))
    if repository := next(filter(None, map(repository_of, sources)), None):
        found.append(_Inquiry("GitHub", partial(check_github, github, repository)))
    found += [
        _Inquiry(each.name, partial(check_site, each.address, cited))
        for each in sources
        if each.kind == "site" and each.address
    ]
    return found
