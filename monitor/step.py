"""What comes of a run of records, until the shell takes it."""

from monitor.core.account import ClosedDay
from monitor.core.alert import Alert
from monitor.core.transaction import Rejection
from monitor.ledger import Entry
from monitor.systemic.segment_day import SegmentDay


class Step:
    """What came of the records since the last Step was taken; the shell delivers it."""

    __slots__ = (
        "account_days", "ahead", "alerts", "entries", "redelivered", "rejections", "segment_days",
        "transactions",
    )  # fmt: skip

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.rejections: list[tuple[int, Rejection]] = []
        self.account_days: list[ClosedDay] = []
        self.segment_days: list[tuple[SegmentDay, ...]] = []  # all of one day together
        self.entries: list[Entry] = []
        self.transactions = 0
        self.redelivered = 0
        self.ahead = 0  # transactions dated so far ahead that days do not follow
