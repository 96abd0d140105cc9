"""An index of alerts that wait for a second person, by who proposed their closing."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_alerts_waiting",
        "alerts",
        ["state", "disposed_by"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
