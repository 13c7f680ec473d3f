"""How the running server ends, and what it has said by then."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import shelf
from served import await_status, free_port, running, start
from servers.chat import ChatServer, stalls, writes

from rag.store import Store

TYPED = "zwiebelkuchen"
MAIL = f"{TYPED}@clinic.example"
SHARE = {"question": "How can I share my data?"}
EVENTS = {"Accept": "text/event-stream"}
_WITHIN_S = 60


def _linked(store: Store, directory: Path) -> Path:
    """A data directory of one's own over an index."""
    directory.mkdir()
    for each in store.directory.iterdir():
        if not each.name.startswith("desk."):
            (directory / each.name).symlink_to(each)
    return directory


_ALL_SAID = """
import logging, runpy, sys
sys.path.insert(0, ".")
logging.basicConfig = lambda **_: None
logging.Logger.setLevel = lambda *_: None
logging.root.level = 1
sys.argv = ["api"]
runpy.run_module("api", run_name="__main__")
"""
"""The server with every logger of every library at its lowest level."""


def _settings(model: ChatServer) -> dict[str, str]:
    """A server whose answers a language model writes."""
    return {
        "HELPDESK_GENERATOR__MODEL": "openai:scripted",
        "HELPDESK_GENERATOR__BASE_URL": model.base_url,
    }


@contextmanager
def _streaming(address: str, model: ChatServer) -> Iterator[Iterator[str]]:
    """The lines of an answer that a language model is about to write."""
    model.requests.clear()
    with (
        httpx.Client(timeout=_WITHIN_S) as client,
        client.stream("POST", f"{address}/v1/answers", json=SHARE, headers=EVENTS) as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == "id: 1"
        before = time.monotonic()
        while not model.requests:
            assert time.monotonic() - before < _WITHIN_S
            time.sleep(0.02)
        yield lines


def _type_everywhere(address: str) -> None:
    """Send what nobody may find in a log, rightly and wrongly."""
    ask = {"question": f"Who bakes {TYPED} for {MAIL}?"}
    form = {"Content-Type": f"multipart/form-data; boundary={TYPED}"}
    with httpx.Client(base_url=address, timeout=_WITHIN_S) as client:
        told = client.post("/v1/answers", json=ask, headers={"X-Anything": TYPED}).json()
        client.post("/v1/answers", json=ask, headers=EVENTS)
        feedback = {"answer_id": told["id"], "helpful": False, "comment": TYPED}
        assert client.post("/v1/feedback", json=feedback).status_code == 204
        client.post("/v1/feedback", json={**feedback, "answer_id": TYPED})
        ticket = {**ask, "email": MAIL, "name": TYPED, "consent": True}
        link = client.post("/v1/tickets", json=ticket).json()["link"]
        client.get(link.replace(link.split("/tickets")[0], address))
        client.get(f"/tickets/{TYPED}?token={TYPED}", headers={"Cookie": f"a={TYPED}"})
        client.post("/ask", data={"question": TYPED})
        # What is no form of its kind, and lines of python-multipart about it.
        client.post("/ask", content=f"--{TYPED}\r\n{TYPED}", headers=form)
        for body in (
            f'{{"{TYPED}',
            f'{{"question": ["{TYPED}"]}}',
            f"\xff{TYPED}".encode("latin-1"),
        ):
            client.post("/v1/answers", content=body)
            client.post("/v1/chat/completions", content=body)
            client.post("/mcp", content=body, headers={"Accept": TYPED})
        client.get("/v1/search", params={"q": TYPED, "k": TYPED})
        client.get(f"/{TYPED}", headers={"Authorization": f"Bearer {TYPED}"})
        client.request(TYPED.upper(), "/desk/sign-in/link", params={"token": TYPED})
        client.post(f"/desk/{TYPED}", data={TYPED: TYPED}, headers={"Origin": f"http://{TYPED}"})
    # No HTTP at all.
    with suppress(httpx.HTTPError):
        httpx.get(address, headers={"Host": f"{TYPED} {TYPED}"}, timeout=5)


@dataclass
class Ended:
    """What came of a server that was told to stop while an answer was written."""

    lines: list[str]
    """Of the stream, from then on."""
    hung_up: bool
    """On the language model."""
    code: int
    said: str


@pytest.fixture(scope="module")
def ended(real_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """It had been sent all kinds of things before, with every logger at its lowest level."""
    folder = tmp_path_factory.mktemp("stopped")
    script = folder / "all_said.py"
    script.write_text(_ALL_SAID)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with ChatServer(writes(f"{shelf.SIGNS[:-1]} [1].")) as model:
        process = start(
            shelf.ROOT, _linked(real_store, folder / "data"),
            before=[sys.executable, str(script)], PORT=str(port), **_settings(model),
        )  # fmt: skip
        try:
            await_status(process, f"{address}/readyz")
            _type_everywhere(address)
            # In some two seconds.
            model.turns[:] = [writes(f"{shelf.SIGNS[:-1]} [1].", 0.1)]
            with _streaming(address, model) as stream:
                process.send_signal(signal.SIGTERM)
                _until_nobody_is_let_in(address)
                lines = list(stream)
            said = process.communicate(timeout=_WITHIN_S)
        finally:
            process.kill()
        return Ended(lines, model.left.is_set(), process.returncode, "".join(said))


def _until_nobody_is_let_in(address: str) -> None:
    before = time.monotonic()
    with suppress(httpx.TransportError):
        while time.monotonic() - before < _WITHIN_S:
            httpx.get(f"{address}/healthz")
            time.sleep(0.02)
        pytest.fail("it still takes connections")


def test_a_stream_that_is_under_way_is_finished(ended: Ended) -> None:
    assert [line for line in ended.lines if line.startswith("event: ")][-1] == "event: answer"
    data = [line for line in ended.lines if line.startswith("data: ")]
    assert json.loads(data[-1].removeprefix("data: "))["status"] == "answered"
    assert not ended.hung_up
    assert ended.code == 0


def test_no_library_at_any_level_writes_what_was_typed(ended: Ended) -> None:
    assert "request method=POST route=/v1/answers status=200" in ended.said
    # They do say something.
    assert "debug   said at " in ended.said
    assert TYPED not in ended.said.lower()
    assert "Traceback" not in ended.said


@pytest.mark.parametrize(
    ("workers", "code"), [("1", -signal.SIGTERM), pytest.param("2", 0, marks=pytest.mark.long)]
)
def test_told_twice_it_ends_at_once(
    real_store: Store, tmp_path: Path, workers: str, code: int
) -> None:
    with ChatServer(stalls("Every holder ")) as model:
        data = _linked(real_store, tmp_path / "data")
        settings = _settings(model) | {
            "HELPDESK_SERVER__WORKERS": workers,
            # By itself it would give the model that long.
            "HELPDESK_GENERATOR__TIMEOUT_S": "300",
        }
        with (
            running(shelf.ROOT, data, **settings) as (address, process),
            _streaming(address, model),
        ):
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=_WITHIN_S)
    assert process.returncode == code
