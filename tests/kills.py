"""An ingest that is killed at random moments, and a reader that asks all the while.

The ingest is the real one, with real files and databases; only the embedder is a
fake, as what it takes would drown everything that could go wrong. Each run is a
process forked from one that has everything imported, so that twenty take seconds.

By hand, 200 times: ``python tests/kills.py 200``
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np
from fakes import HashingEmbedder, answerer_of
from servers.site import SiteServer

from api.live import LiveIndex
from ingest import pipeline
from ingest.fetch.client import Client
from ingest.fetch.downloads import Downloads
from ingest.fetch.fetcher import Fetcher
from ingest.gather import Task
from ingest.models import Remote, Source
from ingest.pipeline import Knowledge, Memory
from ingest.register import Vocabulary
from rag.answerer import Answerer
from rag.chroma import FOLDER, KINDS, FolderCollections
from rag.messages import Messages
from rag.models import Question
from rag.store import Store

STATES = ("amber", "birch", "cedar", "delta")
"""Words that tell which state of the sources a text is from."""
_PAGES = 6


def write_state(folder: Path, number: int) -> None:
    """Put a folder into one of the states; every page says which, and some come and go."""
    word = STATES[number % len(STATES)]
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "deep").mkdir(parents=True)
    for page in range(_PAGES):
        if page == number % _PAGES and page:
            continue
        text = f"<p>The tide mark of harbour {page} is painted on {word} wood.</p>"
        links = "".join(f'<a href="/page{other}">Harbour {other}</a> ' for other in range(_PAGES))
        name = "index" if page == 0 else f"page{page}"
        body = f"<main><h1>Harbour {page}</h1>{text * 3}<p>{links}</p></main>"
        (draft / f"{name}.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    (draft / "deep" / "log.md").write_text(
        f"# Log\n\nThe tide mark was painted anew on {word} wood.\n", encoding="utf-8"
    )
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def ingest(data: Path, folder: Path, address: str) -> None:
    """One run over a folder and a site; what `python -m ingest run` does, the model aside."""
    hosts = frozenset({"127.0.0.1"})
    with Client("kills/1 (+mailto:nobody@example.org)", allowed_hosts=hosts) as client:
        fetch = Fetcher(client, Downloads(data / "downloads"), zenodo=address, github=address)
        report = pipeline.run(
            Task([Source("atlas", "folder", folder), Remote("harbours", "site", address)]),
            fetch=fetch,
            knowledge=Knowledge((), {}, Vocabulary((), {}), ("harbours", "atlas")),
            memory=Memory.of(data),
            embedder=HashingEmbedder(),
            progress=_Silence(),
        )
    if report.problems:
        raise SystemExit(f"problems: {report.problems}")


class _Silence:
    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None


class Zygote:
    """A process with everything imported, which forks one for each run."""

    def __enter__(self) -> Zygote:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def start(self, data: Path, folder: Path, address: str) -> int:
        """Begin a run; returns its process id."""
        self._process.stdin.write(f"{data}\t{folder}\t{address}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self) -> int:
        """How the run ended: its exit code, negative for a signal."""
        return int(self._process.stdout.readline())


def _zygote() -> None:
    for line in sys.stdin:
        data, folder, address = line.rstrip("\n").split("\t")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                ingest(Path(data), Path(folder), address)
                code = 0
            except BaseException as error:  # noqa: BLE001 - it is said, and the process ends
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


@dataclass
class Reader:
    """Asks all the while, as a server does, and notes what it must never see."""

    data: Path
    answers: int = 0
    generations: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def __enter__(self) -> Reader:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        store, embedder = Store(self.data), HashingEmbedder()
        messages = Messages.load(ROOT / "corpus" / "messages")

        def build() -> Answerer:
            return answerer_of(store.open(), embedder, messages)

        live = LiveIndex(store, build)
        while not self._stop.is_set():
            try:
                # A server looks by itself, every few seconds.
                live.look()
                self._look(live.answerer())
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what must not be
                self.faults.append(f"{type(error).__name__}: {error}")
            time.sleep(0.01)

    def _look(self, answerer: Answerer) -> None:
        answer = answerer.answer(Question("On which wood is the tide mark painted?"))
        generation = answerer.generation
        said = " ".join(chunk.text for chunk in generation.all_chunks())
        states = {word for word in STATES if word in said}
        quoted = {word for word in STATES for each in answer.citations if word in each.quote}
        self.answers += 1
        self.generations.add(generation.info.generation)
        if answer.status != "answered" or len(states) != 1 or quoted != states:
            self.faults.append(f"{answer.status}: the index holds {states}, quoted are {quoted}")


def contents(data: Path) -> str:
    """A hash of all that the current generation holds, its name and date aside."""
    generation = Store(data).open()
    digest = hashlib.sha256()
    with closing(sqlite3.connect(generation.directory / "index.sqlite")) as database:
        tables = [name for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        )]  # fmt: skip
        for table in tables:
            for row in database.execute(f"SELECT * FROM {table} ORDER BY 1, 2"):  # noqa: S608
                if row[0] not in ("generation", "built_at"):
                    digest.update(repr(row).encode())
    collections = FolderCollections(generation.directory / FOLDER)
    for kind in KINDS:
        count = collections.count(kind)
        digest.update(f"{kind} {count}".encode())
        if count:
            digest.update(collections.stored(kind, np.arange(count)).tobytes())
    collections.close()
    generation.close()
    return digest.hexdigest()


@dataclass
class Outcome:
    """What killing came to."""

    killed: int = 0
    survived: int = 0
    """Runs that had ended before they were to be killed."""
    differing: list[int] = field(default_factory=list)
    """Rounds after which the index was not what a clean build is."""
    answers: int = 0
    generations: int = 0
    faults: Sequence[str] = ()


def kill(times: int, folder: Path, seed: int = 0) -> Outcome:
    """Kill that many runs, each over changed sources, and look what they leave.

    Args:
        times: Kills.
        folder: An empty folder to work in.
        seed: Of the moments at which is killed.
    """
    chance = random.Random(seed)
    outcome = Outcome()
    sources, data = folder / "sources", folder / "data"
    write_state(sources, 0)
    with SiteServer(sources) as server, Zygote() as zygote:
        clean: dict[int, str] = {}
        within = 0.0
        for state in range(len(STATES) * _PAGES if times > 50 else len(STATES)):
            write_state(sources, state)
            started = time.monotonic()
            zygote.start(folder / f"clean{state}", sources, server.address)
            assert zygote.wait() == 0
            within = time.monotonic() - started
            clean[state] = contents(folder / f"clean{state}")
            shutil.rmtree(folder / f"clean{state}")
        write_state(sources, 0)
        zygote.start(data, sources, server.address)
        assert zygote.wait() == 0
        state = 0
        with Reader(data) as reader:
            while outcome.killed < times:
                state = (state + 1) % len(clean)
                write_state(sources, state)
                pid = zygote.start(data, sources, server.address)
                time.sleep(chance.uniform(0, within))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                if zygote.wait() == -signal.SIGKILL:
                    outcome.killed += 1
                    within *= 1.03  # so that the end of a run is hit as well
                else:
                    outcome.survived += 1
                    within *= 0.8
                if chance.random() < 0.3:
                    continue  # killed again, over other changes, before any run could end
                zygote.start(data, sources, server.address)
                if zygote.wait() != 0 or contents(data) != clean[state]:
                    outcome.differing.append(outcome.killed)
        outcome.answers = reader.answers
        outcome.generations = len(reader.generations)
        outcome.faults = reader.faults
    return outcome


if __name__ == "__main__":
    if sys.argv[1:] == ["--zygote"]:
        _zygote()
    else:
        with tempfile.TemporaryDirectory() as place:
            print(kill(int(sys.argv[1]), Path(place), seed=int(time.time())))
