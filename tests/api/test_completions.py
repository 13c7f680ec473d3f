from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import shelf
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI
from test_stream import scripted_app

from api.completions import MAX_MESSAGES, CompletionIn
from api.limits import MAX_BODY
from rag.models import Answer, Brought, Delta, Question
from rag.store import Store
from rag.usage import USAGE, Usage

TYPED = "zwiebelkuchen"
SHARE = "How can I share my data?"
PATH = "/v1/chat/completions"


def _official(client: TestClient) -> OpenAI:
    """OpenAI's own client, calling the app."""
    return OpenAI(api_key="any", base_url="http://testserver/v1", http_client=client, max_retries=0)


@pytest.fixture(scope="session")
def official(client: TestClient) -> OpenAI:
    return _official(client)


def _user(text: Any) -> Any:
    return [{"role": "user", "content": text}]


def test_the_one_model_is_listed(official: OpenAI) -> None:
    assert [each.id for each in official.models.list()] == ["helpdesk"]
    assert official.models.retrieve("helpdesk").owned_by == "nmg-helpdesk"
    with pytest.raises(openai.NotFoundError, match="helpdesk"):
        official.models.retrieve("gpt-5")


def test_a_reply_holds_the_answer_its_sources_and_the_next_step(
    official: OpenAI, client: TestClient
) -> None:
    told = client.post("/v1/answers", json={"question": SHARE}).json()
    reply = official.chat.completions.create(model="helpdesk", messages=_user(SHARE))
    (choice,) = reply.choices
    assert (choice.finish_reason, choice.message.role) == ("stop", "assistant")
    content = choice.message.content or ""
    assert content.startswith(told["text"] + "\n\n")
    # Two sentences of one section are one source.
    assert f"[1][2] Sharing > Agreements {shelf.SITE}/sharing#agreements\n[3] " in content
    assert content.endswith("\n\n" + told["next_step"]["text"])
    assert reply.id.startswith("chatcmpl-")
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.prompt_tokens == len(SHARE) // 4


def test_each_marker_is_annotated_with_what_it_cites(official: OpenAI, client: TestClient) -> None:
    told = client.post("/v1/answers", json={"question": SHARE}).json()
    urls = {each["marker"]: each["url"] for each in told["citations"] if each["url"]}
    message = official.chat.completions.create(model="helpdesk", messages=_user(SHARE)).choices[0]
    content, found = message.message.content or "", message.message.annotations or []
    for each in found:
        cited = each.url_citation
        marker = content[cited.start_index : cited.end_index]
        assert re.fullmatch(r"\[\d+\]", marker)
        assert cited.url == urls[int(marker[1:-1])]
        assert cited.title
    markers = [int(each) for each in re.findall(r"\[(\d+)\]", told["text"])]
    assert len(found) == len([each for each in markers if each in urls])
    assert found


@pytest.mark.parametrize(
    "question", [SHARE, "Where do trainers meet?", "Who is the contact in Portugal?", "?!"]
)
def test_a_stream_joins_to_the_reply_that_comes_whole(official: OpenAI, question: str) -> None:
    whole = official.chat.completions.create(model="helpdesk", messages=_user(question))
    chunks = list(
        official.chat.completions.create(
            model="helpdesk",
            messages=_user(question),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    *said, ended, counted = chunks
    assert said[0].choices[0].delta.role == "assistant"
    text = "".join(each.choices[0].delta.content or "" for each in said)
    assert text == whole.choices[0].message.content
    assert {each.choices[0].finish_reason for each in said} == {None}
    assert ended.choices[0].finish_reason == "stop"
    assert (counted.choices, counted.usage) == ([], whole.usage)
    assert len({each.id for each in chunks}) == 1
    annotated = [each for each in said if hasattr(each.choices[0].delta, "annotations")]
    assert [each.choices[0].delta.annotations for each in annotated] == [  # type: ignore[attr-defined]
        [each.model_dump() for each in whole.choices[0].message.annotations or []]
    ]


def test_a_stream_ends_with_the_word_clients_wait_for_and_counts_unasked_nothing(
    client: TestClient,
) -> None:
    body = {"model": "helpdesk", "messages": _user(SHARE), "stream": True}
    lines = client.post(PATH, json=body).text.split("\n")
    data = [line for line in lines if line]
    assert data[-1] == "data: [DONE]"
    assert all(line.startswith("data: ") for line in data)
    assert all(json.loads(line[6:])["choices"] for line in data[:-1])


@pytest.mark.parametrize("stream", [False, True])
def test_replies_are_counted_as_answers_are(store: Store, official: OpenAI, stream: bool) -> None:
    def counted() -> int:
        return sum(each.count for each in Usage(store.directory / USAGE).read()[1])

    before = counted()
    reply = official.chat.completions.create(model="helpdesk", messages=_user(SHARE), stream=stream)
    if stream:
        list(reply)
    assert counted() == before + 1


TEXT = {"type": "text", "text": "Four"}


def _question(*messages: tuple[str, Any]) -> Question:
    listed = [{"role": role, "content": content} for role, content in messages]
    return CompletionIn.model_validate({"model": "helpdesk", "messages": listed}).to_question()


def test_the_last_message_of_the_user_is_the_question_and_earlier_ones_its_history() -> None:
    asked = _question(
        ("system", "Be brief."), ("user", "One?"), ("assistant", "Two."), ("tool", "3"),
        ("assistant", None), ("user", [TEXT, {"type": "text", "text": "five?"}]),
        ("assistant", "Sure, "),
    )  # fmt: skip
    assert asked.text == "Four\nfive?"
    assert [(turn.role, turn.text) for turn in asked.history] == [
        ("user", "One?"), ("assistant", "Two."),
    ]  # fmt: skip


def test_of_a_long_conversation_the_latest_turns_count_and_the_beginning_of_each() -> None:
    turns = [("user", f"Question {number}?" + "x" * 5000) for number in range(40)]
    asked = _question(*turns, ("user", "And now?"))
    assert [turn.text.split("?")[0] for turn in asked.history] == [
        f"Question {number}" for number in range(20, 40)
    ]
    assert {len(turn.text) for turn in asked.history} == {4000}


def test_a_follow_up_leans_on_the_turns_before_it(official: OpenAI) -> None:
    reply = official.chat.completions.create(
        model="helpdesk",
        messages=[
            {"role": "user", "content": "Who runs the national node of Estonia?"},
            {"role": "assistant", "content": "A desk in Tartu runs the Estonian node."},
            {"role": "user", "content": "And in which town?"},
        ],
    )
    assert shelf.ESTONIA in (reply.choices[0].message.content or "")


IMAGE = [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        ({"model": "gpt-5"}, 404, "model", "model_not_found"),
        ({"model": None}, 400, "model", None),
        ({"messages": _user("x" * 4001)}, 400, "messages", "context_length_exceeded"),
        ({"messages": []}, 400, "messages", None),
        ({"messages": None}, 400, "messages", None),
        ({"messages": [{"role": "system", "content": "Hi."}]}, 400, "messages", None),
        ({"messages": _user(" ")}, 400, "messages", None),
        ({"messages": _user(None)}, 400, "messages", None),
        ({"messages": _user("a\0b")}, 400, "messages.0.content", None),
        ({"messages": _user(IMAGE)}, 400, "messages.0.content", None),
        ({"messages": _user([{"type": "text"}])}, 400, "messages.0.content", None),
        ({"messages": _user([TEXT, 7])}, 400, "messages.0.content", None),
        ({"messages": _user({})}, 400, "messages.0.content", None),
        ({"messages": [{"role": "pirate", "content": "Hi."}]}, 400, "messages.0.role", None),
        ({"messages": [{"content": "Hi."}]}, 400, "messages.0.role", None),
        ({"n": 2}, 400, "n", None),
        ({"stream": "perhaps"}, 400, "stream", None),
    ],
    ids=range(17),
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_cannot_be_served_is_told_in_their_form(
    client: TestClient,
    body: dict[str, Any],
    status: int,
    param: str,
    code: str | None,
    stream: bool,
) -> None:
    call = {"model": "helpdesk", "messages": _user("Who?"), "stream": stream, **body}
    response = client.post(PATH, json=call)
    assert response.status_code == status
    error = response.json()["error"]
    assert set(response.json()) == {"error"}
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert error["message"]


def test_a_call_of_too_many_messages_is_told_of_in_one_fault(client: TestClient) -> None:
    call = {"model": "helpdesk", "messages": [1] * (MAX_MESSAGES + 1)}
    response = client.post(PATH, json=call)
    assert response.status_code == 400
    assert str(MAX_MESSAGES) in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", PATH, b"{", 400),
        ("POST", PATH, b'{"model": "\xff"}', 400),
        ("POST", PATH, b"x" * (MAX_BODY + 1), 413),
        ("GET", PATH, b"", 405),
        ("DELETE", "/v1/models/helpdesk", b"", 405),
        ("GET", "/v1/models/a/b", b"", 404),
        ("GET", "/v1/chat/nothing", b"", 404),
    ],
)
def test_every_other_error_below_these_paths_has_their_form_too(
    client: TestClient, method: str, path: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    response = client.request(method, path, content=body, headers=headers)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_without_an_index_their_client_is_told_what_is_missing(
    serve: Callable[[Store], TestClient], tmp_path: Path
) -> None:
    with serve(Store(tmp_path / "nothing")) as client:
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError, match="ingest run"):
                _official(client).chat.completions.create(
                    model="helpdesk", messages=_user("Who?"), stream=stream
                )


def test_an_error_within_a_stream_reaches_their_client(store: Store) -> None:
    def script(question: Question) -> Iterator[Brought | Delta | Answer]:
        yield Brought(())
        yield Delta("It begins ")
        raise RuntimeError(TYPED)

    client = TestClient(scripted_app(store, script))
    chunks = _official(client).chat.completions.create(
        model="helpdesk", messages=_user("Who?"), stream=True
    )
    with pytest.raises(openai.APIError, match="something went wrong") as caught:
        list(chunks)
    assert TYPED not in str(caught.value)


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from("role content type text user model stream".split()), inner
            )
        ),
    )
)
def test_no_messages_at_all_bring_the_server_down(client: TestClient, messages: Any) -> None:
    response = client.post(PATH, json={"model": "helpdesk", "messages": messages})
    assert response.status_code in (200, 400)
