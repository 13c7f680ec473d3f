"""The app, from parts that already exist: no I/O happens here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from api import errors
from api.answering import Answering
from api.auth import Staff
from api.checkup import Checkups
from api.console.console import Console
from api.console.freshness import FreshnessRoom
from api.described import describe
from api.desk.delivery.courier import Courier
from api.desk.delivery.models import Carrier, Channel
from api.desk.desk import Desk
from api.desk.inbox.inbox import Inbox
from api.desk.publishing import Publisher, Publishing
from api.duties import Duties, Duty
from api.gapping import Gapping
from api.headers import SecurityHeaders
from api.hosts import Hosts, known_hosts
from api.limits import BodyLimit, HeadLimit
from api.live import LiveIndex, why_not
from api.mcp_door import McpDoor
from api.metrics import Metrics
from api.observing import Observed
from api.origins import Origins
from api.page.page import Page
from api.rate_limit import RateLimit, RateLimited
from api.routes import (
    answers,
    completions,
    console,
    console_articles,
    console_dashboard,
    console_freshness,
    console_gaps,
    console_outbox,
    console_sign_in,
    console_staff,
    contribute,
    documents,
    feedback,
    health,
    interface,
    page,
    resources,
    tickets,
    triage,
    widget,
)
from api.sign_in import Provider, SignIn
from api.sorting import Sorting
from rag.errors import HelpdeskError
from rag.gaps.issues import NO_REPOSITORIES, Repositories
from rag.triage.triager import Triager
from rag.usage import Usage

_LOG = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Services:
    """What the routes call."""

    index: LiveIndex
    usage: Usage
    widget_texts: widget.WidgetTexts
    page: Page
    desk: Desk
    triager: Triager
    publisher: Publisher
    carriers: Mapping[Channel, Carrier] = field(default_factory=dict)
    """What takes news of tickets elsewhere; of channels that are not here nothing is told."""
    inbox: Inbox | None = None
    """Takes mails in; None: nobody does."""
    repositories: Repositories = NO_REPOSITORIES
    """Where the sources are written."""
    written: bool = False
    """Whether a language model writes the answers."""


@dataclass(frozen=True)
class Access:
    """Who may call, and how often."""

    allowed_hosts: Sequence[str] = ()
    """Names that browsers and the Model Context Protocol are served under; empty: any."""
    allowed_origins: Sequence[str] = ()
    """Whose pages may call, besides our own."""
    public_url: str = ""
    """Where people reach the helpdesk; empty: where it is called."""
    staff_token: str = ""
    """What staff send; empty: there are no staff calls."""
    sign_in: Provider | None = None
    """Who says who somebody of staff is; None: only links of a command sign in."""
    per_minute: int = 0
    """Calls of one client; 0: any number."""
    tickets_per_hour: int = 0
    """Tickets of one client; 0: any number."""
    per_day: int = 0
    """Questions and searches of one client; 0: any number."""
    total_per_day: int = 0
    """Of all clients together; 0: any number."""
    workers: int = 1
    """Processes of this host that serve."""


def build_app(services: Services, access: Access = Access()) -> FastAPI:
    """Put the routes over the services."""
    app = FastAPI(
        title="NMG Helpdesk",
        version="1",
        description="Cited answers about the 1+ Million Genomes Framework.",
        lifespan=_lifespan,
        docs_url=None,  # ours loads nothing from elsewhere
        redoc_url=None,
    )
    app.state.services = services
    app.state.metrics = metrics = Metrics()
    app.state.checkups = Checkups(services.index, services.desk.tally)
    app.state.answering = answering = Answering(
        services.index,
        services.usage,
        services.desk.conversations,
        metrics,
        written=services.written,
    )
    app.state.sorting = Sorting(answering, services.triager, services.desk)
    app.state.publishing = Publishing(services.desk, services.publisher)
    app.state.gapping = Gapping(answering, services.desk)
    app.state.courier = Courier(services.desk, services.carriers)
    hosts = known_hosts(access.allowed_hosts, access.public_url)
    app.state.mcp = McpDoor(answering, hosts)
    app.state.staff = staff = Staff(access.staff_token)
    app.state.rate_limit = limit = RateLimit(
        access.per_minute,
        access.tickets_per_hour,
        access.per_day,
        access.total_per_day,
        services.desk.calls,
        # SQLite is of one host.
        alone=access.workers == 1 and services.desk.database.engine == "sqlite",
    )
    app.state.public_url = access.public_url
    app.state.console = Console()
    app.state.freshness = FreshnessRoom()
    app.state.sign_in = SignIn(access.sign_in) if access.sign_in else None
    # From the innermost to the outermost: whatever is refused carries the headers of all around.
    errors.install(app)
    app.add_middleware(BodyLimit)
    # Streams of events are passed on as they come.
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(RateLimited, limit=limit, staff=staff)
    app.add_middleware(Hosts, known=hosts)
    app.add_middleware(Origins, allowed=access.allowed_origins, public_url=access.public_url)
    app.add_middleware(HeadLimit)
    app.add_middleware(SecurityHeaders, public_url=access.public_url)
    app.add_middleware(Observed, metrics=metrics, routes=app.router.routes)
    describe(app)
    app.include_router(answers.router)
    app.include_router(feedback.router)
    app.include_router(tickets.router)
    app.include_router(triage.router)
    app.include_router(completions.router)
    app.include_router(documents.router)
    app.include_router(resources.router)
    app.include_router(health.router)
    app.include_router(interface.router)
    app.include_router(widget.router)
    app.include_router(page.router)
    app.include_router(contribute.router)
    for part in (
        console_sign_in,
        console,
        console_articles,
        console_dashboard,
        console_freshness,
        console_gaps,
        console_outbox,
        console_staff,
    ):
        app.include_router(part.router)
    # With and without the stroke, as a redirect would lose the body of some clients.
    for path in ("/mcp", "/mcp/"):
        app.router.routes.append(Route(path, app.state.mcp, methods=["POST"]))
    app.mount("/widget", widget.Modules(directory=widget.MODULES), name="widget")
    app.mount("/static/swagger", StaticFiles(directory=interface.swagger_files()), name="swagger")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    """Answer once before the first visitor, as models and indexes load lazily; then serve.

    Yields:
        What connections read, which know no app: where they count whom they refuse.
    """
    answering: Answering = app.state.answering
    services: Services = app.state.services
    try:
        await answering.warm_up()
    except Exception as error:  # noqa: BLE001 - a disk or a folder fails in many ways
        # The server lives and can be asked; `/readyz` tells it, too.
        _LOG.warning("no question can be answered: %s", why_not(error))
    publishing: Publishing = app.state.publishing
    with suppress(HelpdeskError):
        await publishing.resume()
    sorting: Sorting = app.state.sorting
    gapping: Gapping = app.state.gapping
    once: list[Duty] = [services.desk.forgetting, sorting.catching_up, gapping.watching]
    if services.inbox:
        once.append(partial(services.inbox.polling, sorting.received))
    works = (services.index.watching(), Duties(services.desk, once).doing())
    beside = [asyncio.create_task(work) for work in works]
    courier: Courier = app.state.courier
    courier.start()
    try:
        async with app.state.mcp.serving():
            yield {"metrics": app.state.metrics}
    finally:
        await courier.stop()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await publishing.stop()
        services.desk.close()
