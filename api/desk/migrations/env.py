"""Run by Alembic, in the transaction that `api.desk.database` has begun."""

from __future__ import annotations

from alembic import context

from api.desk.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite cannot alter a column in place: its tables are copied. No row that refers to them
    # goes with the old one, as foreign keys are not minded until the transaction ends.
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
