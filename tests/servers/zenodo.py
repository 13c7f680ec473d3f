"""A Zenodo on this machine: its read API and landing pages, with records that a test invents.

Made after what is known of the real one: addresses and redirects with their
codes, the shape of a record, versions, search, limits, and the ways in which
it says no.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from servers.running import Handler, RunningServer

BANNER = "Planned intervention: this invented Zenodo rests on Thursday from 8 to 9."
_UNQUOTED = "/!$&'()*+,;=:@"
_LIBRARIES = re.compile(
    r"(?:python-|httpx|httpcore|aiohttp|urllib|curl|wget|go-http|java|okhttp|node)", re.IGNORECASE
)
_MINUTE = 60.0


@dataclass(frozen=True)
class ServedFile:
    """A file of a record."""

    key: str
    content: bytes
    size: int | None = None
    """Stated instead of the true one."""
    checksum: str | None = None
    """Stated instead of the true one; empty: none is stated."""
    instead: bytes | None = None
    """Sent in place of the content."""
    times: int = -1
    """How often `instead` is sent; -1: always."""


@dataclass(frozen=True)
class ServedRecord:
    """One version."""

    record_id: int
    concept_id: int
    title: str
    files: tuple[ServedFile, ...] = ()
    description: str | None = "<p>An invented abstract.</p>"
    version: str | None = "v1"
    published: str = "2023-10-31"
    language: str | None = "eng"
    licence: str | None = "cc-by-4.0"
    access: str = "open"
    embargo: str | None = None
    creators: tuple[tuple[str, str | None], ...] = (("Example, Ada", "Example Institute"),)
    communities: tuple[str, ...] = ()
    related: tuple[tuple[str, str, str], ...] = ()
    """Relation, identifier, scheme."""
    removed: str | None = None
    """Why it was deleted: the tombstone's reason."""


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    path: str
    """With its query, as sent."""
    headers: Mapping[str, str]
    """Names in lower case."""


@dataclass
class _Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def _json(content: object, status: int = 200, **headers: str) -> _Answer:
    return _Answer(
        status, json.dumps(content).encode(), {"Content-Type": "application/json"} | headers
    )


def _refusal(status: int, message: str, **more: object) -> _Answer:
    return _json({"status": status, "message": message, **more}, status)


def _page(title: str, text: str, status: int = 200) -> _Answer:
    body = (
        f"<!doctype html><html><head><title>{html.escape(title)}</title></head><body>"
        f'<div class="banner">{BANNER}</div><h1>{html.escape(title)}</h1>{text}</body></html>'
    )
    return _Answer(status, body.encode(), {"Content-Type": "text/html; charset=utf-8"})


def _moved(status: int, location: str) -> _Answer:
    return _Answer(status, b"", {"Location": location})


class ZenodoServer(RunningServer):
    """Serves records on 127.0.0.1; add, change and delete them while it runs."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.base = self.address
        self.records: dict[int, ServedRecord] = {}
        self.reserved: set[int] = set()
        """Ids that were given and not published."""
        self.requests: list[Asked] = []
        self.waits: list[float] = []
        """What clients waited that were given `sleep`."""
        self.per_minute: int | None = None
        """Requests that a guest may make; None: any number."""
        self.searches_per_minute = 30
        self.retry_after = True
        """Whether a 429 carries Retry-After beside X-RateLimit-Reset."""
        self.absolute = False
        """Whether the redirect of a concept's id names the host."""
        self._failures: dict[str, list[_Answer]] = {}
        self._sent_instead: dict[str, int] = {}
        self._asked_at: dict[str, list[float]] = {}
        self._slept = 0.0
        self._lock = threading.Lock()

    # What a test does with it.

    def add(
        self,
        title: str,
        *,
        record_id: int | None = None,
        concept_id: int | None = None,
        **facts: Any,
    ) -> ServedRecord:
        """Publish a record; with the concept of another as its next version."""
        number = record_id if record_id is not None else 90_000_001 + 10 * len(self.records)
        concept = concept_id if concept_id is not None else number - 1
        record = ServedRecord(number, concept, title, **facts)
        self.records[number] = record
        return record

    def new_version(
        self, concept_id: int, *, record_id: int | None = None, **changes: Any
    ) -> ServedRecord:
        """Publish the next version of a concept: as the one before, but for what changed."""
        before = self._newest(concept_id)
        assert before is not None
        number = record_id if record_id is not None else max(self.records) + 10
        record = replace(before, record_id=number, **changes)
        self.records[number] = record
        return record

    def change(self, record_id: int, **changes: Any) -> ServedRecord:
        """Edit a version's metadata, or close its files."""
        self.records[record_id] = replace(self.records[record_id], **changes)
        return self.records[record_id]

    def delete(self, record_id: int, reason: str = "Withdrawn by its author") -> None:
        """Leave a tombstone."""
        self.change(record_id, removed=reason)

    def seed(
        self, ids: Iterable[int], make: Callable[[int], Mapping[str, Any]] = lambda _: {}
    ) -> None:
        """Publish a record for each id of a list; `make` gives what they hold."""
        for number in ids:
            self.add(**({"title": f"Record {number}", "record_id": number} | dict(make(number))))

    def fail(self, path: str, status: int = 503, times: int = 1, body: bytes = b"") -> None:
        """Answer the next requests for a path, without its query, with a failure."""
        kind = "text/html" if body else "application/json"
        said = body or json.dumps({"status": status, "message": "not now"}).encode()
        answers = [_Answer(status, said, {"Content-Type": kind})] * times
        self._failures.setdefault(path, []).extend(answers)

    def lead_on(self, path: str, location: str, status: int = 302) -> None:
        """Answer the next request for a path with a redirect."""
        self._failures.setdefault(path, []).append(_moved(status, location))

    def sleep(self, seconds: float) -> None:
        """Stand in for a client's sleep: the server's clock moves on instead."""
        self.waits.append(seconds)
        self._slept += seconds

    def asked(self, part: str = "") -> list[str]:
        """Paths that were asked for and contain some text."""
        return [request.path for request in self.requests if part in request.path]

    def downloaded(self) -> list[str]:
        """Names of the files whose bytes were asked for."""
        return [
            unquote(path.removesuffix("/content").rpartition("/files/")[2])
            for path in self.asked("/content")
        ]

    # What it answers.

    def answer(self, target: str, headers: Mapping[str, str]) -> _Answer:
        """The answer to one request."""
        split = urlsplit(target)
        agent = headers.get("user-agent", "")
        if not agent or _LIBRARIES.match(agent):
            text = "<p>Your request looked unusual. Reference: invented. Time: now.</p>"
            return _page("403 Forbidden", text, 403)
        limits, too_many = self._count(split.path)
        if too_many is not None:
            return too_many
        waiting = self._failures.get(split.path)
        answer = waiting.pop(0) if waiting else self._route(split.path, split.query)
        return replace(answer, headers=limits | answer.headers)

    def _count(self, path: str) -> tuple[dict[str, str], _Answer | None]:
        """Rate-limit headers, and the refusal where there were too many."""
        now = time.time() + self._slept
        search = path.rstrip("/") == "/api/records"
        limit = self.searches_per_minute if search else self.per_minute
        if limit is None:
            return {}, None
        times = self._asked_at.setdefault("search" if search else "guest", [])
        times[:] = [at for at in times if at > now - _MINUTE]
        reset = int((times[0] if times else now) + _MINUTE) + 1
        full = len(times) >= limit
        if not full:
            times.append(now)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - len(times)),
            # Clients that were given `sleep` look at a clock that stands still.
            "X-RateLimit-Reset": str(int(reset - self._slept)),
        }
        if not full:
            return headers, None
        if self.retry_after:
            headers["Retry-After"] = str(int(reset - now) + 1)
        refusal = _refusal(429, f"{limit} per 1 minute")
        return headers, replace(refusal, headers=headers | refusal.headers)

    def _route(self, path: str, query: str) -> _Answer:
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        if path == "/api/records/":
            return _moved(301, f"/api/records?{query}")
        if path == "/api/records":
            return self._search(parse_qsl(query))
        if found := re.fullmatch(r"/api/records/(\d+)(/.*)?", path):
            return self._api(int(found[1]), found[2] or "", asked)
        if found := re.fullmatch(r"/record/(\d+)(/files/.*)?", path):
            return _moved(301, f"/records/{found[1]}{found[2] or ''}")
        if found := re.fullmatch(r"/doi/10\.5281/zenodo\.(\d+)", path):
            return _moved(302, f"{self.base}/records/{found[1]}")
        if found := re.fullmatch(r"/records/(\d+)(/.*)?", path):
            return self._landing(int(found[1]), found[2] or "")
        return _page("Page not found", "", 404)

    def _api(self, number: int, rest: str, asked: Mapping[str, str]) -> _Answer:
        record = self.records.get(number)
        if record is None:
            if (newest := self._newest(number)) is None:
                state = "is not registered" if number in self.reserved else "does not exist"
                return _refusal(404, f"The persistent identifier {state}.")
            host = self.base if self.absolute else ""
            return _moved(302, f"{host}/api/records/{newest.record_id}{rest}")
        if rest == "/versions":
            return self._versions(record, asked)
        if rest == "/versions/latest":
            newest = self._newest(record.concept_id)
            if newest is None:
                return self._gone(record)
            location = f"{self.base}/api/records/{newest.record_id}"
            told = {"status": 301, "message": "Redirecting...", "location": location}
            return _json(told, 301, Location=location)
        if record.removed is not None:
            return self._gone(record)
        if not rest:
            shown = json.dumps(self.shown(record)).encode()
            etag = hashlib.sha256(shown).hexdigest()[:16]
            return _Answer(200, shown, {"Content-Type": "application/json", "ETag": f'"{etag}"'})
        if rest == "/files" or rest.startswith("/files/"):
            return self._files(record, rest.removeprefix("/files").removeprefix("/"))
        return _refusal(404, "The requested URL was not found on the server.")

    def _gone(self, record: ServedRecord) -> _Answer:
        tombstone = {
            "removal_reason": {"id": "other", "title": {"en": "Other"}},
            "note": record.removed,
            "removal_date": "2024-01-31T00:00:00+00:00",
            "citation_text": record.title,
            "is_visible": True,
        }
        return _refusal(410, "Record deleted", tombstone=tombstone)

    def _files(self, record: ServedRecord, rest: str) -> _Answer:
        if record.access != "open":
            return _refusal(403, "Permission denied.")
        address = f"{self.base}/api/records/{record.record_id}/files"
        if not rest:
            entries = [
                shown
                | {
                    "mimetype": "application/octet-stream",
                    "status": "completed",
                    "metadata": None,
                    "links": {
                        "self": shown["links"]["self"].removesuffix("/content"),
                        "content": shown["links"]["self"],
                    },
                }
                for shown in self.shown(record)["files"]
            ]
            return _json(
                {"enabled": True, "order": [], "entries": entries, "links": {"self": address}}
            )
        key = unquote(rest.removesuffix("/content"))
        file = next((file for file in record.files if file.key == key), None)
        if file is None:
            return _refusal(404, f"Record '{record.record_id}' has no file '{key}'.")
        if not rest.endswith("/content"):
            return _json({"key": key, "size": len(file.content)})
        return self._bytes(record, file)

    def _bytes(self, record: ServedRecord, file: ServedFile) -> _Answer:
        content = file.content
        if file.instead is not None:
            name = f"{record.record_id}/{file.key}"
            sent = self._sent_instead[name] = self._sent_instead.get(name, 0) + 1
            if file.times < 0 or sent <= file.times:
                content = file.instead
        return _Answer(
            200,
            content,
            {
                "Content-Type": "application/octet-stream",
                "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.key, safe='')}",
                "Last-Modified": "Tue, 31 Oct 2023 08:00:00 GMT",
                "Link": f'<{self.base}/records/{record.record_id}>; rel="collection"',
            },
        )

    def _versions(self, record: ServedRecord, asked: Mapping[str, str]) -> _Answer:
        listed = sorted(self._published(record.concept_id), key=lambda one: -one.record_id)
        path = f"/api/records/{record.record_id}/versions"
        return self._list(listed, path, [("sort", "version")], asked)

    def _search(self, asked: list[tuple[str, str]]) -> _Answer:
        parameters = dict(asked)
        query = parameters.get("q", "")
        community = parameters.get("communities")
        if re.search(r"(?<!\\)/", re.sub(r'"[^"]*"', "", query)):
            return _refusal(400, "Invalid querystring parameters.")
        every = parameters.get("all_versions") in ("true", "1", "")
        found = [
            record
            for record in self.records.values()
            if record.removed is None
            and (every or record == self._newest(record.concept_id))
            and (community is None or community in record.communities)
            and self._matches(record, query)
        ]
        found.sort(key=lambda record: (record.published, record.record_id), reverse=True)
        kept = [pair for pair in asked if pair[0] not in ("page", "size")]
        return self._list(found, "/api/records", kept, parameters)

    @staticmethod
    def _matches(record: ServedRecord, query: str) -> bool:
        if exact := re.fullmatch(r'(\w+):"?([^"]+)"?', query):
            values = {
                "conceptrecid": str(record.concept_id),
                "conceptdoi": f"10.5281/zenodo.{record.concept_id}",
                "doi": f"10.5281/zenodo.{record.record_id}",
            }
            return values.get(exact[1]) == exact[2]
        words = f"{record.title} {record.description}".lower()
        return all(word in words for word in query.lower().replace('"', " ").split())

    def _list(
        self,
        records: list[ServedRecord],
        path: str,
        kept: list[tuple[str, str]],
        asked: Mapping[str, str],
    ) -> _Answer:
        size, page = asked.get("size", "25"), asked.get("page", "1")
        wrong = [
            {"field": name, "messages": [message]}
            for name, given, most, message in (
                ("size", size, 25, "Page size cannot be greater than 25."),
                ("page", page, 10_000, "Invalid page number."),
            )
            if not given.isdecimal() or not 1 <= int(given) <= most
        ]
        if wrong:
            return _refusal(400, "A validation error occurred.", errors=wrong)
        start = int(size) * (int(page) - 1)
        if start + int(size) > 10_000:
            return _refusal(400, "Maximum number of 10000 results have been reached.")

        def at(number: int) -> str:
            return f"{self.base}{path}?{urlencode([('page', number), ('size', size), *kept])}"

        links = {"self": at(int(page))}
        if start + int(size) < len(records):
            links["next"] = at(int(page) + 1)
        if int(page) > 1:
            links["prev"] = at(int(page) - 1)
        hits = [self.shown(record) for record in records[start : start + int(size)]]
        return _json(
            {"hits": {"hits": hits, "total": len(records)}, "aggregations": {}, "links": links}
        )

    def _landing(self, number: int, rest: str) -> _Answer:
        record = self.records.get(number)
        if record is None or rest == "/latest":
            newest = self._newest(record.concept_id if record else number)
            if newest is None:
                return _page("The persistent identifier does not exist.", "", 404)
            return _moved(302, f"/records/{newest.record_id}")
        if record.removed is not None:
            return _page("Gone", html.escape(record.removed), 410)
        if rest.startswith("/files/"):
            return self._files(record, f"{rest.removeprefix('/files/')}/content")
        return _page(record.title, record.description or "")

    def _published(self, concept_id: int) -> list[ServedRecord]:
        return [
            record
            for record in self.records.values()
            if record.concept_id == concept_id and record.removed is None
        ]

    def _newest(self, concept_id: int) -> ServedRecord | None:
        return max(self._published(concept_id), key=lambda record: record.record_id, default=None)

    def shown(self, record: ServedRecord) -> dict[str, Any]:
        """A record as the service shows it."""
        number, concept = record.record_id, record.concept_id
        api, page = f"{self.base}/api/records/{number}", f"{self.base}/records/{number}"
        doi = f"10.5281/zenodo.{number}"
        versions = sorted(one.record_id for one in self._published(concept))
        metadata: dict[str, Any] = {
            "title": record.title,
            "doi": doi,
            "publication_date": record.published,
            "description": record.description,
            "access_right": record.access,
            "embargo_date": record.embargo,
            "creators": [
                {"name": name, "affiliation": affiliation} for name, affiliation in record.creators
            ],
            "keywords": ["invented"],
            "version": record.version,
            "language": record.language,
            "resource_type": {
                "title": "Project deliverable",
                "type": "publication",
                "subtype": "deliverable",
            },
            "license": {"id": record.licence} if record.licence else None,
            "communities": [{"id": slug} for slug in record.communities] or None,
            "related_identifiers": [
                {"identifier": identifier, "relation": relation, "scheme": scheme}
                for relation, identifier, scheme in record.related
            ]
            or None,
            "relations": {
                "version": [
                    {
                        "index": versions.index(number),
                        "is_last": number == versions[-1],
                        "parent": {"pid_type": "recid", "pid_value": str(concept)},
                    }
                ]
            },
        }
        return {
            "created": "2023-06-14T09:12:44.120394+00:00",
            "modified": "2023-11-02T08:05:10.774120+00:00",
            "id": number,
            "conceptrecid": str(concept),
            "doi": doi,
            "conceptdoi": f"10.5281/zenodo.{concept}",
            "doi_url": f"https://doi.org/{doi}",
            # What has no value is left out.
            "metadata": {name: value for name, value in metadata.items() if value is not None},
            "title": record.title,
            "links": {
                "self": api,
                "self_html": page,
                "doi": f"https://doi.org/{doi}",
                "self_doi": f"https://doi.org/{doi}",
                "self_doi_html": f"{self.base}/doi/{doi}",
                "parent": f"{self.base}/api/records/{concept}",
                "parent_html": f"{self.base}/records/{concept}",
                "files": f"{api}/files",
                "archive": f"{api}/files-archive",
                "latest": f"{api}/versions/latest",
                "latest_html": f"{page}/latest",
                "versions": f"{api}/versions",
            },
            "updated": "2023-11-02T08:05:10.774120+00:00",
            "recid": str(number),
            "revision": 4,
            "files": [self._shown_file(record, file) for file in record.files]
            if record.access == "open"
            else [],
            "swh": {},
            "owners": [{"id": "12345"}],
            "status": "published",
            "stats": {"downloads": 10, "views": 40},
            "state": "done",
            "submitted": True,
        }

    def _shown_file(self, record: ServedRecord, file: ServedFile) -> dict[str, Any]:
        digest = hashlib.md5(file.content, usedforsecurity=False).hexdigest()
        address = f"{self.base}/api/records/{record.record_id}/files"
        shown: dict[str, Any] = {
            "id": "11111111-2222-3333-4444-555555555555",
            "key": file.key,
            "size": len(file.content) if file.size is None else file.size,
            "checksum": f"md5:{digest}" if file.checksum is None else file.checksum,
            "links": {"self": f"{address}/{quote(file.key, safe=_UNQUOTED)}/content"},
        }
        return {name: value for name, value in shown.items() if value != ""}


class _Handler(Handler):
    def do_GET(self) -> None:  # noqa: N802
        zenodo: ZenodoServer = self.server.owner
        headers = self.fields
        with zenodo._lock:
            zenodo.requests.append(Asked(self.path, headers))
            answer = zenodo.answer(self.path, headers)
        self.reply(answer.status, answer.body, answer.headers)
