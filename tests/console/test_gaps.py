"""The report of gaps in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from sitting import Sit
from sqlalchemy import insert

from api.desk.desk import Desk
from api.desk.tables import ANSWERS

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
_WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
ASKED = (
    "Which bus goes to the biobank?",
    "Is there a bus to the biobank?",
    "Where does the choir rehearse?",
)


def _violations(page: Page) -> list[str]:
    page.wait_for_load_state("load")
    found = Axe().run(page, options=RULES).response
    assert found["testEngine"]["name"] == "axe-core"
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]


@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_wrong_and_nothing_is_wider_than_the_screen(
    sit: Sit, helpdesk: tuple[str, Desk], width: int
) -> None:
    _, desk = helpdesk
    rows = [
        {
            "answer_id": f"gap-{width}-{number}",
            "created_at": datetime.now(UTC),
            "question": question,
            "status": "abstained",
            "reason": "no_evidence",
            "strength": "strong",
            "language": "en",
            "model": "extractive",
            "generation": "20250101T080000Z-00000000",
            "cited": [],
            "timings_ms": {},
        }
        for number, question in enumerate(ASKED)
    ]
    with desk.database.writing() as connection:
        connection.execute(insert(ANSWERS), rows)
    page = sit("Ida", "agent", viewport={"width": width, "height": 900})
    page.goto("/desk/gaps")
    page.locator(".gaps summary").first.click()
    assert _violations(page) == []
    assert not page.evaluate(_WIDER)
    page.locator(".gaps h3 a").first.click()
    page.get_by_label("Text (Markdown)").wait_for()
    assert _violations(page) == []
    assert not page.evaluate(_WIDER)
