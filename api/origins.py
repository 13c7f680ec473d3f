"""Whose pages may call from a visitor's browser.

The widget's modules are open to every page. The API is open to our own pages
and to those of an allow-list; what another page sends is refused before
anything is done, as a browser asks beforehand (preflight) only for some requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.origin import ANYONE, origin_of
from api.refusing import refuse

_API = "/v1/"
_SHARED = (_API, "/mcp")
"""What pages of other origins may call that are allowed to; forms of ours are our own pages'."""
_WIDGET = ("/widget.js", "/widget/")
_READS = ("GET", "HEAD", "OPTIONS")
_REFUSED = (
    "pages of this origin may not call here; the operator can name it in"
    " HELPDESK_SERVER__ALLOWED_ORIGINS"
)


class Origins:
    """Refuses foreign pages, and tells browsers which ones may read the replies."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str], public_url: str):
        """Stand before an app.

        Args:
            app: What is called.
            allowed: Origins as `origin_of` writes them; `ANYONE` for all.
            public_url: Where the helpdesk is reached, if not where it is called; may be empty.
        """
        self._app = app
        self._allowed = frozenset(allowed)
        self._own = origin_of(_before_path(public_url)) if public_url else None
        # It stands outside, so that a page can read errors, too.
        self._api = CORSMiddleware(
            self._guarded,
            allow_origins=allowed,
            allow_methods=("GET", "POST"),
            # Clients of OpenAI's interface always send a key; we set no cookies that it could join.
            allow_headers=("Content-Type", "Accept", "Last-Event-ID", "Authorization"),
            expose_headers=("Retry-After",),
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(_API):
            await self._api(scope, receive, send)
        elif scope["path"].startswith(_WIDGET):
            await self._app(scope, receive, _open(send))
        else:
            await self._guarded(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in _READS and self._foreign(scope):
            await refuse(scope, 403, _REFUSED)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _foreign(self, scope: Scope) -> bool:
        """Whether a page of elsewhere sent it that may not; programs send no origin."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site")
        if scope["path"].startswith(_SHARED) and (
            ANYONE in self._allowed or origin in self._allowed
        ):
            return False
        # Set by the browser itself, which knows better than two names compared. A form of ours
        # comes with the origin `null`, as we ask for no referrer.
        if site is not None:
            return site not in ("same-origin", "none")
        if origin is None or origin == self._own:
            return False
        _, _, named = origin.partition("://")
        return not named or named != headers.get("host", "").lower()


def _before_path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _open(send: Send) -> Send:
    """Let every page load what is sent."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = "*"
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        await send(message)

    return with_headers
