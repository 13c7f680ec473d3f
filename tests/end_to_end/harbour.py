"""Four invented pages of a harbour archive, indexed by the real command and served."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ADDRESS = "https://harbour.example.org"
PAGES = {
    "deposit.md": """---
title: Bringing samples in
---
The harbour archive takes marine samples from any laboratory.

## Before you deposit

A laboratory signs the harbour agreement before it deposits its first sample. Each sample needs a
label with the date and the depth at which it was taken.

## Storage

Samples are kept at minus eighty degrees in the north hall.
""",
    "borrow.md": """---
title: Borrowing samples
---
Researchers borrow samples for six weeks.

## Who decides

The lending board meets on the first Monday of the month and decides on every request.
""",
    "house.md": """---
title: The house
---
The gate on the quay is locked from Friday noon until Monday at eight.

## Deliveries

Whatever arrives while the gate is locked is turned away by the guard.
""",
    "tides.md": """---
title: Tide tables
---
The tide tables are printed each spring and list high water for every pier.
""",
}
SHIPPED = ("share-data/*-data.md", "share-data/*.pt.md", "contact/*.md")
"""Some of the shipped articles: to embed all of them takes minutes."""
LEFT_OUT = ("articles", "unwritten.yaml", "leaning.yaml")
"""Of the shipped corpus: a thousand more texts, for empty pages and follow-ups."""


@dataclass(frozen=True)
class Harbour:
    """An index, and the corpus that it was made with."""

    data: Path
    corpus: Path

    def settings(self) -> dict[str, str]:
        """The environment that names them."""
        return {
            **os.environ,
            "HELPDESK_DATA_DIR": str(self.data),
            "HELPDESK_CORPUS_DIR": str(self.corpus),
        }

    def copy(self, folder: Path) -> Harbour:
        """The same index, to be changed."""
        return Harbour(Path(shutil.copytree(self.data, folder / "data")), self.corpus)


def indexed(folder: Path, root: Path) -> Harbour:
    """Index the pages beside some of the shipped articles."""
    pages, corpus = folder / "pages", folder / "corpus"
    pages.mkdir()
    for name, text in PAGES.items():
        (pages / name).write_text(text, encoding="utf-8")
    shutil.copytree(root / "corpus", corpus, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for articles in SHIPPED:
        for file in (root / "corpus" / "articles").glob(articles):
            topic = corpus / "articles" / file.parent.name
            topic.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, topic / file.name)
    made = Harbour(folder / "data", corpus)
    ingest = [sys.executable, "-m", "ingest", "run", "--source", str(pages)]
    ingest += ["--base-url", ADDRESS, "--json"]
    done = subprocess.run(ingest, cwd=root, env=made.settings(), capture_output=True, check=True)
    assert json.loads(done.stdout)["documents"]["added"] >= len(PAGES)
    return made


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(harbour: Harbour, root: Path, port: int, **settings: str) -> Iterator[str]:
    """The server over an index, once it is ready: its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api"],
        cwd=root,
        env={**harbour.settings(), "PORT": str(port), **settings},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, "the server has gone"
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=2)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)
