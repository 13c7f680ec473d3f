from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings

from api.settings import ApiSettings
from ingest.settings import IngestSettings
from rag.errors import BadSetting
from rag.query import Effort
from rag.retriever import Weights
from rag.settings import OF_DOORS, Settings, read_settings


@pytest.mark.parametrize("model", [Settings, ApiSettings, IngestSettings])
def test_every_setting_says_what_it_is_for(model: type[BaseModel]) -> None:
    def described(part: type[BaseModel]) -> Iterator[str]:
        for name, found in part.model_fields.items():
            if isinstance(found.annotation, type) and issubclass(found.annotation, BaseModel):
                yield from described(found.annotation)
            elif not found.description:
                yield name

    assert list(described(model)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HELPDESK_RETRIEVAL__CANDIDATE", "50"),
        ("HELPDESK_EMBEDDER__MODELL", "x"),
        ("HELPDESK_ANSWER__CONTACTS", "x"),
        ("HELPDESK_RETRIEVAL__WORDS_WEIGHT", "-1"),
        ("HELPDESK_RETRIEVAL__WORDS_WEIGHT", "much"),
        ("HELPDESK_RETRIEVAL__GRAMS_WEIGHT", "nan"),
    ],
)
def test_a_setting_that_is_wrong_fails_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HELPDESK_SERVER__HOSTS", "x"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("HELPDESK_PORT", "-1"),
    ],
)
def test_a_setting_of_the_server_that_is_wrong_fails_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        ApiSettings()


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (Settings, "HELPDESK_RETRIEVAL__CANDIDATE", "50"),
        (Settings, "HELPDESK_RETRIEVAL__WORDS_WEIGHT", "much"),
        (Settings, "HELPDESK_RETRIEVAL", "not json"),
        (ApiSettings, "PORT", "eighty"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, model: type[BaseSettings], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting) as caught:
        read_settings(model)
    assert "\n" not in str(caught.value)
    assert name.removeprefix("HELPDESK_") in str(caught.value).upper()


@pytest.mark.parametrize("model", [Settings, ApiSettings, IngestSettings])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HELPDESK_RETENTIONS__TICKET_DAYS", "HELPDESK_RETENTION__TICKET_DAYS"),
        ("HELPDESK_RETENTION_TICKET_DAYS", "HELPDESK_RETENTION__TICKET_DAYS"),
        ("HELPDESK_DATADIR", "HELPDESK_DATA_DIR"),
        ("HELPDESK_SOMETHING_ELSE", ""),
    ],
)
def test_a_name_that_no_part_of_the_helpdesk_reads_is_refused_with_the_one_near_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    model: type[BaseSettings],
    name: str,
    meant: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"{name}=tidewater\n")
    with pytest.raises(BadSetting) as in_file:
        read_settings(model)
    (tmp_path / ".env").unlink()
    monkeypatch.setenv(name, "tidewater")
    with pytest.raises(BadSetting) as in_environment:
        read_settings(model)
    near = f"; near it is {meant}" if meant else ""
    for refused in (in_file, in_environment):
        assert str(refused.value) == f"setting {name}: there is none of this name{near}"


def test_each_part_takes_the_settings_of_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    read = [ApiSettings, IngestSettings]
    assert sorted(OF_DOORS) == sorted(name for kind in read for name in kind.model_fields)
    monkeypatch.setenv("HELPDESK_RETENTION__TICKET_DAYS", "90")
    monkeypatch.setenv("HELPDESK_FETCH__PAUSE_S", "1")
    monkeypatch.setenv("HELPDESK_RETRIEVAL__CHUNK_WEIGHT", "0.25")
    monkeypatch.setenv("HELPDESK_PORT", "8125")
    assert read_settings(Settings).retrieval.chunk_weight == 0.25
    assert read_settings(ApiSettings).retention.ticket_days == 90
    assert read_settings(IngestSettings).fetch.pause_s == 1


def test_what_kubernetes_says_of_a_service_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HELPDESK_SERVICE_HOST": "10.0.0.7",
        "HELPDESK_SERVICE_PORT_HTTP": "8000",
        "HELPDESK_PORT_8000_TCP_ADDR": "10.0.0.7",
        "HELPDESK_CHROMA_SERVICE_HOST": "10.0.0.8",
        "HELPDESK_CHROMA_PORT": "tcp://10.0.0.8:8000",
    }.items():
        monkeypatch.setenv(name, value)
    read_settings(Settings)


def test_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HELPDESK_RETRIEVAL__CHUNK_WEIGHT", "0.25")
    monkeypatch.setenv("HELPDESK_ANSWER__CONTACT", "desk@aurora.example")
    monkeypatch.setenv("PORT", "8123")
    settings = Settings()
    assert settings.data_dir == tmp_path / "elsewhere"
    assert settings.retrieval.chunk_weight == 0.25
    assert settings.answer.contact == "desk@aurora.example"
    assert ApiSettings().port == 8123


def test_settings_come_from_a_dotenv_file_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "HELPDESK_EMBEDDER__MODEL=from-file\nHELPDESK_ANSWER__CONTACT=file@aurora.example\n"
        "HELPDESK_SERVER__HOST=0.0.0.0\nHELPDESK_PORT=8124\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELPDESK_ANSWER__CONTACT", "environment@aurora.example")
    settings = Settings()
    assert settings.embedder.model == "from-file"
    assert settings.answer.contact == "environment@aurora.example"
    assert (ApiSettings().server.host, ApiSettings().port) == ("0.0.0.0", 8124)


def test_the_weights_of_the_settings_are_those_that_were_measured() -> None:
    measured = {**asdict(Weights()), **asdict(Effort())}
    assert Settings().retrieval.model_dump() == {
        f"{name}_weight": weight for name, weight in measured.items()
    }


def test_by_default_the_server_listens_to_this_machine_only() -> None:
    assert (ApiSettings().server.host, ApiSettings().port) == ("127.0.0.1", 8000)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"MAIL__HOST": "smtp.example", "MAIL__SENDER": "desk@x.example"}, "PUBLIC_URL"),
        (
            {"WEBHOOK__URL": "https://x.example", "WEBHOOK__SECRET": "of-both-sides-only"},
            "PUBLIC_URL",
        ),
        (
            {"INBOX__HOST": "imap.example", "INBOX__USER": "desk", "INBOX__PASSWORD": "tidewater"},
            "HELPDESK_MAIL__HOST",
        ),
    ],
)
def test_what_would_lead_nowhere_is_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"HELPDESK_{name}", value)
    with pytest.raises(BadSetting, match=missing) as refused:
        read_settings(ApiSettings)
    assert str(refused.value).startswith("settings: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "token", "wrong"),
    [
        ("chroma:8000", "", "such as http://chroma:8000"),
        ("http://chroma:8000/api", "", "such as http://chroma:8000"),
        ("http://chroma:8000#x", "", "such as http://chroma:8000"),
        ("http://chroma:abc", "", "such as http://chroma:8000"),
        ("http://chroma:80000", "", "such as http://chroma:8000"),
        ("http://[::1", "", "such as http://chroma:8000"),
        ("http://256.1.1.1:8000", "", "such as http://chroma:8000"),
        ("http://user:word@chroma:8000", "", "no password"),
        ("http://chroma:8000", "a secret", "https://"),
        ("", "a secret", "https://"),
    ],
)
def test_a_chroma_server_is_named_by_a_plain_address(
    monkeypatch: pytest.MonkeyPatch, url: str, token: str, wrong: str
) -> None:
    monkeypatch.setenv("HELPDESK_CHROMA__URL", url)
    monkeypatch.setenv("HELPDESK_CHROMA__TOKEN", token)
    with pytest.raises(BadSetting, match=wrong) as told:
        read_settings(Settings)
    assert "secret" not in str(told.value)
    assert "word@" not in str(told.value)


def test_the_index_lies_in_the_data_directory_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HELPDESK_DATA_DIR", "here")
    monkeypatch.setenv("HELPDESK_CHROMA__URL", "http://127.0.0.1:8000/")
    for named, index in (("", "here"), ("there", "there")):
        monkeypatch.setenv("HELPDESK_INDEX_DIR", named)
        settings = read_settings(Settings)
        assert settings.index == Path(index)
        assert settings.chroma.url == "http://127.0.0.1:8000"
