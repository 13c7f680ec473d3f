"""What staff are told of a message."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import shelf
from fakes import FixedSorter, HashingEmbedder
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from overheard import Overheard
from parts import services
from planted import messages
from problems import problem_of

from api.app import Access, Services, build_app
from api.desk.database import DESK
from api.live import LiveIndex
from rag.answerer import Answerer
from rag.contacts import Contact
from rag.embedder import Embedder
from rag.store import Store
from rag.triage.sorter import Sorter
from rag.triage.triager import Triager
from rag.usage import USAGE

TOKEN = "a-token-of-staff"  # noqa: S105 - of these tests
STAFF = {"Authorization": f"Bearer {TOKEN}"}
SHARE = "How can I share my data?"
MESSAGE = {"subject": "Our data", "text": f"Hello, we are in Finland. {SHARE}"}
TICKET = {"question": SHARE, "email": "ada@clinic.example", "consent": True}
DESKS = {
    "FI": Contact("FI", "Desk of Finland", "desk@fi.example", "https://fi.example", date.min),
    "AT": Contact("AT", "Desk of Austria", None, "https://at.example", date.min),
    "EE": Contact("EE", None, None, "https://ee.example", date.min),
}


def _parts(
    store: Store, data_dir: Path, sorter: FixedSorter, embedder: Embedder | None = None
) -> Services:
    def build() -> Answerer:
        return shelf.answerer_over(store.open(), embedder)

    found = services(LiveIndex(store, build), data_dir, embedder or HashingEmbedder())
    return replace(found, triager=Triager(lambda: sorter, DESKS, shelf.CONTACT))  # type: ignore


def _client(parts: Services) -> TestClient:
    return TestClient(build_app(parts, Access(staff_token=TOKEN)), raise_server_exceptions=False)


def _told(client: TestClient, **asked: str) -> Any:
    response = client.post("/v1/triage", json={**MESSAGE, **asked}, headers=STAFF)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def desk(store: Store, data_dir: Path) -> Iterator[TestClient]:
    with _client(_parts(store, data_dir, FixedSorter())) as opened:
        yield opened


@pytest.fixture(scope="module")
def steady(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """For tests that leave nothing behind."""
    with _client(_parts(store, tmp_path_factory.mktemp("steady"), FixedSorter())) as opened:
        yield opened


def test_a_message_comes_back_sorted_with_reasons_and_a_cited_draft(steady: TestClient) -> None:
    told = _told(steady)
    draft, reasons = told.pop("draft"), told.pop("reasons")
    assert told == {
        "intent": "share_data",
        "intents": [
            {"intent": "share_data", "probability": 0.8},
            {"intent": "elsi", "probability": 0.2},
        ],
        "country": "FI",
        "language": "en",
        "priority": "normal",
        "answerable": True,
        "contains_personal_data": False,
        "personal_data": [],
        "route": "national_contact_point",
        "contact": {
            "country": "FI", "name": "Desk of Finland", "address": "desk@fi.example",
            "source": "https://fi.example",
        },
        "write_to": "desk@fi.example",
        "similar": [],
    }  # fmt: skip
    assert draft["status"] == "answered"
    assert draft["citations"][0]["quote"]
    decided = ("intent", "country", "language", "priority", "answerable", "personal_data", "route")
    assert tuple(each["of"] for each in reasons) == decided
    assert all(each["text"] for each in reasons)
    assert {each["of"]: each["quote"] for each in reasons}["country"] == "Finland"


@pytest.mark.parametrize(
    ("country", "name"), [("Austria", "Desk of Austria"), ("Estonia", None), ("Malta", None)]
)
def test_where_no_address_is_known_the_helpdesks_own_passes_it_on(
    steady: TestClient, country: str, name: str | None
) -> None:
    told = _told(steady, text=f"We are in {country}. {SHARE}")
    assert told["route"] == "national_contact_point"
    assert told["write_to"] == shelf.CONTACT
    assert (told["contact"] or {"name": None})["name"] == name


def test_spam_is_passed_on_to_nobody(store: Store, data_dir: Path) -> None:
    told = _told(_client(_parts(store, data_dir, FixedSorter(intent="spam"))))
    assert (told["route"], told["write_to"], told["contact"]) == ("spam", None, None)
    assert told["answerable"] is False


@pytest.mark.parametrize("subject", [None, "", "  "])
def test_a_text_is_enough(steady: TestClient, subject: str | None) -> None:
    with_none = steady.post("/v1/triage", json={"text": SHARE}, headers=STAFF).json()
    asked = {"text": SHARE, "subject": subject}
    told = steady.post("/v1/triage", json=asked, headers=STAFF).json()
    assert told["reasons"] == with_none["reasons"]


def test_what_is_told_is_not_to_be_stored_on_the_way(steady: TestClient) -> None:
    response = steady.post("/v1/triage", json=MESSAGE, headers=STAFF)
    assert response.headers["cache-control"] == "no-store"


def test_nobody_but_staff_is_told_anything(
    steady: TestClient, store: Store, data_dir: Path
) -> None:
    for headers in ({}, {"Authorization": "Bearer another-token"}):
        problem_of(steady.post("/v1/triage", json=MESSAGE, headers=headers), 401)
        problem_of(steady.post("/v1/triage", json={"text": 7}, headers=headers), 401)
    none = TestClient(build_app(_parts(store, data_dir, FixedSorter())))
    problem_of(none.post("/v1/triage", json=MESSAGE, headers=STAFF), 403)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "text"),
        ({"text": None}, "text"),
        ({"text": " \n"}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"text": "x" * 20_001}, "text"),
        ({"text": SHARE, "subject": "x" * 501}, "subject"),
        ({"text": SHARE, "subject": "a\0b"}, "subject"),
        ({"text": SHARE, "subject": ["a"]}, "subject"),
    ],
)
def test_a_message_that_cannot_be_read_is_told_by_field(
    steady: TestClient, asked: dict[str, Any], field: str
) -> None:
    body = problem_of(steady.post("/v1/triage", json=asked, headers=STAFF), 422)
    assert [each["field"] for each in body["errors"]] == [field]


@settings(max_examples=25)
@given(subject=st.text(max_size=60), text=st.text(min_size=1, max_size=300))
def test_whatever_is_written_is_sorted_or_told_to_be_unreadable(
    steady: TestClient, subject: str, text: str
) -> None:
    response = steady.post("/v1/triage", json={"subject": subject, "text": text}, headers=STAFF)
    assert response.status_code in (200, 422)


def test_the_longest_message_is_sorted(steady: TestClient) -> None:
    for text in (f"{SHARE} " * 800, "x" * 20_000, "ж " * 10_000, "1 " * 10_000):
        assert _told(steady, subject="x" * 500, text=text[:20_000])["intent"] == "share_data"


def test_without_an_index_it_is_told_as_for_answers(tmp_path: Path) -> None:
    client = _client(_parts(Store(tmp_path / "empty"), tmp_path, FixedSorter()))
    told = problem_of(client.post("/v1/triage", json=MESSAGE, headers=STAFF), 503)
    same = problem_of(client.post("/v1/answers", json={"question": SHARE}), 503)
    assert told == {**same, "request_id": told["request_id"]}


def test_that_nothing_was_learned_is_told_in_a_line_with_its_cure(
    store: Store, data_dir: Path
) -> None:
    parts = _parts(store, data_dir, FixedSorter())
    missing = Triager(lambda: Sorter.load(data_dir / "model.npz"), DESKS, shelf.CONTACT)
    client = _client(replace(parts, triager=missing))
    for _ in range(2):
        body = problem_of(client.post("/v1/triage", json=MESSAGE, headers=STAFF), 503)
        assert "eval.learning.triage" in body["detail"]
        assert "\n" not in body["detail"]
    assert client.post("/v1/answers", json={"question": SHARE}).is_success


def _rows(data_dir: Path, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(data_dir / DESK)) as read:
        return read.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608


def test_a_draft_is_neither_counted_nor_remembered(desk: TestClient, data_dir: Path) -> None:
    draft = _told(desk)["draft"]
    assert _rows(data_dir, "answers") == []
    assert not (data_dir / USAGE).exists()
    feedback = {"answer_id": draft["id"], "helpful": True}
    problem_of(desk.post("/v1/feedback", json=feedback), 404)


def test_earlier_tickets_that_ask_the_same_are_named(desk: TestClient) -> None:
    opened = desk.post("/v1/tickets", json=TICKET).json()["ticket"]
    desk.post("/v1/tickets", json={**TICKET, "question": "Who pays for lunch in Tartu?"})
    [similar] = _told(desk, subject="", text=SHARE)["similar"]
    assert similar == {
        "id": opened["id"], "state": "new", "created_at": opened["created_at"], "similarity": 1.0,
    }  # fmt: skip


def test_where_the_desk_fails_a_message_is_sorted_all_the_same(
    desk: TestClient, data_dir: Path
) -> None:
    assert _told(desk)["similar"] == []
    with closing(sqlite3.connect(data_dir / DESK)) as write, write:
        write.execute("DROP TABLE ticket_vectors")
    told = _told(desk)
    assert (told["intent"], told["similar"]) == ("share_data", None)


def test_personal_data_are_in_nothing_that_is_told_or_passed_on(
    store: Store, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sorter, embedder = FixedSorter(), Overheard()
    planted: list[str] = []
    with _client(_parts(store, data_dir, sorter, embedder)) as client:
        for message in messages()[::3]:
            planted += message.planted
            subject, _, rest = message.text.partition(". ")
            asked = ({"text": message.text}, {"subject": subject, "text": rest or message.text})
            for each in asked:
                told = client.post("/v1/triage", json=each, headers=STAFF)
                assert told.json()["contains_personal_data"] is True
                assert [word for word in message.planted if word in told.text] == []
    kept = [each.read_bytes().decode(errors="replace") for each in data_dir.iterdir()]
    everything = "\n".join((*sorter.shown, *embedder.texts, caplog.text, *kept))
    assert [word for word in planted if word in everything] == []
    # They have been where they could have been found.
    assert "[name]" in "".join(sorter.shown)
    assert len(sorter.shown) > 90
    # What is alike when it is masked is embedded once.
    assert len(embedder.texts) > 20


def test_a_town_that_is_somebodys_name_is_not_quoted(steady: TestClient) -> None:
    told = _told(steady, text=f"{SHARE}\n\nKind regards,\nDr. Matilda Paris\nLyon")
    assert told["contains_personal_data"] is True
    assert "Paris" not in str(told)
