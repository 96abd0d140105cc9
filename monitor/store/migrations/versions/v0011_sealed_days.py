"""Business days whose account-days are in files."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "sealed_days",
        sa.Column("business_day", sa.String(length=10), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("business_day", name=op.f("pk_sealed_days")),
    )
