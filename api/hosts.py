"""Under which names browsers are served.

A page elsewhere can have its own name lead to this machine (DNS rebinding). To a browser it is then
of one origin with the helpdesk, and could ask and write here from inside a network that it cannot
reach itself. So what a browser writes, and the whole desk, is served under known names only.
Programs name what they like, and what anybody may read is read under any name: through a proxy that
was set up without a word to the helpdesk pages are read, and no browser asks or writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.refusing import at_desk, refuse

_READS = ("GET", "HEAD", "OPTIONS")
_REFUSED = (
    "the helpdesk is not known under this name; the operator can name it in"
    " HELPDESK_SERVER__PUBLIC_URL or HELPDESK_SERVER__ALLOWED_HOSTS"
)


def known_hosts(allowed: Iterable[str], public_url: str) -> tuple[str, ...]:
    """Return the names that the helpdesk has; empty: it is served under any."""
    hosts = tuple(allowed)
    public = urlsplit(public_url).hostname if public_url else None
    return (*hosts, public) if hosts and public and public not in hosts else hosts


class Hosts:
    """Refuses browsers that come under another name."""

    def __init__(self, app: ASGIApp, known: Iterable[str]):
        """Stand before an app; `known` as `known_hosts` returns them."""
        self._app = app
        self._known = frozenset(each.lower().strip("[]") for each in known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and self._known and self._strange(scope):
            await refuse(scope, 421, _REFUSED)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _strange(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        if not at_desk(scope["path"]):
            browser = "origin" in headers or "sec-fetch-site" in headers
            if scope["method"] in _READS or not browser:
                return False
        return not self._knows(headers.get("host", ""))

    def _knows(self, host: str) -> bool:
        try:
            # A port may be anything; a name may end with its dot.
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self._known or name == "localhost" or name.endswith(".localhost"):
            return True
        # Nobody else can have a name without dots, or an address itself, lead here.
        return bool(name) and ("." not in name or _address(name))


def _address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
