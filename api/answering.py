"""Questions answered beside the event loop, a few at a time."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread

from api.desk.conversations import Conversations
from api.exchange import CURRENT
from api.live import LiveIndex, warm_up
from api.metrics import Metrics
from rag.answerer import Answerer
from rag.embedder import cores
from rag.models import Answer, Brought, Delta, Passage, Question, Turn
from rag.triage.triager import Triage, Triager
from rag.usage import Usage

_BESIDE_CORES = 2
"""Threads that search and answer, more than there are cores; whoever comes later waits in line.
With more of them all are slower, as they wait for each other in Python: of 50 visitors at once on
two cores the slowest waited half as long again with 16 threads as with four."""
_WRITING = 16
"""The least where a language model writes, which is waited for elsewhere."""

_Result = TypeVar("_Result")


class Answering:
    """What every door of the server calls to have a question answered."""

    def __init__(
        self,
        index: LiveIndex,
        usage: Usage,
        conversations: Conversations,
        metrics: Metrics,
        *,
        written: bool = False,
    ):
        """Answer from an index, counting and remembering what was answered.

        Args:
            index: Hands out what answers.
            usage: Counts.
            conversations: Remember.
            metrics: Tell how much is under way.
            written: Whether a language model writes the answers.
        """
        at_once = max(cores() + _BESIDE_CORES, _WRITING if written else 0)
        self._index = index
        self._usage = usage
        self._conversations = conversations
        self._metrics = metrics
        self._line = CapacityLimiter(at_once)
        self._threads = CapacityLimiter(at_once)

    async def answerer(self) -> Answerer:
        """Return the answerer of the current generation; whoever holds it keeps that one open.

        Raises:
            HelpdeskError: There is no index that could answer.
        """
        serving = self._index.serving
        return await self._beside(self._index.answerer) if serving is None else serving

    async def warm_up(self) -> None:
        """Have a question answered that nobody asked, and is neither counted nor remembered.

        Raises:
            HelpdeskError: There is no index that could answer.
        """
        await self._beside(partial(warm_up, await self.answerer()))

    async def search(self, answerer: Answerer, question: Question, count: int) -> list[Passage]:
        """Return the best passages, best first."""
        return await self._beside(partial(answerer.search, question, count))

    async def answer(self, answerer: Answerer, question: Question) -> Answer:
        """Answer a question; count and remember the answer."""

        def noted() -> Answer:
            answer = answerer.answer(question)
            self._note(answerer, question, answer)
            return answer

        with self._metrics.answering.track_inprogress():
            return await self._beside(noted)

    async def stream(
        self, answerer: Answerer, question: Question
    ) -> AsyncGenerator[Sequence[Brought | Delta | Answer]]:
        """Answer a question piece by piece; count and remember the answer.

        A thread does all of it in one go, whoever reads how slowly; the pieces wait here.
        Closing the stream stops the work at its next piece.

        Yields:
            What was made since the last time.
        """
        made: deque[Brought | Delta | Answer] = deque()
        more, gone = asyncio.Event(), threading.Event()
        told = partial(asyncio.get_running_loop().call_soon_threadsafe, more.set)

        def work() -> None:
            with closing(answerer.stream(question)) as steps:
                # Looked at first, too: it may have been in line for long.
                while not gone.is_set() and (step := next(steps, None)) is not None:
                    if isinstance(step, Answer):
                        self._note(answerer, question, step)
                    made.append(step)
                    told()

        def ended(work: asyncio.Task[None]) -> None:
            # Looked at, or it would be told of where nobody reads to the end.
            _ = work.cancelled() or work.exception()
            more.set()

        working = asyncio.create_task(self._beside(work))
        working.add_done_callback(ended)
        self._metrics.answering.inc()
        try:
            while made or not working.done():
                await more.wait()
                more.clear()
                if made:
                    yield [made.popleft() for _ in range(len(made))]
            await working
        finally:
            self._metrics.answering.dec()
            gone.set()
            # Whoever asked may be gone, and this task be cancelled: the work ends all the same.
            with CancelScope(shield=True):
                await asyncio.wait([working])

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
        self._metrics.answered(answer)
        generation = answerer.generation.info.generation
        if exchange := CURRENT.get():
            exchange.answered(answer, generation)
        self._conversations.remember(answer, question.country, generation)

    async def _beside(self, work: Callable[[], _Result]) -> _Result:
        # In two steps, so that who waits can be told from who works.
        place = object()
        with self._metrics.waiting.track_inprogress():
            await self._line.acquire_on_behalf_of(place)
        try:
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._line.release_on_behalf_of(place)
