"""Contributing a resource of a country: each step, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import shelf
from bs4 import BeautifulSoup
from conftest import app_over
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pages import one, read

from api.app import Access
from api.desk.desk import Desk
from api.desk.models import Actor, Limits
from api.page.contribution import CATEGORIES, Contribution, is_web, letter_of
from api.requests import MAX_QUESTION
from ingest.models import Loaded
from rag.messages import FALLBACK, Messages
from rag.store import Store

MESSAGES = Messages.load(shelf.ROOT / "corpus" / "messages" / "contribute")
FIELDS: dict[str, Any] = {
    "country": "PT",
    "title": "A guide to consent forms",
    "link": "https://doi.org/10.5281/zenodo.123",
    "category": ["elsi", "training"],
    "description": "For hospitals.\r\nWith templates.",
    "licence": "CC BY 4.0",
    "spoken": "pt",
    "lead": "other",
    "lead_email": "lead@mirror.example",
}
SENDER = {"name": "Ada", "email": "ada@clinic.example", "consent": "yes"}
BY = Actor("operator", "admin")


@pytest.fixture(scope="module")
def http(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(app_over(store, data_dir=tmp_path_factory.mktemp("data"))) as opened:
        yield opened


def post(http: TestClient, step: str, status: int = 200, **fields: Any) -> BeautifulSoup:
    response = http.post("/contribute", data={**FIELDS, "step": step, **fields})
    assert response.status_code == status, response.text
    assert response.headers["cache-control"] == "no-store"
    return read(response.text)


def desk_of(http: TestClient) -> Desk:
    found: Desk = http.app.state.services.desk  # type: ignore[attr-defined]
    return found


def opened(http: TestClient) -> int:
    """How many requests there are."""
    return len(desk_of(http).queue.page(BY, Limits(), 100, None))


def test_the_public_page_leads_to_the_form(http: TestClient) -> None:
    link = one(read(http.get("/").text), "footer a[href*=contribute]")
    page = read(http.get(f"/{str(link['href']).removeprefix('./')}").text)
    form = one(page, "form.contribution")
    assert (form["method"], form["action"]) == ("post", "./contribute")


def test_every_field_has_a_label_and_nothing_is_loaded_from_elsewhere(http: TestClient) -> None:
    for page in (
        read(http.get("/contribute").text),
        post(http, "check"),
        post(http, "x", 422, country=""),
    ):
        for field in page.select("input:not([type=hidden]), select, textarea"):
            one(page, f"label[for={field['id']}]")
        ids = [each["id"] for each in page.select("[id]")]
        assert len(set(ids)) == len(ids)
        described = {
            name
            for each in page.select("[aria-describedby]")
            for name in each["aria-describedby"].split()
        }
        assert described <= set(ids)
        assert not page.select("style, script, [style]")


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("country", ""),
        ("country", "Atlantis"),
        ("title", " "),
        ("title", "x" * 201),
        ("link", ""),
        ("link", "http://guide.example.org/"),
        ("link", "guide"),
        ("link", "https://localhost/x"),
        ("link", "https://10.0.0.1/x"),
        ("link", "https://me:secret@guide.example.org/"),
        ("link", "https://guide.example.org/a b"),
        ("link", "javascript:alert(1)"),
        ("link", f"10.1234/{'é' * 200}"),
        ("category", []),
        ("category", ["unheard-of"]),
        ("description", "x" * 1001),
        ("spoken", "xx"),
        ("lead", ""),
        ("lead_email", "lead"),
        ("lead_email", "lead@mirror.example\nBcc: all@example.org"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nothing_typed_is_lost(
    http: TestClient, field: str, typed: Any
) -> None:
    before = opened(http)
    page = post(http, "check", 422, **{field: typed})
    name = "categories" if field == "category" else field
    assert one(page, f"#{name}-fault").get_text(strip=True)
    assert one(page, f"[role=alert] a[href='#{name}']")
    wrong = [str(each.get("id")) for each in page.select("[aria-invalid]")]
    assert wrong == [name]
    shown = {each["name"]: each.get("value") for each in page.select("input[name]")}
    kept = {"title", "link", "licence", "lead_email"} - {field}
    assert {each: shown[each] for each in kept} == {each: FIELDS[each] for each in kept}
    if field != "description":
        assert one(page, "#description").get_text().strip() == "For hospitals.\nWith templates."
    if field != "category":
        checked = [each["value"] for each in page.select("[name=category][checked]")]
        assert checked == FIELDS["category"]
    assert opened(http) == before


def test_the_mail_holds_all_that_the_page_asks_for(http: TestClient) -> None:
    link = one(post(http, "check"), "a.enter[href^=mailto]")["href"]
    address, query = str(link).removeprefix("mailto:").split("?")
    told = {name: values[0] for name, values in parse_qs(query).items()}
    assert address == shelf.CONTACT
    assert told["cc"] == "lead@mirror.example"
    assert "Portugal" in told["subject"]
    assert "A guide to consent forms" in told["subject"]
    lines = told["body"].split("\r\n")
    assert "Country: Portugal" in lines
    assert "Permanent link: https://doi.org/10.5281/zenodo.123 (DOI)" in lines
    assert "Categories: ELSI documents; Training materials" in lines
    assert "Language of the resource: Portuguese" in lines
    assert "Licence: CC BY 4.0" in lines
    assert any("lead@mirror.example" in line for line in lines)


def test_the_text_to_copy_is_that_of_the_mail(http: TestClient) -> None:
    page = post(http, "check")
    query = parse_qs(urlsplit(str(one(page, "a.enter[href^=mailto]")["href"])).query)
    copied = one(page, "#copied").get_text()
    assert (
        copied.strip()
        == f"{query['subject'][0]}\n\n{query['body'][0]}".replace("\r\n", "\n").strip()
    )


def test_whoever_leads_the_group_puts_nobody_in_copy(http: TestClient) -> None:
    page = post(http, "check", lead="self", lead_email="")
    assert "cc=" not in str(one(page, "a.enter[href^=mailto]")["href"])
    assert "the sender" in one(page, "#copied").get_text()


def test_a_lead_whom_nobody_knows_is_to_be_asked(http: TestClient) -> None:
    page = post(http, "check", lead="unknown", lead_email="left@mirror.example")
    assert "left@mirror.example" not in page.get_text()
    assert "still to be asked" in one(page, "#copied").get_text()
    assert page.select("section .box.warm")


def test_a_request_is_a_ticket_about_contributing_with_a_private_link(http: TestClient) -> None:
    page = post(http, "send", **SENDER)
    link = one(page, ".private a")
    assert link["href"] == link.get_text()
    followed = http.get(str(link["href"]))
    assert followed.status_code == 200
    assert "A guide to consent forms" in followed.text
    desk = desk_of(http)
    ticket_id = urlsplit(str(link["href"])).path.rpartition("/")[2]
    ticket = desk.tickets.read(BY, ticket_id).ticket
    assert (ticket.intent, ticket.country, ticket.email) == ("contribute", "PT", SENDER["email"])
    assert ticket.title.startswith("National resource for the Framework (Portugal)")
    assert "Permanent link: https://doi.org/10.5281/zenodo.123 (DOI)" in ticket.question
    assert "Sent by: Ada" in ticket.question


@pytest.mark.parametrize("field", ["email", "consent"])
def test_a_request_needs_an_address_and_consent(http: TestClient, field: str) -> None:
    sender = {name: value for name, value in SENDER.items() if name != field}
    before = opened(http)
    page = post(http, "send", 422, **sender)
    assert one(page, f"#{field}-fault").get_text(strip=True)
    assert one(page, "#name")["value"] == "Ada"
    assert opened(http) == before


def test_nothing_is_lost_on_the_way_back_to_the_form_and_forth(http: TestClient) -> None:
    page = post(http, "change", **SENDER)
    fields = {each["name"]: each.get("value", "") for each in page.select("input[type=hidden]")}
    assert {name: fields[name] for name in SENDER} == SENDER
    assert one(page, "#country option[selected]")["value"] == "PT"
    assert one(page, "[name=lead][checked]")["value"] == "other"
    button = one(post(http, "check"), "button[value=change]")
    assert button["form"] == "send"


def test_who_asks_too_often_is_told_when_to_come_back_and_keeps_the_text(
    store: Store, tmp_path: Path
) -> None:
    with TestClient(app_over(store, Access(tickets_per_hour=1), tmp_path / "data")) as http:
        post(http, "send", **SENDER)
        post(http, "check")  # a mail is made however often
        response = http.post("/contribute", data={**FIELDS, **SENDER, "step": "send"})
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    assert one(read(response.text), "#email")["value"] == SENDER["email"]


@pytest.mark.parametrize(
    ("typed", "address", "lasting"),
    [
        ("10.5281/zenodo.123", "https://doi.org/10.5281/zenodo.123", "doi"),
        ("doi: 10.5281/zenodo.123", "https://doi.org/10.5281/zenodo.123", "doi"),
        ("https://DOI.org/10.5281/zenodo.123", "https://DOI.org/10.5281/zenodo.123", "doi"),
        ("hdl:21.11101/0000", "https://hdl.handle.net/21.11101/0000", "handle"),
        ("urn:nbn:de:101:1-2", "https://nbn-resolving.org/urn:nbn:de:101:1-2", "urn"),
        ("https://zenodo.org/records/123", "https://zenodo.org/records/123", "repository"),
        ("https://w3id.org/x", "https://w3id.org/x", "purl"),
        ("https://notdoi.org/10.1/x", "https://notdoi.org/10.1/x", None),
        ("https://guide.example.org/", "https://guide.example.org/", None),
    ],
)
def test_a_link_that_lasts_is_known(typed: str, address: str, lasting: str | None) -> None:
    given = Contribution(link=typed)
    assert given.address == address
    assert given.lasting == lasting
    assert (given.hint is None) == (lasting is not None)


@pytest.mark.parametrize(
    ("link", "hint"),
    [
        ("https://guide.example.org/", "repository"),
        ("https://clinic.sharepoint.com/:w:/g/x", "account"),
        ("https://docs.google.com/document/d/1", "account"),
    ],
)
def test_a_link_that_may_not_last_is_taken_with_a_hint(
    http: TestClient, link: str, hint: str
) -> None:
    assert hint in one(post(http, "check", link=link), "main > .box.warm").get_text()


def test_the_categories_are_those_of_the_page(framework_read: list[Loaded]) -> None:
    (page,) = (
        each
        for loaded in framework_read
        for each in loaded.documents
        if each.path == "pages/national-implementation.md"
    )
    under = {
        section.heading[-1]
        for section in page.sections
        if len(section.heading) > 1 and section.heading[-2] == "Implementations by category"
    }
    assert {MESSAGES.say(FALLBACK, f"category_{each}") for each in CATEGORIES} == under


text = st.text(max_size=60)


@given(
    st.builds(
        Contribution, text, text, st.just(("elsi",)), text, text, text, text, text, text, text, text
    )
)
def test_no_text_breaks_the_form_or_adds_to_the_mail(given: Contribution) -> None:
    if given.faults():
        return
    letter = letter_of(given, MESSAGES, "desk@aurora.example")
    mail = EmailMessage()
    mail["Subject"] = letter.subject  # refuses the end of a line
    assert set(parse_qs(urlsplit(letter.mailto).query)) <= {"cc", "subject", "body"}
    assert is_web(given.address)


def test_the_longest_contribution_is_a_question_that_fits(http: TestClient) -> None:
    longest = Contribution(
        country="GB",
        link="https://guide.example.org/" + "x" * 474,
        categories=CATEGORIES,
        title="t" * 200,
        description="d" * 1000,
        licence="l" * 100,
        spoken="pt",
        lead="other",
        lead_email="a" * 60 + "@" + "b" * 60 + ".example",
        name="n" * 200,
    )
    assert longest.faults() == {}
    letter = letter_of(longest, MESSAGES, shelf.CONTACT)
    assert len(letter.subject) + len(letter.body) + 2 <= MAX_QUESTION


@pytest.mark.parametrize("language", sorted(MESSAGES.languages() - {FALLBACK}))
def test_every_language_says_all_that_the_reader_meets(language: str) -> None:
    english, texts = MESSAGES.texts[FALLBACK], MESSAGES.texts[language]
    # The letter is English, and so are its words for what lasts.
    met = {key for key in english if not key.startswith(("letter_", "lasting_"))}
    assert texts.keys() == met
    holes = re.compile(r"{[^{}]*}")
    assert {key for key in met if holes.findall(texts[key]) != holes.findall(english[key])} == set()


def test_a_language_without_texts_is_answered_in_english_as_a_whole(http: TestClient) -> None:
    page = read(http.get("/contribute?language=ga").text)
    assert one(page, "html")["lang"] == "en"
    assert "For developers" in one(page, "footer").get_text()
    german = read(http.get("/contribute", headers={"Accept-Language": "de"}).text)
    assert one(german, "html")["lang"] == "de"
    assert one(german, "h1").get_text() == "Eine Ressource Ihres Landes beitragen"
