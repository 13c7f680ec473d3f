"""What pages and sitemaps link, told without building a tree of them.

This runs in the parent process on bytes that others wrote, so it is plain
Python, reads every input once and stops at limits.
"""

from __future__ import annotations

import re
import string
import zlib
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from urllib.parse import quote, urljoin, urlsplit

_MAX_ADDRESS = 2_000
"""Letters; what servers take at most is about as long."""
_MAX_LINKS = 5_000
_MAX_LETTERS = 500_000
"""Of all addresses that a page links: those of a menu that is repeated everywhere too."""
"""Of one page. The longest index pages of real sites have some hundreds."""
_MAX_TAGS = 300_000
"""Of one page or sitemap; some seconds of work."""
_MAX_LISTED = 20_000
"""Addresses of one sitemap."""
_MAX_SITEMAP = 20_000_000
"""Bytes, unpacked."""
_LINKED = {
    "a": "href", "area": "href", "frame": "src", "iframe": "src", "embed": "src", "object": "data",
}  # fmt: skip
"""Where an element names a page or file of its own."""
_MENUS = frozenset({"nav", "header", "footer", "aside"})
_TRACKING = re.compile(
    r"(?:utm_\w*|[a-z]*clid|gbraid|wbraid|mc_[ce]id|igshid|_ga|_gl|mtm_\w*|pk_(?:campaign|kwd))",
    re.IGNORECASE,
)
"""Names of parameters by which visitors are counted; the page is the same without."""
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_REFRESH = re.compile(r"\s*[\d.]*\s*[;,]\s*(?:url\s*=\s*)?[\"']?([^\"']*)", re.IGNORECASE)
_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_].*)?", re.IGNORECASE | re.DOTALL)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Directives that are followed by a colon themselves."""


@dataclass(frozen=True)
class PageLinks:
    """What a page says of other pages, and of itself to robots."""

    links: tuple[str, ...] = ()
    """In normal form, each once, in order; those not to be followed left out."""
    menus: tuple[str, ...] = ()
    """Those of all links that stand in menus, header or footer."""
    canonical: str | None = None
    """The address it wants to be known by."""
    leads_to: str | None = None
    """Where it sends its readers at once."""
    directives: frozenset[str] = frozenset()
    """For robots: ``noindex``, ``nofollow``."""
    language: str | None = None
    """ISO 639-1."""


@dataclass(frozen=True)
class Listed:
    """An entry of a sitemap."""

    address: str
    modified: str | None = None
    """ISO date."""


@dataclass(frozen=True)
class Sitemap:
    """What a sitemap lists."""

    pages: tuple[Listed, ...] = ()
    sitemaps: tuple[str, ...] = ()
    """Of an index of sitemaps."""


def web_address(address: str, base: str = "") -> str | None:
    """The one form in which an address is compared and asked for.

    Without fragment, default port, dot segments and the parameters that count
    visitors; host in lower case, percent-encoding as RFC 3986 prefers it.

    Args:
        address: As written.
        base: What it is relative to.

    Returns:
        None for what is no address of the web, is too long or names a user.
    """
    if len(address) > _MAX_ADDRESS:
        return None
    try:
        parts = urlsplit(urljoin(base, address.strip()))
        host = _host(parts.hostname or "")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    if port and port != {"http": 80, "https": 443}[parts.scheme]:
        host = f"{host}:{port}"
    path = _without_dots(_encoded(parts.path, _PATH_SAFE))
    query = "&".join(
        each
        for each in _encoded(parts.query, _PATH_SAFE + "?").split("&")
        if each and not _TRACKING.fullmatch(each.partition("=")[0])
    )
    normal = f"{parts.scheme}://{host}{path}{'?' + query if query else ''}"
    return normal if len(normal) <= _MAX_ADDRESS else None


def _host(name: str) -> str:
    name = name.rstrip(".")
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    return f"[{name}]" if ":" in name else name


def _encoded(text: str, safe: str) -> str:
    """Percent-encoding in normal form: where needed, and nowhere else."""

    def normal(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else match[0].upper()

    return quote(_ESCAPED.sub(normal, _BROKEN_ESCAPE.sub("%25", text)), safe=safe)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:] or [""]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def robots_directives(header: str, robot: str) -> frozenset[str]:
    """What an ``X-Robots-Tag`` says to everybody, and to us.

    Args:
        header: Its value; several are joined by commas.
        robot: Our name, lower case.
    """
    said: set[str] = set()
    to_us = True
    for item in header.lower().split(","):
        name, colon, rest = (part.strip() for part in item.partition(":"))
        if colon and name not in _VALUED:
            to_us = name == robot
            name = rest
        if to_us:
            said.add(name)
    return _told(said)


def _told(words: set[str]) -> frozenset[str]:
    said = {word for word in ("noindex", "nofollow") if word in words or "none" in words}
    return frozenset(said)


class _Enough(Exception):
    """A limit is reached; what was read so far counts."""


class _Reader(HTMLParser):
    """Reads markup once from front to end.

    It is never closed: at the end of an input the parser of the standard
    library tries every unfinished construct anew, in time that grows with the
    square of their number, and a browser shows nothing of them either.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tags = 0

    def read(self, markup: str) -> None:
        try:
            self.feed(markup)
        except (_Enough, AssertionError):
            # The parser asserts what markup does not keep.
            return

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tags += 1
        if self._tags > _MAX_TAGS:
            raise _Enough
        given: dict[str, str] = {}
        for name, value in attrs:
            given.setdefault(name, value or "")
        self.opened(tag, given)

    def opened(self, tag: str, attributes: dict[str, str], /) -> None:
        raise NotImplementedError


class _PageReader(_Reader):
    def __init__(self, url: str, robot: str):
        super().__init__()
        self._base = url
        self._has_base = False
        self._robot = robot
        self._menu: str | None = None
        self._depth = 0
        # Dicts, as they keep the order in which the page has them.
        self.links: dict[str, None] = {}
        self.menus: dict[str, None] = {}
        self._letters = 0
        self.canonical: str | None = None
        self.leads_to: str | None = None
        self.directives: set[str] = set()
        self.language: str | None = None

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Outside drawings, HTML knows no element that closes itself.
        self.handle_starttag(tag, attrs)

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        # As browsers do: a comment up to the next ">", whatever it begins with.
        return self.parse_bogus_comment(i, report)

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == self._menu:
            self._depth += 1
        elif tag == "main":
            # A menu that was never closed ends where the content begins.
            self._menu = None
        elif self._menu is None and (
            tag in _MENUS or "navigation" in attributes.get("role", "").lower().split()
        ):
            self._menu, self._depth = tag, 1
        if tag in _LINKED:
            written = attributes.get(_LINKED[tag]) or attributes.get("xlink:href")
            if written:
                self._link(written, attributes)
        elif tag == "link":
            self._linked_page(attributes)
        elif tag == "meta":
            self._told(attributes)
        elif tag == "base" and not self._has_base and attributes.get("href"):
            self._has_base = True
            self._base = web_address(attributes["href"], self._base) or self._base
        elif tag == "html" and self.language is None:
            match = _LANGUAGE.fullmatch(attributes.get("lang", attributes.get("xml:lang", "")))
            self.language = match[1].lower() if match else None

    def handle_endtag(self, tag: str) -> None:
        if tag == self._menu:
            self._depth -= 1
            if self._depth == 0:
                self._menu = None

    def _link(self, written: str, attributes: dict[str, str]) -> None:
        if written.lstrip()[:1] == "#":
            return
        address = web_address(written, self._base)
        if address is None:
            return
        self._letters += len(address)
        if self._menu:
            self.menus[address] = None
        if "nofollow" not in attributes.get("rel", "").lower().split():
            self.links[address] = None
        many = max(len(self.links), len(self.menus))
        if many >= _MAX_LINKS or self._letters >= _MAX_LETTERS:
            raise _Enough

    def _linked_page(self, attributes: dict[str, str]) -> None:
        related = attributes.get("rel", "").lower().split()
        written = attributes.get("href")
        if not written:
            return
        if "canonical" in related and self.canonical is None:
            self.canonical = web_address(written, self._base)
        elif {"next", "prev"} & {*related} or ("alternate" in related and "hreflang" in attributes):
            self._link(written, {})

    def _told(self, attributes: dict[str, str]) -> None:
        content = attributes.get("content", "")
        if attributes.get("name", "").strip().lower() in ("robots", self._robot):
            self.directives |= _told({word.strip() for word in content.lower().split(",")})
        elif attributes.get("http-equiv", "").lower() == "refresh" and self.leads_to is None:
            match = _REFRESH.match(content[:_MAX_ADDRESS])
            if match and match[1]:
                self.leads_to = web_address(match[1], self._base)


def page_links(content: bytes, url: str, robot: str) -> PageLinks:
    """Read what a page links.

    Args:
        content: HTML, in whatever encoding.
        url: Address of the page.
        robot: The name by which pages may address us, lower case.
    """
    reader = _PageReader(url, robot)
    reader.read(_decoded(content))
    return PageLinks(
        links=() if "nofollow" in reader.directives else tuple(reader.links),
        menus=tuple(reader.menus),
        canonical=reader.canonical,
        leads_to=reader.leads_to,
        directives=frozenset(reader.directives),
        language=reader.language,
    )


def _decoded(content: bytes) -> str:
    """Text of a page; for links, which are nearly always ASCII, a guess will do."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


class _SitemapReader(_Reader):
    def __init__(self, url: str):
        super().__init__()
        self._url = url
        self._within: list[str] = []
        self._text: list[str] = []
        self._loc: str | None = None
        self._modified: str | None = None
        self.pages: dict[str, str | None] = {}
        self.sitemaps: dict[str, None] = {}

    def opened(self, tag: str, _: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name in ("url", "sitemap"):
            self._loc = self._modified = None
        # Deeper is nothing that counts: an entry's pictures have a `loc` too.
        self._within.append(name)
        self._text = []

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def unknown_decl(self, data: str) -> None:
        if data.startswith("CDATA["):
            self._text.append(data.removeprefix("CDATA["))

    def handle_endtag(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if not self._within or self._within.pop() != name:
            return
        within = self._within[-1] if self._within else ""
        text = "".join(self._text).strip()
        self._text = []
        if within in ("url", "sitemap"):
            if name == "loc" and self._loc is None:
                self._loc = web_address(text, self._url)
            elif name == "lastmod":
                self._modified = iso_date(text)
        elif name in ("url", "sitemap") and self._loc:
            if name == "url":
                self.pages.setdefault(self._loc, self._modified)
            else:
                self.sitemaps.setdefault(self._loc)
            self._loc = None
            if len(self.pages) + len(self.sitemaps) >= _MAX_LISTED:
                raise _Enough


def read_sitemap(content: bytes, url: str) -> Sitemap:
    """Read a sitemap, or an index of sitemaps; packed with gzip or not.

    Raises:
        ValueError: It is damaged, or too large when unpacked.
    """
    if content.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            content = unpacker.decompress(content, _MAX_SITEMAP + 1)
        except zlib.error as error:
            raise ValueError("the sitemap is damaged") from error
        if not unpacker.eof and len(content) <= _MAX_SITEMAP:
            raise ValueError("the sitemap is damaged")
    if len(content) > _MAX_SITEMAP:
        raise ValueError(f"the sitemap is larger than {_MAX_SITEMAP // 10**6} MB")
    reader = _SitemapReader(url)
    reader.read(_decoded(content))
    return Sitemap(
        tuple(Listed(address, modified) for address, modified in reader.pages.items()),
        tuple(reader.sitemaps),
    )


def iso_date(text: str) -> str | None:
    """The date at the beginning of a text, as ``YYYY-MM-DD``; None where there is none."""
    match = _DATE.match(text.strip())
    try:
        return date.fromisoformat(match[0]).isoformat() if match else None
    except ValueError:
        return None
