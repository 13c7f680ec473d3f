"""Complete lists: what the register or a page enumerates, instead of a few passages.

Candidates are what the documents of the best passages enumerate, and what the
register holds of a topic. The one that the question speaks of is taken whole;
where none is convincing there is no list, as a wrong one is worse than none.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rag.asking import Asked
from rag.bullets import lists_in
from rag.citations import Footnotes
from rag.enumerations import (
    Entry,
    Enumeration,
    Line,
    headings_in,
    items_in,
    limited,
    resource_entry,
    resources_in,
    tables_in,
)
from rag.index import Generation
from rag.list_fit import Wanted, chance, compared, countries_of, score, signs
from rag.members import members_in
from rag.models import (
    LABELS,
    Chunk,
    Filters,
    IndexedDocument,
    Item,
    Mention,
    Passage,
    Resource,
    Statement,
)
from rag.query import Query
from rag.sentences import Sentence

_READ = 8
"""Passages whose documents are looked through for lists."""
_TOLD = 5
"""Passages whose sentences may be the list."""
_DOCUMENTS_KEPT, _CHUNKS_KEPT = 200, 1000
"""Documents, and chunks, whose lists stay read."""
_CONVINCING = 0.5
"""Chance from which on a list is shown. In folds (``python -m eval.listing``) 111 of 189
questions for a list then get the right one and 25 another; so do 6 of 244 that ask for
something else. From 0.4 on it would be 118, 30 and 8."""
_TOLD_BY_ADDRESS = frozenset(("video", "code", "deliverable"))
"""Kinds that an address tells for sure; standards, tools and papers live anywhere."""


@dataclass(frozen=True)
class Listing:
    """A complete list that answers a question."""

    title: str
    """Of the page that holds it; the topic where it spans pages; empty for the whole register."""
    section: tuple[str, ...]
    intro: str
    """The line of the source that announces it; may be empty."""
    entries: tuple[Entry, ...]
    """Required before recommended before informational, else in the order of the page."""

    @property
    def heading(self) -> str:
        """``title > section``; empty where the list is of the whole register."""
        return " > ".join(dict.fromkeys(filter(None, (self.title, *self.section))))


@dataclass(frozen=True)
class Candidate:
    """A list with how well it fits a question."""

    found: Enumeration
    entries: tuple[Entry, ...]
    """Those of its entries that fit."""
    signs: Mapping[str, float]
    score: float = 0.0


class Lists:
    """Finds the list that a question asks for in one generation."""

    def __init__(self, generation: Generation):
        """Look in a generation; nothing is read yet."""
        self._generation = generation
        self._of_documents: dict[str, tuple[Enumeration, ...]] = {}
        self._of_sentences: dict[str, tuple[Enumeration, ...]] = {}

    def find(
        self, query: Query, asked: Asked, passages: Sequence[Passage], filters: Filters
    ) -> Listing | None:
        """Return the list that answers a question, None where none is convincing.

        Args:
            query: What was searched with.
            asked: What the question asks for.
            passages: What the search brought, best first.
            filters: What the answer is limited to.
        """
        wanted = self._wanted(query, asked, passages, filters)
        possible = self._possible(wanted) if wanted else []
        # Most could not pass even if no other were nearer in meaning, which takes longest to tell.
        if wanted is None or not any(_convinces(each, asked) for each in possible):
            return None
        best = max(_compared(possible, wanted), key=lambda each: each.score)
        if not _convinces(best, asked):
            return None
        return Listing(best.found.title, best.found.section, best.found.intro, best.entries)

    def candidates(
        self, query: Query, asked: Asked, passages: Sequence[Passage], filters: Filters
    ) -> list[Candidate]:
        """Every list that may be meant, with its score."""
        wanted = self._wanted(query, asked, passages, filters)
        return _compared(self._possible(wanted), wanted) if wanted else []

    def _wanted(
        self, query: Query, asked: Asked, passages: Sequence[Passage], filters: Filters
    ) -> Wanted | None:
        # What articles say is no list of a source.
        read = [each for each in passages[:_READ] if each.chunk.kind != "article"]
        return Wanted.of(query, asked, filters, read, self._generation) if read else None

    def _possible(self, wanted: Wanted) -> list[Candidate]:
        """Every list that may be meant, with the score that it has at best."""
        if wanted.everything:
            held = self._fitting(self._register(self._generation.resources), wanted)
            return [Candidate(found, entries, {}, math.inf) for found, entries in held]
        candidates = []
        for enumeration in self._enumerations(wanted):
            card = self._documents.get(enumeration.document_id)
            for found, entries in self._fitting(enumeration, wanted):
                own = signs(found, entries, wanted, card)
                candidates.append(Candidate(found, entries, own, score(own)))
        return candidates

    def _enumerations(self, wanted: Wanted) -> Iterator[Enumeration]:
        documents = dict.fromkeys(each.chunk.document_id for each in wanted.passages)
        for document_id in documents:
            yield from self._of_document(document_id)
        for passage in wanted.passages[:_TOLD]:
            yield from self._told_in(passage.chunk)
        if wanted.countries:
            yield self._national
        if wanted.labels:
            cards = (self._documents.get(document_id) for document_id in documents)
            for topic in dict.fromkeys(card.topic for card in cards if card and card.topic):
                yield self._of_topic(topic, wanted)

    def _told_in(self, chunk: Chunk) -> tuple[Enumeration, ...]:
        """What single sentences of a chunk enumerate."""
        known = self._of_sentences.get(chunk.chunk_id)
        if known is None:
            known = tuple(members_in(chunk))
            if len(self._of_sentences) >= _CHUNKS_KEPT:
                self._of_sentences.clear()
            self._of_sentences[chunk.chunk_id] = known
        return known

    def _fitting(
        self, found: Enumeration, wanted: Wanted
    ) -> Iterator[tuple[Enumeration, tuple[Entry, ...]]]:
        """What of an enumeration may be the answer."""
        entries = limited(found, wanted.labels)
        if wanted.asked.kinds and _TOLD_BY_ADDRESS.issuperset(wanted.asked.kinds):
            entries = tuple(e for e in entries if e.kind in wanted.asked.kinds) or entries
        if wanted.filters.countries:
            entries = tuple(e for e in entries if e.country in wanted.filters.countries)
        if wanted.countries:
            named = tuple(each for each in entries if countries_of(each))
            countries = {country for each in named for country in countries_of(each)}
            published = {each.country for each in self._national.entries}
            # A list of all countries does not tell which of them have something to show.
            if len(published) > 1 and published < countries:
                return
            if named != entries and len(named) > 1 and len(countries) > 1:
                yield found, named
        if len(entries) > 1:
            yield found, entries

    @cached_property
    def _documents(self) -> dict[str, IndexedDocument]:
        return {each.document_id: each for each in self._generation.documents()}

    @cached_property
    def _mentions(self) -> Mapping[str, Sequence[tuple[Resource, Mention]]]:
        found: dict[str, list[tuple[Resource, Mention]]] = defaultdict(list)
        for resource in self._generation.resources:
            for mention in resource.mentions:
                found[f"{mention.source}:{mention.path}"].append((resource, mention))
        return found

    def _of_document(self, document_id: str) -> tuple[Enumeration, ...]:
        known = self._of_documents.get(document_id)
        if known is None:
            known = self._enumerated(document_id)
            if len(self._of_documents) >= _DOCUMENTS_KEPT:
                self._of_documents.clear()
            self._of_documents[document_id] = known
        return known

    def _enumerated(self, document_id: str) -> tuple[Enumeration, ...]:
        chunks = self._generation.chunks_of(document_id)
        if not chunks:
            return ()
        return (
            *resources_in(chunks, self._mentions.get(document_id, ())),
            *lists_in(chunks),
            *headings_in(chunks),
            *items_in(chunks),
            *tables_in(chunks),
        )

    @cached_property
    def _national(self) -> Enumeration:
        """The countries whose pages hold something."""
        entries = []
        for card in self._documents.values():
            chunks = self._generation.chunks_of(card.document_id) if card.country else ()
            if chunks and not card.placeholder:
                part = chunks[0].parts[0]
                place = Line(chunks[0], part, part.text.split("\n")[0])
                entries.append(
                    Entry(card.title, place, url=card.url, kind="page", country=card.country)
                )
        chunk_ids = frozenset(e.place.chunk.chunk_id for e in entries if isinstance(e.place, Line))
        return Enumeration(
            "headings", "", "", (),
            "national implementation: countries that have published resources of their own",
            tuple(entries),
            chunk_ids,
        )  # fmt: skip

    def _of_topic(self, topic: str, wanted: Wanted) -> Enumeration:
        """What the register holds of a topic."""
        held = [
            replace(resource, mentions=mentions)
            for resource in self._generation.resources
            if (mentions := tuple(each for each in resource.mentions if each.topic == topic))
        ]
        near = frozenset(
            chunk_id
            for chunk_id in wanted.near
            if (card := self._documents.get(chunk_id.rpartition("#")[0])) and card.topic == topic
        )
        title = topic.replace("-", " ").capitalize()
        return replace(self._register(held), title=title, chunk_ids=near)

    def _register(self, resources: Iterable[Resource]) -> Enumeration:
        """Resources, each once under each of its labels."""
        entries = []
        for resource in resources:
            by_label: dict[str | None, Mention] = {}
            for mention in resource.mentions:
                if f"{mention.source}:{mention.path}" in self._documents:
                    by_label.setdefault(mention.label, mention)
            entries += [resource_entry(resource, each) for each in by_label.values()]
        return Enumeration("resources", "", "", (), "", tuple(entries))


def _convinces(candidate: Candidate, asked: Asked) -> bool:
    return chance(candidate.score, asked) >= _CONVINCING


def _compared(candidates: Sequence[Candidate], wanted: Wanted) -> list[Candidate]:
    """Lists with their scores, now that the meaning of each is known."""
    if wanted.everything:
        return list(candidates)
    known = compared(
        [each.signs for each in candidates], [each.found for each in candidates], wanted
    )
    return [
        replace(each, signs=own, score=score(own))
        for each, own in zip(candidates, known, strict=True)
    ]


def say(listing: Listing, notes: Footnotes) -> tuple[tuple[Statement, ...], tuple[Item, ...]]:
    """Turn a list into statements and items, each cited at its very place.

    What one sentence enumerates is told by that sentence, everything else by a
    statement an entry.
    """
    statements, items = [], []
    for entry in listing.entries:
        place = entry.place
        if isinstance(place, Mention):
            marker = notes.mention(place)
        else:
            marker = notes.sentence(place.chunk, Sentence(place.text, place.part, place.text))
        label = entry.label if entry.label in LABELS else None
        statements.append(Statement(_said(entry, label, listing), (marker,)))
        items.append(Item(entry.title, entry.url, label, entry.kind, entry.country, marker))
    return tuple(dict.fromkeys(statements)), tuple(items)


def _said(entry: Entry, label: str | None, listing: Listing) -> str:
    if isinstance(entry.place, Line) and entry.place.text == listing.intro:
        return entry.place.text
    said = entry.said or entry.title
    return f"{said} ({label})" if label and isinstance(entry.place, Mention) else said
