"""A Jekyll checkout, read as its reader sees the built site.

What a page shows is decided by more than its own file: defaults and the
permalink rule stand in ``_config.yml``, menus in ``_data``, hub pages are
drawn from the front matter of others, and some pages live in their layout.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import yaml
from bs4 import Tag

from ingest.loaders.folder import read_file, shown_path
from ingest.loaders.history import GIT, git_dates
from ingest.loaders.html import main_part, parse_html, read_sections
from ingest.loaders.liquid import Site
from ingest.loaders.markdown import as_kramdown, to_soup
from ingest.loaders.office import OFFICE_SUFFIXES
from ingest.loaders.outline import (
    HOME,
    Outline,
    menus_of,
    sidebars_of,
    site_path,
    topics_of,
)
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
from rag.errors import UnreadableDocument
from rag.models import DatedBy
from rag.text import fold

CONFIG = "_config.yml"
_MAX_CONFIG = 1_000_000
_MAX_HOST = 253
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_SITE = re.compile(r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?(?:/[^\s?#]*)?")
_PAGES = (".md", ".markdown", ".html", ".htm")
_SUFFIXES = (*_PAGES, ".pdf", *OFFICE_SUFFIXES)
Announce = Callable[[str], None]


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
        with cname.open(encoding="utf-8", errors="replace") as file:
            host = file.read(2 * _MAX_HOST).strip()
        if len(host) <= _MAX_HOST and _HOST.fullmatch(host):
            return f"https://{host}"
    # Two lines are looked for, and nothing is parsed: whoever asks has no limits (see
    # `ingest.sandbox`), and YAML can be made to take any time and memory.
    text = _config_text(path)
    url, below = _line_of(text, "url"), _line_of(text, "baseurl").strip("/")
    if not _SITE.fullmatch(url):
        return None
    return f"{url.rstrip('/')}/{below}".rstrip("/")


def _line_of(text: str, key: str) -> str:
    """The value of a key of the top level, where it is plain text on its line."""
    found = re.search(
        rf"^{key}:[ \t]*(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s#'\"]*))", text, re.MULTILINE
    )
    given = next(filter(None, found.groups()), "") if found else ""
    return given if given.isprintable() else ""


def count_files(path: Path) -> int:
    """How many files a reader of the checkout will look at."""
    return sum(1 for _ in _content_files(path))


def _config(path: Path) -> dict[str, Any]:
    """A checkout's ``_config.yml``.

    Raises:
        UnreadableDocument: Without it no address could be told.
    """
    try:
        config = yaml.safe_load(_config_text(path))
    except (OSError, ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise UnreadableDocument(f"{CONFIG} is not YAML") from error
    if config is not None and not isinstance(config, dict):
        raise UnreadableDocument(f"{CONFIG} is not a mapping")
    return config or {}


def _config_text(path: Path) -> str:
    """The text of a checkout's ``_config.yml``.

    Raises:
        UnreadableDocument: It is none, or too long to be one.
    """
    try:
        if (path / CONFIG).stat().st_size > _MAX_CONFIG:
            raise UnreadableDocument(f"{CONFIG} is larger than {_MAX_CONFIG // 10**6} MB")
        return (path / CONFIG).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UnreadableDocument(f"{CONFIG} is not YAML") from error


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
        announce(GIT)
        self._dates = {} if GIT in leave_out else git_dates(self._root)
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
        self._topics = topics_of(self._data)
        self.outline = Outline(
            {page.path: page.address for page in self._pages.values()},
            menus_of(self._data),
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
        sidebars = sidebars_of(self._data)
        named = (value for value in page.front.values() if isinstance(value, str))
        return tuple(dict.fromkeys(name for name in named if name in sidebars))

    def _topic(self, page: _Page) -> str | None:
        """What the site files a page under: its folder, else menu entry, else type.

        The folder comes first, as an editor puts a page into one folder and a
        menu may list the pages of one topic as if each were its own.
        """
        address = site_path(page.address)
        if address == HOME:
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
        soup = to_soup(as_kramdown(content))
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


def _language(code: object) -> str:
    """ISO 639-1 of a code that may name a region too; empty where none is given."""
    return code[:2].lower() if isinstance(code, str) else ""


def _country(code: object) -> str | None:
    """A page's country; YAML reads Norway's bare code as a no."""
    if code is False:
        return "NO"
    return str(code).upper() if code else None


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


def _spoken(name: str) -> str:
    """A type or folder as a reader would write it: as the theme prints it above the title."""
    words = fold(re.sub(r"[-_]+", " ", name))
    return words[:1].upper() + words[1:]
