"""What was asked, personal data masked, with its answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the answers before, nobody knows what was asked."""
    op.add_column("answers", sa.Column("question", sa.Text))


def downgrade() -> None:
    """Remove it, with all that it holds."""
    with op.batch_alter_table("answers") as table:
        table.drop_column("question")
