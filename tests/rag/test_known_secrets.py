from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from api.settings import ApiSettings
from rag.errors import BadSetting
from rag.known_secrets import known, made
from rag.settings import read_settings

EVERYBODYS = """changeme ChangeMe123! change-me-please-now! secret SECRET1 password passw0rd
    P@ssw0rd admin postgres your-staff-token-here my-super-secret-token <token>
    <your-secret-token-here>
    ${HELPDESK_STAFF_TOKEN} … ******************** 0123456789abcdef 1234567890123456
    qwertyuiopasdfgh abcdefghijklmnop HELPDESK_STAFF_TOKEN helpdesk x xxxxxxxxxxxxxxxxxxxx
    secret-secret-secret-secret insert-token-here""".split()  # fmt: skip
_EXAMPLE = re.compile(r"\b(HELPDESK_\w*(?:TOKEN|SECRET|PASSWORD))=[\"']?([^\s\"'\\]+)")


@pytest.mark.parametrize("secret", EVERYBODYS)
def test_what_everybody_knows_is_no_secret(secret: str) -> None:
    assert known(secret)


@pytest.mark.parametrize(
    "secret",
    ["kX9-2fLq81mZtR4v", "Tr0ub4dor&3x", "correct horse battery staple", "8402917365018273",
     "of-both-sides-only", "Wattwurm und Queller", "пароль моей бабушки"],
)  # fmt: skip
def test_what_somebody_made_up_is_one(secret: str) -> None:
    assert not known(secret)


@drawn(st.integers(0, 2**128))
def test_what_chance_makes_is_taken(number: int) -> None:
    assert made(f"{number:039d}") if len(set(f"{number:039d}")) >= 5 else True
    assert made(secrets.token_hex(16))
    assert made(secrets.token_urlsafe(32))


@pytest.mark.parametrize(
    ("name", "value", "more"),
    [
        ("STAFF_TOKEN", "changeme-changeme", {}),
        ("STAFF_TOKEN", "aaaaaaaaaaaaaaaaaaaaaaaa", {}),
        ("STAFF_TOKEN", "kX9-2fLq81mZtR4", {}),
        ("WEBHOOK__SECRET", "your-webhook-secret", {"WEBHOOK__URL": "https://x.example"}),
        ("SIGN_IN__CLIENT_SECRET", "changeme", {}),
        ("MAIL__PASSWORD", "password", {"MAIL__USER": "desk"}),
        ("INBOX__PASSWORD", "…", {}),
        ("ZAMMAD__TOKEN", "<token>", {"ZAMMAD__URL": "https://x.example"}),
        ("DESK__DATABASE_URL", "postgresql+psycopg://desk:changeme@db/desk", {}),
        ("DESK__DATABASE_URL", "postgresql+psycopg://desk:p%40ssw0rd@db/desk", {}),
    ],
)
def test_a_known_secret_is_refused_by_name_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, more: dict[str, str]
) -> None:
    for key, each in {name: value, **more}.items():
        monkeypatch.setenv(f"HELPDESK_{key}", each)
    with pytest.raises(BadSetting) as caught:
        read_settings(ApiSettings)
    told = str(caught.value)
    assert name in told
    assert value not in told
    assert "\n" not in told


def test_no_example_of_ours_can_be_left_as_it_is(root: Path) -> None:
    files = [root / "README.md", *root.glob("compose*.y*ml"), *root.glob("docs/**/*.md")]
    examples = [
        (name, value)
        for file in files
        for name, value in _EXAMPLE.findall(file.read_text(encoding="utf-8"))
        # A shell fills it in.
        if not value.startswith("$(")
    ]
    assert len(examples) >= 3
    assert [each for each in examples if not known(each[1])] == []


@pytest.mark.timeout(5)
def test_a_long_row_of_one_letter_is_read_at_once() -> None:
    assert not known("x" * 5000 + "q")
