"""The list of articles: what staff are writing, and what is in the index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from api.desk.drafts import DraftState, ListedDraft
from rag.models import Article, Evidence
from rag.text import fold

PAGE = 50
"""Articles of a page."""
_STATES: Mapping[DraftState, str] = {
    "refused": "Refused when they were to be published",
    "draft": "Being written",
    "publishing": "Being published",
    "withdrawing": "Being withdrawn",
    "published": "Published",
    "withdrawn": "Withdrawn or given up",
}
"""What calls for somebody first."""


class Looked(BaseModel):
    """Which articles somebody looks for, as the address has it."""

    model_config = ConfigDict(frozen=True)

    q: Annotated[str, Field(max_length=200)] = ""
    intent: Annotated[str, Field(max_length=40)] = ""
    only: Annotated[str, Field(max_length=20)] = ""
    """``stale``, ``unsigned``, ``own``; anything else: all."""
    page: Annotated[int, Field(ge=1, le=10_000)] = 1

    def query(self, page: int) -> str:
        """The query of the address for another page of the same."""
        fields = {**self.model_dump(exclude_defaults=True), "page": page}
        return f"?{urlencode(fields)}"


@dataclass(frozen=True)
class Lost:
    """A statement of an article whose sentence is no longer on its page."""

    statement: str
    evidence: Evidence


@dataclass(frozen=True)
class ArticleRow:
    """An article of the index, as the list shows it."""

    article: Article
    draft_id: str | None
    """Of the draft that it was made from, where staff wrote it here."""

    @property
    def languages(self) -> Sequence[str]:
        """Those that it is told in."""
        return ["en", *sorted(each.language for each in self.article.translations)]

    @property
    def lost(self) -> Sequence[Lost]:
        """What makes it stale."""
        return [
            Lost(said.text, each)
            for said in self.article.statements
            for each in said.evidence
            if each.stale
        ]


@dataclass(frozen=True)
class ArticleList:
    """A page of the list."""

    looked: Looked
    drafts: Sequence[tuple[str, Sequence[ListedDraft]]]
    """By state, each with its heading."""
    rows: Sequence[ArticleRow]
    found: int
    """Articles that fit, on all pages."""
    pages: int
    every: int
    stale: int
    unsigned: int
    own: int
    intents: Sequence[tuple[str, int]]
    """With how many articles each has."""

    @classmethod
    def of(
        cls, looked: Looked, drafts: Sequence[ListedDraft], articles: Sequence[Article]
    ) -> ArticleList:
        """Put a page together; stale articles go first, then by title."""
        made = {each.article_id: each.draft_id for each in drafts if each.generation}
        fitting = [each for each in articles if _fits(each, looked, made.get(each.article_id))]
        fitting.sort(key=lambda each: (not each.stale, each.title.casefold()))
        first = (looked.page - 1) * PAGE
        by_state = (
            (heading, [each for each in drafts if each.state == state])
            for state, heading in _STATES.items()
        )
        return cls(
            looked=looked,
            drafts=[(heading, found) for heading, found in by_state if found],
            rows=[
                ArticleRow(each, made.get(each.article_id))
                for each in fitting[first : first + PAGE]
            ],
            found=len(fitting),
            pages=max(1, -(-len(fitting) // PAGE)),
            every=len(articles),
            stale=sum(each.stale for each in articles),
            unsigned=sum(not each.reviewed_by for each in articles),
            own=sum(each.article_id in made for each in articles),
            intents=sorted(Counter(each.intent for each in articles).items()),
        )


def _fits(article: Article, looked: Looked, draft_id: str | None) -> bool:
    if looked.intent and article.intent != looked.intent:
        return False
    kept = {"stale": article.stale, "unsigned": not article.reviewed_by, "own": bool(draft_id)}
    if not kept.get(looked.only, True):
        return False
    words = fold(looked.q).casefold().split()
    if not words:
        return True
    asks = (each.text for each in article.asks)
    told = (each.text for each in article.statements)
    text = " ".join((article.article_id, article.title, *asks, *told)).casefold()
    return all(word in text for word in words)
