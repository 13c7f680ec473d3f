"""The real app over an index, in the process of a test."""

from __future__ import annotations

from pathlib import Path

import shelf
from fakes import HashingEmbedder
from fastapi import FastAPI
from parts import services

from api.app import Access, build_app
from api.live import LiveIndex
from rag.answerer import Answerer
from rag.store import Store

ANYBODY = Access()


def app_over(store: Store, data_dir: Path, access: Access = ANYBODY) -> FastAPI:
    """The app that `api.main` builds, with the hashing embedder."""

    def build() -> Answerer:
        generation = store.open()
        generation.check(HashingEmbedder.name)
        return shelf.answerer_over(generation)

    return build_app(services(LiveIndex(store, build), data_dir), access)
