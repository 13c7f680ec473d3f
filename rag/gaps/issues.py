"""A gap as an issue for the repository of the pages that should answer it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from pydantic import BaseModel, TypeAdapter

from rag.gaps.places import Place, PlaceKind
from rag.kept import read_kept_as

_FILE = "sources.yaml"
_GITHUB = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+?(?:\.git)?/?")
_LONGEST = 6000
"""Characters of an address that GitHub takes for sure."""
_TITLE = 90
_NOW: Mapping[PlaceKind, str] = {
    "page": "The page is there, and empty.",
    "section": "The heading is there, and nothing stands below it.",
    "category": "The category is there, and nothing is filed under it.",
    "country": "The country's page is there, and lists nothing.",
    "country_page": "There is no page for the country.",
    "left_out": "The pages leave this out, as far as is known.",
    "there": "This is the nearest section; it does not answer these questions, or not fully.",
}


class _Source(BaseModel):
    name: str
    address: str = ""


class _Sources(BaseModel):
    sources: tuple[_Source, ...] = ()


@dataclass(frozen=True)
class Repositories:
    """Where the sources are written: repositories on GitHub."""

    by_source: Mapping[str, str]
    """Name of a source to the address of its repository, in their order."""

    @classmethod
    def load(cls, corpus: Path) -> Repositories:
        """Read the list of sources in a folder; without one none is known.

        Raises:
            BadSetting: The file is not as it should be; the message names it.
        """
        file = corpus / _FILE
        if not file.is_file():
            return cls({})
        listed = read_kept_as(file, TypeAdapter(_Sources)).sources
        return cls(
            {
                each.name: each.address.rstrip("/").removesuffix(".git")
                for each in listed
                if _GITHUB.fullmatch(each.address)
            }
        )

    def of(self, place: Place | None) -> str | None:
        """The repository of a place; for a new page the first one; None: it has none."""
        if place is not None:
            return self.by_source.get(place.source)
        return next(iter(self.by_source.values()), None)


NO_REPOSITORIES = Repositories({})


@dataclass(frozen=True)
class Issue:
    """What an issue says, in Markdown."""

    title: str
    body: str

    def form(self, repository: str) -> str:
        """The address of the form for a new issue, filled in as far as an address may be long."""
        whole = f"{repository}/issues/new?{urlencode({'title': self.title, 'body': self.body})}"
        if len(whole) <= _LONGEST:
            return whole
        return f"{repository}/issues/new?{urlencode({'title': self.title})}"


@dataclass(frozen=True)
class Wanted:
    """What is told of a gap in public."""

    examples: Sequence[str]
    """Questions without personal data, the most telling first."""
    count: int
    weeks: int
    """Since when questions are counted."""
    languages: Sequence[str]
    """Their names."""
    place: Place | None


def issue(wanted: Wanted) -> Issue:
    """Write an issue about a gap.

    Whatever people typed stands in a block of code, where it names nobody, links nothing and
    formats nothing.
    """
    place = wanted.place
    first = " ".join(wanted.examples[0].split()) if wanted.examples else "Questions nobody answers"
    title = first if len(first) <= _TITLE else f"{first[: _TITLE - 1].rstrip()}…"
    times = "once" if wanted.count == 1 else f"{wanted.count} times"
    asked = [
        "## What people ask",
        "",
        f"Asked {times} in {wanted.weeks} weeks, in {_listed(wanted.languages)}:",
        "",
        *(_block(wanted.examples) if wanted.examples else ["(examples are left out)"]),
    ]
    where = ["## Where it should stand", ""]
    if place is None:
        where += ["No page is near: a new one is needed."]
        now = "Nothing was found on this."
    else:
        name = _plain(" > ".join((place.title, *place.section)))
        where += [f"[{name}](<{place.url}>)" if place.url else name]
        now = _NOW[place.kind]
    told = ["## What is there now", "", now]
    end = ["", "*From the helpdesk's report of questions that the pages do not answer.*"]
    return Issue(f"Not answered: {title}", "\n".join([*asked, "", *where, "", *told, *end, ""]))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "an unknown language"


def _block(lines: Sequence[str]) -> list[str]:
    told = [" ".join(line.split()) for line in lines]
    longest = max((len(run) for line in told for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *told, fence]


def _plain(text: str) -> str:
    """A heading as Markdown shows it, whatever stands in it."""
    return re.sub(r"([\\`*_\[\]<>#@|])", r"\\\1", text)
