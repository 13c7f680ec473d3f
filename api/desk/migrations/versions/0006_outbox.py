"""What is to be sent about tickets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "outbox",
        sa.Column("delivery_id", sa.String(32), nullable=False),
        sa.Column("ticket_id", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("payload", sa.JSON),
        sa.Column("message_id", sa.String(255)),
        sa.Column("reference", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("last_error", sa.String(64)),
        sa.Column("claimed_until", _TIME),
        sa.Column("done_at", _TIME),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_outbox"),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.ticket_id"], name="fk_outbox_ticket_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_outbox_ticket_id", "outbox", ["ticket_id"])
    op.create_index("ix_outbox_message_id", "outbox", ["message_id"])
    op.create_index("ix_outbox_state_channel_due_at", "outbox", ["state", "channel", "due_at"])


def downgrade() -> None:
    """Remove it, with all that was still to be sent."""
    op.drop_table("outbox")
