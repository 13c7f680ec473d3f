"""The queue: tickets page by page, limited, counted and found by their words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from actors import PORTUGAL, STAFF

from api.desk.desk import Desk, open_desk
from api.desk.models import Actor, Case, Limits, NewTicket, Seen, Ticket
from api.desk.queue import counts_of, page_of
from rag.models import Turn

ASKED = NewTicket(
    "May our clinic\nshare old samples?", (), None, "Ada", "ada@clinic.example", "GB", "en"
)


def _seen(of: Ticket | Case) -> Seen:
    ticket = of.ticket if isinstance(of, Case) else of
    return Seen(ticket.ticket_id, ticket.version)


def _open(desk: Desk, **other: str) -> Ticket:
    return desk.tickets.open(replace(ASKED, **other))[0]  # type: ignore[arg-type]


def _ids(desk: Desk, **limits: object) -> list[str]:
    return [each.ticket_id for each in desk.queue.page(STAFF, Limits(**limits), 50, None)]  # type: ignore[arg-type]


def test_the_queue_is_limited_by_each_field(opened: Desk) -> None:
    one, other = _open(opened), _open(opened, country="PT")
    opened.handling.assign(STAFF, _seen(one), "Grace")
    opened.handling.change(STAFF, _seen(other), {"intent": "access_data", "priority": "high"})
    assert _ids(opened) == [other.ticket_id, one.ticket_id]
    for limits in (
        {"states": ("open",)}, {"states": ("open", "closed")}, {"country": "GB"},
        {"priority": "normal"}, {"assignee": "Grace"},
    ):  # fmt: skip
        assert _ids(opened, **limits) == [one.ticket_id], limits
    for limits in ({"states": ("new",)}, {"intent": "access_data"}, {"unassigned": True}):
        assert _ids(opened, **limits) == [other.ticket_id], limits
    assert _ids(opened, country="PT", assignee="Grace") == []


def test_staff_of_a_country_see_its_tickets_only(opened: Desk) -> None:
    theirs = _open(opened, country="PT").ticket_id
    _open(opened), opened.tickets.open(replace(ASKED, country=None))
    for limits in (Limits(), Limits(country="GB"), Limits(nowhere=True), Limits(text="samples")):
        found = opened.queue.page(PORTUGAL, limits, 50, None)
        whole = limits in (Limits(), Limits(text="samples"))
        assert [each.ticket_id for each in found] == ([theirs] if whole else []), limits
        assert sum(opened.queue.counts(PORTUGAL, limits).values()) == len(found)


def test_tickets_of_no_country_can_be_asked_for(opened: Desk) -> None:
    _open(opened)
    nowhere = opened.tickets.open(replace(ASKED, country=None))[0]
    assert _ids(opened, nowhere=True) == [nowhere.ticket_id]


def test_states_are_counted_within_the_other_limits(opened: Desk) -> None:
    opened.handling.close(STAFF, _seen(_open(opened)))
    for country in ("PT", "PT", "GB"):
        _open(opened, country=country)
    none = {"new": 0, "open": 0, "pending": 0, "solved": 0, "closed": 0}
    assert opened.queue.counts(STAFF, Limits()) == {**none, "new": 3, "closed": 1}
    assert opened.queue.counts(STAFF, Limits(country="PT", states=("closed",))) == {
        **none,
        "new": 2,
    }


def test_pages_go_on_where_the_one_before_ended_though_tickets_come_in(opened: Desk) -> None:
    expected = [_open(opened, country="PT" if n % 2 else "GB").ticket_id for n in range(10)][::-1]
    seen: list[str] = []
    while len(seen) < 10:
        page = opened.queue.page(STAFF, Limits(), 3, seen[-1] if seen else None)
        seen += [each.ticket_id for each in page]
        _open(opened)
    assert seen == expected
    only = opened.queue.page(STAFF, Limits(country="PT"), 50, expected[4])
    assert [each.ticket_id for each in only] == expected[6::2]
    assert opened.queue.page(STAFF, Limits(), 50, "nobody's") == ()


def test_nothing_is_told_by_where_another_country_s_ticket_stands(opened: Desk) -> None:
    older = _open(opened, country="PT").ticket_id
    foreign = _open(opened, country="GB").ticket_id
    theirs = _open(opened, country="PT").ticket_id
    assert opened.queue.page(PORTUGAL, Limits(), 50, foreign) == ()
    found = opened.queue.page(PORTUGAL, Limits(), 50, theirs)
    assert [each.ticket_id for each in found] == [older]


@pytest.mark.parametrize(
    "text",
    ["SAMPLES", "sam clin", "Zażółć", "zazolc", "ada@clinic.example", "biobank-42", "lawyer",
     "Στεφανος", "before that", "  "],
)  # fmt: skip
def test_a_ticket_is_found_by_words_of_all_that_people_wrote(opened: Desk, text: str) -> None:
    asked = replace(ASKED, history=(Turn("user", "Before that: Στέφανος."),))
    ticket, token = opened.tickets.open(asked)
    opened.tickets.write_back(ticket.ticket_id, token, "Zażółć BIOBANK-42")
    case = opened.tickets.read(STAFF, ticket.ticket_id)
    opened.handling.note(STAFF, _seen(case), "Ask the lawyer.")
    assert _ids(opened, text=text) == [ticket.ticket_id]
    assert _ids(opened, text=ticket.ticket_id) == [ticket.ticket_id]


def test_all_words_have_to_be_there(opened: Desk) -> None:
    ticket = _open(opened)
    assert _ids(opened, text="samples penguins") == []
    assert _ids(opened, text="amples") == []
    opened.handling.change(STAFF, _seen(ticket), {"title": "Penguins"})
    assert _ids(opened, text="samples penguins") == [ticket.ticket_id]


def test_a_word_that_a_title_no_longer_holds_finds_nothing(opened: Desk) -> None:
    ticket = _open(opened)
    changed = opened.handling.change(STAFF, _seen(ticket), {"title": "Penguins"})
    opened.handling.change(STAFF, _seen(changed), {"title": "Seals"})
    assert _ids(opened, text="penguins") == []
    assert _ids(opened, text="seals") == [ticket.ticket_id]


def test_what_is_written_later_is_found(opened: Desk) -> None:
    ticket, token = opened.tickets.open(ASKED)
    opened.tickets.write_back(ticket.ticket_id, token, "Walruses, too?")
    assert _ids(opened, text="walrus samples") == [ticket.ticket_id]


@pytest.mark.parametrize("text", ["???", "…", "\u200b"])
def test_a_search_for_no_word_finds_nothing(opened: Desk, text: str) -> None:
    _open(opened)
    assert _ids(opened, text=text) == []


def test_of_a_ticket_without_end_the_first_words_are_kept(opened: Desk) -> None:
    turns = tuple(
        Turn("user", " ".join(f"w{turn}x{word}" for word in range(3000))) for turn in range(20)
    )
    ticket = opened.tickets.open(replace(ASKED, history=turns))[0]
    assert _ids(opened, text="samples w0x2999") == [ticket.ticket_id]
    assert _ids(opened, text="w19x2999") == []


def test_a_short_word_is_found_as_a_whole_only(opened: Desk) -> None:
    ticket = _open(opened, question="Is it OK?")
    assert _ids(opened, text="ok") == [ticket.ticket_id]
    assert _ids(opened, text="i") == []


@pytest.mark.parametrize(
    "limits",
    [
        Limits(), Limits(states=("new",)), Limits(country="PT"), Limits(intent="share_data"),
        Limits(priority="high"), Limits(assignee="Grace"), Limits(unassigned=True),
        Limits(country="PT", states=("new", "open")), Limits(text="samples clinic"),
        Limits(nowhere=True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by", [STAFF, PORTUGAL], ids=["staff", "Portugal"])
def test_no_page_and_no_count_reads_the_whole_table(
    tmp_path: Path, limits: Limits, by: Actor
) -> None:
    # PostgreSQL reads small tables as a whole, whatever indexes there are.
    desk = open_desk("", tmp_path, 30)
    engine = desk.database._engine
    with desk.database.reading() as connection:
        for query in (
            page_of(by, limits, 50, (datetime.now(UTC), "NMG-1")),
            counts_of(by, limits),
        ):
            compiled = query.compile(engine, compile_kwargs={"render_postcompile": True})
            values = tuple(str(compiled.params[name]) for name in compiled.positiontup or ())
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values).all()
            steps = [row[3] for row in plan if " tickets" in row[3]]
            assert steps
            assert all("INDEX" in step for step in steps), steps
    desk.close()
