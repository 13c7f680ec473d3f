"""Pages that are pictures: their words through the tesseract program, where it is installed."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pypdfium2

_RESOLUTION = 300
"""Dots per inch: what tesseract's own documentation asks for."""
_MAX_PIXELS = 12_000_000
"""A little more than a page of A4 at that resolution; a poster is rendered coarser."""
_SURE = 80
"""Percent of confidence below which a line is a drawing taken for letters.

Measured on three scanned pages and two diagrams: above it are 97 % of the
letters of the former and at most 35 % of the latter."""
_ENOUGH_LETTERS = 20
"""Fewer on a page are specks and rules taken for letters."""
_NAMES = dict(
    pair.split(":")
    for pair in (
        "bg:bul cs:ces da:dan de:deu el:ell en:eng es:spa et:est fi:fin fr:fra ga:gle hr:hrv hu:hun"
        " it:ita lt:lit lv:lav mt:mlt nl:nld no:nor pl:pol pt:por ro:ron sk:slk sl:slv sv:swe"
    ).split()
)
"""ISO 639-1 to what tesseract calls a language."""


@cache
def installed() -> tuple[str, ...]:
    """The languages tesseract can read, by its own names; none where it is not installed."""
    program = shutil.which("tesseract")
    if program is None:
        return ()
    try:
        listed = subprocess.run(  # noqa: S603 - the program of the system, without input
            [program, "--list-langs"], capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    names = listed.stdout.decode("utf-8", "replace").split("\n")[1:]
    known = set(_NAMES.values())
    return tuple(sorted(name.strip() for name in names if name.strip() in known))


def recognise(path: Path, page: int, language: str | None, timeout_s: float) -> list[list[str]]:
    """Read the words off the picture of a page.

    Args:
        path: A PDF file.
        page: 1-based.
        language: ISO 639-1 of the rest of the document; None: any installed one.
        timeout_s: How long tesseract may take.

    Returns:
        Paragraphs as their lines; none where nothing usable was recognised, or
        not in time.
    """
    program, spoken = shutil.which("tesseract"), _spoken(language)
    if program is None or not spoken:
        return []
    try:
        output = subprocess.run(  # noqa: S603 - the program of the system, a picture as input
            [program, "stdin", "stdout", "-l", spoken, "--dpi", str(_RESOLUTION), "tsv"],
            input=_picture(path, page),
            capture_output=True,
            timeout=timeout_s,
            check=True,
            # Its threads gain nothing on one page, and take the processor from others.
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        ).stdout
    except (OSError, subprocess.SubprocessError, pypdfium2.PdfiumError):
        return []
    return paragraphs_of(output.decode("utf-8", "replace"))


def paragraphs_of(table: str) -> list[list[str]]:
    """The lines that tesseract is sure of, by paragraph.

    Args:
        table: Its output as tab-separated values, a word a row.

    Returns:
        Nothing where most of the page was guessed, as it is with drawings.
    """
    lines: dict[tuple[str, str, str], list[tuple[str, float]]] = defaultdict(list)
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        word = (row.get("text") or "").strip()
        if word:
            place = (row["block_num"], row["par_num"], row["line_num"])
            lines[place].append((word, float(row["conf"])))
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    letters = sure = 0
    for (block, paragraph, _), words in lines.items():
        text = " ".join(word for word, _ in words)
        count = sum(character.isalpha() for character in text)
        letters += count
        if sum(confidence for _, confidence in words) / len(words) >= _SURE:
            sure += count
            found[block, paragraph].append(text)
    if sure < max(_ENOUGH_LETTERS, 0.6 * letters):
        return []
    return list(found.values())


def _spoken(language: str | None) -> str:
    """Which languages to look for, the likeliest first: their order matters."""
    likely = [_NAMES.get(language or "", ""), "eng"]
    names = [name for name in dict.fromkeys(likely) if name in installed()]
    if language is None:
        names += [name for name in installed() if name not in names]
    return "+".join(names or installed())


def _picture(path: Path, page: int) -> bytes:
    """A page as a portable graymap."""
    document = pypdfium2.PdfDocument(path)
    try:
        leaf = document[page - 1]
        width, height = leaf.get_size()
        scale = min(_RESOLUTION / 72, (_MAX_PIXELS / max(width * height, 1)) ** 0.5)
        bitmap = leaf.render(scale=scale, grayscale=True)
        rows = memoryview(bitmap.buffer)
        lines = (
            bytes(rows[y * bitmap.stride : y * bitmap.stride + bitmap.width])
            for y in range(bitmap.height)
        )
        return b"P5\n%d %d\n255\n" % (bitmap.width, bitmap.height) + b"".join(lines)
    finally:
        document.close()
