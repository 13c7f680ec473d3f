"""DOCX, ODT and EPUB, through pandoc; what is wrong with one is said plainly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pypandoc
import pytest

# By name, as tests are no package.
sys.path.insert(0, str(Path(__file__).parent))
from bombs import docx, epub, odt, package, paragraph
from reading import load_folder, load_jekyll

from ingest.models import Document, Loaded, Source

Write = Callable[..., Path]
Convert = Callable[..., bytes]

KINDS = ("docx", "odt", "epub")
TEXT = """
# The ebb

It goes out[^1], as the [almanac](https://tide.example/almanac) says.

## How far {#far}

- to the rope
- to the pier

| Day    | Depth |
|--------|-------|
| Monday | two   |

# The flow

It comes *back*.

[^1]: Twice a day.
"""
GERMAN = "Das Wasser steht morgens am höchsten und fällt bis zum Abend wieder ab."


@pytest.fixture(scope="session")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """Write Markdown in one of the formats."""
    folder = tmp_path_factory.mktemp("office")

    def make(markdown: str, kind: str) -> bytes:
        path = folder / f"out.{kind}"
        command = [pypandoc.get_pandoc_path(), "--from", "markdown", "--output", str(path)]
        subprocess.run(command, input=markdown.encode(), check=True, capture_output=True)
        return path.read_bytes()

    return make


def load(path: Path) -> Loaded:
    everything = Loaded()
    for each in load_folder(Source("atlas", "folder", path, published="2031-05-04")):
        everything.documents += each.documents
        everything.skipped += each.skipped
        everything.problems += each.problems
    return everything


def the(loaded: Loaded) -> Document:
    assert loaded.problems == []
    (document,) = loaded.documents
    return document


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_is_read_along_its_headings(write: Write, convert: Convert, kind: str) -> None:
    front = "---\ntitle: Tides by day\n---\n"
    document = the(load(write({f"tides.{kind}": convert(front + TEXT, kind)})))
    assert document.title == "Tides by day"
    sections = {
        section.heading: [block.text for block in section.blocks[1:]]
        for section in document.sections
        if section.heading
    }
    assert sections[("The ebb",)] == ["It goes out, as the almanac says."]
    assert sections[("The ebb", "How far")] == [
        "to the rope",
        "to the pier",
        "Day | Depth",
        "Monday | two",
    ]
    assert sections[("The flow",)][0] == "It comes back."
    assert "Twice a day." in document.text
    assert "Tides by day" not in document.text
    (link,) = (
        link for section in document.sections for block in section.blocks for link in block.links
    )
    assert (link.text, link.address) == ("almanac", "https://tide.example/almanac")


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_can_link_into_such_a_file(write: Write, convert: Convert, kind: str) -> None:
    document = the(load(write({f"tides.{kind}": convert(TEXT, kind)})))
    assert {section.anchor for section in document.sections} == {None}


@pytest.mark.parametrize("kind", ["docx", "odt"])
def test_without_a_title_of_its_own_it_is_called_by_its_first_heading(
    write: Write, convert: Convert, kind: str
) -> None:
    assert the(load(write({f"tides.{kind}": convert(TEXT, kind)}))).title == "The ebb"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tides.docx", docx(paragraph("It goes out."))),
        ("tides.odt", odt("<text:p>It goes out.</text:p>")),
        ("tides.epub", epub("<html><body><p>It goes out.</p></body></html>")),
    ],
)
def test_without_title_and_heading_it_is_called_by_its_file_name(
    write: Write, name: str, content: bytes
) -> None:
    document = the(load(write({name: content})))
    assert (document.title, document.text) == ("tides", "It goes out.")


def test_the_properties_of_a_package_name_its_title(write: Write) -> None:
    core = (
        '<c:coreProperties xmlns:c="http://schemas.openxmlformats.org/package/2006/metadata/'
        'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title> Tides\n by day </dc:title></c:coreProperties>"
    )
    content = docx(paragraph("It goes out."), {"docProps/core.xml": core})
    assert the(load(write({"tides.docx": content}))).title == "Tides by day"


@pytest.mark.parametrize(
    "properties", ["", "<broken", "<x/>", "<!DOCTYPE x [<!ENTITY e 'E'>]><x>&e;"]
)
def test_properties_that_say_nothing_harm_nothing(write: Write, properties: str) -> None:
    content = docx(paragraph("It goes out."), {"docProps/core.xml": properties})
    assert the(load(write({"tides.docx": content}))).title == "tides"


@pytest.mark.parametrize("kind", KINDS)
def test_the_language_is_that_of_the_text(write: Write, convert: Convert, kind: str) -> None:
    document = the(load(write({f"tides.{kind}": convert(GERMAN, kind)})))
    assert document.language == "de"
    assert document.dated_by == "snapshot"


@pytest.mark.parametrize("kind", ["docx", "odt"])
def test_a_document_without_text_is_skipped(write: Write, convert: Convert, kind: str) -> None:
    loaded = load(write({f"tides.{kind}": convert("", kind)}))
    assert (loaded.documents, loaded.problems) == ([], [])
    assert [each.reason for each in loaded.skipped] == ["no text"]


def test_a_document_among_the_files_of_a_site_is_at_its_own_path(
    write: Write, convert: Convert
) -> None:
    root = write(
        {
            "_config.yml": "permalink: /:basename",
            "assets/log sheet.docx": convert("Write the height down.", "docx"),
        }
    )
    source = Source("atlas", "jekyll", root, "https://tide.example")
    (document,) = (each for loaded in load_jekyll(source) for each in loaded.documents)
    assert document.url == "https://tide.example/assets/log%20sheet.docx"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.docx", b"", "the file is empty"),
        ("a.docx", b"plain words", "damaged, or not DOCX, whatever its name says"),
        ("a.odt", docx(paragraph("x")), "not ODT, whatever its name says"),
        ("a.epub", package({"a.txt": "x"}), "not EPUB, whatever its name says"),
        ("a.docx", docx("<w:p>"), "damaged DOCX: "),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(900), "an old binary office format"),
        (
            "a.docx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "encrypted: it needs a password",
        ),
        (
            "a.odt",
            odt("<text:p>x</text:p>", {"META-INF/manifest.xml": "<m:encryption-data/>"}),
            "encrypted: it needs a password",
        ),
        (
            "a.epub",
            epub("<p>x</p>", {"META-INF/rights.xml": "<rights/>"}),
            "encrypted: it needs a password",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem_in_one_line(
    write: Write, name: str, content: bytes, why: str
) -> None:
    loaded = load(write({name: content, "b.md": "It comes."}))
    assert [each.path for each in loaded.documents] == ["b.md"]
    (problem,) = loaded.problems
    assert (problem.path, problem.problem.isprintable()) == (name, True)
    assert problem.problem.startswith(why)


def test_a_document_reads_no_file_of_the_machine(write: Write, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("Nobody may know.")
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'
    files = {
        "a.docx": docx(paragraph("&e;"), before=entity),
        "a.odt": odt("<text:p>&e;</text:p>", before=entity),
        "a.epub": epub(f'<html><body><p>It goes.</p><object data="{secret}"/></body></html>'),
    }
    loaded = load(write(files))
    assert not [each for each in loaded.documents if "Nobody" in each.text]
