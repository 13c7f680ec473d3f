from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def documents() -> list[Path]:
    """What people read: the pages at the top, those of `docs`, and those beside data."""
    return [
        *ROOT.glob("*.md"),
        *(each for each in ROOT.glob("docs/**/*.md") if each.parent.name != "site"),
        ROOT / "corpus" / "triage" / "README.md",
        ROOT / "eval" / "data" / "README.md",
    ]
