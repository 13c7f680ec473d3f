"""What was read before is not parsed again, and nothing else is taken for it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import sandbox
from ingest.models import Block, Document, Loaded, Problem, Section, Source, SourceFile
from ingest.readings import Readings, file_key, source_key
from ingest.sandbox import Limits, read_source

Write = Callable[..., Path]
FILES = {"ebb.md": "# Ebb\n\nThe water goes out.", "deep/flow.md": "The water comes in."}


@pytest.fixture
def readings(tmp_path: Path) -> Readings:
    return Readings(tmp_path / "data" / "readings.sqlite")


@pytest.fixture
def atlas(write: Write) -> Source:
    return Source("atlas", "folder", write(FILES))


def loaded(text: str = "It goes.") -> Loaded:
    sections = (Section((), (Block(text),)),)
    return Loaded([Document("a:b", "a", "b", "B", None, "en", "0", sections)])


def test_what_is_kept_comes_back_equal(readings: Readings) -> None:
    readings.put("key", [loaded(), loaded("It comes.")])
    assert readings.get("key") == [loaded(), loaded("It comes.")]
    assert readings.get("other") is None


def test_what_has_problems_is_tried_again_after_a_week(
    readings: Readings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [loaded(), Loaded(problems=[Problem("b", "needs OCR")])]
    readings.put("broken", broken)
    readings.put("sound", [loaded()])
    assert readings.get("broken") == broken
    later = time.time() + 8 * 86_400
    monkeypatch.setattr("ingest.readings.time.time", lambda: later)
    assert readings.get("broken") is None
    assert readings.get("sound") == [loaded()]


def test_a_file_that_broke_a_limit_is_tried_again_the_next_time(
    readings: Readings, atlas: Source
) -> None:
    tight = Limits(seconds=30, megabytes=1)
    assert any(each.problems for each in read_source(atlas, limits=tight, readings=readings))
    assert not any(each.problems for each in read_source(atlas, readings=readings))


def test_a_damaged_file_is_put_aside(readings: Readings, tmp_path: Path) -> None:
    file = tmp_path / "data" / "readings.sqlite"
    readings.put("key", [loaded()])
    file.write_bytes(b"no database " * 500)
    assert readings.get("key") is None
    readings.put("key", [loaded()])
    assert readings.get("key") == [loaded()]


def test_an_unchanged_source_starts_no_reader(
    readings: Readings, atlas: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_source(atlas, readings=readings)
    monkeypatch.setattr(sandbox, "_Worker", pytest.fail)
    assert read_source(atlas, readings=readings) == first
    assert [each.documents[0].path for each in first] == ["deep/flow.md", "ebb.md"]


def test_of_a_changed_folder_only_what_changed_is_parsed(
    readings: Readings, atlas: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_source(atlas, readings=readings)
    (atlas.path / "ebb.md").write_text("# Ebb\n\nThe water is out.", encoding="utf-8")
    parsed: list[str] = []
    read = sandbox._Worker.read

    def noted(worker: sandbox._Worker, path: str) -> Loaded:
        parsed.append(path)
        return read(worker, path)

    monkeypatch.setattr(sandbox._Worker, "read", noted)
    again = read_source(atlas, readings=readings)
    assert parsed == ["ebb.md"]
    assert again == read_source(atlas)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "ebb.md").write_text("Else."),
        lambda root: (root / "ebb.md").unlink(),
        lambda root: (root / "ebb.md").rename(root / "low.md"),
        lambda root: (root / "new.md").write_text("New."),
    ],
    ids=["changed", "removed", "renamed", "added"],
)
def test_any_change_of_the_files_changes_the_key(
    atlas: Source, change: Callable[[Path], object]
) -> None:
    before = source_key(atlas)
    assert source_key(atlas) == before
    change(atlas.path)
    assert source_key(atlas) != before


def test_what_is_known_of_a_source_belongs_to_the_key(atlas: Source) -> None:
    for other in (
        replace(atlas, licence="CC0-1.0"),
        replace(atlas, published="2031-05-04"),
        replace(atlas, address="https://tide.example"),
        replace(atlas, name="other"),
        replace(atlas, kind="jekyll"),
    ):
        assert source_key(other) != source_key(atlas)
        path = atlas.path / "ebb.md"
        assert file_key(other, "ebb.md", path) != file_key(atlas, "ebb.md", path)


def test_where_a_source_lies_does_not(atlas: Source, write: Write) -> None:
    elsewhere = replace(atlas, path=write(FILES, "elsewhere"))
    assert source_key(elsewhere) == source_key(atlas)


def test_a_commit_changes_the_key_as_dates_come_from_it(atlas: Source) -> None:
    before = source_key(atlas)
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@tide.example"]
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "Begin"]):
        subprocess.run(["git", "-C", str(atlas.path), *command], check=True)
    assert source_key(atlas) != before


def test_facts_on_a_fetched_file_belong_to_its_key_and_its_place_does_not(
    tmp_path: Path,
) -> None:
    stored = tmp_path / "0abc.html"
    stored.write_text("<p>It goes.</p>")
    fact = SourceFile("a.html", stored, "https://x/a")
    source = Source("x", "site", tmp_path, files=(fact,))
    key = file_key(source, "a.html", stored)
    moved = tmp_path / "deep" / "0abc.html"
    moved.parent.mkdir()
    stored.rename(moved)
    assert file_key(replace(source, files=(replace(fact, file=moved),)), "a.html", moved) == key
    dated = replace(fact, file=moved, published="2031-05-04")
    assert file_key(replace(source, files=(dated,)), "a.html", moved) != key
