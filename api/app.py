"""The app, from parts that already exist: no I/O happens here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.routing import Route

from api import errors
from api.answering import Answering
from api.headers import SecurityHeaders
from api.limits import BodyLimit
from api.live import LiveIndex
from api.mcp_server import McpServer
from api.routes import answers, completions, documents, health, resources
from rag.errors import HelpdeskError
from rag.models import Question
from rag.usage import Usage

STATIC = Path(__file__).parent / "static"

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Services:
    """What the routes call."""

    index: LiveIndex
    usage: Usage


def build_app(services: Services, allowed_hosts: Sequence[str] = ()) -> FastAPI:
    """Put the routes over the services.

    Args:
        services: What the routes call.
        allowed_hosts: Names that the Model Context Protocol is served under; empty: any.
    """
    app = FastAPI(
        title="NMG Helpdesk",
        version="1",
        description="Cited answers about the 1+ Million Genomes Framework.",
        lifespan=_lifespan,
    )
    app.state.services = services
    app.state.answering = answering = Answering(services.index, services.usage)
    app.state.mcp = McpServer(answering, allowed_hosts)
    errors.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders)
    app.include_router(answers.router)
    app.include_router(completions.router)
    app.include_router(documents.router)
    app.include_router(resources.router)
    app.include_router(health.router)
    app.add_api_route("/", _page, methods=["GET", "HEAD"], include_in_schema=False)
    # With and without the stroke, as a redirect would lose the body of some clients.
    for path in ("/mcp", "/mcp/"):
        app.router.routes.append(Route(path, app.state.mcp, methods=["POST"]))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Answer once before the first visitor, as models and indexes load lazily; then serve."""
    answering: Answering = app.state.answering
    # Where this fails `/readyz` tells why; the server lives and can be asked.
    with suppress(HelpdeskError):
        await answering.warm_up(Question("What is the Framework?"))
    async with app.state.mcp.serving():
        yield


async def _page() -> FileResponse:
    return FileResponse(
        STATIC / "page" / "index.html",
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-cache"},
    )
