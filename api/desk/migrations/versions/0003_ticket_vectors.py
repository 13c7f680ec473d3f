"""Vectors of tickets, by which tickets that ask alike are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; the tickets before have no vectors."""
    op.create_table(
        "ticket_vectors",
        sa.Column("ticket_id", sa.String(16), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name="pk_ticket_vectors"),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["tickets.ticket_id"],
            name="fk_ticket_vectors_ticket_id",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Remove it, with all that it holds."""
    op.drop_table("ticket_vectors")
