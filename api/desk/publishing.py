"""Articles of staff on their way into the index: by the command of ingest, one at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from api.desk.database import DeskUnavailable
from api.desk.desk import Desk
from api.desk.drafts import Draft, DraftState, Found, Outcome
from rag.article_drafts import Written, article_text, file_name
from rag.models import ArticleStatement
from rag.text import printable

_LOG = logging.getLogger(__name__)
_LINE = 300
"""Characters of what a command complained of that are shown."""
_AGAIN_S = 10
"""Until the desk is told again what it could not be told."""

_Told = TypeVar("_Told", bound=BaseModel)


class _FindingTold(BaseModel):
    kind: str
    said: str


class _PublishTold(BaseModel):
    """What the command says of an article that was to be published."""

    article: str
    published: bool
    findings: list[_FindingTold]
    generation: str | None


class _WithdrawTold(BaseModel):
    """What it says of one that was to be taken out."""

    article: str
    withdrawn: bool
    generation: str | None


class NotDone(Exception):
    """The index was not changed; it is told in the draft."""


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
            process = await asyncio.create_subprocess_exec(
                *self.command, *arguments, "--json", env=dict(self.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise NotDone(f"it cannot be run: {error.strerror or type(error).__name__}") from error
        try:
            async with asyncio.timeout(self.timeout_s):
                said, complaint = await process.communicate()
        except TimeoutError:
            raise NotDone(f"it was not done within {self.timeout_s:g} s") from None
        finally:
            # Timed out, or the server stops: what it has begun is left as it was.
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        try:
            return form.model_validate_json(said)
        except ValidationError as error:
            lines = complaint.decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            told = printable(last, _LINE) or f"it ended with {process.returncode}"
            raise NotDone(told) from error


class Publishing:
    """Publishes and withdraws beside the requests, one after the other."""

    def __init__(self, desk: Desk, publisher: Publisher):
        """Tell the desk what came of it."""
        self._desk = desk
        self._publisher = publisher
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        """Give back to staff what a server that has gone had begun."""
        if found := await self._desk.beside(self._desk.drafts.resume):
            _LOG.warning("not done, as the server stopped: %s", " ".join(found))

    def publish(self, draft: Draft, taken: Collection[str]) -> None:
        """Begin to publish a draft whose state says so.

        Args:
            draft: As it is stored.
            taken: Names of the articles that there are.
        """
        name = draft.article_id or article_name(draft, taken)
        self._begin(draft, partial(self._published, draft, name), "refused")

    def withdraw(self, draft: Draft) -> None:
        """Begin to take out of the index what became of a draft whose state says so."""
        self._begin(draft, partial(self._withdrawn, draft), "published")

    async def stop(self) -> None:
        """Stop what is being done; `resume` tells of it when the server starts again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(
        self, draft: Draft, work: Callable[[], Awaitable[Outcome]], otherwise: DraftState
    ) -> None:
        task = asyncio.create_task(self._done(draft.draft_id, work, otherwise))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _done(
        self, draft_id: str, work: Callable[[], Awaitable[Outcome]], otherwise: DraftState
    ) -> None:
        try:
            async with self._turn:
                outcome = await work()
        except NotDone as error:
            outcome = Outcome(otherwise, (Found("failed", str(error)),))
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the draft tells
            _LOG.error("draft %s: %s", draft_id, type(error).__name__)
            outcome = Outcome(otherwise, (Found("failed", "something went wrong here"),))
        while True:
            try:
                await self._desk.beside(partial(self._desk.drafts.finish, draft_id, outcome))
            except DeskUnavailable:
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _published(self, draft: Draft, name: str) -> Outcome:
        with TemporaryDirectory(prefix="article-") as folder:
            file = Path(folder) / f"{name}.md"
            await asyncio.to_thread(file.write_text, article_text(written(draft)), "utf-8")
            told = await self._publisher.told(_PublishTold, "publish", str(file))
        found = tuple(Found(each.kind, printable(each.said, _LINE)) for each in told.findings)
        if not told.published:
            return Outcome("refused", found)
        return Outcome("published", found, name, told.generation)

    async def _withdrawn(self, draft: Draft) -> Outcome:
        await self._publisher.told(_WithdrawTold, "withdraw", str(draft.article_id))
        return Outcome("withdrawn")


def article_name(draft: Draft, taken: Collection[str]) -> str:
    """What its file is called, and from then on the article."""
    name = file_name(draft.title)
    # Of two that begin alike the later one is told by its draft.
    return f"{name}-{draft.draft_id[2:].lower()}" if name in taken else name


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
