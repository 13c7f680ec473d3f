"""From what an operator names to the sources that are read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingest.fetch.github import is_github
from ingest.fetch.zenodo_records import is_zenodo
from ingest.loaders.articles import ARTICLES
from ingest.loaders.history import git_log
from ingest.loaders.jekyll import is_jekyll, site_address
from ingest.models import Problem, Remote, RemoteKind, Source
from rag.errors import SourceUnavailable, UnreadableDocument
from rag.text import printable

_COMMIT_DATE = re.compile(r"commit date:\s*(\d{4}-\d\d-\d\d)", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DOI = re.compile(r"(?:doi:\s*)?10\.\d{4,9}/\S+", re.IGNORECASE)
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_MAX_NAME = 80


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Origin(_Strict):
    """What is known of a site, by its address."""

    address: str
    title: str
    licence: str | None = None


class ListedSource(_Strict):
    """A source that is read when none is named."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=_MAX_NAME)]
    kind: Literal["articles", "jekyll", "site", "zenodo", "folder"]
    address: str | None = None
    """On the web, or a path relative to the file that lists it."""
    title: str | None = None
    licence: str | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] | None = None
    refresh: Annotated[str, Field(pattern=r"^[1-9]\d{0,3}[mhd]$")] = "1d"
    """How long it may go unasked: ``30m``, ``6h``, ``7d``."""
    linked_from: tuple[str, ...] = ()
    """Pages of the framework that link it."""

    @model_validator(mode="after")
    def _has_address(self) -> ListedSource:
        if self.kind != ARTICLES and not self.address:
            raise ValueError("an address is needed")
        return self

    @property
    def refresh_s(self) -> int:
        """The refresh interval in seconds."""
        return int(self.refresh[:-1]) * _SECONDS[self.refresh[-1]]


class _Listed(_Strict):
    """``sources.yaml``."""

    sources: list[ListedSource] = []
    origins: list[_Origin] = []

    @model_validator(mode="after")
    def _named_once(self) -> _Listed:
        names = [source.name for source in self.sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"two sources are named {twice!r}")
        return self


@dataclass(frozen=True)
class Registry:
    """What ``sources.yaml`` says."""

    corpus: Path
    sources: Mapping[str, ListedSource] = field(default_factory=dict)
    """By name, in the order of the file; the first of two that hold a page is read."""
    origins: Mapping[str, _Origin] = field(default_factory=dict)
    """Facts on known sites, by address."""

    @classmethod
    def load(cls, corpus: Path) -> Registry:
        """Read ``sources.yaml``.

        Raises:
            SourceUnavailable: It is there and is no list of sources.
        """
        file = corpus / "sources.yaml"
        if not file.is_file():
            return cls(corpus)
        try:
            listed = _Listed.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise SourceUnavailable(
                f"{file.name} is not a list of sources: {_first_line(error)}"
            ) from error
        return cls(
            corpus,
            {source.name: source for source in listed.sources},
            {origin.address.rstrip("/"): origin for origin in listed.origins},
        )


@dataclass(frozen=True)
class Named:
    """The sources that were asked for, and those that cannot be had."""

    sources: tuple[Source | Remote, ...]
    unavailable: tuple[Problem, ...]


def named_sources(
    names: Iterable[str],
    registry: Registry,
    base_url: str | None,
    zenodo: str = "https://zenodo.org",
) -> Named:
    """Resolve what an operator typed.

    Args:
        names: Paths, names of listed sources, addresses or DOIs; a path that is
            there goes before a name.
        registry: What is listed.
        base_url: Web address for paths that name none themselves.
        zenodo: Address of the Zenodo that is asked.
    """
    return _gathered(names, lambda name: _resolve(name, registry, base_url, zenodo))


def listed_sources(names: Iterable[str], registry: Registry) -> Named:
    """Resolve sources by the names under which they are listed."""
    return _gathered(names, lambda name: _of_listed(registry.sources[name], registry))


def _gathered(names: Iterable[str], resolve: Callable[[str], Source | Remote | None]) -> Named:
    sources: dict[str, Source | Remote] = {}
    unavailable: list[Problem] = []
    for name in names:
        # A password is nobody's business.
        shown = printable(re.sub(r"//[^/@\s]*@", "//", name), 200)
        try:
            source = resolve(name)
        except (SourceUnavailable, UnreadableDocument) as error:
            unavailable.append(Problem(shown, str(error)))
            continue
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no path"
            unavailable.append(Problem(shown, f"cannot be read: {reason}"))
            continue
        if source is None or source == sources.get(source.name):
            continue
        if source.name in sources or source.name == ARTICLES:
            unavailable.append(Problem(shown, f"another source is named {source.name!r} already"))
            continue
        sources[source.name] = source
    return Named(tuple(sources.values()), tuple(unavailable))


def _resolve(
    name: str, registry: Registry, base_url: str | None, zenodo: str
) -> Source | Remote | None:
    """The source that a name means; None for the articles, which are always read.

    Raises:
        SourceUnavailable: There is nothing to read.
        UnreadableDocument: A checkout's configuration is broken.
    """
    if not name.strip():
        raise SourceUnavailable("names nothing")
    there = Path(name).exists()
    if name == ARTICLES and not there:
        return None
    if name in registry.sources and not there:
        return _of_listed(registry.sources[name], registry)
    if _URL.match(name) or _DOI.fullmatch(name):
        return _of_address(name, registry, zenodo)
    path = Path(name)
    if not there:
        raise SourceUnavailable("no such file or folder")
    if not path.is_dir() and not path.is_file():
        raise SourceUnavailable("neither a file nor a folder")
    return _of_path(path.resolve(), registry, base_url)


def _of_listed(listed: ListedSource, registry: Registry) -> Source | Remote | None:
    if listed.kind == "articles" or listed.address is None:
        return None
    if _URL.match(listed.address) or listed.kind in ("site", "zenodo"):
        if listed.kind == "folder":
            raise SourceUnavailable("a folder has no address on the web; its kind may be site")
        return Remote(listed.name, listed.kind, listed.address, listed.licence, listed.language)
    path = registry.corpus / listed.address
    if not path.exists():
        raise SourceUnavailable("no such file or folder")
    source = _of_path(path.resolve(), registry, None)
    return replace(
        source,
        name=listed.name,
        licence=listed.licence or source.licence,
        language=listed.language,
    )


def _of_address(address: str, registry: Registry, zenodo: str) -> Remote:
    for listed in registry.sources.values():
        if listed.address and _bare(listed.address) == _bare(address):
            found = _of_listed(listed, registry)
            if isinstance(found, Remote):
                return found
    scheme = address.partition(":")[0].lower()
    kind: RemoteKind = "site"
    if is_zenodo(address, zenodo):
        kind = "zenodo"
    elif scheme not in ("http", "https"):
        raise SourceUnavailable("only http and https addresses, and DOIs of Zenodo, can be read")
    elif is_github(address):
        kind = "jekyll"
    facts = registry.origins.get(address.rstrip("/"))
    return Remote(_name_of(address, kind), kind, address, facts.licence if facts else None)


def _bare(address: str) -> str:
    return address.rstrip("/").removesuffix(".git")


def _name_of(address: str, kind: RemoteKind) -> str:
    """What a source is called that is known by its address only."""
    parts = urlsplit(address)
    if kind == "jekyll":
        owner, repository = parts.path.strip("/").split("/")[:2]
        return _slug(f"{owner}_{repository.removesuffix('.git')}", address)
    if kind == "zenodo":
        told = parts.path + (f"?{parts.query}" if parts.query else "")
        tail = re.sub(r"^.*?(?:records?|communities|zenodo\.|search)", "", told)
        return f"zenodo-{_slug(tail.strip('/'), address)}"
    where = parts.netloc.rpartition("@")[2].removesuffix(":80").removesuffix(":443")
    return _slug(f"{where}{parts.path}{f'?{parts.query}' if parts.query else ''}", address)


def _slug(text: str, address: str) -> str:
    """A name of plain letters; where that leaves something out, with a mark that tells it apart."""
    plain = text.strip("/").replace("/", "_").replace(":", "-")
    slug = re.sub(r"[^\w.-]+", "-", plain).strip("-.")[:_MAX_NAME]
    if slug == plain:
        return slug
    mark = hashlib.sha256(address.encode(errors="replace")).hexdigest()[:6]
    return f"{slug[: _MAX_NAME - 7]}-{mark}"


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return " ".join(str(error).split())[:120]


def _of_path(path: Path, registry: Registry, base_url: str | None) -> Source:
    jekyll = path.is_dir() and is_jekyll(path)
    address = (site_address(path) if jekyll else None) or base_url
    address = address.rstrip("/") if address else None
    facts = registry.origins.get(address or "")
    return Source(
        name=path.name,
        kind="jekyll" if jekyll else "folder" if path.is_dir() else "file",
        path=path,
        address=address,
        licence=facts.licence if facts else None,
        published=_published(path if path.is_dir() else path.parent),
    )


def _published(folder: Path) -> str | None:
    """The date of the commit a folder holds, as its repository or ``SOURCE.md`` says."""
    if (folder / ".git").exists():
        return git_log(folder, "-1", "--format=%cs").strip() or None
    note = folder / "SOURCE.md"
    if note.is_file():
        match = _COMMIT_DATE.search(note.read_text(encoding="utf-8", errors="replace"))
        return match[1] if match else None
    return None
