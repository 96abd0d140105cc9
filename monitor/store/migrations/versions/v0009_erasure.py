"""Erased accounts, the redactions of the audit, and the secret of both."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "erasure_secrets",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_erasure_secrets")),
    )
    op.create_table(
        "erased_accounts",
        sa.Column("account_hash", sa.String(length=64), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("passed_over", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_hash", name=op.f("pk_erased_accounts")),
    )
    op.create_table(
        "erased_alerts",
        sa.Column("alert_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("alert_hash", name=op.f("pk_erased_alerts")),
    )
    op.create_table(
        "audit_redactions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("erasure", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", "erasure", name=op.f("pk_audit_redactions")),
    )
