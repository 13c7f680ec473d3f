"""An origin as browsers write it; settings read it, too, long before anything is served."""

from __future__ import annotations

from urllib.parse import urlsplit

ANYONE = "*"
"""In place of origins: pages of all of them."""

_PORTS = {"http": 80, "https": 443}


def origin_of(address: str) -> str:
    """Write an origin as browsers send it: lower case, no stroke, no port that is understood.

    Raises:
        ValueError: It is none; the message says what one looks like.
    """
    wrong = ValueError(f"{address!r} is no origin such as https://www.example.org")
    try:
        parts = urlsplit(address)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if scheme not in _PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong
    if parts.username is not None or any(each in host for each in "*, "):
        raise wrong
    try:
        # Browsers send the ASCII form of a name.
        known = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise wrong from None
    return f"{scheme}://{known}" + (f":{port}" if port and port != _PORTS[scheme] else "")
