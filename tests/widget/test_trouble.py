"""Stopping, and everything that can go wrong between a visitor and the helpdesk."""

from __future__ import annotations

import pytest
import shelf
from playwright.sync_api import expect
from servers.host_site import SlowAnswer
from visit import QUESTION, Visit, event_stream, invented

SAILING = event_stream(invented(), "Boats sail")
HEAD = SAILING[: SAILING.index("id: 3")]
TAIL = SAILING[SAILING.index("id: 3") :]


@pytest.fixture
def slow(visit: Visit) -> SlowAnswer:
    """A helpdesk that halts in the middle of its answer; the chat of the page asks there."""
    visit.host.answer = SlowAnswer(HEAD, TAIL)
    visit.go_to(
        f'<!doctype html><title>A page</title><script src="{visit.helpdesk}/widget.js"></script>'
        f'<helpdesk-chat language="en" server="{visit.host.origin}/"></helpdesk-chat>',
        {},
    )
    return visit.host.answer


def test_an_answer_can_be_stopped_while_it_is_made(visit: Visit, slow: SlowAnswer) -> None:
    turn = visit.send()
    expect(turn.locator(".streamed")).to_have_text("Boats sail")
    expect(turn.locator(".reply")).to_have_attribute("aria-busy", "true")
    turn.get_by_role("button", name="Stop").click()
    expect(turn).to_contain_text("Stopped.")
    expect(turn).to_contain_text("Boats sail")
    expect(turn.locator(".reply")).not_to_have_attribute("aria-busy", "true")
    expect(visit.box).to_be_focused()
    # The work on the other side ends, too.
    assert slow.left.wait(5)


def test_a_stopped_question_can_be_asked_again(visit: Visit, slow: SlowAnswer) -> None:
    turn = visit.send()
    turn.get_by_role("button", name="Stop").click()
    visit.host.answer = SlowAnswer(SAILING, "")
    visit.host.answer.go_on.set()
    visit.button("Try again").click()
    expect(visit.turns).to_have_count(1)
    expect(visit.turns.last.locator(".statement")).to_contain_text("Boats sail at noon.")
    expect(visit.box).to_be_focused()


def test_the_answer_takes_the_place_of_what_was_streamed(visit: Visit, slow: SlowAnswer) -> None:
    turn = visit.send()
    expect(turn.locator(".streamed")).to_have_text("Boats sail")
    slow.go_on.set()
    expect(turn.locator(".statement")).to_contain_text("Boats sail at noon.")
    expect(turn.locator(".streamed")).to_have_count(0)
    expect(turn.get_by_role("button", name="Stop")).to_have_count(0)


def test_another_question_ends_the_one_before(visit: Visit, slow: SlowAnswer) -> None:
    turn = visit.send("First")
    expect(turn.locator(".streamed")).to_have_text("Boats sail")
    visit.host.answer = SlowAnswer(SAILING, "")
    visit.host.answer.go_on.set()
    visit.ask("Second")
    expect(visit.turns.nth(0)).to_contain_text("Stopped.")
    expect(visit.turns.nth(1)).to_contain_text("Boats sail at noon.")
    assert slow.left.wait(5)
    # What is said last is of the answer that came last.
    expect(visit.chat.locator("[aria-live=polite]")).to_contain_text("Boats sail at noon.")


def test_a_question_that_another_one_ended_says_nothing_over_it(
    visit: Visit, slow: SlowAnswer
) -> None:
    turn = visit.send("First")
    expect(turn.locator(".streamed")).to_have_text("Boats sail")
    visit.host.answer = SlowAnswer(HEAD, TAIL)
    visit.send("Second")
    expect(turn).to_contain_text("Stopped.")
    expect(visit.chat.locator("[aria-live=polite]")).to_have_text("Looking in the sources")


def test_restart_ends_what_is_under_way(visit: Visit, slow: SlowAnswer) -> None:
    expect(visit.send().locator(".streamed")).to_have_text("Boats sail")
    visit.chat.get_by_role("button", name="Start again").click()
    expect(visit.turns).to_have_count(0)
    expect(visit.box).to_be_focused()
    assert slow.left.wait(5)
    expect(visit.chat.locator("[aria-live=polite]")).to_have_text("")


def test_a_restart_that_cannot_be_drawn_leaves_a_chat_to_ask_in(
    visit: Visit, slow: SlowAnswer
) -> None:
    slow.go_on.set()
    visit.ask()
    # What has been loaded is not loaded again: a failure in the middle stands for it.
    visit.chat.evaluate(
        """(chat) => {
          Object.defineProperty(navigator, "languages", { get() { throw new Error("none"); } });
          chat.restart();
        }"""
    )
    expect(visit.turns).to_have_count(0)
    expect(visit.chat.locator(".notice")).to_be_visible()
    expect(visit.box).to_be_focused()
    visit.ask("Again")
    expect(visit.turns).to_have_count(1)


def test_a_change_of_language_keeps_a_question_that_is_under_way(
    visit: Visit, slow: SlowAnswer
) -> None:
    expect(visit.send().locator(".streamed")).to_have_text("Boats sail")
    visit.chat.evaluate("(chat) => chat.setAttribute('language', 'de')")
    expect(visit.chat.locator(".notice")).not_to_contain_text("You are talking")
    slow.go_on.set()
    expect(visit.turns).to_have_count(1)
    expect(visit.turns.last.locator(".statement")).to_contain_text("Boats sail at noon.")


def test_the_chat_taken_off_the_page_ends_what_is_under_way(visit: Visit, slow: SlowAnswer) -> None:
    expect(visit.send().locator(".streamed")).to_have_text("Boats sail")
    visit.chat.evaluate("(chat) => chat.remove()")
    assert slow.left.wait(5)


def test_without_a_network_the_question_is_kept_for_later(opened: Visit) -> None:
    opened.page.context.set_offline(True)
    turn = opened.send()
    expect(turn.locator(".failure")).to_contain_text("You seem to be offline.")
    opened.page.context.set_offline(False)
    opened.button("Try again").click()
    expect(opened.turns.last.locator(".statement").first).to_contain_text("Sign a transfer")
    expect(opened.turns).to_have_count(1)


def test_a_server_that_is_down_is_told_with_whom_to_write_to(opened: Visit) -> None:
    opened.listen_for("helpdesk-error", "helpdesk-answer")
    opened.page.route("**/v1/answers", lambda route: route.abort("connectionrefused"))
    turn = opened.send()
    expect(turn.locator(".failure")).to_contain_text("The helpdesk cannot be reached just now.")
    expect(turn.get_by_role("link", name=shelf.CONTACT)).to_have_attribute(
        "href", f"mailto:{shelf.CONTACT}"
    )
    expect(opened.button("Ask a person")).to_be_visible()
    assert opened.heard() == [["helpdesk-error", {"status": None}]]


def test_who_asks_too_often_is_told_when_to_come_back(opened: Visit) -> None:
    opened.reply("/v1/answers", "{}", status=429, headers={"Retry-After": "2"})
    turn = opened.send()
    expect(turn.locator(".failure")).to_contain_text("too many requests in a short time")
    expect(turn.locator(".failure")).to_contain_text("Please try again in 2 sec.")
    again = opened.button("Try again")
    expect(again).to_be_disabled()
    opened.page.unroute_all()
    expect(again).to_be_enabled(timeout=3000)
    again.click()
    expect(opened.turns.last.locator(".rating")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "wait_s", "said"),
    [
        ("en", "119", "in 119 sec."),
        ("en", "3540", "in 59 min."),
        ("en", "3541", "in 60 min."),
        ("de", "3540", "in 59 Min. erneut."),
        ("en", "30000", "answered here today. Please try again in 9 hr, or write to"),
        ("da", "30", "om 30 sek."),
    ],
)
def test_a_long_wait_is_told_in_minutes(
    visit: Visit, language: str, wait_s: str, said: str
) -> None:
    visit.go_to(
        f'<!doctype html><title>A page</title><script src="{visit.helpdesk}/widget.js"></script>'
        f'<helpdesk-chat language="{language}"></helpdesk-chat>'
    )
    visit.reply("/v1/answers", "{}", status=429, headers={"Retry-After": wait_s})
    told = visit.send().locator(".failure")
    expect(told).to_contain_text(said)
    assert ".." not in told.inner_text()


def test_what_the_helpdesk_refuses_is_told(opened: Visit) -> None:
    opened.listen_for("helpdesk-error")
    said = {
        500: "Something went wrong at the helpdesk.",
        503: "Something went wrong at the helpdesk.",
        422: "This cannot be sent as it is.",
        413: "This cannot be sent as it is.",
    }
    for status, text in said.items():
        opened.page.unroute_all()
        opened.reply("/v1/answers", "{}", status=status)
        expect(opened.send().locator(".failure")).to_contain_text(text)
    assert opened.heard() == [["helpdesk-error", {"status": status}] for status in said]


def test_a_stream_that_breaks_in_the_middle_is_no_answer(opened: Visit) -> None:
    opened.reply("/v1/answers", HEAD + TAIL[: len(TAIL) // 2], content_type="text/event-stream")
    turn = opened.send()
    expect(turn.locator(".failure")).to_contain_text("cannot be reached")
    expect(turn).to_contain_text("Boats sail")
    expect(turn.locator(".rating")).to_have_count(0)


def test_an_error_within_the_stream_is_told(opened: Visit) -> None:
    opened.reply(
        "/v1/answers",
        HEAD + 'id: 3\nevent: error\ndata: {"status": 503}\n\n',
        content_type="text/event-stream",
    )
    expect(opened.send().locator(".failure")).to_contain_text("Something went wrong")


def test_a_question_that_failed_is_not_part_of_the_history(opened: Visit) -> None:
    opened.reply("/v1/answers", "{}", status=500)
    expect(opened.send("It fails").locator(".failure")).to_be_visible()
    opened.page.unroute_all()
    with opened.page.expect_request("**/v1/answers") as asked:
        opened.ask(QUESTION)
    assert asked.value.post_data_json["history"] == []
