"""Requests that nobody should send, as bytes: broken, wrong, huge, or made to trick.

Each is a whole request but for `Connection: close`, which `over_the_wire` adds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EVENTS = {"Accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Bad:
    """One request."""

    method: str
    path: str
    """As it goes over the wire."""
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def page(self) -> bool:
        """Whether a person is told by a page what went wrong."""
        return not self.path.startswith(("/v1", "/mcp", "/static", "/widget"))

    def over_the_wire(self) -> bytes:
        """The bytes that are sent."""
        length = {} if "Transfer-Encoding" in self.headers else {"Content-Length": len(self.body)}
        headers = {"Host": "127.0.0.1", "Connection": "close", **length, **self.headers}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{a}: {b}" for a, b in headers.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


NASTY = [
    "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\ufeff", "\uffff", "\u202eevil\u202c",
    "раураl", "ｓｃｒｉｐｔ", "Z̸͎̈a̷l̶g̴o̵" * 20, "👩‍👩‍👧‍👦" * 50, "x" * 5000, "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd", "..\\..\\windows", "/etc/passwd", "a\r\nX-Evil: 1", "a\nb\tc\x1b[31m",
    "'; DROP TABLE tickets; --", '" OR ""="', "%", "%%00", "*", "_", "{{7*7}}", "{% raw %}", "${7*7}",
    "${jndi:ldap://127.0.0.1/x}", "<script>alert(1)</script>", "javascript:alert(1)",
    "http://169.254.169.254/latest", "file:///etc/passwd", "=cmd|' /C calc'!A0", "null", "true",
    "NaN", "1e999", "-1", "0", "9" * 400, "0x10", "١٢٣", "1_000", "2026-13-45", "PT'", "pt-BR-x-" * 9,
]  # fmt: skip
_VALUES: list[object] = [
    None, True, 0, -1, 2**63, 10**400, 1.5, "", "\0", "\ud800", "x" * 5000, [], [[]], [None] * 30, {},
    {"a": {}}, ["x"] * 3,
]  # fmt: skip
_BODIES = [
    b"", b" ", b"{", b"}", b"null", b"[]", b'"x"', b"1", b"NaN", b"-Infinity", b"1e99999", b"tru",
    b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"{}" * 3, b"{'a': 1}", b'{"a": 1,}', b"{/* */}",
    b'{"question": "\xc3"}', b'{"question": "\xe9"}', b'{"question": "\\ud800"}',
    b'{"question": "a\\u0000b"}', b'{"question": "x", "question": 1}', b"[" * 100_000,
    b'{"a":' * 50_000, b'{"question": ' + b"[" * 5000 + b"]" * 5000 + b"}", b"9" * 300_000,
    b'{"k' + b'": 1, "k'.join(b"%d" % each for each in range(20_000)) + b'": 1}', b"question=x",
    b"\x00" * 100, b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--",
]  # fmt: skip
_VALID: dict[str, dict[str, object]] = {
    "/v1/answers": {"question": "Who?", "history": [], "language": None, "country": None,
                    "filters": {"labels": [], "topics": [], "sources": []}},
    "/v1/feedback": {"answer_id": "x", "helpful": True, "comment": "x"},
    "/v1/tickets": {"question": "Who?", "history": [{"role": "user", "text": "a"}], "name": "Ada",
                    "answer_id": "x", "email": "a@b.example", "country": "PT", "consent": True},
    "/v1/triage": {"subject": "a", "text": "b"},
    "/v1/chat/completions": {"model": "helpdesk", "stream": False, "n": 1, "stream_options": {},
                             "messages": [{"role": "user", "content": "Who?"}]},
}  # fmt: skip


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _in_address(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def every(ticket: str, token: str, staff: Mapping[str, str], desk: Mapping[str, str],
          proof: str) -> Iterator[Bad]:  # fmt: skip
    """All of them.

    Args:
        ticket: Id of a ticket that there is.
        token: Of its private link.
        staff: Headers of machines of staff.
        desk: Headers of a browser of staff that is signed in.
        proof: What its forms carry.
    """
    yield from _bodies(ticket, token, staff)
    yield from _fields(staff)
    yield from _changes(ticket, staff)
    yield from _addresses(staff, desk)
    yield from _protocol_of_models()
    yield from _forms(ticket, token, desk, proof)
    yield from _heads(ticket, staff)


def _bodies(ticket: str, token: str, staff: Mapping[str, str]) -> Iterator[Bad]:
    paths = [*_VALID, "/mcp", f"/v1/tickets/{ticket}/reply",
             f"/v1/tickets/{ticket}/messages?token={token}"]  # fmt: skip
    for number, body in enumerate(_BODIES):
        # Each body meets three doors, and each door a dozen bodies.
        for step in (0, 3, 5):
            path = paths[(number + step) % len(paths)]
            yield Bad("POST", path, {**JSON, **EVENTS, **staff}, body)
    for kind in ("text/plain", "application/xml", "multipart/form-data", "multipart/form-data; boundary=",
                 "application/json; charset=utf-16", "application/json; charset=nonsense", "a/b/c", "",
                 "application/x-www-form-urlencoded", "application/vnd.api+json", "\xff"):  # fmt: skip
        yield Bad("POST", "/v1/answers", {"Content-Type": kind}, b'{"question": "Who?"}')
        yield Bad("POST", "/mcp", {**EVENTS, "Content-Type": kind}, b"{}")


def _fields(staff: Mapping[str, str]) -> Iterator[Bad]:
    for path, valid in _VALID.items():
        for number, name in enumerate(valid):
            for value in _VALUES[number % 2 :: 2]:
                yield Bad("POST", path, {**JSON, **staff}, _json({**valid, name: value}))
    for text in NASTY:
        yield Bad("POST", "/v1/answers", JSON, _json({"question": text, "country": text}))
        yield Bad("POST", "/v1/tickets", JSON, _json({**_VALID["/v1/tickets"], "email": text}))


def _changes(ticket: str, staff: Mapping[str, str]) -> Iterator[Bad]:
    sent = {**JSON, **staff}
    address = f"/v1/tickets/{ticket}"
    for value in _VALUES:
        yield Bad("POST", f"{address}/note", sent, _json({"version": value, "text": "x"}))
        yield Bad("POST", f"{address}/assign", sent, _json({"version": 1, "assignee": value}))
    for name in (
        "title",
        "intent",
        "priority",
        "group",
        "tags",
        "country",
        "language",
        "state",
        "",
    ):
        for value in _VALUES[::4]:
            yield Bad("PATCH", address, sent, _json({"version": 1, name: value}))
    for action in ("solve", "close", "reopen", "reply", "nothing", "..", "%2e%2e", "reply/"):
        yield Bad("POST", f"{address}/{action}", sent, b'{"version": 999999999999999999999}')


def _addresses(staff: Mapping[str, str], desk: Mapping[str, str]) -> Iterator[Bad]:
    for text in NASTY:
        sent = _in_address(text)
        yield Bad("GET", f"/v1/search?q={sent}&k={sent[:50]}", {})
        yield Bad("GET", f"/v1/search?q=consent&topic={sent}&source={sent}&label={sent[:99]}", {})
        yield Bad("GET", f"/v1/documents/{sent}", {})
        yield Bad("GET", f"/v1/resources?topic={sent}&kind={sent}", {})
        yield Bad("GET", f"/v1/tickets/{sent}?token={sent}", {})
        yield Bad("GET", f"/v1/tickets?q={sent}&before={sent}&state={sent}", staff)
        yield Bad("GET", f"/v1/tickets?q={sent[:200]}", staff)
        yield Bad("GET", f"/tickets/{sent}?token={sent}&language={sent}", {})
        yield Bad("GET", f"/?language={sent}", {})
        yield Bad("GET", f"/desk?q={sent}&state={sent}&before={sent}&country={sent}", desk)
        yield Bad("GET", f"/desk/tickets/{sent}", desk)
        yield Bad("GET", f"/desk/sign-in/back?code={sent}&state={sent}", {})
    for top in ("/static", "/widget", "/static/swagger", "/widget/texts", "/v1/documents", "/desk",
                "/desk/articles", "/desk/gaps", "/desk/staff", "/desk/outbox"):  # fmt: skip
        for text in ("/../../api/settings.py", "/%2e%2e/%2e%2e/api/settings.py", "/..%5c..%5cx", "//",
                     "/%00", "/\\", "/.git/config", "/%ff%fe", "/" + "a/" * 500):  # fmt: skip
            yield Bad("GET", f"{top}{text}", desk)
    for path in ("/desk/dashboard?weeks=x&from=y", "/desk/gaps?weeks=-1", "/desk/gaps.csv?weeks=1e9",
                 "/desk/freshness?x=[]", "/desk/sign-in?to=//evil.example", "/desk/sign-in/link?token=",
                 "/contribute?country=%00&language=%00", "/docs?x=<script>", "/openapi.json?x=%ff",
                 "/metrics?x=1", "/readyz?x=%00", "*", "http://evil.example/v1/models",
                 "/v1/models/..%2f", "/v1/models/" + "x" * 60_000):  # fmt: skip
        yield Bad("GET", path, desk)


def _protocol_of_models() -> Iterator[Bad]:
    """Messages to `/mcp`."""
    for message in (
        [], [{}], {"jsonrpc": "1.0"}, {"jsonrpc": "2.0", "id": 1}, {"jsonrpc": "2.0", "method": "x"},
        {"jsonrpc": "2.0", "id": {}, "method": "tools/list"}, {"jsonrpc": "2.0", "id": 1, "result": 1},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call"},
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}},
        {"jsonrpc": "2.0", "id": 10**400, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": "\0", "params": []},
    ):  # fmt: skip
        yield Bad("POST", "/mcp", {**JSON, **EVENTS}, _json(message))
    for name in ("search", "ask", "list_resources", "nothing", "\ud800"):
        for arguments in (None, 1, [], {"question": 1}, {"query": "\ud800"}, {"query": "x", "k": 1e9},
                          {"question": "\0"}, {"country": "\u202e"}):  # fmt: skip
            params = {"name": name, "arguments": arguments}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            yield Bad("POST", "/mcp", {**JSON, **EVENTS}, _json(message))
    for accept in ("", "*/*", "text/html", "application/json", "a" * 3000):
        yield Bad(
            "POST", "/mcp", {**JSON, "Accept": accept}, b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        )
    for method in ("GET", "DELETE", "PUT"):
        yield Bad(method, "/mcp", EVENTS)


def _forms(ticket: str, token: str, desk: Mapping[str, str], proof: str) -> Iterator[Bad]:
    sent = {**FORM, **desk}
    parts = {"Content-Type": "multipart/form-data; boundary=x"}
    file = b'--x\r\nContent-Disposition: form-data; name="question"; filename="a"\r\n\r\nhi\r\n--x--\r\n'
    for path in ("/ask", "/contribute", f"/tickets/{ticket}", "/desk/sign-in/link", "/desk/sign-out",
                 f"/desk/tickets/{ticket}/reply", "/desk/staff"):  # fmt: skip
        for body in (b"", b"&" * 500, b"&" * 600_000, b"=", b"%", b"%00=%00", b"a=%ff%fe", b"question=%00", b"\xff\xfe",
                     b"text=x&version=x&proof=x", b"token=x&text=x", b"a=1&" * 2000, b"step=send"):  # fmt: skip
            yield Bad("POST", path, sent, body)
        for body in (file, b"--x", b"--x\r\n\r\n", b"--y--", file.replace(b"name", b"na\0me")):
            yield Bad("POST", path, {**parts, **desk}, body)
        yield Bad("POST", path, {**desk, "Content-Type": "multipart/form-data"}, file)
        yield Bad("POST", path, {**desk, **JSON}, b'{"question": "x"}')
    for number, text in enumerate(NASTY):
        typed = _in_address(text)
        field = f"token={token}&text={typed}" if number % 2 else f"question={typed}&country={typed}"
        yield Bad("POST", f"/tickets/{ticket}" if number % 2 else "/ask", FORM, field.encode())
        action = ("reply", "note", "assign", "change", "solve", "article")[number % 6]
        fields = (
            f"proof={proof}&version={typed}&text={typed}&reply={typed}&note={typed}&title={typed}"
        )
        yield Bad("POST", f"/desk/tickets/{ticket}/{action}", sent, fields.encode())
        fields = f"proof={proof}&name={typed}&email={typed}&role={typed}&country={typed}"
        yield Bad("POST", "/desk/staff", sent, fields.encode())
        contributed = (
            f"step=send&title={typed}&link={typed}&country={typed}&category={typed}&email={typed}"
        )
        yield Bad("POST", "/contribute", FORM, contributed.encode())


def _heads(ticket: str, staff: Mapping[str, str]) -> Iterator[Bad]:
    for method in ("DELETE", "PUT", "TRACE", "OPTIONS", "HEAD", "FOO", "get", "PROPFIND", "PATCH"):
        for path in ("/", "/v1/answers", f"/v1/tickets/{ticket}", "/desk", "/static/page/page.css"):
            yield Bad(method, path, {})
    for headers in (
        {"Authorization": "Bearer"}, {"Authorization": "Bearer \xff\xfe"}, {"Authorization": "x" * 9000},
        {"Authorization": "Basic eDp5"}, {"Cookie": "desk"}, {"Cookie": "desk=\xff; desk=a; ;;="},
        {"Cookie": "desk=" + "a" * 9000}, {"Cookie": "__Host-desk=a\x0bb"}, {"Accept": "a" * 9000},
        {"Accept": "text/html;q=nan, */*;q=-1"}, {"Accept": "\xff"}, {"Accept-Language": "*;q=9" * 900},
        {"Accept-Language": "\xff-\xfe, x;q=x"}, {"Accept-Encoding": "gzip;q=x, \xff"},
        {"If-None-Match": '"' * 3000}, {"If-Modified-Since": "yesterday"}, {"Range": "bytes=9-1,-0,x"},
        {"Range": "bytes=" + "0-1," * 1500}, {"Origin": "\xff"}, {"Origin": "http://[::1"},
        {"Host": "evil.example"}, {"Host": "[::1"}, {"Host": "a:b:c"}, {"Host": ""},
        {"X-Forwarded-For": "\xff, x"}, {"X-Forwarded-Proto": "javascript"}, {"X-Forwarded-Host": "evil"},
        {"Sec-Fetch-Site": "\xff"}, {"Last-Event-ID": "x" * 5000}, {"X-Desk-Proof": "\xff"},
        {"X-Request-ID": "\xff<script>"}, {"X-Request-ID": "x" * 5000}, {"Upgrade": "websocket"},
        {"Access-Control-Request-Method": "\xff", "Origin": "https://x"}, {"Expect": "something"},
        {"Referer": "\xff"}, {"Via": "x" * 9000}, {"X-HTTP-Method-Override": "DELETE"}, {"Via": "x" * 20_000},
    ):  # fmt: skip
        yield Bad("GET", "/v1/search?q=consent", headers)
        yield Bad("GET", "/static/page/page.css", headers)
        yield Bad("GET", "/desk", headers)
        yield Bad("POST", "/v1/answers", {**JSON, **headers}, b'{"question": "Who decides?"}')
    for body in (b"zz\r\n", b"5\r\nab", b"-1\r\n\r\n", b"1;x=y\r\na\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n",
                 b"ffffffffffffffffff\r\n", b"0\r\n\r\nGET /desk HTTP/1.1\r\nHost: x\r\n\r\n"):  # fmt: skip
        yield Bad("POST", "/v1/answers", {**JSON, "Transfer-Encoding": "chunked"}, body)
        yield Bad("POST", "/ask", {**FORM, "Transfer-Encoding": "chunked"}, body)
    for coding in ("gzip", "chunked, chunked", "identity", "\xff"):
        yield Bad("POST", "/v1/answers", {**JSON, "Transfer-Encoding": coding}, b"{}")
    for length in ("-1", "1e3", "+5", "9" * 30, "5, 5", "0x5", ""):
        yield Bad("POST", "/v1/answers", {**JSON, "Content-Length": length}, b'{"q')
    yield Bad("GET", "/v1/tickets", {**staff, "X: evil\r\nContent-Length": "0"})
