"""Gaps: questions that nothing answers, put together, and what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables; the server fills them from what is kept of conversations."""
    op.create_table(
        "gaps",
        sa.Column("gap_id", sa.String(16), nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("closed_at", _TIME),
        sa.Column("asked_in", sa.Text),
        sa.Column("cited", sa.JSON, nullable=False),
        sa.Column("place", sa.JSON),
        sa.Column("closed_by", sa.JSON),
        sa.PrimaryKeyConstraint("gap_id", name="pk_gaps"),
    )
    op.create_table(
        "unanswered",
        sa.Column("question_id", sa.String(64), nullable=False),
        sa.Column("answer_id", sa.String(64)),
        sa.Column("ticket_id", sa.String(16)),
        sa.Column("gap_id", sa.String(16)),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("countries", sa.JSON, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("question_id", name="pk_unanswered"),
        sa.ForeignKeyConstraint(
            ["answer_id"],
            ["answers.answer_id"],
            name="fk_unanswered_answer_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["tickets.ticket_id"],
            name="fk_unanswered_ticket_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["gap_id"], ["gaps.gap_id"], name="fk_unanswered_gap_id", ondelete="SET NULL"
        ),
    )
    for column in ("answer_id", "ticket_id", "gap_id"):
        op.create_index(f"ix_unanswered_{column}", "unanswered", [column])


def downgrade() -> None:
    """Remove them, with all that they hold."""
    op.drop_table("unanswered")
    op.drop_table("gaps")
