"""Receivers that die, refuse and are slow, senders that are killed: what becomes of 500 tickets.

Mail, Zammad and a webhook are servers on 127.0.0.1 that die at random before they take
something, after, and in between; two processes deliver, and are killed at random. Times are
shortened a hundredfold, all else is the real thing. By hand:

    python tests/outages.py 500 [DATABASE_URL]
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from servers.smtp import SmtpServer
from servers.webhook import Taken as WebhookTaken
from servers.webhook import WebhookServer
from servers.zammad import ZammadServer

from api.desk import outbox
from api.desk.database import Database, DeskUnavailable
from api.desk.delivery import courier, http, smtp
from api.desk.delivery.courier import Courier
from api.desk.delivery.mails import Mails, Sender
from api.desk.delivery.smtp import Smtp
from api.desk.delivery.webhook import Webhook
from api.desk.delivery.zammad import Zammad
from api.desk.desk import Desk, open_desk
from api.desk.models import Actor, NewTicket, Seen
from api.desk.outbox import Outlets
from rag.messages import Messages

logging.getLogger("api.desk").addHandler(logging.NullHandler())
SITE = "https://helpdesk.example.org"
OUTLETS = Outlets("nmg.example", team=True, zammad=True, webhook=True)
STAFF = Actor("staff", "admin")
WAYS = ("take",) * 12 + (
    "die before", "die before", "die between", "die between", "die after", "slow", "refuse",
)  # fmt: skip
TEAM = "team@nmg.example"
_INDEX_S = 0.1
_SLOW_S = 0.3
"""Within which a slow receiver takes what a sender has sent that is dead by then."""
_WHY = ("not confirmed", "sender killed", "nobody knows")
_ONCE = WebhookTaken({}, b"", "take", 0.0)
"""Zammad gets nothing again, whatever happened before."""
_SENDERS = 2


def shorten() -> None:
    """Have minutes pass in tenths of a second."""
    outbox.SHORTEST, outbox.LONGEST = timedelta(seconds=0.3), timedelta(seconds=2)
    outbox.CLAIM, outbox.SORTED = timedelta(seconds=3), timedelta(seconds=0.1)
    courier.LOOKS_EVERY_S = 0.1
    smtp._ALL_S = http._ALL_S = 2.0
    smtp._SLOW_S = http._SLOW_S = http._LONGEST_WAIT_S = 1.0


@dataclass
class Weather:
    """How receivers fare: mostly well, for some while not at all; and what it did."""

    chance: random.Random
    calm: bool = False
    """Once all has been written, so that it ends."""
    down_until: dict[str, float] = field(default_factory=dict)
    did: Counter[tuple[str, str]] = field(default_factory=Counter)

    def way(self, name: str) -> Any:
        now = time.monotonic()
        if not self.calm and self.chance.random() < 0.002:
            self.down_until[name] = now + self.chance.uniform(0.5, 2)
        down = now < self.down_until.get(name, 0)
        way = "die before" if down else self.chance.choice(WAYS)
        if name == "mail" and way == "refuse":
            way = "refuse later"
        self.did[name, way] += 1
        return way


class Senders:
    """A process with everything imported, which forks those that deliver."""

    def __init__(self, arguments: Sequence[str], chance: random.Random) -> None:
        self._chance = chance
        self._zygote = subprocess.Popen(
            [sys.executable, __file__, "--zygote", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._running: list[int] = []
        self._over = threading.Event()
        self.killed: list[float] = []
        self._thread = threading.Thread(target=self._kill)

    def __enter__(self) -> Senders:
        self._running = [self._start() for _ in range(_SENDERS)]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._zygote.stdin
        self._zygote.stdin.close()
        self._zygote.wait(timeout=30)

    def _start(self) -> int:
        assert self._zygote.stdin
        assert self._zygote.stdout
        self._zygote.stdin.write("start\n")
        self._zygote.stdin.flush()
        return int(self._zygote.stdout.readline())

    def _kill(self) -> None:
        while not self._over.wait(self._chance.uniform(1, 6)):
            which = self._chance.randrange(_SENDERS)
            with suppress(ProcessLookupError):
                os.kill(self._running[which], signal.SIGKILL)
            self.killed.append(time.monotonic())
            self._running[which] = self._start()


def _zygote(data: str, url: str, mail: str, zammad: str, webhook: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    shorten()
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                asyncio.run(_send(Path(data), url, int(mail), zammad, webhook))
            os._exit(0)
        print(pid, flush=True)


async def _send(data: Path, url: str, mail: int, zammad: str, webhook: str) -> None:
    """Deliver until killed; what `api.main` puts together."""
    logging.getLogger("api.desk").addHandler(logging.FileHandler(data / "senders.log"))
    # Its tables are there: to look for what they lack takes longer than a sender lives.
    desk = Desk(Database(url, data), 30, 365, outlets=OUTLETS)
    texts = Messages.load(ROOT / "corpus" / "messages" / "mail")
    mails = Mails(texts, Sender("Desk", "desk@nmg.example", "", TEAM), SITE)
    by_mail = Smtp(smtp.SmtpServer("127.0.0.1", mail, "none", "", ""), mails)
    carriers: dict[Any, Any] = {
        "mail": by_mail,
        "team": by_mail,
        "zammad": Zammad(zammad, "token-of-an-agent", "Users", SITE),
        "webhook": Webhook(webhook, "a-secret-of-both-sides", SITE),
    }
    Courier(desk, carriers).start()
    await asyncio.Event().wait()


def happen(desk: Desk, tickets: int, chance: random.Random) -> Counter[str]:
    """Have people ask, staff reply, and some write back; returns what is to be told."""
    told: Counter[str] = Counter()

    def stored(work: Any) -> Any:
        while True:
            try:
                return work()
            except DeskUnavailable:
                time.sleep(0.05)

    for number in range(tickets):
        email = f"person-{number}@clinic.example"
        asked = NewTicket(f"Question {number}?", (), None, None, email, "PT", "en")
        ticket, token = stored(lambda asked=asked: desk.tickets.open(asked))
        seen = Seen(ticket.ticket_id, ticket.version)
        stored(lambda seen=seen: desk.handling.reply(STAFF, seen, "An answer."))
        told.update(mail=2, team=1, zammad=2, webhook=2)
        if chance.random() < 0.3:
            back = (ticket.ticket_id, token, "Thank you.")
            stored(lambda back=back: desk.tickets.write_back(*back))
            told.update(team=1, zammad=1, webhook=1)
    return told


@contextmanager
def _restarted(weather: Weather) -> Iterator[tuple[int, list[Any]]]:
    """A mail server that is now and then stopped as a whole, and begun anew on its port."""
    taken: list[Any] = []
    over = threading.Event()

    def begun(port: int = 0) -> SmtpServer:
        server = SmtpServer(port=port, behave=lambda: weather.way("mail"), slow_s=0.2)
        server.taken = taken
        return server.__enter__()

    server = begun()
    port = server.port

    def restart() -> None:
        nonlocal server
        while not over.wait(4):
            server.__exit__()
            time.sleep(0.3)
            server = begun(port)

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        yield port, taken
    finally:
        over.set()
        thread.join()
        server.__exit__()


def run(tickets: int, url: str, folder: Path, seed: int) -> bool:
    """Do all of it and print what came of it; returns whether nothing was lost or made twice."""
    shorten()
    chance = random.Random(seed)
    weather = Weather(random.Random(seed + 1))
    with (
        _restarted(weather) as (port, mails),
        ZammadServer(behave=lambda: weather.way("zammad"), index_s=_INDEX_S) as zammad,
        WebhookServer(behave=lambda: weather.way("webhook")) as webhook,
    ):
        desk = open_desk(url, folder, 30, 365, outlets=OUTLETS)
        places = (str(folder), url, str(port), zammad.address, webhook.address)
        began = time.monotonic()
        with Senders(places, chance) as senders:
            told = happen(desk, tickets, chance)
            weather.calm = True
            until = time.monotonic() + 3000
            while (left := desk.outbox.counts(STAFF))["waiting"] and time.monotonic() < until:
                time.sleep(0.5)
            seconds = time.monotonic() - began
        desk.close()
    print(f"seed {seed}: {tickets} tickets, {seconds:.0f} s, {len(senders.killed)} senders killed")
    print(f"left in the outbox: {left}")
    taken = {
        "mail": [
            (str(each.mail["Message-ID"]), each) for each in mails if each.recipients[0] != TEAM
        ],
        "team": [
            (str(each.mail["Message-ID"]), each) for each in mails if each.recipients[0] == TEAM
        ],
        "zammad": [(str(each["subject"]), _ONCE) for each in zammad.articles],
        "webhook": [(each.headers["x-helpdesk-delivery"], each) for each in webhook.taken],
    }
    heads = ("to tell", "taken", "lost", "again: not confirmed", "again: sender killed", "why not?")
    print(f"{'':8}" + "".join(f"{head:>22}" for head in heads))
    fine = left == {"waiting": 0, "dead": 0}
    for channel, all_of_it in taken.items():
        why = Counter(_repeats(all_of_it, senders.killed))
        lost = told[channel] - len({name for name, _ in all_of_it})
        shown = (told[channel], len(all_of_it), lost, *(why[each] for each in _WHY))
        print(f"{channel:8}" + "".join(f"{each:>22}" for each in shown))
        fine &= not lost and not why[_WHY[2]]
    doubled = len(zammad.tickets) - len({each["title"] for each in zammad.tickets})
    print(f"tickets in Zammad: {len(zammad.tickets)}, of them twice: {doubled}")
    said = (folder / "senders.log").read_text().splitlines()
    late = Counter(each.split()[2] for each in said if each.endswith("too slow"))
    print(f"not waited for any longer: {dict(late)}")
    print(f"what receivers did: {dict(sorted(weather.did.items()))}")
    return fine and not doubled


def _repeats(taken: Sequence[tuple[str, Any]], killed: Sequence[float]) -> Iterator[str]:
    """Why each thing that came again did: by what became of the time before."""
    before: dict[str, Any] = {}
    for name, one in taken:
        last = before.get(name)
        before[name] = one
        if last is None:
            continue
        if last.way == "die between":
            yield _WHY[0]
        elif last is not _ONCE and any(last.at - _SLOW_S <= when <= one.at for when in killed):
            yield _WHY[1]
        else:
            print(f"again, {one.at - last.at:.2f} s later: {last.way}")
            yield _WHY[2]


if __name__ == "__main__":
    if sys.argv[1] == "--zygote":
        _zygote(*sys.argv[2:])
    else:
        with tempfile.TemporaryDirectory() as place:
            seed = int(os.environ.get("SEED", time.time()))
            url = sys.argv[2] if len(sys.argv) > 2 else ""
            sys.exit(not run(int(sys.argv[1]), url, Path(place), seed))
