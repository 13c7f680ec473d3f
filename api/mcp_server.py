"""The helpdesk as a server of the Model Context Protocol: search, ask, list_resources.

Source: https://modelcontextprotocol.io/specification
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from api import __version__
from api.answering import Answering
from api.errors import explained, reply
from api.requests import Country, Label, Language, Name, SearchLimits, Text
from api.routes.resources import listed
from api.schemas import AnswerOut, PassageOut, ResourcesOut, SearchOut
from rag.models import Question

_INSTRUCTIONS = (
    "Answers from the 1+ Million Genomes Framework: `ask` for a short answer with citations,"
    " `search` for passages to read, `list_resources` for every document, standard and tool it"
    " names, with its label. Cite the url of what you use. What `ask` abstains from is not in the"
    " Framework: pass on its next step instead of guessing."
)
_READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchArguments(SearchLimits, extra="forbid"):
    """What to search for."""

    query: Annotated[Text, Field(description="what to look for, in any language of the EU")]
    k: Annotated[int, Field(ge=1, le=100, description="how many passages")] = 10


class AskArguments(_Arguments):
    """What to ask."""

    question: Annotated[Text, Field(description="a whole question, in any language of the EU")]
    language: Annotated[
        Language | None, Field(description="of the reply: ISO 639-1; else the question's")
    ] = None
    country: Annotated[Country | None, Field(description="of who asks: ISO 3166-1, such as PT")] = (
        None
    )


class ResourceArguments(_Arguments):
    """Which resources to list; without arguments all of them."""

    label: Annotated[Label | None, Field(description="required, recommended or informational")] = (
        None
    )
    country: Annotated[Country | None, Field(description="ISO 3166-1, such as PT")] = None
    topic: Annotated[Name | None, Field(description="the topic of the page that names it")] = None
    kind: Annotated[Name | None, Field(description="such as document, standard or tool")] = None


@dataclass(frozen=True)
class _Tool:
    """A tool: what it is called with, what it replies, and the work."""

    title: str
    description: str
    takes: type[BaseModel]
    gives: type[BaseModel]
    work: Callable[[Any], Awaitable[BaseModel]]


class McpServer:
    """An ASGI app that serves the tools, without sessions, over streamable HTTP."""

    def __init__(self, answering: Answering, allowed_hosts: Sequence[str]):
        """Serve under the names of `allowed_hosts`; empty: under any."""
        self._answering = answering
        self._security = _security(allowed_hosts)
        self._manager: StreamableHTTPSessionManager | None = None
        self._tools: Mapping[str, _Tool] = {
            "search": _Tool(
                "Search the Framework",
                "Ranked passages of the 1+ Million Genomes Framework, each with its address.",
                SearchArguments, SearchOut, self._search,
            ),
            "ask": _Tool(
                "Ask the helpdesk",
                "A short answer in which every statement cites the heading or page it rests on,"
                " or an abstention with its reason and whom to ask.",
                AskArguments, AnswerOut, self._ask,
            ),
            "list_resources": _Tool(
                "List resources",
                "Every document, standard and tool that the Framework names, with its label"
                " (required, recommended, informational) and each place that names it. Complete,"
                " not ranked.",
                ResourceArguments, ResourcesOut, self._list_resources,
            ),
        }  # fmt: skip

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve until the context is left."""
        server: Server[Any] = Server(
            "nmg-helpdesk",
            version=__version__,
            title="NMG Helpdesk",
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        self._manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, security_settings=self._security
        )
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the protocol."""
        assert self._manager is not None  # noqa: S101 - no request comes before the lifespan
        refused: list[int] = []

        async def as_problem(message: Message) -> None:
            """Put what the library refuses in plain text into the form of our other errors."""
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                if message["status"] >= 400 and not kind.startswith("application/json"):
                    refused.append(message["status"])
                    return
            if not refused:
                await send(message)
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                text = message.get("body", b"").decode("utf-8", "replace")
                await reply("/mcp", refused[0], text or "refused")(scope, receive, send)

        await self._manager.handle_request(scope, receive, as_problem)

    async def _list(self, _: object, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(
                    name=name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=tool.takes.model_json_schema(),
                    output_schema=tool.gives.model_json_schema(mode="serialization"),
                    annotations=_READ_ONLY,
                )
                for name, tool in self._tools.items()
            ]
        )

    async def _call(self, _: object, params: CallToolRequestParams) -> CallToolResult:
        """Run a tool; what goes wrong is told to the model that called it."""
        tool = self._tools.get(params.name)
        if tool is None:
            return _wrong(f"there is no such tool; there are {', '.join(self._tools)}")
        try:
            arguments = tool.takes.model_validate(params.arguments or {})
        except ValidationError as error:
            return _wrong("; ".join(_complaints(error)))
        try:
            reply = await tool.work(arguments)
        except Exception as error:  # noqa: BLE001 - the door
            return _wrong(explained(error)[1])
        return CallToolResult(
            content=[TextContent(type="text", text=reply.model_dump_json())],
            structured_content=reply.model_dump(mode="json"),
        )

    async def _search(self, asked: SearchArguments) -> SearchOut:
        answerer = await self._answering.answerer()
        question = Question(asked.query, filters=asked.to_filters(answerer.generation))
        found = await self._answering.search(answerer, question, asked.k)
        return SearchOut(query=asked.query, passages=[PassageOut.of(each) for each in found])

    async def _ask(self, asked: AskArguments) -> AnswerOut:
        answerer = await self._answering.answerer()
        question = Question(asked.question, language=asked.language, country=asked.country)
        answer = await self._answering.answer(answerer, question)
        return AnswerOut.of(answer, answerer.generation.info)

    async def _list_resources(self, asked: ResourceArguments) -> ResourcesOut:
        generation = (await self._answering.answerer()).generation
        return listed(generation, asked.label, asked.country, asked.topic, asked.kind)


def _wrong(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)


def _complaints(error: ValidationError) -> list[str]:
    """What is wrong with which argument; never what was given."""
    return [
        f"{'.'.join(map(str, each['loc']))}: {each['msg'].removeprefix('Value error, ')}"
        if each["type"] != "extra_forbidden"
        else "an argument that this tool does not have"
        for each in error.errors(include_input=False)
    ]


def _security(allowed_hosts: Sequence[str]) -> TransportSecuritySettings:
    """Refuse pages of other names that had the browser look up ours (DNS rebinding)."""
    hosts = [form for host in allowed_hosts for form in (host, f"{host}:*")]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=bool(hosts),
        allowed_hosts=hosts,
        allowed_origins=[f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")],
    )
