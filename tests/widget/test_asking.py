from __future__ import annotations

from typing import Any

import httpx
import pytest
import shelf
from playwright.sync_api import Locator, expect
from visit import (
    EMPTY_PAGE_QUESTION,
    LIST_QUESTION,
    PLAIN_QUESTION,
    QUESTION,
    WEAK_QUESTION,
    Visit,
    cited,
    invented,
)

# Keeps what stood in the place of the answer while it was made.
_WATCH = """
(() => {
  const seen = [];
  const log = document.querySelector("helpdesk-chat").shadowRoot.querySelector(".log");
  new MutationObserver(() => {
    const text = log.querySelector(".streamed")?.textContent;
    if (text) seen.push(text);
    if (log.querySelector(".rating")) seen.push("the answer");
  }).observe(log, {childList: true, subtree: true, characterData: true});
  document.seenByTest = seen;
})()
"""


def _of_api(visit: Visit, question: str) -> dict[str, Any]:
    """What the API says to the same question."""
    reply = httpx.post(f"{visit.helpdesk}/v1/answers", json={"question": question}, timeout=30)
    answer: dict[str, Any] = reply.json()
    return answer


def _markers(turn: Locator) -> Locator:
    return turn.locator("button.marker")


def test_an_answer_is_shown_as_it_is_made(opened: Visit) -> None:
    opened.page.evaluate(_WATCH)
    opened.ask()
    seen = opened.page.evaluate("document.seenByTest")
    assert seen[0].startswith("Sign a transfer agreement first.")
    assert "the answer" not in seen[0]
    assert seen[-1] == "the answer"


def test_each_statement_carries_the_markers_of_its_sources(opened: Visit) -> None:
    turn = opened.ask()
    answer = _of_api(opened, QUESTION)
    shown = turn.locator(".statement")
    expect(shown).to_have_count(len(answer["statements"]))
    for place, statement in enumerate(answer["statements"]):
        expect(shown.nth(place)).to_contain_text(statement["text"])
        marks = [f"[{marker}]" for marker in statement["citations"]]
        assert _markers(shown.nth(place)).all_inner_texts() == marks
    expect(turn.locator(".streamed, .busy")).to_have_count(0)
    expect(turn.get_by_text("Reviewed by: Aurora desk")).to_be_visible()


def test_a_marker_opens_a_card_that_shows_the_source_as_the_api_gives_it(opened: Visit) -> None:
    turn = opened.ask()
    for citation in _of_api(opened, QUESTION)["citations"]:
        name = f"Source {citation['marker']}: {citation['title']}"
        turn.get_by_role("button", name=name, exact=True).first.click()
        card = turn.get_by_role("group", name=name, exact=True)
        expect(card).to_be_focused()
        for part in (citation["title"], *citation["section"]):
            expect(card.locator(".card-title")).to_contain_text(part)
        expect(card.locator(".badge")).to_have_text(citation["label"].capitalize())
        if citation["kind"] == "source":
            assert card.locator("blockquote").inner_text() == citation["quote"]
        else:
            expect(card).to_contain_text("This sums up a document that is not indexed here")
            expect(card.locator("blockquote")).to_have_count(0)
        deep = card.get_by_role("link", name="Read it in the source")
        expect(deep).to_have_attribute("href", citation["url"])
        expect(deep).to_have_attribute("target", "_blank")
        expect(deep).to_have_attribute("rel", "noopener")
        card.get_by_role("button", name="Close source").click()
        expect(card).to_have_count(0)


def test_the_card_tells_date_version_licence_and_page(opened: Visit) -> None:
    opened.reply_with(
        invented(
            citations=[
                cited(
                    page=3,
                    version="2.0",
                    doi="10.1234/boats",
                    published="2026-03-01",
                    licence="CC-BY-4.0",
                    dated_by="snapshot",
                    older=True,
                    superseded_by="https://harbour.example/new",
                )
            ]
        )
    )
    turn = opened.ask()
    _markers(turn).click()
    card = turn.locator(".card")
    expect(card.locator(".card-title")).to_have_text("Boats › Times, page 3")
    facts = card.locator(".hint").last
    expect(facts).to_have_text(
        "Replaced by a newer document · Older page, no longer in the menus of its site"
        " · As of 1 March 2026 · Version 2.0 · DOI 10.1234/boats · Licence CC-BY-4.0"
    )
    expect(facts.get_by_role("link").first).to_have_attribute("href", "https://harbour.example/new")
    expect(facts.get_by_role("link").last).to_have_attribute(
        "href", "https://doi.org/10.1234/boats"
    )


@pytest.mark.parametrize(
    ("dated_by", "said"),
    [(None, "Published 1 March 2026"), ("page", "Last changed 1 March 2026")],
)
def test_the_date_says_what_it_is_of(opened: Visit, dated_by: str | None, said: str) -> None:
    opened.reply_with(invented(citations=[cited(published="2026-03-01", dated_by=dated_by)]))
    turn = opened.ask()
    _markers(turn).click()
    expect(turn.locator(".card")).to_contain_text(said)


def test_escape_closes_the_card_and_goes_back_to_its_marker(opened: Visit) -> None:
    turn = opened.ask()
    marker = _markers(turn).nth(1)
    marker.focus()
    opened.page.keyboard.press("Enter")
    expect(marker).to_have_attribute("aria-expanded", "true")
    opened.page.keyboard.press("Tab")
    expect(turn.get_by_role("button", name="Close source")).to_be_focused()
    opened.page.keyboard.press("Escape")
    expect(turn.locator(".card")).to_have_count(0)
    expect(marker).to_be_focused()
    expect(marker).to_have_attribute("aria-expanded", "false")
    expect(opened.frame).to_be_visible()


def test_a_second_press_on_a_marker_closes_its_card(opened: Visit) -> None:
    turn = opened.ask()
    _markers(turn).first.click()
    expect(turn.locator(".card")).to_have_count(1)
    _markers(turn).first.click()
    expect(turn.locator(".card")).to_have_count(0)
    expect(_markers(turn).first).to_be_focused()


def test_a_follow_up_is_asked_at_a_press_with_the_history_of_the_conversation(
    opened: Visit,
) -> None:
    turn = opened.ask()
    with opened.page.expect_request("**/v1/answers") as asked:
        turn.get_by_role("button", name="How do I apply for access?").click()
    expect(opened.turns).to_have_count(2)
    expect(opened.turns.last).to_contain_text("The committee decides.")
    sent = asked.value.post_data_json
    assert sent["question"] == "How do I apply for access?"
    assert sent["language"] == "en"
    assert [each["role"] for each in sent["history"]] == ["user", "assistant"]
    assert sent["history"][0]["text"] == QUESTION
    assert sent["history"][1]["text"] == _of_api(opened, QUESTION)["text"]


def test_an_example_is_asked_at_a_press(opened: Visit) -> None:
    example = opened.chat.get_by_role("button", name="What do I need to share my data?")
    with opened.page.expect_request("**/v1/answers") as asked:
        example.click()
    expect(opened.turns.last.locator(".rating")).to_be_visible()
    assert asked.value.post_data_json["language"] == "en"
    assert asked.value.post_data_json["history"] == []


def test_an_empty_page_is_named_with_whom_to_write_to_and_without_markers(opened: Visit) -> None:
    turn = opened.ask(EMPTY_PAGE_QUESTION)
    expect(turn.locator(".opening")).to_contain_text("exists but has no content yet")
    expect(turn.get_by_role("link", name="Portugal")).to_have_attribute(
        "href", f"{shelf.SITE}/portugal"
    )
    expect(turn.get_by_role("link", name=shelf.CONTACT)).to_have_attribute(
        "href", f"mailto:{shelf.CONTACT}"
    )
    expect(_markers(turn)).to_have_count(0)
    expect(turn.get_by_role("link", name=f"{shelf.SITE}/portugal")).to_have_count(0)


def test_a_list_is_shown_as_a_list_each_item_once(opened: Visit) -> None:
    turn = opened.ask(LIST_QUESTION)
    items = _of_api(opened, LIST_QUESTION)["items"]
    assert len(items) == 3
    entries = turn.locator("ul.items > li")
    expect(entries).to_have_count(3)
    for place, item in enumerate(items):
        expect(entries.nth(place)).to_contain_text(item["title"])
        expect(_markers(entries.nth(place))).to_have_text(f"[{item['marker']}]")
        expect(turn.get_by_text(item["title"])).to_have_count(1)


def test_an_item_is_shown_with_its_link_label_and_country(opened: Visit) -> None:
    item = {
        "title": "Rules of the quay",
        "url": "https://harbour.example/rules",
        "label": "required",
        "kind": "document",
        "country": "PT",
        "marker": 1,
    }
    said = {"text": "Rules of the quay (required)", "citations": [1], "language": "en"}
    opened.reply_with(invented(items=[item], statements=[said], text=f"{said['text']} [1]"))
    turn = opened.ask()
    entry = turn.locator("ul.items > li")
    expect(entry).to_have_text("Rules of the quay Required Portugal [1]", use_inner_text=True)
    expect(entry.get_by_role("link")).to_have_attribute("href", "https://harbour.example/rules")
    expect(turn.locator("div.statement")).to_have_count(0)


def test_a_weak_answer_begins_with_its_hedge(opened: Visit) -> None:
    turn = opened.ask(WEAK_QUESTION)
    expect(turn.locator(".opening.box")).to_contain_text("I am not sure that this answers")
    expect(turn.locator(".reply > *").first).to_have_class("box opening")
    expect(turn.get_by_role("link", name=shelf.CONTACT)).to_be_visible()


def test_an_unreviewed_article_says_so(opened: Visit) -> None:
    opened.reply_with(invented(article={"id": "a", "checked": "2026-01-01", "reviewed_by": ""}))
    expect(opened.ask()).to_contain_text("Not yet reviewed by a contact point")


def test_the_country_of_the_page_goes_with_the_question(visit: Visit) -> None:
    visit.go(country="pt")
    visit.open()
    with visit.page.expect_request("**/v1/answers") as asked:
        visit.ask(PLAIN_QUESTION)
    assert asked.value.post_data_json["country"] == "PT"


def test_an_answer_can_be_copied_with_its_sources(opened: Visit) -> None:
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.ask(PLAIN_QUESTION)
    opened.button("Copy").click()
    expect(opened.button("Copied")).to_be_visible()
    copied = opened.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"{shelf.DECIDES} [1]")
    assert f"[1] Access › Committee\n    {shelf.SITE}/access#committee" in copied


def test_restart_forgets_the_conversation(opened: Visit) -> None:
    opened.ask()
    opened.chat.get_by_role("button", name="Start again").click()
    expect(opened.turns).to_have_count(0)
    expect(opened.box).to_be_focused()
    expect(opened.frame).to_be_visible()
    with opened.page.expect_request("**/v1/answers") as asked:
        opened.ask()
    assert asked.value.post_data_json["history"] == []


def test_an_empty_question_is_not_sent(opened: Visit) -> None:
    opened.box.fill("   ")
    opened.chat.get_by_role("button", name="Send").click()
    expect(opened.box).to_be_focused()
    expect(opened.turns).to_have_count(0)
    assert opened.asked_of_helpdesk() == []


def test_one_is_told_that_one_talks_to_a_machine(opened: Visit) -> None:
    expect(opened.chat.locator(".notice")).to_contain_text("You are talking to a machine.")
    expect(opened.chat.locator(".notice")).to_be_in_viewport()
