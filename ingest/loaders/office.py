"""Texts of office programs and e-books: DOCX, ODT and EPUB, through pandoc.

Pandoc turns them into HTML, which the HTML reader cuts into sections; a
package is looked into before, so that what is wrong with it is said plainly.
"""

from __future__ import annotations

import subprocess
import zipfile
import zlib
from pathlib import Path

import pypandoc
from bs4 import BeautifulSoup, Tag
from lxml import etree  # type: ignore[import-untyped]

from ingest.loaders.html import Reading, parse_html, read_sections
from rag.errors import UnreadableDocument
from rag.text import fold

_NEEDED = {".docx": "word/document.xml", ".odt": "content.xml", ".epub": "META-INF/container.xml"}
OFFICE_SUFFIXES = tuple(_NEEDED)
_PROPERTIES = {".docx": "docProps/core.xml", ".odt": "meta.xml"}
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_MAX_PROPERTIES = 1_000_000
_MAX_BYTES = 100_000_000
_MAX_UNPACKED = 400_000_000
"""Bytes of all parts together; pictures count, although they are not read."""
_MAX_PART = 100_000_000
"""Bytes of one part that is XML."""
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How the binary formats of old begin, and packages with a password."""
_PASSWORD = "EncryptedPackage".encode("utf-16-le")
_MANIFEST = "META-INF/manifest.xml"
_ENCRYPTED = b":encryption-data"
_RIGHTS = "META-INF/rights.xml"
_ZIP_ENCRYPTED = 0x1
_HEAP = "320M"
"""Of pandoc, so that it and the process that waits for it stay within 512 MB."""
_HEAP_EXHAUSTED = 251
_OUT_OF_MEMORY = (b"heap exhausted", b"out of memory")


def read_office(path: Path) -> Reading:
    """Read one file.

    Returns:
        What it says, under the title its properties give, else its first
        heading; without anchors, as nobody can link into such a file.

    Raises:
        UnreadableDocument: Damaged, encrypted or not what its name says.
        MemoryError: Pandoc needs more than it is given.
    """
    suffix = path.suffix.lower()
    given = _look_into(path, suffix)
    soup = parse_html(_to_html(path, suffix))
    title = soup.select_one("#title-block-header .title")
    given = (fold(title.get_text()) if title else "") or given
    body = soup.body or soup
    _strip(body)
    first = body.find("p")
    if given and first is not None and fold(first.get_text()) == given:
        # Printed above the text, the title is a paragraph like others to ODT.
        first.decompose()
    return read_sections(body, given)


def _look_into(path: Path, suffix: str) -> str:
    """Check a package before it is parsed; return the title its properties give."""
    if path.stat().st_size == 0:
        raise UnreadableDocument("the file is empty")
    if path.stat().st_size > _MAX_BYTES:
        raise UnreadableDocument(f"larger than {_MAX_BYTES // 10**6} MB")
    kind = suffix.removeprefix(".").upper()
    with path.open("rb") as file:
        if file.read(len(_COMPOUND)) == _COMPOUND:
            # The names of the streams stand near the beginning or the end: look everywhere.
            if _PASSWORD in file.read():
                raise UnreadableDocument("encrypted: it needs a password")
            raise UnreadableDocument(f"an old binary office format, not {kind}")
    try:
        with zipfile.ZipFile(path) as package:
            parts = {part.filename: part for part in package.infolist()}
            if any(part.flag_bits & _ZIP_ENCRYPTED for part in parts.values()):
                raise UnreadableDocument("encrypted: it needs a password")
            if _NEEDED[suffix] not in parts:
                raise UnreadableDocument(f"not {kind}, whatever its name says")
            unpacked = sum(part.file_size for part in parts.values())
            largest = max(_text_size(part) for part in parts.values())
            if unpacked > _MAX_UNPACKED or largest > _MAX_PART:
                raise UnreadableDocument("unpacks to more than a document holds")
            if _RIGHTS in parts or _ENCRYPTED in _small_part(package, _MANIFEST):
                raise UnreadableDocument("encrypted: it needs a password")
            return _given_title(_small_part(package, _PROPERTIES.get(suffix, "")))
    except zipfile.BadZipFile as error:
        raise UnreadableDocument(f"damaged, or not {kind}, whatever its name says") from error
    except (OSError, ValueError, NotImplementedError, zlib.error, EOFError) as error:
        raise UnreadableDocument(f"damaged {kind}: {_one_line(str(error))}") from error


def _text_size(part: zipfile.ZipInfo) -> int:
    text = part.filename.lower().endswith((".xml", ".xhtml", ".html", ".opf", ".ncx", ".rels"))
    return part.file_size if text else 0


def _small_part(package: zipfile.ZipFile, name: str) -> bytes:
    """A part of a package; empty where it is missing or too large to be what it should be."""
    try:
        with package.open(name) as part:
            content = part.read(_MAX_PROPERTIES + 1)
    except KeyError:
        return b""
    return content if len(content) <= _MAX_PROPERTIES else b""


def _given_title(properties: bytes) -> str:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(properties, parser)
    except etree.XMLSyntaxError:
        return ""
    return fold(root.findtext(f".//{_TITLE}") or "")


def _to_html(path: Path, suffix: str) -> str:
    command = (
        pypandoc.get_pandoc_path(), "--sandbox", "--standalone", "--wrap=none",
        "--from", suffix.removeprefix("."), "--to", "html",
        str(path.resolve()), "+RTS", f"-M{_HEAP}", "-RTS",
    )  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)  # noqa: S603
    if done.returncode == 0:
        return done.stdout.decode("utf-8", errors="replace")
    said = done.stderr.lower()
    if done.returncode == _HEAP_EXHAUSTED or any(words in said for words in _OUT_OF_MEMORY):
        raise MemoryError("pandoc")
    reason = _one_line(done.stderr.decode("utf-8", errors="replace")) or "pandoc crashed on it"
    raise UnreadableDocument(f"damaged {suffix.removeprefix('.').upper()}: {reason}")


def _one_line(text: str) -> str:
    return fold(text)[:120]


def _strip(body: Tag | BeautifulSoup) -> None:
    """Take out what pandoc adds: a block with the title, marks of footnotes, ids."""
    for element in body.select("#title-block-header, a.footnote-ref, a.footnote-back"):
        element.decompose()
    for element in body.find_all(id=True):
        del element["id"]
