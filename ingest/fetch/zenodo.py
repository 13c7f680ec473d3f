"""The newest version of Zenodo records: their documents, their abstracts, what they say of both.

What a record holds is read from its newest version alone, so that nothing that
has been replaced is cited as current. Of what stands on Zenodo's own pages
nothing is read: an abstract's page is written here, from the record.
"""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ingest.fetch.downloads import Downloads
from ingest.fetch.zenodo_records import (
    MAX_RECORDS,
    SANDBOX,
    ClientRefused,
    Closed,
    Zenodo,
    ZenodoAddress,
    ZenodoFile,
    ZenodoRecord,
    check_status,
    deliverable_number,
)
from ingest.models import Fetched, Problem, Remote, Skipped, Source, SourceFile
from rag.errors import SourceUnavailable
from rag.models import Record
from rag.text import letters_digits

MAX_MEGABYTES = 150
"""Of one file. The reports among our corpora stay below 5 MB."""
_LANDING = "record.html"
_UNREAD = ""
"""Stands for the id of a version that is there and may not be read."""
_PDF = ".pdf"
_TEXTS = (".docx", ".odt", ".epub", ".md", ".html", ".htm", ".txt")
"""What is read of a record without PDF; of several formats of one text the first."""
_PAGES = (".html", ".htm")
_ATTEMPTS = 2
_HEAD = 1024
"""Bytes within which a PDF has to say that it is one."""
_HTML = (b"<!doctype html", b"<html")
_TAG = re.compile(r"<[^<>]*>")
_CHECKSUM = re.compile(r"(?:md5:)?([0-9a-f]{32})", re.IGNORECASE)


@dataclass
class _Haul:
    """What is brought home; filled while records are read."""

    files: list[SourceFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


def fetch_zenodo(remote: Remote, zenodo: Zenodo, downloads: Downloads) -> Fetched:
    """Fetch a record, or the records of a community or search, as they stand.

    A file that was fetched before is not asked for again: a version's files do
    not change, and their checksums say so. What cannot be had of one record
    among many is a problem of that record; its path then ends in a slash and
    stands for all of the record's files.

    Args:
        remote: Its address is of any form that `ZenodoAddress` reads.
        zenodo: The service that stands for Zenodo.
        downloads: Where the files are kept.

    Raises:
        SourceUnavailable: The address names nothing, its one record is gone or
            may not be read, or the service fails or turns us away.
    """
    address = ZenodoAddress.parse(remote.address, zenodo.base)
    if address.sandbox:
        zenodo = Zenodo(zenodo.client, SANDBOX)
    haul = _Haul()
    if address.record_id is not None:
        record = _RecordFetcher(remote, zenodo, downloads, haul).fetch_newest(
            zenodo.record(address.record_id), ""
        )
        if address.record_id not in (record.id, record.concept_id):
            newer = f"replaced by its newer version {record.id}, which is read"
            haul.skipped.append(Skipped(f"record {address.record_id}", newer))
    else:
        _fetch_all(remote, address, zenodo, downloads, haul)
    source = Source(
        name=remote.name,
        kind="zenodo",
        path=downloads.directory,
        licence=remote.licence,
        language=remote.language,
        files=tuple(haul.files),
    )
    return Fetched(source, tuple(haul.skipped), tuple(haul.problems), tuple(haul.records))


def _fetch_all(
    remote: Remote, address: ZenodoAddress, zenodo: Zenodo, downloads: Downloads, haul: _Haul
) -> None:
    """Fetch what a search finds, each record in a folder of its concept's id."""
    found = zenodo.search(address.search)
    haul.problems.extend(Problem(f"{concept}/", what) for concept, what in found.unreadable)
    if found.left_out:
        count = len(found.records) + len(found.unreadable)
        haul.problems.append(
            Problem(
                remote.address,
                f"{found.left_out} more records were found than the {count} that are read;"
                f" the limit is {MAX_RECORDS}",
            )
        )
    fetcher = _RecordFetcher(remote, zenodo, downloads, haul)
    for record in sorted(found.records, key=lambda record: int(record.concept_id)):
        folder = f"{record.concept_id}/"
        try:
            fetcher.fetch_newest(record, folder)
        except ClientRefused:
            raise
        except SourceUnavailable as error:
            haul.problems.append(Problem(folder, str(error)))


@dataclass(frozen=True)
class _RecordFetcher:
    """Brings home what one version holds."""

    remote: Remote
    zenodo: Zenodo
    downloads: Downloads
    haul: _Haul

    def fetch_newest(self, record: ZenodoRecord, folder: str) -> ZenodoRecord:
        """Add what the newest version of a record holds; returns that version.

        One that nobody may read has replaced the others all the same.
        """
        try:
            newest = self.zenodo.newest(record)
        except Closed as error:
            told = f"has been replaced, and {error}"
            self.haul.problems.append(Problem(folder or f"record {record.id}", told))
            facts = record.facts(self.zenodo.landing(record))
            self.haul.records.append(replace(facts, record_id=_UNREAD))
            return record
        if newest.concept_id != record.concept_id:
            raise SourceUnavailable(
                f"the newest version of record {record.id} belongs to another one, {newest.id}"
            )
        self.fetch(newest, folder)
        return newest

    def fetch(self, record: ZenodoRecord, folder: str) -> None:
        """Add a record's abstract and documents.

        Args:
            record: The newest version.
            folder: Before the paths of its files, with a slash; empty: there is one record.

        Raises:
            ClientRefused: The service turned us away.
        """
        landing = self.zenodo.landing(record)
        facts = record.facts(landing)
        self.haul.records.append(facts)
        shared = SourceFile(
            path="",
            file=Path(),
            url=None,
            title=record.title,
            language=record.language or self.remote.language,
            published=record.published,
            dated_by="page" if record.published else None,
            licence=record.licence or self.remote.licence,
            record=facts,
        )
        paths = {f"{folder}{_LANDING}"}
        if _has_text(record.metadata.description or ""):
            page = self.downloads.keep(_landing_page(record).encode(), ".html")
            self._add(shared, f"{folder}{_LANDING}", page, landing)
        else:
            self.haul.skipped.append(Skipped(f"{folder}{_LANDING}", "no abstract"))
        if closed := _closed(record):
            self.haul.skipped.append(Skipped(f"{folder}record {record.id}", closed))
            return
        files = sorted(record.files, key=lambda file: file.key)
        wanted, unread = _choose(files)
        main = _main(facts, wanted)
        for file in files:
            path = _unused(f"{folder}{_clean(file.key)}", folder, paths)
            paths.add(path)
            if file.key in unread:
                self.haul.skipped.append(Skipped(path, unread[file.key]))
                continue
            name = self._content(record, file, path)
            if name:
                stem = " ".join(PurePosixPath(_clean(file.key)).stem.split())
                title = record.title if file.key == main else f"{record.title}: {stem}"
                url = f"{landing}/files/{file.quoted}"
                self._add(replace(shared, title=title), path, name, url)

    def _add(self, shared: SourceFile, path: str, name: str, url: str) -> None:
        stored = self.downloads.path(name)
        self.downloads.touch(stored)
        self.haul.files.append(replace(shared, path=path, file=stored, url=url))

    def _content(self, record: ZenodoRecord, file: ZenodoFile, path: str) -> str | None:
        """The stored name of a file's bytes; None: they cannot be had, and a problem says why."""
        key = f"{record.id}/{file.key}/{file.checksum or file.size}"
        if stored := self.downloads.file(key):
            return stored
        address = self.zenodo.content(record, file)
        if not self.zenodo.serves(address):
            self.haul.problems.append(Problem(path, f"lies elsewhere than at {self.zenodo.base}"))
            return None
        wrong = ""
        for _ in range(_ATTEMPTS):
            with self.downloads.draft() as draft:
                try:
                    reply = self.zenodo.client.get(
                        address,
                        {"Accept": "*/*"},
                        into=draft,
                        megabytes=MAX_MEGABYTES,
                        same_host=True,
                    )
                    check_status(reply, "the file")
                except ClientRefused:
                    raise
                except SourceUnavailable as error:
                    wrong = str(error)
                    break
                wrong = _wrong(draft, file)
                if not wrong:
                    name = self.downloads.adopt(draft, _suffix(file))
                    self.downloads.file_as(key, name)
                    return name
        self.haul.problems.append(Problem(path, wrong))
        return None


def _closed(record: ZenodoRecord) -> str | None:
    """Why a record's files cannot be read; None: they can."""
    match record.access:
        case "restricted":
            return "restricted: only its abstract is read"
        case "embargoed":
            until = record.metadata.embargo_date
            return f"embargoed{f' until {until}' if until else ''}: only its abstract is read"
    return None if record.files else "has no files: only its abstract is read"


def _choose(files: list[ZenodoFile]) -> tuple[list[ZenodoFile], dict[str, str]]:
    """The files to read, and the reasons against the others by their key."""
    suffixes = {_suffix(file) for file in files}
    chosen: dict[str, ZenodoFile] = {}
    for file in sorted(files, key=_preference):
        if _suffix(file) == _PDF:
            chosen[file.key] = file
        elif _PDF not in suffixes and _suffix(file) in _TEXTS:
            chosen.setdefault(str(PurePosixPath(file.key).with_suffix("")), file)
    wanted: list[ZenodoFile] = []
    unread: dict[str, str] = {}
    for file in files:
        if file not in chosen.values():
            unread[file.key] = _reason(file, _PDF in suffixes)
        elif (file.size or 0) > MAX_MEGABYTES * 2**20:
            size = (file.size or 0) // 2**20
            unread[file.key] = f"too large: {size} MB, the limit is {MAX_MEGABYTES} MB"
        else:
            wanted.append(file)
    return wanted, unread


def _preference(file: ZenodoFile) -> tuple[int, str]:
    suffix = _suffix(file)
    return (_TEXTS.index(suffix) if suffix in _TEXTS else len(_TEXTS), file.key)


def _reason(file: ZenodoFile, has_pdf: bool) -> str:
    suffix = _suffix(file)
    if suffix not in _TEXTS:
        return f"no document: {suffix or 'files without suffix'} cannot be read"
    return "the record's PDF is read" if has_pdf else "the same is read in another format"


def _main(facts: Record, files: list[ZenodoFile]) -> str | None:
    """Key of the file that the record is about, whose title is the record's own.

    It is the only one, or the only one that carries the record's number or
    title in its name.
    """
    keys = [file.key for file in files]
    if len(keys) == 1:
        return keys[0]
    title = letters_digits(facts.title)
    number = (facts.deliverable or "").rpartition(" ")[2]
    named = [
        key
        for key in keys
        if title in letters_digits(key)
        or (number and (deliverable_number(key) or "").rpartition(" ")[2] == number)
    ]
    return named[0] if len(named) == 1 else None


def _wrong(file: Path, stated: ZenodoFile) -> str:
    """What is wrong with the bytes that came, on one line; empty: nothing."""
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    size = file.stat().st_size
    checksum = _CHECKSUM.fullmatch(stated.checksum or "")
    sound = checksum is not None and checksum[1].lower() == digest
    if not sound and _suffix(stated) not in _PAGES and head.lstrip().lower().startswith(_HTML):
        return "a page of HTML came in its place"
    if stated.size is not None and size != stated.size:
        return f"{size} bytes came instead of {stated.size}"
    if checksum is not None and not sound:
        return "its bytes do not match the record's checksum"
    if _suffix(stated) == _PDF and b"%PDF-" not in head:
        return "is named a PDF and is none"
    return ""


def _suffix(file: ZenodoFile) -> str:
    return PurePosixPath(file.key.rstrip()).suffix.lower()


def _clean(key: str) -> str:
    """A file's name as a path below its record, whatever its author typed."""
    printable = "".join(letter if letter.isprintable() else " " for letter in key).strip()
    return "/".join(part for part in printable.split("/") if part not in ("", ".", ".."))


def _unused(path: str, folder: str, used: set[str]) -> str:
    """A path that no other file of the record has, nor its abstract."""
    while path in used:
        path = f"{folder}files/{path.removeprefix(folder)}"
    return path


def _has_text(markup: str) -> bool:
    return any(letter.isalnum() for letter in html.unescape(_TAG.sub(" ", markup)))


def _landing_page(record: ZenodoRecord) -> str:
    """A page of our own with a record's title and abstract.

    The abstract stands as its authors wrote it; it is taken apart where all
    fetched files are, behind the sandbox.
    """
    language = f' lang="{record.language}"' if record.language else ""
    title = html.escape(record.title)
    return (
        f'<!doctype html>\n<html{language}>\n<head><meta charset="utf-8">'
        f"<title>{title}</title></head>\n<body><main>\n<h1>{title}</h1>\n"
        f"{record.metadata.description or ''}\n</main></body>\n</html>\n"
    )
