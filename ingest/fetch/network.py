"""Connections to checked addresses only, and only for as long as is left.

The address is checked where the connection is made, and the connection goes to
the very address that was checked: a name that answers differently the second
time gains nothing. TLS goes on verifying the name.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2

from ingest.fetch.addresses import Refused, folded, is_public

Resolve = Callable[[str, int], list[str]]
"""From host and port to IP addresses, best first."""

_CONNECT_S = 10.0
"""For one of a host's addresses: time enough for three lost packets."""
_ERRORS: dict[type[Exception], type[httpx2.TransportError]] = {
    httpcore2.ConnectTimeout: httpx2.ConnectTimeout,
    httpcore2.ReadTimeout: httpx2.ReadTimeout,
    httpcore2.WriteTimeout: httpx2.WriteTimeout,
    httpcore2.PoolTimeout: httpx2.PoolTimeout,
    httpcore2.ConnectError: httpx2.ConnectError,
    httpcore2.ReadError: httpx2.ReadError,
    httpcore2.WriteError: httpx2.WriteError,
    httpcore2.LocalProtocolError: httpx2.LocalProtocolError,
    httpcore2.RemoteProtocolError: httpx2.RemoteProtocolError,
}


def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host; an IP address is its own.

    Raises:
        OSError: The name is not known, or nobody can be asked.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses: dict[str, None] = {}
    for family, _, _, _, place in found:
        address = str(place[0])
        if family == socket.AF_INET6 and len(place) == 4 and place[3]:
            address = f"{address.partition('%')[0]}%{place[3]}"
        addresses[address] = None
    return list(addresses)


class Network(httpcore2.NetworkBackend):
    """Connects to public addresses, and to those of hosts that are allowed by name."""

    def __init__(
        self,
        allowed_hosts: frozenset[str],
        resolve: Resolve = resolve,
        connector: httpcore2.NetworkBackend | None = None,
    ):
        """Take the names of hosts whose addresses may be private.

        Args:
            allowed_hosts: As written in a URL.
            resolve: Finds the addresses of a host.
            connector: Makes the connection to an address; a test looks on instead.
        """
        self._allowed = frozenset(_written(host) for host in allowed_hosts)
        self._resolve = resolve
        self._connector = connector or httpcore2.SyncBackend()
        self.until = float("inf")
        """When all of it has to be over, by `time.monotonic`."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first of a host's addresses that answers.

        Raises:
            Refused: One of its addresses is not public.
        """
        addresses = self._addresses(host, port)
        for number, address in enumerate(addresses, start=1):
            try:
                stream = self._connector.connect_tcp(
                    address,
                    port,
                    self.left(min(timeout or _CONNECT_S, _CONNECT_S), httpcore2.ConnectTimeout),
                    local_address,
                    socket_options,
                )
                return _TimedStream(stream, self)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise httpcore2.ConnectError("no address")

    def left(self, wanted: float | None, error: type[Exception]) -> float:
        """How long an operation may take.

        Args:
            wanted: How long it would take by itself; None: as long as there is.
            error: Raised where nothing is left.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise error("out of time")
        return left if wanted is None else min(left, wanted)

    def _addresses(self, host: str, port: int) -> list[str]:
        self.left(None, httpcore2.ConnectTimeout)
        try:
            addresses = self._resolve(host, port)
        except UnicodeError as error:
            raise Refused("an address whose host is not a host name may not be asked") from error
        except OSError as error:
            raise httpcore2.ConnectError(error) from error
        if _written(host) not in self._allowed:
            for address in addresses:
                if not is_public(address):
                    raise Refused(_private(host, address))
        return addresses


def _written(host: str) -> str:
    """A host as an operator or an address writes it, but for case and brackets."""
    return host.casefold().removeprefix("[").removesuffix("]")


def _private(host: str, address: str) -> str:
    if folded(host) == address:
        return f"{host} may not be asked: it is no public address"
    return f"{host} may not be asked: its address {address} is not public"


class _TimedStream(httpcore2.NetworkStream):
    """A connection whose every step ends in time, however little each one brings."""

    def __init__(self, stream: httpcore2.NetworkStream, network: Network):
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._network.left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._network.left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._network.left(timeout, httpcore2.ConnectTimeout)
        # The dot that ends a full name is no part of the name in a certificate.
        name = server_hostname.rstrip(".") if server_hostname else None
        return _TimedStream(self._stream.start_tls(ssl_context, name, left), self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Transport(httpx2.BaseTransport):
    """Carries requests over a `Network`: no proxies, HTTP/1.1."""

    def __init__(self, network: Network):
        """Make it; nothing is connected yet."""
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=10,
            keepalive_expiry=5.0,
            network_backend=network,
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and return the answer, its body still to be read."""
        with _as_httpx():
            answer = self._pool.handle_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    extensions=request.extensions,
                )
            )
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response):
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise the errors of the layer below as those of the layer above."""
    try:
        yield
    except tuple(_ERRORS) as error:
        raise _ERRORS[type(error)](str(error)) from error
