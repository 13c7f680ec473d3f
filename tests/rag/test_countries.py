from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.countries import COUNTRIES, countries_in, country_code, country_name
from rag.language import LANGUAGES


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Who answers in Portugal?", "PT"),
        ("Wer antwortet in Österreich?", "AT"),
        ("Qui répond en Allemagne ?", "DE"),
        ("Kto odpowiada, Hiszpania?", "ES"),
        ("Ποιος απαντά στην Ελλάδα;", "GR"),
        ("Кой отговаря: България?", "BG"),
        ("Kuka vastaa, Suomi?", "FI"),
        ("Kes vastab, Eesti?", "EE"),
        ("Wat doet Nederland?", "NL"),
        ("Chi risponde nel Regno Unito?", "GB"),
        ("Who answers in the United Kingdom?", "GB"),
        ("Who answers in the UK?", "GB"),
        ("Who answers in the Czech Republic?", "CZ"),
        ("Which form do Danish holders use?", "DK"),
        ("the Norwegian node", "NO"),
        ("for Spaniards only", "ES"),
        ("FRANCE, then", "FR"),
        ("(Malta)", "MT"),
        ("non-Irish holders", "IE"),
    ],
)
def test_a_country_is_found_by_name_and_demonym(text: str, found: str) -> None:
    assert countries_in(text) == (found,)


@pytest.mark.parametrize("name", ["Polónia", "Roménia", "Eslovénia", "Estónia", "Letónia"])
def test_the_portuguese_of_portugal_names_countries_too(name: str) -> None:
    assert len(countries_in(f"Quem responde na {name}?")) == 1


@pytest.mark.parametrize("text", ["Who answers in Great Britain?", "a lab in Northern Ireland"])
def test_the_parts_of_the_united_kingdom_are_the_united_kingdom(text: str) -> None:
    assert countries_in(text) == ("GB",)


@pytest.mark.parametrize(
    "text",
    [
        "Francesca asks for maltodextrin",
        "an italianate font with Romanians_only",
        "the ukulele of the germanium lab",
        "Who answers in Niger?",
        "in Nigeria and Belarus",
        "",
    ],
)
def test_no_country_is_found_inside_another_word(text: str) -> None:
    assert countries_in(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Var finns information om genomik?",  # Swedish: is there
        "Kaj je danes novega?",  # Slovenian: today
    ],
)
def test_an_everyday_word_of_another_language_is_no_country(text: str) -> None:
    assert countries_in(text) == ()


def test_countries_come_in_order_and_once() -> None:
    assert countries_in("Spain, France, Spanish forms, Spain") == ("ES", "FR")


@pytest.mark.parametrize(
    ("code", "known"),
    [("PT", "PT"), ("pt", "PT"), ("UK", "GB"), ("uk", "GB"), ("EL", "GR"), ("GB", "GB")],
)
def test_codes_are_brought_into_iso_form(code: str, known: str) -> None:
    assert country_code(code) == known


@pytest.mark.parametrize("code", ["", "XX", "US", "PRT", "Portugal", "P", "ß", "PT "])
def test_a_code_that_is_none_of_ours_is_no_country(code: str) -> None:
    assert country_code(code) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_country_is_found_by_the_name_it_is_given_in_every_language(language: str) -> None:
    for country in COUNTRIES:
        assert countries_in(country_name(country, language)) == (country,)


def test_a_country_has_its_english_name_in_a_language_nobody_knows() -> None:
    assert country_name("PT", "xx") == "Portugal"


@given(st.text(max_size=60))
def test_whatever_is_typed_names_only_our_countries_each_once(text: str) -> None:
    found = countries_in(text)
    assert set(found) <= set(COUNTRIES)
    assert len(set(found)) == len(found)
