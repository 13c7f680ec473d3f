"""Requests and replies: the public contract."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from rag.countries import country_code
from rag.models import (
    Answer,
    Chunk,
    Filters,
    IndexedDocument,
    IndexInfo,
    Parent,
    Passage,
    Question,
    Resource,
    Turn,
)

MAX_QUESTION = 4000
MAX_TURNS = 20


def _words(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold NUL characters")
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _country(code: str) -> str:
    known = country_code(code)
    if known is None:
        raise ValueError(
            "must be the ISO 3166-1 code of an EU country, Norway or the United Kingdom"
        )
    return known


def _language(code: str) -> str:
    short = code.lower()
    if not re.fullmatch(r"[a-z]{2}", short):
        raise ValueError("must be an ISO 639-1 code, such as en")
    return short


def _label(label: str) -> str:
    short = label.lower()
    if short not in ("required", "recommended", "informational"):
        raise ValueError("must be required, recommended or informational")
    return short


def _null_is_empty(value: object) -> object:
    return [] if value is None else value


Text = Annotated[str, Field(min_length=1, max_length=MAX_QUESTION), AfterValidator(_words)]
Country = Annotated[str, AfterValidator(_country)]
Language = Annotated[str, AfterValidator(_language)]
Label = Annotated[str, AfterValidator(_label)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_words)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True)


class TurnIn(_Request):
    """An earlier turn."""

    role: Literal["user", "assistant"]
    text: Text


class FiltersIn(_Request):
    """What the search is limited to."""

    labels: Annotated[list[Label], Field(max_length=3), BeforeValidator(_null_is_empty)] = []
    topics: Annotated[list[Name], Field(max_length=50), BeforeValidator(_null_is_empty)] = []
    sources: Annotated[list[Name], Field(max_length=50), BeforeValidator(_null_is_empty)] = []


class QuestionIn(_Request):
    """A question with the conversation before it."""

    question: Text
    history: Annotated[
        list[TurnIn], Field(max_length=MAX_TURNS), BeforeValidator(_null_is_empty)
    ] = []
    language: Language | None = None
    country: Country | None = None
    filters: FiltersIn | None = None

    def to_question(self, topics: tuple[str, ...]) -> Question:
        """The question as the core knows it; `topics` are the ids of those it names."""
        chosen = self.filters or FiltersIn()
        return Question(
            text=self.question,
            language=self.language,
            country=self.country,
            history=tuple(Turn(turn.role, turn.text) for turn in self.history),
            filters=Filters(
                labels=tuple(chosen.labels), sources=tuple(chosen.sources), topics=topics
            ),
        )


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class StatementOut(_Reply):
    """A sentence or two with the markers that carry it."""

    text: str
    citations: list[int]


class CitationOut(_Reply):
    """Where a statement comes from."""

    marker: int
    kind: Literal["source", "summary"]
    document_id: str
    source: str
    path: str
    title: str
    section: list[str]
    url: str | None
    page: int | None
    quote: str
    label: str | None
    version: str | None
    doi: str | None
    published: str | None
    licence: str | None
    dated_by: Literal["page", "snapshot"] | None
    older: bool
    deliverable: str | None
    concept_doi: str | None
    superseded_by: str | None


class ItemOut(_Reply):
    """A resource of a complete list."""

    title: str
    url: str | None
    label: str | None
    kind: str
    country: str | None
    marker: int


class NextStepOut(_Reply):
    """What to do where the answer ends."""

    kind: Literal["contact", "page", "rephrase"]
    text: str
    url: str | None
    email: str | None


class ArticleOut(_Reply):
    """Which article answered, and who has reviewed it."""

    id: str
    checked: str
    reviewed_by: str


class IndexOut(_Reply):
    """Which index answered."""

    generation: str
    built_at: str


class AnswerOut(_Reply):
    """A cited answer, or an abstention with its reason."""

    id: str
    status: Literal["answered", "abstained"]
    language: str
    text: str
    statements: list[StatementOut]
    citations: list[CitationOut]
    items: list[ItemOut]
    reason: Literal["no_evidence", "not_written_yet", "out_of_scope", "unsafe", "unclear"] | None
    strength: Literal["strong", "weak"]
    next_step: NextStepOut | None
    follow_ups: list[str]
    article: ArticleOut | None
    model: str
    index: IndexOut
    timings_ms: dict[str, float]

    @classmethod
    def of(cls, answer: Answer, index: IndexInfo) -> AnswerOut:
        """The public form of an answer."""
        return cls.model_validate(
            {
                **asdict(answer),
                "index": {"generation": index.generation, "built_at": index.built_at},
            }
        )


class PlaceOut(_Reply):
    """Another place that says the same as a passage."""

    document_id: str
    source: str
    path: str
    title: str
    section: list[str]
    url: str | None
    page: int | None

    @classmethod
    def of(cls, chunk: Chunk) -> PlaceOut:
        """Where a chunk stands."""
        return cls(
            document_id=chunk.document_id,
            source=chunk.source,
            path=chunk.path,
            title=chunk.title,
            section=list(chunk.section),
            url=chunk.begins_at,
            page=chunk.page,
        )


class ParentOut(_Reply):
    """The section that a passage stands in, for whoever needs more around it."""

    section: Annotated[list[str], Field(description="heading path; empty: the document itself")]
    text: str
    chunk_ids: Annotated[
        list[str], Field(description="in reading order; the passage's own is among them")
    ]
    whole: Annotated[
        bool, Field(description="false: the section is longer; this is what stands by the passage")
    ]

    @classmethod
    def of(cls, parent: Parent) -> ParentOut:
        """The public form of a section."""
        return cls(
            section=list(parent.section),
            text=parent.text,
            chunk_ids=list(parent.chunk_ids),
            whole=parent.whole,
        )


class PassageOut(_Reply):
    """A retrieved passage."""

    rank: int
    score: float
    document_id: str
    source: str
    path: str
    title: str
    section: list[str]
    url: str | None
    page: int | None
    label: str | None
    text: str
    parent: Annotated[
        ParentOut | None,
        Field(description="null: the passage is the whole document, or an item that stands alone"),
    ]
    also: Annotated[list[PlaceOut], Field(description="other places that say the same")]

    @classmethod
    def of(cls, passage: Passage) -> PassageOut:
        """The public form of a passage."""
        chunk = passage.chunk
        return cls(
            rank=passage.rank,
            score=round(passage.score, 4),
            document_id=chunk.document_id,
            source=chunk.source,
            path=chunk.path,
            title=chunk.title,
            section=list(chunk.section),
            url=chunk.begins_at,
            page=chunk.page,
            label=chunk.label,
            text=chunk.text,
            parent=ParentOut.of(passage.parent) if passage.parent else None,
            also=[PlaceOut.of(each) for each in passage.also],
        )


class SearchOut(_Reply):
    """Ranked passages."""

    query: str
    passages: list[PassageOut]


class RelatedOut(_Reply):
    """Something a record says it has to do with."""

    relation: str
    identifier: str
    scheme: str


class RecordOut(_Reply):
    """A version of a record in a repository, as it describes itself."""

    record_id: str
    concept_id: str
    title: str
    url: str
    access: Literal["open", "restricted", "embargoed"]
    doi: str | None
    concept_doi: str | None
    deliverable: str | None
    version: str | None
    published: str | None
    licence: str | None
    creators: list[str]
    related: list[RelatedOut]


class DocumentOut(_Reply):
    """An indexed document."""

    id: str
    source: str
    path: str
    title: str
    url: str | None
    language: str
    kind: str
    version: str | None
    doi: str | None
    published: str | None
    licence: str | None
    placeholder: bool
    chunks: int
    country: str | None
    topic: str | None
    dated_by: Literal["page", "snapshot"] | None
    older: bool
    aliases: list[str]
    record: RecordOut | None
    superseded_by: str | None

    @classmethod
    def of(cls, document: IndexedDocument) -> DocumentOut:
        """The public form of a document's card."""
        fields: dict[str, Any] = asdict(document)
        fields["id"] = fields.pop("document_id")
        return cls(**fields)


class DocumentsOut(_Reply):
    """What is indexed."""

    documents: list[DocumentOut]


class MentionOut(_Reply):
    """One place where a source links, or labels, a resource."""

    source: str
    path: str
    title: str
    section: list[str]
    url: str | None
    page: int | None
    text: str
    label: str | None
    country: str | None
    topic: str | None


class ResourceOut(_Reply):
    """A document, standard or tool that the sources name."""

    id: str
    title: str
    url: str | None
    kind: str
    labels: list[str]
    mentions: list[MentionOut]

    @classmethod
    def of(cls, resource: Resource) -> ResourceOut:
        """The public form of a resource."""
        return cls(
            id=resource.resource_id,
            title=resource.title,
            url=resource.url,
            kind=resource.kind,
            labels=list(resource.labels),
            mentions=[MentionOut.model_validate(each) for each in resource.mentions],
        )


class ResourcesOut(_Reply):
    """Every resource that fits."""

    resources: list[ResourceOut]
