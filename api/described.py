"""The interface as `/openapi.json` describes it: what the framework knows, and what it does not.

It knows the routes. Errors are made around them as well (limits, origins, validation in a form of
ours), so they are written in here, for all operations in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from api.errors import OPENAI
from api.rate_limit import COUNTED
from api.schemas import InvalidOut, OpenAiErrorOut, ProblemOut

_METHODS = ("get", "post", "put", "patch", "delete")
_PROBLEM, _JSON = "application/problem+json", "application/json"
_REF = "#/components/schemas/{model}"
_STAFF: list[dict[str, list[str]]] = [{"HTTPBearer": []}]
_ANY = {
    414: "the address is too long",
    431: "the headers are too large",
}
_SENT = {
    400: "the body is not what its type says",
    403: "pages of this origin may not call here",
    408: "the body did not arrive in time",
    413: "the body is too large",
    421: "the helpdesk is not known under this name",
}
_BY_STAFF = {
    401: "for staff only",
    403: "for staff only, or from pages of another origin",
    429: "too many wrong tokens; `Retry-After` says when",
}
_TOO_MANY = {429: "too many calls; `Retry-After` says when"}
_NOT_READY = {503: "there is no index, or what it takes is away"}
_ALIVE = ("/healthz", "/metrics", "/v1/models", "/v1/models/{name}")
"""What needs neither index nor database."""
_MCP: dict[str, Any] = {
    "post": {
        "tags": ["mcp"],
        "summary": "Model Context Protocol",
        "description": "Streamable HTTP without sessions, a JSON-RPC message each: the tools"
        " `search`, `ask` and `list_resources`, see https://modelcontextprotocol.io.",
        "operationId": "mcp",
        "parameters": [
            {"name": "Accept", "in": "header", "required": True,
             "schema": {"const": "application/json, text/event-stream"}},
        ],
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": {
                "type": "object",
                "required": ["jsonrpc", "method", "id"],
                "properties": {"jsonrpc": {"const": "2.0"}, "method": {"type": "string"},
                               "id": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                               "params": {"type": "object"}},
            }}},
        },
        "responses": {
            "200": {"description": "the result, or an error of JSON-RPC",
                    "content": {_JSON: {"schema": {"type": "object"}}}},
            "202": {"description": "a notification was taken"},
        },
    }
}  # fmt: skip
_MCP_ERRORS = {
    400: "no message of the protocol",
    404: "no such method",
    406: "`Accept` names something else",
    415: "the body is no JSON",
}
_OF_PROTOCOL = {"description": "an error of JSON-RPC", "type": "object"}


def describe(app: FastAPI) -> None:
    """Have an app give our description of itself."""
    app.openapi = partial(_described, app, app.openapi)  # type: ignore[method-assign]


def _described(app: FastAPI, framework: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if app.openapi_schema is None:
        whole = framework()
        schemas: dict[str, Any] = whole["components"]["schemas"]
        for kind in (ProblemOut, InvalidOut, OpenAiErrorOut):
            _define(schemas, kind)
        for path, operations in whole["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        whole["paths"]["/mcp"] = _MCP | {"post": _MCP["post"] | {"responses": _mcp_responses()}}
        for left in ("HTTPValidationError", "ValidationError"):
            schemas.pop(left, None)
        app.openapi_schema = whole
    return app.openapi_schema


def _define(schemas: dict[str, Any], kind: type[BaseModel]) -> None:
    schema = kind.model_json_schema(ref_template=_REF, mode="serialization")
    schemas |= schema.pop("$defs", {})
    schemas[kind.__name__] = schema


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Write the errors of an operation into it."""
    responses: dict[str, Any] = operation["responses"]
    openai = path.startswith(OPENAI)
    takes = "parameters" in operation or "requestBody" in operation
    if path == "/v1/tickets/{ticket_id}" and method == "get":
        # Who has the private link needs to be nobody of staff.
        operation["security"] = [{}, *_STAFF]
    errors: dict[int, str] = {**_ANY}
    if method != "get":
        errors |= _SENT
    if (method.upper(), path) in COUNTED or path.endswith("/messages"):
        errors |= _TOO_MANY
    if "security" in operation:
        errors |= _BY_STAFF
    if path not in _ALIVE:
        errors |= _NOT_READY
    for status, description in errors.items():
        responses.setdefault(str(status), {"description": description})
    responses.pop("422", None)
    if takes and not openai:
        responses["422"] = {"description": "a field is wrong"}
    for code, response in responses.items():
        if int(code) >= 400:
            _in_our_form(int(code), response, openai)


def _in_our_form(status: int, response: dict[str, Any], openai: bool) -> None:
    told: Mapping[str, Any] = response.get("content", {}).get(_JSON, {})
    name = "OpenAiErrorOut" if openai else "InvalidOut" if status == 422 else "ProblemOut"
    schema = told.get("schema") or {"$ref": _REF.format(model=name)}
    response["content"] = {_JSON if openai else _PROBLEM: {"schema": schema}}
    if status == 429:
        wait = {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}
        response["headers"] = {"Retry-After": wait}


def _mcp_responses() -> dict[str, Any]:
    """What the protocol says itself, and what is refused before it is reached."""
    responses: dict[str, Any] = dict(_MCP["post"]["responses"])
    for status, description in {**_ANY, **_SENT, **_TOO_MANY, **_MCP_ERRORS}.items():
        response: dict[str, Any] = {"description": description}
        _in_our_form(status, response, openai=False)
        if status in _MCP_ERRORS:
            response["content"][_JSON] = {"schema": _OF_PROTOCOL}
        responses[str(status)] = response
    return responses
