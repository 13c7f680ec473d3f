"""PDF files: text by page, page numbers as a reader's viewer counts them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

import pypdf
from pypdf.errors import PyPdfError

from ingest.boilerplate import is_boilerplate
from ingest.models import Block, Document, Loaded, Problem, Section, Source, fingerprint
from rag.errors import UnreadableDocument
from rag.language import detect_language
from rag.text import fold

_BULLET = re.compile(r"^\s*[●○■•▪◦‣·–-]\s*")
_ENDS = re.compile(r"[.:;?!]\s*$")
_BEGINS = re.compile(r"^[A-ZÀ-ÖØ-Þ0-9\"“(]")
# pypdf meets damaged files with nearly any exception.
_DAMAGED = (
    PyPdfError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    ArithmeticError,
    AssertionError,
    NotImplementedError,
)
# "Jane Doe 2025-02-10": who signed off a version answers nobody's question.
_SIGNED = re.compile(r"^(?:[^\W\d_][\w.'’-]*\s+){2,4}\d{4}-\d\d-\d\d$")
_MAX_BYTES = 200_000_000
_POOR_TITLE = re.compile(
    r"^(?:untitled|microsoft word|powerpoint|document\d*)\b|\.\w{2,4}$", re.IGNORECASE
)


def read_pdf(
    path: Path, relative: str, source: Source, url: str | None, *, published: str | None = None
) -> Loaded:
    """Read one PDF file; what cannot be read is a problem in the result."""
    loaded = Loaded()
    try:
        title, sections = _read(path)
    except UnreadableDocument as error:
        loaded.problems.append(Problem(relative, str(error)))
        return loaded
    if not any(section.blocks for section in sections):
        loaded.problems.append(Problem(relative, "needs OCR: no page has a text layer"))
        return loaded
    text = "\n".join(section.text for section in sections)
    loaded.documents.append(
        Document(
            document_id=f"{source.name}:{relative}",
            source=source.name,
            path=relative,
            title=title,
            url=url,
            language=detect_language(text),
            sha256=fingerprint(title, url, sections, published, source.licence),
            sections=sections,
            kind="pdf",
            published=published,
            licence=source.licence,
        )
    )
    return loaded


def _read(path: Path) -> tuple[str, tuple[Section, ...]]:
    """The title and a section for every page that has text.

    Raises:
        UnreadableDocument: Not a PDF, damaged, encrypted or too large.
    """
    if path.stat().st_size == 0:
        raise UnreadableDocument("the file is empty")
    if path.stat().st_size > _MAX_BYTES:
        raise UnreadableDocument(f"larger than {_MAX_BYTES // 10**6} MB")
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            raise UnreadableDocument("not a PDF, whatever its name says")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument("encrypted: it needs a password")
        sections = tuple(
            Section(heading=(), blocks=blocks, page=number)
            for number, page in enumerate(reader.pages, start=1)
            if (blocks := tuple(_blocks(page.extract_text().splitlines())))
        )
        metadata = reader.metadata
        title = fold(str(metadata.title)) if metadata and metadata.title else ""
    except UnreadableDocument:
        raise
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreadableDocument(f"damaged or unsupported PDF: {reason}") from error
    if not title or _POOR_TITLE.search(title):
        title = fold(path.stem.replace("_", " "))
    return title, sections


def _blocks(lines: Iterable[str]) -> list[Block]:
    """Join the lines of a page to paragraphs and list items."""
    paragraphs: list[str] = []
    for line in lines:
        text = line.strip()
        if not text or _SIGNED.match(text) or is_boilerplate(text):
            continue
        begins = not paragraphs or _BULLET.match(line)
        if not begins and _ENDS.search(paragraphs[-1]) and _BEGINS.match(text):
            begins = True
        if begins:
            paragraphs.append(text)
        elif paragraphs[-1].endswith("-") and text[0].islower():
            paragraphs[-1] = paragraphs[-1] + text
        else:
            paragraphs[-1] = f"{paragraphs[-1]} {text}"
    folded = (fold(paragraph) for paragraph in paragraphs)
    return [Block(text) for text in folded if text and not is_boilerplate(text)]
