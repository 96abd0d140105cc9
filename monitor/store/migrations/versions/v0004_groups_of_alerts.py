"""Groups of alerts, and indexes in the order of the queue."""

from itertools import groupby

import msgspec
import sqlalchemy as sa
from alembic import op

from monitor.store.groups import GroupMember, last_day_of, placed, write_places

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BEFORE = ("account", "assignee", "back", "day", "incident", "kind", "queue", "snoozed", "told")
_OF_GROUP = ("account_id", "business_day", "last_day", "state", "priority", "alert_id", "place")
_AFTER = {
    "queue": (["state", "place", "kind", "severity", "snoozed_until"], None),
    "account": (
        [
            "account_id",
            "business_day",
            "last_day",
            "state",
            "priority",
            "alert_id",
            "place",
            "snoozed_until",
        ],
        None,
    ),
    "day": (["business_day", "state", "place"], None),
    "change": (["change"], None),
    "incident": (["incident_id", "state", "place"], "incident_id IS NOT NULL"),
    "assignee": (["assignee", "state", "place"], "assignee IS NOT NULL"),
    "back": (["state", "place"], "is_back = 1"),
    "systemic": (["state", "place"], "kind = 'systemic'"),
    "systemic_day": (["business_day", "alert_id"], "kind = 'systemic'"),
}


def upgrade() -> None:
    """Add the columns, fill them, and make the indexes again."""
    for name in _BEFORE:
        op.drop_index(f"ix_alerts_{name}", table_name="alerts")
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    collation = "C" if is_postgresql else None
    op.add_column("alerts", sa.Column("last_day", sa.String(10), server_default="", nullable=False))
    op.add_column(
        "alerts", sa.Column("change", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column("alerts", sa.Column("group_id", sa.String(64), server_default="", nullable=False))
    place = sa.Column("place", sa.String(160, collation), server_default="", nullable=False)
    op.add_column("alerts", place)
    _fill(op.get_bind())
    if is_postgresql:
        op.alter_column("alerts", "last_day", server_default=None)
        op.alter_column("alerts", "change", server_default=None)
        op.alter_column("alerts", "group_id", server_default=None)
        op.alter_column("alerts", "place", server_default=None)
        op.alter_column("alerts", "account_id", type_=sa.String(256, collation))
    for name, (columns, condition) in _AFTER.items():
        where = None if condition is None else sa.text(condition)
        where_postgresql = None if condition is None else sa.text(condition.removesuffix(" = 1"))
        op.create_index(
            f"ix_alerts_{name}",
            "alerts",
            columns,
            sqlite_where=where,
            postgresql_where=where_postgresql,
        )


def _fill(connection: sa.Connection) -> None:
    """Write the number, last day, group and place of every alert, account by account."""
    rows = connection.execute(
        sa.text(
            "SELECT alert_id, account_id, business_day, record, state, priority FROM alerts"
            " ORDER BY account_id"
        )
    ).all()
    numbers = {
        alert_id: number
        for number, alert_id in enumerate(
            connection.scalars(sa.text("SELECT alert_id FROM alerts ORDER BY told_at, alert_id")), 1
        )
    }
    write = sa.text(
        "UPDATE alerts SET last_day = :day, change = :number WHERE alert_id = :alert_id"
    )
    for account_id, its in groupby(rows, lambda row: row.account_id):
        members = []
        for row in its:
            last_day = last_day_of(msgspec.json.decode(row.record))
            values = {"day": last_day, "number": numbers[row.alert_id], "alert_id": row.alert_id}
            connection.execute(write, values)
            members.append(
                GroupMember(
                    row.alert_id, account_id, row.business_day, last_day, row.state, row.priority
                )
            )
        for group in [[member] for member in members] if account_id is None else [members]:
            write_places(connection, {member.alert_id: place for member, place in placed(group)})
