"""A resource of a country, as somebody describes it for the page "National implementation".

That page asks for the country, a permanent link that can be shared and the categories, by mail,
with the lead of the country's mirror group in copy. The rest helps whoever lists it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

from pydantic import TypeAdapter, ValidationError

from api.requests import Email
from rag.countries import country_code, country_name
from rag.language import LANGUAGES
from rag.messages import FALLBACK, Messages, language_name

CATEGORIES = ("plans", "elsi", "technical", "training", "quality")
"""Under which the page lists national resources; named in the messages."""
LEADS = ("self", "other", "unknown")
"""Who leads the mirror group: the sender, somebody whose address they know, or not known."""
MAX_TITLE, MAX_LINK, MAX_DESCRIPTION, MAX_LICENCE, MAX_NAME = 200, 500, 1000, 100, 200

Lasting = Literal["doi", "handle", "urn", "ark", "purl", "repository"]
"""What makes a link permanent."""

_DOI = re.compile(r"(?:doi:\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_HANDLE = re.compile(r"hdl:\s*(\S+/\S+)", re.IGNORECASE)
_URN = re.compile(r"(urn:nbn:\S+)", re.IGNORECASE)
_ARK = re.compile(r"(ark:/?\d{5,9}/\S+)", re.IGNORECASE)
_RESOLVERS = (
    (_DOI, "https://doi.org/"),
    (_HANDLE, "https://hdl.handle.net/"),
    (_URN, "https://nbn-resolving.org/"),
    (_ARK, "https://n2t.net/"),
)
"""Names that last, and what makes an address of each."""
_HOST = re.compile(r"(?=.{4,253}$)(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_][\w-]*")
_LASTING: Mapping[str, Lasting] = {
    "doi.org": "doi",
    "hdl.handle.net": "handle",
    "nbn-resolving.org": "urn",
    "nbn-resolving.de": "urn",
    "urn.fi": "urn",
    "urn.kb.se": "urn",
    "n2t.net": "ark",
    "ark.bnf.fr": "ark",
    "purl.org": "purl",
    "purl.archive.org": "purl",
    "w3id.org": "purl",
    "identifiers.org": "purl",
    "zenodo.org": "repository",
    "osf.io": "repository",
    "figshare.com": "repository",
    "b2share.eudat.eu": "repository",
    "dataverse.org": "repository",
    "dataverse.nl": "repository",
    "dataverse.no": "repository",
    "datadryad.org": "repository",
    "data.europa.eu": "repository",
    "op.europa.eu": "repository",
    "eur-lex.europa.eu": "repository",
    "archive.softwareheritage.org": "repository",
    "recherche.data.gouv.fr": "repository",
    "hal.science": "repository",
    "arxiv.org": "repository",
    "europepmc.org": "repository",
    "workflowhub.eu": "repository",
    "fairsharing.org": "repository",
    "tess.elixir-europe.org": "repository",
}
"""Hosts, their subdomains included, whose addresses are made to last."""
_SHARED = ("sharepoint.com", "docs.google.com", "drive.google.com", "1drv.ms", "dropbox.com")
"""Hosts whose links end with the account that made them, and may ask readers to sign in."""
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


@dataclass(frozen=True)
class Contribution:
    """The form as it was sent: shown again as it stands where something is wrong with it."""

    country: str = ""
    link: str = ""
    categories: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    licence: str = ""
    spoken: str = ""
    """Language of the resource: ISO 639-1."""
    lead: str = ""
    lead_email: str = ""
    name: str = ""
    """Of the sender, as the two below."""
    email: str = ""
    consent: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, str], categories: Sequence[str]) -> Contribution:
        """Take the fields of a form."""
        wanted = {name: fields.get(name, "").strip() for name in _TYPED}
        country = country_code(wanted.pop("country")) or ""
        known = tuple(each for each in CATEGORIES if each in categories)
        return cls(**wanted, country=country, categories=known, consent="consent" in fields)

    @property
    def address(self) -> str:
        """The link as an address: a DOI or another name that lasts is made one."""
        for pattern, resolver in _RESOLVERS:
            if found := pattern.fullmatch(self.link):
                return resolver + quote(found[1], safe="/:;()._-~%#?=&,+@!$'*")
        return self.link

    @property
    def lasting(self) -> Lasting | None:
        """What makes the link permanent; None: nothing that is known."""
        host = (urlsplit(self.address).hostname or "") if is_web(self.address) else ""
        return next((kind for known, kind in _LASTING.items() if _within(host, known)), None)

    @property
    def hint(self) -> str | None:
        """What to say of a link that can be taken and might not last: a key of the messages."""
        host = urlsplit(self.address).hostname or ""
        if any(_within(host, each) for each in _SHARED):
            return "hint_shared"
        return None if self.lasting else "hint_lasting"

    def faults(self) -> dict[str, str]:
        """What is wrong with the resource, by field in the page's order: keys of the messages."""
        found = {
            "country": "" if self.country else "error_country",
            "title": _fault_of_line(self.title, MAX_TITLE, "error_title"),
            "link": _fault_of_link(self.link, self.address),
            "categories": "" if self.categories else "error_categories",
            "description": _fault_of_text(self.description, MAX_DESCRIPTION),
            "spoken": "" if self.spoken in ("", *LANGUAGES) else "error_spoken",
            "licence": _fault_of_line(self.licence, MAX_LICENCE),
            "lead": "" if self.lead in LEADS else "error_lead",
            "lead_email": "",
        }
        if self.lead == "other" and not _is_email(self.lead_email):
            found["lead_email"] = "error_email"
        return {name: fault for name, fault in found.items() if fault}

    def faults_of_sender(self) -> dict[str, str]:
        """What is wrong with who sends it, where it becomes a request: as `faults`."""
        found = {
            "name": _fault_of_line(self.name, MAX_NAME),
            "email": "" if _is_email(self.email) else "error_email",
            "consent": "" if self.consent else "error_consent",
        }
        return {name: fault for name, fault in found.items() if fault}

    @property
    def copy_to(self) -> str | None:
        """The address of the lead of the mirror group, where that is somebody else."""
        return self.lead_email if self.lead == "other" else None


@dataclass(frozen=True)
class Letter:
    """A contribution in words, for those who list it: in English, as the Framework is."""

    to: str
    copy_to: str | None
    subject: str
    body: str
    mailto: str = field(init=False)
    """A link that opens it in a mail program."""

    def __post_init__(self) -> None:
        fields = {"cc": self.copy_to or "", "subject": self.subject}
        fields["body"] = self.body.replace("\n", "\r\n")
        told = urlencode({name: each for name, each in fields.items() if each}, quote_via=quote)
        object.__setattr__(self, "mailto", f"mailto:{quote(self.to, safe='@')}?{told}")


def letter_of(given: Contribution, messages: Messages, to: str) -> Letter:
    """Write to whoever lists national resources.

    Args:
        given: Without faults.
        messages: What a letter says.
        to: Their address.
    """

    def say(key: str, **values: str) -> str:
        return messages.say(FALLBACK, key, **values)

    country = country_name(given.country, FALLBACK)
    lead = {
        "self": say("letter_lead_self"),
        "other": say("letter_lead_other", email=given.lead_email),
        "unknown": say("letter_lead_unknown"),
    }[given.lead]
    lasting = say(f"lasting_{given.lasting}") if given.lasting else say("letter_not_lasting")
    spoken = language_name(given.spoken, FALLBACK) if given.spoken else ""
    lines = [
        (say("country"), country),
        (say("link"), f"{given.address} ({lasting})"),
        (say("categories"), "; ".join(say(f"category_{each}") for each in given.categories)),
        (say("resource_title"), given.title),
        (say("description"), given.description),
        (say("licence"), given.licence),
        (say("spoken"), spoken),
        (say("lead"), lead),
        (say("letter_sender"), given.name),
    ]
    body = "\n".join(f"{name}: {said}" for name, said in lines if said)
    subject = say("letter_subject", country=country, title=given.title)
    return Letter(to, given.copy_to, subject, f"{say('letter_opening')}\n\n{body}\n")


_TYPED = (
    "country", "link", "title", "description", "licence", "spoken", "lead", "lead_email", "name",
    "email",
)  # fmt: skip


def is_web(address: str) -> bool:
    """Whether an address is one of the web that others can open: https, with a public name."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and parts.username is None
        and _HOST.fullmatch(parts.hostname or "") is not None
    )


def _within(host: str, known: str) -> bool:
    return host == known or host.endswith(f".{known}")


def _fault_of_link(typed: str, address: str) -> str:
    if not typed:
        return "error_link_missing"
    if max(len(typed), len(address)) > MAX_LINK:
        return "error_too_long"
    if typed.lower().startswith("http://"):
        return "error_link_http"
    whole = address.isprintable() and not re.search(r"[\s<>\"]", address)
    return "" if whole and is_web(address) else "error_link"


def _fault_of_line(text: str, longest: int, missing: str = "") -> str:
    if not text:
        return missing
    if len(text) > longest:
        return "error_too_long"
    return "" if text.isprintable() else "error_line"


def _fault_of_text(text: str, longest: int) -> str:
    if len(text) > longest:
        return "error_too_long"
    return "" if "\0" not in text else "error_line"


def checked_email(address: str) -> str | None:
    """Return an address as it is kept, so that it is found by it again; None: it is none."""
    try:
        return _EMAIL.validate_python(address)
    except ValidationError:
        return None


def _is_email(address: str) -> bool:
    return checked_email(address) is not None
