"""Articles of staff on their way into the index: by the command of ingest, one at a time."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from api.desk.database import DeskUnavailable
from api.desk.desk import Desk
from api.desk.drafts import Draft, DraftState, Found, Outcome, SeenDraft
from api.desk.turns import KEEPS_UP_S, turn_of
from rag.article_drafts import Written, article_text
from rag.models import ArticleStatement
from rag.text import printable

_LOG = logging.getLogger(__name__)
_LINE = 300
"""Characters of what a command complained of that are shown."""
_TURN = "publishing"
_AGAIN_S = 10
"""Until the desk is told again what it could not be told, or looked at for what was left."""
_TIMES = 30
"""How often it is tried to tell what came of a draft, before that is only given back."""
_UNTOLD = "what came of it could not be stored"
_TURN_S = 0.2
"""Between two looks whether another server has done."""
_GRACE_S = 5
"""How long a command that is to end may take back what it did."""

_Told = TypeVar("_Told", bound=BaseModel)


class _FindingTold(BaseModel):
    kind: str
    said: str


class _PublishTold(BaseModel):
    """What the command says of an article that was to be published."""

    article: str
    published: bool
    there: bool = True
    """Whether a state of it is among the articles, or may be."""
    findings: list[_FindingTold]
    generation: str | None


class _WithdrawTold(BaseModel):
    """What it says of one that was to be taken out."""

    article: str
    withdrawn: bool
    """False where it was not there: then somebody has done so before."""
    generation: str | None


class NotDone(Exception):
    """Nobody says that it was done; why is told in the draft."""


@dataclass(frozen=True)
class Publisher:
    """How the index is changed: a program of its own, as only one door writes it."""

    command: Sequence[str]
    """``publish FILE --json`` or ``withdraw ID --json`` is put behind it."""
    env: Mapping[str, str]
    """All of its environment."""
    timeout_s: float = 900
    """It may have to wait until another ingest lets the index go."""

    async def told(self, form: type[_Told], *arguments: str) -> _Told:
        """Run it, and return what it says.

        Raises:
            NotDone: It did not do it; the message is one line.
        """
        try:
            process = await asyncio.to_thread(self._started, *arguments, "--json")
        except OSError as error:
            raise NotDone(f"it cannot be run: {error.strerror or type(error).__name__}") from error
        ending = asyncio.ensure_future(asyncio.to_thread(process.communicate))
        late = False
        try:
            async with asyncio.timeout(self.timeout_s):
                await asyncio.shield(ending)
        except TimeoutError:
            late = True
        finally:
            # Timed out, or the server stops.
            if not ending.done():
                await _ended(process, ending)
        said, complaint = ending.result()
        try:
            return form.model_validate_json(said)
        except ValidationError as error:
            if late:
                raise NotDone(f"it was not done within {self.timeout_s:g} s") from None
            lines = complaint.decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            told = printable(last, _LINE) or f"it ended with {process.returncode}"
            raise NotDone(told) from error

    def _started(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin to run it.

        Not by the event loop: uvloop forks, and a fork waits for ever for a thread of numpy's
        that multiplies meanwhile, and with it the whole server. This calls vfork.
        """
        return subprocess.Popen(  # noqa: S603 - the command is the operator's
            [*self.command, *arguments],
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


async def _ended(
    process: subprocess.Popen[bytes], ending: asyncio.Future[tuple[bytes, bytes]]
) -> None:
    """Have a command take back what it has begun, and end; where it does not, kill it."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait([ending], timeout=_GRACE_S)
    finally:
        if not ending.done():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await ending


class Publishing:
    """Publishes and withdraws beside the requests, one after the other.

    While there is anything to do it has the turn, which all servers over the same desk share, so
    that one that starts takes nothing for broken off that another is at.
    """

    def __init__(self, desk: Desk, publisher: Publisher):
        """Tell the desk what came of it."""
        self._desk = desk
        self._publisher = publisher
        self._turn = asyncio.Lock()
        self._ours = turn_of(desk.database, _TURN)
        self._tasks: set[asyncio.Task[None]] = set()
        self._mine: set[str] = set()
        """Ids of the drafts that are done here, or wait for it."""
        self._left: frozenset[SeenDraft] = frozenset()
        """Drafts that nobody was at when it was looked last."""

    async def resume(self) -> None:
        """Give back to staff what a server that has gone had begun.

        What looks so may wait for its turn in another process, which takes it within a moment: it
        is given back if nobody was at it some seconds later either. Where another server is at
        work, or the desk cannot be reached, as soon as that is over.
        """
        if not await self._resumed():
            self._start(self._resuming())

    def publish(self, draft: Draft) -> None:
        """Begin to publish a draft whose state says so."""
        self._begin(draft, partial(self._published, draft), "refused")

    def withdraw(self, draft: Draft) -> None:
        """Begin to take out of the index what became of a draft whose state says so."""
        self._begin(draft, partial(self._withdrawn, draft), "published")

    async def stop(self) -> None:
        """Stop what is being done; `resume` tells of it when the server starts again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _begin(
        self, draft: Draft, work: Callable[[], Awaitable[Outcome]], otherwise: DraftState
    ) -> None:
        self._mine.add(draft.draft_id)
        task = self._start(self._done(draft, work, otherwise))
        task.add_done_callback(lambda _: self._mine.discard(draft.draft_id))

    async def _resuming(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN_S)
            if await self._resumed():
                return

    async def _resumed(self) -> bool:
        """Look once; returns whether nothing is left that was begun."""
        before, self._left = self._left, frozenset()
        async with self._turn:
            try:
                if not await self._desk.beside(self._ours.take):
                    return False
                busy = await self._desk.beside(self._desk.drafts.busy)
                left = frozenset(each for each in busy if each.draft_id not in self._mine)
                twice = left & before
                found = await self._desk.beside(partial(self._desk.drafts.resume, twice))
            except Exception as error:  # noqa: BLE001 - it is tried again
                _LOG.warning("what was broken off is not given back: %s", type(error).__name__)
                return False
            finally:
                await self._let_go(waiting=len(self._mine))
        if found:
            _LOG.warning("not done, as the server stopped: %s", " ".join(found))
        self._left = left - twice
        return not self._left

    async def _done(
        self, draft: Draft, work: Callable[[], Awaitable[Outcome]], otherwise: DraftState
    ) -> None:
        seen = SeenDraft(draft.draft_id, draft.version)
        async with self._turn:
            keeping = asyncio.create_task(self._keeping_up())
            try:
                outcome = await self._outcome(seen, work, otherwise)
                await self._tell(seen, outcome, otherwise)
            finally:
                keeping.cancel()
                # What waits here would look broken off to others.
                await self._let_go(waiting=len(self._mine) - 1)

    async def _outcome(
        self, seen: SeenDraft, work: Callable[[], Awaitable[Outcome]], otherwise: DraftState
    ) -> Outcome:
        try:
            await self._alone()
            if not await self._desk.beside(partial(self._desk.drafts.waits, seen)):
                raise NotDone("it was given back")
            return await work()
        except NotDone as error:
            return Outcome(otherwise, (Found("failed", str(error)),))
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the draft tells
            _LOG.error("draft %s: %s", seen.draft_id, type(error).__name__)
            return Outcome(otherwise, (Found("failed", "something went wrong here"),))

    async def _alone(self) -> None:
        """Wait until no other server publishes; released by whoever calls this."""
        while not await self._desk.beside(self._ours.take):
            await asyncio.sleep(_TURN_S)

    async def _keeping_up(self) -> NoReturn:
        """Say again and again that this server is at it."""
        while True:
            await asyncio.sleep(KEEPS_UP_S)
            with suppress(DeskUnavailable):
                await self._desk.beside(self._ours.take)

    async def _let_go(self, waiting: int) -> None:
        if waiting <= 0:
            with suppress(DeskUnavailable):  # it runs out
                await self._desk.beside(self._ours.release)

    async def _tell(self, seen: SeenDraft, outcome: Outcome, otherwise: DraftState) -> None:
        """Have the desk note what came of it, however long that takes.

        What cannot be noted may be why: after some time the draft is only given back.
        """
        tries = 0
        while True:
            try:
                await self._desk.beside(partial(self._desk.drafts.finish, seen, outcome))
            except Exception as error:  # noqa: BLE001 - a draft must not stay as it is for good
                _LOG.error("draft %s is not told: %s", seen.draft_id, type(error).__name__)
                await asyncio.sleep(_AGAIN_S)
            else:
                return
            tries += 1
            if tries == _TIMES:
                outcome = Outcome(otherwise, (Found("failed", _UNTOLD),))

    async def _published(self, draft: Draft) -> Outcome:
        with TemporaryDirectory(prefix="article-") as folder:
            file = Path(folder) / f"{draft.article_id}.md"
            await asyncio.to_thread(file.write_text, article_text(written(draft)), "utf-8")
            told = await self._publisher.told(_PublishTold, "publish", str(file))
        found = tuple(
            Found(printable(each.kind, _LINE), printable(each.said, _LINE))
            for each in told.findings
        )
        if not told.published:
            return Outcome("refused", found, gone=not told.there)
        return Outcome("published", found, told.generation)

    async def _withdrawn(self, draft: Draft) -> Outcome:
        # Where it is not there any more, that is as well.
        await self._publisher.told(_WithdrawTold, "withdraw", str(draft.article_id))
        return Outcome("withdrawn", gone=True)


def written(draft: Draft) -> Written:
    """A draft as an article, checked and signed today."""
    content = draft.content
    return Written(
        title=draft.title,
        intent=content.intent,
        audience=content.audience,
        asks=content.asks,
        statements=[
            ArticleStatement(each.text, tuple(content.evidence[key] for key in each.evidence))
            for each in content.statements
        ],
        checked=datetime.now(UTC).date(),
        country=content.country,
        reviewed_by=content.reviewed_by,
    )
