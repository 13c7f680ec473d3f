from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import sqlite3
import sys
import tarfile
import time
from collections import namedtuple
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pypandoc
import pytest
from fakes import HashingEmbedder
from servers.chroma import ChromaProcess
from servers.github import GitHubServer, ServedCommit
from servers.site import Answer, SiteServer, moved
from servers.zenodo import ServedFile, ZenodoServer, _Answer

from ingest import doctor, online
from ingest.assumed import site
from ingest.cache import EmbeddingCache
from ingest.check import Check
from ingest.fetch.client import Client
from ingest.loaders import ocr
from ingest.models import Loaded
from ingest.readings import Readings
from ingest.sources import ListedSource, Registry
from ingest.sync import SyncLog
from rag.chroma_server import ChromaServer
from rag.index_writer import StoredDocument
from rag.models import Part, Record
from rag.store import Store

# The shelf lies beside the tests of the core.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "rag"))
import shelf

EMBEDDER = HashingEmbedder().name


def lines(checks: Sequence[Check]) -> list[str]:
    return [f"{each.verdict} {each.name}: {each.said}" for each in checks]


def of(data: Path) -> list[str]:
    """What the doctor says of a data directory."""
    return lines(list(doctor.of_index(Store(data), data, EMBEDDER)))


def faults(said: Sequence[str]) -> list[str]:
    return [each for each in said if each.startswith("fault")]


def sound() -> shelf.Shelf:
    """A shelf whose cards tell the truth."""
    whole = shelf.framework()
    return replace(
        whole,
        documents=tuple(
            replace(each, card=replace(each.card, chunks=1))
            if each.card.document_id == "articles:storage-fees.md"
            else each
            for each in whole.documents
        ),
        articles=(shelf.APPLY, shelf.STORAGE),
    )


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    shelf.written(folder, sound())
    return folder


@pytest.fixture
def data(_made: Path, tmp_path: Path) -> Path:
    """A data directory as runs leave it, all of it in order."""
    folder = shutil.copytree(_made, tmp_path / "desk")
    EmbeddingCache(folder / "embeddings.sqlite").passages(["Ebb."], HashingEmbedder())
    Readings(folder / "readings.sqlite").put("key", [Loaded()])
    SyncLog(folder / "sync.json").record({"aurora": None}, was=None, generation=None)
    return folder


def generation(data: Path) -> Path:
    return data / "generations" / shelf.FIRST


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def shorten(file: Path) -> None:
    np.save(file, np.load(file)[1:])


def change(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(generation(data) / "index.sqlite")) as database, database:
        database.execute(statement)


def everything(folder: Path) -> dict[str, tuple[str, int]]:
    """Each file below a folder with a hash and the moment of its last change."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


# The index


def test_an_index_in_order_has_no_fault(data: Path) -> None:
    said = of(data)
    assert faults(said) == []
    assert f"ok index: generation {shelf.FIRST}" in "\n".join(said)
    assert "ok sources: 1, none stale" in said
    assert "ok embeddings.sqlite: sound" in said
    assert "ok rollback: earlier generations to go back to: 0" in said


def test_the_doctor_leaves_every_file_as_it_was(data: Path) -> None:
    before = everything(data)
    of(data)
    assert everything(data) == before


def test_what_is_damaged_is_not_mended_by_a_look_at_it(data: Path) -> None:
    (generation(data) / "chroma" / "chroma.sqlite3").unlink()
    before = everything(data)
    assert faults(of(data))
    assert everything(data) == before


def test_the_caches_are_sound_while_an_ingest_writes_them(data: Path) -> None:
    with closing(sqlite3.connect(data / "embeddings.sqlite")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM vectors")
        assert faults(of(data)) == []


def test_where_nothing_is_indexed_the_doctor_says_how_to_begin(tmp_path: Path) -> None:
    (fault,) = faults(of(tmp_path / "nowhere"))
    assert fault.startswith("fault index: there is no index")
    assert "python -m ingest run" in fault
    assert not (tmp_path / "nowhere").exists()


def test_a_generation_that_is_gone_is_told_from_none(data: Path) -> None:
    shutil.rmtree(generation(data))
    assert "names no generation that is there" in faults(of(data))[0]


def test_another_embedder_is_a_fault(data: Path) -> None:
    said = lines(list(doctor.of_index(Store(data), data, "another")))
    (fault,) = faults(said)
    assert fault.startswith(f"fault embedder: the index was built with {EMBEDDER}")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("index", lambda data: cut(generation(data) / "index.sqlite")),
        ("index", lambda data: (generation(data) / "index.sqlite").unlink()),
        ("index", lambda data: (generation(data) / "index.sqlite").write_bytes(b"")),
        ("index", lambda data: (generation(data) / "index.sqlite").write_bytes(b"tide" * 999)),
        ("vectors", lambda data: shutil.rmtree(generation(data) / "chroma")),
        ("vectors", lambda data: (generation(data) / "chroma" / "chroma.sqlite3").unlink()),
        ("vectors", lambda data: cut(generation(data) / "chroma" / "chroma.sqlite3")),
        ("index", lambda data: (generation(data) / "chunks.npy").unlink()),
        ("index", lambda data: cut(generation(data) / "sentences.npy")),
        ("index", lambda data: shorten(generation(data) / "chunks.npy")),
        ("index", lambda data: change(data, "UPDATE meta SET value='1' WHERE key='format'")),
        ("chunks", lambda data: change(data, "UPDATE chunks SET content='{' WHERE number=2")),
        ("chunks", lambda data: change(data, "DELETE FROM chunks WHERE number=2")),
        ("chunks", lambda data: change(data, "DELETE FROM documents WHERE path='guide.pdf'")),
        ("records", lambda data: change(data, "UPDATE documents SET card='[]'")),
        ("sources", lambda data: cut(data / "sync.json")),
        ("sources", lambda data: (data / "sync.json").write_bytes(b"\xff\xfe")),
        ("embeddings.sqlite", lambda data: cut(data / "embeddings.sqlite")),
        ("readings.sqlite", lambda data: (data / "readings.sqlite").write_bytes(b"tide" * 999)),
    ],
)
def test_damage_is_a_fault_and_ends_nothing(
    data: Path, name: str, damage: Callable[[Path], object]
) -> None:
    damage(data)
    said = of(data)
    assert any(each.startswith(f"fault {name}: ") for each in said), said
    assert said[-1].startswith("ok pandoc"), "all other checks are made"


def test_a_damaged_cache_may_be_removed(data: Path) -> None:
    cut(data / "embeddings.sqlite")
    (fault,) = faults(of(data))
    assert f"remove {data / 'embeddings.sqlite'}" in fault


def test_chunks_that_belong_to_nothing_and_documents_without_theirs_are_named(data: Path) -> None:
    change(data, "DELETE FROM documents WHERE path='guide.pdf'")
    change(data, "DELETE FROM chunks WHERE document_id='aurora:pages/access.md'")
    said = "\n".join(faults(of(data)))
    assert "some belong to no document: aurora:guide.pdf" in said
    assert "not as many as their documents say: aurora:pages/access.md" in said


def test_vectors_that_no_search_finds_are_missed_although_they_are_counted(tmp_path: Path) -> None:
    many = [
        shelf.page(f"{number}.md", f"Page {number}", Part(f"Wave {number} breaks here."))
        for number in range(1_100)
    ]
    shelf.written(tmp_path, shelf.shelved(*many))
    for folder in (generation(tmp_path) / "chroma").iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    Store(tmp_path).open().close()
    fault = next(each for each in of(tmp_path) if each.startswith("fault vectors"))
    assert re.search(r"a search finds \d+ of 1100 chunks", fault)
    assert f"remove {generation(tmp_path)}" in fault


def test_what_a_server_has_lost_is_told_with_the_cure_that_brings_it_back(tmp_path: Path) -> None:
    with ChromaProcess(tmp_path / "chroma") as running:
        server = ChromaServer(running.address)
        store, made = Store(tmp_path / "data", server), shelf.contents(sound())
        store.write(shelf.FIRST, made)
        store.write(shelf.SECOND, made)
        server.remove(shelf.SECOND)
        kinds = {"chunks": made.chunk_vectors, "sentences": made.sentence_vectors}
        server.write(shelf.SECOND, {**kinds, "asks": made.ask_vectors[:1]}, lambda _: None)
        found = faults(lines(list(doctor.of_index(store, tmp_path / "data", EMBEDDER))))
    assert any(each.startswith("fault vectors") for each in found)
    for fault in found:
        assert "has lost vectors" in fault
        assert "build it anew with: python -m ingest run" in fault
        assert "rollback" not in fault


def test_vectors_beside_chroma_that_are_not_chromas_are_a_fault(data: Path) -> None:
    file = generation(data) / "sentences.npy"
    vectors = np.load(file)
    vectors[3] = -vectors[3]
    np.save(file, vectors)
    (fault,) = faults(of(data))
    assert fault.startswith(
        f"fault mapped vectors: sentences.npy differs from Chroma in 1 of {len(vectors)} vectors"
    )


def test_of_many_vectors_some_are_looked_up_from_the_first_to_the_last() -> None:
    numbers = doctor._spread(100_000)
    assert (numbers[0], numbers[-1], len(numbers)) == (0, 99_999, 1_000)
    assert doctor._spread(3).tolist() == [0, 1, 2]
    assert doctor._spread(0).tolist() == []


def test_with_an_earlier_generation_the_cure_is_to_go_back(data: Path) -> None:
    shelf.written(data, sound(), shelf.SECOND)
    assert "ok rollback: earlier generations to go back to: 1" in of(data)
    database = data / "generations" / shelf.SECOND / "index.sqlite"
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("DELETE FROM chunks WHERE number=2")
    assert "python -m ingest rollback" in faults(of(data))[0]


def test_evidence_that_points_nowhere_is_a_fault(tmp_path: Path) -> None:
    lost = shelf.evidence("pages/gone.md", "It was written there.")
    article = shelf.article("lost", ("Where is it?",), ("There.", (lost,)))
    shelf.written(tmp_path, replace(sound(), articles=(article,)))
    (fault,) = faults(of(tmp_path))
    assert "evidence points at chunks that are not there: lost;" in fault


def test_stale_articles_are_noted(tmp_path: Path) -> None:
    shelf.written(tmp_path, replace(sound(), articles=(shelf.SHARE,)))
    said = of(tmp_path)
    assert (
        "note articles: stale, their sentence is no longer on its page: share;"
        " python -m ingest articles check says which sentence"
    ) in said
    assert faults(said) == []


def _deliverable(number: int, superseded_by: str | None = None) -> StoredDocument:
    record = Record(
        str(number), "100", "A deliverable", f"{shelf.SITE}/{number}", "open", f"10.1/{number}"
    )
    stored, _ = shelf.page(f"{number}.pdf", "A deliverable", source=f"zenodo-{number}")
    return replace(stored, card=replace(stored.card, record=record, superseded_by=superseded_by))


def test_a_replaced_record_is_noted(tmp_path: Path) -> None:
    documents = (_deliverable(101, "https://doi.org/10.1/102"), _deliverable(102))
    shelf.written(tmp_path, shelf.Shelf(documents=documents))
    said = of(tmp_path)
    assert "note records: replaced by others, and cited as such: zenodo-101:101.pdf" in said
    assert faults(said) == []


def test_two_versions_of_a_record_are_a_fault(tmp_path: Path) -> None:
    shelf.written(tmp_path, shelf.Shelf(documents=(_deliverable(101), _deliverable(102))))
    (fault,) = faults(of(tmp_path))
    assert "versions 101, 102 of one record" in fault
    assert "read again: zenodo-101, zenodo-102" in fault


def test_a_stale_source_is_a_fault_that_says_since_when_and_why(data: Path) -> None:
    log = SyncLog(data / "sync.json")
    since = log.states(None)["aurora"].read_at
    log.record(
        {"aurora": "the pier is closed", "house": "no such house"}, was=None, generation=None
    )
    assert faults(of(data)) == [
        f"fault sources: aurora is stale (last had {since}): the pier is closed;"
        " tried again by: python -m ingest run --source aurora",
        "fault sources: house is stale (never had): no such house;"
        " tried again by: python -m ingest run --source house",
    ]


def test_an_index_that_a_clock_of_later_has_built_is_noted(tmp_path: Path) -> None:
    later = "20990101T080000Z-aaaaaaaa"
    store = shelf.written(tmp_path, shelf.framework())
    store.write(later, shelf.contents(shelf.framework()))
    assert any("still to come" in each for each in of(tmp_path) if each.startswith("note clock"))


def test_drafts_of_a_killed_run_are_noted(data: Path) -> None:
    (data / "generations" / f".{shelf.SECOND}.draft").mkdir()
    (note,) = [each for each in of(data) if each.startswith("note drafts")]
    assert shelf.SECOND in note
    assert "the next run removes it" in note


def test_a_full_disk_is_a_fault(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(path.stat().st_size for path in generation(data).rglob("*") if path.is_file())
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 3 * size - 1))
    assert [each.split(":")[0] for each in faults(of(data))] == ["fault disk"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 3 * size))
    assert faults(of(data)) == []


def test_missing_programs_are_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> str:
        raise OSError("No pandoc was found")

    monkeypatch.setattr(ocr, "installed", lambda: ())
    monkeypatch.setattr(pypandoc, "get_pandoc_version", gone)
    said = of(data)
    assert any(each.startswith("note tesseract: not installed") for each in said)
    assert any(each.startswith("fault pandoc: cannot be run") for each in said)


# The services


PAGES = {
    "index.html": "<h1>Tide watch</h1>",
    "ebb.html": '<h1 id="ebb">Ebb</h1><h2 id="first-hour">First hour</h2>',
    "flow.html": '<h1>Flow</h1><a name="high-water">High water</a>',
}


@dataclass
class Desk:
    """Three services that are as assumed, and who asks them."""

    zenodo: ZenodoServer
    github: GitHubServer
    site: SiteServer
    data: Path
    record: str = "90000203"
    slept: list[float] = field(default_factory=list)

    def registry(self, kinds: Collection[str]) -> Registry:
        listed = (
            ListedSource(name="articles", kind="articles"),
            ListedSource(
                name="tidewatch", kind="jekyll", address="https://github.com/invented/tidewatch"
            ),
            ListedSource(name="tides", kind="site", address=self.site.address),
            ListedSource(
                name="community", kind="zenodo", address=f"{self.zenodo.base}/communities/x"
            ),
            ListedSource(
                name="report", kind="zenodo", address=f"https://zenodo.org/record/{self.record}"
            ),
        )
        return Registry(self.data, {each.name: each for each in listed if each.kind in kinds})

    def connect(self) -> Client:
        return Client(
            "tidewatch-test/1 (+https://tides.example)",
            allowed_hosts=frozenset({"127.0.0.1"}),
            sleep=self.slept.append,
        )

    def checked(self, *kinds: str, within_s: float = 30) -> list[str]:
        """What is said of the services, or of the one that sources of a kind come from."""
        return lines(
            online.of_services(
                self.connect,
                self.registry(kinds or ("articles", "jekyll", "site", "zenodo")),
                Store(self.data),
                zenodo=self.zenodo.base,
                github=self.github.address,
                within_s=within_s,
            )
        )

    def faults(self, *kinds: str) -> list[str]:
        return faults(self.checked(*kinds))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Desk]:
    """All well: a record with three versions, a repository, a site with two indexed pages."""
    pages = tmp_path / "site"
    pages.mkdir()
    for name, body in PAGES.items():
        (pages / name).write_text(f"<!doctype html><html><body>{body}</body></html>")
    files = (
        ServedFile("A report (v2) – ebb.pdf", b"%PDF-1.7 tide"),
        ServedFile("b.txt", b"x" * 99),
    )
    commit = ServedCommit({"_config.yml": "title: Tides", "index.md": "# Tides"})
    with ZenodoServer() as zenodo, GitHubServer(commit) as github, SiteServer(pages) as site:
        zenodo.per_minute = zenodo.searches_per_minute = 500
        for number in (90000101, 90000203, 90000305):
            zenodo.add("A report", record_id=number, concept_id=90000100, files=files)
        site.robots = "User-agent: *\nDisallow: /private\n"
        site.list_all()
        yield Desk(zenodo, github, site, tmp_path / "desk")


def index_of(served: Desk, *anchors: str) -> None:
    """Index two pages of the site, one of them with chunks that cite some anchors."""
    ebb = [Part(f"The water goes at {anchor}.", anchor=anchor) for anchor in anchors]
    flow, far = Part("It comes.", anchor="high-water"), Part("Elsewhere.", anchor="far")
    site = served.site.address
    shelf.written(
        served.data,
        shelf.shelved(
            shelf.page("ebb.md", "Ebb", *ebb, site=site),
            shelf.page("flow.md", "Flow", flow, site=site),
            shelf.page("far.md", "Far", far, site="https://far.example"),
        ),
    )


def test_services_that_are_as_assumed_have_no_fault(served: Desk) -> None:
    index_of(served, "ebb", "first-hour")
    said = served.checked()
    assert faults(said) == []
    assert said == [
        "ok Zenodo: record 90000203 has the shape that is read",
        "ok Zenodo: its 2 files are described as they are read",
        "ok Zenodo: its rate limits are told",
        "ok Zenodo: its versions are listed, newest first",
        "ok Zenodo: its concept leads to the newest version",
        "ok Zenodo: more than 25 on a page are refused",
        "ok Zenodo: a search finds it",
        "ok Zenodo: old addresses of records lead to new ones",
        "ok Zenodo: a file has the bytes that are stated",
        "ok GitHub: the newest commit of invented/tidewatch has the shape that is read",
        "ok GitHub: the newest commit of invented/tidewatch is answered with 304 where it is known",
        "ok GitHub: the archive of a commit has one folder at its top, named after it",
        "ok tides: robots.txt lets us in",
        "ok tides: its sitemap lists 3 addresses",
        "ok tides: its start page is HTML, open to all",
        "ok tides: an unchanged page is answered with 304",
        "ok tides: 3 cited anchors of 2 pages are where citations lead",
    ]


def test_the_online_checks_write_nothing(served: Desk) -> None:
    index_of(served, "ebb")
    before = everything(served.data)
    served.checked()
    assert everything(served.data) == before


def test_without_an_index_citations_are_not_looked_up(served: Desk) -> None:
    said = served.checked()
    assert "note tides: there is no index whose citations could be looked up" in said
    assert faults(said) == []


def test_without_listed_sources_nothing_is_asked(tmp_path: Path) -> None:
    def connect() -> Client:
        raise AssertionError("asked")

    said = online.of_services(
        connect,
        Registry(tmp_path),
        Store(tmp_path),
        zenodo="https://zenodo.org",
        github="https://x.org",
    )
    assert lines(said) == ["note services: no source on the web is listed"]


Shown = dict[str, Any]


def in_records(edit: Callable[[Shown], object]) -> Callable[[ZenodoServer], None]:
    """Change each record that the server shows."""

    def break_it(zenodo: ZenodoServer) -> None:
        shown = zenodo.shown

        def edited(record: Any) -> Shown:
            answer = shown(record)
            edit(answer)
            return answer

        zenodo.shown = edited  # type: ignore[method-assign]

    return break_it


def in_answers(
    edit: Callable[[str, _Answer], _Answer | None],
) -> Callable[[ZenodoServer], None]:
    """Change some answers by their address."""

    def break_it(zenodo: ZenodoServer) -> None:
        answer = zenodo.answer

        def edited(target: str, headers: Any) -> _Answer:
            given = answer(target, headers)
            return edit(target, given) or given

        zenodo.answer = edited  # type: ignore[method-assign]

    return break_it


def _files(edit: Callable[[Shown], object]) -> Callable[[ZenodoServer], None]:
    return in_records(lambda record: [edit(file) for file in record["files"]])


def _version(record: Shown) -> Shown:
    version: Shown = record["metadata"]["relations"]["version"][0]
    return version


def _without(answer: _Answer, header: str) -> _Answer:
    return replace(
        answer, headers={name: each for name, each in answer.headers.items() if name != header}
    )


def _upside_down(target: str, answer: _Answer) -> _Answer | None:
    if "/versions?" not in target or answer.status != 200:
        return None
    said = json.loads(answer.body)
    said["hits"]["hits"].reverse()
    return replace(answer, body=json.dumps(said).encode())


def _in_list(edit: Callable[[Shown], object]) -> Callable[[ZenodoServer], None]:
    def changed(target: str, answer: _Answer) -> _Answer | None:
        if "?" not in target or answer.status != 200:
            return None
        said = json.loads(answer.body)
        edit(said)
        return replace(answer, body=json.dumps(said).encode())

    return in_answers(changed)


HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (in_records(lambda each: each.update(id=str(each["id"]))), "id is not an integer any more"),
        (
            in_records(lambda each: each.update(conceptrecid=int(each["conceptrecid"]))),
            "conceptrecid is not a string of digits any more",
        ),
        (in_records(lambda each: each.pop("conceptrecid")), "conceptrecid is missing"),
        (
            in_records(lambda each: each.update(doi=f"https://doi.org/{each['doi']}")),
            "doi is not a bare DOI any more",
        ),
        (in_records(lambda each: each["metadata"].pop("title")), "metadata.title is missing"),
        (
            in_records(lambda each: each["metadata"].update(publication_date="May 2023")),
            "metadata.publication_date is not an ISO date any more",
        ),
        (
            in_records(lambda each: each["metadata"].update(access_right="public")),
            "metadata.access_right is not one of open, restricted and embargoed any more",
        ),
        (
            in_records(lambda each: each["metadata"].update(creators=["Ada"])),
            "metadata.creators is not a list of objects with a name any more",
        ),
        (
            in_records(lambda each: each["metadata"].update(relations={"version": []})),
            "metadata.relations.version is not a list of one object any more",
        ),
        (
            in_records(lambda each: _version(each).pop("is_last")),
            "metadata.relations.version.0.is_last is missing",
        ),
        (
            in_records(lambda each: _version(each)["parent"].update(pid_value="7")),
            "metadata.relations.version[0].parent.pid_value is not conceptrecid any more",
        ),
        (
            in_records(lambda each: each["metadata"].update(license={"id": "CC-BY-4.0"})),
            "metadata.license.id is not an id in lower case any more",
        ),
        (
            in_records(lambda each: each["metadata"].update(language="en")),
            "metadata.language is not a code of three letters any more",
        ),
        (in_records(lambda each: each["links"].pop("self_html")), "links.self_html is missing"),
        (in_records(lambda each: each.update(files={})), "files is not a list any more"),
        (
            _files(lambda file: file.update(checksum=file["checksum"].removeprefix("md5:"))),
            "files[].checksum has no md5: prefix any more",
        ),
        (
            _files(lambda file: file.update(checksum="sha256:00")),
            "files[].checksum is not md5: and 32 digits any more",
        ),
        (
            _files(lambda file: file.update(filename=file.pop("key"))),
            "files[].key is not a text any more",
        ),
        (
            _files(lambda file: file.update(size=str(file["size"]))),
            "files[].size is not an integer any more",
        ),
        (
            _files(
                lambda file: file["links"].update(
                    self=file["links"]["self"].removesuffix("/content")
                )
            ),
            "files[].links.self does not end in /content any more",
        ),
        (
            _files(
                lambda file: file["links"].update(self=file["links"]["self"].replace("(", "%28"))
            ),
            "files[].links.self spells the name of the file in another way",
        ),
        (
            in_answers(lambda _, answer: _without(answer, "X-RateLimit-Remaining")),
            "the header x-ratelimit-remaining is not sent any more",
        ),
        (
            in_answers(_upside_down),
            "the list of versions is not in the order newest first any more",
        ),
        (
            in_records(lambda each: _version(each).update(is_last=True)),
            "is_last is not true of the first in the list of versions, and of it alone",
        ),
        (
            _in_list(lambda said: said["hits"].update(total={"value": 3})),
            "hits.total is not an integer any more",
        ),
        (_in_list(lambda said: said.update(hits=[])), "has no records at hits.hits any more"),
        (
            _in_list(lambda said: said["links"].pop("next", None)),
            "links.next is missing in a list that goes on",
        ),
        (
            _in_list(lambda said: said["links"].update(next="https://far.example/2")),
            "links.next leads to another host",
        ),
        (
            in_answers(
                lambda target, _: (
                    _Answer(404, b"{}", {"Content-Type": "application/json"})
                    if target.endswith("/90000100")
                    else None
                )
            ),
            "concept 90000100 is gone",
        ),
        (
            in_answers(
                lambda target, _: (
                    _Answer(302, b"", {"Location": "/api/records/90000101"})
                    if target.endswith("/latest")
                    else None
                )
            ),
            "versions/latest does not lead to the newest version",
        ),
        (
            in_answers(
                lambda target, answer: replace(answer, status=200) if "size=26" in target else None
            ),
            "size=26 is answered with 200 instead of refused with 400",
        ),
        (
            in_answers(
                lambda target, answer: replace(answer, body=b"{}") if "size=26" in target else None
            ),
            "a refusal has no message any more",
        ),
        (
            in_answers(
                lambda target, _: (
                    _Answer(200, b"[]", {"Content-Type": "application/json"})
                    if "?q=" in target
                    else None
                )
            ),
            "a search for conceptrecid:90000100 has no records at hits.hits any more",
        ),
        (
            in_answers(
                lambda target, _: _Answer(404, b"", HTML) if target.startswith("/record/") else None
            ),
            "the old address /record/90000203 answers 404",
        ),
        (
            in_answers(
                lambda target, _: (
                    _Answer(200, b"old", HTML) if target.startswith("/record/") else None
                )
            ),
            "the old address /record/90000203 leads to /record/90000203 instead",
        ),
        (
            in_answers(
                lambda target, answer: (
                    replace(answer, headers=answer.headers | {"Content-Type": "application/pdf"})
                    if target.endswith("/content")
                    else None
                )
            ),
            "files are sent as application/pdf instead of application/octet-stream",
        ),
        (
            in_answers(
                lambda target, answer: (
                    replace(answer, body=b"%PDF-1.7 TIDE") if target.endswith("/content") else None
                )
            ),
            "does not match files[].checksum",
        ),
        (
            in_answers(
                lambda target, answer: (
                    replace(answer, body=b"<html>") if target.endswith("/content") else None
                )
            ),
            "has 6 bytes where files[].size says 13",
        ),
        (
            in_answers(
                lambda target, _: (
                    _Answer(200, b"<html>", HTML) if target.endswith("/90000203") else None
                )
            ),
            "record 90000203 comes as text/html instead of JSON",
        ),
        (lambda zenodo: zenodo.delete(90000203), "record 90000203 is gone: Record deleted"),
        (
            in_answers(lambda *_: _Answer(403, b"<h1>403 Forbidden</h1>", HTML)),
            "refuses this client (403)",
        ),
    ],
)
def test_what_differs_at_zenodo_is_named(
    served: Desk, broken: Callable[[ZenodoServer], None], said: str
) -> None:
    broken(served.zenodo)
    found = served.faults("zenodo")
    assert any(each.startswith("fault Zenodo: ") and said in each for each in found), found


def test_a_concept_that_no_longer_redirects_is_named(served: Desk) -> None:
    answer = served.zenodo.answer

    def edited(target: str, headers: Any) -> _Answer:
        target = "/api/records/90000305" if target == "/api/records/90000100" else target
        return answer(target, headers)

    served.zenodo.answer = edited  # type: ignore[method-assign]
    assert served.faults() == [
        "fault Zenodo: concept 90000100 answers by itself instead of leading to the newest version"
    ]


def test_one_difference_in_many_files_is_said_once(served: Desk) -> None:
    _files(lambda file: file.update(checksum=file["checksum"].removeprefix("md5:")))(served.zenodo)
    assert served.faults() == ["fault Zenodo: files[].checksum has no md5: prefix any more"]


def test_a_record_without_small_files_is_noted(served: Desk) -> None:
    for number in served.zenodo.records:
        served.zenodo.change(number, files=())
    said = served.checked()
    assert "note Zenodo: no file of at most 5 MB is there to be tried" in said
    assert faults(said) == []


def test_a_version_that_others_followed_is_asked_for_as_well_as_the_newest(served: Desk) -> None:
    served.record = "90000305"
    assert served.faults() == []


GitHubEdit = Callable[[str, int, bytes, dict[str, str]], tuple[int, bytes, dict[str, str]] | None]


def _edited(github: GitHubServer, edit: GitHubEdit) -> None:
    answer = github._answer

    def edited(path: str) -> tuple[int, bytes, dict[str, str]]:
        given = answer(path)
        return edit(path, *given) or given

    github._answer = edited  # type: ignore[method-assign]


def _commit(**changes: Any) -> GitHubEdit:
    def edit(
        path: str, status: int, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]] | None:
        if "/commits/" not in path:
            return None
        return status, json.dumps(json.loads(body) | changes).encode(), headers

    return edit


def _two_tops(_: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in ("one/a.md", "two/b.md"):
            tar.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            lambda github: _edited(github, _commit(sha="main")),
            "sha of a commit is not 40 hexadecimal digits any more",
        ),
        (
            lambda github: _edited(github, _commit(commit={"committer": {"date": 7}})),
            "commit.committer.date is not a moment with its offset from UTC any more",
        ),
        (
            lambda github: _edited(
                github,
                lambda path, status, body, headers: (
                    (status, body, {}) if "/commits/" in path else None
                ),
            ),
            "comes without ETag: unchanged, it is fetched again every time",
        ),
        (
            lambda github: _edited(
                github,
                lambda path, status, body, headers: (
                    (
                        status,
                        body,
                        {"ETag": f'"{time.monotonic_ns()}"'},
                    )
                    if "/commits/" in path
                    else None
                ),
            ),
            "asked for with If-None-Match, answers 200 not 304",
        ),
        (
            lambda github: _edited(
                github,
                lambda path, *_: (200, gzip.compress(b""), {}) if "/tarball/" in path else None,
            ),
            "the archive of a commit is sent without a redirect",
        ),
        (
            lambda github: setattr(github, "archive", lambda _: b"PK\x03\x04"),
            "the archive of a commit is application/x-gzip instead of gzip",
        ),
        (
            lambda github: setattr(github, "archive", lambda _: gzip.compress(b"tide" * 999)),
            "the archive of a commit is no tar archive",
        ),
        (
            lambda github: setattr(github, "archive", lambda content: content[:20]),
            "the archive of a commit is no tar archive",
        ),
        (
            lambda github: setattr(github, "archive", _two_tops),
            "the archive of a commit has several entries at its top: one, two",
        ),
        (
            lambda github: setattr(github, "top", "tidewatch"),
            "the folder at the top of the archive of a commit does not end in its id any more",
        ),
        (
            lambda github: github.branches.clear(),
            "the newest commit of invented/tidewatch was refused (409",
        ),
        (lambda github: setattr(github, "limited", 403), "API rate limit exceeded"),
    ],
)
def test_what_differs_at_github_is_named(
    served: Desk, broken: Callable[[GitHubServer], None], said: str
) -> None:
    broken(served.github)
    found = served.faults("jekyll")
    assert any(each.startswith("fault GitHub: ") and said in each for each in found), found


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            lambda site: setattr(site, "robots", "User-agent: nmg-helpdesk\nDisallow: /\n"),
            "robots.txt closes its start page to us",
        ),
        (
            lambda site: setattr(site, "robots", "User-agent: *\nDisallow: /ebb\n"),
            "/ebb, which is indexed",
        ),
        (
            lambda site: site.answers.update({"/robots.txt": Answer(b"no", 500)}),
            "robots.txt answers 500, so nothing may be read",
        ),
        (
            lambda site: site.answers.update({"/robots.txt": Answer(b"<html>")}),
            "robots.txt is a page of HTML",
        ),
        (lambda site: setattr(site, "sitemap", None), "/sitemap.xml answers 404"),
        (lambda site: setattr(site, "sitemap", {}), "its sitemap lists no addresses"),
        (
            lambda site: site.answers.update(
                {"/sitemap.xml": Answer(b"<urlset><url><loc>https://x.org/</loc></url></urlset>")}
            ),
            "its sitemap lists addresses of another site only",
        ),
        (
            lambda site: site.answers.update({"/": Answer(b"no", 401)}),
            "its start page answers 401: it is closed to the public",
        ),
        (
            lambda site: site.answers.update({"/": moved("/login"), "/login": Answer(b"<p>Who?")}),
            "its start page leads to a login, /login",
        ),
        (
            lambda site: site.answers.update({"/": Answer(b"<form><input type=password></form>")}),
            "its start page asks for a password",
        ),
        (
            lambda site: site.answers.update(
                {"/": Answer(b"{}", headers={"Content-Type": "application/json"})}
            ),
            "its start page is application/json instead of text/html",
        ),
        (lambda site: site.answers.update({"/": Answer(b"no", 404)}), "its start page answers 404"),
        (lambda site: setattr(site, "tags", False), "comes without ETag nor Last-Modified"),
        (
            lambda site: site.answers.update(
                {"/": lambda _: Answer(b"<p>%d" % time.monotonic_ns())}
            ),
            "asked for with If-None-Match, answers 200 not 304",
        ),
        (
            lambda site: (site.folder / "ebb.html").write_text('<h1 id="ebb">Ebb</h1>'),
            "/ebb has lost anchors that are cited: #first-hour",
        ),
        (
            lambda site: (site.folder / "ebb.html").unlink(),
            "/ebb is indexed and answers 404",
        ),
        (
            lambda site: site.answers.update({"/ebb": moved("/flow")}),
            "addresses have another form",
        ),
    ],
)
def test_what_differs_at_a_site_is_named(
    served: Desk, broken: Callable[[SiteServer], object], said: str
) -> None:
    index_of(served, "ebb", "first-hour")
    broken(served.site)
    found = served.faults("site")
    assert any(each.startswith("fault tides: ") and said in each for each in found), found


def test_a_start_page_on_another_host_is_named(served: Desk, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "index.html").write_text("<p>Sign in")
    with SiteServer(tmp_path / "else") as other:
        served.site.answers["/"] = moved(f"{other.address}/")
        (fault,) = served.faults()
    assert "its start page leads to another host" in fault


def test_an_anchor_may_be_the_name_of_a_link_and_percent_encoded(served: Desk) -> None:
    (served.site.folder / "ebb.html").write_text('<h2 id="été">Summer</h2><a name=ebb></a>')
    index_of(served, "%C3%A9t%C3%A9", "ebb")
    assert served.faults() == []


def test_of_many_pages_those_with_most_citations_are_looked_at(served: Desk) -> None:
    pages = [
        shelf.page(
            f"p{number}.md",
            "Page",
            *(Part(f"Wave {each}.", anchor=f"a{each}") for each in range(number)),
            site=served.site.address,
        )
        for number in range(1, 8)
    ]
    shelf.written(served.data, shelf.shelved(*pages))
    found = [each for each in served.faults() if "is indexed and answers 404" in each]
    assert [each.split()[2].rpartition("/")[2] for each in found] == ["p7", "p6", "p5", "p4", "p3"]


def test_a_service_that_is_not_there_is_one_fault_and_the_others_are_checked(served: Desk) -> None:
    served.site.stop()
    (fault,) = served.faults()
    assert fault.startswith("fault tides: robots.txt: ")
    assert "cannot be reached" in fault
    assert sum(each.startswith("ok Zenodo") for each in served.checked()) == 9


def test_who_breaks_off_halfway_is_one_fault_beside_what_was_found(served: Desk) -> None:
    index_of(served, "ebb")
    served.site.cut |= {"/ebb", "/flow"}
    (fault,) = served.faults()
    assert "/ebb: " in fault


def test_what_was_found_on_a_page_is_told_though_the_next_one_fails(served: Desk) -> None:
    index_of(served, "ebb", "gone")
    served.site.cut |= {"/flow"}
    lost, broken = served.faults()
    assert lost.endswith("/ebb has lost anchors that are cited: #gone")
    assert "/flow: " in broken


def test_who_does_not_answer_in_time_is_a_fault_that_says_what_for(served: Desk) -> None:
    answer, over = served.zenodo.answer, Event()

    def slow(target: str, headers: Any) -> _Answer:
        if "/versions" in target:
            over.wait(20)
        return answer(target, headers)

    served.zenodo.answer = slow  # type: ignore[method-assign]
    began = time.monotonic()
    said = served.checked(within_s=1)
    assert time.monotonic() - began < 3
    over.set()
    assert faults(said) == [
        "fault Zenodo: no answer within 1 s, waiting for the list of versions of record 90000203"
    ]
    assert "ok Zenodo: its rate limits are told" in said
    assert sum(each.startswith("ok GitHub") for each in said) == 3


def test_an_error_of_our_own_is_a_fault_and_no_silence(
    served: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise KeyError("tide")

    monkeypatch.setattr(site, "_robots", wrong)
    assert served.faults() == ["fault tides: an answer cannot be checked: KeyError"]


def test_all_is_promised_within_a_minute() -> None:
    assert online.WITHIN_S < 60
