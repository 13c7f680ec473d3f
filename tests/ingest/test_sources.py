"""From what an operator names to what is read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.models import Remote, Source
from ingest.sources import ListedSource, Registry, listed_sources, named_sources
from rag.errors import SourceUnavailable

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
    named = named_sources([str(path)], Registry.load(corpus), base_url)
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
    named = named_sources([str(root / "nowhere"), str(root)], Registry.load(corpus), None)
    assert [each.name for each in named.sources] == ["atlas"]
    assert [(each.path, each.problem) for each in named.unavailable] == [
        (str(root / "nowhere"), "no such file or folder")
    ]


def test_a_path_named_twice_is_one_source(write: Write, corpus: Path) -> None:
    root = write({"a.md": "It goes."})
    named = named_sources([str(root), f"{root}/"], Registry.load(corpus), None)
    assert ([each.name for each in named.sources], named.unavailable) == (["atlas"], ())


def test_the_articles_may_be_named_and_are_no_path(corpus: Path) -> None:
    named = named_sources(["articles"], Registry.load(corpus), None)
    assert (named.sources, named.unavailable) == ((), ())


def test_naming_nothing_names_no_path(corpus: Path) -> None:
    assert named_sources([], Registry.load(corpus), None).sources == ()


@pytest.mark.parametrize("name", ["", "   ", "\n", "\0", "-", "a\x1b[31mb"])
def test_what_names_nothing_is_refused_and_printable(corpus: Path, name: str) -> None:
    named = named_sources([name], Registry.load(corpus), None)
    assert named.sources == ()
    (problem,) = named.unavailable
    assert problem.path.isprintable()
    assert problem.problem.isprintable()


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
    named = named_sources(["x" * 5000], Registry.load(tmp_path), None)
    assert named.sources == ()
    assert len(named.unavailable) == 1


# What is listed


LISTED = """
sources:
  - {name: articles, kind: articles}
  - {name: repo, kind: jekyll, address: "https://github.com/tide/atlas", licence: CC-BY-4.0}
  - {name: live, kind: site, address: "https://tide.example", language: en, refresh: 7d}
  - {name: report, kind: zenodo, address: "https://zenodo.org/records/123"}
  - {name: shelf, kind: folder, address: shelf, licence: CC0-1.0, language: pt}
"""


@pytest.fixture
def listed(write: Write) -> Registry:
    return Registry.load(write({"sources.yaml": LISTED, "shelf/a.md": "It goes."}, "corpus"))


def remote(address: str, registry: Registry, zenodo: str = "https://zenodo.org") -> Remote:
    named = named_sources([address], registry, None, zenodo)
    assert named.unavailable == ()
    (source,) = named.sources
    assert isinstance(source, Remote)
    return source


def test_naming_nothing_names_all_that_is_listed_in_its_order(listed: Registry) -> None:
    named = listed_sources(listed.sources, listed)
    assert [each.name for each in named.sources] == ["repo", "live", "report", "shelf"]
    assert named.unavailable == ()
    assert named.sources[0] == Remote(
        "repo", "jekyll", "https://github.com/tide/atlas", "CC-BY-4.0"
    )
    assert named.sources[1] == Remote("live", "site", "https://tide.example", None, "en")


def test_a_listed_path_is_relative_to_the_list_and_keeps_its_facts(listed: Registry) -> None:
    (shelf,) = named_sources(["shelf"], listed, None).sources
    assert isinstance(shelf, Source)
    assert (shelf.name, shelf.licence, shelf.language) == ("shelf", "CC0-1.0", "pt")
    assert shelf.path == (listed.corpus / "shelf").resolve()


def test_a_path_that_is_there_goes_before_a_listed_name(
    listed: Registry, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"a.md": "It goes."}, "repo")
    monkeypatch.chdir(folder.parent)
    (source,) = named_sources(["repo"], listed, None).sources
    assert isinstance(source, Source)
    assert source.path == folder
    # What nobody typed is what is listed, wherever the command is run.
    assert listed_sources(["repo"], listed).sources[0].kind == "jekyll"
    assert isinstance(listed_sources(["repo"], listed).sources[0], Remote)


def test_an_address_that_is_listed_is_the_listed_source(listed: Registry) -> None:
    assert remote("https://tide.example/", listed).name == "live"
    assert remote("https://zenodo.org/records/123", listed).name == "report"


@pytest.mark.parametrize(
    ("address", "name", "kind"),
    [
        ("https://docs.tide.example/guide/", "docs.tide.example_guide", "site"),
        ("https://github.com/tide/gauges", "tide_gauges", "jekyll"),
        ("https://github.com/tide/gauges.git", "tide_gauges", "jekyll"),
        ("https://zenodo.org/record/77#.YX", "zenodo-77", "zenodo"),
        ("https://doi.org/10.5281/zenodo.77", "zenodo-77", "zenodo"),
        ("10.5281/zenodo.77", "zenodo-77", "zenodo"),
        ("doi:10.5281/zenodo.77", "zenodo-77", "zenodo"),
        ("https://zenodo.org/communities/tides", "zenodo-tides", "zenodo"),
    ],
)
def test_an_address_tells_its_kind_and_its_name(
    listed: Registry, address: str, name: str, kind: str
) -> None:
    source = remote(address, listed)
    assert (source.name, source.kind, source.address) == (name, kind, address)


@pytest.mark.parametrize(
    "addresses",
    [
        ("https://github.com/tide/atlas2", "https://github.com/ebb/atlas2"),
        ("http://tide.example:81", "http://tide.example:82"),
        ("https://a.example/x-y", "https://a.example/x/y"),
        ("https://a.example/?a", "https://a.example/?b"),
        ("https://zenodo.org/search?q=tides", "https://zenodo.org/search?q=gauges"),
        (f"https://a.example/{'x' * 99}1", f"https://a.example/{'x' * 99}2"),
        ("https://é.example", "https://è.example"),
    ],
)
def test_two_addresses_have_two_names(listed: Registry, addresses: tuple[str, str]) -> None:
    first, second = (remote(each, listed).name for each in addresses)
    assert first != second
    assert first
    assert second


def test_a_password_in_an_address_is_not_shown(listed: Registry) -> None:
    for address in ("ftp://ann:secret@tide.example", "https://ann:secret@[bad/"):
        (problem,) = named_sources([address], listed, None).unavailable or (None,)
        assert problem is None or "secret" not in problem.path + problem.problem


def test_another_zenodo_may_be_set(listed: Registry) -> None:
    own = "http://127.0.0.1:8000"
    assert remote(f"{own}/records/77", listed, own).kind == "zenodo"
    assert remote(f"{own}/records/77", listed).kind == "site"


@pytest.mark.parametrize("address", ["ftp://tide.example", "file:///etc/passwd", "gopher://x"])
def test_what_is_no_web_address_is_refused(listed: Registry, address: str) -> None:
    named = named_sources([address], listed, None)
    assert named.sources == ()
    assert "http" in named.unavailable[0].problem


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("sources: 3", "sources"),
        ("sources: [{name: x, kind: newspaper}]", "kind"),
        ("sources: [{name: x, kind: site}]", "address"),
        ("sources: [{name: x, kind: folder, address: y, refresh: soon}]", "refresh"),
        ("sources: [{name: a b, kind: folder, address: y}]", "name"),
        ("sources: [{name: x, kind: folder, address: y, colour: red}]", "colour"),
        ("sources: [{name: x, kind: folder, address: y}, {name: x, kind: folder, address: z}]",
         "two sources are named 'x'"),
        ("[", "not a list of sources"),
    ],
)  # fmt: skip
def test_a_broken_list_is_said_in_one_line(write: Write, broken: str, told: str) -> None:
    with pytest.raises(SourceUnavailable, match=told) as caught:
        Registry.load(write({"sources.yaml": broken}, "corpus"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("refresh", "seconds"), [("30m", 1800), ("6h", 21_600), ("7d", 604_800)])
def test_a_refresh_interval_is_a_number_and_a_unit(refresh: str, seconds: int) -> None:
    source = ListedSource(name="x", kind="folder", address="y", refresh=refresh)
    assert source.refresh_s == seconds


def test_the_shipped_list_holds_the_framework_its_site_and_the_deliverables(root: Path) -> None:
    shipped = Registry.load(root / "corpus")
    kinds = [source.kind for source in shipped.sources.values()]
    assert (kinds[:3], len(kinds)) == (["articles", "jekyll", "site"], 47)
    assert all(source.refresh_s >= 86_400 for source in shipped.sources.values())
    zenodo = [source for source in shipped.sources.values() if source.kind == "zenodo"]
    assert len({source.address for source in zenodo}) == 44
    assert all(source.linked_from for source in zenodo)
