"""What is decided of a message, by whatever sorts it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import get_args

import pytest
import shelf
from fakes import FixedSorter
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answerer import Answerer
from rag.contacts import Contact
from rag.errors import BadSetting, ModelUnavailable
from rag.personal import TOKENS, find_personal
from rag.triage.sorter import Decided, Guess, Sorter
from rag.triage.triager import Of, Triage, Triager

SHARE = "How can I share my data?"
FAR = "Where do penguins sleep when it snows at night?"
HERE, NOWHERE = f"We are a clinic in Finland. {SHARE}", SHARE
EDITORS = shelf.CONTACT
DESKS = {
    "FI": Contact("FI", "Desk of Finland", "desk@fi.example", "https://fi.example", date.min),
    "AT": Contact("AT", "Desk of Austria", None, "https://at.example", date.min),
    "EE": Contact("EE", None, None, "https://ee.example", date.min),
}

Sort = Callable[..., Triage]


@pytest.fixture(scope="module")
def sort(answerer: Answerer) -> Sort:
    """Sorts a message by a sorter that decides as told."""

    def sorted_by(text: str, subject: str = "", **labels: str) -> Triage:
        triager = Triager(lambda: FixedSorter(**labels), DESKS, EDITORS)  # type: ignore
        return triager.triage(subject, text, answerer)

    return sorted_by


def _why(triage: Triage, of: Of) -> tuple[str, str]:
    [reason] = [each for each in triage.reasons if each.of == of]
    return reason.said, reason.quote


@pytest.mark.parametrize(
    ("intent", "at_home", "nowhere"),
    [
        ("share_data", "national_contact_point", "framework_editors"),
        ("citizen", "national_contact_point", "framework_editors"),
        ("national", "national_contact_point", "framework_editors"),
        ("infrastructure", "technical_level", "technical_level"),
        ("run_pipeline", "technical_level", "technical_level"),
        ("connect_institute", "technical_level", "technical_level"),
        ("about", "framework_editors", "framework_editors"),
        ("contribute", "framework_editors", "framework_editors"),
        ("out_of_scope", "framework_editors", "framework_editors"),
        ("spam", "spam", "spam"),
    ],
)
def test_intent_and_country_tell_who_should_answer(
    sort: Sort, intent: str, at_home: str, nowhere: str
) -> None:
    assert sort(HERE, intent=intent).route == at_home
    assert sort(NOWHERE, intent=intent).route == nowhere


@pytest.mark.parametrize(
    ("country", "name", "address"),
    [
        ("Finland", "Desk of Finland", "desk@fi.example"),
        ("Austria", "Desk of Austria", EDITORS),
        ("Estonia", None, EDITORS),
        ("Malta", None, EDITORS),
    ],
)
def test_it_is_passed_on_to_the_contact_point_or_to_whoever_knows_it(
    sort: Sort, country: str, name: str | None, address: str
) -> None:
    triage = sort(f"We are a clinic in {country}. {SHARE}")
    assert (triage.contact.name if triage.contact else None) == name
    assert triage.write_to == address


@pytest.mark.parametrize("intent", ["infrastructure", "about", "out_of_scope"])
def test_a_contact_point_is_named_only_where_it_is_asked(sort: Sort, intent: str) -> None:
    triage = sort(HERE, intent=intent)
    assert (triage.country, triage.contact, triage.write_to) == ("FI", None, EDITORS)


def test_spam_is_for_nobody(sort: Sort) -> None:
    triage = sort(HERE, intent="spam")
    assert (triage.contact, triage.write_to, triage.answerable) == (None, None, False)


@pytest.mark.parametrize(
    ("text", "labels", "answerable", "why"),
    [
        (SHARE, {}, True, "80%"),
        (SHARE, {"answerable": "False"}, False, "20%"),
        (SHARE, {"intent": "spam"}, False, "not about such things"),
        (SHARE, {"intent": "out_of_scope"}, False, "not about such things"),
        ("Tell me about Portugal.", {}, False, "not_written_yet"),
    ],
)
def test_it_can_be_answered_where_draft_and_examples_agree(
    sort: Sort, text: str, labels: dict[str, str], answerable: bool, why: str
) -> None:
    triage = sort(text, **labels)
    assert triage.answerable is answerable
    assert why in _why(triage, "answerable")[0]


@pytest.mark.parametrize("priority", ["high", "normal", "low"])
def test_priority_is_told_with_what_it_means_and_rests_on(sort: Sort, priority: str) -> None:
    triage = sort(SHARE, priority=priority)
    said, quote = _why(triage, "priority")
    assert triage.priority == priority
    assert "80%" in said
    assert quote in SHARE
    assert len({_why(sort(SHARE, priority=each), "priority")[0] for each in ("high", "low")}) == 2


def test_the_likeliest_intents_are_named_a_near_second_in_the_reason(sort: Sort) -> None:
    triage = sort(SHARE)
    assert [(each.label, each.probability) for each in triage.intents] == [
        ("share_data", 0.8), ("elsi", 0.2),
    ]  # fmt: skip
    assert _why(triage, "intent") == (
        "like the examples of share_data (80%); it may be elsi (20%)", SHARE,
    )  # fmt: skip


def test_every_decision_has_one_reason(sort: Sort) -> None:
    for labels in ({}, {"intent": "spam"}, {"intent": "infrastructure", "answerable": "False"}):
        reasons = sort(HERE, **labels).reasons
        assert sorted(each.of for each in reasons) == sorted(get_args(Of))
        assert all(each.said and "\n" not in each.said for each in reasons)


@pytest.mark.parametrize(
    ("text", "country", "said", "quote"),
    [
        (HERE, "FI", "who writes", "Finland"),
        ("Who answers in Portugal?", "PT", "asked about", "Portugal"),
        (SHARE, None, "none is stated", ""),
        (f"{SHARE} Write to odile.zwiebelkamp@kliniek.example.nl", "NL", "mail address", ""),
        (f"{SHARE} Ring me on +353 1 416 2000", "IE", "telephone", ""),
    ],
)
def test_a_country_is_told_with_its_evidence_unless_that_is_personal(
    sort: Sort, text: str, country: str | None, said: str, quote: str
) -> None:
    triage = sort(text)
    assert triage.country == country
    told = _why(triage, "country")
    assert (said in told[0], told[1]) == (True, quote)


def test_a_place_that_is_part_of_a_name_is_not_quoted(sort: Sort) -> None:
    triage = sort(f"{SHARE}\n\nMy name is Matilda Lisboa.")
    assert triage.personal == ("name",)
    assert "Lisboa" not in str((triage.masked, triage.reasons, triage.draft))


def test_the_language_of_the_message_is_that_of_the_draft(sort: Sort) -> None:
    triage = sort("Wie kann ich meine Daten teilen, wenn ich in einer Klinik arbeite?")
    assert (triage.language, triage.draft.language) == ("de", "de")
    assert "de" in _why(triage, "language")[0]


def test_personal_data_are_named_by_kind_once(sort: Sort) -> None:
    names = "Odile Zwiebelkamp, or Ada Zwiebelkamp"
    triage = sort(f"My name is {names}: ada@clinic.example. {SHARE}")
    assert triage.personal == ("name", "email")
    assert _why(triage, "personal_data") == ("found and masked: name, email", "")
    assert _why(sort(SHARE), "personal_data") == ("none was found", "")


def test_what_sorts_and_what_answers_see_a_masked_message(answerer: Answerer) -> None:
    sorter = FixedSorter()
    triager = Triager(lambda: sorter, DESKS, EDITORS)  # type: ignore[arg-type, return-value]
    triage = triager.triage(
        "From Odile Zwiebelkamp,\n\nphone +353 1 416 2000",
        f"My name is Odile Zwiebelkamp. {SHARE}",
        answerer,
    )
    assert sorter.shown == [f"From [name], phone [phone]\nMy name is [name]. {SHARE}"]
    assert triage.masked == sorter.shown[0]
    assert triage.draft.question in sorter.shown[0].replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "told", "asked"),
    [
        (f"{FAR} {SHARE} {FAR}", SHARE, SHARE),
        (f"We have many genomes. {SHARE} {FAR}", "We have many genomes.", SHARE),
        ("Tell me how to share data. Best wishes", "Tell me how to share data.", "Tell me how to"),
        ("Γεια σας. Πώς μοιράζομαι δεδομένα;", "Γεια σας.", "Πώς μοιράζομαι δεδομένα;"),
        ("Data; how to share them", "Data; how to share them", "Data; how to share them"),
        ("...", "", "..."),
    ],
)
def test_what_is_asked_is_what_told_the_intent_or_the_first_question(
    answerer: Answerer, text: str, told: str, asked: str
) -> None:
    class Telling(FixedSorter):
        def decide(self, subject: str, text: str) -> dict[str, Decided]:
            guesses = (Guess("share_data", 0.9), Guess("elsi", 0.1))
            return {**super().decide(subject, text), "intent": Decided(guesses, told)}

    triage = Triager(Telling, DESKS, EDITORS).triage("Data", text, answerer)  # type: ignore
    assert triage.draft.question.startswith(asked)


def test_what_was_learned_is_read_with_the_first_message_and_once(answerer: Answerer) -> None:
    read: list[FixedSorter] = []

    def load() -> Sorter:
        read.append(FixedSorter())
        return read[-1]  # type: ignore[return-value]

    triager = Triager(load, DESKS, EDITORS)
    assert read == []
    for _ in range(3):
        triager.triage("", SHARE, answerer)
    assert len(read) == 1


def test_what_was_learned_and_cannot_be_read_is_told_with_its_cure(answerer: Answerer) -> None:
    def load() -> Sorter:
        raise BadSetting("cannot read model.npz: BadZipFile")

    with pytest.raises(ModelUnavailable, match=r"^[^\n]*model\.npz.*eval\.learning\.triage[^\n]*$"):
        Triager(load, DESKS, EDITORS).triage("", SHARE, answerer)


PLANTED = ("Odile Zwiebelkamp", "odile@kliniek.example.nl", "+353 1 416 2000")


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(
            (
                "My name is Odile Zwiebelkamp.",
                "Write to odile@kliniek.example.nl.",
                "Ring me on +353 1 416 2000!",
                SHARE,
                "We are in Finland;",
                "\n",
                "Kind regards,\nOdile Zwiebelkamp\n",
            )
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_no_personal_data_are_in_anything_but_the_message(
    sort: Sort, pieces: list[str], split: bool
) -> None:
    text = " ".join(pieces).strip() or SHARE
    subject, text = (pieces[0], text) if split else ("", text)
    told = str(sort(text, subject))
    found = {f"{subject}\n{text}"[each.start : each.end] for each in find_personal(text)}
    assert [each for each in PLANTED if each in told] == []
    assert (TOKENS["name"] in told) or not any("Odile" in each for each in found)
