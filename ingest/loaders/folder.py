"""A folder of documents, or one of them: Markdown, HTML, text, PDF, office files."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from ingest.loaders.html import Reading, parse_html, read_page, read_sections, without_repeats
from ingest.loaders.markdown import to_soup
from ingest.loaders.office import OFFICE_SUFFIXES, read_office
from ingest.loaders.pages import NO_TEXT, no_content, no_content_by_name, own_blocks
from ingest.loaders.textfile import given_date, given_title, read_text_file, split_front_matter
from ingest.models import (
    Document,
    Loaded,
    Problem,
    Section,
    Skipped,
    Source,
    SourceFile,
    fingerprint,
)
from ingest.register import mentions_of
from rag.errors import UnreadableDocument
from rag.language import detect_language
from rag.models import DatedBy
from rag.text import word_count

_HTML = (".html", ".htm")
_TEXT_KINDS = (".md", ".markdown", ".txt", *_HTML)
_PLAIN = ".txt"
_ENOUGH_WORDS = 10
"""Words that tell a language; titles and notices of fewer were taken for Swedish or Irish."""
_NOTE = "SOURCE.md"
"""Our own note beside a corpus: where it comes from."""
# In capitals with the name of a licence, else alone: "copying-data.md" is about something.
_LICENCE = re.compile(
    r"^(?:(?:LICEN[CS]E|COPYING)(?:[.-][\w.+-]*)?|(?i:licen[cs]e|copying)(?:\.\w+)?)$"
)
_FOLDER_PAGES = ("index", "_index", "readme")
_LICENCES = "LICENSES"
"""The folder of licence texts after the REUSE specification."""
_ITEM = re.compile(r"^\s*(?:[-*+•–]|\d{1,3}[.)])\s+\S")
_MARKDOWN = re.compile(r"^#{1,6} \S", re.MULTILINE)
"""A heading that tells Markdown from plain text."""
_EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def folder_files(path: Path) -> list[Path]:
    """Every file below a folder, hidden ones left out, in a fixed order."""
    if path.is_file():
        return [path]
    return [
        each
        for each in sorted(path.rglob("*"))
        if each.is_file()
        and not each.is_symlink()
        and not any(part.startswith(".") for part in each.relative_to(path).parts)
    ]


class FolderReader:
    """Reads a folder, or what was fetched of a site or record, one file at a time."""

    def __init__(self, source: Source):
        """List the files; none is opened yet."""
        self._source = source
        self._fetched = {each.path: each for each in source.files or ()}
        self.files: dict[str, Path]
        """Each path with the file it stands for."""
        if source.files is not None:
            self.files = {each.path: each.file for each in source.files}
            self.paths = tuple(self.files)
            return
        root = source.path if source.path.is_dir() else source.path.parent
        found = [(path.relative_to(root), path) for path in folder_files(source.path)]
        self.files = {shown_path(relative): path for relative, path in found}
        self._unprintable = {
            shown_path(relative) for relative, _ in found if not str(relative).isprintable()
        }
        self.paths = tuple(self.files)

    def read(self, path: str) -> Loaded:
        """Read one of `paths`; what cannot be read is a problem in the result."""
        if path in self._fetched:
            return self._filed(self._read_fetched(self._fetched[path]), path)
        if path in self._unprintable:
            return Loaded(problems=[Problem(path, "its name holds what cannot be printed")])
        reason = _no_document(path)
        if reason:
            return Loaded(skipped=[Skipped(path, reason)])
        address = self._source.address
        url = f"{address}/{quote(path)}" if address else None
        return self._filed(read_file(self.files[path], path, self._source, url), path)

    def _read_fetched(self, fetched: SourceFile) -> Loaded:
        """Read a file that was fetched; what is known of it beside its bytes counts."""
        source = replace(
            self._source,
            licence=fetched.licence or self._source.licence,
            language=fetched.language or self._source.language,
        )
        dated_by_itself = fetched.published if fetched.dated_by == "page" else None
        if fetched.published:
            source = replace(source, published=fetched.published)
        loaded = read_file(fetched.file, fetched.path, source, fetched.url, date=dated_by_itself)
        documents = [
            replace(
                each,
                title=fetched.title or each.title,
                licence=source.licence,
                record=fetched.record,
                # The date of a record is that of its publication.
                dated_by=None if fetched.record else each.dated_by,
                version=fetched.record.version if fetched.record else None,
                doi=fetched.record.doi if fetched.record else each.doi,
                sha256=fingerprint(each.sha256, fetched.title, source.licence, fetched.record),
            )
            for each in loaded.documents
        ]
        return replace(loaded, documents=documents)

    def _filed(self, loaded: Loaded, path: str) -> Loaded:
        """File documents under their folder, and list what they link."""
        address = self._source.address
        folders = PurePath(path).parts[:-1]
        topic = folders[0] if folders and self._source.kind != "zenodo" else None
        filed = [replace(each, topic=topic) for each in loaded.documents]
        documents = [
            replace(
                each, mentions=mentions_of(each, address), sha256=fingerprint(each.sha256, topic)
            )
            for each in filed
        ]
        return replace(loaded, documents=documents)


def join_files(read: Sequence[Loaded], source: Source) -> list[Loaded]:
    """Leave out what a site of HTML files prints on many of its pages."""
    pages = [
        document
        for loaded in read
        for document in loaded.documents
        if document.path.lower().endswith(_HTML) and not document.placeholder
    ]
    own = without_repeats([page.sections for page in pages])
    changed = {
        page.path: sections
        for page, sections in zip(pages, own, strict=True)
        if sections != page.sections
    }
    return [_without(loaded, changed, source) for loaded in read]


def _without(loaded: Loaded, changed: Mapping[str, tuple[Section, ...]], source: Source) -> Loaded:
    documents, skipped = [], list(loaded.skipped)
    for document in loaded.documents:
        sections = changed.get(document.path, document.sections)
        if document.path not in changed:
            documents.append(document)
        elif sections:
            own = replace(
                document, sections=sections, sha256=fingerprint(document.sha256, sections)
            )
            documents.append(replace(own, mentions=mentions_of(own, source.address)))
        else:
            skipped.append(Skipped(document.path, NO_TEXT))
    return replace(loaded, documents=documents, skipped=skipped)


def shown_path(path: PurePath) -> str:
    """A path as it is reported; what cannot be printed is written out."""
    text = path.as_posix()
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def fill_languages(read: Sequence[Loaded]) -> list[Loaded]:
    """Give every document without a language that of its text.

    A few words, or a name, look like any language: such a document is taken to
    be in the language most others of its source are in. Not a reader's work,
    as the model that tells languages takes longer to start than a reader does.
    """
    found: dict[str, str] = {}
    for document in (document for loaded in read for document in loaded.documents):
        if document.language:
            found[document.path] = document.language
        elif word_count(document.text) >= _ENOUGH_WORDS:
            found[document.path] = detect_language(document.text)
    most = Counter(found.values()).most_common(1)

    def filled(document: Document) -> Document:
        language = found.get(document.path) or (
            most[0][0] if most else detect_language(document.text or document.title)
        )
        return replace(document, language=language)

    return [
        replace(loaded, documents=[filled(document) for document in loaded.documents])
        for loaded in read
    ]


def read_file(
    path: Path, relative: str, source: Source, url: str | None, *, date: str | None = None
) -> Loaded:
    """Read one file as a document by itself; what cannot be read is a problem in the result.

    Args:
        path: The file.
        relative: Its path in the source.
        source: What it belongs to.
        url: Its own address, where it has one.
        date: ISO date of its last change, where that is known.
    """
    if path.suffix.lower() == ".pdf":
        # A third of what a worker loads to start, and most sources hold no PDF.
        from ingest.loaders.pdf import read_pdf

        loaded = read_pdf(path, relative, source, url, published=date or source.published)
        return replace(loaded, documents=[_dated(each, date) for each in loaded.documents])
    try:
        front, reading = _parse(path)
    except UnreadableDocument as error:
        return Loaded(problems=[Problem(relative, str(error))])
    except RecursionError:
        return Loaded(problems=[Problem(relative, "nested too deeply")])
    title = reading.title or _file_title(relative)
    sections = reading.sections
    written = bool(own_blocks(sections))
    reason = _not_content(PurePath(relative), reading)
    if reason:
        return Loaded(skipped=[Skipped(relative, reason)])
    own_date = date or given_date(front)
    published = own_date or source.published
    document = Document(
        document_id=f"{source.name}:{relative}",
        source=source.name,
        path=relative,
        title=title,
        url=url,
        language=source.language or "",
        sha256=fingerprint(title, url, sections, published, source.licence),
        sections=sections if written else (),
        placeholder=not written,
        published=published,
        licence=source.licence,
    )
    return Loaded(documents=[_dated(document, own_date)])


def _file_title(relative: str) -> str:
    """What a file without a title is called; the page of a folder like its folder."""
    path = PurePath(relative)
    named = path.parent.name if path.stem.lower() in _FOLDER_PAGES else ""
    return named or path.stem


def _dated(document: Document, own_date: str | None) -> Document:
    """Say whether a document's date is its own or that of its source."""
    dated_by: DatedBy | None = "page" if own_date else "snapshot" if document.published else None
    return replace(document, dated_by=dated_by, sha256=fingerprint(document.sha256, dated_by))


def _no_document(relative: str) -> str | None:
    """Why a file is not read, judged by its name; None where it is."""
    path = PurePath(relative)
    if relative == _NOTE:
        return "a note about the source"
    if _LICENCE.match(path.name) or _LICENCES in path.parts[:-1]:
        return "a licence text"
    suffix = path.suffix.lower()
    if suffix in (".pdf", *_TEXT_KINDS, *OFFICE_SUFFIXES):
        return None
    return f"unknown type {suffix or '(no suffix)'}"


def _not_content(path: PurePath, reading: Reading) -> str | None:
    """Why a file is left out, judged by what it says; a page of a site as a site judges it."""
    if path.suffix.lower() in _HTML:
        return no_content_by_name(path.stem) or no_content(reading)
    written = any(section.blocks for section in reading.sections)
    return None if written or reading.notice else NO_TEXT


def _parse(path: Path) -> tuple[dict[str, Any] | None, Reading]:
    """The front matter of a file, and what it says."""
    suffix = path.suffix.lower()
    if suffix in OFFICE_SUFFIXES:
        return None, read_office(path)
    front, body = split_front_matter(read_text_file(path))
    title = given_title(front)
    if suffix in _HTML:
        reading = read_page(body)
        return front, replace(reading, title=title or reading.title)
    plain = suffix == _PLAIN and front is None and not _MARKDOWN.search(body)
    soup = parse_html(_paragraphs(body)) if plain else to_soup(body)
    return front, read_sections(soup.body or soup, title)


def _paragraphs(text: str) -> str:
    """Plain text as HTML: empty lines part paragraphs, list items stand for themselves."""
    blocks: list[str] = []
    for paragraph in _EMPTY_LINES.split(text):
        begins = True
        for line in paragraph.splitlines():
            if begins or _ITEM.match(line):
                blocks.append(line)
            else:
                blocks[-1] += f"\n{line}"
            begins = False
    return "".join(f"<p>{html.escape(block)}</p>" for block in blocks)
