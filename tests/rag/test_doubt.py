"""When to doubt that the documents say what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from shelf import SIGNS, TRAVEL, Shelf, article, evidence, page, retriever_over, written

from rag.doubt import DOUBT, Doubter, Learned, Signs, load_learned
from rag.errors import BadSetting
from rag.index import Generation
from rag.models import Part, Question
from rag.retriever import Retriever

NAMES = [each.name for each in fields(Signs)]


@pytest.fixture
def generation(tmp_path: Path) -> Iterator[Generation]:
    pages = [
        page("transfer.md", "Transfer", Part(SIGNS)),
        page("files.md", "Files", Part(f"{TRAVEL} Keys are made with Lantern.")),
    ]
    shelf = Shelf(
        documents=tuple(document for document, _ in pages),
        chunks=tuple(chunk for _, chunks in pages for chunk in chunks),
    )
    opened = written(tmp_path / "data", shelf).open()
    yield opened
    opened.close()


def learned(**weights: float) -> Learned:
    """Nothing counts but what is named."""
    numbers = [weights.get(name, 0.0) for name in (*NAMES, "even")]
    return Learned(np.zeros(65, np.float32), np.array(numbers, np.float32), 0.8, 0.4)


def signs_of(generation: Generation, text: str) -> Signs:
    retriever = retriever_over(generation)
    query = retriever.query(Question(text))
    return Doubter(generation, None).signs(query, retriever.find(query, 5))


def missing(generation: Generation, text: str) -> tuple[str, ...]:
    retriever: Retriever = retriever_over(generation)
    query = retriever.query(Question(text))
    return Doubter(generation, None).doubt(query, retriever.find(query, 5)).missing


def test_a_name_that_nothing_speaks_of_is_told(generation: Generation) -> None:
    assert missing(generation, "Are keys for encrypted files kept in Snowflake?") == ("Snowflake",)


def test_a_name_that_a_page_speaks_of_is_not_missing(generation: Generation) -> None:
    assert missing(generation, "Are keys for encrypted files made with Lantern?") == ()


def test_the_first_word_of_a_sentence_is_no_name(generation: Generation) -> None:
    assert missing(generation, "Perhaps files travel. Nevertheless keys stay here, right?") == ()


def test_a_country_of_europe_is_no_missing_name(generation: Generation) -> None:
    assert missing(generation, "How do encrypted files travel to Portugal?") == ()


def test_capitals_of_german_nouns_tell_no_names(generation: Generation) -> None:
    assert missing(generation, "Wie werden unsere Dateien auf dem Rechner verschlüsselt?") == ()


def test_words_that_nothing_speaks_of_count_by_their_rarity(generation: Generation) -> None:
    known = signs_of(generation, "Do encrypted files travel with the receiver?")
    strange = signs_of(generation, "Do encrypted tomatoes travel with the receiver?")
    assert known.unseen == 0 < strange.unseen < 1


def test_a_question_nearer_to_a_sentence_has_the_higher_cosine(generation: Generation) -> None:
    near = signs_of(generation, SIGNS)
    far = signs_of(generation, "Which bicycle repair shop opens on Sunday?")
    assert near.sentence > far.sentence


def test_nothing_is_doubted_where_nothing_was_learned(generation: Generation) -> None:
    retriever = retriever_over(generation)
    query = retriever.query(Question("Which bicycle repair shop opens on Sunday?"))
    doubt = Doubter(generation, None).doubt(query, retriever.find(query, 5))
    assert (doubt.probability, doubt.declines, doubt.hedges) == (0.0, False, False)


def test_signs_add_up_to_a_probability_with_two_bars(generation: Generation) -> None:
    said = ("Sign first.", (evidence("transfer.md", SIGNS),))
    generation.articles = (article("sign", ("Who signs?",), said),)
    generation.ask_centres = {"": np.zeros(64, np.float32)}
    retriever = retriever_over(generation)
    query = retriever.query(Question("Are keys for encrypted files kept in Snowflake?"))
    found = retriever.find(query, 5)
    decided = {}
    for weight in (-3.0, 0.0, 3.0):
        doubt = Doubter(generation, learned(names=weight)).doubt(query, found)
        decided[weight] = (round(doubt.probability, 2), doubt.hedges, doubt.declines)
    assert decided == {
        -3.0: (0.05, False, False),
        0.0: (0.5, True, False),
        3.0: (0.95, True, True),
    }


def test_of_a_source_that_no_article_rests_on_nothing_is_doubted(generation: Generation) -> None:
    generation.ask_centres = {"": np.zeros(64, np.float32)}
    retriever = retriever_over(generation)
    query = retriever.query(Question("Are keys for encrypted files kept in Snowflake?"))
    doubt = Doubter(generation, learned(even=9.0)).doubt(query, retriever.find(query, 5))
    assert (doubt.probability, doubt.missing) == (0.0, ("Snowflake",))


def test_what_was_learned_is_read_as_it_was_written(tmp_path: Path) -> None:
    original = learned(sort=1.5, even=-2.0)
    original.save(tmp_path / DOUBT, "model")
    read = load_learned(tmp_path, "model")
    assert read is not None
    assert np.array_equal(read.weights, original.weights)
    assert (read.decline, read.hedge) == (original.decline, original.hedge)


def test_what_was_learned_for_another_embedder_is_left_alone(tmp_path: Path) -> None:
    learned().save(tmp_path / DOUBT, "model")
    assert load_learned(tmp_path, "another") is None
    assert load_learned(tmp_path / "nowhere", "model") is None


def test_a_file_that_weighs_other_signs_is_told(tmp_path: Path) -> None:
    short = replace(learned(), weights=np.zeros(3, np.float32))
    short.save(tmp_path / DOUBT, "model")
    with pytest.raises(BadSetting, match="learn it anew"):
        load_learned(tmp_path, "model")


def test_a_broken_file_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / DOUBT).write_bytes(b"no archive")
    with pytest.raises(BadSetting, match=DOUBT):
        load_learned(tmp_path, "model")
