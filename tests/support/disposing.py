"""Alerts to be disposed of, and what analysts said of them, made for tests."""

from collections.abc import Sequence
from pathlib import Path

from monitor.core.business_day import event_time_of
from monitor.core.transaction import Fields
from monitor.dispositions.disposition import Disposed, Disposition
from streams.feed.reader import Batch

BEGIN = event_time_of("2026-03-02T09:00:00Z") or 0


def disposed(alert_id: str, said: str, minutes: int = 0, by: str = "A", note: str | None = None
) -> Disposed:  # fmt: skip
    return Disposed(alert_id, Disposition(said), by, BEGIN + minutes * 60_000_000, note)


def batch_of(rows: Sequence[Fields]) -> Batch:
    return Batch(Path("m.csv"), rows, range(1, len(rows) + 1), [], 1.0)
