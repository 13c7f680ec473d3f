"""One door to everything that has to be fetched: by the kind of the source."""

from __future__ import annotations

from collections.abc import Callable

from ingest.fetch.client import Client
from ingest.fetch.downloads import Downloads
from ingest.fetch.github import fetch_github
from ingest.fetch.site import fetch_site
from ingest.fetch.zenodo import fetch_zenodo
from ingest.fetch.zenodo_records import Zenodo
from ingest.models import Fetched, Remote

_SOURCE_S = 2 * 3600
"""Seconds for one source; a slow one must not keep the others waiting for days."""


class Fetcher:
    """Brings remote sources here."""

    def __init__(self, client: Client, downloads: Downloads, *, zenodo: str, github: str):
        """Name the parts; nothing is asked yet.

        Args:
            client: Asks for addresses.
            downloads: Where what was fetched is kept.
            zenodo: Address of the Zenodo that is asked.
            github: Address of the API of GitHub.
        """
        self._client = client
        self._downloads = downloads
        self._zenodo = Zenodo(client, zenodo)
        self._github = github

    def __call__(self, remote: Remote, count: Callable[[int], None]) -> Fetched:
        """Fetch a source as it is now.

        Args:
            remote: What is wanted.
            count: Told of every page or file that is done with.

        Raises:
            SourceUnavailable: It cannot be had; the message says why in one line.
        """
        self._client.allow(_SOURCE_S)
        if remote.kind == "zenodo":
            return fetch_zenodo(remote, self._zenodo, self._downloads)
        if remote.kind == "jekyll":
            return fetch_github(remote, self._client, self._downloads, self._github)
        return fetch_site(remote, self._client, self._downloads, count)
