"""Reads server-sent events, for tests: what a browser's EventSource would deliver."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event; a comment has neither name nor data."""

    name: str = ""
    data: Any = None
    id: str = ""
    comment: str = ""


def events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream, in order."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            yield Event(comment=line[1:].strip())
        elif line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif fields:
            yield Event(fields.get("event", ""), json.loads(fields["data"]), fields.get("id", ""))
            fields = {}
    assert not fields, "the stream ends within an event"
