"""What a person typed is masked where a query is made of it; nothing behind that sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import shelf
from fakes import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

from rag.embedder import Vectors
from rag.index import Generation
from rag.models import Question, Turn
from rag.query import QueryMaker
from rag.retriever import Retriever
from rag.store import Store

PERSONAL = "My name is Odile Vauquelin, call +351 912 345 678."
SECRETS = ("Odile", "Vauquelin", "912 345 678")
ASKED = "Who signs the agreement?"


class Overheard(HashingEmbedder):
    """Keeps all that it is given to embed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def _embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super()._embed(texts)


@pytest.fixture
def generation(store: Store) -> Iterator[Generation]:
    opened = store.open()
    yield opened
    opened.close()


@pytest.fixture
def embedder() -> Overheard:
    return Overheard()


@pytest.fixture
def maker(generation: Generation, embedder: Overheard) -> QueryMaker:
    return shelf.maker_over(generation, embedder)


def test_a_question_and_the_turns_before_it_are_masked(maker: QueryMaker) -> None:
    history = (Turn("user", PERSONAL), Turn("assistant", PERSONAL))
    query = maker.make(Question(f"{PERSONAL} {ASKED}", history=history))
    shown = "My name is [name], call [phone]."
    assert query.heard.text == f"{shown} {ASKED}"
    assert [turn.text for turn in query.heard.history] == [shown, shown]


def test_nothing_personal_is_embedded_or_searched(maker: QueryMaker, embedder: Overheard) -> None:
    history = (Turn("user", PERSONAL), Turn("assistant", PERSONAL))
    query = maker.make(Question(f"{PERSONAL} {ASKED}", history=history))
    said = "\n".join((*embedder.texts, query.text, query.question, *query.words.typed))
    assert ASKED in said
    assert not [secret for secret in SECRETS if secret.lower() in said.lower()]


def test_the_tokens_that_mask_are_not_searched(generation: Generation) -> None:
    retriever = Retriever(generation, shelf.maker_over(generation))
    plain = retriever.query(Question(ASKED))
    masked = retriever.query(Question(f"{ASKED} eva.lund@uni.example"))
    assert masked.words.typed == plain.words.typed
    assert retriever.passages(masked, 5) == retriever.passages(plain, 5)


def test_a_question_of_personal_data_alone_is_no_empty_one(maker: QueryMaker) -> None:
    query = maker.make(Question("eva.lund@uni.example"))
    assert query.heard.text == query.question == "[email]"


def test_a_question_is_in_its_own_language_whatever_is_masked(maker: QueryMaker) -> None:
    typed = "Ich heiße Edda Sommer. Danke! eva.lund@uni.example +49 170 1234567"
    assert maker.make(Question(typed)).language == "de"


@pytest.mark.parametrize(
    "text", ["Is BRCA1 c.68_69delAG known?", "Where is EGAD00001000123?", "What is HP:0001250?"]
)
def test_genes_variants_and_accessions_are_searched(maker: QueryMaker, text: str) -> None:
    query = maker.make(Question(text))
    assert query.heard.text == query.question == text


def test_a_long_conversation_is_masked_only_as_far_as_it_is_read(maker: QueryMaker) -> None:
    history = tuple(Turn("user", f"{number}: {PERSONAL}") for number in range(10, 30))
    heard = maker.make(Question(ASKED, history=history)).heard
    assert [turn.text[:2] for turn in heard.history] == ["24", "25", "26", "27", "28", "29"]
    assert not any(secret in turn.text for turn in heard.history for secret in SECRETS)


@given(st.lists(st.sampled_from((*SECRETS, PERSONAL, ASKED, "[name]", "…", "\n")), min_size=1))
def test_what_was_masked_once_stays_as_it_is(pieces: list[str]) -> None:
    maker = QueryMaker(
        HashingEmbedder(), shelf.NO_GLOSSARY, {}, known=(), acronyms={}, standing={},
        effort=shelf.EFFORT,
    )  # fmt: skip
    once = maker.make(Question(" ".join(pieces))).heard
    assert maker.make(once).heard.text == once.text
