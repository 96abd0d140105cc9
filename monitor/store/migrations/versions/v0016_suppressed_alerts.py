"""The mark of suppressed reports of alerts, which an archive before kept in their records alone."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and read it off the records: no text within JSON has such quotes."""
    op.add_column(
        "revisions",
        sa.Column("is_suppressed", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    revisions = sa.table("revisions", sa.column("is_suppressed"), sa.column("record", sa.Text()))
    has_mark = revisions.c.record.contains('"suppressed":{')
    op.execute(revisions.update().where(has_mark).values(is_suppressed=sa.true()))
