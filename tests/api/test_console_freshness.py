"""The page of freshness: what staff may tell those who keep the sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import shelf
from bs4 import BeautifulSoup
from conftest import app_over
from fastapi.testclient import TestClient
from pages import one, read

from api.desk.desk import Desk
from api.desk.models import Actor
from rag.link_report import LinkKind, LinkPlace, LinkReport, LostLink, write_links
from rag.models import Part
from rag.store import Store

ADMIN = Actor("operator", "admin")
SINCE = "2026-05-04T10:00:00Z"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The invented framework, with two pages that differ and one of long ago."""
    made = shelf.framework()
    more = [
        shelf.page("old.md", "Old rules", Part("Ropes <b>are</b> kept in store for ten years.")),
        shelf.page(
            "new.md", "New rules", Part("Ropes <b>are</b> kept in store for fifteen years.")
        ),
    ]
    cards = [stored for stored, _ in more]
    cards[0] = replace(
        cards[0], card=replace(cards[0].card, published="2015-02-03", dated_by="page")
    )
    made = replace(
        made,
        documents=(*made.documents, *cards),
        chunks=(*made.chunks, *(chunk for _, chunks in more for chunk in chunks)),
    )
    return shelf.written(tmp_path_factory.mktemp("shelf"), made)


@pytest.fixture(scope="module")
def http(index: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The browser of an agent of one country, who sees it all: sources are public."""
    with TestClient(app_over(index, data_dir=tmp_path_factory.mktemp("data"))) as opened:
        desk: Desk = opened.app.state.services.desk  # type: ignore[attr-defined]
        member = desk.staff.add(ADMIN, "Grace", "grace@desk.example", "agent", ("PT",))
        opened.cookies.set("desk", desk.sessions.start(member.staff_id))
        yield opened


def page(http: TestClient, query: str = "", status: int = 200) -> BeautifulSoup:
    response = http.get(f"/desk/freshness{query}")
    assert response.status_code == status, response.text
    return read(response.text)


def lost(kind: LinkKind, address: str, *, dead: bool = True) -> LostLink:
    place = LinkPlace("aurora", "a.md", "Page A", ("Reading",), f"{shelf.SITE}/a#reading", "here")
    return LostLink(kind, address, dead, "answers 404", SINCE, (place,))


def test_only_staff_see_it(index: Store, tmp_path: Path) -> None:
    with TestClient(app_over(index, data_dir=tmp_path)) as stranger:
        response = stranger.get("/desk/freshness", follow_redirects=False)
    assert response.status_code == 303
    assert "sign-in" in response.headers["location"]


def test_a_statement_without_its_sentence_leads_to_its_article_and_page(http: TestClient) -> None:
    section = one(page(http), "section[aria-labelledby=unheld]")
    assert "A seal of wax is needed." in section.get_text()
    to_article, to_page = (str(each["href"]) for each in section.select("a"))
    assert to_article == "../desk/articles?q=share#there"
    assert to_page.startswith(f"{shelf.SITE}/evidence#")


def test_documents_that_differ_stand_side_by_side_in_their_words(http: TestClient) -> None:
    section = one(page(http), "section[aria-labelledby=differ]")
    captions = [each.get_text() for each in section.select("caption")]
    assert captions == ["years", "Code of consent"]
    table = section.select("table")[0]
    assert {each.get_text() for each in table.select("tbody th")} == {"10", "15"}
    # What a page says is text, whatever it holds.
    assert "<b>are</b>" in table.get_text()
    assert not table.select("b")


def test_empty_and_old_documents_are_listed_by_source(http: TestClient) -> None:
    section = one(page(http, "?years=5"), "section[aria-labelledby=age]")
    assert [each.get_text() for each in section.select("h3")] == ["aurora", "folder"]
    told = {one(each, "summary").get_text(): each.get_text() for each in section.select("details")}
    assert "Portugal" in told["1 empty page"]
    assert "Old rules" in told["1 older than 5 years"]


def test_one_source_can_be_looked_at_alone(http: TestClient) -> None:
    found = page(http, "?source=folder")
    assert [each.get_text() for each in found.select("section[aria-labelledby=age] h3")] == [
        "folder"
    ]
    assert not found.select("section[aria-labelledby=differ] table")
    assert one(found, "#source option[selected]")["value"] == "folder"


@pytest.mark.parametrize(
    ("query", "status"), [("?years=4", 422), ("?source=x", 404), ("?years=a", 422)]
)
def test_what_is_not_there_to_choose_is_told(http: TestClient, query: str, status: int) -> None:
    page(http, query, status)


def test_links_are_shown_as_they_were_found_last(http: TestClient, index: Store) -> None:
    assert (
        "ingest freshness --links" in one(page(http), "section[aria-labelledby=links]").get_text()
    )
    links = (
        lost("page", f"{shelf.SITE}/gone"),
        lost("outside", "https://x.example/slow", dead=False),
        lost("outside", "javascript:alert(1)"),
    )
    write_links(index.directory, LinkReport(SINCE, "another", 40, SINCE, 30, 2, links))
    try:
        section = one(page(http), "section[aria-labelledby=links]")
    finally:
        (index.directory / "links.json").unlink()
    assert [each.get_text() for each in section.select("h3")] == [
        "Pages that are not there 1",
        "Addresses elsewhere 2",
    ]
    assert len(section.select(".urgent")) == 2
    text = " ".join(section.get_text().split())
    assert "in an earlier index" in text
    assert "30 addresses elsewhere were asked on 2026-05-04; for 2 there was no time" in text
    assert not section.select("a[href^=javascript]")
    assert f"{shelf.SITE}/a#reading" in {str(each["href"]) for each in section.select("a")}


def test_an_index_is_looked_through_once(http: TestClient) -> None:
    room = http.app.state.freshness  # type: ignore[attr-defined]
    page(http)
    found = room._found
    page(http, "?years=5")
    assert room._found is found
