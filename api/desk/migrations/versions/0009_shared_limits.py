"""What clients may do is counted over all processes; what one process does, it has leased.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; what is in them is of today."""
    op.create_table(
        "calls",
        sa.Column("what", sa.String(8), nullable=False),
        sa.Column("client_hmac", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("what", "client_hmac", "since", name="pk_calls"),
    )
    op.create_index("ix_calls_until", "calls", ["until"])
    op.create_table(
        "call_keys",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_call_keys"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def downgrade() -> None:
    """Remove them, with all that they hold."""
    for table in ("leases", "call_keys", "calls"):
        op.drop_table(table)
