"""The client: what it gives back, how patient it is, and where its patience ends."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from servers.misbehaving import (
    Behaviour,
    Misbehaving,
    answer,
    bomb,
    claim,
    drip,
    endless,
    hang_up,
    packed,
    raw,
    redirect,
    short,
    stall,
)

from ingest.fetch.client import Client, FetchLimits
from rag.errors import SourceUnavailable

LOCAL = frozenset({"127.0.0.1"})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for one.example with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "one.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("one.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "one.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(autouse=True)
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust that certificate and no other."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        yield server


class Naps(list[float]):
    """What was waited, without waiting."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def client(naps: Naps) -> Iterator[Client]:
    with Client("tester/1.0 (+https://example.org)", allowed_hosts=LOCAL, sleep=naps) as client:
        yield client


def hurried(naps: Naps, seconds: float = 0.3) -> Client:
    return Client(
        "tester/1.0", allowed_hosts=LOCAL, limits=FetchLimits(seconds=seconds), sleep=naps
    )


# What comes back


def test_an_answer_has_its_address_status_headers_and_body(server, client):
    url = server.on("/a", answer(200, b"hello", {"ETag": '"1"', "Content-Type": "text/plain"}))
    reply = client.get(f"{url}?q=1#part")
    assert reply.url == f"{url}?q=1"
    assert (reply.status, reply.body, reply.redirects) == (200, b"hello", ())
    assert reply.headers["etag"] == '"1"'
    assert reply.headers["content-type"] == "text/plain"
    assert server.paths == ["/a?q=1"]


def test_it_says_who_asks_and_wants_the_bytes_as_they_are(server, client):
    client.get(server.on("/a", answer()))
    asked = server.requests[0].headers
    assert asked["user-agent"] == "tester/1.0 (+https://example.org)"
    assert asked["accept-encoding"] == "identity"


def test_headers_of_the_caller_go_along_and_replace_its_own(server, client):
    client.get(server.on("/a", answer()), {"If-None-Match": '"é"', "user-agent": "other"})
    assert server.requests[0].headers["user-agent"] == "other"
    assert server.requests[0].headers["if-none-match"].encode("latin-1").decode() == '"é"'


def test_a_header_that_would_make_two_is_no_request(server, client):
    with pytest.raises(SourceUnavailable, match="headers"):
        client.get(server.on("/a", answer()), {"If-None-Match": "x\r\nHost: elsewhere"})
    assert server.requests == []


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410, 418, 500, 501, 505])
def test_other_statuses_are_answers_and_asked_for_once(server, client, naps, status):
    body = b"" if status in (204, 304) else b"says why"
    reply = client.get(server.on("/a", answer(status, body)))
    assert (reply.status, reply.body) == (status, body)
    assert (len(server.requests), naps) == (1, [])


def test_the_body_of_a_200_goes_into_the_file(server, client, tmp_path):
    reply = client.get(server.on("/a", answer(200, b"%PDF-")), into=tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"%PDF-"
    assert reply.body == b""


@pytest.mark.parametrize("status", [201, 203, 206, 404, 500])
def test_the_body_of_another_status_never_becomes_the_file(server, client, tmp_path, status):
    reply = client.get(server.on("/a", answer(status, b"sorry")), into=tmp_path / "file")
    assert reply.body == b"sorry"
    assert not (tmp_path / "file").exists()


def test_of_a_large_error_page_only_the_beginning_is_kept(server, client):
    reply = client.get(server.on("/a", answer(404, b"x" * (2**20 + 5))), megabytes=3)
    assert (reply.status, len(reply.body)) == (404, 2**20)


def test_a_connection_is_used_again(server, client):
    url = server.on("/a", answer(200, b"x"))
    client.get(url)
    client.get(url)
    assert len({request.connection for request in server.requests}) == 1


def test_cookies_are_not_kept(server, client):
    url = server.on("/a", answer(200, b"", {"Set-Cookie": "session=1; Path=/"}))
    client.get(url)
    client.get(url)
    assert "cookie" not in server.requests[1].headers


def test_proxies_and_passwords_of_the_machine_are_not_used(
    server, naps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with Misbehaving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with Client("tester", allowed_hosts=LOCAL, sleep=naps) as client:
            assert client.get(server.on("/a", answer(200, b"direct"))).body == b"direct"
        assert proxy.requests == []
        assert "authorization" not in server.requests[0].headers


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_told(server, client, status):
    first = server.on("/a", redirect("b?x=1", status))
    second = server.on("/b", redirect("/c"))
    third = server.on("/c", answer(200, b"here"))
    reply = client.get(first)
    assert (reply.url, reply.body) == (third, b"here")
    assert reply.redirects == (first, f"{second}?x=1")


def test_a_redirect_without_a_place_is_an_answer(server, client):
    assert client.get(server.on("/a", answer(302, b"?"))).status == 302


def test_five_redirects_are_followed_and_six_are_not(server, client):
    for number in range(7):
        server.on(f"/{number}", redirect(f"/{number + 1}"))
    server.on("/7", answer(200, b"end"))
    assert client.get(server.url("/2")).body == b"end"
    with pytest.raises(SourceUnavailable, match="more than 5 times"):
        client.get(server.url("/1"))


def test_a_circle_ends(server, client):
    server.on("/a", redirect("/b"))
    server.on("/b", redirect("/a"))
    with pytest.raises(SourceUnavailable, match="back to itself"):
        client.get(server.url("/a"))
    assert server.paths == ["/a", "/b"]


def test_the_body_of_a_redirect_is_not_waited_for(server, client):
    server.on("/a", drip(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n"))
    server.on("/b", answer(200, b"here"))
    assert client.get(server.url("/a")).body == b"here"


def test_secrets_do_not_travel_to_another_origin(server, client):
    with Misbehaving() as other:
        target = other.on("/b", answer())
        server.on("/a", redirect(target))
        server.on("/same", redirect("/c"))
        server.on("/c", answer())
        secrets = {"Authorization": "token", "Cookie": "a=b", "If-None-Match": '"1"'}
        client.get(server.url("/a"), secrets)
        assert "authorization" not in other.requests[0].headers
        assert "cookie" not in other.requests[0].headers
        assert other.requests[0].headers["if-none-match"] == '"1"'
        client.get(server.url("/same"), secrets)
        assert server.requests[-1].headers["authorization"] == "token"


def test_another_port_of_the_host_is_the_same_host(server, client):
    with Misbehaving() as other:
        server.on("/a", redirect(other.on("/b", answer(200, b"here"))))
        assert client.get(server.url("/a"), same_host=True).body == b"here"


def test_a_redirect_to_another_host_is_refused_where_the_host_must_stay(naps):
    with Misbehaving() as server:
        hosts = frozenset({"one.example", "one.example.", "two.example"})
        client = Client(
            "tester", allowed_hosts=hosts, sleep=naps, resolve=lambda host, port: ["127.0.0.1"]
        )
        server.on("/away", redirect(server.url("/b", "two.example")))
        server.on("/stays", redirect(server.url("/b", "ONE.example.")))
        server.on("/b", answer(200, b"here"))
        with pytest.raises(SourceUnavailable, match=r"another host, two\.example"):
            client.get(server.url("/away", "one.example"), same_host=True)
        assert server.paths == ["/away"]
        assert client.get(server.url("/stays", "One.Example"), same_host=True).body == b"here"
        assert client.get(server.url("/away", "one.example")).body == b"here"


# Limits


def test_a_body_up_to_the_limit_passes_and_one_byte_more_does_not(server, client, tmp_path):
    server.on("/fits", answer(200, b"x" * 2**20))
    server.on("/more", answer(200, b"x" * (2**20 + 1)))
    assert len(client.get(server.url("/fits"), megabytes=1).body) == 2**20
    with pytest.raises(SourceUnavailable, match="larger than 1 MB"):
        client.get(server.url("/more"), megabytes=1, into=tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_body_that_says_it_is_too_large_is_not_read(server, naps):
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="larger than 200 MB"):
        hurried(naps, 20).get(server.on("/a", claim(200 * 2**20 + 1)))
    assert time.monotonic() - began < 5


def test_a_body_that_does_not_end_is_left_at_the_limit(server, client, tmp_path):
    with pytest.raises(SourceUnavailable, match="larger than 1 MB"):
        client.get(server.on("/a", endless), megabytes=1, into=tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert len(server.requests) == 1


def test_a_bomb_is_left_at_the_limit(server, client):
    with pytest.raises(SourceUnavailable, match="larger than 5 MB"):
        client.get(server.on("/a", bomb(50)), megabytes=5)


def test_a_bomb_on_an_error_page_does_not_go_off(server, client):
    body = gzip.compress(bytes(50 * 2**20))
    url = server.on("/a", packed(body, status=404))
    tracemalloc.start()
    try:
        reply = client.get(url)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert (reply.status, len(reply.body)) == (404, 2**20)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("identity", lambda body: body),
    ],
)
def test_usual_packing_is_undone_though_it_was_not_asked_for(server, client, encoding, pack):
    assert client.get(server.on("/a", packed(pack(b"hello"), encoding))).body == b"hello"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x-gzip", "nonsense"])
def test_other_packing_is_refused(server, client, encoding):
    with pytest.raises(SourceUnavailable, match="not asked for"):
        client.get(server.on("/a", packed(b"?", encoding)))


def test_a_body_that_is_not_packed_as_it_says_is_refused(server, client):
    with pytest.raises(SourceUnavailable, match="not packed as it says"):
        client.get(server.on("/a", packed(b"plain text")))


@pytest.mark.parametrize(
    "behaviour",
    [
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drip(b"HTTP/1.1 404 Not Found\r\n\r\n"),
        drip(b""),
        stall,
    ],
    ids=["body", "headers", "error page", "first line", "silence"],
)
def test_a_server_that_takes_for_ever_is_left_in_time(server, naps, behaviour: Behaviour, tmp_path):
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"takes longer than 0\.3 s"):
        hurried(naps).get(server.on("/a", behaviour), into=tmp_path / "file")
    assert 0.2 < time.monotonic() - began < 2
    assert naps == []
    assert not (tmp_path / "file").exists()


def test_the_time_counts_for_all_redirects_together(server, naps):
    def slowly(handler) -> None:
        handler.rest(0.15)
        redirect(f"{handler.path}x")(handler)

    for number in range(1, 9):
        server.on("/" + "x" * number, slowly)
    with pytest.raises(SourceUnavailable, match="takes longer"):
        hurried(naps, 0.4).get(server.url("/x"))


def test_waits_between_attempts_do_not_count(server):
    client = Client(
        "tester",
        allowed_hosts=LOCAL,
        limits=FetchLimits(seconds=0.3),
        sleep=lambda seconds: time.sleep(0.2),
    )
    behaviours = [answer(503), answer(503), answer(200, b"here")]
    assert client.get(server.on("/a", *behaviours)).body == b"here"


# Patience


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_tried_again(server, client, naps, status):
    reply = client.get(server.on("/a", answer(status), answer(status), answer(200, b"now")))
    assert reply.body == b"now"
    assert len(naps) == 2
    assert 1 <= naps[0] <= 2 <= naps[1] <= 3


def test_after_four_attempts_it_says_what_the_host_answers(server, client, naps):
    with pytest.raises(SourceUnavailable) as caught:
        client.get(server.on("/a", answer(503)) + "?key=secret")
    assert str(caught.value) == "127.0.0.1 answers 503 Service Unavailable"
    assert (len(server.requests), len(naps)) == (4, 3)


@pytest.mark.parametrize(
    "behaviour",
    [
        hang_up,
        short(b"half", 8),
        raw(b"not HTTP at all\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"),
    ],
)
def test_a_broken_answer_is_tried_again_and_no_half_is_kept(
    server, client, naps, tmp_path, behaviour: Behaviour
):
    file = tmp_path / "file"
    client.get(server.on("/passes", behaviour, answer(200, b"whole")), into=file)
    assert file.read_bytes() == b"whole"
    file.unlink()
    naps.clear()
    with pytest.raises(SourceUnavailable, match=r"^127\.0\.0\.1 broke off: .*$"):
        client.get(server.on("/stays", behaviour), into=file)
    assert len(naps) == 3
    assert not file.exists()


def test_a_retry_begins_where_the_chain_began(server, client):
    server.on("/a", redirect("/b"))
    server.on("/b", answer(503), answer(200, b"here"))
    reply = client.get(server.url("/a"))
    assert reply.redirects == (server.url("/a"),)
    assert server.paths == ["/a", "/b", "/a", "/b"]


def in_seconds(seconds: float) -> str:
    return str(int(time.time() + seconds))


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (429, lambda: {"Retry-After": "7"}, 7),
        (503, lambda: {"Retry-After": "7"}, 7),
        (503, lambda: {"Retry-After": "0"}, 1),
        (503, lambda: {"Retry-After": "120"}, 120),
        (
            503,
            lambda: {
                "Retry-After": format_datetime(
                    datetime.now(UTC) + timedelta(seconds=30), usegmt=True
                )
            },
            30,
        ),
        (503, lambda: {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1),
        (429, lambda: {"X-RateLimit-Reset": in_seconds(40)}, 40),
        (429, lambda: {"Retry-After": "3", "X-RateLimit-Reset": in_seconds(40)}, 3),
    ],
)
def test_it_waits_as_long_as_the_server_asks(server, client, naps, status, headers, expected):
    assert client.get(server.on("/a", answer(status, b"", headers()), answer())).status == 200
    assert naps == [pytest.approx(expected, abs=2 if expected > 20 else 0.01)]


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "soon"},
        {"Retry-After": "-5"},
        {"Retry-After": "9" * 5000},
        {"Retry-After": ""},
        {"X-RateLimit-Reset": "0"},
        {"X-RateLimit-Reset": "²"},
    ],
)
def test_nonsense_about_waiting_is_as_good_as_nothing(server, client, naps, headers):
    url = server.on("/a", answer(429, b"", headers), answer())
    assert client.get(url).status == 200
    assert len(naps) == 1
    assert 1 <= naps[0] <= 2


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (503, lambda: {"Retry-After": "121"}),
        (429, lambda: {"Retry-After": "999999999999"}),
        (429, lambda: {"X-RateLimit-Reset": in_seconds(1000)}),
        (503, lambda: {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}),
    ],
)
def test_who_asks_for_more_than_two_minutes_is_not_waited_for(
    server, client, naps, status, headers
):
    with pytest.raises(SourceUnavailable, match=r"^127\.0\.0\.1 asks to come back after \S+ \S+ "):
        client.get(server.on("/a", answer(status, b"", headers())))
    assert (naps, len(server.requests)) == ([], 1)


def test_a_used_up_allowance_is_waited_for_before_the_next_request(server, client, naps):
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": in_seconds(50)}
    server.on("/last", answer(200, b"x", spent))
    server.on("/next", answer())
    client.get(server.url("/last"))
    assert naps == []
    client.get(server.url("/next"))
    assert naps == [pytest.approx(50, abs=2)]
    client.get(server.url("/next"))
    assert len(naps) == 1


def test_a_used_up_allowance_that_lasts_is_said_at_once(server, client, naps):
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": in_seconds(3000)}
    assert client.get(server.on("/a", answer(403, b"limited", spent))).status == 403
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="asks to come back after"):
            client.get(server.url("/a"))
    assert (len(server.requests), naps) == (1, [])


def test_between_two_requests_to_a_host_there_is_a_pause(server, naps):
    client = Client("tester", allowed_hosts=LOCAL, pause_s=5, sleep=naps)
    server.on("/a", redirect("/b"))
    server.on("/b", answer())
    client.get(server.url("/b"))
    assert naps == []
    client.get(server.url("/a"))
    assert naps == [pytest.approx(5, abs=0.5), pytest.approx(5, abs=0.5)]


def test_another_host_is_asked_without_a_pause(server, naps):
    client = Client(
        "tester",
        allowed_hosts=frozenset({"one.example", "two.example"}),
        pause_s=5,
        sleep=naps,
        resolve=lambda host, port: ["127.0.0.1"],
    )
    server.on("/a", answer())
    client.get(server.url("/a", "one.example"))
    client.get(server.url("/a", "two.example"))
    assert naps == []


# Hosts that are not there


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_host_that_is_not_there_costs_its_waits_once(client, naps):
    url = f"http://127.0.0.1:{closed_port()}/a?key=secret"
    with pytest.raises(SourceUnavailable) as caught:
        client.get(url)
    assert str(caught.value) == "127.0.0.1 cannot be reached: connection refused"
    assert len(naps) == 3
    with pytest.raises(SourceUnavailable, match="cannot be reached: connection refused"):
        client.get(url + "&other")
    assert len(naps) == 3


def unknown(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_name_that_is_not_known_is_asked_for_four_times_and_then_no_more(naps):
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return unknown(host, port)

    client = Client("tester", sleep=naps, resolve=resolve)
    for page in ("a", "b", "c"):
        with pytest.raises(SourceUnavailable) as caught:
            client.get(f"https://gone.example/{page}")
        assert str(caught.value) == "gone.example cannot be reached: name not known"
    assert len(asked) == 4


def test_a_host_that_came_back_within_the_attempts_is_not_held_dead(server, naps):
    answers: list[Callable[[], list[str]]] = [
        lambda: unknown("", 0),
        lambda: ["127.0.0.1"],
    ]
    client = Client(
        "tester",
        allowed_hosts=frozenset({"one.example"}),
        sleep=naps,
        resolve=lambda host, port: answers.pop(0)(),
    )
    url = server.on("/a", answer(200, b"x")).replace("127.0.0.1", "one.example")
    assert client.get(url).body == b"x"
    assert client.get(url).body == b"x"


def test_the_next_address_of_a_host_is_tried_where_the_first_is_dead(server, naps):
    client = Client(
        "tester",
        allowed_hosts=frozenset({"one.example"}),
        sleep=naps,
        resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"],
    )
    url = server.on("/a", answer(200, b"x")).replace("127.0.0.1", "one.example")
    assert client.get(url).body == b"x"
    assert naps == []


def test_a_host_that_accepts_nothing_is_left_in_time_and_remembered(naps):
    # A queue of one that is full: further connections are neither taken nor refused.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        client = hurried(naps)
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        for _ in range(2):
            with pytest.raises(SourceUnavailable) as caught:
                client.get(url)
            assert str(caught.value) == "127.0.0.1 cannot be reached: no answer in time"
        for one in waiting:
            one.close()
    assert naps == []


# TLS


class Secure:
    """A TLS server that sends every visitor to an address."""

    def __init__(self, certificate: Path, location: str):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.names: list[str | None] = []
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.reply = (
            f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode()
        )
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                visitor, _ = self.socket.accept()
                with self.context.wrap_socket(visitor, server_side=True) as secure:
                    secure.recv(65_536)
                    secure.sendall(self.reply)
            except ssl.SSLError:
                continue
            except OSError:
                return

    def __enter__(self) -> Secure:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)


def to_loopback(naps: Naps) -> Client:
    return Client(
        "tester",
        allowed_hosts=frozenset({"one.example", "two.example", "one.example."}),
        sleep=naps,
        resolve=lambda host, port: ["127.0.0.1"],
    )


def test_tls_names_the_host_and_never_steps_down_to_http(certificate, naps):
    with Misbehaving() as plain:
        target = plain.on("/b", answer()).replace("127.0.0.1", "one.example")
        with Secure(certificate, target) as secure, to_loopback(naps) as client:
            for host in ("one.example", "one.example."):
                with pytest.raises(SourceUnavailable, match="from https to http"):
                    client.get(f"https://{host}:{secure.port}/a")
            assert secure.names == ["one.example", "one.example"]
        assert plain.requests == []
    assert naps == []


@pytest.mark.parametrize("host", ["two.example", "one.example"])
def test_a_certificate_that_is_not_the_hosts_or_not_trusted_is_not_tried_twice(
    certificate, naps, monkeypatch, host
):
    if host == "one.example":
        monkeypatch.delenv("SSL_CERT_FILE")
    with (
        Secure(certificate, "/") as secure,
        to_loopback(naps) as client,
        pytest.raises(SourceUnavailable, match=rf"^{host} has no certificate"),
    ):
        client.get(f"https://{host}:{secure.port}/a")
    assert naps == []


# What it says


def test_no_message_has_more_than_a_line_or_shows_the_query(server, client, tmp_path):
    behaviours = {
        "/big": claim(2**40),
        "/loop": redirect("/loop?key=secret"),
        "/packed": packed(b"?", "br"),
        "/phrase": raw(b"HTTP/1.1 503 secret\x0b\x1b[31m\r\nContent-Length: 0\r\n\r\n"),
        "/away": redirect("http://secret:secret@10.0.0.1/?secret"),
        "/private": redirect("http://10.0.0.1/?secret"),
        "/" + "long" * 500: claim(2**40),
    }
    for path, behaviour in behaviours.items():
        with pytest.raises(SourceUnavailable) as caught:
            client.get(server.on(path, behaviour) + "?key=secret")
        message = str(caught.value)
        assert "secret" not in message
        assert "Traceback" not in message
        assert re.fullmatch(r"[ -~…]{10,320}", message), message
