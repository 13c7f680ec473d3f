"""The door to the server of the Model Context Protocol, which begins when somebody first calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module

from anyio import to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from api.answering import Answering

_LOG = logging.getLogger(__name__)


class McpDoor:
    """An ASGI app: the protocol's own, imported for the first call.

    What it imports takes 24 MB and half a second, and most helpdesks are asked by people alone.
    """

    def __init__(self, answering: Answering, allowed_hosts: Sequence[str]):
        """Serve under the names of `allowed_hosts`; empty: under any."""
        self._answering, self._hosts = answering, allowed_hosts
        self._over = asyncio.Event()
        self._server: asyncio.Future[ASGIApp] | None = None
        self._keepers: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve until the context is left."""
        self._over, self._server = asyncio.Event(), None
        try:
            yield
        finally:
            self._over.set()
            await asyncio.gather(*self._keepers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the protocol."""
        if self._server is None:
            self._server = asyncio.get_running_loop().create_future()
            # A task of its own, as whoever calls first may leave.
            keeper = asyncio.create_task(self._keep(self._server))
            self._keepers.add(keeper)
            keeper.add_done_callback(self._keepers.discard)
        server = await asyncio.shield(self._server)
        await server(scope, receive, send)

    async def _keep(self, begun: asyncio.Future[ASGIApp]) -> None:
        """Serve until it is over."""
        try:
            module = await to_thread.run_sync(import_module, "api.mcp_server")
            server = module.McpServer(self._answering, self._hosts)
            async with server.serving():
                begun.set_result(server)
                await self._over.wait()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            if begun.done():
                _LOG.warning("the MCP server has ended: %s", type(error).__name__)
            else:
                begun.set_exception(error)
        finally:
            # Whoever comes next begins another.
            if self._server is begun:
                self._server = None
