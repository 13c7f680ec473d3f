"""No address, however written, leads to a machine that is not on the public internet.

A server listens on 127.0.0.1, and whatever connection the client makes, to
whatever address, ends there: so an attempt that slips through is seen.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpcore2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from servers.misbehaving import Misbehaving, answer, redirect

from ingest.fetch.addresses import Refused, is_public, parse
from ingest.fetch.client import Client
from ingest.fetch.network import resolve
from rag.errors import SourceUnavailable

PUBLIC = "93.184.215.14"
PUBLIC_6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


class Connector(httpcore2.NetworkBackend):
    """Notes where a connection would go, and makes it to the victim."""

    def __init__(self, victim: int):
        self.victim = victim
        self.asked: list[str] = []

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.asked.append(host)
        return httpcore2.SyncBackend().connect_tcp(
            "127.0.0.1", self.victim, timeout, local_address, socket_options
        )


class Names:
    """Knows the names it was told, one answer after the other, and numbers in any spelling."""

    def __init__(self, **answers: list[list[str]]):
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if answers := self.answers.get(host.rstrip(".")):
            return answers.pop(0) if len(answers) > 1 else answers[0]
        if host.rstrip(".") == "localhost":
            return ["127.0.0.1", "::1"]
        # As the system does it, without asking anybody: 2130706433, 0x7f.1 and so on.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(place[0]) for *_, place in found]


@pytest.fixture
def victim() -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        server.on("/", answer(200, b"secret"))
        server.on("/latest/meta-data", answer(200, b"secret"))
        yield server


@pytest.fixture
def connector(victim: Misbehaving) -> Connector:
    return Connector(victim.port)


@pytest.fixture(autouse=True)
def _quick_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is encrypted, so no certificates need to be read."""
    monkeypatch.setattr(
        httpcore2, "default_ssl_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )


def client_of(connector: Connector, names: Names | None = None, *allowed: str) -> Client:
    return Client(
        "tester",
        allowed_hosts=frozenset(allowed),
        sleep=lambda seconds: None,
        resolve=names or Names(),
        connector=connector,
    )


PLAIN = """
http://127.0.0.1/
http://127.0.0.1:{port}/
http://127.1.2.3/
http://127.255.255.255/
http://localhost/
http://LOCALHOST/
http://LocalHost:{port}/
http://localhost./
http://0.0.0.0/
http://0.0.0.0:{port}/
http://10.0.0.1/
http://172.16.0.1/
http://172.31.255.255/
http://192.168.1.1/
http://169.254.169.254/latest/meta-data
http://100.64.0.1/
http://100.100.100.200/latest/meta-data
http://192.0.0.1/
http://192.0.0.9/
http://192.0.0.192/latest/meta-data
http://192.0.2.1/
http://192.88.99.1/
http://198.18.0.1/
http://198.51.100.1/
http://203.0.113.1/
http://224.0.0.1/
http://239.255.255.250/
http://240.0.0.1/
http://255.255.255.255/
https://127.0.0.1/
https://10.0.0.1/
""".split()

NUMBERS = """
http://2130706433/
http://2130706433:{port}/
http://2130706433./
http://2852039166/latest/meta-data
http://0x7f000001/
http://0X7F000001/
http://0x7f.0x0.0x0.0x1/
http://0x7f.1/
http://0x7f.0.0.0x1./
http://017700000001/
http://0177.0.0.1/
http://0177.0.0.01/
http://00000177.0.0.1/
http://127.0.0.01/
http://127.0.0.1./
http://127.0.0.1../
http://127.1/
http://127.0.1/
http://127.1./
http://0/
http://0./
http://0x0/
http://00/
http://10.1/
http://192.168.257/
http://127.0.0.1.0x0/
http://127.0.0.256/
http://256.256.256.256/
http://4294967297/
http://169.254.43518/
http://0xa9.0376.0xa9fe/
""".split()

ENCODED = """
http://%31%32%37.0.0.1/
http://127%2e0%2e0%2e1/
http://127%2E0.0.1/
http://%6cocalhost/
http://localhost%00.example.org/
http://localhost%2f.example.org/
http://localhost%20/
http://%5b::1%5d/
http://１２７.0.0.1/
http://１２７.０.０.１/
http://127。0。0。1/
http://127．0．0．1/
http://127｡0｡0｡1/
http://①②⑦.⓪.⓪.①/
http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/
http://١٢٧.٠.٠.١/
http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/
http://ｌｏｃａｌｈｏｓｔ/
http://localhoſt/
http://loc\u00adalhost/
http://loc\u200balhost/
http://①６９.254.169.254/latest/meta-data
""".split()

SIXES = """
http://[::1]/
http://[::1]:{port}/
http://[0:0:0:0:0:0:0:1]/
http://[0000:0000:0000:0000:0000:0000:0000:0001]/
http://[::]/
http://[::]:{port}/
http://[::127.0.0.1]/
http://[::7f00:1]/
http://[::ffff:127.0.0.1]/
http://[::FFFF:127.0.0.1]/
http://[::ffff:7f00:1]/
http://[0:0:0:0:0:ffff:127.0.0.1]/
http://[::ffff:169.254.169.254]/latest/meta-data
http://[::ffff:0:127.0.0.1]/
http://[64:ff9b::127.0.0.1]/
http://[64:ff9b::a9fe:a9fe]/latest/meta-data
http://[64:ff9b:1::127.0.0.1]/
http://[64:ff9b:1:7f00:0:100::]/
http://[64:ff9b:1::8.8.8.8]/
http://[2002:7f00:1::]/
http://[2002:7f00:0001::1]/
http://[2002:a9fe:a9fe::a9fe:a9fe]/latest/meta-data
http://[2001:0:7f00:1::]/
http://[2001::80ff:fffe]/
http://[2001:0:5db8:d70e:0:0:80ff:fffe]/
http://[fe80::5efe:127.0.0.1]/
http://[2606:2800::5efe:127.0.0.1]/
http://[2606:2800::200:5efe:10.0.0.1]/
http://[fe80::1]/
http://[fe80::1%25lo]/
http://[fe80::1%25eth0]:{port}/
http://[fe80::1%lo]/
http://[::1%25lo]/
http://[::1%lo]/
http://[fec0::1]/
http://[fc00::1]/
http://[fd00:ec2::254]/latest/meta-data
http://[ff02::1]/
http://[ff0e::1]/
http://[100::1]/
http://[2001:2::1]/
http://[2001:10::1]/
http://[2001:20::1]/
http://[2001:db8::1]/
http://[3fff::1]/
http://[3ffe::1]/
http://[5f00::1]/
http://[4000::1]/
http://[127.0.0.1]/
http://[localhost]/
http://[::1/
http://::1/
http://::1]/
http://[]/
http://[v1.127.0.0.1]/
http://[::ffff:0x7f.0.0.1]/
http://[::ffff:127.1]/
""".split()

READ_IN_TWO_WAYS = [
    "http://example.org@127.0.0.1/",
    "http://example.org:80@127.0.0.1:{port}/",
    "http://@127.0.0.1/",
    "http://@example.org/",
    "http://127.0.0.1@example.org/",
    "http://:@example.org/",
    "http://user:secret@example.org/",
    "http://example.org\\@127.0.0.1/",
    "http://127.0.0.1\\@example.org/",
    "http://127.0.0.1\\.example.org/",
    "http:\\\\127.0.0.1\\",
    "http:/127.0.0.1/",
    "http:127.0.0.1/",
    "http:///127.0.0.1/",
    "http:////127.0.0.1/",
    "//127.0.0.1/",
    "///127.0.0.1/",
    "/latest/meta-data",
    "127.0.0.1",
    "127.0.0.1:{port}/",
    "localhost:{port}",
    "",
    " ",
    "http://",
    "http://:80/",
    "http:// 127.0.0.1/",
    " http://127.0.0.1/",
    "http://127.0.0.1 /",
    "http://127.0.0.1\t/",
    "http://127.0.0.1\n/",
    "http://127.0.0.1\r\nHost: example.org/",
    "http://exa\tmple.org/",
    "http://example.org\x00.127.0.0.1/",
    "http://example.org,127.0.0.1/",
    "http://example.org;127.0.0.1/",
    "http://(127.0.0.1)/",
    "http://<127.0.0.1>/",
    "http://{{127.0.0.1}}/",
    "http://*/",
    "http://-/-",
    "http://example..org/",
    "http://.example.org/",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 200 + "example/",
    "http://example.org:80:{port}/",
    "http://example.org:/127.0.0.1:99999/".replace(":/1", ":99999/1"),
    "http://example.org:0/",
    "http://example.org:-80/",
    "http://example.org:80#@127.0.0.1:x/".replace("80#", "x#"),
    "http://example.org:" + "9" * 5000 + "/",
    "http://example.org/" + "a" * 8000,
]

OTHER_SCHEMES = """
file:///etc/passwd
file://127.0.0.1/etc/passwd
ftp://127.0.0.1/
gopher://127.0.0.1:{port}/_GET
dict://127.0.0.1:{port}/
ldap://127.0.0.1/
data:text/html,hello
javascript:alert(1)
jar:http://127.0.0.1!/
ws://127.0.0.1:{port}/
unix:///var/run/docker.sock
http+unix://%2Fvar%2Frun%2Fdocker.sock/
view-source:http://127.0.0.1/
blob:http://127.0.0.1/
httpx://127.0.0.1/
h\u200bttp://127.0.0.1/
""".split()

BYPASSES = [*PLAIN, *NUMBERS, *ENCODED, *SIXES, *READ_IN_TWO_WAYS, *OTHER_SCHEMES]


def test_there_are_enough_cases():
    assert len(set(BYPASSES)) == len(BYPASSES) > 60


@pytest.mark.parametrize("address", BYPASSES, ids=lambda address: ascii(address)[:50])
def test_the_address_is_refused(victim, connector, address):
    with pytest.raises(Refused):
        client_of(connector).get(address.replace("{port}", str(victim.port)))
    assert connector.asked == []
    assert victim.requests == []


@pytest.mark.parametrize(
    "address",
    [
        address
        for address in BYPASSES
        # The others are places on the same host: see below.
        if "://" in address and not address.startswith("h\u200b")
    ],
    ids=lambda address: ascii(address)[:50],
)
def test_a_redirect_to_it_is_refused(victim, connector, address):
    """From a host that may be private: the permission does not travel."""
    location = address.replace("{port}", str(victim.port))
    with Misbehaving() as friend:
        raw = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % (
            location.encode("utf-8", "surrogatepass")
        )
        friend.on("/go", lambda handler: handler.raw(raw))
        meeting = _Meeting(friend.port, victim.port)
        names = Names(friend_example=[["10.9.9.9"]])
        client = client_of(meeting, names, "friend.example")
        with pytest.raises(SourceUnavailable):
            client.get(f"http://friend.example:{friend.port}/go")
    assert set(meeting.asked) == {"10.9.9.9"}
    assert victim.requests == []


class _Meeting(Connector):
    """Leads one address to the friend and all others to the victim."""

    def __init__(self, friend: int, victim: int):
        super().__init__(victim)
        self.friend = friend

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.asked.append(host)
        port = self.friend if host == "10.9.9.9" else self.victim
        return httpcore2.SyncBackend().connect_tcp(
            "127.0.0.1", port, timeout, local_address, socket_options
        )


@pytest.mark.parametrize(
    "location",
    [
        "//127.0.0.1/",
        "///127.0.0.1/",
        "\\\\127.0.0.1\\",
        "/\\127.0.0.1/",
        "/%2f127.0.0.1/",
        "http:/127.0.0.1/",
        "http:127.0.0.1/",
        "http:///127.0.0.1/",
        "?http://127.0.0.1/",
        "@127.0.0.1/",
        ".127.0.0.1/",
        ":80@127.0.0.1/",
        "127.0.0.1",
        "https:127.0.0.1",
        "https:/127.0.0.1",
    ],
)
def test_a_place_written_oddly_stays_on_the_host_or_is_refused(victim, location):
    with Misbehaving() as friend:
        friend.on("/go", redirect(location))
        meeting = _Meeting(friend.port, victim.port)
        client = client_of(meeting, Names(friend_example=[["10.9.9.9"]]), "friend.example")
        try:
            reply = client.get(f"http://friend.example:{friend.port}/go")
        except SourceUnavailable:
            pass
        else:
            assert reply.url.startswith(f"http://friend.example:{friend.port}/")
            assert reply.status == 404
    assert set(meeting.asked) == {"10.9.9.9"}
    assert victim.requests == []


# Names


PRIVATE = [
    "127.0.0.1",
    "10.0.0.5",
    "169.254.169.254",
    "100.64.1.1",
    "0.0.0.0",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::1",
    "fe80::1",
    "fe80::1%2",
    "2606:2800::1%2",
    "fd00::1",
    "",
    "nonsense",
    "/var/run/socket",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_with_a_private_address_is_refused(victim, connector, address):
    with pytest.raises(Refused, match="may not be asked"):
        client_of(connector, Names(evil_example=[[address]])).get("http://evil.example/")
    assert (connector.asked, victim.requests) == ([], [])


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("first", [True, False])
def test_one_private_address_among_public_ones_is_enough(victim, connector, address, first):
    addresses = [address, PUBLIC, PUBLIC_6] if first else [PUBLIC_6, PUBLIC, address]
    with pytest.raises(Refused):
        client_of(connector, Names(evil_example=[addresses])).get("http://evil.example/")
    assert (connector.asked, victim.requests) == ([], [])


def test_a_name_that_answers_differently_the_second_time_gains_nothing(victim, connector):
    names = Names(evil_example=[[PUBLIC], ["127.0.0.1"]])
    client = client_of(connector, names)
    victim.on("/", answer(200, b"page", {"Connection": "close"}))
    client.get("http://evil.example/")
    assert (names.asked, connector.asked) == (["evil.example"], [PUBLIC])
    # The connection is closed: the next one asks anew, and is refused.
    with pytest.raises(Refused):
        client.get("http://evil.example/")
    assert connector.asked == [PUBLIC]


def test_a_name_that_turns_private_during_the_attempts_is_refused(victim, connector):
    names = Names(evil_example=[[PUBLIC], ["127.0.0.1"]])
    victim.on("/", answer(503, b"", {"Connection": "close"}))
    with pytest.raises(Refused):
        client_of(connector, names).get("http://evil.example/")
    assert (connector.asked, len(victim.requests)) == ([PUBLIC], 1)


def test_a_name_that_turns_private_between_redirects_is_refused(victim, connector):
    names = Names(evil_example=[[PUBLIC], ["127.0.0.1"]])
    victim.on("/", redirect("http://evil.example/secret"))
    with pytest.raises(Refused, match=r"leads on, but evil\.example may not be asked"):
        client_of(connector, names).get("http://evil.example/")
    assert victim.paths == ["/"]


def test_a_refused_address_is_never_tried_again(connector):
    names = Names(evil_example=[["10.0.0.1"]])
    with pytest.raises(Refused):
        client_of(connector, names).get("http://evil.example/")
    assert names.asked == ["evil.example"]


# What may be asked


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("http://good.example/", PUBLIC),
        ("http://GOOD.example./?q#f", PUBLIC),
        (f"http://{PUBLIC}:8080/", PUBLIC),
        (f"http://[{PUBLIC_6}]/", PUBLIC_6),
        ("http://[2606:2800:21F::1]:81/", "2606:2800:21f::1"),
        ("http://[64:ff9b::93.184.215.14]/", "64:ff9b::5db8:d70e"),
        ("http://bücher.example/", PUBLIC),
        ("http://under_score.example/", PUBLIC),
        ("http://a.b--c.x1.example/", PUBLIC),
    ],
)
def test_public_addresses_are_asked_and_at_the_address_that_was_checked(
    victim, connector, address, asked
):
    names = Names(
        **{name: [[PUBLIC]] for name in ("good_example", "xn--bcher-kva_example")},
    )
    names.answers |= {"under_score.example": [[PUBLIC]], "a.b--c.x1.example": [[PUBLIC]]}
    assert client_of(connector, names).get(address).body == b"secret"
    assert [IPv6Address(a) if ":" in a else a for a in connector.asked] == [
        IPv6Address(asked) if ":" in asked else asked
    ]


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1/"),
        ("localhost", "http://LOCALHOST/"),
        ("LocalHost", "http://localhost/"),
        ("::1", "http://[::1]/"),
        ("[::1]", "http://[::1]/"),
    ],
)
def test_a_host_allowed_by_name_may_be_private(victim, connector, allowed, address):
    assert client_of(connector, None, allowed).get(address).status == 200


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost/",
        "http://127.0.0.1./",
        "http://127.0.0.2/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://127。0。0。1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1]/",
        "http://127.0.0.1.evil.example/",
        "http://evil.example/",
        "http://127.0.0.1@evil.example/",
    ],
)
def test_nothing_but_the_very_name_is_allowed(victim, connector, address):
    names = Names(evil_example=[["127.0.0.1"]])
    names.answers["127.0.0.1.evil.example"] = [["127.0.0.1"]]
    with pytest.raises(Refused):
        client_of(connector, names, "127.0.0.1").get(address)
    assert (connector.asked, victim.requests) == ([], [])


# Addresses, all of them

NOT_PUBLIC_4 = [
    IPv4Network(network)
    for network in """
        0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
        192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
        224.0.0.0/4 240.0.0.0/4
    """.split()
]
NOT_PUBLIC_6 = [
    IPv6Network(network)
    for network in """
        ::/96 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 2001::/32 2001:2::/48 2001:10::/28
        2001:20::/28 2001:db8::/32 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
    """.split()
]

private_4 = st.sampled_from(NOT_PUBLIC_4).flatmap(lambda network: st.ip_addresses(network=network))
private_6 = st.sampled_from(NOT_PUBLIC_6).flatmap(lambda network: st.ip_addresses(network=network))


@given(private_4)
def test_no_address_of_a_private_network_is_public(ip):
    assert not is_public(str(ip))


@given(private_6)
def test_no_address_of_a_private_ipv6_network_is_public(ip):
    assert not is_public(str(ip))
    assert not is_public(ip.exploded)
    assert not is_public(f"{ip}%1")


@given(
    private_4,
    st.integers(0, 2**80 - 1),
    st.ip_addresses(network="2000::/3"),
    st.sampled_from([0x5EFE, 0x2005EFE]),
)
@example(IPv4Address("127.0.0.1"), 1, IPv6Address("2606:2800::"), 0x5EFE)
def test_no_private_address_is_public_inside_another(ip, rest, prefix, isatap):
    v4 = int(ip)
    forms = {
        "compatible": v4,
        "mapped": 0xFFFF << 32 | v4,
        "translated": 0xFFFF << 48 | v4,
        "NAT64": 0x64FF9B << 96 | v4,
        "6to4": 0x2002 << 112 | v4 << 80 | rest,
        "Teredo server": 0x20010000 << 96 | v4 << 64 | rest & 0xFFFFFFFFFFFFFFFF,
        "Teredo client": 0x20010000 << 96 | (rest & 0xFFFF) << 32 | v4 ^ 0xFFFFFFFF,
        "ISATAP": int(prefix) >> 64 << 64 | isatap << 32 | v4,
        "local NAT64": 0x64FF9B0001 << 80 | v4,
    }
    public = [name for name, number in forms.items() if is_public(str(IPv6Address(number)))]
    assert public == []


@pytest.mark.parametrize("ip", ["1.1.1.1", "93.184.215.14", "188.185.45.92", "223.255.255.255"])
def test_public_addresses_are_public_also_inside_others(ip):
    v4 = int(IPv4Address(ip))
    assert is_public(ip)
    assert is_public(str(IPv6Address(0xFFFF << 32 | v4)))
    assert is_public(str(IPv6Address(0x64FF9B << 96 | v4)))
    assert is_public(str(IPv6Address(0x2002 << 112 | v4 << 80 | 1)))


@pytest.mark.parametrize("ip", ["2001:4860:4860::8888", "2a00:1450:4001::1", PUBLIC_6])
def test_public_ipv6_addresses_are_public(ip):
    assert is_public(ip)


@given(st.text(max_size=40))
def test_what_is_no_address_is_not_public(text):
    assert not is_public(text + "x")


@given(st.one_of(st.text(max_size=60), st.from_regex(r"https?://[^/]{0,30}/?.{0,10}")))
@example("http://[::1%25lo]/")
@example("http://xn--/")
@example("http://\ud800/")
def test_any_text_is_read_as_a_plain_address_or_refused(text):
    refused = None
    try:
        url = parse(text)
    except Refused as error:
        refused = str(error)
    if refused is not None:
        assert refused.isprintable()
        return
    assert url.scheme in ("http", "https")
    assert url.raw_host
    assert not url.userinfo
    assert parse(str(url)) == url


# Asking the system


def test_a_number_is_its_own_address():
    assert resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert resolve("::1", 80) == ["::1"]


def test_an_address_with_a_scope_keeps_it_and_is_refused(monkeypatch):
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:2800::1", 80, 0, 2))] * 2
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert resolve("evil.example", 80) == ["2606:2800::1%2"]
    assert not is_public("2606:2800::1%2")
