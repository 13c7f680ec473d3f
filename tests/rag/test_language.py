from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.language import LANGUAGES, detect_language

ASKED = {
    "bg": "Как мога да получа достъп до геномни данни за моето изследване?",
    "cs": "Jak mohu získat přístup ke genomickým datům pro svůj výzkum?",
    "da": "Hvordan får jeg adgang til genomdata til min forskning?",
    "de": "Wie bekomme ich Zugang zu Genomdaten für meine Forschung?",
    "el": "Πώς μπορώ να αποκτήσω πρόσβαση σε γονιδιωματικά δεδομένα για την έρευνά μου;",
    "en": "How do I get access to genomic data for my research?",
    "es": "¿Cómo puedo acceder a los datos genómicos para mi investigación?",
    "et": "Kuidas saan oma uurimistöö jaoks ligipääsu genoomiandmetele?",
    "fi": "Miten saan tutkimustani varten pääsyn genomitietoihin?",
    "fr": "Comment puis-je accéder aux données génomiques pour mes recherches ?",
    "ga": "Conas is féidir liom rochtain a fháil ar shonraí géanómacha do mo thaighde?",
    "hr": "Kako mogu dobiti pristup genomskim podacima za svoje istraživanje?",
    "hu": "Hogyan férhetek hozzá genomikai adatokhoz a kutatásomhoz?",
    "it": "Come posso accedere ai dati genomici per la mia ricerca?",
    "lt": "Kaip galiu gauti prieigą prie genominių duomenų savo tyrimui?",
    "lv": "Kā es varu piekļūt genoma datiem savam pētījumam?",
    "mt": "Kif nista' naċċessa d-data ġenomika għar-riċerka tiegħi?",
    "nl": "Hoe krijg ik toegang tot genoomgegevens voor mijn onderzoek?",
    "no": "Hvordan får jeg tilgang til genomdata for forskningen min?",
    "pl": "Jak mogę uzyskać dostęp do danych genomowych na potrzeby moich badań?",
    "pt": "Como posso aceder a dados genómicos para a minha investigação?",
    "ro": "Cum pot obține acces la date genomice pentru cercetarea mea?",
    "sk": "Ako môžem získať prístup ku genomickým údajom pre svoj výskum?",
    "sl": "Kako lahko pridobim dostop do genomskih podatkov za svojo raziskavo?",
    "sv": "Hur får jag tillgång till genomdata för min forskning?",
}


def test_questions_in_every_language_of_the_helpdesk_are_recognised() -> None:
    assert set(ASKED) == set(LANGUAGES)
    assert {code: detect_language(text) for code, text in ASKED.items()} == {
        code: code for code in ASKED
    }


def test_short_questions_full_of_names_are_recognised(root: Path) -> None:
    with (root / "tests" / "data" / "asked.tsv").open(encoding="utf-8") as file:
        typed = list(csv.DictReader(file, dialect="excel-tab"))
    wrong = [
        (row["language"], found, row["question"])
        for row in typed
        if (found := detect_language(row["question"])) != row["language"]
    ]
    assert len(typed) > 600
    assert len(wrong) <= len(typed) // 200, wrong


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Як отримати доступ до геномних даних?", "en"),
        ("Как получить доступ к данным?", "en"),
        ("Што е GDI?", "en"),
        ("Genom verilerine nasıl erişebilirim?", "en"),
        ("Hvað er GDI?", "en"),
        ("如何访问基因组数据", "en"),
        ("كيف يمكنني الوصول إلى البيانات", "en"),
        ("Шта је GDI?", "hr"),
        ("Com puc accedir a les dades?", "es"),
        ("Wéi kréien ech Zougang?", "de"),
    ],
)
def test_other_languages_get_one_that_their_speakers_read_else_english(
    text: str, spoken: str
) -> None:
    assert detect_language(text) == spoken


@pytest.mark.parametrize(
    ("text", "earlier", "spoken"),
    [
        ("ok, GDI?", "Was ist ein DAC?", "de"),
        ("1+MG?", "Kas yra DAC?", "lt"),
        ("Kada?", "Kas yra DAC?", "lt"),
        ("Kada?", "Što je DAC?", "hr"),
        ("why?", "Was ist ein DAC?", "en"),
        ("warum?", "What is a DAC?", "de"),
    ],
)
def test_a_turn_that_tells_little_is_in_the_language_of_those_before(
    text: str, earlier: str, spoken: str
) -> None:
    assert detect_language(text, (earlier,)) == spoken


def test_a_question_all_in_capitals_is_read_like_any_other() -> None:
    assert detect_language("WHAT IS CONSENT") == "en"
    assert detect_language("WAS IST EIN ZUGANGSAUSSCHUSS?") == "de"


def test_new_norwegian_is_norwegian() -> None:
    assert detect_language("Korleis får eg tilgang til dei nasjonale dataa mine no?") == "no"


@pytest.mark.parametrize("text", ["What is consent?", "Who decides on access?", "How do I apply?"])
def test_a_short_english_question_is_english(text: str) -> None:
    assert detect_language(text) == "en"


@pytest.mark.parametrize("text", ["", "?", "12 + 3", "🧬🧬"])
def test_text_without_letters_counts_as_english(text: str) -> None:
    assert detect_language(text) == "en"


@given(st.text(max_size=60))
def test_whatever_is_typed_is_in_a_language_of_the_helpdesk(text: str) -> None:
    assert detect_language(text) in LANGUAGES


def test_a_question_of_two_english_words_is_english() -> None:
    assert detect_language("Who decides?") == "en"
    assert detect_language("Quem decide?") == "pt"
