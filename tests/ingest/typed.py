"""Commands of ingest as they are typed, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from ingest.__main__ import app


def ingest(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def told(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """Run with ``--json``: standard output is one object and nothing else."""
    result = ingest(*arguments, "--json")
    assert result.exit_code == code, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def refusal(result: Result, code: int = 1) -> str:
    """The one line that a refused command says on standard error."""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == code
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("ingest: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]
