"""What is no longer used is handed back."""

from __future__ import annotations

import re
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

_WASTES = """
import ctypes, os, sys, threading

from api.memory import waste_little

if sys.argv[1] == "little":
    waste_little()
# By itself malloc would take blocks of any size from a heap, once one so large was freed.
bytearray(30_000_000)
kept = bytearray(10_000_000)
begun = threading.Barrier(9)

def work():
    held = [bytearray(600) for _ in range(100)]
    begun.wait()
    begun.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads:
    each.start()
begun.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
begun.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of glibc alone")
def test_a_server_has_few_heaps_and_large_blocks_apart_from_them() -> None:
    def heaps_and_blocks(waste: str) -> tuple[int, int]:
        done = subprocess.run(
            [sys.executable, "-c", _WASTES, waste],
            cwd=shelf.ROOT, env={"PYTHONMALLOC": "malloc"},
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        apart = re.search(r'type="mmap" count="(\d+)"', done.stdout)
        return done.stdout.count("<heap nr="), int(apart[1]) if apart else 0

    heaps, blocks = heaps_and_blocks("much")
    fewer, more = heaps_and_blocks("little")
    assert fewer <= 2 < heaps
    assert more > blocks


@pytest.mark.skipif(sys.platform != "linux", reason="done by glibc alone")
def test_memory_that_was_freed_in_pieces_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FREES],
        cwd=shelf.ROOT, env={"PYTHONMALLOC": "malloc"}, capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) > 20 * 2**20
