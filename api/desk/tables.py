"""The tables of the desk, in words that SQLite and PostgreSQL both know.

A change here comes with a revision in `api/desk/migrations/versions`; a test
compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no time zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store in UTC, so that stored times compare rightly even as text."""
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read as UTC."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


ANSWERS = Table(
    "answers",
    METADATA,
    Column("answer_id", String(64), primary_key=True),
    Column("created_at", UtcTime, nullable=False, index=True),
    # Personal data masked; null: the answer is older than this column.
    Column("question", Text),
    Column("status", String(16), nullable=False),
    Column("reason", String(32)),
    Column("strength", String(16), nullable=False),
    Column("language", String(8), nullable=False),
    Column("country", String(2)),
    Column("article_id", Text),
    Column("model", Text, nullable=False),
    Column("generation", Text, nullable=False),
    Column("cited", JSON, nullable=False),
    Column("timings_ms", JSON, nullable=False),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column(
        "answer_id",
        String(64),
        ForeignKey(ANSWERS.c.answer_id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("created_at", UtcTime, nullable=False),
    Column("helpful", Boolean, nullable=False),
    Column("comment", Text),
)

TICKETS = Table(
    "tickets",
    METADATA,
    Column("ticket_id", String(16), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("question", Text, nullable=False),
    Column("history", JSON, nullable=False),
    # No foreign key: answers are forgotten while their ticket is kept.
    Column("answer_id", String(64)),
    Column("name", Text),
    Column("email", Text, nullable=False),
    Column("country", String(2)),
    Column("language", String(2)),
    Column("consent_at", UtcTime, nullable=False),
    Column("token_sha256", String(64), nullable=False),
    Index(None, "created_at", "ticket_id"),
)
