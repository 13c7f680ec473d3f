"""Whom to ask in each country, from ``corpus/contacts.yaml`` and an operator's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from rag.countries import COUNTRIES
from rag.errors import BadSetting
from rag.kept import read_kept_as

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


@dataclass(frozen=True)
class Contact:
    """The contact point of a country, as a public source or the operator names it."""

    country: str
    """ISO 3166-1 alpha-2."""
    name: str | None
    address: str | None
    """A role's, never a person's; None: none is known."""
    source: str
    checked: date
    """When somebody last looked."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    country: Literal[tuple(COUNTRIES)]  # type: ignore[valid-type]
    name: _Text | None
    address: EmailStr | None
    source: _Text
    checked: date

    @model_validator(mode="after")
    def _named(self) -> _Entry:
        if self.address and not self.name:
            raise ValueError(f"the address of {self.country} is nobody's: it has no name")
        return self


# An empty file lists nothing.
_ENTRIES: TypeAdapter[list[_Entry]] = TypeAdapter(
    Annotated[list[_Entry], BeforeValidator(lambda found: found or [])]
)


def load_contacts(corpus: Path, own: Path | None = None) -> Mapping[str, Contact]:
    """Read the contact points by country.

    Args:
        corpus: The folder that holds ``contacts.yaml``; one of one's own may have none.
        own: An operator's file, written alike: its countries replace the shipped ones.

    Raises:
        BadSetting: A file cannot be read, an entry is not as it should be, or a
            country comes twice; one line.
    """
    shipped = corpus / "contacts.yaml"
    contacts = _read(shipped) if shipped.is_file() else {}
    return contacts | _read(own) if own else contacts


def _read(file: Path) -> dict[str, Contact]:
    entries = read_kept_as(file, _ENTRIES)
    contacts: dict[str, Contact] = {}
    for entry in entries:
        if entry.country in contacts:
            raise BadSetting(f"cannot read {file}: {entry.country} comes twice")
        contacts[entry.country] = Contact(
            entry.country, entry.name, entry.address, entry.source, entry.checked
        )
    return contacts
