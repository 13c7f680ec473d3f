"""Three invented pages, the real embedder, the real commands, a real server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

PAGES = {
    "deposit.md": """---
title: Bringing samples in
---
The harbour archive takes marine samples from any laboratory.

## Before you deposit

A laboratory signs the harbour agreement before it deposits its first sample. Each sample needs a
label with the date and the depth at which it was taken.

## Storage

Samples are kept at minus eighty degrees in the north hall.
""",
    "borrow.md": """---
title: Borrowing samples
---
Researchers borrow samples for six weeks.

## Who decides

The lending board meets on the first Monday of the month and decides on every request.
""",
    "tides.md": """---
title: Tide tables
---
The tide tables are printed each spring and list high water for every pier.
""",
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[str]:
    """Index the three pages beside the shipped articles and serve them."""
    folder = tmp_path_factory.mktemp("harbour")
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    port = _free_port()
    # Some of the shipped articles: to embed all of them takes minutes.
    corpus = tmp_path_factory.mktemp("shipped") / "corpus"
    shutil.copytree(root / "corpus", corpus, ignore=shutil.ignore_patterns("articles"))
    for topic in ("share-data", "contact", "engage"):
        shutil.copytree(root / "corpus" / "articles" / topic, corpus / "articles" / topic)
    environment = {
        **os.environ,
        "HELPDESK_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "HELPDESK_CORPUS_DIR": str(corpus),
        "PORT": str(port),
    }
    ingest = [sys.executable, "-m", "ingest", "run", "--source", str(folder)]
    ingest += ["--base-url", "https://harbour.example.org", "--json"]
    done = subprocess.run(ingest, cwd=root, env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout)["documents"]["added"] >= len(PAGES)
    process = subprocess.Popen([sys.executable, "-m", "api"], cwd=root, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=2)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


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
def page(server: str, chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
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
        browser.close()


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
