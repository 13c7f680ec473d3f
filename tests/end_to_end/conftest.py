"""What the walks from end to end share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from harbour import Harbour, indexed


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Harbour:
    """The invented pages, indexed once for all workers; to be read only."""
    top = tmp_path_factory.getbasetemp()
    if top.name.startswith("popen-"):
        top = top.parent
    folder = top / "harbour"
    with FileLock(top / "harbour.lock"):
        done = folder / "done"
        if not done.exists():
            folder.mkdir()
            indexed(folder, root)
            done.touch()
    return Harbour(folder / "data", folder / "corpus")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A browser of this machine."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        opened = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()
