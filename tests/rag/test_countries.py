from __future__ import annotations

import time
import unicodedata
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rag import countries
from rag.countries import COUNTRIES, FORMS, countries_in, country_code, country_name
from rag.errors import HelpdeskError
from rag.language import LANGUAGES
from rag.messages import language_name

ASKED = """
bg PL Кой отговаря за полските биобанки?
bg DE Има ли възел в Германия?
bg FR Как френските лекари искат достъп?
bg FI Кой е във Финландия?
bg GB Участва ли Великобритания?
cs DE Kdo odpovídá v Německu?
cs PT Mohou portugalští vědci žádat o data?
cs AT Jaká pravidla platí v Rakousku?
cs SK Kde je slovenský uzel?
cs GB Je Spojeném království vlastní uzel?
da SE Hvem svarer for den svenske knude?
da AT Hvad gælder i Østrigs biobanker?
da FR Kan franske forskere søge?
da GR Er graeske data med?
da CZ Findes der tjekkiske hospitaler?
de FI Welche finnischen Biobanken nehmen teil?
de AT Wer haftet in Oesterreich?
de DK Wie beantragen die Dänen den Zugang?
de CZ Gibt es einen tschechischen Knoten?
de GB Gilt das im Vereinigten Königreich?
el DE Ποιοι είναι οι κανόνες της Γερμανίας;
el FR Μπορούν Γάλλοι ερευνητές να κάνουν αίτηση;
el GR Ποιος είναι ο ελληνικος κόμβος;
el GB Τι ισχύει στο Ηνωμένο Βασίλειο;
el NL Ποιος απαντά για τις Κάτω Χώρες;
en PL Which polish biobanks take part?
en FI Where do the Finns keep their genomes?
en SE Can Swedes withdraw consent?
en GB Who speaks for Northern Ireland?
en NL Is there a Dutch node?
es ES ¿Dónde están los datos españoles?
es ES Quien responde en espana
es DE ¿Pueden pedir acceso los alemanes?
es DK ¿Qué hacen las biobancas danesas?
es GB ¿Y en Irlanda del Norte?
et FI Kes vastab Soomes?
et DE Kas Saksamaal on oma sõlm?
et LV Millised on Läti reeglid?
et EE Kus hoitakse eestlaste andmeid?
et FR Kas prantslased saavad taotleda?
fi FI Kuka vastaa Suomessa?
fi SE Voivatko ruotsalaiset tutkijat hakea?
fi EE Mitä sääntöjä Virossa on?
fi AT Onko itävaltalainen solmu olemassa?
fi GB Entä Isossa-Britanniassa?
fr DE Que font les chercheurs allemands ?
fr BE Quel est le nœud belge ?
fr GR Les hôpitaux grecs participent-ils ?
fr SE Qui repond en Suède ?
fr GB Et au Royaume-Uni ?
ga FR Cé a fhreagraíonn sa Fhrainc?
ga IE An bhfuil taighdeoirí Éireannacha ann?
ga DE Cad iad na rialacha i nGearmáin?
ga ES Cé atá freagrach sa Spáinn?
ga FI An bhfuil nód san Fhionlainn?
hr HR Tko odgovara u Hrvatskoj?
hr DE Mogu li njemački istraživači zatražiti pristup?
hr HU Koja su mađarska pravila?
hr AT Što vrijedi u Austriji?
hr GB Gdje je čvor Ujedinjenog Kraljevstva?
hu HU Ki felel Magyarországon?
hu DE Kérhetnek hozzáférést a német kutatók?
hu RO Melyik a román csomópont?
hu SE Mit tesznek a svédek?
hu GB Mi a helyzet az Egyesült Királyságban?
it IT Qual è il nodo italiano?
it DE Chi risponde per i tedeschi?
it CZ Ci sono ospedali cechi?
it MT Chi risponde a Malta?
it GB E in Gran Bretagna?
lt LT Kas atsako Lietuvoje?
lt DE Ar vokiečių tyrėjai gali prašyti prieigos?
lt PL Kokios taisyklės galioja Lenkijoje?
lt FI Kur yra suomių biobankas?
lt GB Kas atsako Jungtinėje Karalystėje?
lv LV Kas atbild Latvijā?
lv DE Vai vācu pētnieki var pieteikties?
lv EE Kādi noteikumi ir Igaunijā?
lv SE Kur ir zviedru biobanka?
lv FR Ko dara franči?
mt MT Min iwieġeb għall-Maltin?
mt FR Hemm riċerkaturi Franċiżi?
mt IT X'jgħid in-nodu Taljan?
mt DE Min iwieġeb fil-Ġermanja?
mt ES L-isptarijiet Spanjoli jieħdu sehem?
nl NL Waar staat de Nederlandse knoop?
nl DE Mogen Duitse onderzoekers aanvragen?
nl PL Wie antwoordt voor de Poolse ziekenhuizen?
nl AT Wat geldt in Oostenrijk?
nl BE Wat doen de Belgen?
no NO Hvem svarer for norske sykehus?
no FI Kan finske forskere søke?
no GR Finnes det greske biobanker?
no DE Hva gjelder i Tyskland?
no PL Hva gjør polakkene?
pl DE Kto odpowiada w Niemczech?
pl PL Gdzie są polskie dane?
pl DK Jakie zasady obowiązują w Danii?
pl IT Czy włoscy badacze mogą składać wnioski?
pl GB A w Wielkiej Brytanii?
pt PT Onde está o nó português?
pt DE Os alemães podem pedir acesso?
pt FR Quem responde na França?
pt NL E os hospitais holandeses?
pt GB O que vale na Grã-Bretanha?
ro RO Unde este nodul românesc?
ro DE Cine răspunde în Germania?
ro HU Pot cere acces cercetătorii maghiari?
ro FR Ce fac spitalele franceze?
ro NL Cine răspunde în Țările de Jos?
sk SK Kde je slovenský uzol?
sk SI Môžu žiadať slovinskí vedci?
sk HU Kto odpovedá v Maďarsku?
sk IT Aké sú talianske pravidlá?
sk NO Čo robia nórske nemocnice?
sl SI Kje je slovensko vozlišče?
sl SK Kdo odgovarja na Slovaškem?
sl AT Kaj velja v Avstriji?
sl DE Ali lahko zaprosijo nemški raziskovalci?
sl GB Kaj pa Združeno kraljestvo?
sv SE Vem svarar för de svenska sjukhusen?
sv FI Kan finska forskare ansöka?
sv DE Vad gäller i Tyskland?
sv NO Vad gör norrmännen?
sv GR Finns det grekiska biobanker?
"""

LOOKALIKES = """
bg чехъл и галош при леглото
bg датчик за температура
bg проучване при полски условия
bg германий в полупроводника
cs svědek podal svědectví
cs daňové přiznání
cs cech zedníků
cs maltou se lepí cihly
da tjek svaret og find fejlen
da at finne fisken
da græskar i suppen
de denen das Formular fehlt
de die Pole des Magneten
de Gibt es das auf Deutsch?
de Franz fragt nach Virologie
el το δάνειο της τράπεζας
el γάλλιο και πολώνιο στο εργαστήριο
el κυπρίνος στη λίμνη
en polish the letter before you send it
en we should polish up the draft
en nail polish and french fries
en a pole and two poles
en swedes and turnips
en the fins of a fish
en New England and British Columbia
en suede shoes on the china shelf
en turkey sandwiches for all
en GBP, IT and BE are no places
es el polen y la alergia
es dame los datos
es franca mejoría
es la malta tostada
et latikas ujus tiigis
et poolaasta aruanne
et eest ja taga
fi virologian laboratorio
fi maltaat ja humala
fi sakset ja keltavirno
fr les caractères italiques
fr Françoise et François
fr un franc succès
ga an croitéir sa ghort
ga francach sa chistin
hr svedeno na minimum
hr fini kolači danas
hu ez mit jelent, ki magyarázza meg?
hu nemet mondott a bizottság
hu finnyás macska
hu semmi sem lett belőle
hu a ciprus az udvaron
hu romantikus dallam
it la malta del muratore
it cipria e rossetto
it Francesca e Francesco
lt malta kava
lt lenkti vielą
lv somu pilna istaba
lv graudu malta
nl denen in het bos
nl letten op de datum
nl iets voor de pools van de data
no å finne en fil
no gresskar og løk
pl dania główne w menu
pl połączenie z serwerem
pl na polach rosną kłosy
pl węgiel i węgorz
pl dwa loty i cyprysy
pt zona franca e língua franca
pt a malta foi embora
ro germaniu și poloniu
ro polen pe flori
ro spanac la cuptor
ro roman de dragoste
sk svedok a svedectvo
sk na poliach
sl danes je lep dan
sl cvetni prah in polen
sv norra stationen
sv Var finns filen, och vad finner man där?
"""


def lines(table: str) -> list[list[str]]:
    return [line.split(" ", 2) for line in table.strip().splitlines()]


@cache
def listed() -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (language, country, form)
        for language, named in yaml.safe_load(FORMS.read_text(encoding="utf-8")).items()
        for country, forms in named.items()
        for form in forms
    )


def bare(text: str) -> str:
    return "".join(
        each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each)
    )


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


@pytest.mark.parametrize(("language", "country", "question"), lines(ASKED))
def test_a_question_names_a_country_as_its_language_does(
    language: str, country: str, question: str
) -> None:
    assert countries_in(question, language) == (country,)


def test_every_language_is_asked_in() -> None:
    asked = [language for language, _, _ in lines(ASKED)]
    assert all(asked.count(language) >= 5 for language in LANGUAGES)


@pytest.mark.parametrize(
    ("language", "text"), [line.split(" ", 1) for line in LOOKALIKES.strip().splitlines()]
)
def test_a_word_that_looks_like_a_country_is_none(language: str, text: str) -> None:
    assert countries_in(text, language) == ()


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("slovensko ministrstvo", "sl", "SI"),
        ("slovenské ministerstvo", "sk", "SK"),
        ("Slovensko", None, "SK"),
        ("het finnish node in Amsterdam", "nl", "FI"),
        ("die Biobank in Polska", "de", "PL"),
        ("Polen", None, "PL"),
        ("Norra", None, "NO"),
        ("open to Polish researchers", "en", "PL"),
        ("the Northern Irish node", "en", "GB"),
        ("Deutschlandweit", "de", "DE"),
        ("GRÈCE", "fr", "GR"),
        ("ΕΛΛΗΝΙΚΟΣ ΚΟΜΒΟΣ", "el", "GR"),
        (unicodedata.normalize("NFD", "românească"), "ro", "RO"),
    ],
)
def test_a_languages_own_words_come_before_those_of_others(
    text: str, language: str | None, found: str
) -> None:
    assert countries_in(text, language) == (found,)


def test_demonyms_of_a_language_nobody_named_are_left_alone() -> None:
    assert countries_in("suomalaiset tutkijat") == ()
    assert countries_in("suomalaiset tutkijat", "xx") == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_country_is_found_by_every_name_in_every_language(language: str) -> None:
    for other in LANGUAGES:
        for country in COUNTRIES:
            name = country_name(country, other)
            found = countries_in(name, language)
            # Slovak for Slovakia is Slovenian for what is Slovenian; the others are everyday words.
            alike = name in ("Slovensko", "Polen", "Norra", "Viro")
            assert found == (country,) or alike, (name, found)


def test_every_language_knows_more_of_every_country_than_its_name() -> None:
    spoken = {(language, country) for language, country, _ in listed()}
    assert {(language, country) for language in LANGUAGES for country in COUNTRIES} <= spoken


def test_every_listed_form_names_the_country_it_is_listed_for() -> None:
    for language, country, form in listed():
        found = countries_in(form.rstrip("!").replace("*", ""), language)
        assert found == (() if country == "none" else (country,)), (language, form)


@given(
    form=st.sampled_from(sorted(each for each in listed() if each[1] != "none")),
    ending=st.sampled_from(["", "x", "qq"]),
    case=st.sampled_from([str.upper, str.title, str]),
    marks=st.booleans(),
)
def test_a_listed_form_is_found_in_any_case_with_and_without_diacritics(
    form: tuple[str, str, str], ending: str, case: object, marks: bool
) -> None:
    language, country, written = form
    assert callable(case)
    text = written.rstrip("!").replace("*", ending)
    text = text if marks or written.endswith("!") else bare(text)
    assert countries_in(f"({case(text)})", language) == (country,)


@given(st.text(st.characters(exclude_categories=["L", "M"])), st.sampled_from(LANGUAGES))
def test_text_without_letters_names_no_country(text: str, language: str) -> None:
    assert countries_in(text, language) == ()


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
def test_anything_can_be_asked_in_any_language(text: str, language: str) -> None:
    assert set(countries_in(text, language)) <= set(COUNTRIES)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "de: [",
        "de: finnisch",
        "de: {FI: finnisch}",
        "no: {FI: [finsk]}",
        "xx: {FI: [finsk]}",
        "de: {US: [amerikanisch]}",
        "de: {FI: [fi*]}",
        "de: {FI: ['*']}",
        "de: {FI: ['']}",
        "de: {FI: [1]}",
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "countries.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(countries, "FORMS", file)
    countries._listed.cache_clear()
    countries._forms.cache_clear()
    try:
        with pytest.raises(HelpdeskError, match=r"countries\.yaml"):
            countries_in("Finnland", "de")
    finally:
        countries._listed.cache_clear()
        countries._forms.cache_clear()


@pytest.mark.parametrize("language", ["en", "el", "fi"])
def test_reading_takes_no_more_than_the_length_of_a_text(language: str) -> None:
    question = next(text for spoken, _, text in lines(ASKED) if spoken == language)

    def taken(letters: int) -> float:
        text = (question * 400)[:letters]
        countries_in(text, language)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            countries_in(text, language)
            times.append(time.perf_counter() - start)
        return min(times)

    # Squared it would be 64 times.
    assert taken(8000) < 24 * taken(1000)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Is the consent form available in German?", ()),
        ("Is there a Czech translation of the form?", ()),
        ("Can it be translated into French?", ()),
        ("Is it kept in German hospitals?", ("DE",)),
        ("Which French biobank has it?", ("FR",)),
    ],
)
def test_the_name_of_a_language_is_no_country(text: str, found: tuple[str, ...]) -> None:
    assert countries_in(text, "en") == found


def test_names_shown_in_portuguese_are_those_of_portugal() -> None:
    assert country_name("RO", "pt") == "Roménia"
    assert language_name("cs", "pt") == "checo"
    assert countries_in("Dados da Romênia e da Polónia", "pt") == ("RO", "PL")
