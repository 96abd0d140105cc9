"""The outcome of a run of records, until the shell takes it."""

from collections import Counter

from monitor.core.account import ClosedDay
from monitor.core.alert import Alert
from monitor.core.transaction import Rejection
from monitor.core.waiting import Waiting
from monitor.ledger.ledger import Entry
from monitor.ledger.rows import WrittenRecords
from monitor.ordinary.entry_rows import EntryRows
from monitor.systemic.segment_day import SegmentDay


class Step:
    """What came of the records since the last Step was taken; the shell delivers it.

    `waiting` are reversals that began to wait for their originals; `settled` are the offsets of
    those that do so no more: each is a transaction by now, or is rejected. So every record is in
    one of `transactions`, `rejections`, `waiting`, `redelivered`, `heartbeats` and `left_out`,
    until it leaves `waiting`.
    Each transaction is in `entries` or, if a kernel took it in, in `entry_rows`.
    `closed_rows` are further account-days, which were rows: their records by the ids of their
    accounts. `in_python` counts the records on which no kernel has decided, by the
    reason; it is empty of an engine without kernels.
    """

    __slots__ = (
        "account_days", "ahead", "alerts", "closed_rows", "entries", "entry_rows", "heartbeats",
        "in_python", "left_out",
        "redelivered", "rejections",
        "segment_days", "settled", "transactions", "waiting",
    )  # fmt: skip

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.rejections: list[tuple[int, Rejection]] = []
        self.account_days: list[ClosedDay] = []
        self.closed_rows: list[WrittenRecords] = []
        self.segment_days: list[tuple[SegmentDay, ...]] = []  # all of one day together
        self.entries: list[Entry] = []
        self.entry_rows: list[EntryRows] = []
        self.transactions = 0
        self.redelivered = 0
        self.heartbeats = 0
        self.left_out = 0  # by the map of the topic
        self.ahead = 0  # transactions dated so far ahead that days do not follow
        self.waiting: list[Waiting] = []
        self.settled: list[int] = []
        self.in_python: Counter[str] = Counter()

    @property
    def account_days_closed(self) -> int:
        """How many account-days there are in all, those that were rows among them."""
        return len(self.account_days) + sum(map(len, self.closed_rows))
