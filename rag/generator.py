"""Question and passages to text, by a LangChain chat model.

The model has no tools. What it is given to read is data: it stands inside
marks that no document can close, and the rules stand in the system's message.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape

from rag.errors import ModelUnavailable
from rag.models import Turn
from rag.text import fold

if TYPE_CHECKING:  # without a model nothing of LangChain is imported
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

_Pieces = queue.Queue[str | Exception | None]
"""What a model writes; None where it ends."""
_PROMPTS = Path(__file__).parent / "prompts"
_TURNS = 6
"""Earlier turns that the model reads."""
_TURN_AT_MOST = 1000
"""Characters of one of them."""
_FOOTNOTE = re.compile(r"\s?\[\^?\d{1,3}\]")
"""Footnotes of a source would pass for numbers of passages."""


@dataclass(frozen=True)
class Shown:
    """Something the model is given to read; the first has the number 1."""

    text: str
    title: str
    section: tuple[str, ...] = ()
    """Heading path."""
    label: str | None = None
    date: str | None = None
    kind: Literal["article", "passage"] = "passage"

    @property
    def read(self) -> str:
        """All a statement may rest on: headings, label and date, then the text, by line."""
        heads = dict.fromkeys((self.title, *self.section, self.label or "", self.date or ""))
        return "\n".join([*filter(None, heads), self.text])


def generated(
    model: BaseChatModel, messages: Sequence[BaseMessage], until: float
) -> Generator[str, None, None]:
    """Yield what a model writes, piece by piece.

    The model runs in a thread of its own, as a stalled one cannot be
    interrupted. Who stops reading stops the model at its next token.

    Args:
        model: Any chat model of LangChain.
        messages: The conversation, see `conversation`.
        until: When `time.monotonic` says so, the time is up.

    Raises:
        ModelUnavailable: The model fails, or the time is up.
    """
    pieces: _Pieces = queue.Queue()
    stopped = threading.Event()
    threading.Thread(
        target=_pump, args=(model, list(messages), pieces, stopped), name="model", daemon=True
    ).start()
    try:
        while True:
            left = until - time.monotonic()
            try:
                # What is ready when the time is up is late: a model may never end.
                piece = pieces.get(timeout=left) if left > 0 else None
            except queue.Empty:
                left = 0
            if left <= 0:
                raise ModelUnavailable("the language model takes too long")
            if isinstance(piece, Exception):
                raise ModelUnavailable(
                    f"the language model fails: {type(piece).__name__}"
                ) from piece
            if piece is None:
                return
            yield piece
    finally:
        stopped.set()


def _pump(
    model: BaseChatModel,
    messages: list[BaseMessage],
    pieces: _Pieces,
    stopped: threading.Event,
) -> None:
    try:
        stream = model.stream(messages)
        for chunk in stream:
            if stopped.is_set():
                # The connection ends with the stream, and so does the model's work.
                getattr(stream, "close", lambda: None)()
                return
            if chunk.text:
                pieces.put(str(chunk.text))
        pieces.put(None)
    except Exception as error:  # noqa: BLE001 - raised again where somebody waits
        pieces.put(error)


def conversation(
    question: str, language: str, shown: Sequence[Shown], history: Sequence[Turn]
) -> list[BaseMessage]:
    """The rules as the system's message; all that others wrote as the user's."""
    from langchain_core.messages import HumanMessage, SystemMessage

    rules = prompt("answer").format(language=_name_of(language))
    parts = ["<passages>", *(_fenced(n, each) for n, each in enumerate(shown, 1)), "</passages>"]
    if history:
        turns = [
            f'<turn role="{turn.role}">{_inside(turn.text[:_TURN_AT_MOST])}</turn>'
            for turn in history[-_TURNS:]
        ]
        parts += ["<conversation>", *turns, "</conversation>"]
    parts.append(f"<question>{_inside(question)}</question>")
    return [SystemMessage(rules), HumanMessage("\n".join(parts))]


@cache
def prompt(name: str) -> str:
    """The words of ``rag/prompts/<name>.md``."""
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()


def _fenced(number: int, shown: Shown) -> str:
    facts = {
        "title": " > ".join(dict.fromkeys((shown.title, *shown.section))),
        "label": shown.label,
        "date": shown.date,
    }
    named = "".join(f' {name}="{_inside(fold(value))}"' for name, value in facts.items() if value)
    text = _inside(_FOOTNOTE.sub("", shown.text))
    return f'<passage number="{number}"{named}>\n[{number}] {text}\n</passage>'


def _inside(text: str) -> str:
    """A text that cannot close what stands around it."""
    return escape(text.strip(), {'"': "&quot;"})


def _name_of(language: str) -> str:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(language).get_display_name("en") or language
    except (UnknownLocaleError, ValueError):
        return "English"
