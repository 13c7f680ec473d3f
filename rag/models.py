"""The types that flow: chunk to passage to answer; one per stage, all frozen.

A `Chunk` has no score, a `Passage` has; a `Citation` points at the very
heading or page that carries a statement. Inside the project these plain
dataclasses travel; pydantic stands only where bytes enter or leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Role = Literal["user", "assistant"]
CitationKind = Literal["source", "summary"]
Status = Literal["answered", "abstained"]
Strength = Literal["strong", "weak"]
DatedBy = Literal["page", "snapshot"]
"""What a date is that of: the page's own last change, or the state of the whole source."""
GapKind = Literal["page", "section", "category", "country", "country_page"]
"""An empty page; an empty section; a category nobody has filled; a country's page that
lists nothing; a country that has no page."""
LABELS = ("required", "recommended", "informational")
"""The framework's labels, strongest first."""
Reason = Literal["no_evidence", "not_written_yet", "out_of_scope", "unsafe", "unclear"]


@dataclass(frozen=True)
class DataItem:
    """One item of a metadata model: a row of one of its tables."""

    of_class: str
    name: str
    definition: str
    values: str
    """What may be filled in: a value list, a type, a format."""
    cardinality: str
    """As the table has it: ``0..1``, ``1..n``."""
    obligation: str
    """`mandatory`, `recommended`, `optional` or `conditional`: the word in its column,
    whatever the colour of the cell."""
    condition: str
    """When a conditional item is due; empty where none is given."""
    review: Literal["confirmed", "for review"] | None
    """What the colour of the row says: confirmed, or newly added and still for review."""
    scope: str = ""
    """Whom the item concerns, as printed: all (``Core``) or one use case (``Cancer``)."""


@dataclass(frozen=True)
class Related:
    """Something a record says it has to do with."""

    relation: str
    """In camel case, as DataCite names it: ``isNewVersionOf``, ``references``."""
    identifier: str
    scheme: str
    """``doi``, ``url``; empty where the record does not say."""


@dataclass(frozen=True)
class Record:
    """One version of a record in a repository such as Zenodo, as it describes itself."""

    record_id: str
    concept_id: str
    """What all versions share."""
    title: str
    url: str
    """Landing page of this version."""
    access: Literal["open", "restricted", "embargoed"]
    doi: str | None
    """Of this version; bare."""
    concept_doi: str | None = None
    """Of all versions; leads to the newest."""
    deliverable: str | None = None
    """The number people ask for: ``B1MG D6.7``."""
    version: str | None = None
    """As its authors call it: ``v2``."""
    published: str | None = None
    """``YYYY-MM-DD``, ``YYYY-MM`` or ``YYYY``."""
    licence: str | None = None
    """Id in lower case; None: unknown, which does not mean free."""
    creators: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()


@dataclass(frozen=True)
class Part:
    """A piece of a chunk that stands under one heading, or on one page.

    Chunks join short siblings, so the place and the label of a sentence are
    those of its part, not of its chunk.
    """

    text: str
    section: tuple[str, ...] = ()
    anchor: str | None = None
    page: int | None = None
    """1-based page of a PDF, else None."""
    label: str | None = None
    """`required`, `recommended` or `informational`, where the source says so."""
    item: DataItem | None = None
    """The row of a metadata table that `text` holds, taken apart."""


@dataclass(frozen=True)
class Chunk:
    """What is indexed: some 200 words that belong together.

    Ids are ``document_id#ordinal``.
    """

    chunk_id: str
    document_id: str
    source: str
    path: str
    title: str
    url: str | None
    """Address of the document, without fragment; None where it has none."""
    parts: tuple[Part, ...]
    kind: str = "page"
    """`page`, `navigation` (lists and menus), `pdf` or `article`."""

    @cached_property
    def text(self) -> str:
        """The text of all parts, one paragraph a line."""
        return "\n".join(part.text for part in self.parts if part.text)

    @cached_property
    def section(self) -> tuple[str, ...]:
        """The heading path that all parts share."""
        common: list[str] = []
        for names in zip(*(part.section for part in self.parts), strict=False):
            if len(set(names)) > 1:
                break
            common.append(names[0])
        return tuple(common)

    @property
    def label(self) -> str | None:
        """The label that all labelled parts share, None where they differ."""
        labels = {part.label for part in self.parts if part.label}
        return labels.pop() if len(labels) == 1 else None

    @property
    def page(self) -> int | None:
        """The 1-based page on which the chunk begins."""
        return self.parts[0].page if self.parts else None

    @property
    def begins_at(self) -> str | None:
        """The address of its first part."""
        return self.address(self.parts[0]) if self.parts else self.url

    def address(self, part: Part) -> str | None:
        """Where a part is found: the address with `#anchor` or `#page=N`."""
        if self.url is None:
            return None
        if part.page is not None:
            return f"{self.url}#page={part.page}"
        return f"{self.url}#{part.anchor}" if part.anchor else self.url

    @property
    def heading(self) -> str:
        """``title > heading path``: what tells this chunk from its look-alikes."""
        return " > ".join(dict.fromkeys((self.title, *self.section)))


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True)
class Filters:
    """What a search is limited to; empty means no limit."""

    labels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    """Ids of topics."""


@dataclass(frozen=True)
class Question:
    """What a person typed, with the turns before it."""

    text: str
    language: str | None = None
    """ISO 639-1 of the wanted reply; None: that of the question."""
    country: str | None = None
    """ISO 3166-1 alpha-2."""
    history: tuple[Turn, ...] = ()
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True)
class Parent:
    """The section that a passage stands in, with what stands beside the passage."""

    section: tuple[str, ...]
    """Heading path; empty for the whole document."""
    text: str
    chunk_ids: tuple[str, ...]
    """In reading order; the passage's own is among them."""
    whole: bool
    """Whether that is all of the section, or as much of it as is delivered."""


@dataclass(frozen=True)
class Passage:
    """A chunk retrieved for a question."""

    chunk: Chunk
    rank: int
    """1-based."""
    score: float
    """Fused score, by which it ranks; comparable within one index and embedder only."""
    near: float = 0.0
    """The score without what a named country and articles add: how near the passage
    itself is to the question."""
    also: tuple[Chunk, ...] = ()
    """Other places that say the same."""
    parent: Parent | None = None
    """The section around it, where a search delivers it."""


@dataclass(frozen=True)
class Citation:
    """Where a statement comes from; `quote` is exact text of the stored source."""

    marker: int
    kind: CitationKind
    document_id: str
    source: str
    path: str
    title: str
    section: tuple[str, ...]
    url: str | None
    page: int | None
    quote: str
    label: str | None = None
    version: str | None = None
    doi: str | None = None
    published: str | None = None
    licence: str | None = None
    dated_by: DatedBy | None = None
    """Whether `published` is the page's own date or that of the source as a whole."""
    older: bool = False
    """The page has left the menus of its site and still answers."""
    deliverable: str | None = None
    """Number of the deliverable: ``B1MG D6.7``."""
    concept_doi: str | None = None
    """DOI of all versions of the document."""
    superseded_by: str | None = None
    """Address of a newer document that replaces the cited one."""


@dataclass(frozen=True)
class Statement:
    """One sentence or two of an answer, with the markers that carry it."""

    text: str
    citations: tuple[int, ...]
    language: str = "en"
    """ISO 639-1 of the text: a quote is in that of its source."""


@dataclass(frozen=True)
class NextStep:
    """What to do where the answer ends."""

    kind: Literal["contact", "page", "rephrase"]
    text: str
    url: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Item:
    """A resource of a complete list."""

    title: str
    url: str | None
    label: str | None
    kind: str
    country: str | None
    marker: int


@dataclass(frozen=True)
class ArticleNote:
    """Which article an answer was made from, and who has reviewed it."""

    id: str
    checked: str
    reviewed_by: str


@dataclass(frozen=True)
class Answer:
    """A cited answer, or an abstention with its reason and next step."""

    id: str
    status: Status
    language: str
    """ISO 639-1 of what the helpdesk itself says; statements have their own."""
    text: str
    statements: tuple[Statement, ...] = ()
    citations: tuple[Citation, ...] = ()
    items: tuple[Item, ...] = ()
    reason: Reason | None = None
    strength: Strength = "strong"
    next_step: NextStep | None = None
    follow_ups: tuple[str, ...] = ()
    article: ArticleNote | None = None
    model: str = "extractive"
    question: str = ""
    """What was asked, personal data masked."""
    timings_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Brought:
    """What retrieval brought for a question; nothing where it was refused before."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Delta:
    """The next piece of an answer's text."""

    text: str


@dataclass(frozen=True)
class IndexedDocument:
    """A document as the index knows it, without its text."""

    document_id: str
    source: str
    path: str
    title: str
    url: str | None
    language: str
    kind: str
    placeholder: bool
    version: str | None
    doi: str | None
    published: str | None
    licence: str | None
    chunks: int
    country: str | None = None
    topic: str | None = None
    dated_by: DatedBy | None = None
    older: bool = False
    aliases: tuple[str, ...] = ()
    record: Record | None = None
    """The record that the document is a file of."""
    superseded_by: str | None = None
    """Address of a newer document that replaces it."""


@dataclass(frozen=True)
class Mention:
    """One place where a source links, or labels, a resource."""

    source: str
    path: str
    title: str
    """Of the page."""
    section: tuple[str, ...]
    url: str | None
    """Of the very place: the page's address with its anchor."""
    anchor: str | None
    page: int | None
    """1-based page of a PDF, else None."""
    text: str
    """The words that are linked, or labelled."""
    address: str | None
    """Where they lead, in normal form; None: labelled without a link."""
    place: Literal["heading", "entry", "text"]
    """How they stand: as a heading, at the head of an entry, within a sentence."""
    label: str | None
    country: str | None
    topic: str | None


@dataclass(frozen=True)
class Resource:
    """A document, standard or tool that the sources name, with every mention of it."""

    resource_id: str
    title: str
    url: str | None
    """Normalised address; None: labelled somewhere, and linked nowhere."""
    kind: str
    mentions: tuple[Mention, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label it carries somewhere, each once, strongest first."""
        given = {mention.label for mention in self.mentions}
        return tuple(label for label in LABELS if label in given)


@dataclass(frozen=True)
class Gap:
    """Something the source announces and has not written yet."""

    kind: GapKind
    document_id: str
    source: str
    path: str
    title: str
    section: tuple[str, ...]
    url: str | None
    country: str | None = None


@dataclass(frozen=True)
class Evidence:
    """The sentence of a source that carries a statement of an article."""

    source: str
    path: str
    title: str
    section: tuple[str, ...]
    url: str | None
    label: str | None
    pin: str
    """Hash of the sentence's letters and digits, see `rag.text.pin`."""
    chunk_id: str | None = None
    """The indexed chunk that holds the sentence; None: source not indexed, or stale."""
    quote: str | None = None
    """The sentence as the indexed source has it."""
    stale: bool = False
    """The page is indexed, and the sentence is no longer on it."""


@dataclass(frozen=True)
class ArticleStatement:
    """One statement of an article with its evidence."""

    text: str
    evidence: tuple[Evidence, ...]


_ENDS = (".", "!", "…", "?", ";", "\u037e")
"""What closes a question that is written out; a Greek one ends with a semicolon."""


@dataclass(frozen=True)
class Ask:
    """One way people ask."""

    text: str
    language: str
    """ISO 639-1."""


def asks_of(kept: Mapping[str, Sequence[str]]) -> tuple[Ask, ...]:
    """Ways of asking, kept by language."""
    return tuple(Ask(text, language) for language, texts in kept.items() for text in texts)


@dataclass(frozen=True)
class Translation:
    """An article in another language: the same statements, on the same evidence."""

    language: str
    """ISO 639-1."""
    title: str
    statements: tuple[str, ...]
    """One for each of the article's, in their order."""
    reviewed_by: str


@dataclass(frozen=True)
class Article:
    """A knowledge article: our own short answer and the ways people ask."""

    article_id: str
    document_id: str
    path: str
    title: str
    kind: str
    """`answer`, `known_gap`, `navigation`, `contact` or `safety`."""
    intent: str
    asks: tuple[Ask, ...]
    statements: tuple[ArticleStatement, ...]
    checked: str
    """The day on which its evidence was last compared with the source."""
    reviewed_by: str
    """The role that signed it; empty until one has."""
    country: str | None = None
    see_also: tuple[str, ...] = ()
    translations: tuple[Translation, ...] = ()

    @property
    def declines(self) -> bool:
        """Whether it says no: what the framework leaves out, or what is not to be helped with."""
        return self.kind in ("known_gap", "safety")

    @property
    def stale(self) -> bool:
        """Whether a sentence it rests on is no longer on its page."""
        return any(each.stale for said in self.statements for each in said.evidence)

    def asked_in(self, language: str) -> str | None:
        """How people ask it in a language, else in the first one; None where nobody asks.

        One that is written out as a question goes first, as it may be shown; where
        none is, the first is made to look like one.
        """
        spoken = {ask.language for ask in self.asks}
        wanted = language if language in spoken else next((a.language for a in self.asks), None)
        asks = [_as_question(ask) for ask in self.asks if ask.language == wanted]
        written_out = (made for made, typed in asks if made == typed)
        return next(written_out, next((made for made, _ in asks), None))


def _as_question(ask: Ask) -> tuple[str, str]:
    """A way of asking with a capital and a question mark, and as it was typed."""
    text = ask.text.strip()
    first = next((place for place, letter in enumerate(text) if letter.isalpha()), 0)
    word = text[first:].partition(" ")[0]
    if word == word.lower():  # no name that is written in its own way (htsGET)
        text = f"{text[:first]}{text[first : first + 1].upper()}{text[first + 1 :]}"
    if not text.endswith(_ENDS):
        text += {"el": ";", "fr": " ?"}.get(ask.language, "?")
    return text, ask.text


@dataclass(frozen=True)
class IndexInfo:
    """Which generation answers, and since when."""

    generation: str
    built_at: str
    embedder: str
    dimensions: int
    documents: int
    chunks: int
