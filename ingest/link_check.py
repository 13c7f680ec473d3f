"""Links of the sources that lead nowhere: places on pages, pages of a site, addresses elsewhere.

The first two are found in the index alone. Addresses are asked for only when somebody wants it:
once each, and no body is read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from posixpath import commonpath
from urllib.parse import unquote, urljoin, urlsplit

from ingest.fetch.client import Client
from ingest.models import Document, Section
from ingest.register import address_key, normal_address
from rag.errors import SourceUnavailable
from rag.link_report import LinkKind, LinkPlace, LinkReport, LostLink
from rag.models import Gap

_GONE = frozenset({404, 410})
_SHUT = frozenset({401, 403, 405, 406, 429, 451, 999})
"""What a server says to a program that a reader may still be shown."""
_PAGES = frozenset({"", ".html", ".htm", ".md"})
"""Suffixes of pages; what else a site holds (pictures, archives) is not indexed."""
_A_SITE = 5
"""Pages from which on a source is taken to hold all of its site."""
_ENDING = re.compile(r"(?:/index)?(?:\.html?|\.md)?$", re.IGNORECASE)
_ABOUT_TEXT = ":~:"
"""Begins the part of a fragment that names words instead of a place."""
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class _Links:
    """The links of all documents, by where they lead."""

    anchors: dict[str, list[LinkPlace]] = field(default_factory=lambda: defaultdict(list))
    """Places on indexed pages that are not there."""
    pages: dict[str, list[LinkPlace]] = field(default_factory=lambda: defaultdict(list))
    """Pages of indexed sites that are not there."""
    outside: dict[str, list[LinkPlace]] = field(default_factory=lambda: defaultdict(list))
    """Addresses elsewhere, whether they answer or not."""
    seen: set[str] = field(default_factory=set)


def check_links(
    documents: Sequence[Document],
    gaps: Iterable[Gap],
    generation: str,
    before: LinkReport | None,
    client: Client | None,
    progress: Callable[[int], None] = lambda _: None,
    now: datetime | None = None,
) -> LinkReport:
    """Look all links through.

    Args:
        documents: Everything that is indexed.
        gaps: Its empty pages are there all the same.
        generation: Of the index.
        before: The check before this one: since when a link has been dead, and what addresses
            elsewhere answered, where they are not asked now.
        client: Asks addresses elsewhere; None: they are not asked.
        progress: Told of each address that was asked.
        now: The moment, in UTC.
    """
    moment = (now or datetime.now(UTC)).strftime(_STAMP)
    links = _read(documents, gaps)
    since = {(each.kind, each.address): each.since for each in before.lost} if before else {}

    def lost(kind: LinkKind, address: str, why: str, *, dead: bool = True) -> LostLink:
        places = getattr(links, _HELD[kind])[address]
        first = since.get((kind, address), moment)
        return LostLink(kind, address, dead, why, first, tuple(places))

    found = [lost("anchor", each, "no such place on the page") for each in links.anchors]
    asked_at, asked, unasked = (
        (before.asked_at, before.asked, before.unasked) if before else (None, 0, 0)
    )
    answers: dict[str, tuple[bool, str]] = {}
    if client is not None:
        answers = _asked(client, (*links.pages, *links.outside), progress)
        asked_at, asked = moment, len(answers)
        unasked = len(links.pages) + len(links.outside) - asked
    elif before:
        answers = {each.address: (each.dead, each.why) for each in before.of("outside")}
    for address in links.pages:
        # It may be there and not be indexed, as a template is not.
        dead, why = answers.get(address, (True, "no such page in the index"))
        found += [lost("page", address, why, dead=dead)] if why else []
    for address in links.outside:
        dead, why = answers.get(address, (False, ""))
        found += [lost("outside", address, why, dead=dead)] if why else []
    return LinkReport(moment, generation, len(links.seen), asked_at, asked, unasked, tuple(found))


_HELD: Mapping[LinkKind, str] = {"anchor": "anchors", "page": "pages", "outside": "outside"}


def _read(documents: Sequence[Document], gaps: Iterable[Gap]) -> _Links:
    known: dict[str, Document | None] = {}
    for document in documents:
        for url in filter(None, (document.url, *document.aliases)):
            known.setdefault(_page_key(url), document)
    for gap in gaps:
        if gap.kind == "page" and gap.url:
            known.setdefault(_page_key(gap.url), None)
    sites = _sites(documents)
    links = _Links()
    for document, section, text, address in _linked(documents):
        place = LinkPlace(
            document.source, document.path, document.title, section.heading,
            _url(document, section), text,
        )  # fmt: skip
        links.seen.add(address)
        bare, _, fragment = address.partition("#")
        page = known.get(_page_key(bare), _UNKNOWN)
        if page is not _UNKNOWN:
            if page is not None and not _is_there(page, fragment):
                links.anchors[address].append(place)
        elif not any(bare.startswith(site) for site in sites):
            links.outside[bare].append(place)
        elif PurePosixPath(urlsplit(bare).path).suffix.lower() in _PAGES:
            links.pages[bare].append(place)
    return links


_UNKNOWN = Document("", "", "", "", None, "", "", ())
"""Stands for a page that is not indexed."""


def _linked(documents: Sequence[Document]) -> Iterator[tuple[Document, Section, str, str]]:
    """Every link with a whole address; `articles check` looks at those of our own articles."""
    for document in documents:
        if document.kind == "article":
            continue
        for section in document.sections:
            for block in section.blocks:
                for link in block.links:
                    if address := _address(link.address.strip(), document.url):
                        yield document, section, link.text, address


def _address(written: str, base: str | None) -> str | None:
    if written.startswith("#"):
        return urljoin(base, written) if base and len(written) > 1 else None
    return normal_address(written, base)


def _sites(documents: Iterable[Document]) -> set[str]:
    """Addresses that all pages of a source lie below, where it has enough of them for a site."""
    folders: dict[tuple[str, str], list[str]] = defaultdict(list)
    for document in documents:
        if document.kind == "page" and document.url and document.record is None:
            parts = urlsplit(document.url)
            folder = str(PurePosixPath(parts.path or "/").parent)
            folders[document.source, f"{parts.scheme}://{parts.netloc}"].append(folder)
    return {
        origin + commonpath(found).rstrip("/") + "/"
        for (_, origin), found in folders.items()
        if len(found) >= _A_SITE
    }


def _is_there(page: Document, fragment: str) -> bool:
    """Whether a page has a place by that name: a heading, or a page of a PDF."""
    name = unquote(fragment).partition(_ABOUT_TEXT)[0]
    if not name or name == "top" or "=" in name or name[:1] in "/!":
        return True
    anchors = {section.anchor for section in page.sections} - {None}
    # Of a page without any it is not known where its headings are.
    return not anchors or name in anchors


def _url(document: Document, section: Section) -> str | None:
    if document.url is None:
        return None
    if section.page is not None:
        return f"{document.url}#page={section.page}"
    return f"{document.url}#{section.anchor}" if section.anchor else document.url


def _page_key(url: str) -> str:
    """What the addresses share under which hosts serve one page: `/x`, `/x/`, `/x.html`."""
    return _ENDING.sub("", address_key(url))


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _asked(
    client: Client, addresses: Iterable[str], progress: Callable[[int], None]
) -> dict[str, tuple[bool, str]]:
    """Ask for addresses; whether each is dead and why, with no reason where it answers."""
    found: dict[str, tuple[bool, str]] = {}
    for address in _by_turns(addresses):
        if client.time_is_up:
            break
        found[address] = _asked_one(client, address)
        progress(1)
    return found


def _asked_one(client: Client, address: str) -> tuple[bool, str]:
    try:
        status = client.look(address).status
    except SourceUnavailable as error:
        return False, str(error)
    if status in _GONE:
        return True, f"answers {status}"
    if status >= 400 and status not in _SHUT:
        return False, f"answers {status}"
    return False, ""


def _by_turns(addresses: Iterable[str]) -> list[str]:
    """Addresses in an order in which hosts take turns, so that each has its pause."""
    by_host: dict[str, list[str]] = defaultdict(list)
    for address in addresses:
        by_host[_host(address)].append(address)
    turns = [(turn, address) for listed in by_host.values() for turn, address in enumerate(listed)]
    return [address for _, address in sorted(turns, key=lambda each: each[0])]
