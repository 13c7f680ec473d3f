"""The index that answers now: a new generation is taken up without a restart.

It is looked for every few seconds and opened beside the old one, which answers until the new one
is ready: no visitor waits for it. Hosts that share an index switch within the same seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from anyio import CapacityLimiter, sleep, to_thread

from api.memory import give_back
from rag.answerer import Answerer
from rag.errors import HelpdeskError, VectorsUnavailable
from rag.models import Question
from rag.store import Store

LOOKS_EVERY_S = 2.0
"""How often the name of the current generation is read."""
_BROKEN_AGAIN_S = 60.0
"""When one that did not open is tried again."""
_AWAY_AGAIN_S = 10.0
"""The same where the server of its vectors was away: it may be back soon, but to open it all costs
as much as a dozen answers."""
_FIRST = Question("What is the Framework?")
"""Asked of a new generation before anybody else does, as much is read with the first question."""
_LOG = logging.getLogger(__name__)


class LiveIndex:
    """Hands out the answerer of the current generation."""

    def __init__(self, store: Store, build: Callable[[], Answerer], data_dir: Path | None = None):
        """Watch a store.

        Args:
            store: Where generations are published.
            build: Opens its current generation.
            data_dir: Where this host keeps its own; None: where the index lies.
        """
        self._store = store
        self.data_dir = data_dir or store.directory
        self._build = build
        self._lock = threading.Lock()
        self._answerer: Answerer | None = None
        self._failed: str | None = None
        self._why = ""
        self._again_at = 0.0

    @property
    def directory(self) -> Path:
        """Where the index lies, and what commands keep beside it; it may be read-only."""
        return self._store.directory

    @property
    def current(self) -> str | None:
        """The generation that should answer; None: there is none."""
        return self._store.current()

    @property
    def unopened(self) -> str:
        """Why that one does not open; empty: it does, or nobody has looked."""
        return self._why if self._failed and self._failed == self._store.current() else ""

    @property
    def serving(self) -> Answerer | None:
        """The answerer that serves; None: there is none yet."""
        return self._answerer

    def answerer(self) -> Answerer:
        """Return the answerer that serves; only where there is none yet, one is opened now.

        Raises:
            HelpdeskError: There is no index that could answer.
        """
        serving = self._answerer
        if serving is not None:
            return serving
        with self._lock:
            if self._answerer is None:
                self._answerer = self._build()
            return self._answerer

    def look(self) -> None:
        """Take up the current generation, if it is not the one that serves.

        One that does not open leaves the one before in service, and is tried again later.
        """
        current = self._store.current()
        if not self._is_new(current):
            return
        with self._lock:
            if not self._is_new(current):
                return
            try:
                built = self._build()
                warm_up(built)
            except Exception as error:  # noqa: BLE001 - a disk or a folder fails in many ways
                self._why = why_not(error)
                if self._failed != current:
                    _LOG.warning("generation %s does not open: %s", current, self._why)
                away = isinstance(error, VectorsUnavailable)
                self._failed = current
                self._again_at = time.monotonic() + (_AWAY_AGAIN_S if away else _BROKEN_AGAIN_S)
            else:
                self._failed, self._answerer = None, built
                # The one before goes when nobody answers from it any more; this is of those before.
                give_back()

    def _is_new(self, current: str | None) -> bool:
        """Whether another generation is to be opened than the one that serves."""
        serving = self._answerer
        if current is None or (serving and serving.generation.info.generation == current):
            return False
        return current != self._failed or time.monotonic() >= self._again_at

    async def watching(self) -> NoReturn:
        """Look every few seconds, until cancelled."""
        limiter = CapacityLimiter(1)
        while True:
            try:
                await to_thread.run_sync(self.look, limiter=limiter)
            except Exception as error:  # noqa: BLE001 - it is looked again
                _LOG.warning("a new index is not looked for: %s", type(error).__name__)
            await sleep(LOOKS_EVERY_S)


def warm_up(answerer: Answerer) -> None:
    """Have a question answered that nobody asked; it costs no call of a language model.

    Raises:
        HelpdeskError: It cannot be answered.
    """
    for _ in answerer.stream(_FIRST, rewritten=False):
        pass


def why_not(error: Exception) -> str:
    """Say why an index does not answer; what is not ours may hold anything, and is told by kind."""
    if isinstance(error, HelpdeskError):
        return str(error)
    return f"it cannot be read ({type(error).__name__}): look after the disk or folder it lies on"
