"""OpenAI's interface, so that existing chat clients can use the helpdesk."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import ServerSentEvent

from api.answering import Answering
from api.completions import MODEL, Completion, CompletionIn, ending, url_citations
from api.errors import CallRefused, explained, openai_body
from api.event_stream import EventStream
from rag.answerer import Answerer
from rag.models import Answer, Brought, Delta, Question

router = APIRouter(prefix="/v1", tags=["openai"])

_WHOLE = {"schema": {"type": "object", "description": "as OpenAI's `chat.completion`"}}
_IN_CHUNKS = {
    "schema": {"type": "string", "description": "`chat.completion.chunk`s, the last `[DONE]`"}
}
_MODEL = {"id": MODEL, "object": "model", "created": 0, "owned_by": "nmg-helpdesk"}


@router.get("/models")
def models() -> dict[str, Any]:
    """List the one model there is."""
    return {"object": "list", "data": [_MODEL]}


@router.get("/models/{name:path}", responses={404: {"description": "there is no such model"}})
def model(name: str) -> dict[str, Any]:
    """Return a model."""
    _check(name)
    return _MODEL


@router.post(
    "/chat/completions",
    responses={
        200: {"content": {"application/json": _WHOLE, "text/event-stream": _IN_CHUNKS}},
        404: {"description": "there is no such model"},
    },
)
async def completions(call: CompletionIn, request: Request) -> Response:
    """Answer the last message of a conversation, in the form of OpenAI's chat completions.

    The text ends with its sources by number and whom to ask next; each marker is also
    an annotation. Any key will do, and token counts are a quarter of the characters.
    """
    _check(call.model)
    question = call.to_question()
    answering: Answering = request.app.state.answering
    answerer = await answering.answerer()
    completion = Completion(question)
    if call.stream:
        usage = bool(call.stream_options and call.stream_options.include_usage)
        return EventStream(_chunks(answering, answerer, question, completion, usage))
    return JSONResponse(completion.whole(await answering.answer(answerer, question)))


def _check(name: str) -> None:
    if name != MODEL:
        raise CallRefused(404, f"the only model is {MODEL}", "model", "model_not_found")


async def _chunks(
    answering: Answering,
    answerer: Answerer,
    question: Question,
    completion: Completion,
    usage: bool,
) -> AsyncGenerator[ServerSentEvent]:
    """The reply piece by piece, closed by the word that OpenAI's clients wait for."""
    said = ""

    def event(data: dict[str, Any]) -> ServerSentEvent:
        return ServerSentEvent(json.dumps(data, ensure_ascii=False), sep="\n")

    try:
        yield event(completion.chunk({"role": "assistant", "content": ""}))
        async with aclosing(answering.stream(answerer, question)) as steps:
            async for made in steps:
                for delta in filter(None, map(_delta, made)):
                    said += delta["content"]
                    yield event(completion.chunk(delta))
        yield event(completion.chunk({}, "stop"))
        if usage:
            yield event(completion.counted(said))
        yield ServerSentEvent("[DONE]", sep="\n")
    except Exception as error:  # noqa: BLE001 - the reply has begun: it is told here, or nowhere
        yield event(openai_body(*explained(error)))


def _delta(step: Brought | Delta | Answer) -> dict[str, Any]:
    """What a step adds to the reply; empty: nothing."""
    if isinstance(step, Delta):
        return {"content": step.text}
    if isinstance(step, Answer):
        return {"content": ending(step), "annotations": url_citations(step)}
    return {}
