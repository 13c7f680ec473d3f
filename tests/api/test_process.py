"""The server as it runs: a process of its own, on a port of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import shelf
from problems import problem_of

from rag.index import Store

TYPED = "zwiebelkuchen"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(root: Path, directory: Path, *arguments: str, **environment: str) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "api", *arguments],
        cwd=root,
        env={
            **os.environ,
            "HELPDESK_DATA_DIR": str(directory),
            "HELPDESK_ANSWER__CONTACT": shelf.CONTACT,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def server(real_store: Store) -> Iterator[tuple[str, Any]]:
    port = _free_port()
    process = _start(shelf.ROOT, real_store.directory, PORT=str(port))
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert process.poll() is None, process.communicate()[1]
            try:
                if httpx.get(f"{address}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            pytest.fail("the server was not ready within 30 s")
        yield address, process
    finally:
        process.kill()
        process.communicate()


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
    process = _start(shelf.ROOT, tmp_path, PORT=port)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert f"port {port} is in use" in err


@pytest.mark.parametrize("port", ["eighty", "70000"])
def test_a_port_that_is_none_is_told_in_one_line(tmp_path: Path, port: str) -> None:
    process = _start(shelf.ROOT, tmp_path, PORT=port)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert "port" in err.lower()


def test_a_setting_nobody_knows_is_told_in_one_line(tmp_path: Path) -> None:
    process = _start(shelf.ROOT, tmp_path, HELPDESK_RETRIEVAL__CANDIDATE="50")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(err.strip().splitlines()) == 1
    assert "candidate" in err.lower()


def test_arguments_are_bad_usage_and_help_is_given(tmp_path: Path) -> None:
    process = _start(shelf.ROOT, tmp_path, "--port", "1")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(err.strip().splitlines()) == 1
    process = _start(shelf.ROOT, tmp_path, "--help")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "python -m api" in out


def test_the_server_stops_when_told_and_logs_nothing_that_was_typed(real_store: Store) -> None:
    port = _free_port()
    process = _start(shelf.ROOT, real_store.directory, PORT=str(port))
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                httpx.get(f"{address}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        _ask(address, f"Who bakes {TYPED}?")
        httpx.get(f"{address}/v1/search", params={"q": TYPED})
        httpx.post(f"{address}/v1/answers", content=f'{{"question": {TYPED}')
        process.terminate()
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert f"Serving on http://127.0.0.1:{port}" in out
    assert TYPED not in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_syncs_takes_up_what_changes_and_ends_with_its_watch(
    tmp_path: Path, end: signal.Signals
) -> None:
    if end == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent was killed")
    corpus = tmp_path / "corpus"
    (corpus / "tides").mkdir(parents=True)
    (corpus / "articles").mkdir()
    (corpus / "messages").symlink_to(shelf.ROOT / "corpus" / "messages")
    (corpus / "tides" / "ebb.md").write_text("# Ebb\n\nThe water goes out at dawn and at dusk.")
    listed = {"sources": [{"name": "tides", "kind": "folder", "address": "tides"}]}
    (corpus / "sources.yaml").write_text(json.dumps(listed))
    port = _free_port()
    process = _start(
        shelf.ROOT, tmp_path / "data", PORT=str(port),
        HELPDESK_SERVER__SYNC="true", HELPDESK_CORPUS_DIR=str(corpus),
    )  # fmt: skip
    try:
        indexed: list[str] = []
        for _ in range(300):
            assert process.poll() is None, process.communicate()[1]
            try:
                found = httpx.get(f"http://127.0.0.1:{port}/v1/documents", timeout=10).json()
                indexed = [each["id"] for each in found.get("documents", ())]
            except httpx.TransportError:
                pass
            if indexed:
                break
            time.sleep(0.1)
        assert indexed == ["tides:ebb.md"]
        watching = psutil.Process(process.pid).children(recursive=True)
        assert any("watch" in each.cmdline() for each in watching)
        process.send_signal(end)
        process.communicate(timeout=30)
        _, alive = psutil.wait_procs(watching, timeout=15)
        assert alive == []
    finally:
        process.kill()
