"""How the server ends: what is under way is finished; told twice, it ends at once."""

from __future__ import annotations

import atexit
import ctypes
import gc
import multiprocessing
import signal
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

_PR_SET_PDEATHSIG = 1
_TOLD = (signal.SIGTERM, signal.SIGINT)

_Handler = Callable[[int, FrameType | None], object]


def end_well() -> None:
    """Have a process that is told to stop end with exit code 0, once it has ended its work.

    uvicorn passes the signal on when it has finished, and by itself that is a violent death.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Or Python looks through all that the server held before it lets it go: 1.2 s of processor time
    # of the 1.4 s that ending took.
    atexit.register(gc.freeze)


def end_with_parent() -> None:
    """Have this process told to stop where the one that began it dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent and not parent.is_alive():
        # It died before, while this one was still beginning.
        signal.raise_signal(signal.SIGTERM)


def end_at_once_when_told_twice() -> None:
    """Have a second signal kill this process, which harms nothing that is stored.

    Called where uvicorn has begun to listen for the first, in the main thread.
    """
    for each in _TOLD:
        first = signal.getsignal(each)
        if callable(first):
            signal.signal(each, partial(_told, first))


def _told(first: _Handler, number: int, frame: FrameType | None) -> None:
    for each in _TOLD:
        signal.signal(each, signal.SIG_DFL)
    first(number, frame)
