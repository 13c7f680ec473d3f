"""Headers that every reply carries: the one place where browsers are told what is not allowed.

A route sets only what is its own: how long its reply may be kept where that is not "never", and
how much of an address its forms tell. Some say "never" themselves as well, beside what they reply.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(),"
    " display-capture=(), midi=(), accelerometer=(), gyroscope=(), magnetometer=()",
    # The widget's files say otherwise, see `api.origins`.
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NOTHING = "default-src 'none'; frame-ancestors 'none'"
"""Of what is no page: should a browser show it as one, it can do nothing."""
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
_DOCS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page of the API: what draws it writes styles and small pictures into it."""
_YEAR_S = 31_536_000
_NOT_MODIFIED = 304


class SecurityHeaders:
    """Adds them; passes streams on as they come."""

    def __init__(self, app: ASGIApp, public_url: str = ""):
        """Stand before an app.

        Args:
            app: What is called.
            public_url: Where the helpdesk is reached, if not where it is called; may be empty.
        """
        self._app = app
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its reply back with the headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                path: str = scope["path"]
                page = headers.get("content-type", "").startswith("text/html")
                policy = (_DOCS if path == "/docs" else _PAGE) if page else _NOTHING
                # One of "not modified" would take the place of that of the page that is kept.
                if message["status"] != _NOT_MODIFIED:
                    headers.setdefault("Content-Security-Policy", policy)
                if page:
                    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
                # Replies hold what people typed, or the tokens of their links.
                kept = "no-cache" if path.startswith("/static/") else "no-store"
                headers.setdefault("Cache-Control", kept)
                if self._https(scope):
                    headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_S}")
            await send(message)

        await self._app(scope, receive, with_headers)

    def _https(self, scope: Scope) -> bool:
        """Whether browsers reach the helpdesk by HTTPS."""
        if self._public_url:
            return self._public_url.startswith("https:")
        return bool(scope.get("scheme") == "https")
