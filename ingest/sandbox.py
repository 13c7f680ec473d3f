"""Sources read by a process of their own, within limits of time and memory.

A document may be made to exhaust its reader, or be so broken that it crashes
it. It then ends a worker and not the ingest: the worker is started anew, told
what to leave out, and the rest is read.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from pydantic import ValidationError

from ingest.loaders.folder import FolderReader, fill_languages, join_files, shown_path
from ingest.loaders.jekyll import CONFIG
from ingest.loaders.outline import Outline, join_pages, outline_of
from ingest.models import Loaded, Problem, Source
from ingest.readings import Readings, file_key, source_key
from ingest.worker import ORDER, REPLY, Opened, Order, Reply

_ROOT = Path(__file__).resolve().parent.parent
# What a worker needs of the environment: nothing that leads to a network, and no secret.
_KEPT = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TESSDATA_PREFIX",
    "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX",
)  # fmt: skip
_ONE_THREAD = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS")
_START_S = 60
_LOOK_EVERY_S = 0.05
"""How often the memory of a worker that is busy is looked at."""
_LOOK_AGAIN_S = 0.005
_ENDED_AT = 7 / 8
"""Share of the memory allowed at which a worker is ended: the programs it starts go on
growing between two looks, by up to a megabyte in a millisecond."""
_RENEWED_AT = 0.5
"""Share of the memory allowed from which a worker is replaced after a file: what one
file leaves behind must not be missing to the next."""
_MAX_REPLY = 32 * 2**20
"""Bytes of what one file says; the texts of a thick book have 3 million."""
_PIECE = 2**20


@dataclass(frozen=True)
class Limits:
    """What one file may take."""

    seconds: float = 30
    megabytes: int = 512


def _uncounted(_: int) -> None:
    """Nobody counts."""


def read_source(
    source: Source,
    count: Callable[[int], None] = _uncounted,
    limits: Limits = Limits(),
    readings: Readings | None = None,
) -> list[Loaded]:
    """Read a source, one `Loaded` a file.

    Args:
        source: A checkout, a folder, a file, or what was fetched of a site or record.
        count: Told of every file that is done with.
        limits: What each file may take. One that takes more, or ends the
            process that reads it, is a problem in the result.
        readings: What was read before; what has not changed is taken from there.
    """
    if not str(source.path).isprintable():
        shown = shown_path(source.path)
        return [Loaded(problems=[Problem(shown, "its path holds what cannot be printed")])]
    if readings is None:
        return _read(source, count, limits, {})[0]
    key = source_key(source)
    known = readings.get(key)
    if known is not None:
        return known
    files = {} if source.kind == "jekyll" else FolderReader(source).files
    keys = {path: file_key(source, path, file) for path, file in files.items()}
    before = {path: found[0] for path, each in keys.items() if (found := readings.get(each))}

    def keep(path: str, loaded: Loaded) -> None:
        # A file that is written to while it is read is neither what it was nor what it is.
        if path in keys and file_key(source, path, files[path]) == keys[path]:
            readings.put(keys[path], [loaded])

    settled, whole = _read(source, count, limits, before, keep)
    if whole and source_key(source) == key:
        readings.put(key, settled)
    return settled


def _nothing(path: str, loaded: Loaded) -> None:
    """Nobody keeps what is read."""


def _read(
    source: Source,
    count: Callable[[int], None],
    limits: Limits,
    before: Mapping[str, Loaded],
    keep: Callable[[str, Loaded], None] = _nothing,
) -> tuple[list[Loaded], bool]:
    """Read what was not read before.

    Returns:
        One `Loaded` a file, and whether no file broke a limit: the next time,
        on a machine with less to do, it may not.
    """
    read = dict(before)
    count(len(read))
    refused: set[str] = set()
    opened: Opened | None = None
    whole = True
    if before and source.kind != "jekyll":
        opened = Opened(FolderReader(source).paths, Outline())
    while opened is None or not read.keys() >= set(opened.paths):
        try:
            with _Worker(source, limits, frozenset(refused)) as worker:
                opened = worker.open()
                for path in opened.paths:
                    if path in read:
                        continue
                    read[path] = worker.read(path)
                    keep(path, read[path])
                    count(1)
                    if worker.is_swollen():
                        break
        except _Ended as ended:
            whole = False
            # With nothing to leave out there is no way past it.
            known = ended.path and ended.path not in refused
            path = ended.path if known else source.name
            read[path] = Loaded(problems=[Problem(path, str(ended))])
            if not known or path == CONFIG:
                break
            refused.add(path)
            count(1)
    paths = opened.paths if opened else ()
    in_order = dict.fromkeys((*(path for path in paths if path in read), *read))
    return _settled([read[path] for path in in_order], opened, source), whole


def _settled(read: Sequence[Loaded], opened: Opened | None, source: Source) -> list[Loaded]:
    """What can only be told once all files are read."""
    if source.kind == "jekyll" and opened is not None:
        return join_pages(fill_languages(read), opened.outline, source)
    joined = join_files(fill_languages(read), source)
    return join_pages(joined, outline_of(source), source) if source.kind == "site" else joined


class _Ended(Exception):
    """A worker has ended, or had to be; the message says why in one line."""

    def __init__(self, path: str, why: str):
        super().__init__(why)
        self.path = path


class _Worker:
    """One worker process, from its start to its end."""

    def __init__(self, source: Source, limits: Limits, leave_out: frozenset[str]):
        self._order = Order(source, leave_out, limits.seconds, limits.megabytes, os.getpid())
        self._limits = limits
        self._allowed = limits.megabytes * 2**20
        self._busy_with = ""
        self._received = bytearray()

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix="ingest-", ignore_cleanup_errors=True)
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= dict.fromkeys(_ONE_THREAD, "1")
        environment |= {"PYTHONPATH": str(_ROOT), "TMPDIR": self._temporary.name}
        # -P: the folder it is started in may be a source, and holds no code of ours.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self._watched = psutil.Process(self._process.pid)
        self._selector = selectors.DefaultSelector()
        self._output = self._process.stdout.fileno()  # type: ignore[union-attr]
        self._selector.register(self._output, selectors.EVENT_READ)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Its programs are in its session, and end with it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._temporary.cleanup()

    def open(self) -> Opened:
        """Have the source opened.

        Raises:
            _Ended: A file met on the way ended the worker.
        """
        # To start is no file's doing, and may take longer than the smallest of limits.
        if not self._reply(_START_S).ready:
            raise self._crashed()
        self._send(ORDER.dump_json(self._order))
        while True:
            reply = self._reply(self._limits.seconds)
            if reply.opened is not None:
                return reply.opened
            self._busy_with = reply.begun or self._busy_with

    def read(self, path: str) -> Loaded:
        """Have a file read.

        Raises:
            _Ended: It broke a limit or the worker.
        """
        self._busy_with = path
        self._send(json.dumps(path).encode())
        return self._reply(self._limits.seconds).loaded or Loaded()

    def is_swollen(self) -> bool:
        """Whether it holds so much memory that it should be replaced."""
        return self._memory() > _RENEWED_AT * self._allowed

    def _send(self, line: bytes) -> None:
        try:
            self._process.stdin.write(line + b"\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except OSError as error:
            raise _Ended(self._busy_with, "crashed the reader") from error

    def _reply(self, seconds: float) -> Reply:
        deadline = time.monotonic() + seconds
        while (end := self._received.find(b"\n")) < 0:
            self._receive(deadline)
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        try:
            reply = REPLY.validate_json(line)
        except ValidationError as error:
            raise _Ended(self._busy_with, "crashed the reader") from error
        if reply.out_of_memory:
            raise self._too_much_memory()
        return reply

    def _receive(self, deadline: float) -> None:
        """Wait for some of a reply, and watch over the limits meanwhile."""
        looks = 0
        while not self._selector.select(_LOOK_AGAIN_S if looks else _LOOK_EVERY_S):
            if time.monotonic() > deadline:
                raise self._too_slow()
            # Twice, as a program that is just being started counts as its parent again.
            looks = looks + 1 if self._memory() > _ENDED_AT * self._allowed else 0
            if looks > 1:
                raise self._too_much_memory()
        piece = os.read(self._output, _PIECE)
        if not piece:
            raise self._crashed()
        self._received += piece
        if time.monotonic() > deadline and not self._received.endswith(b"\n"):
            raise self._too_slow()  # it talks on and on
        if len(self._received) > _MAX_REPLY:
            text = f"holds more text than {_MAX_REPLY // 2**20} MB"
            raise _Ended(self._busy_with, text)

    def _memory(self) -> int:
        """Resident memory of the worker and the programs it started, in bytes."""
        total = 0
        with suppress(psutil.Error):
            for process in (self._watched, *self._watched.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def _too_slow(self) -> _Ended:
        return _Ended(self._busy_with, f"took longer than {self._limits.seconds:g} s")

    def _too_much_memory(self) -> _Ended:
        return _Ended(self._busy_with, f"needed more than {self._limits.megabytes} MB")

    def _crashed(self) -> _Ended:
        if self._process.wait() == -signal.SIGXCPU:
            return self._too_slow()
        return _Ended(self._busy_with, "crashed the reader")
