"""The queue of the console: what it shows and is narrowed to, all of it in the address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import numpy as np
import pytest
from bs4 import BeautifulSoup
from conftest import app_over
from console import Colleague, colleague, one, opened, sign_in
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from api.console import queue as queue_module
from api.console.ages import ago, lasted
from api.console.queue import Wanted
from api.desk.models import Seen, Ticket
from api.desk.tables import TICKETS
from rag.store import Store
from rag.triage.sorter import FILE, INTENTS


@pytest.fixture(scope="module")
def app(store: Store, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return app_over(store, data_dir=tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def signed_in(app: FastAPI) -> Iterator[Colleague]:
    with colleague(app) as one_of_staff:
        yield one_of_staff


@pytest.fixture
def grace(signed_in: Colleague) -> Colleague:
    """Before an empty queue."""
    with signed_in.desk.database.writing() as connection:
        connection.execute(delete(TICKETS))
    return signed_in


def _ids(page: BeautifulSoup) -> list[str]:
    return [each.get_text() for each in page.select(".queue .id")]


def _tabs(page: BeautifulSoup) -> dict[str, int]:
    tabs = [each.get_text().rsplit(" ", 1) for each in page.select(".tabs a")]
    return {name: int(count) for name, count in tabs}


def _set(grace: Colleague, ticket: Ticket, **values: object) -> None:
    seen = Seen(ticket.ticket_id, ticket.version)
    grace.desk.handling.change(grace.by, seen, values)


def test_whoever_is_not_signed_in_is_led_to_do_so_and_back(grace: Colleague) -> None:
    stranger = TestClient(grace.http.app)
    response = stranger.get("/desk?state=open", follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"] == "./desk/sign-in?to=desk%3Fstate%3Dopen"


def test_an_empty_queue_says_where_tickets_come_from(grace: Colleague) -> None:
    page = grace.page("/desk")
    assert "Ask a person" in one(page, "main .box").get_text()
    assert not page.select("table")


def test_what_is_to_do_comes_first_and_the_newest_of_it(grace: Colleague) -> None:
    first, second, done = (opened(grace.desk, f"Question {n}") for n in range(3))
    grace.desk.handling.solve(grace.by, Seen(done.ticket_id, 1))
    page = grace.page("/desk")
    assert _ids(page) == [second.ticket_id, first.ticket_id]
    assert _tabs(page) == {
        "To do": 2, "New": 2, "Open": 0, "Pending": 0, "Solved": 1, "Closed": 0, "All": 3,
    }  # fmt: skip
    assert one(page, ".tabs [aria-current]").get_text().startswith("To do")
    solved = grace.page("/desk?state=solved")
    assert _ids(solved) == [done.ticket_id]
    assert len(_ids(grace.page("/desk?state=all"))) == 3


def test_a_row_tells_what_there_is_to_know(grace: Colleague) -> None:
    ticket = opened(grace.desk, country="PT", name="Ada <Lovelace>")
    _set(grace, ticket, priority="high", intent="share_data", tags=("biobank",))
    grace.desk.handling.assign(grace.by, Seen(ticket.ticket_id, 2), grace.by.who)
    row = one(grace.page("/desk"), ".queue tbody tr")
    told = " ".join(row.get_text().split())
    for each in (
        ticket.title, ticket.ticket_id, "Ada <Lovelace>", "biobank", "Portugal", "Share data",
        "High", "Open", "Grace", "waiting 0 min",
    ):  # fmt: skip
        assert each in told
    assert one(row, "time")["datetime"]
    assert one(row, "th a")["href"] == f"./desk/tickets/{ticket.ticket_id}"
    assert "ada@" not in str(row)


def test_after_a_reply_nobody_waits(grace: Colleague) -> None:
    ticket = opened(grace.desk)
    grace.desk.handling.reply(grace.by, Seen(ticket.ticket_id, 1), "Yes.")
    row = one(grace.page("/desk?state=pending"), ".queue tbody tr")
    assert "after 0 min" in row.get_text()
    assert "waiting" not in row.get_text()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("country=PT", {"lisbon"}),
        ("country=none", {"nowhere"}),
        ("intent=elsi", {"vilnius"}),
        ("priority=high", {"nowhere"}),
        ("assignee=me", {"vilnius"}),
        ("assignee=nobody", {"lisbon", "nowhere"}),
        ("q=LISB", {"lisbon"}),
        ("q=lisbon+vilnius", set()),
        ("country=&intent=&priority=&assignee=&q=&before=", {"lisbon", "vilnius", "nowhere"}),
        ("country=LT&assignee=me&state=open", {"vilnius"}),
    ],
)  # fmt: skip
def test_the_address_says_what_is_shown(grace: Colleague, query: str, found: set[str]) -> None:
    tickets = {
        "lisbon": opened(grace.desk, "From lisbon", country="PT"),
        "vilnius": opened(grace.desk, "From vilnius", country="LT"),
        "nowhere": opened(grace.desk, "From nowhere"),
    }
    _set(grace, tickets["vilnius"], intent="elsi")
    grace.desk.handling.assign(grace.by, Seen(tickets["vilnius"].ticket_id, 2), grace.by.who)
    _set(grace, tickets["nowhere"], priority="high")
    shown = set(_ids(grace.page(f"/desk?{query}")))
    assert shown == {tickets[each].ticket_id for each in found}


@pytest.mark.parametrize("query", ["state=lost", "country=XX", "priority=none", "intent=A+B"])
def test_an_address_that_means_nothing_is_told_by_a_page(grace: Colleague, query: str) -> None:
    page = grace.page(f"/desk?{query}", status=422)
    assert "address" in one(page, "[role=alert]").get_text()


def test_the_filters_show_what_is_set_and_are_cleared_at_a_press(grace: Colleague) -> None:
    opened(grace.desk)
    page = grace.page("/desk?country=PT&intent=elsi&priority=low&assignee=me&q=a+b&state=all")
    chosen = {each.parent["name"]: each["value"] for each in page.select("option[selected]")}  # type: ignore[index]
    assert chosen == {"country": "PT", "intent": "elsi", "priority": "low", "assignee": "me"}
    assert one(page, "#q")["value"] == "a b"
    assert one(page, "form [name=state]")["value"] == "all"
    assert "No ticket fits" in one(page, "main > .box").get_text()
    clear = page.find("a", string="Clear all filters")
    assert clear is not None
    assert clear["href"] == "./desk?state=all"  # type: ignore[index]


def test_older_tickets_follow_page_by_page(
    grace: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "PAGE", 2)
    monkeypatch.setattr("api.routes.console.PAGE", 2)
    ids = [opened(grace.desk, f"Question {n}", country="PT").ticket_id for n in range(5)][::-1]
    seen, address = [], "/desk?country=PT"
    for _ in range(3):
        page = grace.page(address)
        seen.append(_ids(page))
        older = page.find("a", string="Older tickets")
        address = str(older["href"]).removeprefix(".") if older else ""  # type: ignore[index]
    assert seen == [ids[:2], ids[2:4], ids[4:]]
    assert address == ""
    newest = page.find("a", string="Newest tickets")
    assert newest is not None
    assert newest["href"] == "./desk?country=PT"  # type: ignore[index]


def test_staff_of_a_country_see_its_tickets_only(grace: Colleague) -> None:
    joao = sign_in(TestClient(grace.http.app), "João", "agent", "PT")
    own = opened(joao.desk, country="PT")
    opened(joao.desk, country="ES")
    opened(joao.desk)
    page = joao.page("/desk?state=all")
    assert _ids(page) == [own.ticket_id]
    assert _tabs(page)["All"] == 1
    assert [each["value"] for each in page.select("#country option")] == ["", "PT"]
    for query in ("country=ES", "country=none", "q=clinic&country=ES"):
        assert _ids(joao.page(f"/desk?state=all&{query}")) == []


def test_intents_are_those_that_were_learned() -> None:
    with np.load(FILE) as learned:
        assert set(INTENTS) == set(learned["intent.labels"].tolist())


def test_every_intent_can_be_chosen(grace: Colleague) -> None:
    offered = [each["value"] for each in grace.page("/desk").select("#intent option")]
    assert offered == ["", *INTENTS]


NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=2), "2 d"),
    ],
)
def test_an_age_is_told_in_few_letters(time: timedelta, said: str) -> None:
    assert lasted(time) == said
    assert ago(NOW - time, NOW) == said


def test_what_is_long_ago_has_a_date() -> None:
    assert ago(NOW - timedelta(days=60), NOW) == "02 Mar 2026"


_TEXT = st.text(max_size=20)


@given(
    st.builds(
        Wanted,
        state=st.sampled_from(["todo", "new", "all"]),
        country=st.sampled_from([None, "none", "PT"]),
        intent=st.sampled_from([None, *INTENTS]),
        priority=st.sampled_from([None, "high", "low"]),
        assignee=st.sampled_from([None, "me", "nobody", "S-1"]),
        q=_TEXT.filter(lambda text: text == "" or text.strip() != ""),
    )
)
def test_an_address_leads_to_what_it_was_made_for(wanted: Wanted) -> None:
    query = wanted.query().removeprefix("?")
    assert Wanted.model_validate(dict(parse_qsl(query))) == wanted
