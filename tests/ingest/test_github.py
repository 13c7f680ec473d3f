"""Repositories on GitHub: against its API on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers.github import RESET, GitHubServer, ServedCommit

from ingest.fetch.client import Client
from ingest.fetch.downloads import Downloads
from ingest.fetch.github import fetch_github, is_github
from ingest.models import Fetched, Remote
from rag.errors import SourceUnavailable

SITE = {
    "_config.yml": "url: https://tides.example\n",
    "pages/low.md": "---\ntitle: Low tide\n---\nThe harbour falls dry.\n",
}
FIRST = ServedCommit(SITE)
Fetch = Callable[..., Fetched]


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    with GitHubServer(FIRST) as server:
        yield server


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path / "downloads")


@pytest.fixture
def fetch(github: GitHubServer, downloads: Downloads) -> Iterator[Fetch]:
    with Client(
        "nmg-helpdesk/test",
        allowed_hosts=frozenset({"127.0.0.1"}),
        sleep=lambda _: None,
    ) as client:

        def fetch_it(rest: str = "", owner: str = "invented") -> Fetched:
            address = f"https://github.com/{owner}/tidewatch{rest}"
            remote = Remote("tides", "jekyll", address, licence="cc-by-4.0", language="en")
            return fetch_github(remote, client, downloads, github.address)

        yield fetch_it


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/invented/tidewatch",
        "https://github.com/invented/tidewatch/",
        "https://github.com/invented/tidewatch.git",
        "http://www.github.com/invented/tide.watch",
        "https://GitHub.com/invented/tidewatch/tree/main",
        "https://github.com/invented/tidewatch/tree/next/low",
        "https://github.com/invented/tidewatch/commit/0123456789abcdef",
    ],
)
def test_addresses_of_repositories_are_told(address):
    assert is_github(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/invented",
        "https://github.com/",
        "https://github.com/invented/tidewatch/issues/3",
        "https://github.com/invented/tidewatch/tree",
        "https://github.com/invented/..",
        "https://github.com/invented/a%2F..%2Fb",
        "https://github.com.example.org/invented/tidewatch",
        "https://invented.github.io/tidewatch",
        "https://gitlab.com/invented/tidewatch",
        "ftp://github.com/invented/tidewatch",
        "https://[github.com/invented/tidewatch",
        "invented/tidewatch",
    ],
)
def test_addresses_of_anything_else_are_none_of_a_repository(address):
    assert not is_github(address)


def test_a_repository_comes_as_it_is_at_its_newest_commit(fetch):
    source = fetch().source
    assert (source.kind, source.address) == ("jekyll", "https://tides.example")
    assert (source.published, source.licence, source.language) == ("2031-05-04", "cc-by-4.0", "en")
    assert (source.path / "pages/low.md").read_text() == SITE["pages/low.md"]


def test_the_archive_is_asked_for_once_a_commit(fetch, github):
    first = fetch()
    github.requests.clear()
    assert fetch() == first
    assert [(each.status, each.path) for each in github.requests] == [
        (304, "/repos/invented/tidewatch/commits/HEAD")
    ]


def test_a_tree_that_is_still_in_use_is_kept(fetch, downloads):
    tree = fetch().source.path
    os.utime(tree, (0, 0))
    fetch()
    downloads.prune()
    assert tree.is_dir()


def test_a_new_commit_is_fetched_beside_the_old_one(fetch, github):
    before = fetch().source
    github.branches["main"] = ServedCommit(SITE | {"pages/high.md": "Wet."}, "2031-06-01T00:00:00Z")
    after = fetch().source
    assert after.published == "2031-06-01"
    assert (after.path / "pages/high.md").exists()
    assert not (before.path / "pages/high.md").exists()


@pytest.mark.parametrize("rest", ["/tree/next/low", "/commit/{sha}", ".git"])
def test_a_branch_or_commit_can_be_named(rest, fetch, github):
    other = ServedCommit(SITE | {"pages/low.md": "Lower."})
    github.branches["next/low"] = other
    source = fetch(rest.format(sha=other.sha)).source
    wanted = SITE["pages/low.md"] if rest == ".git" else "Lower."
    assert (source.path / "pages/low.md").read_text() == wanted


def test_what_is_no_jekyll_site_is_read_as_a_folder(fetch, github):
    github.branches["main"] = ServedCommit({"notes.md": "# Notes"})
    source = fetch().source
    assert (source.kind, source.address) == ("folder", None)


def test_a_broken_configuration_is_left_to_the_reader_to_report(fetch, github):
    github.branches["main"] = ServedCommit({"_config.yml": "url: [", "a.md": "A"})
    source = fetch().source
    assert (source.kind, source.address) == ("jekyll", None)


def test_links_in_an_archive_lead_nowhere(fetch, github):
    github.branches["main"] = replace(FIRST, links={"passwords.md": "/etc/passwd", "up": "../.."})
    names = {path.name for path in fetch().source.path.rglob("*")}
    assert names == {"_config.yml", "pages", "low.md"}


def test_an_archive_of_another_commit_is_refused(fetch, github, downloads):
    github.top = "invented-tidewatch-0123456"
    with pytest.raises(SourceUnavailable, match="another commit"):
        fetch()
    assert not [*downloads.directory.glob("trees/*")]
    github.top = None
    assert fetch().source.path.is_dir()


def test_a_folder_named_without_a_commit_is_believed(fetch, github):
    github.top = "tidewatch-main"
    assert (fetch().source.path / "_config.yml").is_file()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"<html>Please come back later</html>",
        lambda content: b"",
    ],
)
def test_a_damaged_archive_leaves_nothing_and_is_asked_for_again(damage, fetch, github, downloads):
    github.archive = damage
    with pytest.raises(SourceUnavailable, match=r"archive"):
        fetch()
    assert not [*downloads.directory.glob("trees/*"), *downloads.directory.glob("drafts/*")]
    github.archive = lambda content: content
    assert (fetch().source.path / "pages/low.md").is_file()


@pytest.mark.parametrize(
    ("rest", "owner"), [("/tree/gone", "invented"), ("/commit/" + 40 * "0", "invented"), ("", "no")]
)
def test_what_does_not_exist_is_said_in_a_line(rest, owner, fetch):
    with pytest.raises(SourceUnavailable, match="no such repository, branch or commit"):
        fetch(rest, owner)


def test_an_empty_repository_is_said_to_be(fetch, github):
    github.branches.clear()
    with pytest.raises(SourceUnavailable, match="is empty"):
        fetch()


@pytest.mark.parametrize("status", [403, 429])
def test_who_asks_too_often_is_told_until_when(status, fetch, github):
    github.limited = status
    with pytest.raises(SourceUnavailable) as told:
        fetch()
    assert f"{datetime.fromtimestamp(RESET, UTC):%Y-%m-%d %H:%M} UTC" in str(told.value)
    assert len(github.requests) == 1


def test_an_answer_that_is_no_commit_is_refused(fetch, github, monkeypatch):
    monkeypatch.setattr(GitHubServer, "_commit", lambda *_: (200, b"{}", {}))
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        fetch()
