"""Questions answered beside the event loop, a few at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread

from api.desk.conversations import Conversations
from api.live import LiveIndex
from rag.answerer import Answerer
from rag.models import Answer, Brought, Delta, Passage, Question, Turn
from rag.triage.triager import Triage, Triager
from rag.usage import Usage

AT_ONCE = 16
"""Threads that search and answer; whoever comes later waits in line."""

_Result = TypeVar("_Result")
_END = None


class Answering:
    """What every door of the server calls to have a question answered."""

    def __init__(self, index: LiveIndex, usage: Usage, conversations: Conversations):
        """Answer from an index, counting and remembering what was answered."""
        self._index = index
        self._usage = usage
        self._conversations = conversations
        self._limiter = CapacityLimiter(AT_ONCE)

    async def answerer(self) -> Answerer:
        """Return the answerer of the current generation; whoever holds it keeps that one open.

        Raises:
            HelpdeskError: There is no index that could answer.
        """
        return await self._beside(self._index.answerer)

    async def warm_up(self, question: Question) -> None:
        """Have a question answered that nobody asked, and is neither counted nor remembered."""
        answerer = await self.answerer()
        await self._beside(partial(answerer.answer, question))

    async def search(self, answerer: Answerer, question: Question, count: int) -> list[Passage]:
        """Return the best passages, best first."""
        return await self._beside(partial(answerer.search, question, count))

    async def answer(self, answerer: Answerer, question: Question) -> Answer:
        """Answer a question; count and remember the answer."""

        def noted() -> Answer:
            answer = answerer.answer(question)
            self._note(answerer, question, answer)
            return answer

        return await self._beside(noted)

    async def stream(
        self, answerer: Answerer, question: Question
    ) -> AsyncGenerator[Brought | Delta | Answer]:
        """Answer a question piece by piece; count and remember the answer.

        A thread is held for each step, not for the whole stream: who reads slowly
        keeps nobody waiting. Closing the stream stops the work.
        """
        steps = answerer.stream(question)
        try:
            while (step := await self._beside(partial(next, steps, _END))) is not _END:
                if isinstance(step, Answer):
                    await self._beside(partial(self._note, answerer, question, step))
                yield step
        finally:
            # Whoever asked may be gone, and this task be cancelled: it is closed all the same.
            with CancelScope(shield=True):
                await to_thread.run_sync(steps.close)

    async def triage(
        self,
        triager: Triager,
        answerer: Answerer,
        subject: str,
        text: str,
        history: tuple[Turn, ...] = (),
    ) -> Triage:
        """Sort a message and draft its answer, which is neither counted nor remembered.

        Args:
            triager: Sorts it.
            answerer: Drafts the answer.
            subject: May be empty.
            text: What somebody wrote.
            history: What they had asked and were told before.

        Raises:
            HelpdeskError: What sorts cannot be read.
        """
        return await self._beside(partial(triager.triage, subject, text, answerer, history))

    def _note(self, answerer: Answerer, question: Question, answer: Answer) -> None:
        self._usage.count(answer)
        generation = answerer.generation.info.generation
        self._conversations.remember(answer, question.country, generation)

    async def _beside(self, work: Callable[[], _Result]) -> _Result:
        return await to_thread.run_sync(work, limiter=self._limiter)
