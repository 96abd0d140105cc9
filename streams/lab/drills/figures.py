"""The figures of a drill: what the records cost, and what the clock did."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from streams.lab.recount import Discrepancies


class Lateness(NamedTuple):
    """Reports of alerts that records caused: how many, how many of them late, and the latest.

    A report that came again counts as it came first.
    """

    told: int
    late: int
    seconds_max: float


def lateness_of(
    told: Iterable[tuple[float, Mapping[str, Any]]],
    sent_at: Mapping[tuple[str, str], float],
    late_after: float,
) -> Lateness:
    """Return how late reports (time, alert) came; `late_after` is in seconds.

    `sent_at` has the time of each transaction by (account, transaction id). Reports without one,
    as of a policy's change or the end of a day, are left out.
    """
    first: dict[tuple[str, int], float] = {}
    for told_at, alert in told:
        sent = sent_at.get((alert.get("account_id", ""), alert.get("transaction_id") or ""))
        if sent is not None:
            first.setdefault((alert["alert_id"], alert["revision"]), told_at - sent)
    seconds = first.values()
    late = sum(second > late_after for second in seconds)
    return Lateness(len(first), late, round(max(seconds, default=0.0), 2))


PAUSE_SECONDS: Final = 1.0
"""A partition that decides nothing for longer stands still: records come more often."""


class Standstill:
    """The times between two looks at which a partition had decided something more.

    `seconds_max` is the longest, of any partition; `seconds_total` adds up, over all partitions,
    those of more than a second.
    """

    def __init__(self) -> None:
        self._decided_at: dict[int, float] = {}
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self.seconds_max = 0.0
        self.seconds_total = 0.0
        self.forget()

    def note(self, partition: int, now: float) -> None:
        """Note that a partition has decided something more; `now` is of time.monotonic."""
        before = self._decided_at.get(partition, now)
        seconds = max(now - before, 0.0)
        self.seconds_max = max(self.seconds_max, seconds)
        self.seconds_total += seconds if seconds > PAUSE_SECONDS else 0.0
        self._decided_at[partition] = max(now, before)

    def forget(self) -> None:
        """Begin again: nothing was sent meanwhile."""
        self._decided_at.clear()


class Figures(NamedTuple):
    """All that a drill found. Times are in seconds.

    `recovery_seconds` has the time from each failure to the first decision after it.
    `standstill` has the times in which partitions decided nothing.
    """

    found: Discrepancies
    lateness: Lateness
    recovery_seconds: Sequence[float]
    standstill: Standstill

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or wrong."""
        return not (self.found.lost or self.found.doubled or self.found.wrong)

    def fields(self) -> dict[str, float]:
        """Return them for a program."""
        recovery = self.recovery_seconds
        return {
            **self.found._asdict(),
            "late": self.lateness.late,
            "alert_seconds_max": self.lateness.seconds_max,
            "recovery_seconds": round(statistics.median(recovery), 2) if recovery else 0.0,
            "recovery_seconds_max": max(recovery, default=0.0),
            "standstill_seconds_max": round(self.standstill.seconds_max, 2),
            "standstill_seconds_total": round(self.standstill.seconds_total, 1),
        }
