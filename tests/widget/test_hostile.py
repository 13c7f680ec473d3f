"""Answers that would do harm if they were more than text."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect
from visit import Visit, cited, invented

IMAGE = "<img src=x onerror=\"document.title='taken over'\">"
SCRIPT = "<script>document.title='taken over'</script>"
MARKUP = f"{IMAGE}{SCRIPT}<b>bold</b>&lt;i&gt;"
BIDI = "abc\u202edef\u2066ghi\u200f"
ADDRESSES = (
    "javascript:document.title='taken over'",
    " \tjava\nscript:document.title='taken over'",
    "data:text/html,<script>1</script>",
    "vbscript:1",
    "file:///etc/passwd",
    "blob:https://a.example/1",
    "",
)

_ELEMENTS = """(root) => [...new Set([...root.shadowRoot.querySelectorAll("*")]
  .map((each) => each.localName))]"""
_LINKS = """(root) => [...root.shadowRoot.querySelectorAll("[href], [src], [action]")]
  .map((each) => each.getAttribute("href") ?? each.getAttribute("src"))"""
_INLINE = """(root) => [...root.shadowRoot.querySelectorAll("*")]
  .flatMap((each) => each.getAttributeNames())
  .filter((name) => name.startsWith("on") || name === "style")"""


def _full_of(text: str, url: str | None = "https://a.example/") -> dict[str, Any]:
    """An answer with the same text wherever there may be one."""
    item = {"title": text, "url": url, "label": text, "kind": text, "country": None, "marker": 1}
    return invented(
        id=text,
        language=text,
        text=f"{text} Boats sail. [1]",
        statements=[{"text": text, "citations": [1, 2], "language": text}],
        citations=[
            cited(
                title=text,
                section=[text],
                quote=text,
                label=text,
                url=url,
                version=text,
                doi=text,
                published=text,
                licence=text,
                superseded_by=url,
            )
        ],
        items=[item, {**item, "title": f"x{text}"}],
        strength="weak",
        next_step={"kind": "contact", "text": text, "url": url, "email": text},
        follow_ups=[text],
        article={"id": text, "checked": text, "reviewed_by": text},
    )


def _shown(visit: Visit, answer: dict[str, Any], *deltas: str) -> None:
    """Ask, and open everything there is to open."""
    visit.reply_with(answer, *deltas)
    turn = visit.ask()
    for marker in turn.locator("button.marker").all():
        marker.click()


@pytest.mark.parametrize("text", [MARKUP, BIDI], ids=["markup", "bidi"])
def test_what_an_answer_says_is_shown_as_text(opened: Visit, text: str) -> None:
    before = set(opened.chat.evaluate(_ELEMENTS))
    _shown(opened, _full_of(text), text, text)
    expect(opened.turns.last.locator(".statement p").first).to_contain_text(text)
    expect(opened.turns.last.locator("blockquote").first).to_have_text(text)
    expect(opened.turns.last.get_by_role("button", name=text, exact=True)).to_be_visible()
    added = set(opened.chat.evaluate(_ELEMENTS)) - before
    assert added <= {"article", "blockquote", "a", "span", "div"}
    assert opened.chat.evaluate(_INLINE) == []
    assert opened.page.title() == "A page"


def test_an_address_that_is_not_of_the_web_is_no_link(opened: Visit) -> None:
    for url in ADDRESSES:
        opened.page.unroute_all()
        _shown(opened, _full_of("Boats", url))
        links = opened.chat.evaluate(_LINKS)
        # That of the identifier is made by us.
        assert links
        assert {each.split(":")[0] for each in links} == {"https"}, url
    assert opened.chat.get_by_role("link", name="Read it in the source").count() == 0


def test_a_mail_address_brings_nothing_of_its_own(opened: Visit) -> None:
    for email in (
        "a@b.example?bcc=all@c.example",
        "a@b.example&body=x",
        "x",
        "a b@c.example",
        None,
    ):
        opened.page.unroute_all()
        step = {"kind": "contact", "text": "Write to us.", "url": None, "email": email}
        opened.reply_with(invented(next_step=step))
        expect(opened.ask().locator(".next")).to_have_text("Write to us.")
    assert [each for each in opened.chat.evaluate(_LINKS) if each.startswith("mailto:")] == []


@pytest.mark.parametrize("text", ["x" * 10_000, "word " * 2_000], ids=["one word", "many"])
def test_a_very_long_answer_stays_within_the_chat(opened: Visit, text: str) -> None:
    _shown(opened, _full_of(text.strip()), text)
    wide = opened.chat.evaluate(
        """(root) => [...root.shadowRoot.querySelectorAll(".log, .log *:not(.unseen)")]
             .filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
             .map((each) => each.outerHTML.slice(0, 60))"""
    )
    assert wide == []


def test_a_marker_without_a_source_is_left_out(opened: Visit) -> None:
    said = [{"text": "Boats sail at noon.", "citations": [1, 9], "language": "en"}]
    opened.reply_with(invented(statements=said))
    assert opened.ask().locator("button.marker").all_inner_texts() == ["[1]"]


def test_a_reply_that_is_none_is_told_as_trouble(opened: Visit) -> None:
    for body in ("", "nonsense", "data: {\n\n", "event: answer\ndata: no\n\n", "<html></html>"):
        opened.page.unroute_all()
        opened.reply("/v1/answers", body, content_type="text/event-stream")
        expect(opened.send().locator(".failure")).to_be_visible()
        expect(opened.button("Try again")).to_be_enabled()


def test_an_answer_in_another_shape_is_told_as_trouble(opened: Visit) -> None:
    for shape in ({}, {"text": "Boats"}, invented(text=None), invented(citations=None)):
        opened.page.unroute_all()
        opened.reply_with(shape)
        expect(opened.send().locator(".failure")).to_be_visible()
    opened.page.unroute_all()
    # The chat goes on.
    opened.ask()


def test_the_private_link_of_a_ticket_is_a_link_of_the_web_or_none(opened: Visit) -> None:
    opened.reply("/v1/tickets", '{"ticket": {"id": "<b>1</b>"}, "link": "javascript:alert(1)"}')
    opened.chat.locator(".asking button.link").click()
    opened.chat.get_by_label("Your question").fill("Boats?")
    opened.chat.get_by_label("Your e-mail address").fill("visitor@example.org")
    opened.chat.get_by_role("checkbox").check()
    opened.chat.get_by_role("button", name="Send to a person").click()
    receipt = opened.chat.locator("div.hand-over")
    expect(receipt).to_contain_text("Its number is <b>1</b>.")
    expect(receipt.get_by_role("link")).to_have_count(0)


@pytest.mark.parametrize("name", ["currentScript", "baseURI", "documentElement"])
def test_an_element_of_the_page_cannot_stand_in_for_the_document(visit: Visit, name: str) -> None:
    # Markup that comments and wikis often let through.
    foreign = f'<img name="{name}" src="http://127.0.0.1:9/evil/x" alt="">'
    visit.go_to(
        f'<!doctype html><html lang="en"><head><title>A page</title></head><body>{foreign}'
        f'<script src="{visit.helpdesk}/widget.js"></script></body></html>',
        {},  # a strict policy would forbid the element, and what it leads to
    )
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.open()
    assert asked
    assert all(each.startswith(f"{visit.helpdesk}/widget/") for each in asked)
