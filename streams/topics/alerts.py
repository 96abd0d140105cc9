"""Reads the alerts topic."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

from monitor.dispositions.disposition import is_revision
from streams.kafka.admin import require_topic
from streams.kafka.cluster import cluster_of
from streams.kafka.reader import records_of_topic
from streams.settings import Settings
from streams.topics.alert_list import with_told_at
from streams.topics.catalog import Topics


async def read_alerts(settings: Settings, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
    """Yield every alert that the topic holds, with when it was told; and go on if told to.

    Raises BrokerError if no broker answers, or there is no such topic.
    """
    topic = Topics.of(settings).alerts
    partitions = require_topic(cluster_of(settings), topic)
    async for record in records_of_topic(cluster_of(settings), topic, partitions, follow=follow):
        yield with_told_at(json.loads(record.value), record.timestamp)


NEEDED: Final = {
    "alert_id": str,
    "revision": int,
    "kind": str,
    "status": str,
    "severity": str,
    "account_id": str | None,
    "business_day": str,
    "segment": str | None,
    "threshold_id": str | None,
    "evidence": dict,
}
"""Fields that every alert has, and what each is."""


class AlertFileError(ValueError):
    """A file whose lines are no alerts: the message says which line, and why."""


def alerts_of_file(path: Path, alert_id: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the alerts of a file; only those of an id where one is given.

    Raises AlertFileError if a line is no alert, and OSError.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or (alert_id is not None and alert_id.encode() not in line):
                continue
            try:
                alert = json.loads(line)
            except ValueError as error:
                raise AlertFileError(f"{path}: line {number} is no JSON: {error}") from None
            if not is_alert(alert):
                needed = ", ".join(NEEDED)
                raise AlertFileError(f"{path}: line {number} is no alert: one has {needed}")
            yield alert


def is_alert(fields: object) -> bool:
    """Return whether fields are those of an alert, by the fields that every alert has."""
    return (
        isinstance(fields, dict)
        and all(
            name in fields and isinstance(fields[name], type_) for name, type_ in NEEDED.items()
        )
        and is_revision(fields["revision"])
        and _is_day(fields["business_day"])
    )


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def dispositions_beside(alerts: Path) -> Path:
    """Return the file that has the dispositions of a file of alerts, unless another is named."""
    return alerts.with_name(f"{alerts.stem}.dispositions.jsonl")
