"""Checks of the index and of what it is made with; they read only, whoever else is at work."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pypandoc
from numpy.typing import NDArray
from pydantic import ValidationError

from ingest.check import Check, judged, listed, opened_copy
from ingest.loaders import ocr
from rag.chroma import KINDS
from rag.embedder import Vectors
from rag.errors import HelpdeskError, NoIndex
from rag.index import Generation
from rag.models import IndexedDocument
from rag.source_states import STATES, SYNC
from rag.store import Store

_CACHES = ("embeddings.sqlite", "readings.sqlite", "downloads/addresses.sqlite")
_ROOM = 3
"""Free space is wanted for as many generations: a draft, its vectors in the cache, and air."""
_COMPARED = 1000
"""Vectors of a kind that are looked up in both places where they lie."""
_ALIKE = 1e-4
"""By how much each of their numbers may differ: Chroma makes them of length 1 once more."""
_LAST_RESORT = (
    "look after the disk and who may read it; what is damaged is made anew by: python -m ingest run"
)
_AHEAD = timedelta(hours=1)
"""By how much the clock of the host that builds may be ahead of this one."""
_IN_USE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def of_index(store: Store, caches: Path, embedder: str) -> Iterator[Check]:
    """Check the index, what is remembered beside it, and the programs that ingest needs.

    Args:
        store: Where the index is.
        caches: The data directory.
        embedder: Name of the embedder that is set.
    """
    checks: dict[str, Callable[[], Iterator[Check]]] = {
        "index": partial(_index, store, embedder),
        "sources": partial(_sources, store.directory / SYNC),
        "drafts": partial(_drafts, store),
        "rollback": partial(_rollback, store),
        **{name: partial(_cache, name, caches / name) for name in _CACHES},
        "disk": partial(_disk, store),
        "tesseract": _tesseract,
        "pandoc": _pandoc,
    }
    for name, check in checks.items():
        yield from _survived(name, check)


def _survived(name: str, check: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """A check whose own failure is a finding: what is damaged can fail in any way."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - see above
        reason = getattr(error, "strerror", None) or type(error).__name__
        yield Check(name, "fault", f"cannot be checked: {reason}; {_LAST_RESORT}")


def _index(store: Store, embedder: str) -> Iterator[Check]:
    name = store.current()
    if name is None:
        yield Check("index", "fault", _missing(store))
        return
    if problem := _damage(store.generations / name / "index.sqlite"):
        yield Check("index", "fault", f"index.sqlite is damaged: {problem}; {_cure(store)}")
        return
    try:
        with opened_copy(store, name) as generation:
            yield from _generation(generation, embedder, _cure(store))
    except HelpdeskError as error:
        yield Check("index", "fault", str(error))


def _missing(store: Store) -> str:
    pointer = store.directory / "current"
    if pointer.is_file():
        return (
            f"{pointer} names no generation that is there;"
            " build the index anew with: python -m ingest run"
        )
    try:
        store.open()
    except NoIndex as error:
        return str(error)
    return "an ingest has just begun the first index; look again when it has ended"


def _cure(store: Store) -> str:
    """What to do about a generation that opens and is wrong: an ingest would keep it."""
    if _earlier(store):
        return "go back with: python -m ingest rollback, then: python -m ingest run"
    return f"remove {store.generations / (store.current() or '')} and run: python -m ingest run"


def _generation(generation: Generation, embedder: str, cure: str) -> Iterator[Check]:
    info = generation.info
    yield Check(
        "index",
        "ok",
        f"generation {info.generation}, built {info.built_at}:"
        f" {info.documents} documents, {info.chunks} chunks",
    )
    if datetime.fromisoformat(info.built_at) > datetime.now(UTC) + _AHEAD:
        yield Check(
            "clock",
            "note",
            f"the index was built at {info.built_at}, which is still to come: a clock was wrong."
            " It answers all the same, and the next one follows it",
        )
    try:
        generation.check(embedder)
        yield Check("embedder", "ok", info.embedder)
    except HelpdeskError as error:
        yield Check("embedder", "fault", str(error))
    for name, check in {
        "chunks": partial(_chunks, generation, cure),
        "vectors": partial(_held, generation, cure),
        "articles": partial(_articles, generation, cure),
        "records": partial(_records, generation),
    }.items():
        yield from _survived(name, check)


def _chunks(generation: Generation, cure: str) -> Iterator[Check]:
    counted = Counter(chunk.document_id for chunk in generation.all_chunks())
    cards = {card.document_id: card.chunks for card in generation.documents()}
    faults = []
    if strangers := sorted(counted.keys() - cards.keys()):
        faults.append(f"some belong to no document: {listed(strangers)}; {cure}")
    if differ := sorted(each for each, chunks in cards.items() if chunks != counted[each]):
        faults.append(f"not as many as their documents say: {listed(differ)}; {cure}")
    if (len(cards), counted.total()) != (generation.info.documents, generation.info.chunks):
        faults.append(f"{counted.total()} of {len(cards)} documents, unlike the index says; {cure}")
    return judged("chunks", "each belongs to a document, and none is missing", faults)


def _held(generation: Generation, cure: str) -> Iterator[Check]:
    """Look at what Chroma holds; in its own folder no answer needs it."""
    try:
        # What a server has lost, an ingest brings there again.
        generation.vectors.check()
        yield from _vectors(generation, cure)
        yield from _mapped(generation, cure)
    except HelpdeskError as error:
        yield Check("vectors", "fault", str(error))
    except Exception as error:  # noqa: BLE001 - a damaged folder fails in any way
        said = f"what Chroma holds cannot be read ({type(error).__name__}), which no answer needs"
        yield Check("vectors", "fault", f"{said}; {cure}")


def _vectors(generation: Generation, cure: str) -> Iterator[Check]:
    """Ask for all vectors by a search, as their bare number is known without them."""
    faults = []
    direction = np.zeros(generation.info.dimensions, dtype=np.float32)
    direction[0] = 1.0
    sizes = {kind: generation.vectors.size(kind) for kind in KINDS}
    for kind, size in sizes.items():
        if not size:
            continue
        found, _ = generation.vectors.collections.nearest(kind, direction, size)
        if len(found) != size:
            faults.append(f"a search finds {len(found)} of {size} {kind}; {cure}")
    return judged("vectors", f"a search finds all {sum(sizes.values())}", faults)


def _mapped(generation: Generation, cure: str) -> Iterator[Check]:
    """Compare the vectors that a search reads with Chroma's; their number is known by now."""
    kinds = {"chunks": generation.vectors.chunks, "sentences": generation.vectors.sentences}
    if generation.vectors.asks is not None:
        kinds["asks"] = generation.vectors.asks
    faults = [
        f"{name}.npy differs from Chroma in {differ} of {len(numbers)} vectors looked up; {cure}"
        for name, mapped in kinds.items()
        if (differ := _differing(mapped, generation, name, numbers := _spread(len(mapped))))
    ]
    return judged("mapped vectors", "they are those that Chroma holds", faults)


def _spread(count: int) -> NDArray[np.int64]:
    """Numbers of some rows, from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, _COMPARED)).astype(np.int64))


def _differing(
    mapped: Vectors, generation: Generation, name: str, numbers: NDArray[np.int64]
) -> int:
    if not len(numbers):
        return 0
    stored = generation.vectors.collections.stored(name, numbers)
    if len(stored) != len(numbers):
        return len(numbers)
    return int((~np.isclose(mapped[numbers], stored, atol=_ALIKE).all(axis=1)).sum())


def _articles(generation: Generation, cure: str) -> Iterator[Check]:
    evidence = [
        (article.article_id, each)
        for article in generation.articles
        for statement in article.statements
        for each in statement.evidence
    ]
    lost = {
        article
        for article, each in evidence
        if each.chunk_id is not None and generation.chunk_number(each.chunk_id) is None
    }
    stale = dict.fromkeys(article for article, each in evidence if each.stale)
    faults = [f"evidence points at chunks that are not there: {listed(sorted(lost))}; {cure}"]
    yield from judged(
        "articles",
        f"{len(generation.articles)}, and what their evidence points at is there",
        faults if lost else (),
    )
    if stale:
        yield Check(
            "articles",
            "note",
            f"stale, their sentence is no longer on its page: {listed(stale)};"
            " python -m ingest articles check says which sentence",
        )


def _records(generation: Generation) -> Iterator[Check]:
    cards = [card for card in generation.documents() if card.record]
    current: dict[str, dict[str, IndexedDocument]] = {}
    for card in cards:
        if card.record and not card.superseded_by:
            current.setdefault(card.record.concept_id, {})[card.record.record_id] = card
    faults = [
        f"versions {', '.join(sorted(versions))} of one record are all indexed as its newest;"
        f" read again: {', '.join(sorted({card.source for card in versions.values()}))}"
        for versions in current.values()
        if len(versions) > 1
    ]
    yield from judged("records", f"{len(current)}, each in one version", faults)
    if replaced := [card.document_id for card in cards if card.superseded_by]:
        yield Check("records", "note", f"replaced by others, and cited as such: {listed(replaced)}")


def _sources(file: Path) -> Iterator[Check]:
    if not file.is_file():
        yield Check("sources", "note", "none was asked yet, as far as is known here")
        return
    try:
        states = STATES.validate_json(file.read_bytes()).sources
    except ValidationError:
        yield Check(
            "sources",
            "fault",
            f"{file.name} is damaged: when they were read is not known; run: python -m ingest run",
        )
        return
    faults = [
        f"{name} is stale"
        f" ({f'last had {state.read_at}' if state.read_at else 'never had'}): {state.problem};"
        f" tried again by: python -m ingest run --source {name}"
        for name, state in states.items()
        if state.stale
    ]
    yield from judged("sources", f"{len(states)}, none stale", faults)


def _drafts(store: Store) -> Iterator[Check]:
    drafts = sorted(path.name for path in store.generations.glob(".*.draft"))
    if drafts:
        yield Check(
            "drafts",
            "note",
            f"{listed(drafts)}: of an ingest that runs now, or of one that was killed;"
            " the next run removes it",
        )
    else:
        yield Check("drafts", "ok", "none left behind")


def _rollback(store: Store) -> Iterator[Check]:
    earlier = _earlier(store)
    yield Check("rollback", "ok", f"earlier generations to go back to: {len(earlier)}")


def _earlier(store: Store) -> list[str]:
    current = store.current()
    return [name for name in store.names() if current and name < current]


def _cache(name: str, file: Path) -> Iterator[Check]:
    if not file.is_file():
        yield Check(name, "ok", "not there yet")
        return
    # Twice, as an ingest may have begun to write under the first look.
    if problem := _damage(file) and _damage(file):
        yield Check(
            name, "fault", f"damaged: {problem}; remove {file} while no ingest runs, it is a cache"
        )
    else:
        yield Check(name, "ok", "sound")


def _damage(file: Path) -> str | None:
    """What is wrong with an SQLite file, on one line; None where nothing is, or none is there."""
    if not file.is_file():
        return None
    log = file.with_name(f"{file.name}-wal")
    # Without a log, SQLite would make an empty one in order to read, and leave it there.
    still = "" if log.is_file() else "&immutable=1"
    try:
        address = f"{file.absolute().as_uri()}?mode=ro{still}"
        with closing(sqlite3.connect(address, uri=True)) as database:
            ((said, *_), *_) = database.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return None if code in _IN_USE else str(error)
    return None if said == "ok" else " ".join(str(said).split())


def _disk(store: Store) -> Iterator[Check]:
    there = next(
        each for each in (store.directory, *store.directory.absolute().parents) if each.is_dir()
    )
    free = shutil.disk_usage(there).free
    name = store.current()
    needed = _ROOM * _size(store.generations / name) if name else 0
    enough = free >= needed
    yield Check(
        "disk",
        "ok" if enough else "fault",
        f"{_megabytes(free)} free at {there}"
        + ("" if enough else f", and {_megabytes(needed)} may be needed: make room"),
    )


def _size(folder: Path) -> int:
    """Bytes of all files below a folder, of which some may go while it is looked at."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def _megabytes(size: int) -> str:
    return f"{size / 10**6:.0f} MB"


def _tesseract() -> Iterator[Check]:
    if languages := ocr.installed():
        yield Check("tesseract", "ok", f"reads scanned pages in: {', '.join(languages)}")
    else:
        yield Check("tesseract", "note", "not installed: pages that are pictures are not read")


def _pandoc() -> Iterator[Check]:
    try:
        version = pypandoc.get_pandoc_version()
    except (OSError, RuntimeError):
        yield Check(
            "pandoc",
            "fault",
            "cannot be run, so office files cannot be read; install pypandoc-binary again",
        )
        return
    yield Check("pandoc", "ok", f"version {version}")
