from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from rag.countries import COUNTRIES


class Page(HTMLParser):
    """Everything on a page that could load or run something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.assets: list[str] = []
        self.inline: list[str] = []
        self.countries: list[str] = []
        self.ids: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._inside = tag
        if tag == "script":
            self.assets.append(found.get("src") or "missing")
        if tag in ("link", "img") and not (found.get("href") or "").startswith("data:"):
            self.assets.append(found.get("href") or found.get("src") or "missing")
        if tag == "option" and found.get("value"):
            self.countries.append(found["value"] or "")
        if found.get("id"):
            self.ids.append(found["id"] or "")
        self.inline += [name for name in found if name.startswith("on") or name == "style"]
        self.inline += [
            value for value in found.values() if (value or "").startswith("javascript:")
        ]

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.fixture
def page(client: TestClient) -> Page:
    return Page(client.get("/").text)


def test_the_page_is_there(client: TestClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "NMG Helpdesk" in response.text
    assert client.head("/").status_code == 200


def test_the_page_may_load_nothing_from_elsewhere(client: TestClient) -> None:
    parts = client.get("/").headers["content-security-policy"].split("; ")
    policy = {name: sources for name, _, sources in (part.partition(" ") for part in parts)}
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not any("unsafe" in value or "*" in value for value in policy.values())


def test_the_page_holds_nothing_its_policy_forbids(page: Page) -> None:
    assert page.inline == []
    assert len(page.assets) == 2
    assert not any("//" in asset for asset in page.assets)


def test_everything_the_page_loads_is_there(client: TestClient, page: Page) -> None:
    kinds = {}
    for asset in page.assets:
        response = client.get(f"/{asset}")
        assert response.status_code == 200
        kinds[asset.rsplit(".", 1)[1]] = response.headers["content-type"].split(";")[0]
    assert kinds == {"css": "text/css", "js": "text/javascript"}


def test_the_page_offers_every_country_of_the_helpdesk_once(page: Page) -> None:
    assert sorted(page.countries) == sorted(COUNTRIES)


def test_every_element_the_script_looks_up_is_on_the_page(client: TestClient, page: Page) -> None:
    script = client.get("/static/page/page.js").text
    asked = set(re.findall(r'getElementById\("([\w-]+)"\)', script))
    assert asked
    assert asked <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/v1/documents", "/static/page/page.js", "/nothing"]
)
def test_every_reply_carries_the_safe_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in headers["permissions-policy"]
    assert "set-cookie" not in headers
