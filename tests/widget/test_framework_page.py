"""The chat on a page of the framework's site, as it is rendered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from servers.host_site import HostPage
from visit import Visit

# A colour on its way to another would differ.
STILL = {"reduced_motion": "reduce"}
PAGES = ("index.html", "code-of-conduct.html", "data-discovery.html")
# What a page of Bootstrap's and more would change, if it could.
RULES = """
  * { font-family: serif !important; letter-spacing: 3px; box-sizing: content-box !important; }
  button, textarea, dialog { background: lime !important; border-radius: 40px; padding: 30px; }
  p, h2, a { color: fuchsia !important; font-size: 40px; text-transform: uppercase; }
  [hidden] { display: block !important; }
"""
_LOOKS = """(root) => {
  const properties = ["color", "backgroundColor", "fontSize", "fontFamily", "padding", "margin",
    "borderRadius", "boxSizing", "display", "lineHeight", "letterSpacing", "textTransform"];
  return [...root.shadowRoot.querySelectorAll("*")].map((each) => {
    const style = getComputedStyle(each);
    return [each.localName, each.className, ...properties.map((name) => style[name])].join("|");
  });
}"""


def _looks(visit: Visit) -> list[str]:
    visit.open()
    visit.ask()
    visit.button("Source 1: Sharing").first.click()
    # The page's own colours stay out of it: those of a pointer are ours.
    visit.page.mouse.move(0, 0)
    found: list[str] = visit.chat.evaluate(_LOOKS)
    return found


@pytest.fixture
def plain(visits: Callable[..., Visit]) -> list[str]:
    """How every part of the chat looks on a page without a style."""
    visit = visits(**STILL)
    visit.go()
    return _looks(visit)


@pytest.mark.parametrize(
    "name", [PAGES[0], *(pytest.param(name, marks=pytest.mark.long) for name in PAGES[1:])]
)
def test_it_works_on_a_page_of_the_framework_and_looks_the_same(
    visits: Callable[..., Visit], plain: list[str], rendered: Path, name: str
) -> None:
    html = (rendered / name).read_text(encoding="utf-8")
    assert "</head>" in html
    visit = visits(**STILL)
    tag = f'<script src="{visit.helpdesk}/widget.js" data-language="en" async></script>'
    # What is not of this machine cannot be reached, with or without the chat.
    visit.page.route(lambda url: "127.0.0.1" not in url, lambda route: route.abort())
    visit.host.pages["/style.css"] = HostPage(RULES, media_type="text/css")
    style = '<link rel="stylesheet" href="/style.css">'
    visit.go_to(html.replace("</head>", f"{style}{tag}</head>"), {})
    visit.complaints.clear()
    assert _looks(visit) == plain
    assert visit.complaints == []
    visit.page.keyboard.press("Escape")
    expect(visit.turns.last.locator(".card")).to_have_count(0)


def test_inherited_rules_of_a_page_do_not_reach_the_chat(
    visits: Callable[..., Visit], plain: list[str]
) -> None:
    visit = visits(**STILL)
    rules = f"{RULES} html {{ font-size: 16px; text-align: center; line-height: 3; color: red }}"
    visit.host.pages["/style.css"] = HostPage(rules, media_type="text/css")
    visit.go(head='<link rel="stylesheet" href="/style.css">')
    assert _looks(visit) == plain
