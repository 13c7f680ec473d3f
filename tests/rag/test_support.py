from __future__ import annotations

import pytest
from fakes import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

from rag.embedder import load_embedder
from rag.support import Support

TEXT = "Data holders keep their files at home.\nAnalyses travel to where the files are kept."


@pytest.fixture(scope="module")
def support() -> Support:
    return Support(load_embedder())


def test_other_words_are_likelier_than_other_things(support: Support) -> None:
    retold = support.signs(TEXT, "Files stay at home with the data holders.").likelihood
    apart = support.signs(TEXT, "Fees are waived for students of the academy.").likelihood
    assert retold > 0.7
    assert apart < 0.1


def test_an_added_clause_makes_it_less_likely(support: Support) -> None:
    told = "Data holders keep their files at home"
    bare = support.signs(TEXT, f"{told}.").likelihood
    more = support.signs(TEXT, f"{told}, and a lottery decides who may see them.").likelihood
    assert more < bare - 0.3


def test_a_clause_of_which_the_text_has_nothing_shows(support: Support) -> None:
    told = "Data holders keep their files at home"
    assert support.signs(TEXT, f"{told}.").held == 1
    assert support.signs(TEXT, f"{told}, and a lottery awards bicycles to visitors.").held == 0


@given(st.text(max_size=60), st.text(max_size=60))
def test_signs_are_within_bounds_whatever_is_compared(text: str, statement: str) -> None:
    signs = Support(HashingEmbedder()).signs(text, statement)
    assert 0 <= signs.grams <= 1
    assert 0 <= signs.likelihood <= 1
    assert signs.unseen >= 0


def test_a_sentence_is_embedded_once() -> None:
    class Counting(HashingEmbedder):
        asked = 0

        def passages(self, texts):  # type: ignore[no-untyped-def]
            self.asked += len(texts)
            return super().passages(texts)

    embedder = Counting()
    support = Support(embedder)
    support.signs(TEXT, "Files stay at home.")
    before = embedder.asked
    support.signs(TEXT, "Files stay at home.")
    assert embedder.asked == before
