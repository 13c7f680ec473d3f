"""Where parts meet; called by the doors."""

from __future__ import annotations

from pathlib import Path

import yaml

from rag.answerer import Answerer
from rag.embedder import Embedder, load_embedder
from rag.index import Generation, Store
from rag.messages import Messages
from rag.retriever import Retriever, Weights
from rag.settings import Settings


def open_index(settings: Settings) -> Generation:
    """Open the current generation.

    Raises:
        NoIndex: There is none.
        IndexMismatch: It was written by another version, or with another embedder.
    """
    return Store(settings.data_dir).open()


def build_retriever(settings: Settings, generation: Generation, embedder: Embedder) -> Retriever:
    """Put a retriever over an open generation.

    Raises:
        IndexMismatch: The generation was built with another embedder.
    """
    generation.check(embedder.name)
    chosen = settings.retrieval
    weights = Weights(
        words=chosen.words_weight,
        grams=chosen.grams_weight,
        chunk=chosen.chunk_weight,
        sentence=chosen.sentence_weight,
        acronym=chosen.acronym_weight,
    )
    return Retriever(generation, embedder, weights)


def build_answerer(settings: Settings, generation: Generation, embedder: Embedder) -> Answerer:
    """Put an answerer over an open generation.

    Raises:
        IndexMismatch: The generation was built with another embedder.
    """
    return Answerer(
        build_retriever(settings, generation, embedder),
        Messages.load(settings.corpus_dir / "messages"),
        contact=settings.answer.contact,
    )


def build_embedder(settings: Settings) -> Embedder:
    """Load the embedder that the settings name.

    Raises:
        ModelUnavailable: It cannot be loaded.
    """
    return load_embedder(settings.embedder.model)


def load_acronyms(corpus: Path) -> dict[str, str]:
    """Read the acronyms that are kept by hand."""
    file = corpus / "glossary.yaml"
    if not file.is_file():
        return {}
    glossary = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return {
        str(key).lower(): str(value).lower()
        for key, value in (glossary.get("acronyms") or {}).items()
    }
