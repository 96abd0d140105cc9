"""Indexes of decisions, and of first reports of alerts, by their time."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_actions_at", "actions", ["action", "at"])
    op.create_index("ix_alerts_raised", "alerts", ["raised_at", "kind"])
