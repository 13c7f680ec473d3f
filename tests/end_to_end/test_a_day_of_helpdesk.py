"""A day of helpdesk in one browser: refused, handed over, answered, written down, answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harbour import ADDRESS, Harbour, free_port, served
from playwright.sync_api import Browser, Page, expect
from servers.oidc import CLIENT, SECRET, OidcServer

from api.desk.desk import open_desk
from api.desk.models import Actor

QUESTION = "Can I drop off my jellyfish on Saturday?"
ASKED_ANEW = "Could I drop my jellyfish off on a Saturday?"
VISITOR = "ida@aquarium.example"
GRACE = "grace@harbour.example"
REPLY = "No: the gate is locked from Friday noon until Monday at eight."
PUBLISHED_MS = 180_000
"""It embeds and builds; seconds on a machine with nothing else to do."""


@dataclass(frozen=True)
class Day:
    """The helpdesk, and who signs its staff in."""

    address: str
    service: OidcServer


@pytest.fixture(scope="module")
def day(harbour: Harbour, tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Day]:
    own = harbour.copy(tmp_path_factory.mktemp("day"))
    desk = open_desk("", own.data, 30)
    desk.staff.add(Actor("operator", "admin"), "Grace", GRACE, "lead", ["PT"])
    desk.close()
    port = free_port()
    with OidcServer() as service:
        service.knows("grace", email=GRACE, email_verified=True, name="Grace")
        settings = {
            "HELPDESK_SERVER__PUBLIC_URL": f"http://127.0.0.1:{port}",
            "HELPDESK_SIGN_IN__ISSUER": service.address,
            "HELPDESK_SIGN_IN__CLIENT_ID": CLIENT,
            "HELPDESK_SIGN_IN__CLIENT_SECRET": SECRET,
        }
        with served(own, root, port, **settings) as address:
            yield Day(address, service)


def _ask(page: Page, question: str) -> None:
    send = page.get_by_role("button", name="Send", exact=True)
    expect(send).to_be_visible()
    page.locator("helpdesk-chat .asking textarea").fill(question)
    send.click()


def _sorted(queue: Page) -> None:
    """Wait until the ticket has its intent, which takes some seconds after a start."""
    for _ in range(60):
        if not queue.get_by_text("not sorted").count():
            return
        time.sleep(0.5)
        queue.reload()
    pytest.fail("the ticket was not sorted within half a minute")


def test_what_is_refused_today_is_answered_tomorrow(day: Day, browser: Browser) -> None:
    # A visitor asks, is refused, and hands over to a person.
    visitor = browser.new_context().new_page()
    visitor.goto(f"{day.address}/?language=en")
    _ask(visitor, QUESTION)
    refused = visitor.get_by_role("log")
    expect(refused).to_contain_text("nothing to do with")
    refused.get_by_role("button", name="Ask a person").click()
    form = visitor.locator("helpdesk-chat form.hand-over")
    form.locator("[name=email]").fill(VISITOR)
    form.locator("[name=country]").select_option("PT")
    form.locator("[name=consent]").check()
    form.get_by_role("button", name="Send to a person").click()
    link = visitor.locator('helpdesk-chat a[href*="/tickets/"]')
    expect(link).to_be_visible()
    private = str(link.get_attribute("href"))

    # Staff sign in elsewhere, and find the ticket sorted, with a draft.
    staff = browser.new_context().new_page()
    staff.goto(f"{day.address}/desk")
    staff.get_by_role("link", name="Sign in").click()
    staff.wait_for_url(f"{day.service.address}/**")
    staff.locator("input[name=sub]").fill("grace")
    staff.locator("button, input[type=submit]").first.click()
    staff.wait_for_url(f"{day.address}/desk")
    expect(staff.get_by_role("banner").get_by_text("Grace")).to_be_visible()
    _sorted(staff)
    staff.get_by_role("link", name=QUESTION).click()
    expect(staff.get_by_role("heading", level=1, name=QUESTION)).to_be_visible()
    expect(staff.get_by_text("Portugal").first).to_be_visible()
    expect(staff.get_by_text("Why", exact=True)).to_be_visible()
    editor = staff.get_by_label("To the requester")
    assert editor.input_value()

    # They correct the draft and reply; the visitor reads it.
    editor.fill(REPLY)
    staff.get_by_role("button", name="Send reply").click()
    expect(staff.get_by_text("Grace, reply")).to_be_visible()
    visitor.goto(private)
    expect(visitor.get_by_text(REPLY)).to_be_visible()

    # They make an article of it, with its evidence.
    staff.get_by_role("button", name="Make this an article").click()
    staff.get_by_label("Statement 1").fill("Nothing can be brought in from Friday noon to Monday.")
    evidence = staff.get_by_role("group", name="Evidence of statement 1")
    carrying = evidence.get_by_role("checkbox", name="The gate on the quay is locked")
    carrying.check()
    staff.get_by_label("Signed by").fill("Helpdesk lead")
    staff.get_by_role("button", name="Save and publish").click()
    expect(staff.get_by_text("It is published")).to_be_visible(timeout=PUBLISHED_MS)

    # The next visitor is answered, and sees on what that rests.
    following = browser.new_context().new_page()
    following.goto(f"{day.address}/?language=en")
    _ask(following, ASKED_ANEW)
    said = following.locator("helpdesk-chat .statement", has_text="Nothing can be brought in")
    expect(said).to_be_visible()
    following.get_by_role("button", name="Source 1").first.click()
    expect(following.locator(f'a[href^="{ADDRESS}/house.md"]').first).to_be_visible()
