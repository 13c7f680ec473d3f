"""Where a question should be answered: asked once more, and looked at what comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.answerer import Answerer
from rag.countries import countries_in
from rag.index import Generation
from rag.language import detect_language
from rag.models import Answer, Article, Brought, Citation, Gap, GapKind, Passage, Question
from rag.vetted import vetted_gap

PlaceKind = GapKind | Literal["left_out", "there"]
"""What is empty (see `Gap`); `left_out`: an article says that this is not told;
`there`: the nearest section, which does not answer."""
_NEAR, _NEAR_FOREIGN = 0.75, 0.62
"""How near a section must be to be where a question belongs, in English and in other languages: for
0.95 of judged questions that the Framework answers one is (eval/data/real, 50 English and 70
others), for 0.8 of those about other things, too. It is a proposal, to be looked at."""
_LOOKED_AT = 5
"""Passages of a question that have a say."""


@dataclass(frozen=True)
class Place:
    """Where an answer should stand."""

    kind: PlaceKind
    source: str
    title: str
    """Of the page."""
    section: tuple[str, ...]
    url: str | None


@dataclass(frozen=True)
class Heard:
    """What became of a question when it was asked once more."""

    strong: bool
    """Whether it was answered, and surely."""
    citations: tuple[Citation, ...]
    empty: Place | None
    """What is known not to be written."""
    near: tuple[Passage, ...]
    """Passages near enough to be where the answer belongs, best first."""


def hear(answerer: Answerer, text: str) -> Heard:
    """Ask a question once more, as if nobody had asked anything before.

    No language model is asked: nobody reads the answer.

    Args:
        answerer: Of the index that is to answer now.
        text: What was asked, personal data masked.
    """
    brought: tuple[Passage, ...] = ()
    for step in answerer.stream(Question(text), rewritten=False):
        if isinstance(step, Brought):
            brought = step.passages
        elif isinstance(step, Answer):
            answer = step
    bar = _NEAR if detect_language(text) == "en" else _NEAR_FOREIGN
    pages = (each for each in brought if each.chunk.kind not in ("article", "navigation"))
    return Heard(
        strong=answer.status == "answered" and answer.strength == "strong",
        citations=answer.citations,
        empty=_empty(answerer.generation, answer, text),
        near=tuple(each for each in pages if each.near >= bar)[:_LOOKED_AT],
    )


def place_of(heard: Sequence[Heard]) -> Place | None:
    """Where the answer to questions that ask for the same should stand.

    Args:
        heard: The questions asked once more, the most central one first.

    Returns:
        What is known to be empty, if any of them led there; else the section to which they
        are nearest together; None: no page is near.
    """
    for each in heard:
        if each.empty:
            return each.empty
    documents: defaultdict[str, float] = defaultdict(float)
    sections: defaultdict[str, float] = defaultdict(float)
    known = {}
    for each in heard:
        for rank, passage in enumerate(each.near, start=1):
            chunk = passage.chunk
            documents[chunk.document_id] += 1 / rank
            sections[chunk.chunk_id] += 1 / rank
            known[chunk.chunk_id] = chunk
    if not known:
        return None
    page = max(documents, key=documents.__getitem__)
    of_page = [name for name in sections if known[name].document_id == page]
    chunk = known[max(of_page, key=sections.__getitem__)]
    return Place("there", chunk.source, chunk.title, chunk.section, chunk.begins_at)


def _empty(generation: Generation, answer: Answer, text: str) -> Place | None:
    if answer.reason == "not_written_yet":
        gap = _gap(generation.gaps, answer, text)
        if gap:
            told = vetted_gap(gap, generation.hosts)
            return Place(gap.kind, gap.source, told.title, told.section, told.url)
    if answer.status == "abstained" and answer.article:
        named = answer.article.id
        article = next((each for each in generation.articles if each.article_id == named), None)
        return _left_out(article) if article and article.kind == "known_gap" else None
    return None


def _gap(gaps: Sequence[Gap], answer: Answer, text: str) -> Gap | None:
    """The empty place that an answer names by its address."""
    url = answer.next_step.url if answer.next_step else None
    there = [gap for gap in gaps if url and gap.url == url]
    # Pages that are missing, of several countries, have the address of the page that lists them.
    named = set(countries_in(text))
    return next((gap for gap in there if gap.country in named), next(iter(there), None))


def _left_out(article: Article) -> Place | None:
    """The page on which an article rests that says what is not told."""
    for statement in article.statements:
        for each in statement.evidence:
            if each.chunk_id and not each.stale:
                return Place("left_out", each.source, each.title, each.section, each.url)
    return None
