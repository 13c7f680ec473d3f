from __future__ import annotations

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rag.text import PIN_LENGTH, fold, letters_digits, pin, sentences, word_count

TEXTS = st.text(
    st.one_of(
        st.sampled_from(list("aAbB é1.!?…\"'”’)]([“ \n\t,;:")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=80,
)


@pytest.mark.parametrize(
    "text",
    [
        "Some holders, e.g. Biobanks, sign twice.",
        "See Art. 9 of the act.",
        "It follows Prof. Vale and Dr. Moor.",
        "The form (cf. Annex 2) is short.",
        "Copies, logs, etc. Are kept by the steward.",
        "Wie z.B. Proben oder Daten.",
        "The node of J. Smith answers.",
        "It was signed by A. B. Moor.",
        "The price is 3.5 euros.",
        "It ends with dots ... and goes on.",
    ],
)
def test_a_full_stop_within_a_sentence_does_not_end_it(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Data leave. Keys stay.", ["Data leave.", "Keys stay."]),
        ("Is it free? It is! Good.", ["Is it free?", "It is!", "Good."]),
        ("He wrote “done.” Then he left.", ["He wrote “done.”", "Then he left."]),
        ("(It is closed.) Come back.", ["(It is closed.)", "Come back."]),
        ("Sie ging. „Gut“ kam.", ["Sie ging. „Gut“ kam."]),
        ("¿Cuándo? ¡Ahora!", ["¿Cuándo?", "¡Ahora!"]),
        ("One. 2 follow.", ["One.", "2 follow."]),
        ("  spaced   \n\n  out  ", ["spaced", "out"]),
        ("", []),
        (" \n\t\n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, cut: list[str]) -> None:
    assert sentences(text) == cut


@pytest.mark.parametrize("text", ["Are fees due or no? None are due.", "Who am I? A steward."])
def test_a_question_mark_ends_a_sentence_even_after_a_short_word(text: str) -> None:
    assert len(sentences(text)) == 2


@pytest.mark.parametrize("end", ["\n", "\n\n", "\r\n", " \n "])
def test_a_line_end_always_ends_a_sentence(end: str) -> None:
    assert sentences(f"a list of{end}things e.g.{end}nodes") == [
        "a list of",
        "things e.g.",
        "nodes",
    ]


@given(TEXTS)
def test_sentences_are_exact_substrings_in_order(text: str) -> None:
    position = 0
    for sentence in sentences(text):
        assert sentence
        assert sentence == sentence.strip()
        assert "\n" not in sentence
        found = text.find(sentence, position)
        assert found >= 0
        position = found + len(sentence)


@given(TEXTS)
def test_cutting_into_sentences_loses_nothing_but_white_space(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(TEXTS)
def test_a_sentence_is_found_again_by_its_letters_and_digits(text: str) -> None:
    whole = letters_digits(text)
    assert all(letters_digits(sentence) in whole for sentence in sentences(text))


@given(TEXTS)
def test_folded_text_has_single_spaces_and_the_same_words(text: str) -> None:
    folded = fold(text)
    assert folded.split() == text.split()
    assert folded == fold(folded)
    assert "  " not in folded
    assert word_count(folded) == word_count(text)


def test_half_a_character_becomes_a_question_mark() -> None:
    assert fold("data \ud800 leave") == "data ? leave"


@given(TEXTS)
def test_letters_and_digits_hold_nothing_else(text: str) -> None:
    assert all(character.isalnum() for character in letters_digits(text))


@given(st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), min_size=1))
def test_markup_case_and_punctuation_change_no_pin(found: list[str]) -> None:
    plain = " ".join(found)
    dressed = f"**{' — '.join(found).upper()}**…\n"
    assert pin(plain) == pin(dressed)


@given(TEXTS, TEXTS)
def test_other_words_have_another_pin(one: str, other: str) -> None:
    assume(letters_digits(one) != letters_digits(other))
    assert pin(one) != pin(other)


def test_a_pin_is_the_beginning_of_a_sha_256() -> None:
    # sha256("dataleave")
    assert pin("Data leave!") == "683e1827e5f48779"
    assert len(pin("")) == PIN_LENGTH


def test_typographic_forms_of_a_letter_are_equal() -> None:
    assert letters_digits("ﬁle №1 Ａ²") == letters_digits("file No1 a2")
    assert letters_digits("e\u0301té") == letters_digits("été")


def test_a_long_text_without_a_sentence_end_takes_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        text = "see no. 7 e.g. " * count
        started = time.perf_counter()
        sentences(text)
        return time.perf_counter() - started

    seconds(100)
    assert seconds(40_000) < 60 * max(seconds(2_000), 1e-4)
