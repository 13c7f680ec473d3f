"""A GitHub repository at a commit, as one archive: no clone, no git."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError

from ingest.fetch.archive import unpack
from ingest.fetch.client import Client, Reply
from ingest.fetch.downloads import Downloads, StoredPage
from ingest.loaders.jekyll import is_jekyll, site_address
from ingest.models import Fetched, Remote, Source
from rag.errors import SourceUnavailable, UnreadableDocument

_HOSTS = frozenset({"github.com", "www.github.com"})
_ACCEPT = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_COMMIT_MB = 20
"""The answer on a commit lists what it changed."""
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_NAMED_SHA = re.compile(r"-([0-9a-f]{7,64})$")
"""At the end of the name of the archive's one folder."""
_NONE = (404, 422)
"""No such repository; no such commit in it. A private one is not told from none."""


@dataclass(frozen=True)
class _Repository:
    owner: str
    name: str
    ref: str = "HEAD"
    """Branch, tag or commit; `HEAD`: of the default branch."""

    @property
    def path(self) -> str:
        """Of its part of the API."""
        return f"/repos/{quote(self.owner, safe='')}/{quote(self.name, safe='')}"


@dataclass(frozen=True)
class _Commit:
    sha: str
    date: str
    """``YYYY-MM-DD``."""


class _Person(BaseModel):
    date: datetime


class _Details(BaseModel):
    committer: _Person


class _Answer(BaseModel):
    """What the API says of a commit, as far as it is used."""

    sha: str
    commit: _Details


_COMMIT: TypeAdapter[_Commit] = TypeAdapter(_Commit)


def is_github(address: str) -> bool:
    """Whether an address is that of a repository on GitHub, or of a commit or branch of one."""
    return _repository(address) is not None


def _repository(address: str) -> _Repository | None:
    try:
        parts = urlsplit(address.strip())
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or host not in _HOSTS:
        return None
    named = [unquote(part) for part in parts.path.strip("/").split("/")]
    if len(named) < 2:
        return None
    owner, name = named[0], named[1].removesuffix(".git")
    if not _NAME.fullmatch(owner) or not _NAME.fullmatch(name):
        return None
    if len(named) == 2:
        return _Repository(owner, name)
    if len(named) > 3 and named[2] in ("tree", "commit"):
        # A branch may have slashes in its name.
        return _Repository(owner, name, "/".join(named[3:]))
    return None


def fetch_github(
    remote: Remote, client: Client, downloads: Downloads, api: str = "https://api.github.com"
) -> Fetched:
    """Bring a repository here as it is at a commit; an unchanged one costs one question.

    Args:
        remote: The repository; its address may name a branch, tag or commit.
        client: Asks.
        downloads: Where the unpacked archive is kept, by its commit.
        api: Address of GitHub's API.

    Raises:
        SourceUnavailable: There is no such repository, branch or commit, GitHub
            has had enough of us for now, or the archive is not what it should be.
    """
    repository = _repository(remote.address)
    if repository is None:
        raise SourceUnavailable("its address is none of a repository on GitHub")
    commit = _commit(remote, repository, client, downloads, api)
    name = f"{remote.name}-{commit.sha}"
    tree = downloads.tree(name)
    if tree is None:
        address = f"{api}{repository.path}/tarball/{commit.sha}"
        with downloads.draft() as archive, downloads.draft() as folder:
            reply = client.get(address, _ACCEPT, into=archive)
            _check(reply, repository)
            top = unpack(archive, folder)
            named = _NAMED_SHA.search(top.name)
            if named and not commit.sha.startswith(named[1]):
                raise SourceUnavailable(f"GitHub sent another commit than {commit.sha[:7]}")
            tree = downloads.adopt_tree(top, name)
    downloads.touch(tree)
    jekyll = is_jekyll(tree)
    return Fetched(
        Source(
            remote.name,
            "jekyll" if jekyll else "folder",
            tree,
            address=_address(tree) if jekyll else None,
            licence=remote.licence,
            language=remote.language,
            published=commit.date,
        )
    )


def _commit(
    remote: Remote, repository: _Repository, client: Client, downloads: Downloads, api: str
) -> _Commit:
    """The commit that a repository's branch is at."""
    address = f"{api}{repository.path}/commits/{quote(repository.ref, safe='/')}"
    known = downloads.page(remote.name, address)
    headers = {**_ACCEPT, "If-None-Match": known.etag} if known and known.etag else _ACCEPT
    reply = client.get(address, headers, megabytes=_COMMIT_MB)
    if reply.status == 304 and known:
        try:
            return _COMMIT.validate_json(known.facts)
        except ValidationError:
            reply = client.get(address, _ACCEPT, megabytes=_COMMIT_MB)
    _check(reply, repository)
    try:
        answer = _Answer.model_validate_json(reply.body)
    except ValidationError as error:
        raise SourceUnavailable("GitHub's answer on the commit cannot be read") from error
    if not _SHA.fullmatch(answer.sha):
        raise SourceUnavailable("GitHub's answer on the commit names none")
    date = answer.commit.committer.date.astimezone(UTC).date().isoformat()
    commit = _Commit(answer.sha, date)
    stored = StoredPage(
        reply.url,
        reply.status,
        etag=reply.headers.get("etag"),
        facts=_COMMIT.dump_json(commit).decode(),
    )
    downloads.remember(remote.name, address, stored)
    downloads.forget(remote.name, frozenset({address}))
    return commit


def _check(reply: Reply, repository: _Repository) -> None:
    """Tell why GitHub does not give what was asked for.

    Raises:
        SourceUnavailable: Always, unless the answer is a 200.
    """
    if reply.status == 200:
        return
    if reply.status in _NONE:
        raise SourceUnavailable("no such repository, branch or commit that is public")
    if reply.status == 409:
        raise SourceUnavailable("the repository is empty")
    if reply.status in (403, 429) and reply.headers.get("x-ratelimit-remaining") == "0":
        raise SourceUnavailable(f"GitHub allows no more requests {_until(reply.headers)}")
    raise SourceUnavailable(f"GitHub answered {reply.status} for {repository.path}")


def _until(headers: Mapping[str, str]) -> str:
    """When GitHub's limit is reset, as far as it says."""
    try:
        reset = datetime.fromtimestamp(int(headers["x-ratelimit-reset"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return "for now"
    return f"until {reset:%Y-%m-%d %H:%M} UTC"


def _address(tree: Path) -> str | None:
    """The web address a checkout names; None too where its reader will report why."""
    try:
        return site_address(tree)
    except UnreadableDocument:
        return None
