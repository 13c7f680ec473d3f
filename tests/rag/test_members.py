from __future__ import annotations

import pytest
from fakes import chunk

from rag.members import members_in


def _titles(text: str) -> list[list[str]]:
    return [[each.title for each in found.entries] for found in members_in(chunk(text))]


@pytest.mark.parametrize(
    ("sentence", "members"),
    [
        ("Pilots came from Malta, Spain, Crete and Cyprus.", ["Malta", "Spain", "Crete", "Cyprus"]),
        ("Ports like Riga, Tallinn and Turku freeze in winter, while others do not.",
         ["Riga", "Tallinn", "Turku"]),
        ("Between May and June, we visited the Azores, Madeira and Malta.",
         ["Azores", "Madeira", "Malta"]),
        ("Some craft (such as ferries, sailing tugs or yachts) need a pilot.",
         ["ferries", "sailing tugs", "yachts"]),
        ("Rules stress the need for dry ropes; clean decks; and good lamps.",
         ["the need for dry ropes", "clean decks", "good lamps"]),
        ("The steps are 1) how to moor, 2) how to load, and 3)how to sail.",
         ["how to moor", "how to load", "how to sail"]),
        ("The port helps with mooring, pilotage by night, and towing.",
         ["mooring", "pilotage by night", "towing"]),
    ],
)  # fmt: skip
def test_a_sentence_that_enumerates_is_a_list(sentence: str, members: list[str]) -> None:
    assert _titles(sentence) == [members]


def test_questions_that_follow_one_another_are_a_list_that_a_colon_opens() -> None:
    text = "Captains ask: Where do I moor? What does it cost? Who helps? For pilots: Who pays?"
    assert _titles(text) == [["Where do I moor?", "What does it cost?", "Who helps?"]]


@pytest.mark.parametrize(
    "sentence", ["The tide turns at noon.", "Ropes and sails are dry, however wet the deck is."]
)
def test_a_sentence_that_says_one_thing_is_no_list(sentence: str) -> None:
    assert _titles(sentence) == []
