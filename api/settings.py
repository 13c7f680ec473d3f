"""Settings of the server, read by its entry points only."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from email_validator import validate_email
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from api.desk.delivery.smtp import Security
from api.logs import LogForm
from api.origin import ANYONE, origin_of
from rag import known_secrets

_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")

Port = Annotated[int, Field(ge=1, le=65535)]


def _parts(listed: str) -> tuple[str, ...]:
    return tuple(part for each in listed.split(",") if (part := each.strip()))


def _origins(listed: str) -> str:
    return ",".join(each if each == ANYONE else origin_of(each) for each in _parts(listed))


def _address(url: str) -> str:
    address = url.strip().rstrip("/")
    if address:
        parts = urlsplit(address)
        if not parts.scheme or not parts.netloc:
            raise ValueError(f"{address!r} is no address such as https://www.example.org")
        # What stands before the path; whatever else is wrong with it is told there.
        origin_of(f"{parts.scheme}://{parts.netloc}")
        if parts.query or parts.fragment:
            raise ValueError("must end with the host or a path: https://helpdesk.example.org")
    return address


def _issuer(url: str) -> str:
    address = _address(url)
    parts = urlsplit(address)
    if address and parts.scheme != "https" and parts.hostname not in _THIS_MACHINE:
        raise ValueError("must begin with https://, as a secret is sent there")
    return address


def _secured(url: str) -> str:
    """As `_issuer`, with a query, too: some receivers are told apart by it."""
    address = url.strip().rstrip("/")
    if address:
        parts = urlsplit(address)
        _issuer(f"{parts.scheme}://{parts.netloc}{parts.path}")
        if parts.fragment or not address.isprintable():
            raise ValueError("must be an address without #")
    return address


def _given(secret: SecretStr) -> SecretStr:
    known_secrets.given(secret.get_secret_value())
    return secret


def _made(secret: SecretStr) -> SecretStr:
    known_secrets.made(secret.get_secret_value())
    return secret


def _with_password(url: SecretStr) -> SecretStr:
    try:
        password = make_url(url.get_secret_value()).password
    except ArgumentError:
        return url  # told where it is opened
    try:
        known_secrets.given(str(password or ""))
    except ValueError as error:
        raise ValueError(f"its password {error}") from None
    return url


Given = Annotated[SecretStr, AfterValidator(_given)]
"""A secret that somebody else gave out."""
Made = Annotated[SecretStr, AfterValidator(_made)]
"""A secret that was made up for the helpdesk."""


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line")
    return text.strip()


def _mailbox(address: str) -> str:
    if not address.strip():
        return ""
    # A local domain such as `desk@localhost` is the operator's to name.
    found = validate_email(
        address.strip(),
        check_deliverability=False,
        test_environment=True,
        globally_deliverable=False,
    )
    if not found.ascii_email:
        raise ValueError("must be in plain letters")
    return found.ascii_email


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """Where the server listens, and for whom."""

    host: str = Field("127.0.0.1", description="address to listen on; `0.0.0.0` in a container")
    allowed_hosts: str = Field(
        "127.0.0.1,localhost,[::1]",
        description="hosts, parted by commas, under whose names `/mcp` is served, and browsers may"
        " ask and use the desk; the one of `PUBLIC_URL` need not be named, and to browsers neither"
        " addresses nor names without dots; empty: any. Keeps foreign pages from asking here"
        " through a browser",
    )
    allowed_origins: Annotated[str, AfterValidator(_origins)] = Field(
        "",
        description="origins, such as `https://www.example.org`, parted by commas, whose pages may"
        " use the widget and the API from a browser; `*`: anyone's; empty: only the helpdesk's own"
        " pages",
    )
    public_url: Annotated[str, AfterValidator(_address)] = Field(
        "",
        description="the address under which people reach the helpdesk, for links in replies; set"
        " it behind a proxy; empty: the one that was called",
    )
    log: LogForm = Field(
        "text",
        description="how lines of the log are written, on stderr: `text` for people, `json` for"
        " what collects logs; no line holds what a person typed",
    )
    sync: bool = Field(
        False,
        description="keep the index up to date: run `python -m ingest watch` beside the server",
    )

    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="processes that answer, about one for each core; see [scaling](scaling.md)",
    )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The allowed hosts, each by itself."""
        return _parts(self.allowed_hosts)

    @property
    def origins(self) -> tuple[str, ...]:
        """The allowed origins, each by itself."""
        return _parts(self.allowed_origins)


class LimitsSettings(_Section):
    """How often one client may ask."""

    per_minute: int = Field(
        60, ge=0, le=1_000_000, description="calls of one client in any minute; 0: no limit"
    )
    tickets_per_hour: int = Field(
        5, ge=0, le=1_000_000, description="tickets of one client in any hour; 0: no limit"
    )
    per_day: int = Field(
        5000,
        ge=0,
        le=100_000_000,
        description="questions and searches of one client in a day of UTC; an office behind one"
        " address is one client; 0: no limit",
    )
    total_per_day: int = Field(
        0,
        ge=0,
        le=1_000_000_000,
        description="questions and searches of all clients together in a day of UTC; set it where"
        " answers cost money; 0: no limit",
    )


class RetentionSettings(_Section):
    """How long what people wrote is kept."""

    conversation_days: int = Field(
        30,
        ge=1,
        le=36_500,
        description="days after which answers and the feedback on them are deleted",
    )
    ticket_days: int = Field(
        365,
        ge=0,
        le=36_500,
        description="days after which tickets are deleted, counted from their closing, else from"
        " their last change; 0: never",
    )


class DeskSettings(_Section):
    """Where answers, feedback and tickets are kept."""

    database_url: Annotated[SecretStr, AfterValidator(_with_password)] = Field(
        SecretStr(""),
        description="another database for answers, feedback and tickets, as"
        " [SQLAlchemy](https://docs.sqlalchemy.org/en/21/core/engines.html) names it; tested with"
        " PostgreSQL: `postgresql+psycopg://user@host/desk`; empty: `desk.sqlite` in the data"
        " directory",
    )


class SignInSettings(_Section):
    """The service that says who somebody of staff is, by OpenID Connect."""

    issuer: Annotated[str, AfterValidator(_issuer)] = Field(
        "",
        description="its address: what stands before `/.well-known/openid-configuration`; empty:"
        " staff sign in by links that a command prints",
    )
    client_id: str = Field("", description="what it calls the helpdesk")
    client_secret: Given = Field(SecretStr(""), description="what it knows the helpdesk by")
    name: str = Field("Life Science Login", description="the words on the button")
    scopes: str = Field("openid email profile", description="what is asked of it")

    @field_validator("scopes")
    @classmethod
    def _of_openid(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise ValueError("must hold openid")
        return scopes

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = (self.issuer, self.client_id, self.client_secret.get_secret_value())
        if any(given) and not all(given):
            raise ValueError("ISSUER, CLIENT_ID and CLIENT_SECRET are set all three, or none is")
        return self


class MailSettings(_Section):
    """The server that mails are handed to, and who they are from."""

    host: str = Field("", description="SMTP server; empty: no mail is sent")
    port: Port = Field(587, description="its port: 587 with `starttls`, 465 with `tls`")
    security: Security = Field(
        "starttls",
        description="with `none` nothing is encrypted, and no password is sent",
    )
    user: str = Field("", description="what it knows the helpdesk by; empty: it does not ask")
    password: Given = Field(SecretStr(""), description="goes with the user")
    name: Annotated[str, AfterValidator(_line)] = Field(
        "NMG Helpdesk", description="who mails are from, as people read it"
    )
    sender: Annotated[str, AfterValidator(_mailbox)] = Field(
        "", description="address that mails are from"
    )
    reply_to: Annotated[str, AfterValidator(_mailbox)] = Field(
        "",
        description="mailbox that answers go to; empty: people are told to use their private link",
    )
    team: Annotated[str, AfterValidator(_mailbox)] = Field(
        "",
        description="address that is told of new questions and of what people write back, without"
        " any of their words; empty: nobody is",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.host and not self.sender:
            raise ValueError("HOST needs a SENDER, the address that mails are from")
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise ValueError("USER and PASSWORD are set both, or none is")
        if self.user and self.security == "none" and self.host not in _THIS_MACHINE:
            raise ValueError("SECURITY=none with a PASSWORD would send it where others can read it")
        return self


class ZammadSettings(_Section):
    """A Zammad that tickets are brought into."""

    url: Annotated[str, AfterValidator(_issuer)] = Field(
        "", description="its address; empty: tickets are brought into none"
    )
    token: Given = Field(SecretStr(""), description="the access token of one of its agents")
    group: str = Field("Users", description="the group of its that tickets go to")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.url) != bool(self.token.get_secret_value()):
            raise ValueError("URL and TOKEN are set both, or none is")
        return self


class WebhookSettings(_Section):
    """Any program that is told of changes of tickets."""

    url: Annotated[str, AfterValidator(_secured)] = Field(
        "",
        description="address that changes of tickets are posted to, without any words of people;"
        " empty: none",
    )
    secret: Made = Field(
        SecretStr(""), description="what the posts are signed with, 16 characters or more"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.url and not self.secret.get_secret_value():
            raise ValueError(f"URL needs a SECRET of {known_secrets.LEAST} characters or more")
        return self


class InboxSettings(_Section):
    """The mailbox whose mails become tickets."""

    host: str = Field("", description="IMAP server; empty: no mail is taken in")
    port: Port = Field(993, description="its port: 993 with `tls`, 143 with `starttls`")
    security: Security = Field(
        "tls", description="`none`: not encrypted, taken for this machine only"
    )
    user: str = Field("", description="what it knows the mailbox by, mostly its address")
    password: Given = Field(SecretStr(""), description="goes with the user")
    folder: Annotated[str, AfterValidator(_line)] = Field(
        "INBOX", description="folder that is looked at; it should be the helpdesk's alone"
    )
    done_folder: str = Field(
        "", description="folder that mails are moved to when they are taken; empty: they stay, read"
    )
    every_s: int = Field(60, ge=10, le=86_400, description="seconds between two looks")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.host and not (self.user and self.password.get_secret_value()):
            raise ValueError("HOST needs USER and PASSWORD")
        if self.host and self.security == "none" and self.host not in _THIS_MACHINE:
            raise ValueError("SECURITY=none would send the password where others can read it")
        return self


class ApiSettings(BaseSettings):
    """All settings of the server."""

    model_config = SettingsConfigDict(
        env_prefix="HELPDESK_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    server: ServerSettings = ServerSettings()
    limits: LimitsSettings = LimitsSettings()
    retention: RetentionSettings = RetentionSettings()
    desk: DeskSettings = DeskSettings()
    sign_in: SignInSettings = SignInSettings()
    mail: MailSettings = MailSettings()
    inbox: InboxSettings = InboxSettings()
    zammad: ZammadSettings = ZammadSettings()
    webhook: WebhookSettings = WebhookSettings()
    staff_token: Made = Field(
        SecretStr(""),
        description="bearer token of machines for the staff calls, 16 characters or more; empty:"
        " only people who are signed in make them",
    )
    port: Port = Field(
        8000,
        validation_alias=AliasChoices("PORT", "HELPDESK_PORT"),
        description="port to listen on",
    )

    @model_validator(mode="after")
    def _links_and_replies_arrive(self) -> Self:
        """Whoever gets a mail can follow its link, and whoever writes one gets the reply."""
        told = self.mail.host or self.zammad.url or self.webhook.url
        if told and not self.server.public_url:
            raise ValueError(
                "HELPDESK_SERVER__PUBLIC_URL is needed with MAIL, ZAMMAD or WEBHOOK, for links"
            )
        if self.inbox.host and not self.mail.host:
            raise ValueError(
                "HELPDESK_MAIL__HOST is needed with INBOX: replies to mails would go nowhere"
            )
        return self

    @property
    def address(self) -> str:
        """Where people reach the helpdesk, as far as the settings tell."""
        host = self.server.host
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
        named = f"[{shown}]" if ":" in shown else shown
        return self.server.public_url or f"http://{named}:{self.port}"
