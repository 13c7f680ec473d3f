"""Zenodo's read API: what an operator may call a record, and what the service says of it.

Zenodo is an open repository of research output. Every version of a document is
a record of its own there; the concept is what its versions share, and asking
for the concept's id leads to the newest of them. Replies are read leniently,
as their shape has changed before, and never trusted: ids are digits, addresses
stay at the service.

Source: the API's documentation at https://developers.zenodo.org and the code
of InvenioRDM, on which the service runs since October 2023.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from babel.core import get_global
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from ingest.fetch.client import Client, Reply
from rag.errors import SourceUnavailable
from rag.models import Record, Related

ZENODO = "https://zenodo.org"
SANDBOX = "https://sandbox.zenodo.org"
"""Zenodo's test instance: the same API, DOIs that do not resolve."""
MAX_RECORDS = 200
"""Of a community or search; a thousand records are a corpus to choose from, not a source."""
PAGE_SIZE = 25
"""The most that the service gives a guest."""
_MAX_PAGES = 40

_DOI = re.compile(
    r"(?:(?:https?://)?(?:dx\.|www\.)?doi\.org/|doi:\s*)?"
    r"10\.(5281|5072)(?:/|%2F)zenodo\.(\d{1,18})/?(?:[?#].*)?",
    re.IGNORECASE,
)
_SANDBOX_PREFIX = "5072"
_DOI_PAGE = re.compile(r"/(?:api/)?doi/(10\.\d+/zenodo\.\d+)/?", re.IGNORECASE)
_RECORD_PAGE = re.compile(r"/(?:api/)?records?/(\d{1,18})(?:/.*)?")
_COMMUNITY_PAGE = re.compile(r"/(?:api/)?communities/([\w.-]+)(?:/.*)?")
_SEARCH_PAGE = re.compile(r"/(?:search|api/records)/?")
_FILTERS = frozenset("q communities type subtype sort".split())
_LAYOUT = frozenset("page size p s l ln all_versions allversions".split())
"""Parameters that say how hits are shown; every hit is read, in its newest version."""

_NUMBER = re.compile(r"(?<![^\W_])(?:Deliverable\s+D?|D)\s?(\d{1,2}\.\d{1,2})(?!\.?\d)")
_BETWEEN = " \t:,;_–—-()[]"
"""What may stand between a project's acronym and the number."""
_WORK_PACKAGE = re.compile(r"\bWP ?\d+$")
_ACRONYM = re.compile(r"(?=.*[A-Z])[A-Z0-9+]{2,}(?:-[A-Z0-9+]+)*")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
_CREATIVE_COMMONS = re.compile(
    r"cc0-1\.0|cc-by(?:-nc)?(?:-sa|-nd)?-\d\.\d(?:-[a-z]{2,3})?", re.IGNORECASE
)
_UNQUOTED = "/!$&'()*+,;=:@"
"""What the service leaves as it is in the address of a file, beside letters and digits."""


class Closed(SourceUnavailable):
    """Something that is gone, or that nobody may read without a right to it."""


class ClientRefused(SourceUnavailable):
    """The service will not talk to this client; asking for more makes it worse."""


@dataclass(frozen=True)
class ZenodoAddress:
    """What an operator named: a record, or a question that many records answer."""

    record_id: str | None = None
    """Of a version or of a concept; None: a search."""
    search: tuple[tuple[str, str], ...] = ()
    """Parameters of the search; a community is one of them."""
    sandbox: bool = False
    """Whether it lies on the test instance, whatever service stands for Zenodo."""

    @classmethod
    def parse(cls, address: str, base: str = ZENODO) -> ZenodoAddress:
        """Read an address, a DOI, or a search, in any form that people copy.

        Args:
            address: What the operator wrote.
            base: The service that stands for Zenodo; addresses below it are understood too.

        Raises:
            SourceUnavailable: It names nothing that can be read.
        """
        text = address.strip()
        if doi := _DOI.fullmatch(text):
            return cls(record_id=doi[2], sandbox=doi[1] == _SANDBOX_PREFIX)
        place = _place(text, base)
        if place is None:
            raise SourceUnavailable("names no record, community or search of Zenodo")
        split, sandbox = place
        path = unquote(split.path)
        if page := _DOI_PAGE.fullmatch(path):
            return replace(cls.parse(page[1]), sandbox=sandbox)
        if page := _RECORD_PAGE.fullmatch(path):
            return cls(record_id=page[1], sandbox=sandbox)
        if page := _COMMUNITY_PAGE.fullmatch(path):
            asked = [pair for pair in _asked(split.query) if pair[0] != "communities"]
            return cls(search=(("communities", page[1]), *asked), sandbox=sandbox)
        if _SEARCH_PAGE.fullmatch(path):
            asked = _asked(split.query)
            if not any(name != "sort" for name, _ in asked):
                raise SourceUnavailable("searches for nothing: all of Zenodo would be read")
            return cls(search=tuple(asked), sandbox=sandbox)
        raise SourceUnavailable("leads to no record, community or search of Zenodo")


def is_zenodo(address: str, base: str = ZENODO) -> bool:
    """Whether an address is Zenodo's, also where it names nothing that can be read there."""
    text = address.strip()
    return _DOI.fullmatch(text) is not None or _place(text, base) is not None


def _place(text: str, base: str) -> tuple[SplitResult, bool] | None:
    """An address relative to its service, and whether that is the sandbox; None: elsewhere."""
    try:
        split = urlsplit(text if "://" in text else f"https://{text}")
        host, own = _host(split), urlsplit(base)
    except ValueError:
        return None
    if split.scheme not in ("http", "https"):
        return None
    if host == _host(own):
        prefix = own.path.rstrip("/")
        if prefix and not split.path.startswith(f"{prefix}/"):
            return None
        return split._replace(path=split.path[len(prefix) :]), False
    if split.hostname in ("zenodo.org", "www.zenodo.org"):
        return split, False
    if split.hostname == "sandbox.zenodo.org":
        return split, True
    return None


def _host(split: SplitResult) -> tuple[str | None, int]:
    return split.hostname, split.port or (80 if split.scheme == "http" else 443)


def _asked(query: str) -> list[tuple[str, str]]:
    """The parameters of a search that the API has.

    Raises:
        SourceUnavailable: It has one whose loss would widen the search.
    """
    pairs = [(name, value.strip()) for name, value in parse_qsl(query) if value.strip()]
    for name, _ in pairs:
        if name not in _FILTERS | _LAYOUT:
            raise SourceUnavailable(
                f"the search is limited by {name[:20]!r}, which only Zenodo's own page"
                " understands; use q, communities, type or subtype"
            )
    return [pair for pair in pairs if pair[0] in _FILTERS]


def _text(value: object) -> str | None:
    """Text on one line; None for whatever has none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return " ".join(_sound(str(value)).split()) or None


def _sound(text: str) -> str:
    """Text that can be written: JSON may hold halves of letters."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _markup(value: object) -> object:
    return _sound(value) if isinstance(value, str) else value


def _listed(value: object) -> object:
    """A list without what is no object in it."""
    if not isinstance(value, list):
        return [] if value is None else value
    return [each for each in value if isinstance(each, dict)]


def _given(value: object) -> object:
    return value if isinstance(value, dict) else {}


def _named(value: object) -> object:
    """Licences were bare ids once."""
    return {"id": value} if isinstance(value, str) else value


def _digits(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_REPLY_MB = 20
"""Of JSON; a page of 25 records has less than one."""
_ID = re.compile(r"[0-9]{1,18}")
Text = Annotated[str | None, BeforeValidator(_text)]
Id = Annotated[str, BeforeValidator(_digits), StringConstraints(pattern=r"^[0-9]{1,18}$")]


class _Said(BaseModel):
    """Part of a reply; what is not read of it is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Links(_Said):
    self_html: Text = None
    next: Text = None


class _FileLinks(_Said):
    content: Text = Field(default=None, validation_alias="self")
    """The bytes, not what is known of them."""


class ZenodoFile(_Said):
    """A file of a record."""

    key: Annotated[str, BeforeValidator(_markup)] = Field(
        validation_alias=AliasChoices("key", "filename"), min_length=1
    )
    """Its name; untrusted."""
    size: int | None = Field(default=None, validation_alias=AliasChoices("size", "filesize"), ge=0)
    checksum: Text = None
    """``md5:`` and 32 hexadecimal digits; for a while the digits alone."""
    links: _FileLinks = _FileLinks()

    @property
    def quoted(self) -> str:
        """The name as it stands in addresses."""
        return quote(self.key, safe=_UNQUOTED)


class _Licence(_Said):
    id: Text = None


class _Person(_Said):
    name: Text = None


class _Relation(_Said):
    identifier: Text = None
    relation: Text = None
    scheme: Text = None


class _Parent(_Said):
    pid_value: Text = None


class _Version(_Said):
    is_last: bool | None = None
    parent: _Parent = _Parent()


class _Relations(_Said):
    version: Annotated[tuple[_Version, ...], BeforeValidator(_listed)] = ()


class _Metadata(_Said):
    title: Text = None
    doi: Text = None
    publication_date: Text = None
    version: Text = None
    language: Text = None
    description: Annotated[str | None, BeforeValidator(_markup)] = None
    access_right: Text = None
    embargo_date: Text = None
    license: Annotated[_Licence | None, BeforeValidator(_named)] = None
    creators: Annotated[tuple[_Person, ...], BeforeValidator(_listed)] = ()
    related_identifiers: Annotated[tuple[_Relation, ...], BeforeValidator(_listed)] = ()
    relations: Annotated[_Relations, BeforeValidator(_given)] = _Relations()


class ZenodoRecord(_Said):
    """One version of a document."""

    id: Id
    concept: Id | None = Field(default=None, validation_alias="conceptrecid")
    doi: Text = None
    concept_doi: Text = Field(default=None, validation_alias="conceptdoi")
    metadata: _Metadata
    files: Annotated[tuple[ZenodoFile, ...], BeforeValidator(_listed)] = ()
    """Empty where they are closed, or where there are none."""
    links: Annotated[_Links, BeforeValidator(_given)] = _Links()

    @property
    def concept_id(self) -> str:
        """What all versions share; its own id where the record names none."""
        named = self._version.parent.pid_value or ""
        return self.concept or (named if _ID.fullmatch(named) else self.id)

    @property
    def is_newest(self) -> bool | None:
        """None where the record does not say."""
        return self._version.is_last

    @property
    def title(self) -> str:
        """As its authors gave it."""
        return self.metadata.title or f"Record {self.id}"

    @property
    def access(self) -> Literal["open", "restricted", "embargoed"]:
        """Who may read the files; an unknown word closes them."""
        match (self.metadata.access_right or "open").lower():
            case "open":
                return "open"
            case "embargoed":
                return "embargoed"
            case _:
                return "restricted"

    @property
    def published(self) -> str | None:
        """As given: to the day, the month or the year; the end of a period."""
        given = (self.metadata.publication_date or "").rpartition("/")[2]
        return given if _DATE.fullmatch(given) else None

    @property
    def licence(self) -> str | None:
        """As people write it: Creative Commons in capitals, others as they are."""
        named = self.metadata.license.id if self.metadata.license else None
        return named.upper() if named and _CREATIVE_COMMONS.fullmatch(named) else named

    @property
    def language(self) -> str | None:
        """ISO 639-1; None where it is unknown, or several."""
        named = (self.metadata.language or "").lower()
        short = named if len(named) == 2 else get_global("language_aliases").get(named, "")
        return short if re.fullmatch(r"[a-z]{2}", short) else None

    def facts(self, landing: str) -> Record:
        """What a citation says of the record.

        Args:
            landing: Address of the page that shows it.
        """
        said = self.metadata
        named = said.license.id if said.license else None
        return Record(
            record_id=self.id,
            concept_id=self.concept_id,
            title=self.title,
            url=landing,
            access=self.access,
            doi=self.doi or said.doi,
            concept_doi=self.concept_doi,
            deliverable=deliverable_number(self.title),
            version=said.version,
            published=self.published,
            licence=named.lower() if named else None,
            creators=tuple(person.name for person in said.creators if person.name),
            related=tuple(
                Related(given.relation or "", given.identifier, given.scheme or "")
                for given in said.related_identifiers
                if given.identifier
            ),
        )

    @property
    def _version(self) -> _Version:
        return next(iter(self.metadata.relations.version), _Version())


def deliverable_number(title: str) -> str | None:
    """The number by which people ask for a project's report, ``B1MG D6.7``.

    The project is the acronym right before the number, in parentheses or not,
    as in ``Some Long Name (SLN) D1.2``; without one the number stands alone.
    """
    found = _NUMBER.search(title)
    if found is None:
        return None
    before = _WORK_PACKAGE.sub("", title[: found.start()].rstrip(_BETWEEN)).rstrip(_BETWEEN)
    project = re.split(r"[\s(\[/_]", before)[-1]
    number = f"D{found[1]}"
    return f"{project} {number}" if _ACRONYM.fullmatch(project) else number


class _Hits(_Said):
    hits: tuple[object, ...]
    total: int | None = None


class _Page(_Said):
    hits: _Hits
    links: _Links = _Links()


class _Tombstone(_Said):
    removal_reason: object = None
    note: Text = None


class _Refusal(_Said):
    message: Text = None
    tombstone: _Tombstone = _Tombstone()

    def __str__(self) -> str:
        """What the service says, on one line."""
        reason = self.tombstone.removal_reason
        if isinstance(reason, dict):
            reason = _text(reason.get("title")) or reason.get("id")
        said = (self.message, _text(reason), self.tombstone.note)
        return ", ".join(part.rstrip(".") for part in said if part)[:200]


@dataclass(frozen=True)
class Found:
    """What a search leads to."""

    records: tuple[ZenodoRecord, ...]
    """Each concept once."""
    unreadable: tuple[tuple[str, str], ...]
    """Hits that are no records: their concepts, as far as they have any, and what is wrong."""
    left_out: int
    """Hits that were counted and not read: beyond `MAX_RECORDS`, or never sent."""


class Zenodo:
    """Asks a service that speaks Zenodo's API."""

    def __init__(self, client: Client, base: str = ZENODO):
        """Make it; nothing is asked yet.

        Args:
            client: Waits where the service wants it to.
            base: Address of the service.
        """
        self.client = client
        self.base = base.rstrip("/")

    def record(self, record_id: str) -> ZenodoRecord:
        """A record as it stands; asked for a concept, the newest version of it.

        The `id` that comes back differs from the one asked for where that was
        a concept's.

        Raises:
            SourceUnavailable: There is none, or it may not be read.
        """
        return self._record(f"/api/records/{record_id}", f"record {record_id}")

    def newest(self, record: ZenodoRecord) -> ZenodoRecord:
        """The version of a record that no other follows.

        Raises:
            Closed: There is one, and nobody may read it.
            SourceUnavailable: It cannot be had.
        """
        if record.is_newest:
            return record
        latest = f"/api/records/{record.id}/versions/latest"
        return self._record(latest, f"the newest version of record {record.id}")

    def versions(self, record: ZenodoRecord) -> tuple[ZenodoRecord, ...]:
        """All versions that are published, newest first.

        Raises:
            SourceUnavailable: They cannot be listed.
        """
        what = f"the list of versions of record {record.id}"
        start = f"{self.base}/api/records/{record.id}/versions?page=1&size={PAGE_SIZE}"
        return tuple(
            self._as_record(hit, what)
            for page in self._pages(start, what)
            for hit in page.hits.hits
        )

    def search(self, asked: tuple[tuple[str, str], ...]) -> Found:
        """The records that a community holds, or that a search finds.

        Args:
            asked: Parameters, as `ZenodoAddress.search` has them.

        Raises:
            SourceUnavailable: The search fails.
        """
        # By date, so that one page does not repeat what the other had.
        order = () if any(name == "sort" for name, _ in asked) else (("sort", "mostrecent"),)
        parameters = urlencode((*asked, *order, ("page", 1), ("size", PAGE_SIZE)))
        start = f"{self.base}/api/records?{parameters}"
        records: dict[str, ZenodoRecord] = {}
        unreadable: dict[str, str] = {}
        seen = total = 0
        more = False
        for page in self._pages(start, "the search"):
            total = max(total, page.hits.total or 0, seen + len(page.hits.hits))
            for hit in page.hits.hits[: MAX_RECORDS - seen]:
                seen += 1
                try:
                    record = self._as_record(hit, "the search")
                except SourceUnavailable as error:
                    unreadable[_concept_of(hit) or f"hit {seen}"] = str(error)
                else:
                    records.setdefault(record.concept_id, record)
            more = page.links.next is not None
            if seen >= MAX_RECORDS:
                break
        left_out = max(total - seen, int(more and seen >= MAX_RECORDS))
        return Found(tuple(records.values()), tuple(unreadable.items()), left_out)

    def landing(self, record: ZenodoRecord) -> str:
        """Address of the page that shows a record."""
        named = record.links.self_html
        return named if named and self.serves(named) else f"{self.base}/records/{record.id}"

    def content(self, record: ZenodoRecord, file: ZenodoFile) -> str:
        """Address of a file's bytes."""
        return (
            file.links.content or f"{self.base}/api/records/{record.id}/files/{file.quoted}/content"
        )

    def serves(self, address: str) -> bool:
        """Whether an address that a reply names is one of the service's own."""
        try:
            split, own = urlsplit(address), urlsplit(self.base)
            return split.scheme == own.scheme and _host(split) == _host(own)
        except ValueError:
            return False

    def _record(self, path: str, what: str) -> ZenodoRecord:
        return self._as_record(self._ask(f"{self.base}{path}", what), what)

    def _pages(self, start: str, what: str) -> Iterator[_Page]:
        """A list's pages, as long as each names a next one."""
        asked: set[str] = set()
        following: str | None = start
        while following and following not in asked and len(asked) < _MAX_PAGES:
            if not self.serves(following):
                raise SourceUnavailable(f"{what} goes on at another host than {self.base}")
            asked.add(following)
            try:
                page = _Page.model_validate(self._ask(following, what))
            except ValidationError as error:
                raise SourceUnavailable(f"{what} came in an unknown shape: {_at(error)}") from error
            yield page
            following = page.links.next if page.hits.hits else None

    def _ask(self, url: str, what: str) -> object:
        """What the service says, taken out of its JSON.

        Raises:
            ClientRefused: It blocks this client.
            SourceUnavailable: It says no, or something else.
        """
        reply = self.client.get(
            url, {"Accept": "application/json"}, same_host=True, megabytes=_REPLY_MB
        )
        check_status(reply, what)
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            kind = reply.headers.get("content-type", "something").partition(";")[0]
            raise SourceUnavailable(f"{what} came as {kind[:60]} instead of JSON") from error

    @staticmethod
    def _as_record(said: object, what: str) -> ZenodoRecord:
        try:
            return ZenodoRecord.model_validate(said)
        except ValidationError as error:
            raise SourceUnavailable(f"{what} led to what is no record: {_at(error)}") from error


def check_status(reply: Reply, what: str) -> None:
    """Let nothing pass but a 200.

    Raises:
        ClientRefused: A page of HTML says no: the request never reached the application.
        Closed: It is gone, or not for us.
        SourceUnavailable: Anything else, with what the service says.
    """
    if reply.status == 200:
        return
    kind = reply.headers.get("content-type", "")
    if reply.status == 403 and "json" not in kind:
        raise ClientRefused(f"{urlsplit(reply.url).netloc} refuses this client (403)")
    try:
        said = str(_Refusal.model_validate_json(reply.body))
    except ValidationError:
        said = ""
    if reply.status in (404, 410):
        raise Closed(f"{what} is gone: {said or 'the service knows none'}")
    if reply.status in (401, 403):
        raise Closed(f"{what} may not be read ({reply.status}{said and ': '}{said})")
    raise SourceUnavailable(f"{what} was refused ({reply.status}{said and ': '}{said})")


def _at(error: ValidationError) -> str:
    """The first thing that is wrong with a reply."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"{where or 'the whole'}: {first['msg']}"[:200]


def _concept_of(hit: object) -> str | None:
    """The concept of a hit that is no record otherwise."""
    found = _text(hit.get("conceptrecid")) if isinstance(hit, Mapping) else None
    return found if found and re.fullmatch(r"[0-9]{1,18}", found) else None
