"""From what an operator names to what is read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.models import Source
from ingest.sources import named_sources

Write = Callable[..., Path]

REGISTRY = """
sources: [{name: articles, kind: articles}]
origins:
  - {address: https://tide.example, title: Tide atlas, licence: CC-BY-4.0}
"""


@pytest.fixture
def corpus(write: Write) -> Path:
    return write({"sources.yaml": REGISTRY}, "corpus")


def one(path: Path, corpus: Path, base_url: str | None = None) -> Source:
    named = named_sources([str(path)], corpus, base_url)
    assert named.unavailable == ()
    (source,) = named.sources
    return source


def test_a_path_is_a_source_named_after_its_last_folder(write: Write, corpus: Path) -> None:
    root = write({"a.md": "It goes."}, "deep/atlas")
    assert (one(root, corpus).name, one(root, corpus).kind) == ("atlas", "folder")
    assert one(Path(f"{root}/"), corpus).name == "atlas"
    assert one(root / ".." / "atlas", corpus).name == "atlas"
    assert one(root, corpus).path.is_absolute()


def test_the_folder_one_stands_in_has_a_name(
    write: Write, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write({"a.md": "It goes."}))
    assert one(Path("."), corpus).name == "atlas"


def test_a_file_is_a_source_by_itself(write: Write, corpus: Path) -> None:
    assert one(write({"a.md": "It goes."}) / "a.md", corpus).kind == "file"


def test_a_checkout_is_known_by_its_configuration(write: Write, corpus: Path) -> None:
    source = one(write({"_config.yml": "", "CNAME": "tide.example"}), corpus)
    assert (source.kind, source.address) == ("jekyll", "https://tide.example")


def test_the_licence_of_a_known_site_is_known(write: Write, corpus: Path) -> None:
    files = {"_config.yml": ""}
    assert one(write({**files, "CNAME": "tide.example"}, "a"), corpus).licence == "CC-BY-4.0"
    assert one(write({**files, "CNAME": "else.example"}, "b"), corpus).licence is None


@pytest.mark.parametrize("base_url", ["https://tide.example", "https://tide.example/"])
def test_a_base_url_is_the_address_of_what_names_none(
    write: Write, corpus: Path, base_url: str
) -> None:
    folder = one(write({"a.md": "It goes."}), corpus, base_url)
    assert (folder.address, folder.licence) == ("https://tide.example", "CC-BY-4.0")
    silent = one(write({"_config.yml": ""}, "silent"), corpus, base_url)
    assert silent.address == "https://tide.example"
    named = one(write({"_config.yml": "url: https://own.example"}, "own"), corpus, base_url)
    assert named.address == "https://own.example"


def test_what_does_not_exist_is_said_and_the_rest_is_read(write: Write, corpus: Path) -> None:
    root = write({"a.md": "It goes."})
    named = named_sources([str(root / "nowhere"), str(root)], corpus, None)
    assert [each.name for each in named.sources] == ["atlas"]
    assert [(each.path, each.problem) for each in named.unavailable] == [
        (str(root / "nowhere"), "no such file or folder")
    ]


def test_a_path_named_twice_is_one_source(write: Write, corpus: Path) -> None:
    root = write({"a.md": "It goes."})
    named = named_sources([str(root), f"{root}/"], corpus, None)
    assert ([each.name for each in named.sources], named.unavailable) == (["atlas"], ())


def test_the_articles_may_be_named_and_are_no_path(corpus: Path) -> None:
    named = named_sources(["articles"], corpus, None)
    assert (named.sources, named.unavailable) == ((), ())


def test_naming_nothing_names_no_path(corpus: Path) -> None:
    assert named_sources([], corpus, None).sources == ()


def test_a_corpus_without_a_registry_knows_no_facts(write: Write, tmp_path: Path) -> None:
    assert one(write({"a.md": "It goes."}), tmp_path / "none", "https://x.example").licence is None


# Dates


@pytest.mark.parametrize(
    ("note", "date"),
    [
        ("# Source\n\n- Commit date: 2031-05-04\n", "2031-05-04"),
        ("- commit date:2031-05-04", "2031-05-04"),
        ("- Date: unknown\n", None),
    ],
)
@pytest.mark.parametrize("config", [{}, {"_config.yml": ""}])
def test_a_copy_is_as_old_as_its_note_says(
    write: Write, corpus: Path, note: str, date: str | None, config: dict[str, str]
) -> None:
    root = write({**config, "SOURCE.md": note, "a.md": "It goes."})
    assert one(root, corpus).published == date


def test_a_file_is_as_old_as_the_note_beside_it_says(write: Write, corpus: Path) -> None:
    root = write({"SOURCE.md": "Commit date: 2031-05-04", "a.md": "It goes."})
    assert one(root / "a.md", corpus).published == "2031-05-04"


def test_a_folder_without_a_note_has_no_date(write: Write, corpus: Path) -> None:
    assert one(write({"a.md": "It goes."}), corpus).published is None


def test_a_repository_is_as_old_as_its_last_commit(write: Write, corpus: Path) -> None:
    root = write({"SOURCE.md": "Commit date: 2001-01-01", "a.md": "It goes."})
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(root),
        "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@tide.example",
        "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@tide.example",
        "GIT_COMMITTER_DATE": "2032-05-06T12:00:00+0000",
    }  # fmt: skip
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "Begin"]):
        subprocess.run(["git", "-C", str(root), *command], env=environment, check=True)
    assert one(root, corpus).published == "2032-05-06"


def test_a_repository_without_a_commit_has_no_date(write: Write, corpus: Path) -> None:
    root = write({"a.md": "It goes."})
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    assert one(root, corpus).published is None


def test_a_name_longer_than_any_path_is_said(tmp_path: Path) -> None:
    named = named_sources(["x" * 5000], tmp_path, None)
    assert named.sources == ()
    assert len(named.unavailable) == 1
