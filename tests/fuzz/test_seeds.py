"""The seeds of fuzzing and what chance makes of them: no parser raises what it does not declare."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from seeds import seeds, spoilt
from targets import TARGETS

SLOW = ("pdf", "docx", "odt", "epub")
"""A file of these takes a hundred times as long as a text."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_raises_nothing_but_what_it_declares(name: str) -> None:
    target = TARGETS[name]
    for content in (*seeds(name), *spoilt(name, 4 if name in SLOW else 20)):
        try:
            target(content)
        except Exception as error:  # noqa: BLE001 - whatever it is, the input is wanted
            pytest.fail(f"{name}: {type(error).__name__}: {error}\n{content[:500]!r}")
