"""What staff do with tickets: fields, messages, words to search by, and the audit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LIMITED_TO = ("state", "country", "intent", "priority", "assignee")
_ADDED = ("title", "intent", "priority", "group", "assignee", "tags", "first_reply_at",
          "updated_at", "closed_at", "version", "triage", "cited")  # fmt: skip
_LONGEST = 100
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "ς": "σ"}
)
_TICKETS = sa.table(
    "tickets",
    sa.column("ticket_id", sa.String),
    sa.column("question", sa.Text),
    sa.column("history", sa.JSON),
    sa.column("name", sa.Text),
    sa.column("email", sa.Text),
    sa.column("title", sa.Text),
)
_WORDS = sa.table("ticket_words", sa.column("word", sa.String), sa.column("ticket_id", sa.String))


def upgrade() -> None:
    """Add the columns and tables; tickets that are there get a title, and can be searched."""
    _make_tables()
    for column in (
        sa.Column("title", sa.Text),
        sa.Column("intent", sa.String(32)),
        sa.Column("priority", sa.String(8)),
        sa.Column("group", sa.Text),
        sa.Column("assignee", sa.Text),
        sa.Column("tags", sa.JSON),
        sa.Column("first_reply_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True)),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer),
        sa.Column("triage", sa.JSON),
        sa.Column("cited", sa.JSON),
    ):
        op.add_column("tickets", column)
    op.execute(
        "UPDATE tickets SET priority = 'normal', tags = '[]', updated_at = created_at,"
        " version = 1, cited = '[]'"
    )
    _fill(op.get_bind())
    with op.batch_alter_table("tickets") as table:
        table.alter_column("title", existing_type=sa.Text, nullable=False)
        table.alter_column("priority", existing_type=sa.String(8), nullable=False)
        table.alter_column("tags", existing_type=sa.JSON, nullable=False)
        table.alter_column("updated_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        table.alter_column("version", existing_type=sa.Integer, nullable=False)
        table.alter_column("cited", existing_type=sa.JSON, nullable=False)
    for name in _LIMITED_TO:
        op.create_index(
            f"ix_tickets_{name}_created_at_ticket_id", "tickets", [name, "created_at", "ticket_id"]
        )


def downgrade() -> None:
    """Remove them, with all that they hold; a ticket keeps what was asked."""
    for name in _LIMITED_TO:
        op.drop_index(f"ix_tickets_{name}_created_at_ticket_id", "tickets")
    with op.batch_alter_table("tickets") as table:
        for name in _ADDED:
            table.drop_column(name)
    for name in ("audit_head", "audit", "ticket_words", "messages"):
        op.drop_table(name)


def _make_tables() -> None:
    op.create_table(
        "messages",
        sa.Column("ticket_id", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "number", name="pk_messages"),
        _of_a_ticket("messages"),
    )
    op.create_table(
        "ticket_words",
        sa.Column(
            "word",
            sa.String(40).with_variant(sa.String(40, "C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("ticket_id", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("word", "ticket_id", name="pk_ticket_words"),
        _of_a_ticket("ticket_words"),
    )
    op.create_index("ix_ticket_words_ticket_id", "ticket_words", ["ticket_id"])
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("ticket_id", sa.String(16), nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_index("ix_audit_ticket_id_number", "audit", ["ticket_id", "number"])
    head = op.create_table(
        "audit_head",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_head"),
    )
    op.bulk_insert(head, [{"number": 0, "sha256": "0" * 64}])


def _of_a_ticket(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["ticket_id"], ["tickets.ticket_id"], name=f"fk_{table}_ticket_id", ondelete="CASCADE"
    )


def _fill(connection: sa.Connection) -> None:
    """Give the tickets a title, and note their words."""
    for row in connection.execute(sa.select(_TICKETS)).all():
        line = " ".join(row.question.split())
        title = line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"
        connection.execute(
            sa.update(_TICKETS).where(_TICKETS.c.ticket_id == row.ticket_id).values(title=title)
        )
        said = [turn["text"] for turn in row.history if turn["role"] == "user"]
        words = _words([row.ticket_id, row.question, row.name or "", row.email, *said])
        connection.execute(
            sa.insert(_WORDS),
            [{"word": word, "ticket_id": row.ticket_id} for word in sorted(words)],
        )


def _words(texts: Sequence[str]) -> set[str]:
    marked = unicodedata.normalize("NFD", " ".join(texts).lower())
    folded = re.sub("[\u0300-\u036f]+", "", marked).translate(_LETTERS)
    return {word[:40] for word in re.findall(r"\w+", folded)}
