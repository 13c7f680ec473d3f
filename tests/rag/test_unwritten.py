from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shelf
from fakes import HashingEmbedder, retriever_of
from hypothesis import example, given
from hypothesis import strategies as st

from rag.articles import ANY
from rag.countries import countries_in
from rag.declining import Refusal
from rag.embedder import Vectors
from rag.errors import BadSetting
from rag.index import Generation
from rag.language import LANGUAGES
from rag.models import Ask, Gap, Question
from rag.unwritten import Examples, Unwritten, not_written_yet, probes

CORPUS = shelf.ROOT / "corpus"
GAPS = (shelf.PORTUGAL, shelf.COURSES)
EVENTS = Gap("page", "aurora:events.md", "aurora", "events.md", "Events", (), None)
EXAMPLES = Examples(
    pages={"Events": (Ask("which gatherings come next in spring", "en"),)},
    national=(
        Ask("what has Portugal shared about its node", "en"),
        Ask("whom to write to in Estonia about its node", "en"),
    ),
    elsewhere=(
        Ask("has Portugal joined the alliance", "en"),
        Ask("was Estonia among those who joined the alliance", "en"),
    ),
)


class Unread(HashingEmbedder):
    """Fails where something is embedded that the index holds."""

    def queries(self, texts: object) -> Vectors:
        raise AssertionError(f"embedded anew: {texts}")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    """The invented framework with an empty page, and vectors of the ways to ask for it."""
    made = shelf.framework()
    held = shelf.contents(replace(made, gaps=(*made.gaps, EVENTS)))
    model = HashingEmbedder()
    titles = [each.card.title for each in held.documents if each.card.kind != "article"]
    asked = (ask.text for article in held.articles for ask in article.asks)
    texts = (*EXAMPLES.texts, *probes(held.gaps, titles), *asked)
    held = replace(
        held,
        standing=dict(zip(texts, model.queries(texts), strict=True)),
        ask_centres={ANY: np.full(model.dimensions, 1e-3, dtype=np.float32)},
    )
    store = shelf.Store(tmp_path_factory.mktemp("unwritten"))
    store.write(shelf.FIRST, held)
    opened = store.open()
    yield opened
    opened.close()


def refused(generation: Generation, question: str, *written: str) -> Refusal | None:
    unwritten = Unwritten(generation, Unread(), EXAMPLES)
    query = retriever_of(generation, HashingEmbedder()).query(Question(question))
    return unwritten.refusal(query, written)


def test_an_empty_page_is_told_in_other_words_than_its_title(learned: Generation) -> None:
    refusal = refused(learned, "Which gatherings come next?")
    assert refusal is not None
    assert (refusal.message, refusal.gap) == ("not_written_yet_page", EVENTS)
    assert not refusal.sure


def test_what_is_near_to_no_empty_page_is_not_refused(learned: Generation) -> None:
    assert refused(learned, "Who signs the transfer agreement?") is None


def test_an_article_that_is_asked_like_it_goes_before_an_empty_page(learned: Generation) -> None:
    ask = next(each for each in learned.articles if not each.declines).asks[0].text
    examples = replace(EXAMPLES, pages={"Events": (Ask(ask, "en"),)})
    query = retriever_of(learned, HashingEmbedder()).query(Question(ask))
    assert Unwritten(learned, Unread(), examples).refusal(query, []) is None


def test_a_question_that_the_page_of_a_country_is_there_for_is_refused(
    learned: Generation,
) -> None:
    refusal = refused(learned, "What has Portugal shared about its node so far?")
    assert refusal is not None
    assert refusal.gap == shelf.PORTUGAL


def test_a_question_on_a_country_that_others_answer_is_not_refused(learned: Generation) -> None:
    assert refused(learned, "Has Portugal now joined the alliance?") is None


def test_an_index_without_the_vectors_tells_by_words(generation: Generation) -> None:
    unwritten = Unwritten(generation, HashingEmbedder(), EXAMPLES)
    query = retriever_of(generation, HashingEmbedder()).query(
        Question("What is on the page of Portugal?")
    )
    refusal = unwritten.refusal(query, [])
    assert refusal is not None
    assert refusal.gap == shelf.PORTUGAL


def test_a_country_that_is_merely_named_in_another_language_does_not_make_its_page_written() -> (
    None
):
    written = ["Members of the board: Estonia, Portugal, Spain."]
    asked = "Que documentos publicou Portugal?"
    assert not_written_yet(asked, "pt", [shelf.PORTUGAL], written, national=True) is not None
    assert not_written_yet(asked, "pt", [shelf.PORTUGAL], written, national=False) is None


def test_the_examples_that_ship_can_be_used() -> None:
    shipped = Examples.load(CORPUS)
    assert {ask.language for ask in shipped.national} == set(LANGUAGES)
    assert {ask.language for ask in shipped.elsewhere} == set(LANGUAGES)
    assert all(countries_in(ask.text, ask.language) for ask in shipped.national)
    assert len(shipped.texts) == len(set(shipped.texts))
    assert not {ask.text for ask in shipped.national} & {ask.text for ask in shipped.elsewhere}


@pytest.mark.parametrize(
    "held", ["national: {en: [x]}", "pages: {Events: [one]}", "other: {}", "national: {no: [Hei]}"]
)
def test_a_slip_in_the_examples_is_told(tmp_path: Path, held: str) -> None:
    (tmp_path / "unwritten.yaml").write_text(held)
    with pytest.raises(BadSetting, match=r"unwritten\.yaml"):
        Examples.load(tmp_path)


@given(st.text(max_size=80), st.sampled_from([True, False, None]))
@example("role", False)  # a word by which pages are asked for
def test_whatever_is_asked_a_country_is_refused_only_where_its_page_is_meant(
    text: str, national: bool | None
) -> None:
    refusal = not_written_yet(f"Portugal {text}", "en", [shelf.PORTUGAL], [], national)
    assert refusal is None or (national is not False and refusal.gap == shelf.PORTUGAL)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Who is the contact in Portugal?", "en"),
        ("What do Portuguese holders have to sign?", "en"),
        ("What is on the page of Portugal?", "en"),
        ("Quem é o contacto em Portugal?", "pt"),
        ("Wer ist die Kontaktstelle in Portugal?", "de"),
    ],
)
def test_a_country_whose_page_is_empty_is_not_written_yet(question: str, language: str) -> None:
    refusal = not_written_yet(question, language, GAPS, [shelf.ESTONIA, shelf.SIGNS])
    assert refusal is not None
    assert refusal.gap == shelf.PORTUGAL
    assert (refusal.reason, refusal.message) == ("not_written_yet", "not_written_yet_page")


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Who runs the node of Estonia?", "en"),
        ("Who decides?", "en"),
        ("Do Portugal and Estonia share a node?", "en"),
        ("Who answers in Iceland?", "en"),
        ("Wer antwortet in Estland?", "de"),
        ("Var finns information om genomik?", "sv"),
    ],
)
def test_a_question_beyond_the_empty_pages_is_not_refused(question: str, language: str) -> None:
    finland = shelf.replace(shelf.PORTUGAL, title="Finland", country="FI")
    assert not_written_yet(question, language, (*GAPS, finland), [shelf.SIGNS]) is None


def test_what_other_pages_say_of_the_country_is_written_after_all() -> None:
    written = ["The mirror of Portugal meets in Porto, and a secretary answers its letters."]
    assert not_written_yet("Where does Portugal meet?", "en", GAPS, written) is None
    assert not_written_yet("Onde se reúne Portugal?", "pt", GAPS, written) is None


def test_a_country_named_in_passing_does_not_make_its_page_written() -> None:
    written = ["Members of the board: Estonia, Portugal, Spain."]
    refusal = not_written_yet("Which form do I sign in Portugal?", "en", GAPS, written)
    assert refusal is not None
    assert refusal.gap == shelf.PORTUGAL


def test_a_question_for_an_empty_section_is_not_written_yet() -> None:
    refusal = not_written_yet("What is in the section Courses?", "en", GAPS, [])
    assert refusal is not None
    assert refusal.gap == shelf.COURSES
    assert refusal.message == "not_written_yet_section"


def test_a_word_of_an_empty_title_alone_is_no_question_for_the_page() -> None:
    assert not_written_yet("Which courses are held in spring?", "en", GAPS, []) is None


def test_the_gap_whose_title_says_most_is_named() -> None:
    title = "Courses for stewards"
    longer = Gap("page", "aurora:long.md", "aurora", "long.md", title, (), None)
    refusal = not_written_yet(
        "What is on the page Courses for stewards?", "en", (*GAPS, longer), []
    )
    assert refusal is not None
    assert refusal.gap == longer


def test_without_gaps_everything_is_written() -> None:
    assert not_written_yet("What is on the page of Portugal?", "en", (), []) is None


def test_a_country_without_a_page_is_said_to_have_none() -> None:
    missing = Gap(
        "country_page",
        "aurora:nations.md",
        "aurora",
        "nations.md",
        "Nations",
        (),
        "https://x",
        "PL",
    )
    refusal = not_written_yet("What does Poland offer?", "en", (*GAPS, missing), [])
    assert refusal is not None
    assert (refusal.message, refusal.gap) == ("not_written_yet_country", missing)
    assert not_written_yet("What is on the page Nations?", "en", (missing,), []) is None
    aside = "I work in Poland; which agreement must our laboratory sign to share reads?"
    assert not_written_yet(aside, "en", (missing,), []) is None
    written = ["Poland offers a node and a helpdesk."]
    assert not_written_yet("Is there a node in Poland?", "en", (missing,), written) is None


def test_a_country_page_that_lists_nothing_still_answers() -> None:
    silent = Gap("country", "aurora:be.md", "aurora", "be.md", "Belgium", (), "https://x/be", "BE")
    assert not_written_yet("What does Belgium offer?", "en", (silent,), []) is None


def test_a_question_for_an_empty_section_is_told_by_the_generation(
    generation: Generation,
) -> None:
    unwritten = Unwritten(generation, HashingEmbedder())
    asked = retriever_of(generation, HashingEmbedder()).query(
        Question("What is in the section Courses?")
    )
    refusal = unwritten.refusal(asked, [])
    assert refusal is not None
    assert refusal.gap == shelf.COURSES


def test_a_written_page_with_the_title_of_an_empty_one_is_no_rival() -> None:
    assert len(probes([shelf.COURSES], ["Other"])) == 2
    name = " > ".join((shelf.COURSES.title, *shelf.COURSES.section))
    assert len(probes([shelf.COURSES], [name, "Other"])) == 2
