from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import shelf
from conftest import app_over
from fastapi.testclient import TestClient
from pages import ask, one, read

from api.desk.database import DESK
from api.limits import MAX_FORM
from api.page.views import mail_address, source_rows, web_address
from rag.answerer import Answerer
from rag.models import IndexedDocument
from rag.store import Store

SHARE = "How can I share my data?"
_SENT = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_question_is_answered_on_the_page(client: TestClient) -> None:
    page = ask(client, SHARE, language="en", country="EE")
    told = client.post("/v1/answers", json={"question": SHARE, "country": "EE"}).json()
    answer = one(page, "#answer")
    assert one(answer, ".asked").get_text().endswith(SHARE)
    statements = [each.get_text() for each in answer.select(".statement > span")]
    assert statements == [each["text"] for each in told["statements"]]
    links = answer.select("a.marker")
    assert [each["href"] for each in links] == [
        f"#source-{number}" for each in told["statements"] for number in each["citations"]
    ]
    for link, cited in zip(answer.select(".cited > li > p:first-child > a"), told["citations"],
                           strict=True):  # fmt: skip
        assert link["href"] == cited["url"]
        assert cited["title"] in link.get_text()
    assert [each.get_text() for each in answer.select("blockquote p")] == [
        each["quote"] for each in told["citations"] if each["kind"] == "source"
    ]
    assert {each["lang"] for each in answer.select("blockquote")} == {"en"}
    assert {each["kind"] for each in told["citations"]} == {"source", "summary"}
    assert "sums up a document" in answer.get_text()
    assert "Required" in answer.get_text()
    assert told["next_step"]["email"] in answer.get_text()
    assert "machine" in answer.get_text()
    assert one(page, "option[selected]")["value"] == "EE"
    assert str(one(page, "title").get_text()).startswith("Answer")


def test_every_source_that_is_pointed_at_is_on_the_page(client: TestClient) -> None:
    page = ask(client, "Who decides about access, and who pays?")
    targets = {f"#{each['id']}" for each in page.select("[id]")}
    assert {str(each["href"]) for each in page.select("a[href^='#']")} <= targets


def test_what_could_be_asked_next_is_sent_in_the_language_of_the_answer(
    client: TestClient,
) -> None:
    told = client.post("/v1/answers", json={"question": SHARE}).json()
    assert told["follow_ups"]
    form = one(ask(client, SHARE), "#follow-ups")
    offered = [str(each["value"]) for each in form.select("button[name=question]")]
    assert offered == told["follow_ups"]
    assert one(form, "[name=reply]")["value"] == told["language"]
    assert one(ask(client, offered[0], reply="en"), "#answer")


def test_a_question_that_is_declined_comes_with_a_reason_and_a_next_step(
    client: TestClient,
) -> None:
    told = client.post("/v1/answers", json={"question": "Who is the contact in Portugal?"}).json()
    assert told["status"] == "abstained"
    answer = one(ask(client, "Who is the contact in Portugal?"), "#answer")
    assert one(answer, "h2").get_text() == "No answer"
    assert one(answer, ".warm").get_text() in told["text"]
    assert shelf.CONTACT in answer.get_text()


def test_the_answer_comes_in_the_language_that_is_wanted(client: TestClient) -> None:
    answer = one(ask(client, "Who is the contact in Portugal?", reply="de"), "#answer")
    assert one(answer, ".warm")["lang"] == "de"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"question": ""}, "write a question"),
        ({"question": " \r\n "}, "write a question"),
        ({}, "write a question"),
        ({"question": "x" * 4001}, "4,000 characters"),
        ({"question": SHARE, "country": "XX"}, "cannot be sent"),
        ({"question": SHARE, "reply": "english"}, "cannot be sent"),
        ({"question": "\0"}, "cannot be sent"),
    ],
)
def test_what_is_wrong_with_a_question_is_told_on_the_page(
    client: TestClient, sent: dict[str, str], told: str
) -> None:
    response = client.post("/ask", data=sent)
    assert response.status_code == 422
    page = read(response.text)
    assert told in one(page, "[role=alert]").get_text()
    assert one(page, "textarea")["aria-describedby"] == one(page, "[role=alert]")["id"]
    assert one(page, "title").get_text().startswith("Error")
    assert not page.select("#answer")


def test_an_end_of_line_counts_as_one_character_as_it_does_in_the_form(client: TestClient) -> None:
    ask(client, "data?\r\n" + "\r\n" * 1997 + "x" * 1997)


def test_the_question_is_shown_again_as_it_was_written(client: TestClient) -> None:
    sent = "\r\n  first\r\n\r\nsecond" + "x" * 4000
    shown = one(read(client.post("/ask", data={"question": sent}).text), "textarea").get_text()
    # The first line feed behind the tag is none, to HTML.
    assert shown.removeprefix("\n") == sent.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "question", ["<script>alert(1)</script>", "</textarea><b id=in>", "\"'><img src=x>", "{{ 7 }}"]
)
@pytest.mark.parametrize("length", [0, 4000])
def test_what_somebody_typed_comes_back_as_text(
    client: TestClient, question: str, length: int
) -> None:
    response = client.post("/ask", data={"question": question + "x" * length})
    page = read(response.text)
    assert question in page.get_text()
    assert not page.select("script:not([src]), #in, img[src=x]")


def test_a_question_is_never_part_of_an_address(client: TestClient) -> None:
    for page in (read(client.get("/").text), ask(client, SHARE)):
        assert {form["method"] for form in page.select("form")} == {"post"}
    response = client.get("/ask", params={"question": SHARE}, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "./")
    assert client.post("/ask", data={"question": SHARE}).headers["cache-control"] == "no-store"


def test_an_error_while_answering_is_told_on_the_page_and_not_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(SHARE)

    monkeypatch.setattr(Answerer, "answer", broken)
    response = client.post("/ask", data={"question": SHARE})
    assert response.status_code == 500
    assert "went wrong" in one(read(response.text), "[role=alert]").get_text()
    assert "RuntimeError" in caplog.text
    assert SHARE not in caplog.text


def test_a_form_with_files_is_refused(client: TestClient) -> None:
    assert client.post("/ask", files={"question": b"text"}).status_code == 400


def test_a_form_of_another_site_is_refused(client: TestClient) -> None:
    response = client.post(
        "/ask", data={"question": SHARE}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert response.status_code == 403


# ---- what it makes of the index


def _document(**fields: object) -> IndexedDocument:
    known = {
        "document_id": "s:p", "source": "s", "path": "p", "title": "T", "url": None,
        "language": "en", "kind": "page", "placeholder": False, "version": None, "doi": None,
        "published": None, "licence": None, "chunks": 1,
    }  # fmt: skip
    return IndexedDocument(**{**known, **fields})


def test_records_of_one_repository_are_one_source_to_a_reader() -> None:
    rows = source_rows(
        [
            _document(kind="article", published="2026-05-01"),
            _document(source="zenodo-1", url="https://zenodo.org/records/1", published="2021"),
            _document(source="zenodo-2", url="https://zenodo.org/records/2", published="2022-04"),
            _document(source="notes", placeholder=True),
        ]
    )
    told = [(row.name, row.url, row.documents, row.empty, row.newest) for row in rows]
    assert told == [
        ("zenodo.org", "https://zenodo.org/", 2, 0, "2022-04"),
        ("notes", None, 0, 1, ""),
        ("", None, 1, 0, "2026-05-01"),
    ]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//elsewhere", "mailto:a@b", "", None, "http://["]
)  # fmt: skip
def test_only_addresses_of_the_web_become_links(url: str | None) -> None:
    assert web_address(url) is None


def test_a_mail_address_brings_no_text_of_its_own() -> None:
    assert mail_address("help@example.org") == "mailto:help@example.org"
    assert mail_address("help@example.org?body=x") is None


# ---- the page of a request


def _ticket(client: TestClient) -> str:
    response = client.post(
        "/v1/tickets",
        json={"question": "Who <b>signs</b>?", "email": "ada@example.org", "consent": True},
    )
    assert response.status_code == 201, response.text
    link: str = response.json()["link"]
    return link


def test_a_request_can_be_followed_by_its_private_link(store: Store, tmp_path: Path) -> None:
    with TestClient(app_over(store, data_dir=tmp_path)) as client:
        response = client.get(_ticket(client))
        assert response.status_code == 200
        page = read(response.text)
        assert "Who <b>signs</b>?" in page.get_text()
        assert "Received" in page.get_text()
        assert "ada@example.org" not in response.text
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-robots-tag"] == "noindex"
        assert client.get("/" + str(one(page, "link[rel=stylesheet]")["href"])[3:]).is_success


def test_a_link_that_leads_to_no_request_says_so_and_no_more(store: Store, tmp_path: Path) -> None:
    with TestClient(app_over(store, data_dir=tmp_path)) as client:
        link = _ticket(client)
        wrong = client.get(link + "x")
        assert wrong.status_code == 404
        assert "no request under this link" in wrong.text
        assert "signs" not in wrong.text
        assert client.get("/tickets/NMG-NOBODY?token=x").text == wrong.text


def test_while_the_desk_is_down_the_page_of_a_request_says_so(store: Store, tmp_path: Path) -> None:
    with TestClient(app_over(store, data_dir=tmp_path)) as client:
        link = _ticket(client)
        with closing(sqlite3.connect(tmp_path / DESK)) as other, other:
            other.execute("DROP TABLE tickets")
        failed = client.get(f"{link}&language=pt")
    assert failed.status_code == 503
    assert failed.headers["content-type"] == "text/html; charset=utf-8"
    assert failed.headers["referrer-policy"] == "strict-origin"
    assert failed.headers["cache-control"] == "no-store"
    page = read(failed.text)
    assert one(page, "html")["lang"] == "pt"
    assert shelf.CONTACT in one(page, "[role=alert]").get_text()
    assert one(page, "main > p > a[href^='../']")
    assert "token" not in failed.text


def test_a_form_larger_than_any_question_is_not_read(client: TestClient) -> None:
    response = client.post("/ask", content=b"&" * (MAX_FORM + 1), headers=_SENT)
    assert response.status_code == 413
