"""The whole walk from sources to a new generation, on one screen.

A generation is a function of its documents: what is loaded now, what other
sources left in the current generation, and the shipped articles. Nothing is
patched in place, so adding, changing and removing are one thing; a run that
is killed leaves the current generation as it was.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
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
    Fetched,
    IngestReport,
    Loaded,
    Problem,
    Remote,
    Skipped,
    Source,
)
from ingest.overlaps import mark_superseded, one_document_an_address
from ingest.readings import Readings
from ingest.register import Vocabulary, build_register
from ingest.sandbox import read_source
from ingest.sync import SyncLog
from rag.embedder import Embedder, Vectors
from rag.errors import IndexLocked, IndexMismatch, NoIndex, SourceUnavailable
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
from rag.models import Article, Chunk, IndexedDocument, Record
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


Fetch = Callable[[Remote, Callable[[int], None]], Fetched]
"""Brings a remote source here; raises `SourceUnavailable`."""


@dataclass(frozen=True)
class Memory:
    """What a run remembers of the runs before it, all of it under the data directory."""

    store: Store
    """Where generations live."""
    vectors: EmbeddingCache
    """Of unchanged texts."""
    readings: Readings
    """Of unchanged files and sources."""
    log: SyncLog
    """When each source was asked, and what came of it."""

    @classmethod
    def of(cls, directory: Path) -> Memory:
        """Name the parts in a data directory; nothing is read or written yet."""
        return cls(
            Store(directory),
            EmbeddingCache(directory / "embeddings.sqlite"),
            Readings(directory / "readings.sqlite"),
            SyncLog(directory / "sync.json"),
        )


@dataclass
class _Read:
    """What all sources of a generation hold together; filled source by source."""

    documents: list[Document] = field(default_factory=list)
    empty_pages: list[EmptyPage] = field(default_factory=list)
    articles: list[Article] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    outcomes: dict[str, str | None] = field(default_factory=dict)
    """Name of each source that was asked to why it could not be had, or not be believed."""


def run(
    sources: Sequence[Source | Remote],
    unavailable: Sequence[Problem],
    *,
    fetch: Fetch,
    articles: Path | None,
    acronyms: dict[str, str],
    vocabulary: Vocabulary,
    memory: Memory,
    embedder: Embedder,
    progress: Progress,
    order: Sequence[str] = (),
    removed: frozenset[str] = frozenset(),
    accept: bool = False,
) -> IngestReport:
    """Bring the index up to date with some sources; the others stay as they are.

    Args:
        sources: What is read anew.
        unavailable: Sources that were named and do not exist.
        fetch: Brings remote sources here.
        articles: Folder of the knowledge articles; None leaves them out.
        acronyms: Acronym to long form, beside those the documents explain.
        vocabulary: Kinds of resources and topics that are known by hand.
        memory: What is remembered from run to run.
        embedder: The model of the new generation.
        progress: Told of every step.
        order: Names of sources; of two that hold the same page the first is indexed.
        removed: Names of sources whose documents leave the index.
        accept: Whether a source is believed that has lost more than half of its documents.

    Raises:
        IndexLocked: Another ingest is writing.
    """
    started = time.monotonic()
    store = memory.store
    store.directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.directory / "ingest.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise IndexLocked("another ingest is writing; try again when it has ended") from error
    try:
        before = _previous(store)
        read = _Read(problems=list(unavailable))
        _read_articles(articles, read, before, accept=accept)
        _read_sources(sources, read, before, removed, fetch, memory.readings, progress, accept)
        read.documents, doubled = one_document_an_address(read.documents, order)
        read.skipped.extend(doubled)
        read.documents = mark_superseded(read.documents)
        digest = _digest(read, embedder, acronyms, vocabulary)
        name = store.current()
        chunks = before.generation.info.chunks if before.generation else 0
        if before.generation is None or before.generation.digest != digest:
            name = _name(digest, store.names())
            contents = _contents(
                read, digest, acronyms, vocabulary, memory.vectors, embedder, progress
            )
            chunks = len(contents.chunks)
            with progress.step("Writing the index", _vectors(contents)) as count:
                store.write(name, contents, count)
        store.prune()
        states = memory.log.record(read.outcomes, removed)
    finally:
        lock.release()
    changes = _changes(read, before)
    return IngestReport(
        generation=name,
        documents=replace(
            changes.counts,
            skipped=len(read.skipped),
            placeholder=sum(document.placeholder for document in read.documents),
        ),
        chunks=chunks,
        embedded=memory.vectors.embedded,
        embedding_seconds=round(memory.vectors.seconds, 2),
        seconds=round(time.monotonic() - started, 2),
        added=changes.added,
        changed=changes.changed,
        removed=changes.removed,
        stale=tuple(name for name, state in states.items() if state.stale),
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


def _read_articles(articles: Path | None, read: _Read, before: _Before, *, accept: bool) -> None:
    if articles is None:
        return
    for loaded in load_articles(articles):
        _take(read, loaded)
        read.articles.extend(loaded.articles)
    kept = [each for each in before.documents.values() if each.source == ARTICLES]
    if not accept and _has_lost(len(read.articles), len(kept)):
        # Nothing is kept in their place: they are part of the program, and it is set up wrong.
        raise SourceUnavailable(
            f"{articles} holds {len(read.articles)} articles where the index has {len(kept)};"
            " the index stays as it is; to believe it, run with --accept"
        )


def _read_sources(
    sources: Sequence[Source | Remote],
    read: _Read,
    before: _Before,
    removed: frozenset[str],
    fetch: Fetch,
    readings: Readings,
    progress: Progress,
    accept: bool,
) -> None:
    have: set[str] = {ARTICLES, *removed}
    replaced: set[str] = set()
    for source in sources:
        of_it = [each for each in before.documents.values() if each.source == source.name]
        try:
            held = _load(source, fetch, readings, progress)
        except SourceUnavailable as error:
            read.problems.append(Problem(source.name, str(error)))
            read.outcomes[source.name] = str(error)
            continue
        # A version that has been replaced is not kept, whatever became of the new one.
        old = {each.document_id for each in of_it if _is_replaced(each, held.records)}
        replaced |= old
        current = [each for each in of_it if each.document_id not in old]
        kept = _kept(held.loaded, current, source.name)
        stale = held.unfetched or kept
        loaded = [*held.loaded, Loaded(documents=kept)]
        problem = _first_problem(loaded) if stale else None
        now = sum(len(each.documents) for each in loaded)
        if not accept and _has_lost(now, len(current)):
            problem = (
                f"has {now} documents where the index has {len(current)}, and stays as it was;"
                f" to believe it, run with --source {source.name} --accept"
            )
            read.problems.append(Problem(source.name, problem))
        else:
            for each in loaded:
                _take(read, each)
            have.add(source.name)
        read.outcomes[source.name] = problem
    for document in before.documents.values():
        if document.source not in have and document.document_id not in replaced:
            read.documents.append(document)
    read.empty_pages.extend(page for page in before.empty_pages if page.source not in have)


def _has_lost(now: int, had: int) -> bool:
    """Whether a source is smaller than one may believe: by more than half."""
    return now < had / 2


def _is_replaced(document: Document, records: Iterable[Record]) -> bool:
    """Whether a document belongs to another version of a record than was found now."""
    own = document.record
    return own is not None and any(
        own.concept_id == each.concept_id and own.record_id != each.record_id for each in records
    )


def _kept(loaded: Sequence[Loaded], before: Sequence[Document], name: str) -> list[Document]:
    """What cannot be read today, in the state in which it was read last.

    Args:
        loaded: What was read of a source.
        before: Its documents in the current generation.
        name: Of the source.
    """
    broken = {problem.path for each in loaded for problem in each.problems}
    folders = tuple(path for path in broken if path.endswith("/"))
    whole = not broken.isdisjoint((CONFIG, name))
    have = {document.document_id for each in loaded for document in each.documents}
    return [
        document
        for document in before
        if (whole or document.path in broken or document.path.startswith(folders))
        and document.document_id not in have
    ]


def _first_problem(loaded: Sequence[Loaded]) -> str:
    first = next(problem for each in loaded for problem in each.problems)
    return f"{first.path}: {first.problem}"


@dataclass(frozen=True)
class _Held:
    """What a source holds now."""

    loaded: list[Loaded]
    records: tuple[Record, ...] = ()
    """The versions of records that were found."""
    unfetched: bool = False
    """Whether there is more of it than could be fetched."""


def _load(source: Source | Remote, fetch: Fetch, readings: Readings, progress: Progress) -> _Held:
    """Fetch and read a source.

    Raises:
        SourceUnavailable: Nothing of it can be had.
    """
    if isinstance(source, Source):
        return _Held(_read_here(source, readings, progress))
    with progress.step(f"Fetching {source.name}", 0) as count:
        fetched = fetch(source, count)
    told = Loaded(skipped=[*fetched.skipped], problems=[*fetched.problems])
    loaded = _read_here(fetched.source, readings, progress)
    return _Held([told, *loaded], fetched.records, unfetched=bool(fetched.problems))


def _read_here(source: Source, readings: Readings, progress: Progress) -> list[Loaded]:
    with progress.step(f"Reading {source.name}", _size(source)) as count:
        return read_source(source, count, readings=readings)


def _size(source: Source) -> int:
    """How many files a reader will look at."""
    if source.files is not None:
        return len(source.files)
    if source.kind == "jekyll":
        return count_files(source.path)
    return len(folder_files(source.path))


def _take(read: _Read, loaded: Loaded) -> None:
    read.documents.extend(loaded.documents)
    read.empty_pages.extend(loaded.empty_pages)
    read.skipped.extend(loaded.skipped)
    read.problems.extend(loaded.problems)


@dataclass(frozen=True)
class _Changes:
    """How the documents differ from those before, by id."""

    counts: DocumentCounts
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def _changes(read: _Read, before: _Before) -> _Changes:
    now = {document.document_id: document.sha256 for document in read.documents}
    old = {document_id: document.sha256 for document_id, document in before.documents.items()}
    both = now.keys() & old.keys()
    added, removed = sorted(now.keys() - old.keys()), sorted(old.keys() - now.keys())
    changed = sorted(each for each in both if now[each] != old[each])
    counts = DocumentCounts(
        added=len(added),
        changed=len(changed),
        unchanged=len(both) - len(changed),
        removed=len(removed),
    )
    return _Changes(counts, tuple(added), tuple(changed), tuple(removed))


def _digest(
    read: _Read, embedder: Embedder, acronyms: dict[str, str], vocabulary: Vocabulary
) -> str:
    parts = [f"{INDEX_FORMAT} {_CHUNKER} {embedder.name} {sorted(acronyms.items())} {vocabulary}"]
    # A document's language may be that of its neighbours.
    parts += sorted(
        f"{each.document_id} {each.sha256} {each.language} {each.superseded_by}"
        for each in read.documents
    )
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
        record=document.record,
        superseded_by=document.superseded_by,
    )
    return StoredDocument(card, _DOCUMENT.dump_json(document).decode())


def _vectors(contents: Contents) -> int:
    return len(contents.chunk_vectors) + len(contents.sentence_vectors) + len(contents.ask_vectors)
