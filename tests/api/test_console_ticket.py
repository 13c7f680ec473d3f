"""A ticket in the console: what is seen of it, what is done to it, and that no text is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from bs4 import BeautifulSoup
from conftest import app_over
from console import TALKED, Colleague, colleague, fields_of, one, opened, sign_in
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.desk.database import DeskUnavailable
from api.desk.models import (
    Conflict,
    Findings,
    NoSuchTicket,
    SimilarTicket,
    Ticket,
    TicketClosed,
)
from rag.errors import HelpdeskError, ModelUnavailable
from rag.models import Turn
from rag.store import Store

QUESTION = "How can I share my data?"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def app(store: Store, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """One for all tests, each of which opens tickets of its own."""
    return app_over(store, data_dir=tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def grace(app: FastAPI) -> Iterator[Colleague]:
    with colleague(app) as signed_in:
        yield signed_in


@pytest.fixture(scope="module")
def linus(app: FastAPI, grace: Colleague) -> Colleague:
    """A colleague of hers, at another machine."""
    return sign_in(TestClient(app), "Linus")


@pytest.fixture(scope="module")
def joao(app: FastAPI, grace: Colleague) -> Colleague:
    """Sees tickets of Portugal only."""
    return sign_in(TestClient(app), "João", "agent", "PT")


def _case(grace: Colleague, ticket: Ticket) -> Any:
    return grace.desk.tickets.read(grace.by, ticket.ticket_id)


def _sorted(grace: Colleague, ticket: Ticket) -> BeautifulSoup:
    """The page once the ticket was sorted by a press."""
    status, page, _ = grace.press(grace.ticket(ticket), "Sort now")
    assert status == 200
    return page


def _editor(page: BeautifulSoup) -> str:
    return fields_of(page)["reply"]


def _text(page: BeautifulSoup, selector: str) -> str:
    return " ".join(one(page, selector).get_text().split())


# ---- what is seen


def test_a_ticket_shows_what_was_asked_and_said_before(grace: Colleague) -> None:
    ticket = opened(
        grace.desk, "Is <b>this</b> so?\nSee https://a.example/b.", history=TALKED, country="PT"
    )
    page = grace.ticket(ticket)
    question = one(page, "[aria-labelledby=asked] > .asked-text")
    assert question.get_text() == ticket.question
    assert one(question, "a")["href"] == "https://a.example/b"
    assert [each.p.get_text() for each in page.select(".turns li") if each.p] == [
        turn.text for turn in TALKED
    ]
    known = _text(page, "[aria-labelledby=requester]")
    for each in ("Ada", "ada@clinic.example", "Portugal", "English"):
        assert each in known
    assert one(page, "[aria-labelledby=requester] a")["href"] == "mailto:ada@clinic.example"
    assert "The requester opened the ticket" in _text(page, "[aria-labelledby=history]")


def test_a_ticket_that_was_not_sorted_is_sorted_at_a_press(grace: Colleague) -> None:
    ticket = opened(grace.desk, QUESTION)
    before = grace.ticket(ticket)
    assert "Nobody has sorted" in _text(before, "[aria-labelledby=sorted]")
    assert _editor(before) == ""
    page = _sorted(grace, ticket)
    assert "sorted" in _text(page, "[role=status]")
    told = _text(page, "[aria-labelledby=sorted]")
    for each in ("Share data", "or ELSI (20 %)", "Route", "Why"):
        assert each in told
    assert page.select("[aria-labelledby=sorted] q")
    assert [each.get_text() for each in page.select("button") if "Sort" in each.get_text()] == []


def test_the_draft_stands_in_the_editor_with_its_sources(grace: Colleague) -> None:
    page = _sorted(grace, opened(grace.desk, QUESTION))
    draft = _editor(page)
    body, _, sources = draft.partition("\n\nSources\n")
    assert "[1]" in body
    lines = sources.split("\n")
    assert lines[0].startswith("[1] ")
    assert " – https://" in lines[0]
    shown = page.select(".evidence > li")
    assert len(shown) == len(lines)
    assert all(each.blockquote and each.a for each in shown)


def test_a_draft_is_for_the_first_reply_only(grace: Colleague) -> None:
    ticket = opened(grace.desk, QUESTION)
    page = _sorted(grace, ticket)
    status, after, _ = grace.press(page, "Send reply")
    assert status == 200
    assert _case(grace, ticket).messages[0].text == _editor(page).strip() != ""
    assert _editor(after) == ""


def test_where_nothing_answers_a_polite_beginning_stands_in_the_language_of_who_asked(
    grace: Colleague,
) -> None:
    ticket = opened(grace.desk, "?!", language="pt")
    page = _sorted(grace, ticket)
    assert _case(grace, ticket).ticket.triage["draft"]["status"] == "abstained"
    assert _editor(page).startswith("Agradecemos.")
    assert "do not answer this" in _text(page, "#drafted")


def test_it_is_said_where_the_draft_is_in_another_language_than_the_question(
    grace: Colleague,
) -> None:
    said = "The draft is in English; the person wrote in German."
    page = _sorted(grace, opened(grace.desk, QUESTION, language="de"))
    assert said in _text(page, "[aria-labelledby=replying]")
    for ticket in (
        opened(grace.desk, QUESTION, language="en"),
        opened(grace.desk, QUESTION, language=None),
        opened(grace.desk, "?!", language="de"),
    ):
        assert "The draft is in" not in _text(_sorted(grace, ticket), "[aria-labelledby=replying]")


@pytest.mark.parametrize(
    "triage", [{"intent": "elsi"}, {}, {"intents": [], "draft": {"status": "answered"}}]
)
def test_what_another_version_found_counts_as_not_sorted(
    grace: Colleague, triage: dict[str, Any]
) -> None:
    ticket = opened(grace.desk, QUESTION)
    grace.desk.handling.sort(
        ticket.ticket_id, Findings("elsi", "normal", None, "en", triage)
    )  # fmt: skip
    before = grace.ticket(ticket)
    assert "Nobody has sorted" in _text(before, "[aria-labelledby=sorted]")
    assert grace.press(before, "Add note", note="A note")[0] == 200
    after = _sorted(grace, ticket)
    assert _editor(after)
    assert "Route" in _text(after, "[aria-labelledby=sorted]")


def test_what_another_version_found_counts_as_not_sorted_where_it_cannot_be_sorted_now(
    grace: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = opened(grace.desk, QUESTION)
    grace.desk.handling.sort(ticket.ticket_id, Findings("elsi", "normal", None, "en", {}))
    sorting = grace.http.app.state.sorting  # type: ignore[attr-defined]
    monkeypatch.setattr(sorting, "_sort", _failing(ModelUnavailable("away")))
    status, page, _ = grace.press(grace.ticket(ticket), "Sort now")
    assert status == 503
    assert "could not be sorted" in _text(page, "[role=alert]")


def test_the_longest_ticket_is_shown_at_once(grace: Colleague) -> None:
    turns = tuple(Turn("user", "http://a.b/" + ")" * 19_900) for _ in range(90))
    ticket = opened(grace.desk, QUESTION, history=turns)
    begun = time.process_time()
    grace.http.get(f"/desk/tickets/{ticket.ticket_id}").raise_for_status()
    # It took half a minute when brackets were counted anew for each.
    assert time.process_time() - begun < 5


def test_personal_data_are_warned_of(grace: Colleague) -> None:
    page = _sorted(grace, opened(grace.desk, f"{QUESTION} Write to bob@clinic.example."))
    assert "email" in _text(page, "[aria-labelledby=sorted] .warm")


def test_there_is_one_heading_of_the_page_and_none_is_skipped(grace: Colleague) -> None:
    page = _sorted(grace, opened(grace.desk, QUESTION))
    levels = [int(each.name[1]) for each in page.select("h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(page.select(f"label[for={each['id']}]") for each in page.select("textarea, select"))


# ---- what is done


def test_a_reply_is_on_the_page_of_who_asked_and_the_browser_is_led_back(grace: Colleague) -> None:
    ticket = opened(grace.desk)
    status, page, address = grace.press(grace.ticket(ticket), "Send reply", reply="Yes.\r\nSoon.")
    assert status == 200
    assert address.endswith(f"/desk/tickets/{ticket.ticket_id}?done=reply")
    assert "Your reply" in _text(page, "[role=status]")
    assert "Grace, reply" in _text(page, ".messages h3")
    case = _case(grace, ticket)
    assert [(each.kind, each.text) for each in case.messages] == [("reply", "Yes.\nSoon.")]
    assert (case.ticket.state, case.messages[0].author) == ("pending", grace.by.who)


def test_a_reply_may_solve_the_ticket(grace: Colleague) -> None:
    ticket = opened(grace.desk)
    _, page, _ = grace.press(grace.ticket(ticket), "Send and solve", reply="Yes.")
    assert "is solved" in _text(page, "[role=status]")
    assert _case(grace, ticket).ticket.state == "solved"


@pytest.mark.parametrize(
    ("error", "status", "why"),
    [
        (DeskUnavailable("the desk is away"), 503, "the desk is away"),
        (Conflict("S-1", NOW, 3, ""), 409, "somebody else"),
        (TicketClosed(), 409, "closed"),
    ],
)
def test_where_only_solving_fails_it_is_told_that_the_reply_was_sent(
    grace: Colleague,
    monkeypatch: pytest.MonkeyPatch,
    error: HelpdeskError,
    status: int,
    why: str,
) -> None:
    ticket = opened(grace.desk)
    monkeypatch.setattr(grace.desk.handling, "solve", _failing(error))
    typed = {"reply": "Yes.", "note": "Half a note"}
    found, page, _ = grace.press(grace.ticket(ticket), "Send and solve", **typed)
    told = _text(page, "[role=alert]")
    assert found == status
    assert told.startswith("Your reply is on the requester's page. The ticket is not solved")
    assert why in told
    assert "othing" not in told
    assert (_editor(page), fields_of(page)["note"]) == ("", "Half a note")
    monkeypatch.undo()
    # From that very page it is solved, and nothing is sent twice.
    _, page, _ = grace.press(page, "Solve")
    case = _case(grace, ticket)
    assert (case.ticket.state, [each.text for each in case.messages]) == ("solved", ["Yes."])


def test_that_a_reply_was_sent_is_told_where_the_ticket_cannot_be_shown_after_it(
    grace: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = opened(grace.desk)
    page = grace.ticket(ticket)
    fails = _failing(DeskUnavailable("the desk is away"))
    monkeypatch.setattr(grace.desk.handling, "solve", fails)
    monkeypatch.setattr(grace.desk.tickets, "read", fails)
    typed = {"reply": "Yes.", "note": "Half a note"}
    status, page, _ = grace.press(page, "Send and solve", **typed)
    told = _text(page, "[role=alert]")
    assert status == 503
    assert told.startswith("Your reply is on the requester's page.")
    assert "Nothing was stored" not in told
    assert [each.get_text().strip() for each in page.select("textarea")] == ["Half a note"]


def _failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_note_is_for_staff(grace: Colleague) -> None:
    ticket = opened(grace.desk)
    grace.press(grace.ticket(ticket), "Add note", note="Ask the node.")
    case = _case(grace, ticket)
    assert [(each.kind, each.text) for each in case.messages] == [("note", "Ask the node.")]
    assert case.ticket.state == "new"


def test_a_ticket_is_taken_given_closed_and_opened_again(
    grace: Colleague, linus: Colleague
) -> None:
    ticket = opened(grace.desk)
    _, page, _ = grace.press(grace.ticket(ticket), "Assign to me")
    assert _case(grace, ticket).ticket.assignee == grace.by.who
    assert "Assign to me" not in page.get_text()
    _, page, _ = grace.press(page, "Assign", assignee=linus.by.who)
    assert _case(grace, ticket).ticket.assignee == linus.by.who
    for button, state in (("Solve", "solved"), ("Close", "closed"), ("Open again", "open")):
        _, page, _ = grace.press(page, button)
        assert _case(grace, ticket).ticket.state == state
    _, page, _ = grace.press(page, "Assign", assignee="")
    assert _case(grace, ticket).ticket.assignee is None


def test_a_ticket_is_given_only_to_who_may_see_it(
    grace: Colleague, linus: Colleague, joao: Colleague
) -> None:
    ticket = opened(grace.desk, country="ES")
    page = grace.ticket(ticket)
    assert [each.get_text() for each in page.select("#to option")] == [
        "Nobody", "Grace", "Linus",
    ]  # fmt: skip
    status, page, _ = grace.press(page, "Assign", assignee=joao.by.who)
    assert status == 422
    assert "may not see it" in _text(page, "[role=alert]")
    assert _case(grace, ticket).ticket.assignee is None


def test_only_fields_that_were_changed_by_hand_are_set(grace: Colleague) -> None:
    ticket = opened(grace.desk)
    changes = {"title": "Old samples", "tags": "clinic, samples,clinic", "country": "PT"}
    grace.press(grace.ticket(ticket), "Save changes", **changes)
    case = _case(grace, ticket)
    assert (case.ticket.title, case.ticket.country) == ("Old samples", "PT")
    assert case.ticket.tags == ("clinic", "samples")
    assert set(case.history[-1].fields) == {"title", "tags", "country"}


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("title", " "),
        ("country", "XX"),
        ("priority", "huge"),
        ("tags", "x" * 60),
        ("intent", "A b"),
    ],
)
def test_a_field_that_cannot_be_set_is_named_and_what_was_typed_stays(
    grace: Colleague, field: str, typed: str
) -> None:
    page = grace.ticket(opened(grace.desk))
    changes = {"group": "Node team", field: typed}
    status, page, _ = grace.press(page, "Save changes", note="Half a note", **changes)
    assert status == 422
    assert field in _text(page, "[role=alert]")
    assert one(page, f"[name={field}]")["aria-invalid"] == "true"
    assert fields_of(page)["group"] == "Node team"
    assert fields_of(page)["note"] == "Half a note"
    assert page.select("details[open] #group")


def test_an_agent_of_a_country_may_pass_a_ticket_on_to_another(joao: Colleague) -> None:
    ticket = opened(joao.desk, country="PT")
    _, page, address = joao.press(joao.ticket(ticket), "Save changes", country="ES")
    assert address.endswith("/desk")
    assert ticket.ticket_id not in page.get_text()


@pytest.mark.parametrize("part", ["reply", "note"])
@pytest.mark.parametrize(
    ("text", "why"), [(" ", "empty"), ("x" * 20_001, "long"), ("\0", "stored")]
)
def test_what_cannot_be_sent_is_told_and_kept(
    grace: Colleague, part: str, text: str, why: str
) -> None:
    ticket = opened(grace.desk)
    button = {"reply": "Send reply", "note": "Add note"}[part]
    other = {"reply": "note", "note": "reply"}[part]
    typed = {part: text, other: "Half a text"}
    status, page, _ = grace.press(grace.ticket(ticket), button, **typed)
    assert status == 422
    assert why in _text(page, "[role=alert]")
    assert fields_of(page)[other] == "Half a text"
    assert not _case(grace, ticket).messages


# ---- nothing that was typed is lost


def test_of_two_agents_the_slower_one_loses_no_text(grace: Colleague, linus: Colleague) -> None:
    ticket = opened(grace.desk)
    hers, his = grace.ticket(ticket), linus.ticket(ticket)
    grace.press(hers, "Send reply", reply="Grace was quicker.")
    typed = {"reply": "Linus was\nthorough.", "note": "And he noted.", "title": "His title"}
    status, page, _ = linus.press(his, "Send reply", **typed)
    assert status == 409
    alert = _text(page, "[role=alert]")
    assert "Grace changed this ticket" in alert
    assert "Grace replied" in alert
    assert one(page, "[role=alert] time")["datetime"]
    assert "Grace was quicker." in _text(page, ".messages")
    assert _text(page, ".messages h3").startswith("New")
    assert {name: fields_of(page)[name] for name in typed} == typed
    assert len(_case(grace, ticket).messages) == 1
    # And again, from that very page: the reply goes out, what was typed besides is still there.
    status, page, _ = linus.press(page, "Send reply")
    assert status == 200
    assert [each.text for each in _case(grace, ticket).messages][1:] == ["Linus was\nthorough."]
    assert {name: fields_of(page)[name] for name in typed} == {**typed, "reply": ""}
    assert "not stored yet" in " ".join(each.get_text() for each in page.select("[role=status]"))
    linus.press(page, "Add note")
    assert _case(grace, ticket).messages[-1].text == "And he noted."


def test_a_field_that_somebody_else_set_is_not_set_back(grace: Colleague, linus: Colleague) -> None:
    ticket = opened(grace.desk)
    hers, his = grace.ticket(ticket), linus.ticket(ticket)
    grace.press(hers, "Save changes", title="Her title")
    status, page, _ = linus.press(his, "Save changes", group="His group")
    assert status == 409
    linus.press(page, "Save changes")
    found = _case(grace, ticket).ticket
    assert (found.title, found.group) == ("Her title", "His group")


@pytest.mark.parametrize("button", ["Assign to me", "Solve", "Close", "Save changes", "Sort now"])
def test_whatever_is_pressed_a_text_that_is_not_sent_stays(grace: Colleague, button: str) -> None:
    ticket = opened(grace.desk, QUESTION)
    status, page, _ = grace.press(grace.ticket(ticket), button, reply="Half a reply", note="Half")
    assert status == 200
    assert _editor(page) == "Half a reply"
    assert fields_of(page)["note"] == "Half"
    assert fields_of(page)["version"] == str(_case(grace, ticket).ticket.version)


def test_a_reply_to_a_ticket_that_was_closed_is_kept_and_sent_once_it_is_open_again(
    grace: Colleague, linus: Colleague
) -> None:
    ticket = opened(grace.desk)
    _, hers, _ = grace.press(grace.ticket(ticket), "Close")
    assert not hers.select("#reply")
    fields = {**fields_of(hers), "reply": "Too late?"}
    response = linus.http.post(
        f"/desk/tickets/{ticket.ticket_id}/reply", data={**fields, "proof": linus.proof}
    )
    assert response.status_code == 409
    page = BeautifulSoup(response.text, "lxml")
    assert "closed" in _text(page, "[role=alert]")
    _, page, _ = linus.press(page, "Open again")
    assert _editor(page) == "Too late?"
    linus.press(page, "Send reply")
    assert _case(grace, ticket).messages[-1].text == "Too late?"


@pytest.mark.parametrize(
    ("error", "status"), [(NoSuchTicket("x"), 404), (DeskUnavailable("the desk is away"), 503)]
)
def test_where_there_is_no_ticket_any_more_the_text_is_given_back(
    grace: Colleague, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    page = grace.ticket(opened(grace.desk))
    monkeypatch.setattr(grace.desk.handling, "reply", _failing(error))
    found, page, _ = grace.press(page, "Send reply", reply="A long\nreply", note="A note")
    assert found == status
    assert [each.get_text().strip() for each in page.select("textarea")] == [
        "A long\nreply", "A note",
    ]  # fmt: skip
    assert page.select("[role=alert]")


def test_a_form_of_another_session_changes_nothing_and_gives_the_text_back(
    grace: Colleague,
) -> None:
    ticket = opened(grace.desk)
    long = "A reply that took a good while to write. " * 3
    status, page, _ = grace.press(grace.ticket(ticket), "Send reply", reply=long, proof="another")
    assert status == 401
    assert long.strip() in one(page, "textarea").get_text()
    assert not _case(grace, ticket).messages


def test_a_form_without_a_version_changes_nothing(grace: Colleague) -> None:
    ticket = opened(grace.desk)
    address = f"/desk/tickets/{ticket.ticket_id}/close"
    for version in ("", "x", "-1", "9" * 30):
        sent = {"proof": grace.proof, "version": version}
        assert grace.http.post(address, data=sent).status_code == 409
    assert _case(grace, ticket).ticket.state == "new"


def test_whoever_comes_back_to_the_address_of_a_form_sees_the_ticket(grace: Colleague) -> None:
    ticket = opened(grace.desk)
    page = grace.page(f"/desk/tickets/{ticket.ticket_id}/reply")
    assert ticket.title in _text(page, "h1")


def test_similar_tickets_are_shown_by_their_titles_and_not_the_ticket_itself(
    grace: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, other = opened(grace.desk), opened(grace.desk, "Another question")
    near = [SimilarTicket(each.ticket_id, "new", each.created_at, 1.0) for each in (ticket, other)]
    monkeypatch.setattr(grace.desk.similar, "near", lambda *_: near)
    links = grace.ticket(ticket).select("[aria-labelledby=similar] a")
    assert [each.get_text() for each in links] == ["Another question"]
    monkeypatch.setattr(grace.desk.similar, "near", _failing(DeskUnavailable("away")))
    assert not grace.ticket(ticket).select("[aria-labelledby=similar]")


def test_pages_are_not_kept_and_no_script_of_others_runs_there(grace: Colleague) -> None:
    ticket = opened(grace.desk, "<script>alert(1)</script>")
    response = grace.http.get(f"/desk/tickets/{ticket.ticket_id}")
    assert "<script>alert" not in response.text
    assert response.headers["cache-control"] == "no-store"
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert "style=" not in response.text
