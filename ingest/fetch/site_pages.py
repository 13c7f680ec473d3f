"""The pages of a crawled site: which of their addresses is the page, and under which path.

Pure: from what was read to names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest.fetch.downloads import StoredPage
from ingest.fetch.links import PageLinks

HTML = ".html"
MEDIA = {
    "text/html": HTML,
    "application/xhtml+xml": HTML,
    "application/pdf": ".pdf",
    "application/x-pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/epub+zip": ".epub",
}
_PRINTED_AS_ESCAPED = frozenset("/\\?#%")


@dataclass(frozen=True)
class Page:
    """A page, or a file, of the site."""

    address: str
    stored: StoredPage
    links: PageLinks
    failed: str = ""
    """Why it cannot be had today; the rest is what it was."""

    @property
    def suffix(self) -> str:
        """Of the stored body: what type it is."""
        return Path(self.stored.file or "").suffix


def identities(
    pages: Mapping[str, Page], canonical: Mapping[str, str], listed: set[str]
) -> dict[str, str]:
    """Each address to the one under which its page is known.

    A page is known by its canonical address. Of addresses that differ in how
    a host spells them and have the same bytes, one in the sitemap counts, else
    the shortest.
    """
    became = {address: _known_as(address, canonical) for address in pages}
    spelt: dict[tuple[str, str | None], list[str]] = {}
    for address in dict.fromkeys(became.values()):
        spelt.setdefault((stem(address), pages[address].stored.file), []).append(address)
    best = {
        address: min(same, key=lambda each: (each not in listed, len(each), each))
        for same in spelt.values()
        for address in same
    }
    return {address: best[identity] for address, identity in became.items()}


def _known_as(address: str, canonical: Mapping[str, str]) -> str:
    """Where the canonical addresses lead from an address; the shortest of a circle."""
    chain = [address]
    while (following := canonical.get(chain[-1])) is not None:
        if following in chain:
            return min(chain[chain.index(following) :], key=lambda each: (len(each), each))
        chain.append(following)
    return chain[-1]


def stem(address: str) -> str:
    """What the usual spellings of one page's address share."""
    parts = urlsplit(address)
    path = re.sub(r"\.html?$", "", parts.path)
    path = re.sub(r"(?<=/)index$", "", path)
    return parts._replace(path=path.rstrip("/") or "/").geturl()


def paths_of(pages: Iterable[Page]) -> dict[str, Page]:
    """Each page by its path, which no two share."""
    found: dict[str, Page] = {}
    for page in sorted(pages, key=lambda each: (len(each.address), each.address)):
        path = free = path_of(page.address, page.suffix)
        number = 2
        while free in found:
            free = f"{path.removesuffix(page.suffix)}.{number}{page.suffix}"
            number += 1
        found[free] = page
    return found


def path_of(address: str, suffix: str) -> str:
    """Where a copy of the site would keep an address: as ``wget -E`` names it."""
    parts = urlsplit(address)
    path = "/".join(map(_readable, parts.path.removeprefix("/").split("/")))
    if not path or path.endswith("/"):
        path += "index"
    if parts.query:
        path += f"?{_readable(parts.query)}"
    ends = (".html", ".htm") if suffix == HTML else (suffix,)
    return path if path.lower().endswith(ends) else path + suffix


def _readable(segment: str) -> str:
    """A part of an address without percent-encoding, where that can be printed."""
    try:
        plain = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return segment
    if not plain.isprintable() or _PRINTED_AS_ESCAPED & set(plain):
        return segment
    return plain


def likely_path(address: str) -> str:
    """The path of what has not been read: by its address alone."""
    named = Path(urlsplit(address).path).suffix.lower()
    return path_of(address, named if named in MEDIA.values() else HTML)
