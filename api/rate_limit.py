"""How often a client may ask."""

from __future__ import annotations

import math
import time
from ipaddress import IPv6Address, IPv6Network, ip_address

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import Staff
from api.errors import reply

COUNTED = frozenset(
    {
        ("POST", "/v1/answers"),
        ("GET", "/v1/search"),
        ("POST", "/v1/feedback"),
        ("POST", "/v1/tickets"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/mcp"),
        ("POST", "/mcp/"),
    }
)
"""Calls that cost something; pages, files, health and lists are free. The form of the page is
counted by its route, which shows a page to whom it refuses."""
MAX_CLIENTS = 2_000
"""Clients that are counted at a time, so that a flood does not fill the memory. The library looks
through all of them after each call: 7 ms beside the event loop, five times that for five times as
many."""

_ASK_LATER = "too many requests; try again in {} s"


class RateLimit:
    """Counts calls of each client in a moving window.

    In the memory of one process: several workers allow each as much.
    """

    def __init__(self, per_minute: int, tickets_per_hour: int):
        """Allow one client so many calls; 0: any number."""
        # Each by itself, so that a flood of calls makes nobody's tickets forgotten.
        self._calls = _Window(RateLimitItemPerMinute(per_minute)) if per_minute else None
        self._tickets = (
            _Window(RateLimitItemPerHour(tickets_per_hour)) if tickets_per_hour else None
        )

    def call(self, scope: Scope) -> int | None:
        """Count a call; returns the seconds to wait if it is one too many."""
        return self._calls.hit(_client(scope)) if self._calls else None

    def ticket(self, scope: Scope) -> int | None:
        """Count a ticket; returns the seconds to wait if it is one too many."""
        return self._tickets.hit(_client(scope)) if self._tickets else None


class _Window:
    """What clients did of late, with room for `MAX_CLIENTS` of them."""

    def __init__(self, item: RateLimitItem):
        self._item = item
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)

    def hit(self, client: str) -> int | None:
        known = self._storage.events
        if len(known) >= MAX_CLIENTS and self._item.key_for(client) not in known:
            self._make_room()
        if self._limiter.hit(self._item, client):
            return None
        free_at = self._limiter.get_window_stats(self._item, client).reset_time
        return max(1, math.ceil(free_at - time.time()))

    def _make_room(self) -> None:
        """Forget who has gone, whom the library keeps; if that is nobody, everyone.

        Starting anew forgives some, and refuses nobody wrongly.
        """
        self._forget(before=time.time())
        if len(self._storage.events) >= MAX_CLIENTS:
            self._forget(before=math.inf)

    def _forget(self, before: float) -> None:
        for key in list(self._storage.events):
            # A thread of the library's goes through them as well.
            with self._storage.locks[key]:
                events = self._storage.events[key]
                if all(each.expiry <= before for each in events):
                    self._storage.clear(key)


def refusal(path: str, wait_s: int) -> JSONResponse:
    """Tell a client when to come back."""
    refused = reply(path, 429, _ASK_LATER.format(wait_s))
    refused.headers["Retry-After"] = str(wait_s)
    return refused


class RateLimited:
    """Refuses calls of a client that asks too often; staff are not counted."""

    def __init__(self, app: ASGIApp, limit: RateLimit, staff: Staff):
        """Stand before an app."""
        self._app = app
        self._limit = limit
        self._staff = staff

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if (
            scope["type"] == "http"
            and (scope["method"], scope["path"]) in COUNTED
            and not self._staff.admits(Headers(scope=scope).get("authorization"))
            and (wait_s := self._limit.call(scope))
        ):
            await refusal(scope["path"], wait_s)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _client(scope: Scope) -> str:
    """Whom a call is counted for: an IPv4 address, or the network of an IPv6 one.

    A household or office has 2^64 IPv6 addresses to itself.
    """
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host  # the name that a proxy gave, or a socket of this machine
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, 64), strict=False))
