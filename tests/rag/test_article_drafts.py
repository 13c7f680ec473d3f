"""What an article begins with, and the file that it becomes, whatever somebody has written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEmbedder, retriever_of
from hypothesis import given
from hypothesis import strategies as st

from ingest.loaders.articles import read_article
from ingest.loaders.textfile import split_front_matter
from rag.article_drafts import (
    READ,
    SENTENCES,
    Material,
    Written,
    article_text,
    draft,
    evidence_of,
    file_name,
    material,
)
from rag.citations import Footnotes
from rag.index import Generation
from rag.index_writer import Contents, StoredDocument
from rag.models import (
    Article,
    ArticleStatement,
    Ask,
    Chunk,
    Citation,
    DataItem,
    Evidence,
    Gap,
    IndexedDocument,
    Part,
    Question,
)
from rag.sentences import chunk_sentences, told
from rag.store import Store
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


def index(directory: Path, *chunks: Chunk, articles: Sequence[Article] = ()) -> Generation:
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
        gaps=(), resources=(), topics={}, articles=articles,
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


# What somebody has written


TIDE = Evidence(
    source="atlas", path="tide.md", title="Tide: high, and low", section=("When", "it: turns"),
    url="https://tide.example/tide#turns", label="required", pin="0123456789abcdef",
)  # fmt: skip
EBB = replace(TIDE, path="ebb.md", url=None, label=None, section=(), pin="fedcba9876543210")


def written(*statements: ArticleStatement, **more: object) -> Written:
    values: dict[str, object] = {
        "title": "When the tide turns", "intent": "tides", "audience": ["volunteer"],
        "asks": {"en": ["When does it turn?"], "no": ["Når snur det?"]},
        "statements": statements or (ArticleStatement("Twice a day.", (TIDE,)),), "checked": DAY,
    }  # fmt: skip
    return Written(**(values | more))  # type: ignore[arg-type]


def reread(text: str) -> Article:
    return read_article(text, "tide", "tides/tide.md")


def test_an_article_is_read_as_it_was_written() -> None:
    said = (ArticleStatement("Twice a day.", (TIDE, EBB)), ArticleStatement("Or so.", (EBB,)))
    text = article_text(
        written(*said, country="PT", reviewed_by="contact point", kind="navigation")
    )
    assert reread(text) == Article(
        article_id="tide", document_id="tides/tide.md", path="tides/tide.md",
        title="When the tide turns", kind="navigation", intent="tides",
        asks=(Ask("When does it turn?", "en"), Ask("Når snur det?", "no")), statements=said,
        checked="2031-05-04", reviewed_by="contact point", country="PT",
    )  # fmt: skip
    assert "draft" not in text


def test_a_sentence_of_a_source_does_not_get_into_the_file() -> None:
    text = article_text(written(ArticleStatement("Twice.", (replace(TIDE, quote=DAWN),))))
    assert DAWN not in text
    assert reread(text).statements[0].evidence == (TIDE,)


def test_a_draft_is_marked_as_one() -> None:
    assert is_draft(article_text(written(draft=True)))


ANYTHING = st.text(
    st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from("[]^1e\n-:'\"#"))
)
SPOKEN = ANYTHING.map(lambda text: f"tide {text}")


@given(st.lists(SPOKEN, min_size=1, max_size=4), SPOKEN, SPOKEN, SPOKEN)
def test_whatever_is_said_stays_in_its_statement(
    said: list[str], title: str, ask: str, signed: str
) -> None:
    statements = [ArticleStatement(each, (TIDE, EBB)) for each in said]
    article = reread(
        article_text(
            written(*statements, title=title, asks={"el": [ask[:300]]}, reviewed_by=signed)
        )
    )
    assert [each.evidence for each in article.statements] == [(TIDE, EBB)] * len(said)
    assert article.title == " ".join(title.split())
    assert article.asks == (Ask(" ".join(ask[:300].split()), "el"),)
    assert article.reviewed_by == " ".join(signed.split())


@given(SPOKEN.filter(lambda text: text.isprintable() and "[" not in text))
def test_what_is_no_marker_is_said_word_for_word(said: str) -> None:
    (statement,) = reread(article_text(written(ArticleStatement(said, (TIDE,))))).statements
    assert statement.text == " ".join(said.split())


@pytest.mark.parametrize(
    "said",
    [
        "It turns.[^1]", "It[1] turns.", "It turns.[[1]1]", "It turns.[^a[^b]]", "It\n\nturns.",
        "It turns.[^e2]", "It turns. [^", "It turns.[\u200b1]", "---\nIt turns.\n---",
    ],
)  # fmt: skip
def test_what_would_be_read_as_evidence_is_left_out(said: str) -> None:
    (statement,) = reread(article_text(written(ArticleStatement(said, (TIDE,))))).statements
    assert statement.evidence == (TIDE,)
    assert not re.search(r"\[\^?\w+\]", statement.text)


# What an article may hold on to of an answer


def cited(generation: Generation, quote: str, name: str = "gauges", **more: object) -> Citation:
    (first, *_) = generation.chunks_of(f"atlas:{name}.md")
    part = next((each for each in first.parts if quote in each.text), first.parts[0])
    citation = Citation(
        marker=1, kind="source", document_id=first.document_id, source=first.source,
        path=first.path, title=first.title, section=part.section, url=first.address(part),
        page=part.page, quote=quote, label=part.label,
    )  # fmt: skip
    return replace(citation, **more)  # type: ignore[arg-type]


def test_a_cited_sentence_is_held_on_to_at_its_place(atlas: Generation) -> None:
    (found,) = evidence_of(cited(atlas, DAWN), atlas)
    assert found == replace(
        TIDE, path="gauges.md", title="Gauges", section=("Reading", "Hours"),
        url="https://tide.example/gauges#hours", pin=pin(DAWN), quote=DAWN,
        chunk_id="atlas:gauges.md#0",
    )  # fmt: skip


def test_of_a_quote_of_several_sentences_each_is_held_on_to(atlas: Generation) -> None:
    found = evidence_of(cited(atlas, f"{RED} {DAWN}"), atlas)
    assert [each.pin for each in found] == [pin(RED), pin(DAWN)]


def test_a_sentence_that_stands_in_another_one_is_not_held_on_to_with_it(tmp_path: Path) -> None:
    longer = f"Whoever says: {ROPE[:-1].lower()}, says it well."
    with closing(index(tmp_path, chunk("gauges", Part(f"{ROPE}\n{longer}")))) as generation:
        for quote in (ROPE, longer):
            assert [each.quote for each in evidence_of(cited(generation, quote), generation)] == [
                quote
            ]


def test_words_out_of_a_sentence_stand_for_all_of_it(atlas: Generation) -> None:
    (found,) = evidence_of(cited(atlas, "the red book"), atlas)
    assert found.pin == pin(RED)


def test_of_a_cited_row_the_row_is_held_on_to(tmp_path: Path) -> None:
    row = Part(f"{ROW}\n{ITEM.condition}", ("Gauge",), page=2, item=ITEM)
    with closing(index(tmp_path, chunk("items", row, kind="pdf"))) as generation:
        (sentence,) = chunk_sentences(generation.chunk(0))
        notes = Footnotes(generation)
        notes.sentence(generation.chunk(0), sentence)
        (found,) = evidence_of(notes.citations[0], generation)
    assert (found.pin, found.quote) == (pin(ROW), ROW)


def test_words_that_are_a_line_by_themselves_are_held_on_to(atlas: Generation) -> None:
    (found,) = evidence_of(cited(atlas, "Ask."), atlas)
    assert (found.pin, found.section) == (pin("Ask."), ("Contact",))


def test_for_a_heading_its_page_stands_by_its_title(atlas: Generation) -> None:
    gap = Gap("section", "atlas:ropes.md", "atlas", "ropes.md", "Ropes", ("Knots",), None)
    notes = Footnotes(atlas)
    notes.gap(gap)
    (found,) = evidence_of(notes.citations[0], atlas)
    assert (found.pin, found.quote, found.path) == (pin("Ropes"), "Ropes", "ropes.md")


def test_where_an_article_was_cited_what_it_rests_on_is_carried_on(tmp_path: Path) -> None:
    """Its source is not indexed: there is no sentence to hold on to."""
    said = (ArticleStatement("Twice a day.", (TIDE, EBB)), ArticleStatement("Or so.", (EBB,)))
    article = replace(
        reread(article_text(written(*said))),
        document_id="articles/tide.md",
        path="articles/tide.md",
    )
    summary = replace(
        chunk("summary", Part("Twice a day."), kind="article", url=None),
        chunk_id="articles/tide.md#0", document_id="articles/tide.md", path="articles/tide.md",
    )  # fmt: skip
    with closing(index(tmp_path, summary, articles=[article])) as generation:
        notes = Footnotes(generation)
        notes.statement(article, article.statements[0])
        (citation,) = notes.citations
        assert (citation.kind, citation.path) == ("summary", "tide.md")
        assert evidence_of(citation, generation) == (TIDE,)
        gone = replace(citation, document_id="articles/gone.md")
        assert evidence_of(gone, generation) == ()


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
        (
            " ".join("x" * length for length in (20, 20, 20, 16, 20)),
            "-".join("x" * length for length in (20, 20, 20, 16)),
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
