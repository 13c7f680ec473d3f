"""Pages that are pictures, with tesseract where it is installed."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest
from fpdf import FPDF

from ingest.loaders import ocr
from ingest.loaders.pdf import read_pdf
from ingest.models import Loaded, Source

TEXT = (
    "The gauge at the mole is read twice a day by volunteers who live beside the harbour.\n"
    "They write the height into a log, which is kept dry."
)


@pytest.fixture(scope="session")
def tesseract() -> tuple[str, ...]:
    """The languages of tesseract; skipped where it is absent, a failure under NO_SKIPS."""
    found = ocr.installed()
    if not found:
        missing = "tesseract is not installed"
        if os.environ.get("NO_SKIPS"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture
def scan(tmp_path: Path, pdf_bytes: Callable[..., bytes]) -> Callable[[str], Path]:
    """Write a PDF whose one page is a picture of a text."""

    def write(text: str) -> Path:
        printed = pypdfium2.PdfDocument(pdf_bytes([text]))
        content = io.BytesIO()
        printed[0].render(scale=3).to_pil().save(content, "PNG")
        printed.close()
        sheets = FPDF()
        sheets.add_page()
        sheets.image(content, x=0, y=0, w=210)
        path = tmp_path / "scan.pdf"
        path.write_bytes(bytes(sheets.output()))
        return path

    return write


def read(path: Path) -> Loaded:
    return read_pdf(path, path.name, Source("atlas", "folder", path.parent), None)


def row(place: tuple[int, int, int], confidence: float, text: str) -> str:
    block, paragraph, line = place
    cells = (5, 1, block, paragraph, line, 1, 0, 0, 9, 9, confidence, text)
    return "\t".join(str(cell) for cell in cells)


HEAD = "\t".join(
    "level page_num block_num par_num line_num word_num left top width height conf text".split()
)


def test_lines_are_kept_by_paragraph_and_guesses_left_out() -> None:
    table = "\n".join(
        [
            HEAD,
            row((1, 1, 1), 96, "Volunteers"),
            row((1, 1, 1), 93, "read"),
            row((1, 1, 2), 91, '"gauges"'),
            row((2, 1, 1), 95, "daily"),
            row((3, 1, 1), 12, "|_i"),
            row((3, 1, 2), -1, " "),
        ]
    )
    assert ocr.paragraphs_of(table) == [["Volunteers read", '"gauges"'], ["daily"]]


@pytest.mark.parametrize(
    "words",
    [
        [(95, "No")],
        [(95, "Volunteers read gauges"), (40, "lkjsdfg poiuwer mnbvcx wertz")],
        [],
    ],
    ids=["too few letters", "mostly guessed", "nothing"],
)
def test_a_page_that_was_mostly_guessed_has_no_text(words: list[tuple[float, str]]) -> None:
    rows = [row((1, 1, n), confidence, text) for n, (confidence, text) in enumerate(words)]
    assert ocr.paragraphs_of("\n".join([HEAD, *rows])) == []


def test_without_the_program_nothing_is_recognised(
    monkeypatch: pytest.MonkeyPatch, scan: Callable[[str], Path]
) -> None:
    monkeypatch.setenv("PATH", "")
    ocr.installed.cache_clear()
    try:
        assert ocr.installed() == ()
        assert ocr.recognise(scan(TEXT), 1, None, 5) == []
        (found,) = read(scan(TEXT)).problems
        assert found.problem == "needs OCR: no page has a text layer"
    finally:
        ocr.installed.cache_clear()


def test_a_scan_is_read(tesseract: tuple[str, ...], scan: Callable[[str], Path]) -> None:
    loaded = read(scan(TEXT))
    assert loaded.problems == []
    (document,) = loaded.documents
    assert [section.page for section in document.sections] == [1]
    assert TEXT.split("\n")[0] in document.text


def test_a_scan_with_nothing_to_read_is_a_problem(
    tesseract: tuple[str, ...], scan: Callable[[str], Path]
) -> None:
    loaded = read(scan("No."))
    assert loaded.documents == []
    assert [found.problem for found in loaded.problems] == ["no text could be recognised"]


def test_a_page_that_takes_too_long_is_given_up(
    tesseract: tuple[str, ...], scan: Callable[[str], Path]
) -> None:
    assert ocr.recognise(scan(TEXT), 1, None, 0.01) == []


def test_the_language_of_the_document_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "installed", lambda: ("deu", "eng", "spa"))
    assert ocr._spoken("de") == "deu+eng"
    assert ocr._spoken("fr") == "eng"
    assert ocr._spoken(None) == "eng+deu+spa"
