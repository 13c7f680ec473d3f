"""Text files and their front matter; what is wrong with one is said in one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from rag.errors import UnreadableDocument
from rag.kept import GivenTwice
from rag.text import fold

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_DATES = ("last_modified_at", "last_modified", "updated", "date")
"""Keys by which static site generators date a page; its last change comes first."""
_MAX_TITLE = 300
_MAX_BYTES = 20_000_000


def read_text_file(path: Path) -> str:
    """Read a file that should be UTF-8 text.

    Raises:
        UnreadableDocument: It is empty, too large, binary or cannot be opened.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableDocument(f"larger than {_MAX_BYTES // 10**6} MB")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnreadableDocument(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableDocument("not UTF-8 text, whatever its name says") from error
    if not text.strip():
        raise UnreadableDocument("the file is empty")
    if "\0" in text or text.startswith("%PDF-"):
        raise UnreadableDocument("binary data, whatever its name says")
    return text


def cut_front_matter(text: str) -> tuple[str | None, str]:
    """Cut a text into its front matter, None where there is none, and its body; parse neither."""
    match = _FRONT_MATTER.match(text)
    return (None, text) if match is None else (match[1], text[match.end() :])


def split_front_matter(
    text: str, parse: Callable[[str], Any] = yaml.safe_load
) -> tuple[dict[str, Any] | None, str]:
    """Cut a text into its front matter, parsed, and its body.

    Args:
        text: The whole file.
        parse: Reads YAML. The slow reader that is used by default also survives
            what was written to break one.

    Returns:
        The front matter, None where there is none, and the rest of the text.

    Raises:
        UnreadableDocument: The front matter is no mapping in YAML.
    """
    matter, body = cut_front_matter(text)
    if matter is None:
        return None, body
    try:
        front = parse(matter)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 2}" if mark else ""
        fault = error.problem if isinstance(error, GivenTwice) else "the front matter is not YAML"
        raise UnreadableDocument(f"{fault}{line}") from error
    except (ValueError, OverflowError) as error:
        raise UnreadableDocument("the front matter holds an impossible date or number") from error
    except RecursionError as error:
        raise UnreadableDocument("the front matter is nested too deeply") from error
    if front is not None and not isinstance(front, dict):
        raise UnreadableDocument("the front matter is not a mapping")
    return front or {}, body


def given_title(front: Mapping[str, object] | None) -> str:
    """The title a front matter gives, empty where it gives none that is a plain value."""
    title = (front or {}).get("title")
    return fold(str(title))[:_MAX_TITLE] if isinstance(title, str | int | float) else ""


def given_date(front: Mapping[str, object] | None) -> str | None:
    """The ISO date a front matter gives for the page itself, None where it gives none."""
    for key in _DATES:
        value = (front or {}).get(key)
        # YAML reads a bare date as one; a quoted one stays text.
        text = value.isoformat() if isinstance(value, date) else str(value)
        with suppress(ValueError):
            return date.fromisoformat(text[:10]).isoformat()
    return None
