"""The server as it runs: a process of its own, on a port of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import shelf
from problems import problem_of
from served import await_status, free_port, start

from api import serving
from rag.store import Store

TYPED = "zwiebelkuchen"


def _ask(address: str, question: str) -> dict[str, Any]:
    response = httpx.post(f"{address}/v1/answers", json={"question": question}, timeout=30)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_the_server_answers_with_the_model_that_ships(server: tuple[str, Any]) -> None:
    answer = _ask(server[0], "How can I share my data?")
    assert answer["article"]["id"] == "share"
    assert answer["citations"][0]["quote"] == shelf.SIGNS
    assert answer["next_step"]["email"] == shelf.CONTACT


def test_twenty_questions_at_once_are_all_answered(server: tuple[str, Any]) -> None:
    questions = ["How can I share my data?", "Who is the contact in Portugal?"] * 10
    alone = {question: _ask(server[0], question)["text"] for question in set(questions)}
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(lambda each: _ask(server[0], each)["text"], questions))
    assert together == [alone[question] for question in questions]


def test_an_id_with_slashes_and_spaces_passes_the_real_server(server: tuple[str, Any]) -> None:
    for path in ("folder:notes/my%20file%20one.md", "folder%3Anotes%2Fmy%20file%20one.md"):
        found = httpx.get(f"{server[0]}/v1/documents/{path}").json()
        assert found["title"] == "Notes of the archive"


def test_a_large_body_is_refused_by_the_real_server(server: tuple[str, Any]) -> None:
    body = b'{"question": "' + b"x" * 2_000_000
    response = httpx.post(f"{server[0]}/v1/answers", content=body)
    problem_of(response, 413)


def test_an_invalid_question_is_a_problem_of_the_real_server(server: tuple[str, Any]) -> None:
    problem_of(httpx.post(f"{server[0]}/v1/answers", json={"question": ""}), 422)
    problem_of(httpx.get(f"{server[0]}/nothing"), 404)
    assert "server" not in httpx.get(f"{server[0]}/healthz").headers


def test_a_port_in_use_is_told_in_one_line(server: tuple[str, Any], tmp_path: Path) -> None:
    port = server[0].rsplit(":", 1)[1]
    process = start(shelf.ROOT, tmp_path, PORT=port)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert f"port {port} is in use" in err


@pytest.mark.parametrize("port", ["eighty", "70000"])
def test_a_port_that_is_none_is_told_in_one_line(tmp_path: Path, port: str) -> None:
    process = start(shelf.ROOT, tmp_path, PORT=port)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert "port" in err.lower()


def test_a_setting_nobody_knows_is_told_in_one_line(tmp_path: Path) -> None:
    process = start(shelf.ROOT, tmp_path, HELPDESK_RETRIEVAL__CANDIDATE="50")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(err.strip().splitlines()) == 1
    assert "candidate" in err.lower()


def test_arguments_are_bad_usage_and_help_is_given(tmp_path: Path) -> None:
    process = start(shelf.ROOT, tmp_path, "--port", "1")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(err.strip().splitlines()) == 1
    process = start(shelf.ROOT, tmp_path, "--help")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "python -m api" in out


def _type_everywhere(address: str) -> None:
    """Send what nobody may find in a log through every other door, rightly and wrongly."""
    ask = {"question": f"Who bakes {TYPED}?"}
    accept = {"Accept": "application/json, text/event-stream"}
    with httpx.Client(base_url=address, timeout=30) as client:
        client.post("/v1/answers", json=ask, headers={"Accept": "text/event-stream"})
        for model in (TYPED, "helpdesk"):
            for stream in (False, True):
                messages = [{"role": "user", "content": TYPED}]
                call = {"model": model, "messages": messages, "stream": stream}
                client.post("/v1/chat/completions", json=call)
        for name, arguments in [
            ("ask", ask), ("ask", {TYPED: TYPED}), ("ask", {"question": [TYPED]}),
            ("ask", {"question": TYPED, "country": TYPED}), (TYPED, {TYPED: TYPED}),
            ("search", {"query": TYPED, "topic": TYPED}), ("ask", TYPED),
        ]:  # fmt: skip
            params = {"name": name, "arguments": arguments}
            for method in ("tools/call", TYPED):
                message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                client.post("/mcp", json=message, headers=accept)
        client.post("/mcp", content=f'{{"{TYPED}', headers=accept)


def test_the_server_stops_when_told_and_logs_nothing_that_was_typed(real_store: Store) -> None:
    port = free_port()
    process = start(shelf.ROOT, real_store.directory, PORT=str(port))
    try:
        address = f"http://127.0.0.1:{port}"
        await_status(process, f"{address}/healthz")
        _ask(address, f"Who bakes {TYPED}?")
        httpx.get(f"{address}/v1/search", params={"q": TYPED})
        httpx.post(f"{address}/v1/answers", content=f'{{"question": {TYPED}')
        _type_everywhere(address)
        process.terminate()
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert f"Serving on http://127.0.0.1:{port}" in out
    assert TYPED not in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "end", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.long)]
)
def test_a_server_that_syncs_takes_up_what_changes_and_ends_with_its_watch(
    tmp_path: Path, end: signal.Signals
) -> None:
    if end == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent was killed")
    corpus = tmp_path / "corpus"
    (corpus / "tides").mkdir(parents=True)
    (corpus / "articles").mkdir()
    (corpus / "asking.yaml").symlink_to(shelf.ROOT / "corpus" / "asking.yaml")
    # What the page and the chat say is the shipped, as this corpus says nothing of its own.
    (corpus / "messages").mkdir()
    (corpus / "messages" / "en.yaml").symlink_to(shelf.ROOT / "corpus" / "messages" / "en.yaml")
    (corpus / "tides" / "ebb.md").write_text("# Ebb\n\nThe water goes out at dawn and at dusk.")
    listed = {"sources": [{"name": "tides", "kind": "folder", "address": "tides"}]}
    (corpus / "sources.yaml").write_text(json.dumps(listed))
    port = free_port()
    process = start(
        shelf.ROOT, tmp_path / "data", PORT=str(port),
        HELPDESK_SERVER__SYNC="true", HELPDESK_CORPUS_DIR=str(corpus),
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        await_status(process, f"{address}/readyz")
        found: list[Any] = []
        # It begins with the articles, of which there are none, and takes up what the watch brings.
        while not found:
            assert process.poll() is None, process.communicate()[1]
            found = httpx.get(f"{address}/v1/documents").json()["documents"]
            time.sleep(0.1)
        assert [each["id"] for each in found] == ["tides:ebb.md"]
        watching = psutil.Process(process.pid).children(recursive=True)
        assert any("watch" in each.cmdline() for each in watching)
        process.send_signal(end)
        process.communicate(timeout=30)
        _, alive = psutil.wait_procs(watching, timeout=15)
        assert alive == []
    finally:
        process.kill()


def test_a_sync_that_ends_is_told_and_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun = tmp_path / "begun"
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\necho $* >> {begun}\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr(serving, "_LOOKS_EVERY_S", 0.02)
    monkeypatch.setattr(serving, "_AGAIN_S", 0.1)
    until = time.monotonic() + 30
    with serving._watch():
        while not begun.exists() or len(begun.read_text().splitlines()) < 3:
            assert time.monotonic() < until
            time.sleep(0.05)
    assert set(begun.read_text().splitlines()) == {"-m ingest watch"}
    assert "ingest watch has ended with exit code 3" in caplog.text


_DOES_NOT_START = """
import sys

async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no"})

if __name__ == "__main__":
    import uvicorn
    from api.serving import _serve  # takes long, and no worker needs it

    config = uvicorn.Config("failing:app", port=int(sys.argv[1]), workers=int(sys.argv[2]))
    sys.exit(_serve(config))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_does_not_start_ends_with_exit_code_1(tmp_path: Path, workers: int) -> None:
    (tmp_path / "failing.py").write_text(_DOES_NOT_START)
    ended = subprocess.run(
        [sys.executable, "failing.py", str(free_port()), str(workers)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{shelf.ROOT}:{tmp_path}"},
        timeout=120, check=False, capture_output=True,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr


def test_a_server_told_to_stop_while_it_builds_its_first_index_stops_at_once(
    tmp_path: Path,
) -> None:
    process = start(shelf.ROOT, tmp_path, PORT=str(free_port()))
    try:
        building: list[psutil.Process] = []
        while not building:
            assert process.poll() is None
            building = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        out, _ = process.communicate(timeout=30)
        assert "No index yet" in out
        assert process.returncode == 0
        assert not psutil.wait_procs(building, timeout=10)[1]
    finally:
        process.kill()
