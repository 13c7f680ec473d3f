"""Judged questions through the helpdesk: one row each, then the means."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.metrics import Interval, bootstrap, found_at, recall_at, reciprocal_rank
from eval.questions import Judged
from rag.answerer import Answerer
from rag.models import Answer, Passage, Question, Turn

SEARCHED = 10


@dataclass(frozen=True)
class Row:
    """What came of one question."""

    id: str
    language: str
    type: str
    expect: str
    recall_at_5: float | None
    """None where nothing is to be found."""
    recall_at_10: float | None
    rr: float | None
    ranks: tuple[int | None, ...]
    status: str
    reason: str | None
    strength: str
    cited: bool
    """Every statement carries a citation; an abstention cites nothing but an empty page."""
    search_ms: float
    answer_ms: float


@dataclass(frozen=True)
class Scores:
    """The means over all questions, with 95 % bootstrap intervals."""

    questions: int
    recall_at_5: Interval
    recall_at_5_english: Interval
    recall_at_5_other: Interval
    recall_at_10: Interval
    rr: Interval
    refusal_precision: Interval
    refusal_recall: Interval
    false_refusals: Interval
    cited: Interval
    search_ms_p50: float
    answer_ms_p50: float


def score(
    questions: Sequence[Judged],
    answerer: Answerer,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[list[Row], Scores]:
    """Search and answer every question."""
    rows = []
    for judged in questions:
        rows.append(_row(judged, answerer))
        progress(1)
    return rows, summarise(rows)


def _row(judged: Judged, answerer: Answerer) -> Row:
    question = Question(
        judged.question, history=tuple(Turn(turn.role, turn.text) for turn in judged.history)
    )
    started = time.perf_counter()
    passages: list[Passage] = answerer.search(question, SEARCHED)
    searched = time.perf_counter()
    answer = answerer.answer(question)
    ended = time.perf_counter()
    judged_search = judged.expect == "answer" and bool(judged.evidence)
    ranks = found_at(judged, passages) if judged_search else []
    return Row(
        id=judged.id,
        language=judged.language,
        type=judged.type,
        expect=judged.expect,
        recall_at_5=recall_at(ranks, 5) if judged_search else None,
        recall_at_10=recall_at(ranks, 10) if judged_search else None,
        rr=reciprocal_rank(ranks) if judged_search else None,
        ranks=tuple(ranks),
        status=answer.status,
        reason=answer.reason,
        strength=answer.strength,
        cited=_cited(answer),
        search_ms=(searched - started) * 1000,
        answer_ms=(ended - searched) * 1000,
    )


def _cited(answer: Answer) -> bool:
    if answer.status == "abstained":
        return not answer.citations or answer.reason == "not_written_yet"
    known = {citation.marker for citation in answer.citations}
    return all(
        statement.citations and set(statement.citations) <= known for statement in answer.statements
    )


def summarise(rows: Sequence[Row]) -> Scores:
    """Means over rows."""
    english = [row for row in rows if row.language == "en"]
    other = [row for row in rows if row.language != "en"]
    refused = [row for row in rows if row.status == "abstained"]
    to_refuse = [row for row in rows if row.expect == "abstain"]
    to_answer = [row for row in rows if row.expect == "answer"]
    return Scores(
        questions=len(rows),
        recall_at_5=bootstrap(_known(row.recall_at_5 for row in rows)),
        recall_at_5_english=bootstrap(_known(row.recall_at_5 for row in english)),
        recall_at_5_other=bootstrap(_known(row.recall_at_5 for row in other)),
        recall_at_10=bootstrap(_known(row.recall_at_10 for row in rows)),
        rr=bootstrap(_known(row.rr for row in rows)),
        refusal_precision=bootstrap([float(row.expect == "abstain") for row in refused]),
        refusal_recall=bootstrap([float(row.status == "abstained") for row in to_refuse]),
        false_refusals=bootstrap([float(row.status == "abstained") for row in to_answer]),
        cited=bootstrap([float(row.cited) for row in rows]),
        search_ms_p50=_median([row.search_ms for row in rows]),
        answer_ms_p50=_median([row.answer_ms for row in rows]),
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return round(ordered[len(ordered) // 2], 2) if ordered else 0.0


def build_index(corpus: Path, data_dir: Path, *, articles: bool) -> None:
    """Index a corpus into a data directory of its own, by ingest's own command.

    Raises:
        RuntimeError: Nothing could be indexed.
    """
    command = [sys.executable, "-m", "ingest", "run", "--source", str(corpus)]
    if not articles:
        command.append("--no-articles")
    environment = {**os.environ, "HELPDESK_DATA_DIR": str(data_dir)}
    done = subprocess.run(  # noqa: S603
        command, env=environment, stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode and not (data_dir / "current").is_file():
        raise RuntimeError(f"{corpus} could not be indexed")


def as_json(rows: Sequence[Row], scores: Scores) -> dict[str, object]:
    """Rows and means, ready for JSON."""
    return {"scores": asdict(scores), "rows": [asdict(row) for row in rows]}
