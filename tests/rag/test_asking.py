from __future__ import annotations

import csv
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.asking import FILE, KINDS, LABELS, LISTS, Asked, AskReader, AskType
from rag.errors import BadSetting
from rag.language import LANGUAGES

READER = AskReader.load(Path(__file__).resolve().parents[2] / "corpus")


@pytest.fixture(scope="session")
def typed(root: Path) -> list[dict[str, str]]:
    """Questions as people type them, with what they ask for."""
    with (root / "tests" / "data" / "asked.tsv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file, dialect="excel-tab") if row["type"]]


def test_the_questions_ask_for_everything_in_every_language(typed: list[dict[str, str]]) -> None:
    wanted = {(language, asked) for language in LANGUAGES for asked in get_args(AskType)}
    assert wanted == {(row["language"], row["type"]) for row in typed}


def test_what_a_question_asks_for_is_told_in_every_language(typed: list[dict[str, str]]) -> None:
    wrong = [
        (row["question"], said)
        for row in typed
        if (said := READER.asked(row["question"], row["language"]).type) != row["type"]
    ]
    assert not wrong


def test_the_labels_and_kinds_of_a_question_are_told_in_every_language(
    typed: list[dict[str, str]],
) -> None:
    wrong = []
    for row in typed:
        asked = READER.asked(row["question"], row["language"])
        if {*asked.labels, *asked.kinds} != set(row["names"].split()):
            wrong.append((row["question"], asked))
    assert not wrong


@pytest.mark.parametrize(
    ("language", "one", "several"),
    [
        ("en", "Which deliverable describes the data model?", "Which deliverables are required?"),
        ("bg", "Кой доклад описва модела?", "Кои доклади са задължителни?"),
        ("de", "Welches Dokument beschreibt das Modell?", "Welche Dokumente sind verpflichtend?"),
    ],
)
def test_one_document_is_a_place_and_several_are_a_list(
    language: str, one: str, several: str
) -> None:
    assert READER.asked(one, language).type == "where"
    assert READER.asked(several, language).type == "list"


def test_a_label_that_is_denied_is_none() -> None:
    assert READER.asked("Which fields are required?", "en").labels == ("required",)
    assert READER.asked("Which fields are not required?", "en").labels == ()
    assert READER.asked("Welche Felder sind nicht verpflichtend?", "de").labels == ()


def test_what_one_must_do_limits_a_list_and_nothing_else() -> None:
    assert READER.asked("Which fields must I fill in?", "en").labels == ("required",)
    assert READER.asked("How long must I keep the data?", "en").labels == ()


def test_signs_are_found_without_their_accents_and_in_capitals() -> None:
    assert READER.asked("QUE SIGNIFICA EL LABEL", "es").type == "definition"
    assert READER.asked("donde esta el glosario", "es").type == "where"


def test_the_question_counts_and_not_what_is_told_before_it() -> None:
    told = "We are a hospital and our samples are old. Which countries take part?"
    assert READER.asked(told, "en").type == "list"


def test_a_language_without_signs_of_its_own_is_read_as_english() -> None:
    assert READER.asked("How do I apply for access?", "tr").type == "how_to"


def test_every_language_has_every_sign() -> None:
    assert set(READER.phrases) == set(LANGUAGES)
    for signs in READER.phrases.values():
        assert {*get_args(AskType), *LABELS, *KINDS, "must", "not"} - {"fact"} <= signs.keys()


@given(st.text(max_size=80), st.sampled_from([*LANGUAGES, "tr"]))
def test_whatever_is_typed_asks_for_something(text: str, language: str) -> None:
    asked = READER.asked(text, language)
    assert asked.type in get_args(AskType)
    assert set(asked.labels) <= set(LABELS)
    assert set(asked.kinds) <= set(KINDS)


@pytest.mark.parametrize("text", ["", "?", "12", "🧬"])
def test_text_without_a_word_that_asks_is_taken_for_a_fact(text: str) -> None:
    assert READER.asked(text, "mt") == Asked("fact")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("en: {lists: [which]}", "lists"),
        ("en: {list: ['^']}", "en.list.0"),
        ("en: {not: [no]}", "en.not.0"),
        ("en: [list]", "en"),
    ],
)
def test_a_file_with_a_slip_is_refused_by_name(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(BadSetting, match=rf"asking\.yaml.*{told}"):
        AskReader.load(tmp_path)


def test_the_vector_of_a_question_speaks_for_a_list_as_learned() -> None:
    reader = AskReader({}, np.array([2.0, 0.0, -0.5], dtype=np.float32))
    assert reader.asked("zinc", "en", np.array([1.0, 0.0], dtype=np.float32)).lists == 1.5
    assert reader.asked("zinc", "en").lists == 0.0


def test_what_was_learned_for_another_embedder_is_left_aside(tmp_path: Path) -> None:
    np.savez(tmp_path / LISTS, sort=np.ones(3, dtype=np.float32), embedder=np.array("one"))
    vector = np.ones(2, dtype=np.float32)
    assert AskReader.load(tmp_path, "one").asked("zinc", "en", vector).lists == 3.0
    assert AskReader.load(tmp_path, "other").asked("zinc", "en", vector).lists == 0.0


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 1)])
@pytest.mark.parametrize("embedder", ["one", "other"])
def test_what_was_learned_in_another_shape_is_told_before_anybody_asks(
    tmp_path: Path, shape: tuple[int, ...], embedder: str
) -> None:
    np.savez(tmp_path / LISTS, sort=np.ones(shape), embedder=np.array("one"))
    with pytest.raises(BadSetting, match=r"asking_lists\.npz: its shape is"):
        AskReader.load(tmp_path, embedder)
