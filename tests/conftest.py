"""What all tests share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import pytest
from filelock import FileLock
from fpdf import FPDF

from ingest import sandbox
from ingest.models import Loaded
from ingest.readings import Readings
from ingest.sandbox import read_source
from ingest.sources import Registry, named_sources
from rag import kept

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reading import ReaderHere

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# No test may ask a model hub for anything.
os.environ["HF_HUB_OFFLINE"] = "1"

# What ships is parsed once: the glossary takes 0.3 s, and every command that answers reads it.
# Each reader makes objects of its own of what is parsed.
kept.load_yaml = lru_cache(256)(kept.load_yaml)

_MEMORY, _ROOM = Path("/dev/shm"), 4 * 2**30  # noqa: S108 - what is below it is pytest's
# An index is written with many waits for the disk: files of tests lie in memory, if it has room.
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


_LONG = ("tests/console/", "tests/end_to_end/", "tests/widget/")
"""What takes longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with long files: the last of them would run when all other workers have ended."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of the machine out, and every test in its own data directory."""
    for name in list(os.environ):
        if name.startswith("HELPDESK_") or name == "PORT":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def framework() -> Path:
    """The real framework source; tests that need it skip where it is absent."""
    path = SHARED / "corpora" / "oneplusmg-framework"
    if not path.is_dir():
        pytest.skip("the corpora beside the project are absent")
    return path


@pytest.fixture(scope="session")
def framework_read(
    framework: Path, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Loaded]:
    """The real framework as ingest reads it, one `Loaded` a file; read once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    source = named_sources([str(framework)], Registry.load(root / "corpus"), None).sources[0]
    with FileLock(folder / "framework.lock"):
        return read_source(source, readings=Readings(folder / "framework.sqlite"))


@pytest.fixture
def reader_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources are read in the process of the test."""
    monkeypatch.setattr(sandbox, "_Worker", ReaderHere)


@pytest.fixture(scope="session")
def rendered() -> Path:
    """The framework as rendered HTML."""
    path = SHARED / "corpora" / "oneplusmg-framework-rendered"
    if not path.is_dir():
        pytest.skip("the corpora beside the project are absent")
    return path


@pytest.fixture(scope="session")
def pdf_bytes() -> Callable[..., bytes]:
    """A PDF file with a page for each text."""

    def make(pages: Sequence[str], title: str = "") -> bytes:
        document = FPDF()
        if title:
            document.set_title(title)
        for text in pages:
            document.add_page()
            if text:
                document.set_font("Helvetica", size=12)
                document.multi_cell(0, 8, text)
        return bytes(document.output())

    return make


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium; skipped where it is not installed, a failure under NO_SKIPS."""
    # Without the frame of a browser a visit takes two thirds of the time.
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing = "chromium is not installed"
        if os.environ.get("NO_SKIPS"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found
