"""An invented framework, shelved: real SQLite and Chroma under an embedder of choice.

Shared by the tests of `rag` and of `api`, whose conftests put this folder on the path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from fakes import HashingEmbedder

from rag.answerer import Answerer, Checks
from rag.asking import AskReader
from rag.author import Author
from rag.contacts import Contact
from rag.declining import load_declining
from rag.doubt import Doubter, load_learned
from rag.embedder import Embedder
from rag.glossary import Glossary, load_neutral
from rag.index import Generation
from rag.index_writer import Contents, StoredDocument
from rag.messages import Messages
from rag.models import (
    Article,
    ArticleStatement,
    Ask,
    Chunk,
    Evidence,
    Gap,
    IndexedDocument,
    Mention,
    Part,
    Resource,
)
from rag.query import Effort, QueryMaker
from rag.refusals import Refusals
from rag.reranker import Reranker
from rag.retriever import Retriever, Weights
from rag.sentences import chunk_sentences
from rag.store import Store
from rag.text import pin
from rag.unwritten import Unwritten

ROOT = Path(__file__).resolve().parent.parent.parent
CONTACT = "desk@aurora.example"
SITE = "https://aurora.example"
TOPICS = {"law": "law", "consentlaw": "law", "training": "training"}
FIRST = "20260101T080000Z-aaaaaaaa"
SECOND = "20260102T080000Z-bbbbbbbb"
THIRD = "20260103T080000Z-cccccccc"

# What ships never changes while tests run: it is read once for all of them.
read_messages = cache(Messages.load)
_read_asks, _read_glossary, _read_neutral = map(
    cache, (AskReader.load, Glossary.load, load_neutral)
)

NO_GLOSSARY = Glossary({}, {}, {}, {})
EFFORT, WEIGHTS = Effort(), Weights()

SIGNS = "Every holder signs a transfer agreement before data leave the building."
NAMES = "The agreement names a steward who answers for the data."
TRAVEL = "Files travel encrypted with a key of the receiver."
DECIDES = "The Data Access Committee (DAC) decides within thirty working days."
PURPOSE = "Applicants describe their purpose in plain words."
WITHDRAW = "Participants may withdraw their consent at any time."
COPIES = "After withdrawal of consent no new copies are made."
ESTONIA = "Estonia runs a national node with a desk in Tartu."
COVERAGE = "Quality reports list the coverage of every sample."
ARCHIVE = "The archive keeps sequencing reads for fifteen years."
TRAINERS = "Trainers meet every spring in a different city."
FEES = "A fee of two hundred euros covers the storage of one cohort."


@dataclass(frozen=True)
class Shelf:
    """What a generation is made of, before it is embedded."""

    documents: tuple[StoredDocument, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    gaps: tuple[Gap, ...] = ()
    articles: tuple[Article, ...] = ()
    resources: tuple[Resource, ...] = ()
    acronyms: dict[str, str] = field(default_factory=dict)
    ask_floor: float = 0.6
    ask_bar: float = 0.9


def contents(shelf: Shelf, embedder: Embedder | None = None) -> Contents:
    """The shelf as the index takes it."""
    model = embedder or HashingEmbedder()
    texts = [f"{chunk.heading}\n{chunk.text}" for chunk in shelf.chunks]
    said = [
        (number, sentence.text)
        for number, chunk in enumerate(shelf.chunks)
        for sentence in chunk_sentences(chunk)
    ]
    asks = [(number, ask.text) for number, each in enumerate(shelf.articles) for ask in each.asks]
    return Contents(
        embedder=model.name,
        dimensions=model.dimensions,
        digest="0" * 64,
        documents=shelf.documents,
        chunks=shelf.chunks,
        chunk_texts=texts,
        chunk_vectors=model.passages(texts),
        sentence_chunks=np.array([number for number, _ in said], dtype=np.int32),
        sentence_vectors=model.passages([text for _, text in said]),
        gaps=shelf.gaps,
        resources=shelf.resources,
        topics=TOPICS,
        articles=shelf.articles,
        ask_articles=np.array([number for number, _ in asks], dtype=np.int32),
        ask_vectors=model.queries([text for _, text in asks]),
        ask_floor=shelf.ask_floor,
        ask_bar=shelf.ask_bar,
        acronyms=shelf.acronyms,
        leftovers=[("aurora", '{"kept": true}')],
    )


def written(
    directory: Path, shelf: Shelf, name: str = FIRST, embedder: Embedder | None = None
) -> Store:
    """A store with the shelf as its current generation."""
    store = Store(directory)
    store.write(name, contents(shelf, embedder))
    return store


def maker_over(
    generation: Generation,
    embedder: Embedder | None = None,
    *,
    glossary: Glossary = NO_GLOSSARY,
    neutral: Mapping[str, Sequence[str]] | None = None,
    effort: Effort = EFFORT,
) -> QueryMaker:
    """What makes queries for a generation; nothing that is shipped, unless it is given."""
    return QueryMaker(
        embedder or HashingEmbedder(),
        glossary,
        neutral or {},
        known=generation.words.terms,
        acronyms=generation.acronyms,
        standing=generation.standing,
        effort=effort,
    )


def retriever_over(
    generation: Generation,
    embedder: Embedder | None = None,
    weights: Weights = WEIGHTS,
    *,
    effort: Effort = EFFORT,
    reranker: Reranker | None = None,
) -> Retriever:
    """A retriever: with a real embedder also with the glossary and the questions that ship."""
    if embedder is None:
        maker = maker_over(generation, effort=effort)
    else:
        shipped = ROOT / "corpus"
        glossary, neutral = _read_glossary(shipped), _read_neutral(shipped)
        maker = maker_over(generation, embedder, glossary=glossary, neutral=neutral, effort=effort)
    return Retriever(generation, maker, weights, reranker)


def answerer_over(
    generation: Generation,
    embedder: Embedder | None = None,
    author: Author | None = None,
    contacts: Mapping[str, Contact] | None = None,
) -> Answerer:
    """An answerer with what is shipped; under the invented embedder nothing learned applies."""
    corpus, model = ROOT / "corpus", embedder or HashingEmbedder()
    checks = Checks(
        Refusals(load_declining(corpus, model.name)),
        Unwritten(generation, model),
        Doubter(generation, load_learned(corpus, model.name)),
    )
    retriever = retriever_over(generation, embedder)
    messages = read_messages(corpus / "messages")
    return Answerer(retriever, _read_asks(corpus), checks, messages, CONTACT, author, contacts)


def page(
    path: str,
    title: str,
    *parts: Part,
    source: str = "aurora",
    site: str | None = SITE,
    kind: str = "page",
    country: str | None = None,
    topic: str | None = None,
    placeholder: bool = False,
) -> tuple[StoredDocument, tuple[Chunk, ...]]:
    """A document, and the one chunk that holds all of its parts (none without parts)."""
    document_id = f"{source}:{path}"
    url = f"{site}/{path.rsplit('/', 1)[-1].removesuffix('.md')}" if site else None
    chunk = Chunk(f"{document_id}#0", document_id, source, path, title, url, parts, kind)
    card = IndexedDocument(
        document_id=document_id,
        source=source,
        path=path,
        title=title,
        url=url,
        language="en",
        kind=kind,
        placeholder=placeholder,
        version="2.0",
        doi="10.1234/aurora",
        published="2026-03-01",
        licence="CC-BY-4.0",
        chunks=1 if parts else 0,
        country=country,
        topic=topic,
        dated_by="snapshot",
    )
    return StoredDocument(card, '{"payload": true}'), (chunk,) if parts else ()


def shelved(*pages: tuple[StoredDocument, tuple[Chunk, ...]]) -> Shelf:
    """A shelf of pages alone."""
    return Shelf(
        documents=tuple(document for document, _ in pages),
        chunks=tuple(chunk for _, chunks in pages for chunk in chunks),
    )


def evidence(
    path: str, quote: str | None, *, stale: bool = False, source: str = "aurora"
) -> Evidence:
    """Evidence found in the chunk of `path` (`quote`), not indexed (None), or stale."""
    found = quote is not None and not stale
    return Evidence(
        source=source,
        path=path,
        title="A page of the evidence",
        section=("A heading of the evidence",),
        url=f"{SITE}/evidence#{path.removesuffix('.md')}",
        label="recommended",
        pin=pin(quote or "gone"),
        chunk_id=f"{source}:{path}#0" if found else None,
        quote=quote if found else None,
        stale=stale,
    )


def article(
    name: str,
    asks: Sequence[str],
    *statements: tuple[str, tuple[Evidence, ...]],
    see_also: tuple[str, ...] = (),
) -> Article:
    """An article with statements, each a text and its evidence."""
    return Article(
        article_id=name,
        document_id=f"articles:{name}.md",
        path=f"{name}.md",
        title=name.replace("-", " ").capitalize(),
        kind="answer",
        intent=name,
        asks=tuple(Ask(text, "en") for text in asks),
        statements=tuple(ArticleStatement(text, each) for text, each in statements),
        checked="2026-10-01",
        reviewed_by="Aurora desk",
        see_also=see_also,
    )


SHARE = article(
    "share",
    ("How can I share my data?", "Where do holders begin to share data?"),
    ("Sign a transfer agreement first.", (evidence("pages/sharing.md", SIGNS),)),
    (
        "Name a steward and encrypt the files.",
        (evidence("pages/sharing.md", NAMES), evidence("pages/sharing.md", TRAVEL)),
    ),
    ("Nothing leaves unsigned.", (evidence("pages/sharing.md", SIGNS),)),
    ("A seal of wax is needed.", (evidence("pages/sharing.md", "Wax.", stale=True),)),
    ("The handbook of another house agrees.", (evidence("handbook.md", None, source="house"),)),
    see_also=("apply", "nowhere"),
)
APPLY = article(
    "apply",
    ("How do I apply for access?", "Which form asks for permission?"),
    ("The committee decides.", (evidence("pages/access.md", DECIDES),)),
)
STORAGE = article(
    "storage-fees",
    ("What does storage cost per cohort?",),
    (FEES, (evidence("fees.md", None, source="house"),)),
)

PORTUGAL = Gap(
    "page", "aurora:pages/portugal.md", "aurora", "pages/portugal.md", "Portugal", (),
    f"{SITE}/portugal", "PT",
)  # fmt: skip
COURSES = Gap(
    "section", "aurora:pages/training.md", "aurora", "pages/training.md", "Training", ("Courses",),
    f"{SITE}/training#courses",
)  # fmt: skip


def mention(path: str, label: str | None, country: str | None, topic: str | None) -> Mention:
    """A place that links the resource it is put into."""
    name = path.rsplit("/", 1)[-1].removesuffix(".md")
    return Mention(
        source="aurora", path=path, title=name.capitalize(), section=("Reading",),
        url=f"{SITE}/{name}#reading", anchor="reading", page=None, text="Code of consent",
        address="https://codes.example/consent", place="entry",
        label=label, country=country, topic=topic,
    )  # fmt: skip


CODE = Resource(
    "code", "Code of consent", "https://codes.example/consent", "standard",
    (
        mention("pages/consent.md", "required", None, "law"),
        mention("pages/estonia.md", None, "EE", None),
        mention("pages/training.md", "informational", None, "training"),
    ),
)  # fmt: skip
TOOLKIT = Resource(
    "toolkit", "Toolkit of stewards", None, "tool", (mention("pages/sharing.md", None, None, None),)
)


def _storage_chunk() -> Chunk:
    """What ingest makes of an article whose sources are not indexed."""
    return Chunk(
        "articles:storage-fees.md#0", "articles:storage-fees.md", "articles", "storage-fees.md",
        "Storage fees", None, (Part(FEES),), "article",
    )  # fmt: skip


def framework() -> Shelf:
    """The invented framework: written pages, an empty one, a PDF, a folder, three articles."""
    pages = shelved(
        page(
            "pages/sharing.md",
            "Sharing",
            Part(f"{SIGNS} {NAMES}", ("Agreements",), "agreements", label="required"),
            Part(TRAVEL, ("Transfer",), "transfer", label="recommended"),
        ),
        page(
            "pages/access.md",
            "Access",
            Part(f"{DECIDES}\n{PURPOSE}", ("Committee",), "committee", label="required"),
        ),
        page(
            "pages/consent.md",
            "Consent",
            Part(f"{WITHDRAW} {COPIES}", ("Withdrawal",), "withdrawal", label="informational"),
            topic="law",
        ),
        page("pages/estonia.md", "Estonia", Part(ESTONIA, ("Node",), "node"), country="EE"),
        page("pages/training.md", "Training", Part(TRAINERS, ("Meetings",), "meetings")),
        page("guide.pdf", "Guide to quality", Part(COVERAGE, page=3), kind="pdf"),
        page(
            "notes/my file one.md", "Notes of the archive", Part(ARCHIVE),
            source="folder", site=None,
        ),
        page("pages/portugal.md", "Portugal", country="PT", placeholder=True),
    )  # fmt: skip
    cards = [
        page(f"{name}.md", name, source="articles", site=None, kind="article")[0]
        for name in ("share", "apply", "storage-fees")
    ]
    return replace(
        pages,
        documents=(*pages.documents, *cards),
        chunks=(*pages.chunks, _storage_chunk()),
        gaps=(PORTUGAL, COURSES),
        resources=(CODE, TOOLKIT),
        articles=(SHARE, APPLY, STORAGE),
        acronyms={"dac": "data access committee", "spe": "secure processing environment"},
    )
