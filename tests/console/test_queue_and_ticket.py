"""The queue and a ticket in a browser: what scripts add, who reads them, and on which screens."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from console import opened
from playwright.sync_api import Dialog, Page, expect
from sitting import Sit

from api.desk.desk import Desk
from api.desk.models import Seen

WINDOWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark, 320 px": {
        "color_scheme": "dark",
        "viewport": {"width": 320, "height": 568},
        "has_touch": True,
    },
}
# WCAG 2.2 A and AA, and what axe recommends beside.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
_WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_SMALL = """() => [...document.querySelectorAll("main button, main select, main input")]
  .filter((each) => each.checkVisibility() && each.type !== "hidden")
  .filter((each) => each.getBoundingClientRect().height < 44)
  .map((each) => each.outerHTML)"""


def _violations(page: Page) -> list[str]:
    page.wait_for_load_state("load")  # a text is there before its style sheet
    found = Axe().run(page, options=RULES).response
    # It says nothing where it could not look.
    assert found["testEngine"]["name"] == "axe-core"
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.fixture
def desk(helpdesk: tuple[str, Desk]) -> Desk:
    return helpdesk[1]


@pytest.mark.parametrize("window", WINDOWS)
def test_axe_finds_nothing_wrong_and_nothing_is_wider_than_the_screen(
    sit: Sit, desk: Desk, window: str
) -> None:
    page = sit(**WINDOWS[window])
    ticket = opened(desk, f"How can I share my data? {'Long' * 40}", country="PT")
    address = f"/desk/tickets/{ticket.ticket_id}"
    looked: list[str] = []

    def look(name: str) -> None:
        assert (_violations(page), page.evaluate(_WIDER)) == ([], False), name
        if "320 px" in window:
            assert page.evaluate(_SMALL) == [], name
        looked.append(name)

    for query in ("", "?q=nothing+such", "?country=XX"):
        page.goto(f"/desk{query}")
        look(f"queue {query}")
    page.goto(address)
    look("not sorted")
    page.get_by_role("button", name="Sort now").click()
    page.get_by_text("Change title").click()
    page.get_by_text("Why", exact=True).click()
    look("sorted")
    desk.handling.note(_actor(desk), Seen(ticket.ticket_id, 1), "In between")
    page.get_by_role("button", name="Send reply").click()
    expect(page.get_by_role("alert")).to_contain_text("after you had opened it")
    look("conflict")
    page.get_by_role("button", name="Send reply").click()
    expect(page.get_by_role("status")).to_contain_text("Your reply")
    look("replied")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("status")).to_contain_text("closed")
    look("closed")
    page.goto("/desk/tickets/NMG-NONE")
    look("none")
    assert len(looked) == 9


def _actor(desk: Desk) -> Any:
    return desk.staff.everyone()[0].actor


def test_keys_send_what_is_typed(sit: Sit, desk: Desk) -> None:
    page, ticket = sit(), opened(desk)
    page.goto(f"/desk/tickets/{ticket.ticket_id}")
    page.get_by_label("To the requester").fill("Yes, they may.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status")).to_contain_text("Your reply")
    page.get_by_label("For staff only").fill("That was easy.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status")).to_contain_text("Your note")
    case = desk.tickets.read(_actor(desk), ticket.ticket_id)
    assert [each.kind for each in case.messages] == ["reply", "note"]


def test_enter_in_a_field_stores_the_fields_and_sends_no_reply(sit: Sit, desk: Desk) -> None:
    page, ticket = sit(), opened(desk)
    page.goto(f"/desk/tickets/{ticket.ticket_id}")
    page.get_by_label("To the requester").fill("Half a reply")
    page.get_by_text("Change title").click()
    page.get_by_label("Title").fill("Old samples")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Old samples")
    expect(page.get_by_label("To the requester")).to_have_value("Half a reply")
    assert desk.tickets.read(_actor(desk), ticket.ticket_id).messages == ()


def test_a_text_that_was_not_sent_is_not_left_behind_unasked(sit: Sit, desk: Desk) -> None:
    page, ticket = sit(), opened(desk)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto(f"/desk/tickets/{ticket.ticket_id}")
    page.get_by_role("link", name="Dashboard").click()
    page.goto(f"/desk/tickets/{ticket.ticket_id}")
    assert asked == []
    page.get_by_label("For staff only").fill("Half a note")
    page.get_by_role("link", name="Dashboard").click(no_wait_after=True)
    expect(page.get_by_label("For staff only")).to_have_value("Half a note")
    # Another form takes nothing of it along.
    page.get_by_role("button", name="Make this an article").click(no_wait_after=True)
    expect(page.get_by_label("For staff only")).to_have_value("Half a note")
    assert asked == ["beforeunload", "beforeunload"]


def test_a_filter_shows_what_it_leaves_and_keeps_the_focus(sit: Sit, desk: Desk) -> None:
    page = sit()
    opened(desk, "From Lisbon", country="PT")
    page.goto("/desk")
    page.get_by_label("Country").select_option("PT")
    expect(page).to_have_url("/desk?state=todo&q=&country=PT&intent=&priority=&assignee=")
    expect(page.get_by_role("link", name="From Lisbon")).to_be_visible()
    expect(page.get_by_label("Country")).to_be_focused()


def test_without_scripts_a_ticket_is_found_and_replied_to(sit: Sit, desk: Desk) -> None:
    page = sit(java_script_enabled=False)
    opened(desk, "Zebras?", country="LT")
    page.goto("/desk")
    page.get_by_label("Search").fill("zebra")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Zebras?").click()
    page.get_by_label("To the requester").fill("No zebras.")
    page.get_by_role("button", name="Send and solve").click()
    expect(page.get_by_role("status")).to_contain_text("solved")
