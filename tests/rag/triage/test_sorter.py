"""What is decided by what was learned, and the words that it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BadSetting
from rag.triage.e5_file import E5File, Floats
from rag.triage.encoder import GAP, Read
from rag.triage.sorter import BASE, DECISIONS, Head, Sorter

LOUD = "loud"
"""A word that speaks for the first label; all others are silent."""


class Spelling:
    """An encoder to which each word is a piece, and whose states count loud ones."""

    def read(self, text: str) -> Read:
        words = text.replace("\n", " ").split()
        pieces = ("<s>", f"{GAP}que", "ry", ":", *(f"{GAP}{word}" for word in words), "</s>")
        loud = [float(piece.strip(GAP + ".!?") == LOUD) for piece in pieces]
        return Read(pieces, np.array([[each, 1.0] for each in loud], dtype=np.float32))


def _head(*labels: str) -> Head:
    """The first label for loud words, the others for silent ones."""
    weight: Floats = np.zeros((len(labels), 2), np.float32)
    weight[0, 0] = 100
    weight[1:, 1] = np.arange(len(labels) - 1, 0, -1)
    return Head(labels, weight, np.zeros(len(labels), np.float32))


SORTER = Sorter(Spelling(), {"intent": _head("yes", "no", "never")})  # type: ignore[arg-type]


def _decided(text: str, subject: str = "") -> Any:
    return SORTER.decide(subject, text)["intent"]


def test_labels_come_by_probability_which_adds_up_to_one() -> None:
    decided = _decided("loud loud loud.")
    assert decided.label == "yes"
    assert [each.label for each in decided.guesses] == ["yes", "no", "never"]
    assert sum(each.probability for each in decided.guesses) == pytest.approx(1, abs=1e-5)
    assert _decided("nothing is said here.").label == "no"


def test_the_sentence_that_speaks_most_is_the_reason() -> None:
    text = "This is a greeting. Here it is loud loud! And this is a farewell."
    assert _decided(text).because == "Here it is loud loud!"


def test_a_sentence_of_the_subject_may_be_the_reason() -> None:
    assert _decided("This is a greeting.", "It is so loud!").because == "It is so loud!"


def test_what_is_too_short_for_a_sentence_goes_with_what_follows() -> None:
    assert _decided("Dear Dr. Nobody loud loud.").because == "Dear Dr. Nobody loud loud."
    assert _decided("It is so quiet. Hi! It is loud.").because == "Hi! It is loud."


def test_a_long_reason_is_cut() -> None:
    assert len(_decided(f"{LOUD} " * 200).because) == 160


@pytest.mark.parametrize("text", ["", ".", "Hi"])
def test_of_hardly_anything_something_is_decided(text: str) -> None:
    assert _decided(text).label in ("yes", "no")


WORDS = st.sampled_from(["quiet", "still", "calm", "rest"])
SENTENCE = st.lists(WORDS, min_size=4, max_size=8).map(" ".join)


@given(st.lists(SENTENCE, max_size=4), st.lists(SENTENCE, max_size=4), st.integers(4, 8))
def test_whatever_stands_around_it_the_loud_sentence_is_the_reason(
    before: list[str], after: list[str], length: int
) -> None:
    loud = " ".join([LOUD] * length)
    text = " ".join(f"{each}." for each in (*before, loud, *after))
    assert _decided(text).because == f"{loud}."


@given(st.lists(st.sampled_from(["loud", "calm", "Hi!", "a.", "end.", "So?", "…"]), max_size=30))
def test_a_reason_is_always_words_of_the_message_in_their_order(words: list[str]) -> None:
    text = " ".join(words)
    because = _decided(text).because
    assert because in text
    assert because or not words


def _learned(**other: Any) -> dict[str, Any]:
    held: dict[str, Any] = {"embedder": np.array(BASE)}
    for name in DECISIONS:
        held[f"{name}.labels"] = np.array(["a", "b"])
        held[f"{name}.weight"] = np.random.default_rng(9).normal(size=(2, 384)).astype(np.float16)
        held[f"{name}.bias"] = np.zeros(2, np.float32)
    return {**held, **other}


def _saved(file: Path, **other: Any) -> Path:
    np.savez(file, **_learned(**other))
    return file


def test_what_was_learned_decides_over_the_model_that_ships(tmp_path: Path) -> None:
    sizes = E5File.shipped().sizes
    down, up = np.ones((2, sizes.hidden), np.float16), np.zeros((sizes.hidden, 2), np.float16)
    tuned = {"l0.q.down": down, "l0.q.up": up}
    sorter = Sorter.load(_saved(tmp_path / "model.npz", **tuned))
    text = "How can we share 🧬 data? Our clinic has many genomes."
    found = sorter.decide("Sharing", text)
    assert tuple(found) == DECISIONS
    for decided in found.values():
        assert {each.label for each in decided.guesses} == {"a", "b"}
        assert decided.because in f"Sharing {text}"
    assert sorter.decide("Sharing", text) == found


@pytest.mark.parametrize(
    "other",
    [
        {"embedder": np.array("another")},
        {"intent.labels": np.array(["a", "b", "c"])},
        {"intent.labels": np.array(["a"])},
        {"priority.bias": np.zeros(3, np.float32)},
        {"answerable.weight": np.zeros((3, 384), np.float16)},
    ],
    ids=range(5),
)
def test_numbers_that_do_not_fit_are_told_in_a_line(tmp_path: Path, other: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match=r"^cannot read .*model\.npz: [^\n]+$"):
        Sorter.load(_saved(tmp_path / "model.npz", **other))


@pytest.mark.parametrize("held", [None, b"", b"no numbers"])
def test_a_file_that_is_missing_or_broken_is_told_in_a_line(
    tmp_path: Path, held: bytes | None
) -> None:
    file = tmp_path / "model.npz"
    if held is not None:
        file.write_bytes(held)
    with pytest.raises(BadSetting, match=r"^cannot read .*model\.npz: [^\n]+$"):
        Sorter.load(file)


def test_a_decision_that_was_not_learned_is_told_in_a_line(tmp_path: Path) -> None:
    held = _learned()
    del held["priority.labels"]
    np.savez(tmp_path / "model.npz", **held)
    with pytest.raises(BadSetting, match=r"model\.npz: KeyError"):
        Sorter.load(tmp_path / "model.npz")
