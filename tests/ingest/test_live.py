"""What is assumed of the real services; skipped wherever they cannot be reached."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ingest.check import Check
from ingest.fetch.client import Client
from ingest.online import of_services
from ingest.settings import FetchSettings
from ingest.sources import Registry
from rag.settings import Settings
from rag.store import Store

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def _internet() -> None:
    """Skip without internet, also under NO_SKIPS: no installation can bring it."""
    try:
        socket.create_connection(("zenodo.org", 443), timeout=3).close()
    except OSError as error:
        pytest.skip(f"no internet: zenodo.org cannot be reached ({error})")


@pytest.fixture(scope="module")
def said(_internet: None, root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Check]:
    """What the online checks find, with the shipped list of sources; asked for once."""
    settings = FetchSettings()
    return of_services(
        lambda: Client(f"nmg-helpdesk-tests/0.1 (+{Settings().answer.contact})", pause_s=0.5),
        Registry.load(root / "corpus"),
        Store(tmp_path_factory.mktemp("data")),
        zenodo=settings.zenodo,
        github=settings.github,
    )


@pytest.mark.parametrize("service", ["Zenodo", "GitHub", "oneplusmg-site"])
def test_a_service_is_as_it_is_assumed_to_be(said: list[Check], service: str) -> None:
    of_it = [each for each in said if each.name == service]
    assert any(each.verdict == "ok" for each in of_it)
    assert [each.said for each in of_it if each.verdict == "fault"] == []
