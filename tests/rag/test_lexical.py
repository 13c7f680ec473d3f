from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.lexical import LexicalLeg, _stem, acronyms_of, expand, four_grams, words

ENDINGS = ("nationally", "rationalities", "tiveness", "zation", "ingly", "fulness", "ibility")
SHORT_TEXTS = st.lists(
    st.lists(st.sampled_from("ab cd ef gh".split()), max_size=12).map(" ".join),
    min_size=1,
    max_size=6,
)
QUERIES = st.dictionaries(
    st.sampled_from("ab cd ef gh never seen".split()), st.floats(0.1, 2), min_size=1
)

# Three texts of 3, 1 and 2 words, 2 on average; k1 1.2, b 0.75.
#   idf(apple) = ln(1 + (3 - 1 + 0.5) / (1 + 0.5)) = ln 2.66667 = 0.980829
#   idf(pear)  = ln(1 + (3 - 3 + 0.5) / (3 + 0.5)) = ln 1.14286 = 0.133531
#   unseen     = ln(1 + 3 / 0.5)                   = ln 7       = 1.945910
#   first text: 1.2 * (0.25 + 0.75 * 3 / 2) = 1.65, so apple (twice) has 2 / (2 + 1.65) = 0.547945
#   and pear (once) 1 / (1 + 1.65) = 0.377358 of what it can reach
FRUIT = ["apple apple pear", "pear", "plum pear"]


def _fruit(**query: float) -> float:
    return float(LexicalLeg.build(FRUIT, str.split).scores(query)[0])


def test_a_score_is_bm25_over_the_most_the_query_could_reach() -> None:
    assert _fruit(apple=1) == pytest.approx(0.547945, abs=1e-5)
    # (0.980829 * 0.547945 + 0.133531 * 0.377358) / (0.980829 + 0.133531)
    assert _fruit(apple=1, pear=1) == pytest.approx(0.527505, abs=1e-5)


def test_a_term_the_index_never_saw_counts_in_full_below_the_line() -> None:
    # 0.980829 * 0.547945 / (0.980829 + 1.945910)
    assert _fruit(apple=1, kiwi=1) == pytest.approx(0.183631, abs=1e-5)


def test_the_weight_of_a_term_scales_its_share() -> None:
    # (0.980829 * 0.547945 + 0.5 * 0.133531 * 0.377358) / (0.980829 + 0.5 * 0.133531)
    assert _fruit(apple=1, pear=0.5) == pytest.approx(0.537072, abs=1e-5)


def test_the_shorter_of_two_texts_with_the_term_scores_higher() -> None:
    scores = LexicalLeg.build(FRUIT, str.split).scores({"pear": 1})
    assert scores[1] > scores[2] > scores[0] > 0


@given(SHORT_TEXTS, QUERIES)
def test_every_score_lies_between_nothing_and_everything(
    texts: list[str], query: dict[str, float]
) -> None:
    scores = LexicalLeg.build(texts, str.split).scores(query)
    assert scores.shape == (len(texts),)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    assert (scores <= 1).all()


@given(SHORT_TEXTS, QUERIES, st.floats(0.1, 2))
def test_a_term_nobody_wrote_never_raises_a_score(
    texts: list[str], query: dict[str, float], weight: float
) -> None:
    leg = LexicalLeg.build(texts, str.split)
    assert (leg.scores({**query, "unwritten": weight}) <= leg.scores(query) + 1e-7).all()


@given(SHORT_TEXTS, QUERIES)
def test_only_texts_with_a_term_of_the_query_score(
    texts: list[str], query: dict[str, float]
) -> None:
    scores = LexicalLeg.build(texts, str.split).scores(query)
    for text, score in zip(texts, scores, strict=True):
        assert (score > 0) == bool(set(text.split()) & set(query))


@given(SHORT_TEXTS)
def test_every_term_has_its_chunks_in_order_with_their_share(texts: list[str]) -> None:
    leg = LexicalLeg.build(texts, str.split)
    lengths = [len(text.split()) for text in texts]
    average = sum(lengths) / len(lengths) or 1.0
    assert list(leg.terms) == sorted({word for text in texts for word in text.split()})
    for term, number in leg.terms.items():
        span = slice(leg.starts[number], leg.starts[number + 1])
        holders = [chunk for chunk, text in enumerate(texts) if term in text.split()]
        assert leg.chunks[span].tolist() == holders
        idf = math.log(1 + (len(texts) - len(holders) + 0.5) / (len(holders) + 0.5))
        assert leg.idf[number] == pytest.approx(idf, rel=1e-6)
        shares = []
        for chunk in holders:
            often = texts[chunk].split().count(term)
            norm = 1.2 * (0.25 + 0.75 * lengths[chunk] / average)
            shares.append(idf * often * 2.2 / (often + norm))
        assert leg.weights[span].tolist() == pytest.approx(shares, rel=1e-6)
    assert leg.starts[-1] == len(leg.chunks) == len(leg.weights)


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_texts_without_words_score_nothing(texts: list[str]) -> None:
    assert LexicalLeg.build(texts, words).scores({"apple": 1}).tolist() == [0.0] * len(texts)


def test_a_query_without_terms_scores_nothing() -> None:
    assert LexicalLeg.build(FRUIT, str.split).scores({}).tolist() == [0, 0, 0]


def test_words_are_stemmed_and_stop_words_left_out() -> None:
    assert words("The committees are deciding") == words("Committee decides")
    assert words("which of the") == []


@pytest.mark.parametrize("written", ["1+MG", "1 + MG", "1+ mg", "1+MG's"])
def test_one_plus_mg_is_one_word(written: str) -> None:
    assert words(written)[0] == "1mg"


def test_one_plus_million_keeps_together_too() -> None:
    assert words("1+ Million Genomes") == [words("1million")[0], words("genomes")[0]]


def test_four_grams_know_the_ends_of_words_and_no_accents() -> None:
    assert four_grams("Génome") == ["#gen", "geno", "enom", "nome", "ome#"]
    assert four_grams("a bc") == ["#a#", "#bc#"]
    assert four_grams("1+MG") == ["#1#", "#mg#"]


@given(st.text(max_size=40))
def test_four_grams_are_four_characters_or_a_whole_short_word(text: str) -> None:
    for gram in four_grams(text):
        assert len(gram) == 4 or (len(gram) == 3 and gram[0] == gram[-1] == "#")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Data Access Committee (DAC) decides.", {"dac": "data access committee"}),
        ("Each Secure Processing Environment (SPEs) is.", {"spe": "secure processing environment"}),
        ("A Data Protection by Design Plan (DPDP)", {"dpdp": "data protection by design plan"}),
        ("Whole-Genome Sequencing (WGS)", {"wgs": "whole-genome sequencing"}),
        ("The big blue house (XYZ) stands.", {}),
        ("the quick call (QC) and (Q)", {"qc": "quick call"}),
        ("It is (see Annex)", {}),
        ("", {}),
    ],
)
def test_acronyms_are_found_by_their_initials(text: str, found: dict[str, str]) -> None:
    assert acronyms_of([text]) == found


def test_a_long_form_does_not_start_at_a_stop_word() -> None:
    assert acronyms_of(["It is of the Orchard Table (OT)"]) == {"ot": "orchard table"}
    assert acronyms_of(["the orchard (TO)", "to object (TO)"]) == {}


def test_the_first_long_form_met_wins() -> None:
    texts = ["Data Access Committee (DAC)", "Dutch Apple Cake (DAC)"]
    assert acronyms_of(texts) == {"dac": "data access committee"}


ACRONYMS = {"dac": "data access committee", "1+mg": "1+ million genomes"}


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Who sits in the DAC?", "data access committee"),
        ("How do DACs decide?", "data access committee"),
        ("Who is on the Data  Access Committee?", "dac"),
        ("What is 1+MG?", "1+ million genomes"),
        ("Who decides on data access?", ""),
        ("Is it a redaction?", ""),
        ("", ""),
    ],
)
def test_acronyms_are_expanded_both_ways(text: str, more: str) -> None:
    assert expand(text, ACRONYMS) == more


def test_a_long_form_with_a_sign_in_it_leads_to_its_acronym() -> None:
    assert expand("What is 1+ Million Genomes?", ACRONYMS) == "1+mg"


def test_threads_that_stem_at_once_get_the_words_they_get_alone() -> None:
    texts = [
        " ".join(f"{letter}{other}{ending}" for other in "aeiou" for ending in ENDINGS)
        for letter in "bcdfghjklmnpqrstvwxz"
    ]
    _stem.cache_clear()
    alone = [words(text) for text in texts]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(3):
            _stem.cache_clear()
            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(words, texts)) == alone
    finally:
        sys.setswitchinterval(before)
