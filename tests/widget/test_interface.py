"""The page of the API, in the browser."""

from __future__ import annotations

from playwright.sync_api import Browser, expect


def test_every_call_is_shown_and_can_be_tried_without_another_host(
    browser: Browser, helpdesk: str
) -> None:
    page = browser.new_page()
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{helpdesk}/docs")
    search = page.locator(".opblock", has_text="/v1/search")
    search.locator(".opblock-summary-path").click()
    search.get_by_role("button", name="Try it out").click()
    search.get_by_placeholder("q", exact=True).fill("consent")
    search.get_by_role("button", name="Execute").click()
    expect(search.locator(".live-responses-table .response-col_status").last).to_have_text("200")
    page.close()
    assert told == []
    assert any("/v1/search?q=consent" in address for address in asked)
    assert [address for address in asked if not address.startswith((helpdesk, "data:"))] == []
