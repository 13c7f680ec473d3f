from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from rag.language import LANGUAGES
from rag.messages import Messages
from rag.models import Reason


@pytest.fixture
def shipped(root: Path) -> Messages:
    return Messages.load(root / "corpus" / "messages")


def test_english_stands_in_for_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "en.yaml").write_text("hello: Hello {name}\nbye: Bye\n")
    (tmp_path / "pt.yaml").write_text("hello: Olá {name}\n")
    messages = Messages.load(tmp_path)
    assert messages.say("pt", "hello", name="Ana") == "Olá Ana"
    assert messages.say("pt", "bye") == "Bye"
    assert messages.say("xx", "bye") == "Bye"
    assert messages.languages() == {"en", "pt"}


def test_every_text_is_said_and_everything_said_is_there(root: Path, shipped: Messages) -> None:
    said = {
        node.value
        for name in ("answerer", "refusals")
        for node in ast.walk(ast.parse((root / "rag" / f"{name}.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    steps = {f"{reason}_next" for reason in get_args(Reason) if reason in said}
    known = set(shipped.texts["en"])
    assert known <= said | steps
    assert steps <= known
    assert {each for each in said if re.fullmatch(r"(unsafe|not_written_yet)_\w+", each)} <= known


def test_every_language_says_what_english_says_with_the_same_placeholders(
    shipped: Messages,
) -> None:
    for language, texts in shipped.texts.items():
        assert language in LANGUAGES
        for key, text in texts.items():
            english = shipped.texts["en"][key]
            assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", english)), key
            assert text.strip()
