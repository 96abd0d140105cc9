"""A worker's log of records out of their time: too many late ones, a watermark that waits.

Each is logged once when it begins, not with every record.
"""

import logging
from typing import Final

from monitor.core.business_day import event_time_text
from monitor.core.transaction import Reason
from monitor.engine.step import Step
from monitor.ledger.watermark import Watermark
from streams.feed.lateness import is_too_many, too_late_text

_log = logging.getLogger(__name__)

HOUR_SECONDS: Final = 3600.0
RECORDS_LEAST: Final = 1000
"""Of fewer records in an hour, a share says nothing before the hour is over."""

CAUSES: Final = (
    "Likely: rows sent newest first, files sent in the wrong order, or rows of two accounts dated"
    " ahead of all others (see WeirTooLateMany in docs/operations.md)."
)


class LatenessLog:
    """Counts the late records of an hour, and knows which partitions wait."""

    def __init__(self) -> None:
        self._began_at: float | None = None
        self._records = 0
        self._too_late = 0
        self._is_reported = False
        self._held_back: set[int] = set()

    def take(self, step: Step, now: float) -> None:
        """Take what came of a run; `now` is in seconds of a clock that only goes on."""
        if self._began_at is None or now - self._began_at >= HOUR_SECONDS:
            self._report(1)
            self._began_at = now
            self._records = self._too_late = 0
            self._is_reported = False
        self._records += step.transactions + len(step.rejections)
        self._too_late += sum(
            1 for _, rejection in step.rejections if rejection.reason is Reason.TOO_LATE
        )
        self._report(RECORDS_LEAST)

    def _report(self, records_least: int) -> None:
        if (
            not self._is_reported
            and self._records >= records_least
            and is_too_many(self._too_late, self._records)
        ):
            self._is_reported = True
            _log.error("%s", too_late_text(self._too_late, self._records, CAUSES))

    def note_held_back(self, partition: int, marks: Watermark) -> None:
        """Look whether the watermark of a partition waits for a second account."""
        if not marks.held_back:
            if partition in self._held_back:
                self._held_back.remove(partition)
                _log.info("partition %d: the watermark goes on: it waits no more", partition)
        elif partition not in self._held_back:
            self._held_back.add(partition)
            _log.warning(
                "partition %d: one account has records dated %s, all others end at %s: the"
                " watermark waits for a second account, and days stay open until then",
                partition, event_time_text(marks.first), event_time_text(marks.clock),
            )  # fmt: skip
