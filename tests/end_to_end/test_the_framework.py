"""The real framework source: nothing lost, nothing invented, every link lands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

from eval.metrics import found_at, recall_at
from eval.questions import read_questions
from ingest.boilerplate import is_boilerplate
from ingest.models import Document, Loaded
from rag.answerer import Answerer
from rag.models import Question, Turn
from rag.settings import Settings
from rag.text import letters_digits, sentences
from rag.wiring import build_answerer, build_embedder, open_index

# Embedding the whole framework takes minutes on two cores.
pytestmark = pytest.mark.timeout(1200)

ADDRESS = "https://framework.onemilliongenomes.eu"

EMPTY_COUNTRIES = "at bg cy cz dk es fi gr hr hu lt lv mt no ro si uk".split()

# Headings written as HTML: Jekyll gives them no id, so a link lands on the page
# (or on the heading before) instead.
WITHOUT_ANCHOR = {
    "index.html": 3,
    "pages/citizen-hub/index.md": 2,
    "pages/national-genomic-plans.md": 4,
}

PROTOTYPE = (
    "How can I engage with the initiative?",
    "How can I find data available?",
    "What do I need to share my data?",
    "How can I run my pipeline?",
    "How do I connect with my institute?",
    "How are you organised?",
    "How can I get access to your service implementation?",
)


ARTICLES = (
    "engage", "find-data", "share-data", "run-pipeline", "connect-institute", "mirror-groups",
    "contact", "access-data",
)  # fmt: skip
"""Topics of shipped articles that are indexed here."""


@dataclass(frozen=True)
class Indexed:
    """The framework with some of the shipped articles, in a data directory of its own."""

    answerer: Answerer
    report: dict[str, object]
    environment: dict[str, str]


@pytest.fixture(scope="module")
def loaded(framework_read: list[Loaded]) -> Loaded:
    everything = Loaded()
    for each in framework_read:
        everything.documents += each.documents
        everything.empty_pages += each.empty_pages
        everything.skipped += each.skipped
        everything.problems += each.problems
    return everything


@pytest.fixture(scope="module")
def indexed(
    framework: Path, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Indexed]:
    data = tmp_path_factory.mktemp("framework")
    # To embed all articles takes minutes; test_the_articles.py checks every one of them.
    corpus = tmp_path_factory.mktemp("shipped") / "corpus"
    shutil.copytree(root / "corpus", corpus, ignore=shutil.ignore_patterns("articles"))
    for topic in ARTICLES:
        shutil.copytree(root / "corpus" / "articles" / topic, corpus / "articles" / topic)
    environment = {
        **os.environ, "HELPDESK_DATA_DIR": str(data), "HELPDESK_CORPUS_DIR": str(corpus)
    }  # fmt: skip
    report = _ingest(root, framework, environment)
    settings = Settings(data_dir=data, corpus_dir=corpus)
    answerer = build_answerer(settings, open_index(settings), build_embedder(settings))
    yield Indexed(answerer, report, environment)
    answerer.generation.close()


def _ingest(root: Path, framework: Path, environment: dict[str, str]) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "ingest", "run", "--source", str(framework), "--json"],
        cwd=root,
        env=environment,
        capture_output=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_every_page_and_pdf_is_read_or_left_out_for_a_reason(
    loaded: Loaded, framework: Path
) -> None:
    there = {path.relative_to(framework).as_posix() for path in framework.glob("pages/**/*.md")}
    there |= {path.relative_to(framework).as_posix() for path in framework.glob("assets/**/*.pdf")}
    there.add("index.html")
    told = {each.path for each in loaded.documents} | {each.path for each in loaded.skipped}
    assert len(there) == 127
    assert there <= told
    assert loaded.problems == []
    reasons = {each.reason.split(" of ")[0] for each in loaded.skipped if each.path in there}
    assert reasons == {"template or demo page", "no text", "duplicate"}


def test_exactly_the_23_pages_that_hold_only_the_notice_are_placeholders(loaded: Loaded) -> None:
    expected = {f"pages/national-implementation/{code}_resources.md" for code in EMPTY_COUNTRIES}
    expected.remove("pages/national-implementation/mt_resources.md")
    expected.add("pages/national-implementation/mt_resources .md")
    expected |= {"pages/elsi.md", "pages/maturity-level.md", "pages/your-domain.md"}
    roles = ("researcher", "devops-infrastructure", "product-owner-infrastructure")
    expected |= {f"pages/your-role/{role}.md" for role in roles}
    assert len(expected) == 23
    assert {each.path for each in loaded.documents if each.placeholder} == expected


def test_pages_without_text_of_their_own_are_kept_as_gaps_and_not_as_documents(
    loaded: Loaded,
) -> None:
    expected = {
        "pages/lets-talk-genomics/glossary.md",
        "pages/citizen-hub/question-answer.md",
        "pages/citizen-hub/forensics.md",
        *(
            f"pages/about/{name}.md"
            for name in ("news", "events", "media_kit", "outreach", "support", "editorial_board")
        ),
    }
    assert {each.path for each in loaded.empty_pages} == expected
    assert not expected & {each.path for each in loaded.documents}


def test_near_duplicates_leave_the_page_that_menus_link(loaded: Loaded) -> None:
    dropped = {each.path: each.reason for each in loaded.skipped if "duplicate" in each.reason}
    assert dropped == {
        "pages/technical-architecture.md": "duplicate of pages/technical-infrastructure.md",
        "pages/sequencing-guidelines.md": "duplicate of pages/data-quality-inclusion.md",
        "pages/healthcare-integration-sustainability.md": (
            "duplicate of pages/genomics-into-healthcare.md"
        ),
    }


def _rendered(rendered: Path, document: Document) -> BeautifulSoup:
    assert document.url is not None
    address = unquote(document.url.removeprefix(ADDRESS))
    file = rendered / (address.strip("/") or "index")
    page = file / "index.html" if address.endswith("/") and address != "/" else None
    return BeautifulSoup((page or file.with_name(file.name + ".html")).read_text("utf-8"), "lxml")


def test_every_address_and_anchor_exists_in_the_rendered_site(
    loaded: Loaded, rendered: Path
) -> None:
    dead, without, checked = [], {}, 0
    for document in loaded.documents:
        if document.kind == "pdf":
            continue
        ids = {tag["id"] for tag in _rendered(rendered, document).find_all(id=True)}
        for section in document.sections:
            if section.anchor is not None:
                checked += 1
                if section.anchor not in ids:
                    dead.append((document.path, section.anchor))
            elif section.heading:
                without[document.path] = without.get(document.path, 0) + 1
    assert dead == []
    assert checked > 250
    assert without == WITHOUT_ANCHOR


def test_every_heading_of_the_rendered_site_is_a_section(loaded: Loaded, rendered: Path) -> None:
    missed = []
    for document in loaded.documents:
        if document.kind == "pdf" or document.placeholder:
            continue
        soup = _rendered(rendered, document)
        anchors = {section.anchor for section in document.sections}
        headings = (soup.find("main") or soup).find_all(["h2", "h3", "h4", "h5", "h6"])
        missed += [
            (document.path, heading["id"])
            for heading in headings
            if heading.get("id") not in (None, "on-this-page", *anchors)
        ]
    assert missed == []


def test_pdf_addresses_are_percent_encoded_and_pages_count_from_one(loaded: Loaded) -> None:
    pdfs = [each for each in loaded.documents if each.kind == "pdf"]
    assert len(pdfs) == 8
    for document in pdfs:
        assert document.url is not None
        assert " " not in document.url
        assert min(section.page or 0 for section in document.sections) == 1


@pytest.mark.long
def test_no_chunk_holds_boilerplate_comments_attribute_lists_or_template_text(
    indexed: Indexed,
) -> None:
    for chunk in indexed.answerer.generation.all_chunks():
        text = chunk.text
        assert not any(is_boilerplate(sentence) for sentence in sentences(text)), chunk.chunk_id
        for sign in (
            "{:",
            "{%",
            "{{",
            "<!--",
            "REPLACE THIS",
            "DELETE ME",
            "Christos",
            "orem ipsum",
            "eplace with the",
            "olour Legend",
            "eave comments",
            "eviewers of latest",
        ):
            assert sign not in text, (chunk.chunk_id, sign)
        assert "digital transformation" not in text, chunk.chunk_id


@pytest.mark.long
def test_every_statement_of_an_article_is_carried_by_the_indexed_source(
    indexed: Indexed,
) -> None:
    evidence = [
        (article.article_id, each)
        for article in indexed.answerer.generation.articles
        for statement in article.statements
        for each in statement.evidence
    ]
    assert len(evidence) > 100
    assert [(name, each.path) for name, each in evidence if each.stale or not each.quote] == []


@pytest.mark.parametrize("question", PROTOTYPE)
@pytest.mark.long
def test_the_prototype_questions_are_answered_from_the_indexed_source(
    indexed: Indexed, question: str
) -> None:
    answer = indexed.answerer.answer(Question(question))
    assert (answer.status, answer.strength) == ("answered", "strong")
    assert len(answer.statements) >= 3
    texts = {chunk.document_id: "" for chunk in indexed.answerer.generation.all_chunks()}
    for chunk in indexed.answerer.generation.all_chunks():
        texts[chunk.document_id] += chunk.text + "\n"
    for citation in answer.citations:
        assert citation.kind == "source"
        everywhere = letters_digits("\n".join(texts.values()))
        assert letters_digits(citation.quote) in everywhere


@pytest.mark.long
def test_an_empty_country_page_is_said_to_be_empty(indexed: Indexed) -> None:
    answer = indexed.answerer.answer(Question("What does the Framework offer for Spain?"))
    assert (answer.status, answer.reason) == ("abstained", "not_written_yet")
    assert [each.path for each in answer.citations] == [
        "pages/national-implementation/es_resources.md"
    ]


@pytest.mark.long
def test_search_finds_the_evidence_of_the_judged_questions(
    indexed: Indexed, framework: Path
) -> None:
    file = framework.parent.parent / "eval" / "dev.jsonl"
    if not file.is_file():
        pytest.skip("the judged questions beside the project are absent")
    recalls = []
    for judged in read_questions([file]):
        if judged.expect == "answer":
            history = tuple(Turn(turn.role, turn.text) for turn in judged.history)
            found = indexed.answerer.search(Question(judged.question, history=history), 5)
            recalls.append(recall_at(found_at(judged, found), 5))
    assert sum(recalls) / len(recalls) >= 0.85


@pytest.mark.long
def test_an_unchanged_run_embeds_and_writes_nothing_in_a_twentieth_of_the_time(
    indexed: Indexed, framework: Path, root: Path
) -> None:
    again = _ingest(root, framework, indexed.environment)
    assert again["embedded"] == 0
    assert again["generation"] == indexed.report["generation"]
    assert (again["added"], again["changed"], again["removed"]) == ([], [], [])
    assert again["skipped"] == indexed.report["skipped"]
    cold, unchanged = indexed.report["seconds"], again["seconds"]
    assert isinstance(cold, float)
    assert isinstance(unchanged, float)
    assert unchanged <= 0.05 * cold
