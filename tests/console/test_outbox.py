"""The page of what has not arrived elsewhere, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from console import ASKED
from playwright.sync_api import expect
from sitting import Sit

from api.desk.desk import Desk
from api.desk.outbox import Outbox, Outlets
from api.desk.tickets import Tickets

# WCAG 2.2 A and AA, and what axe recommends beside.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize(
    "window",
    [{}, {"color_scheme": "dark", "viewport": {"width": 360, "height": 640}}],
    ids=["wide", "narrow and dark"],
)
def test_axe_finds_nothing_wrong_and_a_lead_sends_again(
    sit: Sit, helpdesk: tuple[str, Desk], window: dict[str, Any]
) -> None:
    desk = helpdesk[1]
    # What the server itself has nowhere to send.
    outbox = Outbox(desk.database, Outlets("nmg.example", webhook=True))
    ticket, _ = Tickets(desk.database, outbox).open(replace(ASKED, country="PT"))
    page = sit(**window)
    page.goto("/desk/outbox")
    expect(page.locator("main")).to_contain_text(ticket.ticket_id)
    found = Axe().run(page, options=RULES).response
    assert found["testEngine"]["name"] == "axe-core"
    assert [each["id"] for each in found["violations"]] == []
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0
    row = page.locator("tr", has_text=ticket.ticket_id).filter(has_text="Mail to the person")
    row.get_by_role("button").click()
    expect(page).to_have_url(f"{helpdesk[0]}/desk/outbox")
