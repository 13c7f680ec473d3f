"""A peer's run file to scores, by the same judge as our own search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval.metrics import (
    Interval,
    bootstrap,
    found_at,
    ndcg_at,
    percentile,
    plain_quote,
    recall_at,
    reciprocal_rank,
)
from eval.peers.exchange import PASSAGES
from eval.questions import Judged, read_lines
from rag.models import Chunk, Part, Passage


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Given(_Line):
    """One passage of a run file."""

    rank: Annotated[int, Field(ge=1, le=PASSAGES)]
    path: str
    text: str


class Result(_Line):
    """One line of a run file: what came for one question."""

    id: str
    passages: Annotated[tuple[Given, ...], Field(max_length=PASSAGES)]
    search_ms: Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class PeerScores:
    """What a peer's search is worth, with 95 % bootstrap intervals."""

    recall_at_5: Interval
    recall_at_5_english: Interval
    recall_at_5_other: Interval
    recall_at_10: Interval
    rr: Interval
    ndcg_at_10: Interval
    search_ms_p50: float


def to_be_found(questions: Sequence[Judged]) -> list[Judged]:
    """The questions that search is judged by: those with evidence to find."""
    return [each for each in questions if each.expect == "answer" and each.evidence]


def read_run(file: Path, questions: Sequence[Judged]) -> dict[str, Result]:
    """Read a run file that answers exactly these questions.

    Raises:
        ValueError: It does not; the message is one line and names what is wrong.
    """
    asked = {each.id for each in questions}
    results: dict[str, Result] = {}
    for place, result in read_lines(file, Result):
        if result.id not in asked:
            raise ValueError(f"{place}: nobody asked a question {result.id!r}")
        if result.id in results:
            raise ValueError(f"{place}: question {result.id!r} is answered twice")
        ranks = [each.rank for each in result.passages]
        if ranks != list(range(1, len(ranks) + 1)):
            raise ValueError(f"{place}: ranks are {ranks}, they must count up from 1")
        results[result.id] = result
    missing = sorted(asked - results.keys())
    if missing:
        raise ValueError(f"{file}: {len(missing)} questions unanswered, the first is {missing[0]}")
    return results


def ranks_of(question: Judged, given: Sequence[Given]) -> list[int | None]:
    """For each evidence group the rank of the first passage that holds it.

    Peers that index the raw source show its markup, which the evidence is
    compared without, so their passages are read as they are and without it,
    and the better reading counts.
    """
    as_given = found_at(question, [_passage(each, each.text) for each in given])
    reduced = found_at(question, [_passage(each, plain_quote(each.text)) for each in given])
    return [
        min((rank for rank in pair if rank is not None), default=None)
        for pair in zip(as_given, reduced, strict=True)
    ]


def _passage(given: Given, text: str) -> Passage:
    chunk = Chunk(
        chunk_id=f"{given.path}#{given.rank}",
        document_id=given.path,
        source="",
        path=given.path,
        title="",
        url=None,
        parts=(Part(text),),
    )
    return Passage(chunk, given.rank, 0.0)


def score(questions: Sequence[Judged], results: dict[str, Result]) -> PeerScores:
    """Score a run over the questions that it answers."""
    ranks = {each.id: ranks_of(each, results[each.id].passages) for each in questions}
    at_5 = {name: recall_at(found, 5) for name, found in ranks.items()}
    english = {each.id for each in questions if each.language == "en"}
    return PeerScores(
        recall_at_5=bootstrap(list(at_5.values())),
        recall_at_5_english=bootstrap([at_5[each.id] for each in questions if each.id in english]),
        recall_at_5_other=bootstrap(
            [at_5[each.id] for each in questions if each.id not in english]
        ),
        recall_at_10=bootstrap([recall_at(found, 10) for found in ranks.values()]),
        rr=bootstrap([reciprocal_rank(found) for found in ranks.values()]),
        ndcg_at_10=bootstrap([ndcg_at(found, 10) for found in ranks.values()]),
        search_ms_p50=percentile([each.search_ms for each in results.values()], 0.5),
    )


def table(scores: dict[str, PeerScores]) -> str:
    """A Markdown table, a peer a row; brackets hold the 95 % interval."""
    heads = ["", "R@5", "R@5 en", "R@5 other", "R@10", "RR", "nDCG@10", "search p50 ms"]
    rows = [
        [
            name,
            _cell(each.recall_at_5),
            _cell(each.recall_at_5_english),
            _cell(each.recall_at_5_other),
            _cell(each.recall_at_10),
            _cell(each.rr),
            _cell(each.ndcg_at_10),
            f"{each.search_ms_p50:.0f}",
        ]
        for name, each in scores.items()
    ]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cell(value: Interval) -> str:
    if not value.count:
        return "none"
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"
