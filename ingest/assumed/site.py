"""What is assumed of a site: open to robots and readers, and where citations lead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from protego import Protego

from ingest.assumed.service import Different, Service, condition_faults, media_type
from ingest.check import Check, judged, listed, opened_copy
from ingest.fetch.client import Reply
from ingest.fetch.links import read_sitemap
from ingest.fetch.site import ROBOT
from rag.errors import HelpdeskError
from rag.store import Store

_PAGES = 5
"""Of each site, looked at for the anchors that are cited."""
_PAGE_MB = 20
"""Limit of a page of HTML."""
_LOGIN = re.compile(r"/(?:log-?in|sign-?in|sso|oauth2?|auth|saml)(?:[/.?]|$)", re.IGNORECASE)

Cited = Callable[[str], Mapping[str, frozenset[str]] | None]
"""From the address of a site to the pages of it that are indexed, with their cited anchors."""


def cited_pages(store: Store, site: str) -> Mapping[str, frozenset[str]] | None:
    """The pages of a site that are indexed, with the anchors that chunks cite.

    Returns:
        None where there is no index that can be read.
    """
    name = store.current()
    if name is None:
        return None
    found: dict[str, set[str]] = {}
    try:
        with opened_copy(store, name) as generation:
            for chunk in generation.all_chunks():
                if chunk.url and (chunk.url == site or chunk.url.startswith(f"{site}/")):
                    anchors = found.setdefault(chunk.url, set())
                    anchors.update(part.anchor for part in chunk.parts if part.anchor)
    except (HelpdeskError, OSError, ValueError):
        return None
    return {url: frozenset(anchors) for url, anchors in found.items()}


def check_site(address: str, cited: Cited, service: Service) -> Iterator[Check]:
    """Check a site, and that citations of it lead to what they cite.

    Args:
        address: Of the site.
        cited: Its pages that are indexed.
        service: Asks.

    Raises:
        SourceUnavailable: It does not answer, or turns us away.
        Different: It answers so differently that nothing more can be asked.
    """
    start = address if urlsplit(address).path else f"{address}/"
    root = urljoin(start, "/").rstrip("/")
    robots = _robots(service, root)
    if not robots.can_fetch(start, ROBOT):
        raise Different("robots.txt closes its start page to us")
    yield Check(service.name, "ok", "robots.txt lets us in")
    yield from _sitemap(service, root, robots)
    first = service.get("its start page", start, megabytes=_PAGE_MB)
    yield from service.told(
        "its start page is HTML, open to all", lambda: _start_faults(start, first)
    )
    yield from service.told(
        "an unchanged page is answered with 304",
        lambda: condition_faults(
            service, "its start page", start, first, {}, ("etag", "last-modified")
        ),
    )
    service.what = "the index"
    pages = cited(address.rstrip("/"))
    if pages is None:
        yield Check(service.name, "note", "there is no index whose citations could be looked up")
    elif not pages:
        yield Check(service.name, "note", "no page of it is indexed, so no citation was looked up")
    else:
        # Most can be wrong with the pages that most anchors are cited of.
        chosen = sorted(pages.items(), key=lambda page: (-len(page[1]), page[0]))[:_PAGES]
        number = sum(len(anchors) for _, anchors in chosen)
        yield from service.told(
            f"{number} cited anchors of {len(chosen)} pages are where citations lead",
            lambda: _page_faults(service, robots, chosen),
        )


def _robots(service: Service, root: str) -> Protego:
    reply = service.get("robots.txt", f"{root}/robots.txt", megabytes=1)
    if reply.status >= 500:
        raise Different(f"robots.txt answers {reply.status}, so nothing may be read")
    rules = reply.body if reply.status == 200 else b""
    if reply.status == 200 and media_type(reply) == "text/html":
        raise Different("robots.txt is a page of HTML")
    return Protego.parse(rules.decode("utf-8-sig", errors="replace"))


def _sitemap(service: Service, root: str, robots: Protego) -> Iterator[Check]:
    address = next(
        (each for each in robots.sitemaps if each.startswith(f"{root}/")), f"{root}/sitemap.xml"
    )
    reply = service.get("its sitemap", address)
    said = ""
    if reply.status != 200:
        fault = f"its sitemap {address} answers {reply.status}"
    else:
        try:
            read = read_sitemap(reply.body, address)
            fault = "" if read.pages or read.sitemaps else "its sitemap lists no addresses"
            if read.pages and not any(each.address.startswith(f"{root}/") for each in read.pages):
                fault = "its sitemap lists addresses of another site only"
            lists = f" and {len(read.sitemaps)} sitemaps" if read.sitemaps else ""
            said = f"its sitemap lists {len(read.pages)} addresses{lists}"
        except ValueError as error:
            fault = str(error)
    return judged(service.name, said, [fault] if fault else [])


class _Page(HTMLParser):
    """What of a page can be cited, and whether it asks for a password."""

    def __init__(self, body: bytes):
        super().__init__()
        self.anchors: set[str] = set()
        self.asks_password = False
        # Never closed: what is unfinished at the end of a page has no anchor, and costs much time.
        # The parser asserts what markup does not keep.
        with suppress(AssertionError):
            self.feed(body.decode("utf-8", errors="replace"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Of two attributes of one name the first counts.
        given = dict(reversed(attrs))
        names = (given.get("id"), given.get("name") if tag == "a" else None)
        self.anchors.update(name for name in names if name)
        if tag == "input" and (given.get("type") or "").lower() == "password":
            self.asks_password = True


def _start_faults(start: str, reply: Reply) -> Iterator[str]:
    if reply.status in (401, 403, 407):
        yield f"its start page answers {reply.status}: it is closed to the public"
    elif reply.status != 200:
        yield f"its start page answers {reply.status}"
    elif _host(reply.url) != _host(start):
        yield f"its start page leads to another host, {_host(reply.url)}"
    elif reply.redirects and _LOGIN.search(urlsplit(reply.url).path):
        yield f"its start page leads to a login, {urlsplit(reply.url).path}"
    elif media_type(reply) not in ("text/html", "application/xhtml+xml"):
        yield f"its start page is {media_type(reply)} instead of text/html"
    elif _Page(reply.body).asks_password:
        yield "its start page asks for a password"


def _host(address: str) -> str:
    return urlsplit(address).netloc.lower().removeprefix("www.")


def _page_faults(
    service: Service, robots: Protego, pages: Iterable[tuple[str, frozenset[str]]]
) -> Iterator[str]:
    for url, anchors in pages:
        if not robots.can_fetch(url, ROBOT):
            yield f"robots.txt closes {url}, which is indexed"
            continue
        reply = service.get(url, url, megabytes=_PAGE_MB)
        if reply.status != 200:
            yield f"{url} is indexed and answers {reply.status}"
            continue
        if reply.redirects:
            yield f"{url} is indexed and leads on to {reply.url}: addresses have another form"
        there = _Page(reply.body).anchors if anchors else set()
        lost = sorted(each for each in anchors if not {each, unquote(each)} & there)
        if lost:
            yield f"{url} has lost anchors that are cited: {listed(f'#{each}' for each in lost)}"
