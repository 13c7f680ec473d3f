"""A Jekyll checkout, read as its reader sees the built site.

What a page shows is decided by more than its own file: defaults and the
permalink rule stand in ``_config.yml``, menus in ``_data``, hub pages are
drawn from the front matter of others, and some pages live in their layout.
"""

from __future__ import annotations

import fnmatch
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import yaml
from bs4 import Tag

from ingest.boilerplate import is_boilerplate
from ingest.loaders.html import main_part, parse_html, read_sections
from ingest.loaders.liquid import Site
from ingest.loaders.markdown import to_soup
from ingest.loaders.pdf import read_pdf
from ingest.loaders.textfile import given_title, read_text_file, split_front_matter
from ingest.models import (
    Document,
    EmptyPage,
    Loaded,
    Problem,
    Section,
    Skipped,
    Source,
    fingerprint,
)
from rag.errors import UnreadableDocument
from rag.text import letters_digits, word_count

# Pages that show off a layout; "sample-handling" is none of them.
_DEMO = re.compile(
    r"^(?:(?:template|demo)(?:[_-]|$)|test\d*$"
    r"|(?:sample|example|test)[_-](?:accordion|tab|scroll|page|post|layout|content))",
    re.IGNORECASE,
)
_ERROR_PAGE = re.compile(r"^(?:404|500)$")
_REPEATED_AT_MOST = 0.5
"""A page whose paragraphs are at least half repeats shows off a layout."""
_SAME_TEXT = 0.97
"""Share of five-word runs from which two pages count as one (DESIGN 3)."""
_COMPARED = 150
"""Five-word runs from which on pages are compared; short lists of links look alike."""
_OWN_WORDS = 40
"""A page with filler text and fewer words of its own has no text of its own."""
CONFIG = "_config.yml"
_GIT_LOG = ("git", "log", "--format=%x00%cs", "--name-only", "--no-renames", "-z")
_SUFFIXES = (".md", ".markdown", ".html", ".htm", ".pdf")


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
    url = str(config.get("url") or "").rstrip("/")
    below = str(config.get("baseurl") or "").strip("/")
    return f"{url}/{below}".rstrip("/") if url else None


def load_jekyll(source: Source) -> Iterator[Loaded]:
    """Read a checkout, one `Loaded` a file, so that progress can be shown.

    Pages sharing at least 97 % of their text are reported as duplicates of the
    one that menus link; the caller merges what is yielded.
    """
    try:
        checkout = _Checkout(source)
    except UnreadableDocument as error:
        yield Loaded(problems=[Problem(CONFIG, str(error))])
        return
    yield from checkout.read()


def count_files(path: Path) -> int:
    """How many files `load_jekyll` will look at."""
    return sum(1 for _ in _content_files(path))


def _config(path: Path) -> dict[str, Any]:
    """A checkout's ``_config.yml``.

    Raises:
        UnreadableDocument: Without it no address could be told.
    """
    try:
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


class _Checkout:
    """One checkout being read."""

    def __init__(self, source: Source):
        self.source = source
        self.root = source.path
        self.config = _config(self.root)
        self.defaults = [
            entry for entry in self.config.get("defaults") or () if isinstance(entry, dict)
        ]
        excluded = self.config.get("exclude") or ()
        self.excluded = tuple(str(name).rstrip("/") for name in excluded)
        self.data = _data(self.root / "_data")
        self.menus = _menu_addresses(self.data)
        self.dates = _git_dates(self.root)
        self.site = Site(self.data, (), self.config)

    def read(self) -> Iterator[Loaded]:
        pages: list[_Page] = []
        others: list[Path] = []
        for path in _content_files(self.root):
            relative = path.relative_to(self.root).as_posix()
            suffix = path.suffix.lower()
            if suffix == ".pdf":
                others.append(path)
                continue
            loaded = Loaded()
            page = self._parse(path, relative, loaded)
            if page:
                pages.append(page)
            else:
                yield loaded
        self.site = Site(self.data, [self._seen(page) for page in pages], self.config)
        yield from self._pages(pages)
        for path in others:
            yield self._pdf(path)

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
            reason = "demo page" if _DEMO.match(path.stem) else "no front matter, copied as it is"
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
        inside = (relative == name or relative.startswith(f"{name}/") for name in self.excluded)
        return any(inside) or any(fnmatch.fnmatch(relative, name) for name in self.excluded)

    def _defaults_for(self, relative: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for entry in self.defaults:
            scope = entry.get("scope") or {}
            prefix = str(scope.get("path") or "")
            if scope.get("type") not in (None, "", "pages"):
                continue
            inside = relative == prefix or relative.startswith(prefix.rstrip("/") + "/")
            if not prefix or inside or fnmatch.fnmatch(relative, prefix):
                values.update(entry.get("values") or {})
        return values

    def _address(self, relative: str, front: dict[str, Any]) -> str:
        """The path of a page's address, percent-encoded."""
        path = PurePosixPath(relative)
        permalink = str(front.get("permalink") or self.config.get("permalink") or "")
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

    def _pages(self, pages: list[_Page]) -> Iterator[Loaded]:
        read: list[tuple[_Page, Loaded]] = []
        for page in pages:
            loaded = Loaded()
            try:
                self._page(page, loaded)
            except UnreadableDocument as error:
                loaded.problems.append(Problem(page.path, str(error)))
            except RecursionError:
                loaded.problems.append(Problem(page.path, "nested too deeply"))
            read.append((page, loaded))
        duplicates = self._duplicates([each for _, loaded in read for each in loaded.documents])
        for page, loaded in read:
            original = duplicates.get(page.path)
            if original:
                loaded.documents.clear()
                loaded.skipped.append(Skipped(page.path, f"duplicate of {original}"))
            yield loaded

    def _page(self, page: _Page, loaded: Loaded) -> None:
        name = PurePosixPath(page.path.removesuffix(PurePosixPath(page.path).suffix)).name
        last = page.address.rstrip("/").rsplit("/", 1)[-1]
        if _DEMO.match(name) or _DEMO.match(last):
            loaded.skipped.append(Skipped(page.path, "template or demo page"))
            return
        if _ERROR_PAGE.match(last):
            loaded.skipped.append(Skipped(page.path, "error page"))
            return
        reading = read_sections(self._tree(page))
        sections = reading.sections
        if _repeats_itself(sections):
            loaded.skipped.append(Skipped(page.path, "template or demo page"))
            return
        title, sections = self._title(page, sections)
        country = _country(page.front.get("country_code"))
        document_id = f"{self.source.name}:{page.path}"
        url = self.source.address + page.address if self.source.address else None
        body = [block for section in sections for block in section.blocks[bool(section.heading) :]]
        own_words = sum(word_count(block.text) for block in body)
        if not (body or reading.notice) or (reading.filler and own_words < _OWN_WORDS):
            loaded.skipped.append(Skipped(page.path, "no text"))
            loaded.empty_pages.append(
                EmptyPage(document_id, self.source.name, page.path, title, url, country)
            )
            return
        placeholder = reading.notice and not body
        published = self.dates.get(page.path, self.source.published)
        loaded.documents.append(
            Document(
                document_id=document_id,
                source=self.source.name,
                path=page.path,
                title=title,
                url=url,
                language=str(self.config.get("lang") or "en"),
                sha256=fingerprint(title, url, sections, country, published, self.source.licence),
                sections=() if placeholder else sections,
                placeholder=placeholder,
                country=country,
                published=published,
                licence=self.source.licence,
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
        folder = self.root / "_layouts"
        file = folder / f"{name}.html"
        if not name or file.parent != folder or not file.is_file():
            return None
        _, template = split_front_matter(file.read_text(encoding="utf-8", errors="replace"))
        return template if "<body" in template else None

    def _title(self, page: _Page, sections: tuple[Section, ...]) -> tuple[str, tuple[Section, ...]]:
        """The page's title: of its front matter, else its first heading."""
        title = given_title(page.front)
        if title:
            return title, sections
        for section in sections:
            if section.heading:
                return section.heading[0], sections
        return PurePosixPath(page.path).stem, sections

    def _duplicates(self, documents: list[Document]) -> dict[str, str]:
        """Pages that say the same as another: path to the path of the one kept."""
        shingles = {each.path: _shingles(each.text) for each in documents if not each.placeholder}
        by_rank = sorted(documents, key=self._rank)
        found: dict[str, str] = {}
        for index, keep in enumerate(by_rank):
            mine = shingles.get(keep.path)
            if not mine or keep.path in found:
                continue
            for other in by_rank[index + 1 :]:
                theirs = shingles.get(other.path)
                if not theirs or other.path in found:
                    continue
                contained = len(mine & theirs) / len(theirs)
                if len(theirs) >= _COMPARED and contained >= _SAME_TEXT:
                    found[other.path] = keep.path
        return found

    def _rank(self, document: Document) -> tuple[bool, str]:
        address = (document.url or "").removeprefix(self.source.address or "")
        return (address.rstrip("/") not in self.menus, document.path)

    def _pdf(self, path: Path) -> Loaded:
        relative = path.relative_to(self.root).as_posix()
        address = quote("/" + relative, safe="/:@!$&'()*+,;=~-._")
        url = self.source.address + address if self.source.address else None
        return read_pdf(
            path,
            relative,
            self.source,
            url,
            published=self.dates.get(relative, self.source.published),
        )


def _country(code: object) -> str | None:
    """A page's country; YAML reads Norway's bare code as a no."""
    if code is False:
        return "NO"
    return str(code).upper() if code else None


def _repeats_itself(sections: tuple[Section, ...]) -> bool:
    paragraphs = [
        letters_digits(block.text)
        for section in sections
        for block in section.blocks
        if word_count(block.text) > 8 and not is_boilerplate(block.text)
    ]
    return len(paragraphs) >= 4 and len(set(paragraphs)) <= _REPEATED_AT_MOST * len(paragraphs)


def _shingles(text: str) -> frozenset[str]:
    words = text.lower().split()
    return frozenset(" ".join(words[i : i + 5]) for i in range(len(words) - 4))


def _data(folder: Path) -> dict[str, Any]:
    """The site's data files, nested as Jekyll nests them."""
    data: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.y*ml")) if folder.is_dir() else ():
        try:
            value = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, OverflowError, RecursionError, yaml.YAMLError):
            continue
        node = data
        for part in path.relative_to(folder).parts[:-1]:
            node = node.setdefault(part, {})
        node[path.stem] = value
    return data


def _menu_addresses(data: Any) -> frozenset[str]:
    """Every address that a menu of the site links."""
    found: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "url" and isinstance(value, str):
                    found.add("/" + value.strip().strip("/"))
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit({name: data.get(name) for name in ("sidebars", "topnav")})
    return frozenset(found)


def _git_dates(root: Path) -> dict[str, str]:
    """The date of the last change of every file, where there is a repository."""
    if not (root / ".git").exists():
        return {}
    try:
        listing = subprocess.run(  # noqa: S603
            (*_GIT_LOG[:1], "-C", str(root), *_GIT_LOG[1:]),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    dates: dict[str, str] = {}
    date = ""
    for field in listing.split("\0"):
        entry = field.strip("\n")
        if re.fullmatch(r"\d{4}-\d\d-\d\d", entry):
            date = entry
        elif entry:
            dates.setdefault(entry, date)
    return dates
