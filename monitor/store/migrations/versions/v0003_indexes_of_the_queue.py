"""Indexes of what came back, and of what is snoozed."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_alerts_back", ["is_back", "state", "priority", "alert_id"], unique=False
        )
        batch_op.create_index("ix_alerts_snoozed", ["state", "snoozed_until"], unique=False)
