"""Settings to wiring to app; run by uvicorn as a factory."""

from __future__ import annotations

from fastapi import FastAPI

from api.app import Services, build_app
from api.live import LiveIndex
from api.settings import ApiSettings
from rag.answerer import Answerer
from rag.index import Store
from rag.settings import Settings, read_settings
from rag.usage import USAGE, Usage
from rag.wiring import build_answerer, build_embedder, open_index


def create_app() -> FastAPI:
    """Build the app from the environment."""
    settings = read_settings(Settings)
    embedder = build_embedder(settings)

    def build() -> Answerer:
        return build_answerer(settings, open_index(settings), embedder)

    return build_app(
        Services(
            index=LiveIndex(Store(settings.data_dir), build),
            usage=Usage(settings.data_dir / USAGE),
        ),
        allowed_hosts=read_settings(ApiSettings).server.hosts,
    )
