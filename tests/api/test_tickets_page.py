"""The page of a request: its state, the replies, and a form that needs no JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from actors import OTHER, STAFF
from bs4 import BeautifulSoup
from conftest import app_over
from fastapi.testclient import TestClient
from pages import one, read

from api.app import Access
from api.desk.database import DeskUnavailable
from api.desk.desk import Desk
from api.desk.models import NoSuchTicket, Seen
from api.limits import MAX_FORM
from rag.language import LANGUAGES
from rag.store import Store

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Visitor:
    """Somebody with the link to their request."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        asked = {"question": "Who signs?", "email": "ada@clinic.example", "consent": True}
        told = http.post("/v1/tickets", json=asked).json()
        self.id: str = told["ticket"]["id"]
        self.link: str = told["link"]
        self.desk: Desk = http.app.state.services.desk  # type: ignore[attr-defined]

    def page(self, language: str = "en") -> BeautifulSoup:
        response = self.http.get(f"{self.link}&language={language}")
        assert response.status_code == 200
        return read(response.text)

    def send(self, text: str, **other: str) -> tuple[int, BeautifulSoup]:
        """Fill the form in and send it, as a browser would."""
        form = one(self.page(), "main form")
        fields = {str(each["name"]): str(each["value"]) for each in form.select("input")}
        address = f"/tickets/{str(form['action']).removeprefix('./')}"
        response = self.http.post(address, data={**fields, "text": text, **other})
        return response.status_code, read(response.text)


@pytest.fixture(scope="module")
def http(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of one app for all: every visitor has a request of their own."""
    with TestClient(app_over(store, data_dir=tmp_path_factory.mktemp("data"))) as opened:
        yield opened


@pytest.fixture
def visitor(http: TestClient) -> Visitor:
    return Visitor(http)


def test_replies_are_read_there_and_answered(visitor: Visitor) -> None:
    visitor.desk.handling.note(STAFF, Seen(visitor.id, 1), "A secret note")
    reply = "Which <b>agreement</b>?\nThe old one?"
    visitor.desk.handling.reply(OTHER, Seen(visitor.id, 2), reply)
    page = visitor.page()
    assert "Answered" in one(page, "dl strong").get_text()
    assert reply in one(page, ".messages li").get_text()
    assert "secret" not in page.get_text()
    assert "Grace" not in page.get_text()
    status, after = visitor.send("The new one.\r\nPlease.")
    assert status == 200
    assert [each.p.get_text() for each in after.select(".messages li") if each.p][1:] == [
        "The new one.\nPlease."
    ]
    assert "In progress" in one(after, "dl strong").get_text()


def test_after_a_message_the_browser_is_led_back_and_sends_it_once(visitor: Visitor) -> None:
    token = urlsplit(visitor.link).query.removeprefix("token=")
    sent = {"token": token, "text": "Hello", "language": "pt"}
    response = visitor.http.post(f"/tickets/{visitor.id}", data=sent, follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["cache-control"] == "no-store"
    back = visitor.http.get(f"/tickets/{response.headers['location'].removeprefix('./')}")
    assert one(read(back.text), "html")["lang"] == "pt"
    assert one(read(back.text), "#last")


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "write a message first"), ("  \n", "write a message first"), ("x" * 4001, "4,000")],
)
def test_what_is_no_message_is_told_and_can_be_mended(
    visitor: Visitor, text: str, said: str
) -> None:
    status, page = visitor.send(text)
    assert status == 422
    alarm, area = one(page, "[role=alert]"), one(page, "textarea")
    assert said in alarm.get_text()
    assert area["aria-describedby"] == alarm["id"]
    assert area.get_text().removeprefix("\n") == text
    assert not visitor.page().select(".messages")


def test_a_closed_request_says_so_and_has_no_form(visitor: Visitor) -> None:
    visitor.desk.handling.close(STAFF, Seen(visitor.id, 1))
    page = visitor.page()
    assert "Closed" in one(page, "dl strong").get_text()
    assert "nothing can be added" in page.get_text()
    assert not page.select("main form")


def test_what_is_written_while_it_is_closed_is_given_back(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_back = visitor.desk.tickets.write_back

    def closed_first(*sent: str) -> object:
        visitor.desk.handling.close(STAFF, Seen(visitor.id, 1))
        return write_back(*sent)

    monkeypatch.setattr(visitor.desk.tickets, "write_back", closed_first)
    status, page = visitor.send("My own words")
    assert status == 409
    assert "My own words" in page.get_text()
    assert "not sent" in page.get_text()


def test_where_the_desk_fails_meanwhile_the_words_are_given_back(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: str) -> object:
        raise DeskUnavailable("try again later")

    monkeypatch.setattr(visitor.desk.tickets, "write_back", fails)
    status, page = visitor.send("My own words")
    assert status == 503
    assert one(page, "textarea").get_text().removeprefix("\n") == "My own words"
    assert one(page, "[role=alert]").get_text().strip()


def test_a_request_that_is_erased_meanwhile_is_gone(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: str) -> object:
        raise NoSuchTicket

    monkeypatch.setattr(visitor.desk.tickets, "write_back", gone)
    status, page = visitor.send("My own words")
    assert status == 404
    assert "no request under this link" in page.get_text()


def test_a_form_without_the_link_writes_nothing(visitor: Visitor) -> None:
    status, page = visitor.send("My own words", token="x")  # noqa: S106 - a wrong one
    assert status == 404
    assert "no request under this link" in page.get_text()
    assert "signs" not in page.get_text()
    assert not visitor.page().select(".messages")


def test_a_form_of_another_site_is_refused(visitor: Visitor) -> None:
    sent = {"Origin": "https://evil.example", **FORM}
    response = visitor.http.post(f"/tickets/{visitor.id}", content=b"text=x", headers=sent)
    assert response.status_code == 403


def test_a_form_that_is_too_large_is_refused(visitor: Visitor) -> None:
    content = b"&" * (MAX_FORM + 1)
    response = visitor.http.post(f"/tickets/{visitor.id}", content=content, headers=FORM)
    assert response.status_code == 413


def test_who_writes_too_often_waits_and_keeps_their_words(store: Store, tmp_path: Path) -> None:
    with TestClient(app_over(store, Access(per_minute=2), tmp_path / "data")) as http:
        visitor = Visitor(http)
        assert visitor.send("first")[0] == 200
        status, page = visitor.send("second")
    assert status == 429
    assert "second" in one(page, "textarea").get_text()
    assert one(page, "[role=alert]")


@pytest.mark.parametrize("state", ["new", "open", "pending", "solved", "closed"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_is_told_in_every_language(visitor: Visitor, language: str, state: str) -> None:
    visitor.desk.handling.change(STAFF, Seen(visitor.id, 1), {"state": state})
    page = visitor.page(language)
    assert one(page, "html")["lang"] == language
    assert one(page, "dl strong").get_text()
    assert bool(page.select("main form")) == (state != "closed")


def test_every_field_has_a_label_and_every_id_is_given_once(visitor: Visitor) -> None:
    visitor.desk.handling.reply(STAFF, Seen(visitor.id, 1), "Yes.")
    for page in (visitor.page(), visitor.send("")[1]):
        ids = [str(each["id"]) for each in page.select("[id]")]
        assert len(ids) == len(set(ids))
        for field in page.select("textarea, input:not([type=hidden]), select"):
            assert one(page, f"label[for={field['id']}]").get_text()
        for name in ("aria-labelledby", "aria-describedby"):
            assert {str(each[name]) for each in page.select(f"[{name}]")} <= set(ids)
