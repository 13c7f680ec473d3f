"""Where secrets of the settings turn up: nowhere but where they are sent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import shelf
from pydantic import SecretStr
from pydantic_settings import BaseSettings
from served import await_status, free_port, start

from api.settings import ApiSettings
from rag.errors import BadSetting
from rag.settings import Settings, read_settings
from rag.store import Store

PLANTED = "Queller-Wattwurm-7719"


def _secret_settings() -> Iterator[str]:
    """Names of every setting that is a secret."""

    def below(kind: Any, prefix: str) -> Iterator[str]:
        for name, field in kind.model_fields.items():
            if field.annotation is SecretStr:
                yield f"{prefix}{name}".upper()
            elif isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                yield from below(field.annotation, f"{prefix}{name}__")

    for kind in (Settings, ApiSettings):
        assert issubclass(kind, BaseSettings)
        yield from below(kind, "HELPDESK_")


SECRET = sorted(_secret_settings())
DATABASE = "HELPDESK_DESK__DATABASE_URL"
VECTORS = "HELPDESK_CHROMA__TOKEN"
"""Where vectors lie in a server the index of these tests is none."""


def _planted(closed: int) -> dict[str, str]:
    """Settings with every secret, each sent to a port where nobody listens."""
    here = f"http://127.0.0.1:{closed}"
    beside = {
        "HELPDESK_SERVER__PUBLIC_URL": "http://127.0.0.1",
        "HELPDESK_SIGN_IN__ISSUER": here,
        "HELPDESK_SIGN_IN__CLIENT_ID": "desk",
        "HELPDESK_MAIL__HOST": "127.0.0.1",
        "HELPDESK_MAIL__PORT": str(closed),
        "HELPDESK_MAIL__USER": "desk",
        "HELPDESK_MAIL__SENDER": "desk@helpdesk.example.org",
        "HELPDESK_INBOX__HOST": "127.0.0.1",
        "HELPDESK_INBOX__PORT": str(closed),
        "HELPDESK_INBOX__USER": "desk",
        "HELPDESK_ZAMMAD__URL": here,
        "HELPDESK_WEBHOOK__URL": f"{here}/hook",
        "HELPDESK_GENERATOR__MODEL": "openai:planted",
        "HELPDESK_GENERATOR__BASE_URL": f"{here}/v1",
        "HELPDESK_GENERATOR__TIMEOUT_S": "2",
    }
    secrets = {name: f"{PLANTED}-{name}" for name in SECRET if name not in (DATABASE, VECTORS)}
    return {**beside, **secrets}


def test_every_secret_is_known_to_this_test() -> None:
    assert {DATABASE, "HELPDESK_STAFF_TOKEN", "HELPDESK_GENERATOR__API_KEY"} <= set(SECRET)
    assert len(SECRET) >= 8


def test_settings_show_no_secret_and_neither_do_their_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in _planted(1).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(DATABASE, f"postgresql+psycopg://desk:{PLANTED}@127.0.0.1/desk")
    monkeypatch.setenv("HELPDESK_CHROMA__URL", "https://chroma.example")
    monkeypatch.setenv(VECTORS, PLANTED)
    own = read_settings(ApiSettings)
    for shown in (own, read_settings(Settings)):
        assert PLANTED not in f"{shown!r} {shown} {shown.model_dump()} {shown.model_dump_json()}"
    assert PLANTED in own.staff_token.get_secret_value()
    for name, wrong in [("HELPDESK_MAIL__PORT", "x"), ("HELPDESK_MAIL", f'{{"password": {PLANTED}'),
                        ("HELPDESK_LIMITS", f'{{"per_minute": "{PLANTED}"}}'),
                        ("HELPDESK_ZAMMAD__TOKENS", PLANTED)]:  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setenv(name, wrong)
            with pytest.raises(BadSetting) as caught:
                read_settings(ApiSettings)
            chain: BaseException | None = caught.value
            while chain is not None:
                assert PLANTED not in f"{chain} {chain!r}"
                chain = chain.__cause__ or chain.__context__


@pytest.mark.parametrize(
    ("module", "url"),
    [
        ("api", f"nothing://desk:{PLANTED}@127.0.0.1/desk"),
        ("api", f"postgresql+psycopg://desk:{PLANTED}@127.0.0.1:port/desk"),
        ("api", f"desk:{PLANTED}"),
        # A server waits until these two can be had; a command tells of it at once.
        ("api.desk", f"postgresql+psycopg://desk:{PLANTED}@127.0.0.1:1/desk"),
        ("api.desk", f"sqlite:////proc/{PLANTED}"),
    ],
)
def test_a_database_that_is_not_to_be_had_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, url: str
) -> None:
    monkeypatch.setenv(DATABASE, url)
    command = [sys.executable, "-m", module, *(["status"] if module == "api.desk" else [])]
    ended = subprocess.run(command, cwd=shelf.ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode in (1, 2)
    assert PLANTED not in ended.stdout + ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def _go_everywhere(address: str) -> list[httpx.Response]:
    """Call what uses secrets, and what tells of errors."""
    question = {"question": "Which courses are offered?"}
    ticket = {**question, "email": "ada@clinic.example", "consent": True}
    wrong = {"Authorization": "Bearer of-somebody-else"}
    with httpx.Client(base_url=address, timeout=30) as client:
        return [
            client.post("/v1/answers", json=question),
            client.post("/v1/tickets", json=ticket),
            client.get("/v1/tickets", headers=wrong),
            client.get("/desk/sign-in/start"),
            client.get("/desk/sign-in/back?state=a&code=b"),
            client.get("/openapi.json"),
            client.get("/readyz"),
            client.get("/metrics"),
            client.get("/nothing"),
        ]


@dataclass(frozen=True)
class Run:
    """What became of a server that had every secret and was asked for everything."""

    told: list[httpx.Response]
    commands: str
    """How it and its children were called, as other users of the machine see it."""
    output: str
    data: Path
    turned_to: list[str]
    """Connections and names looked up, a line each."""


@pytest.fixture(scope="module")
def run(real_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = tmp_path_factory.mktemp("overseen")
    for each in real_store.directory.iterdir():
        if not each.name.startswith(("desk.", "usage.")):
            (data / each.name).symlink_to(each)
    port, log = free_port(), data.parent / f"{data.name}.log"
    overseer = (sys.executable, str(Path(__file__).parent / "overseen.py"), str(log))
    settings = {**_planted(free_port()), "PORT": str(port)}
    process = start(shelf.ROOT, data, before=overseer, **settings)
    address = f"http://127.0.0.1:{port}"
    try:
        await_status(process, f"{address}/readyz")
        told = _go_everywhere(address)
        time.sleep(1)  # until the courier has tried
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
        commands = json.dumps([each.cmdline() for each in family])
        process.terminate()
        output = "".join(process.communicate(timeout=60))
    finally:
        process.kill()
    return Run(told, commands, output, data, log.read_text().splitlines())


def test_no_secret_is_logged_told_stored_or_shown_to_other_users(run: Run) -> None:
    assert [each.status_code for each in run.told[:3]] == [200, 201, 401]
    for shown in (run.commands, run.output, *(f"{each.text} {each.headers}" for each in run.told)):
        assert PLANTED not in shown
    assert "Traceback" not in run.output
    found = subprocess.run(["grep", "-rl", PLANTED, run.data], capture_output=True, text=True)
    assert found.stdout == ""


def test_the_server_turns_to_nobody_but_whom_the_settings_name(run: Run) -> None:
    # All of them are on this machine here, and nobody answers.
    assert any("socket.connect" in each for each in run.turned_to)
    elsewhere = [
        each for each in run.turned_to if "127.0.0.1" not in each and not _of_this_machine(each)
    ]
    assert elsewhere == []


def _of_this_machine(line: str) -> bool:
    """Whether a line is about a socket that is a file."""
    return line.startswith("socket.connect '/")
