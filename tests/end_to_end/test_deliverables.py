"""Deliverables on Zenodo, from the record to a citation, and from one version to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes import HashingEmbedder, answerer_of
from servers.zenodo import ServedFile, ZenodoServer

from ingest import pipeline
from ingest.fetch.client import Client
from ingest.fetch.downloads import Downloads
from ingest.fetch.fetcher import Fetcher
from ingest.gather import Task
from ingest.models import DocumentCounts, IngestReport, Remote
from ingest.pipeline import Knowledge, Memory
from ingest.register import Vocabulary
from ingest.sources import Registry, listed_sources
from rag.errors import SourceUnavailable
from rag.messages import Messages
from rag.models import Answer, Question

FIRST = "The harbour council lends the tide gauges to every island for ninety days."
SECOND = "The harbour council lends the tide gauges to every island for thirty days."
QUESTION = Question("For how many days does the harbour council lend the tide gauges?")
RECORD = Remote("gauges", "zenodo", "https://zenodo.org/records/101")


@dataclass
class Desk:
    """A helpdesk with a Zenodo of its own."""

    server: ZenodoServer
    fetch: Fetcher
    data: Path
    root: Path

    def ingest(self, *remotes: Remote) -> IngestReport:
        return pipeline.run(
            Task(remotes or [RECORD]),
            fetch=self.fetch,
            knowledge=Knowledge((), {}, Vocabulary((), {})),
            memory=Memory.of(self.data),
            embedder=HashingEmbedder(),
            progress=self,
        )

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None

    def ask(self) -> Answer:
        generation = Memory.of(self.data).store.open()
        messages = Messages.load(self.root / "corpus" / "messages")
        return answerer_of(generation, HashingEmbedder(), messages).answer(QUESTION)


@pytest.fixture
def own_desk(tmp_path: Path, root: Path) -> Iterator[Desk]:
    with (
        ZenodoServer() as server,
        Client(
            "helpdesk-test/1.0 (+https://tide.example)",
            allowed_hosts=frozenset({"127.0.0.1"}),
            sleep=server.sleep,
        ) as client,
    ):
        downloads = Downloads(tmp_path / "data" / "downloads")
        fetch = Fetcher(client, downloads, zenodo=server.base, github=server.base)
        yield Desk(server, fetch, tmp_path / "data", root)


@pytest.fixture
def desk(own_desk: Desk, reader_here: None) -> Desk:
    """The same, and files are read in the process of the test."""
    return own_desk


def test_a_deliverable_is_cited_with_its_number_version_and_page(
    own_desk: Desk, pdf_bytes: Callable[..., bytes]
) -> None:
    pdf = ServedFile("202306 TIDE D6.7 - Gauges (v1).pdf", pdf_bytes(["Contents", FIRST]))
    own_desk.server.add("TIDE D6.7 Lending of gauges", record_id=101, concept_id=100, files=(pdf,))
    assert own_desk.ingest().documents == DocumentCounts(added=2)
    answer = own_desk.ask()
    assert "ninety" in answer.text
    cited = answer.citations[0]
    assert cited.quote == FIRST
    assert cited.url == (
        f"{own_desk.server.base}/records/101/files/202306%20TIDE%20D6.7%20-%20Gauges%20(v1).pdf#page=2"
    )
    assert (cited.deliverable, cited.version, cited.published) == ("TIDE D6.7", "v1", "2023-10-31")
    assert (cited.doi, cited.concept_doi) == ("10.5281/zenodo.101", "10.5281/zenodo.100")
    assert (cited.licence, cited.dated_by, cited.superseded_by) == ("CC-BY-4.0", None, None)


def test_a_new_version_is_followed_and_the_old_one_gone_from_answers(
    desk: Desk, pdf_bytes: Callable[..., bytes]
) -> None:
    first = ServedFile("gauges-v1.pdf", pdf_bytes([FIRST]))
    desk.server.add("TIDE D6.7 Gauges", record_id=101, concept_id=100, files=(first,))
    desk.ingest()
    assert desk.ingest().documents == DocumentCounts(unchanged=2)
    second = ServedFile("gauges-v2.pdf", pdf_bytes([SECOND]))
    desk.server.new_version(100, record_id=202, files=(second,), version="v2")
    report = desk.ingest()
    assert report.removed == ("gauges:gauges-v1.pdf",)
    assert report.added == ("gauges:gauges-v2.pdf",)
    assert [each.reason for each in report.skipped] == [
        "replaced by its newer version 202, which is read"
    ]
    answer = desk.ask()
    assert "thirty" in answer.text
    assert "ninety" not in answer.text
    assert {cited.doi for cited in answer.citations} == {"10.5281/zenodo.202"}
    assert {cited.version for cited in answer.citations} == {"v2"}


@pytest.mark.parametrize("abstract", ["<p>On the lending of gauges.</p>", None])
def test_a_version_is_not_kept_in_place_of_a_newer_one_that_cannot_be_had(
    desk: Desk, pdf_bytes: Callable[..., bytes], abstract: str | None
) -> None:
    first = ServedFile("gauges.pdf", pdf_bytes([FIRST]))
    desk.server.add("Gauges", record_id=101, concept_id=100, files=(first,), description=abstract)
    desk.ingest()
    broken = ServedFile("gauges.pdf", pdf_bytes([SECOND]), instead=b"<html>Please wait.</html>")
    desk.server.new_version(100, record_id=202, files=(broken,))
    report = desk.ingest()
    assert [each.path for each in report.problems] == ["gauges.pdf"]
    assert report.stale == ("gauges",)
    assert "gauges:gauges.pdf" in report.removed
    assert all(cited.doi == "10.5281/zenodo.202" for cited in desk.ask().citations)


def test_a_file_that_is_broken_today_is_kept_while_its_version_is_the_newest(
    desk: Desk, pdf_bytes: Callable[..., bytes]
) -> None:
    pdf = ServedFile("gauges.pdf", pdf_bytes([FIRST]))
    desk.server.add("Gauges", record_id=101, concept_id=100, files=(pdf,))
    desk.ingest()
    changed = ServedFile("gauges.pdf", pdf_bytes([SECOND]), checksum="md5:" + "0" * 32)
    desk.server.change(101, files=(changed,))
    report = desk.ingest()
    assert (report.stale, report.documents.unchanged) == (("gauges",), 2)
    assert "ninety" in desk.ask().text


def test_a_record_that_is_deleted_keeps_its_last_copy_and_is_stale(
    desk: Desk, pdf_bytes: Callable[..., bytes]
) -> None:
    pdf = ServedFile("gauges.pdf", pdf_bytes([FIRST]))
    desk.server.add("Gauges", record_id=101, concept_id=100, files=(pdf,))
    desk.ingest()
    desk.server.delete(101)
    report = desk.ingest()
    assert report.stale == ("gauges",)
    assert "is gone" in report.problems[0].problem
    assert "ninety" in desk.ask().text


def test_a_record_that_calls_another_its_older_version_marks_its_citations(
    desk: Desk, pdf_bytes: Callable[..., bytes]
) -> None:
    desk.server.add(
        "Gauges, first", record_id=101, files=(ServedFile("a.pdf", pdf_bytes([FIRST])),)
    )
    desk.server.add(
        "Ropes", record_id=301, files=(), related=(("isNewVersionOf", "10.5281/zenodo.101", "doi"),)
    )
    desk.ingest(RECORD, Remote("ropes", "zenodo", "10.5281/zenodo.301"))
    (cited,) = {each.superseded_by for each in desk.ask().citations if each.source == "gauges"}
    assert cited == f"{desk.server.base}/records/301"


def test_a_new_version_with_the_same_bytes_is_cited_as_the_new_one(
    desk: Desk, pdf_bytes: Callable[..., bytes]
) -> None:
    pdf = ServedFile("gauges.pdf", pdf_bytes([FIRST]))
    desk.server.add("Gauges", record_id=101, concept_id=100, files=(pdf,))
    desk.ingest()
    desk.server.new_version(100, record_id=202, version="v2", licence="cc-by-nd-4.0")
    assert desk.ingest().documents.changed == 2
    (cited,) = {(each.doi, each.version, each.licence) for each in desk.ask().citations}
    assert cited == ("10.5281/zenodo.202", "v2", "CC-BY-ND-4.0")


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_version_is_not_cited_when_its_successor_may_not_be_read(
    desk: Desk, pdf_bytes: Callable[..., bytes], status: int
) -> None:
    pdf = ServedFile("gauges.pdf", pdf_bytes([FIRST]))
    desk.server.add("Gauges", record_id=101, concept_id=100, files=(pdf,))
    desk.ingest()
    desk.server.new_version(100, record_id=202)
    desk.server.fail("/api/records/101/versions/latest", status, times=9)
    report = desk.ingest()
    assert report.stale == ("gauges",)
    assert "has been replaced" in report.problems[0].problem
    assert report.removed == ("gauges:gauges.pdf", "gauges:record.html")
    assert desk.ask().status == "abstained"


def test_a_version_that_one_source_knows_to_be_replaced_is_gone_from_all(
    desk: Desk, pdf_bytes: Callable[..., bytes]
) -> None:
    pdf = ServedFile("gauges.pdf", pdf_bytes([FIRST]))
    desk.server.add("Gauges", record_id=101, concept_id=100, communities=("tide",), files=(pdf,))
    community = Remote("all", "zenodo", "https://zenodo.org/communities/tide")
    desk.ingest(community)
    second = ServedFile("gauges.pdf", pdf_bytes([SECOND]))
    desk.server.new_version(100, record_id=202, files=(second,))
    desk.ingest()
    assert {each.doi for each in desk.ask().citations} == {"10.5281/zenodo.202"}


@pytest.mark.parametrize(
    "odd",
    [{"title": "Gauges \ud83d"}, {"description": "<p>\ud83d Gauges</p>"},
     {"related": (("isNewVersionOf", "9" * 5000, "doi"),)}],
    ids=["title", "abstract", "relation"],
)  # fmt: skip
def test_an_odd_record_is_read_or_refused_in_one_line(
    desk: Desk, pdf_bytes: Callable[..., bytes], odd: dict[str, Any]
) -> None:
    pdf = ServedFile("gauges.pdf", pdf_bytes([FIRST]))
    record = {"title": "Gauges", "record_id": 101, "files": (pdf,), **odd}
    desk.server.add(record.pop("title"), **record)
    report = desk.ingest()
    assert all("\n" not in each.problem for each in report.problems)
    assert "ninety" in desk.ask().text


def test_every_listed_record_is_accounted_for(
    desk: Desk, root: Path, pdf_bytes: Callable[..., bytes]
) -> None:
    registry = Registry.load(root / "corpus")
    named = listed_sources(registry.sources, registry)
    remotes = [each for each in named.sources if each.kind == "zenodo"]
    assert named.unavailable == ()
    assert len(remotes) == 44
    assert all(registry.sources[each.name].linked_from for each in remotes)
    pdf = ServedFile("report.pdf", pdf_bytes([FIRST]))
    numbers = [int(each.address.rpartition("/")[2]) for each in remotes]
    desk.server.seed(
        numbers,
        lambda number: {
            "files": (pdf,), "access": "restricted" if number == numbers[1] else "open",
        },
    )  # fmt: skip
    desk.server.delete(numbers[2])
    fates: dict[str, list[str]] = {"files": [], "abstract only": [], "failed": []}
    for remote in remotes:
        if remote is remotes[2]:
            with pytest.raises(SourceUnavailable, match="is gone"):
                desk.fetch(remote, lambda _: None)
            fates["failed"].append(remote.name)
            continue
        fetched = desk.fetch(remote, lambda _: None)
        paths = [each.path for each in fetched.source.files or ()]
        fates["files" if "report.pdf" in paths else "abstract only"].append(remote.name)
    assert {fate: len(names) for fate, names in fates.items()} == {
        "files": 42, "abstract only": 1, "failed": 1,
    }  # fmt: skip
