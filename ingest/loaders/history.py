"""When the files of a checkout last changed, as its repository knows."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

GIT = ".git"
_GIT_SECONDS = 25
"""Less than the limit of a file, so that a long history costs the dates and no more."""


def git_dates(root: Path) -> dict[str, str]:
    """The date of the last change of every file, where there is a repository.

    Where the history was cut off (``git clone --depth``), its first commit
    holds all files, and tells the date of none.
    """
    listing = git_log(root, "--format=%x00%cs %H", "--name-only", "--no-renames", "-z")
    shallow = root / GIT / "shallow"
    cut_off = shallow.read_text(encoding="ascii").split() if shallow.is_file() else []
    dates: dict[str, str] = {}
    date = ""
    for piece in listing.split("\0"):
        entry = piece.strip("\n")
        if commit := re.fullmatch(r"(\d{4}-\d\d-\d\d) ([0-9a-f]{40,64})", entry):
            date = "" if commit[2] in cut_off else commit[1]
        elif entry:
            dates.setdefault(entry, date)
    return dates


def git_log(root: Path, *options: str) -> str:
    """What ``git log`` tells of a checkout; empty where there is no repository, or a broken one.

    A checkout may name programs in its configuration, to check signatures or
    to fetch what is missing; none of them is run.
    """
    if not (root / GIT).exists():
        return ""
    try:
        return subprocess.run(  # noqa: S603
            ["git", "-c", "log.showSignature=false", "-C", str(root), "log", *options],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
            env={**os.environ, "GIT_ALLOW_PROTOCOL": "none"},
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
