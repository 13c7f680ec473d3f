"""The list of staff, for admins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.auth import Visitor
from api.console.console import (
    HEADERS,
    Admin,
    ConsoleRoute,
    console_of,
    depth_of,
    desk_of,
    sent_form,
)
from api.desk.models import Member, Role
from api.desk.staff import AlreadyListed, LastAdmin
from api.errors import STATUS
from api.requests import Country, Email, Line, Sent
from rag.countries import COUNTRIES, country_name
from rag.errors import HelpdeskError
from rag.messages import FALLBACK

router = APIRouter(prefix="/desk/staff", route_class=ConsoleRoute, include_in_schema=False)

_ROLES: Mapping[Role, str] = {
    "agent": "handles tickets",
    "lead": "handles tickets, reviews and publishes articles",
    "admin": "does all that, and keeps this list",
}


class _MemberIn(Sent):
    """What may be said of one of staff who is on the list."""

    name: Line
    role: Role
    country: tuple[Country, ...] = ()


class _NewMemberIn(_MemberIn):
    """What is said of one who comes on the list."""

    email: Email


@dataclass(frozen=True)
class _Form:
    """What stands in a form, right or wrong."""

    name: str = ""
    email: str = ""
    role: str = "agent"
    countries: frozenset[str] = frozenset()
    left: bool = False
    anew: bool = False
    wrong: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by field; empty: of all."""


@router.get("")
async def show_list(request: Request, visitor: Admin) -> Response:
    """Show the list, with a form for one more."""
    return await _listed(request, visitor, _Form())


@router.post("")
async def add(request: Request, visitor: Admin) -> Response:
    """Put somebody on the list."""
    fields, desk = await sent_form(request, visitor), desk_of(request)
    try:
        sent = _NewMemberIn.model_validate(_values(fields))
        await desk.beside(
            partial(desk.staff.add, visitor.actor, sent.name, sent.email, sent.role, sent.country)
        )
    except (ValidationError, AlreadyListed) as error:
        return await _listed(request, visitor, _form(fields, error), _status(error))
    return _back(request)


@router.get("/{staff_id}")
async def show_member(request: Request, visitor: Admin, staff_id: str) -> Response:
    """Show what is said of one of staff, to change it."""
    desk = desk_of(request)
    member = await desk.beside(partial(desk.staff.member, staff_id))
    form = _Form(
        name=member.name,
        role=member.role,
        countries=member.countries,
        left=member.left_at is not None,
    )
    return _shown(request, visitor, member, form)


@router.post("/{staff_id}")
async def change(request: Request, visitor: Admin, staff_id: str) -> Response:
    """Change what somebody may, or let them in no more."""
    fields, desk = await sent_form(request, visitor), desk_of(request)
    member = await desk.beside(partial(desk.staff.member, staff_id))
    try:
        sent = _MemberIn.model_validate(_values(fields))
        await desk.beside(
            partial(
                desk.staff.change,
                visitor.actor,
                member.staff_id,
                sent.name,
                sent.role,
                sent.country,
                left="left" in fields,
                anew="anew" in fields,
            )
        )
    except (ValidationError, LastAdmin) as error:
        return _shown(request, visitor, member, _form(fields, error), _status(error))
    return _back(request)


def _values(fields: Mapping[str, Sequence[str]]) -> dict[str, object]:
    alone = {name: values[0] for name, values in fields.items()}
    return {**alone, "country": fields.get("country", ())}


def _form(fields: Mapping[str, Sequence[str]], error: Exception) -> _Form:
    """Return what was typed, with what is wrong about it."""

    def typed(name: str) -> str:
        return fields.get(name, [""])[0]

    return _Form(
        name=typed("name"),
        email=typed("email"),
        role=typed("role"),
        countries=frozenset(fields.get("country", ())),
        left="left" in fields,
        anew="anew" in fields,
        wrong=_wrong(error),
    )


def _wrong(error: Exception) -> Mapping[str, str]:
    if isinstance(error, AlreadyListed):
        return {"email": str(error)}
    if not isinstance(error, ValidationError):
        return {"": str(error)}
    return {
        str(each["loc"][0]): "is missing"
        if each["type"] in ("missing", "string_too_short")
        else each["msg"].removeprefix("Value error, ")
        for each in error.errors()
    }


def _status(error: Exception) -> int:
    return STATUS[type(error)] if isinstance(error, HelpdeskError) else 422


async def _listed(request: Request, visitor: Visitor, form: _Form, status: int = 200) -> Response:
    desk = desk_of(request)
    return console_of(request).page(
        "staff.html",
        visitor,
        depth=depth_of(request),
        status=status,
        staff=await desk.beside(desk.staff.everyone),
        last=await desk.beside(desk.staff.last_sign_ins),
        form=form,
        roles=_ROLES,
        countries=_by_name(),
        signed_in_by=bool(request.app.state.sign_in),
    )


def _shown(
    request: Request, visitor: Visitor, member: Member, form: _Form, status: int = 200
) -> Response:
    return console_of(request).page(
        "staff_member.html",
        visitor,
        depth=depth_of(request),
        status=status,
        member=member,
        form=form,
        roles=_ROLES,
        countries=_by_name(),
    )


def _by_name() -> list[str]:
    return sorted(COUNTRIES, key=lambda code: country_name(code, FALLBACK))


def _back(request: Request) -> Response:
    root = "../" * depth_of(request)
    return RedirectResponse(f"{root}desk/staff", status_code=303, headers=HEADERS)
