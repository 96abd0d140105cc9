"""Records of the completeness topic, as the archive has read them."""

from typing import Any

from monitor.core.business_day import event_time_of
from monitor.store.figures.completeness import completeness_of

TEN = "2026-01-05T10:00:00Z"


def counted_hour(*, offset: int = 0, received: int = 10, **others: int | str) -> dict[str, Any]:
    """Return the counts of an hour: `received` records from an offset on, one of them rejected."""
    fields = {
        "kind": "hour",
        "partition": 0,
        "term": 1,
        "hour": TEN,
        "offset": offset,
        "next_offset": offset + received,
        "received": received,
        "decided": received - 1,
        "rejected": 1,
        "skipped": 0,
        "counted_from": offset,
        "counted_to": offset + received,
        "records": received,
    }
    return completeness_of(fields | others)


def late_stretch(**others: int | str) -> dict[str, Any]:
    """Return a notice of records that were decided late."""
    fields = {
        "kind": "not-monitored",
        "partition": 3,
        "term": 1,
        "offset": 100,
        "next_offset": 1334,
        "records": 1234,
        "accounts": 56,
        "written_from": "2026-01-05T10:02:00Z",
        "written_to": "2026-01-05T10:07:00Z",
        "decided_from": "2026-01-05T10:08:40Z",
        "decided_to": "2026-01-05T10:09:00Z",
        "late_after_seconds": 60.0,
    }
    return completeness_of(fields | others)


def moment(text: str) -> int:
    """Return a time in microseconds."""
    found = event_time_of(text)
    assert found is not None
    return found
