"""Hold the locked packages against what is known of weaknesses: ``make audit``.

Fails on a finding that `accepted-findings.txt` does not name. What could not be looked up is told,
never passed over: the service may be out of reach, or not know a package.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

ACCEPTED = Path(__file__).parent / "accepted-findings.txt"
_TIMEOUT_S = 120


def accepted(lines: Iterable[str], today: date) -> dict[tuple[str, str], str]:
    """Return what is accepted today, by id and package, with its reason.

    Raises:
        ValueError: A line is not written as it should be.
    """
    known: dict[tuple[str, str], str] = {}
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        try:
            finding, package, until, reason = line.split(maxsplit=3)
            if date.fromisoformat(until) >= today:
                known[finding, package] = reason.strip()
        except ValueError:
            raise ValueError(f"{ACCEPTED.name}: not `id package day reason`: {line}") from None
    return known


def verdict(
    report: Mapping[str, Any], known: Mapping[tuple[str, str], str]
) -> tuple[list[str], list[str]]:
    """Read a report of pip-audit.

    Returns:
        The findings that count, and what else has to be told.
    """
    found, told, unknown = [], [], []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            unknown.append(package["name"])
            continue
        for each in package.get("vulns", ()):
            name = f"{each['id']} {package['name']} {package['version']}"
            names = (each["id"], *each.get("aliases", ()))
            keys = ((each_name, package["name"]) for each_name in names)
            reason = next((known[key] for key in keys if key in known), "")
            fixed = ", ".join(each.get("fix_versions") or ()) or "nothing yet"
            if reason:
                told.append(f"accepted: {name}: {reason}")
            else:
                found.append(f"{name}: mended in {fixed}")
    if unknown:
        some = f": {', '.join(unknown[:5])}{' …' if len(unknown) > 5 else ''}"
        told.append(f"NOT CHECKED: {len(unknown)} of {len(report['dependencies'])} packages{some}")
    return found, told


def main(locks: list[str]) -> int:
    """Check lock files; returns the exit code."""
    known = accepted(ACCEPTED.read_text(encoding="utf-8").splitlines(), date.today())
    failed = False
    for lock in locks:
        report = _asked(lock)
        if report is None:
            print(f"audit: {lock}: NOT CHECKED: the service of weaknesses cannot be reached")
            continue
        found, told = verdict(report, known)
        for line in (*told, *found):
            print(f"audit: {lock}: {line}")
        if not found and not told:
            print(f"audit: {lock}: {len(report['dependencies'])} packages, nothing known of any")
        failed |= bool(found)
    return int(failed)


def _asked(lock: str) -> dict[str, Any] | None:
    """The report on a lock file; None: there is none, as the service cannot be reached."""
    tool = Path(sys.executable).with_name("pip-audit")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        command = [
            *(str(tool), "--disable-pip", "--no-deps", "--require-hashes", "-r", lock),
            *("--format", "json", "--output", str(file), "--progress-spinner", "off"),
        ]
        try:
            subprocess.run(command, check=False, capture_output=True, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return None
        report: dict[str, Any] | None = json.loads(file.read_text()) if file.is_file() else None
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
