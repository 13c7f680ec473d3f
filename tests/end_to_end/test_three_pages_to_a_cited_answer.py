"""Three invented pages, the real embedder, the real commands, a real server."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from harbour import PAGES, Harbour, free_port, served
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(scope="module")
def server(harbour: Harbour, tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[str]:
    """The pages, served."""
    with served(harbour.copy(tmp_path_factory.mktemp("served")), root, free_port()) as address:
        yield address


def _ask(address: str, question: str) -> dict[str, object]:
    request = urllib.request.Request(
        f"{address}/v1/answers",
        data=json.dumps({"question": question}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return dict(json.load(reply))


def test_a_question_is_answered_with_a_quote_that_stands_under_the_cited_heading(
    server: str,
) -> None:
    answer = _ask(server, "What must a laboratory sign before it deposits a sample?")
    assert answer["status"] == "answered"
    assert answer["strength"] == "strong"
    cited = [each for each in answer["citations"] if "harbour agreement" in each["quote"]]
    assert len(cited) == 1
    assert cited[0]["quote"] in " ".join(PAGES["deposit.md"].split())
    assert cited[0]["section"] == ["Before you deposit"]
    assert cited[0]["url"] == "https://harbour.example.org/deposit.md#before-you-deposit"


def test_every_statement_carries_a_citation(server: str) -> None:
    answer = _ask(server, "Who decides whether researchers may borrow samples?")
    known = {each["marker"] for each in answer["citations"]}
    assert answer["statements"]
    for statement in answer["statements"]:
        assert statement["citations"]
        assert set(statement["citations"]) <= known


def test_a_shipped_article_answers_without_the_framework_and_names_its_page(server: str) -> None:
    answer = _ask(server, "How can I share my data?")
    assert answer["status"] == "answered"
    assert answer["article"]["reviewed_by"] == ""
    assert {each["kind"] for each in answer["citations"]} == {"summary"}
    for citation in answer["citations"]:
        assert citation["url"].startswith("https://framework.onemilliongenomes.eu/")


def test_what_has_nothing_to_do_with_anything_indexed_is_refused(server: str) -> None:
    answer = _ask(server, "Who sang the longest opera in Vienna?")
    assert (answer["status"], answer["citations"]) == ("abstained", [])
    assert answer["next_step"]


def test_nonsense_is_never_answered_as_if_sure(server: str) -> None:
    answer = _ask(server, "zxqv blorp wuggle")
    assert answer["status"] == "abstained" or answer["strength"] == "weak"


@pytest.fixture(scope="module")
def page(server: str, browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    opened.complaints = []  # type: ignore[attr-defined]
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))  # type: ignore[attr-defined]
    opened.on(
        "console",
        lambda message: (
            opened.complaints.append(message.text)  # type: ignore[attr-defined]
            if message.type == "error"
            else None
        ),
    )
    opened.goto(server)
    yield opened
    opened.close()


def test_a_visitor_asks_in_the_browser_and_reads_the_answer_with_its_source(page: Page) -> None:
    send = page.get_by_role("button", name="Send", exact=True)
    expect(send).to_be_visible()  # until then the form for browsers without scripts is there
    page.locator("helpdesk-chat .asking textarea").fill("How long may researchers borrow samples?")
    send.click()
    said = page.locator("helpdesk-chat .statement")
    expect(said.filter(has_text="Researchers borrow samples for six weeks.")).to_be_visible()
    page.get_by_role("button", name="Source 1").first.click()
    link = page.locator('a[href^="https://harbour.example.org/borrow.md"]').first
    expect(link).to_be_visible()
    assert page.complaints == []  # type: ignore[attr-defined]
