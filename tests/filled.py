"""A desk with rows in every table, whatever tables there are, for tests of backup and upgrades."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Table,
    insert,
    inspect,
)

from api.desk.audit import record
from api.desk.backup.rows import tables_of
from api.desk.tables import PASSING

_TEXTS = (
    "", "plain", "Zażółć gęślą jaźń", "two\nlines\r\n", "\"quoted\", \\ and '", "\u2028\u2029\x85",
    "\U0001f469 emoji", "null", "true", "[1]", "'; DROP TABLE tickets; --", "٣٤", " spaced ",
    "\t\x01\x7f",
)  # fmt: skip
_JSON = (
    None, [], {}, "text", 0, -1.5, 1e300, True, [None, {"a": [1, "ü\n"]}], {"": None}, 2**53,
)  # fmt: skip
_NOT_BY_HAND = ("audit", "audit_head")


def fill(connection: Connection, count: int, seed: int = 0) -> dict[str, int]:
    """Put rows into every table that is there, of any revision.

    Args:
        connection: Of a transaction that writes.
        count: Rows of each.
        seed: Of what stands in them.

    Returns:
        How many rows there are by table.
    """
    chance = random.Random(seed)
    tables = [each for each in tables_of(connection) if each.name not in PASSING]
    keys: dict[str, list[Mapping[str, Any]]] = {}
    for table in tables:
        if table.name in _NOT_BY_HAND:
            continue
        rows = [_row(table, number, keys, chance) for number in range(count)]
        connection.execute(insert(table), rows)
        keys[table.name] = rows
    if inspect(connection).has_table("audit"):
        for number in range(count):
            ticket = keys["tickets"][number]["ticket_id"]
            record(connection, chance.choice(_TEXTS), "note", [ticket], ["state", "tags"])
    return {table.name: 1 if table.name == "audit_head" else count for table in tables}


def everything(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, in the order of their keys, as any engine gives them."""
    return {
        table.name: [
            tuple(_told(value) for value in row)
            for row in connection.execute(table.select().order_by(*table.primary_key.columns))
        ]
        for table in tables_of(connection)
        if table.name not in PASSING
    }


def _told(value: object) -> object:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return repr(value) if isinstance(value, dict | list | float) else value


def _row(
    table: Table,
    number: int,
    keys: Mapping[str, Sequence[Mapping[str, Any]]],
    chance: random.Random,
) -> dict[str, Any]:
    parents = {
        key.parent.name: (key.column.table.name, key.column.name) for key in table.foreign_keys
    }
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.name in parents:
            of, name = parents[column.name]
            # Its own parent each, as that may be its key.
            row[column.name] = keys[of][number % len(keys[of])][name]
        elif column.primary_key or column.name in ("email", "issuer", "subject"):
            row[column.name] = number if _is(column, Integer) else f"{number:08x}"
        elif column.name == "history":
            # Revisions read it.
            row[column.name] = [{"role": "user", "text": chance.choice(_TEXTS)}]
        elif column.nullable and chance.random() < 0.3:
            # Not there at all, which in JSON is not the same as `null`.
            row[column.name] = None
        else:
            row[column.name] = _value(column, chance)
    for column in table.columns:
        if _is(column, JSON):
            column.type = JSON(none_as_null=True)
            if row[column.name] is None and (not column.nullable or chance.random() < 0.5):
                row[column.name] = JSON.NULL
    return row


def _value(column: Column[Any], chance: random.Random) -> Any:
    made: Sequence[tuple[type[Any], Callable[[], Any]]] = (
        (DateTime, lambda: _time(chance)),
        (Boolean, lambda: chance.random() < 0.5),
        (Integer, lambda: chance.randrange(2**31)),
        (Float, lambda: chance.choice((0.0, -1.5, 1e300))),
        (LargeBinary, lambda: chance.randbytes(chance.choice((0, 1, 768)))),
        (JSON, lambda: chance.choice(_JSON)),
    )
    for kind, value in made:
        if _is(column, kind):
            return value()
    longest = getattr(column.type, "length", None)
    return chance.choice(_TEXTS)[:longest]


def _time(chance: random.Random) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=chance.randrange(10**13))


def _is(column: Column[Any], kind: type[Any]) -> bool:
    return isinstance(column.type, kind)
