"""GitHub's API on this machine, as far as it is used: a commit, and its archive.

Made after the documented behaviour: addresses, the redirect of an archive to
another host's path, validators, the ways in which it says no.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from servers.running import Handler, RunningServer

RESET = int(time.time()) + 3_000


@dataclass(frozen=True)
class Asked:
    """A request that came, and how it was answered."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    status: int


@dataclass(frozen=True)
class ServedCommit:
    """A state of a repository."""

    files: Mapping[str, str | bytes]
    date: str = "2031-05-05T01:30:00+02:00"
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links: path to target."""

    @property
    def sha(self) -> str:
        return hashlib.sha1(repr((self.files, self.date)).encode()).hexdigest()  # noqa: S324


def packed(commit: ServedCommit, top: str) -> bytes:
    """The archive as ``git archive`` makes it: a header with the commit, one folder."""
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer,
        mode="w",
        format=tarfile.PAX_FORMAT,
        pax_headers={"comment": commit.sha},
    ) as tar:
        folder = tarfile.TarInfo(top)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for path, content in commit.files.items():
            body = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
        for path, target in commit.links.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return gzip.compress(buffer.getvalue())


class GitHubServer(RunningServer):
    """Serves one repository, ``invented/tidewatch``, on 127.0.0.1."""

    owner = "invented"
    name = "tidewatch"

    def __init__(self, commit: ServedCommit):
        super().__init__(_Handler)
        self.branches = {"main": commit}
        """By name; the first is the default. Change them while it runs."""
        self.requests: list[Asked] = []
        self.limited: int | None = None
        """Status of every answer while the limit is used up."""
        self.top: str | None = None
        """Name of the folder in the archive, instead of GitHub's."""
        self.archive: Callable[[bytes], bytes] = lambda content: content
        """What is done to an archive before it is sent."""

    def _named(self, ref: str) -> ServedCommit | None:
        if ref == "HEAD":
            return next(iter(self.branches.values()))
        return self.branches.get(ref) or next(
            (each for each in self.branches.values() if each.sha == ref), None
        )

    def _answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        if self.limited:
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(RESET)}
            return _json({"message": "API rate limit exceeded"}, self.limited, headers)
        repository = f"/repos/{self.owner}/{self.name}/"
        archive = f"/codeload/{self.owner}/{self.name}/legacy.tar.gz/"
        if path.startswith(f"{repository}commits/"):
            return self._commit(path.removeprefix(f"{repository}commits/"))
        if path.startswith(f"{repository}tarball/"):
            ref = path.removeprefix(f"{repository}tarball/")
            return 302, b"", {"Location": f"{self.address}{archive}{ref}"}
        commit = self._named(path.removeprefix(archive)) if path.startswith(archive) else None
        if commit is None:
            return _json({"message": "Not Found"}, 404)
        top = self.top or f"{self.owner}-{self.name}-{commit.sha[:7]}"
        content = self.archive(packed(commit, top))
        return 200, content, {"Content-Type": "application/x-gzip"}

    def _commit(self, ref: str) -> tuple[int, bytes, dict[str, str]]:
        if not self.branches:
            return _json({"message": "Git Repository is empty."}, 409)
        commit = self._named(ref)
        if commit is None:
            return _json({"message": f"No commit found for SHA: {ref}"}, 422)
        author = {"name": "A. Nyone", "email": "a@example.org", "date": "2030-01-01T00:00:00Z"}
        answer = {
            "sha": commit.sha,
            "commit": {
                "author": author,
                "committer": author | {"date": commit.date},
                "message": "Invent more",
            },
            "files": [{"filename": path} for path in commit.files],
        }
        return _json(answer, 200, {"ETag": f'W/"{commit.sha}"'})


class _Handler(Handler):
    def do_GET(self) -> None:  # noqa: N802
        github: GitHubServer = self.server.owner
        status, body, headers = github._answer(unquote(self.path))
        if status == 200 and self.fields.get("if-none-match") == headers.get("ETag", "none"):
            status, body = 304, b""
        github.requests.append(Asked(self.path, self.fields, status))
        self.reply(status, body, headers)


def _json(
    content: object, status: int, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return status, json.dumps(content).encode(), kind | dict(headers or {})
