"""The moment as of which records are judged: they must not be dated too far after it.

Of a file's rows it is one moment for all, of a stream's records the time of each one's writing.
"""

from collections.abc import Iterable
from typing import NamedTuple

from monitor.core.transaction import Heartbeat, Rejection, Transaction, future


class AsOf(NamedTuple):
    """A moment, and how far an event time may be ahead of it (both in microseconds)."""

    moment: int
    clock_skew: int

    def judge(self, item: Transaction | Rejection) -> Transaction | Rejection:
        """Return the item, or its rejection as `future` if it is dated too far ahead."""
        named = "the moment as of which the file is read"
        return _judged(item, self.moment, self.clock_skew, named)


def judged(
    items: Iterable[Transaction | Rejection], written_at: Iterable[int], clock_skew: int
) -> list[Transaction | Rejection]:
    """Return what records are, each as of the time when it was written (microseconds, as the skew).

    One that is dated too far ahead of that is its rejection as `future`.
    """
    return [
        _judged(item, moment, clock_skew, "the record's Kafka timestamp")
        for item, moment in zip(items, written_at, strict=True)
    ]


def _judged(
    item: Transaction | Rejection, moment: int, clock_skew: int, named: str
) -> Transaction | Rejection:
    if isinstance(item, Transaction | Heartbeat) and item.event_time - moment > clock_skew:
        return future(item, item.event_time - moment, named)
    return item
