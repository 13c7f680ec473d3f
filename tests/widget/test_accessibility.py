"""What a screen reader, a person who sees badly, and axe-core make of the chat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from visit import PLAIN_QUESTION, WEAK_QUESTION, Visit

WINDOWS = {
    "light": {"color_scheme": "light"},
    "dark, 320 px": {"color_scheme": "dark", "viewport": {"width": 320, "height": 568}},
}
# WCAG 2.2 A and AA, and what axe recommends beside.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
_LIVE = """(root) => [...root.shadowRoot.querySelectorAll(
  "[aria-live], [role=status], [role=alert], [role=log], output")]
  .map((each) => [each.getAttribute("role"), each.getAttribute("aria-live")])"""


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


def _states(visit: Visit) -> Iterator[str]:
    """Walks through the states of the chat, naming each."""
    expect(visit.launcher).to_be_visible()
    yield "launcher"
    visit.open()
    yield "open"
    visit.ask()
    yield "answer"
    visit.button("Source 2: Sharing").click()
    yield "card"
    visit.button("Yes").click()
    expect(visit.turns.last.locator("form.comment")).to_be_visible()
    yield "rating"
    visit.ask(WEAK_QUESTION)
    yield "weak answer"
    visit.reply("/v1/answers", "{}", status=503)
    expect(visit.send().locator(".failure")).to_be_visible()
    yield "error"
    visit.button("Ask a person").click()
    form = visit.chat.locator("form.hand-over")
    yield "form"
    form.get_by_role("button", name="Send to a person").click()
    expect(form.locator(".wrong:visible").first).to_be_visible()
    yield "form with errors"
    form.get_by_label("Your e-mail address").fill("visitor@example.org")
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name="Send to a person").click()
    expect(visit.chat.locator("div.hand-over")).to_be_focused()
    yield "receipt"


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_axe_finds_nothing_in_any_state_of_the_chat(
    visits: Callable[..., Visit], window: dict[str, Any]
) -> None:
    # Without motion, as a colour on its way to another is none of ours.
    visit = visits(**window, reduced_motion="reduce")
    visit.go()
    found = {state: _violations(visit.page) for state in _states(visit)}
    assert len(found) == 10
    assert {state: wrong for state, wrong in found.items() if wrong} == {}


def test_axe_would_find_something_within_the_chat(opened: Visit) -> None:
    # What the other tests rely on: it looks into the shadow.
    opened.chat.locator(".asking button.primary").evaluate(
        "(button) => button.removeAttribute('aria-label') || button.removeAttribute('title')"
    )
    assert any("button-name" in each for each in _violations(opened.page))


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_axe_finds_nothing_on_the_page_of_the_helpdesk(
    visits: Callable[..., Visit], window: dict[str, Any]
) -> None:
    visit = visits(**window, reduced_motion="reduce")
    visit.page.goto(visit.helpdesk)
    visit.ask()
    assert _violations(visit.page) == []


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_axe_finds_nothing_on_the_page_without_scripts(
    visits: Callable[..., Visit], window: dict[str, Any]
) -> None:
    visit = visits(**window, reduced_motion="reduce")
    # Not switched off in the browser, as axe is a script, too.
    visit.page.route("**/*.js", lambda route: route.abort())
    visit.page.goto(visit.helpdesk)
    assert _violations(visit.page) == []
    visit.page.get_by_label("Your question").fill(PLAIN_QUESTION)
    visit.page.get_by_role("button", name="Ask", exact=True).click()
    expect(visit.page.get_by_text("decides within thirty working days").first).to_be_visible()
    assert _violations(visit.page) == []


def test_the_chat_is_a_dialog_with_a_name_and_a_log(opened: Visit) -> None:
    expect(opened.chat.get_by_role("dialog", name="Helpdesk")).to_be_visible()
    expect(opened.chat.get_by_role("log", name="Conversation")).to_be_visible()
    expect(opened.box).to_have_accessible_name("Your question")
    expect(opened.box).to_have_accessible_description("Shift + Enter starts a new line.")
    for name in ("Send", "Close", "Start again"):
        expect(opened.chat.get_by_role("button", name=name, exact=True)).to_be_visible()


def test_one_polite_region_speaks_and_the_log_does_not(opened: Visit) -> None:
    quiet = [["log", "off"], [None, "polite"]]
    assert opened.chat.evaluate(_LIVE) == quiet
    opened.ask()
    assert opened.chat.evaluate(_LIVE) == quiet
    opened.button("Ask a person").click()
    assert sorted(opened.chat.evaluate(_LIVE), key=str) == sorted(
        [*quiet, ["alert", None]], key=str
    )


def test_the_answer_is_spoken_once_it_is_whole_in_its_language(opened: Visit) -> None:
    spoken = opened.chat.locator("[aria-live=polite]")
    opened.ask("Como posso partilhar os meus dados?")
    expect(spoken).to_contain_text("Sign a transfer agreement first.")
    expect(spoken).to_have_attribute("lang", "pt")
    opened.button("Copy").click()
    expect(spoken).to_have_text("Copied")
    expect(spoken).to_have_attribute("lang", "en")


def test_each_part_says_in_which_language_it_is(visit: Visit) -> None:
    visit.go(language="el")
    visit.page.get_by_role("button").click()
    expect(visit.frame).to_have_attribute("lang", "el")
    turn = visit.ask("Como posso partilhar os meus dados?")
    expect(turn.locator(".opening")).to_have_attribute("lang", "pt")
    for each in turn.locator(".statement > p").all():
        expect(each).to_have_attribute("lang", "en")
    expect(turn.locator(".next")).to_have_attribute("lang", "pt")


def test_a_turn_is_told_apart_by_its_question(opened: Visit) -> None:
    opened.ask(PLAIN_QUESTION)
    expect(opened.chat.get_by_role("article", name=PLAIN_QUESTION)).to_be_visible()
    expect(opened.turns.last.locator(".asked")).to_have_text(f"You asked: {PLAIN_QUESTION}")


_MOVES = """(root) => [...root.shadowRoot.querySelectorAll("*")].filter((each) => {
  const style = getComputedStyle(each);
  return style.animationName !== "none" || style.transitionDuration !== "0s"
    || style.scrollBehavior !== "auto";
}).length"""
_BUSY = """(root) => {
  const busy = document.createElement("p");
  busy.className = "busy";
  root.shadowRoot.querySelector(".log").append(busy);
}"""


@pytest.mark.parametrize(("motion", "still"), [("reduce", True), ("no-preference", False)])
def test_nothing_moves_where_no_motion_is_wanted(
    visits: Callable[..., Visit], motion: str, still: bool
) -> None:
    visit = visits(reduced_motion=motion)
    visit.go()
    visit.open()
    visit.ask()
    visit.chat.evaluate(_BUSY)
    assert (visit.chat.evaluate(_MOVES) == 0) is still


def _edge(button: Locator) -> list[str]:
    edge: list[str] = button.evaluate(
        """(button) => {
          const style = getComputedStyle(button);
          return [style.borderTopWidth, style.borderTopStyle, style.borderTopColor,
            style.backgroundColor];
        }"""
    )
    return edge


def test_buttons_keep_an_edge_in_forced_colours(visits: Callable[..., Visit]) -> None:
    visit = visits(forced_colors="active")
    visit.go()
    buttons = [visit.launcher]
    visit.open()
    visit.ask()
    buttons += visit.chat.get_by_role("button").all()
    assert len(buttons) > 15
    for each in buttons:
        width, style, colour, ground = _edge(each)
        assert (float(width.removesuffix("px")) >= 1, style) == (True, "solid"), each
        assert "rgba(0, 0, 0, 0)" not in colour, each
        assert colour != ground, each


_OUTLINE = """() => {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  const style = getComputedStyle(found);
  return [found.localName + "." + found.className, style.outlineStyle,
    parseFloat(style.outlineWidth), style.outlineColor];
}"""


def test_the_focus_is_seen_wherever_the_keyboard_takes_it(opened: Visit) -> None:
    opened.ask()
    seen = 0
    opened.chat.get_by_role("button", name="Start again").focus()
    for _ in range(19):
        opened.page.keyboard.press("Tab")
        name, style, width, colour = opened.page.evaluate(_OUTLINE)
        if name.startswith("body"):
            break
        assert (style, width >= 2) == ("solid", True), name
        assert colour != "rgba(0, 0, 0, 0)", name
        seen += 1
    assert seen >= 15


def test_the_focus_of_the_log_is_not_cut_off(opened: Visit) -> None:
    log = opened.chat.locator(".log")
    before = log.screenshot()
    log.focus()
    opened.page.keyboard.press("Shift")  # so that it counts as the keyboard's
    opened.chat.get_by_role("button", name="Close").focus()
    opened.page.keyboard.press("Tab")
    expect(log).to_be_focused()
    assert log.screenshot() != before
