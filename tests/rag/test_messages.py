from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from rag.declining import ANSWERABLE, HEAD
from rag.errors import BadSetting
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello: [", "expected"),
        ("just words", "all of it"),
        ("hello: {sir: Hello}", "hello"),
        ("hello:", "hello"),
        ("hello: Olá\nhello: Oi", "'hello' is given twice"),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "en.yaml").write_text("hello: Hello\n")
    (tmp_path / "pt.yaml").write_text(text)
    with pytest.raises(BadSetting, match=told) as raised:
        Messages.load(tmp_path)
    assert str(tmp_path / "pt.yaml") in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("folder", ["", "absent"])
def test_without_english_nothing_could_be_said(tmp_path: Path, folder: str) -> None:
    (tmp_path / "pt.yaml").write_text("hello: Olá\n")
    with pytest.raises(BadSetting, match=r"there is no .*en\.yaml"):
        Messages.load(tmp_path / folder)


def test_every_text_is_said_and_everything_said_is_there(root: Path, shipped: Messages) -> None:
    said = {
        node.value
        for file in (root / "rag").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    steps = {f"{reason}_next" for reason in get_args(Reason) if reason in said}
    with np.load(root / "corpus" / HEAD) as head:
        kinds = {str(kind) for kind in head["kinds"]} - {ANSWERABLE}
    known = set(shipped.texts["en"])
    assert known <= said | steps | kinds
    assert kinds <= known
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
