"""What is assumed of GitHub: a commit, told and unchanged, and its archive."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ingest.assumed.service import Service, at, condition_faults, media_type
from ingest.check import Check, listed
from ingest.fetch.client import Reply
from ingest.fetch.github import is_github
from ingest.sources import ListedSource

_LOOKED_AT = 2**20
"""Bytes of an archive, unpacked, whose entries are looked at."""
_FEW = 10
"""Requests that are left, from which on an ingest may have to wait."""
_GITHUB_JSON = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_SHA = re.compile(r"[0-9a-f]{40}")
_SHORT_SHA = 7


def repository_of(source: ListedSource) -> str | None:
    """Where the API has the commit that is read; None for anything but a repository on GitHub."""
    if source.kind != "jekyll" or not source.address or not is_github(source.address):
        return None
    owner, name, *rest = urlsplit(source.address.strip()).path.strip("/").split("/")
    # After the word `tree` or `commit`.
    commit = "/".join(rest[1:]) or "HEAD"
    return f"/repos/{owner}/{name.removesuffix('.git')}/commits/{commit}"


def check_github(base: str, path: str, service: Service) -> Iterator[Check]:
    """Check a repository's newest commit and its archive.

    Args:
        base: Address of the API.
        path: Of the commit, as `repository_of` gives it.
        service: Asks.

    Raises:
        SourceUnavailable: It does not answer, or turns us away.
        Different: It answers so differently that nothing more can be asked.
    """
    repository, _, _ = path.partition("/commits/")
    what = f"the newest commit of {repository.removeprefix('/repos/')}"
    address = f"{base}{path}"
    reply, said = service.json(what, address, _GITHUB_JSON)
    yield from service.told(
        f"{what} has the shape that is read", lambda: _commit_faults(reply, said)
    )
    yield from service.told(
        f"{what} is answered with 304 where it is known",
        lambda: condition_faults(service, what, address, reply, _GITHUB_JSON, ("etag",)),
    )
    left = reply.headers.get("x-ratelimit-remaining", "")
    if left.isdecimal() and int(left) < _FEW:
        yield Check(service.name, "note", f"{left} requests are left of this hour's")
    sha = at(said, "sha")
    if isinstance(sha, str) and _SHA.fullmatch(sha):
        yield from service.told(
            "the archive of a commit has one folder at its top, named after it",
            lambda: _archive_faults(service, f"{base}{repository}", sha),
        )


def _commit_faults(reply: Reply, said: Any) -> Iterator[str]:
    if reply.redirects:
        yield "the repository has moved: its address leads on"
    sha, date = at(said, "sha"), at(said, "commit.committer.date")
    if not (isinstance(sha, str) and _SHA.fullmatch(sha)):
        yield "sha of a commit is not 40 hexadecimal digits any more"
    if not (isinstance(date, str) and _is_moment(date)):
        yield "commit.committer.date is not a moment with its offset from UTC any more"


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _archive_faults(service: Service, repository: str, sha: str) -> Iterator[str]:
    what = "the archive of a commit"
    reply = service.get(what, f"{repository}/tarball/{sha}", _GITHUB_JSON)
    if reply.status != 200:
        yield f"{what} answers {reply.status}"
        return
    if not reply.redirects:
        yield f"{what} is sent without a redirect"
    if not reply.body.startswith(b"\x1f\x8b"):
        yield f"{what} is {media_type(reply)} instead of gzip"
        return
    tops = _top_names(reply.body)
    if not tops:
        yield f"{what} is no tar archive"
    elif len(tops) > 1:
        yield f"{what} has several entries at its top: {listed(sorted(tops))}"
    else:
        short = tops.pop().rpartition("-")[2]
        if len(short) < _SHORT_SHA or not sha.startswith(short):
            yield f"the folder at the top of {what} does not end in its id any more"


def _top_names(archive: bytes) -> set[str]:
    """First folders of the paths at the beginning of a packed tar archive."""
    names: set[str] = set()
    try:
        with gzip.open(io.BytesIO(archive)) as packed:
            beginning = io.BytesIO(packed.read(_LOOKED_AT))
        with tarfile.open(fileobj=beginning, mode="r:") as entries:
            names.update(entry.name.partition("/")[0] for entry in entries)
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error):
        # Where the beginning ends, an entry breaks off.
        pass
    return names
