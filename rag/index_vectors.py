"""The vectors of a generation, and how near a question comes to them.

Chunks, sentences and asking variants are scored exactly, from plain arrays mapped into memory:
a cosine with each of 100,000 chunks takes about as long as to embed the question, the system may
let go of the memory when others need it, processes share it, and a folder that can only be read
is enough. Chroma holds every vector besides (docs/decisions/0018): where it is a server, that one
is asked for the asking variants.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.chroma import FOLDER, KINDS, Collections, FolderCollections
from rag.chroma_server import ChromaServer
from rag.embedder import Vectors
from rag.errors import IndexMismatch
from rag.index_files import ASKS
from rag.index_reader import HEADERS, IndexFile
from rag.models import IndexInfo

POOL = 4000
"""Chunks whose sentences are scored for a query; smaller indexes are scored whole.
``python -m eval.scale`` shows what is lost."""


class IndexVectors:
    """Vectors of one generation; safe to use from several threads."""

    def __init__(
        self, file: IndexFile, info: IndexInfo, held: ExitStack, server: ChromaServer | None = None
    ):
        """Map them; nothing is written, and no server is asked.

        Args:
            file: Of the generation; it is read now, and not kept.
            info: What it says of itself.
            held: Closes what is opened.
            server: Holds the vectors, if the directory of the generation does not.

        Raises:
            ValueError: Some are missing.
        """
        self._directory: Path = file.directory
        self._info = info
        self._held = held
        self._server = server
        self._server_url = file.meta.get("server", "")
        self.sentence_chunks: NDArray[np.int32] = file.array("sentence_chunks")
        """The chunk of each sentence, ascending."""
        self.ask_articles: NDArray[np.int32] = file.array("ask_articles")
        """The article of each asking variant."""
        self._sentence_starts = np.searchsorted(self.sentence_chunks, np.arange(info.chunks + 1))
        self.silent: NDArray[np.bool_] = np.diff(self._sentence_starts) == 0
        """Chunks without a sentence that is indexed by itself."""
        self.chunks = self._mapped("chunks")
        self.sentences = self._mapped("sentences")
        self.asks = None if self._server_url else self._own_asks()
        """Of the asking variants; None: a server has them."""

    def _mapped(self, kind: str) -> Vectors:
        """Vectors to be read from end to end."""
        with HEADERS:
            vectors = np.asarray(
                np.load(self._directory / f"{kind}.npy", mmap_mode="r", allow_pickle=False)
            )
        if vectors.shape != (self.size(kind), self._info.dimensions):
            raise ValueError(f"{kind} has lost vectors")
        return vectors

    def _own_asks(self) -> Vectors:
        if (self._directory / f"{ASKS}.npy").is_file():
            return self._mapped(ASKS)
        # Chroma alone has those of an index that an earlier version wrote.
        try:
            found = self.collections.stored(ASKS, np.arange(self.size(ASKS)))
        except Exception as error:  # Chroma's own, of many kinds
            raise ValueError("asks has lost vectors") from error
        if len(found) != self.size(ASKS):
            raise ValueError("asks has lost vectors")
        return found

    def size(self, kind: str) -> int:
        """How many vectors there should be of one of `rag.chroma.KINDS`."""
        sizes = {
            "chunks": self._info.chunks,
            "sentences": len(self.sentence_chunks),
            ASKS: len(self.ask_articles),
        }
        return sizes[kind]

    @cached_property
    def collections(self) -> Collections:
        """The vectors as Chroma holds them; in a folder it is opened to be written.

        Raises:
            ValueError: Its folder has gone.
            IndexMismatch: The vectors are in a server that is not set, or that has lost them.
            VectorsUnavailable: The server does not answer.
        """
        opened: Collections
        if not self._server_url:
            opened = FolderCollections(self._directory / FOLDER)
        elif self._server:
            opened = self._server.collections(self._info.generation)
        else:
            raise IndexMismatch(
                f"the vectors of the index are in the Chroma server at {self._server_url}; set"
                " HELPDESK_CHROMA__URL to it, or build the index anew with: python -m ingest run"
            )
        self._held.callback(opened.close)
        return opened

    def check(self) -> None:
        """Make sure that they are where the settings say.

        Raises:
            IndexMismatch: They are elsewhere, or some are lost.
            VectorsUnavailable: They are in a server that does not answer.
        """
        if self._server and not self._server_url:
            raise IndexMismatch(
                "the vectors of the index are in its own folder, and HELPDESK_CHROMA__URL names a"
                " server; bring them there with: python -m ingest run"
            )
        if self._server_url:
            for kind in KINDS:
                self._whole(self.collections.count(kind), self.size(kind))

    def _whole(self, found: int, wanted: int) -> None:
        if found != wanted:
            raise IndexMismatch(
                f"the Chroma server has lost vectors of index {self._info.generation};"
                " build it anew with: python -m ingest run"
            )

    def nearest_asks(self, vector: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        """Find the asking variants nearest to a question.

        Args:
            vector: A unit vector of shape ``(dimensions,)``, as `rag.articles.compared` makes it.
            count: How many at most.

        Returns:
            Their numbers and their cosines, best first.

        Raises:
            IndexMismatch: The server that holds them has lost some.
            VectorsUnavailable: It does not answer.
        """
        available = min(count, self.size(ASKS))
        if available == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        if self.asks is None:
            numbers, cosines = self.collections.nearest(ASKS, vector, available)
            self._whole(len(numbers), available)
            return numbers, cosines
        every = _cosines(self.asks, vector)
        best = np.argpartition(every, len(every) - available)[len(every) - available :]
        # Those that are equally near stand in their order.
        best = best[np.lexsort((best, -every[best]))]
        return best.astype(np.int64), every[best]

    def of_asks(self, numbers: NDArray[np.int64]) -> Vectors:
        """Vectors of some asking variants.

        Args:
            numbers: Of them, ascending.

        Returns:
            Shape ``(len(numbers), dimensions)``.

        Raises:
            IndexMismatch: The server that holds them has lost some.
            VectorsUnavailable: It does not answer.
        """
        if not len(numbers):  # a server would be asked for all
            return np.empty((0, self._info.dimensions), dtype=np.float32)
        if self.asks is not None:
            return self.asks[numbers]
        found = self.collections.stored(ASKS, numbers)
        self._whole(len(found), len(numbers))
        return found

    @property
    def pooled(self) -> bool:
        """Whether `best_sentences` leaves chunks out.

        Its cosines are then to be spread between the lowest and the highest of
        `chunk_cosines`, which lie as far apart (on average 1.01 times at 100,000
        chunks, 1.2 at 477) and do not depend on the pool.
        """
        return self._info.chunks > POOL

    def chunk_cosines(self, vector: Vectors) -> Vectors:
        """Cosine of every chunk.

        Args:
            vector: A unit vector of shape ``(dimensions,)``.

        Returns:
            Shape ``(chunks,)``, in order.
        """
        return _cosines(self.chunks, vector)

    def best_sentences(
        self, vector: Vectors, ranking: NDArray[np.float32], pool: int = POOL
    ) -> Vectors:
        """Cosine of the best sentence of every chunk that may matter.

        An index of up to `pool` chunks is scored whole, of a larger one the
        `pool` that rank highest so far. Their lowest cosine then says nothing
        of the index (see `pooled`).

        Args:
            vector: A unit vector of shape ``(dimensions,)``.
            ranking: What is known of each chunk so far, more being better; shape ``(chunks,)``.
            pool: How many chunks.

        Returns:
            Shape ``(chunks,)``, in order; NaN where a chunk was not scored or has no sentence.
        """
        count, starts = self._info.chunks, self._sentence_starts
        best = np.full(count, np.nan, dtype=np.float32)
        if count <= pool:
            chosen = np.arange(count)
        else:
            chosen = np.sort(np.argpartition(ranking, count - pool)[count - pool :])
        lengths = starts[chosen + 1] - starts[chosen]
        chosen, lengths = chosen[lengths > 0], lengths[lengths > 0]
        if not len(chosen):
            return best
        ends = np.cumsum(lengths)
        vectors = self.sentences
        if count > pool:
            # The rows of each chunk follow one another: its start, and one more each time.
            rows = np.arange(ends[-1]) + np.repeat(starts[chosen] - (ends - lengths), lengths)
            vectors = vectors[rows]
        best[chosen] = np.maximum.reduceat(_cosines(vectors, vector), ends - lengths)
        return best

    def sentence_cosines(self, number: int, vector: Vectors) -> Vectors:
        """Cosines of a chunk's sentences, as `chunk_sentences` orders them.

        Args:
            number: The chunk's number.
            vector: A unit vector of shape ``(dimensions,)``.

        Returns:
            Shape ``(sentences,)``.
        """
        first, last = self._sentence_starts[number : number + 2]
        return _cosines(self.sentences[first:last], vector)


def _cosines(vectors: Vectors, vector: Vectors) -> Vectors:
    """Cosines of unit vectors with one.

    Not ``vectors @ vector``: BLAS divides that among threads and waits for the
    last of them, on a busy machine for longer than the sum takes (8 ms for 0.1).
    """
    return np.asarray(np.vecdot(vectors, vector), dtype=np.float32)
