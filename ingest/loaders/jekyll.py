"""A Jekyll checkout, read as its reader sees the built site.

What a page shows is decided by more than its own file: defaults and the
permalink rule stand in ``_config.yml``, menus in ``_data``, hub pages are
drawn from the front matter of others, and some pages live in their layout.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import yaml
from bs4 import Tag

from ingest.loaders.folder import fill_languages, read_file, shown_path
from ingest.loaders.html import main_part, parse_html, read_sections
from ingest.loaders.liquid import Site
from ingest.loaders.markdown import to_soup
from ingest.loaders.office import OFFICE_SUFFIXES
from ingest.loaders.pages import DEMO, NO_TEXT, no_content, no_content_by_name, own_blocks
from ingest.loaders.textfile import given_date, given_title, read_text_file, split_front_matter
from ingest.models import (
    Document,
    EmptyPage,
    Loaded,
    Problem,
    Skipped,
    Source,
    fingerprint,
)
from ingest.register import mentions_of
from rag.errors import UnreadableDocument
from rag.models import DatedBy
from rag.text import fold

_SAME_TEXT = 0.97
"""Share of five-word runs from which two pages count as one (DESIGN 3)."""
_COMPARED = 150
"""Five-word runs from which on pages are compared; short lists of links look alike."""
_COMPARED_AT_MOST = 100_000
"""Words up to which pages are compared: a whole book is no copy of a page."""
CONFIG = "_config.yml"
_MAX_CONFIG = 1_000_000
_GIT = ".git"
_GIT_SECONDS = 25
"""Less than the limit of a file, so that a long history costs the dates and no more."""
_PAGES = (".md", ".markdown", ".html", ".htm")
_SUFFIXES = (*_PAGES, ".pdf", *OFFICE_SUFFIXES)
_EVERYWHERE = ("topnav", "footer")
"""Data files of the theme whose links stand on every page."""
_HOME = "/"
_ANY_SITE = "https://site.invalid"
"""Stands in for the site's own address while its links are resolved."""

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Outline:
    """What of a site concerns all of its pages; known once it is opened."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    """Path of each page to its address on the site."""
    menus: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of each menu to the addresses it links."""
    drawn: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path of each page to the menus drawn beside it, those of every page left out."""


@dataclass(frozen=True)
class _Page:
    """A page file with its front matter, defaults applied."""

    path: str
    front: dict[str, Any]
    body: str
    address: str


def is_jekyll(path: Path) -> bool:
    """Whether a folder is a Jekyll checkout; a Jupyter Book has a ``_toc.yml`` too."""
    return (path / CONFIG).is_file() and not (path / "_toc.yml").is_file()


def site_address(path: Path) -> str | None:
    """The web address a checkout names: ``CNAME``, else ``url`` of its configuration.

    Raises:
        UnreadableDocument: The configuration cannot be read.
    """
    cname = path / "CNAME"
    if cname.is_file():
        host = cname.read_text(encoding="utf-8", errors="replace").strip()
        if host:
            return f"https://{host}"
    config = _config(path)
    url, below = config.get("url"), config.get("baseurl")
    if not url or not isinstance(url, str):
        return None
    below = below.strip("/") if isinstance(below, str) else ""
    return f"{url.rstrip('/')}/{below}".rstrip("/")


def load_jekyll(source: Source) -> Iterator[Loaded]:
    """Read a checkout in this process, one `Loaded` a file."""
    reader = JekyllReader(source)
    read = fill_languages([reader.read(path) for path in reader.paths])
    yield from join_pages(read, reader.outline, source)


def count_files(path: Path) -> int:
    """How many files a reader of the checkout will look at."""
    return sum(1 for _ in _content_files(path))


def _config(path: Path) -> dict[str, Any]:
    """A checkout's ``_config.yml``.

    Raises:
        UnreadableDocument: Without it no address could be told.
    """
    try:
        if (path / CONFIG).stat().st_size > _MAX_CONFIG:
            raise UnreadableDocument(f"{CONFIG} is larger than {_MAX_CONFIG // 10**6} MB")
        config = yaml.safe_load((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise UnreadableDocument(f"{CONFIG} is not YAML") from error
    if config is not None and not isinstance(config, dict):
        raise UnreadableDocument(f"{CONFIG} is not a mapping")
    return config or {}


def _content_files(root: Path) -> Iterator[Path]:
    """Every file that may become a page or is a PDF, in a fixed order."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if any(part.startswith(("_", ".")) for part in relative.parts):
            continue
        if relative.parts[0] in ("vendor", "node_modules"):
            continue
        # Other files (images, scripts, Gemfile) are no documents of a site.
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not path.is_symlink():
            yield path


def _nobody(_: str) -> None:
    """Nobody needs to know what is being read."""


class JekyllReader:
    """Reads a checkout one file at a time.

    Opening reads the configuration, the data files and every page's front
    matter, as a page may draw on all of them. What the pages say of one
    another is left to `join_pages`, once all are read.
    """

    def __init__(
        self,
        source: Source,
        announce: Announce = _nobody,
        leave_out: frozenset[str] = frozenset(),
    ):
        """Open the checkout.

        Args:
            source: The checkout.
            announce: Told the path of each file before it is parsed.
            leave_out: Paths that must not be touched.
        """
        self.source = source
        self.paths: tuple[str, ...]
        self._root = source.path
        self._failed: dict[str, Loaded] = {}
        self._pages: dict[str, _Page] = {}
        announce(CONFIG)
        try:
            self._config = _config(self._root)
        except UnreadableDocument as error:
            # No address is certain without it, so nothing else is read.
            self.paths = (CONFIG,)
            self.outline = Outline()
            self._failed[CONFIG] = Loaded(problems=[Problem(CONFIG, str(error))])
            return
        self._defaults = [
            entry for entry in self._config.get("defaults") or () if isinstance(entry, dict)
        ]
        excluded = self._config.get("exclude") or ()
        self._excluded = tuple(str(name).rstrip("/") for name in excluded)
        self._data = _data(self._root, announce, leave_out)
        announce(_GIT)
        self._dates = {} if _GIT in leave_out else _git_dates(self._root)
        self._files = {
            shown_path(path.relative_to(self._root)): path for path in _content_files(self._root)
        }
        self.paths = tuple(path for path in self._files if path not in leave_out)
        for path in self.paths:
            if not path.lower().endswith(_PAGES):
                continue
            announce(path)
            loaded = Loaded()
            page = self._parse(self._files[path], path, loaded)
            if page:
                self._pages[path] = page
            else:
                self._failed[path] = loaded
        seen = [self._seen(page) for page in self._pages.values()]
        self.site = Site(self._data, seen, self._config)
        self._topics = _menu_topics(self._data)
        self.outline = Outline(
            {page.path: page.address for page in self._pages.values()},
            _menus(self._data),
            {page.path: self._menus_beside(page) for page in self._pages.values()},
        )

    def read(self, path: str) -> Loaded:
        """Read one of `paths`; what cannot be read is a problem in the result."""
        if path in self._failed:
            return self._failed[path]
        if path not in self._pages:
            return self._file(path)
        page = self._pages[path]
        loaded = Loaded()
        try:
            self._page(page, loaded)
        except UnreadableDocument as error:
            loaded.problems.append(Problem(path, str(error)))
        except RecursionError:
            loaded.problems.append(Problem(path, "nested too deeply"))
        return loaded

    def _parse(self, path: Path, relative: str, loaded: Loaded) -> _Page | None:
        """Read a page file; None where it is none, said in `loaded`."""
        if self._left_out(relative):
            loaded.skipped.append(Skipped(relative, "not part of the site"))
            return None
        try:
            text = read_text_file(path)
            front, body = split_front_matter(text)
            if front is None and text.startswith("---"):
                raise UnreadableDocument("the front matter is never closed")
        except UnreadableDocument as error:
            loaded.problems.append(Problem(relative, str(error)))
            return None
        if front is None:
            demo = no_content_by_name(path.stem) == DEMO
            reason = "demo page" if demo else "no front matter, copied as it is"
            loaded.skipped.append(Skipped(relative, reason))
            return None
        if front.get("published") is False:
            loaded.skipped.append(Skipped(relative, "not published"))
            return None
        front = {**self._defaults_for(relative), **front}
        return _Page(relative, front, body, self._address(relative, front))

    def _left_out(self, relative: str) -> bool:
        """Whether the configuration keeps a file out of the site; our own note is no page."""
        if relative == "SOURCE.md":
            return True
        inside = (relative == name or relative.startswith(f"{name}/") for name in self._excluded)
        return any(inside) or any(fnmatch.fnmatch(relative, name) for name in self._excluded)

    def _defaults_for(self, relative: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for entry in self._defaults:
            scope, given = entry.get("scope") or {}, entry.get("values") or {}
            if not isinstance(scope, dict) or not isinstance(given, dict):
                continue
            prefix = str(scope.get("path") or "")
            if scope.get("type") not in (None, "", "pages"):
                continue
            inside = relative == prefix or relative.startswith(prefix.rstrip("/") + "/")
            if not prefix or inside or fnmatch.fnmatch(relative, prefix):
                values.update(given)
        return values

    def _address(self, relative: str, front: dict[str, Any]) -> str:
        """The path of a page's address, percent-encoded."""
        path = PurePosixPath(relative)
        permalink = str(front.get("permalink") or self._config.get("permalink") or "")
        stem = relative.removesuffix(path.suffix)
        base = PurePosixPath(stem).name
        if stem == "index":
            return "/"
        if permalink in ("", "date", "none", "ordinal"):
            permalink = f"/{stem}.html"
        elif permalink == "pretty":
            permalink = f"/{stem}/"
        folder = str(path.parent) if str(path.parent) != "." else ""
        address = (
            permalink.replace(":basename", base)
            .replace(":path", folder)
            .replace(":output_ext", ".html")
        )
        return quote("/" + address.lstrip("/"), safe="/:@!$&'()*+,;=~-._")

    def _seen(self, page: _Page) -> dict[str, Any]:
        return {**page.front, "url": page.address, "path": page.path, "name": Path(page.path).name}

    def _menus_beside(self, page: _Page) -> tuple[str, ...]:
        """The menus drawn on a page: its front matter names them, under whatever key."""
        sidebars = _sidebars(self._data)
        named = (value for value in page.front.values() if isinstance(value, str))
        return tuple(dict.fromkeys(name for name in named if name in sidebars))

    def _topic(self, page: _Page) -> str | None:
        """What the site files a page under: its folder, else menu entry, else type.

        The folder comes first, as an editor puts a page into one folder and a
        menu may list the pages of one topic as if each were its own.
        """
        address = _site_path(page.address)
        if address == _HOME:
            return "Home"
        folder = self._folder_topic(page.path)
        if folder:
            return folder
        entries = [
            (name != page.front.get("sidebar"), -depth, title)
            for name, topics in self._topics.items()
            for depth, title in topics.get(address, ())
        ]
        if entries:
            # Not the title: of equals the first menu counts.
            return min(entries, key=lambda entry: entry[:2])[2]
        kind = page.front.get("type")
        return _spoken(str(kind)) if kind else None

    def _folder_topic(self, path: str) -> str | None:
        """The folder a page lies in, or the one beside it that has its name."""
        parts = PurePosixPath(path).with_suffix("").parts
        own = parts[1:] if parts[0] == "pages" else parts
        beside = "/".join(parts) + "/"
        is_hub = any(other.startswith(beside) for other in self._pages)
        return _spoken(own[0]) if len(own) > 1 or is_hub else None

    def _page(self, page: _Page, loaded: Loaded) -> None:
        name = PurePosixPath(page.path.removesuffix(PurePosixPath(page.path).suffix)).name
        reason = no_content_by_name(name, page.address.rstrip("/").rsplit("/", 1)[-1])
        if reason:
            loaded.skipped.append(Skipped(page.path, reason))
            return
        reading = read_sections(self._tree(page), self._printed_title(page))
        headings = (section.heading[0] for section in reading.sections if section.heading)
        title = reading.title or given_title(page.front) or next(headings, name)
        country = _country(page.front.get("country_code"))
        document_id = f"{self.source.name}:{page.path}"
        url = self.source.address + page.address if self.source.address else None
        reason = no_content(reading)
        if reason:
            loaded.skipped.append(Skipped(page.path, reason))
            if reason == NO_TEXT:
                loaded.empty_pages.append(
                    EmptyPage(document_id, self.source.name, page.path, title, url, country)
                )
            return
        sections = reading.sections
        placeholder = reading.notice and not own_blocks(sections)
        own_date = self._dates.get(page.path) or given_date(page.front)
        published = own_date or self.source.published
        dated_by: DatedBy | None = (
            "page" if own_date else "snapshot" if published is not None else None
        )
        topic = self._topic(page)
        loaded.documents.append(
            Document(
                document_id=document_id,
                source=self.source.name,
                path=page.path,
                title=title,
                url=url,
                language=_language(page.front.get("lang") or self._config.get("lang")),
                sha256=fingerprint(
                    title, url, sections, country, published, dated_by, topic, self.source.licence
                ),
                sections=() if placeholder else sections,
                placeholder=placeholder,
                country=country,
                published=published,
                dated_by=dated_by,
                licence=self.source.licence,
                topic=topic,
            )
        )

    def _tree(self, page: _Page) -> Tag:
        """The page's own content as a tree of HTML."""
        content = self.site.render(page.body, self._seen(page))
        if page.path.endswith((".html", ".htm")):
            return main_part(parse_html(content))
        soup = to_soup(content)
        if soup.get_text().strip():
            return soup.body or soup
        template = self._layout(str(page.front.get("layout") or ""))
        if template is None:
            return soup.body or soup
        return main_part(parse_html(self.site.render(template, self._seen(page))))

    def _layout(self, name: str) -> str | None:
        """A layout of the checkout that is a whole page by itself, None otherwise."""
        file = self._layout_file(name)
        if file is None:
            return None
        _, template = split_front_matter(file.read_text(encoding="utf-8", errors="replace"))
        return template if "<body" in template else None

    def _layout_file(self, name: str) -> Path | None:
        folder = self._root / "_layouts"
        file = folder / f"{name}.html"
        return file if name and file.parent == folder and file.is_file() else None

    def _printed_title(self, page: _Page) -> str:
        """The title that stands above a page; empty where its layout prints none."""
        layout = self._layout_file(str(page.front.get("layout") or ""))
        if layout and "page.title" not in layout.read_text(encoding="utf-8", errors="replace"):
            return ""
        return given_title(page.front)

    def _file(self, path: str) -> Loaded:
        """A document of the site that is no page: a PDF, a text of an office."""
        address = quote("/" + path, safe="/:@!$&'()*+,;=~-._")
        return read_file(
            self._files[path],
            path,
            self.source,
            self.source.address + address if self.source.address else None,
            date=self._dates.get(path),
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
    address = _site_path((document.url or "").removeprefix(source.address or ""))
    linking = (page.topic for page in pages if page.topic and address in links[page.path])
    topic = next(linking, None)
    return replace(document, topic=topic, sha256=fingerprint(document.sha256, topic))


def _reached(outline: Outline, links: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The pages a reader comes to by following links; None where a site has no menus to tell."""
    if not any(outline.menus.values()):
        return None
    by_address: dict[str, list[str]] = {}
    for path, address in outline.addresses.items():
        by_address.setdefault(_site_path(address), []).append(path)
    waiting = [_HOME]
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
                    found.add(_site_path(resolved))
    return frozenset(found)


def _site_path(address: str) -> str:
    """The one form in which addresses of a site are compared."""
    path = unquote(urlsplit(address).path).strip("/").removesuffix(".html")
    return "/" + ("" if path == "index" else path)


def _duplicates(pages: Sequence[Document], outline: Outline) -> dict[str, str]:
    """Pages that say the same as another: path to the path of the one kept."""
    linked = {
        address for name, menu in outline.menus.items() if name != "footer" for address in menu
    }

    def rank(page: Document) -> tuple[bool, str]:
        return (_site_path(outline.addresses[page.path]) not in linked, page.path)

    by_rank = sorted(pages, key=rank)
    shingles = {page.path: _shingles(page.text) for page in by_rank if not page.placeholder}
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


def _language(code: object) -> str:
    """ISO 639-1 of a code that may name a region too; empty where none is given."""
    return code[:2].lower() if isinstance(code, str) else ""


def _country(code: object) -> str | None:
    """A page's country; YAML reads Norway's bare code as a no."""
    if code is False:
        return "NO"
    return str(code).upper() if code else None


def _shingles(text: str) -> frozenset[str]:
    words = text.lower().split()
    if len(words) > _COMPARED_AT_MOST:
        return frozenset()
    return frozenset(" ".join(words[i : i + 5]) for i in range(len(words) - 4))


def _data(root: Path, announce: Announce, leave_out: frozenset[str]) -> dict[str, Any]:
    """The site's data files, nested as Jekyll nests them."""
    data: dict[str, Any] = {}
    folder = root / "_data"
    for path in sorted(folder.rglob("*.y*ml")) if folder.is_dir() else ():
        shown = shown_path(path.relative_to(root))
        if shown in leave_out:
            continue
        announce(shown)
        try:
            value = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, OverflowError, RecursionError, yaml.YAMLError):
            continue
        node = data
        for part in path.relative_to(folder).parts[:-1]:
            node = node.setdefault(part, {})
        node[path.stem] = value
    return data


def _sidebars(data: Mapping[str, Any]) -> dict[str, Any]:
    sidebars = data.get("sidebars")
    return sidebars if isinstance(sidebars, dict) else {}


def _menus(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The addresses that each menu of the site links."""
    menus = {name: data.get(name) for name in _EVERYWHERE} | _sidebars(data)
    return {name: tuple(dict.fromkeys(_urls(menu))) for name, menu in menus.items()}


def _urls(menu: Any) -> Iterator[str]:
    """Every address of the site in a menu, however it is nested."""
    for _, entry in _entries(menu, lambda node: list(node.values())):
        url = entry.get("url")
        if isinstance(url, str) and "//" not in url:
            yield _site_path(url.strip())


def _menu_topics(data: Mapping[str, Any]) -> dict[str, dict[str, list[tuple[int, str]]]]:
    """For each sidebar: address to depth and title of the top entries that hold it."""
    topics: dict[str, dict[str, list[tuple[int, str]]]] = {}
    for name, sidebar in _sidebars(data).items():
        found = topics.setdefault(name, {})
        for _, top in _entries(sidebar.get("subitems") if isinstance(sidebar, dict) else None):
            if not isinstance(top.get("title"), str):
                continue
            for depth, entry in _entries(top, lambda node: node.get("subitems")):
                url = entry.get("url")
                if isinstance(url, str) and "//" not in url:
                    found.setdefault(_site_path(url.strip()), []).append(
                        (depth, fold(top["title"]))
                    )
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


def _spoken(name: str) -> str:
    """A type or folder as a reader would write it: as the theme prints it above the title."""
    words = fold(re.sub(r"[-_]+", " ", name))
    return words[:1].upper() + words[1:]


def _git_dates(root: Path) -> dict[str, str]:
    """The date of the last change of every file, where there is a repository.

    Where the history was cut off (``git clone --depth``), its first commit
    holds all files, and tells the date of none.
    """
    listing = git_log(root, "--format=%x00%cs %H", "--name-only", "--no-renames", "-z")
    shallow = root / _GIT / "shallow"
    cut_off = shallow.read_text(encoding="ascii").split() if shallow.is_file() else []
    dates: dict[str, str] = {}
    date = ""
    for piece in listing.split("\0"):
        entry = piece.strip("\n")
        if commit := re.fullmatch(r"(\d{4}-\d\d-\d\d) ([0-9a-f]{40,64})", entry):
            date = "" if commit[2] in cut_off else commit[1]
        elif entry:
            dates.setdefault(entry, date)
    return dates


def git_log(root: Path, *options: str) -> str:
    """What ``git log`` tells of a checkout; empty where there is no repository, or a broken one.

    A checkout may name programs in its configuration, to check signatures or
    to fetch what is missing; none of them is run.
    """
    if not (root / _GIT).exists():
        return ""
    try:
        return subprocess.run(  # noqa: S603
            ["git", "-c", "log.showSignature=false", "-C", str(root), "log", *options],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
            env={**os.environ, "GIT_ALLOW_PROTOCOL": "none"},
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
