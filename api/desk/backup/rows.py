"""Tables as lines of JSON that any engine can take: a line of columns, then one for each row.

The tables are read as they are, not as `api.desk.tables` knows them, so that those of an
earlier revision can be written and read back too.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    cast,
    insert,
    select,
)
from sqlalchemy.exc import DataError

from api.desk.backup.archive import Sink
from api.desk.tables import METADATA, PASSING
from rag.errors import HelpdeskError

_AT_ONCE = 2000
"""Rows that are fetched, written or stored together."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""Made once: there are millions of rows."""


class Misfit(HelpdeskError):
    """Rows that do not belong into the tables that they are for."""


def tables_of(connection: Connection) -> list[Table]:
    """The desk's tables that are there and go into a backup, those that others refer to first.

    No revision has dropped or renamed one, so that those of today know all of any revision.
    What others keep in the same database is not ours to hand on.
    """
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name in METADATA.tables and name not in PASSING)
    return found.sorted_tables


def written(
    connection: Connection, table: Table, file: Sink, progress: Callable[[int], None]
) -> int:
    """Write a table, in the order of its keys; returns how many rows it has.

    Args:
        connection: Of a transaction that sees one state of all tables.
        table: As `tables_of` gives it.
        file: Takes the lines.
        progress: Called with the number of rows written since the last call.
    """
    file.write(_line([column.name for column in table.columns]))
    # Of JSON the very text: whether nothing stands there, or `null` does, is not the same.
    wanted = [cast(each, Text) if _is(each, JSON) else each for each in table.columns]
    ordered = select(*wanted).order_by(*table.primary_key.columns)
    rows = connection.execute(ordered.execution_options(yield_per=_AT_ONCE))
    changes = [_plain_of(column) for column in table.columns]
    to_plain = partial(_each, changes) if any(changes) else list
    count = 0
    for some in rows.partitions(_AT_ONCE):
        file.write(b"".join(_line(to_plain(row)) for row in some))
        count += len(some)
        progress(len(some))
    return count


def stored(
    connection: Connection, table: Table, lines: Iterable[bytes], progress: Callable[[int], None]
) -> int:
    """Store what `written` wrote into an empty table; returns how many rows it was.

    Raises:
        Misfit: The lines are not of this table.
    """
    rows = iter(lines)
    try:
        names = json.loads(next(rows))
        # In SQLite columns that were added later stand behind, elsewhere as they were named.
        columns = [table.columns[name] for name in names]
        if len(columns) != len(table.columns):
            raise Misfit(f"{table.name}: its columns are not those of its revision")
        from_plain = [_value_of(column) for column in columns]
        for column in columns:
            if _is(column, JSON):
                column.type = JSON(none_as_null=True)
        count = 0
        while some := [
            dict(zip(names, _each(from_plain, json.loads(line)), strict=True))
            for line in islice(rows, _AT_ONCE)
        ]:
            connection.execute(insert(table), some)
            count += len(some)
            progress(len(some))
    except DataError as error:
        raise Misfit(
            f"{table.name}: a row holds what {connection.dialect.name} cannot take, as the"
            " character NUL"
        ) from error
    except (KeyError, StopIteration, TypeError, ValueError) as error:
        raise Misfit(f"{table.name}: its rows are not those of its revision") from error
    return count


def _line(values: list[object]) -> bytes:
    return _ENCODER.encode(values).encode() + b"\n"


def _each(change: Sequence[Callable[[Any], Any] | None], values: Sequence[object]) -> list[object]:
    """Each value as its column is written or stored; what is not there stays so."""
    return [
        value if value is None or to is None else to(value)
        for to, value in zip(change, values, strict=True)
    ]


def _is(column: Column[Any], kind: type[Any]) -> bool:
    return isinstance(column.type, kind)


def _plain_of(column: Column[Any]) -> Callable[[Any], Any] | None:
    """How a value of a column is written; None: as it is."""
    if _is(column, DateTime):
        return _utc
    return _base64 if _is(column, LargeBinary) else None


def _value_of(column: Column[Any]) -> Callable[[Any], Any] | None:
    """What becomes of it on the way back."""
    if _is(column, DateTime):
        return datetime.fromisoformat
    if _is(column, LargeBinary):
        return b64decode
    return _json if _is(column, JSON) else None


def _utc(value: datetime) -> str:
    # SQLite keeps no time zone: it is UTC.
    known = value if value.tzinfo else value.replace(tzinfo=UTC)
    return known.astimezone(UTC).isoformat(timespec="microseconds")


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _json(text: str) -> object:
    value = json.loads(text)
    return JSON.NULL if value is None else value
