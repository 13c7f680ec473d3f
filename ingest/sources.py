"""From what an operator names to the sources that are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.loaders.articles import ARTICLES
from ingest.loaders.history import git_log
from ingest.loaders.jekyll import is_jekyll, site_address
from ingest.models import Problem, Source
from rag.errors import SourceUnavailable, UnreadableDocument

_COMMIT_DATE = re.compile(r"commit date:\s*(\d{4}-\d\d-\d\d)", re.IGNORECASE)


class _Origin(BaseModel):
    """What is known of a site, by its address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str
    title: str
    licence: str | None = None


class _ListedSource(BaseModel):
    """A source that is read when none is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: str


class _Listed(BaseModel):
    """``sources.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: list[_ListedSource] = []
    origins: list[_Origin] = []


@dataclass(frozen=True)
class Named:
    """The sources that were asked for, and those that cannot be had."""

    sources: tuple[Source, ...]
    unavailable: tuple[Problem, ...]


def named_sources(names: list[str], corpus: Path, base_url: str | None) -> Named:
    """Resolve what ``--source`` names.

    Args:
        names: Paths; with none, what ``sources.yaml`` lists beside the articles.
        corpus: The folder of ``sources.yaml``.
        base_url: Web address for paths that name none themselves.
    """
    registry = _registry(corpus)
    sources: dict[str, Source] = {}
    unavailable: list[Problem] = []
    for name in names:
        try:
            source = _resolve(name, registry, base_url)
        except (SourceUnavailable, UnreadableDocument) as error:
            unavailable.append(Problem(name, str(error)))
            continue
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no path"
            unavailable.append(Problem(name[:200], f"cannot be read: {reason}"))
            continue
        if source is None or source == sources.get(source.name):
            continue
        if source.name in sources or source.name == ARTICLES:
            unavailable.append(Problem(name, f"another source is named {source.name!r} already"))
            continue
        sources[source.name] = source
    return Named(tuple(sources.values()), tuple(unavailable))


def _resolve(name: str, registry: dict[str, _Origin], base_url: str | None) -> Source | None:
    """The source that a name or path means; None for the articles, which are always read.

    Raises:
        SourceUnavailable: There is nothing to read.
        UnreadableDocument: A checkout's configuration is broken.
    """
    if name == ARTICLES and not Path(name).exists():
        return None
    if re.match(r"[a-z][a-z0-9+.-]*://", name, re.IGNORECASE):
        raise SourceUnavailable("addresses cannot be read yet; name a path")
    path = Path(name)
    if not path.exists():
        raise SourceUnavailable("no such file or folder")
    if not path.is_dir() and not path.is_file():
        raise SourceUnavailable("neither a file nor a folder")
    return _source(path.resolve(), registry, base_url)


def _registry(corpus: Path) -> dict[str, _Origin]:
    """Facts on known sites, by address."""
    file = corpus / "sources.yaml"
    if not file.is_file():
        return {}
    try:
        listed = _Listed.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise SourceUnavailable(
            f"{file.name} is not a list of sources: {_first_line(error)}"
        ) from error
    return {origin.address.rstrip("/"): origin for origin in listed.origins}


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return " ".join(str(error).split())[:120]


def _source(path: Path, registry: dict[str, _Origin], base_url: str | None) -> Source:
    jekyll = path.is_dir() and is_jekyll(path)
    address = (site_address(path) if jekyll else None) or base_url
    address = address.rstrip("/") if address else None
    facts = registry.get(address or "")
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
