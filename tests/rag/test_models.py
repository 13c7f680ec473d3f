from __future__ import annotations

from dataclasses import replace

import pytest
import shelf
from hypothesis import given
from hypothesis import strategies as st

from rag.models import Article, Ask


def asked(*asks: tuple[str, str]) -> Article:
    return replace(shelf.SHARE, asks=tuple(Ask(text, language) for text, language in asks))


def test_a_way_of_asking_that_is_written_out_is_named_before_a_hurried_one() -> None:
    article = asked(("share data how", "en"), ("How can I share my data?", "en"))
    assert article.asked_in("en") == "How can I share my data?"


@pytest.mark.parametrize(
    ("typed", "language", "shown"),
    [
        ("what must a form contain", "en", "What must a form contain?"),
        ("comment partager", "fr", "Comment partager ?"),
        ("πού γίνεται αυτό", "el", "Πού γίνεται αυτό;"),
        ("¿quién firma?", "es", "¿Quién firma?"),
        ("htsGET over https", "en", "htsGET over https?"),
        ("Tell me about seals.", "en", "Tell me about seals."),
    ],
)
def test_a_hurried_way_of_asking_is_shown_as_a_question(
    typed: str, language: str, shown: str
) -> None:
    assert asked((typed, language)).asked_in(language) == shown


def test_a_language_that_nobody_asked_in_gets_the_first() -> None:
    article = asked(("Quando leio a régua?", "pt"), ("When do I read it?", "en"))
    assert article.asked_in("fi") == "Quando leio a régua?"


def test_nobody_asks_what_has_no_ways_of_asking() -> None:
    assert asked().asked_in("en") is None


@given(st.text(min_size=1), st.sampled_from(["en", "el", "fr"]))
def test_nothing_but_a_capital_and_a_mark_is_changed(typed: str, language: str) -> None:
    shown = asked((typed, language)).asked_in(language)
    assert shown is not None
    assert shown.casefold().startswith(typed.strip().casefold())
