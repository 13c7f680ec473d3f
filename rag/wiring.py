"""Where parts meet; called by the doors."""

from __future__ import annotations

from rag.answerer import Answerer
from rag.countries import countries_in
from rag.embedder import Embedder, load_embedder
from rag.glossary import Glossary, load_neutral
from rag.index import Generation, Store
from rag.messages import Messages
from rag.query import Effort, QueryMaker
from rag.reranker import load_reranker
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
        BadSetting: A file of the glossary is broken.
        IndexMismatch: The generation was built with another embedder.
        ModelUnavailable: The reranker cannot be loaded.
    """
    generation.check(embedder.name)
    chosen = settings.retrieval
    maker = QueryMaker(
        embedder,
        Glossary.load(settings.corpus_dir),
        load_neutral(settings.corpus_dir),
        known=generation.words.terms,
        acronyms=generation.acronyms,
        standing=generation.standing,
        effort=Effort(
            acronym=chosen.acronym_weight,
            glossary=chosen.glossary_weight,
            typo=chosen.typo_weight,
        ),
    )
    weights = Weights(
        words=chosen.words_weight,
        grams=chosen.grams_weight,
        chunk=chosen.chunk_weight,
        sentence=chosen.sentence_weight,
        country=chosen.country_weight,
        navigation=chosen.navigation_weight,
        article=chosen.article_weight,
    )
    countries_in("")  # read now: a broken file is told at the start
    return Retriever(generation, maker, weights, load_reranker(settings.reranker.model))


def build_answerer(settings: Settings, generation: Generation, embedder: Embedder) -> Answerer:
    """Put an answerer over an open generation.

    Raises:
        BadSetting: A file of the glossary is broken.
        IndexMismatch: The generation was built with another embedder.
        ModelUnavailable: The reranker cannot be loaded.
    """
    return Answerer(
        build_retriever(settings, generation, embedder),
        Messages.load(settings.corpus_dir / "messages"),
        contact=settings.answer.contact,
    )


def check_corpus(settings: Settings) -> None:
    """Read what is kept by hand, so that a broken file is told before anybody asks.

    Raises:
        BadSetting: A file is broken; the message names it.
    """
    Glossary.load(settings.corpus_dir)
    load_neutral(settings.corpus_dir)
    countries_in("")


def build_embedder(settings: Settings) -> Embedder:
    """Load the embedder that the settings name.

    Raises:
        ModelUnavailable: It cannot be loaded.
    """
    return load_embedder(settings.embedder.model)
