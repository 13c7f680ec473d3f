from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.zenodo import BANNER, ServedFile, ZenodoServer

from ingest.fetch import zenodo as fetching
from ingest.fetch import zenodo_records
from ingest.fetch.client import Client
from ingest.fetch.downloads import Downloads
from ingest.fetch.zenodo import fetch_zenodo
from ingest.fetch.zenodo_records import (
    Zenodo,
    ZenodoAddress,
    ZenodoRecord,
    deliverable_number,
    is_zenodo,
)
from ingest.loaders.html import read_page
from ingest.models import Fetched, Remote
from rag.errors import SourceUnavailable

AGENT = "helpdesk-test/1.0 (+https://example.org/contact)"
PDF = b"%PDF-1.4 an invented report\n%%EOF\n"
OTHER = b"%PDF-1.4 another invented report, longer than the first\n%%EOF\n"
PAGE = b"<!DOCTYPE html><html><body>Please wait.</body></html>"
SHARED = Path(__file__).resolve().parent.parent.parent.parent / "shared"


@pytest.fixture
def server() -> Iterator[ZenodoServer]:
    with ZenodoServer() as running:
        yield running


@dataclass
class Reader:
    """Fetches from the server as one installation does, again and again."""

    server: ZenodoServer
    zenodo: Zenodo
    downloads: Downloads

    def fetch(self, address: object, **facts: str) -> Fetched:
        if isinstance(address, int):
            address = f"https://zenodo.org/records/{address}"
        remote = Remote("deliverables", "zenodo", str(address), **facts)
        return fetch_zenodo(remote, self.zenodo, self.downloads)


def client(server: ZenodoServer, agent: str = AGENT) -> Client:
    return Client(agent, allowed_hosts=frozenset({"127.0.0.1"}), sleep=server.sleep)


@pytest.fixture
def reader(server: ZenodoServer, tmp_path: Path) -> Iterator[Reader]:
    with client(server) as asking:
        yield Reader(server, Zenodo(asking, server.base), Downloads(tmp_path / "downloads"))


def contents(fetched: Fetched) -> dict[str, bytes]:
    return {file.path: file.file.read_bytes() for file in fetched.source.files or ()}


def documents(fetched: Fetched) -> dict[str, bytes]:
    """What was fetched but for the abstracts."""
    return {
        path: content
        for path, content in contents(fetched).items()
        if not path.endswith("record.html")
    }


# What an operator may write.


@pytest.mark.parametrize(
    "address",
    """
    https://zenodo.org/records/123
    https://zenodo.org/record/123
    http://www.zenodo.org/record/123#.YXGkS9bMKdY
    https://zenodo.org/records/123/?preview=1
    https://zenodo.org/records/123/files/report%20(v2).pdf?download=1
    https://zenodo.org/api/records/123/versions/latest
    https://zenodo.org/doi/10.5281/zenodo.123
    https://doi.org/10.5281/zenodo.123
    https://dx.doi.org/10.5281%2Fzenodo.123
    doi:10.5281/zenodo.123
    DOI:10.5281/ZENODO.123
    10.5281/zenodo.123
    zenodo.org/records/123
    http://127.0.0.1:8000/mirror/records/123
    """.split(),
)
def test_a_record_is_known_by_every_address_that_people_copy(address):
    base = "http://127.0.0.1:8000/mirror"
    assert ZenodoAddress.parse(address, base) == ZenodoAddress(record_id="123")
    assert is_zenodo(address, base)


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("https://zenodo.org/communities/b1mg", (("communities", "b1mg"),)),
        ("https://zenodo.org/communities/b1mg/records", (("communities", "b1mg"),)),
        ("https://zenodo.org/communities/b1mg/about?l=list", (("communities", "b1mg"),)),
        (
            "https://zenodo.org/communities/b1mg/records?q=genome&p=2&s=10",
            (("communities", "b1mg"), ("q", "genome")),
        ),
        ("https://zenodo.org/search?q=rare+disease&l=list&p=1", (("q", "rare disease"),)),
        (
            "https://zenodo.org/api/records?q=x&type=publication",
            (("q", "x"), ("type", "publication")),
        ),
    ],
)
def test_communities_and_searches_are_understood(address, asked):
    assert ZenodoAddress.parse(address) == ZenodoAddress(search=asked)


@pytest.mark.parametrize(
    "address",
    ["https://sandbox.zenodo.org/records/5", "10.5072/zenodo.5", "doi.org/10.5072/zenodo.5"],
)
def test_the_sandbox_is_not_taken_for_the_real_service(address):
    assert ZenodoAddress.parse(address) == ZenodoAddress(record_id="5", sandbox=True)


@pytest.mark.parametrize(
    ("address", "is_theirs"),
    [
        ("https://zenodo.org", True),
        ("https://zenodo.org/uploads/5", True),
        ("https://zenodo.org/communities", True),
        ("https://zenodo.org/search?l=list", True),
        # Not known to the API: leaving it out would find more than was asked for.
        ("https://zenodo.org/search?q=x&f=resource_type%3Apublication", True),
        ("https://zenodo.org.example.org/records/5", False),
        ("https://zenodo.org@example.org/records/5", False),
        ("https://example.org/records/5", False),
        ("10.1234/zenodo.5", False),
        ("ftp://zenodo.org/records/5", False),
        ("http://[::1/records/5", False),
        ("http://zenodo.org:port/records/5", False),
        ("", False),
    ],
)
def test_what_names_no_record_is_refused_in_one_line(address, is_theirs):
    assert is_zenodo(address) == is_theirs
    with pytest.raises(SourceUnavailable) as refused:
        ZenodoAddress.parse(address)
    assert "\n" not in str(refused.value)


@given(
    st.text(max_size=60) | st.from_regex(r"https?://\S{0,20}zenodo\.org\S{0,40}", fullmatch=True)
)
def test_any_text_is_an_address_or_refused(text):
    try:
        found = ZenodoAddress.parse(text)
    except SourceUnavailable:
        return
    assert (found.record_id or "").isdecimal() or found.search
    assert is_zenodo(text)


def test_a_record_of_the_sandbox_is_asked_for_there(server, reader, monkeypatch):
    server.add("A real report", record_id=5)
    with ZenodoServer() as sandbox:
        monkeypatch.setattr(fetching, "SANDBOX", sandbox.base)
        sandbox.add("A trial", record_id=5)
        assert reader.fetch("10.5072/zenodo.5").source.files[0].title == "A trial"
    assert server.requests == []


# What a record says.


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("EXAMPLE D9.9 Guidance on an invented subject", "EXAMPLE D9.9"),
        ("GDI D2.2 - A report", "GDI D2.2"),
        ("B1MG - D5.1 A model", "B1MG D5.1"),
        ("Some Long Name (SLN) D2.4 A report", "SLN D2.4"),
        ("Some Long Name [1+SLN]: D2.10", "1+SLN D2.10"),
        ("HEALTH-X D1.2 A report", "HEALTH-X D1.2"),
        ("EXAMPLE WP2 - D2.4 A report", "EXAMPLE D2.4"),
        ("EXAMPLE Deliverable 3.8: a report", "EXAMPLE D3.8"),
        ("Deliverable D3.4 of a project", "D3.4"),
        ("D3.4 A report", "D3.4"),
        ("2023 D3.4 A report", "D3.4"),
        ("A report in the Mixed-Case project D3.4", "D3.4"),
        ("A report of the year 2023, version 2.1", None),
        ("Coding with ICD10.2", None),
        ("D3.4.1 is a part", None),
    ],
)
def test_the_number_of_a_deliverable_is_found_in_its_title(title, number):
    assert deliverable_number(title) == number


def test_a_record_keeps_what_a_citation_needs(server, reader):
    server.add(
        "EXAMPLE D9.9 Guidance",
        record_id=203,
        concept_id=200,
        version="v2",
        files=(ServedFile("guidance.pdf", PDF),),
        creators=(("Example, Ada", "Example Institute"), ("Sample, Bo", None)),
        related=(("references", "10.5281/zenodo.50", "doi"),),
    )
    fetched = reader.fetch(203)
    assert fetched.problems == fetched.skipped == ()
    page, file = fetched.source.files
    assert (file.path, page.path) == ("guidance.pdf", "record.html")
    assert file.url == f"{server.base}/records/203/files/guidance.pdf"
    assert page.url == f"{server.base}/records/203"
    assert file.title == page.title == "EXAMPLE D9.9 Guidance"
    assert (file.published, file.dated_by) == ("2023-10-31", "page")
    assert (file.licence, file.language) == ("CC-BY-4.0", "en")
    record = file.record
    assert record == page.record
    assert (record.record_id, record.concept_id) == ("203", "200")
    assert (record.doi, record.concept_doi) == ("10.5281/zenodo.203", "10.5281/zenodo.200")
    assert (record.deliverable, record.version) == ("EXAMPLE D9.9", "v2")
    assert (record.licence, record.access) == ("cc-by-4.0", "open")
    assert record.creators == ("Example, Ada", "Sample, Bo")
    assert [(one.relation, one.identifier, one.scheme) for one in record.related] == [
        ("references", "10.5281/zenodo.50", "doi")
    ]
    assert fetched.source.kind == "zenodo"
    assert fetched.source.name == "deliverables"


def test_what_a_record_leaves_out_is_not_made_up(server, reader):
    server.add(
        "A report",
        record_id=11,
        version=None,
        licence=None,
        language=None,
        published="2023",
        files=(ServedFile("a.pdf", PDF),),
    )
    file = reader.fetch(11).source.files[0]
    assert (file.record.version, file.record.licence, file.record.deliverable) == (None,) * 3
    assert (file.licence, file.language, file.published) == (None, None, "2023")
    told = reader.fetch(11, licence="CC-BY-4.0", language="de").source.files[0]
    assert (told.licence, told.language) == ("CC-BY-4.0", "de")
    assert told.record.licence is None


def test_what_the_operator_states_does_not_replace_what_the_record_says(server, reader):
    server.add("A report", record_id=11, licence="mit", language="deu")
    page = reader.fetch(11, licence="CC-BY-4.0", language="fr").source.files[0]
    assert (page.licence, page.language) == ("mit", "de")


@pytest.mark.parametrize(
    ("code", "language"), [("fre", "fr"), ("fra", "fr"), ("mul", None), ("und", None)]
)
def test_languages_are_named_by_two_letters(code, language):
    record = ZenodoRecord.model_validate({"id": 1, "metadata": {"language": code}})
    assert record.language == language


def test_the_shapes_of_earlier_years_are_read(tmp_path):
    record = ZenodoRecord.model_validate(
        {
            "id": "12",
            "conceptrecid": 11,
            "metadata": {
                "title": "A report",
                "access_right": "open",
                "publication_date": 2021,
                "license": "CC-BY-SA-4.0",
                "creators": None,
                "relations": {"version": [{"count": 1, "is_last": True, "last_child": {}}]},
            },
            "files": [{"filename": "a b.pdf", "filesize": 3, "checksum": "0" * 32}],
        }
    )
    facts = record.facts("https://zenodo.org/records/12")
    assert (record.id, record.concept_id, facts.published) == ("12", "11", "2021")
    assert (facts.licence, record.licence) == ("cc-by-sa-4.0", "CC-BY-SA-4.0")
    assert (record.files[0].key, record.files[0].size) == ("a b.pdf", 3)
    file = fetching.ZenodoFile(filename="x.pdf", checksum=hashlib.md5(PDF).hexdigest().upper())  # noqa: S324
    stored = tmp_path / "x"
    stored.write_bytes(PDF)
    assert not fetching._wrong(stored, file)
    stored.write_bytes(OTHER)
    assert fetching._wrong(stored, file)


# Versions.


def test_a_new_version_takes_the_place_of_the_old(server, reader):
    server.add("A report", record_id=101, concept_id=100, files=(ServedFile("v1.pdf", PDF),))
    first = reader.fetch(101)
    assert documents(first) == {"v1.pdf": PDF}
    server.new_version(100, version="v2", files=(ServedFile("v2.pdf", OTHER),))
    second = reader.fetch(101)
    assert documents(second) == {"v2.pdf": OTHER}
    assert {file.record.version for file in second.source.files} == {"v2"}
    assert not any("/records/101" in (file.url or "") for file in second.source.files)


@pytest.mark.parametrize("absolute", [False, True])
def test_the_id_of_a_concept_leads_to_its_newest_version(server, reader, absolute):
    server.absolute = absolute
    for version in (1, 2, 3):
        name = f"v{version}.pdf"
        server.add(
            "A report", record_id=100 + version, concept_id=100, files=(ServedFile(name, PDF),)
        )
    for address in ("https://doi.org/10.5281/zenodo.100", f"{server.base}/records/100"):
        fetched = reader.fetch(address)
        assert documents(fetched) == {"v3.pdf": PDF}
        assert fetched.source.files[0].record.record_id == "103"
        assert fetched.source.files[0].record.concept_id == "100"


def test_all_versions_are_listed_page_by_page(server, reader):
    for version in range(1, 31):
        server.add(
            "A report", record_id=100 + version, concept_id=100, published=f"2023-01-{version:02}"
        )
    listed = reader.zenodo.versions(reader.zenodo.record("101"))
    assert [record.id for record in listed] == [str(130 - back) for back in range(30)]
    assert listed[0].published == "2023-01-30"
    assert len(server.asked("/versions?")) == 2


def test_nothing_of_an_older_version_is_offered_when_the_newest_is_closed(server, reader):
    server.add("A report", record_id=101, concept_id=100, files=(ServedFile("a.pdf", PDF),))
    server.new_version(100, record_id=111, access="restricted", description="<p>Closed now.</p>")
    fetched = reader.fetch(101)
    assert list(contents(fetched)) == ["record.html"]
    assert b"Closed now" in contents(fetched)["record.html"]
    assert fetched.source.files[0].record.access == "restricted"
    assert [(skipped.path, skipped.reason) for skipped in fetched.skipped] == [
        ("record 111", "restricted: only its abstract is read"),
        ("record 101", "replaced by its newer version 111, which is read"),
    ]
    assert [record.record_id for record in fetched.records] == ["111"]
    assert server.downloaded() == []


def test_an_embargo_is_told_with_its_end(server, reader):
    server.add(
        "A report",
        record_id=11,
        access="embargoed",
        embargo="2031-05-01",
        files=(ServedFile("a.pdf", PDF),),
    )
    fetched = reader.fetch(11)
    assert list(contents(fetched)) == ["record.html"]
    assert "embargoed until 2031-05-01" in fetched.skipped[0].reason
    assert fetched.source.files[0].record.access == "embargoed"


def test_a_record_that_is_gone_says_so(server, reader):
    server.add("A report", record_id=11)
    server.delete(11, "It held personal data")
    server.reserved.add(12)
    for number, reason in (
        (11, "is gone: Record deleted, other, It held personal data"),
        (12, "is gone: .* not registered"),
        (13, "is gone: .* does not exist"),
    ):
        with pytest.raises(SourceUnavailable, match=reason):
            reader.fetch(number)


# Files.


def test_no_file_is_downloaded_twice(server, reader):
    server.add(
        "A report",
        record_id=11,
        files=(ServedFile("a.pdf", PDF), ServedFile("b.pdf", OTHER)),
    )
    first = reader.fetch(11)
    assert sorted(server.downloaded()) == ["a.pdf", "b.pdf"]
    second = reader.fetch(11)
    assert second == first
    assert sorted(server.downloaded()) == ["a.pdf", "b.pdf"]


def test_a_file_that_was_lost_from_disk_is_fetched_again(server, reader):
    server.add("A report", record_id=11, files=(ServedFile("a.pdf", PDF),))
    for file in reader.fetch(11).source.files:
        file.file.unlink()
    assert documents(reader.fetch(11)) == {"a.pdf": PDF}


def test_names_reach_the_server_as_they_are(server, reader):
    names = ["202310 EXAMPLE D9.9 - Führung (v2).pdf", "part/über #1 100%?.pdf", "a+b&c=d,e;f.pdf"]
    server.add("A report", record_id=11, files=tuple(ServedFile(name, PDF) for name in names))
    fetched = reader.fetch(11)
    assert fetched.problems == ()
    assert sorted(documents(fetched)) == sorted(names)
    assert sorted(server.downloaded()) == sorted(names)
    addresses = {file.path: file.url for file in fetched.source.files}
    assert addresses[names[0]].endswith(
        "/records/11/files/202310%20EXAMPLE%20D9.9%20-%20F%C3%BChrung%20(v2).pdf"
    )
    assert "#" not in addresses[names[1]]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (ServedFile("a.pdf", PDF, instead=PAGE), "a page of HTML came in its place"),
        (ServedFile("a.pdf", PDF, instead=PDF[:9]), "9 bytes came instead of"),
        (ServedFile("a.pdf", PDF, checksum=f"md5:{'0' * 32}"), "checksum"),
        (ServedFile("a.pdf", b"PK\3\4 an archive"), "is named a PDF and is none"),
        (ServedFile("a.pdf", PAGE, checksum=""), "a page of HTML came in its place"),
        (ServedFile("a.pdf", b""), "is named a PDF and is none"),
    ],
)
def test_what_is_not_the_stated_file_is_tried_once_more_and_reported(server, reader, file, reason):
    server.add("A report", record_id=11, files=(file, ServedFile("b.pdf", OTHER)))
    fetched = reader.fetch(11)
    assert documents(fetched) == {"b.pdf": OTHER}
    assert [problem.path for problem in fetched.problems] == ["a.pdf"]
    assert reason in fetched.problems[0].problem
    assert server.downloaded().count("a.pdf") == 2


def test_a_page_that_came_in_place_of_a_file_once_does_no_harm(server, reader):
    server.add("A report", record_id=11, files=(ServedFile("a.pdf", PDF, instead=PAGE, times=1),))
    fetched = reader.fetch(11)
    assert documents(fetched) == {"a.pdf": PDF}
    assert fetched.problems == ()


def test_a_file_without_checksum_is_held_to_its_size(server, reader):
    server.add(
        "A report",
        record_id=11,
        files=(
            ServedFile("a.pdf", PDF, checksum=""),
            ServedFile("b.pdf", PDF, checksum="", size=9),
        ),
    )
    fetched = reader.fetch(11)
    assert documents(fetched) == {"a.pdf": PDF}
    assert [problem.path for problem in fetched.problems] == ["b.pdf"]


def test_a_file_too_large_is_left_where_it_is(server, reader):
    server.add(
        "A report",
        record_id=11,
        files=(ServedFile("a.pdf", PDF, size=200 * 2**20), ServedFile("b.pdf", PDF)),
    )
    fetched = reader.fetch(11)
    assert [(one.path, one.reason) for one in fetched.skipped] == [
        ("a.pdf", "too large: 200 MB, the limit is 150 MB")
    ]
    assert server.downloaded() == ["b.pdf"]


def test_more_bytes_than_allowed_are_not_taken_in(server, reader, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_MEGABYTES", 1)
    file = ServedFile("a.pdf", PDF, instead=PDF + bytes(2**20))
    server.add("A report", record_id=11, files=(file,))
    fetched = reader.fetch(11)
    assert documents(fetched) == {}
    assert "larger than 1 MB" in fetched.problems[0].problem


def test_of_a_record_with_pdfs_these_are_read_and_nothing_else(server, reader):
    names = ["D9.9 Guidance.pdf", "Annex.PDF", "table.xlsx", "slides.pptx", "source.docx", "README"]
    server.add(
        "EXAMPLE D9.9 Guidance on a subject",
        record_id=11,
        files=tuple(ServedFile(name, PDF) for name in names),
    )
    fetched = reader.fetch(11)
    titles = {file.path: file.title for file in fetched.source.files}
    assert titles == {
        "Annex.PDF": "EXAMPLE D9.9 Guidance on a subject: Annex",
        "D9.9 Guidance.pdf": "EXAMPLE D9.9 Guidance on a subject",
        "record.html": "EXAMPLE D9.9 Guidance on a subject",
    }
    assert {one.path: one.reason for one in fetched.skipped} == {
        "README": "no document: files without suffix cannot be read",
        "slides.pptx": "no document: .pptx cannot be read",
        "source.docx": "the record's PDF is read",
        "table.xlsx": "no document: .xlsx cannot be read",
    }
    assert sorted(server.downloaded()) == ["Annex.PDF", "D9.9 Guidance.pdf"]


def test_without_a_pdf_the_editable_text_is_read_in_one_format(server, reader):
    server.add(
        "A report",
        record_id=11,
        files=(
            ServedFile("report.odt", b"PK\3\4 odt"),
            ServedFile("report.docx", b"PK\3\4 docx"),
            ServedFile("notes.md", b"# Notes\n"),
            ServedFile("page.html", PAGE),
            ServedFile("data.zip", b"PK\3\4 zip"),
        ),
    )
    fetched = reader.fetch(11)
    assert documents(fetched) == {
        "notes.md": b"# Notes\n",
        "page.html": PAGE,
        "report.docx": b"PK\3\4 docx",
    }
    assert {one.path for one in fetched.skipped} == {"data.zip", "report.odt"}
    assert fetched.problems == ()


def test_names_made_to_mislead_stay_below_their_record(server, reader):
    names = ["../../up.pdf", "a\nb.pdf", "record.html.pdf"]
    server.add("A report", record_id=11, files=tuple(ServedFile(name, PDF) for name in names))
    server.add("A text", record_id=21, files=(ServedFile("record.html", PAGE),))
    fetched = reader.fetch(11)
    assert sorted(documents(fetched)) == ["a b.pdf", "record.html.pdf"]
    # No address leads to it: dots are taken out of addresses before they are sent.
    assert [problem.path for problem in fetched.problems] == ["up.pdf"]
    assert sorted(contents(reader.fetch(21))) == ["files/record.html", "record.html"]


def test_files_and_lists_at_another_host_are_not_asked_for(server, reader):
    server.add("A report", record_id=11, files=(ServedFile("a.pdf", PDF),), communities=("x",))
    honest = server.shown

    def elsewhere(record):
        shown = honest(record)
        shown["files"][0]["links"]["self"] = "https://example.org/a.pdf"
        shown["links"]["self_html"] = "https://example.org/records/11"
        return shown

    server.shown = elsewhere
    fetched = reader.fetch(11)
    assert documents(fetched) == {}
    assert "lies elsewhere" in fetched.problems[0].problem
    assert fetched.source.files[0].url == f"{server.base}/records/11"


# Abstracts.


def test_the_abstract_is_a_page_of_our_own(server, reader):
    markup = (
        '<p>Genes &amp; data:</p><ul><li>first <a href="https://example.org">link</a></li></ul>'
    )
    server.add(
        "Terms <b> & more", record_id=11, description=markup, files=(ServedFile("a.pdf", PDF),)
    )
    fetched = reader.fetch(11)
    reading = read_page(contents(fetched)["record.html"].decode())
    assert reading.title == "Terms <b> & more"
    assert [block.text for section in reading.sections for block in section.blocks] == [
        "Genes & data:",
        "first link",
    ]


@pytest.mark.parametrize("markup", [None, "", "<p>&nbsp;</p>", "<p><br/></p>"])
def test_a_record_without_abstract_has_no_page(server, reader, markup):
    server.add("A report", record_id=11, description=markup, files=(ServedFile("a.pdf", PDF),))
    fetched = reader.fetch(11)
    assert list(contents(fetched)) == ["a.pdf"]
    assert [(one.path, one.reason) for one in fetched.skipped] == [("record.html", "no abstract")]


def test_the_banner_of_the_website_is_never_read(server, reader):
    server.add("A report", record_id=11, files=(ServedFile("a.pdf", PDF),), communities=("x",))
    landing = httpx2.get(f"{server.base}/records/11", headers={"User-Agent": AGENT})
    assert BANNER in landing.text
    for address in (11, "https://zenodo.org/communities/x"):
        for content in contents(reader.fetch(address)).values():
            assert b"Planned intervention" not in content
    assert not [path for path in server.asked("/records/") if not path.startswith("/api/")][1:]


# Communities and searches.


def test_a_community_is_read_to_its_last_page(server, reader):
    for number in range(60):
        server.add(
            f"Report {number}",
            record_id=1001 + 10 * number,
            concept_id=1000 + 10 * number,
            communities=("b1mg",) if number % 2 else ("b1mg", "other"),
            files=(ServedFile("report.pdf", b"%%PDF-1.4 %d" % number),),
        )
    fetched = reader.fetch("https://zenodo.org/communities/b1mg/records")
    assert fetched.problems == fetched.skipped == ()
    assert len(documents(fetched)) == 60
    assert contents(fetched)["1000/report.pdf"] == b"%PDF-1.4 0"
    assert "1000/record.html" in contents(fetched)
    concepts = [int(file.path.partition("/")[0]) for file in fetched.source.files]
    assert concepts == sorted(concepts)
    assert len(server.asked("/api/records?")) == 3
    assert len(documents(reader.fetch("https://zenodo.org/communities/other"))) == 30


def test_paths_stay_the_same_from_version_to_version(server, reader):
    server.add(
        "Plan", record_id=101, concept_id=100, communities=("x",), files=(ServedFile("a.pdf", PDF),)
    )
    community = "https://zenodo.org/communities/x"
    first = documents(reader.fetch(community))
    server.new_version(100, files=(ServedFile("a.pdf", OTHER),))
    second = documents(reader.fetch(community))
    assert (first, second) == ({"100/a.pdf": PDF}, {"100/a.pdf": OTHER})


def test_a_search_finds_what_its_words_name(server, reader):
    server.add("On whales", record_id=11, description="")
    server.add("On birds", record_id=21)
    fetched = reader.fetch("https://zenodo.org/search?q=on+birds&l=list&p=1&s=10")
    assert list(contents(fetched)) == ["20/record.html"]


def test_a_search_that_the_service_refuses_is_reported(server, reader):
    with pytest.raises(SourceUnavailable, match="Invalid querystring"):
        reader.fetch("https://zenodo.org/search?q=10.5281/zenodo.11")


def test_more_than_two_hundred_records_are_a_problem(server, reader):
    for number in range(260):
        server.add(f"Report {number}", communities=("big",))
    fetched = reader.fetch("https://zenodo.org/communities/big")
    assert len(contents(fetched)) == 200
    assert [problem.problem for problem in fetched.problems] == [
        "60 more records were found than the 200 that are read; the limit is 200"
    ]
    assert len(server.asked("/api/records?")) == 8


def test_the_limit_of_records_need_not_be_the_end_of_a_page(server, reader, monkeypatch):
    monkeypatch.setattr(zenodo_records, "MAX_RECORDS", 30)
    for number in range(40):
        server.add(f"Report {number}", communities=("big",))
    assert len(contents(reader.fetch("https://zenodo.org/communities/big"))) == 30


def test_a_search_index_that_lags_behind_gives_each_concept_once(server, reader):
    old = server.add("Plan", record_id=101, concept_id=100, files=(ServedFile("a.pdf", PDF),))
    stale = server.shown(old)
    stale["metadata"]["relations"]["version"][0]["is_last"] = False
    new = server.new_version(100, files=(ServedFile("a.pdf", OTHER),))
    hits = {"hits": [stale, server.shown(new)], "total": 2}
    server.fail("/api/records", 200, body=json.dumps({"hits": hits}).encode())
    fetched = reader.fetch("https://zenodo.org/search?q=plan")
    assert documents(fetched) == {"100/a.pdf": OTHER}
    assert len(fetched.source.files) == 2


def test_a_list_does_not_go_on_at_another_host(server, reader):
    hits = {"hits": [server.shown(server.add("Plan", record_id=11))], "total": 2}
    answer = {"hits": hits, "links": {"next": "https://example.org/api/records?page=2"}}
    server.fail("/api/records", 200, body=json.dumps(answer).encode())
    with pytest.raises(SourceUnavailable, match="goes on at another host"):
        reader.fetch("https://zenodo.org/search?q=plan")


def test_a_list_that_leads_back_to_itself_ends(server, reader):
    hit = server.shown(server.add("Plan", record_id=11))
    start = "/api/records?q=plan&sort=mostrecent&page=1&size=25"
    answer = {"hits": {"hits": [hit], "total": 1}, "links": {"next": f"{server.base}{start}"}}
    server.fail("/api/records", 200, times=9, body=json.dumps(answer).encode())
    assert list(contents(reader.fetch("https://zenodo.org/search?q=plan"))) == ["10/record.html"]
    assert server.asked("/api/records?") == [start]


def test_redirects_to_another_host_are_not_followed(server, reader):
    server.add("A report", record_id=11, files=(ServedFile("a.pdf", PDF),))
    elsewhere = server.base.replace("127.0.0.1", "localhost")
    server.lead_on("/api/records/11/files/a.pdf/content", f"{elsewhere}/a.pdf")
    assert "leads to another host" in reader.fetch(11).problems[0].problem
    server.lead_on("/api/records/11", f"{elsewhere}/api/records/11")
    with pytest.raises(SourceUnavailable, match="leads to another host"):
        reader.fetch(11)


def test_one_bad_record_does_not_spoil_a_community(server, reader):
    for number in (11, 21, 31, 41):
        server.add(
            f"Report {number}",
            record_id=number,
            communities=("x",),
            files=(ServedFile("a.pdf", PDF),),
        )
    honest = server.shown

    def one_stale_one_broken(record):
        shown = honest(record)
        if record.record_id == 11:
            shown["metadata"]["relations"]["version"][0]["is_last"] = False
        if record.record_id == 21:
            shown["metadata"] = "none"
        return shown

    server.shown = one_stale_one_broken
    server.fail("/api/records/11/versions/latest", 410)
    server.fail("/api/records/31/files/a.pdf/content", 404)
    fetched = reader.fetch("https://zenodo.org/communities/x")
    assert sorted(contents(fetched)) == ["30/record.html", "40/a.pdf", "40/record.html"]
    problems = {problem.path: problem.problem for problem in fetched.problems}
    assert sorted(problems) == ["10/", "20/", "30/a.pdf"]
    assert "is gone" in problems["10/"]
    assert "is gone" in problems["30/a.pdf"]


# Refusals and limits.


def test_a_client_that_does_not_say_who_it_is_is_refused(server, reader):
    server.add("A report", record_id=11)
    reader.zenodo = Zenodo(client(server, "python-httpx/0.28"), server.base)
    with pytest.raises(SourceUnavailable, match=r"refuses this client \(403\)"):
        reader.fetch(11)
    assert len(server.requests) == 1


def test_being_blocked_in_the_middle_stops_everything(server, reader):
    for number in (11, 21):
        server.add(
            f"Report {number}",
            record_id=number,
            communities=("x",),
            files=(ServedFile("a.pdf", PDF),),
        )
    server.fail("/api/records/11/files/a.pdf/content", 403, body=PAGE)
    with pytest.raises(SourceUnavailable, match=r"refuses this client \(403\)"):
        reader.fetch("https://zenodo.org/communities/x")
    assert server.downloaded() == ["a.pdf"]


def test_a_record_that_is_closed_itself_is_reported(server, reader):
    server.add("A report", record_id=11)
    server.fail("/api/records/11", 403)
    with pytest.raises(SourceUnavailable, match=r"may not be read \(403: not now\)"):
        reader.fetch(11)


def test_what_passes_is_waited_for(server, reader):
    server.add("A report", record_id=11, files=(ServedFile("a.pdf", PDF),))
    server.fail("/api/records/11", 503)
    server.fail("/api/records/11/files/a.pdf/content", 502)
    assert documents(reader.fetch(11)) == {"a.pdf": PDF}
    assert len(server.waits) == 2


@pytest.mark.parametrize("retry_after", [True, False])
def test_a_limit_is_waited_out_as_told(server, reader, retry_after):
    server.retry_after = retry_after
    server.add("A report", record_id=11, files=(ServedFile("a.pdf", PDF),))
    server.per_minute = 2
    # Another client has used up what the address may ask for.
    for _ in range(2):
        httpx2.get(f"{server.base}/api/records/11", headers={"User-Agent": AGENT})
    assert documents(reader.fetch(11)) == {"a.pdf": PDF}
    # On a busy machine the minute of the server has moved on by a moment: that is waited for, too.
    assert len(server.waits) <= 2
    assert 50 < server.waits[0] <= sum(server.waits) < 63


def test_the_headers_are_heeded_before_a_refusal(server, reader):
    for number in (11, 21, 31):
        server.add(
            f"Report {number}",
            record_id=number,
            communities=("x",),
            files=(ServedFile("a.pdf", PDF),),
        )
    server.per_minute = 2
    assert len(documents(reader.fetch("https://zenodo.org/communities/x"))) == 3
    assert len(server.requests) == 4
    assert len(server.waits) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (PAGE, "came as text/html instead of JSON"),
        (b"[]", "led to what is no record"),
        (b'{"id": "../1", "metadata": {}}', "led to what is no record"),
        (b'{"id": 1}', "led to what is no record"),
        (b'{"id": 1, "metadata": {}, "files": {"entries": {}}}', "led to what is no record"),
        (b"[" * 100_000, "instead of JSON"),
    ],
)
def test_what_is_no_record_is_named(server, reader, body, reason):
    server.add("A report", record_id=11)
    server.fail("/api/records/11", 200, body=body)
    with pytest.raises(SourceUnavailable, match=reason) as refused:
        reader.fetch(11)
    assert "\n" not in str(refused.value)


def test_every_request_names_the_client_and_the_wanted_form(server, reader):
    server.add("A report", record_id=101, concept_id=100, files=(ServedFile("a.pdf", PDF),))
    server.new_version(100)
    reader.fetch(101)
    assert len(server.requests) >= 4
    for request in server.requests:
        assert request.headers["user-agent"] == AGENT
        if not request.path.endswith("/content"):
            assert request.headers["accept"] == "application/json"


# The server itself: it must say no where the real one does.


def test_the_server_redirects_and_refuses_as_the_real_one(server):
    server.add("A report", record_id=101, concept_id=100, files=(ServedFile("a b.pdf", PDF),))
    server.new_version(100, record_id=111)

    http = httpx2.Client(base_url=server.base)

    def ask(path: str, agent: str = AGENT) -> httpx2.Response:
        return http.get(path, headers={"User-Agent": agent})

    for path, status, location in (
        ("/api/records/100", 302, "/api/records/111"),
        ("/api/records/101/versions/latest", 301, f"{server.base}/api/records/111"),
        ("/api/records/?q=x", 301, "/api/records?q=x"),
        ("/record/101", 301, "/records/101"),
        ("/record/101/files/a%20b.pdf", 301, "/records/101/files/a%20b.pdf"),
        ("/records/101/latest", 302, "/records/111"),
        ("/doi/10.5281/zenodo.101", 302, f"{server.base}/records/101"),
    ):
        reply = ask(path)
        assert (reply.status_code, reply.headers["location"]) == (status, location), path
    assert ask("/api/records?size=26").json()["errors"][0]["field"] == "size"
    assert ask("/api/records/101/versions?size=26").status_code == 400
    assert ask("/api/records?size=25&page=401").status_code == 400
    assert ask("/api/records?q=x", "curl/8").headers["content-type"].startswith("text/html")
    reply = ask("/records/101/files/a%20b.pdf?download=1")
    assert reply.content == PDF
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment")
    for _ in range(30):
        last = ask("/api/records?q=x")
    assert last.status_code == 429
    assert last.headers["x-ratelimit-remaining"] == "0"
    http.close()


# The deliverables that the framework links.


def test_all_records_of_the_list_are_accounted_for(server, reader, pdf_bytes: Callable[..., bytes]):
    listed = SHARED / "sources-inventory.csv"
    if not listed.is_file():
        pytest.skip("the list of linked sources beside the project is absent")
    with listed.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "Zenodo record"]
    assert len({row["record_id"] for row in rows}) == 44
    real = sorted((SHARED / "corpora" / "pdfs").glob("*.pdf"))
    fates = ("open", "restricted", "embargoed", "gone", "broken", "replaced")

    def make(number: int) -> dict[str, object]:
        place = ids.index(number)
        fate = fates[place % len(fates)]
        content = (
            real[place // 7].read_bytes()
            if place % 7 == 0 and place // 7 < len(real)
            else pdf_bytes([f"Invented text of record {number}."])
        )
        broken = PAGE if fate == "broken" else None
        access = fate if fate in ("restricted", "embargoed") else "open"
        name = f"20230{place % 9 + 1} EXAMPLE D{place}.1 - Report (v1).pdf"
        return {
            "title": f"EXAMPLE D{place}.1 Report {number}",
            "access": access,
            "files": (ServedFile(name, content, instead=broken),),
        }

    ids = [int(row["record_id"]) for row in rows]
    server.seed(ids, make)
    fate_of = {number: fates[place % len(fates)] for place, number in enumerate(ids)}
    newer = ServedFile("new.pdf", OTHER)
    for number, fate in fate_of.items():
        if fate == "gone":
            server.delete(number)
        elif fate == "replaced":
            server.new_version(number - 1, record_id=number + 100_000_000, files=(newer,))
    outcomes: dict[int, str] = {}
    for row in rows:
        number = int(row["record_id"])
        address = row["addresses_as_linked"].split(" ; ")[0]
        try:
            fetched = reader.fetch(address)
        except SourceUnavailable as error:
            outcomes[number] = "gone" if "is gone" in str(error) else str(error)
            continue
        read = documents(fetched)
        record = fetched.source.files[0].record
        assert record.deliverable == f"EXAMPLE D{ids.index(number)}.1"
        assert "record.html" in contents(fetched)
        if read == {"new.pdf": OTHER}:
            assert record.record_id == str(number + 100_000_000)
            outcomes[number] = "replaced"
        elif read:
            assert list(read.values()) == [server.records[number].files[0].content]
            outcomes[number] = "open"
        elif fetched.problems:
            outcomes[number] = "broken"
        else:
            outcomes[number] = fetched.skipped[0].reason.partition(":")[0]
    assert outcomes == fate_of
