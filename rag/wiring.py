"""Where parts meet; called by the doors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.answerer import Answerer, Checks
from rag.asking import AskReader
from rag.chroma_server import ChromaServer
from rag.contacts import load_contacts
from rag.countries import countries_in
from rag.declining import load_declining
from rag.doubt import Doubter, load_learned
from rag.embedder import DEFAULT_MODEL, Embedder, check_installed, load_embedder
from rag.errors import ModelUnavailable
from rag.glossary import Glossary, load_neutral
from rag.index import Generation
from rag.leaning import Leaning, Turns
from rag.messages import Messages
from rag.query import Effort, QueryMaker
from rag.refusals import Refusals
from rag.reranker import load_reranker
from rag.retriever import Retriever, Weights
from rag.settings import Settings
from rag.store import Store
from rag.triage.sorter import Sorter
from rag.triage.triager import Triager
from rag.unwritten import Examples, Unwritten

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from rag.author import Author
    from rag.writer import Writer


def open_index(settings: Settings) -> Generation:
    """Open the current generation.

    Raises:
        NoIndex: There is none.
        IndexMismatch: It was written by another version.
    """
    return open_store(settings).open()


def open_store(settings: Settings) -> Store:
    """Name where generations live, and the server that has their vectors; nothing is asked yet."""
    chroma = settings.chroma
    if not chroma.url:
        return Store(settings.index)
    return Store(settings.index, ChromaServer(chroma.url, chroma.token.get_secret_value()))


def build_retriever(
    settings: Settings,
    generation: Generation,
    embedder: Embedder,
    glossary: Glossary | None = None,
) -> Retriever:
    """Put a retriever over an open generation.

    Args:
        settings: How passages are found.
        generation: Where.
        embedder: The model that the generation was built with.
        glossary: That of the settings; None: it is read, which takes 0.3 s.

    Raises:
        BadSetting: A file of the glossary is broken.
        IndexMismatch: The generation was built with another embedder, or its vectors are elsewhere.
        ModelUnavailable: The reranker cannot be loaded.
        VectorsUnavailable: They are in a server that does not answer.
    """
    generation.check(embedder.name)
    chosen = settings.retrieval
    maker = QueryMaker(
        embedder,
        glossary or Glossary.load(settings.corpus_dir),
        load_neutral(settings.corpus_dir),
        known=generation.words.terms,
        acronyms=generation.acronyms,
        standing=generation.standing,
        effort=Effort(
            acronym=chosen.acronym_weight,
            glossary=chosen.glossary_weight,
            typo=chosen.typo_weight,
        ),
        leans=Leaning(generation, Turns.load(settings.corpus_dir)).probability,
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


def build_answerer(
    settings: Settings, generation: Generation, embedder: Embedder, author: Author | None = None
) -> Answerer:
    """Put an answerer over an open generation.

    Args:
        settings: What was chosen.
        generation: What it answers from.
        embedder: The model that the generation was built with.
        author: What writes; None: the language model that the settings name, if they do.

    Raises:
        BadSetting: A file of the glossary or of the messages is broken.
        IndexMismatch: The generation was built with another embedder, or its vectors are elsewhere.
        ModelUnavailable: The reranker or the language model cannot be loaded.
        VectorsUnavailable: They are in a server that does not answer.
    """
    corpus = settings.corpus_dir
    glossary = Glossary.load(corpus)
    checks = Checks(
        Refusals(
            load_declining(corpus, embedder.name),
            glossary.meanings,
            generation.words.terms,
        ),
        Unwritten(generation, embedder, Examples.load(corpus)),
        Doubter(generation, load_learned(corpus, embedder.name)),
    )
    return Answerer(
        build_retriever(settings, generation, embedder, glossary),
        AskReader.load(corpus, embedder.name),
        checks,
        Messages.load(corpus / "messages"),
        contact=settings.answer.contact,
        author=author or build_author(settings, generation, embedder),
        contacts=load_contacts(corpus, settings.answer.contacts_file),
    )


def build_triager(settings: Settings) -> Triager:
    """Put together what sorts messages; what was learned is read with the first one.

    Raises:
        BadSetting: A file of contact points is broken.
    """
    contacts = load_contacts(settings.corpus_dir, settings.answer.contacts_file)
    return Triager(Sorter.load, contacts, settings.answer.contact)


def build_author(settings: Settings, generation: Generation, embedder: Embedder) -> Author | None:
    """Have the language model that the settings name write; None: they name none.

    Raises:
        ModelUnavailable: Its provider is unknown, or the provider's package is not installed.
    """
    writer = build_writer(settings, embedder)
    if writer is None:
        return None
    from rag.author import Author

    return Author(generation, writer, embedder, settings.generator.model)


def build_writer(settings: Settings, embedder: Embedder) -> Writer | None:
    """Put a guarded writer over the language model that the settings name; None: they name none.

    Raises:
        ModelUnavailable: Its provider is unknown, or the provider's package is not installed.
    """
    if not settings.generator.model:
        return None
    from rag.guard import Guard
    from rag.support import Support
    from rag.writer import Writer

    guard = Guard(Support(embedder))
    return Writer(build_model(settings), guard, deadline_s=settings.generator.timeout_s)


def build_model(settings: Settings) -> BaseChatModel:
    """Reach the language model that the settings name.

    LangChain is imported here, and only where there is a model.

    Raises:
        ModelUnavailable: Its provider is unknown, or the provider's package is not installed.
    """
    from langchain.chat_models import init_chat_model

    chosen = settings.generator
    key = chosen.api_key.get_secret_value()
    reached: dict[str, Any] = {}
    if chosen.base_url:
        # A server of one's own asks for no key, and the client for OpenAI insists on one.
        reached = {"base_url": chosen.base_url, "api_key": key or "none"}
    elif key:
        reached = {"api_key": key}
    try:
        # Not tried again: the answer from the sources is at hand.
        model: BaseChatModel = init_chat_model(
            chosen.model, temperature=0, max_tokens=chosen.max_tokens, timeout=chosen.timeout_s,
            max_retries=0, **reached,
        )  # fmt: skip
        return model
    except Exception as error:
        # Each provider's package raises its own; what a checked value was may be told with it,
        # and one is the key.
        plain = isinstance(error, ImportError) or type(error) is ValueError
        reason = " ".join(str(error).split())[:200] if plain else type(error).__name__
        raise ModelUnavailable(
            f"the language model {chosen.model!r} cannot be used: {reason}"
        ) from error


def check_corpus(settings: Settings) -> None:
    """Read what is kept by hand, so that a broken file is told before anybody asks.

    Raises:
        BadSetting: A file is broken; the message names it.
    """
    Glossary.load(settings.corpus_dir)
    load_neutral(settings.corpus_dir)
    Messages.load(settings.corpus_dir / "messages")
    AskReader.load(settings.corpus_dir)
    Turns.load(settings.corpus_dir)
    load_contacts(settings.corpus_dir, settings.answer.contacts_file)
    countries_in("")


def check_models(settings: Settings) -> None:
    """See that what loads the models set by name is installed, before anybody waits for them.

    Raises:
        BadSetting: It is not; the message names the cure.
    """
    if settings.embedder.model != DEFAULT_MODEL:
        check_installed("EMBEDDER__MODEL", settings.embedder.model)
    if settings.reranker.model:
        check_installed("RERANKER__MODEL", settings.reranker.model)


def build_embedder(settings: Settings) -> Embedder:
    """Load the embedder that the settings name.

    Raises:
        BadSetting: What loads models by name is not installed.
        ModelUnavailable: It cannot be loaded.
    """
    return load_embedder(settings.embedder.model)
