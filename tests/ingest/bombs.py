"""Files made to exhaust, crash or mislead a reader, each in a few lines."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence

import pypdf

_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
    'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/'
    '2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)
_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_OFFICE = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)
_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
    '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)
_BOOK = (
    '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/><manifest><item id="c"'
    ' href="c.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="c"/>'
    "</spine></package>"
)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MB = 1_000_000


def pdf(objects: Sequence[bytes], *, trailer: bytes = b"", xref_at: int | None = None) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    size = len(objects) + 1
    out += b"trailer << /Root 1 0 R /Size %d %s >>\n" % (size, trailer)
    out += b"startxref\n%d\n%%%%EOF\n" % (start if xref_at is None else xref_at)
    return bytes(out)


def stream(content: bytes, entries: bytes = b"", times: int = 1) -> bytes:
    """A stream object of something said so many times, deflated."""
    packed = deflated(content, times)
    return b"<< /Length %d /Filter /FlateDecode %s >>\nstream\n%s\nendstream" % (
        len(packed),
        entries,
        packed,
    )


def deflated(content: bytes, times: int = 1) -> bytes:
    """Something said so many times, packed without ever being whole."""
    packing = zlib.compressobj(1)
    return b"".join(packing.compress(content) for _ in range(times)) + packing.flush()


_CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
_ONE_PAGE = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
_FONT = b"<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"


def page(more: bytes = b"", box: bytes = b"0 0 300 300", contents: int = 4) -> bytes:
    """A page object below object 2, drawn by object 4."""
    return b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Resources %s /Contents %d 0 R %s >>" % (
        box,
        _FONT,
        contents,
        more,
    )


def package(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of these parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def docx(body: str, more: Mapping[str, str | bytes] | None = None, before: str = "") -> bytes:
    """A DOCX package with this body."""
    document = f'<?xml version="1.0"?>{before}<w:document {_WORD}><w:body>{body}</w:body>'
    return package(
        {
            "[Content_Types].xml": _TYPES,
            "_rels/.rels": _RELS,
            "word/document.xml": f"{document}</w:document>",
            **(more or {}),
        }
    )


def odt(body: str, more: Mapping[str, str | bytes] | None = None, before: str = "") -> bytes:
    """An ODT package with this body."""
    content = (
        f'<?xml version="1.0"?>{before}<office:document-content {_OFFICE}><office:body>'
        f"<office:text>{body}</office:text></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.text"
    styles = (
        f'<?xml version="1.0"?><office:document-styles {_OFFICE}><office:font-face-decls/>'
        "<office:styles/><office:automatic-styles/></office:document-styles>"
    )
    return package({"mimetype": kind, "content.xml": content, "styles.xml": styles, **(more or {})})


def epub(chapter: str, more: Mapping[str, str | bytes] | None = None, book: str = _BOOK) -> bytes:
    """An EPUB package with one chapter."""
    return package(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": _CONTAINER,
            "book.opf": book,
            "c.xhtml": chapter,
            **(more or {}),
        }
    )


def paragraph(text: str) -> str:
    """A paragraph of a DOCX body."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def entities(levels: int = 12, times: int = 10) -> str:
    """A document type whose last entity unfolds without end."""
    lines = (f'<!ENTITY e{level} "{f"&e{level - 1};" * times}">' for level in range(1, levels))
    return f'<!DOCTYPE x [<!ENTITY e0 "ebb ">{"".join(lines)}]>'


def _flat(n: int) -> bytes:
    """A PDF with `n` page entries that are one page."""
    kids = b"3 0 R " * n
    tree = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, n)
    return pdf([_CATALOG, tree, page(), stream(b"BT /F 12 Tf 9 9 Td (Ebb) Tj ET")])


def _deep_page_tree(depth: int) -> bytes:
    objects = [_CATALOG]
    objects += [
        b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (number + 3) for number in range(depth)
    ]
    return pdf([*objects, page(contents=depth + 3), stream(b"BT /F 12 Tf (Ebb) Tj ET")])


def _packed(megabytes: int, times: int) -> bytes:
    content = deflated(bytes(_MB), megabytes)
    for _ in range(times - 1):
        content = zlib.compress(content, 1)
    return content


def _encrypted_pdf() -> bytes:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(200, 200)
    writer.encrypt("nobody knows", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _encrypted_zip() -> bytes:
    """A package whose parts carry the flag of encryption."""
    content = bytearray(docx(paragraph("Ebb")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 4)
    return bytes(content)


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4)
        return len(data).to_bytes(4) + kind + data + check

    header = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


_PLAIN = stream(b"BT /F 12 Tf 9 9 Td (Ebb) Tj ET")

PDFS: dict[str, Callable[[], bytes]] = {
    "deep-objects": lambda: pdf([b"<< /Type /Catalog /Pages " + b"[" * 200_000 + b" >>"]),
    "deep-page-tree": lambda: _deep_page_tree(20_000),
    "page-tree-loop": lambda: pdf(
        [_CATALOG, b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9 /Parent 2 0 R >>"]
    ),
    "huge-stream": lambda: pdf([_CATALOG, _ONE_PAGE, page(), stream(b" " * _MB, times=600)]),
    "huge-text": lambda: pdf(
        [_CATALOG, _ONE_PAGE, page(), stream(b"BT /F 9 Tf " + b"(ebb) Tj " * 9_000_000 + b"ET")]
    ),
    "nested-streams": lambda: pdf(
        [
            _CATALOG,
            _ONE_PAGE,
            page(),
            b"<< /Length %d /Filter [%s] >>\nstream\n%s\nendstream"
            % (len(bomb := _packed(600, 3)), b"/FlateDecode " * 3, bomb),
        ]
    ),
    "outline-loop": lambda: pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>",
            _ONE_PAGE,
            page(),
            _PLAIN,
            b"<< /First 6 0 R /Last 6 0 R /Count 9 >>",
            b"<< /Title (Ebb) /Parent 5 0 R /Next 6 0 R /First 6 0 R /Dest [3 0 R /Fit] >>",
        ]
    ),
    "xref-loop": lambda: pdf([_CATALOG, _ONE_PAGE, page(), _PLAIN], trailer=b"/Prev 9", xref_at=9),
    "xref-points-at-itself": lambda: pdf(
        [_CATALOG, _ONE_PAGE, page(), b"<< /Length 4 0 R >>\nstream\nx\nendstream"]
    ),
    "encrypted": _encrypted_pdf,
    "truncated": lambda: _flat(3)[:150],
    "huge-page-count": lambda: _flat(2_000_000),
    "count-that-lies": lambda: pdf(
        [_CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 2147483647 >>", page(), _PLAIN]
    ),
    "giant-page": lambda: pdf(
        [_CATALOG, _ONE_PAGE, page(box=b"-1e30 -1e30 1e30 1e30", more=b"/UserUnit 1e9"), _PLAIN]
    ),
    "form-that-draws-itself": lambda: pdf(
        [
            _CATALOG,
            _ONE_PAGE,
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R"
            b" /Resources << /XObject << /X 5 0 R >> >> >>",
            stream(b"/X Do /X Do"),
            stream(
                b"/X Do /X Do",
                b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]"
                b" /Resources << /XObject << /X 5 0 R >> >>",
            ),
        ]
    ),
    "inline-image": lambda: pdf(
        [
            _CATALOG,
            _ONE_PAGE,
            page(),
            stream(b"BI /W 100000 /H 100000 /BPC 8 /CS /RGB ID " + bytes(50 * _MB) + b" EI"),
        ]
    ),
    "huge-image": lambda: pdf(
        [
            _CATALOG,
            _ONE_PAGE,
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 900 900] /Contents 4 0 R"
            b" /Resources << /XObject << /X 5 0 R >> >> >>",
            stream(b"900 0 0 900 0 0 cm /X Do"),
            stream(
                bytes(_MB),
                b"/Type /XObject /Subtype /Image /Width 15000 /Height 15000"
                b" /BitsPerComponent 8 /ColorSpace /DeviceGray",
                times=225,
            ),
        ]
    ),
    "script": lambda: pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (while(1);) >> >>",
            _ONE_PAGE,
            page(),
            _PLAIN,
        ]
    ),
    "only-a-header": lambda: b"%PDF-1.7\n",
    "wrong-type": lambda: _png(9, 9),
}

HTMLS: dict[str, Callable[[], bytes]] = {
    "deep": lambda: b"<div>" * 100_000 + b"ebb",
    "huge-attribute": lambda: b'<p title="' + b"x" * 15 * _MB + b'">ebb</p>',
    "entities": lambda: (entities() + "<p>&e11;</p>").encode(),
    "many-entities": lambda: b"<p>" + b"&amp;" * 3_500_000,
    "unclosed": lambda: b"<p><a href=x>ebb <h1>" * 200_000,
    "million-cells": lambda: b"<table>" + (b"<tr>" + b"<td>1" * 1000) * 1000,
    "rowspan": lambda: b"<table>" + b"<tr><td rowspan=1000000000 colspan=1000000000>ebb" * 500,
    "giant-line": lambda: b"<p>" + b"ebb and flow " * 1_400_000,
    "nul": lambda: b"<p>ebb\0flow</p>",
    "utf-16": lambda: "<meta charset=utf-8><p>ebb".encode("utf-16"),
    "comment": lambda: b"<!--" + b"-- <p> " * 2_500_000,
    "svg": lambda: b"<svg>" + b"<g><use href='#a'/><text>ebb</text>" * 100_000,
}

OFFICES: dict[str, Callable[[], bytes]] = {
    "zip-bomb.docx": lambda: docx(paragraph(" " * 150 * _MB)),
    "many-parts.docx": lambda: docx(
        paragraph("ebb"), {f"word/media/{number}.png": bytes(45 * _MB) for number in range(9)}
    ),
    "paragraphs.docx": lambda: docx(paragraph("ebb and flow") * 1_200_000),
    "entities.docx": lambda: docx(paragraph("&e11;"), before=entities()),
    "external-entity.docx": lambda: docx(
        paragraph("&e;"), before='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    ),
    "deep.docx": lambda: docx("<w:sdt><w:sdtContent>" * 200_000),
    "deep-tables.docx": lambda: docx(
        "<w:tbl><w:tr><w:tc>" * 20_000 + paragraph("ebb") + "</w:tc></w:tr></w:tbl>" * 20_000
    ),
    "truncated.docx": lambda: docx(paragraph("ebb"))[:-60],
    "encrypted.docx": lambda: (
        _OLD_OFFICE + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(2000)
    ),
    "encrypted-zip.docx": _encrypted_zip,
    "old-word.docx": lambda: _OLD_OFFICE + bytes(3000),
    "wrong-type.docx": lambda: _png(9, 9),
    "other-package.docx": lambda: package({"a.txt": "ebb"}),
    "missing-parts.docx": lambda: package({"word/document.xml": "<w/>"}),
    "no-xml.docx": lambda: docx("<w:p><w:r>ebb"),
    "paths.docx": lambda: docx(paragraph("ebb"), {"../../escaped.txt": "x", "/escaped.txt": "x"}),
    "zip-bomb.odt": lambda: odt(f"<text:p>{' ' * 150 * _MB}</text:p>"),
    "entities.odt": lambda: odt("<text:p>&e11;</text:p>", before=entities()),
    "deep.odt": lambda: odt("<text:list><text:list-item>" * 100_000),
    "repeated-spaces.odt": lambda: odt('<text:p><text:s text:c="2000000000"/>ebb</text:p>'),
    "encrypted.odt": lambda: odt(
        "<text:p>ebb</text:p>",
        {"META-INF/manifest.xml": "<m:manifest xmlns:m='m'><m:encryption-data/></m:manifest>"},
    ),
    "wrong-type.odt": lambda: docx(paragraph("ebb")),
    "zip-bomb.epub": lambda: epub("<html><body><p>" + " " * 150 * _MB),
    "entities.epub": lambda: epub(f"{entities()}<html><body><p>&e11;</p></body></html>"),
    "deep.epub": lambda: epub("<div>" * 100_000),
    "no-chapters.epub": lambda: package({"META-INF/container.xml": _CONTAINER}),
    "rights.epub": lambda: epub("<p>ebb</p>", {"META-INF/rights.xml": "<rights/>"}),
    "empty.epub": lambda: b"",
}

TEXTS: dict[str, Callable[[], bytes]] = {
    "deep-list.md": lambda: b"\n".join(b" " * (2 * depth) + b"- ebb" for depth in range(3000)),
    "deep-quote.md": lambda: b">" * 100_000 + b" ebb",
    "huge-table.md": lambda: b"|a|b|\n|-|-|\n" + b"|ebb|flow|\n" * 900_000,
    "aliases.md": lambda: (
        "---\na0: &a0 ebb\n"
        + "".join(
            f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
            for level in range(1, 12)
        )
        + "title: *a11\n---\nebb"
    ).encode(),
    "deep-front.md": lambda: b"---\na: " + b"[" * 20_000 + b"\n---\nebb",
    "binary.md": lambda: bytes(range(256)) * 4000,
    "large.txt": lambda: b"ebb and flow\n" * 1_950_000,
    "lines.txt": lambda: b"- e\n" * 4_000_000,
    "control.txt": lambda: b"\x1b[2J\x07 ebb\x00",
}


def all_bombs() -> dict[str, Callable[[], bytes]]:
    """File name to what makes the file."""
    return {
        **{f"{name}.pdf": make for name, make in PDFS.items()},
        **{f"{name}.html": make for name, make in HTMLS.items()},
        **OFFICES,
        **TEXTS,
    }
