"""What the tests of ingest share: folders written in a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest import pipeline

# What several files of tests import lies beside them.
sys.path.insert(0, str(Path(__file__).parent))

DATA = Path(__file__).resolve().parent.parent / "data"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write files below a new folder: relative path to text or bytes."""

    def write_files(files: Mapping[str, str | bytes], folder: str = "atlas") -> Path:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        for relative, content in files.items():
            path = root / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write_files


@pytest.fixture(scope="session")
def tidewatch() -> Path:
    """The invented checkout in ``tests/data``."""
    return DATA / "tidewatch"


@pytest.fixture
def ticking_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves on a minute with every look: tests are faster than a second."""

    class Clock(datetime):
        moment = datetime(2031, 5, 4, 12, 0, tzinfo=UTC)

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            cls.moment += timedelta(minutes=1)
            return cls.moment

    monkeypatch.setattr(pipeline, "datetime", Clock)
