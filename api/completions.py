"""OpenAI's chat completions: their messages to our question, our answer to their message.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
)

from api.errors import CallRefused
from api.requests import MAX_QUESTION, MAX_TURNS
from rag.models import Answer, Citation, Question, Turn

MODEL = "helpdesk"
"""The one model there is."""
_LETTERS_PER_TOKEN = 4
"""A token of English text, roughly; nothing is billed by these counts."""
_MARKER = re.compile(r"\[(\d{1,3})\]")


_WITHOUT_NUL = r"^[^\x00]*$"
_PART = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {
        "type": {"const": "text"},
        "text": {"type": "string", "pattern": _WITHOUT_NUL},
    },
}


def _text_of(content: object) -> object:
    """The text of a message, given as one or in parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            raise ValueError("only parts of type text can be read")
        texts = [part.get("text") for part in content]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("a part of type text must hold a text")
        content = "\n".join(texts)
    if isinstance(content, str) and re.search("[\0\ud800-\udfff]", content):
        raise ValueError("must not hold NUL or halves of characters")
    return content


Content = Annotated[
    str,
    BeforeValidator(_text_of),
    WithJsonSchema(
        {
            "description": "the text, or a list of parts of type text",
            "anyOf": [
                {"type": "string", "pattern": _WITHOUT_NUL},
                {"type": "array", "items": _PART},
                {"type": "null"},
            ],
        }
    ),
]

MAX_MESSAGES = 500
"""Of one call; only the last turns count anyway."""


class MessageIn(BaseModel):
    """A message of a conversation."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = ""


class StreamOptions(BaseModel):
    """What a stream ends with."""

    model_config = ConfigDict(frozen=True)

    include_usage: StrictBool = False


class CompletionIn(BaseModel):
    """A call; temperature, tools and all that steers a language model are passed over."""

    model_config = ConfigDict(frozen=True)

    model: str
    # Of a list without a limit every entry is checked, and each fault written out.
    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: StrictBool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=1, strict=True)] | None = 1

    def to_question(self) -> Question:
        """The last message of the user with the turns before it.

        Raises:
            CallRefused: It holds no question, or one that is too long.
        """
        asked = max(
            (at for at, message in enumerate(self.messages) if message.role == "user"),
            default=None,
        )
        text = "" if asked is None else self.messages[asked].content
        if not text.strip():
            raise CallRefused(400, "the last message of the user must hold a text", "messages")
        if len(text) > MAX_QUESTION:
            raise CallRefused(
                400,
                f"the last message of the user is longer than {MAX_QUESTION} characters",
                "messages",
                "context_length_exceeded",
            )
        # A chat client sends all it has: the oldest turns and the ends of long ones are left out.
        turns = [
            Turn(message.role, message.content[:MAX_QUESTION])
            for message in self.messages[:asked]
            if (message.role == "user" or message.role == "assistant") and message.content.strip()
        ]
        return Question(text, history=tuple(turns[-MAX_TURNS:]))


def ending(answer: Answer) -> str:
    """What follows the text of an answer: its sources by number, and what to do next."""
    markers: dict[str, str] = {}
    for citation in answer.citations:
        # Several sentences of one place are one source to a reader.
        place = _place(citation)
        markers[place] = f"{markers.get(place, '')}[{citation.marker}]"
    sources = "\n".join(f"{numbers} {place}" for place, numbers in markers.items())
    step = answer.next_step.text if answer.next_step else ""
    return "".join(f"\n\n{part}" for part in (sources, step) if part)


def _place(citation: Citation) -> str:
    headings = " > ".join(dict.fromkeys((citation.title, *citation.section)))
    return " ".join(filter(None, (headings, citation.url)))


def url_citations(answer: Answer) -> list[dict[str, Any]]:
    """Where in the text which address is cited; offsets in characters, the end excluded."""
    cited = {citation.marker: citation for citation in answer.citations}
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": marker.start(),
                "end_index": marker.end(),
                "url": citation.url,
                "title": citation.title,
            },
        }
        for marker in _MARKER.finditer(answer.text)
        if (citation := cited.get(int(marker[1]))) and citation.url
    ]


class Completion:
    """One reply: what its parts, whole or in chunks, have in common."""

    def __init__(self, question: Question):
        """Begin the reply to a question."""
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._asked = len(question.text) + sum(len(turn.text) for turn in question.history)

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The reply in one piece."""
        content = answer.text + ending(answer)
        message = {
            "role": "assistant",
            "content": content,
            "refusal": None,
            "annotations": url_citations(answer),
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return self._object("chat.completion", [choice], usage=self._usage(content))

    def chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        """A piece of the reply."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._object("chat.completion.chunk", [choice])

    def counted(self, content: str) -> dict[str, Any]:
        """The chunk that tells how much was said."""
        return self._object("chat.completion.chunk", [], usage=self._usage(content))

    def _object(self, kind: str, choices: list[Any], **more: object) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": MODEL,
            "choices": choices,
            **more,
        }

    def _usage(self, content: str) -> dict[str, int]:
        asked, said = (-(-size // _LETTERS_PER_TOKEN) for size in (self._asked, len(content)))
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
