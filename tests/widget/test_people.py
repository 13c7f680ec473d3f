"""Asking a person, and saying whether an answer helped."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import shelf
from playwright.sync_api import Locator, expect
from visit import QUESTION, STAFF_TOKEN, Visit, invented

ANOTHER = "And who reads it?"


@pytest.fixture
def form(opened: Visit) -> Locator:
    """The form to a person, after a question and its answer."""
    opened.ask()
    opened.button("Ask a person").click()
    return opened.chat.locator("form.hand-over")


def _tickets(visit: Visit) -> list[dict[str, Any]]:
    """All of every ticket, as staff read them."""
    with httpx.Client(
        base_url=visit.helpdesk, headers={"Authorization": f"Bearer {STAFF_TOKEN}"}
    ) as staff:
        listed = staff.get("/v1/tickets").json()["tickets"]
        return [staff.get(f"/v1/tickets/{each['id']}").json() for each in listed]


def test_the_form_knows_the_question_and_the_country(visit: Visit) -> None:
    visit.go(country="PT", privacy_url="https://host.example/privacy")
    visit.open()
    visit.ask()
    visit.button("Ask a person").click()
    form = visit.chat.locator("form.hand-over")
    expect(form.get_by_role("heading", name="Ask a person")).to_be_focused()
    expect(form.get_by_label("Your question")).to_have_value(QUESTION)
    expect(form.get_by_label("Your country")).to_have_value("PT")
    expect(form.get_by_role("checkbox")).not_to_be_checked()
    expect(form.get_by_role("link", name="Privacy notice")).to_have_attribute(
        "href", "https://host.example/privacy"
    )
    expect(visit.chat.locator(".log")).to_be_hidden()


def test_what_is_typed_already_goes_into_the_form(opened: Visit) -> None:
    opened.box.fill("Not sent yet")
    opened.chat.locator(".asking").get_by_role("button", name="Ask a person").click()
    expect(opened.chat.get_by_label("Your question")).to_have_value("Not sent yet")
    assert opened.asked_of_helpdesk() == []


def test_what_is_missing_is_said_in_the_language_of_the_interface(visit: Visit) -> None:
    visit.go(language="de")
    visit.page.get_by_role("button").click()
    expect(visit.box).to_be_focused()
    visit.chat.locator(".asking button.link").click()
    form = visit.chat.locator("form.hand-over")
    form.locator("button.primary").click()
    expect(form.locator(".wrong:visible")).to_have_count(3)
    for each in form.locator(".wrong").all_inner_texts():
        assert any(word in each for word in ("Bitte", "Ohne", "ohne")), each


def test_what_is_wrong_is_marked_and_the_first_of_it_has_the_focus(
    opened: Visit, form: Locator
) -> None:
    question, email = form.get_by_label("Your question"), form.get_by_label("Your e-mail address")
    consent = form.get_by_role("checkbox")
    send = form.get_by_role("button", name="Send to a person")
    email.fill("no address")
    send.click()
    expect(email).to_be_focused()
    expect(question).to_have_attribute("aria-invalid", "false")
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(consent).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description(
        "Please give an e-mail address such as name@example.org."
    )
    expect(consent).to_have_accessible_description(
        "Without your consent the request cannot be sent."
    )
    question.fill(" ")
    email.fill("visitor@example.org")
    consent.check()
    send.click()
    expect(question).to_be_focused()
    expect(question).to_have_accessible_description("Please write your question.")
    expect(email).to_have_attribute("aria-invalid", "false")
    assert "/v1/tickets" not in opened.asked_of_helpdesk()


def test_a_request_becomes_a_ticket_with_the_conversation_and_a_private_link(
    opened: Visit, form: Locator
) -> None:
    opened.listen_for("helpdesk-ticket")
    form.get_by_label("Your question").fill(ANOTHER)
    form.get_by_label("Your e-mail address").fill("visitor@example.org")
    form.get_by_label("Your name").fill("Ada Visitor")
    form.get_by_label("Your country").select_option("PT")
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name="Send to a person").click()
    receipt = opened.chat.locator("div.hand-over")
    expect(receipt).to_be_focused()
    expect(receipt.get_by_role("heading", name="Your request has been sent.")).to_be_visible()

    ticket = _tickets(opened)[0]
    assert ticket["question"] == ANOTHER
    assert (ticket["email"], ticket["name"], ticket["country"]) == (
        "visitor@example.org",
        "Ada Visitor",
        "PT",
    )
    assert [each["role"] for each in ticket["history"]] == ["user", "assistant"]
    assert ticket["history"][0]["text"] == QUESTION
    assert ticket["answer_id"]
    assert ticket["language"] == "en"
    expect(receipt).to_contain_text(f"Its number is {ticket['id']}.")
    assert opened.heard() == [["helpdesk-ticket", {"id": ticket["id"]}]]

    link = receipt.get_by_role("link").get_attribute("href")
    assert link is not None
    assert link.startswith(f"{opened.helpdesk}/tickets/{ticket['id']}?token=")
    followed = httpx.get(link)
    assert followed.status_code == 200
    assert ANOTHER in followed.text

    receipt.get_by_role("button", name="Back to the chat").click()
    expect(opened.box).to_be_focused()
    expect(opened.turns).to_have_count(1)


def test_escape_goes_back_from_the_form_to_the_chat(opened: Visit, form: Locator) -> None:
    form.get_by_label("Your e-mail address").focus()
    opened.page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(opened.frame).to_be_visible()
    expect(opened.box).to_be_focused()
    expect(opened.turns).to_have_count(1)


def test_escape_goes_back_from_the_receipt_to_the_chat(opened: Visit, form: Locator) -> None:
    opened.reply("/v1/tickets", '{"ticket": {"id": "T-1"}, "link": "https://desk.example/T-1"}')
    form.get_by_label("Your e-mail address").fill("visitor@example.org")
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name="Send to a person").click()
    expect(opened.chat.locator("div.hand-over")).to_be_focused()
    opened.page.keyboard.press("Escape")
    expect(opened.frame).to_be_visible()
    expect(opened.box).to_be_focused()


def test_what_hinders_a_request_is_said_and_what_was_typed_stays(
    opened: Visit, form: Locator
) -> None:
    email = form.get_by_label("Your e-mail address")
    email.fill("visitor@example.org")
    form.get_by_role("checkbox").check()
    for status, said in (
        (429, "try again in 7 sec"),
        (422, "cannot be sent as it is"),
        (503, "Something went wrong at the helpdesk"),
    ):
        opened.page.unroute_all()
        opened.reply("/v1/tickets", "{}", status=status, headers={"Retry-After": "7"})
        form.get_by_role("button", name="Send to a person").click()
        expect(form.get_by_role("alert")).to_contain_text(said)
        expect(email).to_have_value("visitor@example.org")
        expect(form.get_by_role("button", name="Send to a person")).to_be_enabled()


_RECEIPT = '{"ticket": {"id": "T-1"}, "link": "https://desk.example/T-1"}'


def _passed_on(visit: Visit) -> dict[str, Any]:
    """Send the open form; returns what goes to the helpdesk."""
    form = visit.chat.locator("form.hand-over")
    form.get_by_label("Your e-mail address").fill("visitor@example.org")
    form.get_by_role("checkbox").check()
    sent = visit.reply("/v1/tickets", _RECEIPT)
    form.get_by_role("button", name="Send to a person").click()
    expect(visit.chat.locator("div.hand-over")).to_be_focused()
    visit.page.keyboard.press("Escape")
    visit.page.unroute_all()
    passed_on: dict[str, Any] = sent[0]
    return passed_on


def _answer_with(visit: Visit, name: str, text: str, language: str = "en") -> None:
    said = [{"text": text, "citations": [1], "language": language}]
    visit.reply_with(invented(id=name, text=text, statements=said, language=language))
    visit.ask(f"Question {name}")
    visit.page.unroute_all()


def test_a_request_carries_the_conversation_up_to_the_answer_that_was_not_enough(
    opened: Visit,
) -> None:
    long = "Boats. " * 1000
    _answer_with(opened, "first", long, "pt")
    _answer_with(opened, "second", "Trains.")
    opened.turns.first.get_by_role("button", name="Ask a person").click()
    first = _passed_on(opened)
    assert [each["text"] for each in first["history"]] == ["Question first", long]
    assert (first["question"], first["answer_id"]) == ("Question first", "first")
    assert first["language"] == "pt"

    opened.chat.locator(".asking button.link").click()
    last = _passed_on(opened)
    assert [each["text"] for each in last["history"][2:]] == ["Question second", "Trains."]
    assert (last["question"], last["answer_id"]) == ("Question second", "second")
    assert last["language"] == "en"


def test_a_question_without_an_answer_is_passed_on_without_one(opened: Visit) -> None:
    opened.box.fill("At once")
    opened.chat.locator(".asking button.link").click()
    fresh = _passed_on(opened)
    assert (fresh["answer_id"], fresh["history"], fresh["language"]) == (None, [], "en")

    opened.box.fill("")
    _answer_with(opened, "first", "Barcos.", "pt")
    opened.box.fill("Another")
    opened.chat.locator(".asking button.link").click()
    typed = _passed_on(opened)
    assert (typed["question"], typed["answer_id"]) == ("Another", None)
    assert (len(typed["history"]), typed["language"]) == (2, "pt")

    opened.reply("/v1/answers", "{}", status=503)
    failed = opened.send("It fails")
    opened.page.unroute_all()
    _answer_with(opened, "second", "Trains.")
    failed.get_by_role("button", name="Ask a person").click()
    passed_on = _passed_on(opened)
    assert (passed_on["question"], passed_on["answer_id"]) == ("It fails", None)
    assert [each["text"] for each in passed_on["history"]] == ["Question first", "Barcos."]


def test_whether_it_helped_is_told_with_a_comment(opened: Visit) -> None:
    opened.listen_for("helpdesk-feedback", "helpdesk-answer")
    opened.ask()
    answer_id = opened.heard()[0][1]["id"]
    with opened.page.expect_request("**/v1/feedback") as rated:
        opened.button("No").click()
    assert rated.value.post_data_json == {"answer_id": answer_id, "helpful": False, "comment": None}
    comment = opened.turns.last.get_by_label("What was missing or wrong")
    expect(comment).to_be_focused()
    comment.fill("  The date is missing.  ")
    with opened.page.expect_request("**/v1/feedback") as told:
        opened.turns.last.locator("form.comment button").click()
    assert told.value.post_data_json == {
        "answer_id": answer_id,
        "helpful": False,
        "comment": "The date is missing.",
    }
    thanks = opened.turns.last.locator(".rating")
    expect(thanks).to_have_text("Thank you.")
    expect(thanks.locator("p")).to_be_focused()
    assert told.value.response() is not None
    assert [told.value.response().status, rated.value.response().status] == [204, 204]  # type: ignore[union-attr]
    assert opened.heard()[1] == ["helpdesk-feedback", {"id": answer_id, "helpful": False}]


def test_a_rating_needs_no_comment(opened: Visit) -> None:
    opened.ask()
    opened.button("Yes").click()
    opened.turns.last.locator("form.comment button").click()
    expect(opened.turns.last.locator(".rating")).to_have_text("Thank you.")
    assert opened.asked_of_helpdesk() == ["/v1/answers", "/v1/feedback"]


def test_an_answer_too_old_to_be_rated_says_so(opened: Visit) -> None:
    opened.ask()
    opened.reply("/v1/feedback", "{}", status=404)
    opened.button("Yes").click()
    expect(opened.turns.last.locator(".rating")).to_have_text("This answer is too old to be rated.")
    expect(opened.chat.locator("[aria-live=polite]")).to_have_text(
        "This answer is too old to be rated."
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, f"Please try again, or write to {shelf.CONTACT}."),
        (429, "Please try again in 7 sec."),
        (None, "You seem to be offline."),
    ],
)
def test_a_rating_that_fails_says_why_and_can_be_sent_again(
    opened: Visit, status: int | None, said: str
) -> None:
    opened.ask()
    opened.button("No").click()
    rating = opened.turns.last.locator(".rating")
    comment = rating.get_by_role("textbox")
    comment.fill("The date is missing.")
    if status:
        opened.reply("/v1/feedback", "{}", status=status, headers={"Retry-After": "7"})
    opened.page.context.set_offline(status is None)
    send = rating.get_by_role("button", name="Send")
    send.click()
    expect(rating).to_contain_text(said)
    expect(opened.chat.locator("[aria-live=polite]")).to_contain_text(said)
    expect(comment).to_have_value("The date is missing.")
    expect(send).to_be_focused()
    opened.page.unroute_all()
    opened.page.context.set_offline(False)
    with opened.page.expect_request("**/v1/feedback") as told:
        send.click()
    assert told.value.post_data_json["comment"] == "The date is missing."
    expect(rating).to_have_text("Thank you.")


def test_a_first_press_that_fails_can_be_pressed_again(opened: Visit) -> None:
    opened.ask()
    opened.reply("/v1/feedback", "{}", status=500)
    opened.button("Yes").click()
    expect(opened.turns.last.locator(".rating")).to_contain_text("Something went wrong")
    expect(opened.button("Yes")).to_be_focused()
    opened.page.unroute_all()
    opened.button("Yes").click()
    expect(opened.turns.last.locator("form.comment textarea")).to_be_focused()
    expect(opened.turns.last.locator(".rating")).not_to_contain_text("Something went wrong")


def test_two_quick_presses_send_one_rating(opened: Visit) -> None:
    opened.ask()
    opened.button("Yes").evaluate("(yes) => { yes.click(); yes.nextElementSibling.click(); }")
    expect(opened.turns.last.locator("form.comment")).to_be_visible()
    assert opened.asked_of_helpdesk() == ["/v1/answers", "/v1/feedback"]


def test_a_helpdesk_that_never_replies_is_told_as_out_of_reach(opened: Visit) -> None:
    opened.page.evaluate(
        """() => {
          const timeout = AbortSignal.timeout.bind(AbortSignal);
          AbortSignal.timeout = (ms) => {
            document.title = String(ms);
            return timeout(100);
          };
        }"""
    )
    opened.page.route("**/v1/feedback", lambda route: None)
    opened.ask()
    assert opened.page.title() == "A page"  # an answer may take its time
    opened.button("No").click()
    expect(opened.turns.last.locator(".rating")).to_contain_text("cannot be reached just now")
    assert opened.page.title() == "30000"
