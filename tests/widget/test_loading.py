from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from visit import QUESTION, Visit, invented, policy

KILOBYTE = 1024

_GLOBALS = "Object.getOwnPropertyNames(window).filter((name) => !/^\\d+$/.test(name)).sort()"
_STORED = """async () => ({
  local: Object.keys(localStorage),
  session: Object.keys(sessionStorage),
  cookies: document.cookie,
  databases: (await indexedDB.databases()).length,
  caches: (await caches.keys()).length,
})"""
_KEEP = "(kept) => sessionStorage.setItem('helpdesk-chat', kept)"
_NOTHING = {"local": [], "session": [], "cookies": "", "databases": 0, "caches": 0}


def test_the_script_that_a_page_names_has_at_most_5_kilobytes(helpdesk: str) -> None:
    reply = httpx.get(f"{helpdesk}/widget.js", headers={"Accept-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert int(reply.headers["content-length"]) <= 5 * KILOBYTE
    assert len(gzip.compress(reply.content)) <= 5 * KILOBYTE


def test_all_that_is_loaded_has_at_most_45_kilobytes(visit: Visit) -> None:
    wire = visit.page.context.new_cdp_session(visit.page)
    wire.send("Network.enable")
    received: list[float] = []
    wire.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    visit.go()
    visit.open()
    loaded = [each for each in visit.requests if each.url.startswith(visit.helpdesk)]
    assert len(loaded) > 5
    # With the page of the host itself, and the headers of all.
    assert len(received) > len(loaded)
    assert sum(received) <= 45 * KILOBYTE


def test_nothing_but_one_script_is_loaded_before_the_chat_is_opened(visit: Visit) -> None:
    visit.go()
    expect(visit.launcher).to_be_visible()
    visit.page.wait_for_load_state("networkidle")
    assert [each.url for each in visit.requests] == [
        f"{visit.host.origin}/page",
        f"{visit.helpdesk}/widget.js",
    ]


def test_nothing_but_scripts_is_loaded_before_the_first_question(opened: Visit) -> None:
    opened.box.fill("A question that is not sent")
    opened.page.wait_for_load_state("networkidle")
    assert {each.resource_type for each in opened.requests[1:]} == {"script"}
    assert {each.method for each in opened.requests} == {"GET"}
    for each in opened.requests[1:]:
        assert each.url.startswith((f"{opened.helpdesk}/widget.js", f"{opened.helpdesk}/widget/"))
    opened.ask()
    assert opened.asked_of_helpdesk() == ["/v1/answers"]


def test_it_works_under_the_strictest_policy_without_a_breach(opened: Visit) -> None:
    opened.ask()
    opened.button("Source 1: Sharing").first.click()
    expect(opened.chat.get_by_role("group", name="Source 1: Sharing")).to_be_visible()
    opened.button("Yes").click()
    expect(opened.turns.last.get_by_text("Thank you.")).to_be_visible()
    opened.button("Ask a person").click()
    opened.chat.get_by_label("Your e-mail address").fill("visitor@example.org")
    opened.chat.get_by_role("checkbox").check()
    opened.chat.get_by_role("button", name="Send to a person").click()
    expect(opened.chat.get_by_text("Your request has been sent.").last).to_be_visible()
    assert opened.complaints == []


def test_a_breach_of_the_policy_would_be_noticed(visit: Visit) -> None:
    # What the other tests rely on.
    visit.go('<p style="color: red">Not allowed here</p>')
    visit.page.wait_for_load_state("networkidle")
    assert any("policy: style-src-attr" in each for each in visit.complaints)
    visit.complaints.clear()


def test_only_the_element_is_added_to_the_page(visit: Visit) -> None:
    visit.go_to("<!doctype html><title>A page</title><body></body>")
    before = visit.page.evaluate(_GLOBALS)
    visit.go()
    visit.open()
    visit.ask()
    assert visit.page.evaluate(_GLOBALS) == before
    assert visit.page.evaluate("customElements.get('helpdesk-chat')?.name") == "HelpdeskChat"


def test_nothing_is_stored(opened: Visit) -> None:
    assert opened.page.evaluate(_STORED) == _NOTHING
    opened.ask()
    assert opened.page.evaluate(_STORED) == _NOTHING
    assert opened.page.context.cookies() == []
    opened.page.reload()
    opened.open()
    expect(opened.turns).to_have_count(0)


def test_the_conversation_is_kept_across_pages_where_the_site_says_so(visit: Visit) -> None:
    visit.go(keep="")
    visit.open()
    visit.ask()
    visit.page.reload()
    visit.open()
    expect(visit.turns).to_have_count(1)
    expect(visit.button("Source 1: Sharing").first).to_be_visible()
    assert visit.asked_of_helpdesk() == ["/v1/answers"]
    visit.chat.get_by_role("button", name="Start again").click()
    expect(visit.turns).to_have_count(0)
    assert visit.page.evaluate(_STORED) == _NOTHING
    visit.page.reload()
    visit.open()
    expect(visit.turns).to_have_count(0)


def test_what_something_else_has_stored_under_its_name_is_passed_over(visit: Visit) -> None:
    visit.go(keep="")
    for kept in ('{"a": 1}', "[1]", '[{"question": "q"}]', "nonsense", "null", '[{"answer": {}}]'):
        visit.page.evaluate(_KEEP, kept)
        visit.page.reload()
        visit.open()
        expect(visit.turns).to_have_count(0)


def test_a_kept_conversation_of_another_shape_is_forgotten(visit: Visit) -> None:
    whole = [{"question": "q", "answer": invented()}]
    other = [{"question": "q", "answer": invented(citations=[None], next_step={"text": None})}]
    visit.go(keep="")
    visit.page.evaluate(_KEEP, json.dumps(whole))
    visit.page.reload()
    visit.open()
    expect(visit.turns).to_have_count(1)
    visit.page.evaluate(_KEEP, json.dumps(whole + other))
    visit.page.reload()
    visit.open()
    expect(visit.turns).to_have_count(0)
    assert visit.page.evaluate(_STORED) == _NOTHING
    visit.ask()
    expect(visit.turns).to_have_count(1)


def test_a_page_that_forbids_storage_has_the_chat_all_the_same(visit: Visit) -> None:
    refuse = "Object.defineProperty(window, 'sessionStorage', {get() { throw new Error('no'); }})"
    visit.page.add_init_script(refuse)
    visit.go(keep="")
    visit.open()
    visit.ask()
    expect(visit.turns).to_have_count(1)


def test_neither_cookies_nor_the_address_of_the_page_go_along(opened: Visit) -> None:
    with opened.page.expect_request("**/v1/answers") as asked:
        opened.ask()
    headers = asked.value.all_headers()
    assert "cookie" not in headers
    assert "referer" not in headers
    assert set(asked.value.post_data_json) == {"question", "history", "country", "language"}
    assert asked.value.post_data_json["question"] == QUESTION


def test_a_page_that_is_not_on_the_list_may_show_the_chat_but_not_ask(
    visits: Callable[..., Visit],
) -> None:
    visit = visits()
    html = f'<!doctype html><title>x</title><script src="{visit.helpdesk}/widget.js"></script>'
    visit.go_to(html)
    # Another name for the same place is another origin.
    visit.page.goto(f"{visit.host.origin.replace('127.0.0.1', 'localhost')}/page")
    visit.open()
    turn = visit.send()
    expect(turn.locator(".failure")).to_contain_text("cannot be reached")
    assert any("CORS policy" in each for each in visit.complaints)
    visit.complaints.clear()


@pytest.mark.parametrize("missing", ["**", "styles.js", "texts/*"])
def test_the_launcher_tells_when_the_chat_cannot_be_loaded_and_can_be_pressed_again(
    visit: Visit,
    missing: str,
) -> None:
    modules = f"{visit.helpdesk}/widget/{missing}"
    visit.page.route(modules, lambda route: route.abort())
    visit.go()
    visit.launcher.click()
    trouble = visit.page.get_by_role("button", name="cannot be reached")
    expect(trouble).to_contain_text("desk@aurora.example")
    visit.page.unroute(modules)
    trouble.click()
    expect(visit.box).to_be_focused()
    expect(visit.launcher).to_be_visible()


def test_the_launcher_is_busy_while_the_chat_loads_and_then_leaves_the_focus_where_it_is(
    visit: Visit,
) -> None:
    held: list[Any] = []
    visit.page.route("**/widget/texts/*", lambda route: held.append(route))
    visit.go("<input aria-label='Elsewhere'>")
    visit.launcher.click()
    expect(visit.launcher).to_have_attribute("aria-busy", "true")
    while not held:
        visit.page.wait_for_timeout(10)
    elsewhere = visit.page.get_by_label("Elsewhere")
    elsewhere.focus()
    held[0].continue_()
    expect(visit.frame).to_be_visible()
    expect(visit.launcher).not_to_have_attribute("aria-busy", "true")
    expect(elsewhere).to_be_focused()
    visit.launcher.click()
    visit.launcher.click()
    expect(visit.box).to_be_focused()


def test_an_element_placed_by_hand_that_cannot_be_loaded_is_no_error_of_the_page(
    visit: Visit,
) -> None:
    visit.page.route(f"{visit.helpdesk}/widget/define.js", lambda route: route.abort())
    visit.go("<helpdesk-chat><p>Write to us</p></helpdesk-chat>")
    visit.page.wait_for_load_state("networkidle")
    expect(visit.page.get_by_text("Write to us")).to_be_visible()
    assert visit.complaints == []


def test_where_the_chat_cannot_be_drawn_an_example_is_answered_by_a_page(visit: Visit) -> None:
    visit.page.route("**/widget/texts/*", lambda route: route.abort())
    visit.page.goto(visit.helpdesk)
    visit.page.wait_for_load_state("networkidle")
    visit.page.locator("#examples button").first.click()
    expect(visit.page.locator("#answer")).to_be_visible()


def test_the_way_to_the_chat_leads_there(visit: Visit) -> None:
    visit.page.goto(visit.helpdesk)
    expect(visit.box).to_be_visible()
    visit.page.keyboard.press("Tab")
    skip = visit.page.get_by_role("link", name="Skip to the chat")
    expect(skip).to_be_focused()
    skip.press("Enter")
    expect(visit.page.locator("section:has(helpdesk-chat)")).to_be_focused()
    visit.page.goto(f"{visit.helpdesk}/tickets/NMG-1")
    expect(visit.page.get_by_role("heading", level=1)).to_be_visible()
    expect(skip).to_have_count(0)


def test_the_policy_of_these_tests_is_that_of_the_promise(helpdesk: str) -> None:
    promised = (
        f"default-src 'none'; script-src {helpdesk}; connect-src {helpdesk}; style-src 'self'"
    )
    assert policy(helpdesk).startswith(promised)
