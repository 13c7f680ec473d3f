"""How often which article answers, and where answers are missing: counts by day, no words.

What a person typed is never kept. What is counted is the kind of answer and
the article, or else the document that came nearest; enough to tell which
articles nobody needs and where the next one is wanted.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from rag.models import Answer

USAGE = "usage.sqlite"
"""Its name in the data directory."""

_LOG = logging.getLogger(__name__)
_WAIT_S = 1.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    day TEXT NOT NULL, outcome TEXT NOT NULL, subject TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (day, outcome, subject)) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Counted:
    """How often something happened since counting began."""

    outcome: str
    """``article``, or ``article_weak`` where it was not sure to fit; ``strong`` or ``weak``
    from passages; else the reason of an abstention."""
    subject: str
    """Id of the article, else of the first document cited; empty where none was."""
    count: int


class Usage:
    """Counts in one small SQLite file."""

    def __init__(self, file: Path):
        """Name the file; it is made with the first count."""
        self._file = file
        # Left open: where the last connection closes, SQLite empties its log and waits for the
        # disk (10 ms a count, and all other answers in line behind it).
        self._open: tuple[int, sqlite3.Connection] | None = None
        self._lock = threading.Lock()

    def count(self, answer: Answer, day: date | None = None) -> None:
        """Count an answer; a visitor's answer does not wait for a disk that fails.

        Args:
            answer: What was said.
            day: When, in UTC; today by default.
        """
        outcome, subject = _told(answer)
        on = (day or datetime.now(UTC).date()).isoformat()
        try:
            with self._lock:
                self._add(on, outcome, subject)
        except (sqlite3.Error, OSError) as error:
            _LOG.warning("usage is not counted: %s", error)

    def _add(self, *row: str) -> None:
        try:
            with self._opened() as database:
                database.execute(
                    "INSERT INTO answers VALUES (?, ?, ?, 1)"
                    " ON CONFLICT DO UPDATE SET count = count + 1",
                    row,
                )
        except BaseException:
            self._close()
            raise

    def _opened(self) -> sqlite3.Connection:
        """The file, open; anew where another was put in its place."""
        there = self._file.stat().st_ino if self._file.exists() else None
        if self._open and self._open[0] == there:
            return self._open[1]
        self._close()
        database = sqlite3.connect(self._file, timeout=_WAIT_S, check_same_thread=False)
        # No count waits for the disk, and none is half written when the power fails.
        if there is None:
            # Of several that make it at once the first one sets it.
            with suppress(sqlite3.OperationalError):
                database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(_SCHEMA)
        self._open = self._file.stat().st_ino, database
        return database

    def _close(self) -> None:
        if self._open:
            self._open[1].close()
            self._open = None

    def read(self) -> tuple[str | None, list[Counted]]:
        """The first day that was counted, None for none, and all counts, the largest first.

        Raises:
            sqlite3.Error: The file is damaged.
        """
        if not self._file.is_file() or not self._file.stat().st_size:
            return None, []
        with closing(sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True)) as own:
            (since,) = own.execute("SELECT min(day) FROM answers").fetchone()
            rows = own.execute(
                "SELECT outcome, subject, sum(count) FROM answers GROUP BY outcome, subject"
                " ORDER BY 3 DESC, 1, 2"
            ).fetchall()
        return since, [Counted(*row) for row in rows]


def _told(answer: Answer) -> tuple[str, str]:
    cited = answer.citations[0].document_id if answer.citations else ""
    subject = answer.article.id if answer.article else cited
    if answer.status == "abstained":
        return answer.reason or "no_evidence", subject
    if answer.article is not None:
        return ("article" if answer.strength == "strong" else "article_weak"), subject
    return answer.strength, subject
