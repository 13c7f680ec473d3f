"""The page of freshness, and the one for contributing, in Chromium: usable by everyone."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sitting import Sit

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


def look(page: Page) -> None:
    page.wait_for_load_state("load")  # a text is there before its style sheet
    found = Axe().run(page, options=RULES).response
    assert found["testEngine"]["name"] == "axe-core"
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert not page.evaluate(_WIDER)


@pytest.mark.parametrize("window", ["light", "dark, 320 px"])
def test_axe_finds_nothing_wrong_with_freshness(sit: Sit, window: str) -> None:
    page = sit(**WINDOWS[window])
    page.goto("/desk/freshness?years=1")
    for each in page.locator("summary").all():
        each.click()
    look(page)


@pytest.mark.parametrize("window", ["light", "dark, 320 px"])
def test_axe_finds_nothing_wrong_on_the_way_to_a_contribution(sit: Sit, window: str) -> None:
    page = sit(**WINDOWS[window])
    page.goto("/")
    page.locator("footer").get_by_role("link", name="Add a resource of your country").click()
    look(page)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Please choose a country")
    look(page)
    page.get_by_label("Country", exact=True).select_option("PT")
    page.get_by_label("Title of the resource").fill("A guide to consent forms")
    page.get_by_label("Permanent link").fill("https://guide.example.org/")
    page.get_by_label("ELSI documents").check()
    page.get_by_label("I do", exact=True).check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("link", name="Open in my mail program")).to_be_visible()
    look(page)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Send the request").click()
    expect(page.get_by_role("alert")).to_contain_text("consent")
    look(page)
    page.get_by_role("button", name="Change it").click()
    page.get_by_label("Permanent link").fill("10.5281/zenodo.123")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("Your name")).to_have_value("Ada")
    page.get_by_label("Your e-mail address").fill("ada@clinic.example")
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Send the request").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your request has been sent")
    look(page)
    page.locator(".private a").click()
    expect(page.locator("main")).to_contain_text("A guide to consent forms")
