"""The composer with a model: passages in, statements with markers out, each guarded.

A statement is a sentence with its markers. It is yielded as soon as it is
complete and has passed the guard, and never taken back; what does not pass is
dropped, as a reader must not meet a sentence that its citation does not carry.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import NothingHolds, UnknownCitation
from rag.generator import Shown, conversation, generated, prompt
from rag.guard import Guard, Verdict
from rag.lexical import words
from rag.models import Turn
from rag.text import fold, sentences

if TYPE_CHECKING:  # without a model nothing of LangChain is imported
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

_MARKER = r"\[\^?\s*\d{1,3}(?:\s*[,;]\s*\d{1,3})*\s*\]"
_MARKERS = re.compile(_MARKER)
_AFTER_STOP = re.compile(rf"([.!?…][\"'”’»)]*)((?:\s*{_MARKER})+)(?=(\s*)(\S?))")
_ONLY_MARKERS = re.compile(rf"(?:\s*{_MARKER})*[\s.]*")
_OPEN_BRACKET = re.compile(r"\[[^\]\n]{0,20}$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)?")
_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][^<>]*>", re.DOTALL)
_LIST_MARK = re.compile(r"^\s*(?:[-*•#>]+|\d{1,2}[.)])\s+")
_EMPHASIS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_ENDS = re.compile(r"[.!?…][\"'”’»)]*$")
_SAME = 0.9
"""Share of all their words that two statements have in common from which they say the same."""
_LONGEST = 2000
"""Characters without an end of a sentence after which a model is not read on."""


@dataclass(frozen=True)
class Written:
    """A statement that has passed the guard."""

    text: str
    """Without markers and markup."""
    markers: tuple[int, ...]
    """Numbers of what the model was shown, 1-based."""


@dataclass(frozen=True)
class Draft:
    """A statement as the model wrote it, with what the guard says of it."""

    text: str
    markers: tuple[int, ...]
    verdict: Verdict


class Writer:
    """Answers with a chat model, under guard."""

    def __init__(self, model: BaseChatModel, guard: Guard, *, deadline_s: float):
        """Write with a model, for at most `deadline_s` seconds an answer."""
        self._model = model
        self.guard = guard
        self._deadline_s = deadline_s

    def write(
        self, question: str, language: str, shown: Sequence[Shown], history: Sequence[Turn] = ()
    ) -> Generator[Written, None, None]:
        """Yield the statements that hold, each as soon as it is complete.

        Who closes the iterator stops the model.

        Args:
            question: What was asked.
            language: ISO 639-1 of the reply.
            shown: What the model reads, best first; ``[1]`` is ``shown[0]``.
            history: The turns before the question.

        Raises:
            ModelUnavailable: The model fails, or the time is up.
            NothingHolds: It wrote, and nothing of it held.
        """
        held = False
        with closing(self.drafts(question, language, shown, history)) as drafts:
            for draft in drafts:
                if draft.verdict.holds:
                    held = True
                    yield Written(draft.text, draft.markers)
        if not held:
            raise NothingHolds("the language model wrote nothing that holds")

    def drafts(
        self, question: str, language: str, shown: Sequence[Shown], history: Sequence[Turn] = ()
    ) -> Generator[Draft, None, None]:
        """Yield all that the model writes, what is dropped with the reason.

        An invented marker regenerates once; what is said a second time is dropped.
        """
        until = time.monotonic() + self._deadline_s
        messages = conversation(question, language, shown, history)
        said: list[Written] = []
        wrote: list[str] = []
        for again in (False, True):
            try:
                with closing(generated(self._model, messages, until)) as pieces:
                    for text, markers in statements(_kept(pieces, wrote)):
                        try:
                            _check(markers, shown)
                        except UnknownCitation:
                            yield Draft(text, markers, Verdict(holds=False, reason="marker"))
                            if not again:
                                raise
                            continue
                        yield self._judged(text, markers, language, shown, said)
                return
            except UnknownCitation:
                messages = _again(messages, "".join(wrote), len(shown))

    def _judged(
        self,
        text: str,
        markers: tuple[int, ...],
        language: str,
        shown: Sequence[Shown],
        said: list[Written],
    ) -> Draft:
        if not markers:
            verdict = Verdict(holds=False, reason="no marker")
        elif any(_same(text, each.text) for each in said):
            verdict = Verdict(holds=False, reason="said before")
        else:
            cited = [shown[marker - 1].read for marker in markers]
            verdict = self.guard.check(text, cited, language)
        if verdict.holds:
            said.append(Written(text, markers))
        return Draft(text, markers, verdict)


def _check(markers: Sequence[int], shown: Sequence[Shown]) -> None:
    for marker in markers:
        if not 1 <= marker <= len(shown):
            raise UnknownCitation(f"there is no passage {marker}")


def _kept(pieces: Iterable[str], wrote: list[str]) -> Iterator[str]:
    """Pass pieces on, and keep them for a second try."""
    wrote.clear()
    for piece in pieces:
        wrote.append(piece)
        yield piece


def _again(messages: list[BaseMessage], wrote: str, count: int) -> list[BaseMessage]:
    from langchain_core.messages import AIMessage, HumanMessage

    line = prompt("again").format(count=count)
    return [*messages, AIMessage(wrote), HumanMessage(line)]


def statements(pieces: Iterable[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Cut a stream of text into sentences with their markers.

    Markers may stand before the full stop or after it. A sentence without any
    is carried by those that come next in its line, if any do: models often
    cite once for a paragraph, and the guard judges each sentence by itself.

    Yields:
        The sentence, without markup and markers, and its markers; none where
        its line has none that follow.
    """
    rest = ""
    waiting: list[str] = []
    for piece in pieces:
        rest += piece.replace("\r", "\n")
        *lines, rest = rest.split("\n")
        for line in lines:
            yield from _marked(_cut(line), waiting, line_ends=True)
        ready, rest = _ready(rest)
        yield from _marked(ready, waiting, line_ends=False)
        if len(rest) > _LONGEST:
            break
    # What was cut off in the middle of a sentence may say its opposite.
    last = [each for each in _cut(rest) if _ENDS.search(each) or _MARKERS.search(each[-9:])]
    yield from _marked(last, waiting, line_ends=True)


def _ready(text: str) -> tuple[list[str], str]:
    """The sentences of an unfinished line that are complete, and what remains."""
    opened = _OPEN_BRACKET.search(text)
    pending = text[opened.start() :] if opened else ""
    found = _cut(text[: len(text) - len(pending)])
    # The last one may go on, and markers alone may belong to it or to what follows.
    back = 2 if len(found) > 1 and _ONLY_MARKERS.fullmatch(found[-1]) else 1
    if not found[:-back]:
        return [], text
    ends = text.rstrip()[-1:] != text[-1:]
    kept = " ".join(found[-back:])
    return found[:-back], f"{kept}{' ' if ends and not pending else ''}{pending}"


def _cut(line: str) -> list[str]:
    """The sentences of a line, markers behind a full stop moved before it."""

    def moved(match: re.Match[str]) -> str:
        stop, markers, _, following = match.groups()
        # "[1] says that …" begins a sentence; without what follows nobody can tell.
        if not following or following.islower():
            return match.group()
        return f" {markers.strip()}{stop}"

    found = sentences(_AFTER_STOP.sub(moved, line))
    # At the end of a line markers belong to what stands before them.
    if len(found) > 1 and _ONLY_MARKERS.fullmatch(found[-1]):
        found[-2:] = [f"{found[-2]} {found[-1]}"]
    return found


def _marked(
    found: Iterable[str], waiting: list[str], *, line_ends: bool
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for sentence in found:
        bare = _bare(sentence)
        markers = _numbers(sentence)
        if not markers:
            waiting += [bare] if bare else []
            continue
        for each in [*waiting, *([bare] if bare else [])]:
            yield each, markers
        waiting.clear()
    if line_ends:
        for each in waiting:
            yield each, ()
        waiting.clear()


def _numbers(sentence: str) -> tuple[int, ...]:
    found = (
        int(number)
        for marker in _MARKERS.finditer(sentence)
        for number in re.findall(r"\d+", marker.group())
    )
    return tuple(dict.fromkeys(found))


def _bare(sentence: str) -> str:
    """The sentence without markers, links, tags, list marks and emphasis."""
    text = _LINK.sub(r"\1", _MARKERS.sub(" ", sentence))
    text = _EMPHASIS.sub("", _LIST_MARK.sub("", _TAG.sub(" ", text)))
    text = "".join(each for each in text if each.isprintable() or each.isspace())
    return re.sub(r"\s+([.,;:!?…])", r"\1", fold(text))


def _same(one: str, other: str) -> bool:
    first, second = set(words(one)), set(words(other))
    return len(first & second) >= _SAME * len(first | second)
