"""Alerts as flat rows, read one after another: nothing holds all of them."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import func, select

from monitor.core.business_day import event_time_text
from monitor.store.queries import AlertFilter
from monitor.store.schema import actions, alerts
from monitor.store.standing import Does, State
from monitor.store.store import Store

COLUMNS: Final = (
    "alert_id",
    "revision",
    "told_at",
    "kind",
    "account_id",
    "business_day",
    "segment",
    "threshold_id",
    "currency",
    "value",
    "limit",
    "times",
    "severity",
    "state",
    "assignee",
    "incident_id",
    "reading",
    "disposition",
    "by",
    "at",
)
"""The columns of an export. Times are texts in UTC, numbers are decimal text."""

NUMBERS: Final = ("value", "limit", "times")
"""Columns whose text is a decimal number."""

_ROWS_AT_A_TIME: Final = 1000

Flat = dict[str, Any]


def flat_alerts(store: Store, wanted: AlertFilter) -> Iterator[Flat]:
    """Yield the alerts that are wanted by alert_id, as they stand at one moment, as `COLUMNS`."""
    disposed_at = (
        select(func.max(actions.c.at))
        .where(actions.c.alert_id == alerts.c.alert_id)
        .where(actions.c.action.in_((Does.DISPOSE.value, Does.PROPOSE.value)))
        .scalar_subquery()
        .label("disposed_at")
    )
    chosen = select(alerts, disposed_at).where(*wanted.conditions()).order_by(alerts.c.alert_id)
    with store.reading() as connection:
        rows = connection.execute(
            chosen, execution_options={"stream_results": True, "yield_per": _ROWS_AT_A_TIME}
        )
        with rows:
            for row in rows:
                yield _flat(row._asdict(), wanted.now)


def _flat(row: Flat, now: int) -> Flat:
    record = json.loads(row["record"], parse_float=Decimal)
    evidence = record.get("evidence") or {}
    until = row["snoozed_until"]
    is_over = row["state"] == State.SNOOZED.value and until is not None and until <= now
    is_disposed = row["disposition"] is not None and row["disposed_at"] is not None
    return {
        **{name: row[name] for name in COLUMNS if name in row},
        "told_at": event_time_text(row["told_at"]),
        "value": _number(record.get("value")),
        "limit": _number(record.get("limit")),
        "times": _number(evidence.get("times_limit")),
        "state": State.OPEN.value if is_over else row["state"],
        "reading": evidence.get("reading") or record.get("verdict"),
        "by": row["disposed_by"],
        "at": event_time_text(row["disposed_at"]) if is_disposed else None,
    }


def _number(value: object) -> str | None:
    return None if value is None else str(value)
