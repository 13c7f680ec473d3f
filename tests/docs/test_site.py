from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup, SoupStrainer

_LOADED = SoupStrainer(["script", "img", "iframe", "link"])


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_asks_no_other_host_for_anything(site: Path) -> None:
    asked = {
        address
        for page in site.rglob("*.html")
        for part in BeautifulSoup(
            page.read_text(encoding="utf-8"), "lxml", parse_only=_LOADED
        ).select("[src], [href]")
        if urlsplit(address := str(part.get("src") or part.get("href"))).netloc
    }
    assert asked == set()


def test_pages_that_lie_outside_the_folder_of_documents_are_in_the_site(site: Path) -> None:
    page = BeautifulSoup((site / "contributors" / "contributing.html").read_text("utf-8"), "lxml")
    assert page.select_one("h1")
    assert "make check" in page.get_text()
