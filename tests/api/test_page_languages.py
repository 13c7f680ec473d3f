from __future__ import annotations

from dataclasses import replace
from string import Formatter

import pytest
import shelf
from conftest import app_over
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pages import one, read

from api.page.page import Page
from api.page.texts import PageTexts, chosen_language, own_name
from rag.language import LANGUAGES
from rag.messages import FALLBACK, Messages
from rag.store import Store

FILES = shelf.ROOT / "corpus" / "messages" / "page"


def _in_many_languages(store: Store) -> TestClient:
    """The page with texts that are made up for every language."""
    english, chat = Messages.load(FILES).texts[FALLBACK], Messages.load(FILES.parent / "widget")
    texts = {code: {"ask": f"ask in {code}"} for code in LANGUAGES} | {FALLBACK: english}
    app = app_over(store)
    page = Page(Messages(texts), chat, Messages({FALLBACK: {}}), shelf.CONTACT)
    app.state.services = replace(app.state.services, page=page)
    return TestClient(app)


@pytest.mark.parametrize(
    ("path", "header", "language"),
    [
        ("/", "", "en"),
        ("/", "pt-PT,pt;q=0.9,en;q=0.8", "pt"),
        ("/?language=el", "pt", "el"),
        ("/?language=xx", "fi", "fi"),
        ("/", "zh, nb;q=0.5", "no"),
    ],
)
def test_the_page_speaks_the_language_of_its_reader(
    store: Store, path: str, header: str, language: str
) -> None:
    response = _in_many_languages(store).get(path, headers={"Accept-Language": header})
    page = read(response.text)
    assert one(page, "html")["lang"] == language
    assert one(page, "helpdesk-chat")["language"] == language
    if language != FALLBACK:
        assert one(page, "button.primary").get_text() == f"ask in {language}"
    assert "Accept-Language" in response.headers["vary"]


def test_every_language_can_be_chosen_by_its_own_name(store: Store) -> None:
    page = read(_in_many_languages(store).get("/?language=el").text)
    links = page.select(".languages a")
    assert {each["lang"] for each in links} == set(LANGUAGES)
    assert {each.get_text() for each in links} >= {"Português", "Ελληνικά", "Български"}
    assert [each["lang"] for each in links if each.get("aria-current")] == ["el"]
    assert all(each["href"] == f"./?language={each['lang']}" for each in links)


def test_dates_and_countries_are_told_in_the_language_of_the_page(store: Store) -> None:
    text = _in_many_languages(store).get("/?language=de").text
    assert "1. Januar 2026" in text
    assert "Tschechien" in text


@pytest.mark.parametrize(
    ("named", "accept", "chosen"),
    [
        ("de", "fr", "de"),
        (None, "fr;q=0.3, de;q=0.9", "de"),
        (None, "de;q=0, fr", "fr"),
        (None, "nn-NO", "no"),
        (None, "*", "en"),
        (None, "de;q=high, ,;;, fr", "fr"),
        ("DE", "", "de"),
        ("../de", "", "en"),
    ],
)
def test_a_language_is_chosen(named: str | None, accept: str, chosen: str) -> None:
    assert chosen_language(named, accept, LANGUAGES) == chosen


@given(st.none() | st.text(), st.text())
def test_whatever_a_browser_sends_the_page_has_a_language(named: str | None, accept: str) -> None:
    assert chosen_language(named, accept, LANGUAGES) in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_text_with_its_placeholders(language: str) -> None:
    texts = Messages.load(FILES).texts
    assert set(texts) == set(LANGUAGES)
    fields = {key: _fields(text) for key, text in texts[FALLBACK].items()}
    assert {key: _fields(text) for key, text in texts[language].items()} == fields
    assert all(text.strip() == text and text for text in texts[language].values())


def _fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_name_dates_and_numbers(language: str) -> None:
    messages = Messages.load(FILES)
    texts = PageTexts(language, messages, messages)
    assert own_name(language)[0].isupper()
    assert "2026" in texts.date("2026-03-13")
    assert texts.date("2026-03") == "2026-03"
    assert texts.number(7) == "7"
