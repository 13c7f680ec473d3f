"""What the helpdesk is made of: known weaknesses are not passed over, and licences are told."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
from datetime import date
from importlib.metadata import distribution, distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DAY = date(2026, 11, 22)
FINDING = {"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["2.0"]}
REPORT: dict[str, Any] = {"dependencies": [
    {"name": "sound", "version": "1.0", "vulns": []},
    {"name": "weak", "version": "1.0", "vulns": [FINDING]},
    {"name": "unheard-of", "skip_reason": "not found"},
]}  # fmt: skip


def _tool(root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, root / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def audit(root: Path) -> ModuleType:
    return _tool(root, "audit")


def test_a_weakness_counts_and_what_could_not_be_looked_up_is_told(audit: ModuleType) -> None:
    found, told = audit.verdict(REPORT, {})
    assert found == ["PYSEC-1 weak 1.0: mended in 2.0"]
    assert told == ["NOT CHECKED: 1 of 3 packages: unheard-of"]


@pytest.mark.parametrize("finding", ["PYSEC-1", "CVE-2026-1"])
def test_a_weakness_is_accepted_with_its_reason_until_its_day(
    audit: ModuleType, finding: str
) -> None:
    line = f"{finding} weak 2026-12-31 is not called"
    found, told = audit.verdict(REPORT, audit.accepted([line], DAY))
    assert found == []
    assert "accepted: PYSEC-1 weak 1.0: is not called" in told
    assert audit.verdict(REPORT, audit.accepted([line], date(2027, 1, 1)))[0]
    assert audit.verdict(REPORT, audit.accepted([line.replace("weak", "sound")], DAY))[0]


@pytest.mark.parametrize(
    "line", ["PYSEC-1", "PYSEC-1 weak soon because", "PYSEC-1 weak 2026-12-31"]
)
def test_nothing_is_accepted_without_a_day_and_a_reason(audit: ModuleType, line: str) -> None:
    with pytest.raises(ValueError, match="not `id package day reason`"):
        audit.accepted([line], DAY)


def test_a_finding_fails_the_run_and_a_service_out_of_reach_does_not_hide(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = {"a.lock": REPORT, "b.lock": None}
    monkeypatch.setattr(audit, "_asked", reports.__getitem__)
    assert audit.main(["b.lock"]) == 0
    assert "b.lock: NOT CHECKED" in capsys.readouterr().out
    assert audit.main(["a.lock", "b.lock"]) == 1
    assert "PYSEC-1 weak 1.0" in capsys.readouterr().out


def _locked(root: Path, lock: str = "requirements.lock") -> set[str]:
    """Names of the locked packages that belong on this machine."""
    text = (root / lock).read_text(encoding="utf-8")
    named = [Requirement(each.rstrip(" \\")) for each in re.findall(r"^[a-z0-9].*$", text, re.M)]
    return {
        canonicalize_name(each.name)
        for each in named
        if each.marker is None or each.marker.evaluate()
    }


def test_no_package_takes_our_own_licence_away(root: Path) -> None:
    held = {canonicalize_name(each.name) for each in distributions()}
    locked = {"torch", *_locked(root)} & held
    assert len(locked) > 150
    for name in sorted(locked):
        told = distribution(name).metadata
        licence = f"{told.get('License-Expression')} {told.get_all('Classifier', [])}"
        assert "AGPL" not in licence, name
        assert "Affero" not in f"{licence} {(told.get('License') or '')[:200]}", name


def test_the_bill_of_materials_names_every_locked_package_with_its_licence(
    root: Path, tmp_path: Path
) -> None:
    tool = root / ".venv" / "audit" / "bin" / "python"
    if not tool.exists():
        if os.environ.get("NO_SKIPS"):
            pytest.fail("the tools are missing: make sbom")
        pytest.skip("the tools are missing: make sbom")
    file = tmp_path / "sbom.json"
    command = [tool, ".ci/sbom.py", ".venv/bin/python", "requirements.lock", file]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(file.read_text())
    assert document["bomFormat"] == "CycloneDX"
    named = {canonicalize_name(each["name"]): each for each in document["components"]}
    held = {canonicalize_name(each.name) for each in distributions()}
    assert (_locked(root) & held) - named.keys() == set()
    assert "pytest" not in named
    without = [name for name, each in named.items() if not each.get("licenses")]
    assert without == []
    assert not [name for name, each in named.items() if "AGPL" in json.dumps(each["licenses"])]
