from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import shelf
from fastapi.testclient import TestClient
from problems import problem_of

from rag.index import Store

Serve = Callable[[Store], TestClient]


def test_the_server_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {
        "status": "ready",
        "generation": shelf.FIRST,
        "built_at": "2026-01-01T08:00:00Z",
        "documents": 11,
        "chunks": 8,
    }


def test_without_an_index_it_is_alive_and_not_ready(serve: Serve, tmp_path: Path) -> None:
    with serve(Store(tmp_path / "nothing")) as client:
        assert client.get("/healthz").status_code == 200
        assert "python -m ingest run" in problem_of(client.get("/readyz"), 503)["detail"]
        problem_of(client.post("/v1/answers", json={"question": "Who decides?"}), 503)
        problem_of(client.get("/v1/search", params={"q": "Who decides?"}), 503)
        problem_of(client.get("/v1/documents"), 503)
        assert client.get("/").status_code == 200


def test_it_is_ready_as_soon_as_there_is_an_index(serve: Serve, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with serve(store) as client:
        problem_of(client.get("/readyz"), 503)
        store.write(shelf.FIRST, shelf.contents(shelf.framework()))
        assert client.get("/readyz").status_code == 200


def test_an_index_of_another_embedder_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = shelf.replace(shelf.contents(shelf.framework()), embedder="another-model")
    store.write(shelf.FIRST, made)
    with serve(store) as client:
        assert client.get("/healthz").status_code == 200
        assert "another-model" in problem_of(client.get("/readyz"), 503)["detail"]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def test_the_description_of_the_api_is_whole(client: TestClient) -> None:
    response = client.get("/openapi.json")
    assert response.status_code == 200
    described = json.loads(response.text)
    assert described["openapi"].startswith("3.")
    for path in ("/v1/answers", "/v1/search", "/v1/documents", "/healthz", "/readyz"):
        assert path in described["paths"]
    for reference in _references(described):
        node = described
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node
    operations = [
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
    ]
    assert len(set(operations)) == len(operations)
