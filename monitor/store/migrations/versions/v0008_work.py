"""Tasks with clients, and views of the queue that people saved."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "task_steps",
        sa.Column("step_id", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.String(length=256), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(length=256), nullable=True),
        sa.Column("alert_id", sa.String(length=256), nullable=True),
        sa.Column("assignee", sa.String(length=256), nullable=True),
        sa.Column("due", sa.String(length=10), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("step_id", name=op.f("pk_task_steps")),
    )
    with op.batch_alter_table("task_steps", schema=None) as batch_op:
        batch_op.create_index("ix_task_steps_task", ["task_id", "at"], unique=False)
        batch_op.create_index("ix_task_steps_due", ["step", "due", "task_id"], unique=False)
        batch_op.create_index("ix_task_steps_account", ["account_id"], unique=False)
        batch_op.create_index("ix_task_steps_alert", ["alert_id"], unique=False)
    op.create_table(
        "saved_views",
        sa.Column("owner", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name=op.f("pk_saved_views")),
    )
