"""The whole walk from sources to a new generation, on one screen.

A generation is a function of its documents: what is loaded now, what other
sources left in the current generation, and the shipped articles. Nothing is
patched in place, so adding, changing and removing are one thing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ingest.cache import EmbeddingCache
from ingest.chunker import chunk_document, drop_equal
from ingest.evidence import resolve_articles, summary_chunks
from ingest.gaps import gaps_of
from ingest.loaders.articles import ARTICLES, load_articles
from ingest.loaders.folder import folder_files
from ingest.loaders.jekyll import CONFIG, count_files
from ingest.models import (
    Document,
    DocumentCounts,
    EmptyPage,
    IngestReport,
    Loaded,
    Problem,
    Skipped,
    Source,
)
from ingest.register import Vocabulary, build_register
from ingest.sandbox import read_source
from rag.embedder import Embedder, Vectors
from rag.errors import IndexLocked, IndexMismatch, NoIndex
from rag.index import (
    INDEX_FORMAT,
    Contents,
    Generation,
    Store,
    StoredDocument,
    chunk_sentences,
    told,
)
from rag.lexical import acronyms_of
from rag.models import Article, Chunk, IndexedDocument
from rag.text import letters_digits, word_count

_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)
_EMPTY: TypeAdapter[EmptyPage] = TypeAdapter(EmptyPage)

_CHUNKER = 2
"""Raised when the same documents yield another index than before."""
_PREFIXED_WORDS = 8
"""Shorter sentences are embedded behind their heading (DESIGN 3)."""


_STAMP = "%Y%m%dT%H%M%S%fZ"
_FLOOR_QUANTILE = 0.25
_BAR_QUANTILE = 0.9
_ARTICLES_TO_MEASURE = 5
_FEW_ARTICLES = (0.87, 0.93)
"""Bars where there are too few articles to measure; those of the default model."""


class Progress(Protocol):
    """What the pipeline tells while it works; a bar on a terminal, or nothing."""

    def step(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a step of `total` units; the callable counts them."""


@dataclass(frozen=True)
class _Read:
    """What all sources of a generation hold together."""

    documents: list[Document]
    empty_pages: list[EmptyPage]
    articles: list[Article]
    skipped: list[Skipped]
    problems: list[Problem]


def run(
    sources: Sequence[Source],
    unavailable: Sequence[Problem],
    *,
    articles: Path | None,
    acronyms: dict[str, str],
    vocabulary: Vocabulary,
    store: Store,
    cache: EmbeddingCache,
    embedder: Embedder,
    progress: Progress,
    removed: frozenset[str] = frozenset(),
) -> IngestReport:
    """Bring the index up to date with some sources; the others stay as they are.

    Args:
        sources: What is read anew.
        unavailable: Sources that were named and do not exist.
        articles: Folder of the knowledge articles; None leaves them out.
        acronyms: Acronym to long form, beside those the documents explain.
        vocabulary: Kinds of resources and topics that are known by hand.
        store: Where generations live.
        cache: Vectors of unchanged texts.
        embedder: The model of the new generation.
        progress: Told of every step.
        removed: Names of sources whose documents leave the index.

    Raises:
        IndexLocked: Another ingest is writing.
    """
    started = time.monotonic()
    store.directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.directory / "ingest.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise IndexLocked("another ingest is writing; try again when it has ended") from error
    try:
        before = _previous(store)
        read = _read(sources, articles, before, removed, progress)
        read.problems.extend(unavailable)
        counts = _counts(read, before)
        digest = _digest(read, embedder, acronyms, vocabulary)
        name = store.current()
        chunks = before.generation.info.chunks if before.generation else 0
        if before.generation is None or before.generation.digest != digest:
            name = _name(digest, store.names())
            contents = _contents(read, digest, acronyms, vocabulary, cache, embedder, progress)
            chunks = len(contents.chunks)
            with progress.step("Writing the index", _vectors(contents)) as count:
                store.write(name, contents, count)
            store.prune()
    finally:
        lock.release()
    return IngestReport(
        generation=name,
        documents=counts,
        chunks=chunks,
        embedded=cache.embedded,
        embedding_seconds=round(cache.seconds, 2),
        seconds=round(time.monotonic() - started, 2),
        skipped=tuple(read.skipped),
        problems=tuple(read.problems),
    )


def _name(digest: str, earlier: Sequence[str]) -> str:
    """The id of a new generation; ids sort by age, even where the clock stood still."""
    moment = datetime.now(UTC)
    if earlier:
        with suppress(ValueError):
            last = datetime.strptime(earlier[-1].partition("-")[0], _STAMP).replace(tzinfo=UTC)
            moment = max(moment, last + timedelta(microseconds=1))
    return f"{moment:{_STAMP}}-{digest[:8]}"


@dataclass(frozen=True)
class _Before:
    """The current generation, as far as it can be read."""

    generation: Generation | None
    documents: dict[str, Document]
    empty_pages: list[EmptyPage]


def _previous(store: Store) -> _Before:
    try:
        generation = store.open()
    except (NoIndex, IndexMismatch):
        return _Before(None, {}, [])
    documents = [_DOCUMENT.validate_json(payload) for _, payload in generation.payloads()]
    empty = [_EMPTY.validate_json(payload) for _, payload in generation.leftovers()]
    return _Before(generation, {each.document_id: each for each in documents}, empty)


def _read(
    sources: Sequence[Source],
    articles: Path | None,
    before: _Before,
    removed: frozenset[str],
    progress: Progress,
) -> _Read:
    read = _Read([], [], [], [], [])
    if articles is not None:
        for loaded in load_articles(articles):
            _take(read, loaded)
            read.articles.extend(loaded.articles)
    named = {source.name for source in sources} | {ARTICLES} | removed
    for document in before.documents.values():
        if document.source not in named:
            read.documents.append(document)
    read.empty_pages.extend(page for page in before.empty_pages if page.source not in named)
    for source in sources:
        _read_source(source, read, before, progress)
    return read


def _read_source(source: Source, read: _Read, before: _Before, progress: Progress) -> None:
    jekyll = source.kind == "jekyll"
    total = count_files(source.path) if jekyll else len(folder_files(source.path))
    broken: set[str] = set()
    with progress.step(f"Reading {source.name}", total) as count:
        for loaded in read_source(source, count):
            _take(read, loaded)
            broken.update(problem.path for problem in loaded.problems)
    whole = not broken.isdisjoint((CONFIG, source.name))
    # What cannot be read today keeps the state in which it was read last.
    have = {document.document_id for document in read.documents}
    for document in before.documents.values():
        if (
            document.source == source.name
            and (whole or document.path in broken)
            and document.document_id not in have
        ):
            read.documents.append(document)


def _take(read: _Read, loaded: Loaded) -> None:
    read.documents.extend(loaded.documents)
    read.empty_pages.extend(loaded.empty_pages)
    read.skipped.extend(loaded.skipped)
    read.problems.extend(loaded.problems)


def _counts(read: _Read, before: _Before) -> DocumentCounts:
    now = {document.document_id: document for document in read.documents}
    old = before.documents
    both = now.keys() & old.keys()
    changed = sum(now[each].sha256 != old[each].sha256 for each in both)
    return DocumentCounts(
        added=len(now.keys() - old.keys()),
        changed=changed,
        unchanged=len(both) - changed,
        removed=len(old.keys() - now.keys()),
        skipped=len(read.skipped),
        placeholder=sum(document.placeholder for document in read.documents),
    )


def _digest(
    read: _Read, embedder: Embedder, acronyms: dict[str, str], vocabulary: Vocabulary
) -> str:
    parts = [f"{INDEX_FORMAT} {_CHUNKER} {embedder.name} {sorted(acronyms.items())} {vocabulary}"]
    # A document's language may be that of its neighbours.
    parts += sorted(f"{each.document_id} {each.sha256} {each.language}" for each in read.documents)
    parts += sorted(repr(page) for page in read.empty_pages)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _contents(
    read: _Read,
    digest: str,
    acronyms: dict[str, str],
    vocabulary: Vocabulary,
    cache: EmbeddingCache,
    embedder: Embedder,
    progress: Progress,
) -> Contents:
    """Chunk, tie the articles to their evidence, embed."""
    sourced = [document for document in read.documents if document.kind != "article"]
    chunks = list(drop_equal(chunk for document in sourced for chunk in chunk_document(document)))
    articles = resolve_articles(read.articles, sourced, chunks)
    chunks += summary_chunks(articles)
    texts = [searched_text(chunk) for chunk in chunks]
    sentence_texts, sentence_chunks = _sentences(chunks)
    asks = [(number, ask) for number, article in enumerate(articles) for ask in article.asks]
    ask_texts = [ask for _, ask in asks]
    total = len(texts) + len(sentence_texts) + len(asks)
    with progress.step("Embedding", total) as count:
        chunk_vectors = cache.passages(texts, embedder, count)
        sentence_vectors = cache.passages(sentence_texts, embedder, count)
        # Questions are matched with questions, so both sides are queries.
        ask_vectors = cache.queries(ask_texts, embedder, count)
    ask_articles = np.array([number for number, _ in asks], dtype=np.int32)
    floor, bar = _ask_bars(ask_vectors, ask_articles)
    per_document: dict[str, int] = {}
    for chunk in chunks:
        per_document[chunk.document_id] = per_document.get(chunk.document_id, 0) + 1
    return Contents(
        embedder=embedder.name,
        dimensions=embedder.dimensions,
        digest=digest,
        documents=[_stored(document, per_document, vocabulary) for document in read.documents],
        chunks=chunks,
        chunk_texts=texts,
        chunk_vectors=chunk_vectors,
        sentence_chunks=np.array(sentence_chunks, dtype=np.int32),
        sentence_vectors=sentence_vectors,
        gaps=gaps_of(sourced, read.empty_pages),
        resources=build_register(sourced, vocabulary),
        topics=_topics(sourced, vocabulary),
        articles=articles,
        ask_articles=ask_articles,
        ask_vectors=ask_vectors,
        ask_floor=floor,
        ask_bar=bar,
        acronyms={**acronyms_of(document.text for document in sourced), **acronyms},
        leftovers=[(page.source, _EMPTY.dump_json(page).decode()) for page in read.empty_pages],
    )


def _ask_bars(vectors: Vectors, owners: NDArray[np.int32]) -> tuple[float, float]:
    """How near a question must be to an article to have to do with it, and to be answered by it.

    Cosines mean something else with every model, so the bars are read off the
    articles themselves: how near their questions come to those of *other*
    articles, a quarter of them (floor) and nine in ten (bar).
    """
    if len(set(owners.tolist())) < _ARTICLES_TO_MEASURE:
        return _FEW_ARTICLES
    cosines = vectors @ vectors.T
    cosines[owners[:, None] == owners[None, :]] = -1.0
    nearest = cosines.max(axis=1)
    floor, bar = np.quantile(nearest, [_FLOOR_QUANTILE, _BAR_QUANTILE])
    return float(floor), float(bar)


def searched_text(chunk: Chunk) -> str:
    """What of a chunk is searched in: title and heading path, then the text.

    An item of a metadata model is searched in as it is told: its row holds the
    bare words of the cells, not what they say.
    """
    texts = [
        f"{told(part.item)}\n{part.item.values}" if part.item else part.text for part in chunk.parts
    ]
    return "\n".join([chunk.heading, *texts])


def _sentences(chunks: Iterable[Chunk]) -> tuple[list[str], list[int]]:
    """What is embedded of each sentence, and the number of its chunk."""
    texts: list[str] = []
    numbers: list[int] = []
    for number, chunk in enumerate(chunks):
        for sentence in chunk_sentences(chunk):
            short = word_count(sentence.text) < _PREFIXED_WORDS
            texts.append(f"{chunk.heading}: {sentence.text}" if short else sentence.text)
            numbers.append(number)
    return texts, numbers


def _topics(documents: Iterable[Document], vocabulary: Vocabulary) -> dict[str, str]:
    """The topics that documents are filed under, by every name they go by."""
    filed = {vocabulary.topic_of(document.topic): document.topic for document in documents}
    known = {name: topic for name, topic in vocabulary.topics.items() if topic in filed}
    own = {letters_digits(name): topic for topic, name in filed.items() if topic and name}
    return own | {letters_digits(topic): topic for topic in filed if topic} | known


def _stored(
    document: Document, per_document: dict[str, int], vocabulary: Vocabulary
) -> StoredDocument:
    topic = vocabulary.topic_of(document.topic)
    card = IndexedDocument(
        document_id=document.document_id,
        source=document.source,
        path=document.path,
        title=document.title,
        url=document.url,
        language=document.language,
        kind=document.kind,
        placeholder=document.placeholder,
        version=document.version,
        doi=document.doi,
        published=document.published,
        licence=document.licence,
        chunks=per_document.get(document.document_id, 0),
        country=document.country,
        topic=topic,
        dated_by=document.dated_by,
        older=document.older,
        aliases=document.aliases,
    )
    return StoredDocument(card, _DOCUMENT.dump_json(document).decode())


def _vectors(contents: Contents) -> int:
    return len(contents.chunk_vectors) + len(contents.sentence_vectors) + len(contents.ask_vectors)
