"""The invented framework of the tests of `rag`, asked by `eval`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "rag"))

import shelf

from rag.store import Store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The invented framework, to be read only."""
    return shelf.written(tmp_path_factory.mktemp("shelf"), shelf.framework())
