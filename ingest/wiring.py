"""Settings as the commands of ingest read them, and what asks the web by them."""

from __future__ import annotations

from urllib.parse import quote

from ingest.fetch.client import Client
from ingest.fetch.site import ROBOT
from ingest.settings import IngestSettings
from ingest.terminal import fail
from rag.errors import HelpdeskError
from rag.settings import Settings, read_settings

_AGENT = f"{ROBOT}/0.1"
"""How the project names itself to those it asks."""


def client_of(settings: Settings) -> Client:
    """What asks the web, in the name of whoever runs it."""
    own = ingest_settings().fetch
    # A header takes no other letters.
    contact = quote(own.contact or settings.answer.contact, safe="@:/?&=#+,;%~")
    return Client(
        f"{_AGENT} (+{contact})",
        allowed_hosts=own.hosts,
        pause_s=own.pause_s,
    )


def core_settings() -> Settings:
    """The settings of the core; a bad one ends the command."""
    try:
        return read_settings(Settings)
    except HelpdeskError as error:
        fail(str(error), code=2)


def ingest_settings() -> IngestSettings:
    """The settings of ingest; a bad one ends the command."""
    try:
        return read_settings(IngestSettings)
    except HelpdeskError as error:
        fail(str(error), code=2)
