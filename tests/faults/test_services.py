"""What the helpdesk asks of others: a database, a model, a mail host, names; gone, and back."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shelf
from actors import STAFF
from fakes import HashingEmbedder
from fastapi.testclient import TestClient
from langchain_openai import ChatOpenAI
from over import app_over
from parts import services
from postgres import Cluster, _ordinary, program, running_postgres
from problems import problem_of
from servers.chat import ChatServer, stalls
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from api.app import Access, build_app
from api.desk import database as databases
from api.desk.database import Database
from api.desk.delivery.courier import Courier
from api.desk.delivery.mails import Mails, Sender
from api.desk.delivery.smtp import Smtp, SmtpServer
from api.desk.desk import open_desk
from api.desk.models import NewTicket
from api.desk.outbox import Outlets
from api.live import LiveIndex
from api.sign_in import Provider
from rag.author import Author
from rag.guard import Guard
from rag.models import Question
from rag.store import Store
from rag.support import Support
from rag.writer import Writer

QUESTION = {"question": "Who decides about access?"}
ASKED = {"question": "May we share old samples?", "email": "ada@clinic.example", "consent": True}


@pytest.fixture
def postgres() -> Iterator[Cluster]:
    """One that may be stopped and begun again."""
    with running_postgres() as cluster:
        yield cluster


class Outage:
    """Stops a PostgreSQL, and begins it again."""

    def __init__(self, cluster: Cluster) -> None:
        self._directory = Path(cluster.url.partition("host=")[2])
        self._again: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """As when its machine is switched off: no transaction ends well."""
        pid_file = self._directory / "data" / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        subprocess.run(["kill", f"-{int(signal.SIGQUIT)}", str(pid)], check=True)
        self._wait(lambda: not pid_file.exists())

    def start(self) -> None:
        data = self._directory / "data"
        user = _ordinary(self._directory)
        self._again = subprocess.Popen(
            [str(program("postgres")), "-D", data, "-k", self._directory,
             "-c", "listen_addresses=", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._directory, **user,
        )  # fmt: skip

    def end(self) -> None:
        if self._again:
            self._again.send_signal(signal.SIGINT)
            self._again.wait(timeout=30)

    def _wait(self, over: Any) -> None:
        until = time.monotonic() + 30
        while not over():
            assert time.monotonic() < until
            time.sleep(0.05)


def _until(works: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not works():
        assert time.monotonic() < end, "it did not recover by itself"
        time.sleep(0.2)


def _over(store: Store, data: Path, url: str) -> Any:
    """The app with its desk in another database."""
    made = services(LiveIndex(store, lambda: shelf.answerer_over(store.open())), data)
    made.desk.close()
    desk = open_desk(url, data, 30, 365)
    return build_app(replace(made, desk=desk), Access())


def test_where_postgresql_goes_questions_are_answered_and_it_is_taken_up_when_it_is_back(
    store: Store, postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_AGAIN_S", 0.2)
    outage, url = Outage(postgres), postgres.fresh()
    try:
        with TestClient(
            _over(store, tmp_path / "data", url), raise_server_exceptions=False
        ) as client:
            assert client.post("/v1/tickets", json=ASKED).status_code == 201
            outage.stop()
            assert client.post("/v1/answers", json=QUESTION).status_code == 200
            assert "try again" in problem_of(client.post("/v1/tickets", json=ASKED), 503)["detail"]
            ready = client.get("/readyz")
            assert ready.status_code == 200
            outage.start()
            _until(lambda: client.post("/v1/tickets", json=ASKED).status_code == 201)
        outage.end()
        # A server that starts meanwhile waits for it, and makes its tables when it is there.
        empty = url.replace("desk_1", "nothing_yet")
        app = _over(store, tmp_path / "other", empty)
        with TestClient(app, raise_server_exceptions=False) as client:
            assert client.post("/v1/answers", json=QUESTION).status_code == 200
            problem_of(client.post("/v1/tickets", json=ASKED), 503)
            outage.start()
            _until(lambda: _made(postgres, "nothing_yet"))
            _until(lambda: client.post("/v1/tickets", json=ASKED).status_code == 201)
        kept = Database(url, tmp_path)
        with kept.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM tickets").scalar() == 2
        kept.close()
    finally:
        outage.end()


def _made(cluster: Cluster, name: str) -> bool:
    engine = create_engine(cluster.url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {name}")
    except OperationalError:
        return False
    finally:
        engine.dispose()
    return True


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No name is known any more, as when the name server is gone; those of this machine are."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def unknown(host: Any, *more: Any, **others: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in (None, "127.0.0.1", "localhost", "::1"):
            return real(host, *more, **others)
        asked.append(name)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    return asked


def test_where_names_are_not_known_signing_in_says_so_and_answers_go_on(
    store: Store, tmp_path: Path, nameless: list[str]
) -> None:
    provider = Provider(
        "https://id.example", "helpdesk", "secret-of-both", "Life Science Login", "openid"
    )
    access = Access(public_url="https://helpdesk.example", sign_in=provider)
    app = app_over(store, tmp_path / "data", access)
    with TestClient(app, raise_server_exceptions=False, base_url=access.public_url) as client:
        begun = client.get("/desk/sign-in/start", follow_redirects=False)
        assert begun.status_code == 502, begun.text
        assert "id.example" in nameless
        assert client.post("/v1/answers", json=QUESTION).status_code == 200


def test_a_mail_host_whose_name_is_not_known_leaves_the_mail_waiting(
    tmp_path: Path, nameless: list[str]
) -> None:
    texts = shelf.read_messages(shelf.ROOT / "corpus" / "messages" / "mail")
    mails = Mails(texts, Sender("Desk", "desk@nmg.example", "", ""), "https://helpdesk.example")
    carrier = Smtp(SmtpServer("mail.example", 587, "starttls", "", ""), mails)
    desk = open_desk("", tmp_path, 30, outlets=Outlets("nmg.example"))
    desk.tickets.open(NewTicket("Who?", (), None, None, "a@b.example", None, None))

    async def tried() -> None:
        courier = Courier(desk, {"mail": carrier})
        courier.start()
        until = time.monotonic() + 30
        while not any(each.last_error for each in desk.outbox.undone(STAFF, 9)):
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        await courier.stop()

    asyncio.run(tried())
    [left] = desk.outbox.undone(STAFF, 9)
    assert (left.state, left.attempts) == ("waiting", 1)
    assert "mail.example" in nameless
    desk.close()


def test_a_model_that_hangs_or_cannot_be_found_leaves_the_quoted_answer(
    store: Store, nameless: list[str]
) -> None:
    with ChatServer(stalls("Access is ")) as server:
        for address in (server.base_url, "http://model.example/v1"):
            model = ChatOpenAI(base_url=address, api_key="any", model="any", max_retries=0)
            generation, embedder = store.open(), HashingEmbedder()
            writer = Writer(model, Guard(Support(embedder)), deadline_s=0.5)
            author = Author(generation, writer, embedder, "any")
            answer = shelf.answerer_over(generation, author=author).answer(
                Question(QUESTION["question"])
            )
            assert answer.status == "answered"
            assert answer.citations
            assert author.trouble, "for /readyz"
    assert "model.example" in nameless
