"""What is noted of every request: an id, a line in the log, and figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute, Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.exchange import CURRENT, Exchange
from api.metrics import Metrics

HEADER = "X-Request-ID"

_METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""What machines ask every few seconds; a line is written where it goes wrong."""
_GONE = 499
"""Whoever asked went before a reply began, as other servers call it."""
_NOWHERE = "none"
_LOG = logging.getLogger(__name__)


class Observed:
    """Stands outside all else, so that nothing is replied to a request that is not noted.

    What is refused before there is a request `api.connections` counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Sequence[BaseRoute]):
        """Stand before an app.

        Args:
            app: What is called.
            metrics: Where requests are counted.
            routes: Of the app, for what is refused before it is looked for.
        """
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange.begun(Headers(scope=scope).get(HEADER))
        # Whoever handles it may shorten its path.
        called = {key: scope[key] for key in ("type", "method", "path", "root_path")}
        status = _GONE

        async def identified(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = exchange.request_id
            await send(message)

        token = CURRENT.set(exchange)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, identified)
        finally:
            route = self._template(scope.get("route"), called)
            self._note(route, scope["method"], exchange, status, time.perf_counter() - began)
            CURRENT.reset(token)

    def _note(
        self, route: str, method: str, exchange: Exchange, status: int, seconds: float
    ) -> None:
        method = method if method in _METHODS else "OTHER"
        self._metrics.replied(route, method, status, seconds)
        if route in _QUIET and status < 400:
            return
        noted: dict[str, object] = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            **exchange.answer,
        }
        if exchange.error:
            noted["error"] = exchange.error
        _LOG.info("request", extra={"noted": noted})

    def _template(self, found: BaseRoute | None, called: Scope) -> str:
        """Which route it was, as the code names it: an address may hold a token or a question."""
        # What was refused on its way has not been looked for.
        route = found or next(
            (each for each in _each(self._routes) if each.matches(called)[0] is not Match.NONE),
            None,
        )
        path: str = getattr(route, "path", _NOWHERE)
        return path.rstrip("/") or "/"


def _each(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        # The framework keeps the routes of a router behind one that has no path.
        router: Router | None = getattr(route, "original_router", None)
        if router is None:
            yield route
        else:
            yield from _each(router.routes)
