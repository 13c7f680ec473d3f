"""The gate: quality must not fall under its floors."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval.metrics import Interval

Share = Annotated[float, Field(ge=0, le=1)]


class Floors(BaseModel):
    """``eval/floors.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: str
    """Hash of the documents, articles and questions that the floors were set on."""
    margin: Share
    """How much lower than its floor a score may fall by chance."""
    floors: dict[str, Share]
    ceilings: dict[str, Share]
    unbounded: tuple[str, ...] = ()
    """Scores that are to have neither, on purpose: a floor that is lost is none of these."""


class FloorLowered(ValueError):
    """A floor would be set lower than it is, and nobody asked for that one."""


def corpus_hash(files: Iterable[tuple[str, Path]]) -> str:
    """Return the hash of files, by name and content.

    Args:
        files: Each with the name it is known by, so that the same file hashes
            the same wherever the project lies.
    """
    digest = hashlib.sha256()
    for name, file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def broken(floors: Floors, scores: Mapping[str, Interval], corpus: str) -> list[str]:
    """Say which floors are broken, one line each; none means the gate is open."""
    found = []
    if corpus != floors.corpus:
        found.append(
            f"the questions or documents changed (hash {corpus}, floors were set on"
            f" {floors.corpus}): measure anew and set the floors with --accept"
        )
    bounded = {*floors.floors, *floors.ceilings, *floors.unbounded}
    found += [
        f"{name} is measured and has no floor: give it one, or list it under unbounded"
        for name, score in scores.items()
        if score.count and name not in bounded
    ]
    for name, limit in {**floors.floors, **floors.ceilings}.items():
        kind = "floor" if name in floors.floors else "ceiling"
        if name not in scores or not scores[name].count:
            found.append(f"{name} has a {kind} and was not measured")
            continue
        mean = scores[name].mean
        fallen = limit - mean if kind == "floor" else mean - limit
        if fallen > floors.margin:
            found.append(f"{name} is {mean:.3f}, its {kind} {limit:.3f} (margin {floors.margin})")
    return found


def accepted(
    floors: Floors, scores: Mapping[str, Interval], corpus: str, lower: Collection[str] = ()
) -> Floors:
    """Set the floors to what was measured.

    Args:
        floors: What they are now; the names and the margin stay.
        scores: What was measured.
        corpus: Hash of what it was measured on.
        lower: Names whose floor may fall, or whose ceiling may rise.

    Raises:
        FloorLowered: Another one would get worse; or a name is none of them.
    """
    unknown = set(lower) - {*floors.floors, *floors.ceilings}
    if unknown:
        raise FloorLowered(f"there is no floor named {', '.join(sorted(unknown))}")
    missing = [
        name
        for name in (*floors.floors, *floors.ceilings)
        if name not in scores or not scores[name].count
    ]
    if missing:
        raise FloorLowered(f"not measured: {', '.join(missing)}")
    raised = {name: round(scores[name].mean, 3) for name in floors.floors}
    lowered = {name: round(scores[name].mean, 3) for name in floors.ceilings}
    worse = [
        f"{name} from {before:.3f} to {now:.3f}"
        for name, before, now in (
            *((name, floors.floors[name], raised[name]) for name in raised),
            *((name, floors.ceilings[name], lowered[name]) for name in lowered),
        )
        if name not in lower and (now < before if name in raised else now > before)
    ]
    if worse:
        raise FloorLowered(f"worse than before: {'; '.join(worse)} (allow one with --lower NAME)")
    return floors.model_copy(update={"corpus": corpus, "floors": raised, "ceilings": lowered})
