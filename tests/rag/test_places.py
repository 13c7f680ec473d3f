from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rag import gazetteer
from rag.countries import COUNTRIES
from rag.errors import BadSetting
from rag.gazetteer import load_places
from rag.language import LANGUAGES
from rag.places import country_of


def told(text: str, language: str = "en", subject: str = "") -> str | None:
    found = country_of(subject, text, language)
    return found.country if found else None


@pytest.mark.parametrize(
    ("text", "language", "country", "kind", "evidence"),
    [
        ("Who answers in Portugal?", "en", "PT", "name", "Portugal"),
        ("Mitä Suomessa tehdään?", "fi", "FI", "name", "Suomessa"),
        ("Who speaks for the Irish?", "en", "IE", "demonym", "Irish"),
        ("Czy polskie szpitale biorą udział?", "pl", "PL", "demonym", "polskie"),
        ("Ich arbeite in Tübingen.", "de", "DE", "city", "Tübingen"),
        ("Pracujem v Prahe.", "sk", "CZ", "city", "Prahe"),
        ("Εργάζομαι στη Θεσσαλονίκη.", "el", "GR", "city", "Θεσσαλονίκη"),
        ("Работя в Пловдив.", "bg", "BG", "city", "Пловдив"),
        ("Jeg er lege ved Haukeland.", "no", "NO", "institution", "Haukeland"),
        ("Write to ana@hospital-exemplo.pt", "en", "PT", "mail_domain", "ana@hospital-exemplo.pt"),
        ("Write to me: jo@lab.example.ac.uk", "en", "GB", "mail_domain", "jo@lab.example.ac.uk"),
        ("Ring me on +353 1 416 2000", "en", "IE", "phone", "+353 1 416 2000"),
        ("Ring me on 00353 1 416 2000", "en", "IE", "phone", "00353 1 416 2000"),
    ],
)
def test_the_country_comes_with_what_tells_it(
    text: str, language: str, country: str, kind: str, evidence: str
) -> None:
    found = country_of("A question", text, language)
    assert found is not None
    assert (found.country, found.kind) == (country, kind)
    assert found.evidence.strip() == evidence.strip()
    assert (found.field, text[found.start : found.end]) == ("text", evidence)


def test_evidence_of_the_subject_is_placed_in_the_subject() -> None:
    found = country_of("A question from Riga", "How does one apply?", "en")
    assert found is not None
    assert (found.country, found.field) == ("LV", "subject")
    assert "A question from Riga"[found.start : found.end] == "Riga"


@pytest.mark.parametrize(
    ("text", "language", "country"),
    [
        ("We in Hungary would like to know what Finland does.", "en", "HU"),
        ("What does Finland do? We are a hospital in Szeged.", "en", "HU"),
        ("What does Finland do?\n\nKind regards,\nA. Kovács\nSzeged", "en", "HU"),
        ("What does Finland do?\nA. Kovács, a.kovacs@korhaz.hu", "en", "HU"),
        ("I am a Portuguese doctor and work at Karolinska.", "en", "SE"),
        ("As they do in Finland, we in Portugal use hospital data.", "en", "PT"),
        ("Wir in Graz fragen uns, was Italien macht.", "de", "AT"),
        ("I wrote to helpdesk@ghga.de, but I am in Vilnius.", "en", "LT"),
    ],
)
def test_ones_own_country_comes_before_one_that_is_asked_about(
    text: str, language: str, country: str
) -> None:
    found = country_of("", text, language)
    assert found is not None
    assert (found.country, found.sender) == (country, True)


def test_a_country_that_is_only_asked_about_is_not_the_senders() -> None:
    found = country_of("", "Which Danish hospitals take part?", "en")
    assert found is not None
    assert (found.country, found.sender) == ("DK", False)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do Finland and Estonia exchange data?", "en"),
        ("We are in Oslo, Stockholm and Copenhagen.", "en"),
        ("The Swedish model is often mentioned.", "en"),
        ("Could it be done as in Finland?", "en"),
        ("Does the framework refer to the Declaration of Helsinki?", "en"),
        ("What does the Vienna Convention say?", "en"),
        ("Qu'est-ce que la Convention d'Oviedo ?", "fr"),
        ("What did the Court in Luxembourg decide?", "en"),
        ("The Commission in Brussels pays, does it not?", "en"),
        ("Brussels keeps changing its mind.", "en"),
        ("Please polish the text.", "en"),
        ("Nice to meet you.", "en"),
        ("Split the file by chromosome.", "en"),
        ("I had a Danish pastry.", "en"),
        ("My name is Paris Holt.", "en"),
        ("Regards, Sofia", "en"),
        ("Regards,\nSofia", "en"),
        ("Hello Florence, thank you.", "en"),
        ("I write for Jane French.", "en"),
        ("Mr Holland and Dr. French asked.", "en"),
        ("We attended your session at a meeting in Vienna.", "en"),
        ("Mariastella Rossi-Greco", "it"),
        ("Is it available in German?", "en"),
        ("We put it into Estonian and Latvian, unasked.", "en"),
        ("Could you turn it into Slovene some day?", "en"),
        ("After the Lyon congress we had an idea.", "en"),
        ("A Spanish partner has it in mg.", "en"),
        ("Nine countries spoke. Was Bulgaria among them?", "en"),
        ("Who visited nations that did it, Estonia and the like?", "en"),
        ("Which controls have a POLE mutation?", "en"),
        ("Nurses recruit in Roma settlements.", "en"),
        ("Koliko košta niz pretraga?", "hr"),
        ("Consulta com vidente", "pt"),
        ("Gibt es das auch auf Französisch?", "de"),
        ("Czy jest wersja po angielsku?", "pl"),
        ("I work in Zürich and ask about France.", "en"),
        ("I studied in Cambridge, Massachusetts.", "en"),
        ("Is Turkey going to join? And Georgia?", "en"),
        ("Write to someone@example.org or someone@example.com", "en"),
        ("We use genes, a pole and 5 poles.", "en"),
        ("It sits on chromosome 2 (c.35del), see NM_004004.6:c.35del", "en"),
        ("See https://example.de/finland and www.example.pt", "en"),
        ("Ring +1 212 555 0123", "en"),
        ("Factor V Leiden, sequenced by Oxford Nanopore", "en"),
        ("Was kostet das?", "de"),
        ("", "en"),
    ],
)
def test_what_names_no_country_of_ours_or_several_alike_tells_none(
    text: str, language: str
) -> None:
    assert told(text, language) is None


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("I work in Split.", "HR"),
        ("I live in Nice.", "FR"),
        ("We are a hospital in Cork.", "IE"),
        ("I am at Sofia University.", "BG"),
        ("The Hospital General (Valencia) asks.", "ES"),
        ("We are in Brussels and follow the rules of the EU.", "BE"),
        ("We belong to the Paris hospitals.", "FR"),
        ("Rijeka: half of the samples fail.", "HR"),
        ("Lund here.", "SE"),
        ("Gegevens uit de regio Assen", "NL"),
    ],
)
def test_a_town_with_an_everyday_name_is_found_where_a_place_is_spoken_of(
    text: str, country: str
) -> None:
    assert told(text) == country


def test_a_language_alone_tells_no_country() -> None:
    assert told("Kā atsaukt piekrišanu?", "lv") is None
    assert told("Πόσο διαρκεί η έγκριση;", "el") is None


def test_letters_taken_apart_are_read_alike() -> None:
    text = "Arbetar i Göteborg och Umeå"
    assert told(unicodedata.normalize("NFD", text), "sv") == told(text, "sv") == "SE"


@given(st.text(max_size=300), st.text(max_size=60), st.sampled_from(sorted(LANGUAGES)))
def test_anything_can_be_written_in_any_language(text: str, subject: str, language: str) -> None:
    found = country_of(subject, text, language)
    if found:
        field = unicodedata.normalize("NFC", subject if found.field == "subject" else text)
        assert found.country in COUNTRIES
        assert field[found.start : found.end] == found.evidence


def test_every_country_has_towns_institutions_and_a_domain() -> None:
    read = yaml.safe_load(gazetteer.FILE.read_text(encoding="utf-8"))
    for country in COUNTRIES:
        assert len(read["cities"][country]) >= 5, country
        assert len(read["institutions"][country]) >= 3, country
        assert country in load_places().domains.values()


def test_no_form_is_listed_for_two_countries() -> None:
    listed: dict[str, str] = {}
    for file in (gazetteer.FILE, gazetteer.TOWNS):
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
        for part in ("cities", "doubtful", "seats", "institutions"):
            for country, forms in read.get(part, {}).items():
                for form in forms:
                    assert listed.setdefault(form, country) == country, form


@pytest.mark.parametrize(
    "text",
    [
        None,
        "cities: [",
        "cities: {PT: [lisbon]}",
        "cities: {PT: [lisbon]}\ndoubtful: {US: [boston]}",
        "cities: {PT: [li*]}\ndoubtful: {}",
        "cities: {PT: [1]}\ndoubtful: {}",
        "cities: {PT: [lisbon]}\ndoubtful: {}\nvillages: {}",
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "towns.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(gazetteer, "TOWNS", file)
    load_places.cache_clear()
    try:
        with pytest.raises(BadSetting, match=r"towns\.yaml|places\.yaml") as error:
            country_of("", "Lisbon", "en")
        assert "\n" not in str(error.value)
    finally:
        load_places.cache_clear()
