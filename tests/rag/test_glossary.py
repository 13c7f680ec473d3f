from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BadSetting
from rag.glossary import Glossary, load_neutral
from rag.language import LANGUAGES, detect_language
from rag.lexical import words

ENGLISH = """
acronyms:
  KRV: Kelp Record Vault
terms:
  - term: artificial kelp
    also: [made-up seaweed, plastic leaves, dummy]
  - term: harbour fee
    also: [what it costs to land, toll]
"""
FOREIGN = {
    "de": "artificial kelp: [künstliche alg, algenattrapp]\nharbour fee: [hafengebühr, kai]\n",
    "fi": "harbour fee: [satamamaksu]\n",
    "fr": "artificial kelp: [algue factice]\nharbour fee: [redevance]\n",
    "pl": "harbour fee: [opłat]\n",
    "no": "artificial kelp: [grøntare]\n",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "glossary").mkdir()
    (folder / "glossary.yaml").write_text(ENGLISH, encoding="utf-8")
    for language, text in FOREIGN.items():
        (folder / "glossary" / f"{language}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def glossary(corpus: Path) -> Glossary:
    return Glossary.load(corpus)


@pytest.fixture(scope="module")
def shipped(root: Path) -> Glossary:
    return Glossary.load(root / "corpus")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Do you have made-up seaweed?", ("artificial kelp",)),
        ("MADE UP SEAWEEDS", ("artificial kelp",)),
        ("Is there a dummy, and what is the toll?", ("artificial kelp", "harbour fee")),
        ("What does landing cost?", ()),
        ("Say what it costs to land", ("harbour fee",)),
        ("seaweed that somebody made up", ()),
        ("Who decides?", ()),
    ],
)
def test_what_is_called_otherwise_in_english_brings_the_term_of_the_documents(
    glossary: Glossary, text: str, terms: tuple[str, ...]
) -> None:
    assert glossary.terms_in(text, "en") == terms


def test_a_name_of_one_english_word_is_looked_for_in_english_only(glossary: Glossary) -> None:
    assert glossary.terms_in("dummy", "en") == ("artificial kelp",)
    assert glossary.terms_in("dummy", "nl") == ()


def test_a_name_of_several_english_words_is_found_in_any_language(glossary: Glossary) -> None:
    assert glossary.terms_in("Was sind plastic leaves?", "de") == ("artificial kelp",)


@pytest.mark.parametrize(
    ("text", "language", "term"),
    [
        ("Gibt es künstliche Algen?", "de", "artificial kelp"),
        ("gibt es KUNSTLICHE algen", "de", "artificial kelp"),
        ("Wo ist der Kai?", "de", "harbour fee"),
        ("Wie hoch ist die Jahreshafengebühr?", "de", "harbour fee"),
        ("Paljonko on vuosisatamamaksu?", "fi", "harbour fee"),
        ("Y a-t-il des algues factices ?", "fr", "artificial kelp"),
        ("Est-ce factice, cette algue ?", "fr", None),
        ("Une algue factice, c'est quoi ?", "fr", "artificial kelp"),
        ("L'algue factice", "fr", "artificial kelp"),
        ("Ile wynoszą opłaty?", "pl", "harbour fee"),
        ("Ile wynosza oplaty?", "pl", "harbour fee"),
        ("Hvor er grontaren?", "no", "artificial kelp"),
        ("Hvor er GRØNTAREN?", "no", "artificial kelp"),
    ],
)
def test_words_of_other_languages_are_found_by_how_they_begin_and_without_their_accents(
    glossary: Glossary, text: str, language: str, term: str | None
) -> None:
    assert glossary.terms_in(text, language) == ((term,) if term else ())


def test_only_where_words_are_compounded_is_one_looked_for_inside_another(
    glossary: Glossary,
) -> None:
    assert glossary.terms_in("Tagesalgenattrappen", "de") == ("artificial kelp",)
    # Not in French, and in German not one so short that it stands in anything.
    assert glossary.terms_in("autoredevance", "fr") == ()
    assert glossary.terms_in("Makaika", "de") == ()


def test_the_words_of_one_language_are_not_looked_for_in_another(glossary: Glossary) -> None:
    assert glossary.terms_in("hafengebühr", "nl") == ()


@pytest.mark.parametrize(
    "text", ["Is a dummy artificial kelp?", "ARTIFICIAL KELP dummies", "dummy: artificial kelps"]
)
def test_a_term_that_the_text_holds_itself_is_not_added(glossary: Glossary, text: str) -> None:
    assert glossary.terms_in(text, "en") == ()


def test_a_term_is_added_once_however_often_it_is_meant(glossary: Glossary) -> None:
    assert glossary.terms_in("toll, toll and what it costs to land", "en") == ("harbour fee",)


def test_acronyms_are_read_in_lower_case(glossary: Glossary) -> None:
    assert glossary.acronyms == {"krv": "kelp record vault"}


def test_a_folder_without_a_glossary_has_an_empty_one(tmp_path: Path) -> None:
    empty = Glossary.load(tmp_path)
    assert (empty.acronyms, empty.names, empty.foreign) == ({}, {}, {})
    assert empty.terms_in("anything", "de") == ()
    assert load_neutral(tmp_path) == {}


def test_names_without_a_letter_are_looked_for_in_vain(tmp_path: Path) -> None:
    (tmp_path / "glossary").mkdir()
    (tmp_path / "glossary.yaml").write_text('terms: [{term: "??", also: ["!!", "the"]}]')
    (tmp_path / "glossary" / "de.yaml").write_text('"??": ["!!"]')
    made = Glossary.load(tmp_path)
    for text in ("", "?? !!", "the", "\U0001f9ec", "x" * 4000):
        assert made.terms_in(text, "en") == made.terms_in(text, "de") == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("glossary.yaml", "terms: [{term: kelp, alsoo: [weed]}]"),
        ("glossary.yaml", "acronym: {krv: vault}"),
        ("glossary.yaml", "terms: kelp"),
        ("glossary.yaml", "terms: [{term: k}]"),
        ("glossary.yaml", "- kelp"),
        ("glossary.yaml", "acronyms: {krv: 2026-13-45}"),
        ("glossary.yaml", "acronyms: {krv: [vault]}"),
        ("glossary.yaml", "[" * 20_000),
        ("glossary.yaml", "terms: ["),
        ("glossary.yaml", "\x00"),
        ("glossary/de.yaml", "kelp: alge"),
        ("glossary/de.yaml", "kelp: [{alge: 1}]"),
        ("glossary/de.yaml", "kelp: [a]"),
        ("glossary/de.yaml", "no: [nein]"),
        ("glossary/de.yaml", "kelp: *unknown"),
        ("neutral.yaml", "de: Warum?"),
        ("neutral.yaml", "no: [Hvorfor?]"),
        ("neutral.yaml", "[de]"),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    load = load_neutral if name == "neutral.yaml" else Glossary.load
    with pytest.raises(BadSetting) as caught:
        load(tmp_path)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "glossary.yaml").mkdir()
    (tmp_path / "neutral.yaml").write_bytes(b"de: ['\xff']")
    for load in (Glossary.load, load_neutral):
        with pytest.raises(BadSetting, match=r"\.yaml") as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)


@given(st.text(max_size=80), st.sampled_from(LANGUAGES))
def test_whatever_is_typed_only_terms_of_the_glossary_come_each_once(
    shipped: Glossary, text: str, language: str
) -> None:
    found = shipped.terms_in(text, language)
    known = {*shipped.names, *shipped.foreign.get(language, {})}
    assert set(found) <= known
    assert len(set(found)) == len(found)


def test_every_language_has_its_words_and_neutral_questions(shipped: Glossary, root: Path) -> None:
    neutral = load_neutral(root / "corpus")
    assert set(shipped.foreign) == set(LANGUAGES) - {"en"}
    assert set(neutral) == set(LANGUAGES)
    assert {len(questions) >= 3 for questions in neutral.values()} == {True}


def test_the_neutral_questions_are_in_their_language(root: Path) -> None:
    neutral = load_neutral(root / "corpus")
    wrong = [
        (language, question)
        for language, questions in neutral.items()
        for question in questions
        if detect_language(question) != language
    ]
    assert len(wrong) <= 0.05 * sum(map(len, neutral.values())), wrong


def test_what_is_said_in_any_language_means_a_term_written_in_lower_case(
    shipped: Glossary,
) -> None:
    wrong = [
        (language, term)
        for language, terms in (("en", shipped.names), *shipped.foreign.items())
        for term, names in terms.items()
        if term != term.lower() or not names or any(name != name.lower() for name in names)
    ]
    assert wrong == []


def test_other_languages_mean_no_term_that_english_does_not_have(shipped: Glossary) -> None:
    strange = {
        term for terms in shipped.foreign.values() for term in terms if term not in shipped.names
    }
    assert strange == set()


def test_no_name_that_ships_is_so_short_that_anything_begins_with_it(shipped: Glossary) -> None:
    short = {
        f"{language}: {name}"
        for language, terms in shipped.foreign.items()
        for names in terms.values()
        for name in names
        if len(name.replace(" ", "")) < 3
    }
    assert short == set()


def test_every_name_that_ships_leads_to_its_term(shipped: Glossary) -> None:
    lost = [
        (language, term, name)
        for language, terms in (("en", shipped.names), *shipped.foreign.items())
        for term, names in terms.items()
        for name in names
        if term not in shipped.terms_in(f"? {name} ?", language)
        # One that reads like the term itself is found without any help.
        and f" {' '.join(words(term))} " not in f" {' '.join(words(name))} "
    ]
    assert lost == []


def test_a_long_text_takes_no_more_than_its_length(shipped: Glossary) -> None:
    typed = random.Random(4).choices("berechtigung antrag auf daten wer darf ich".split(), k=600)

    def seconds(text: str) -> float:
        started = time.perf_counter()
        for _ in range(3):
            shipped.terms_in(text, "de")
        return time.perf_counter() - started

    shipped.terms_in("warm", "de")
    short, long = " ".join(typed[:60]), " ".join(typed)
    assert seconds(long) < 100 * max(seconds(short), 1e-4)


def test_a_name_that_leans_on_its_small_words_is_found_with_them_alone() -> None:
    glossary = Glossary({}, {}, {"withdraw consent": ("opt out",)}, {})
    assert glossary.terms_in("How do I opt out?", "en") == ("withdraw consent",)
    assert glossary.terms_in("How do I opt in?", "en") == ()
