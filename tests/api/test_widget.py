from __future__ import annotations

import gzip
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import shelf
from conftest import app_over
from fastapi.testclient import TestClient

from api.app import Access
from api.routes.widget import MODULES
from rag.language import LANGUAGES
from rag.messages import FALLBACK, Messages
from rag.store import Store

SAID = Messages.load(shelf.ROOT / "corpus" / "messages" / "widget")
SCRIPTS = [
    "/widget.js",
    "/widget/texts/en.js",
    *(f"/widget/{p.name}" for p in MODULES.glob("*.js")),
]
ELSEWHERE = {"Origin": "https://anybody.example"}
KILOBYTE = 1024

# `label_${…}` and `example_${…}` are put together from these.
_FAMILIES = {
    "label_": ("required", "recommended", "informational"),
    "example_": ("engage", "find", "share", "pipeline"),
}
_QUOTED = re.compile(r"""["'`]([a-z_]+)["'`]""")
_SAID = re.compile(r"""say\((?:"([a-z_]+)"|`([a-z_]+)\$\{\w+\}`)""")


def _source() -> str:
    return "\n".join(each.read_text(encoding="utf-8") for each in sorted(MODULES.glob("*.js")))


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("path", SCRIPTS)
def test_every_script_is_one_for_everybody_and_is_asked_for_anew(
    client: TestClient, path: str
) -> None:
    reply = client.get(path, headers=ELSEWHERE)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["cross-origin-resource-policy"] == "cross-origin"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert client.head(path).status_code == 200


@pytest.mark.parametrize("path", SCRIPTS)
def test_a_script_that_has_not_changed_is_not_sent_again(client: TestClient, path: str) -> None:
    known = client.get(path).headers["etag"]
    again = client.get(path, headers={**ELSEWHERE, "If-None-Match": known})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["access-control-allow-origin"] == "*"
    assert again.headers["cache-control"] == "no-cache"
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", SCRIPTS)
@pytest.mark.parametrize("named", ["W/{}", '"another", {}', 'W/"another",W/{}', "{} , W/{}"])
def test_a_tag_is_known_again_after_a_proxy_or_among_others(
    client: TestClient, path: str, named: str
) -> None:
    known = client.get(path).headers["etag"]
    asked = {"If-None-Match": named.format(known, known)}
    again = client.get(path, headers=asked)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == known


def test_scripts_are_made_once_and_read_no_file_while_anybody_waits(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = client.get("/widget.js")
    monkeypatch.setattr("api.routes.widget.MODULES", tmp_path / "nowhere")
    assert client.get("/widget.js").content == before.content


@pytest.mark.parametrize("path", ["/widget.js", "/widget/helpdesk-chat.js", "/widget/texts/el.js"])
def test_scripts_are_sent_compressed(client: TestClient, path: str) -> None:
    reply = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in reply.headers["vary"]


def test_the_loader_and_all_modules_keep_to_their_sizes(client: TestClient) -> None:
    loader = gzip.compress(client.get("/widget.js").content)
    assert len(loader) <= 5 * KILOBYTE
    modules = [gzip.compress(client.get(path).content) for path in SCRIPTS[2:]]
    texts = max(
        len(gzip.compress(client.get(f"/widget/texts/{each}.js").content))
        for each in SAID.languages()
    )
    assert len(loader) + sum(map(len, modules)) + texts <= 45 * KILOBYTE


def test_the_texts_of_a_language_are_a_module_with_the_mail_address(client: TestClient) -> None:
    script = client.get("/widget/texts/pt.js").text
    contact, texts = script.splitlines()
    assert contact == f'export const contact = "{shelf.CONTACT}";'
    sent = json.loads(texts.removeprefix("export const texts = ").removesuffix(";"))
    assert sent == dict(SAID.texts["pt"])


def test_the_loader_speaks_every_language(client: TestClient) -> None:
    script = client.get("/widget.js").text
    line = next(each for each in script.splitlines() if "const TEXTS" in each)
    texts = json.loads(line.strip().removeprefix("const TEXTS = ").split("; //")[0].rstrip(";"))
    assert set(texts) == SAID.languages()
    for language, said in texts.items():
        assert said["launcher"] == SAID.texts[language]["launcher"]
        assert shelf.CONTACT in said["unreachable"]
        assert "{" not in said["unreachable"]


@pytest.mark.parametrize("name", ["xx", "EN", "..%2Fen", "en.yaml", "%00"])
def test_a_language_that_is_not_spoken_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/widget/texts/{name}.js").status_code == 404


def test_nothing_else_is_served_beside_the_modules(client: TestClient) -> None:
    for path in ("/widget/", "/widget/../page/page.js", "/widget/%2e%2e/page/page.js"):
        assert client.get(path).status_code == 404


@pytest.fixture
def elsewhere(store: Store) -> Iterator[TestClient]:
    """An app that lets the pages of one other site call."""
    access = Access(allowed_origins=(ELSEWHERE["Origin"],))
    with TestClient(app_over(store, access)) as opened:
        yield opened


def test_the_pages_of_an_allowed_site_may_make_every_call_of_the_chat(
    elsewhere: TestClient,
) -> None:
    for path in ("/v1/answers", "/v1/feedback", "/v1/tickets"):
        asked = {"Access-Control-Request-Method": "POST", **ELSEWHERE}
        asked["Access-Control-Request-Headers"] = "content-type"
        before = elsewhere.options(path, headers=asked)
        assert before.status_code == 200
        assert before.headers["access-control-allow-origin"] == ELSEWHERE["Origin"]
        refused = elsewhere.post(path, json={}, headers=ELSEWHERE)
        assert refused.status_code == 422
        # Also of a refusal the page may read when to come back.
        assert refused.headers["access-control-allow-origin"] == ELSEWHERE["Origin"]
        assert "retry-after" in refused.headers["access-control-expose-headers"].lower()


def test_every_text_that_the_modules_say_exists() -> None:
    said = {key for key, _ in _SAID.findall(_source()) if key}
    families = {family for _, family in _SAID.findall(_source()) if family}
    assert families <= set(_FAMILIES)
    said |= {f"{family}{each}" for family in families for each in _FAMILIES[family]}
    assert said <= set(SAID.texts[FALLBACK])
    assert len(said) > 40


def test_every_text_is_said_somewhere() -> None:
    named = set(_QUOTED.findall(_source()))
    named |= {f"{family}{each}" for family, names in _FAMILIES.items() for each in names}
    # The loader takes these apart.
    named |= {"launcher", "unreachable"}
    page = (shelf.ROOT / "api" / "templates").rglob("*.html")
    named |= {key for each in page for key in _QUOTED.findall(each.read_text(encoding="utf-8"))}
    assert set(SAID.texts[FALLBACK]) - named == set()


def test_the_chat_speaks_every_language_of_the_union_and_norwegian() -> None:
    assert SAID.languages() == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_all_that_english_says_with_the_same_placeholders(language: str) -> None:
    english, said = SAID.texts[FALLBACK], SAID.texts[language]
    assert set(said) == set(english)
    for key, text in said.items():
        assert text.strip() == text != ""
        assert _placeholders(text) == _placeholders(english[key]), key


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {FALLBACK}))
def test_a_language_is_a_translation(language: str) -> None:
    english, said = SAID.texts[FALLBACK], SAID.texts[language]
    sentences = [key for key, text in english.items() if len(text) > 30]
    assert len(sentences) >= 15
    assert [key for key in sentences if said[key] == english[key]] == []
