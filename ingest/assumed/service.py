"""Asking a service for what is assumed of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.check import Check, judged
from ingest.fetch.client import Client, Reply
from ingest.fetch.zenodo_records import ClientRefused, check_status
from rag.errors import SourceUnavailable

JSON = {"Accept": "application/json"}


class Different(Exception):
    """An answer that is not what was expected; the other checks go on."""


@dataclass
class Service:
    """Somebody who is asked; remembers what for."""

    name: str
    client: Client
    what: str = "an answer"

    def get(self, what: str, url: str, headers: Mapping[str, str] = {}, **limits: Any) -> Reply:
        """The answer to one request.

        Raises:
            SourceUnavailable: There is none.
        """
        self.what = what
        return self.client.get(url, headers, **limits)

    def json(self, what: str, url: str, headers: Mapping[str, str] = JSON) -> tuple[Reply, Any]:
        """An answer, and what its JSON says.

        Raises:
            SourceUnavailable: There is none, or the client is turned away.
            Different: It says no, or is no JSON.
        """
        reply = self.get(what, url, headers, same_host=True)
        try:
            check_status(reply, what)
        except ClientRefused:
            raise
        except SourceUnavailable as error:
            raise Different(str(error)) from error
        return reply, parsed(what, reply)

    def told(self, fine: str, faults: Callable[[], Iterable[str]]) -> Iterator[Check]:
        """The findings of one look at the service."""
        # A dict, as a difference in each of a hundred files is one difference.
        found: dict[str, None] = {}
        try:
            for each in faults():
                found[each] = None
        except Different as error:
            found[str(error)] = None
        except SourceUnavailable:
            yield from (Check(self.name, "fault", each) for each in found)
            raise
        yield from judged(self.name, fine, found)


def parsed(what: str, reply: Reply) -> Any:
    """What the JSON of an answer says.

    Raises:
        Different: It is none.
    """
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        raise Different(f"{what} comes as {media_type(reply)} instead of JSON") from error


def media_type(reply: Reply) -> str:
    """What an answer says it is."""
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind[:60] or "something without a type"


def at(said: Any, path: str) -> Any:
    """A value within JSON, None where there is none."""
    for step in path.split("."):
        if isinstance(said, dict):
            said = said.get(step)
        elif isinstance(said, list) and step.isdecimal() and int(step) < len(said):
            said = said[int(step)]
        else:
            return None
    return said


def items(said: Any) -> list[Any]:
    """A list within JSON; empty for what is none."""
    return said if isinstance(said, list) else []


def condition_faults(
    service: Service,
    what: str,
    address: str,
    before: Reply,
    headers: Mapping[str, str],
    validators: Sequence[str],
) -> Iterator[str]:
    """What comes of asking for something that has not changed."""
    asked = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    conditions = {
        asked[name]: before.headers[name] for name in validators if before.headers.get(name)
    }
    if not conditions:
        sent = " nor ".join(
            {"etag": "ETag", "last-modified": "Last-Modified"}[name] for name in validators
        )
        yield f"{what} comes without {sent}: unchanged, it is fetched again every time"
        return
    reply = service.get(f"{what}, unchanged", address, {**headers, **conditions})
    if reply.status != 304:
        yield f"{what}, asked for with {' and '.join(conditions)}, answers {reply.status} not 304"
