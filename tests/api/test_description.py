"""Whether `/openapi.json` tells the truth: some calls of each operation, replies held against it.

Thousands of them, against a running server: `make fuzz-api`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import app_over
from fastapi.testclient import TestClient
from listening import listening

from api.app import Access
from rag.store import Store

sys.path.append(str(Path(__file__).parent.parent / "fuzz"))

from api_cases import TOKEN, cases


@pytest.fixture(scope="module")
def described(client: TestClient) -> dict[str, Any]:
    whole: dict[str, Any] = client.get("/openapi.json").json()
    return whole


def test_every_error_is_described_in_the_form_it_has(described: dict[str, Any]) -> None:
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if int(status) < 400:
                    continue
                openai = path.startswith(("/v1/chat/", "/v1/models"))
                form = "application/json" if openai else "application/problem+json"
                assert form in response["content"], (method, path, status)
                assert response["description"]


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/v1/answers", "post", {200, 400, 403, 406, 408, 413, 414, 421, 422, 429, 431, 503}),
        ("/v1/search", "get", {200, 414, 422, 429, 431, 503}),
        ("/v1/tickets", "get", {200, 401, 403, 414, 422, 429, 431, 503}),
        ("/v1/tickets/{ticket_id}", "patch", {200, 401, 403, 404, 409, 413, 422, 503}),
        ("/v1/chat/completions", "post", {200, 400, 404, 413, 429, 503}),
        ("/v1/models/{name}", "get", {200, 404}),
        ("/healthz", "get", {200}),
        ("/mcp", "post", {200, 202, 400, 406, 413, 429}),
    ],
)
def test_the_errors_of_a_call_are_described(
    described: dict[str, Any], path: str, method: str, statuses: set[int]
) -> None:
    told = described["paths"][path][method]["responses"]
    assert statuses <= {int(status) for status in told}
    assert ("422" in told) == (422 in statuses)


def test_streams_and_staff_are_described(described: dict[str, Any]) -> None:
    paths = described["paths"]
    for path in ("/v1/answers", "/v1/chat/completions"):
        assert "text/event-stream" in paths[path]["post"]["responses"]["200"]["content"]
    assert paths["/v1/tickets"]["get"]["security"] == [{"HTTPBearer": []}]
    assert {} in paths["/v1/tickets/{ticket_id}"]["get"]["security"]
    assert "HTTPValidationError" not in str(described)


def test_what_is_described_is_what_is_replied(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    app = app_over(store, Access(staff_token=TOKEN), tmp_path_factory.mktemp("desk"))
    with listening(app) as (host, port):
        wrong = list(cases(f"http://{host}:{port}", count=40, seed=7))
    if wrong:
        pytest.fail("\n\n".join(wrong))
