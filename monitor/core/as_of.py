"""The moment as of which records are judged: a file's rows must not be dated after it."""

from typing import NamedTuple

from monitor.core.transaction import Rejection, Transaction, future


class AsOf(NamedTuple):
    """A moment, and how far an event time may be ahead of it (both in microseconds)."""

    moment: int
    clock_skew: int

    def judge(self, item: Transaction | Rejection) -> Transaction | Rejection:
        """Return the item, or its rejection as `future` if it is dated too far ahead."""
        if isinstance(item, Transaction):
            ahead = item.event_time - self.moment
            if ahead > self.clock_skew:
                return future(item, ahead, "the moment as of which the file is read")
        return item
