"""Questions and searches."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from api.answering import Answering
from api.errors import explained, problem_body
from api.event_stream import EventStream
from api.negotiation import preferred
from api.requests import QuestionIn, SearchIn
from api.schemas import AnswerOut, BroughtOut, DeltaOut, PassageOut, ProblemOut, SearchOut
from rag.answerer import Answerer
from rag.models import Answer, Brought, Delta, Question

router = APIRouter(prefix="/v1", tags=["answers"])

_JSON, _EVENTS = "application/json", "text/event-stream"
_IN_EVENTS = {
    "schema": {
        "type": "string",
        "description": "events `passages`, `delta`, `answer` and `error`, each with an id",
    }
}


@router.post(
    "/answers",
    responses={
        200: {"model": AnswerOut, "content": {_EVENTS: _IN_EVENTS}},
        406: {"model": ProblemOut, "description": "neither JSON nor events are wanted"},
    },
)
async def answer(question: QuestionIn, request: Request) -> Response:
    """Answer a question with citations, or abstain with a reason and a next step.

    Whole as JSON, or as it is made as server-sent events, as `Accept` prefers.
    """
    form = preferred(",".join(request.headers.getlist("accept")), (_JSON, _EVENTS))
    if form is None:
        raise HTTPException(406, f"an answer comes as {_JSON} or {_EVENTS}")
    answering: Answering = request.app.state.answering
    answerer = await answering.answerer()
    named = question.filters.topics if question.filters else []
    asked = question.to_question(tuple(answerer.generation.topic(name) for name in named))
    if form == _EVENTS:
        return EventStream(_events(answering, answerer, asked))
    told = AnswerOut.of(await answering.answer(answerer, asked), answerer.generation.info)
    return Response(told.model_dump_json(), media_type=_JSON)


async def _events(
    answering: Answering, answerer: Answerer, question: Question
) -> AsyncGenerator[bytes]:
    """What is sent of an answer while it is made."""
    numbers = count(1)

    def event(name: str, data: BaseModel) -> bytes:
        told = data.model_dump_json()
        return ServerSentEvent(told, event=name, id=str(next(numbers)), sep="\n").encode()

    try:
        async with aclosing(answering.stream(answerer, question)) as steps:
            async for made in steps:
                # What is there at once is sent at once: each piece sent costs as much as a search.
                yield b"".join(event(*_told(step, answerer)) for step in made)
    except Exception as error:  # noqa: BLE001 - the reply has begun: it is told here, or nowhere
        told: dict[str, Any] = problem_body(*explained(error))
        yield event("error", ProblemOut(**told))


def _told(step: Brought | Delta | Answer, answerer: Answerer) -> tuple[str, BaseModel]:
    match step:
        case Brought(passages):
            return "passages", BroughtOut(passages=[PassageOut.of(each) for each in passages])
        case Delta(text):
            return "delta", DeltaOut(text=text)
        case Answer():
            return "answer", AnswerOut.of(step, answerer.generation.info)


@router.get("/search")
async def search(asked: Annotated[SearchIn, Query()], request: Request) -> SearchOut:
    """Return the passages that fit a query best."""
    answering: Answering = request.app.state.answering
    answerer = await answering.answerer()
    question = Question(asked.q, filters=asked.to_filters(answerer.generation))
    passages = await answering.search(answerer, question, asked.k)
    return SearchOut(query=asked.q, passages=[PassageOut.of(passage) for passage in passages])
