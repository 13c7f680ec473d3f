"""What becomes of tickets: changed by staff, written to by whoever asked, by one at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from actors import OTHER, PORTUGAL, STAFF

from api.desk.desk import Desk, open_desk
from api.desk.models import (
    Actor,
    Case,
    Conflict,
    NewTicket,
    NoSuchTicket,
    Seen,
    Ticket,
    TicketClosed,
    TooManyMessages,
)
from api.desk.tickets import MOST_UNANSWERED
from rag.models import Answer

ASKED = NewTicket(
    "May our clinic\nshare old samples?", (), None, "Ada", "ada@clinic.example", "GB", "en"
)


def _seen(of: Ticket | Case) -> Seen:
    ticket = of.ticket if isinstance(of, Case) else of
    return Seen(ticket.ticket_id, ticket.version)


def _open(desk: Desk, **other: str) -> Ticket:
    return desk.tickets.open(replace(ASKED, **other))[0]  # type: ignore[arg-type]


def test_a_new_ticket_has_a_title_and_nobody_has_touched_it(opened: Desk) -> None:
    ticket = _open(opened)
    assert ticket.title == "May our clinic share old samples?"
    assert (ticket.state, ticket.priority, ticket.version) == ("new", "normal", 1)
    case = opened.tickets.read(STAFF, ticket.ticket_id)
    assert case.ticket == ticket
    assert case.messages == ()
    assert [(each.who, each.action) for each in case.history] == [("requester", "open")]


def test_a_long_question_has_a_short_title(opened: Desk) -> None:
    title = _open(opened, question="word " * 500).title
    assert len(title) <= 100
    assert title.startswith("word word")
    assert title.endswith("…")


def test_a_ticket_holds_what_the_answer_cited_though_that_is_forgotten(opened: Desk) -> None:
    from fakes import passages

    from rag.models import Citation

    chunk = passages("a")[0].chunk
    cited = Citation(
        marker=1, kind="source", document_id=chunk.document_id, source=chunk.source,
        path=chunk.path, title=chunk.title, section=chunk.section, url=chunk.url,
        page=chunk.page, quote="…", label=None,
    )  # fmt: skip
    answer = Answer(id="answer", status="answered", language="en", text="…", citations=(cited,))
    opened.conversations.remember(answer, None, "generation")
    ticket = _open(opened, answer_id="answer")
    assert [each["document_id"] for each in ticket.cited] == [chunk.document_id]
    assert opened.tickets.read(STAFF, ticket.ticket_id).ticket.cited == ticket.cited


def test_the_first_reply_stops_the_clock_and_the_ticket_waits_for_the_person(
    opened: Desk,
) -> None:
    before = datetime.now(UTC)
    first = opened.handling.reply(STAFF, _seen(_open(opened)), "Which samples?")
    assert first.ticket.state == "pending"
    assert first.ticket.first_reply_at
    assert before <= first.ticket.first_reply_at <= datetime.now(UTC)
    second = opened.handling.reply(STAFF, _seen(first), "And whose?")
    assert second.ticket.first_reply_at == first.ticket.first_reply_at
    assert [(each.number, each.kind, each.author, each.text) for each in second.messages] == [
        (1, "reply", STAFF.who, "Which samples?"),
        (2, "reply", STAFF.who, "And whose?"),
    ]


def test_an_assigned_ticket_is_open_and_can_be_given_back(opened: Desk) -> None:
    given = opened.handling.assign(STAFF, _seen(_open(opened)), "Grace")
    assert (given.ticket.assignee, given.ticket.state) == ("Grace", "open")
    back = opened.handling.assign(STAFF, _seen(given), None)
    assert (back.ticket.assignee, back.ticket.state) == (None, "open")


def test_who_asked_sees_replies_and_no_notes(opened: Desk) -> None:
    ticket, token = opened.tickets.open(ASKED)
    noted = opened.handling.note(STAFF, _seen(ticket), "Ask the lawyer.")
    assert noted.ticket.first_reply_at is None
    opened.handling.reply(STAFF, _seen(noted), "Yes.")
    followed = opened.tickets.follow(ticket.ticket_id, token)
    assert followed
    assert [each.text for each in followed.messages] == ["Yes."]


@pytest.mark.parametrize(
    ("state", "then"),
    [("new", "new"), ("open", "open"), ("pending", "open"), ("solved", "open")],
)
def test_a_reply_of_the_person_opens_what_was_answered(opened: Desk, state: str, then: str) -> None:
    ticket, token = opened.tickets.open(ASKED)
    if state != "new":
        opened.handling.change(STAFF, _seen(ticket), {"state": state})
    followed = opened.tickets.write_back(ticket.ticket_id, token, "Old ones.")
    assert followed.ticket.state == then
    assert [(each.kind, each.author, each.text) for each in followed.messages] == [
        ("requester", None, "Old ones.")
    ]


def test_a_person_cannot_write_without_end_before_somebody_replies(opened: Desk) -> None:
    ticket, token = opened.tickets.open(ASKED)
    for number in range(MOST_UNANSWERED):
        opened.tickets.write_back(ticket.ticket_id, token, f"And {number}?")
    with pytest.raises(TooManyMessages) as refused:
        opened.tickets.write_back(ticket.ticket_id, token, "And then?")
    assert refused.value.text == "And then?"
    opened.handling.reply(STAFF, _seen(opened.tickets.read(STAFF, ticket.ticket_id)), "One by one.")
    followed = opened.tickets.write_back(ticket.ticket_id, token, "And then?")
    assert len(followed.messages) == MOST_UNANSWERED + 2


def test_a_closed_ticket_takes_no_messages_until_it_is_open_again(opened: Desk) -> None:
    ticket, token = opened.tickets.open(ASKED)
    closed = opened.handling.close(STAFF, _seen(ticket))
    assert (closed.ticket.state, closed.ticket.closed_at is None) == ("closed", False)
    with pytest.raises(TicketClosed) as refused:
        opened.tickets.write_back(ticket.ticket_id, token, "One more thing")
    assert refused.value.text == "One more thing"
    with pytest.raises(TicketClosed) as refused:
        opened.handling.reply(STAFF, _seen(closed), "Bye")
    assert refused.value.text == "Bye"
    with pytest.raises(TicketClosed):
        opened.handling.solve(STAFF, _seen(closed))
    noted = opened.handling.note(STAFF, _seen(closed), "They called.")
    assert noted.ticket.closed_at == closed.ticket.closed_at
    again = opened.handling.reopen(STAFF, _seen(noted))
    assert (again.ticket.state, again.ticket.closed_at) == ("open", None)
    assert opened.handling.reply(STAFF, _seen(again), "Bye").ticket.state == "pending"


def test_fields_are_set_and_named_in_the_history_without_what_they_hold(opened: Desk) -> None:
    values = {"title": "Old samples", "tags": ("consent", "biobank"), "priority": "high"}
    changed = opened.handling.change(STAFF, _seen(_open(opened)), values)
    assert opened.tickets.read(STAFF, changed.ticket.ticket_id).ticket == changed.ticket
    assert (changed.ticket.title, changed.ticket.tags) == ("Old samples", ("consent", "biobank"))
    event = changed.history[-1]
    assert (event.who, event.action) == (STAFF.who, "change")
    assert event.fields == ("priority", "tags", "title")


def test_what_changes_nothing_is_no_change(opened: Desk) -> None:
    ticket = _open(opened)
    same = opened.handling.change(STAFF, _seen(ticket), {"priority": "normal"})
    assert same.ticket == ticket
    assert len(same.history) == 1
    solved = opened.handling.solve(STAFF, _seen(ticket))
    assert opened.handling.solve(STAFF, _seen(solved)) == solved


_Change = Callable[[Desk, Seen], Case]
CHANGES: dict[str, tuple[_Change, str]] = {
    "assign": (lambda desk, seen: desk.handling.assign(OTHER, seen, "Grace"), ""),
    "reply": (lambda desk, seen: desk.handling.reply(OTHER, seen, "My text"), "My text"),
    "note": (lambda desk, seen: desk.handling.note(OTHER, seen, "My text"), "My text"),
    "solve": (lambda desk, seen: desk.handling.solve(OTHER, seen), ""),
    "close": (lambda desk, seen: desk.handling.close(OTHER, seen), ""),
    "reopen": (lambda desk, seen: desk.handling.reopen(OTHER, seen), ""),
    "change": (lambda desk, seen: desk.handling.change(OTHER, seen, {"tags": ("a",)}), ""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_second_of_two_is_told_who_was_quicker_and_keeps_their_text(
    opened: Desk, name: str
) -> None:
    change, text = CHANGES[name]
    ticket = _open(opened)
    first = opened.handling.note(STAFF, _seen(ticket), "I was first.")
    with pytest.raises(Conflict, match=STAFF.who) as refused:
        change(opened, _seen(ticket))
    conflict = refused.value
    assert (conflict.who, conflict.when) == (STAFF.who, first.ticket.updated_at)
    assert (conflict.version, conflict.text) == (2, text)
    assert opened.tickets.read(STAFF, ticket.ticket_id) == first


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("ticket_id", ["NMG-00000000", "", "a\0b"])
def test_a_ticket_that_nobody_knows_is_not_changed(opened: Desk, name: str, ticket_id: str) -> None:
    change, text = CHANGES[name]
    with pytest.raises(NoSuchTicket) as refused:
        change(opened, Seen(ticket_id, 1))
    assert refused.value.text == text


def test_of_many_who_reply_at_once_one_is_taken_and_no_text_is_lost(opened: Desk) -> None:
    ticket = _open(opened)

    def reply(number: int) -> str | None:
        try:
            agent = Actor(f"agent {number}", "agent")
            opened.handling.reply(agent, _seen(ticket), f"Text {number}")
        except Conflict as conflict:
            return conflict.text
        return None

    with ThreadPoolExecutor(8) as pool:
        given_back = list(pool.map(reply, range(8)))
    case = opened.tickets.read(STAFF, ticket.ticket_id)
    assert len(case.messages) == 1
    assert case.ticket.version == 2
    assert {case.messages[0].text, *filter(None, given_back)} == {f"Text {n}" for n in range(8)}


def test_what_the_person_writes_meanwhile_is_read_before_staff_reply(opened: Desk) -> None:
    ticket, token = opened.tickets.open(ASKED)
    opened.tickets.write_back(ticket.ticket_id, token, "I have found it myself.")
    with pytest.raises(Conflict) as refused:
        opened.handling.reply(STAFF, _seen(ticket), "Here it is.")
    assert refused.value.who == "requester"


def test_a_wrong_link_writes_nothing(opened: Desk) -> None:
    ticket, token = opened.tickets.open(ASKED)
    for ticket_id, sent in ((ticket.ticket_id, token + "x"), ("NMG-00000000", token)):
        with pytest.raises(NoSuchTicket):
            opened.tickets.write_back(ticket_id, sent, "Let me in")
    assert opened.tickets.read(STAFF, ticket.ticket_id).messages == ()


def test_a_desk_opened_again_holds_it_all(opened: Desk, database_url: str, tmp_path: Path) -> None:
    case = opened.handling.reply(STAFF, _seen(_open(opened)), "Yes.")
    again = open_desk(database_url, tmp_path / "data", 30, 365)
    assert again.tickets.read(STAFF, case.ticket.ticket_id) == case
    again.close()


DONE: dict[str, Callable[[Desk, Seen], object]] = {
    "read": lambda desk, seen: desk.tickets.read(PORTUGAL, seen.ticket_id),
    "assign": lambda desk, seen: desk.handling.assign(PORTUGAL, seen, "S-LISBON"),
    "reply": lambda desk, seen: desk.handling.reply(PORTUGAL, seen, "Mine."),
    "note": lambda desk, seen: desk.handling.note(PORTUGAL, seen, "Mine."),
    "solve": lambda desk, seen: desk.handling.solve(PORTUGAL, seen),
    "close": lambda desk, seen: desk.handling.close(PORTUGAL, seen),
    "reopen": lambda desk, seen: desk.handling.reopen(PORTUGAL, seen),
    "change": lambda desk, seen: desk.handling.change(PORTUGAL, seen, {"country": "PT"}),
}
"""What staff do with a ticket."""


@pytest.mark.parametrize("country", ["GB", None])
@pytest.mark.parametrize("name", DONE)
def test_staff_of_a_country_do_nothing_with_tickets_of_others(
    opened: Desk, name: str, country: str | None
) -> None:
    ticket = opened.tickets.open(replace(ASKED, country=country))[0]
    with pytest.raises(NoSuchTicket):
        DONE[name](opened, _seen(ticket))
    assert opened.tickets.read(STAFF, ticket.ticket_id).ticket == ticket


@pytest.mark.parametrize("name", DONE)
def test_staff_of_a_country_do_all_with_its_tickets(opened: Desk, name: str) -> None:
    DONE[name](opened, _seen(_open(opened, country="PT")))


def test_staff_of_a_country_can_pass_a_ticket_on_to_another(opened: Desk) -> None:
    ticket = opened.tickets.open(replace(ASKED, country="PT"))[0]
    passed = opened.handling.change(PORTUGAL, _seen(ticket), {"country": "ES"})
    assert passed.ticket.country == "ES"
    with pytest.raises(NoSuchTicket):
        opened.tickets.read(PORTUGAL, ticket.ticket_id)
