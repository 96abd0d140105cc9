"""Counts of alerts by how they stand, and indexes that have what filters of the queue ask for."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_WIDER = (
    ("assignee", ["assignee", "state", "place", "kind", "severity"], "assignee IS NOT NULL"),
    ("back", ["state", "place", "kind", "severity"], "is_back = 1"),
)
_NEW = (
    "snoozed",
    ["snoozed_until", "state", "assignee", "is_back", "kind", "severity", "place", "alert_id"],
    "snoozed_until IS NOT NULL",
)


def upgrade() -> None:
    """Create the table, count what there is, and make the indexes."""
    op.create_table(
        "standing_counts",
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("assignee", sa.String(length=256), nullable=False),
        sa.Column("is_back", sa.Boolean(), nullable=False),
        sa.Column("alerts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state", "assignee", "is_back", name=op.f("pk_standing_counts")),
    )
    op.execute(
        "INSERT INTO standing_counts (state, assignee, is_back, alerts)"
        " SELECT state, COALESCE(assignee, ''), is_back, COUNT(*) FROM alerts"
        " GROUP BY state, COALESCE(assignee, ''), is_back"
    )
    for name, _, _ in _WIDER:
        op.drop_index(f"ix_alerts_{name}", table_name="alerts")
    for name, columns, condition in (*_WIDER, _NEW):
        op.create_index(
            f"ix_alerts_{name}",
            "alerts",
            columns,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition.removesuffix(" = 1")),
        )
