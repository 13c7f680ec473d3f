"""Vectors of generations in a Chroma server, asked over its HTTP interface, version 2.

Not by the client of Chroma's library: that waits for ever for a server that hangs (1.5.9 makes its
connection without a time-out, and asks over it before anybody can set one).
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx2
import numpy as np
from numpy.typing import NDArray

from rag.chroma import HNSW, KINDS, in_order, ranked
from rag.embedder import Vectors
from rag.errors import IndexMismatch, VectorsUnavailable

_DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
_CONNECT_S, _READ_S = 2.0, 5.0
"""How long a question waits for a server that does not answer."""
_WRITE_S = 120.0
"""The same for who writes or deletes: the server sorts what it is given as it takes it."""
_AGAIN_S = 5.0
"""How often a server that did not answer is tried again: meanwhile nobody waits for it."""
_BATCH_BYTES = 4 * 2**20
"""Of vectors that are sent at once: the server takes no more than 40 MB, as text."""
_GONE = (
    "the Chroma server that holds the vectors (HELPDESK_CHROMA__URL) does not answer;"
    " try again in a few seconds"
)
_CUT = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
"""What a connection ends in that was kept while the server was restarted."""
_NOT_FOUND = 404
_LATER = (408, 429)
"""Refusals that time heals."""
_LOG = logging.getLogger(__name__)


class ChromaServer:
    """A server by its address; safe to use from several threads."""

    def __init__(self, url: str, token: str = ""):
        """Name it; nothing is asked yet.

        Args:
            url: Without a path, as ``http://chroma:8000``.
            token: Sent as ``Authorization: Bearer``, for what stands before the server; may be
                empty.
        """
        self.url = url
        self._http = httpx2.Client(
            base_url=url.rstrip("/") + _DATABASE,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx2.Timeout(_READ_S, connect=_CONNECT_S),
            # The server is named, and nothing between is.
            trust_env=False,
        )
        self._lock = threading.Lock()
        self._gone_until = 0.0
        self._gone = False

    def collections(self, generation: str) -> ServerCollections:
        """Return the collections of a generation.

        Raises:
            VectorsUnavailable: The server does not answer.
            IndexMismatch: It has none of this generation.
        """
        return ServerCollections(self, generation)

    def write(
        self, generation: str, vectors: Mapping[str, Vectors], progress: Callable[[int], None]
    ) -> None:
        """Write the collections of a new generation.

        Args:
            generation: Its id, which they are named after.
            vectors: By kind.
            progress: Called with the number of vectors stored since the last call.

        Raises:
            VectorsUnavailable: The server does not answer, or has not kept all.
        """
        for kind, rows in vectors.items():
            # It may be asked twice, see `_sent`.
            made = {
                "name": _name(generation, kind),
                "configuration": {"hnsw": HNSW},
                "get_or_create": True,
            }
            number = self.ask("POST", "/collections", made, _WRITE_S)["id"]
            step = max(1, _BATCH_BYTES // (4 * max(1, rows.shape[-1])))
            for start in range(0, len(rows), step):
                batch = np.asarray(rows[start : start + step], dtype="<f4")
                told = {
                    "ids": [str(each) for each in range(start, start + len(batch))],
                    "embeddings": [base64.b64encode(row.tobytes()).decode() for row in batch],
                }
                self.ask("POST", f"/collections/{number}/add", told, _WRITE_S)
                progress(len(batch))
            if self.ask("GET", f"/collections/{number}/count", None, _WRITE_S) != len(rows):
                raise VectorsUnavailable(f"the Chroma server has not kept all {kind}")

    def remove(self, generation: str) -> None:
        """Delete the collections of a generation, as far as they are there.

        Raises:
            VectorsUnavailable: The server does not answer, and may still have them.
        """
        for kind in KINDS:
            try:
                self.ask("DELETE", f"/collections/{_name(generation, kind)}", None, _WRITE_S)
            except LookupError:
                continue

    def ask(self, method: str, path: str, told: object = None, wait_s: float = _READ_S) -> Any:
        """Ask the server something.

        Args:
            method: Of HTTP.
            path: Below the database.
            told: Goes along as JSON; None: nothing.
            wait_s: How long it may say nothing.

        Raises:
            LookupError: It has no such collection.
            VectorsUnavailable: It does not answer, fails or refuses; who is refused keeps nobody
                else from asking.
        """
        self._take_turn()
        try:
            answer = self._sent(method, path, told, wait_s)
            if answer.is_client_error and answer.status_code not in _LATER:
                self._answers()
                if answer.status_code == _NOT_FOUND:
                    raise LookupError(path)
                raise VectorsUnavailable(_refused(answer.status_code))
            answer.raise_for_status()
            said = answer.json() if answer.content else None
        except (httpx2.HTTPError, ValueError) as error:
            self._silent(error)
            raise VectorsUnavailable(_GONE) from error
        self._answers()
        return said

    def _sent(self, method: str, path: str, told: object, wait_s: float) -> httpx2.Response:
        timeout = httpx2.Timeout(wait_s, connect=_CONNECT_S)
        more: dict[str, Any] = {} if told is None else {"json": told}
        try:
            return self._http.request(method, path, timeout=timeout, **more)
        except _CUT:
            # Whatever is asked may be asked twice.
            return self._http.request(method, path, timeout=timeout, **more)

    def _take_turn(self) -> None:
        """Of those who ask a server that was silent, one waits for it; the others are told."""
        with self._lock:
            now = time.monotonic()
            if self._gone:
                if now < self._gone_until:
                    raise VectorsUnavailable(_GONE)
                self._gone_until = now + _AGAIN_S

    def _answers(self) -> None:
        with self._lock:
            if self._gone:
                _LOG.warning("the Chroma server answers again")
            self._gone = False

    def _silent(self, error: Exception) -> None:
        with self._lock:
            if not self._gone:
                _LOG.warning("the Chroma server does not answer: %s", type(error).__name__)
            self._gone, self._gone_until = True, time.monotonic() + _AGAIN_S


class ServerCollections:
    """The vectors of one generation in a server, see `rag.chroma.Collections`."""

    def __init__(self, server: ChromaServer, generation: str):
        """Look them up.

        Raises:
            VectorsUnavailable: The server does not answer.
            IndexMismatch: It has none of this generation.
        """
        self._server = server
        self._generation = generation
        self._ids = {
            kind: str(self._asked("GET", f"/collections/{_name(generation, kind)}")["id"])
            for kind in KINDS
        }

    def count(self, kind: str) -> int:
        """How many vectors there are."""
        return int(self._asked("GET", f"/collections/{self._ids[kind]}/count"))

    def nearest(self, kind: str, vector: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        """Numbers and cosines of the nearest, best first."""
        found = self._asked(
            "POST",
            f"/collections/{self._ids[kind]}/query",
            {
                "query_embeddings": [vector.tolist()],
                "n_results": count,
                "include": ["distances"],
            },
        )
        return ranked(found["ids"][0], found["distances"][0])

    def stored(self, kind: str, numbers: NDArray[np.int64]) -> Vectors:
        """Those with some numbers, ascending; those that are not there are left out."""
        found = self._asked(
            "POST",
            f"/collections/{self._ids[kind]}/get",
            {"ids": [str(number) for number in numbers], "include": ["embeddings"]},
        )
        return in_order(found["ids"], np.array(found["embeddings"], dtype=np.float32))

    def close(self) -> None:
        """Nothing is open."""

    def _asked(self, method: str, path: str, told: object = None) -> Any:
        try:
            return self._server.ask(method, path, told)
        except LookupError:
            raise IndexMismatch(
                f"the Chroma server has no vectors of index {self._generation};"
                " set HELPDESK_CHROMA__URL to the one that has, or build the index anew with:"
                " python -m ingest run"
            ) from None


def _refused(status: int) -> str:
    cure = (
        "look at HELPDESK_CHROMA__TOKEN and at what stands before it"
        if status in (401, 403)
        else "look whether it is Chroma 1.0 or later, and what stands before it"
    )
    return f"the Chroma server refuses what it is asked, with HTTP status {status}; {cure}"


def _name(generation: str, kind: str) -> str:
    return quote(f"{generation}-{kind}")
