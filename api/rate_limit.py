"""How often a client may ask."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv6Address, IPv6Network, ip_address

from anyio import CapacityLimiter, fail_after, to_thread
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import Staff
from api.desk.calls import EVERYBODY, Allowance, Calls
from api.desk.database import DeskUnavailable
from api.errors import OPENAI, reply

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

GUESSES = 10
"""Wrong tokens of staff that one client may send in a minute, and as many to OpenAI's interface."""
_BUDGETED = frozenset(
    {"/v1/answers", "/v1/search", "/v1/chat/completions", "/mcp", "/mcp/", "/ask"}
)
"""What a day's budget is spent on; somebody who has spent it can still write to people."""
_DAY_S = 86_400
_COUNT_S = 3.0
"""How long a call waits until it is counted: longer than the desk waits for another that writes.
Of 25 calls at once in each of two processes the last was counted after 0.95 s on two cores."""
_GONE_S = 10.0
"""For how long the database is not asked to count after it could not."""
_COUNT_AT_ONCE = 4
_ASK_LATER = "too many requests; try again in {} s"
_LOG = logging.getLogger(__name__)


class RateLimit:
    """Counts calls of each client: those of a minute or an hour in windows that move, and a day's.

    One process counts short windows in its memory; where there are several, the desk's database
    counts for all of them, as it does days. Where that one is gone each process counts for itself.
    """

    def __init__(
        self,
        per_minute: int = 0,
        tickets_per_hour: int = 0,
        per_day: int = 0,
        total_per_day: int = 0,
        calls: Calls | None = None,
        *,
        alone: bool = True,
    ):
        """Allow so many calls; 0: any number.

        Args:
            per_minute: Of one client.
            tickets_per_hour: Of one client.
            per_day: What costs, of one client.
            total_per_day: What costs, of all clients.
            calls: Counts over all processes; None: each counts for itself.
            alone: Whether this process is the only one.
        """
        # Each by itself, so that a flood of calls makes nobody's tickets forgotten.
        self._calls = _Window(RateLimitItemPerMinute(per_minute)) if per_minute else None
        self._tickets = (
            _Window(RateLimitItemPerHour(tickets_per_hour)) if tickets_per_hour else None
        )
        self._guesses = _Window(RateLimitItemPerMinute(GUESSES)) if per_minute else None
        self._days = _Days()
        self._per_minute, self._per_hour = per_minute, tickets_per_hour
        self._per_day, self._total = per_day, total_per_day
        self._shared = calls
        self._alone = alone
        self._limiter = CapacityLimiter(_COUNT_AT_ONCE)
        self._gone_until = 0.0

    async def call(self, scope: Scope) -> int | None:
        """Count a call; returns the seconds to wait if it is one too many."""
        client, budgeted = _client(scope), scope["path"] in _BUDGETED
        if self._calls and (wait_s := self._calls.hit(client)):
            return wait_s
        shared = []
        if self._per_minute and not self._alone:
            shared.append(Allowance("minute", self._per_minute, 60, client))
        if budgeted and self._per_day:
            shared.append(Allowance("day", self._per_day, _DAY_S, client))
        if budgeted and self._total:
            shared.append(Allowance("total", self._total, _DAY_S, EVERYBODY))
        return await self._counted(shared)

    async def ticket(self, scope: Scope) -> int | None:
        """Count a ticket; returns the seconds to wait if it is one too many."""
        client = _client(scope)
        if self._tickets and (wait_s := self._tickets.hit(client)):
            return wait_s
        if not self._per_hour or self._alone:
            return None
        return await self._counted([Allowance("ticket", self._per_hour, 3600, client)])

    def guessing(self, scope: Scope) -> int | None:
        """Seconds for which no token of a client is looked at; None: it is looked at."""
        return self._guesses.full(_guesser(scope)) if self._guesses else None

    def guessed(self, scope: Scope) -> None:
        """Count a token of staff that was wrong, in this process alone."""
        if self._guesses:
            self._guesses.hit(_guesser(scope))

    async def _counted(self, shared: Sequence[Allowance]) -> int | None:
        daily = [each for each in shared if each.window_s == _DAY_S]
        if shared and self._shared and time.monotonic() >= self._gone_until:
            try:
                with fail_after(_COUNT_S):
                    wait_s = await to_thread.run_sync(
                        partial(self._shared.hit, shared),
                        abandon_on_cancel=True,
                        limiter=self._limiter,
                    )
            except (DeskUnavailable, TimeoutError) as error:
                _LOG.warning("calls are counted here alone: %s", type(error).__name__)
                self._gone_until = time.monotonic() + _GONE_S
            else:
                # Counted here, too, for when the database goes.
                self._days.count([] if wait_s else daily)
                return wait_s
        return self._days.hit(daily)


class _Days:
    """What this process allowed today, by client."""

    def __init__(self) -> None:
        self._day = 0
        self._counts: dict[tuple[str, str], int] = {}

    def hit(self, allowances: Sequence[Allowance]) -> int | None:
        """Count a call, unless one of its allowances is used up; returns the seconds to wait."""
        self._turn_page()
        for each in allowances:
            if self._counts.get((each.what, each.of), 0) >= each.most:
                return max(1, math.ceil(_DAY_S - time.time() % _DAY_S))
        self.count(allowances)
        return None

    def count(self, allowances: Sequence[Allowance]) -> None:
        """Count a call that was allowed."""
        self._turn_page()
        for each in allowances:
            key = (each.what, each.of)
            if key not in self._counts and len(self._counts) >= MAX_CLIENTS:
                # It forgives some, and refuses nobody wrongly; what all may spend is not forgiven.
                self._counts = {of: n for of, n in self._counts.items() if of[1] == EVERYBODY}
            self._counts[key] = self._counts.get(key, 0) + 1

    def _turn_page(self) -> None:
        day = int(time.time()) // _DAY_S
        if day != self._day:
            self._day = day
            self._counts.clear()


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
        if wait_s := self._wait_s(client):
            return wait_s
        self._limiter.hit(self._item, client)
        return None

    def full(self, client: str) -> int | None:
        """Seconds until a hit would be allowed; None: now."""
        return None if self._limiter.test(self._item, client) else self._wait_s(client)

    def _wait_s(self, client: str) -> int | None:
        """Seconds until one who is refused is let in; None: the clock was set back meanwhile."""
        free_at = self._limiter.get_window_stats(self._item, client).reset_time
        wait_s = max(1, math.ceil(free_at - time.time()))
        if wait_s <= self._item.get_expiry() + 1:
            return wait_s
        # What is noted is still to come, and would count until it has.
        self._storage.clear(self._item.key_for(client))
        return None

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
            and (wait_s := await self._wait_s(scope))
        ):
            await refusal(scope["path"], wait_s)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _wait_s(self, scope: Scope) -> int | None:
        authorization = Headers(scope=scope).get("authorization")
        if self._limit.guessing(scope) is None and self._staff.admits(authorization):
            return None
        wait_s = await self._limit.call(scope)
        # A token that was right would not have been refused: that would tell whoever guesses.
        if wait_s and authorization is not None:
            self._limit.guessed(scope)
        return wait_s


def _guesser(scope: Scope) -> str:
    """Whom a wrong token is counted for.

    Programs for OpenAI's interface always send a key, and any will do there. What they send is
    counted by itself, so that a busy one does not lock the scripts of staff beside it out.
    """
    client = _client(scope)
    return f"{client} {OPENAI[0]}" if scope["path"].startswith(OPENAI) else client


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
