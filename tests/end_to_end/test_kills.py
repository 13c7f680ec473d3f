"""A sync may be killed at any moment: nobody notices, and the next one makes it good."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from kills import kill


@pytest.mark.skipif(sys.platform != "linux", reason="forks a process that has Chroma loaded")
@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.long)])
def test_kills_leave_an_index_as_a_clean_build_and_no_reader_sees_one(
    tmp_path: Path, times: int
) -> None:
    outcome = kill(times, tmp_path, seed=7)
    assert outcome.killed == times
    assert outcome.differing == []
    assert outcome.faults == []
    # The reader did read, and did come to see new states; of a few runs all may be killed early.
    assert outcome.answers > 2 * times
    assert outcome.generations > (times / 2 if times > 3 else 0)
