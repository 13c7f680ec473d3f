"""Knowledge articles: what a good one holds, and what each bad one is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.loaders.articles import article_files, body_pin, load_articles, read_article
from rag.errors import UnreadableDocument
from rag.models import Article, Ask
from rag.text import pin

Write = Callable[..., Path]

GOOD = """---
title: When to read a gauge
kind: answer
intent: gauges
audience: [volunteer]
country: PT
ask:
  en:
    - When do I read the gauge?
    - gauge how often
  pt:
    - Quando leio a régua?
evidence:
  dawn:
    source: atlas
    path: gauges.md
    title: Gauges
    section: [Reading, Hours]
    url: https://tide.example/gauges#hours
    label: required
    pin: "0123456789abcdef"
  dusk:
    source: atlas
    path: dusk.md
    title: Dusk
    url: null
    pin: "fedcba9876543210"
checked: 2031-05-04
reviewed_by: ""
see_also: [ropes]
---
Read it twice a day,
at dawn and at dusk. [^dawn] [^dusk]

Write it down. [^dusk]
"""


def read(text: str = GOOD) -> Article:
    return read_article(text, "when", "articles/when.md")


def test_a_good_article_is_read_whole() -> None:
    article = read()
    assert (article.article_id, article.document_id, article.path) == (
        "when",
        "articles/when.md",
        "articles/when.md",
    )
    assert (article.title, article.kind, article.intent, article.country) == (
        "When to read a gauge",
        "answer",
        "gauges",
        "PT",
    )
    assert (article.checked, article.reviewed_by, article.see_also) == (
        "2031-05-04",
        "",
        ("ropes",),
    )


def test_the_ways_to_ask_of_all_languages_are_kept_with_their_language() -> None:
    assert read().asks == (
        Ask("When do I read the gauge?", "en"),
        Ask("gauge how often", "en"),
        Ask("Quando leio a régua?", "pt"),
    )


def test_an_article_is_asked_in_a_language_else_in_its_first() -> None:
    article = read()
    assert article.asked_in("pt") == "Quando leio a régua?"
    assert article.asked_in("fi") == "When do I read the gauge?"


def test_a_statement_is_a_paragraph_without_its_markers() -> None:
    assert [each.text for each in read().statements] == [
        "Read it twice a day, at dawn and at dusk.",
        "Write it down.",
    ]


def test_a_statement_holds_the_evidence_it_names_in_order() -> None:
    first, second = read().statements
    assert [each.pin for each in first.evidence] == ["0123456789abcdef", "fedcba9876543210"]
    assert [each.pin for each in second.evidence] == ["fedcba9876543210"]
    dawn, dusk = first.evidence
    assert (dawn.source, dawn.path, dawn.title) == ("atlas", "gauges.md", "Gauges")
    assert (dawn.section, dawn.label) == (("Reading", "Hours"), "required")
    assert dawn.url == "https://tide.example/gauges#hours"
    assert (dusk.section, dusk.label, dusk.url) == ((), None, None)
    assert (dawn.quote, dawn.chunk_id, dawn.stale) == (None, None, False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("country: PT", "county: PT", "county"),
        ("    label: required", "    lable: required", "evidence.dawn.lable"),
        ("title: When to read a gauge\n", "", "title"),
        ("kind: answer", "kind: rumour", "kind"),
        ("    label: required", "    label: nice", "evidence.dawn.label"),
        ("checked: 2031-05-04", "checked: last week", "checked"),
        ("Write it down. [^dusk]", "Write it down.", "a statement without evidence: 'Write it"),
        ("Write it down. [^dusk]", "Write it down. [^noon]", "no evidence named 'noon'"),
        ("Write it down. [^dusk]", "[^dusk]", "a statement that says nothing"),
        ("audience: [volunteer]", "audience: [volunteer", "the front matter is not YAML in line"),
        ("country: PT", "country: PT\ncountry: ES", "'country' is given twice in line 7"),
        (
            "    - gauge how often",
            "    - gauge\n  en:\n    - often",
            "'en' is given twice in line 11",
        ),
    ],
)
def test_a_bad_article_is_told_what_is_wrong(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(UnreadableDocument) as raised:
        read(GOOD.replace(old, new))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Just words.", "no front matter"),
        ("---\n---\nWords. [^dawn]", "title"),
        (GOOD.split("Read it")[0], "no statement"),
    ],
)
def test_a_file_that_is_no_article_is_told_so(text: str, message: str) -> None:
    with pytest.raises(UnreadableDocument, match=message):
        read(text)


def test_articles_are_read_below_their_folder_in_a_fixed_order(write: Write) -> None:
    folder = write({"b/one.md": GOOD, "a/two.md": GOOD, "notes.txt": "No article."}, "articles")
    assert [path.name for path in article_files(folder)] == ["two.md", "one.md"]
    loaded = list(load_articles(folder))
    assert [each.articles[0].article_id for each in loaded] == ["two", "one"]
    (document,) = loaded[0].documents
    assert (document.document_id, document.source, document.kind) == (
        "articles/a/two.md",
        "articles",
        "article",
    )
    assert (document.country, document.published, document.url) == ("PT", "2031-05-04", None)
    assert document.text == "Read it twice a day, at dawn and at dusk.\nWrite it down."


def test_one_bad_article_is_a_problem_and_the_others_are_read(write: Write) -> None:
    folder = write({"bad.md": "Just words.", "empty.md": "", "good.md": GOOD}, "articles")
    loaded = list(load_articles(folder))
    assert [article.article_id for each in loaded for article in each.articles] == ["good"]
    assert [(each.path, each.problem) for one in loaded for each in one.problems] == [
        ("articles/bad.md", "no front matter"),
        ("articles/empty.md", "the file is empty"),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Write it down.", "Write it all down."),
        ("gauge how often", "gauge when"),
        ("checked: 2031-05-04", "checked: 2031-05-05"),
        ("0123456789abcdef", "0123456789abcdee"),
    ],
)
def test_any_change_of_an_article_changes_its_digest(write: Write, old: str, new: str) -> None:
    digests = {
        document.sha256
        for name, text in (("before", GOOD), ("after", GOOD.replace(old, new)))
        for loaded in load_articles(write({"when.md": text}, name))
        for document in loaded.documents
    }
    assert len(digests) == 2


TRANSLATION = """---
title: Quando ler uma régua
of: "{of}"
---
Leia duas vezes por dia, de manhã e à noite. [^dawn] [^dusk]

Anote. [^dusk]
"""


def test_a_translation_that_holds_still_comes_with_its_article(write: Write) -> None:
    files = {
        "a/when.md": GOOD,
        "a/when.pt.md": TRANSLATION.format(of=body_pin(GOOD)),
        "a/when.es.md": TRANSLATION.format(of="another"),
        "a/when.fi.md": TRANSLATION.format(of=body_pin(GOOD)).replace("[^dawn]", ""),
        "a/when.sv.md": TRANSLATION.format(of="another").replace("of:", "off:"),
    }
    (loaded,) = load_articles(write(files, "articles"))
    (article,) = loaded.articles
    assert article.path == article.document_id == "articles/a/when.md"
    assert [each.language for each in article.translations] == ["pt"]
    assert [each.path for each in loaded.problems] == [
        "articles/a/when.fi.md",
        "articles/a/when.sv.md",
    ]


def test_a_draft_is_left_out_and_so_is_a_name_that_is_taken(write: Write) -> None:
    draft = GOOD.replace("kind: answer", "kind: answer\ndraft: true")
    files = {"a/when.md": GOOD, "b/when.md": "Just words.", "c/soon.md": draft, "c/soon.pt.md": "?"}
    loaded = list(load_articles(write(files, "articles")))
    assert [each.path for one in loaded for each in one.articles] == ["articles/a/when.md"]
    assert [(each.path, each.reason) for one in loaded for each in one.skipped] == [
        ("articles/c/soon.md", "draft")
    ]
    assert [(each.path, each.problem) for one in loaded for each in one.problems] == [
        ("articles/b/when.md", "its name is taken by articles/a/when.md")
    ]


def test_of_two_folders_the_first_has_a_name(write: Write) -> None:
    shipped = write({"a/when.md": GOOD, "b/where.md": "Just words."}, "shipped")
    own = write({"b/when.md": GOOD, "b/where.md": GOOD, "b/who.md": GOOD}, "own")
    loaded = list(load_articles(shipped, own))
    assert [each.path for one in loaded for each in one.articles] == [
        "articles/a/when.md",
        "articles/b/who.md",
    ]
    assert [(each.path, each.problem) for one in loaded for each in one.problems] == [
        ("articles/b/where.md", "no front matter"),
        ("articles/b/when.md", "its name is taken by articles/a/when.md"),
        ("articles/b/where.md", "its name is taken by articles/b/where.md"),
    ]


def test_the_hash_of_an_article_is_that_of_what_it_says(write: Write) -> None:
    assert body_pin(GOOD) == pin(GOOD.split("---\n")[2])
    assert body_pin(GOOD) == body_pin(GOOD.replace("PT", "ES"))
    assert body_pin(GOOD) != body_pin(GOOD.replace("Write", "Note"))


def test_no_folder_means_no_articles(tmp_path: Path) -> None:
    assert list(load_articles(tmp_path / "none")) == []


def test_every_shipped_article_is_readable_and_holds_on_to_its_sources(root: Path) -> None:
    loaded = list(load_articles(root / "corpus" / "articles"))
    assert loaded
    assert [problem for each in loaded for problem in each.problems] == []
    ids = [article.article_id for each in loaded for article in each.articles]
    assert len(ids) == len(set(ids))
    pins = {
        evidence.pin
        for each in loaded
        for article in each.articles
        for statement in article.statements
        for evidence in statement.evidence
    }
    assert {len(each) for each in pins} == {len(pin("any"))}
