"""The app, from parts that already exist: no I/O happens here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from api import errors
from api.limits import BodyLimit
from api.live import LiveIndex
from api.routes import answers, documents, health, resources
from rag.errors import HelpdeskError
from rag.models import Question
from rag.usage import Usage

STATIC = Path(__file__).parent / "static"

_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Services:
    """What the routes call."""

    index: LiveIndex
    usage: Usage


def build_app(services: Services) -> FastAPI:
    """Put the routes over the services."""
    app = FastAPI(
        title="NMG Helpdesk",
        version="1",
        description="Cited answers about the 1+ Million Genomes Framework.",
        lifespan=_warm_up,
    )
    app.state.services = services
    errors.install(app)
    app.add_middleware(BodyLimit)
    app.middleware("http")(_secure)
    app.include_router(answers.router)
    app.include_router(documents.router)
    app.include_router(resources.router)
    app.include_router(health.router)
    app.add_api_route("/", _page, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


@asynccontextmanager
async def _warm_up(app: FastAPI) -> AsyncIterator[None]:
    """Answer once before the first visitor: models and indexes load lazily."""

    def ask() -> None:
        app.state.services.index.answerer().answer(Question("What is the Framework?"))

    # Where this fails `/readyz` tells why; the server lives and can be asked.
    with suppress(HelpdeskError):
        await run_in_threadpool(ask)
    yield


async def _secure(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    for name, value in _SECURITY.items():
        response.headers.setdefault(name, value)
    return response


async def _page() -> FileResponse:
    return FileResponse(
        STATIC / "page" / "index.html",
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-cache"},
    )
