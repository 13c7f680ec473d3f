"""``python -m ingest articles``: what a knowledge manager types, and what comes back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import typed
from fakes import HashingEmbedder
from typed import ingest, refusal
from typer.testing import Result

from ingest import __main__ as command_line
from ingest import article_commands
from ingest.loaders.articles import read_article
from ingest.loaders.textfile import split_front_matter
from rag.embedder import Embedder
from rag.errors import ModelUnavailable
from rag.models import Answer, ArticleNote, Citation
from rag.store import Store
from rag.text import pin
from rag.usage import USAGE, Usage

Write = Callable[..., Path]

DAWN = "The gauge of Port Alder is read at dawn by a warden."
RED = "Each reading is entered into the red book of the harbour."
ROPE = "A rope is coiled with the sun and is hung up dry."
GAUGES = f"# Gauges\n\n## Hours\n\n{DAWN} {RED}\n"
ROPES = f"# Ropes\n\n{ROPE}\n"

ARTICLE = """---
title: {title}
kind: answer
intent: {topic}
audience: [volunteer]
ask:
  en: [When is the {name} used, {name} hours, "what time {name}", {name} at nigth, "as a warden {name}"]
  pt: [A que horas se usa {name}]
evidence:
  only:
    source: atlas
    path: {path}
    title: {page}
    url: https://tide.example/{path}
    pin: "{pin}"
checked: 2031-05-04
reviewed_by: ""
---
{said} [^only]
"""  # noqa: E501
WHEN = ARTICLE.format(
    title="When the gauge is read", topic="gauges", name="gauge", path="gauges.md", page="Gauges",
    pin=pin(DAWN), said="It is read at dawn.",
)  # fmt: skip
COIL = ARTICLE.format(
    title="How to keep a rope", topic="ropes", name="rope", path="ropes.md", page="Ropes",
    pin=pin(ROPE), said="Coil it, and dry it.",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _tiny_corpus(
    root: Path,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ticking_clock: None,
    reader_here: None,
) -> None:
    """Two invented articles instead of the shipped ones, and what else the commands read."""
    corpus = write({"articles/gauges/when.md": WHEN, "articles/ropes/coil.md": COIL}, "corpus")
    for name in ("kinds.yaml", "topics.yaml"):
        shutil.copy(root / "corpus" / name, corpus)
    settle(monkeypatch, corpus)
    monkeypatch.chdir(tmp_path)


def settle(monkeypatch: pytest.MonkeyPatch, corpus: Path) -> None:
    monkeypatch.setenv("HELPDESK_CORPUS_DIR", str(corpus))
    for module in (command_line, article_commands):
        monkeypatch.setattr(module, "build_embedder", lambda _: HashingEmbedder())


@pytest.fixture
def atlas(write: Write) -> Path:
    """The invented source."""
    return write({"gauges.md": GAUGES, "ropes.md": ROPES})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a source that has been indexed with the articles, once for all."""
    folder = tmp_path_factory.mktemp("indexed")
    files = {
        "corpus/articles/gauges/when.md": WHEN,
        "corpus/articles/ropes/coil.md": COIL,
        "atlas/gauges.md": GAUGES,
        "atlas/ropes.md": ROPES,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as monkeypatch:
        settle(monkeypatch, folder / "corpus")
        monkeypatch.setenv("HELPDESK_DATA_DIR", str(folder / "data"))
        index(folder / "atlas")
    return folder / "data"


@pytest.fixture
def indexed(atlas: Path, data: Path, tmp_path: Path) -> Path:
    """The source, once it has been indexed with the articles."""
    shutil.copytree(data, tmp_path / "data")
    return atlas


def articles(*arguments: str | Path) -> Result:
    return ingest("articles", *arguments)


def told(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    return typed.told("articles", *arguments, code=code)


def index(atlas: Path) -> None:
    result = ingest("run", "--source", atlas, "--base-url", "https://tide.example")
    assert result.exit_code == 0, result.stderr


def kinds(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["path"], each["kind"]) for each in report["findings"]]


# check


def test_articles_that_say_what_their_sources_say_are_green(indexed: Path) -> None:
    result = articles("check")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    for line in (
        "articles: 2 (2 answer)",
        "ways of asking: 12, 2 not English, in 2 languages",
        "statements: 2; evidence: 2 of 2 sentences found, 0 on pages that are not at hand",
        "findings: 0",
    ):
        assert line in result.stdout.splitlines()


def test_the_report_for_programs_is_one_object(indexed: Path) -> None:
    found = told("check")
    assert found.keys() == {"findings", "coverage", "problems"}
    assert (found["findings"], found["problems"]) == ([], [])
    covered = found["coverage"]
    assert (covered["articles"], covered["asks"], covered["held"]) == (2, 12, 2)
    assert covered["asks_by_language"] == {"en": 10, "pt": 2}
    assert (covered["pages_without"], covered["resources_without"]) == ([], [])


def test_a_sentence_that_has_gone_is_told_and_ends_the_command_with_1(indexed: Path) -> None:
    (indexed / "gauges.md").write_text(GAUGES.replace("dawn", "noon"))
    index(indexed)
    found = told("check", code=1)
    assert kinds(found) == [("gauges/when.md", "stale")]
    assert found["coverage"]["held"] == 1
    result = articles("check")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.split()[:2] == ["stale", "gauges/when.md:"]
    assert "findings: 1" in result.stdout


def test_a_source_that_is_named_is_read_now_and_the_index_is_left_as_it_is(
    indexed: Path, tmp_path: Path
) -> None:
    (indexed / "gauges.md").write_text(GAUGES.replace("dawn", "noon"))
    before = Store(tmp_path / "data").current()
    assert kinds(told("check")) == []
    assert kinds(told("check", "--source", indexed, code=1)) == [("gauges/when.md", "stale")]
    assert Store(tmp_path / "data").current() == before
    assert kinds(told("check")) == []


def test_a_source_may_be_read_where_nothing_has_been_indexed_and_nothing_is_kept(
    atlas: Path, tmp_path: Path
) -> None:
    covered = told("check", "--source", atlas)["coverage"]
    assert (covered["evidence"], covered["held"], covered["unread"]) == (2, 2, 0)
    assert not (tmp_path / "data").exists()


def test_several_sources_may_be_named(write: Write) -> None:
    one = write({"gauges.md": GAUGES})
    two = write({"knots.md": "# Knots\n\nA knot is tied twice."}, "handbook")
    found = told("check", "--source", one, "--source", two, code=1)
    covered = found["coverage"]
    assert (covered["held"], covered["unread"]) == (1, 1)
    # The source of its page is there, and the page is not.
    assert kinds(found) == [("ropes/coil.md", "stale")]
    assert covered["pages_without"] == ["knots.md"]


def test_without_an_index_what_needs_no_source_is_still_checked(tmp_path: Path) -> None:
    found = told("check")
    assert found["findings"] == []
    covered = found["coverage"]
    assert (covered["held"], covered["unread"], covered["evidence"]) == (0, 2, 2)
    (tmp_path / "corpus" / "articles" / "ropes" / "again.md").write_text(COIL)
    assert {kind for _, kind in kinds(told("check", code=1))} == {"asked twice"}
    assert not (tmp_path / "data").exists()


def test_the_articles_in_the_index_are_no_source_of_theirs(tmp_path: Path, atlas: Path) -> None:
    """A summary that is indexed for want of its source does not prove itself."""
    said = (
        "The buoy of Port Alder is painted red and lit all night long by a warden of the harbour."
    )
    buoy = ARTICLE.format(
        title="Where the buoy is", topic="buoys", name="buoy", path="buoys.md", page="Buoys",
        pin=pin(said), said=said,
    )  # fmt: skip
    buoy = buoy.replace("source: atlas", "source: harbour")
    (tmp_path / "corpus" / "articles" / "gauges" / "buoy.md").write_text(buoy)
    index(atlas)
    found = told("check")
    assert found["findings"] == []
    assert found["coverage"]["unread"] == 1


def test_a_source_that_cannot_be_read_is_said_and_is_not_green(tmp_path: Path, atlas: Path) -> None:
    assert "nowhere" in refusal(articles("check", "--source", tmp_path / "nowhere"))
    found = told("check", "--source", tmp_path / "nowhere", "--source", atlas, code=1)
    assert found["findings"] == []
    assert [each["problem"] for each in found["problems"]] == ["no such file or folder"]
    assert found["coverage"]["held"] == 2


def test_translations_are_counted(tmp_path: Path, indexed: Path) -> None:
    _, _, body = WHEN.split("---\n", 2)
    folder = tmp_path / "corpus" / "articles" / "gauges"
    (folder / "when.pt.md").write_text(
        f'---\ntitle: Quando se lê\nof: "{pin(body)}"\n---\nÉ lida ao nascer do sol. [^only]\n'
    )
    assert told("check")["coverage"]["translations"] == {"pt": 1}


def test_where_there_are_no_articles_nothing_is_green(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "corpus" / "articles")
    assert "there are no articles" in refusal(articles("check"))


def test_a_damaged_index_is_said(indexed: Path, tmp_path: Path) -> None:
    name = Store(tmp_path / "data").current()
    assert name
    (tmp_path / "data" / "generations" / name / "index.sqlite").write_text("No database at all.")
    for command in (("check",), ("report",), ("new", "When is the gauge read?")):
        assert name in refusal(articles(*command))


def test_a_broken_list_of_topics_is_said(tmp_path: Path) -> None:
    (tmp_path / "corpus" / "topics.yaml").write_text("[")
    assert "topics.yaml" in refusal(articles("check"))


def test_what_an_article_is_called_does_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "corpus" / "articles" / "\x1b[31mred.md").write_text("Just words.")
    result = articles("check")
    assert result.exit_code == 1
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    "arguments", [(), ("nonsense",), ("check", "--nonsense"), ("new",), ("new", "two", "words")]
)
def test_bad_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    result = articles(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)


# new


def draft_of(result: Result) -> Path:
    assert result.exit_code == 0, result.output
    (line,) = (each for each in result.stdout.splitlines() if each.startswith("draft: "))
    return Path(line.removeprefix("draft: "))


def test_a_question_becomes_a_draft_of_what_is_found(indexed: Path, tmp_path: Path) -> None:
    question = "Who enters a reading into the red book?"
    file = draft_of(articles("new", question))
    assert file == tmp_path / "corpus" / "articles" / "drafts" / "enters-reading-into-red-book.md"
    text = file.read_text(encoding="utf-8")
    article = read_article(text, file.stem, file.name)
    assert (split_front_matter(text)[0] or {})["draft"] is True
    assert article.title == question
    assert [(ask.text, ask.language) for ask in article.asks] == [(question, "en")]
    assert article.statements[0].evidence[0].pin == pin(RED)
    assert article.checked == datetime.now(UTC).date().isoformat()


def test_a_draft_that_is_near_an_article_lies_beside_it_and_says_so(indexed: Path) -> None:
    result = articles("new", "When is the gauge used?")
    file = draft_of(result)
    assert file.parent.name == "gauges"
    assert "near it: when (When the gauge is read)" in result.stdout
    assert read_article(file.read_text(), file.stem, "").intent == "gauges"


def test_a_draft_that_is_near_none_says_nothing_of_others(indexed: Path) -> None:
    assert "near it" not in articles("new", "Who enters a reading into the red book?").stdout


def test_a_draft_near_an_article_without_a_folder_lies_in_the_folder_of_articles(
    tmp_path: Path, atlas: Path
) -> None:
    folder = tmp_path / "corpus" / "articles"
    (folder / "gauges" / "when.md").rename(folder / "when.md")
    index(atlas)
    file = draft_of(articles("new", "When is the gauge used?"))
    assert file.parent == folder


def test_a_draft_is_written_once_and_never_over_another(indexed: Path, tmp_path: Path) -> None:
    file = draft_of(articles("new", "When is the gauge used?"))
    file.write_text("Half a day of work.")
    again = articles("new", "when is THE gauge used")
    assert file.stem in refusal(again)
    assert "already" in refusal(again)
    assert file.read_text() == "Half a day of work."


def test_the_name_of_an_article_is_taken_wherever_it_lies(indexed: Path, tmp_path: Path) -> None:
    assert "coil" in refusal(articles("new", "coil"))
    assert (tmp_path / "corpus" / "articles" / "ropes" / "coil.md").read_text() == COIL


def test_a_draft_is_refused_by_the_check_for_being_one_and_for_nothing_it_holds_on_to(
    indexed: Path, tmp_path: Path
) -> None:
    file = draft_of(articles("new", "When does a warden read the gauge?"))
    path = file.relative_to(tmp_path / "corpus" / "articles").as_posix()
    found = told("check", "--source", indexed, code=1)
    assert {each for each, _ in kinds(found)} == {path}
    assert {kind for _, kind in kinds(found)} == {"draft"}
    assert found["coverage"]["unread"] == 0


def test_a_draft_is_left_out_of_an_index_until_it_is_one_no_more(
    indexed: Path, tmp_path: Path
) -> None:
    file = draft_of(articles("new", "Who enters a reading into the red book?"))
    skipped = typed.told("run", "--source", indexed)["skipped"]
    assert {"path": f"articles/drafts/{file.name}", "reason": "draft"} in skipped
    ids = [each.article_id for each in Store(tmp_path / "data").open().articles]
    assert sorted(ids) == ["coil", "when"]
    file.write_text(file.read_text().replace("draft: true\n", ""))
    index(indexed)
    ids = [each.article_id for each in Store(tmp_path / "data").open().articles]
    assert sorted(ids) == ["coil", file.stem, "when"]


def test_a_question_in_greek_is_drafted_in_greek_under_a_name_of_plain_letters(
    indexed: Path,
) -> None:
    question = "Πότε διαβάζεται ο παλιρροιογράφος του λιμανιού;"
    file = draft_of(articles("new", question))
    assert file.name.isascii()
    text = file.read_text(encoding="utf-8")
    (ask,) = read_article(text, file.stem, "").asks
    assert (ask.text, ask.language) == (question, "el")
    # Whoever goes on writing can read it.
    assert question in text


@pytest.mark.parametrize("question", ["", "  ", "?!", "\n"])
def test_an_empty_question_is_bad_usage(indexed: Path, question: str) -> None:
    assert "empty" in refusal(articles("new", question), code=2)


def test_without_an_index_there_is_nothing_to_draft_from(tmp_path: Path) -> None:
    assert "no index" in refusal(articles("new", "When is the gauge used?"))
    assert not (tmp_path / "corpus" / "articles" / "drafts").exists()


def test_an_index_without_sources_gives_no_draft(tmp_path: Path) -> None:
    """What articles say themselves is nothing to begin an article with."""
    assert ingest("run").exit_code == 0
    assert "nothing to begin with" in refusal(articles("new", "Who enters a reading?"))
    assert not (tmp_path / "corpus" / "articles" / "drafts").exists()


def test_a_folder_that_may_not_be_written_to_is_said(indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus" / "articles" / "drafts").write_text("a file")
    assert "drafts" in refusal(articles("new", "Who enters a reading into the red book?"))


def test_a_model_that_cannot_be_loaded_is_said(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_: object) -> Embedder:
        raise ModelUnavailable("the embedder 'tidal' cannot be loaded")

    monkeypatch.setattr(article_commands, "build_embedder", unavailable)
    assert "tidal" in refusal(articles("new", "When is the gauge used?"))


def test_an_index_of_another_model_gives_no_draft(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(HashingEmbedder):
        name = "other-64"

    monkeypatch.setattr(article_commands, "build_embedder", lambda _: Other())
    assert "hashing-64" in refusal(articles("new", "When is the gauge used?"))


# report


def answer(article: str | None = None, document: str | None = None, **more: Any) -> Answer:
    cited = Citation(
        1, "source", document or "", "atlas", "gauges.md", "Gauges", (), None, None, DAWN
    )  # fmt: skip
    return Answer(
        "1", "answered", "en", "Said.",
        citations=(cited,) if document else (),
        article=ArticleNote(article, "2031-05-04", "") if article else None,
        **more,
    )  # fmt: skip


@pytest.fixture
def asked(indexed: Path, tmp_path: Path) -> None:
    """A week of questions."""
    usage = Usage(tmp_path / "data" / USAGE)
    for day in (5, 6, 7):
        usage.count(answer("when"), date(2031, 5, day))
    usage.count(answer(document="atlas:ropes.md", strength="weak"), date(2031, 5, 8))
    usage.count(answer(document="atlas:ropes.md"), date(2031, 5, 8))
    for day in (8, 9):
        usage.count(Answer("1", "abstained", "en", "No.", reason="no_evidence"), date(2031, 5, day))


def test_before_anybody_has_asked_the_report_says_so(indexed: Path) -> None:
    result = articles("report")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["nothing has been asked yet"]
    assert told("report") == {
        "since": None, "stale": [], "unused": ["coil", "when"], "used": {}, "missing": [],
    }  # fmt: skip


@pytest.mark.usefixtures("asked")
def test_the_report_says_what_answered_and_what_nobody_needed() -> None:
    found = told("report")
    assert (found["since"], found["used"], found["unused"]) == ("2031-05-05", {"when": 3}, ["coil"])
    said = articles("report").stdout
    assert "answers counted since 2031-05-05: 7" in said
    assert "articles that answered nothing: 1\n  coil" in said


@pytest.mark.usefixtures("asked")
def test_the_report_says_where_an_article_is_missing_most_wanted_first() -> None:
    assert told("report")["missing"] == [
        {"outcome": "no_evidence", "subject": "", "count": 2},
        {"outcome": "weak", "subject": "atlas:ropes.md", "count": 1},
    ]
    said = articles("report").stdout
    assert "  2 x no_evidence, none\n  1 x weak, atlas:ropes.md" in said


def test_the_report_names_stale_articles_even_before_anybody_has_asked(indexed: Path) -> None:
    (indexed / "ropes.md").write_text(ROPES.replace("dry", "wet"))
    index(indexed)
    assert told("report")["stale"] == ["coil"]
    assert articles("report").stdout.splitlines()[:2] == ["stale: 1", "  coil"]


@pytest.mark.usefixtures("asked")
def test_an_article_that_has_gone_is_no_longer_asked_for(tmp_path: Path, atlas: Path) -> None:
    (tmp_path / "corpus" / "articles" / "gauges" / "when.md").unlink()
    index(atlas)
    found = told("report")
    assert found["unused"] == ["coil"]
    assert found["used"] == {"when": 3}


def test_without_an_index_there_is_nothing_to_report() -> None:
    assert "no index" in refusal(articles("report"))


def test_counts_that_cannot_be_read_are_said(indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / USAGE).write_text("This is no database at all, whatever its name says.")
    assert USAGE in refusal(articles("report"))


def test_counting_goes_on_while_the_report_is_read(
    asked: None, tmp_path: Path, indexed: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / USAGE, isolation_level=None)) as counter:
        counter.execute("BEGIN IMMEDIATE")
        counter.execute("UPDATE answers SET count = count + 1")
        assert told("report")["used"] == {"when": 3}


# All of it, as it is typed


def test_the_commands_work_as_they_are_typed(root: Path, atlas: Path) -> None:
    """In a process of its own; no model is loaded to check articles."""
    command = [sys.executable, "-m", "ingest", "articles", "check", "--source", str(atlas)]
    done = subprocess.run(
        command, cwd=root, env=dict(os.environ), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "findings: 0" in done.stdout


@pytest.mark.parametrize("command", ["check", "new", "report"])
def test_every_command_prints_help(command: str) -> None:
    result = articles(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout
