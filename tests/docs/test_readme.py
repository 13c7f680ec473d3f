from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

_MARKER = re.compile(r"\[\[\d+\]\]\([^)]*\)|\s*\[\^[^]]*\]")


def _words(text: str) -> str:
    return " ".join(_MARKER.sub(" ", text).split())


def test_the_answer_on_the_first_screen_is_what_the_article_says(root: Path) -> None:
    quoted = [
        line for line in (root / "README.md").read_text("utf-8").splitlines() if line[:1] == ">"
    ]
    question, *answer = "\n".join(line[1:] for line in quoted).split("\n\n")
    article = root / "corpus" / "articles" / "share-data" / "what-i-need-to-share-data.md"
    text = article.read_text(encoding="utf-8")
    assert question.strip().strip("*") in text
    said = [_words(each) for each in re.split(r"\n …\n|(?<=\))\n(?! \[\[)", answer[0])]
    assert len(said) == 3
    for each in said:
        assert each in _words(text)


def test_the_readme_is_short(root: Path) -> None:
    assert len((root / "README.md").read_text(encoding="utf-8").splitlines()) < 200


def test_make_serve_names_a_port_only_where_one_is_given(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a make that runs the tests tells a make that it starts.
    for name in ("PORT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)

    def started(*given: str) -> str:
        said = subprocess.run(
            ["make", "--dry-run", "serve", *given],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout.splitlines()[-1]

    # Otherwise what `.env` says of it would never count.
    assert started() == ".venv/bin/python -m api"
    assert started("PORT=8001") == "PORT=8001 .venv/bin/python -m api"
