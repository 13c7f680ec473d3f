"""Learning from the ways people ask, judged on articles left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEmbedder
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "rag"))

import shelf

from eval.learning import __main__ as command
from eval.learning import asks, head, reader
from eval.learning.asks import Asked, Gain, Numbers, Scores
from eval.learning.reader import Pair, Reader, Teacher
from rag.embedder import Vectors
from rag.models import Article, ArticleStatement, Ask, Evidence
from rag.store import Store

ARTICLES, VARIANTS, DIMENSIONS = 50, 6, 16


def asked(telling: int, noise: float = 1.0) -> Asked:
    """Variants that only some dimensions tell apart; all others hold noise."""
    random = np.random.default_rng(7)
    owners = np.repeat(np.arange(ARTICLES), VARIANTS)
    means = random.normal(size=(ARTICLES, DIMENSIONS))
    means[:, telling:] = 0
    vectors = means[owners] + random.normal(size=(len(owners), DIMENSIONS)) * np.where(
        np.arange(DIMENSIONS) < telling, 0.3, noise
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Asked(
        texts=tuple(f"question {row} about {owner}" for row, owner in enumerate(owners)),
        languages=np.array(["en", "en", "de"] * (len(owners) // 3)),
        owners=owners,
        vectors=vectors.astype(np.float32),
        said=tuple(f"said of {number}" for number in range(ARTICLES)),
        akin=np.eye(ARTICLES, dtype=np.bool_),
    )


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few articles are learned fast."""
    monkeypatch.setattr(head, "_RATE", 1e-2)
    monkeypatch.setattr(head, "_STEPS", 40)
    monkeypatch.setattr(head, "_SHARPNESSES", (0.1,))


def headed(given: Asked) -> Scores:
    return asks.left_out_scores(given, head.head_matcher(given, seed=1), seed=1)


def all_gains(given: Asked, learned: Scores) -> tuple[Gain, ...]:
    every = np.arange(len(given.texts))
    return asks.gains(given, asks.shipped_scores(given), learned, every)


def test_a_head_wins_on_articles_left_out_where_a_matrix_tells_articles_apart() -> None:
    given = asked(telling=6)
    found = all_gains(given, headed(given))
    assert [gain.measure for gain in found] == ["P@1", "MRR", "P@1 lenient"]
    assert asks.wins(found)
    assert found[0].after > found[0].before + 0.1


def test_nothing_is_won_where_no_matrix_tells_more() -> None:
    given = asked(telling=0)
    assert not asks.wins(all_gains(given, headed(given)))


def test_the_same_seed_learns_the_same() -> None:
    given = asked(telling=6)
    some = np.arange(30)
    one, again, other = (head.learn_head(given, some, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.numbers, again.numbers)
    assert np.array_equal(one.scales, again.scales)
    assert not np.array_equal(one.numbers, other.numbers)


def test_a_head_does_not_look_at_the_articles_left_out() -> None:
    given = asked(telling=6)
    vectors = given.vectors.copy()
    vectors[given.rows(np.arange(30, 50))] = given.vectors[:120]
    one, other = (
        head.learn_head(each, np.arange(30), 1) for each in (given, replace(given, vectors=vectors))
    )
    assert np.array_equal(one.numbers, other.numbers)


@pytest.mark.parametrize("seed", [1, 2])
def test_folds_share_no_article_and_leave_none_out(seed: int) -> None:
    articles = np.arange(3, 50)
    folds = asks.folds_of(articles, seed)
    assert len(folds) == asks.FOLDS
    assert sorted(np.concatenate(folds)) == list(articles)
    assert {len(fold) for fold in folds} == {9, 10}


def test_eight_bits_are_close_and_small() -> None:
    matrix = np.random.default_rng(3).normal(size=(384, 384)).astype(np.float32)
    found = head._in_eight_bits(matrix)
    assert np.abs(found.matrix - matrix).max() < np.abs(matrix).max() / 200
    assert found.size < 200_000
    assert np.array_equal(head._in_eight_bits(np.eye(4, dtype=np.float32)).matrix, np.eye(4))


def test_a_variant_is_not_matched_with_itself() -> None:
    given = asked(telling=6)
    scores = asks.shipped_scores(given)
    assert scores.shape == (ARTICLES * VARIANTS, ARTICLES)
    assert scores.max() < 0.999
    own = given.vectors[1:VARIANTS] @ given.vectors[0]
    assert scores[0, 0] == pytest.approx(own.max(), abs=1e-5)


def test_who_scores_the_same_comes_first() -> None:
    scores = np.array([[0.5, 0.5, 0.1], [0.5, 0.6, 0.1]], dtype=np.float32)
    assert asks.own_ranks(scores, np.array([0, 1])).tolist() == [2, 1]


def test_intervals_are_over_articles_not_over_variants() -> None:
    values = np.repeat(np.random.default_rng(5).integers(0, 2, 20), 10).astype(np.float64)
    together = asks._interval(values, np.repeat(np.arange(20), 10))
    alone = asks._interval(values, np.arange(200))
    assert together.mean == alone.mean
    assert together.high - together.low > 2 * (alone.high - alone.low)


def _teacher(right: bool, seen: list[str] | None = None) -> Teacher:
    """Makes a reader that knows what belongs together, or one that guesses."""

    def teach(groups: Sequence[Sequence[Pair]]) -> Reader:
        random = np.random.default_rng(len(groups))
        for first, *others in groups:
            assert _belongs(first)
            assert others
            assert not any(map(_belongs, others))
            if seen is not None:
                seen.extend(said for _, said in (first, *others))
        return lambda pairs: np.array(
            [float(_belongs(pair)) * 9 if right else random.normal() for pair in pairs],
            dtype=np.float32,
        )

    return teach


def _belongs(pair: Pair) -> bool:
    return pair[0].split()[-1] == pair[1].split()[-1]


def test_a_reader_that_knows_wins_among_the_best_and_only_there() -> None:
    given = asked(telling=6)
    shipped = asks.shipped_scores(given)
    (scores,) = reader.read_scores(given, [lambda _: shipped], _teacher(right=True), seed=1)
    english = np.flatnonzero(given.languages == "en")
    others = np.flatnonzero(given.languages != "en")
    assert asks.wins(asks.gains(given, shipped, scores, english))
    assert np.array_equal(scores[others], shipped[others])
    before, after = (asks.own_ranks(each, given.owners)[english] for each in (shipped, scores))
    assert (after[before <= reader.BEST] == 1).all()
    assert np.array_equal(after[before > reader.BEST], before[before > reader.BEST])


def test_a_reader_that_guesses_wins_nothing() -> None:
    given = asked(telling=6)
    shipped = asks.shipped_scores(given)
    (scores,) = reader.read_scores(given, [lambda _: shipped], _teacher(right=False), seed=1)
    english = np.flatnonzero(given.languages == "en")
    assert not asks.wins(asks.gains(given, shipped, scores, english))


def test_what_a_reader_is_heard_beside_never_learned_from_the_articles_it_is_judged_on() -> None:
    given = asked(telling=6)
    shipped = asks.shipped_scores(given)
    learned: list[set[int]] = []

    def match(articles: Numbers) -> Scores:
        learned.append(set(articles.tolist()))
        return shipped

    reader.read_scores(given, [match], _teacher(right=True), seed=1)
    folds = [set(fold.tolist()) for fold in asks.folds_of(np.arange(ARTICLES), 1)]
    outer, inner = learned[:5], learned[5:]
    assert [set(range(ARTICLES)) - each for each in outer] == folds
    assert all(few < most for few, most in zip(inner, outer, strict=True))


def test_a_reader_reads_no_article_left_out() -> None:
    given = asked(telling=6)
    shipped = asks.shipped_scores(given)
    seen: list[str] = []
    groups = reader._groups(given, shipped, given.rows(np.arange(20)), np.arange(20))
    _teacher(right=True, seen=seen)(groups)
    assert set(seen) == {f"said of {number}" for number in range(20)}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of the smallest size, that has learnt nothing."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("model")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, "red", "blue", "question", "yes", "no"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def test_a_cross_encoder_learns_from_groups_the_same_each_time(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_RATE", 1e-2)
    monkeypatch.setattr(reader, "_FROZEN", 0)
    monkeypatch.setattr(reader, "_BATCH", 2)
    pairs = [[("red question", "yes"), ("red question", "no")], [("blue", "yes"), ("blue", "no")]]
    taught = reader.teach_minilm(pairs * 100, folder=tiny, seed=3)
    told = [pair for group in pairs for pair in group]
    scores = taught(told)
    assert scores.dtype == np.float32
    assert scores[0] > scores[1] + 1
    assert scores[2] > scores[3] + 1
    again = reader.teach_minilm(pairs * 100, folder=tiny, seed=3)
    assert np.array_equal(again(told), scores)


def article(name: str, asks: Sequence[str], pins: Sequence[str]) -> Article:
    evidence = tuple(Evidence("aurora", "a.md", "A", (), None, None, pin) for pin in pins)
    return Article(
        article_id=name,
        document_id=f"articles/{name}.md",
        path=f"articles/{name}.md",
        title=name.title(),
        kind="answer",
        intent="other",
        asks=tuple(Ask(text, "en") for text in asks),
        statements=(ArticleStatement(f"About {name}.", evidence),),
        checked="2026-11-22",
        reviewed_by="",
    )


def test_articles_on_the_same_sentence_are_akin_unless_it_is_a_signpost() -> None:
    many = [article(f"n{number}", ["x y", "y z"], ["contact"]) for number in range(11)]
    two = [article(name, ["one way", "other way"], ["rule", "contact"]) for name in "ab"]
    lone = article("lone", ["a single way"], ["rule"])
    given = asks.asked_of([*many, *two, lone], HashingEmbedder().queries)
    assert len(given.said) == 13
    assert given.said[-1] == "B. About b."
    assert np.array_equal(
        np.argwhere(given.akin & ~np.eye(13, dtype=np.bool_)), [[11, 12], [12, 11]]
    )


def test_what_was_embedded_is_kept(tmp_path: Path) -> None:
    texts = ["one question", "another"]
    first = asks.embedded(texts, HashingEmbedder(), tmp_path / "kept")

    class Silent(HashingEmbedder):
        def queries(self, texts: Sequence[str]) -> Vectors:
            raise AssertionError("embedded again")

    assert np.array_equal(asks.embedded(texts, Silent(), tmp_path / "kept"), first)
    with pytest.raises(AssertionError, match="embedded again"):
        asks.embedded([*texts, "new"], Silent(), tmp_path / "kept")


WORDS = "consent region billing archive genome sample access form region2 quality".split()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(command, "build_embedder", lambda _: HashingEmbedder())
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path))
    articles = [
        article(f"{one}-{other}", [f"what {one} {other}", f"{other} {one} how"], [one])
        for at, one in enumerate(WORDS)
        for other in WORDS[:at]
    ]
    return shelf.written(tmp_path, replace(shelf.framework(), articles=articles))


def test_a_run_is_told_and_keeps_a_head(index: Store, tmp_path: Path) -> None:
    # One thread: it is set for all of the process, and two wait for each other at every step.
    options = ["--seed", "3", "--threads", "1", "--save", str(tmp_path / "head.npz")]
    done = CliRunner().invoke(command.app, options)
    assert done.exit_code == 0, done.output
    assert "45 articles, 90 variants in 1 languages; 5 folds of articles, seed 3" in done.stdout
    assert "P@1 lenient" in done.stdout
    assert "head: " in done.stdout
    with np.load(tmp_path / "head.npz") as kept:
        assert kept["numbers"].dtype == np.int8
        assert kept["numbers"].shape == (64, 64)
    assert CliRunner().invoke(command.app, options).stdout == done.stdout


def test_without_an_index_or_with_other_weights_the_run_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, index: Store
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other")
    refused = CliRunner().invoke(command.app, ["--minilm", str(tmp_path)])
    assert refused.exit_code == 1
    assert "the published one is" in refused.output
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path / "none"))
    done = CliRunner().invoke(command.app, [])
    assert done.exit_code == 1
    assert "python -m ingest run" in done.output


def test_too_few_articles_are_not_learned_from(
    index: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "FOLDS", 9)
    done = CliRunner().invoke(command.app, [])
    assert done.exit_code == 1
    assert "too few" in done.output
