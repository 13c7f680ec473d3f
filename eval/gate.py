"""The gate: quality must not fall under its floors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eval.run import Scores

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


def corpus_hash(files: Iterable[Path]) -> str:
    """Return the hash of files, by name and content."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda path: path.as_posix()):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def broken(floors: Floors, scores: Scores, corpus: str) -> list[str]:
    """Say which floors are broken, one line each; none means the gate is open."""
    found = []
    if corpus != floors.corpus:
        found.append(
            f"the questions or documents changed (hash {corpus}, floors were set on"
            f" {floors.corpus}): measure anew and set the floors with --accept"
        )
    for name, floor in floors.floors.items():
        mean = getattr(scores, name).mean
        if mean < floor - floors.margin:
            found.append(f"{name} is {mean:.3f}, its floor {floor:.3f} (margin {floors.margin})")
    for name, ceiling in floors.ceilings.items():
        mean = getattr(scores, name).mean
        if mean > ceiling + floors.margin:
            found.append(
                f"{name} is {mean:.3f}, its ceiling {ceiling:.3f} (margin {floors.margin})"
            )
    return found
