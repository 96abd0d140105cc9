"""Counts of partitions by the hour, the offsets that they begin at, and late decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "counted_hours",
        *_keys("partition", "hour", "offset"),
        *_counts("next_offset", "term", "received", "decided", "rejected", "skipped"),
        sa.PrimaryKeyConstraint("partition", "hour", "offset", name=op.f("pk_counted_hours")),
    )
    op.create_index("ix_counted_hours_hour", "counted_hours", ["hour"])
    op.create_table(
        "counted_offsets",
        *_keys("partition", "offset"),
        *_counts("next_offset", "term", "records"),
        sa.PrimaryKeyConstraint("partition", "offset", name=op.f("pk_counted_offsets")),
    )
    op.create_table(
        "not_monitored",
        *_keys("partition", "offset"),
        *_counts(
            "next_offset",
            "term",
            "records",
            "accounts",
            "written_from",
            "written_to",
            "decided_from",
            "decided_to",
        ),
        sa.PrimaryKeyConstraint("partition", "offset", name=op.f("pk_not_monitored")),
    )
    op.create_index("ix_not_monitored_decided", "not_monitored", ["decided_to"])


def _keys(*names: str) -> list["sa.Column[int]"]:
    return [
        sa.Column(
            name,
            sa.Integer() if name == "partition" else sa.BigInteger(),
            autoincrement=False,
            nullable=False,
        )
        for name in names
    ]


def _counts(*names: str) -> list["sa.Column[int]"]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]
