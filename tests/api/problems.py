"""What every error reply has in common."""

from __future__ import annotations

from typing import Any

from httpx import Response


def problem_of(response: Response, status: int) -> dict[str, Any]:
    """The RFC 9457 document of an error, checked."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert isinstance(body["detail"], str)
    assert body["detail"]
    assert "Traceback" not in response.text
    return body
