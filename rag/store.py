"""The index directory: complete generations, and which of them is current.

``generations/<id>/`` is never written again once complete. ``current`` names the generation in
use and is replaced atomically. So a killed ingest harms nothing, and no reader sees half an
index (DESIGN 2).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from rag.chroma_server import ChromaServer
from rag.errors import IndexLocked, IndexReadOnly, NoIndex, VectorsUnavailable
from rag.index import Generation
from rag.index_reader import DAMAGE, damaged
from rag.index_writer import Contents, write_generation

KEPT = 3
"""Generations left for rollback."""
_STILL_READ = timedelta(minutes=10)
"""How long a generation stays after the next one: readers on other hosts may not have switched."""
_MOST = 12
"""Generations that stay for that, at most: whoever publishes all day must not fill the disk."""
_STAMP = "%Y%m%dT%H%M%S"
"""What the id of a generation begins with."""


class Store:
    """The index directory: its generations and which one is current."""

    def __init__(self, directory: Path, server: ChromaServer | None = None):
        """Name the index directory; nothing is read or written yet.

        Args:
            directory: Holds the generations; readers need not be able to write there.
            server: Holds their vectors; None: the directory does.
        """
        self.directory = directory
        self.server = server
        self.generations = directory / "generations"
        self._pointer = directory / "current"

    def current(self) -> str | None:
        """Return the id of the generation in use, None where there is none."""
        try:
            name = self._pointer.read_text(encoding="utf-8").strip()
            return name if name and (self.generations / name).is_dir() else None
        except (OSError, UnicodeDecodeError):
            return None

    def open(self, name: str | None = None) -> Generation:
        """Open a generation for reading, by default the current one.

        Raises:
            NoIndex: There is none.
            IndexMismatch: It was written by another version of this program, is damaged, or cannot
                be read now.
        """
        chosen = name or self.current()
        if chosen is None:
            raise NoIndex(
                f"there is no index in {self.directory} yet; build one with: python -m ingest run"
            )
        try:
            return Generation(self.generations / chosen, self.server)
        except DAMAGE as error:
            raise damaged(chosen, error) from error

    def write(
        self, name: str, contents: Contents, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Write a complete generation and make it the current one.

        Args:
            name: Its id, also the name of its directory.
            contents: What it holds.
            progress: Called with the number of vectors stored since the last call.

        Raises:
            VectorsUnavailable: The server that is to hold its vectors does not answer.
        """
        self.generations.mkdir(parents=True, exist_ok=True)
        draft = self.generations / f".{name}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        write_generation(draft, name, contents, progress, self.server)
        draft.rename(self.generations / name)
        self.use(name)

    @contextmanager
    def locked(self, wait_s: float = 0) -> Iterator[None]:
        """Be the one that writes.

        Args:
            wait_s: How long another process may go on first.

        Raises:
            IndexLocked: Another process is, and goes on.
            IndexReadOnly: Nobody can be, from here.
        """
        if not self.writable:
            raise IndexReadOnly(
                f"the index in {self.directory} can only be read from here;"
                " do this on the host that builds it"
            )
        lock = FileLock(self.directory / "ingest.lock")
        try:
            lock.acquire(timeout=wait_s)
        except Timeout as error:
            raise IndexLocked("another ingest is writing; try again when it has ended") from error
        try:
            yield
        finally:
            lock.release()

    @property
    def writable(self) -> bool:
        """Whether an index can be built here, as far as the file system tells."""
        there = next(
            each for each in (self.directory, *self.directory.absolute().parents) if each.exists()
        )
        return os.access(there, os.W_OK)

    def use(self, name: str) -> None:
        """Make a complete generation the current one, atomically."""
        draft = self.directory / ".current.draft"
        with draft.open("w", encoding="utf-8") as file:
            file.write(name + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._pointer)

    def names(self) -> list[str]:
        """Every complete generation, oldest first."""
        if not self.generations.is_dir():
            return []
        return sorted(
            path.name
            for path in self.generations.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )

    def prune(self, keep: str | None = None) -> None:
        """Remove drafts that a killed ingest left, and all but the last few generations.

        What another host may still be reading stays a while longer.

        Args:
            keep: What was current until now: everybody reads it, however old it is.
        """
        if not self.generations.is_dir():
            return
        for draft in self.generations.glob(".*.draft"):
            self._remove(draft, draft.name.removeprefix(".").removesuffix(".draft"))
        current, names = self.current(), self.names()
        now = datetime.now(UTC)
        for place, name in enumerate(names[:-KEPT]):
            # One of the future is of a clock that was set back, and as old as any.
            lately = now - _STILL_READ < _begun(names[place + 1]) <= now
            read = lately and len(names) - place <= _MOST
            if name not in (current, keep) and not read:
                self._remove(self.generations / name, name)

    def _remove(self, folder: Path, name: str) -> None:
        if self.server:
            try:
                self.server.remove(name)
            except VectorsUnavailable:
                return  # the folder tells the next run what the server still holds
        shutil.rmtree(folder, ignore_errors=True)


def _begun(name: str) -> datetime:
    """The moment a generation's id begins with; the earliest of all where it begins with none."""
    try:
        return datetime.strptime(name[: len("20260101T000000")], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
