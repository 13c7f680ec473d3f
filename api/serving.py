"""Serving in one process or several, and the sync beside it, until told to stop."""

from __future__ import annotations

import logging
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api import logs
from api.connections import Connection
from api.desk.database import DeskUnavailable
from api.limits import MAX_HEAD
from api.main import build_desk
from api.metrics import shared_by_workers
from api.settings import ApiSettings
from api.stopping import end_well, end_with_parent
from rag.errors import BadSetting
from rag.settings import Settings
from rag.wiring import open_store

_HANGS_S = 30
"""A worker process that does not reply to the first one for so long is replaced."""
_STOP_S = 10
"""What is at hand (replies, a sync) is given to end when the server ends; killed, it harms none.
A language model may take its own time on top."""
_LOOKS_EVERY_S, _AGAIN_S = 1.0, 60.0
"""How often it is seen whether the sync still runs, and when it is begun again if not."""
_ENDED_EVERY_S = 0.1
_LOG = logging.getLogger("api")


def serve(server: ApiSettings, core: Settings) -> int:
    """Serve until stopped; the index is built first if there is none.

    Args:
        server: Its settings.
        core: Those of the index and of what answers.

    Returns:
        The exit code: 1 where it could not be begun, 2 for a setting that is wrong.
    """
    host, port = server.server.host, server.port
    try:
        # The server opens it anew; what is wrong is told here in a line.
        build_desk(core, server).close()
    except BadSetting as error:
        print(f"api: {error}", file=sys.stderr)
        return 2
    except DeskUnavailable as error:
        print(f"api: the desk: {error.why}; see: python -m api.desk doctor", file=sys.stderr)
        return 1
    # From here on: a container's first process dies of no signal that it does not listen for.
    end_well()
    store, workers = open_store(core), server.server.workers
    if server.server.sync and not store.writable:
        print(f"api: HELPDESK_SERVER__SYNC: {store.directory} cannot be written", file=sys.stderr)
        return 2
    if store.current() is None and not store.writable:
        print(f"No index in {store.directory} yet: it is taken up when it is there.", flush=True)
    elif store.current() is None:
        print("No index yet: building one from the starter corpus.", flush=True)
        # A door's work is done by its own command; doors never import one another.
        command = [sys.executable, "-m", "ingest", "run", "--source", "articles"]
        built = subprocess.run(command, check=False, preexec_fn=end_with_parent)  # noqa: S603
        if built.returncode and store.current() is None:
            return 1
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    print(f"Serving on http://{shown}:{port} (stop with Ctrl+C)", flush=True)
    logs.install(server.server.log)
    with (
        _watch() if server.server.sync else nullcontext(),
        shared_by_workers() if workers > 1 else nullcontext(),
    ):
        return _serve(
            uvicorn.Config(
                "api.main:create_app",
                factory=True,
                host=host,
                port=port,
                log_config=None,  # they are our own
                log_level="warning",
                # Queries stand in addresses, and what a person typed is never logged.
                access_log=False,
                server_header=False,
                http=Connection,
                h11_max_incomplete_event_size=MAX_HEAD,
                ws="none",
                workers=workers,
                timeout_worker_healthcheck=_HANGS_S,
                timeout_graceful_shutdown=_stop_s(core),
            )
        )


def _serve(config: uvicorn.Config) -> int:
    """Serve until stopped; returns the exit code.

    uvicorn's own `run` ends well where the several processes that should serve did not start.
    """
    failed = False
    try:
        if config.workers == 1:
            uvicorn.Server(config).run()
        else:
            several = _Workers(config, sockets=[config.bind_socket()])
            several.run()
            failed = any(each.exitcode == STARTUP_FAILURE for each in several.processes)
    except KeyboardInterrupt:
        pass  # it has ended its work before
    except SystemExit as error:
        failed = bool(error.code)
    return int(failed)


class _Workers(Multiprocess):
    """Processes that serve; one that dies is told of, and told twice to stop all end at once."""

    _at_once = False

    def keep_subprocess_alive(self) -> None:
        """Put another in the place of each that has died or hangs."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for gone in before:
            if gone not in self.processes:
                _LOG.warning(
                    "worker process %d has ended (%s); another takes its place",
                    gone.pid, gone.exitcode,
                )  # fmt: skip

    def handle_term(self) -> None:
        """Stop, or at once if told before."""
        self._at_once = self.should_exit.is_set()
        super().handle_term()

    def handle_int(self) -> None:
        """Stop, or at once if told before."""
        self._at_once = self.should_exit.is_set()
        super().handle_int()

    def join_all(self) -> None:
        """Wait until all have ended."""
        while any(each.process.is_alive() for each in self.processes):
            # Others than these two, such as of a window that changes, tell nothing now.
            if self._at_once or {signal.SIGTERM, signal.SIGINT} & set(self.signal_queue):
                for each in self.processes:
                    each.process.kill()
            time.sleep(_ENDED_EVERY_S)
        super().join_all()


def _stop_s(settings: Settings) -> int:
    """How long answers that are under way are given when the server is told to stop."""
    model = settings.generator
    return _STOP_S + (math.ceil(model.timeout_s) if model.model else 0)


@contextmanager
def _watch() -> Iterator[None]:
    """Have the index kept up to date by a process that ends with this one, or is begun again."""
    over = threading.Event()
    # It lives as long as this process: the child is told when the thread ends that began it.
    keeper = threading.Thread(target=_keep_watching, args=(over,))
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep_watching(over: threading.Event) -> None:
    while True:
        child = subprocess.Popen(
            [sys.executable, "-m", "ingest", "watch"],
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )
        while child.poll() is None:
            if over.wait(_LOOKS_EVERY_S):
                _end(child)
                return
        _LOG.warning(
            "ingest watch has ended with exit code %d; it is begun again in %g s",
            child.returncode, _AGAIN_S,
        )  # fmt: skip
        if over.wait(_AGAIN_S):
            return


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
