"""What the pages of a site say of one another: menus, copies, what is reached.

Each page is read by itself; what concerns all of them is settled here, once
all are read. Pure: from documents and menus to documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from ingest.models import Document, Loaded, Skipped, Source, fingerprint
from ingest.register import mentions_of
from rag.text import fold

_SAME_TEXT = 0.97
"""Share of five-word runs from which two pages count as one (DESIGN 3)."""
_COMPARED = 150
"""Five-word runs from which on pages are compared; short lists of links look alike."""
_COMPARED_AT_MOST = 20_000
"""Words up to which pages are compared: a whole book is no copy of a page."""
_COMPARED_IN_ALL = 3_000_000
"""Words of a site that are compared; ten times those of the largest we know."""
_EVERYWHERE = ("topnav", "footer")
"""Data files of the theme whose links stand on every page."""
HOME = "/"
_ANY_SITE = "https://site.invalid"
"""Stands in for the site's own address while its links are resolved."""


@dataclass(frozen=True)
class Outline:
    """What of a site concerns all of its pages; known once it is opened."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    """Path of each page to its address on the site."""
    menus: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of each menu to the addresses it links."""
    drawn: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path of each page to the menus drawn beside it, those of every page left out."""


def outline_of(source: Source) -> Outline:
    """The outline of a site that was crawled: its pages, and the menus printed on each."""
    pages = [each for each in source.files or () if each.path.endswith(".html") and each.url]
    addresses = {page.path: urlsplit(page.url or "").path or HOME for page in pages}
    # A crawl may be limited to what lies below a folder: that is where its readers begin.
    home = min(addresses.values(), key=lambda address: (len(address), address), default=HOME)
    menus = {path: tuple(site_path(link) for link in links) for path, links in source.menus.links}
    return Outline(
        addresses,
        {**menus, _EVERYWHERE[0]: (site_path(home),)},
        {page.path: (page.path,) for page in pages},
    )


def join_pages(read: Sequence[Loaded], outline: Outline, source: Source) -> list[Loaded]:
    """Settle what the pages of a site say of one another.

    A page sharing at least 97 % of its text with another is reported as its
    duplicate and gives it its address; a page that no chain of links leads to
    from the home page or a menu is marked as older; a page or file that is
    filed under nothing has the topic of the first page that links it.
    """
    documents = [document for loaded in read for document in loaded.documents]
    pages = [document for document in documents if document.path in outline.addresses]
    links = {page.path: _site_links(page, outline.addresses[page.path], source) for page in pages}
    duplicates = _duplicates(pages, outline)
    by_path = {page.path: page for page in pages}
    aliases: dict[str, list[Document]] = {}
    for copy, original in duplicates.items():
        aliases.setdefault(original, []).append(by_path[copy])
    reached = _reached(outline, links)
    joined = []
    for loaded in read:
        kept: list[Document] = []
        skipped = list(loaded.skipped)
        for document in loaded.documents:
            kept_instead = duplicates.get(document.path)
            if kept_instead:
                skipped.append(Skipped(document.path, f"duplicate of {kept_instead}"))
            else:
                filed = _filed(document, pages, links, source)
                kept.append(_joined(filed, aliases.get(document.path, []), reached, source))
        joined.append(replace(loaded, documents=kept, skipped=skipped))
    return joined


def _joined(
    document: Document, copies: list[Document], reached: frozenset[str] | None, source: Source
) -> Document:
    """A document with what its copies add: their addresses and what they link."""
    every = (document, *(replace(copy, topic=document.topic) for copy in copies))
    aliases = tuple(copy.url for copy in copies if copy.url)
    # A file has no place in menus, and is as old as the page that links it.
    pages = reached is not None and document.kind != "pdf"
    older = pages and not any(each.path in (reached or ()) for each in every)
    mentions = tuple(mention for each in every for mention in mentions_of(each, source.address))
    return replace(
        document,
        aliases=aliases,
        older=older,
        mentions=mentions,
        sha256=fingerprint(document.sha256, aliases, older, mentions),
    )


def _filed(
    document: Document, pages: list[Document], links: Mapping[str, frozenset[str]], source: Source
) -> Document:
    """A document filed under nothing, under the topic of the first page that links it."""
    if document.topic:
        return document
    address = site_path((document.url or "").removeprefix(source.address or ""))
    linking = (page.topic for page in pages if page.topic and address in links[page.path])
    topic = next(linking, None)
    return replace(document, topic=topic, sha256=fingerprint(document.sha256, topic))


def _reached(outline: Outline, links: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The pages a reader comes to by following links; None where a site has no menus to tell."""
    if not any(outline.menus.values()):
        return None
    by_address: dict[str, list[str]] = {}
    for path, address in outline.addresses.items():
        by_address.setdefault(site_path(address), []).append(path)
    waiting = [HOME]
    for name in _EVERYWHERE:
        waiting += outline.menus.get(name, ())
    reached: set[str] = set()
    while waiting:
        for path in by_address.pop(waiting.pop(), ()):
            reached.add(path)
            waiting += links.get(path, ())
            for name in outline.drawn.get(path, ()):
                waiting += outline.menus.get(name, ())
    return frozenset(reached)


def _site_links(page: Document, address: str, source: Source) -> frozenset[str]:
    """What a page links on its own site."""
    own = f"{source.address}/" if source.address else None
    found: set[str] = set()
    for section in page.sections:
        for link in (link for block in section.blocks for link in block.links):
            target = link.address
            if own and f"{target}/".startswith(own):
                target = "/" + target.removeprefix(own)
            # Not every href is an address.
            with suppress(ValueError):
                resolved = urljoin(_ANY_SITE + address, target)
                if resolved.startswith(f"{_ANY_SITE}/"):
                    found.add(site_path(resolved))
    return frozenset(found)


def site_path(address: str) -> str:
    """The one form in which addresses of a site are compared."""
    path = unquote(urlsplit(address).path).strip("/").removesuffix(".html")
    return "/" + ("" if path == "index" else path)


def _duplicates(pages: Sequence[Document], outline: Outline) -> dict[str, str]:
    """Pages that say the same as another: path to the path of the one kept."""
    linked = {
        address for name, menu in outline.menus.items() if name != "footer" for address in menu
    }

    def rank(page: Document) -> tuple[bool, str]:
        return (site_path(outline.addresses[page.path]) not in linked, page.path)

    by_rank = sorted(pages, key=rank)
    shingles: dict[str, frozenset[int]] = {}
    compared = 0
    for page in by_rank:
        if not page.placeholder and compared < _COMPARED_IN_ALL:
            shingles[page.path] = _shingles(page.text)
            compared += len(shingles[page.path])
    found: dict[str, str] = {}
    for index, keep in enumerate(by_rank):
        mine = shingles.get(keep.path)
        if not mine or keep.path in found:
            continue
        for other in by_rank[index + 1 :]:
            theirs = shingles.get(other.path)
            if not theirs or other.path in found:
                continue
            least = _SAME_TEXT * len(theirs)
            if len(theirs) >= _COMPARED and len(mine) >= least and len(mine & theirs) >= least:
                found[other.path] = keep.path
    return found


def _shingles(text: str) -> frozenset[int]:
    words = text.lower().split()
    if len(words) > _COMPARED_AT_MOST:
        return frozenset()
    return frozenset(hash(tuple(words[i : i + 5])) for i in range(len(words) - 4))


def sidebars_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The sidebars of the theme, by name."""
    sidebars = data.get("sidebars")
    return sidebars if isinstance(sidebars, dict) else {}


def menus_of(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The addresses that each menu of the site links."""
    menus = {name: data.get(name) for name in _EVERYWHERE} | sidebars_of(data)
    return {name: tuple(dict.fromkeys(_urls(menu))) for name, menu in menus.items()}


def _urls(menu: Any) -> Iterator[str]:
    """Every address of the site in a menu, however it is nested."""
    for _, entry in _entries(menu, lambda node: list(node.values())):
        url = entry.get("url")
        if isinstance(url, str) and "//" not in url:
            yield site_path(url.strip())


def topics_of(data: Mapping[str, Any]) -> dict[str, dict[str, list[tuple[int, str]]]]:
    """For each sidebar: address to depth and title of the top entries that hold it."""
    topics: dict[str, dict[str, list[tuple[int, str]]]] = {}
    for name, sidebar in sidebars_of(data).items():
        found = topics.setdefault(name, {})
        for _, top in _entries(sidebar.get("subitems") if isinstance(sidebar, dict) else None):
            if not isinstance(top.get("title"), str):
                continue
            for depth, entry in _entries(top, lambda node: node.get("subitems")):
                url = entry.get("url")
                if isinstance(url, str) and "//" not in url:
                    found.setdefault(site_path(url.strip()), []).append((depth, fold(top["title"])))
    return topics


def _entries(
    node: Any, below: Callable[[dict[str, Any]], Any] = lambda _: None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of a menu with their depth, each once: an alias in YAML may hold itself."""
    seen: set[int] = set()
    waiting = [(0, node)]
    while waiting:
        depth, current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, dict):
            yield depth, current
            waiting.append((depth + 1, below(current)))
        elif isinstance(current, list):
            waiting += [(depth, value) for value in reversed(current)]
