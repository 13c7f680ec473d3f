"""A web site, page by page, as a polite robot reads it.

What is asked again is asked with conditions, so that a site that has not
changed costs answers without a body. What cannot be asked today is told from
what is no longer there: the first keeps its old state, the second is gone.
"""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from protego import Protego
from pydantic import TypeAdapter, ValidationError

from ingest.fetch.addresses import Refused
from ingest.fetch.client import Client, Reply
from ingest.fetch.downloads import Downloads, StoredPage
from ingest.fetch.links import (
    PageLinks,
    page_links,
    read_sitemap,
    robots_directives,
    web_address,
)
from ingest.fetch.site_pages import (
    HTML,
    MEDIA,
    Page,
    identities,
    likely_path,
    path_of,
    paths_of,
    stem,
)
from ingest.models import Fetched, Menus, Problem, Remote, Skipped, Source, SourceFile
from rag.errors import SourceUnavailable

ROBOT = "nmg-helpdesk"
"""The name by which ``robots.txt`` and pages may address us."""

_MAX_PAGES = 2_000
"""Pages and files of one site."""
_MAX_ASKED = 3 * _MAX_PAGES
"""Addresses asked for, those that lead nowhere included."""
_MAX_SEEN = 50_000
"""Addresses that are kept in mind."""
_MAX_CRAWL_S = 2 * 3600
"""Seconds for a whole site; a slow one must not keep the others waiting for days."""
_MAX_TOTAL = 4_000_000_000
"""Bytes that one crawl takes in."""
_MAX_PAGE = 10_000_000
"""Bytes of an HTML page."""
_MAX_FILE_MB = 100
_MAX_ROBOTS = 500 * 1024
"""Bytes, as RFC 9309 wants to be read."""
_MAX_SITEMAPS = 50
_MAX_DELAY_S = 10
_MAX_SEGMENTS = 20
_MAX_REPEATED = 3
"""Times that a folder may occur in an address; a broken relative link repeats it endlessly."""
_GIVE_UP = 10
"""Failures in a row after which it is the site that fails, not its pages."""
_ALIKE = 5
"""Pages from which on a site whose pages are all the same is taken to be closed."""
_ONE_DATE = 5
"""Entries of a sitemap from which on a date that all share is that of its making."""

_UNTOLD = frozenset(
    "application/octet-stream binary/octet-stream application/x-download application/zip"
    " application/force-download".split()
)
"""Types that say as much as none."""
_PACKED = (".docx", ".odt", ".epub")
_PAGE_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)", re.IGNORECASE)
_OTHER = frozenset(
    ".7z .avi .avif .bmp .bz2 .css .csv .dmg .doc .eot .exe .flac .gif .gz .heic .ico .ics .iso"
    " .jar .jpeg .jpg .js .json .jsonld .m4a .m4v .map .mjs .mov .mp3 .mp4 .mpeg .mpg .odp .ods"
    " .ogg .ogv .otf .pkg .png .ppt .pptx .ps .psd .rar .rss .rtf .svg .tar .tgz .tif .tiff .tsv"
    " .ttf .txt .wasm .wav .webm .webmanifest .webp .wmv .woff .woff2 .xls .xlsm .xlsx .xml .xz"
    " .yaml .yml .zip".split()
)
"""Suffixes of what is no document, and not asked for."""
_GONE = (404, 410)
_GONE_DAYS = 7
"""How long a dead link is believed to be dead, where no sitemap lists it."""
_CLOSED = (401, 402, 451)
_REFUSED = (403, 407)
"""As one answers who is not let in; and as one who takes us for something else."""
_CLOSED_TO_ROBOTS = "closed to robots"
_IS_FILE = re.compile(r"\.(?:x?html?|php\d?|aspx?|jsp|pdf)$", re.IGNORECASE)


@dataclass(frozen=True)
class _Facts:
    """What is remembered of a page's body; `version` is that of its reader."""

    version: int = 0
    body: PageLinks = field(default_factory=PageLinks)
    header: frozenset[str] = frozenset()
    """Directives that were not in the body but beside it."""
    unread: str = ""
    """Why the body is not kept."""

    @property
    def links(self) -> PageLinks:
        """What the page links, after all that it says to robots."""
        followed = () if "nofollow" in self.header else self.body.links
        return replace(self.body, links=followed, directives=self.body.directives | self.header)


_VERSION = 1
_FACTS: TypeAdapter[_Facts] = TypeAdapter(_Facts)


@dataclass(frozen=True)
class _Site:
    """Which addresses belong to a site."""

    root: str
    """Scheme and host."""
    within: str
    """Path that the crawl is limited to, with all below it."""

    @classmethod
    def around(cls, address: str) -> _Site:
        """The site of a first page: its folder, or what lies below it."""
        parts = urlsplit(address)
        folder, _, last = parts.path.rpartition("/")
        within = f"{folder}/" if _IS_FILE.search(last) else parts.path
        return cls(f"{parts.scheme}://{parts.netloc}", within)

    def own(self, address: str) -> str | None:
        """An address as one of this site, None where it is another's.

        With and without encryption, and with and without ``www.``, are the same.
        """
        parts, root = urlsplit(address), urlsplit(self.root)
        if parts.netloc.removeprefix("www.") != root.netloc.removeprefix("www."):
            return None
        return parts._replace(scheme=root.scheme, netloc=root.netloc).geturl()

    def holds(self, address: str) -> bool:
        """Whether the crawl goes there."""
        if not address.startswith(f"{self.root}/"):
            return False
        path = urlsplit(address).path
        return path == self.within or path.startswith(f"{self.within.rstrip('/')}/")


def fetch_site(
    remote: Remote,
    client: Client,
    downloads: Downloads,
    count: Callable[[int], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Read a site from its first page on, by its sitemap and its links.

    Args:
        remote: The site; an address below its root limits the crawl to what is below.
        client: Asks.
        downloads: What is known from before, and where bodies are kept.
        count: Told of every address that is done with.
        sleep: Waits as ``robots.txt`` asks for.

    Raises:
        SourceUnavailable: Its first page or its ``robots.txt`` cannot be had, or it
            fails throughout.
    """
    return _Crawl(remote, client, downloads, count, sleep).run()


class _Crawl:
    def __init__(
        self,
        remote: Remote,
        client: Client,
        downloads: Downloads,
        count: Callable[[int], None],
        sleep: Callable[[float], None],
    ):
        self._remote = remote
        self._client = client
        self._downloads = downloads
        self._count = count
        self._sleep = sleep
        self._delay_s = 0.0
        self._asked: set[str] = set()
        self._gone: set[str] = set()
        """Of those asked for: what is no longer there for us."""
        self._until = time.monotonic() + _MAX_CRAWL_S
        self._received = 0
        self._failures = 0
        self._robots = Protego.parse("")
        self._waiting: deque[str] = deque()
        self._seen: set[str] = set()
        self._final: dict[str, str] = {}
        """Each address asked for to the one that answered."""
        self._pages: dict[str, Page] = {}
        self._listed: dict[str, str | None] = {}
        """Addresses of the sitemap, with the date of their last change."""
        self._skipped: dict[str, Skipped] = {}
        self._problems: dict[str, Problem] = {}

    def run(self) -> Fetched:
        """Walk the whole site."""
        self._open()
        self._read_sitemaps()
        for address in self._listed:
            self._follow(address, listed=True)
        while self._waiting and not self._is_full() and not self._is_late():
            self._visit(self._waiting.popleft())
            self._count(1)
        if self._waiting and self._is_late():
            self._whole(self._waiting[0], f"not read within {_MAX_CRAWL_S // 3600} hours")
        elif self._waiting:
            path = likely_path(self._waiting[0])
            read = f"only the first {len(self._pages)} pages of the site are read"
            self._problems[path] = Problem(path, f"{read}; from here on there are too many")
        fetched = self._fetched()
        known = (self._asked | {*self._waiting}) - self._gone
        self._downloads.forget(self._remote.name, frozenset(known))
        return fetched

    # How it begins

    def _open(self) -> None:
        """Ask for the first page; where it answers decides which site this is."""
        start = web_address(self._remote.address)
        if start is None:
            raise SourceUnavailable("its address is none of a site")
        self._site = asked = _Site.around(start)
        self._read_robots()
        self._check_robots(start)
        stored = self._ask(start, anywhere=True)
        if stored.status != 200:
            raise SourceUnavailable(f"its first page answered {stored.status}")
        answered = _Site.around(stored.url)
        # A home page that leads to one of its folders does not make the site smaller.
        whole = replace(answered, within=asked.within)
        self._site = whole if whole.holds(stored.url) else answered
        if self._site.root != asked.root:
            self._read_robots()
        self._check_robots(stored.url)
        self._seen |= {start, stored.url}
        self._take(start, stored)
        self._count(1)

    def _check_robots(self, address: str) -> None:
        if not self._robots.can_fetch(address, ROBOT):
            raise SourceUnavailable("robots.txt closes its first page to us")

    def _read_robots(self) -> None:
        """Read what robots may; RFC 9309: none means all, an error means nothing."""
        try:
            address = f"{self._site.root}/robots.txt"
            stored = self._ask(address, suffix=".txt", anywhere=True)
        except SourceUnavailable as error:
            raise SourceUnavailable(f"robots.txt cannot be had: {error}") from error
        if stored.status >= 500:
            raise SourceUnavailable(f"robots.txt answered {stored.status}")
        content = self._body(stored)[:_MAX_ROBOTS] if stored.status == 200 else b""
        self._robots = Protego.parse(content.decode("utf-8-sig", errors="replace"))
        self._delay_s = min(self._robots.crawl_delay(ROBOT) or 0.0, _MAX_DELAY_S)

    def _read_sitemaps(self) -> None:
        """Read what the site lists; a list that fails must not look like an empty one."""
        named = (web_address(each, self._site.root) for each in self._robots.sitemaps)
        usual = (
            f"{self._site.root}/sitemap.xml",
            f"{self._site.root}{self._site.within.rstrip('/')}/sitemap.xml",
        )
        waiting = deque(self._own([*filter(None, named), *usual]))
        seen: set[str] = set()
        dates: list[str | None] = []
        while waiting and len(seen) < _MAX_SITEMAPS and len(self._listed) < _MAX_SEEN:
            address = waiting.popleft()
            if address in seen:
                continue
            seen.add(address)
            try:
                sitemap = read_sitemap(self._sitemap(address), address)
            except ValueError as error:
                self._whole(address, str(error))
                continue
            waiting.extend(self._own(sitemap.sitemaps))
            for entry in sitemap.pages:
                dates.append(entry.modified)
                for own in self._own([entry.address]):
                    self._listed.setdefault(own, entry.modified)
        if len(dates) >= _ONE_DATE and len(set(dates)) == 1:
            self._listed = dict.fromkeys(self._listed)

    def _sitemap(self, address: str) -> bytes:
        """A sitemap; that of before where it cannot be had, nothing where there is none.

        A page that stands in its place, of a login or a guard, is not an empty one.
        """
        source = self._remote.name
        known = self._downloads.page(source, address)
        before = self._body(known) if known and known.status == 200 else b""
        if not _is_sitemap(before):
            before = b""
        try:
            stored = self._ask(address, suffix=".xml")
        except Refused as error:
            failed = str(error) if before else ""
            content = b""
        except SourceUnavailable as error:
            failed, content = str(error), b""
        else:
            content = self._body(stored) if stored.status == 200 else b""
            failed = ""
            if stored.status >= 500:
                failed = f"answered {stored.status}"
            elif before and stored.status not in _GONE and not _is_sitemap(content):
                failed = f"is no sitemap any more, it answered {stored.status}"
        if not failed:
            return content
        if known and before:
            self._downloads.remember(source, address, known)
        self._whole(address, failed)
        return before

    def _whole(self, address: str, problem: str) -> None:
        """Report what concerns no single page: all that is not found keeps its old state."""
        name = self._remote.name
        told = f"{path_of(address, '')}: {problem}"
        self._problems.setdefault(name, Problem(name, told))

    def _own(self, addresses: Iterable[str | None]) -> list[str]:
        """Those of some addresses that are the site's."""
        return [own for each in addresses if each and (own := self._site.own(each))]

    # How it goes on

    def _is_late(self) -> bool:
        return time.monotonic() > self._until

    def _is_full(self) -> bool:
        return (
            len(self._pages) >= _MAX_PAGES
            or len(self._asked) >= _MAX_ASKED
            or self._received >= _MAX_TOTAL
        )

    def _follow(self, address: str, *, listed: bool = False) -> None:
        """Note an address to be asked for, where it may hold a page."""
        parts = urlsplit(address)
        # What makes pages of parameters can make any number of them.
        if parts.query and not listed:
            return
        if address in self._seen or len(self._seen) >= _MAX_SEEN:
            return
        if not self._site.holds(address) or Path(parts.path).suffix.lower() in _OTHER:
            return
        segments = Counter(segment for segment in parts.path.split("/") if segment)
        if segments.total() > _MAX_SEGMENTS or any(
            times > _MAX_REPEATED for times in segments.values()
        ):
            return
        self._seen.add(address)
        if self._robots.can_fetch(address, ROBOT):
            self._waiting.append(address)
        else:
            self._skip(address, _CLOSED_TO_ROBOTS)

    def _visit(self, address: str) -> None:
        # Another address may have led here by a redirect.
        if address in self._final or self._is_dead(address):
            return
        try:
            stored = self._ask(address)
        except Refused as error:
            self._gone.add(address)
            self._skip(address, str(error))
            return
        except SourceUnavailable as error:
            self._failures += 1
            if self._failures >= _GIVE_UP:
                raise SourceUnavailable(f"it fails throughout: {error}") from error
            self._fail(address, str(error))
            return
        self._failures = 0
        if stored.status == 200:
            self._take(address, stored)
        elif stored.status in _CLOSED:
            self._gone.add(address)
            self._skip(address, f"not public, it answered {stored.status}")
        elif stored.status in _REFUSED and not self._is_known(address):
            self._skip(address, f"not public, it answered {stored.status}")
        elif stored.status in _GONE and self._is_known(address):
            # Forgotten, so that it is asked for once more before it counts as dead.
            self._gone.add(address)
        elif stored.status in _GONE:
            today = datetime.now(UTC).date().isoformat()
            self._downloads.remember(self._remote.name, address, replace(stored, modified=today))
        else:
            self._fail(address, f"answered {stored.status}")

    def _is_known(self, address: str) -> bool:
        """Whether an address held a page, or file, when it was asked last."""
        known = self._downloads.page(self._remote.name, address)
        return known is not None and known.file is not None

    def _is_dead(self, address: str) -> bool:
        """Whether a link was dead not long ago: to ask costs an answer that has no condition."""
        known = self._downloads.page(self._remote.name, address)
        if known is None or known.status not in _GONE or address in self._listed:
            return False
        since = datetime.now(UTC).date() - date.fromisoformat(known.modified or "0001-01-01")
        self._asked.add(address)
        return since < timedelta(days=_GONE_DAYS)

    def _take(self, asked: str, stored: StoredPage) -> None:
        """Note what answered, and follow its links."""
        address = self._site.own(stored.url)
        if address is None or not self._site.holds(address):
            return
        self._final[asked] = self._final[address] = address
        self._seen.add(address)
        if address in self._pages:
            return
        if not self._robots.can_fetch(address, ROBOT):
            self._skip(address, _CLOSED_TO_ROBOTS)
            return
        facts = _facts(stored)
        links = facts.links
        for own in self._own([*links.links, links.canonical, links.leads_to]):
            self._follow(own)
        if facts.unread:
            self._skip(address, facts.unread)
        elif "noindex" in links.directives:
            self._skip(address, "noindex")
        elif links.leads_to and self._site.own(links.leads_to) is None:
            self._skip(address, "leads to another site")
        else:
            # Of thousands of pages only what is looked at again is kept in mind.
            kept = replace(links, links=())
            self._pages[address] = Page(address, replace(stored, facts=""), kept)

    def _fail(self, address: str, reason: str) -> None:
        """Note what could not be asked; where it led is followed all the same."""
        known = self._downloads.page(self._remote.name, address)
        if known and known.file:
            self._downloads.touch(self._downloads.path(known.file))
            self._take(address, known)
            page = self._pages.get(self._final.get(address, ""))
            if page and page.stored == replace(known, facts=""):
                self._pages[page.address] = replace(page, failed=reason)
        elif address in self._listed:
            path = likely_path(address)
            self._problems.setdefault(path, Problem(path, reason))
        else:
            # A broken link, as far as anybody can tell.
            self._skip(address, reason)

    def _skip(self, address: str, reason: str) -> None:
        path = likely_path(address)
        self._skipped.setdefault(path, Skipped(path, reason))

    # Asking

    def _ask(
        self,
        address: str,
        *,
        suffix: str | None = None,
        anywhere: bool = False,
    ) -> StoredPage:
        """Ask for an address, with conditions where its answer is known.

        Args:
            address: In normal form.
            suffix: Of what is kept; None: a page or file, told by its answer.
            anywhere: Whether it may lead to another host.

        Raises:
            SourceUnavailable: There is no answer.
        """
        source = self._remote.name
        known = self._downloads.page(source, address)
        if self._asked and self._delay_s:
            self._sleep(self._delay_s)
        self._asked.add(address)
        with self._downloads.draft() as draft:

            def ask(headers: Mapping[str, str]) -> Reply:
                return self._client.get(
                    address, headers, into=draft, megabytes=_MAX_FILE_MB, same_host=not anywhere
                )

            reply = ask(_conditions(known))
            url = web_address(reply.url) or reply.url
            if reply.status == 304 and known and known.url == url:
                return self._unchanged(address, known, reply)
            if reply.status == 304:
                # Its redirect leads elsewhere by now, to what has the same tag.
                reply = ask({})
                url = web_address(reply.url) or reply.url
            if reply.status != 200:
                return StoredPage(url, reply.status)
            if suffix:
                stored = self._kept(url, reply, draft, suffix, known)
            else:
                stored = self._document(url, reply, draft, known)
        self._downloads.remember(source, address, stored)
        return stored

    def _unchanged(self, address: str, known: StoredPage, reply: Reply) -> StoredPage:
        """What is known of a page; read anew where our reader, or what its header says, has."""
        if known.file is None:
            return known
        self._downloads.touch(self._downloads.path(known.file))
        header = _facts(known).header
        if said := reply.headers.get("x-robots-tag"):
            header = robots_directives(said, ROBOT)
        if not known.facts or (_facts(known).version, _facts(known).header) == (_VERSION, header):
            return known
        stored = replace(known, facts=_noted(_Facts(_VERSION, self._links(known), header)))
        self._downloads.remember(self._remote.name, address, stored)
        return stored

    def _document(
        self, url: str, reply: Reply, draft: Path, known: StoredPage | None
    ) -> StoredPage:
        """Keep a page or file with what it links; of anything else, what it is."""
        media = _media_type(reply)
        suffix = _suffix(media, draft, url)
        unread = ""
        if suffix is None:
            unread = f"no document: {media[:80] or 'of no known type'}"
        elif suffix == HTML and draft.stat().st_size > _MAX_PAGE:
            unread = f"larger than {_MAX_PAGE // 10**6} MB"
        stored = self._kept(url, reply, draft, "" if unread else suffix or "", known)
        if unread:
            return replace(stored, facts=_noted(_Facts(_VERSION, unread=unread)))
        if known and (known.file, known.url) == (stored.file, url) and known.facts:
            stored = replace(stored, facts=known.facts)
        facts = _facts(stored)
        links = facts.body if facts.version == _VERSION else self._links(stored)
        header = robots_directives(reply.headers.get("x-robots-tag", ""), ROBOT)
        return replace(stored, facts=_noted(_Facts(_VERSION, links, header)))

    def _kept(
        self, url: str, reply: Reply, draft: Path, suffix: str, known: StoredPage | None
    ) -> StoredPage:
        """Keep the body of an answer; without a suffix, only what its headers say."""
        self._received += draft.stat().st_size
        changed = reply.headers.get("last-modified")
        stored = StoredPage(
            url, reply.status, _media_type(reply), reply.headers.get("etag"), changed
        )
        if not suffix:
            return stored
        file = self._downloads.adopt(draft, suffix)
        since = known.modified if known and known.file == file else None
        return replace(stored, file=file, modified=since or _modified(changed))

    def _links(self, stored: StoredPage) -> PageLinks:
        """What a stored page links on its own site."""
        if not stored.file or not stored.file.endswith(HTML):
            return PageLinks()
        links = page_links(self._body(stored), stored.url, ROBOT)
        site = _Site.around(stored.url)
        return replace(
            links,
            links=tuple(each for each in links.links if site.own(each)),
            menus=tuple(each for each in links.menus if site.own(each)),
        )

    def _body(self, stored: StoredPage) -> bytes:
        return self._downloads.path(stored.file).read_bytes() if stored.file else b""

    # What comes of it

    def _fetched(self) -> Fetched:
        became = identities(self._pages, self._canonical(), set(self._listed))
        kept = [page for page in self._pages.values() if became[page.address] == page.address]
        self._check_all_alike(kept)
        dates: dict[str, str] = {}
        for listed, modified in self._listed.items():
            address = self._final.get(listed)
            if address in became and modified:
                dates[became[address]] = max(modified, dates.get(became[address], ""))
        files, menus, problems = [], [], dict(self._problems)
        for path, page in paths_of(kept).items():
            if page.failed:
                # It is read as it was: what it links keeps the pages behind it where they are.
                problems[path] = Problem(path, page.failed)
            files.append(self._file(path, page, dates.get(page.address)))
            linked = [
                urlsplit(became.get(final, final)).path
                for own in self._own(page.links.menus)
                for final in [self._final.get(own, own)]
            ]
            if linked:
                menus.append((path, tuple(dict.fromkeys(linked))))
        source = Source(
            self._remote.name,
            "site",
            self._downloads.directory,
            address=self._site.root,
            licence=self._remote.licence,
            language=self._remote.language,
            files=tuple(sorted(files, key=lambda file: file.path)),
            menus=Menus(tuple(sorted(menus))),
        )
        taken = {file.path for file in files}
        return Fetched(
            source,
            tuple(skipped for path, skipped in sorted(self._skipped.items()) if path not in taken),
            tuple(problem for _, problem in sorted(problems.items())),
        )

    def _check_all_alike(self, pages: list[Page]) -> None:
        """Refuse a site that says the same everywhere: it is closed, and does not say so.

        Raises:
            SourceUnavailable: More than half of its pages are one and the same.
        """
        bodies = Counter(page.stored.file for page in pages)
        most = max(bodies.values(), default=0)
        if len(pages) >= _ALIKE and most > len(pages) / 2:
            raise SourceUnavailable(f"{most} of its {len(pages)} pages hold the same")

    def _canonical(self) -> dict[str, str]:
        """Each page that is known by another's address, to that page."""
        home = f"{self._site.root}/"
        found = {}
        for page in self._pages.values():
            named = page.links.leads_to or page.links.canonical
            own = self._site.own(named) if named else None
            target = self._final.get(own or "")
            if target is None or target not in self._pages or target == page.address:
                continue
            # Themes that name the home page on every page are mistaken.
            if target == home and not page.links.leads_to and stem(page.address) != home:
                continue
            found[page.address] = target
        return found

    def _file(self, path: str, page: Page, listed: str | None) -> SourceFile:
        return SourceFile(
            path,
            self._downloads.path(page.stored.file or ""),
            page.address,
            language=page.links.language,
            published=listed or page.stored.modified,
            dated_by="page" if listed else "snapshot",
        )


def _is_sitemap(content: bytes) -> bool:
    """Whether a body can be a sitemap, packed or not, judged by its beginning."""
    head = content[:1_000].lower()
    return content.startswith(b"\x1f\x8b") or b"<urlset" in head or b"<sitemapindex" in head


def _media_type(reply: Reply) -> str:
    return reply.headers.get("content-type", "").partition(";")[0].strip().lower()


def _suffix(media: str, draft: Path, url: str) -> str | None:
    """The type of a body by what the server says, else by its first bytes."""
    if media and media not in _UNTOLD:
        return MEDIA.get(media)
    with draft.open("rb") as file:
        head = file.read(1_000)
    if head.startswith(b"%PDF-"):
        return ".pdf"
    if head.startswith(b"PK\x03\x04"):
        named = Path(urlsplit(url).path).suffix.lower()
        return named if named in _PACKED else None
    return HTML if _PAGE_START.match(head) else None


def _conditions(known: StoredPage | None) -> dict[str, str]:
    headers = {}
    if known and known.etag:
        headers["If-None-Match"] = known.etag
    if known and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _noted(facts: _Facts) -> str:
    return _FACTS.dump_json(facts).decode()


def _facts(stored: StoredPage) -> _Facts:
    """What is remembered of a body; nothing where another version wrote it."""
    try:
        return _FACTS.validate_json(stored.facts) if stored.facts else _Facts()
    except ValidationError:
        return _Facts()


def _modified(header: str | None) -> str:
    """The ISO date of a ``Last-Modified``, today where it says nothing that can be."""
    today = datetime.now(UTC).date()
    try:
        said = parsedate_to_datetime(header).astimezone(UTC).date() if header else today
    except (ValueError, OverflowError):
        said = today
    return min(said, today).isoformat()
