"""What a larger index costs: ``python -m eval.scale``, run by hand (minutes).

Nothing is embedded: vectors are drawn around those of the index in use, texts
mixed from its words, both to keep what decides on time. Noise with the
covariance of the real vectors leaves cosines where they are; invented words
join as Heaps' law says, so that vocabulary and postings grow as they would.
Postings of the real words grow in step with the index, which is harder than
life: a larger corpus speaks of more things. A chunk has three sentences.

The questions are those that the shipped articles ask.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import psutil
import typer
from numpy.typing import NDArray
from rich.console import Console

from rag.embedder import Embedder, Vectors
from rag.errors import HelpdeskError
from rag.glossary import Glossary, load_neutral
from rag.index import Generation
from rag.index_reader import IndexFile
from rag.index_vectors import IndexVectors
from rag.index_writer import Contents, StoredDocument
from rag.models import Chunk, IndexedDocument, Part, Question
from rag.query import standing_texts
from rag.retriever import Retriever
from rag.settings import Settings, read_settings
from rag.store import Store
from rag.wiring import build_embedder, build_retriever, open_index

SENTENCES = 3
"""Sentences of a drawn chunk."""
_PER_DOCUMENT = 20
_SEED = 20
_SPREAD = 0.4
"""Share of the real spread by which a drawn vector leaves the real one it is drawn around."""
_MIXED = 0.3
"""Share of a drawn chunk's words that come from anywhere in the index."""
_INVENTED = 0.05
"""Share of its words that are invented."""
_HEAPS = 0.55
"""Exponent of Heaps' law: words known grow with this power of words written."""
_NAME = "20200101T000000Z-scale"
_FOUND = 10

T = TypeVar("T")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Times:
    """Milliseconds: the middle, and what 19 in 20 stay under."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        """Sum up what was measured."""
        p50, p95 = np.quantile(np.array(seconds) * 1000, [0.5, 0.95])
        return cls(round(float(p50), 2), round(float(p95), 2))


@dataclass(frozen=True)
class Memory:
    """Resident megabytes of a process that does nothing else, without the embedder."""

    open_s: float
    opened: float
    """What opening the index adds."""
    searched: float
    """What opening it and asking all questions adds."""
    mapped: float
    """Of that, mapped files, which the system may drop (0 where it does not tell)."""


@dataclass(frozen=True)
class Size:
    """What an index of one size costs."""

    chunks: int
    sentences: int
    build_s: float | None
    """None: it was there."""
    disk_mb: float
    memory: Memory
    search_ms: Times
    beyond_ms: Times
    """A search less the bare embedding of the same question just before."""
    to_embedding: float
    """p50 of a search by that of the bare embedding."""
    recall_at_10: float
    """Of the first ten that scoring every sentence finds."""


@dataclass(frozen=True)
class Report:
    """The index in use, then all sizes, smallest first, asked in turn in one run."""

    questions: int
    embedding_ms: Times
    sizes: tuple[Size, ...]
    growth: float
    """p50 of a search in the largest of the sizes by that in the smallest."""


class Exhaustive(Generation):
    """A generation that scores every sentence, to compare with."""

    def __init__(self, directory: Path):
        """Open it."""
        super().__init__(directory)
        with closing(IndexFile(directory)) as file:
            self.vectors = _EverySentence(file, self.info, self._held)


class _EverySentence(IndexVectors):
    def best_sentences(
        self, vector: Vectors, ranking: NDArray[np.float32], pool: int = 0
    ) -> Vectors:
        """Cosine of the best sentence of every chunk."""
        return super().best_sentences(vector, ranking, max(pool, len(self.chunks)))


class _Remembered:
    """An embedder for the questions that were embedded before, and what queries are made with."""

    def __init__(self, embedder: Embedder, settings: Settings, questions: Sequence[str]):
        glossary, neutral = Glossary.load(settings.corpus_dir), load_neutral(settings.corpus_dir)
        texts = [*questions, *standing_texts(glossary, neutral)]
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self._vectors = dict(zip(texts, embedder.queries(texts), strict=True))

    def passages(self, texts: Sequence[str]) -> Vectors:
        return self.queries(texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vectors[text] for text in texts])


def draw(real: Generation, chunks: int) -> Contents:
    """Make up an index of any size around a real one."""
    random = np.random.default_rng(_SEED)
    bases = random.integers(0, real.info.chunks, chunks)
    texts = _texts(real, bases, random)
    drawn = [_chunk(number, text) for number, text in enumerate(texts)]
    # A sentence is drawn around one of the chunk's own; a few chunks have none.
    starts = np.searchsorted(real.vectors.sentence_chunks, np.arange(real.info.chunks + 1))
    owners = np.repeat(bases, SENTENCES)
    own = starts[owners + 1] - starts[owners]
    anywhere = random.integers(0, len(real.vectors.sentence_chunks), len(owners))
    within = starts[owners] + (random.random(len(owners)) * own).astype(np.int64)
    sentences = np.where(own > 0, within, anywhere)
    return Contents(
        embedder=real.info.embedder,
        dimensions=real.info.dimensions,
        digest=_digest(real, chunks),
        documents=_documents(chunks),
        chunks=drawn,
        chunk_texts=texts,
        chunk_vectors=_around(real.vectors.chunks, bases, random),
        sentence_chunks=np.repeat(np.arange(chunks, dtype=np.int32), SENTENCES),
        sentence_vectors=_around(real.vectors.sentences, sentences, random),
        gaps=(),
        resources=(),
        topics={},
        articles=(),
        ask_articles=np.empty(0, dtype=np.int32),
        ask_vectors=np.empty((0, real.info.dimensions), dtype=np.float32),
        ask_floor=real.ask_floor,
        ask_bar=real.ask_bar,
        acronyms=real.acronyms,
        leftovers=(),
        standing=real.standing,
    )


def _around(vectors: Vectors, bases: NDArray[np.int64], random: np.random.Generator) -> Vectors:
    """Unit vectors around chosen ones, spread as all of them are."""
    middle = vectors.mean(axis=0)
    centred = vectors - middle
    # Sums of all vectors with normal weights are normal, with their covariance.
    spread = np.linalg.cholesky(
        np.cov(centred, rowvar=False) + 1e-9 * np.eye(vectors.shape[1])
    ).astype(np.float32)
    drawn = np.empty((len(bases), vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(bases), 10_000):
        here = bases[start : start + 10_000]
        noise = random.standard_normal((len(here), vectors.shape[1]), dtype=np.float32) @ spread.T
        each = middle + np.sqrt(1 - _SPREAD**2) * centred[here] + _SPREAD * noise
        drawn[start : start + len(here)] = each / np.linalg.norm(each, axis=1, keepdims=True)
    return drawn


def _texts(real: Generation, bases: NDArray[np.int64], random: np.random.Generator) -> list[str]:
    """Texts of as many words as their bases, of those words and some others."""
    held = [f"{chunk.heading} {chunk.text}".split() for chunk in real.all_chunks()]
    every = np.array([word for each in held for word in each], dtype=object)
    own = [np.array(each, dtype=object) for each in held]
    growth = (len(bases) / max(1, len(held))) ** _HEAPS - 1
    invented = _invented(sorted(set(every)), max(1, int(growth * len(set(every)))), random)
    texts = []
    for base in bases:
        chosen = random.choice(own[base], len(own[base]))
        lot = random.random(len(chosen))
        mixed = lot < _MIXED
        chosen[mixed] = random.choice(every, int(mixed.sum()))
        made_up = lot > 1 - _INVENTED
        # By Zipf's law: the word of rank r about as often as 1 / r.
        ranks = len(invented) ** random.random(int(made_up.sum()))
        chosen[made_up] = invented[ranks.astype(np.int64) - 1]
        thirds = np.array_split(chosen, SENTENCES)
        texts.append(" ".join(f"{' '.join(each)}." for each in thirds))
    return texts


def _invented(words: Sequence[str], count: int, random: np.random.Generator) -> NDArray[np.object_]:
    """Words that begin as one real word and end as another, so that 4-grams stay likely."""
    heads, tails = random.integers(0, len(words), (2, count))
    made = [
        words[head][: len(words[head]) // 2 + 1] + words[tail][len(words[tail]) // 2 :]
        for head, tail in zip(heads, tails, strict=True)
    ]
    return np.array(made, dtype=object)


def _chunk(number: int, text: str) -> Chunk:
    document, ordinal = divmod(number, _PER_DOCUMENT)
    path = f"{document}.md"
    return Chunk(
        f"scale:{path}#{ordinal}", f"scale:{path}", "scale", path, f"Page {document}", None,
        (Part(text),),
    )  # fmt: skip


def _documents(chunks: int) -> list[StoredDocument]:
    return [
        StoredDocument(
            IndexedDocument(
                document_id=f"scale:{start // _PER_DOCUMENT}.md",
                source="scale",
                path=f"{start // _PER_DOCUMENT}.md",
                title=f"Page {start // _PER_DOCUMENT}",
                url=None,
                language="en",
                kind="page",
                placeholder=False,
                version=None,
                doi=None,
                published=None,
                licence=None,
                chunks=min(_PER_DOCUMENT, chunks - start),
            ),
            "{}",
        )
        for start in range(0, chunks, _PER_DOCUMENT)
    ]


def _digest(real: Generation, chunks: int) -> str:
    drawn = (chunks, SENTENCES, _PER_DOCUMENT, _SEED, _SPREAD, _MIXED, _INVENTED, _HEAPS)
    return hashlib.sha256(f"{real.digest} {drawn}".encode()).hexdigest()


def measure(
    real: Generation,
    settings: Settings,
    embedder: Embedder,
    sizes: Sequence[int],
    questions: int,
    directory: Path,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Build an index of each size and ask all of them the same.

    Args:
        real: The index to draw around.
        settings: How passages are found.
        embedder: That of the index.
        sizes: Chunks of each index.
        questions: How many at most.
        directory: Where the indexes are written; one already there is used again.
        say: Told what is being done.
    """
    asks = sorted({ask.text for article in real.articles for ask in article.asks})
    if not asks:
        raise ValueError("the index holds no articles, so there is nothing to ask")
    order = np.random.default_rng(_SEED).permutation(len(asks))
    asked = [asks[each] for each in order[:questions]]
    places = [real.directory]
    built: list[float | None] = [None]
    for size in sorted(sizes):
        place, seconds = _built(real, size, directory / f"{size}", say)
        places.append(place)
        built.append(seconds)
    say("embedding the questions, weighing each index in a process of its own")
    known = _Remembered(embedder, settings, asked)
    memories = [_apart(_weigh, place, settings, known, asked) for place in places]
    with ExitStack() as opened:
        generations = [opened.enter_context(closing(Generation(place))) for place in places]
        say(f"asking {len(asked)} questions of {len(places)} indexes in turn")
        retrievers = [build_retriever(settings, each, embedder) for each in generations]
        embedding, searching = _ask(retrievers, embedder, asked)
        say("comparing with scoring every sentence")
        middle = statistics.median(embedding)
        measured = tuple(
            Size(
                chunks=generation.info.chunks,
                sentences=len(generation.vectors.sentence_chunks),
                build_s=seconds,
                disk_mb=_megabytes(generation.directory),
                memory=memory,
                search_ms=Times.of(times),
                beyond_ms=Times.of([a - b for a, b in zip(times, embedding, strict=True)]),
                to_embedding=round(statistics.median(times) / middle, 3),
                recall_at_10=_recall(generation, settings, known, asked),
            )
            for generation, seconds, memory, times in zip(
                generations, built, memories, searching, strict=True
            )
        )
    # The index in use comes first and is none of the sizes asked for.
    growth = measured[-1].search_ms.p50 / measured[1].search_ms.p50
    return Report(len(asked), Times.of(embedding), measured, round(growth, 3))


def _ask(
    retrievers: Sequence[Retriever], embedder: Embedder, asked: Sequence[str]
) -> tuple[list[float], list[list[float]]]:
    """Seconds of each bare embedding, and of each search by every retriever."""
    embedding: list[float] = []
    searching: list[list[float]] = [[] for _ in retrievers]
    for retriever in retrievers:
        retriever.search(Question(asked[0]), _FOUND)
    for ask in asked:
        # In turn, so that whatever else the machine does burdens all alike.
        embedding.append(_timed(partial(embedder.queries, [ask])))
        for times, retriever in zip(searching, retrievers, strict=True):
            times.append(_timed(partial(retriever.search, Question(ask), _FOUND)))
    return embedding, searching


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _apart(work: Callable[..., T], *values: object) -> T:
    """Do something in a process of its own, whose memory is its alone."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as worker:
        return worker.submit(work, *values).result()


def _built(
    real: Generation, size: int, directory: Path, say: Callable[[str], None]
) -> tuple[Path, float | None]:
    """Write an index of a size, unless it is there; where it is, and how long that took."""
    store = Store(directory)
    seconds = None
    if not _there(store, _digest(real, size)):
        say(f"writing an index of {size} chunks")
        seconds = _apart(_write, real.directory, size, directory)
    return store.generations / _NAME, seconds


def _there(store: Store, digest: str) -> bool:
    if store.current() is None:
        return False
    with closing(store.open()) as held:
        return bool(held.digest == digest)


def _write(real: Path, size: int, directory: Path) -> float:
    """Write an index of a size; return the seconds that took, without drawing it."""
    directory.mkdir(parents=True, exist_ok=True)
    with closing(Generation(real)) as opened:
        contents = draw(opened, size)
    store = Store(directory)
    shutil.rmtree(store.generations / _NAME, ignore_errors=True)
    return round(_timed(partial(store.write, _NAME, contents)), 1)


def _weigh(place: Path, settings: Settings, known: _Remembered, asked: Sequence[str]) -> Memory:
    """Open an index and ask it, in a process that has done nothing before."""
    before, _ = _resident()
    started = time.perf_counter()
    with closing(Generation(place)) as generation:
        open_s = time.perf_counter() - started
        opened, _ = _resident()
        retriever = build_retriever(settings, generation, known)
        for ask in asked:
            retriever.search(Question(ask), _FOUND)
        searched, mapped = _resident()
    return Memory(
        open_s=round(open_s, 3),
        opened=round(opened - before, 1),
        searched=round(searched - before, 1),
        mapped=round(mapped, 1),
    )


def _resident() -> tuple[float, float]:
    """Resident memory, and the part of it that is mapped files, in megabytes."""
    info = psutil.Process().memory_info()
    return info.rss / 1e6, getattr(info, "shared", 0) / 1e6


def _megabytes(folder: Path) -> float:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return round(sum(file.stat().st_size for file in files) / 1e6, 1)


def _recall(
    generation: Generation, settings: Settings, known: _Remembered, asked: Sequence[str]
) -> float:
    """How many of the first ten are the same as when every sentence is scored."""
    with closing(Exhaustive(generation.directory)) as whole:
        pooled, every = (build_retriever(settings, each, known) for each in (generation, whole))
        shares = []
        for ask in asked:
            found, wanted = (
                {passage.chunk.chunk_id for passage in each.search(Question(ask), _FOUND)}
                for each in (pooled, every)
            )
            shares.append(len(found & wanted) / max(1, len(wanted)))
    return round(statistics.fmean(shares), 4)


@app.command()
def main(
    chunks: Annotated[list[int] | None, typer.Option(min=1, help="Sizes to compare.")] = None,
    questions: Annotated[int, typer.Option(min=1, help="How many to ask.")] = 100,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where to keep the indexes; default: nowhere.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure time, memory and what is lost in larger indexes, drawn around the one in use."""
    console = Console(stderr=True)
    try:
        settings = read_settings(Settings)
        with closing(open_index(settings)) as real, tempfile.TemporaryDirectory() as passing:
            report = measure(
                real,
                settings,
                build_embedder(settings),
                chunks or [1_000, 100_000],
                questions,
                data_dir or Path(passing),
                console.print,
            )
    except (HelpdeskError, ValueError) as error:
        print(f"eval.scale: {error}", file=sys.stderr)  # noqa: T201 - a door
        raise typer.Exit(1) from error
    text = json.dumps(asdict(report), indent=1) if as_json else _told(report)
    print(text)  # noqa: T201 - a door


def _told(report: Report) -> str:
    def said(times: Times) -> str:
        return f"p50 {times.p50} ms, p95 {times.p95} ms"

    lines = [f"embedding alone  {said(report.embedding_ms)}, {report.questions} questions"]
    for size in report.sizes:
        built = "was there" if size.build_s is None else f"written in {size.build_s} s"
        memory = size.memory
        lines += [
            f"{size.chunks} chunks, {size.sentences} sentences: {built}, {size.disk_mb} MB on disk",
            f"  search         {said(size.search_ms)}, {size.to_embedding} times the embedding",
            f"  beyond it      {said(size.beyond_ms)}",
            f"  memory         {memory.opened} MB opened in {memory.open_s} s, {memory.searched} MB"
            f" after all searches, of it {memory.mapped} MB mapped files",
            f"  recall@10      {size.recall_at_10} of what scoring every sentence finds",
        ]
    lines.append(f"largest by smallest index: {report.growth} times")
    return "\n".join(lines)


if __name__ == "__main__":
    app(prog_name="python -m eval.scale")
