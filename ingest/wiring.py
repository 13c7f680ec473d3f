"""Settings as the commands of ingest read them, and what asks the web by them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from ingest.fetch.client import Client
from ingest.fetch.site import ROBOT
from ingest.loaders.articles import ARTICLES
from ingest.pipeline import Knowledge
from ingest.register import Vocabulary
from ingest.settings import IngestSettings
from ingest.sources import Registry
from ingest.terminal import fail
from rag.embedder import Embedder
from rag.errors import HelpdeskError
from rag.glossary import Glossary, load_neutral
from rag.head import load_head
from rag.leaning import Turns
from rag.query import standing_texts
from rag.settings import Settings, read_settings
from rag.unwritten import Examples

_AGENT = f"{ROBOT}/0.1"
"""How the project names itself to those it asks."""


def client_of(settings: Settings) -> Client:
    """What asks the web, in the name of whoever runs it."""
    own = ingest_settings().fetch
    # A header takes no other letters.
    contact = quote(own.contact or settings.answer.contact, safe="@:/?&=#+,;%~")
    return Client(
        f"{_AGENT} (+{contact})",
        allowed_hosts=own.hosts,
        pause_s=own.pause_s,
    )


def article_folders(settings: Settings) -> tuple[Path, Path]:
    """Where articles lie: the shipped ones, and those of whoever runs it."""
    return settings.corpus_dir / ARTICLES, settings.index / ARTICLES


def knowledge_of(
    settings: Settings, registry: Registry, embedder: Embedder, *, articles: bool = True
) -> Knowledge:
    """What goes into every index.

    Raises:
        BadSetting: A file that is kept by hand is broken.
    """
    corpus = settings.corpus_dir
    glossary = Glossary.load(corpus)
    return Knowledge(
        articles=article_folders(settings) if articles else (),
        acronyms=glossary.acronyms,
        standing=(
            *standing_texts(glossary, load_neutral(corpus)),
            *Examples.load(corpus).texts,
            *Turns.load(corpus).texts,
        ),
        vocabulary=Vocabulary.load(corpus),
        order=tuple(registry.sources),
        head=load_head(corpus, embedder.name),
    )


def core_settings() -> Settings:
    """The settings of the core; a bad one ends the command."""
    try:
        return read_settings(Settings)
    except HelpdeskError as error:
        fail(str(error), code=2)


def ingest_settings() -> IngestSettings:
    """The settings of ingest; a bad one ends the command."""
    try:
        return read_settings(IngestSettings)
    except HelpdeskError as error:
        fail(str(error), code=2)
