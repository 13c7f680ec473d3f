"""Write ``docs/operators/settings.md``: every setting, as the code describes it.

``make docs`` runs it, and a test fails where the page says something else than the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from api.settings import ApiSettings
from ingest.settings import IngestSettings
from rag.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operators" / "settings.md"

_TEMPLATE = Path(__file__).with_name("settings.md")
_TABLES = "<!-- tables -->"

_GUIDES = {
    "generator": "[With a language model](README.md#with-a-language-model)",
    "fetch": "[Sources](sources.md)",
    "retention": "[Personal data](privacy.md#how-long-it-is-kept)",
    "sign_in": "[Signing in to the desk](sign-in.md)",
    "mail": "[Mail](mail.md)",
    "inbox": "[Mails that come in](mail.md#mails-that-come-in)",
    "zammad": "[Zammad](mail.md#zammad)",
    "webhook": "[Webhook](mail.md#webhook)",
    "retrieval": "[How good is it](../evaluation.md)",
}
"""Section, and the page that tells how to use it."""

_TITLES = {
    "answer": "Answers",
    "chroma": "Chroma server",
    "desk": "Desk's database",
    "embedder": "Embedder",
    "fetch": "Fetching",
    "generator": "Language model",
    "inbox": "Mailbox",
    "retrieval": "Search",
    "sign_in": "Sign-in of staff",
}


def page() -> str:
    """The page, in full."""
    sections = [
        (name, section)
        for kind in (ApiSettings, Settings, IngestSettings)
        for name, field in kind.model_fields.items()
        if (section := _section_of(field))
    ]
    general = [
        row for kind in (Settings, ApiSettings) for row in _rows(kind, "HELPDESK_", sections=False)
    ]
    parts = ["## General\n", _table(general)]
    for name, section in sections:
        title = _TITLES.get(name, name.replace("_", " ").capitalize())
        about = (section.__doc__ or "").strip().splitlines()[0]
        guide = f" See {_GUIDES[name]}." if name in _GUIDES else ""
        parts += [f"\n## {title}\n", f"{about}{guide}\n"]
        parts.append(_table(_rows(section, f"HELPDESK_{name.upper()}__")))
    return _TEMPLATE.read_text(encoding="utf-8").replace(_TABLES, "\n".join(parts))


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _rows(
    kind: type[BaseModel], prefix: str, *, sections: bool = True
) -> Iterator[tuple[str, str, str, str]]:
    for name, field in kind.model_fields.items():
        if not sections and _section_of(field):
            continue
        names = [f"{prefix}{name.upper()}"]
        if isinstance(field.validation_alias, AliasChoices):
            names = [str(each) for each in field.validation_alias.choices]
        shown = " or ".join(f"`{each}`" for each in names)
        yield (
            shown,
            _default(field),
            _takes(field),
            (field.description or "").replace("|", "&#124;"),
        )


def _table(rows: Iterable[tuple[str, str, str, str]]) -> str:
    lines = ["| Setting | Default | Takes | Meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path) and value.is_absolute():
        return f"`{value.relative_to(ROOT)}` beside the code"
    if value is None or value == "":
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _takes(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(kind))
    kinds = {kind, *get_args(kind)}
    if bool in kinds:
        return "`true`, `false`"
    if kinds & {int, float}:
        return _range(field)
    if SecretStr in kinds:
        return "secret"
    return "path" if Path in kinds else "text"


def _range(field: FieldInfo) -> str:
    bounds: dict[str, object] = {}
    for each in field.metadata:
        for bound in ("ge", "gt", "le", "lt"):
            if (value := getattr(each, bound, None)) is not None:
                bounds[bound] = value
    low = f"more than {bounds['gt']}" if "gt" in bounds else str(bounds.get("ge", ""))
    high = f" to {bounds['le']}" if "le" in bounds else ""
    return f"{low}{high}" or "number"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
