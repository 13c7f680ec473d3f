"""PDF files: text by page, and a clear word on those that cannot be read."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pypdf
import pytest

from ingest.loaders.pdf import read_pdf
from ingest.models import Document, Loaded, Source

Pdf = Callable[..., bytes]


def read(folder: Path, content: bytes, name: str = "log_sheet.pdf") -> Loaded:
    path = folder / name
    path.write_bytes(content)
    source = Source("atlas", "folder", folder, "https://tide.example", licence="CC0-1.0")
    return read_pdf(path, name, source, f"https://tide.example/{name}", published="2031-05-04")


def the(loaded: Loaded) -> Document:
    assert loaded.problems == []
    (document,) = loaded.documents
    return document


def problem(loaded: Loaded) -> str:
    assert loaded.documents == []
    (found,) = loaded.problems
    assert found.path == "log_sheet.pdf"
    return found.problem


def locked(content: bytes, password: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    writer.encrypt(password, f"{password} of the harbour master", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_each_page_is_a_section_with_the_number_that_a_viewer_shows(
    tmp_path: Path, pdf_bytes: Pdf
) -> None:
    document = the(read(tmp_path, pdf_bytes(["The first tide.", "", "The third tide."])))
    assert [(each.page, each.text) for each in document.sections] == [
        (1, "The first tide."),
        (3, "The third tide."),
    ]
    assert {(each.heading, each.anchor) for each in document.sections} == {((), None)}


def test_a_pdf_says_what_it_is(tmp_path: Path, pdf_bytes: Pdf) -> None:
    text = "The gauge shows how high the water stands."
    document = the(read(tmp_path, pdf_bytes([text])))
    assert (document.kind, document.url, document.language) == (
        "pdf",
        "https://tide.example/log_sheet.pdf",
        "en",
    )
    assert (document.published, document.licence) == ("2031-05-04", "CC0-1.0")


def test_lines_of_a_paragraph_are_joined_and_paragraphs_stay_apart(
    tmp_path: Path, pdf_bytes: Pdf
) -> None:
    text = (
        "The gauge is read\ntwice a day by\nvolunteers.\nThe log is kept dry\nin the shelter.\n"
        "- Bring a rope\n- Bring a well-\nknown friend"
    )
    (section,) = the(read(tmp_path, pdf_bytes([text]))).sections
    assert [block.text for block in section.blocks] == [
        "The gauge is read twice a day by volunteers.",
        "The log is kept dry in the shelter.",
        "- Bring a rope",
        "- Bring a well-known friend",
    ]


def test_a_list_of_people_who_signed_off_is_left_out(tmp_path: Path, pdf_bytes: Pdf) -> None:
    lines = [
        "Reviewed by:",
        "Jane Doe 2031-02-10",
        "José van der Zee 2031-02-11",
        "Ebb 2031-02-12 is low.",
    ]
    document = the(read(tmp_path, pdf_bytes(["\n".join(lines)])))
    assert "Jane" not in document.text
    assert "Zee" not in document.text
    assert "Ebb 2031-02-12 is low." in document.text


def test_words_of_the_interface_are_left_out(tmp_path: Path, pdf_bytes: Pdf) -> None:
    text = "Please leave comments including your name and date.\nThe tide turns."
    assert the(read(tmp_path, pdf_bytes([text]))).text == "The tide turns."


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("How to read a gauge", "How to read a gauge"),
        ("", "log sheet"),
        ("Untitled", "log sheet"),
        ("Microsoft Word - final.docx", "log sheet"),
        ("gauge_v3.pptx", "log sheet"),
    ],
)
def test_the_title_is_that_of_the_file_unless_a_program_made_it_up(
    tmp_path: Path, pdf_bytes: Pdf, given: str, title: str
) -> None:
    assert the(read(tmp_path, pdf_bytes(["The tide turns."], title=given))).title == title


def test_a_pdf_that_anybody_may_open_is_read(tmp_path: Path, pdf_bytes: Pdf) -> None:
    assert the(read(tmp_path, locked(pdf_bytes(["The tide turns."]), ""))).text == "The tide turns."


def test_a_pdf_with_a_password_is_a_problem_that_says_so(tmp_path: Path, pdf_bytes: Pdf) -> None:
    assert "password" in problem(read(tmp_path, locked(pdf_bytes(["The tide turns."]), "ebb")))


@pytest.mark.parametrize("kept", [0.25, 0.5, 0.75])
def test_a_pdf_cut_short_is_a_problem(tmp_path: Path, pdf_bytes: Pdf, kept: float) -> None:
    whole = pdf_bytes([f"The tide turns {number} times." for number in range(20)])
    assert problem(read(tmp_path, whole[: int(kept * len(whole))]))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"The tide turns.\n", "not a PDF, whatever its name says"),
        (b"PK\x03\x04" + bytes(200), "not a PDF, whatever its name says"),
        (b"%PDF-1.7\n%%EOF\n", "damaged or unsupported PDF"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 40, "damaged or unsupported PDF"),
    ],
    ids=["0 bytes", "text", "zip", "only a header", "garbage"],
)
def test_what_is_no_pdf_is_a_problem_that_says_why(
    tmp_path: Path, content: bytes, why: str
) -> None:
    assert problem(read(tmp_path, content)).startswith(why)


@pytest.mark.parametrize("pages", [[""], ["", "", ""]])
def test_a_pdf_without_a_text_layer_needs_ocr(
    tmp_path: Path, pdf_bytes: Pdf, pages: Sequence[str]
) -> None:
    assert problem(read(tmp_path, pdf_bytes(pages))).startswith("needs OCR")


def test_the_digest_changes_with_the_text_and_only_with_it(tmp_path: Path, pdf_bytes: Pdf) -> None:
    first = the(read(tmp_path, pdf_bytes(["The tide turns."]))).sha256
    same = the(read(tmp_path, locked(pdf_bytes(["The tide turns."]), ""))).sha256
    other = the(read(tmp_path, pdf_bytes(["The tide stands."]))).sha256
    assert first == same != other
