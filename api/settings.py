"""Settings of the server, read by its entry points only."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]


class ServerSettings(BaseModel):
    """Where the server listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on; `0.0.0.0` in a container")
    allowed_hosts: str = Field(
        "127.0.0.1,localhost,[::1]",
        description="hosts under whose names `/mcp` is served, parted by commas: behind a proxy the"
        " public one; empty: any. Keeps foreign pages from asking here through a browser",
    )
    sync: bool = Field(
        False,
        description="keep the index up to date: run `python -m ingest watch` beside the server",
    )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The allowed hosts, each by itself."""
        return tuple(host for each in self.allowed_hosts.split(",") if (host := each.strip()))


class ApiSettings(BaseSettings):
    """All settings of the server."""

    model_config = SettingsConfigDict(
        env_prefix="HELPDESK_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    server: ServerSettings = ServerSettings()
    port: Port = Field(
        8000,
        validation_alias=AliasChoices("PORT", "HELPDESK_PORT"),
        description="port to listen on",
    )
