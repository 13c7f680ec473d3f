"""How staff sign in by another service, and by a link, and sign out."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from actors import STAFF
from conftest import app_over
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st
from pages import one, read
from parts import DAYS
from served import free_port
from servers.oidc import SECRET, OidcServer
from werkzeug.wrappers import Response as Reply

from api.app import Access
from api.desk.desk import Desk, open_desk
from api.rate_limit import RateLimit
from api.routes.console_sign_in import page_of
from api.settings import ApiSettings
from api.sign_in import SignIn
from rag.errors import BadSetting
from rag.settings import read_settings
from rag.store import Store

ADA = "ada@clinic.example"


@pytest.fixture(scope="module")
def running_service() -> Iterator[OidcServer]:
    with OidcServer() as server:
        yield server


@pytest.fixture
def service(running_service: OidcServer) -> OidcServer:
    running_service.reset()
    running_service.knows("ada-at-clinic", email=ADA, email_verified=True, name="Ada")
    return running_service


class Browser:
    """A browser at the helpdesk, and at the service that signs people in."""

    def __init__(self, http: TestClient, service: OidcServer) -> None:
        self.http = http
        self.service = service
        self.desk: Desk = http.app.state.services.desk  # type: ignore[attr-defined]

    def begin(self, to: str = "desk") -> str:
        """Where one is sent to sign in."""
        sent = self.get("/desk/sign-in/start", params={"to": to})
        assert sent.status_code == 302, sent.text
        return sent.headers["location"]

    def back(self, subject: str = "ada-at-clinic", to: str = "desk") -> str:
        """Where one is sent back when one has signed in there."""
        return self.service.signs_in(self.begin(to), subject)

    def keep(self, cookie: str, value: str) -> None:
        """Have a cookie in the browser."""
        self.http.cookies.set(cookie, value, domain="testserver.local")

    def get(self, address: str, **more: Any) -> Response:
        return self.http.get(address, follow_redirects=False, **more)

    def sign_in(self, subject: str = "ada-at-clinic", to: str = "desk") -> Response:
        return self.get(self.back(subject, to))

    @property
    def session(self) -> str | None:
        return self.http.cookies.get("desk")


@pytest.fixture(scope="module")
def http(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = app_over(store, data_dir=tmp_path_factory.mktemp("data"))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def browser(http: TestClient, service: OidcServer, tmp_path: Path) -> Iterator[Browser]:
    """One without cookies, at a helpdesk without staff that knows nothing of the service yet."""
    services, state = http.app.state.services, http.app.state  # type: ignore[attr-defined]
    desk = open_desk("", tmp_path / "data", DAYS)
    state.services, state.sign_in = replace(services, desk=desk), SignIn(service.provider)
    state.rate_limit = RateLimit(0, 0)
    http.cookies.clear()
    yield Browser(http, service)
    state.services = services
    desk.close()


@pytest.fixture
def ada(browser: Browser) -> str:
    """Somebody on the list."""
    return browser.desk.staff.add(STAFF, "Ada", ADA, "admin", ()).staff_id


def _told(response: Response, status: int) -> str:
    """What a page says went wrong, with a way to try again."""
    assert response.status_code == status, response.text
    page = read(response.text)
    assert one(page, "a.enter")["href"].startswith("../../desk/sign-in/start?to=")  # type: ignore[union-attr]
    return one(page, "[role=alert]").get_text(strip=True)


@pytest.mark.usefixtures("ada")
def test_whoever_is_on_the_list_signs_in_and_comes_to_the_page_they_wanted(
    browser: Browser,
) -> None:
    asked = browser.get("/desk/staff")
    assert asked.headers["location"] == "../desk/sign-in?to=desk%2Fstaff"
    page = read(browser.get(urljoin("/desk/staff", asked.headers["location"])).text)
    button = one(page, "a.enter")
    assert button.get_text() == "Sign in with Clinic Login"
    sent = browser.get(urljoin("/desk/sign-in", str(button["href"])))
    signed_in = browser.get(browser.service.signs_in(sent.headers["location"], "ada-at-clinic"))
    assert signed_in.status_code == 303
    there = urljoin("/desk/sign-in/back", signed_in.headers["location"])
    assert there == "/desk/staff"
    assert "Ada" in one(read(browser.get(there).text), ".who span").get_text()
    assert browser.service.verified


@pytest.mark.usefixtures("ada")
def test_cookies_are_read_by_no_script_and_sent_by_no_other_site(browser: Browser) -> None:
    sent = browser.get("/desk/sign-in/start")
    signed_in = browser.get(browser.service.signs_in(sent.headers["location"], "ada-at-clinic"))
    pending = sent.headers["set-cookie"]
    session, ended = signed_in.headers.get_list("set-cookie")
    assert "Max-Age=900" in pending
    assert 'desk-sign-in=""' in ended
    assert "Max-Age" not in session
    for cookie in (pending, ended, session):
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert "Secure" not in cookie


def test_by_https_cookies_are_secure_and_no_other_host_can_set_them(
    store: Store, tmp_path: Path, service: OidcServer
) -> None:
    access = Access(sign_in=service.provider, public_url="https://desk.example/help")
    app = app_over(store, access, tmp_path / "data")
    with TestClient(app, base_url="https://desk.example") as http:
        desk: Desk = app.state.services.desk
        desk.staff.add(STAFF, "Ada", ADA, "agent", ())
        sent = http.get("/desk/sign-in/start", follow_redirects=False)
        redirect = parse_qs(urlsplit(sent.headers["location"]).query)["redirect_uri"]
        assert redirect == ["https://desk.example/help/desk/sign-in/back"]
        back = service.signs_in(sent.headers["location"], "ada-at-clinic")
        signed_in = http.get(back.replace("/help", ""), follow_redirects=False)
        for cookie in (sent.headers["set-cookie"], *signed_in.headers.get_list("set-cookie")):
            assert cookie.startswith("__Host-desk")
            assert "Secure" in cookie
        assert http.cookies.get("__Host-desk")


def test_nothing_is_asked_of_the_service_before_somebody_signs_in(
    browser: Browser, service: OidcServer
) -> None:
    assert browser.get("/desk/sign-in").status_code == 200
    assert [each for each in service.asked if not each.startswith("/users")] == []


def test_who_is_not_on_the_list_is_told_whom_to_ask(browser: Browser) -> None:
    refused = browser.sign_in()
    told = _told(refused, 403)
    assert ADA in told
    assert "@" in told.replace(ADA, "")
    assert browser.session is None
    assert browser.get("/desk").status_code == 303


def test_who_comes_by_another_account_than_before_is_told_so(browser: Browser, ada: str) -> None:
    assert browser.sign_in().status_code == 303
    browser.http.cookies.clear()
    browser.service.knows("ada-anew", email=ADA, email_verified=True)
    assert "another account" in _told(browser.sign_in("ada-anew"), 403)
    browser.desk.staff.change(STAFF, ada, "Ada", "admin", (), left=False, anew=True)
    assert browser.sign_in("ada-anew").status_code == 303


@pytest.mark.parametrize("claims", [{}, {"email_verified": False}, {"email_verified": "true"}])
def test_an_address_that_was_not_checked_is_nobodys(
    browser: Browser, ada: str, claims: dict[str, object]
) -> None:
    browser.service.knows("mallory", email=ADA, **claims)
    assert ADA not in _told(browser.sign_in("mallory"), 403)
    assert browser.session is None
    assert not browser.desk.staff.member(ada).signed_in


@pytest.mark.usefixtures("ada")
def test_where_the_token_does_not_tell_the_address_the_service_is_asked_for_it(
    browser: Browser,
) -> None:
    browser.service.hidden = ("email", "email_verified")
    assert browser.sign_in().status_code == 303
    assert "/userinfo" in browser.service.asked


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("hidden", ["email", "email_verified"])
def test_an_address_counts_as_checked_where_both_are_told_in_one_place(
    browser: Browser, hidden: str
) -> None:
    browser.service.knows("mallory", email="mallory@else.example", email_verified=True)
    browser.service.hidden = (hidden,)
    # Of an address that was not checked, beside one that was.
    browser.service.tampering = lambda _, claims: claims.update(
        {"email": ADA} if "email" in claims else {}
    )
    assert "mallory@else" in _told(browser.sign_in("mallory"), 403)
    assert browser.session is None


@pytest.mark.usefixtures("ada")
def test_what_is_told_of_somebody_else_does_not_count(browser: Browser) -> None:
    browser.service.hidden = ("email", "email_verified")
    other = f'{{"sub": "other", "email": "{ADA}", "email_verified": true}}'
    browser.service.replies["/userinfo"] = Reply(other, content_type="application/json")
    assert "two people" in _told(browser.sign_in(), 422)


def test_each_sign_in_begins_a_new_session(browser: Browser, ada: str) -> None:
    planted = browser.desk.sessions.start(ada)
    browser.keep("desk", planted)
    assert browser.sign_in().status_code == 303
    assert browser.desk.sessions.member(planted) is None
    assert len(browser.http.cookies) == 1
    first = browser.session
    browser.sign_in()
    assert browser.session not in (first, planted)
    assert browser.desk.sessions.member(first or "") is None


def _other(key: str, value: object) -> Any:
    return lambda _, claims: claims.update({key: value})


_WRONG = {
    "another audience": _other("aud", "another-client"),
    "another audience, for us": lambda _, claims: claims.update(aud="another", azp="helpdesk"),
    "no audience": lambda _, claims: claims.pop("aud"),
    "another issuer": _other("iss", "https://other.example"),
    "expired": lambda _, claims: claims.update(exp=int(time.time()) - 3600),
    "of another sign-in": _other("nonce", "another"),
    "no nonce": lambda _, claims: claims.pop("nonce"),
    "unsigned": lambda header, _: header.update(alg="none"),
    "signed by an unknown key": lambda header, _: header.update(kid="second"),
    "nobody's": lambda _, claims: claims.pop("sub"),
}


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("wrong", _WRONG)
def test_a_token_that_does_not_hold_signs_nobody_in(browser: Browser, wrong: str) -> None:
    # As some do, it offers not to sign at all.
    browser.service.described = {"id_token_signing_alg_values_supported": ["none", "RS256"]}
    browser.service.tampering = _WRONG[wrong]
    assert _told(browser.sign_in(), 422) == "The sign-in did not go through."
    assert browser.session is None
    browser.service.tampering = None
    assert browser.sign_in().status_code == 303


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("/oauth2/token", Reply("no json")),
        ("/oauth2/token", Reply("[]", content_type="application/json")),
        ("/oauth2/token", Reply("{}", content_type="application/json")),
        ("/oauth2/token", Reply('{"access_token": "x", "token_type": "Bearer"}')),
        ("/oauth2/token", Reply('{"error": "invalid_client"}', status=401)),
        ("/jwks", Reply("{}", content_type="application/json")),
        ("/jwks", Reply("no json")),
    ],
)
def test_whatever_the_service_answers_there_is_a_page(
    browser: Browser, path: str, reply: Reply
) -> None:
    browser.service.replies[path] = reply
    assert _told(browser.sign_in(), 422) == "The sign-in did not go through."
    assert browser.session is None


@pytest.mark.parametrize("path", ["/oauth2/token", "/jwks", "/.well-known/openid-configuration"])
def test_a_service_that_fails_is_told(browser: Browser, path: str) -> None:
    broken = Reply("down", status=503)
    if path.startswith("/."):
        browser.service.replies[path] = broken
        assert "cannot be reached" in _told(browser.get("/desk/sign-in/start"), 502)
    else:
        back = browser.back()
        browser.service.replies[path] = broken
        assert "cannot be reached" in _told(browser.get(back), 502)
    browser.service.replies.clear()
    assert browser.sign_in().status_code == 403


def test_a_service_that_is_not_there_is_told(
    store: Store, tmp_path: Path, service: OidcServer
) -> None:
    gone = replace(service.provider, issuer=f"http://127.0.0.1:{free_port()}")
    with TestClient(app_over(store, Access(sign_in=gone), tmp_path / "data")) as http:
        assert "cannot be reached" in _told(http.get("/desk/sign-in/start"), 502)


@pytest.mark.parametrize("described", [{"issuer": "https://other.example"}, {"issuer": None}])
def test_a_service_that_calls_itself_otherwise_is_not_believed(
    browser: Browser, described: dict[str, object]
) -> None:
    browser.service.described = described
    assert "calls itself" in _told(browser.get("/desk/sign-in/start"), 422)
    browser.service.described = {}
    assert browser.begin()


@pytest.mark.usefixtures("ada")
def test_who_thinks_better_of_it_is_told_and_can_try_again(browser: Browser) -> None:
    back = browser.service.refuses(browser.begin("desk/staff"))
    refused = browser.get(back)
    assert "cancelled" in _told(refused, 422)
    assert "to=desk%2Fstaff" in refused.text


@pytest.mark.usefixtures("ada")
def test_what_anybody_can_put_into_the_address_is_not_shown(browser: Browser) -> None:
    browser.begin()
    planted = {"error": "server_error", "error_description": "Call 112", "state": "x"}
    refused = browser.get("/desk/sign-in/back", params=planted)
    assert "112" not in _told(refused, 422)


@pytest.mark.usefixtures("ada")
def test_a_return_counts_once_in_the_browser_that_began_and_in_time(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = browser.back()
    kept = browser.http.cookies.get("desk-sign-in")
    browser.http.cookies.clear()
    # In another browser, as by a link that somebody else has made.
    assert "too long" in _told(browser.get(back), 422)
    browser.keep("desk-sign-in", str(kept))
    # A state that is not the one it was sent with.
    wrong = re.sub("state=[^&]+", "state=other", back)
    assert "did not go through" in _told(browser.get(wrong), 422)
    browser.keep("desk-sign-in", str(kept))
    assert "too long" in _told(browser.get(back), 422)
    assert browser.sign_in().status_code == 303
    again = browser.get("/desk/sign-in/back")
    assert "too long" in _told(again, 422)


def test_a_link_signs_its_person_in_once(browser: Browser, ada: str) -> None:
    token = browser.desk.sessions.expect({}, ada)
    for _ in range(2):
        # As by a program that looks into mail.
        asked = browser.get("/desk/sign-in/link", params={"token": token})
        assert one(read(asked.text), "main form [name=token]")["value"] == token
    assert browser.session is None
    used = browser.http.post("/desk/sign-in/link", data={"token": token}, follow_redirects=False)
    assert urljoin("/desk/sign-in/link", used.headers["location"]) == "/desk"
    member = browser.desk.sessions.member(browser.session or "")
    assert member is not None
    assert member.staff_id == ada
    again = browser.http.post("/desk/sign-in/link", data={"token": token})
    assert again.status_code == 422
    assert "used before" in again.text


@pytest.mark.usefixtures("ada")
def test_a_token_of_one_way_is_none_of_the_other(browser: Browser, ada: str) -> None:
    browser.begin()
    pending = str(browser.http.cookies.get("desk-sign-in"))
    assert browser.http.post("/desk/sign-in/link", data={"token": pending}).status_code == 422
    browser.keep("desk-sign-in", browser.desk.sessions.expect({}, ada))
    assert "too long" in _told(browser.get("/desk/sign-in/back?code=x&state=y"), 422)
    assert browser.session is None


def test_without_a_service_the_page_names_the_command(store: Store, tmp_path: Path) -> None:
    with TestClient(app_over(store, data_dir=tmp_path / "data")) as http:
        for address in ("/desk/sign-in", "/desk/sign-in/start", "/desk/sign-in/back"):
            assert "api.desk staff link" in http.get(address).text


def test_who_tries_too_often_waits(browser: Browser) -> None:
    browser.http.app.state.rate_limit = RateLimit(3, 0)  # type: ignore[attr-defined]
    for _ in range(2):
        assert browser.http.post("/desk/sign-in/link", data={"token": "x"}).status_code == 422
    assert browser.get("/desk/sign-in/start").status_code == 302
    for address in ("/desk/sign-in/start", "/desk/sign-in/back"):
        refused = browser.get(address)
        assert (refused.status_code, "try again" in refused.text) == (429, True)
    assert browser.get("/desk/sign-in").status_code == 200


def test_who_signs_out_is_signed_out(browser: Browser, ada: str) -> None:
    browser.sign_in()
    session = str(browser.session)
    page = read(browser.get("/desk/staff").text)
    proof = str(one(page, ".who [name=proof]")["value"])
    assert browser.http.post("/desk/sign-out", data={"proof": "x"}).status_code == 401
    assert browser.desk.sessions.member(session)
    out = browser.http.post("/desk/sign-out", data={"proof": proof}, follow_redirects=False)
    assert urljoin("/desk/sign-out", out.headers["location"]) == "/desk/sign-in"
    assert browser.session is None
    assert browser.desk.sessions.member(session) is None


@pytest.mark.usefixtures("ada")
def test_logs_name_no_token_and_nobody(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    back = browser.back()
    state = parse_qs(urlsplit(back).query)
    browser.get(back)
    session = str(browser.session)
    browser.get(back)
    browser.service.knows("stranger", email="stranger@else.example", email_verified=True)
    browser.sign_in("stranger")
    browser.service.tampering = _WRONG["expired"]
    browser.sign_in()
    told = [(each.name, each.getMessage()) for each in caplog.records]
    # The browser of the test has a log, too.
    ours = "\n".join(text for name, text in told if name != "httpx" and "testserver" not in text)
    assert "sign-in" in ours
    for secret in (ADA, "stranger@", "ada-at-clinic", SECRET, *state["code"], *state["state"]):
        assert secret not in ours
    assert session not in ours


@pytest.mark.parametrize(
    "to",
    ["desk", "desk/staff", "desk/tickets/NMG-4F7K2M9Q", "desk?state=open&q=old%20samples"],
)
def test_pages_of_the_console_are_come_back_to(to: str) -> None:
    assert page_of(to) == to


@pytest.mark.parametrize(
    "to",
    ["https://evil.example", "//evil.example", "desk//evil.example", "desk/../x", "\\evil",
     "desk\\..\\x", "desk/%2e%2e/x", "desk@evil.example", "desk.evil.example", "desk\n", "/desk",
     "desk:x", "desk?a#b", "deskx", "", "desk?\r\nSet-Cookie: a=b"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(to: str) -> None:
    assert page_of(to) == "desk"


@given(st.one_of(st.text(), st.text("desk/\\.:?#%@ \t\n\rae2f"), st.text().map("desk".__add__)))
def test_wherever_one_is_sent_it_is_the_console(to: str) -> None:
    site = "https://desk.example/help/"
    there = urlsplit(urljoin(f"{site}desk/sign-in/back", f"../../{page_of(to)}"))
    assert (there.scheme, there.netloc) == ("https", "desk.example")
    assert re.match(r"/help/desk(/|$)", there.path)
    assert "\\" not in there.geturl()
    assert there.geturl().isprintable()


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"ISSUER": "https://login.example"}, "all three"),
        ({"CLIENT_ID": "x", "CLIENT_SECRET": "tides"}, "all three"),
        (
            {"ISSUER": "http://login.example", "CLIENT_ID": "x", "CLIENT_SECRET": "tides"},
            "https://",
        ),
        ({"ISSUER": "login.example", "CLIENT_ID": "x", "CLIENT_SECRET": "tides"}, "no address"),
        ({"SCOPES": "email"}, "openid"),
    ],
)
def test_settings_that_are_wrong_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, named: dict[str, str], told: str
) -> None:
    for name, value in named.items():
        monkeypatch.setenv(f"HELPDESK_SIGN_IN__{name}", value)
    with pytest.raises(BadSetting, match=told) as caught:
        read_settings(ApiSettings)
    assert "\n" not in str(caught.value)
