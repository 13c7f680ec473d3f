from __future__ import annotations

import re
from pathlib import Path

import pytest
import shelf
from bs4 import BeautifulSoup
from conftest import Serve, app_over
from fastapi.testclient import TestClient
from pages import ask, one, read

from api.app import Access
from rag.countries import COUNTRIES
from rag.store import Store

SHARE = "How can I share my data?"
QUESTIONS = 7


@pytest.fixture
def page(client: TestClient) -> BeautifulSoup:
    return read(client.get("/").text)


# ---- what it is made of


def test_the_page_is_there(client: TestClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert "NMG Helpdesk" in response.text
    assert client.head("/").status_code == 200


@pytest.mark.parametrize("path", ["/", "/ask", "/tickets/NMG-1"])
def test_a_page_may_load_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    response = client.post(path, data={"question": SHARE}) if path == "/ask" else client.get(path)
    parts = response.headers["content-security-policy"].split("; ")
    policy = {name: sources for name, _, sources in (part.partition(" ") for part in parts)}
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert not any("unsafe" in value or "*" in value for value in policy.values())


def test_a_page_holds_nothing_its_policy_forbids(client: TestClient) -> None:
    for page in (read(client.get("/").text), ask(client, SHARE)):
        assert not page.select("style, script:not([src]), [style]")
        handlers = [name for each in page.find_all(True) for name in each.attrs if name[:2] == "on"]
        assert handlers == []
        assert not page.select("[href^='javascript:'], [src^='data:'], [href^='data:']")


def test_everything_the_page_loads_is_there_and_is_ours(
    client: TestClient, page: BeautifulSoup
) -> None:
    named = [each["href"] for each in page.select("link[href]")]
    named += [each["src"] for each in page.select("[src]")]
    assert all(str(each).startswith("./") for each in named)
    kinds = {
        client.get(f"/{each}").headers["content-type"].split(";")[0]: client.get(
            f"/{each}"
        ).status_code
        for each in named
    }
    assert kinds == {"text/css": 200, "text/javascript": 200, "image/svg+xml": 200}
    script = client.get("/static/page/page.js").text
    imported = re.findall(r'import "\.\./\.\.(/[^"]+)"', script)
    assert imported
    assert all(client.get(each).status_code == 200 for each in imported)


def test_what_the_script_looks_for_is_on_the_page(client: TestClient, page: BeautifulSoup) -> None:
    script = client.get("/static/page/page.js").text
    ids = re.findall(r'getElementById\("([\w-]+)"\)', script)
    assert ids
    for each in ids:
        assert page.find(id=each), each
    assert page.select(", ".join(re.findall(r'querySelector\("([^"]+)"\)', script)))


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/v1/documents", "/static/page/page.js", "/tickets/x", "/nothing"]
)
def test_every_reply_carries_the_safe_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    # Of pages with a form: without an origin it would be taken for a foreign one.
    with_form = {"/": "same-origin", "/tickets/x": "strict-origin"}
    assert headers["referrer-policy"] == with_form.get(path, "no-referrer")
    assert "camera=()" in headers["permissions-policy"]
    assert "set-cookie" not in headers


# ---- what it says


def test_the_chat_holds_the_form_that_answers_without_it(page: BeautifulSoup) -> None:
    chat = one(page, "helpdesk-chat")
    assert chat["language"] == "en"
    form = one(chat, "form")
    assert (form["method"], form["action"]) == ("post", "./ask#answer")
    assert [each["name"] for each in form.select("[name]")] == ["language", "question", "country"]
    assert "machine" in chat.get_text()


def test_every_field_has_a_label_and_every_id_is_given_once(client: TestClient) -> None:
    for page in (read(client.get("/").text), ask(client, SHARE)):
        for field in page.select("textarea, select, input:not([type=hidden])"):
            one(page, f"label[for={field['id']}]")
        ids = [each["id"] for each in page.select("[id]")]
        assert len(set(ids)) == len(ids)
        named = [each["aria-labelledby"] for each in page.select("[aria-labelledby]")]
        assert set(named) <= set(ids)


def test_the_page_offers_every_country_once_in_the_order_of_their_names(
    client: TestClient,
) -> None:
    options = read(client.get("/").text).select("option[value]:not([value=''])")
    assert sorted(str(each["value"]) for each in options) == sorted(COUNTRIES)
    names = [each.get_text() for each in options]
    assert names == sorted(names)


def test_the_page_offers_the_questions_that_every_mirror_group_hears(page: BeautifulSoup) -> None:
    offered = page.select("#examples button[name=question]")
    assert len(offered) == QUESTIONS
    assert all(each["value"] == each.get_text() for each in offered)


def test_the_page_tells_what_is_indexed(client: TestClient, page: BeautifulSoup) -> None:
    documents = client.get("/v1/documents").json()["documents"]
    rows = [[cell.get_text(strip=True) for cell in row.select("th, td")] for row in
            page.select("tbody tr")]  # fmt: skip
    assert sum(int(row[1]) + int(row[2]) for row in rows) == len(documents)
    assert sum(int(row[2]) for row in rows) == sum(each["placeholder"] for each in documents)
    assert rows[-1][:2] == ["Our own short answers", "3"]
    assert "folder" in [row[0] for row in rows]
    assert (
        "Last read on 1 January 2026." in one(page, "section[aria-labelledby=sources]").get_text()
    )


def test_the_script_to_embed_names_the_address_that_was_called(
    client: TestClient, page: BeautifulSoup
) -> None:
    assert 'src="http://testserver/widget.js"' in one(page, "pre").get_text()
    assert client.get("/widget.js").status_code == 200


def test_the_script_to_embed_names_the_public_address_where_one_is_set(store: Store) -> None:
    access = Access(public_url="https://helpdesk.example.org/nmg")
    client = TestClient(app_over(store, access))
    shown = one(read(client.get("/").text), "pre").get_text()
    assert 'src="https://helpdesk.example.org/nmg/widget.js"' in shown


def test_without_an_index_the_page_says_that_it_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    client = serve(Store(tmp_path))
    response = client.get("/")
    assert response.status_code == 200
    assert "not ready yet" in response.text
    asked = client.post("/ask", data={"question": SHARE})
    assert asked.status_code == 503
    assert "not ready yet" in asked.text
    assert one(read(asked.text), "textarea").get_text().strip() == SHARE


# ---- how it is put on other pages


def _scripts() -> str:
    folder = shelf.ROOT / "api" / "static" / "widget"
    return "\n".join(each.read_text(encoding="utf-8") for each in sorted(folder.glob("*.js")))


def test_the_page_on_embedding_tells_everything_that_can_be_set() -> None:
    told = (shelf.ROOT / "docs" / "integrators" / "widget.md").read_text(encoding="utf-8")
    scripts = _scripts()
    properties = set(re.findall(r"var\((--helpdesk-[a-z-]+)", scripts))
    events = set(re.findall(r'#tell\("(helpdesk-[a-z]+)"', scripts))
    attributes = set(re.findall(r'Attribute\("(language|country|theme|questions|privacy-url|server'
                                r'|keep|floating)"', scripts))  # fmt: skip
    assert len(properties) > 5
    assert len(events) > 5
    assert len(attributes) > 5
    missing = [name for name in properties | events | attributes if f"`{name}`" not in told
               and f"{name}:" not in told]  # fmt: skip
    assert missing == []


def test_the_loader_takes_the_attributes_that_the_pages_name(page: BeautifulSoup) -> None:
    told = (shelf.ROOT / "docs" / "integrators" / "widget.md").read_text(encoding="utf-8")
    in_docs = set(re.findall(r"`data-([a-z-]+)`", told))
    on_page = {each.get_text().removeprefix("data-") for each in page.select("dt code")}
    loader = (shelf.ROOT / "api" / "static" / "widget" / "loader.js").read_text(encoding="utf-8")
    passed = re.search(r"PASSED_ON = \[([^]]*)\]", loader)
    assert passed
    names = {
        name.replace("privacyUrl", "privacy-url") for name in re.findall(r'"(\w+)"', passed[1])
    }
    assert in_docs == names | {"position"}
    assert on_page == in_docs - {"keep"}
