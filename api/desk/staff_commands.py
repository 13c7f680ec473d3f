"""``python -m api.desk staff add | list | change | leave | link`` and ``admin``: who staff are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, cast, get_args

import typer

from api.desk.audit import OPERATOR
from api.desk.database import Database
from api.desk.models import Actor, Member, Role
from api.desk.sessions import Sessions
from api.desk.staff import StaffList
from api.desk.terminal import checked, done, fail, opened
from api.settings import ApiSettings
from rag.countries import country_code

app = typer.Typer(no_args_is_help=True, help="Who staff are, and what they may do.")

_BY = Actor(OPERATOR, "admin")
_LOCAL = "admin@localhost"
"""Stands for the address of an admin who gives none; no mail reaches it."""

_MAY = "What they may do: agent, lead or admin."

Named = Annotated[str, typer.Argument(help="Id (S-…) or e-mail address.", show_default=False)]
ToldName = Annotated[str, typer.Option(help="As colleagues read it.")]
Countries = Annotated[
    list[str] | None,
    typer.Option(help="Whose tickets they see, such as PT; may be repeated; without: all."),
]


@app.command()
def add(
    name: ToldName,
    email: Annotated[str, typer.Option(help="By which they are known when they sign in.")],
    role: Annotated[str, typer.Option(help=_MAY)],
    country: Countries = None,
) -> None:
    """Put somebody on the list."""
    known, countries, address = _name(name), _countries(country or ()), checked(email, "--email")
    may = _role(role)
    _, database = opened(make=True)
    add_one = partial(StaffList(database).add, _BY, known, address, may, countries)
    _show(done(add_one))


@app.command("list")
def show_all() -> None:
    """Print the list."""
    _, database = opened(make=True)
    staff = StaffList(database)
    for member in done(staff.everyone):
        _show(member)


@app.command()
def change(
    who: Named,
    name: Annotated[str | None, typer.Option(help="As colleagues read it.")] = None,
    role: Annotated[str | None, typer.Option(help=_MAY)] = None,
    country: Countries = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="They see the tickets of all countries.")
    ] = False,
    back: Annotated[bool, typer.Option("--back", help="They have left, and are back.")] = False,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="They have a new account: know them by their address."),
    ] = False,
) -> None:
    """Change what somebody is called or may; what is not named stays."""
    countries, known = _countries(country or ()), _name(name) if name is not None else None
    may = _role(role) if role is not None else None
    _, database = opened(make=True)
    member = done(partial(StaffList(database).member, who))
    _set(
        database,
        member,
        name=known,
        role=may,
        countries=() if everywhere else countries or None,
        left=member.left_at is not None and not back,
        anew=anew,
    )


@app.command()
def leave(who: Named) -> None:
    """Let somebody in no more, and sign them out; their name stays with what they did."""
    _, database = opened(make=True)
    _set(database, done(partial(StaffList(database).member, who)), left=True)


@app.command()
def link(who: Named) -> None:
    """Print a link that signs somebody in, once, within 15 minutes."""
    own, database = opened(make=True)
    member = done(partial(StaffList(database).member, who))
    if member.left_at:
        fail(f"{member.staff_id} has left: staff change {member.staff_id} --back")
    _print_link(own, database, member)


def admin(
    name: ToldName = "Local admin",
    email: Annotated[str, typer.Option(help="Theirs; not needed for a first try.")] = _LOCAL,
) -> None:
    """Make or find an admin, and print a link that signs them in: for a first try."""
    known, address = _name(name), email if email == _LOCAL else checked(email, "--email")
    own, database = opened(make=True)
    staff = StaffList(database)
    listed = done(staff.everyone)
    member = next((each for each in listed if each.email == address.lower()), None)
    if member is None:
        member = done(partial(staff.add, _BY, known, address, "admin", ()))
    if member.left_at or member.role != "admin":
        fail(f"{member.staff_id} is on the list, and is no admin, or has left: staff change")
    _print_link(own, database, member)


def _set(
    database: Database,
    member: Member,
    *,
    left: bool,
    anew: bool = False,
    name: str | None = None,
    role: Role | None = None,
    countries: Sequence[str] | None = None,
) -> None:
    changed = partial(
        StaffList(database).change,
        _BY,
        member.staff_id,
        name or member.name,
        role or member.role,
        member.countries if countries is None else countries,
        left=left,
        anew=anew,
    )
    _show(done(changed))


def _print_link(own: ApiSettings, database: Database, member: Member) -> None:
    token = done(lambda: Sessions(database).expect({}, member.staff_id))
    typer.echo(f"{own.address}/desk/sign-in/link?token={token}")
    about = f"signs in {member.name} ({member.role}) once, within 15 minutes; the server must run"
    typer.echo(f"api.desk: {about}", err=True)


def _show(member: Member) -> None:
    countries = " ".join(sorted(member.countries)) or "all countries"
    left = f"  left {member.left_at:%Y-%m-%d}" if member.left_at else ""
    typer.echo(
        f"{member.staff_id}  {member.role:5}  {member.name} <{member.email}>  {countries}{left}"
    )


def _name(name: str) -> str:
    if not name.strip() or not name.isprintable():
        fail("--name must be one line", code=2)
    return name.strip()


def _role(role: str) -> Role:
    if role not in get_args(Role):
        fail("--role must be agent, lead or admin", code=2)
    return cast("Role", role)


def _countries(codes: Sequence[str]) -> tuple[str, ...]:
    known = [country_code(each) for each in codes]
    if None in known:
        fail("--country must be the ISO 3166-1 code of an EU country, Norway or GB", code=2)
    return tuple(each for each in known if each)
