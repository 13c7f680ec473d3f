"""A draft begins with what the sources say, and reads as an article that is still to be written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEmbedder, retriever_of
from hypothesis import given
from hypothesis import strategies as st

from ingest.article_drafts import READ, SENTENCES, Material, draft, file_name, material
from ingest.loaders.articles import read_article
from ingest.loaders.textfile import split_front_matter
from rag.index import Generation, Store
from rag.index_writer import Contents, StoredDocument
from rag.models import Chunk, DataItem, IndexedDocument, Part, Question
from rag.sentences import chunk_sentences, told
from rag.text import pin

DAY = date(2031, 5, 4)
DAWN = "The gauge of Port Alder is read at dawn."
RED = "A warden writes the tide into the red book."
ROPE = "A rope is coiled with the sun and hung up dry."
ROW = "Gauge Height 1..1 mandatory"
ITEM = DataItem("Gauge", "Height", "How high the water stands", "metres", "1..1", "mandatory",
                "If the tide is out", "confirmed")  # fmt: skip


def chunk(name: str, *parts: Part, kind: str = "page", url: str | None = "") -> Chunk:
    where = f"https://tide.example/{name}" if url == "" else url
    return Chunk(
        f"atlas:{name}.md#0", f"atlas:{name}.md", "atlas", f"{name}.md", name.title(), where,
        parts, kind,
    )  # fmt: skip


def card(chunk: Chunk) -> StoredDocument:
    made = IndexedDocument(
        document_id=chunk.document_id, source=chunk.source, path=chunk.path, title=chunk.title,
        url=chunk.url, language="en", kind=chunk.kind, placeholder=False, version=None, doi=None,
        published=None, licence=None, chunks=1,
    )  # fmt: skip
    return StoredDocument(made, "{}")


def index(directory: Path, *chunks: Chunk) -> Generation:
    """A generation of these chunks, each of a document of its own."""
    model = HashingEmbedder()
    texts = [f"{each.heading}\n{each.text}" for each in chunks]
    said = [
        (number, sentence.text)
        for number, each in enumerate(chunks)
        for sentence in chunk_sentences(each)
    ]
    store = Store(directory)
    made = Contents(
        embedder=model.name, dimensions=model.dimensions, digest="0" * 64,
        documents=[card(each) for each in chunks], chunks=chunks, chunk_texts=texts,
        chunk_vectors=model.passages(texts),
        sentence_chunks=np.array([number for number, _ in said], dtype=np.int32),
        sentence_vectors=model.passages([text for _, text in said]),
        gaps=(), resources=(), topics={}, articles=(),
        ask_articles=np.empty(0, dtype=np.int32), ask_vectors=model.queries([]),
        ask_floor=0.6, ask_bar=0.9, acronyms={}, leftovers=[],
    )  # fmt: skip
    store.write("20310504T120000Z-aaaaaaaa", made)
    return store.open()


def found_in(generation: Generation, question: str) -> list[Material]:
    retriever = retriever_of(generation, HashingEmbedder())
    query = retriever.query(Question(question))
    return material(generation, query, retriever.passages(query, 10))


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    generation = index(
        tmp_path_factory.mktemp("atlas"),
        chunk(
            "gauges",
            Part(f"{RED} {DAWN}", ("Reading", "Hours"), "hours", label="required"),
            Part("Ask.", ("Contact",), "contact"),
        ),
        chunk("ropes", Part(ROPE, page=3), kind="pdf"),
        chunk("summary", Part(DAWN), kind="article", url=None),
    )
    with closing(generation):
        yield generation


# What it is made of


def test_it_is_made_of_the_nearest_sentences_nearest_first(atlas: Generation) -> None:
    found = found_in(atlas, "When is the gauge of Port Alder read?")
    assert [each.text for each in found][:2] == [DAWN, RED]
    assert found[0].chunk.path == "gauges.md"
    assert found[0].part.anchor == "hours"


def test_what_an_article_says_of_a_source_that_is_not_indexed_is_no_evidence(
    atlas: Generation,
) -> None:
    found = found_in(atlas, "When is the gauge of Port Alder read?")
    assert "article" not in {each.chunk.kind for each in found}
    assert [each.text for each in found].count(DAWN) == 1


def test_a_sentence_of_a_word_or_two_is_none(atlas: Generation) -> None:
    assert "Ask." not in [each.text for each in found_in(atlas, "Whom do I ask? contact")]


def test_it_begins_with_a_handful_of_sentences_from_few_passages(tmp_path: Path) -> None:
    chunks = [
        chunk(f"p{page}", Part(" ".join(f"The gauge {page} has mark {n}." for n in range(5))))
        for page in range(8)
    ]
    with closing(index(tmp_path, *chunks)) as generation:
        found = found_in(generation, "Which mark has the gauge?")
    assert len(found) == SENTENCES
    assert len({each.chunk.chunk_id for each in found}) <= READ


def test_of_a_row_of_a_table_the_row_is_taken_for_it_is_what_can_be_pinned(tmp_path: Path) -> None:
    row = Part(f"{ROW}\n{ITEM.condition}", ("Gauge",), page=2, item=ITEM)
    with closing(index(tmp_path, chunk("items", row, kind="pdf"))) as generation:
        (found,) = found_in(generation, "How high does the water stand?")
    assert found.text == ROW
    assert told(ITEM) != found.text


def test_without_passages_there_is_nothing_to_begin_with(atlas: Generation) -> None:
    query = retriever_of(atlas, HashingEmbedder()).query(Question("gauge"))
    assert material(atlas, query, []) == []


# What it reads like


def is_draft(text: str) -> bool:
    front, _ = split_front_matter(text)
    return bool(front and front["draft"] is True)


def first_of(atlas: Generation) -> list[Material]:
    return found_in(atlas, "When is the gauge of Port Alder read?")


def test_it_is_an_article_but_for_what_is_still_to_be_said(atlas: Generation) -> None:
    text = draft("When is the gauge read?", "en", "gauges", first_of(atlas), DAY)
    assert is_draft(text)
    article = read_article(text, "gauge-read", "drafts/gauge-read.md")
    assert (article.title, article.kind, article.intent) == (
        "When is the gauge read?",
        "answer",
        "gauges",
    )
    assert [(ask.text, ask.language) for ask in article.asks] == [("When is the gauge read?", "en")]
    assert (article.checked, article.reviewed_by) == ("2031-05-04", "")
    assert all(each.text.startswith("TO BE SAID IN OUR OWN WORDS: ") for each in article.statements)


def test_it_holds_on_to_each_sentence_with_its_place_and_label(atlas: Generation) -> None:
    found = first_of(atlas)
    article = read_article(draft("When?", "en", "gauges", found, DAY), "when", "when.md")
    assert [each.text.removeprefix("TO BE SAID IN OUR OWN WORDS: ") for each in article.statements]\
        == [each.text for each in found]  # fmt: skip
    held = {each.evidence[0].pin: each.evidence[0] for each in article.statements}
    dawn, rope = held[pin(DAWN)], held[pin(ROPE)]
    assert (dawn.source, dawn.path, dawn.title) == ("atlas", "gauges.md", "Gauges")
    assert (dawn.section, dawn.label) == (("Reading", "Hours"), "required")
    assert dawn.url == "https://tide.example/gauges#hours"
    assert (rope.url, rope.label) == ("https://tide.example/ropes#page=3", None)


@pytest.mark.parametrize("language", ["no", "el", "en"])
def test_a_language_that_yaml_takes_for_a_no_is_a_language(
    atlas: Generation, language: str
) -> None:
    text = draft("Når leses vannstanden?", language, "gauges", first_of(atlas), DAY)
    assert read_article(text, "a", "a.md").asks[0].language == language


QUESTIONS = st.text(min_size=2).filter(lambda text: sum(map(str.isalnum, text)) > 1)


@given(QUESTIONS)
def test_whatever_is_asked_the_draft_can_be_read(atlas: Generation, question: str) -> None:
    text = draft(question, "en", "gauges", first_of(atlas)[:1], DAY)
    # What is written to a file comes back as it was.
    assert text.encode().decode() == text
    assert is_draft(text)
    article = read_article(text, "a", "a.md")
    assert article.asks[0].text == article.title
    assert article.title.split() == question.encode("utf-8", "replace").decode().split()


@pytest.mark.parametrize(
    "question",
    [
        "no", "12:30", "2031-05-04", "- gauge", "# gauge", "a: b", "[gauge", "'gauge", '"gauge',
        "--- \n---\ndraft: false\n---", "gauge\n\n---\n\ngauge", "{gauge: 1}", "%gauge", "!!gauge",
    ],
)  # fmt: skip
def test_a_question_that_looks_like_yaml_stays_a_question(atlas: Generation, question: str) -> None:
    text = draft(question, "en", "gauges", first_of(atlas), DAY)
    assert is_draft(text)
    assert read_article(text, "a", "a.md").title == " ".join(question.split())


def test_a_sentence_of_several_lines_is_one_statement(atlas: Generation) -> None:
    (first, *_) = first_of(atlas)
    said = Material(first.chunk, first.part, "Read it\n\nat dawn.")
    (statement,) = read_article(draft("When?", "en", "g", [said], DAY), "a", "a.md").statements
    assert statement.text.endswith("Read it at dawn.")
    assert statement.evidence[0].pin == pin("Read it at dawn.")


def test_a_footnote_of_the_source_is_no_evidence_of_ours(atlas: Generation) -> None:
    (first, *_) = first_of(atlas)
    said = Material(first.chunk, first.part, "Read it at dawn.[^7]")
    (statement,) = read_article(draft("When?", "en", "g", [said], DAY), "a", "a.md").statements
    assert len(statement.evidence) == 1


# What its file is called


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("When is the gauge of Port Alder read?", "gauge-port-alder-read"),
        ("  GAUGE -- hours!! ", "gauge-hours"),
        ("Où est la régua à Évora?", "ou-est-la-regua-evora"),
        ("Who are you?", "who-are-you"),
        ("What is GA4GH?", "ga4gh"),
        ("../../etc/passwd", "etc-passwd"),
        (
            "one fish two fish red fish blue fish three fish four fish",
            "one-fish-two-fish-red-fish-blue",
        ),
    ],
)
def test_a_name_tells_what_is_asked(question: str, name: str) -> None:
    assert file_name(question) == name


def test_a_question_in_another_script_has_a_name_of_its_own() -> None:
    when, where = "Πότε διαβάζεται ο παλιρροιογράφος;", "Πού είναι το λιμάνι;"
    assert re.fullmatch(r"question-[0-9a-f]{8}", file_name(when))
    assert file_name(when) == file_name(when.upper()) != file_name(where)


@given(QUESTIONS)
def test_a_name_is_a_plain_one_whatever_is_asked(question: str) -> None:
    name = file_name(question)
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name)
    assert len(name) <= 80
    assert split_front_matter(f"---\nid: {name!r}\n---\n")[0] == {"id": name}
