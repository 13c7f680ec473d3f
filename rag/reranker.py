"""A second look at the best passages, for hosts that have a model for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rag.embedder import check_installed
from rag.errors import ModelUnavailable


class Reranker(Protocol):
    """What reads a question and a passage together."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers, more being better; shape ``(len(texts),)``."""


class CrossEncoderReranker:
    """Any sentence-transformers cross-encoder, by Hugging Face name or local path."""

    def __init__(self, model: str):
        """Load the model; torch is imported here.

        Raises:
            BadSetting: What loads models by name is not installed.
            ModelUnavailable: The model is neither at hand nor can be fetched.
        """
        check_installed("RERANKER__MODEL", model)
        try:
            from sentence_transformers import CrossEncoder

            self._model: Any = CrossEncoder(model)
            labels = int(self._model.config.num_labels)
        except Exception as error:
            # The library raises whatever its many back ends raise.
            reason = " ".join(str(error).split())[:200]
            raise ModelUnavailable(f"the reranker {model!r} cannot be loaded: {reason}") from error
        if labels != 1:
            raise ModelUnavailable(
                f"the reranker {model!r} tells {labels} classes apart; one score is needed"
            )
        self._lock = threading.Lock()

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers the question."""
        pairs = [(question, text) for text in texts]
        with self._lock:
            found = self._model.predict(pairs, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32).reshape(len(texts))


@lru_cache(maxsize=1)
def load_reranker(model: str) -> Reranker | None:
    """Return the reranker of a name, None for none; loaded once, not with every new index.

    Raises:
        BadSetting: What loads models by name is not installed.
        ModelUnavailable: It cannot be loaded.
    """
    return CrossEncoderReranker(model) if model else None
