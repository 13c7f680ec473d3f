"""What every reply tells a browser not to do, whichever route it comes from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import app_over
from fastapi.testclient import TestClient
from pages import one, read
from problems import problem_of

from api.app import Access
from api.limits import (
    MAX_ADDRESS,
    MAX_FORM,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_PARAMETERS,
)
from rag.store import Store

PAGES = ["/", "/contribute", "/desk/sign-in", "/tickets/NMG-00000000?token=x", "/widget/demo.html"]
OTHERS = ["/healthz", "/v1/documents", "/v1/documents/nothing", "/v1/search?q=", "/openapi.json",
          "/v1/models", "/nothing", "/static/page/page.js", "/static/nothing.js", "/desk",
          "/v1/tickets", "/widget.js", "/ask"]  # fmt: skip


@pytest.fixture(scope="module")
def shown(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of an app with a public address, as behind a proxy."""
    access = Access(
        allowed_hosts=("127.0.0.1", "testserver"),
        public_url="https://help.example/desk-of-ours",
        staff_token="a-token-of-these-tests",  # noqa: S106 - invented
    )
    app = app_over(store, access, tmp_path_factory.mktemp("desk"))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def _policy(value: str) -> dict[str, str]:
    return {name: what for name, _, what in (part.partition(" ") for part in value.split("; "))}


@pytest.mark.parametrize("path", [*PAGES, *OTHERS])
def test_every_reply_keeps_browsers_from_guessing(client: TestClient, path: str) -> None:
    headers = client.get(path, follow_redirects=False).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("no-referrer", "same-origin", "strict-origin")
    assert "camera=()" in headers["permissions-policy"]
    assert headers["cache-control"] in ("no-store", "no-cache")
    shared = path.startswith("/widget")
    assert headers["cross-origin-resource-policy"] == ("cross-origin" if shared else "same-origin")
    assert "server" not in headers
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_our_scripts_only_and_makes_no_markup_of_text(
    client: TestClient, path: str
) -> None:
    response = client.get(path)
    assert response.headers["content-type"].startswith("text/html")
    policy = _policy(response.headers["content-security-policy"])
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_no_page_can_do_nothing_should_it_be_shown_as_one(
    client: TestClient, path: str
) -> None:
    headers = client.get(path, follow_redirects=False).headers
    assert not headers.get("content-type", "").startswith("text/html")
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/tickets"), ("GET", "/v1/tickets/NMG-00000000"), ("POST", "/v1/triage"),
     ("POST", "/v1/tickets/NMG-00000000/reply"), ("GET", "/desk"), ("GET", "/desk/sign-in"),
     ("POST", "/desk/sign-out"), ("GET", "/desk/sign-in/back?state=x&code=y"), ("POST", "/ask"),
     ("GET", "/tickets/NMG-00000000"), ("GET", "/v1/search?q=consent")],
)  # fmt: skip
def test_what_may_hold_somebodys_words_or_a_token_is_kept_by_nobody(
    client: TestClient, method: str, path: str
) -> None:
    reply = client.request(method, path, follow_redirects=False)
    assert reply.headers["cache-control"] == "no-store"


def test_browsers_are_told_to_come_by_https_where_that_is_the_address(shown: TestClient) -> None:
    for path in ("/", "/v1/models", "/nothing", "/widget.js"):
        told = shown.get(path).headers
        assert told["strict-transport-security"] == "max-age=31536000"


def test_what_is_refused_before_a_route_carries_the_headers_too(shown: TestClient) -> None:
    for refused in (
        shown.post("/v1/answers", json={}, headers={"Origin": "https://evil.example"}),
        shown.get("/v1/search", params={"q": "x" * MAX_ADDRESS}),
        shown.get("/desk", headers={"Host": "evil.example"}),
    ):
        assert refused.status_code in (403, 414, 421)
        assert "default-src 'none'" in refused.headers["content-security-policy"]
        assert refused.headers["cache-control"] == "no-store"


# ---- heads


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/search?q=" + "x" * MAX_ADDRESS, {}, 414),
        ("/" + "x" * (MAX_ADDRESS + 1), {}, 414),
        ("/v1/search?" + "q=x&" * MAX_PARAMETERS, {}, 414),
        ("/v1/search?q=x", {f"X-{number}": "a" for number in range(MAX_HEADERS)}, 431),
        ("/v1/search?q=x", {"Cookie": "a" * MAX_HEADER_BYTES}, 431),
    ],
)
def test_a_head_that_is_too_large_is_refused(
    client: TestClient, path: str, headers: dict[str, str], status: int
) -> None:
    problem_of(client.get(path, headers=headers), status)


def test_a_page_that_has_not_changed_keeps_the_policy_that_came_with_it(client: TestClient) -> None:
    page = client.get("/widget/demo.html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    again = client.get("/widget/demo.html", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304
    # A browser takes the headers of this reply over into what it has kept.
    assert "content-security-policy" not in again.headers
    assert again.headers["x-content-type-options"] == "nosniff"


def test_the_longest_search_in_any_script_is_served(client: TestClient) -> None:
    found = client.get("/v1/search", params={"q": "𝄞" * 3990 + " consent"})
    assert found.status_code == 200


# ---- hosts


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "help.example.evil",
                                  "evil.example:8000", "a.b@evil.example", "[::1"])  # fmt: skip
def test_a_browser_led_here_under_another_name_writes_nothing(shown: TestClient, host: str) -> None:
    sent = {"Host": host, "Origin": f"http://{host}"}
    ask = {"question": "Who decides?"}
    told = problem_of(shown.post("/v1/answers", json=ask, headers=sent), 421)
    assert "HELPDESK_SERVER__ALLOWED_HOSTS" in told["detail"]
    problem_of(shown.post("/mcp", json={}, headers={**sent, "Sec-Fetch-Site": "same-origin"}), 421)
    assert shown.get("/desk/sign-in", headers={"Host": host}).status_code == 421
    form = shown.post("/ask", data=ask, headers=sent)
    assert form.status_code == 421
    assert one(read(form.text), "[role=alert]")


@pytest.mark.parametrize("host", ["testserver", "help.example", "HELP.example:443", "127.0.0.1:1",
                                  "localhost:8000", "desk.localhost", "192.168.7.4:8000",
                                  "[2001:db8::1]:8000", "helpdesk", "help.example."])  # fmt: skip
def test_our_own_names_and_bare_addresses_are_served(shown: TestClient, host: str) -> None:
    sent = {"Host": host, "Sec-Fetch-Site": "same-origin", "Origin": f"http://{host}"}
    assert shown.post("/v1/answers", json={"question": "Why?"}, headers=sent).status_code == 200
    assert shown.get("/desk/sign-in", headers={"Host": host}).status_code == 200


def test_programs_and_readers_may_use_any_name(shown: TestClient) -> None:
    other = {"Host": "proxied.example"}
    assert shown.post("/v1/answers", json={"question": "Why?"}, headers=other).status_code == 200
    assert shown.get("/", headers={**other, "Sec-Fetch-Site": "none"}).status_code == 200


# ---- pages instead of problems


@pytest.mark.parametrize("path", ["/ask", "/contribute", "/tickets/NMG-00000000"])
def test_who_sends_too_large_a_form_reads_a_page_in_their_language(
    client: TestClient, path: str
) -> None:
    sent = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "pt"}
    response = client.post(path, content=b"&" * (MAX_FORM + 1), headers=sent)
    assert response.status_code == 413
    page = read(response.text)
    assert one(page, "html")["lang"] == "pt"
    assert one(page, "[role=alert]").get_text().strip()
    depth = path.count("/") - 1
    home = str(one(page, ".brand")["href"])
    assert home.startswith("../" * depth or "./")


def test_staff_read_a_page_too(client: TestClient) -> None:
    response = client.post("/desk/tickets/x/reply", content=b"&" * 500_001)
    assert response.status_code == 413
    assert "larger than 500000 bytes" in one(read(response.text), "[role=alert]").get_text()


def test_a_form_that_a_foreign_page_sends_is_told_as_a_page(client: TestClient) -> None:
    sent = {"Origin": "https://evil.example"}
    response = client.post("/ask", data={"question": "Why?"}, headers=sent)
    assert response.status_code == 403
    assert one(read(response.text), "[role=alert]")
