"""The index that answers now: a new generation is taken up without a restart."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from rag.answerer import Answerer
from rag.errors import HelpdeskError
from rag.index import Store

_LOG = logging.getLogger(__name__)


class LiveIndex:
    """Hands out the answerer of the current generation."""

    def __init__(self, store: Store, build: Callable[[], Answerer]):
        """Watch a store; `build` opens its current generation."""
        self._store = store
        self._build = build
        self._lock = threading.Lock()
        self._answerer: Answerer | None = None

    @property
    def data_dir(self) -> Path:
        """Where the index lies, and what commands keep beside it."""
        return self._store.directory

    def answerer(self) -> Answerer:
        """Return the answerer of the current generation.

        A generation that does not open leaves the one before in service.

        Raises:
            HelpdeskError: There is no index that could answer.
        """
        serving = self._answerer
        current = self._store.current()
        if serving is not None and serving.generation.info.generation == current:
            return serving
        with self._lock:
            serving = self._answerer
            if serving is not None and serving.generation.info.generation == current:
                return serving
            try:
                built = self._build()
            except HelpdeskError as error:
                if serving is None:
                    raise
                _LOG.warning("generation %s does not open: %s", current, error)
                return serving
            self._answerer = built
            return built
