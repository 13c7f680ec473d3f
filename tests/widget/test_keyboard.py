from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from visit import QUESTION, Visit, invented

PHONE = {"viewport": {"width": 320, "height": 568}}
# A window of 1280 by 800 at 200 %.
ZOOMED = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}

_FOCUSED = """() => {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return [found.tagName, found.getAttribute("aria-label") || found.id || found.innerText];
}"""
_TOO_WIDE = """() => {
  const all = [document.documentElement];
  const chat = document.querySelector("helpdesk-chat").shadowRoot;
  all.push(...chat.querySelectorAll("*:not(.unseen)"));
  return all.filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0
    && getComputedStyle(each).overflowX !== "visible").map((each) => each.outerHTML.slice(0, 80));
}"""


def _focused(visit: Visit) -> str:
    tag, name = visit.page.evaluate(_FOCUSED)
    return f"{tag.lower()} {name}"


def test_a_conversation_needs_no_more_than_a_keyboard(visit: Visit) -> None:
    keys = visit.page.keyboard
    visit.go()
    expect(visit.launcher).to_be_visible()
    keys.press("Tab")
    expect(visit.launcher).to_be_focused()
    keys.press("Enter")
    expect(visit.box).to_be_focused()
    expect(visit.launcher).to_have_attribute("aria-expanded", "true")
    keys.type(QUESTION)
    keys.press("Enter")
    expect(visit.turns.last.locator(".rating")).to_be_visible()
    expect(visit.box).to_be_focused()
    expect(visit.box).to_have_value("")
    for _ in range(20):
        keys.press("Shift+Tab")
        if _focused(visit) == "button Source 1: Sharing":
            break
    keys.press("Enter")
    expect(visit.turns.last.locator(".card")).to_be_focused()
    keys.press("Escape")
    expect(visit.turns.last.locator(".card")).to_have_count(0)
    keys.press("Escape")
    expect(visit.frame).to_be_hidden()
    expect(visit.launcher).to_be_focused()
    expect(visit.launcher).to_have_attribute("aria-expanded", "false")
    keys.press("Space")
    expect(visit.box).to_be_focused()
    expect(visit.turns).to_have_count(1)


def test_the_tab_key_walks_through_the_chat_in_the_order_in_which_it_is_read(
    opened: Visit,
) -> None:
    opened.ask()
    opened.chat.get_by_role("button", name="Start again").focus()
    walked = []
    for _ in range(30):
        walked.append(_focused(opened))
        if walked.count("button Ask a person") == 2:
            break
        opened.page.keyboard.press("Tab")
    sources = [f"button Source {number}: Sharing" for number in (1, 2, 3, 1)]
    assert walked == [
        "button Start again",
        "button Close",
        "div Conversation",
        "button How can I engage with the initiative?",
        "button How can I find available data?",
        "button What do I need to share my data?",
        "button How can I run my pipeline?",
        *sources,
        "button Source 4: A page of the evidence",
        "a desk@aurora.example",
        "button How do I apply for access?",
        "button Copy",
        "button Ask a person",
        "button Yes",
        "button No",
        "textarea question",
        "button Send",
        "button Ask a person",
    ]


def test_shift_and_enter_begin_a_new_line(opened: Visit) -> None:
    keys = opened.page.keyboard
    keys.type("First")
    keys.press("Shift+Enter")
    keys.type("Second")
    expect(opened.box).to_have_value("First\nSecond")
    expect(opened.turns).to_have_count(0)
    keys.press("Enter")
    expect(opened.turns.last.locator(".asked")).to_contain_text(
        "First\nSecond", use_inner_text=True
    )


def test_enter_that_ends_a_composed_character_does_not_send(opened: Visit) -> None:
    opened.box.fill("γένωμ")
    sent = opened.box.evaluate(
        """(box) => box.dispatchEvent(new KeyboardEvent("keydown",
             {key: "Enter", isComposing: true, bubbles: true, cancelable: true}))"""
    )
    assert sent is True  # not prevented: the input method has it
    expect(opened.turns).to_have_count(0)
    expect(opened.box).to_have_value("γένωμ")


def test_escape_that_ends_a_composed_character_does_not_close(opened: Visit) -> None:
    opened.box.evaluate(
        """(box) => box.dispatchEvent(new KeyboardEvent("keydown",
             {key: "Escape", isComposing: true, bubbles: true, composed: true}))"""
    )
    expect(opened.frame).to_be_visible()
    opened.page.keyboard.press("Escape")
    expect(opened.frame).to_be_hidden()


def test_the_page_can_be_used_beside_the_open_chat(visit: Visit) -> None:
    visit.go('<button id="own">A button of the page</button>')
    visit.open()
    assert visit.frame.evaluate("(frame) => frame.matches(':modal')") is False
    visit.page.locator("#own").click()
    expect(visit.page.locator("#own")).to_be_focused()
    expect(visit.frame).to_be_visible()


def test_the_launcher_closes_what_it_opened(opened: Visit) -> None:
    opened.launcher.click()
    expect(opened.frame).to_be_hidden()
    expect(opened.launcher).to_be_focused()


@pytest.mark.parametrize("window", [PHONE, ZOOMED], ids=["320 px", "200 %"])
def test_in_a_small_window_the_chat_fills_it_and_keeps_the_focus(
    visits: Callable[..., Visit], window: dict[str, Any]
) -> None:
    visit = visits(**window)
    visit.go('<button id="own">A button of the page</button>')
    visit.open()
    box = visit.frame.bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == (
        0,
        0,
        window["viewport"]["width"],
        window["viewport"]["height"],
    )
    visit.ask()
    for _ in range(40):
        visit.page.keyboard.press("Tab")
        # Between its last and its first element it passes through the browser's own.
        assert visit.page.evaluate("document.activeElement.localName") in ("helpdesk-chat", "body")
    assert visit.page.locator("#own").evaluate("(own) => own.matches(':focus')") is False
    visit.box.focus()
    visit.page.keyboard.press("Escape")
    expect(visit.frame).to_be_hidden()
    expect(visit.launcher).to_be_focused()


@pytest.mark.parametrize("window", [PHONE, ZOOMED], ids=["320 px", "200 %"])
def test_nothing_scrolls_sideways_in_a_small_window(
    visits: Callable[..., Visit], window: dict[str, Any]
) -> None:
    visit = visits(**window)
    visit.go()
    visit.open()
    assert visit.page.evaluate(_TOO_WIDE) == []
    visit.ask()
    visit.button("Source 1: Sharing").first.click()
    assert visit.page.evaluate(_TOO_WIDE) == []
    visit.button("Yes").click()
    expect(visit.turns.last.locator("form.comment")).to_be_visible()
    assert visit.page.evaluate(_TOO_WIDE) == []
    visit.button("Ask a person").click()
    visit.chat.get_by_role("button", name="Send to a person").click()
    expect(visit.chat.locator(".wrong:visible").first).to_be_visible()
    assert visit.page.evaluate(_TOO_WIDE) == []
    # The last control of the form can be reached by scrolling.
    back = visit.chat.get_by_role("button", name="Back to the chat")
    back.scroll_into_view_if_needed()
    expect(back).to_be_in_viewport(ratio=0.9)


def test_escape_in_the_card_leaves_a_full_screen_chat_open(visits: Callable[..., Visit]) -> None:
    visit = visits(**PHONE)
    visit.go()
    visit.open()
    visit.ask()
    visit.button("Source 1: Sharing").first.click()
    visit.page.keyboard.press("Escape")
    expect(visit.turns.last.locator(".card")).to_have_count(0)
    expect(visit.frame).to_be_visible()
    visit.button("Ask a person").click()
    visit.page.keyboard.press("Escape")
    expect(visit.frame).to_be_visible()
    expect(visit.box).to_be_focused()


def test_a_full_screen_chat_stays_modal_after_a_restart(visits: Callable[..., Visit]) -> None:
    visit = visits(**PHONE)
    visit.go()
    visit.open()
    visit.chat.get_by_role("button", name="Start again").click()
    expect(visit.box).to_be_focused()
    assert visit.frame.evaluate("(frame) => frame.matches(':modal')") is True


def test_the_beginning_of_an_answer_is_in_sight(opened: Visit) -> None:
    said = [
        {"text": f"Boat {number} sails.", "citations": [1], "language": "en"}
        for number in range(60)
    ]
    opened.reply_with(invented(statements=said))
    for _ in range(2):
        opened.ask()
    expect(opened.turns.last.locator(".asked")).to_be_in_viewport()
    asked, log = opened.turns.last.bounding_box(), opened.chat.locator(".log").bounding_box()
    assert asked is not None
    assert log is not None
    assert 0 <= asked["y"] - log["y"] <= 40
