"""Memory that is no longer used, handed back to the system."""

from __future__ import annotations

import ctypes

_ARENAS, _MMAP_THRESHOLD = -8, -3
"""Numbers of settings of glibc (malloc.h)."""
_HEAPS = 2
_LARGE = 2**20
"""Bytes from which on a block has pages of its own."""


def waste_little() -> None:
    """Have few heaps, and large blocks apart from them; to be called before many threads work.

    By itself glibc gives each thread a heap of its own, up to eight for a core, and keeps what was
    freed in each; once an array of some megabytes was freed it takes the next one from a heap,
    too. After 8 minutes of all sorts of calls while the index changed half of 545 MB were unused;
    of 290 MB with these settings 4 %. Python lets one thread at a time make its objects, so they
    hardly wait for each other. With other C libraries nothing is done.
    """
    settle = getattr(ctypes.CDLL(None), "mallopt", None)
    if settle is not None:
        settle(_ARENAS, _HEAPS)
        settle(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Have the system take back what was freed, after work on much.

    glibc keeps it for later, in pieces: after some switches of the index and a report of gaps 90 MB
    of 980. With other C libraries nothing is done.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
