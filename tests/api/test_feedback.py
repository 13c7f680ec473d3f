from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import app_over
from events import events
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parts import DAYS
from problems import problem_of

from api.desk import conversations
from api.desk.database import DESK
from api.desk.desk import open_desk
from rag.store import Store

SHARE = "How can I share my data?"
TYPED = "zwiebelkuchen"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def asking(store: Store, data_dir: Path) -> Iterator[TestClient]:
    """A client of an app that keeps its own in `data_dir`."""
    with TestClient(app_over(store, data_dir=data_dir), raise_server_exceptions=False) as opened:
        yield opened


def rows(data_dir: Path, query: str) -> list[dict[str, Any]]:
    """What the database holds, read beside the app."""
    with closing(sqlite3.connect(data_dir / DESK)) as read:
        read.row_factory = sqlite3.Row
        return [dict(row) for row in read.execute(query)]


def _asked(client: TestClient, question: str = SHARE) -> str:
    answer_id: str = client.post("/v1/answers", json={"question": question}).json()["id"]
    return answer_id


def _age(data_dir: Path, answer_id: str, days: float) -> None:
    """Have an answer been given some days ago."""
    then = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    with closing(sqlite3.connect(data_dir / DESK)) as write, write:
        write.execute("UPDATE answers SET created_at = ?", (then.isoformat(" "),))


def test_an_answer_is_remembered_with_what_it_cites_and_the_masked_question(
    asking: TestClient, data_dir: Path
) -> None:
    asked = {"question": f"Mail me at eva.lund@uni.example: {SHARE}", "country": "PT"}
    answer = asking.post("/v1/answers", json=asked).json()
    [row] = rows(data_dir, "SELECT * FROM answers")
    assert row["answer_id"] == answer["id"]
    assert (row["status"], row["country"], row["language"]) == ("answered", "PT", "en")
    assert row["generation"] == answer["index"]["generation"]
    assert [each["document_id"] for each in json.loads(row["cited"])] == [
        each["document_id"] for each in answer["citations"]
    ]
    assert json.loads(row["timings_ms"]) == answer["timings_ms"]
    assert row["question"] == f"Mail me at [email]: {SHARE}"


def test_answers_of_every_door_are_remembered(asking: TestClient, data_dir: Path) -> None:
    asking.post("/v1/answers", json={"question": SHARE})
    headers = {"Accept": "text/event-stream"}
    told = asking.post("/v1/answers", json={"question": SHARE}, headers=headers)
    streamed = list(events(told.text.splitlines()))[-1].data["id"]
    call = {"model": "helpdesk", "messages": [{"role": "user", "content": SHARE}]}
    asking.post("/v1/chat/completions", json=call)
    asking.post("/v1/chat/completions", json={**call, "stream": True})
    params = {"name": "ask", "arguments": {"question": SHARE}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    asking.post("/mcp", json=message, headers={"Accept": "application/json, text/event-stream"})
    kept = [row["answer_id"] for row in rows(data_dir, "SELECT answer_id FROM answers")]
    assert len(kept) == 5
    assert streamed in kept


def test_feedback_on_an_answer_is_kept_and_said_again_it_is_replaced(
    asking: TestClient, data_dir: Path
) -> None:
    answer_id = _asked(asking)
    first = {"answer_id": answer_id, "helpful": False, "comment": "too long"}
    response = asking.post("/v1/feedback", json=first)
    assert (response.status_code, response.content) == (204, b"")
    [row] = rows(data_dir, "SELECT * FROM feedback")
    assert (row["helpful"], row["comment"]) == (0, "too long")
    assert asking.post("/v1/feedback", json={**first, "helpful": True, "comment": " "}).is_success
    [row] = rows(data_dir, "SELECT * FROM feedback")
    assert (row["helpful"], row["comment"]) == (1, None)


def test_personal_data_in_a_comment_are_masked(asking: TestClient, data_dir: Path) -> None:
    comment = "Call Odile de la Tour on +351 912 345 678, not me."
    told = {"answer_id": _asked(asking), "helpful": False, "comment": comment}
    assert asking.post("/v1/feedback", json=told).is_success
    [row] = rows(data_dir, "SELECT comment FROM feedback")
    assert row["comment"] == "Call [name] on [phone], not me."


def test_feedback_on_an_answer_nobody_gave_is_not_found(asking: TestClient, data_dir: Path) -> None:
    problem_of(asking.post("/v1/feedback", json={"answer_id": "nope", "helpful": True}), 404)
    assert rows(data_dir, "SELECT * FROM feedback") == []


def test_feedback_on_an_expired_answer_is_not_found(asking: TestClient, data_dir: Path) -> None:
    told = {"answer_id": _asked(asking), "helpful": True}
    _age(data_dir, told["answer_id"], DAYS - 0.1)
    assert asking.post("/v1/feedback", json=told).status_code == 204
    _age(data_dir, told["answer_id"], DAYS + 0.1)
    problem_of(asking.post("/v1/feedback", json=told), 404)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"helpful": "yes"}, "helpful"),
        ({"helpful": 1}, "helpful"),
        ({"helpful": None}, "helpful"),
        ({"answer_id": ""}, "answer_id"),
        ({"answer_id": None}, "answer_id"),
        ({"answer_id": "x" * 65}, "answer_id"),
        ({"comment": "x" * 2001}, "comment"),
        ({"comment": "a\0b"}, "comment"),
        ({"comment": [TYPED]}, "comment"),
    ],
)
def test_feedback_that_is_wrong_is_named(
    client: TestClient, wrong: dict[str, Any], field: str
) -> None:
    response = client.post("/v1/feedback", json={"answer_id": "x", "helpful": True, **wrong})
    assert problem_of(response, 422)["errors"][0]["field"] == field
    assert TYPED not in response.text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["answer_id", "helpful", "comment"]), inner, max_size=3
            )
        ),
    )
)
def test_no_json_at_all_brings_feedback_down(client: TestClient, body: Any) -> None:
    content = json.dumps(body)
    response = client.post(
        "/v1/feedback", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (404, 422)
    problem_of(response, response.status_code)


def test_answers_and_the_feedback_on_them_are_forgotten_when_they_expire(
    asking: TestClient, data_dir: Path
) -> None:
    asking.post("/v1/feedback", json={"answer_id": _asked(asking), "helpful": True})
    _age(data_dir, "", DAYS + 0.1)
    kept = _asked(asking)
    assert len(rows(data_dir, "SELECT * FROM answers")) == 2
    asking.app.state.services.desk.retention.forget()  # type: ignore[attr-defined]
    assert {row["answer_id"] for row in rows(data_dir, "SELECT * FROM answers")} == {kept}
    assert rows(data_dir, "SELECT * FROM feedback") == []


def test_what_has_expired_is_forgotten_when_the_server_starts(
    asking: TestClient, data_dir: Path
) -> None:
    _age(data_dir, _asked(asking), 5)
    open_desk("", data_dir, 6).close()
    assert len(rows(data_dir, "SELECT * FROM answers")) == 1
    open_desk("", data_dir, 4).close()
    assert rows(data_dir, "SELECT * FROM answers") == []


def test_an_answer_is_given_while_the_database_is_locked(
    asking: TestClient,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(conversations, "_PAUSE_S", 0.2)
    known = _asked(asking)
    with closing(sqlite3.connect(data_dir / DESK)) as other:
        other.execute("BEGIN IMMEDIATE")
        for headers in ({}, {"Accept": "text/event-stream"}):
            told = asking.post("/v1/answers", json={"question": TYPED}, headers=headers)
            assert told.status_code == 200
        problem_of(asking.post("/v1/feedback", json={"answer_id": known, "helpful": True}), 503)
    assert "not remembered" in caplog.text
    assert TYPED not in caplog.text
    time.sleep(0.2)
    # It is taken up again without a restart.
    assert _asked(asking) in [row["answer_id"] for row in rows(data_dir, "SELECT * FROM answers")]


def test_an_answer_is_given_where_the_tables_are_gone(asking: TestClient, data_dir: Path) -> None:
    with closing(sqlite3.connect(data_dir / DESK)) as other, other:
        other.execute("DROP TABLE feedback")
        other.execute("DROP TABLE answers")
    assert asking.post("/v1/answers", json={"question": SHARE}).status_code == 200
    problem_of(asking.post("/v1/feedback", json={"answer_id": "x", "helpful": True}), 503)


def test_nothing_that_was_said_of_an_answer_is_logged(
    asking: TestClient, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"answer_id": _asked(asking), "helpful": True, "comment": TYPED}
    with caplog.at_level(logging.DEBUG):
        asking.post("/v1/feedback", json=told)
        with closing(sqlite3.connect(data_dir / DESK)) as other, other:
            other.execute("DROP TABLE feedback")
        problem_of(asking.post("/v1/feedback", json=told), 503)
    assert "OperationalError" in caplog.text
    assert TYPED not in caplog.text
