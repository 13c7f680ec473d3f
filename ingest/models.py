"""What ingest passes along: source to document; its report at the end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rag.models import DataItem, DatedBy, Mention, Record

SourceKind = Literal["articles", "jekyll", "folder", "file", "site", "zenodo"]
RemoteKind = Literal["jekyll", "site", "zenodo"]


@dataclass(frozen=True)
class Remote:
    """A source that has to be fetched before it can be read."""

    name: str
    kind: RemoteKind
    address: str
    """Of the repository, the site, the record, community or search; a DOI too."""
    licence: str | None = None
    """For what does not name its own."""
    language: str | None = None
    """ISO 639-1, for what does not say; None: detected."""


@dataclass(frozen=True)
class SourceFile:
    """A file that was fetched, with what is known of it beside its bytes."""

    path: str
    """Under which it is known in its source; its suffix tells the type."""
    file: Path
    url: str | None
    title: str | None = None
    """None: the file says itself."""
    language: str | None = None
    published: str | None = None
    dated_by: DatedBy | None = None
    licence: str | None = None
    record: Record | None = None


@dataclass(frozen=True)
class Menus:
    """How the pages of a crawled site lead to one another."""

    links: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For each path of a page: the addresses that menus, header and footer link on it."""


@dataclass(frozen=True)
class Source:
    """Where documents come from."""

    name: str
    kind: SourceKind
    path: Path
    address: str | None = None
    """Web address the relative addresses are joined to; None: documents have no `url`."""
    licence: str | None = None
    published: str | None = None
    """ISO date for documents that carry none of their own."""
    language: str | None = None
    """ISO 639-1 for documents that do not name theirs; None: detected."""
    files: tuple[SourceFile, ...] | None = None
    """What was fetched of a site or record; None: `path` is walked."""
    menus: Menus = Menus()
    """Of a site."""


@dataclass(frozen=True)
class Link:
    """A link in a block of text, with the label that belongs to it."""

    text: str
    address: str
    """As written; empty for words that carry a label and are not linked."""
    label: str | None = None


@dataclass(frozen=True)
class Block:
    """A paragraph, list item, table row or heading line."""

    text: str
    label: str | None = None
    entry: bool = False
    """Whether it begins an entry of its own: a paragraph led by a link."""
    links: tuple[Link, ...] = ()
    header: bool = False
    """Whether it is the row of a table that names its columns."""


@dataclass(frozen=True)
class Section:
    """What stands under one heading, or on one page of a PDF."""

    heading: tuple[str, ...]
    """Heading path without the document's title and without labels."""
    blocks: tuple[Block, ...]
    anchor: str | None = None
    page: int | None = None
    """1-based page number of a PDF."""
    label: str | None = None
    item: DataItem | None = None
    """The row of a metadata table that this section holds, taken apart."""
    empty: bool = False
    """A heading that announces something and has no text, nor headings, under it."""

    @property
    def text(self) -> str:
        """All blocks, one a line."""
        return "\n".join(block.text for block in self.blocks)


@dataclass(frozen=True)
class Document:
    """One page or file, read."""

    document_id: str
    source: str
    path: str
    title: str
    url: str | None
    language: str
    sha256: str
    """Of the document as read, so that a change of the reader counts as a change."""
    sections: tuple[Section, ...]
    kind: str = "page"
    placeholder: bool = False
    """The page holds nothing but the notice that it is still to be written."""
    country: str | None = None
    version: str | None = None
    doi: str | None = None
    published: str | None = None
    dated_by: DatedBy | None = None
    licence: str | None = None
    topic: str | None = None
    """What the source files the page under: the entry of its menu, or its folder."""
    older: bool = False
    """The page has left the menus of its site and still answers at its address."""
    aliases: tuple[str, ...] = ()
    """Addresses of pages that say the same, and are not indexed beside it."""
    mentions: tuple[Mention, ...] = ()
    """What the page links or labels, its aliases' mentions included."""
    record: Record | None = None
    """The record that it is a file of."""
    superseded_by: str | None = None
    """Address of a newer document that replaces it."""

    @property
    def text(self) -> str:
        """All sections, one block a line."""
        return "\n".join(section.text for section in self.sections if section.blocks)


def fingerprint(*parts: object) -> str:
    """Return the SHA-256 by which a changed document is told from an unchanged one."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Skipped:
    """Left out on purpose."""

    path: str
    reason: str


@dataclass(frozen=True)
class Problem:
    """Should have been read and could not be."""

    path: str
    problem: str


@dataclass(frozen=True)
class EmptyPage:
    """A page that exists and has no text of its own: a known gap, not a document."""

    document_id: str
    source: str
    path: str
    title: str
    url: str | None
    country: str | None = None


@dataclass
class Loaded:
    """What a loader found; filled while it reads."""

    documents: list[Document] = field(default_factory=list)
    empty_pages: list[EmptyPage] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Fetched:
    """A remote source as it is now, ready to be read."""

    source: Source
    skipped: tuple[Skipped, ...] = ()
    """Left out on purpose: restricted, not a document, closed to robots."""
    problems: tuple[Problem, ...] = ()
    """Parts that could not be had: paths of the source's files, or of folders, with a slash."""
    records: tuple[Record, ...] = ()
    """The versions that were found, whether their files could be had or not."""


@dataclass(frozen=True)
class DocumentCounts:
    """How many documents of each fate."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: int = 0
    placeholder: int = 0


@dataclass(frozen=True)
class IngestReport:
    """The outcome of one run; with `--json` printed as it stands."""

    generation: str | None
    documents: DocumentCounts
    chunks: int
    embedded: int
    embedding_seconds: float
    """Of `seconds`, those that the model took."""
    seconds: float
    added: tuple[str, ...] = ()
    """Ids of documents, like the two below."""
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    """Sources of which the index holds an older state than they may have."""
    skipped: tuple[Skipped, ...] = ()
    problems: tuple[Problem, ...] = ()
