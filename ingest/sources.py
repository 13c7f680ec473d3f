"""From what an operator names to the sources that are read."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ingest.loaders.jekyll import is_jekyll, site_address
from ingest.models import Problem, Source

_COMMIT_DATE = re.compile(r"commit date:\s*(\d{4}-\d\d-\d\d)", re.IGNORECASE)


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
    sources: list[Source] = []
    unavailable: list[Problem] = []
    for name in names:
        if re.match(r"[a-z][a-z0-9+.-]*://", name, re.IGNORECASE):
            unavailable.append(Problem(name, "addresses cannot be read yet; name a path"))
            continue
        path = Path(name)
        if not path.exists():
            unavailable.append(Problem(name, "no such file or folder"))
        elif not path.is_dir() and not path.is_file():
            unavailable.append(Problem(name, "neither a file nor a folder"))
        else:
            sources.append(_source(path.resolve(), registry, base_url))
    return Named(tuple(sources), tuple(unavailable))


def _registry(corpus: Path) -> dict[str, dict[str, Any]]:
    """Facts on known sites, by address."""
    file = corpus / "sources.yaml"
    if not file.is_file():
        return {}
    listed = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return {str(origin["address"]).rstrip("/"): origin for origin in listed.get("origins") or ()}


def _source(path: Path, registry: dict[str, dict[str, Any]], base_url: str | None) -> Source:
    jekyll = path.is_dir() and is_jekyll(path)
    address = (site_address(path) if jekyll else None) or base_url
    address = address.rstrip("/") if address else None
    facts = registry.get(address or "", {})
    return Source(
        name=path.name,
        kind="jekyll" if jekyll else "folder" if path.is_dir() else "file",
        path=path,
        address=address,
        licence=facts.get("licence"),
        published=_published(path if path.is_dir() else path.parent),
    )


def _published(folder: Path) -> str | None:
    """The date of the commit a folder holds, as its repository or ``SOURCE.md`` says."""
    if (folder / ".git").exists():
        try:
            return subprocess.run(  # noqa: S603
                ["git", "-C", str(folder), "log", "-1", "--format=%cs"],  # noqa: S607
                capture_output=True, text=True, timeout=30, check=True,
            ).stdout.strip() or None  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
    note = folder / "SOURCE.md"
    if note.is_file():
        match = _COMMIT_DATE.search(note.read_text(encoding="utf-8", errors="replace"))
        return match[1] if match else None
    return None
