"""Where fuzzing begins: a few small inputs of each kind, and what once went wrong."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cache

from fpdf import FPDF

_HTML = b"""<!doctype html><html lang=en><head><title>T</title><meta name=robots content=noindex></head>
<body><nav><a href=/x>x</a></nav><main><h1 id=a>One</h1><p>Text <b>bold</b> <a href='../b#c'>l</a>
<table><tr><th rowspan=2>a<td colspan=3>b</table><ul><li>i<ol><li>j</ol></ul><pre>c</pre><img alt=x>
<h2>Two</h2><details><summary>s</summary>d</details><dl><dt>t<dd>d</dl></main></body></html>"""
_MARKDOWN = b"""---
title: T
date: 2026-01-02
---
# One {#a}

Text **bold** [l](../b "t") ![i](x.png){: .c } <div markdown=1>x</div>

| a | b |
|---|---|
| 1 | `2` |

1. x
   - y

!!! note "N"
    inside

```{admonition} A
b
```
{{< figure src="x" >}} [^1]

[^1]: foot
"""
_LIQUID = b"""{% assign x = "a,b" | split: "," %}{% for each in x limit: 2 %}{{ each | upcase }}{% endfor %}
{% if page.title == "A" %}{{ site.data.tools.one.name }}{% else %}{% include tile.html type="x" %}
{% endif %}{% raw %}{{ no }}{% endraw %}{{ "%d" | date: "%Y" }}{% tool "one" %}{% capture y %}z{% endcapture %}"""
_MAIL = b"""From: Ada <ada@clinic.example>\r
To: desk@helpdesk.example.org\r
Subject: =?utf-8?q?R=C3=A9:_a?=\r
Message-ID: <1@clinic.example>\r
In-Reply-To: <0@helpdesk.example.org>\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
How can I share=20my data?=\r
\r
> quoted\r
-- \r
Ada\r
--b\r
Content-Type: text/html\r
Content-Transfer-Encoding: base64\r
\r
PHA+aGk8L3A+\r
--b\r
Content-Type: message/rfc822\r
\r
Subject: inner\r
\r
text\r
--b--\r
"""
_BOUNCE = b"""From: MAILER-DAEMON@mx.example\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
Subject: Undelivered\r
\r
--b\r
Content-Type: message/delivery-status\r
\r
Final-Recipient: rfc822; ada@clinic.example\r
Status: 5.1.1\r
--b--\r
"""
_RECORD = {
    "id": 7, "conceptrecid": "6", "doi": "10.5281/zenodo.7", "created": "2026-01-01",
    "metadata": {"title": "D6.7 Roadmap", "publication_date": "2024-05", "access_right": "open",
                 "license": {"id": "cc-by-4.0"}, "language": "eng", "description": "<p>x</p>",
                 "creators": [{"name": "A"}], "version": "1", "related_identifiers":
                 [{"identifier": "10.5281/zenodo.1", "relation": "isPartOf"}],
                 "relations": {"version": [{"index": 0, "is_last": True, "parent": {"pid_value": "6"}}]}},
    "files": [{"key": "a.pdf", "size": 3, "checksum": "md5:x", "links": {"self": "https://x/y"}}],
    "links": {"latest": "https://x/z"},
}  # fmt: skip
_QUESTION = {
    "id": "q1", "question": "Who?", "language": "en", "audience": "staff", "intent": "about",
    "type": "fact", "evidence": [[{"path": "a.md", "quote": "b"}]], "answerable": True, "nuggets": [],
}  # fmt: skip
_ARTICLE = b"""---
id: id
title: T
kind: answer
ask:
  en: [a?, b?, c?, d?, e?, f?]
evidence:
  k: {path: pages/a.md, section: S, url: https://x.example/a#s, pins: [0123456789abcdef]}
checked: 2026-01-01
---
One statement.[^k]

Another one.[^k]
"""
_TYPED = b"""My name is Ada Lovelace, ada@clinic.example, +351 21 123 4567, IBAN DE89 3704 0044 0532 0130 00,
born 3 May 1980, I have breast cancer. BRCA1 c.68_69delAG rs80357713 EGA00001000001 Portugal"""
_TEXTS = {
    "html": [_HTML, b"<p>" * 300, b"<svg><math><table><tr>"],
    "markdown": [_MARKDOWN, b"> " * 200 + b"x", b"[" * 200, b"- " * 100, b"*_" * 200],
    "liquid": [_LIQUID, b"{% if" * 50, b"{{ 'a' | append: 'b' | replace: '', 'c' }}",
               b"{% for i in (1..99999999) %}{{ i }}{% endfor %}"],
    "zenodo": [json.dumps(_RECORD).encode(), b"[]", b'{"id": 1}'],
    "zenodo-address": [b"https://zenodo.org/records/7", b"10.5281/zenodo.7", b"doi:10.5281/zenodo.7",
                       b"https://zenodo.org/communities/x?q=a", b"https://[::1/records/1"],
    "sitemap": [b"<urlset><url><loc>https://harbour.example/a</loc><lastmod>2026-01-01</lastmod></url></urlset>",
                b"<sitemapindex><sitemap><loc>https://harbour.example/b.xml</loc></sitemap></sitemapindex>",
                b"<!DOCTYPE x [<!ENTITY a 'b'>]><urlset>&a;"],
    "robots": [b"User-agent: *\nDisallow: /a*b$\nCrawl-delay: 1e9\nSitemap: x\n", b"nmg-helpdesk: noindex, none"],
    "links": [_HTML, b"<base href='//x'><a href=' j a '>", b"https://\xc3\xa9.example:99/%zz/../?a#b"],
    "mail": [_MAIL, _BOUNCE, b"", b"Subject: =?x?b?=?=\n\n", b"Content-Type: multipart/mixed\n\n" * 30],
    "calls": [json.dumps({"model": "helpdesk", "messages": [{"role": "user", "content": "Who?"}]}).encode(),
              json.dumps({"question": "Who?", "history": [{"role": "user", "text": "a"}], "country": "PT",
                          "email": "a@b.example", "consent": True}).encode()],
    "headers": [b"https://www.example.org:8443", b"text/html;q=0.5, application/json", b"http://[::1]"],
    "contributed": [b"title=A&link=https://x.example&description=b&licence=c&name=d&email=e@f.example&country=PT"],
    "typed": [_TYPED, "Ich heiße Jürgen Groß, Tel. 030/1234567".encode(), b"a@" * 300],
    "article": [_ARTICLE, b"---\n*a\n---\n", b"---\n? {}\n---\n"],
    "questions": [json.dumps(_QUESTION).encode(), b"{}\n{}\n"],
}  # fmt: skip
_AS_FILE = {"html-file": "html", "markdown-file": "markdown", "text-file": "markdown"}
_FOUND: dict[str, list[bytes]] = {}
"""What went wrong once; filled as fuzzing finds it."""


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    """The inputs that a target begins with."""
    kind = _AS_FILE.get(target, target)
    made = {"pdf": _pdf, "docx": _docx, "odt": _odt, "epub": _epub, "archive": _archives}.get(kind)
    return (*(made() if made else _TEXTS[kind]), *_FOUND.get(target, ()))


def spoilt(target: str, count: int, seed: int = 7) -> Iterator[bytes]:
    """Inputs made of the seeds: cut, doubled, mixed, with bytes changed; always the same ones."""
    chance = random.Random(f"{target}{seed}")
    begin = seeds(target)
    for _ in range(count):
        content = bytearray(chance.choice(begin))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(content) + 1)
            match chance.randrange(5):
                case 0:
                    content[at : at + chance.randint(1, 40)] = b""
                case 1:
                    content[at:at] = content[at : at + 60] * chance.randint(1, 20)
                case 2:
                    content[at:at] = chance.choice(_ODD)
                case 3:
                    other = chance.choice(begin)
                    content[at:] = other[chance.randrange(len(other) + 1) :]
                case _:
                    content[at : at + 1] = bytes([chance.randrange(256)])
        yield bytes(content[:200_000])


_ODD = [b"\0", b"\xff\xfe", b"\xed\xa0\x80", "\u202e".encode(), b"\r", b"-1", b"9" * 30, b"1e999", b"<", b"{{",
        b"{%", b"]]>", b"&#0;", b"&#xD800;", b"%00", b"\\u0000", b"null", b"[[[[", b"((((", b"\x1b[0m", b"\n\n",
        b"=?utf-8?b?", b"--b\r\n", b"endobj", b"stream\n", b"PK\x05\x06", b"ustar"]  # fmt: skip


def _pdf() -> list[bytes]:
    document = FPDF()
    for page in ("Heading One\nSome words of a page.", "1. Two\nMore words, a table."):
        document.add_page()
        document.set_font("Helvetica", size=12)
        document.multi_cell(0, 8, page)
    document.set_title("T")
    with document.table() as table:
        for row in (("a", "b"), ("1", "2")):
            cells = table.row()
            for each in row:
                cells.cell(each)
    plain = FPDF()
    plain.set_compression(False)
    plain.add_page()
    plain.set_font("Helvetica", size=10)
    plain.cell(0, 8, "x")
    return [bytes(document.output()), bytes(plain.output())]


def _zip(**files: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            package.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return held.getvalue()


def _docx() -> list[bytes]:
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = f'<w:document xmlns:w="{word}"><w:body><w:p><w:r><w:t>Hi</w:t></w:r></w:p></w:body></w:document>'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r" Type="{office}" Target="word/document.xml"/></Relationships>'
    )
    kinds = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
    return [_zip(**{"[Content_Types]_dot_xml": kinds, "_rels__.rels".replace("_rels__", "_rels/"): relations,
                    "word/document.xml": body})]  # fmt: skip


def _odt() -> list[bytes]:
    office = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    text = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
    content = (
        f'<office:document-content xmlns:office="{office}" xmlns:text="{text}"><office:body><office:text>'
        "<text:h>One</text:h><text:p>Hi</text:p></office:text></office:body></office:document-content>"
    )
    return [_zip(**{"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})]


def _epub() -> list[bytes]:
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile'
        ' full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest><item id="x" href="x.xhtml"'
        ' media-type="application/xhtml+xml"/></manifest><spine><itemref idref="x"/></spine></package>'
    )
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>One</h1><p>Hi</p></body></html>'
    return [_zip(**{"META-INF/container.xml": container, "a.opf": package, "x.xhtml": page})]


def _archives() -> list[bytes]:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        for name in ("top/a.md", "top/b/c.md"):
            entry = tarfile.TarInfo(name)
            entry.size = 2
            tar.addfile(entry, io.BytesIO(b"# "))
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w") as tar:
        for name, kind in (
            ("../x", tarfile.REGTYPE),
            ("l", tarfile.SYMTYPE),
            ("d", tarfile.CHRTYPE),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry)
    return [held.getvalue(), gzip.compress(evil.getvalue()), gzip.compress(b"\0" * 5000)]
