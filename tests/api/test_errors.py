from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
import shelf
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import services
from problems import problem_of
from starlette.types import Send

from api import limits
from api.app import build_app
from api.errors import STATUS, LastResort
from api.limits import MAX_BODY
from api.live import LiveIndex
from rag import errors
from rag.answerer import Answerer
from rag.store import Store

TYPED = "zwiebelkuchen"
JSON = {"Content-Type": "application/json"}


def _post(client: TestClient, body: bytes | str, **headers: str) -> Any:
    return client.post("/v1/answers", content=body, headers={**JSON, **headers})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"question": "Who?"',
        b"\xff\xfe\x00",
        b'{"question": "\xff"}',
        b'{"question": "Who?"} trailing',
        b"[" * 100_000,
        b'{"question": ' * 20_000,
        b"[" * 50_000 + b"]" * 50_000,
    ],
    ids=range(10),
)
def test_a_body_that_is_not_json_is_a_bad_request(client: TestClient, body: bytes) -> None:
    problem_of(_post(client, body), 422 if body == b"" else 400)


@pytest.mark.parametrize(
    "body",
    ["null", "[]", "7", '"Who?"', "true", "{}", "NaN", '{"question": null}', '{"question": 7}'],
)
def test_json_that_is_no_question_is_invalid(client: TestClient, body: str) -> None:
    problem_of(_post(client, body), 422)


@pytest.mark.parametrize(
    "question",
    [
        '""',
        '"   "',
        r'"\n\t"',
        json.dumps("x" * 4001),
        r'"a\u0000b"',
        r'"\ud800"',
        r'"Who \udfff decides?"',
        '["Who?"]',
        '{"text": "Who?"}',
    ],
    ids=range(9),
)
def test_a_question_that_cannot_be_read_is_invalid(client: TestClient, question: str) -> None:
    body = problem_of(_post(client, f'{{"question": {question}}}'), 422)
    assert body["errors"][0]["field"] == "question"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"history": [{"role": "user", "text": "Hi."}] * 21}, "history"),
        ({"history": "Hi."}, "history"),
        ({"history": [{"role": "system", "text": "Hi."}]}, "history.0.role"),
        ({"history": [{"role": "user", "text": ""}]}, "history.0.text"),
        ({"history": [{"role": "user", "text": "x" * 4001}]}, "history.0.text"),
        ({"history": [{"role": "user"}]}, "history.0.text"),
        ({"language": "english"}, "language"),
        ({"language": ""}, "language"),
        ({"language": "é1"}, "language"),
        ({"country": "XX"}, "country"),
        ({"country": ""}, "country"),
        ({"country": 7}, "country"),
        ({"filters": []}, "filters"),
        ({"filters": {"labels": ["nice"]}}, "filters.labels.0"),
        ({"filters": {"labels": ["required"] * 4}}, "filters.labels"),
        ({"filters": {"topics": [""]}}, "filters.topics.0"),
        ({"filters": {"topics": ["law"] * 51}}, "filters.topics"),
        ({"filters": {"sources": [""]}}, "filters.sources.0"),
        ({"filters": {"sources": ["a"] * 51}}, "filters.sources"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    client: TestClient, more: dict[str, Any], field: str
) -> None:
    response = client.post("/v1/answers", json={"question": "Who decides?", **more})
    body = problem_of(response, 422)
    assert any(each["field"].startswith(field) for each in body["errors"])
    assert all(each["detail"] for each in body["errors"])


@pytest.mark.parametrize(
    "body",
    [
        {"question": [TYPED]},
        {"question": {TYPED: TYPED}},
        {"question": TYPED * 1000},
        {"question": f"{TYPED}\0"},
        {"question": "Who?", "language": TYPED},
        {"question": "Who?", "country": TYPED},
        {"question": "Who?", "filters": TYPED},
        {"question": "Who?", "filters": {"labels": [TYPED], "topics": [TYPED]}},
        {"question": "Who?", "filters": {"sources": {TYPED: TYPED}}},
        {"question": "Who?", "history": TYPED},
        {"question": "Who?", "history": [TYPED]},
        {"question": "Who?", "history": {TYPED: 1}},
        {"question": "Who?", "history": [{"role": TYPED, "text": TYPED}]},
        {"question": "Who?", "history": [{TYPED: TYPED}]},
        TYPED,
        [TYPED],
        {TYPED: TYPED},
    ],
    ids=range(17),
)
def test_nothing_that_was_typed_is_repeated_in_an_error(client: TestClient, body: Any) -> None:
    response = client.post("/v1/answers", json=body)
    problem_of(response, 422)
    assert TYPED not in response.text


@pytest.mark.parametrize(
    "address",
    [
        f"/{TYPED}",
        f"/v1/documents/{TYPED}",
        f"/static/{TYPED}",
        f"/v1/search?q=Who&k={TYPED}",
        f"/v1/search?q=Who&label={TYPED}",
        f"/v1/search?q=Who&country={TYPED}",
        f"/v1/search?q=Who&type={TYPED}",
        f"/v1/search?q={TYPED * 400}",
        f"/v1/search?{TYPED}=1",
    ],
    ids=range(9),
)
def test_no_address_is_repeated_in_an_error(client: TestClient, address: str) -> None:
    response = client.get(address)
    problem_of(response, 404 if "search" not in address else 422)
    assert TYPED not in response.text


def test_broken_json_is_not_repeated(client: TestClient) -> None:
    response = _post(client, f'{{"question": "{TYPED}", {TYPED}')
    problem_of(response, 400)
    assert TYPED not in response.text


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/nothing", "/static", "/static/nothing"])
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    problem_of(client.get(path), 404)


@pytest.mark.parametrize(
    "path", ["%2e%2e", "%2e%2e/app.py", "..%2fapp.py", "page%2f..%2f..%2fapp.py"]
)
def test_nothing_outside_the_static_files_is_given_out(client: TestClient, path: str) -> None:
    response = client.get(f"/static/{path}")
    assert response.status_code == 404
    assert "import" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/answers", "POST"),
        ("DELETE", "/v1/answers", "POST"),
        ("POST", "/v1/search", "GET"),
        ("PUT", "/v1/documents", "GET"),
        ("POST", "/", "GET"),
        ("POST", "/static/page/page.css", None),
    ],
)
def test_another_method_is_not_allowed(
    client: TestClient, method: str, path: str, allowed: str | None
) -> None:
    response = client.request(method, path)
    problem_of(response, 405)
    if allowed:
        assert allowed in response.headers["allow"]


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    body = json.dumps({"question": "Who?", "more": "x" * MAX_BODY})
    problem_of(_post(client, body), 413)
    fits = json.dumps({"question": "Who?", "more": ""})
    fits = json.dumps({"question": "Who?", "more": "x" * (MAX_BODY - len(fits))})
    assert len(fits) == MAX_BODY
    assert _post(client, fits).status_code == 200


def test_a_body_that_comes_in_pieces_is_refused_as_soon_as_it_is_too_large(
    client: TestClient,
) -> None:
    response = client.post(
        "/v1/answers", content=(b"x" * 50_000 for _ in range(MAX_BODY // 50_000 + 1)), headers=JSON
    )
    problem_of(response, 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data"])
def test_a_body_of_another_kind_does_no_harm(client: TestClient, kind: str) -> None:
    response = _post(client, f'{{"question": "{TYPED}"}}', **{"Content-Type": kind})
    assert response.status_code in (400, 415, 422)
    problem_of(response, response.status_code)
    assert TYPED not in response.text


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    "question history role text language country filters labels".split()
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_no_json_at_all_brings_the_server_down(client: TestClient, body: Any) -> None:
    response = _post(client, json.dumps(body))
    if response.status_code != 200:
        problem_of(response, 422)


def test_every_error_of_ours_has_a_status() -> None:
    def below(kind: type[errors.HelpdeskError]) -> set[type[errors.HelpdeskError]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    # Those of other rooms stay there: no answer is made by fetching, by delivering or of mails.
    # Backups are made and brought back by commands.
    known = (errors.__name__, "api.")
    beside = ("api.desk.delivery.", "api.desk.inbox.", "api.desk.backup.")
    ours = {
        each
        for each in below(errors.HelpdeskError)
        if each.__module__.startswith(known) and not each.__module__.startswith(beside)
    }
    assert ours - {errors.HelpdeskError} == set(STATUS)
    assert set(STATUS.values()) <= {404, 409, 422, 500, 502, 503}


def _failing(store: Store, error: Exception) -> TestClient:
    class Failing(Answerer):
        def answer(self, *_: object) -> Any:
            raise error

    def build() -> Answerer:
        answerer = shelf.answerer_over(store.open())
        answerer.__class__ = Failing
        return answerer

    return TestClient(build_app(services(LiveIndex(store, build), store.directory)))


def test_an_error_nobody_expected_tells_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    client = _failing(store, RuntimeError(TYPED))
    with caplog.at_level(logging.DEBUG):
        response = client.post("/v1/answers", json={"question": TYPED})
    problem_of(response, 500)
    assert TYPED not in response.text
    assert "RuntimeError" in caplog.text
    assert TYPED not in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NoIndex("there is none"), 503),
        (errors.IndexMismatch("another one"), 503),
        (errors.ModelUnavailable("it sleeps"), 503),
        (errors.UnknownCitation("9"), 500),
    ],
)
def test_an_error_of_ours_has_its_status(
    store: Store, error: errors.HelpdeskError, status: int
) -> None:
    response = _failing(store, error).post("/v1/answers", json={"question": "Who decides?"})
    problem_of(response, status)


def test_an_answer_that_a_server_which_stops_waits_for_no_longer_can_be_asked_for_again() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def under_way(*_: object) -> None:
        await asyncio.sleep(60)

    async def cancelled() -> None:
        scope = {"type": "http", "method": "POST", "path": "/v1/answers", "headers": []}
        replying = asyncio.create_task(LastResort(under_way)(scope, _nothing, send))
        await asyncio.sleep(0.01)
        replying.cancel()
        await replying

    asyncio.run(cancelled())
    head, body = sent
    assert head["status"] == 503
    assert (b"retry-after", b"5") in head["headers"]
    assert "told to stop" in json.loads(body["body"])["detail"]


def test_a_stream_that_has_begun_is_broken_off_where_the_server_waits_no_longer() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def under_way(_: object, __: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    async def cancelled() -> None:
        scope = {"type": "http", "method": "POST", "path": "/v1/answers", "headers": []}
        replying = asyncio.create_task(LastResort(under_way)(scope, _nothing, send))
        await asyncio.sleep(0.01)
        replying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await replying

    asyncio.run(cancelled())
    assert sent == ["http.response.start"]


async def _nothing() -> Any:
    await asyncio.sleep(60)


def test_a_body_that_never_arrives_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.05)
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    async def unreachable(*_: object) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/v1/answers", "headers": []}
    asyncio.run(limits.BodyLimit(unreachable)(scope, receive, send))
    assert sent[0]["status"] == 408
