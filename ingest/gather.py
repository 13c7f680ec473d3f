"""From sources to everything that the next index holds: read now, or kept from before.

What cannot be had today stays in the state in which it was had last; what is
gone from its source goes; what has been replaced is never kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from ingest.loaders.articles import ARTICLES, load_articles
from ingest.loaders.folder import folder_files
from ingest.loaders.jekyll import CONFIG, count_files
from ingest.models import Document, EmptyPage, Fetched, Loaded, Problem, Remote, Skipped, Source
from ingest.overlaps import mark_superseded, one_document_an_address
from ingest.readings import Readings
from ingest.sandbox import read_source
from rag.errors import IndexMismatch, NoIndex, SourceUnavailable
from rag.index import Generation
from rag.models import Article, Record
from rag.store import Store

DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)
EMPTY_PAGE: TypeAdapter[EmptyPage] = TypeAdapter(EmptyPage)

Fetch = Callable[[Remote, Callable[[int], None]], Fetched]
"""Brings a remote source here; raises `SourceUnavailable`."""


class Progress(Protocol):
    """What a run tells while it works; a bar on a terminal, or nothing."""

    def step(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a step of `total` units (0: nobody knows); the callable counts them."""


@dataclass(frozen=True)
class Task:
    """What a run is asked for."""

    sources: Sequence[Source | Remote] = ()
    """What is read anew; the others stay as they are."""
    unavailable: Sequence[Problem] = ()
    """What was named and does not exist."""
    removed: frozenset[str] = frozenset()
    """Names of sources whose documents leave the index."""
    accept: bool = False
    """Whether to believe a source that has lost more than half of its documents."""
    anew: bool = False
    """Whether an index that cannot be read may be replaced by what is read now."""


@dataclass(frozen=True)
class Before:
    """The current generation."""

    generation: Generation | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    """By id, in their order."""
    empty_pages: Sequence[EmptyPage] = ()
    hidden: Sequence[Document] = ()
    """Left out for a document of another source that has the same address."""

    @property
    def every(self) -> list[Document]:
        """All documents, the hidden ones included."""
        return [*self.documents.values(), *self.hidden]


@dataclass
class Gathered:
    """What all sources of a generation hold together; filled source by source."""

    documents: list[Document] = field(default_factory=list)
    empty_pages: list[EmptyPage] = field(default_factory=list)
    hidden: list[Document] = field(default_factory=list)
    """Left out for a document of another source that has the same address; where that goes,
    these are at hand."""
    articles: list[Article] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    outcomes: dict[str, str | None] = field(default_factory=dict)
    """Name of each source that was asked to why it could not be had, or not be believed."""

    def take(self, loaded: Loaded) -> None:
        """Add what was read."""
        self.documents.extend(loaded.documents)
        self.empty_pages.extend(loaded.empty_pages)
        self.skipped.extend(loaded.skipped)
        self.problems.extend(loaded.problems)


def previous(store: Store, others: Collection[str] | None) -> Before:
    """What is indexed now.

    Args:
        store: Where generations live.
        others: Sources that are indexed and not read anew: what an index that
            cannot be read would lose. None: nobody knows.

    Raises:
        IndexMismatch: It cannot be read, and something would be lost.
    """
    try:
        generation = store.open()
    except NoIndex:
        return Before()
    except IndexMismatch as error:
        return _anew(error, others)
    try:
        documents = [DOCUMENT.validate_json(payload) for _, payload in generation.payloads()]
        left = [payload for _, payload in generation.leftovers()]
        hidden = [DOCUMENT.validate_json(each) for each in left if _is_document(each)]
        empty = [EMPTY_PAGE.validate_json(each) for each in left if not _is_document(each)]
    except ValidationError:
        name = generation.info.generation
        return _anew(IndexMismatch(f"index {name} is damaged: its documents"), others)
    return Before(generation, {each.document_id: each for each in documents}, empty, hidden)


def _is_document(payload: str) -> bool:
    return "sections" in json.loads(payload)


def _anew(error: IndexMismatch, others: Collection[str] | None) -> Before:
    if others is not None and not others:
        return Before()
    lost = ", ".join(sorted(others)) if others else "what other sources it may hold"
    raise IndexMismatch(
        f"{error}; this run would leave out {lost}:"
        " leave --source away, or add --accept to do without"
    ) from error


def gather(
    task: Task,
    before: Before,
    *,
    articles: Sequence[Path],
    order: Sequence[str],
    fetch: Fetch,
    readings: Readings,
    progress: Progress,
    leaving: int = 0,
) -> Gathered:
    """Fetch and read what is asked for, and put it beside what stays.

    Args:
        task: What is asked for.
        before: What is indexed now.
        articles: Folders of the knowledge articles; none leaves them out.
        order: Names of the listed sources; of two that hold a page the first keeps it.
        fetch: Brings remote sources here.
        readings: What was read before.
        progress: Told of every step.
        leaving: How many articles may go on purpose.

    Raises:
        SourceUnavailable: The articles have gone.
    """
    found = Gathered(problems=list(task.unavailable))
    # A listed source that is not there is due again later, not at once.
    found.outcomes.update(
        {each.path: each.problem for each in task.unavailable if each.path in order}
    )
    if articles:
        _read_articles(articles, found, before, leaving, accept=task.accept)
    asked = _read_sources(task, found, before, fetch, readings, progress)
    # The same index comes of the same documents, whichever source was asked last.
    ranks = {name: rank for rank, name in enumerate([ARTICLES, *order])}
    found.documents.sort(key=lambda each: (ranks.get(each.source, len(ranks)), each.source))
    every = found.documents
    found.documents, doubled = one_document_an_address(every, order)
    shown = {document.document_id for document in found.documents}
    found.hidden = [each for each in every if each.document_id not in shown]
    found.skipped.extend(each for each in doubled if each.path.partition(":")[0] in asked)
    found.documents = mark_superseded(found.documents)
    return found


def _read_articles(
    articles: Sequence[Path], found: Gathered, before: Before, leaving: int, *, accept: bool
) -> None:
    for loaded in load_articles(*articles):
        found.take(loaded)
        found.articles.extend(loaded.articles)
    had = sum(each.source == ARTICLES for each in before.every)
    if not accept and _has_lost(len(found.articles), had - leaving):
        # Nothing is kept in their place: they are part of the program, and it is set up wrong.
        raise SourceUnavailable(
            f"{articles[0]} holds {len(found.articles)} articles where the index has {had};"
            " the index stays as it is; to believe it, run with --accept"
        )


@dataclass(frozen=True)
class _Held:
    """What a source holds now."""

    loaded: list[Loaded]
    records: tuple[Record, ...] = ()
    """The versions of records that were found."""
    unfetched: bool = False
    """Whether there is more of it than could be fetched."""


def _read_sources(
    task: Task,
    found: Gathered,
    before: Before,
    fetch: Fetch,
    readings: Readings,
    progress: Progress,
) -> frozenset[str]:
    """Returns the names of the sources that were read anew."""
    held: dict[str, _Held] = {}
    for source in task.sources:
        try:
            held[source.name] = _load(source, fetch, readings, progress)
        except SourceUnavailable as error:
            found.problems.append(Problem(source.name, str(error)))
            found.outcomes[source.name] = str(error)
    # A version that has been replaced is not kept, whatever became of the new one, and
    # whichever source had it.
    records = [record for each in held.values() for record in each.records]
    current = {
        document.document_id: document
        for document in before.every
        if not _is_replaced(document, records)
    }
    have = {ARTICLES, *task.removed}
    for name, each in held.items():
        had = [document for document in current.values() if document.source == name]
        if _take_held(name, each, had, found, accept=task.accept):
            have.add(name)
    found.documents.extend(each for each in current.values() if each.source not in have)
    found.empty_pages.extend(page for page in before.empty_pages if page.source not in have)
    return frozenset(held)


def _take_held(
    name: str, held: _Held, had: Sequence[Document], found: Gathered, *, accept: bool
) -> bool:
    """Take what a source holds now; returns whether it is believed."""
    kept = _kept(held.loaded, had, name)
    loaded = [*held.loaded, Loaded(documents=kept)]
    now = sum(len(each.documents) for each in loaded)
    if not accept and _has_lost(now, len(had)):
        lost = (
            f"has {now} documents where the index has {len(had)}, and stays as it was;"
            f" to believe it, run with --source {name} --accept"
        )
        found.problems.append(Problem(name, lost))
        found.outcomes[name] = lost
        return False
    found.outcomes[name] = _first_problem(loaded) if held.unfetched or kept else None
    for each in loaded:
        found.take(each)
    return True


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


def _load(source: Source | Remote, fetch: Fetch, readings: Readings, progress: Progress) -> _Held:
    """Fetch and read a source.

    Raises:
        SourceUnavailable: Nothing of it can be had.
    """
    if isinstance(source, Source):
        return _Held(_read_here(source, readings, progress))
    with progress.step(f"Fetching {source.name}", 0) as count:
        fetched = _fetched(source, fetch, count)
    told = Loaded(skipped=[*fetched.skipped], problems=[*fetched.problems])
    loaded = _read_here(fetched.source, readings, progress)
    return _Held([told, *loaded], fetched.records, unfetched=bool(fetched.problems))


def _fetched(source: Remote, fetch: Fetch, count: Callable[[int], None]) -> Fetched:
    try:
        return fetch(source, count)
    except (SourceUnavailable, OSError):
        raise  # of the source, or of the disk it is written to
    except Exception as error:
        # What one host sends must not end the sync of the others.
        words = " ".join(str(error).split())[:120]
        raise SourceUnavailable(f"cannot be fetched: {type(error).__name__}: {words}") from error


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
