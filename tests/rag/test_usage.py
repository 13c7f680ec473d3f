"""Counts of what answered: right, in nobody's way, and without a word of a question."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import usage as counting
from rag.answerer import Answerer
from rag.models import Answer, ArticleNote, Citation, Question
from rag.usage import USAGE, Counted, Usage

MONDAY, TUESDAY = date(2031, 5, 5), date(2031, 5, 6)
ANSWER = Answer("1", "answered", "en", "Twice a day [1].")
CITED = Citation(
    1, "source", "atlas:ebb.md", "atlas", "ebb.md", "Ebb", (), None, None, "Twice a day."
)  # fmt: skip
NOTE = ArticleNote("when", "2031-05-04", "")

FROM_ARTICLE = replace(ANSWER, article=NOTE, citations=(CITED,))
FROM_PASSAGES = replace(ANSWER, citations=(CITED, replace(CITED, document_id="atlas:flow.md")))
UNSURE = replace(FROM_PASSAGES, strength="weak")
REFUSED = replace(ANSWER, status="abstained", reason="unsafe")
EMPTY_PAGE = replace(ANSWER, status="abstained", reason="not_written_yet", citations=(CITED,))


@pytest.fixture
def usage(tmp_path: Path) -> Usage:
    return Usage(tmp_path / USAGE)


def counted(usage: Usage) -> list[Counted]:
    return usage.read()[1]


# What is counted


def test_before_the_first_answer_there_is_nothing_and_no_file(usage: Usage, tmp_path: Path) -> None:
    assert usage.read() == (None, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "outcome", "subject"),
    [
        (FROM_ARTICLE, "article", "when"),
        (replace(FROM_ARTICLE, strength="weak"), "article_weak", "when"),
        (FROM_PASSAGES, "strong", "atlas:ebb.md"),
        (UNSURE, "weak", "atlas:ebb.md"),
        (REFUSED, "unsafe", ""),
        (EMPTY_PAGE, "not_written_yet", "atlas:ebb.md"),
        (replace(ANSWER, status="abstained"), "no_evidence", ""),
        # A known gap is an article's own no.
        (replace(REFUSED, reason="no_evidence", article=NOTE), "no_evidence", "when"),
    ],
)
def test_an_answer_counts_under_its_kind_and_what_it_came_from(
    usage: Usage, answer: Answer, outcome: str, subject: str
) -> None:
    usage.count(answer)
    assert counted(usage) == [Counted(outcome, subject, 1)]


def test_days_are_added_up_and_the_first_is_told(usage: Usage) -> None:
    for day in (TUESDAY, MONDAY, TUESDAY):
        usage.count(UNSURE, day)
    assert usage.read() == ("2031-05-05", [Counted("weak", "atlas:ebb.md", 3)])


def test_every_day_is_kept_by_itself(usage: Usage, tmp_path: Path) -> None:
    for day in (TUESDAY, MONDAY, TUESDAY):
        usage.count(UNSURE, day)
    with closing(sqlite3.connect(tmp_path / USAGE)) as database:
        rows = database.execute("SELECT day, count FROM answers ORDER BY day").fetchall()
    assert rows == [("2031-05-05", 1), ("2031-05-06", 2)]


def test_without_a_day_it_is_today_in_utc(usage: Usage) -> None:
    before = datetime.now(UTC).date().isoformat()
    usage.count(FROM_ARTICLE)
    since, _ = usage.read()
    assert since is not None
    assert before <= since <= datetime.now(UTC).date().isoformat()


def test_what_happened_most_comes_first(usage: Usage) -> None:
    for answer, times in ((REFUSED, 1), (FROM_ARTICLE, 3), (UNSURE, 2), (EMPTY_PAGE, 2)):
        for _ in range(times):
            usage.count(answer)
    assert [(each.outcome, each.count) for each in counted(usage)] == [
        ("article", 3),
        ("not_written_yet", 2),
        ("weak", 2),
        ("unsafe", 1),
    ]


def test_another_process_goes_on_where_the_last_one_stopped(usage: Usage, tmp_path: Path) -> None:
    usage.count(FROM_ARTICLE)
    Usage(tmp_path / USAGE).count(FROM_ARTICLE)
    assert counted(usage) == [Counted("article", "when", 2)]


@pytest.mark.parametrize("name", ["a b", "a#b", "a?mode=rw", "a%20b", "ä"])
def test_the_file_may_lie_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    usage = Usage(tmp_path / name / USAGE)
    usage.count(FROM_ARTICLE)
    assert counted(usage) == [Counted("article", "when", 1)]
    assert [each.name for each in tmp_path.iterdir()] == [name]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_subject_of_any_letters_is_counted_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, subject: str
) -> None:
    usage = Usage(tmp_path_factory.mktemp("usage") / USAGE)
    usage.count(replace(ANSWER, article=replace(NOTE, id=subject)))
    assert counted(usage) == [Counted("article", subject, 1)]


# A visitor's answer does not wait for a disk that fails


def broken(file: Path) -> None:
    file.write_bytes(b"This is no database at all, whatever its name says." * 40)


def of_another_make(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE answers (question TEXT)")


@pytest.mark.parametrize("spoil", [broken, of_another_make, Path.mkdir])
def test_a_file_that_cannot_hold_counts_stops_no_answer(
    usage: Usage,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / USAGE
    spoil(file)
    before = file.read_bytes() if file.is_file() else None
    with caplog.at_level(logging.WARNING):
        usage.count(UNSURE)
    assert "usage is not counted" in caplog.text
    # Whatever it is, it is left as it was.
    assert (file.read_bytes() if file.is_file() else None) == before


@pytest.mark.parametrize("place", ["nowhere/usage.sqlite", "file/usage.sqlite"])
def test_a_folder_that_is_not_there_stops_no_answer(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    Usage(tmp_path / place).count(UNSURE)
    assert "usage is not counted" in caplog.text
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_file_that_may_only_be_read_stops_no_answer(
    usage: Usage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    usage.count(FROM_ARTICLE)
    connect = sqlite3.connect
    # Whoever runs the tests as root may write everywhere.
    monkeypatch.setattr(
        "rag.usage.sqlite3.connect",
        lambda file, **more: connect(f"file:{tmp_path / USAGE}?mode=ro", **more | {"uri": True}),
    )
    Usage(tmp_path / USAGE).count(FROM_ARTICLE)
    monkeypatch.undo()
    assert "usage is not counted" in caplog.text
    assert counted(usage) == [Counted("article", "when", 1)]


def test_a_file_that_was_replaced_meanwhile_is_counted_into(usage: Usage, tmp_path: Path) -> None:
    usage.count(FROM_ARTICLE)
    for each in tmp_path.glob(f"{USAGE}*"):
        each.unlink()
    usage.count(FROM_ARTICLE)
    usage.count(FROM_ARTICLE)
    assert counted(usage) == [Counted("article", "when", 2)]


def test_a_file_that_somebody_holds_is_waited_for_and_then_left(
    usage: Usage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert counting._WAIT_S <= 2
    monkeypatch.setattr(counting, "_WAIT_S", 0.05)
    usage.count(FROM_ARTICLE)
    with closing(sqlite3.connect(tmp_path / USAGE, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        usage.count(FROM_ARTICLE)
        assert time.monotonic() - started < 1
        assert "locked" in caplog.text
        holder.execute("COMMIT")
    usage.count(FROM_ARTICLE)
    assert counted(usage) == [Counted("article", "when", 2)]


def test_a_database_that_holds_nothing_yet_reads_as_nothing(usage: Usage, tmp_path: Path) -> None:
    """What is left where the disk was full at the first count."""
    (tmp_path / USAGE).touch()
    assert usage.read() == (None, [])


# Nothing is lost


def test_threads_that_count_at_once_lose_nothing(usage: Usage) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(usage.count, [FROM_ARTICLE, UNSURE] * 50))
    assert counted(usage) == [
        Counted("article", "when", 50),
        Counted("weak", "atlas:ebb.md", 50),
    ]


COUNTS = """
import sys
from pathlib import Path
from rag.models import Answer, ArticleNote
from rag.usage import Usage

answer = Answer("1", "answered", "en", "Yes.", article=ArticleNote("when", "2031-05-04", ""))
usage = Usage(Path(sys.argv[1]))
sys.stdin.read()
for _ in range(60):
    usage.count(answer)
"""


def test_processes_that_count_at_once_lose_nothing(
    usage: Usage, tmp_path: Path, root: Path
) -> None:
    command = [sys.executable, "-c", COUNTS, str(tmp_path / USAGE)]
    counters = [
        subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    # They begin together, and with a file that is not there yet.
    said = [each.communicate(timeout=60)[1] for each in counters]
    assert said == [b"", b""]
    assert counted(usage) == [Counted("article", "when", 120)]


# No words


def test_nothing_that_was_typed_is_kept(
    answerer: Answerer, usage: Usage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = (
        "How can I share my data, says Wilhelmina Quist?",
        "Which archive keeps the sequencing reads of Wilhelmina Quist?",
        "Do I have cancer, asks Wilhelmina Quist",
        "What is written about Portugal, Wilhelmina Quist?",
        "wilhelminaquist zxqwv",
    )
    for text in asked:
        usage.count(answerer.answer(Question(text)))
    assert sum(each.count for each in counted(usage)) == len(asked)
    kept = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()).lower()
    for word in (b"wilhelmina", b"quist", b"cancer", b"zxqwv"):
        assert word not in kept
    ids = {each.article_id for each in answerer.generation.articles}
    ids |= {each.document_id for each in answerer.generation.documents()}
    assert {each.subject for each in counted(usage)} <= ids | {""}
    assert "quist" not in caplog.text.lower()
