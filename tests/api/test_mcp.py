from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import shelf
from fastapi.testclient import TestClient
from problems import problem_of

from api import mcp_door

HEADERS = {"Accept": "application/json, text/event-stream"}
TYPED = "zwiebelkuchen"


def _call(client: TestClient, method: str, path: str = "/mcp", **params: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    response = client.post(path, json=message, headers=HEADERS, follow_redirects=False)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()["result"]
    return result


def _tool(client: TestClient, name: str, **arguments: Any) -> dict[str, Any]:
    return _call(client, "tools/call", name=name, arguments=arguments)


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
def test_the_tools_are_listed_with_what_they_take_and_give(client: TestClient, path: str) -> None:
    tools = {each["name"]: each for each in _call(client, "tools/list", path)["tools"]}
    assert set(tools) == {"search", "ask", "list_resources"}
    for tool in tools.values():
        assert tool["annotations"]["readOnlyHint"] is True
        assert tool["description"]
        assert tool["outputSchema"]["type"] == "object"
        assert all(
            each.get("description") for each in tool["inputSchema"]["properties"].values()
        ), tool
    assert set(tools["search"]["inputSchema"]["required"]) == {"query"}
    assert set(tools["ask"]["inputSchema"]["properties"]) == {"question", "language", "country"}
    assert "required" not in tools["list_resources"]["inputSchema"]


def test_asking_gives_the_answer_of_the_api(client: TestClient) -> None:
    told = _tool(client, "ask", question="How can I share my data?")
    assert not told.get("isError")
    answer = told["structuredContent"]
    assert json.loads(told["content"][0]["text"]) == answer
    served = client.post("/v1/answers", json={"question": "How can I share my data?"}).json()
    assert {**answer, "id": "", "timings_ms": {}} == {**served, "id": "", "timings_ms": {}}
    assert answer["citations"][0]["quote"] == shelf.SIGNS


def test_searching_gives_the_passages_of_the_api(client: TestClient) -> None:
    told = _tool(client, "search", query="Who signs?", k=3, label="Required")
    served = client.get("/v1/search", params={"q": "Who signs?", "k": 3, "label": "required"})
    assert told["structuredContent"] == served.json()


def test_listing_gives_the_register_of_the_api(client: TestClient) -> None:
    for query in ({}, {"label": "required"}, {"kind": "tool"}, {"country": "EE"}, {"topic": "law"}):
        told = _tool(client, "list_resources", **query)
        assert told["structuredContent"] == client.get("/v1/resources", params=query).json()


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("ask", {}, "question"),
        ("ask", {"question": ""}, "question"),
        ("ask", {"question": TYPED * 1000}, "question"),
        ("ask", {"question": "Who?", "language": TYPED}, "language"),
        ("ask", {"question": "Who?", "country": TYPED}, "country"),
        ("ask", {"question": {TYPED: TYPED}}, "question"),
        ("ask", {"question": "Who?", TYPED: 1}, "argument"),
        ("search", {"query": "Who?", "k": 0}, "k"),
        ("search", {"query": "Who?", "k": TYPED}, "k"),
        ("search", {"query": "Who?", "label": TYPED}, "label"),
        ("search", {"query": "Who?", "topic": TYPED}, "law, training"),
        ("list_resources", {"country": TYPED}, "country"),
        (TYPED, {}, "list_resources"),
    ],
)
def test_arguments_that_are_wrong_are_told_to_the_caller_and_not_repeated(
    client: TestClient, tool: str, arguments: dict[str, Any], named: str
) -> None:
    told = _tool(client, tool, **arguments)
    assert told["isError"] is True
    assert named in told["content"][0]["text"]
    assert TYPED not in told["content"][0]["text"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_are_no_sessions_to_listen_to_or_to_end(client: TestClient, method: str) -> None:
    problem_of(client.request(method, "/mcp", headers=HEADERS), 405)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b'{"jsonrpc": "2.0"}', b"\xff", b"[" * 9999]
)
def test_what_is_no_message_is_a_bad_request(client: TestClient, body: bytes) -> None:
    headers = {**HEADERS, "Content-Type": "application/json"}
    assert client.post("/mcp", content=body, headers=headers).status_code == 400


def test_a_server_that_nobody_calls_so_does_without_what_the_protocol_needs() -> None:
    told = "import sys, api.main; print(sorted({'api.mcp_server', 'mcp'} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=shelf.ROOT, capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_what_could_not_be_begun_is_tried_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = mcp_door.import_module
    # The second has no server to begin.
    names = iter(("api.no_such_module", "api.mcp_door", "api.mcp_server"))
    monkeypatch.setattr(mcp_door, "import_module", lambda _: imported(next(names)))
    door = client.app.state.mcp  # type: ignore[attr-defined]
    monkeypatch.setattr(door, "_server", None)
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for _ in range(2):
        problem_of(client.post("/mcp", json=message, headers=HEADERS), 500)
    assert _call(client, "tools/list")["tools"]
