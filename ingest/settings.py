"""Settings of fetching and syncing, read by the command line only."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

HttpAddress = Annotated[str, Field(pattern=r"^https?://[^/?#\s]+$")]


class FetchSettings(BaseModel):
    """How sources on the web are asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: str = Field(
        "",
        description="where a site's owner can complain: an address of the web or of mail, sent with"
        " every request; empty: the contact of the answers",
    )
    allowed_hosts: str = Field(
        "",
        description="hosts in your own network that may be fetched from, parted by commas; all"
        " other private addresses are refused",
    )
    pause_s: Annotated[float, Field(ge=0, le=60)] = Field(
        0.5, description="seconds between two requests to one host"
    )
    zenodo: HttpAddress = Field("https://zenodo.org", description="the Zenodo that is asked")
    github: HttpAddress = Field(
        "https://api.github.com", description="the API of GitHub, or of an own one"
    )

    @property
    def hosts(self) -> frozenset[str]:
        """The allowed hosts, each by itself."""
        return frozenset(host.strip().lower() for host in self.allowed_hosts.split(",")) - {""}


class IngestSettings(BaseSettings):
    """All settings of ingest beside those of the core."""

    model_config = SettingsConfigDict(
        env_prefix="HELPDESK_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
    )

    fetch: FetchSettings = FetchSettings()
