"""The element as a page uses it: by hand, by attributes, events and methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from servers.host_site import HostPage
from visit import PLAIN_QUESTION, QUESTION, Visit

TYPED = "zwiebelkuchen"
EVENTS = (
    "helpdesk-open",
    "helpdesk-close",
    "helpdesk-question",
    "helpdesk-answer",
    "helpdesk-error",
    "helpdesk-feedback",
    "helpdesk-ticket",
)
INSIDE = '<a href="mailto:desk@host.example">Write to us</a>'


def _by_hand(visit: Visit, script: str, **attributes: str) -> None:
    given = "".join(f' {name}="{value}"' for name, value in attributes.items())
    visit.go_to(
        f'<!doctype html><html lang="en"><title>A page</title>{script}'
        f"<h1>A page</h1><helpdesk-chat{given}>{INSIDE}</helpdesk-chat></html>"
    )


def _loader(visit: Visit) -> str:
    return f'<script src="{visit.helpdesk}/widget.js" async></script>'


def _module(visit: Visit) -> str:
    return f'<script type="module" src="{visit.helpdesk}/widget/define.js"></script>'


@pytest.mark.parametrize("script", [_loader, _module], ids=["widget.js", "define.js"])
def test_placed_by_hand_it_stands_in_the_page_and_there_is_no_launcher(
    visit: Visit, script: Callable[[Visit], str]
) -> None:
    _by_hand(visit, script(visit))
    expect(visit.box).to_be_visible()
    expect(visit.page.get_by_role("button", name="Ask the helpdesk")).to_have_count(0)
    expect(visit.chat.get_by_role("dialog")).to_have_count(0)
    expect(visit.chat.get_by_role("button", name="Close")).to_have_count(0)
    expect(visit.page.get_by_role("link", name="Write to us")).to_be_hidden()
    assert visit.asked_of_helpdesk() == []
    visit.ask()
    expect(visit.turns.last.locator(".statement")).to_have_count(4)
    visit.page.keyboard.press("Escape")
    expect(visit.box).to_be_visible()


@pytest.mark.parametrize("broken", ["no scripts", "no server"])
def test_without_the_chat_what_the_page_put_inside_is_shown(
    visits: Callable[..., Visit], broken: str
) -> None:
    visit = visits(java_script_enabled=broken != "no scripts")
    if broken == "no server":
        visit.page.route(f"{visit.helpdesk}/**", lambda route: route.abort())
    _by_hand(visit, _module(visit))
    expect(visit.page.get_by_role("link", name="Write to us")).to_be_visible()


def test_where_the_texts_cannot_be_had_what_the_page_put_inside_is_shown(visit: Visit) -> None:
    visit.page.route("**/widget/texts/*.js", lambda route: route.abort())
    _by_hand(visit, _module(visit))
    expect(visit.page.get_by_role("link", name="Write to us")).to_be_visible()
    visit.page.unroute_all()
    visit.chat.evaluate("(chat) => chat.open()")
    expect(visit.box).to_be_focused()


def test_events_tell_what_happens_and_never_what_was_typed(opened: Visit) -> None:
    opened.listen_for(*EVENTS)
    opened.ask(f"{QUESTION} {TYPED}")
    opened.button("Yes").click()
    expect(opened.turns.last.locator("form.comment")).to_be_visible()
    opened.reply("/v1/answers", "{}", status=503)
    expect(opened.send(TYPED).locator(".failure")).to_be_visible()
    opened.button("Ask a person").click()
    form = opened.chat.locator("form.hand-over")
    form.get_by_label("Your e-mail address").fill(f"{TYPED}@example.org")
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name="Send to a person").click()
    expect(opened.chat.locator("div.hand-over")).to_be_focused()
    opened.chat.get_by_role("button", name="Close").click()
    opened.launcher.click()
    expect(opened.frame).to_be_visible()
    heard = opened.heard()
    assert [name for name, _ in heard] == [
        "helpdesk-question",
        "helpdesk-answer",
        "helpdesk-feedback",
        "helpdesk-question",
        "helpdesk-error",
        "helpdesk-ticket",
        "helpdesk-close",
        "helpdesk-open",
    ]
    details = dict(map(tuple, heard))
    assert set(details["helpdesk-answer"]) == {"id", "status", "reason", "strength"}
    assert set(details["helpdesk-feedback"]) == {"id", "helpful"}
    assert details["helpdesk-error"] == {"status": 503}
    assert set(details["helpdesk-ticket"]) == {"id"}
    assert details["helpdesk-question"] is details["helpdesk-close"] is None
    assert TYPED not in str(heard)


def test_a_page_can_ask_open_close_and_begin_anew(visit: Visit) -> None:
    _by_hand(visit, _module(visit), floating="bottom-left")
    expect(visit.frame).to_be_attached()
    expect(visit.frame).to_be_hidden()
    visit.chat.evaluate("(chat) => chat.open()")
    expect(visit.box).to_be_focused()
    visit.chat.evaluate("(chat, question) => chat.ask(question)", PLAIN_QUESTION)
    expect(visit.turns.last.locator(".rating")).to_be_visible()
    box = visit.frame.bounding_box()
    assert box is not None
    assert box["x"] < 100
    visit.chat.evaluate("(chat) => chat.close()")
    expect(visit.frame).to_be_hidden()
    visit.chat.evaluate("(chat) => chat.open()")
    expect(visit.turns).to_have_count(1)
    visit.chat.evaluate("(chat) => chat.restart()")
    expect(visit.turns).to_have_count(0)


def test_a_page_can_ask_in_a_language_of_its_choice(visit: Visit) -> None:
    _by_hand(visit, _module(visit))
    with visit.page.expect_request("**/v1/answers") as asked:
        visit.chat.evaluate("(chat) => chat.ask('Data?', 'pt')")
    assert asked.value.post_data_json["language"] == "pt"


def test_examples_of_the_page_take_the_place_of_ours(visit: Visit) -> None:
    visit.go(questions=f" {PLAIN_QUESTION} | Second? ||")
    visit.open()
    examples = visit.chat.get_by_role("list", name="Example questions").get_by_role("button")
    assert examples.all_inner_texts() == [PLAIN_QUESTION, "Second?"]
    with visit.page.expect_request("**/v1/answers") as asked:
        examples.first.click()
    assert asked.value.post_data_json["language"] is None
    expect(visit.turns.last.locator(".statement")).to_contain_text("thirty working days")


@pytest.mark.parametrize(
    ("theme", "scheme", "dark"),
    [("dark", "light", True), ("light", "dark", False), ("", "dark", True), ("", "light", False)],
)
def test_the_theme_is_the_page_s_or_else_the_visitor_s(
    visits: Callable[..., Visit], theme: str, scheme: str, dark: bool
) -> None:
    visit = visits(color_scheme=scheme)
    visit.go(theme=theme)
    visit.open()
    # The launcher is dark on light, and light on dark.
    for each, is_dark in ((visit.frame, dark), (visit.launcher, not dark)):
        ground = each.evaluate("(each) => getComputedStyle(each).backgroundColor")
        colours = ground.removeprefix("rgb(").removesuffix(")").split(",")
        assert (sum(map(int, colours)) / 3 < 128) is is_dark


def test_a_page_sets_colours_by_custom_properties(visit: Visit) -> None:
    colours = "--helpdesk-primary: rgb(120, 10, 90); --helpdesk-on-primary: rgb(255, 250, 240)"
    visit.host.pages["/theme.css"] = HostPage(f"html {{ {colours} }}", media_type="text/css")
    visit.go(head='<link rel="stylesheet" href="/theme.css">')
    visit.open()
    for each in (visit.launcher, visit.chat.locator("header"), visit.chat.locator(".primary")):
        expect(each).to_have_css("background-color", "rgb(120, 10, 90)")
        expect(each).to_have_css("color", "rgb(255, 250, 240)")


def test_the_launcher_stands_where_the_page_wants_it(visit: Visit) -> None:
    visit.go(position="bottom-left")
    visit.open()
    for each in (visit.launcher, visit.frame):
        box = each.bounding_box()
        assert box is not None
        assert box["x"] < 100


def test_a_script_named_twice_does_no_harm(visit: Visit) -> None:
    _by_hand(visit, _loader(visit) + _loader(visit) + _module(visit))
    expect(visit.chat.locator(".notice")).to_have_count(1)
    expect(visit.box).to_be_visible()


def test_two_scripts_put_one_launcher(visit: Visit) -> None:
    # Under a policy by which a page may put scripts itself, for the third of them.
    visit.go_to(f"<!doctype html><title>A page</title>{_loader(visit)}{_loader(visit)}", {})
    expect(visit.launcher).to_have_count(1)
    visit.page.wait_for_load_state("networkidle")
    expect(visit.launcher).to_have_count(1)
    visit.open()
    visit.page.evaluate(
        """(src) => new Promise((done) => {
          const script = document.createElement("script");
          script.onload = done;
          script.src = src;
          document.head.append(script);
        })""",
        f"{visit.helpdesk}/widget.js",
    )
    expect(visit.launcher).to_have_count(1)
    expect(visit.chat).to_have_count(1)


def test_restart_before_it_is_on_the_page_does_no_harm(visit: Visit) -> None:
    _by_hand(visit, _module(visit))
    expect(visit.box).to_be_visible()
    visit.page.evaluate("document.createElement('helpdesk-chat').restart()")
    # At once after it was put there, too.
    visit.page.evaluate(
        """() => {
          const chat = document.createElement("helpdesk-chat");
          document.querySelector("helpdesk-chat").replaceWith(chat);
          chat.restart();
        }"""
    )
    expect(visit.box).to_be_focused()
    visit.ask()


def test_what_is_typed_into_the_form_inside_is_taken_over_with_the_focus(visit: Visit) -> None:
    texts: list[Any] = []
    visit.page.route("**/widget/texts/en.js", lambda route: texts.append(route))
    visit.page.goto(visit.helpdesk, wait_until="commit")
    typing = visit.chat.locator("> form textarea")
    typing.fill("Half a quest")
    typing.focus()
    while not texts:
        visit.page.wait_for_timeout(10)
    texts[0].continue_()
    expect(visit.box).to_be_focused()
    expect(visit.box).to_have_value("Half a quest")
    visit.page.keyboard.type("ion")
    expect(visit.box).to_have_value("Half a question")


def test_a_chat_takes_no_focus_that_was_elsewhere(visit: Visit) -> None:
    _by_hand(visit, _module(visit))
    expect(visit.box).to_be_visible()
    expect(visit.box).to_have_value("")
    expect(visit.box).not_to_be_focused()


def test_the_element_can_be_moved_within_the_page(visit: Visit) -> None:
    _by_hand(visit, _module(visit))
    visit.ask()
    visit.chat.evaluate("(chat) => document.querySelector('h1').before(chat)")
    expect(visit.turns).to_have_count(1)
    visit.ask(PLAIN_QUESTION)
    expect(visit.turns).to_have_count(2)
