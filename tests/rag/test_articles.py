"""Articles are found by the ways people ask, whatever all questions of a language share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st
from shelf import (
    APPLY,
    DECIDES,
    ESTONIA,
    FIRST,
    NAMES,
    SHARE,
    SIGNS,
    STORAGE,
    article,
    contents,
    evidence,
    framework,
    retriever_over,
)

from rag.articles import ANY, Articles, Fit, Match, centred, centres
from rag.embedder import Vectors
from rag.index import Generation
from rag.models import Article, Question
from rag.query import Query
from rag.store import Store

DIMENSIONS = HashingEmbedder.dimensions
LANGUAGES = ("en", "fi", "pt")
MANY = 40
"""So many times over, a handful of variants is enough to tell what they have in common."""
TWO = article("two", ("two",), ("Two.", (evidence("pages/access.md", DECIDES),)))


def unit(*places: int, **more: float) -> Vectors:
    """A unit vector along axes, each as long as `more` says of it: ``unit(3, a9=2.0)``."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[list(places)] = 1.0
    for name, length in more.items():
        vector[int(name.removeprefix("a"))] = length
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def query_of(generation: Generation, text: str) -> Query:
    return retriever_over(generation).query(Question(text))


def matches(generation: Generation, text: str, count: int = 5) -> list[tuple[str, float]]:
    query = query_of(generation, text)
    found = Articles(generation).matches(query, query.asked, count)
    return [(each.article.article_id, each.score) for each in found]


@contextmanager
def with_articles(directory: Path, *articles: Article, **more: object) -> Iterator[Generation]:
    """The invented framework with other articles, and what else of its contents is given."""
    made = contents(replace(framework(), articles=articles))
    store = Store(directory)
    store.write(FIRST, replace(made, **more))  # type: ignore[arg-type]
    with closing(store.open()) as opened:
        yield opened


# What the questions of a language have in common


def test_without_variants_nothing_is_in_common() -> None:
    none = np.empty((0, DIMENSIONS), dtype=np.float32)
    assert centres(none, []) == {}
    assert centred(none, [], {}).shape == (0, DIMENSIONS)


def test_every_language_has_a_centre_and_all_have_one_together() -> None:
    asked = np.stack([unit(0), unit(1), unit(2), unit(3)] * MANY)
    found = centres(asked, ["pt", "en", "pt", "pt"] * MANY)
    assert found.keys() == {ANY, "en", "pt"}
    assert found[ANY] == pytest.approx(asked.mean(axis=0))
    assert np.argmax(found["en"]) == 1
    assert {each.dtype for each in found.values()} == {np.dtype(np.float32)}


def test_a_handful_of_variants_does_not_tell_what_questions_have_in_common() -> None:
    assert centres(np.stack([unit(0), unit(1), unit(2)]), ["pt", "en", "pt"]) == {}


def test_a_language_with_few_variants_leans_on_all_and_one_with_many_stands_by_itself() -> None:
    """A single variant is no centre of its language: taken off, nothing of it would be left."""
    many, one = [unit(0)] * 990, [unit(1)]
    found = centres(np.stack(many + one), ["en"] * 990 + ["pt"])
    assert found["pt"] @ unit(1) == pytest.approx(1 / 11 + 10 / 11 / 991, abs=1e-4)
    assert found["pt"] @ unit(0) == pytest.approx(10 / 11 * 990 / 991, abs=1e-4)
    assert found["en"] @ unit(0) > 0.999


@given(
    st.lists(
        st.tuples(st.integers(0, DIMENSIONS - 1), st.sampled_from(LANGUAGES)),
        min_size=1,
        max_size=9,
    )
)
def test_what_is_centred_is_of_length_one_or_nothing_is_left_of_it(
    asked: list[tuple[int, str]],
) -> None:
    vectors = np.stack([unit(place) for place, _ in asked * 100])
    languages = [language for _, language in asked * 100]
    common = centres(vectors, languages)
    off = centred(vectors, languages, common)
    assert off.shape == vectors.shape
    assert off.dtype == np.float32
    lengths = np.linalg.norm(off, axis=1)
    assert np.all(np.isclose(lengths, 1, atol=1e-4) | (lengths < 1e-4))


def test_where_nothing_is_known_in_common_nothing_is_taken_off() -> None:
    vectors = np.stack([unit(0), unit(1)])
    assert np.array_equal(centred(vectors, ["en", "pt"], {}), vectors)


def test_a_language_without_variants_loses_what_all_have_in_common() -> None:
    common = centres(np.stack([unit(0, 1), unit(0, 2)] * MANY * 2), ["en", "en"] * MANY * 2)
    (known,) = centred(unit(0, 1)[None, :], ["en"], {ANY: common[ANY], "en": common[ANY]})
    (unknown,) = centred(unit(0, 1)[None, :], ["fi"], common)
    assert unknown == pytest.approx(known)


def test_what_all_questions_share_no_longer_makes_them_alike() -> None:
    """Axes 0 and 1 are how the languages ask, the others what is asked."""
    asked = [unit(2, a0=3), unit(3, a0=3), unit(2, a1=3), unit(3, a1=3)] * MANY
    languages = ["en", "en", "pt", "pt"] * MANY
    question = unit(2, a1=3)
    plain = np.stack(asked) @ question
    assert plain[3] > plain[0]
    common = centres(np.stack(asked), languages)
    off = centred(np.stack(asked), languages, common) @ centred(question[None], ["pt"], common)[0]
    assert off[2] == pytest.approx(1, abs=1e-4)
    assert off[0] > off[3]


# Which articles are near


def test_the_article_that_is_asked_so_comes_first_and_each_comes_once(
    generation: Generation,
) -> None:
    found = matches(generation, "Where do holders begin to share data?")
    assert found[0][0] == "share"
    assert found[0][1] == pytest.approx(1, abs=1e-3)
    assert sorted(name for name, _ in found) == ["apply", "share", "storage-fees"]
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)


def test_an_article_is_as_near_as_the_nearest_way_to_ask_it(generation: Generation) -> None:
    one, other = SHARE.asks
    assert dict(matches(generation, one.text))["share"] == pytest.approx(1, abs=1e-3)
    assert dict(matches(generation, other.text))["share"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_no_more_articles_come_than_are_asked_for(generation: Generation, count: int) -> None:
    found = matches(generation, "How do I apply for access?", count)
    assert len(found) == min(count, 3)
    assert found == matches(generation, "How do I apply for access?", 9)[:count]


def test_without_articles_none_is_near(tmp_path: Path) -> None:
    with with_articles(tmp_path) as bare:
        assert matches(bare, "How do I apply for access?") == []
        assert not Articles(bare).support([]).any()


def test_a_question_loses_what_the_variants_of_its_language_have_lost(tmp_path: Path) -> None:
    """The index holds variants that are centred already: a question is brought to them."""
    asks = ("How do I apply for access?", "How do I pay for storage?", "How do I leave?")
    articles = [article(f"a{number}", (ask,)) for number, ask in enumerate(asks)]
    vectors = HashingEmbedder().queries(asks)
    common = {ANY: vectors.mean(axis=0), "en": vectors.mean(axis=0)}
    off = centred(vectors, ["en"] * 3, common)
    with with_articles(tmp_path, *articles, ask_vectors=off, ask_centres=common) as opened:
        for number, ask in enumerate(asks):
            (name, score), *others = matches(opened, ask)
            assert name == f"a{number}"
            assert score == pytest.approx(1, abs=1e-3)
            # What they all say, "How do I", brings them no nearer.
            assert all(further < 0.2 for _, further in others)


def test_a_question_in_a_language_that_nobody_has_asked_in_finds_its_article(
    tmp_path: Path,
) -> None:
    asks = ("How do I apply for access?", "How do I pay for storage?")
    articles = [article(f"a{number}", (ask,)) for number, ask in enumerate(asks)]
    vectors = HashingEmbedder().queries(asks)
    common = {ANY: vectors.mean(axis=0), "en": vectors[0]}
    off = centred(vectors, ["pt"] * 2, common)
    with with_articles(tmp_path, *articles, ask_vectors=off, ask_centres=common) as opened:
        query = replace(query_of(opened, asks[1]), language="fi")
        assert query.language not in opened.ask_centres
        (best, *_) = Articles(opened).matches(query, query.asked, 5)
        assert best.article.article_id == "a1"


def test_an_article_that_is_asked_in_many_ways_takes_nobody_elses_place(
    tmp_path: Path,
) -> None:
    """An article answers once, in however many ways it is asked."""
    talkative = article("talkative", tuple(f"apply {number}" for number in range(30)))
    with with_articles(tmp_path, talkative, APPLY, STORAGE) as opened:
        assert len(matches(opened, "How do I apply for access?")) == 3


# An article about one country


def of_country(name: str, country: str | None) -> Article:
    made = article(name, (f"How do I apply for access {name}?",))
    return replace(made, country=country)


@pytest.fixture(scope="module")
def national(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    """Articles about Estonia, about Portugal, and about no country."""
    articles = [of_country("tartu", "EE"), of_country("porto", "PT"), of_country("anywhere", None)]
    with with_articles(tmp_path_factory.mktemp("national"), *articles) as opened:
        yield opened


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("How do I apply for access?", {"tartu", "porto", "anywhere"}),
        ("How do I apply for access in Estonia?", {"tartu", "anywhere"}),
        ("Como peço acesso em Portugal?", {"porto", "anywhere"}),
        ("How do I apply for access in Estonia and Portugal?", {"tartu", "porto", "anywhere"}),
        ("How do I apply for access in Finland?", {"anywhere"}),
    ],
)
def test_an_article_about_one_country_is_none_for_a_question_that_names_others(
    national: Generation, question: str, found: set[str]
) -> None:
    assert {name for name, _ in matches(national, question)} == found


def test_an_article_of_another_country_takes_nobody_elses_place(national: Generation) -> None:
    """The country is looked at before they are counted."""
    ((name, _),) = matches(national, "How do I apply for access tartu in Finland?", 1)
    assert name == "anywhere"


def test_the_country_of_who_asks_counts_where_the_question_is_a_national_one(
    national: Generation,
) -> None:
    retriever = retriever_over(national)
    asked = Question("Who is the national contact for access?", country="EE")
    query = retriever.query(asked)
    found = Articles(national).matches(query, query.asked, 5)
    assert {each.article.article_id for each in found} == {"tartu", "anywhere"}


# How sure it is that the best one answers


def sure(nearness: float, rank: int = 1) -> float:
    return Fit(APPLY, nearness, rank).certainty


def test_it_is_the_surer_the_nearer_the_question_and_the_better_the_rank() -> None:
    assert sure(1.5) > sure(1.0) > sure(0.5)
    assert sure(1.0, rank=1) > sure(1.0, rank=5) > sure(1.0, rank=400)


@pytest.mark.parametrize("nearness", [0.0, -0.1, -9.0])
def test_what_has_nothing_to_do_with_any_article_is_answered_by_none(nearness: float) -> None:
    assert sure(nearness) == 0


def test_one_of_its_ways_of_asking_an_article_answers_for_sure() -> None:
    assert Fit(APPLY, 0.3, 400, same=True).certainty == 1


@given(st.floats(-100, 100), st.integers(1, 10**6))
def test_how_sure_it_is_lies_between_nothing_and_all(nearness: float, rank: int) -> None:
    assert 0 <= sure(nearness, rank) <= 1


def fits(generation: Generation, scores: dict[str, float], *matches: Match) -> list[Fit]:
    """The articles in the order in which they fit, scores by chunk."""
    numbers = generation.chunk_numbers()
    of_chunks = np.zeros(generation.info.chunks, dtype=np.float32)
    for chunk_id, score in scores.items():
        of_chunks[numbers[chunk_id]] = score
    return Articles(generation).fits("", matches, of_chunks)


def test_an_article_has_the_rank_of_the_first_passage_that_it_rests_on(
    generation: Generation,
) -> None:
    scores = {"aurora:pages/sharing.md#0": 2.0, "aurora:guide.pdf#0": 1.0}
    found = fits(generation, scores, Match(SHARE, 0.9), Match(APPLY, 0.9))
    assert [(each.article, each.rank) for each in found] == [(SHARE, 1), (APPLY, 3)]


def test_of_two_that_are_nearly_as_near_the_one_fits_that_passages_lead_to(
    generation: Generation,
) -> None:
    matches = Match(APPLY, 0.82), Match(SHARE, 0.80)
    lead = {"aurora:pages/sharing.md#0": 2.0, "aurora:guide.pdf#0": 1.0}
    assert [each.article for each in fits(generation, lead, *matches)] == [SHARE, APPLY]
    assert [each.article for each in fits(generation, {}, *matches)] == [APPLY, SHARE]


def test_cosines_are_judged_by_the_bars_of_the_index(generation: Generation) -> None:
    """Another model has other cosines, and other bars with them."""
    low, high = generation.ask_floor, generation.ask_bar
    matches = Match(APPLY, high), Match(SHARE, low)
    assert [each.nearness for each in fits(generation, {}, *matches)] == pytest.approx([1, 0])


def test_an_article_that_rests_on_nothing_that_is_indexed_fits_nothing(tmp_path: Path) -> None:
    gone = article("gone", ("gone",), ("Gone.", (evidence("gone.md", "Gone.", stale=True),)))
    with with_articles(tmp_path, gone) as opened:
        assert fits(opened, {}, Match(gone, 1.0)) == []


# What articles say for chunks


def supported(generation: Generation, *matches: Match) -> dict[str, float]:
    """What the articles say for each chunk that they say anything for."""
    support = Articles(generation).support(matches)
    assert support.shape == (generation.info.chunks,)
    assert support.dtype == np.float32
    ids = [each.chunk_id for each in generation.all_chunks()]
    said = zip(ids, support, strict=True)
    return {name: round(float(share), 6) for name, share in said if share}


def test_an_article_speaks_for_what_it_rests_on_and_for_nothing_else(
    generation: Generation,
) -> None:
    assert supported(generation, Match(APPLY, 1.0)) == {"aurora:pages/access.md#0": 1.0}


def test_it_speaks_the_louder_the_nearer_it_is_and_far_off_says_nothing(
    generation: Generation,
) -> None:
    floor, bar = generation.ask_floor, generation.ask_bar
    articles = Articles(generation)
    far = 2 * floor - bar
    said = [articles.support([Match(APPLY, each)]).max() for each in (far, floor, bar, 1.0)]
    assert said[0] == 0
    # One that does not answer may yet lead to the right page.
    assert 0 < said[1] < said[2] < said[3]


def test_a_later_statement_counts_less_and_the_first_place_of_a_chunk_counts(
    tmp_path: Path,
) -> None:
    several = article(
        "several",
        ("several",),
        ("One.", (evidence("pages/sharing.md", SIGNS),)),
        ("Two.", (evidence("pages/access.md", DECIDES),)),
        ("Three.", (evidence("pages/estonia.md", ESTONIA), evidence("pages/sharing.md", NAMES))),
    )
    with with_articles(tmp_path, several) as opened:
        said = Articles(opened).support([Match(several, 1.0)])
        numbers = opened.chunk_numbers()
        one, two, three = (
            said[numbers[f"aurora:pages/{name}.md#0"]] for name in ("sharing", "access", "estonia")
        )
        assert one == pytest.approx(1)
        assert one > two > three > 0
        assert (said > 0).sum() == 3


def test_of_articles_that_rest_on_one_chunk_the_nearer_counts_and_they_do_not_add_up(
    tmp_path: Path,
) -> None:
    with with_articles(tmp_path, APPLY, TWO) as opened:
        near, far = Match(APPLY, 0.9), Match(TWO, 0.7)
        alone = Articles(opened).support([near])
        assert np.array_equal(Articles(opened).support([near, far]), alone)
        assert np.array_equal(Articles(opened).support([far, near]), alone)


def test_what_is_stale_or_not_indexed_speaks_for_nothing(generation: Generation) -> None:
    assert supported(generation, Match(SHARE, 1.0)).keys() == {"aurora:pages/sharing.md#0"}


def test_an_article_speaks_for_what_it_says_itself_of_a_source_that_is_not_indexed(
    generation: Generation,
) -> None:
    assert supported(generation, Match(STORAGE, 1.0)) == {"articles:storage-fees.md#0": 1.0}


@given(st.lists(st.tuples(st.sampled_from((SHARE, APPLY, STORAGE)), st.floats(-1, 1))))
def test_what_articles_say_for_a_chunk_lies_between_nothing_and_all(
    generation: Generation, near: Sequence[tuple[Article, float]]
) -> None:
    support = Articles(generation).support([Match(*each) for each in near])
    assert support.min() >= 0
    assert support.max() <= 1


@pytest.mark.parametrize("bars", [(1.0, 1.0), (1.0000006, 1.0000006), (0.999, 1.0)])
def test_articles_that_are_all_asked_alike_speak_for_no_more_than_all(
    tmp_path: Path, bars: tuple[float, float]
) -> None:
    """Every variant is then as near to another article's as can be, and so are the bars."""
    with with_articles(tmp_path, APPLY, TWO, ask_floor=bars[0], ask_bar=bars[1]) as opened:
        for score in (-1.0, 0.5, 1.0):
            assert 0 <= Articles(opened).support([Match(APPLY, score)]).max() <= 1
            (found,) = fits(opened, {}, Match(APPLY, score))
            assert 0 <= found.certainty <= 1


def test_what_an_article_rests_on_comes_before_what_only_shares_its_words(tmp_path: Path) -> None:
    """The support reaches the ranking: the article knows what the words do not tell."""
    question = Question("Which steward says yes to files of mine?")
    lay = article("lay", (question.text,), ("It does.", (evidence("pages/access.md", DECIDES),)))
    first = {}
    for name, articles in (("with", (lay,)), ("bare", ())):
        with with_articles(tmp_path / name, *articles) as opened:
            first[name] = retriever_over(opened).search(question, 1)[0].chunk.path
    assert first["with"] == "pages/access.md" != first["bare"]
