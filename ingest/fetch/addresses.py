"""Which addresses may be asked at all: pure rules on URLs and on IP addresses.

Addresses come from pages that others wrote. One that leads into the network of
whoever runs the ingest must not be followed, however it is spelt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx2

from rag.errors import SourceUnavailable

_MAX_URL = 8_000
"""Characters; the longest that common servers take."""
_AUTHORITY = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//([^/?#]*)", re.IGNORECASE)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")

_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, metadata of cloud machines
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
"""All that was ever given out as global unicast; whatever lies beside it is refused."""
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "3ffe::/16",  # the 6bone, withdrawn
        "3fff::/20",  # documentation
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""First half of the interface identifier; the IPv4 address is the other half."""


class Refused(SourceUnavailable):
    """An address that may not be asked, now or later."""


def parse(address: str, base: httpx2.URL | None = None) -> httpx2.URL:
    """Read an address once, strictly, so that what is checked is what is asked.

    Spellings on which programs differ (user names, back slashes, numbers as
    hosts) are refused instead of interpreted.

    Args:
        address: As written by whoever.
        base: That a relative one belongs to; None: it must be absolute.

    Returns:
        The address with http or https and a host, without its fragment.

    Raises:
        Refused: It is not one of those.
    """
    if len(address) > _MAX_URL:
        raise Refused("an address is too long to be asked")
    authority = _AUTHORITY.match(address)
    written = authority[1] if authority else ""
    if authority and not written.partition(":")[0]:
        raise Refused("an address without a host may not be asked")
    if re.search(r"[@\\%\s\x00-\x1f]", written):
        # Not even shown: it may hold a password.
        raise Refused("an address with a user name or odd characters in its host may not be asked")
    try:
        url = base.join(address) if base else httpx2.URL(address)
        url = url.copy_with(fragment=None)
    except (httpx2.InvalidURL, ValueError):
        raise Refused("an address that cannot be read may not be asked") from None
    if url.scheme not in ("http", "https"):
        raise Refused("only addresses with http or https may be asked")
    _check_host(host_of(url), written if authority else None)
    if url.userinfo or (url.port is not None and not 0 < url.port < 65_536):
        raise Refused(f"{host_of(url)} may not be asked with this port or user name")
    return url


def _check_host(host: str, written: str | None) -> None:
    """Refuse what is neither a plain name nor an IP address in its usual form.

    Args:
        host: As read.
        written: The part of the address that it was read from; None: it is the base's.
    """
    if not host:
        raise Refused("an address without a host may not be asked")
    if ":" in host or re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", host):
        literal = f"[{host}]" if ":" in host else host
        if "%" in host or not (written or literal).startswith(literal):
            raise Refused(f"{host} is an unusual way to write an IP address")
        return
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise Refused("an address whose host is not a host name may not be asked")
    # A name that ends in a number is an IP address to some resolvers: 127.1, 0x7f000001.
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise Refused(f"{host} is an unusual way to write an IP address")


def host_of(url: httpx2.URL) -> str:
    """The host as it is asked: lower case, international names encoded, IPv6 without brackets."""
    return url.raw_host.decode("ascii")


def folded(host: str) -> str:
    """A host in the form in which two that are the same compare equal."""
    return host.casefold().rstrip(".").removeprefix("[").removesuffix("]")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet.

    An address that carries another one, as those of the transition to IPv6 do,
    is as public as what it carries. What cannot be read is not public, nor is
    what holds only on one machine: an address with a scope.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return _is_public_4(ip)
    if ip.scope_id is not None:
        return False
    carried = list(_carried(ip))
    if any(ip in network for network in (_MAPPED, _NAT64, _6TO4)):
        return all(map(_is_public_4, carried))
    return (
        ip in _GLOBAL_6
        and ip.is_global
        and not any(ip in network for network in _NOT_PUBLIC_6)
        and all(map(_is_public_4, carried))
    )


def _is_public_4(ip: IPv4Address) -> bool:
    return ip.is_global and not any(ip in network for network in _NOT_PUBLIC_4)


def _carried(ip: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses inside an IPv6 address, where its form says that there are."""
    bits = int(ip)
    if ip in _MAPPED or ip in _NAT64 or (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(bits & 0xFFFFFFFF)
    if ip in _6TO4:
        yield IPv4Address((bits >> 80) & 0xFFFFFFFF)
