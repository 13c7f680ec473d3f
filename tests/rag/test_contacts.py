from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import shelf

from rag.contacts import Contact, load_contacts
from rag.countries import COUNTRIES
from rag.errors import BadSetting
from rag.messages import Messages
from rag.models import Question
from rag.settings import Settings, read_settings
from rag.voice import Voice
from rag.wiring import check_corpus

ENTRY = {
    "country": "PT",
    "name": "Grupo-espelho",
    "address": "contact@nmg.pt",
    "source": "https://nmg.pt/contact",
    "checked": "2026-11-22",
}


def written(folder: Path, *entries: dict[str, str | None], name: str = "contacts.yaml") -> Path:
    lines = []
    for entry in entries:
        fields = [f"{key}: {'null' if value is None else value}" for key, value in entry.items()]
        lines.append("- " + "\n  ".join(fields) + "\n")
    file = folder / name
    file.write_text("".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def shipped(root: Path) -> dict[str, Contact]:
    return dict(load_contacts(root / "corpus"))


def test_every_country_has_an_entry_of_its_own(shipped: dict[str, Contact]) -> None:
    assert sorted(shipped) == sorted(COUNTRIES)


def test_every_shipped_entry_says_where_it_is_from_and_when_it_was_checked(
    shipped: dict[str, Contact],
) -> None:
    for contact in shipped.values():
        assert re.fullmatch(r"https://[\w.-]+/\S+", contact.source), contact
        assert date(2026, 1, 1) <= contact.checked, contact


def test_no_shipped_address_is_a_persons(shipped: dict[str, Contact]) -> None:
    roles = re.compile(r"(contact|desk|help|info|node|office|secretariat|support)")
    for contact in shipped.values():
        assert contact.address is None or roles.search(contact.address.split("@")[0]), contact


def test_an_operators_entry_takes_the_place_of_the_shipped_one_and_leaves_the_others(
    tmp_path: Path, root: Path, shipped: dict[str, Contact]
) -> None:
    own = written(tmp_path, ENTRY)
    contacts = load_contacts(root / "corpus", own)
    assert contacts["PT"] == Contact(
        "PT", "Grupo-espelho", "contact@nmg.pt", "https://nmg.pt/contact", date(2026, 11, 22)
    )
    assert {**contacts, "PT": shipped["PT"]} == shipped


@pytest.mark.parametrize("missing", ["source", "checked", "country", "name", "address"])
def test_an_entry_without_one_of_its_fields_is_refused(tmp_path: Path, missing: str) -> None:
    written(tmp_path, {key: value for key, value in ENTRY.items() if key != missing})
    with pytest.raises(BadSetting, match=missing) as told:
        load_contacts(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("country", "US"),
        ("country", "Portugal"),
        ("address", "ask at the ministry"),
        ("source", "''"),
        ("source", None),
        ("name", None),
        ("checked", "yesterday"),
        ("phone", "+351 21 750 0000"),
    ],
)
def test_an_entry_that_is_not_as_it_should_be_is_told_in_one_line(
    tmp_path: Path, field: str, value: str | None
) -> None:
    file = written(tmp_path, ENTRY | {field: value})
    with pytest.raises(BadSetting, match=re.escape(str(file))) as told:
        load_contacts(tmp_path)
    assert "\n" not in str(told.value)


def test_a_country_that_comes_twice_is_refused(tmp_path: Path) -> None:
    written(tmp_path, ENTRY, ENTRY)
    with pytest.raises(BadSetting, match="PT comes twice"):
        load_contacts(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, root: Path) -> None:
    with pytest.raises(BadSetting, match=r"own\.yaml"):
        load_contacts(root / "corpus", tmp_path / "own.yaml")


def test_who_asks_about_a_country_is_sent_to_its_address(tmp_path: Path, root: Path) -> None:
    written(tmp_path, ENTRY)
    messages = Messages.load(root / "corpus" / "messages")
    voice = Voice(messages, "de", "desk@example.org", load_contacts(tmp_path))
    step = voice.whom_to_ask(["PT"], None)
    assert step.email == "contact@nmg.pt"
    assert all(part in step.text for part in ("Portugal", "Grupo-espelho", "contact@nmg.pt"))
    assert "desk@example.org" not in step.text


def test_without_an_address_the_general_mailbox_is_named(tmp_path: Path, root: Path) -> None:
    written(tmp_path, ENTRY | {"address": None})
    messages = Messages.load(root / "corpus" / "messages")
    voice = Voice(messages, "en", "desk@example.org", load_contacts(tmp_path))
    for country in ("PT", "ES"):
        step = voice.whom_to_ask([country], None)
        assert step.email == "desk@example.org"
        assert "desk@example.org" in step.text


@pytest.mark.parametrize(
    ("country", "key"), [("PT", "article_country_address"), ("ES", "weak_contact")]
)
def test_who_is_not_surely_answered_is_sent_to_the_address_of_the_country_if_it_has_one(
    tmp_path: Path, root: Path, country: str, key: str
) -> None:
    written(tmp_path, ENTRY)
    messages = Messages.load(root / "corpus" / "messages")
    voice = Voice(messages, "en", "desk@example.org", load_contacts(tmp_path))
    for step in (
        voice.whom_to_ask([country], None, "weak_contact"),
        voice.whom_to_ask([], country, "weak_contact"),
    ):
        email = "contact@nmg.pt" if country == "PT" else "desk@example.org"
        assert step.email == email
        expected = messages.say(
            "en", key, email=email, country="Portugal", name=ENTRY["name"] or ""
        )
        assert step.text == expected


def test_the_settings_name_an_operators_file_and_a_broken_one_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = written(tmp_path, ENTRY | {"source": None}, name="own.yaml")
    monkeypatch.setenv("HELPDESK_ANSWER__CONTACTS_FILE", str(own))
    with pytest.raises(BadSetting, match=r"own\.yaml"):
        check_corpus(read_settings(Settings))


def test_a_corpus_without_contacts_has_none(tmp_path: Path) -> None:
    assert load_contacts(tmp_path) == {}


@pytest.mark.parametrize(
    ("held", "reason", "question"),
    [
        (shelf.Shelf(), "no_evidence", Question("Who may use the harbour crane?", country="PT")),
        (shelf.framework(), "not_written_yet", Question("How is it done in Portugal?")),
    ],
)
def test_who_is_not_answered_is_told_the_contact_point_of_the_country(
    tmp_path: Path, held: shelf.Shelf, reason: str, question: Question
) -> None:
    written(tmp_path, ENTRY)
    generation = shelf.written(tmp_path / "shelf", held).open()
    answerer = shelf.answerer_over(generation, contacts=load_contacts(tmp_path))
    answer = answerer.answer(question)
    assert (answer.status, answer.reason) == ("abstained", reason)
    assert answer.next_step is not None
    assert answer.next_step.email == "contact@nmg.pt"
    assert answer.next_step.url == (f"{shelf.SITE}/portugal" if answer.citations else None)
