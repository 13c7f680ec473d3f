"""The whole walk: what a run adds, changes, keeps and removes."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pypdf
import pytest
from fakes import HashingEmbedder
from filelock import FileLock
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject
from servers.chroma import ChromaProcess

from ingest import pipeline
from ingest.gather import Fetch, Task
from ingest.models import (
    DocumentCounts,
    Fetched,
    IngestReport,
    Problem,
    Remote,
    Skipped,
    Source,
    SourceFile,
)
from ingest.pipeline import Knowledge, Memory
from ingest.register import Vocabulary
from ingest.sources import Registry, named_sources
from rag.chroma_server import ChromaServer
from rag.errors import IndexLocked, IndexMismatch, SourceUnavailable
from rag.index import Generation
from rag.sentences import chunk_sentences
from rag.store import Store
from rag.text import pin

Write = Callable[..., Path]

EBB = "The water goes out twice a day and leaves the mud behind."
FLOW = "The water comes in twice a day and lifts the boats."
ROPE = "A rope is coiled with the sun and hung up dry."

ARTICLE = f"""---
title: When the water goes
kind: answer
intent: tides
audience: [volunteer]
ask:
  en: ["When is the ebb?", how often does the water go out]
evidence:
  ebb:
    source: atlas
    path: ebb.md
    title: Ebb
    url: null
    pin: "{pin(EBB)}"
checked: 2031-05-04
---
Twice a day. [^ebb]
"""


@dataclass
class Steps:
    """Progress that is remembered: step to how much was announced and counted."""

    announced: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        self.announced[name] = total
        self.counted[name] = 0

        def count(done: int) -> None:
            self.counted[name] += done

        yield count


def nothing_to_fetch(remote: Remote, count: Callable[[int], None]) -> Fetched:
    """All sources are at hand."""
    raise AssertionError(remote)


@dataclass
class Desk:
    """A data directory with the parts that a run needs; every run has a cache of its own."""

    directory: Path
    steps: Steps = field(default_factory=Steps)
    model: HashingEmbedder = field(default_factory=HashingEmbedder)
    fetch: Fetch = nothing_to_fetch
    server: ChromaServer | None = None

    @property
    def store(self) -> Store:
        return Store(self.directory / "data", self.server)

    def ingest(
        self,
        *paths: Path,
        articles: Path | None = None,
        unavailable: Sequence[Problem] = (),
        removed: frozenset[str] = frozenset(),
        base_url: str | None = None,
        order: Sequence[str] = (),
        accept: bool = False,
        anew: bool = False,
        remotes: Sequence[Remote] = (),
    ) -> IngestReport:
        names = [str(each) for each in paths]
        named = named_sources(names, Registry.load(self.directory), base_url)
        self.steps = Steps()
        return pipeline.run(
            Task(
                [*named.sources, *remotes],
                [*named.unavailable, *unavailable],
                removed=removed,
                accept=accept,
                anew=anew,
            ),
            fetch=self.fetch,
            knowledge=Knowledge(
                (articles,) if articles else (),
                {"dwl": "dawn water level"},
                Vocabulary((), {}),
                tuple(order),
            ),
            memory=Memory.of(self.directory / "data", self.store),
            embedder=self.model,
            progress=self.steps,
        )

    @property
    def index(self) -> Generation:
        return self.store.open()

    @property
    def paths(self) -> list[str]:
        return sorted(f"{each.source}:{each.path}" for each in self.index.documents())

    @property
    def text(self) -> str:
        return "\n".join(chunk.text for chunk in self.index.all_chunks())


@pytest.fixture
def desk(tmp_path: Path, ticking_clock: None, reader_here: None) -> Desk:
    """An empty desk; no two of its runs begin in the same minute."""
    return Desk(tmp_path)


def test_a_first_run_indexes_everything(desk: Desk, write: Write) -> None:
    report = desk.ingest(write({"ebb.md": f"# Ebb\n\n{EBB}", "rope.md": ROPE, "x.png": "x"}))
    assert report.documents == DocumentCounts(added=2, skipped=1)
    assert (report.chunks, report.problems) == (2, ())
    assert [(each.path, each.reason) for each in report.skipped] == [("x.png", "unknown type .png")]
    assert report.generation == desk.index.info.generation == desk.store.current()
    assert report.embedded > 0
    assert desk.paths == ["atlas:ebb.md", "atlas:rope.md"]
    assert desk.text == f"{EBB}\n{ROPE}"


def test_the_index_says_when_and_with_what_it_was_built(desk: Desk, write: Write) -> None:
    desk.ingest(write({"ebb.md": EBB}))
    info = desk.index.info
    assert (info.embedder, info.dimensions, info.documents, info.chunks) == ("hashing-64", 64, 1, 1)
    assert info.built_at.startswith("2031-05-04T12:0")


def test_every_chunk_and_sentence_is_found_by_its_own_vector(desk: Desk, write: Write) -> None:
    desk.ingest(write({"ebb.md": f"# Ebb\n\n{EBB}", "flow.md": f"# Flow\n\n{FLOW}", "r.md": ROPE}))
    index = desk.index
    for number, chunk in enumerate(index.all_chunks()):
        (vector,) = desk.model.passages([pipeline.searched_text(chunk)])
        numbers, cosines = index.vectors.collections.nearest("chunks", vector, 1)
        assert (numbers[0], pytest.approx(1.0, abs=1e-5)) == (number, cosines[0])
        (sentence,) = chunk_sentences(chunk)
        (vector,) = desk.model.passages([sentence.text])
        assert index.vectors.sentence_cosines(number, vector) == pytest.approx([1.0], abs=1e-5)


def test_a_short_sentence_is_embedded_behind_its_heading_and_a_long_one_by_itself(
    desk: Desk, write: Write
) -> None:
    page = f"---\ntitle: Tides\n---\n# Ebb\n\n{EBB} Boats lie dry. {FLOW}"
    desk.ingest(write({"ebb.md": page}))
    searched = [EBB, "Tides > Ebb: Boats lie dry.", FLOW]
    for place, vector in enumerate(desk.model.passages(searched)):
        assert desk.index.vectors.sentence_cosines(0, vector)[place] == pytest.approx(1.0, abs=1e-5)


def test_a_second_run_embeds_nothing_and_keeps_the_generation(desk: Desk, write: Write) -> None:
    root = write({"ebb.md": EBB, "rope.md": ROPE, "x.png": "x"})
    articles = write({"when.md": ARTICLE}, "articles")
    first = desk.ingest(root, articles=articles)
    second = desk.ingest(root, articles=articles)
    assert second.documents == DocumentCounts(unchanged=3, skipped=1)
    assert (second.generation, second.chunks, second.embedded) == (
        first.generation,
        first.chunks,
        0,
    )
    assert desk.store.names() == [first.generation]


def test_changes_additions_and_removals_are_counted(desk: Desk, write: Write) -> None:
    root = write({"a.md": EBB, "b.md": FLOW, "c.md": ROPE})
    before = desk.ingest(root)
    write({"b.md": f"{FLOW} Mostly.", "d.md": "A new bollard stands on the quay."})
    (root / "c.md").unlink()
    report = desk.ingest(root)
    assert report.documents == DocumentCounts(added=1, changed=1, unchanged=1, removed=1)
    assert report.generation != before.generation
    assert desk.paths == ["atlas:a.md", "atlas:b.md", "atlas:d.md"]
    assert ROPE not in desk.text
    assert "Mostly." in desk.text


def test_only_what_is_new_is_embedded(desk: Desk, write: Write) -> None:
    root = write({"a.md": EBB, "b.md": FLOW})
    desk.ingest(root)
    write({"c.md": ROPE})
    assert desk.ingest(root).embedded == 2, "one chunk and its one sentence"


def test_a_page_whose_country_alone_changed_has_changed(desk: Desk, write: Write) -> None:
    files = {"_config.yml": "", "ebb.md": f"---\ntitle: Ebb\ncountry_code: PT\n---\n{EBB}"}
    root = write(files)
    desk.ingest(root)
    write({"ebb.md": files["ebb.md"].replace("PT", "ES")})
    assert desk.ingest(root).documents == DocumentCounts(changed=1)


def test_a_page_whose_date_alone_changed_gets_the_new_date(desk: Desk, write: Write) -> None:
    root = write({"_config.yml": "", "ebb.md": f"---\ntitle: Ebb\n---\n{EBB}"})
    for date in ("2031-05-04", "2032-06-05"):
        write({"SOURCE.md": f"Commit date: {date}"})
        desk.ingest(root)
        assert [each.published for each in desk.index.documents()] == [date]


def test_a_new_address_changes_every_document(desk: Desk, write: Write) -> None:
    root = write({"a.md": EBB, "b.md": FLOW})
    desk.ingest(root)
    report = desk.ingest(root, base_url="https://tide.example")
    assert report.documents == DocumentCounts(changed=2)
    assert [each.url for each in desk.index.documents()] == [
        "https://tide.example/a.md",
        "https://tide.example/b.md",
    ]


def test_another_embedder_makes_a_new_generation_of_the_same_documents(
    desk: Desk, write: Write
) -> None:
    root = write({"a.md": EBB})
    first = desk.ingest(root)
    desk.model = HashingEmbedder()
    desk.model.name = "hashing-other"
    second = desk.ingest(root)
    assert second.documents == DocumentCounts(unchanged=1)
    assert second.generation != first.generation
    assert second.embedded > 0
    assert desk.index.info.embedder == "hashing-other"


# Several sources


def test_what_other_sources_left_stays(desk: Desk, write: Write) -> None:
    desk.ingest(write({"a.md": EBB}, "atlas"), write({"a.md": FLOW}, "guide"))
    report = desk.ingest(write({"a.md": ROPE}, "loft"))
    assert report.documents == DocumentCounts(added=1, unchanged=2)
    assert desk.paths == ["atlas:a.md", "guide:a.md", "loft:a.md"]
    assert EBB in desk.text


def test_a_run_without_sources_keeps_all_and_takes_the_articles(desk: Desk, write: Write) -> None:
    desk.ingest(write({"ebb.md": EBB}))
    report = desk.ingest(articles=write({"when.md": ARTICLE}, "articles"))
    assert report.documents == DocumentCounts(added=1, unchanged=1)
    assert desk.paths == ["articles:articles/when.md", "atlas:ebb.md"]


def test_a_source_that_is_removed_leaves_and_the_others_stay(desk: Desk, write: Write) -> None:
    empty = "---\ntitle: Nothing\n---\n"
    desk.ingest(
        write({"_config.yml": "", "a.md": f"---\n---\n{EBB}", "no.md": empty}, "atlas"),
        write({"a.md": FLOW}, "guide"),
    )
    assert [gap.path for gap in desk.index.gaps] == ["no.md"]
    report = desk.ingest(removed=frozenset({"atlas"}))
    assert report.documents == DocumentCounts(unchanged=1, removed=1)
    assert desk.paths == ["guide:a.md"]
    assert EBB not in desk.text
    assert desk.index.gaps == ()


def test_one_text_in_two_sources_is_one_chunk_until_one_of_them_leaves(
    desk: Desk, write: Write
) -> None:
    desk.ingest(write({"a.md": f"# Ebb\n\n{EBB}"}, "atlas"))
    report = desk.ingest(write({"b.md": f"# Ebb\n\n{EBB}"}, "guide"))
    assert (report.chunks, desk.paths) == (1, ["atlas:a.md", "guide:b.md"])
    report = desk.ingest(removed=frozenset({"atlas"}))
    assert report.chunks == 1
    assert [chunk.source for chunk in desk.index.all_chunks()] == ["guide"]


def test_a_path_that_is_missing_is_reported_and_the_others_are_indexed(
    desk: Desk, write: Write, tmp_path: Path
) -> None:
    report = desk.ingest(tmp_path / "nowhere", write({"a.md": EBB}))
    assert [(each.path, each.problem) for each in report.problems] == [
        (str(tmp_path / "nowhere"), "no such file or folder")
    ]
    assert desk.paths == ["atlas:a.md"]


def test_a_source_that_is_gone_today_keeps_what_is_indexed(desk: Desk, write: Write) -> None:
    root = write({"a.md": EBB})
    desk.ingest(root)
    root.rename(root.with_name("moved"))
    report = desk.ingest(root)
    assert report.documents == DocumentCounts(unchanged=1)
    assert len(report.problems) == 1
    assert desk.paths == ["atlas:a.md"]


@pytest.mark.parametrize(
    ("name", "broken"),
    [("a.md", b"\xff\xfe\x00"), ("a.md", b""), ("a.md", b"---\nx: [\n---\n"), ("a.pdf", b"%PDF-")],
)
@pytest.mark.parametrize("config", [{}, {"_config.yml": ""}], ids=["folder", "jekyll"])
def test_a_file_that_is_broken_today_keeps_its_last_state(
    desk: Desk,
    write: Write,
    pdf_bytes: Callable[..., bytes],
    name: str,
    broken: bytes,
    config: dict[str, str],
) -> None:
    whole = pdf_bytes([EBB]) if name == "a.pdf" else f"---\ntitle: Ebb\n---\n{EBB}"
    root = write({**config, name: whole, "b.md": f"---\ntitle: Flow\n---\n{FLOW}"})
    first = desk.ingest(root)
    write({name: broken})
    report = desk.ingest(root)
    assert [each.path for each in report.problems] == [name]
    assert report.documents == DocumentCounts(unchanged=2)
    assert report.generation == first.generation
    assert EBB in desk.text
    write({name: whole})
    assert desk.ingest(root).problems == ()


@pytest.mark.parametrize("broken", ["defaults: [open", "just words"])
def test_a_checkout_whose_configuration_breaks_keeps_its_last_state(
    desk: Desk, write: Write, broken: str
) -> None:
    root = write({"_config.yml": "permalink: /:basename", "ebb.md": f"---\n---\n{EBB}"})
    first = desk.ingest(root, base_url="https://tide.example")
    write({"_config.yml": broken})
    report = desk.ingest(root, base_url="https://tide.example")
    assert len(report.problems) == 1
    assert (report.documents, report.generation) == (DocumentCounts(unchanged=1), first.generation)
    assert [each.url for each in desk.index.documents()] == ["https://tide.example/ebb"]


def test_half_a_character_in_a_file_does_not_end_the_run(desk: Desk, write: Write) -> None:
    report = desk.ingest(
        write(
            {
                "title.md": f'---\ntitle: "The ebb \\ud83d of March"\n---\n{EBB}',
                "text.pdf": _pdf_with_half_a_character(),
                "rope.md": ROPE,
            }
        )
    )
    assert report.documents.added + len(report.problems) == 3
    assert ROPE in desk.text


def _pdf_with_half_a_character() -> bytes:
    """A PDF whose font calls the letter A the first half of an emoji."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(300, 300)
    unicode_map, words = DecodedStreamObject(), DecodedStreamObject()
    unicode_map.set_data(
        b"begincmap 1 begincodespacerange <00> <FF> endcodespacerange"
        b" 1 beginbfchar <41> <D83D> endbfchar endcmap"
    )
    words.set_data(b"BT /F1 12 Tf 10 100 Td (The tide A turns twice a day.) Tj ET")
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
            NameObject("/ToUnicode"): writer._add_object(unicode_map),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): font})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    page[NameObject("/Contents")] = writer._add_object(words)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_a_file_that_was_never_readable_is_no_document(desk: Desk, write: Write) -> None:
    report = desk.ingest(write({"a.md": b"\xff", "b.md": FLOW}))
    assert report.documents == DocumentCounts(added=1)
    assert desk.paths == ["atlas:b.md"]


def test_an_empty_folder_makes_an_empty_index(desk: Desk, write: Write) -> None:
    report = desk.ingest(write({}))
    assert (report.documents, report.chunks, report.problems) == (DocumentCounts(), 0, ())
    assert desk.index.documents() == []
    assert len(desk.index.vectors.chunk_cosines(desk.model.queries(["ebb"])[0])) == 0
    assert len(desk.index.vectors.nearest_asks(desk.model.queries(["ebb"])[0], 5)[0]) == 0


# Articles


def test_an_article_quotes_what_is_indexed(desk: Desk, write: Write) -> None:
    articles = write({"when.md": ARTICLE}, "articles")
    desk.ingest(write({"ebb.md": f"# Ebb\n\n{EBB}"}), articles=articles)
    (article,) = desk.index.articles
    (evidence,) = article.statements[0].evidence
    assert (evidence.quote, evidence.chunk_id) == (EBB, "atlas:ebb.md#0")
    assert {chunk.kind for chunk in desk.index.all_chunks()} == {"page"}


def test_an_article_alone_is_a_summary(desk: Desk, write: Write) -> None:
    desk.ingest(articles=write({"when.md": ARTICLE}, "articles"))
    (chunk,) = desk.index.all_chunks()
    assert (chunk.kind, chunk.text) == ("article", "Twice a day.")


def test_a_summary_gives_way_when_its_source_comes_and_returns_when_it_goes(
    desk: Desk, write: Write
) -> None:
    articles = write({"when.md": ARTICLE}, "articles")
    desk.ingest(articles=articles)
    desk.ingest(write({"ebb.md": EBB}), articles=articles)
    assert desk.text == EBB
    desk.ingest(articles=articles, removed=frozenset({"atlas"}))
    assert desk.text == "Twice a day."


def test_a_source_that_changes_makes_its_article_stale(desk: Desk, write: Write) -> None:
    articles = write({"when.md": ARTICLE}, "articles")
    desk.ingest(write({"ebb.md": EBB}), articles=articles)
    desk.ingest(write({"ebb.md": "The water no longer goes out."}), articles=articles)
    (article,) = desk.index.articles
    assert [each.stale for each in article.statements[0].evidence] == [True]


def test_without_articles_those_indexed_before_leave(desk: Desk, write: Write) -> None:
    root = write({"ebb.md": EBB})
    desk.ingest(root, articles=write({"when.md": ARTICLE}, "articles"))
    report = desk.ingest(root, articles=None)
    assert report.documents == DocumentCounts(unchanged=1, removed=1)
    assert desk.index.articles == ()


def test_a_question_of_an_article_finds_its_article(desk: Desk, write: Write) -> None:
    other = ARTICLE.replace(
        '"When is the ebb?", how often does the water go out', "How to coil rope"
    )
    articles = write({"a.md": ARTICLE, "b.md": other}, "articles")
    desk.ingest(articles=articles)
    index = desk.index
    numbers, _ = index.vectors.collections.nearest(
        "asks", desk.model.queries(["How to coil rope"])[0], 1
    )
    assert index.articles[index.vectors.ask_articles[numbers[0]]].article_id == "b"


def test_one_bad_article_is_a_problem_and_the_rest_is_indexed(desk: Desk, write: Write) -> None:
    articles = write({"when.md": ARTICLE, "bad.md": "Just words."}, "articles")
    report = desk.ingest(write({"ebb.md": EBB}), articles=articles)
    assert [each.path for each in report.problems] == ["articles/bad.md"]
    assert report.documents == DocumentCounts(added=2)


# Gaps


def test_what_is_announced_and_not_written_is_a_gap(desk: Desk, write: Write) -> None:
    notice = "We are still working on the content for this page."
    root = write(
        {
            "_config.yml": "url: https://tide.example\npermalink: /:basename",
            "es.md": f"---\ntitle: Spain\ncountry_code: ES\n---\n{notice}",
            "glossary.md": "---\ntitle: Glossary\ncountry_code: PT\n---\n# Glossary",
            "tides.md": f"---\ntitle: Tides\n---\n{EBB}\n\n## Spring tides\n\n{notice}",
        }
    )
    report = desk.ingest(root)
    assert report.documents == DocumentCounts(added=2, skipped=1, placeholder=1)
    gaps = {
        (gap.kind, gap.path, gap.title, gap.section, gap.url, gap.country)
        for gap in desk.index.gaps
    }
    assert gaps == {
        ("page", "glossary.md", "Glossary", (), "https://tide.example/glossary", "PT"),
        ("page", "es.md", "Spain", (), "https://tide.example/es", "ES"),
        (
            "section",
            "tides.md",
            "Tides",
            ("Spring tides",),
            "https://tide.example/tides#spring-tides",
            None,
        ),
    }
    assert {each.path: each.placeholder for each in desk.index.documents()} == {
        "es.md": True,
        "tides.md": False,
    }
    assert "working" not in desk.text


def test_the_gaps_of_other_sources_stay(desk: Desk, write: Write) -> None:
    empty = "---\ntitle: Nothing\n---\n"
    desk.ingest(write({"_config.yml": "", "no.md": empty}))
    desk.ingest(write({"a.md": ROPE}, "loft"))
    assert [gap.path for gap in desk.index.gaps] == ["no.md"]


def test_a_gap_that_is_filled_is_gone(desk: Desk, write: Write) -> None:
    empty = "---\ntitle: Nothing\n---\n"
    root = write({"_config.yml": "", "no.md": empty})
    desk.ingest(root)
    write({"no.md": f"{empty}{EBB}"})
    report = desk.ingest(root)
    assert report.documents == DocumentCounts(added=1)
    assert desk.index.gaps == ()


def test_a_country_code_that_yaml_takes_for_a_word_of_its_own_harms_no_later_run(
    desk: Desk, write: Write
) -> None:
    root = write({"_config.yml": "", "no.md": "---\ntitle: Norway\ncountry_code: NO\n---\n"})
    desk.ingest(root)
    assert [gap.path for gap in desk.index.gaps] == ["no.md"]
    assert desk.ingest(root).problems == ()


# Running


def test_two_runs_at_once_are_refused(desk: Desk, write: Write) -> None:
    root = write({"a.md": EBB})
    first = desk.ingest(root)
    write({"b.md": FLOW})
    with (
        FileLock(desk.store.directory / "ingest.lock"),
        pytest.raises(IndexLocked, match="another ingest"),
    ):
        desk.ingest(root)
    assert desk.store.current() == first.generation
    assert desk.ingest(root).documents == DocumentCounts(added=1, unchanged=1)


def test_a_run_that_fails_leaves_the_index_as_it_was_and_frees_the_lock(
    desk: Desk, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write({"a.md": EBB})
    first = desk.ingest(root)
    write({"b.md": FLOW})
    with monkeypatch.context() as patch:
        patch.setattr(desk.model, "_embed", _power_cut)
        with pytest.raises(RuntimeError, match="power"):
            desk.ingest(root)
    assert desk.store.current() == first.generation
    assert desk.ingest(root).documents == DocumentCounts(added=1, unchanged=1)


def _power_cut(texts: Sequence[str]) -> None:
    raise RuntimeError("the power went out")


def test_progress_reaches_the_end_of_every_step(desk: Desk, write: Write) -> None:
    checkout = {
        "_config.yml": "",
        "a.md": f"---\ntitle: Ebb\n---\n{EBB}",
        "404.md": "---\n---\nGone.",
        "b.md": "",
        "c.md": "No page.",
    }
    desk.ingest(
        write(checkout),
        write({"a.md": FLOW, "b.md": "", "c.png": "x"}, "guide"),
        articles=write({"when.md": ARTICLE}, "articles"),
    )
    assert set(desk.steps.announced) == {
        "Reading atlas",
        "Reading guide",
        "Embedding",
        "Writing the index",
    }
    assert desk.steps.counted == desk.steps.announced


def test_the_last_three_generations_are_kept(desk: Desk, write: Write) -> None:
    made = [desk.ingest(write({"a.md": f"{EBB} Day {day}."})).generation for day in range(5)]
    assert desk.store.names() == made[-3:]
    assert desk.store.current() == made[-1]


def test_generations_built_within_one_second_keep_their_order(
    desk: Desk, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2031, 5, 4, tzinfo=UTC)

    monkeypatch.setattr(pipeline, "datetime", Stopped)
    for text in (EBB, FLOW, ROPE, EBB):
        desk.ingest(write({"a.md": text}))
        assert desk.store.names()[-1] == desk.store.current()
        assert desk.text == text


def test_acronyms_are_those_of_the_documents_and_those_kept_by_hand(
    desk: Desk, write: Write
) -> None:
    desk.ingest(write({"a.md": "The Mean Sea Level (MSL) is read at noon."}))
    assert dict(desk.index.acronyms) == {"dwl": "dawn water level", "msl": "mean sea level"}


# Sources that have to be fetched


ATLAS = Remote("atlas", "site", "https://tide.example", licence="CC-BY-4.0")


def fetched(*files: Path, problems: Sequence[Problem] = ()) -> Fetch:
    """A fetcher that finds some files on a site."""
    found = tuple(
        SourceFile(each.name, each, f"https://tide.example/{each.stem}") for each in files
    )

    def fetch(remote: Remote, count: Callable[[int], None]) -> Fetched:
        source = Source(
            remote.name, "site", Path("/"), address=remote.address, licence=remote.licence,
            files=found,
        )  # fmt: skip
        return Fetched(source, (Skipped("x.zip", "no document"),), tuple(problems))

    return fetch


def unreachable(remote: Remote, count: Callable[[int], None]) -> Fetched:
    raise SourceUnavailable("tide.example cannot be reached")


def test_a_remote_source_is_fetched_and_read(desk: Desk, write: Write) -> None:
    root = write({"ebb.html": f"<h1>Ebb</h1><p>{EBB}</p>", "flow.html": f"<p>{FLOW}</p>"})
    desk.fetch = fetched(root / "ebb.html", root / "flow.html")
    report = desk.ingest(remotes=[ATLAS])
    assert report.added == ("atlas:ebb.html", "atlas:flow.html")
    assert [each.path for each in report.skipped] == ["x.zip"]
    document = desk.index.document("atlas:ebb.html")
    assert document is not None
    assert (document.url, document.licence) == ("https://tide.example/ebb", "CC-BY-4.0")


def test_a_source_that_cannot_be_reached_stays_and_is_stale(desk: Desk, write: Write) -> None:
    root = write({"ebb.html": f"<h1>Ebb</h1><p>{EBB}</p>"})
    desk.fetch = fetched(root / "ebb.html")
    desk.ingest(remotes=[ATLAS])
    desk.fetch = unreachable
    report = desk.ingest(remotes=[ATLAS])
    assert report.stale == ("atlas",)
    assert report.problems == (Problem("atlas", "tide.example cannot be reached"),)
    assert report.documents == DocumentCounts(unchanged=1)
    assert desk.paths == ["atlas:ebb.html"]
    desk.fetch = fetched(root / "ebb.html")
    assert desk.ingest(remotes=[ATLAS]).stale == ()


def test_a_page_that_cannot_be_had_keeps_its_state_and_the_source_is_stale(
    desk: Desk, write: Write
) -> None:
    root = write({name: f"<p>{text}</p>" for name, text in PAGES.items()})
    every = [root / name for name in PAGES]
    desk.fetch = fetched(*every)
    desk.ingest(remotes=[ATLAS])
    desk.fetch = fetched(*every[:2], problems=[Problem(every[2].name, "answers 503")])
    report = desk.ingest(remotes=[ATLAS])
    assert report.documents.unchanged == len(PAGES)
    assert report.stale == ("atlas",)


PAGES = {"ebb.html": EBB, "flow.html": FLOW, "rope.html": ROPE}


def test_a_source_that_lost_more_than_half_is_not_believed(desk: Desk, write: Write) -> None:
    root = write({name.replace("html", "md"): text for name, text in PAGES.items()})
    desk.ingest(root)
    (root / "ebb.md").unlink()
    assert desk.ingest(root).documents == DocumentCounts(unchanged=2, removed=1)
    (root / "rope.md").unlink()
    assert desk.ingest(root).documents == DocumentCounts(unchanged=1, removed=1)
    (root / "flow.md").unlink()
    report = desk.ingest(root)
    assert desk.paths == ["atlas:flow.md"]
    assert report.stale == ("atlas",)
    (problem,) = report.problems
    assert problem.path == "atlas"
    assert "--source atlas --accept" in problem.problem
    assert desk.ingest(root, accept=True).documents.removed == 1
    assert desk.paths == []


def test_articles_that_have_gone_leave_the_index_as_it_is(desk: Desk, write: Write) -> None:
    articles = write({"when.md": ARTICLE}, "articles")
    desk.ingest(write({"ebb.md": EBB}), articles=articles)
    before = desk.store.current()
    with pytest.raises(SourceUnavailable, match="--accept"):
        desk.ingest(articles=articles.parent / "elsewhere")
    assert desk.store.current() == before


def test_a_site_adds_what_its_repository_does_not_hold(desk: Desk, write: Write) -> None:
    checkout = write(
        {"_config.yml": "permalink: /:basename", "CNAME": "tide.example",
         "pages/ebb.md": f"---\ntitle: Ebb\n---\n{EBB}"}, "repo",
    )  # fmt: skip
    root = write({"ebb.html": f"<h1>Ebb</h1><p>{EBB}</p>", "flow.html": f"<p>{FLOW}</p>"}, "site")
    desk.fetch = fetched(root / "ebb.html", root / "flow.html")
    report = desk.ingest(checkout, remotes=[ATLAS], order=("repo", "atlas"))
    assert desk.paths == ["atlas:flow.html", "repo:pages/ebb.md"]
    assert [each.path for each in report.skipped] == ["x.zip", "atlas:ebb.html"]
    # Also when the two are read one after the other, in any order.
    assert desk.ingest(remotes=[ATLAS], order=("repo", "atlas")).documents.unchanged == 2
    # Where the repository goes, or drops a page, that of the site is at hand at once.
    assert desk.ingest(removed=frozenset({"repo"})).added == ("atlas:ebb.html",)
    assert desk.ingest(remotes=[ATLAS], order=("repo", "atlas")).documents.unchanged == 2
    desk.ingest(checkout, order=("repo", "atlas"))
    assert desk.paths == ["atlas:flow.html", "repo:pages/ebb.md"]
    (checkout / "pages" / "ebb.md").rename(checkout / "pages" / "tide.md")
    report = desk.ingest(checkout, order=("repo", "atlas"))
    assert report.added == ("atlas:ebb.html", "repo:pages/tide.md")
    assert report.removed == ("repo:pages/ebb.md",)
    assert report.skipped == ()


def test_the_report_says_what_changed(desk: Desk, write: Write) -> None:
    root = write({"ebb.md": EBB, "flow.md": FLOW})
    desk.ingest(root)
    (root / "ebb.md").write_text(f"{EBB} Twice.")
    (root / "flow.md").rename(root / "tide.md")
    report = desk.ingest(root)
    assert report.changed == ("atlas:ebb.md",)
    assert report.added == ("atlas:tide.md",)
    assert report.removed == ("atlas:flow.md",)


# What a run must not take for something else


def test_a_partial_run_over_an_index_that_cannot_be_read_loses_nothing(
    desk: Desk, write: Write
) -> None:
    ebb, flow = write({"ebb.md": EBB}, "a"), write({"flow.md": FLOW}, "b")
    desk.ingest(ebb, flow)
    current = desk.store.current()
    assert current is not None
    vectors = desk.store.generations / current / "chunks.npy"
    vectors.rename(vectors.with_name("lost"))
    with pytest.raises(IndexMismatch, match=r"leave out a: .*--accept"):
        desk.ingest(flow)
    assert desk.store.current() == current
    vectors.with_name("lost").rename(vectors)
    assert desk.ingest(flow).documents == DocumentCounts(unchanged=2)


@pytest.mark.parametrize("how", [{"accept": True}, {"anew": True}])
def test_an_index_that_cannot_be_read_is_begun_anew_when_one_says_so(
    desk: Desk, write: Write, how: dict[str, bool]
) -> None:
    ebb, flow = write({"ebb.md": EBB}, "a"), write({"flow.md": FLOW}, "b")
    first = desk.ingest(ebb, flow).generation
    (desk.store.generations / str(first) / "index.sqlite").write_bytes(b"damaged")
    assert desk.ingest(ebb, **how).added == ("a:ebb.md",)


def test_an_index_that_cannot_be_read_is_begun_anew_where_nothing_is_lost(
    desk: Desk, write: Write
) -> None:
    root = write({"ebb.md": EBB})
    first = desk.ingest(root).generation
    (desk.store.generations / str(first) / "index.sqlite").write_bytes(b"damaged")
    assert desk.ingest(root).added == ("atlas:ebb.md",)


def test_the_index_does_not_depend_on_which_source_was_read_last(desk: Desk, write: Write) -> None:
    first = write({"x.md": f"# One\n\n{EBB}\n\n{ROPE}"}, "aaa")
    second = write({"z.md": f"# Two\n\n{EBB}\n\n{FLOW}"}, "bbb")
    desk.ingest(first, second, order=("aaa", "bbb"))
    clean = [(chunk.chunk_id, chunk.text) for chunk in desk.index.all_chunks()]
    (first / "x.md").write_text(f"# One\n\n{EBB}\n\n{ROPE} Twice.")
    desk.ingest(first, order=("aaa", "bbb"))
    (first / "x.md").write_text(f"# One\n\n{EBB}\n\n{ROPE}")
    desk.ingest(first, order=("aaa", "bbb"))
    desk.ingest(second, order=("aaa", "bbb"))
    assert [(chunk.chunk_id, chunk.text) for chunk in desk.index.all_chunks()] == clean


def test_an_error_of_one_source_does_not_end_the_run_of_the_others(
    desk: Desk, write: Write
) -> None:
    def broken(remote: Remote, count: Callable[[int], None]) -> Fetched:
        raise OverflowError("date value out of range\nat last")

    desk.fetch = broken
    report = desk.ingest(write({"ebb.md": EBB}, "repo"), remotes=[ATLAS])
    assert report.added == ("repo:ebb.md",)
    assert report.stale == ("atlas",)
    assert report.problems[0].problem == (
        "cannot be fetched: OverflowError: date value out of range at last"
    )


def test_a_listed_source_that_is_not_there_is_known_to_have_failed(desk: Desk) -> None:
    missing = Problem("shelf", "no such file or folder")
    report = desk.ingest(unavailable=[missing], order=("shelf",))
    assert report.stale == ("shelf",)
    # What an operator mistyped is no source.
    assert desk.ingest(unavailable=[Problem("shlef", "no such file")]).stale == ("shelf",)


def test_a_changed_fact_of_an_unchanged_file_is_a_change(desk: Desk, write: Write) -> None:
    root = write({"ebb.html": f"<h1>Ebb</h1><p>{EBB}</p>"})
    desk.fetch = fetched(root / "ebb.html")
    desk.ingest(remotes=[ATLAS])

    def dated(remote: Remote, count: Callable[[int], None]) -> Fetched:
        found = fetched(root / "ebb.html")(remote, count)
        assert found.source.files is not None
        (file,) = found.source.files
        newer = replace(file, published="2031-05-04", dated_by="page")
        return replace(found, source=replace(found.source, files=(newer,)))

    desk.fetch = dated
    assert desk.ingest(remotes=[ATLAS]).changed == ("atlas:ebb.html",)
    document = desk.index.document("atlas:ebb.html")
    assert document is not None
    assert document.published == "2031-05-04"


def test_what_is_known_of_an_index_that_was_lost_is_void(desk: Desk, write: Write) -> None:
    root = write({"ebb.html": f"<p>{EBB}</p>"})
    desk.fetch = fetched(root / "ebb.html")
    desk.ingest(remotes=[ATLAS])
    log = Memory.of(desk.directory / "data").log
    assert "atlas" in log.states(desk.store.current())
    shutil.rmtree(desk.store.generations)
    assert log.states(desk.store.current()) == {}
    desk.ingest(write({"flow.md": FLOW}, "b"))
    assert log.states(desk.store.current()).keys() == {"b"}


def test_where_nobody_knows_what_an_unreadable_index_holds_a_partial_run_is_refused(
    desk: Desk, write: Write
) -> None:
    ebb, flow = write({"ebb.md": EBB}, "a"), write({"flow.md": FLOW}, "b")
    first = desk.ingest(ebb, flow).generation
    (desk.store.generations / str(first) / "index.sqlite").write_bytes(b"damaged")
    (desk.directory / "data" / "sync.json").unlink()
    with pytest.raises(IndexMismatch, match="what other sources it may hold"):
        desk.ingest(ebb)
    assert desk.ingest(ebb, flow, anew=True).documents.added == 2


def test_documents_that_are_none_any_more_are_damage(desk: Desk, write: Write) -> None:
    root = write({"ebb.md": EBB})
    first = desk.ingest(root).generation
    with sqlite3.connect(desk.store.generations / str(first) / "index.sqlite") as database:
        database.execute("UPDATE documents SET payload = '{}'")
    assert desk.ingest(root).added == ("atlas:ebb.md",)


def test_what_was_current_until_now_is_left_to_those_who_read_it(desk: Desk, write: Write) -> None:
    desk.ingest(write({"ebb.md": EBB}))
    made = desk.store.generations / str(desk.store.current())
    old = [f"2025010{day}T000000000000Z-aaaaaaaa" for day in range(1, 5)]
    for name in old:
        shutil.copytree(made, desk.store.generations / name)
    desk.store.use(old[0])
    report = desk.ingest(write({"flow.md": FLOW}))
    assert desk.store.names() == [old[0], old[3], made.name, report.generation]


def test_vectors_that_a_server_has_lost_are_written_again(
    desk: Desk, write: Write, tmp_path: Path
) -> None:
    with ChromaProcess(tmp_path / "chroma") as running:
        desk.server = ChromaServer(running.address)
        first = desk.ingest(write({"ebb.md": EBB})).generation
        assert first is not None
        assert desk.ingest().generation == first
        desk.server.remove(first)
        report = desk.ingest()
        assert report.generation != first
        assert report.embedded == 0
        desk.index.check(desk.model.name)
        running.kill()
        assert desk.ingest().generation == report.generation, "a silent one has lost none"
