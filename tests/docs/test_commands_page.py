from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product, takewhile
from pathlib import Path
from typing import Any

import pytest
import typer

from api.desk.__main__ import app as desk
from eval.__main__ import app as evaluation
from ingest.__main__ import app as ingest
from rag.__main__ import app as asking

_OPTION = re.compile(r"[\[\"-]|[A-Z]")


def _commands(group: Any, name: str) -> Iterator[str]:
    if not hasattr(group, "commands"):
        yield name
        return
    for each, command in group.commands.items():
        yield from _commands(command, f"{name} {each}")


ALL = [
    name
    for app, module in (
        (ingest, "ingest"),
        (asking, "rag"),
        (desk, "api.desk"),
        (evaluation, "eval"),
    )
    for name in _commands(typer.main.get_command(app), module)
]


@pytest.fixture(scope="module")
def told(root: Path) -> set[str]:
    """Each command that the page names; `staff add|list` names two."""
    page = (root / "docs" / "operators" / "commands.md").read_text(encoding="utf-8")
    found: set[str] = set()
    for span in re.findall(r"`python -m ([^`]*)`", page.replace("\\|", "|")):
        words = takewhile(lambda word: not _OPTION.match(word), span.split())
        found |= {" ".join(each) for each in product(*(word.split("|") for word in words))}
    return found


@pytest.mark.parametrize("command", ALL)
def test_every_command_stands_in_the_page_of_commands(command: str, told: set[str]) -> None:
    assert command in told
