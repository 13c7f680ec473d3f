"""The official clients of both protocols, and plain ones, against the server as it runs."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import httpx
import openai
import pytest
import shelf
from events import Event, events
from mcp import Client
from openai import AsyncOpenAI, OpenAI

Server = tuple[str, Any]
TYPED = "zwiebelkuchen"
SHARE = "How can I share my data?"
EVENTS = {"Accept": "text/event-stream"}


def _whole(address: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.post(
        f"{address}/v1/answers", json={"question": SHARE}, timeout=30
    ).json()
    return answer


def test_an_answer_streams_from_the_real_server(server: Server) -> None:
    body = {"question": SHARE}
    with httpx.stream("POST", f"{server[0]}/v1/answers", json=body, headers=EVENTS) as response:
        found: list[Event] = list(events(response.iter_lines()))
    assert [found[0].name, found[-1].name] == ["passages", "answer"]
    assert "".join(each.data["text"] for each in found[1:-1]) == found[-1].data["text"]
    assert found[-1].data["text"] == _whole(server[0])["text"]


def test_the_official_client_of_openai_is_answered(server: Server) -> None:
    client = OpenAI(api_key="any", base_url=f"{server[0]}/v1", max_retries=0)
    assert [each.id for each in client.models.list()] == ["helpdesk"]
    whole = client.chat.completions.create(
        model="helpdesk", messages=[{"role": "user", "content": SHARE}]
    )
    text = whole.choices[0].message.content or ""
    assert text.startswith(_whole(server[0])["text"])
    with client.chat.completions.stream(
        model="helpdesk", messages=[{"role": "user", "content": SHARE}]
    ) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == text
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": SHARE}])
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(
            model="helpdesk", messages=[{"role": "user", "content": "x" * 4001}]
        )
    assert long.value.code == "context_length_exceeded"


def test_their_asynchronous_client_is_answered_many_times_at_once(server: Server) -> None:
    async def ask() -> list[str]:
        async with AsyncOpenAI(api_key="any", base_url=f"{server[0]}/v1") as client:

            async def one(stream: bool) -> str:
                reply = await client.chat.completions.create(
                    model="helpdesk", messages=[{"role": "user", "content": SHARE}], stream=stream
                )
                if not stream:
                    return reply.choices[0].message.content or ""
                chunks = [chunk async for chunk in reply]
                return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

            return await asyncio.gather(*(one(number % 2 == 0) for number in range(10)))

    told = asyncio.run(ask())
    assert len(set(told)) == 1
    assert told[0].startswith(_whole(server[0])["text"])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_of_the_model_context_protocol_is_served(
    server: Server, mode: str
) -> None:
    async def use() -> None:
        async with Client(f"{server[0]}/mcp", mode=mode) as client:
            tools = {each.name for each in (await client.list_tools()).tools}
            assert tools == {"search", "ask", "list_resources"}
            told = await client.call_tool("ask", {"question": SHARE})
            assert not told.is_error
            assert told.structured_content is not None
            assert told.structured_content["citations"][0]["quote"] == shelf.SIGNS
            found = await client.call_tool("search", {"query": "Who signs?", "k": 2})
            assert len((found.structured_content or {})["passages"]) == 2
            listed = await client.call_tool("list_resources", {"label": "required"})
            assert [each["id"] for each in (listed.structured_content or {})["resources"]] == [
                "code"
            ]
            wrong = await client.call_tool("ask", {"question": TYPED, "country": "XX"})
            assert wrong.is_error
            assert "country" in wrong.content[0].text

    asyncio.run(use())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:9"}, 200),
        ({"Host": "localhost:9", "Origin": "http://localhost:9"}, 200),
        ({"Origin": "http://localhost:6274"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
def test_a_foreign_page_cannot_call_the_tools_through_a_browser(
    server: Server, headers: dict[str, str], status: int
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    response = httpx.post(f"{server[0]}/mcp", json=message, headers={**accept, **headers})
    assert response.status_code == status


def _open(address: str, body: bytes, accept: bytes = b"text/event-stream") -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    opened = socket.create_connection((host, int(port)), timeout=20)
    opened.sendall(
        b"POST /v1/answers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Accept: "
        + accept
        + b"\r\nContent-Length: "
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )
    return opened


def test_clients_that_vanish_or_do_not_read_leave_the_others_answered(server: Server) -> None:
    body = json.dumps({"question": SHARE}).encode()
    sleeping = [_open(server[0], body) for _ in range(30)]
    for number in range(30):
        gone = _open(server[0], body)
        if number % 2:
            gone.recv(100)
        gone.close()
    answer = _whole(server[0])
    assert answer["status"] == "answered"
    for each in sleeping:
        received = b""
        while b"event: answer" not in received:
            received += each.recv(65536)
        each.close()


@pytest.mark.parametrize(
    "accept",
    [b"", b",", b"\xff\xfe", b"text/event-stream;q=", b"text/event-stream" * 500, b"a" * 9000],
)
def test_no_accept_header_brings_the_server_down(server: Server, accept: bytes) -> None:
    with _open(server[0], json.dumps({"question": SHARE}).encode(), accept) as opened:
        line = opened.recv(65536).split(b"\r\n")[0]
    assert line.split(b" ")[1] in (b"200", b"400", b"406")
    assert httpx.get(f"{server[0]}/healthz").status_code == 200
