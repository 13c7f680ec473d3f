"""The whole walk from sources to a new generation, on one screen.

A generation is a function of its documents: what is loaded now, what other
sources left in the current generation, and the shipped articles. Nothing is
patched in place, so adding, changing and removing are one thing; a run that
is killed leaves the current generation as it was.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.cache import EmbeddingCache
from ingest.chunker import chunk_document, drop_equal
from ingest.evidence import resolve_articles, summary_chunks
from ingest.fetch.downloads import Downloads
from ingest.gaps import gaps_of
from ingest.gather import (
    DOCUMENT,
    EMPTY_PAGE,
    Before,
    Fetch,
    Gathered,
    Progress,
    Task,
    gather,
    previous,
)
from ingest.models import Document, DocumentCounts, IngestReport
from ingest.readings import Readings
from ingest.register import Vocabulary, build_register
from ingest.sync import SyncLog
from rag.articles import centres, compared
from rag.embedder import Embedder, Vectors
from rag.errors import IndexLocked, IndexMismatch, VectorsUnavailable
from rag.head import Head
from rag.index import Generation
from rag.index_files import INDEX_FORMAT
from rag.index_writer import Contents, StoredDocument
from rag.lexical import acronyms_of
from rag.models import Chunk, IndexedDocument
from rag.sentences import chunk_sentences, told
from rag.source_states import SYNC
from rag.store import Store
from rag.text import letters_digits, word_count
from rag.unwritten import probes

_CHUNKER = 4
"""Raised when the same documents yield another index than before."""
_PREFIXED_WORDS = 8
"""Shorter sentences are embedded behind their heading (DESIGN 3)."""


_STAMP = "%Y%m%dT%H%M%S%fZ"
_FLOOR_QUANTILE = 0.25
_BAR_QUANTILE = 0.9
_ARTICLES_TO_MEASURE = 5
_ROWS = 1000
"""Asking variants that are compared with all others at once."""
_FEW_ARTICLES = (0.87, 0.93)
"""Bars where there are too few articles to measure; those of the default model."""


@dataclass(frozen=True)
class Knowledge:
    """What goes into every index, whatever is read."""

    articles: Sequence[Path]
    """Folders of the knowledge articles, the shipped ones first; none leaves them out."""
    acronyms: Mapping[str, str]
    """Acronym to long form, beside those the documents explain."""
    vocabulary: Vocabulary
    """Kinds of resources and topics that are known by hand."""
    order: Sequence[str] = ()
    """Names of the listed sources; of two that hold the same page the first is indexed."""
    head: Head | None = None
    """What asking variants and questions are seen by before they are compared."""
    standing: Sequence[str] = ()
    """Texts that queries are made with; embedded here, so that no question waits for them."""


@dataclass(frozen=True)
class Memory:
    """What a run remembers of the runs before it."""

    store: Store
    """Where generations live."""
    vectors: EmbeddingCache
    """Of unchanged texts."""
    readings: Readings
    """Of unchanged files and sources."""
    downloads: Downloads
    """What was fetched."""
    log: SyncLog
    """When each source was asked, and what came of it."""

    @classmethod
    def of(cls, directory: Path, store: Store | None = None) -> Memory:
        """Name the parts; nothing is read or written yet.

        Args:
            directory: The data directory: caches, which no other host needs.
            store: Where generations live, and what is known of their sources; None: there, too.
        """
        store = store or Store(directory)
        return cls(
            store,
            EmbeddingCache(directory / "embeddings.sqlite"),
            Readings(directory / "readings.sqlite"),
            Downloads(directory / "downloads"),
            SyncLog(store.directory / SYNC),
        )


def run(
    task: Task,
    *,
    fetch: Fetch,
    knowledge: Knowledge,
    memory: Memory,
    embedder: Embedder,
    progress: Progress,
    change: AbstractContextManager[object] | None = None,
    wait_s: float = 0,
) -> IngestReport:
    """Bring the index up to date.

    Args:
        task: What is asked for.
        fetch: Brings remote sources here.
        knowledge: What goes into every index.
        memory: What is remembered from run to run.
        embedder: The model of the new generation.
        progress: Told of every step.
        change: Of one article; entered before anything is read, while nobody else writes. Where
            the index cannot be built it is told so, and can take back what it did.
        wait_s: How long another ingest may go on writing first.

    Raises:
        IndexLocked: Another ingest is writing.
        IndexMismatch: What is indexed cannot be read, and would be lost.
        SourceUnavailable: The articles have gone.
    """
    started = time.monotonic()
    store = memory.store
    store.directory.mkdir(parents=True, exist_ok=True)
    with _alone(store, wait_s, progress):
        with change or nullcontext():
            before = previous(store, _others(task, memory))
            found = gather(
                task,
                before,
                articles=knowledge.articles,
                order=knowledge.order,
                fetch=fetch,
                readings=memory.readings,
                progress=progress,
                leaving=1 if change else 0,
            )
            digest = _digest(found, embedder, knowledge, store)
            name = current = store.current()
            chunks = before.generation.info.chunks if before.generation else 0
            if (
                before.generation is None
                or before.generation.digest != digest
                or (store.server and _has_lost_vectors(before.generation, embedder))
            ):
                name = _name(digest, store.names())
                contents = _contents(found, digest, knowledge, memory.vectors, embedder, progress)
                chunks = len(contents.chunks)
                with progress.step("Writing the index", _vectors(contents)) as count:
                    store.write(name, contents, count)
        # From here on what was changed is in the index, and stays.
        store.prune(keep=current)
        memory.downloads.prune()
        was = before.generation.info.generation if before.generation else None
        states = memory.log.record(found.outcomes, was=was, generation=name, removed=task.removed)
    changes = _changes(found, before)
    return IngestReport(
        generation=name,
        documents=replace(
            changes.counts,
            skipped=len(found.skipped),
            placeholder=sum(document.placeholder for document in found.documents),
        ),
        chunks=chunks,
        embedded=memory.vectors.embedded,
        embedding_seconds=round(memory.vectors.seconds, 2),
        seconds=round(time.monotonic() - started, 2),
        added=changes.added,
        changed=changes.changed,
        removed=changes.removed,
        stale=tuple(name for name, state in states.items() if state.stale),
        skipped=tuple(found.skipped),
        problems=tuple(found.problems),
    )


@contextmanager
def _alone(store: Store, wait_s: float, progress: Progress) -> Iterator[None]:
    """Be the one that writes, at once or when another has ended."""
    with ExitStack() as held:
        try:
            held.enter_context(store.locked())
        except IndexLocked:
            if not wait_s:
                raise
            with progress.step("Waiting until another ingest has ended", 0):
                held.enter_context(store.locked(wait_s))
        yield


def _others(task: Task, memory: Memory) -> Collection[str] | None:
    """The sources that are indexed and are to stay; None where only the index could tell."""
    if task.anew or task.accept:
        return ()
    known = memory.log.states(memory.store.current()).keys()
    return known - {source.name for source in task.sources} - task.removed if known else None


def _has_lost_vectors(generation: Generation, embedder: Embedder) -> bool:
    """Whether a server that should hold its vectors does not; one that is silent has lost none."""
    try:
        generation.check(embedder.name)
    except IndexMismatch:
        return True
    except VectorsUnavailable:
        return False
    return False


def _name(digest: str, earlier: Sequence[str]) -> str:
    """The id of a new generation; ids sort by age, even where the clock stood still."""
    moment = datetime.now(UTC)
    if earlier:
        with suppress(ValueError):
            last = datetime.strptime(earlier[-1].partition("-")[0], _STAMP).replace(tzinfo=UTC)
            moment = max(moment, last + timedelta(microseconds=1))
    return f"{moment:{_STAMP}}-{digest[:8]}"


@dataclass(frozen=True)
class _Changes:
    """How the documents differ from those before, by id."""

    counts: DocumentCounts
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def _changes(found: Gathered, before: Before) -> _Changes:
    now = {document.document_id: document.sha256 for document in found.documents}
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


def _digest(found: Gathered, embedder: Embedder, knowledge: Knowledge, store: Store) -> str:
    hand = f"{sorted(knowledge.acronyms.items())} {knowledge.vocabulary} {knowledge.standing}"
    parts = [f"{INDEX_FORMAT} {_CHUNKER} {embedder.name} {hand} {list(knowledge.order)}"]
    if store.server:
        parts.append(f"vectors in {store.server.url}")
    if knowledge.head:
        parts.append(hashlib.sha256(knowledge.head.matrix.tobytes()).hexdigest())
    # A document's language may be that of its neighbours.
    parts += sorted(
        f"{each.document_id} {each.sha256} {each.language} {each.superseded_by}"
        for each in found.documents
    )
    parts += sorted(repr(page) for page in found.empty_pages)
    parts += sorted(f"hidden {each.document_id} {each.sha256}" for each in found.hidden)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _contents(
    found: Gathered,
    digest: str,
    knowledge: Knowledge,
    cache: EmbeddingCache,
    embedder: Embedder,
    progress: Progress,
) -> Contents:
    """Chunk, tie the articles to their evidence, embed."""
    vocabulary = knowledge.vocabulary
    sourced = [document for document in found.documents if document.kind != "article"]
    chunks = list(drop_equal(chunk for document in sourced for chunk in chunk_document(document)))
    articles = resolve_articles(found.articles, sourced, chunks)
    chunks += summary_chunks(articles)
    texts = [searched_text(chunk) for chunk in chunks]
    sentence_texts, sentence_chunks = _sentences(chunks)
    asks = [(number, ask) for number, article in enumerate(articles) for ask in article.asks]
    gaps = gaps_of(sourced, found.empty_pages)
    written = {chunk.document_id: chunk.title for chunk in chunks if chunk.kind != "article"}
    standing_texts = (*knowledge.standing, *probes(gaps, written.values()))
    total = len(texts) + len(sentence_texts) + len(asks) + len(standing_texts)
    with progress.step("Embedding", total) as count:
        chunk_vectors = cache.passages(texts, embedder, count)
        sentence_vectors = cache.passages(sentence_texts, embedder, count)
        # Questions are matched with questions, so both sides are queries.
        ask_vectors = cache.queries([ask.text for _, ask in asks], embedder, count)
        standing = cache.queries(standing_texts, embedder, count)
    ask_articles = np.array([number for number, _ in asks], dtype=np.int32)
    languages = [ask.language for _, ask in asks]
    # With a few articles nothing can be measured, and raw cosines have bars of their own.
    few = len(set(ask_articles.tolist())) < _ARTICLES_TO_MEASURE
    common = {} if few else centres(ask_vectors, languages)
    head = knowledge.head.matrix if knowledge.head and common else None
    ask_vectors = compared(ask_vectors, languages, common, head)
    floor, bar = _ask_bars(ask_vectors, ask_articles)
    per_document: dict[str, int] = {}
    for chunk in chunks:
        per_document[chunk.document_id] = per_document.get(chunk.document_id, 0) + 1
    return Contents(
        embedder=embedder.name,
        dimensions=embedder.dimensions,
        digest=digest,
        documents=[_stored(document, per_document, vocabulary) for document in found.documents],
        chunks=chunks,
        chunk_texts=texts,
        chunk_vectors=chunk_vectors,
        sentence_chunks=np.array(sentence_chunks, dtype=np.int32),
        sentence_vectors=sentence_vectors,
        gaps=gaps,
        resources=build_register(sourced, vocabulary),
        topics=_topics(sourced, vocabulary),
        articles=articles,
        ask_articles=ask_articles,
        ask_vectors=ask_vectors,
        ask_floor=floor,
        ask_bar=bar,
        ask_centres=common,
        ask_head=head,
        acronyms={**acronyms_of(document.text for document in sourced), **knowledge.acronyms},
        standing=dict(zip(standing_texts, standing, strict=True)),
        leftovers=[
            *((page.source, EMPTY_PAGE.dump_json(page).decode()) for page in found.empty_pages),
            *((each.source, DOCUMENT.dump_json(each).decode()) for each in found.hidden),
        ],
    )


def _ask_bars(vectors: Vectors, owners: NDArray[np.int32]) -> tuple[float, float]:
    """How near a question must be to an article to have to do with it, and to be answered by it.

    Cosines mean something else with every model, so the bars are read off the
    articles themselves: how near their questions come to those of *other*
    articles, a quarter of them (floor) and nine in ten (bar).
    """
    if len(set(owners.tolist())) < _ARTICLES_TO_MEASURE:
        return _FEW_ARTICLES
    nearest = []
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        cosines = vectors[rows] @ vectors.T
        cosines[owners[rows, None] == owners[None, :]] = -1.0
        nearest.append(cosines.max(axis=1))
    floor, bar = np.quantile(np.concatenate(nearest), [_FLOOR_QUANTILE, _BAR_QUANTILE])
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
    return StoredDocument(card, DOCUMENT.dump_json(document).decode())


def _vectors(contents: Contents) -> int:
    return len(contents.chunk_vectors) + len(contents.sentence_vectors) + len(contents.ask_vectors)
