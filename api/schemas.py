"""What is replied: the public contract of replies."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.models import Answer, Chunk, IndexedDocument, IndexInfo, Parent, Passage, Resource


class Reply(BaseModel):
    """What goes back, made of the core's own values."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class StatementOut(Reply):
    """A sentence or two with the markers that carry it."""

    text: str
    citations: list[int]
    language: str


class CitationOut(Reply):
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


class ItemOut(Reply):
    """A resource of a complete list."""

    title: str
    url: str | None
    label: str | None
    kind: str
    country: str | None
    marker: int


class NextStepOut(Reply):
    """What to do where the answer ends."""

    kind: Literal["contact", "page", "rephrase"]
    text: str
    url: str | None
    email: str | None


class ArticleOut(Reply):
    """Which article answered, and who has reviewed it."""

    id: str
    checked: str
    reviewed_by: str


class IndexOut(Reply):
    """Which index answered."""

    generation: str
    built_at: str


class AnswerOut(Reply):
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


class PlaceOut(Reply):
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


class ParentOut(Reply):
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


class PassageOut(Reply):
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


class SearchOut(Reply):
    """Ranked passages."""

    query: str
    passages: list[PassageOut]


class BroughtOut(Reply):
    """The passages that an answer is made of; the first event of a stream."""

    passages: list[PassageOut]


class DeltaOut(Reply):
    """The next piece of an answer's text."""

    text: str


class ProblemOut(Reply):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    """As in the header `X-Request-ID`, and in the log."""


class FaultOut(Reply):
    """What is wrong with a field."""

    field: str
    detail: str


class InvalidOut(ProblemOut):
    """A call that cannot be understood."""

    errors: list[FaultOut] = []


class OpenAiFaultOut(Reply):
    """What went wrong, as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiErrorOut(Reply):
    """What went wrong below the paths of OpenAI's interface."""

    error: OpenAiFaultOut


class RelatedOut(Reply):
    """Something a record says it has to do with."""

    relation: str
    identifier: str
    scheme: str


class RecordOut(Reply):
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


class DocumentOut(Reply):
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


class DocumentsOut(Reply):
    """What is indexed."""

    documents: list[DocumentOut]


class MentionOut(Reply):
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


class ResourceOut(Reply):
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


class ResourcesOut(Reply):
    """Every resource that fits."""

    resources: list[ResourceOut]
