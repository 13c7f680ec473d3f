"""Killed at any moment: tickets, changes of the tables, backups and restores are whole or not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from desk_kills import KINDS, kill


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_whoever_is_killed_leaves_the_state_before_or_the_one_after(tmp_path: Path) -> None:
    rounds = kill(4, tmp_path / "work", seed=3)
    assert rounds.faults == []
    # All four were at it, and some were cut short.
    for kind in KINDS:
        assert sum(count for name, count in rounds.came.items() if name.startswith(kind)) == 4
    assert any("killed" in name for name in rounds.came)
