"""The real server under load: how long visitors wait, and what it holds on to.

By hand, over a copy of an index of the Framework (`--data`), best on a machine with nothing
else to do; ``--report FILE`` keeps the figures as JSON:

    python tests/load.py streams --data data          50 visitors at once, 10 questions each
    python tests/load.py mixed 20000 --data data      everything, while the index changes
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from visitor import BrokenOff, Reply, Visitor

from rag.article_drafts import Written, article_text
from rag.models import ArticleStatement, Evidence
from rag.text import pin

STAFF_TOKEN = "load-load-load-load"  # noqa: S105
EVENTS = {"Accept": "text/event-stream"}
ALONE, WARMING = 30, 10
"""Questions of the visitor who is alone, and of those before that are not counted."""
AT_ONCE = 12
"""Visitors of the mixed load at a time: about what two cores keep up with."""
_STARTS_S = 120
_BETWEEN_S = 1.0
"""Between two looks at what the server holds."""
_PAGES = 6
_WORDS = ("amber", "birch", "cedar", "delta")


def questions() -> list[str]:
    """The project's own judged questions, in all their languages, in a fixed order."""
    found: list[str] = []
    for name in ("questions", "doubt", "gaps"):
        lines = (ROOT / "eval" / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        found += [json.loads(line)["question"] for line in lines]
    chosen = list(dict.fromkeys(found))
    random.Random(12).shuffle(chosen)
    return chosen


def messages() -> list[str]:
    """The project's own judged messages to staff."""
    file = ROOT / "eval" / "data" / "triage.jsonl"
    return [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines()]


@contextmanager
def serving(data: Path) -> Iterator[tuple[int, psutil.Process, float]]:
    """Run ``python -m api`` over a data directory; yields its port, process and start time (s)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    own = {
        "HELPDESK_DATA_DIR": str(data),
        "PORT": str(port),
        "HELPDESK_LIMITS__PER_MINUTE": "0",
        "HELPDESK_LIMITS__PER_DAY": "0",
        "HELPDESK_LIMITS__TICKETS_PER_HOUR": "0",
        "HELPDESK_STAFF_TOKEN": STAFF_TOKEN,
    }
    started = time.monotonic()
    command = [sys.executable, "-m", "api"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **own}) as server:
        try:
            while not _listening(port):
                if server.poll() is not None or time.monotonic() > started + _STARTS_S:
                    raise SystemExit("the server does not start")
                time.sleep(0.05)
            yield port, psutil.Process(server.pid), time.monotonic() - started
        finally:
            if server.poll() is not None:
                print(f"the server has ended by itself: {server.returncode}", file=sys.stderr)
            server.terminate()


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Waits:
    """How long visitors waited, in seconds."""

    count: int
    p50: float
    p95: float
    longest: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Waits:
        if not seconds:
            return cls(0, 0.0, 0.0, 0.0)
        ordered = sorted(seconds)
        at = min(len(ordered) - 1, int(0.95 * len(ordered)))
        return cls(len(ordered), statistics.median(ordered), ordered[at], ordered[-1])


# Streams


async def _streamed(visitor: Visitor, asked: Sequence[str]) -> tuple[list[Reply], list[str]]:
    replies, faults = [], []
    for question in asked:
        try:
            reply = await visitor.call("POST", "/v1/answers", {"question": question}, **EVENTS)
        except BrokenOff as error:
            faults.append(str(error))
            continue
        replies.append(reply)
        if reply.status != 200 or not reply.answered:
            faults.append(f"{reply.status}: …{reply.body[-300:]!r}")
    visitor.leave()
    return replies, faults


async def stream(port: int, server: psutil.Process, clients: int, each: int) -> dict[str, Any]:
    """One visitor alone, then many at once, each with questions of their own."""
    asked = cycle(questions())
    await _streamed(Visitor(port), list(islice(asked, WARMING)))
    alone, faults = await _streamed(Visitor(port), list(islice(asked, ALONE)))
    shares = [list(islice(asked, each)) for _ in range(clients)]
    burned, began = _burned(server), time.perf_counter()
    found = await asyncio.gather(*(_streamed(Visitor(port), share) for share in shares))
    took, burned = time.perf_counter() - began, _burned(server) - burned
    together = [reply for replies, _ in found for reply in replies]
    faults += [fault for _, more in found for fault in more]
    one, many = (Waits.of([reply.seconds for reply in some]) for some in (alone, together))
    return {
        "alone_s": asdict(one),
        "together_s": asdict(many),
        "first_passages_s": asdict(Waits.of([reply.first_s for reply in together])),
        "ratio": many.p95 / one.p50,
        "errors": len(faults),
        "faults": Counter(faults).most_common(5),
        "answers_per_s": len(together) / took,
        "cpu_ms_per_answer": burned / max(len(together), 1) * 1000,
        "cores_in_use": burned / took,
        "rss_mb": server.memory_info().rss / 2**20,
    }


def _burned(process: psutil.Process) -> float:
    """Seconds of processor time of a process and those below it."""
    times = [process.cpu_times(), *(each.cpu_times() for each in process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


# Everything, while the index changes


@dataclass
class Held:
    """What the server holds, looked at each second."""

    server: psutil.Process
    seconds: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    async def watch(self) -> None:
        began = time.monotonic()
        while True:
            family = [self.server, *self.server.children(recursive=True)]
            own = [each for each in family if "ingest" not in each.cmdline()]
            self.seconds.append(time.monotonic() - began)
            self.rss_mb.append(sum(each.memory_info().rss for each in own) / 2**20)
            self.open_files.append(sum(each.num_fds() for each in own))
            self.threads.append(sum(each.num_threads() for each in own))
            await asyncio.sleep(_BETWEEN_S)

    def told(self) -> dict[str, Any]:
        half = len(self.seconds) // 2
        hours = [each / 3600 for each in self.seconds[half:]]
        return {
            "rss_mb": {"first": self.rss_mb[0], "middle": self.rss_mb[half],
                       "last": self.rss_mb[-1], "highest": max(self.rss_mb)},
            "open_files": {"first": self.open_files[0], "middle": self.open_files[half],
                           "last": self.open_files[-1], "highest": max(self.open_files)},
            "threads": {"first": self.threads[0], "highest": max(self.threads)},
            "second_half_mb_per_hour": slope(hours, self.rss_mb[half:]),
            "second_half_open_files_per_hour": slope(hours, self.open_files[half:]),
            "looks": len(self.seconds),
            "every_tenth_rss_mb": [round(each) for each in self.rss_mb[::10]],
        }  # fmt: skip


def slope(at: Sequence[float], values: Sequence[float]) -> dict[str, float]:
    """The slope of a straight line through values, with its 95 % interval.

    Values a second apart resemble each other, and would make it look surer than it is: the
    interval comes from slopes between blocks of a tenth each.
    """
    size = max(1, len(values) // 10)
    blocks = [slice(start, start + size) for start in range(0, size * 10, size)]
    xs = [statistics.fmean(at[each]) for each in blocks if at[each]]
    ys = [statistics.fmean(values[each]) for each in blocks if values[each]]
    if len(xs) < 4:
        return {"slope": 0.0, "low": float("-inf"), "high": float("inf")}
    line = statistics.linear_regression(xs, ys)
    off = [y - line.intercept - line.slope * x for x, y in zip(xs, ys, strict=True)]
    spread = sum((x - statistics.fmean(xs)) ** 2 for x in xs)
    error = (sum(each**2 for each in off) / (len(xs) - 2) / spread) ** 0.5
    return {"slope": line.slope, "low": line.slope - 2.3 * error, "high": line.slope + 2.3 * error}


class Changing(threading.Thread):
    """Adds and removes a source and publishes an article, over and over, until stopped."""

    def __init__(self, data: Path, folder: Path):
        super().__init__()
        self._data, self._folder = data, folder
        self._over = threading.Event()
        self.generations = 0
        self.faults: list[str] = []

    def run(self) -> None:
        folder = self._folder / "harbours"
        for turn in count():
            _write(folder, turn)
            self._ingest("run", "--source", str(folder))
            article = self._folder / f"load-tide-mark-{turn % 3}.md"
            article.write_text(_article(turn), encoding="utf-8")
            self._ingest("articles", "publish", str(article))
            self._ingest("articles", "withdraw", article.stem)
            if turn % 4 == 3:
                self._ingest("remove", "harbours")
            if self._over.is_set():
                return

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _ingest(self, *words: str) -> None:
        if self._over.is_set():
            return
        done = subprocess.run(
            [sys.executable, "-m", "ingest", *words],
            cwd=ROOT,
            env={**os.environ, "HELPDESK_DATA_DIR": str(self._data)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            self.faults.append(f"ingest {words[0]}: {said[-1] if said else done.returncode}")
        else:
            self.generations += 1


def _write(folder: Path, turn: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for page in range(_PAGES):
        if page and page == turn % _PAGES:
            continue
        text = f"{_sentence(page, turn)} " + "It is read at dawn by a warden of the harbour. " * 3
        (folder / f"harbour-{page}.md").write_text(f"# Harbour {page}\n\n{text}\n", "utf-8")


def _sentence(page: int, turn: int) -> str:
    wood = _WORDS[turn % len(_WORDS)]
    return f"The tide mark of harbour {page} was painted on {wood} wood in spring {2000 + turn}."


def _article(turn: int) -> str:
    evidence = Evidence(
        source="harbours", path="harbour-0.md", title="Harbour 0", section=(), url=None,
        label=None, pin=pin(_sentence(0, turn)),
    )  # fmt: skip
    said = ArticleStatement(f"It is on {_WORDS[turn % len(_WORDS)]} wood.", (evidence,))
    asks = {"en": [f"On which wood is tide mark {turn % 3} of the old harbour painted?"]}
    return article_text(
        Written("Tide marks", "harbours", ["staff"], asks, [said], checked=date.today())
    )


@dataclass
class Seen:
    """What visitors saw."""

    calls: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    generations: set[str] = field(default_factory=set)


class Crowd:
    """Visitors who do one thing after the other, each chosen by chance."""

    def __init__(self, port: int, seen: Seen, seed: int):
        self._visitor, self._seen = Visitor(port), seen
        self._chance = random.Random(seed)
        self._questions, self._messages = questions(), messages()
        self._answers: list[str] = []
        self._documents: list[str] = []
        self._tickets: list[str] = []
        self._staff = {"Authorization": f"Bearer {STAFF_TOKEN}"}

    async def go(self, turns: Iterator[int]) -> None:
        """Do something for each turn."""
        deeds = {
            self.stream: 30, self.answer: 20, self.search: 12, self.leave: 6, self.page: 8,
            self.widget: 6, self.mistake: 6, self.feedback: 4, self.resources: 3,
            self.documents: 2, self.ready: 2, self.ask_by_form: 2, self.ticket: 1,
            self.follow: 1, self.triage: 0.5,
        }  # fmt: skip
        for _ in turns:
            (deed,) = self._chance.choices(list(deeds), list(deeds.values()))
            self._seen.calls[deed.__name__] += 1
            try:
                await deed()
            except BrokenOff as error:
                self._seen.faults[f"{deed.__name__}: {error}"] += 1
        self._visitor.leave()

    async def _call(
        self, method: str, path: str, sent: Any = None, *, expect: int = 200, **headers: str
    ) -> Reply:
        reply = await self._visitor.call(method, path, sent, **headers)
        if reply.status != expect:
            self._seen.faults[f"{method} {path.partition('?')[0]}: {reply.status}"] += 1
        self._seen.seconds.setdefault(path.partition("?")[0][:20], []).append(reply.seconds)
        return reply

    def _asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = {"question": self._chance.choice(self._questions)}
        if self._chance.random() < 0.2:
            earlier = self._chance.choice(self._questions)
            asked["history"] = [{"role": "user", "text": earlier}]
        if self._chance.random() < 0.1:
            asked["filters"] = {"labels": ["required"]}
        if self._chance.random() < 0.1:
            asked["country"] = self._chance.choice(["PT", "FI", "DE"])
        return asked

    async def stream(self) -> None:
        reply = await self._call("POST", "/v1/answers", self._asked(), **EVENTS)
        if not reply.answered:
            self._seen.faults["stream without an answer"] += 1
        else:
            self._remember(reply.json())

    async def answer(self) -> None:
        reply = await self._call("POST", "/v1/answers", self._asked())
        if reply.status == 200:
            self._remember(reply.json())

    def _remember(self, answer: dict[str, Any]) -> None:
        self._seen.generations.add(answer["index"]["generation"])
        self._answers = [answer["id"], *self._answers[:9]]

    async def leave(self) -> None:
        """Ask, and go in mid-stream."""
        asked, pause = self._asked(), self._chance.uniform(0, 0.3)
        if self._chance.random() < 0.5:
            await self._visitor.call("POST", "/v1/answers", asked, leaving=True, **EVENTS)
            return
        calling = asyncio.ensure_future(self._visitor.call("POST", "/v1/answers", asked, **EVENTS))
        await asyncio.wait([calling], timeout=pause)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        self._visitor.leave()

    async def search(self) -> None:
        said = quote(self._chance.choice(self._questions)[:500])
        await self._call("GET", f"/v1/search?q={said}&k={self._chance.choice([3, 10, 50])}")

    async def resources(self) -> None:
        await self._call(
            "GET", self._chance.choice(["/v1/resources", "/v1/resources?label=required"])
        )

    async def documents(self) -> None:
        if self._documents and self._chance.random() < 0.7:
            chosen = quote(self._chance.choice(self._documents))
            await self._call("GET", f"/v1/documents/{chosen}")
            return
        listed = (await self._call("GET", "/v1/documents")).json()["documents"]
        # Those that stay, whatever is read anew meanwhile.
        self._documents = [each["id"] for each in listed if each["source"] != "harbours"]

    async def feedback(self) -> None:
        if not self._answers:
            await self.answer()
            return
        sent = {"answer_id": self._answers[0], "helpful": self._chance.random() < 0.5}
        await self._call("POST", "/v1/feedback", sent, expect=204)

    async def ticket(self) -> None:
        sent = {"question": self._chance.choice(self._questions), "consent": True,
                "email": "visitor@load.example", "history": []}  # fmt: skip
        reply = await self._call("POST", "/v1/tickets", sent, expect=201)
        if reply.status == 201:
            self._tickets = [reply.json()["link"].split("/tickets/")[1], *self._tickets[:9]]

    async def follow(self) -> None:
        if not self._tickets:
            await self.ticket()
            return
        await self._call("GET", f"/v1/tickets/{self._chance.choice(self._tickets)}")

    async def triage(self) -> None:
        sent = {"subject": "A question", "text": self._chance.choice(self._messages)}
        await self._call("POST", "/v1/triage", sent, **self._staff)

    async def page(self) -> None:
        await self._call("GET", self._chance.choice(["/", "/?language=de", "/contribute"]))

    async def ask_by_form(self) -> None:
        form = f"question={quote(self._chance.choice(self._questions))}&country=&reply="
        kind = "application/x-www-form-urlencoded"
        await self._call("POST", "/ask", form.encode(), Content_Type=kind)

    async def widget(self) -> None:
        files = ["/widget.js", "/widget/helpdesk-chat.js", "/widget/answer-stream.js"]
        await self._call("GET", self._chance.choice(files), Accept_Encoding="gzip")

    async def ready(self) -> None:
        await self._call("GET", self._chance.choice(["/readyz", "/healthz"]))

    async def mistake(self) -> None:
        path, sent, status = self._chance.choice([
            ("/v1/answers", {"question": ""}, 422), ("/v1/answers", {"question": 5}, 422),
            ("/v1/answers", b"{", 400), ("/v1/feedback", {"answer_id": "x", "helpful": True}, 404),
            ("/v1/tickets", {"question": "Who?", "consent": False, "email": "a@b.example"}, 422),
            ("/v1/triage", {"text": "hello"}, 401), ("/nothing", {}, 404),
        ])  # fmt: skip
        kind = {"Content_Type": "application/json"} if isinstance(sent, bytes) else {}
        await self._call("POST", path, sent, expect=status, **kind)


async def mix(port: int, server: psutil.Process, changing: Changing, calls: int) -> dict[str, Any]:
    """So many calls of all sorts while the index changes all the time."""
    seen, held = Seen(), Held(server)
    watching = asyncio.create_task(held.watch())
    changing.start()
    burned, began = _burned(server), time.perf_counter()
    turns = iter(range(calls))
    try:
        await asyncio.gather(*(Crowd(port, seen, seed).go(turns) for seed in range(AT_ONCE)))
    finally:
        took = time.perf_counter() - began
        watching.cancel()
        await asyncio.to_thread(changing.stop)
    waits = {path: asdict(Waits.of(some)) for path, some in sorted(seen.seconds.items())}
    return {
        "calls": dict(seen.calls.most_common()),
        "errors": sum(seen.faults.values()),
        "faults": seen.faults.most_common(20),
        "seconds": took,
        "cores_in_use": (_burned(server) - burned) / took,
        "generations": {"made": changing.generations, "that_answered": len(seen.generations)},
        "ingest_faults": Counter(changing.faults).most_common(5),
        "held": held.told(),
        "waits_s": waits,
    }


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("streams", "mixed"))
    parser.add_argument("calls", nargs="?", type=int, default=20_000, help="of the mixed load")
    parser.add_argument("--data", type=Path, required=True, help="index to work on a copy of")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--report", type=Path)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server ends with it
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        shutil.copytree(chosen.data, data, ignore=shutil.ignore_patterns("*.lock", "desk.*"))
        with serving(data) as (port, server, started_s):
            idle = server.memory_info().rss / 2**20
            if chosen.what == "streams":
                work = stream(port, server, chosen.clients, chosen.each)
            else:
                work = mix(port, server, Changing(data, Path(place)), chosen.calls)
            found = asyncio.run(work)
    told = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        + platform.python_version(),
        "started_s": started_s,
        "rss_at_start_mb": idle,
        **found,
    }
    text = json.dumps(told, indent=1)
    print(text)
    if chosen.report:
        chosen.report.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
