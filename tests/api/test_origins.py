from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import app_over
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from problems import problem_of

from api.app import Access
from api.origin import origin_of
from api.settings import ApiSettings
from rag.errors import BadSetting
from rag.settings import read_settings
from rag.store import Store

HOST = "https://www.aurora.example"
OTHER = "https://elsewhere.example"
ASK = {"question": "Who decides?"}


@pytest.fixture
def opened(store: Store, tmp_path: Path) -> Iterator[TestClient]:
    """A client of an app that one other site may use."""
    access = Access(allowed_origins=(HOST,), per_minute=20, public_url="https://help.example/x")
    with TestClient(app_over(store, access, tmp_path), raise_server_exceptions=False) as client:
        yield client


def test_a_page_that_is_named_may_ask_and_read_the_reply(opened: TestClient) -> None:
    told = opened.post("/v1/answers", json=ASK, headers={"Origin": HOST})
    assert told.status_code == 200
    assert told.headers["access-control-allow-origin"] == HOST
    assert "Origin" in told.headers["vary"]
    assert "access-control-allow-credentials" not in told.headers


def test_a_page_that_is_named_can_read_a_stream(opened: TestClient) -> None:
    headers = {"Origin": HOST, "Accept": "text/event-stream"}
    told = opened.post("/v1/answers", json=ASK, headers=headers)
    assert "event: answer" in told.text
    assert told.headers["access-control-allow-origin"] == HOST


def test_a_page_that_is_named_can_read_every_error(opened: TestClient) -> None:
    named = {"Origin": HOST}
    calls = [
        (opened.post("/v1/answers", json={}, headers=named), 422),
        (opened.post("/v1/answers", content=b"{", headers=named), 422),
        (opened.post("/v1/answers", content=b"x" * 2_000_001, headers=named), 413),
        (opened.post("/v1/feedback", json={"answer_id": "x", "helpful": True}, headers=named), 404),
        (opened.post("/v1/nothing", headers=named), 404),
        (opened.delete("/v1/answers", headers=named), 405),
    ]
    for _ in range(20):
        opened.post("/v1/answers", json={}, headers=named)
    calls.append((opened.post("/v1/answers", json=ASK, headers=named), 429))
    for response, status in calls:
        problem_of(response, status)
        assert response.headers["access-control-allow-origin"] == HOST
        assert response.headers["x-content-type-options"] == "nosniff"
    assert "retry-after" in calls[-1][0].headers["access-control-expose-headers"].lower()


def test_a_server_that_fails_can_be_read_too(store: Store, tmp_path: Path) -> None:
    app = app_over(store, Access(allowed_origins=(HOST,)), tmp_path)
    app.state.answering.answerer = None
    client = TestClient(app, raise_server_exceptions=False)
    told = client.post("/v1/answers", json=ASK, headers={"Origin": HOST})
    problem_of(told, 500)
    assert told.headers["access-control-allow-origin"] == HOST


@pytest.mark.parametrize("path", ["/v1/answers", "/v1/feedback", "/v1/tickets",
                                  "/v1/chat/completions", "/mcp", "/ask", "/"])  # fmt: skip
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OTHER},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://testserver:81"},
        {"Origin": f"{HOST}.evil.example"},
        {"Origin": HOST.replace("https", "http")},
        {"Origin": OTHER, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://other.testserver", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_a_foreign_page_sends_is_refused_before_anything_is_done(
    opened: TestClient, path: str, headers: dict[str, str]
) -> None:
    body = '{"question": "Who decides?"}'
    # What a page may send without asking beforehand.
    simple = {**headers, "Content-Type": "text/plain"}
    refused = opened.post(path, content=body, headers=simple)
    told = refused.text
    if path in ("/v1/chat/completions", "/ask"):
        assert refused.status_code == 403
    else:
        problem_of(refused, 403)
    # Who has a form reads a page, in their own language and without the operator's words.
    named = "alarm" if path == "/ask" else "HELPDESK_SERVER__ALLOWED_ORIGINS"
    assert named in told
    assert "access-control-allow-origin" not in refused.headers
    assert "evil" not in told


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://testserver"},
        {"Origin": "https://testserver"},
        {"Origin": "https://help.example"},
        {"Origin": HOST, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://rewritten.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_programs_and_our_own_pages_are_served(opened: TestClient, headers: dict[str, str]) -> None:
    assert opened.post("/v1/answers", json=ASK, headers=headers).status_code == 200


def test_reading_is_not_refused_but_a_foreign_page_learns_nothing(opened: TestClient) -> None:
    told = opened.get("/v1/search", params={"q": "Who?"}, headers={"Origin": OTHER})
    assert told.status_code == 200
    assert "access-control-allow-origin" not in told.headers


@pytest.mark.parametrize(
    ("origin", "method", "headers", "allowed"),
    [
        (HOST, "POST", "content-type,accept,last-event-id", True),
        (HOST, "GET", "", True),
        (HOST, "DELETE", "", False),
        (HOST, "POST", "authorization,content-type", True),
        (HOST, "POST", "x-anything", False),
        (OTHER, "POST", "content-type", False),
        ("null", "POST", "content-type", False),
    ],
)
def test_a_browser_that_asks_beforehand_is_told(
    opened: TestClient, origin: str, method: str, headers: str, allowed: bool
) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    for _ in range(25):
        told = opened.options("/v1/answers", headers=asked)
    assert told.status_code == (200 if allowed else 400), "and it is not counted"
    if allowed:
        assert told.headers["access-control-allow-origin"] == origin
        assert told.headers["access-control-max-age"] == "600"


def test_by_default_only_our_own_pages_may_ask(client: TestClient) -> None:
    problem_of(client.post("/v1/answers", json=ASK, headers={"Origin": HOST}), 403)


def test_anyone_may_be_allowed(store: Store, tmp_path: Path) -> None:
    client = TestClient(app_over(store, Access(allowed_origins=("*",)), tmp_path))
    for origin in (HOST, "null"):
        told = client.post("/v1/answers", json=ASK, headers={"Origin": origin})
        assert told.status_code == 200
        assert told.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/widget.js", "/widget/helpdesk-chat.js", "/widget/nothing.js"])
def test_every_page_may_load_the_widget(client: TestClient, path: str) -> None:
    for headers in ({}, {"Origin": OTHER}):
        told = client.get(path, headers=headers)
        assert told.headers["access-control-allow-origin"] == "*"
        assert told.headers["cross-origin-resource-policy"] == "cross-origin"


def test_what_is_not_the_widget_is_not_opened_with_it(client: TestClient) -> None:
    for path in ("/", "/static/page/page.css", "/healthz", "/widgets", "/v1/documents"):
        told = client.get(path, headers={"Origin": OTHER})
        assert "access-control-allow-origin" not in told.headers
        assert told.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://www.example.org", "https://www.example.org"),
        ("https://www.example.org/", "https://www.example.org"),
        ("HTTPS://WWW.Example.ORG:443", "https://www.example.org"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[2001:DB8::1]:80", "http://[2001:db8::1]"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(written: str, sent: str) -> None:
    assert origin_of(written) == sent
    assert origin_of(sent) == sent


NO_ORIGINS = [
    "www.example.org", "https://", "https://example.org/page", "https://example.org?x",
    "https://example.org#x", "ftp://example.org", "null", "https://*.example.org",
    "https://a:b@example.org", "https://example.org:99999", "https://exa mple.org", "https://[::",
]  # fmt: skip


@pytest.mark.parametrize("written", NO_ORIGINS)
def test_what_is_no_origin_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("HELPDESK_SERVER__ALLOWED_ORIGINS", f"https://a.example, {written}")
    with pytest.raises(BadSetting, match="ALLOWED_ORIGINS") as caught:
        read_settings(ApiSettings)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_no_text_at_all_is_more_than_refused(text: str) -> None:
    try:
        origin = origin_of(text)
    except ValueError:
        return
    assert origin_of(origin) == origin


def test_the_settings_name_origins_and_the_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELPDESK_SERVER__ALLOWED_ORIGINS", "https://A.example/, *,")
    monkeypatch.setenv("HELPDESK_SERVER__PUBLIC_URL", "https://help.example.org/desk/")
    server = read_settings(ApiSettings).server
    assert server.origins == ("https://a.example", "*")
    assert server.public_url == "https://help.example.org/desk"


@pytest.mark.parametrize("url", ["help.example.org", "https://h.example?x", "ftp://h.example"])
def test_a_public_address_that_is_none_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HELPDESK_SERVER__PUBLIC_URL", url)
    with pytest.raises(BadSetting, match="PUBLIC_URL") as caught:
        read_settings(ApiSettings)
    assert "\n" not in str(caught.value)
    assert "://' is no" not in str(caught.value)


def test_a_short_staff_token_is_told_in_one_line_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HELPDESK_STAFF_TOKEN", "fifteen-letters")
    with pytest.raises(BadSetting, match="STAFF_TOKEN") as caught:
        read_settings(ApiSettings)
    assert "fifteen" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["/ask", "/desk/sign-in/link", "/tickets/NMG-1"])
def test_forms_are_sent_by_our_own_pages_only_whoever_else_may_call(
    store: Store, tmp_path: Path, path: str
) -> None:
    client = TestClient(app_over(store, Access(allowed_origins=("*",)), tmp_path))
    headers = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post(path, data={"token": "x"}, headers=headers).status_code == 403
