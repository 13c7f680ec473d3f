"""How fresh what the index holds is: what went from under articles, what is old or still empty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rag.disagreements import Disagreement, disagreements
from rag.index import Generation
from rag.models import Article, ArticleStatement, Evidence, Gap, IndexedDocument


@dataclass(frozen=True)
class Unheld:
    """A statement of an article whose sentence is no longer on its page."""

    article: Article
    statement: ArticleStatement
    gone: tuple[Evidence, ...]

    @property
    def held_elsewhere(self) -> bool:
        """Whether another sentence still carries it."""
        return len(self.gone) < len(self.statement.evidence)


@dataclass(frozen=True)
class SourceAge:
    """What a source holds, and from when that is."""

    source: str
    documents: int
    """With content."""
    empty: tuple[Gap, ...]
    """Pages that hold nothing yet."""
    dated: tuple[IndexedDocument, ...]
    """Those with a date of their own, the oldest first."""
    as_of: str | None
    """The date of the source as a whole, where its documents have no other."""
    replaced: tuple[IndexedDocument, ...]
    """Those that a newer document replaces."""

    def older_than(self, years: int, today: date) -> tuple[IndexedDocument, ...]:
        """The documents whose own date is more than so many years ago, the oldest first."""
        bound = f"{today.year - years}-{today:%m-%d}"
        # A month or a year counts as old once all of it is.
        return tuple(each for each in self.dated if _told(each) < bound[: len(_told(each))])


@dataclass(frozen=True)
class Freshness:
    """What is to be looked after."""

    unheld: tuple[Unheld, ...]
    disagreements: tuple[Disagreement, ...]
    sources: tuple[SourceAge, ...]
    """The largest first; our own articles are none."""


def freshness_of(generation: Generation) -> Freshness:
    """Look an index through."""
    return Freshness(
        unheld=tuple(_unheld(generation.articles)),
        disagreements=disagreements(generation),
        sources=tuple(_sources(generation)),
    )


def _unheld(articles: Sequence[Article]) -> list[Unheld]:
    return [
        Unheld(article, statement, gone)
        for article in articles
        for statement in article.statements
        if (gone := tuple(each for each in statement.evidence if each.stale))
    ]


def _sources(generation: Generation) -> list[SourceAge]:
    cards: dict[str, list[IndexedDocument]] = defaultdict(list)
    for card in generation.documents():
        if card.kind != "article":
            cards[card.source].append(card)
    empty: dict[str, list[Gap]] = defaultdict(list)
    for gap in generation.gaps:
        if gap.kind == "page":
            empty[gap.source].append(gap)
    found = [_age(name, cards[name], empty[name]) for name in cards.keys() | empty.keys()]
    return sorted(found, key=lambda each: (-each.documents, each.source))


def _age(source: str, cards: Sequence[IndexedDocument], empty: Sequence[Gap]) -> SourceAge:
    own = [card for card in cards if card.published and card.dated_by != "snapshot"]
    whole = [card.published for card in cards if card.published and card.dated_by == "snapshot"]
    return SourceAge(
        source=source,
        documents=sum(not card.placeholder for card in cards),
        empty=tuple(empty),
        dated=tuple(sorted(own, key=_told)),
        as_of=max(whole, default=None),
        replaced=tuple(card for card in cards if card.superseded_by),
    )


def _told(card: IndexedDocument) -> str:
    """The day of a document, or its month or year."""
    return (card.published or "")[:10]
