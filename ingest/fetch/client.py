"""An HTTP client for addresses that others wrote: polite, patient and within limits."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import httpcore2
import httpx2
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from ingest.fetch.addresses import Refused, folded, host_of, parse
from ingest.fetch.network import Network, Resolve, Transport, resolve
from rag.errors import SourceUnavailable

_ATTEMPTS = 4
_LONGEST_WAIT_S = 120.0
"""For a server that asks to come back later; who asks for more is not waited for."""
_SHORTEST_WAIT_S = 1.0
_PASSES = frozenset({429, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
_SECRETS = frozenset({"authorization", "cookie", "proxy-authorization"})
_ERROR_PAGE = 2**20
"""Bytes that are kept of the body of anything but a success."""
_TIMEOUTS = httpx2.Timeout(30.0, connect=10.0)
_backoff = wait_exponential_jitter(initial=1.0, max=30.0, jitter=1.0)


@dataclass(frozen=True)
class FetchLimits:
    """What one answer may take."""

    megabytes: int = 200
    """Of the body, unpacked."""
    seconds: float = 120
    """From the first request to the last byte, redirects included, waits between attempts not."""
    redirects: int = 5


@dataclass(frozen=True)
class Reply:
    """The last answer of a chain of redirects."""

    url: str
    """The address that answered."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""
    """Empty where it went into a file; of an error page the beginning."""
    redirects: tuple[str, ...] = ()
    """The addresses before it, as asked; the first is the one that was wanted."""


@dataclass(frozen=True)
class _Order:
    """What was asked for, but for the address."""

    headers: Mapping[str, str]
    into: Path | None
    max_bytes: int
    same_host: bool
    body: bool = True
    """Whether more than the head of the answer is wanted."""


class _Passing(Exception):
    """Something that may have passed at the next attempt."""

    def __init__(
        self,
        reason: str,
        *,
        wait_s: float | None = None,
        unreachable: str | None = None,
    ):
        """Say what it is.

        Args:
            reason: In one line, for the operator.
            wait_s: As long as the server asks to wait.
            unreachable: Origin to which there was not even a connection.
        """
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s
        self.unreachable = unreachable


class Client:
    """Asks for addresses, one at a time; not for use by several threads.

    It keeps no cookies, and takes neither proxies nor passwords from the
    machine it runs on.
    """

    def __init__(
        self,
        agent: str,
        *,
        allowed_hosts: frozenset[str] = frozenset(),
        limits: FetchLimits = FetchLimits(),
        pause_s: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
        resolve: Resolve = resolve,
        connector: httpcore2.NetworkBackend | None = None,
    ):
        """Make a client; nothing is asked yet.

        Args:
            agent: The ``User-Agent``: who asks, and where to complain.
            allowed_hosts: Host names whose addresses may be private.
            limits: What one answer may take, unless said otherwise.
            pause_s: Between two requests to the same host.
            sleep: Waits; a test looks on instead.
            resolve: Finds the IP addresses of a host; a test answers instead.
            connector: Connects to a checked IP address; a test looks on instead.
        """
        self._limits = limits
        self._pause_s = pause_s
        self._sleep = sleep
        self._network = Network(allowed_hosts, resolve, connector)
        self._http = httpx2.Client(
            transport=Transport(self._network),
            headers={"User-Agent": agent, "Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=_TIMEOUTS,
            trust_env=False,
        )
        self._asked: dict[str, float] = {}
        """When a host was asked last, by `time.monotonic`."""
        self._not_before: dict[str, float] = {}
        """When a host wants to be asked again, in Unix seconds."""
        self._unreachable: dict[str, str] = {}
        """By origin: why there is no connection to it."""
        self._deadline = float("inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def allow(self, seconds: float) -> None:
        """Allow so much time for all that is asked from now on, waits included."""
        self._deadline = time.monotonic() + seconds

    def get(
        self,
        url: str,
        headers: Mapping[str, str] = {},
        *,
        into: Path | None = None,
        megabytes: int | None = None,
        same_host: bool = False,
    ) -> Reply:
        """Ask for an address and follow where it leads.

        What passes (429, 502 to 504, a broken connection) is tried again, after
        as long as the server asks for. Any other status is an answer: the
        caller judges it.

        Args:
            url: With http or https.
            headers: Beside the client's own, which they replace.
            into: File the body of a 200 is written to; None: into the reply.
            megabytes: Limit of the body, for this answer.
            same_host: Whether a redirect to another host is refused.

        Raises:
            SourceUnavailable: It may not be asked, cannot be reached, goes on
                failing, or breaks a limit; the message says which, in one line
                without the address's query.
        """
        wanted = parse(url)
        size = (self._limits.megabytes if megabytes is None else megabytes) * 2**20
        return self._had(wanted, _Order(headers, into, size, same_host))

    def look(self, url: str) -> Reply:
        """Ask for an address as `get` does, and take none of what is there.

        Not by HEAD, which some servers answer otherwise, or not at all.

        Raises:
            SourceUnavailable: As with `get`.
        """
        return self._had(parse(url), _Order({}, None, 0, same_host=False, body=False))

    @property
    def time_is_up(self) -> bool:
        """Whether the time is used up that `allow` gave."""
        return time.monotonic() >= self._deadline

    def _had(self, wanted: httpx2.URL, order: _Order) -> Reply:
        """Ask as often as it takes."""
        self._network.until = time.monotonic() + self._limits.seconds
        retrying = Retrying(
            sleep=self._wait,
            stop=stop_after_attempt(_ATTEMPTS),
            wait=_wait_s,
            retry=retry_if_exception(self._may_pass),
            reraise=True,
        )
        try:
            return retrying(self._follow, wanted, order)
        except _Passing as error:
            if error.unreachable:
                self._unreachable[error.unreachable] = error.reason
            raise SourceUnavailable(error.reason) from error

    def _follow(self, wanted: httpx2.URL, order: _Order) -> Reply:
        """Walk from an address to the answer, once."""
        url = wanted
        before: list[str] = []
        while True:
            self._await_turn(url)
            try:
                with self._errors_told(url), self._open(url, wanted, order) as response:
                    self._check_status(url, response)
                    if not _leads_on(response):
                        body = _take(url, response, order) if order.body else b""
                        fields = dict(response.headers)
                        return Reply(str(url), response.status_code, fields, body, tuple(before))
                    location = response.headers["location"]
            except Refused as error:
                raise _after(wanted, before, error) from error
            finally:
                self._asked[host_of(url)] = time.monotonic()
            before.append(str(url))
            url = self._onward(url, wanted, location, before, order)

    def _onward(
        self,
        url: httpx2.URL,
        wanted: httpx2.URL,
        location: str,
        before: list[str],
        order: _Order,
    ) -> httpx2.URL:
        """The address that a redirect leads to, if it may be followed."""
        try:
            following = parse(location, base=url)
        except Refused as error:
            raise _after(wanted, before, error) from error
        host = host_of(url)
        if url.scheme == "https" and following.scheme == "http":
            raise Refused(f"{host} leads from https to http")
        if order.same_host and folded(host_of(following)) != folded(host_of(wanted)):
            raise Refused(f"{host} leads to another host, {host_of(following)}")
        if str(following) in before:
            raise SourceUnavailable(f"{_short(wanted)} leads back to itself")
        if len(before) > self._limits.redirects:
            raise SourceUnavailable(
                f"{_short(wanted)} leads on more than {self._limits.redirects} times"
            )
        return following

    @contextmanager
    def _open(
        self, url: httpx2.URL, wanted: httpx2.URL, order: _Order
    ) -> Iterator[httpx2.Response]:
        same = _origin(url) == _origin(wanted)
        # As bytes: a server's own tag may come back with any letter in it.
        headers = {
            name.encode(): value.encode()
            for name, value in order.headers.items()
            if same or name.lower() not in _SECRETS
        }
        request = self._http.build_request("GET", url, headers=headers)
        response = self._http.send(request, stream=True, auth=None, follow_redirects=False)
        try:
            yield response
        finally:
            response.close()

    @contextmanager
    def _errors_told(self, url: httpx2.URL) -> Iterator[None]:
        """Turn what goes wrong below into a plain line and a kind."""
        host = host_of(url)
        try:
            yield
        except httpx2.LocalProtocolError as error:
            raise SourceUnavailable(f"{_short(url)} cannot be asked with these headers") from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            cause = _system_error(error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise SourceUnavailable(
                    f"{host} has no certificate that can be trusted: {cause.verify_message}"
                ) from error
            raise _Passing(
                f"{host} cannot be reached: {_in_words(error, cause)}",
                unreachable=_origin(url),
            ) from error
        except httpx2.TransportError as error:
            if self._is_over():
                raise SourceUnavailable(
                    f"{_short(url)} takes longer than {self._limits.seconds:g} s"
                ) from error
            raise _Passing(f"{host} broke off: {_in_words(error, _system_error(error))}") from error
        except httpx2.DecodingError as error:
            raise SourceUnavailable(f"{_short(url)} is not packed as it says") from error

    def _may_pass(self, error: BaseException) -> bool:
        return isinstance(error, _Passing) and not self._is_over()

    def _is_over(self) -> bool:
        """Whether the time for the answer is used up; a clock may tick coarsely."""
        return time.monotonic() >= self._network.until - 0.02

    def _check_status(self, url: httpx2.URL, response: httpx2.Response) -> None:
        """Tell what passes from an answer, and note when the host may be asked again."""
        host = host_of(url)
        reset = _number(response.headers.get("x-ratelimit-reset"))
        if response.status_code not in _PASSES:
            if response.headers.get("x-ratelimit-remaining", "").strip() == "0" and reset:
                self._not_before[host] = reset
            return
        wait_s = _retry_after(response.headers.get("retry-after"))
        if wait_s is None and response.status_code == 429 and reset and reset > time.time():
            wait_s = reset - time.time()
        if wait_s is not None:
            wait_s = max(wait_s, _SHORTEST_WAIT_S)
            _check_wait(host, wait_s)
        # Not the server's own phrase: it may say anything.
        phrase = httpx2.codes.get_reason_phrase(response.status_code)
        raise _Passing(f"{host} answers {response.status_code} {phrase}", wait_s=wait_s)

    def _await_turn(self, url: httpx2.URL) -> None:
        """Wait until a host may be asked."""
        host = host_of(url)
        if reason := self._unreachable.get(_origin(url)):
            raise SourceUnavailable(reason)
        wait_s = self._asked.get(host, float("-inf")) + self._pause_s - time.monotonic()
        if host in self._not_before:
            until_reset = self._not_before[host] - time.time()
            _check_wait(host, until_reset)
            del self._not_before[host]
            wait_s = max(wait_s, until_reset)
        if wait_s > 0:
            self._wait(wait_s)

    def _wait(self, seconds: float) -> None:
        """Sleep; what is waited does not count as the answer's time."""
        began = time.monotonic()
        if began + seconds > self._deadline:
            raise SourceUnavailable("its time is used up: it answers too slowly, or asks to wait")
        self._sleep(seconds)
        self._network.until += time.monotonic() - began


def _take(url: httpx2.URL, response: httpx2.Response, order: _Order) -> bytes:
    """Read the body as far as it may go; into its file, if it has one."""
    if not response.is_success:
        return _beginning(response)
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise SourceUnavailable(f"{_short(url)} is packed in a way that was not asked for")
    claimed = _number(response.headers.get("content-length"))
    too_large = f"{_short(url)} is larger than {order.max_bytes // 2**20} MB"
    if claimed is not None and claimed > order.max_bytes:
        raise SourceUnavailable(too_large)
    pieces = _within(response.iter_bytes(), order.max_bytes, too_large)
    if order.into is None or response.status_code != 200:
        return b"".join(pieces)
    try:
        with order.into.open("wb") as file:
            _write(pieces, file)
    except BaseException:
        order.into.unlink(missing_ok=True)
        raise
    return b""


def _write(pieces: Iterator[bytes], file: BinaryIO) -> None:
    for piece in pieces:
        file.write(piece)


def _within(pieces: Iterator[bytes], max_bytes: int, too_large: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > max_bytes:
            raise SourceUnavailable(too_large)
        yield piece


def _beginning(response: httpx2.Response) -> bytes:
    """The first bytes of an error page: what it says matters little, and its end not at all."""
    body = bytearray()
    if response.headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
        return b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) >= _ERROR_PAGE:
            break
    return bytes(body[:_ERROR_PAGE])


def _leads_on(response: httpx2.Response) -> bool:
    return response.status_code in _REDIRECTS and "location" in response.headers


def _after(wanted: httpx2.URL, before: list[str], error: Refused) -> Refused:
    """Say of a refused address how one came to it."""
    return Refused(f"{_short(wanted)} leads on, but {error}") if before else error


def _origin(url: httpx2.URL) -> str:
    return str(url.join("/"))


def _short(url: httpx2.URL) -> str:
    """An address for the eye: without its query, which may hold a key."""
    text = str(url.copy_with(query=None))
    return text if len(text) <= 200 else f"{text[:199]}…"


def _number(text: str | None) -> int | None:
    """A count in a header; None: there is none, or it is no count."""
    text = (text or "").strip()
    # Longer ones are no sizes, and no times either.
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else None


def _retry_after(text: str | None) -> float | None:
    """How long a server asks to wait, in seconds: it says so as a number or a date."""
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):
        return None


def _check_wait(host: str, seconds: float) -> None:
    """Refuse to wait longer than is worth it."""
    if seconds <= _LONGEST_WAIT_S:
        return
    try:
        when = f"{datetime.fromtimestamp(time.time() + seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        when = "the end of time"
    raise SourceUnavailable(f"{host} asks to come back after {when}")


def _wait_s(state: RetryCallState) -> float:
    """How long to wait before the next attempt: what the server says, or longer each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Passing) and error.wait_s is not None:
        return error.wait_s
    return _backoff(state)


def _system_error(error: BaseException) -> OSError | None:
    """The error of the operating system that lies under another one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _in_words(error: httpx2.TransportError, cause: OSError | None) -> str:
    if isinstance(cause, socket.gaierror):
        return "name not known"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx2.RemoteProtocolError):
        return "the answer is incomplete or no HTTP"
    if isinstance(cause, ssl.SSLError):
        return "no secure connection"
    if cause is not None and cause.strerror:
        return cause.strerror.lower()
    return "the connection failed"
