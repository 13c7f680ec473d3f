"""What is assumed of Zenodo: its records, versions, limits, old addresses and files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ingest.assumed.service import JSON, Different, Service, at, items, media_type, parsed
from ingest.check import Check
from ingest.fetch.client import Reply
from ingest.fetch.zenodo_records import PAGE_SIZE, ZenodoAddress, ZenodoFile
from ingest.sources import ListedSource
from rag.errors import SourceUnavailable

_SMALL = 5_000_000
"""Bytes of the largest file that is fetched in order to be checked."""
_MD5 = re.compile(r"md5:[0-9a-f]{32}")
_BARE_MD5 = re.compile(r"[0-9a-f]{32}")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
_LIMITS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")

_Test = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and value.isdecimal()


def _is_doi(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("10.")


def _all_have(*names: str) -> _Test:
    return lambda value: (
        isinstance(value, list)
        and all(
            isinstance(each, dict) and all(_is_text(each.get(name)) for name in names)
            for each in value
        )
    )


_REQUIRED: tuple[tuple[str, _Test, str], ...] = (
    ("id", _is_number, "an integer"),
    ("conceptrecid", _is_digits, "a string of digits"),
    ("doi", _is_doi, "a bare DOI"),
    ("metadata.title", _is_text, "a text"),
    (
        "metadata.publication_date",
        lambda value: _is_text(value) and bool(_DATE.fullmatch(value.rpartition("/")[2])),
        "an ISO date",
    ),
    (
        "metadata.access_right",
        lambda value: value in ("open", "restricted", "embargoed"),
        "one of open, restricted and embargoed",
    ),
    ("metadata.creators", _all_have("name"), "a list of objects with a name"),
    (
        "metadata.relations.version",
        lambda value: isinstance(value, list) and len(value) == 1,
        "a list of one object",
    ),
    ("metadata.relations.version.0.index", _is_number, "an integer"),
    ("metadata.relations.version.0.is_last", lambda value: isinstance(value, bool), "a boolean"),
    ("metadata.relations.version.0.parent.pid_value", _is_digits, "a string of digits"),
    ("links.self_html", _is_text, "an address"),
    ("files", lambda value: isinstance(value, list), "a list"),
)
"""Where something is in a record, and what it has to be."""
_OPTIONAL: tuple[tuple[str, _Test, str], ...] = (
    ("conceptdoi", _is_doi, "a bare DOI"),
    ("metadata.version", _is_text, "a text"),
    ("metadata.description", lambda value: isinstance(value, str), "a text"),
    (
        "metadata.language",
        lambda value: _is_text(value) and len(value) == 3,
        "a code of three letters",
    ),
    (
        "metadata.license.id",
        lambda value: _is_text(value) and value == value.lower(),
        "an id in lower case",
    ),
    (
        "metadata.related_identifiers",
        _all_have("identifier", "relation"),
        "a list of objects with identifier and relation",
    ),
)
"""The same of what a record need not have."""


def check_zenodo(base: str, record_id: str, service: Service) -> Iterator[Check]:
    """Check a record, its versions, what leads to them, and a file.

    Args:
        base: Address of the service.
        record_id: Of any version, or of a concept.
        service: Asks.

    Raises:
        SourceUnavailable: It does not answer, or turns us away.
        Different: It answers so differently that nothing more can be asked.
    """
    return _Zenodo(base, record_id, service).checks()


class _Zenodo:
    def __init__(self, base: str, record_id: str, service: Service):
        self._base = base
        self._asked_for = record_id
        self._service = service
        self._newest: dict[str, Any] = {}
        """The first of the list of versions."""

    def checks(self) -> Iterator[Check]:
        told, what = self._service.told, f"record {self._asked_for}"
        reply, record = self._service.json(what, f"{self._base}/api/records/{self._asked_for}")
        if not isinstance(record, dict):
            raise Different(f"{what} is no JSON object any more")
        self._record = record
        self._id = str(record.get("id") or self._asked_for)
        self._concept = str(
            record.get("conceptrecid")
            or at(record, "metadata.relations.version.0.parent.pid_value")
            or self._id
        )
        yield from told(f"record {self._id} has the shape that is read", self._shape)
        files = items(record.get("files"))
        if files:
            fine = f"its {len(files)} files are described as they are read"
            yield from told(fine, lambda: _file_faults(self._base, self._id, files))
        yield from told("its rate limits are told", lambda: _limit_faults(reply))
        yield from told("its versions are listed, newest first", self._versions)
        yield from told("its concept leads to the newest version", self._leads_to_newest)
        yield from told(f"more than {PAGE_SIZE} on a page are refused", self._too_many)
        yield from told("a search finds it", self._search)
        yield from told("old addresses of records lead to new ones", self._old_address)
        yield from self._bytes()

    def _shape(self) -> Iterator[str]:
        for path, test, kind in _REQUIRED:
            value = at(self._record, path)
            if value is None:
                yield f"{path} is missing"
            elif not test(value):
                yield f"{path} is not {kind} any more"
        for path, test, kind in _OPTIONAL:
            value = at(self._record, path)
            if value is not None and not test(value):
                yield f"{path} is not {kind} any more"
        parent = at(self._record, "metadata.relations.version.0.parent.pid_value")
        if parent is not None and parent != self._record.get("conceptrecid"):
            yield "metadata.relations.version[0].parent.pid_value is not conceptrecid any more"
        page = at(self._record, "links.self_html")
        if page is not None and page != f"{self._base}/records/{self._id}":
            yield f"links.self_html is not the address /records/{self._id} any more"

    def _versions(self) -> Iterator[str]:
        what = f"the list of versions of record {self._id}"
        start = f"{self._base}/api/records/{self._id}/versions"
        hits, faults = self._listed(what, f"{start}?page=1&size={PAGE_SIZE}")
        yield from faults
        if not hits:
            return
        self._newest = hits[0]
        orders = [at(hit, "metadata.relations.version.0.index") for hit in hits]
        known = [order for order in orders if _is_number(order)]
        if known != sorted(known, reverse=True):
            yield "the list of versions is not in the order newest first any more"
        last = [at(hit, "metadata.relations.version.0.is_last") for hit in hits]
        if last != [True] + [False] * (len(hits) - 1):
            yield "is_last is not true of the first in the list of versions, and of it alone"
        if len(hits) > 1:
            yield from self._next_page(what, start, hits)

    def _next_page(self, what: str, start: str, hits: Sequence[Any]) -> Iterator[str]:
        _, said = self._service.json(what, f"{start}?page=1&size=1")
        following = at(said, "links.next")
        if not _is_text(following):
            yield "links.next is missing in a list that goes on"
            return
        if not following.startswith(f"{self._base}/"):
            yield "links.next leads to another host"
            return
        _, said = self._service.json(f"the second page of {what}", following)
        if at(said, "hits.hits.0.id") != at(hits[1], "id"):
            yield "links.next does not lead to the next version"

    def _leads_to_newest(self) -> Iterator[str]:
        newest = self._newest.get("id")
        for what, path in (
            (f"concept {self._concept}", self._concept),
            ("versions/latest", f"{self._id}/versions/latest"),
        ):
            if path == self._id:
                yield "conceptrecid is the id of a version"
                continue
            reply, said = self._service.json(what, f"{self._base}/api/records/{path}")
            if not reply.redirects:
                yield f"{what} answers by itself instead of leading to the newest version"
            if newest is not None and at(said, "id") != newest:
                yield f"{what} does not lead to the newest version"

    def _too_many(self) -> Iterator[str]:
        size = PAGE_SIZE + 1
        what = f"a page of {size} versions"
        address = f"{self._base}/api/records/{self._id}/versions?page=1&size={size}"
        reply = self._service.get(what, address, JSON, same_host=True)
        if reply.status != 400:
            yield f"size={size} is answered with {reply.status} instead of refused with 400"
        elif not _is_text(at(parsed("a refusal", reply), "message")):
            yield "a refusal has no message any more"

    def _search(self) -> Iterator[str]:
        what = f"a search for conceptrecid:{self._concept}"
        query = f"q=conceptrecid:{self._concept}&sort=mostrecent&page=1&size=1"
        hits, faults = self._listed(what, f"{self._base}/api/records?{query}")
        yield from faults
        if hits and at(hits[0], "conceptrecid") != self._concept:
            yield f"{what} finds another record"
        elif hits and self._newest and hits[0].get("id") != self._newest.get("id"):
            yield f"{what} does not find the newest version"

    def _listed(self, what: str, address: str) -> tuple[list[Any], list[str]]:
        _, said = self._service.json(what, address)
        hits = at(said, "hits.hits")
        faults = []
        if not isinstance(hits, list) or not all(isinstance(hit, dict) for hit in hits):
            raise Different(f"{what} has no records at hits.hits any more")
        if not _is_number(at(said, "hits.total")):
            faults.append("hits.total is not an integer any more")
        if not hits:
            faults.append(f"{what} is empty")
        return hits, faults

    def _old_address(self) -> Iterator[str]:
        what = f"the old address /record/{self._id}"
        reply = self._service.get(what, f"{self._base}/record/{self._id}", same_host=True)
        if reply.status != 200:
            yield f"{what} answers {reply.status}"
        elif urlsplit(reply.url).path != f"/records/{self._id}":
            yield f"{what} leads to {urlsplit(reply.url).path} instead of /records/{self._id}"
        elif media_type(reply) != "text/html":
            yield f"the page of a record is {media_type(reply)} instead of text/html"

    def _bytes(self) -> Iterator[Check]:
        files = [
            file
            for record in (self._record, self._newest)
            for file in items(record.get("files"))
            if _is_number(at(file, "size")) and 0 < file["size"] <= _SMALL
            if _is_text(at(file, "links.self")) and _is_text(at(file, "key"))
        ]
        if not files:
            said = f"no file of at most {_SMALL // 10**6} MB is there to be tried"
            yield Check(self._service.name, "note", said)
            return
        file = min(files, key=lambda file: file["size"])
        yield from self._service.told(
            "a file has the bytes that are stated", lambda: self._byte_faults(file)
        )

    def _byte_faults(self, file: Mapping[str, Any]) -> Iterator[str]:
        what = f"the file {file['key'][:80]}"
        if not file["links"]["self"].startswith(f"{self._base}/"):
            yield "files[].links.self leads to another host"
            return
        reply = self._service.get(
            what,
            file["links"]["self"],
            {"Accept": "*/*"},
            megabytes=2 * _SMALL // 10**6,
            same_host=True,
        )
        if reply.status != 200:
            yield f"{what} answers {reply.status}"
            return
        if media_type(reply) != "application/octet-stream":
            yield f"files are sent as {media_type(reply)} instead of application/octet-stream"
        if len(reply.body) != file["size"]:
            yield f"{what} has {len(reply.body)} bytes where files[].size says {file['size']}"
        digest = hashlib.md5(reply.body, usedforsecurity=False).hexdigest()
        if not str(file.get("checksum")).endswith(digest):
            yield f"{what} does not match files[].checksum"


def _file_faults(base: str, record_id: str, files: Iterable[Any]) -> Iterator[str]:
    for file in files:
        key, checksum, address = (at(file, path) for path in ("key", "checksum", "links.self"))
        if not _is_text(key):
            yield "files[].key is not a text any more"
        if not _is_number(at(file, "size")):
            yield "files[].size is not an integer any more"
        if isinstance(checksum, str) and _BARE_MD5.fullmatch(checksum):
            yield "files[].checksum has no md5: prefix any more"
        elif not (isinstance(checksum, str) and _MD5.fullmatch(checksum)):
            yield "files[].checksum is not md5: and 32 digits any more"
        if not _is_text(address):
            yield "files[].links.self is not an address any more"
        elif not address.endswith("/content"):
            yield "files[].links.self does not end in /content any more"
        elif _is_text(key):
            quoted = ZenodoFile(filename=key).quoted
            if address != f"{base}/api/records/{record_id}/files/{quoted}/content":
                yield "files[].links.self spells the name of the file in another way"


def _limit_faults(reply: Reply) -> Iterator[str]:
    for name in _LIMITS:
        if not reply.headers.get(name, "").strip().isdecimal():
            yield f"the header {name} is not sent any more"


def record_of(source: ListedSource, zenodo: str) -> str | None:
    """The record that a source names; None for a community, a search, or no Zenodo at all."""
    if source.kind != "zenodo" or not source.address:
        return None
    try:
        address = ZenodoAddress.parse(source.address, zenodo)
    except SourceUnavailable:
        return None
    return None if address.sandbox else address.record_id
