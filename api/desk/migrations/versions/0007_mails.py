"""Which mails were taken in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "mails",
        sa.Column("mail_sha256", sa.String(64), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("became", sa.String(16), nullable=False),
        sa.Column("message_sha256", sa.String(64)),
        sa.Column("ticket_id", sa.String(16)),
        sa.PrimaryKeyConstraint("mail_sha256", name="pk_mails"),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.ticket_id"], name="fk_mails_ticket_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_mails_message_sha256", "mails", ["message_sha256"])
    op.create_index("ix_mails_ticket_id", "mails", ["ticket_id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("mails")
