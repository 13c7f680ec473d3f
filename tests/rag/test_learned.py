from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rag.declining import HEAD as DECLINING
from rag.declining import load_declining
from rag.doubt import DOUBT, load_learned
from rag.errors import BadSetting
from rag.head import HEAD, Head, load_head
from rag.learned import Misfit, Numbers, read_learned

LOADERS = ((DECLINING, load_declining), (HEAD, load_head), (DOUBT, load_learned))
SMALL = Head(np.eye(2, dtype=np.int8), np.ones(2, np.float32))


def _first(held: Numbers) -> float:
    return float(held["numbers"][0])


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    file = tmp_path / "kept.npz"
    np.savez(file, numbers=np.array([1.5]), embedder=np.array("model"))
    return file


def test_numbers_are_read_for_their_embedder_alone(kept: Path) -> None:
    assert read_learned(kept, "model", _first) == 1.5
    assert read_learned(kept, "another", _first) is None
    assert read_learned(kept.with_name("nowhere.npz"), "model", _first) is None


@pytest.mark.parametrize("embedder", ["model", "another"])
def test_numbers_that_do_not_belong_together_are_told_whoever_they_are_for(
    kept: Path, embedder: str
) -> None:
    def build(held: Numbers) -> float:
        raise Misfit(f"it holds {len(held['numbers'])}")

    with pytest.raises(BadSetting, match=r"cannot read .*kept\.npz: it holds 1"):
        read_learned(kept, embedder, build)


@pytest.mark.parametrize("name", ["empty", "no archive", "cut short", "another's"])
def test_a_file_that_cannot_be_read_is_named(kept: Path, name: str) -> None:
    if name == "another's":
        np.savez(kept, embedder=np.array("model"))
    else:
        whole = kept.read_bytes()
        broken = {"empty": b"", "no archive": b"no numbers", "cut short": whole[: len(whole) // 2]}
        kept.write_bytes(broken[name])
    with pytest.raises(BadSetting, match=r"cannot read .*kept\.npz: [A-Z]\w+$"):
        read_learned(kept, "model", _first)


@pytest.mark.parametrize(("name", "load"), LOADERS)
def test_every_loader_names_its_broken_file(
    tmp_path: Path, name: str, load: Callable[[Path, str], object]
) -> None:
    assert load(tmp_path, "model") is None
    (tmp_path / name).write_bytes(b"no numbers")
    with pytest.raises(BadSetting, match=name):
        load(tmp_path, "model")


def test_a_head_is_read_as_it_was_kept(tmp_path: Path) -> None:
    SMALL.save(tmp_path / HEAD, "model")
    read = load_head(tmp_path, "model")
    assert read is not None
    assert np.array_equal(read.matrix, SMALL.matrix)
    Head(SMALL.numbers, np.ones(3, np.float32)).save(tmp_path / HEAD, "model")
    with pytest.raises(BadSetting, match="its shape is"):
        load_head(tmp_path, "model")
