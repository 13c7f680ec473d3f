"""Judged questions through the helpdesk: one row each, then the means."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from eval.abstention import Abstention, Decision, abstention, refusal_scores
from eval.answers import (
    StoredTexts,
    citation_scores,
    evidence_cited,
    frame_right,
    item_scores,
    language_right,
    must_not_hits,
    quote_valid,
    vital_recall,
)
from eval.metrics import (
    Interval,
    bootstrap,
    carries,
    found_at,
    ndcg_at,
    percentile,
    recall_at,
    reciprocal_rank,
)
from eval.questions import Judged
from eval.support import Supports
from rag.answerer import Answerer
from rag.models import Answer, Passage, Question, Turn
from rag.query import query_of

SEARCHED = 10


@dataclass(frozen=True)
class Wanted:
    """A span of a source that holds evidence."""

    path: str
    quote: str


@dataclass(frozen=True)
class Came:
    """A passage that search returned."""

    rank: int
    score: float
    path: str
    title: str
    section: tuple[str, ...]
    holds: bool
    """Whether it holds any of the evidence."""


@dataclass(frozen=True)
class Said:
    """A statement of the answer with the markers under it."""

    text: str
    markers: tuple[int, ...]


@dataclass(frozen=True)
class Cited:
    """A citation of the answer."""

    marker: int
    kind: str
    path: str
    section: tuple[str, ...]
    url: str | None
    quote: str


@dataclass(frozen=True)
class Row:
    """What came of one question; a score is None where there is nothing to score."""

    id: str
    question: str
    english: str
    language: str
    intent: str
    type: str
    audience: str
    expect: str
    why: str | None
    turns: int
    """Earlier turns of the conversation."""
    wanted: tuple[tuple[Wanted, ...], ...]
    """Evidence groups: each is needed, inside one any member is enough."""
    came: tuple[Came, ...] = ()
    ranks: tuple[int | None, ...] = ()
    """For each group the rank of the first passage that holds a member."""
    recall_at_5: float | None = None
    recall_at_10: float | None = None
    rr: float | None = None
    ndcg_at_10: float | None = None
    top_score: float | None = None
    status: str = "failed"
    """`answered`, `abstained`, or `failed` where the question raised an error."""
    reason: str | None = None
    strength: str = ""
    text: str = ""
    statements: tuple[Said, ...] = ()
    citations: tuple[Cited, ...] = ()
    article: str | None = None
    cited: bool = False
    """Every statement carries a citation; an abstention cites nothing but an empty page."""
    quote_valid: float | None = None
    citation_recall: float | None = None
    citation_precision: float | None = None
    evidence_cited: float | None = None
    vital_recall: float | None = None
    item_recall: float | None = None
    item_precision: float | None = None
    must_not: tuple[str, ...] = ()
    """Claims that a right answer does not make; `must_not_hits` are those it made."""
    must_not_hits: tuple[str, ...] = ()
    language_right: bool = False
    """The answer says that it is in the language of the question."""
    frame_right: bool | None = None
    """What the answer says beside its statements is in that language."""
    search_ms: float | None = None
    answer_ms: float | None = None
    embed_ms: float | None = None
    """The bare embedding of the query, measured beside the search."""
    error: str | None = None


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one step."""

    p50: float
    p95: float
    count: int


About = dict[str, str | int | dict[str, str | float] | None]


@dataclass(frozen=True)
class Run:
    """A run with everything a report needs; also what ``run.json`` holds."""

    about: About
    """Index, questions and settings that the scores belong to."""
    scores: dict[str, Interval]
    groups: dict[str, dict[str, dict[str, Interval]]]
    """The same by language (``not en``: all but English), intent and type."""
    abstention: Abstention
    latency: dict[str, Latency]
    search_over_embedding: float | None
    """Search p50 over that of the bare query embedding, both from this run."""
    rows: tuple[Row, ...]


RUN: TypeAdapter[Run] = TypeAdapter(Run)


def ask(
    questions: Sequence[Judged],
    answerer: Answerer,
    embed: Callable[[str], object],
    supports: Supports,
    progress: Callable[[int], None] = lambda _: None,
    *,
    cited: Supports | None = None,
) -> list[Row]:
    """Search and answer every question, one after the other.

    Args:
        questions: What to ask.
        answerer: Who is asked.
        embed: The bare embedding of a query, timed beside each search.
        supports: Judge of nuggets and claims.
        progress: Called with the number of questions asked since the last call.
        cited: Judge of statements under their citations; None: the same.
    """
    texts = StoredTexts(answerer.generation)
    rows = []
    for number, judged in enumerate(questions):
        row = _unasked(judged)
        try:
            judges = supports, cited or supports
            rows.append(_asked(row, judged, answerer, embed, texts, judges, turn=number))
        except Exception as error:  # noqa: BLE001 - one question must not end the run
            rows.append(_failed(row, judged, error))
        progress(1)
    return rows


def _unasked(judged: Judged) -> Row:
    return Row(
        id=judged.id,
        question=judged.question,
        english=judged.english,
        language=judged.language,
        intent=judged.intent or "",
        type=judged.type or "",
        audience=judged.audience or "",
        expect=judged.expect,
        why=judged.why,
        turns=len(judged.history),
        wanted=tuple(
            tuple(Wanted(span.path, span.quote) for span in group) for group in judged.evidence
        ),
        must_not=judged.must_not,
    )


def _asked(
    row: Row,
    judged: Judged,
    answerer: Answerer,
    embed: Callable[[str], object],
    texts: StoredTexts,
    judges: tuple[Supports, Supports],
    *,
    turn: int,
) -> Row:
    supports, cited = judges
    question = Question(
        judged.question, history=tuple(Turn(each.role, each.text) for each in judged.history)
    )
    query = query_of(question.text, question.history)
    # In turns, so that neither always meets the caches that the other has warmed.
    if turn % 2:
        _, embed_ms = _timed(lambda: embed(query))
    passages, search_ms = _timed(lambda: answerer.search(question, SEARCHED))
    if not turn % 2:
        _, embed_ms = _timed(lambda: embed(query))
    answer, answer_ms = _timed(lambda: answerer.answer(question))
    precision, recall = citation_scores(answer, cited)
    items_found, items_right = item_scores(judged, answer)
    row = _searched(row, judged, passages)
    return replace(
        row,
        status=answer.status,
        reason=answer.reason,
        strength=answer.strength,
        text=answer.text,
        statements=tuple(Said(each.text, each.citations) for each in answer.statements),
        citations=tuple(
            Cited(each.marker, each.kind, each.path, each.section, each.url, each.quote)
            for each in answer.citations
        ),
        article=answer.article.id if answer.article else None,
        cited=_cited(answer),
        quote_valid=quote_valid(answer.citations, texts),
        citation_recall=recall,
        citation_precision=precision,
        evidence_cited=evidence_cited(judged, answer),
        vital_recall=vital_recall(judged, answer, supports),
        item_recall=items_found,
        item_precision=items_right,
        must_not_hits=must_not_hits(judged, answer, supports),
        language_right=language_right(judged, answer),
        frame_right=frame_right(judged, answer),
        search_ms=search_ms,
        answer_ms=answer_ms,
        embed_ms=embed_ms,
    )


Given = TypeVar("Given")


def _timed(step: Callable[[], Given]) -> tuple[Given, float]:
    """What a step returns, and how many milliseconds it took."""
    started = time.perf_counter()
    given = step()
    return given, (time.perf_counter() - started) * 1000


def _searched(row: Row, judged: Judged, passages: Sequence[Passage]) -> Row:
    row = replace(
        row,
        came=tuple(
            Came(
                passage.rank,
                passage.score,
                passage.chunk.path,
                passage.chunk.title,
                passage.chunk.section,
                any(carries(passage, span) for group in judged.evidence for span in group),
            )
            for passage in passages
        ),
        top_score=passages[0].score if passages else None,
    )
    return _ranked(row, found_at(judged, passages)) if _is_judged(row) else row


def _is_judged(row: Row) -> bool:
    return row.expect == "answer" and bool(row.wanted)


def _ranked(row: Row, ranks: Sequence[int | None]) -> Row:
    return replace(
        row,
        ranks=tuple(ranks),
        recall_at_5=recall_at(ranks, 5),
        recall_at_10=recall_at(ranks, 10),
        rr=reciprocal_rank(ranks),
        ndcg_at_10=ndcg_at(ranks, 10),
    )


def _failed(row: Row, judged: Judged, error: Exception) -> Row:
    """A question that raised has found and said nothing, and counts so."""
    if _is_judged(row):
        row = replace(_ranked(row, [None] * len(row.wanted)), evidence_cited=0.0)
    if row.expect == "answer" and any(nugget.vital for nugget in judged.nuggets):
        row = replace(row, vital_recall=0.0)
    if row.expect == "answer" and judged.items:
        row = replace(row, item_recall=0.0)
    return replace(row, error=f"{type(error).__name__}: {' '.join(str(error).split())}"[:500])


def _cited(answer: Answer) -> bool:
    if answer.status == "abstained":
        return not answer.citations or answer.reason == "not_written_yet"
    known = {citation.marker for citation in answer.citations}
    return all(
        statement.citations and set(statement.citations) <= known for statement in answer.statements
    )


_MEANS = (
    "recall_at_5",
    "recall_at_10",
    "rr",
    "ndcg_at_10",
    "evidence_cited",
    "vital_recall",
    "item_recall",
    "item_precision",
    "citation_recall",
    "citation_precision",
    "quote_valid",
    "cited",
    "language_right",
    "frame_right",
)
PAIRED = (
    *_MEANS[:2],
    "recall_at_5_english",
    "recall_at_5_other",
    *_MEANS[2:],
    "must_not_hits",
)
"""Scores that are means over questions, so that two runs can be paired in them."""
SCORES = (
    *PAIRED,
    "refusal_precision",
    "refusal_recall",
    "refusal_f1",
    "false_refusals",
)
"""Every score of a run, in the order in which they are shown."""


def of_row(row: Row, name: str) -> float | None:
    """One score of one question, None where there is nothing to score.

    Args:
        row: What came of the question.
        name: One of `SCORES` that is a mean over questions.
    """
    if name == "must_not_hits":
        return float(bool(row.must_not_hits)) if row.must_not else None
    if name.startswith("recall_at_5_"):
        english = row.language == "en"
        return row.recall_at_5 if english == name.endswith("_english") else None
    value = getattr(row, name)
    return None if value is None else float(value)


def summarise(rows: Sequence[Row]) -> dict[str, Interval]:
    """Every score over these rows, with its 95 % bootstrap interval."""
    refusals = refusal_scores([decision(row) for row in rows])
    return {
        name: refusals[name]
        if name in refusals
        else bootstrap(_known(of_row(row, name) for row in rows))
        for name in SCORES
    }


def decision(row: Row) -> Decision:
    """What was decided on a question; one that raised was neither answered nor declined."""
    to_refuse = row.expect == "abstain"
    found = None if row.recall_at_5 is None else 1 - row.recall_at_5
    return Decision(
        to_refuse=to_refuse,
        refused=row.status == "abstained",
        why=row.why,
        reason=row.reason,
        confidence=row.top_score,
        risk=1.0 if to_refuse else found,
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def run_of(rows: Sequence[Row], about: About) -> Run:
    """Everything there is to say of a run."""
    latency = {
        name: _latency(_known(getattr(row, f"{name}_ms") for row in rows))
        for name in ("embed", "search", "answer")
    }
    embedding = latency["embed"].p50
    return Run(
        about=about,
        scores=summarise(rows),
        groups={
            "language": _by(rows, _languages),
            "intent": _by(rows, lambda row: [row.intent]),
            "type": _by(rows, lambda row: [row.type]),
        },
        abstention=abstention([decision(row) for row in rows]),
        latency=latency,
        search_over_embedding=latency["search"].p50 / embedding if embedding else None,
        rows=tuple(rows),
    )


def _languages(row: Row) -> list[str]:
    return ["en"] if row.language == "en" else ["not en", row.language]


def _by(
    rows: Sequence[Row], groups_of: Callable[[Row], list[str]]
) -> dict[str, dict[str, Interval]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        for group in groups_of(row):
            found.setdefault(group or "not given", []).append(row)
    return {group: summarise(members) for group, members in sorted(found.items())}


def _latency(values: Sequence[float]) -> Latency:
    return Latency(
        round(percentile(values, 0.5), 2), round(percentile(values, 0.95), 2), len(values)
    )


def build_index(corpus: Path, data_dir: Path, *, articles: bool) -> None:
    """Index a corpus into a data directory of its own, by ingest's own command.

    Raises:
        RuntimeError: Nothing could be indexed.
    """
    command = [sys.executable, "-m", "ingest", "run", "--source", str(corpus)]
    if not articles:
        command.append("--no-articles")
    environment = {**os.environ, "HELPDESK_DATA_DIR": str(data_dir), "HELPDESK_INDEX_DIR": ""}
    done = subprocess.run(  # noqa: S603
        command, env=environment, stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode and not (data_dir / "current").is_file():
        raise RuntimeError(f"{corpus} could not be indexed")
