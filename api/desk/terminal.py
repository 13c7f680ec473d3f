"""What the commands of the desk have in common: the database, and errors told in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

import typer
from email_validator import EmailNotValidError, validate_email

from api.desk.backup.backup import Places
from api.desk.backup.settling import finish
from api.desk.database import DESK, Database, DeskUnavailable
from api.settings import ApiSettings
from rag.answerer import Answerer
from rag.errors import BadSetting, HelpdeskError
from rag.gaps.issues import Repositories
from rag.settings import Settings, read_settings
from rag.wiring import build_answerer, build_embedder, open_index

_Result = TypeVar("_Result")


def named(*, make: bool = False) -> tuple[ApiSettings, Database]:
    """Return the database that the settings name, its tables as they are.

    Args:
        make: It may be one that is not there yet; otherwise that ends the command.
    """
    try:
        core, own = read_settings(Settings), read_settings(ApiSettings)
        url = own.desk.database_url.get_secret_value()
        if not make and not url and not (core.data_dir / DESK).exists():
            fail(f"there is no {core.data_dir / DESK}; HELPDESK_DATA_DIR names its folder")
        return own, Database(url, core.data_dir)
    except BadSetting as error:
        fail(str(error), code=2)


def opened(*, make: bool = False) -> tuple[ApiSettings, Database]:
    """Open the database that the settings name, its tables up to date.

    Args:
        make: Make one where there is none; otherwise that ends the command.
    """
    own, database = named(make=make)
    try:
        database.migrate()
        finish(database, places())
    except DeskUnavailable as error:
        fail(told(error))
    return own, database


def places() -> Places:
    """Where what is not in the database lies, as the settings name it."""
    core = read_settings(Settings)
    return Places(core.data_dir, core.index)


def answering() -> tuple[Answerer, Repositories]:
    """Open the index that the settings name; also where its sources are written."""
    try:
        core = read_settings(Settings)
        answerer = build_answerer(core, open_index(core), build_embedder(core))
        return answerer, Repositories.load(core.corpus_dir)
    except BadSetting as error:
        fail(str(error), code=2)
    except HelpdeskError as error:
        fail(str(error))


def done(work: Callable[[], _Result]) -> _Result:
    """Do something with the database."""
    try:
        return work()
    except DeskUnavailable as error:
        fail(
            f"the desk's database is busy or fails ({error.why}): run this again,"
            " what was to go may be left"
        )
    except HelpdeskError as error:
        fail(str(error))


def told(error: DeskUnavailable) -> str:
    """Say of a database that is not available why, and what to do."""
    why = str(error) if error.why == str(error) else f"the desk's database fails: {error.why}"
    return f"{why}; see: python -m api.desk doctor"


def checked(address: str, name: str = "--address") -> str:
    """Return an e-mail address as it is usually written."""
    try:
        return validate_email(address.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        fail(f"{name} must be an e-mail address, such as name@example.org", code=2)


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with a line that tells why."""
    typer.echo(f"api.desk: {message}", file=sys.stderr)
    raise typer.Exit(code)
