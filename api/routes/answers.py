"""Questions and searches."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from api.live import LiveIndex
from api.schemas import (
    AnswerOut,
    Country,
    Label,
    Name,
    PassageOut,
    QuestionIn,
    SearchOut,
    Text,
)
from rag.models import Filters, Question
from rag.usage import Usage

router = APIRouter(prefix="/v1", tags=["answers"])


def _index(request: Request) -> LiveIndex:
    index: LiveIndex = request.app.state.services.index
    return index


@router.post("/answers")
def answer(question: QuestionIn, request: Request) -> AnswerOut:
    """Answer a question with citations, or abstain with a reason and a next step."""
    answerer = _index(request).answerer()
    named = question.filters.topics if question.filters else []
    topics = tuple(answerer.generation.topic(name) for name in named)
    answer = answerer.answer(question.to_question(topics))
    usage: Usage = request.app.state.services.usage
    usage.count(answer)
    return AnswerOut.of(answer, answerer.generation.info)


@router.get("/search")
def search(
    request: Request,
    q: Annotated[Text, Query()],
    k: Annotated[int, Query(ge=1, le=100)] = 10,
    label: Annotated[Label | None, Query()] = None,
    country: Annotated[Country | None, Query()] = None,
    source: Annotated[Name | None, Query()] = None,
    topic: Annotated[Name | None, Query()] = None,
    type: Annotated[  # noqa: A002 - the contract's name
        Literal["page", "pdf", "article", "navigation"] | None, Query()
    ] = None,
) -> SearchOut:
    """Return the passages that fit a query best."""
    answerer = _index(request).answerer()
    filters = Filters(
        labels=(label,) if label else (),
        countries=(country,) if country else (),
        sources=(source,) if source else (),
        kinds=(type,) if type else (),
        topics=(answerer.generation.topic(topic),) if topic else (),
    )
    passages = answerer.search(Question(q, filters=filters), k)
    return SearchOut(query=q, passages=[PassageOut.of(passage) for passage in passages])
