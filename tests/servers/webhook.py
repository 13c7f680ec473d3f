"""Some other program on 127.0.0.1 that is told of tickets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from servers import running

Way = Literal[
    "take", "slow", "refuse", "gone", "elsewhere", "die before", "die between", "die after"
]
_REFUSALS: Mapping[Way, tuple[int, Mapping[str, str]]] = {
    "refuse": (503, {"Retry-After": "7200"}),
    "gone": (410, {}),
    "elsewhere": (307, {"Location": "/other"}),
}


@dataclass(frozen=True)
class Taken:
    """A request as it came."""

    headers: Mapping[str, str]
    body: bytes
    way: Way
    at: float
    """By `time.monotonic`."""

    @property
    def told(self) -> Any:
        return json.loads(self.body)


class Handler(running.Handler):
    def do_POST(self) -> None:  # noqa: N802
        owner: WebhookServer = self.server.owner
        body = self.whole_body()
        way = owner.behave()
        owner.tries += 1
        if way == "slow":
            time.sleep(owner.slow_s)
        if way == "die before":
            self.die()
            return
        if way in _REFUSALS:
            status, headers = _REFUSALS[way]
            self.reply(status, headers=headers)
            return
        owner.taken.append(Taken(self.fields, body, way, time.monotonic()))
        if way != "die between":
            self.reply(204)
        if way.startswith("die"):
            self.die()

    def die(self) -> None:
        self.close_connection = True
        self.connection.close()


class WebhookServer(running.RunningServer):
    """The server, with what it was told."""

    def __init__(self, behave: Callable[[], Way] = lambda: "take", slow_s: float = 0.2) -> None:
        super().__init__(Handler)
        self.behave = behave
        self.slow_s = slow_s
        self.tries = 0
        self.taken: list[Taken] = []
