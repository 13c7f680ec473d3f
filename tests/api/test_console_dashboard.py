"""The dashboard: figures as tables and charts, of the countries that one sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup, Tag
from conftest import app_over
from fastapi.testclient import TestClient
from pages import one, read

from api.desk.desk import Desk
from api.desk.models import Actor, NewTicket
from api.routes.console_dashboard import Chart, Column
from rag.store import Store

ASKED = NewTicket("Who signs?", (), None, "Ada", "ada@clinic.example", "PT", "pt")
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)

ADMIN = Actor("operator", "admin")
Colleague = Callable[..., TestClient]


@pytest.fixture
def http(store: Store, tmp_path: Path) -> Iterator[TestClient]:
    app = app_over(store, data_dir=tmp_path / "data")
    # Tickets come in behind the server's back here, and none is to be sorted meanwhile.
    app.state.sorting.catching_up = _nothing
    with TestClient(app) as opened:
        yield opened


async def _nothing() -> None:
    """Leave what is there as it is."""


@pytest.fixture
def desk(http: TestClient) -> Desk:
    found: Desk = http.app.state.services.desk  # type: ignore[attr-defined]
    return found


@pytest.fixture
def colleague(http: TestClient, desk: Desk) -> Colleague:
    """The browser of one of staff, who sees some countries; none named: all."""

    def signed_in(*countries: str) -> TestClient:
        member = desk.staff.add(ADMIN, "Grace", "grace@desk.example", "agent", countries)
        http.cookies.set("desk", desk.sessions.start(member.staff_id))
        return http

    return signed_in


def _page(browser: TestClient, query: str = "") -> BeautifulSoup:
    response = browser.get(f"/desk/dashboard{query}")
    assert response.status_code == 200, response.text
    return read(response.text)


def _text(part: Tag) -> str:
    return " ".join(part.get_text().split())


def _figure(page: BeautifulSoup, caption: str) -> Tag:
    found = [each for each in page.select("figure") if _text(each).startswith(caption)]
    assert len(found) == 1, caption
    return found[0]


def _rows(figure: Tag) -> list[list[str]]:
    return [[_text(cell) for cell in row.select("th, td")] for row in figure.select("tbody tr")]


def _keys(page: BeautifulSoup) -> dict[str, str]:
    return {_text(one(each, "dt")): _text(one(each, "strong")) for each in page.select(".keys div")}


def test_kinds_are_named_counted_and_lead_to_the_queue(colleague: Colleague, desk: Desk) -> None:
    for country in ("PT", "GB", "PT", None):
        desk.tickets.open(replace(ASKED, country=country))
    page = _page(colleague())
    countries = _figure(page, "Tickets by country")
    assert _rows(countries) == [
        ["Portugal", "2", "50 %"], ["not known", "1", "25 %"], ["United Kingdom", "1", "25 %"],
    ]  # fmt: skip
    assert [urlsplit(str(each["href"])).query for each in countries.select("a")] == [
        "state=all&country=PT", "state=all&country=none", "state=all&country=GB",
    ]  # fmt: skip
    assert {urlsplit(str(each["href"])).path for each in page.select("figure a")} == {"../desk"}
    assert _rows(_figure(page, "Tickets by language")) == [["Portuguese", "4", "100 %"]]
    assert _rows(_figure(page, "Tickets by state")) == [["new", "4", "100 %"]]
    # Nobody has sorted them, and the queue cannot be asked for those.
    intents = _figure(page, "Tickets by intent")
    assert _rows(intents) == [["not known", "4", "100 %"]]
    assert not intents.select("a")


def test_bars_are_as_long_as_their_numbers(colleague: Colleague, desk: Desk) -> None:
    for country in ("PT", "PT", "PT", "PT", "GB"):
        desk.tickets.open(replace(ASKED, country=country))
    bars = _figure(_page(colleague()), "Tickets by country").select("td rect")
    assert [bar["width"] for bar in bars] == ["100.00%", "25.00%"]


def test_a_chart_says_in_words_and_in_a_table_what_it_shows(
    colleague: Colleague, desk: Desk
) -> None:
    for _ in range(3):
        desk.tickets.open(ASKED)
    chart = _figure(_page(colleague(), "?weeks=4"), "Tickets by week")
    drawn = one(chart, "svg[role=img]")
    assert "3 in all, 0 of them solved" in str(drawn["aria-label"])
    assert "from 0 to 3 in a week" in str(drawn["aria-label"])
    assert [row[1:] for row in _rows(one(chart, "details"))] == [["0", "0"]] * 3 + [["3", "0"]]
    column = one(drawn, "rect")
    # Of an axis to 4, in the last of four weeks.
    assert (column["height"], column["y"]) == ("75.00%", "25.00%")
    assert (column["x"], column["width"]) == ("77.50%", "20.00%")


def test_the_reader_chooses_how_far_back_it_goes(colleague: Colleague) -> None:
    browser = colleague()
    for query, weeks in (("", 12), ("?weeks=4", 4), ("?weeks=52", 52)):
        page = _page(browser, query)
        assert len(_rows(_figure(page, "Tickets by week"))) == weeks
        assert _text(one(page, ".choices [aria-current]")) == f"{weeks} weeks"


def test_other_lengths_of_time_are_refused(colleague: Colleague) -> None:
    browser = colleague()
    for weeks in ("5", "0", "-1", "9999999999", "many"):
        assert browser.get(f"/desk/dashboard?weeks={weeks}").status_code == 422, weeks


def test_of_nothing_no_number_is_made_up(colleague: Colleague) -> None:
    page = _page(colleague())
    keys = _keys(page)
    assert (keys["Opened"], keys["Questions"]) == ("0", "0")
    for name in ("First reply, median", "Replied to within a day", "Answered", "Helpful"):
        assert keys[name] == "–", name
    assert "None in these weeks" in _text(_figure(page, "Tickets by country"))
    assert "No answers are known" in _text(page)


def test_whoever_has_a_country_sees_the_figures_of_no_other(
    colleague: Colleague, desk: Desk
) -> None:
    for country in ("PT", "GB", "GB", None):
        desk.tickets.open(replace(ASKED, country=country))
    page = _page(colleague("PT"))
    assert _keys(page)["Opened"] == "1"
    assert "Only what came from Portugal." in _text(page)
    assert "United Kingdom" not in _text(page)


def test_it_is_said_since_when_answers_are_known(colleague: Colleague, http: TestClient) -> None:
    answer = http.post("/v1/answers", json={"question": "Who signs the agreement?"}).json()
    http.post("/v1/feedback", json={"answer_id": answer["id"], "helpful": True})
    page = _page(colleague())
    assert "none is known from before" in _text(one(page, ".box"))
    assert (_keys(page)["Questions"], _keys(page)["Helpful"]) == ("1", "100 %")
    weeks = _rows(_figure(page, "Ratings by week"))
    assert weeks[0][1:] == ["not known any more"]
    assert weeks[-1][1:] == ["1", "1", "1", "100 %"]


def test_nobody_sees_it_who_is_not_signed_in(http: TestClient) -> None:
    response = http.get("/desk/dashboard?weeks=4", follow_redirects=False)
    assert response.status_code == 303
    assert "sign-in" in response.headers["location"]


def test_nothing_on_it_is_styled_or_scripted_inline(colleague: Colleague, desk: Desk) -> None:
    desk.tickets.open(ASKED)
    response = colleague().get("/desk/dashboard")
    assert "style-src 'self'" in response.headers["content-security-policy"]
    assert not read(response.text).select("[style], style, script")
    assert not re.search(r"\son\w+=", response.text)


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (3, 4), (9, 10), (10, 10), (21, 30), (99, 100), (1234, 2000)]
)
def test_an_axis_ends_with_a_round_number_above_all_columns(most: int, top: int) -> None:
    chart = Chart((Column(MONDAY, 0, 0), Column(MONDAY, most, 0)))
    assert chart.top == top
    assert chart.top % 2 == 0
