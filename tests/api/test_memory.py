"""What is no longer used is handed back."""

from __future__ import annotations

import subprocess
import sys

import pytest
import shelf

_FREES = """
import psutil
from api.memory import give_back

kept, freed = [], []
for number in range(200_000):
    freed.append(bytearray(500))
    if number % 200 == 0:
        kept.append(bytearray(16))
del freed
before = psutil.Process().memory_info().rss
give_back()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="done by glibc alone")
def test_memory_that_was_freed_in_pieces_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FREES],
        cwd=shelf.ROOT, env={"PYTHONMALLOC": "malloc"}, capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) > 20 * 2**20
