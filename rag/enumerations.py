"""What a document holds side by side: headings, items of a class, rows, resources.

The lists within its text are told by their form, see `rag.bullets`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.models import LABELS, Chunk, Mention, Part, Resource
from rag.sentences import told
from rag.text import fold, letters_digits

CELLS = " | "
"""What parts the cells of a row, see `ingest.models.Block`."""
_LABELS = re.compile(rf"\b(?:{'|'.join(each.capitalize() for each in LABELS)})\b")
_OBLIGATIONS = {"required": "mandatory"}
"""How a metadata model calls what the framework's labels say, where it has another word."""
_ROWS = 3
_OWN = 0.6
"""Share of the rows that a column must tell from one another to name them."""

EnumerationKind = Literal["resources", "list", "headings", "items", "table", "sentence"]


@dataclass(frozen=True)
class Line:
    """A line of a chunk: exact text of the stored source."""

    chunk: Chunk
    part: Part
    text: str


@dataclass(frozen=True)
class Entry:
    """One member of a list."""

    title: str
    place: Line | Mention
    """What is cited for it."""
    said: str = ""
    """What is said of it, its name included; empty: the name is all."""
    url: str | None = None
    label: str | None = None
    kind: str = "item"
    country: str | None = None


@dataclass(frozen=True)
class Enumeration:
    """Things that stand side by side."""

    kind: EnumerationKind
    document_id: str
    title: str
    """Of the document."""
    section: tuple[str, ...]
    intro: str
    """The line that announces them; may be empty."""
    entries: tuple[Entry, ...]
    chunk_ids: frozenset[str] = frozenset()
    """Where they stand."""


def by_section(chunks: Sequence[Chunk]) -> Iterator[tuple[tuple[str, ...], list[Line]]]:
    """The lines that follow one another under one heading."""
    section: tuple[str, ...] | None = None
    lines: list[Line] = []
    for chunk in chunks:
        for part in chunk.parts:
            if part.item is not None:
                continue
            if part.section != section and lines:
                yield section or (), lines
                lines = []
            section = part.section
            lines += [Line(chunk, part, text) for text in part.text.split("\n") if text.strip()]
    if lines:
        yield section or (), lines


def is_heading(line: Line, section: tuple[str, ...]) -> bool:
    """Whether a line is the heading it stands under, with or without labels."""
    if not section:
        return False
    bare = _LABELS.sub(" ", line.text)
    return letters_digits(section[-1]) in (letters_digits(line.text), letters_digits(bare))


def tables_in(chunks: Sequence[Chunk]) -> Iterator[Enumeration]:
    """The rows of tables, each named by its first cell that tells it from the others.

    Cells before that one group the rows: those of each group are a list as well.
    """
    for section, lines in by_section(chunks):
        rows = [(line, fold(line.text).split(CELLS)) for line in lines if CELLS in line.text]
        if len(rows) < _ROWS:
            continue
        intro = ""
        if not _repeated(rows[0][1], [cells for _, cells in rows[1:]]):
            intro = " ".join(rows[0][1])
            rows = rows[1:]
        for column in range(min(len(cells) for _, cells in rows)):
            names = [cells[column] for _, cells in rows]
            if len(set(names)) > _OWN * len(names) and all(names):
                yield _table(section, intro, rows, column)
                groups = dict.fromkeys(cell for _, cells in rows for cell in cells[:column])
                for group in groups:
                    own = [row for row in rows if group in row[1][:column]]
                    if len(own) > 1:
                        yield _table((*section, group), intro, own, column)
                break


def _repeated(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether the first row of a table is like any other, as a cell of it comes again below."""
    return any(cell and cell in row for cell in first for row in others)


def _table(
    section: tuple[str, ...], intro: str, rows: Sequence[tuple[Line, Sequence[str]]], column: int
) -> Enumeration:
    entries = {
        cells[column]: Entry(
            title=cells[column], place=line, said=fold(line.text).replace(CELLS, "; ")
        )
        for line, cells in rows
    }
    place = rows[0][0].chunk
    return Enumeration(
        "table", place.document_id, place.title, section, intro, tuple(entries.values()),
        frozenset(line.chunk.chunk_id for line, _ in rows),
    )  # fmt: skip


def headings_in(chunks: Sequence[Chunk]) -> Iterator[Enumeration]:
    """The headings that stand side by side under another one."""
    below: dict[tuple[str, ...], dict[str, Entry]] = defaultdict(dict)
    where: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for chunk in chunks:
        for part in chunk.parts:
            if part.item is not None or not part.section:
                continue
            for depth in range(len(part.section)):
                where[part.section[:depth]].add(chunk.chunk_id)
            line = next((text for text in part.text.split("\n") if text.strip()), "")
            if is_heading(Line(chunk, part, line), part.section):
                name = part.section[-1]
                below[part.section[:-1]].setdefault(
                    name, Entry(title=name, place=Line(chunk, part, line), label=part.label)
                )
    for section, entries in below.items():
        if len(entries) > 1:
            yield Enumeration(
                "headings", chunks[0].document_id, chunks[0].title, section, "",
                tuple(entries.values()), frozenset(where[section]),
            )  # fmt: skip


def items_in(chunks: Sequence[Chunk]) -> Iterator[Enumeration]:
    """The items of each class of a metadata model; `label` is its word for their obligation."""
    found: dict[str, list[tuple[Chunk, Part]]] = defaultdict(list)
    for chunk in chunks:
        for part in chunk.parts:
            if part.item is not None:
                found[part.item.of_class].append((chunk, part))
    for name, held in found.items():
        entries = []
        for chunk, part in held:
            assert part.item is not None  # noqa: S101 - gathered by it
            row = part.text.splitlines()[0]
            entries.append(
                Entry(
                    title=part.item.name,
                    place=Line(chunk, part, row),
                    said=told(part.item),
                    label=part.item.obligation,
                )
            )
        yield Enumeration(
            "items", held[0][0].document_id, held[0][0].title, (name,), "",
            tuple(entries), frozenset(chunk.chunk_id for chunk, _ in held),
        )  # fmt: skip


def resources_in(
    chunks: Sequence[Chunk], mentions: Sequence[tuple[Resource, Mention]]
) -> Iterator[Enumeration]:
    """The resources of a document, and of each of its sections.

    Args:
        chunks: Of the document.
        mentions: Where it mentions a resource, with the resource; each resource once a section.
    """
    sections: dict[tuple[str, ...], dict[str, Entry]] = defaultdict(dict)
    for resource, mention in mentions:
        if mention.place == "text" and mention.label is None:
            continue
        for depth in range(len(mention.section) + 1):
            sections[mention.section[:depth]].setdefault(
                resource.resource_id, resource_entry(resource, mention)
            )
    for section, entries in sections.items():
        own = frozenset(
            chunk.chunk_id
            for chunk in chunks
            if any(part.section[: len(section)] == section for part in chunk.parts)
        )
        yield Enumeration(
            "resources", chunks[0].document_id, chunks[0].title, section, "",
            tuple(entries.values()), own,
        )  # fmt: skip


def resource_entry(resource: Resource, mention: Mention) -> Entry:
    """A resource as a member of a list, cited where it is mentioned."""
    return Entry(
        title=resource.title,
        place=mention,
        url=resource.url,
        label=mention.label,
        kind=resource.kind,
        country=mention.country,
    )


def limited(found: Enumeration, labels: Sequence[str]) -> tuple[Entry, ...]:
    """The entries that carry one of the labels, strongest first.

    All where none is asked for, and of a list within a text that knows no labels.
    """
    wanted = {*labels, *(_OBLIGATIONS.get(label, label) for label in labels)}
    if found.kind not in ("resources", "items") and not any(each.label for each in found.entries):
        labels = ()
    kept = [each for each in found.entries if not labels or each.label in wanted]
    order = {label: rank for rank, label in enumerate((*LABELS, None))}
    if found.kind != "resources":
        return tuple(kept)
    return tuple(sorted(kept, key=lambda each: order.get(each.label, len(order))))
