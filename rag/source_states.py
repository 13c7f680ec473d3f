"""How it went when each source was asked last: written by ingest, told by the server.

A file in the data directory, as a source that has not changed is asked and nothing of the
index is written. It speaks of one generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

SYNC = "sync.json"
"""Name of the file in the data directory."""


@dataclass(frozen=True)
class SourceState:
    """What came of asking a source."""

    checked_at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    """When it was asked last; UTC, ISO 8601."""
    read_at: str | None = None
    """When it was last had whole; None: never."""
    problem: str | None = None
    """Why it could not be had the last time: what is indexed of it is stale."""
    failures: int = 0
    """How often in a row."""

    @property
    def stale(self) -> bool:
        """Whether the index holds an older state than the source may have."""
        return self.problem is not None


@dataclass(frozen=True)
class SourceStates:
    """The file's content."""

    generation: str | None
    """Of which the states speak."""
    sources: dict[str, SourceState]


STATES: TypeAdapter[SourceStates] = TypeAdapter(SourceStates)


def read_states(file: Path) -> SourceStates:
    """Read the file; nothing is known where it is missing or damaged."""
    try:
        return STATES.validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return SourceStates(None, {})
