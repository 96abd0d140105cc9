"""What one partition holds: its accounts, their open days, and the watermark that closes them.

No clock, no I/O. The engine, which decides, is built upon it; recovery puts back what was kept.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

from xxhash import xxh3_64_intdigest

from monitor.core.account import SERIES, Account, AccountDay
from monitor.core.attributes import NO_ATTRIBUTES, AttributeBook
from monitor.core.names import OTHERS, REJECTION_KINDS_MAX
from monitor.core.threshold import LimitSet, scope_of
from monitor.core.transaction import Rejection
from monitor.policy import Policy, PolicyBook

BUCKETS: Final = 256
"""Buckets of state a partition has by default."""

CLOSED_DAYS_MAX: Final = 2_000
"""Account-days that one run closes at most, so that no midnight holds up the alerts; a run of many
records closes two for each of them, so that closing keeps up whatever comes."""

NOT_ASKED: Final = math.nan
"""The score of a closed account-day that the models were not asked for yet."""

NOTHING: Final = -1
"""The content of a transaction that holds no amount: it reverses another, or was reversed."""

SERIES_BITS: Final = 12
"""Content is `amount_minor << SERIES_BITS | series`; one whole number a transaction."""

assert len(SERIES) < 1 << SERIES_BITS


class Entry(NamedTuple):
    """A transaction that was taken in, as state keeps it until its day closes.

    `id_hash` is 64 bits of the transaction_id, seeded by its account. Of two entries of one id the
    one whose content is `NOTHING` holds: a reversal writes such a one for what it took back.
    """

    offset: int
    bucket: int
    id_hash: int
    day: int
    content: int


class OpenDay:
    """A business day that still takes transactions: what it holds, by id hash, and whose it is."""

    __slots__ = ("account_days", "contents", "day", "end", "limits", "noted", "policy", "start")

    def __init__(self, day: int, start: int, end: int, policy: Policy, limits: LimitSet) -> None:
        self.day = day
        self.start = start
        self.end = end
        self.policy = policy
        self.limits = limits
        self.contents: dict[int, int] = {}
        self.account_days: list[AccountDay] = []
        self.noted: list[AccountDay] = []  # those that came near a limit: they have facts


class RejectionKey(NamedTuple):
    """What rejections are counted by: the day on which they came, and whose they were.

    The day is the watermark's, because that of a rejection may be anything; `branch` is empty where
    the record names none.
    """

    day: int
    segment: str | None
    reason: str
    branch: str


RejectionCounts = dict[RejectionKey, int]


def rejection_rows(counts: RejectionCounts) -> list[list[Any]]:
    """Return counts of rejections as they are kept."""
    return [[*key, count] for key, count in counts.items()]


def rejections_of(rows: Iterable[Sequence[Any]]) -> RejectionCounts:
    """Return the counts of rejections that were kept."""
    return {RejectionKey(*key): count for *key, count in rows}


class Bucket:
    """The accounts that are written together, and the offset that they include.

    `rejections` are those of its accounts' transactions, until the day is closed.
    """

    __slots__ = ("accounts", "offset_last", "rejections")

    def __init__(self) -> None:
        self.offset_last = -1
        self.accounts: dict[str, Account] = {}
        self.rejections: RejectionCounts = {}


class Ledger:
    """The accounts, open days and watermark of one partition.

    `offset_last` is the offset up to which everything is included. After a crash between two
    writes a bucket may include more, up to `offset_recovered_last`. What comes again of either is a
    redelivery: after a crash, and also when a rebalance seeks back to what was committed.
    """

    def __init__(self, partition: int, policies: PolicyBook, buckets: int = BUCKETS) -> None:
        self.partition = partition
        self.policies = policies
        self.calendar = policies.calendar.calendar()
        self.lateness = policies.calendar.allowed_lateness
        self.buckets = [Bucket() for _ in range(buckets)]
        self.attributes = AttributeBook()
        self.accounts: dict[str, Account] = {}
        self.open_days: dict[int, OpenDay] = {}
        self.watermark: int | None = None
        self.closes_next: int | None = None  # the watermark at which the first open day closes
        self.day_open_first: int | None = None
        self.offset_last = -1
        self.offset_recovered_last = -1
        self.dirty: set[Account] = set()
        self.dirty_buckets: set[int] = set()  # beside those of the accounts
        self.rejections: RejectionCounts = {}  # of records that are known to no bucket
        # What was counted as `OTHERS`, by table, since this object began:
        self.names_beyond: Counter[str] = Counter()
        # Account-days to be emitted: by which policy version, and how rare the models found them.
        self.closing: deque[tuple[AccountDay, int, float | None]] = deque()

    def open_transactions(self) -> int:
        """Return how many transactions the open days hold."""
        return sum(len(open_day.contents) for open_day in self.open_days.values())

    def bucket_of(self, account_id: str) -> int:
        """Return the bucket of state that an account belongs to."""
        return crc32(account_id.encode()) % len(self.buckets)

    # -- recovery: the state layer puts back what it kept -----------------------------------------

    def restore_watermark(self, watermark: int | None) -> None:
        """Set the watermark that the seal has, before accounts and entries are put back."""
        self.watermark = watermark
        if watermark is not None:
            self._close_days()

    def restore_bucket(
        self,
        number: int,
        accounts: Iterable[tuple[str, Callable[[Account], tuple[AccountDay, ...]]]],
    ) -> None:
        """Put back a bucket's accounts with their days; those already closed are closed (again).

        Each account comes as its id, and a function that gives the days it had.
        """
        bucket = self.buckets[number]
        for account_id, days_of in accounts:
            account = Account(account_id, number, xxh3_64_intdigest(account_id.encode()))
            self.accounts[account_id] = bucket.accounts[account_id] = account
            account.days = days_of(account)
            self.restored(account)
            for account_day in account.days:
                day = account_day.day
                open_day = self.open_days.get(day) or self._open_day(day)
                if open_day is None:
                    policy, _ = self.policies.for_day(day)
                    self.closing.append((account_day, policy.version, NOT_ASKED))
                    continue
                open_day.account_days.append(account_day)
                if account_day.facts is not None:
                    open_day.noted.append(account_day)
                account_day.watches = open_day.limits.watches_of(*scope_of(account_day))

    def restored(self, account: Account) -> None:
        """Take note of an account that was put back."""

    def restore_entries(self, entries: Iterable[Entry]) -> None:
        """Put back transactions that were taken in; those of closed days have no place any more."""
        for _, _, id_hash, day, content in entries:
            open_day = self._open_day(day)
            if open_day is not None and open_day.contents.get(id_hash) != NOTHING:
                open_day.contents[id_hash] = content

    def restore_rejections(self, into: RejectionCounts, counts: RejectionCounts) -> None:
        """Put back how many records were rejected on the days that are open."""
        first = self.day_open_first
        into.update((key, n) for key, n in counts.items() if first is None or key.day >= first)

    # -- accounts and days ------------------------------------------------------------------------

    def _account(self, account_id: str) -> Account:
        account = self.accounts.get(account_id)
        if account is None:
            encoded = account_id.encode()
            bucket = crc32(encoded) % len(self.buckets)
            account = Account(account_id, bucket, xxh3_64_intdigest(encoded))
            self.accounts[account_id] = self.buckets[bucket].accounts[account_id] = account
        return account

    def _open_day(self, day: int) -> OpenDay | None:
        """Return a day that still takes transactions; None where it is closed."""
        open_day = self.open_days.get(day)
        if open_day is None:
            assert self.day_open_first is not None, "a watermark comes before any day"
            if day < self.day_open_first:
                return None
            open_day = self.open_days[day] = self._new_day(day)
        return open_day

    def _account_day(self, account: Account, day: int, open_day: OpenDay) -> AccountDay:
        account_id = account.account_id
        of_account = self.attributes.known.get(account_id, NO_ATTRIBUTES)
        segment, _, product = of_account
        peer_group = self._peer_group_of(account_id)
        watches = open_day.limits.watches_of(account_id, segment, peer_group, product)
        account_day = AccountDay(account, day, watches, of_account)
        account_day.peer_group = peer_group
        account.days += (account_day,)
        open_day.account_days.append(account_day)
        return account_day

    def _peer_group_of(self, account_id: str) -> str | None:  # noqa: ARG002 - models would know
        """Return the peer group that an account is in now, where there are any."""
        return None

    def _close_days(self) -> None:
        """Close the days that end, lateness included, at or before the watermark.

        The last of them is closed even where nothing happened on it: so others know that it is.
        """
        assert self.watermark is not None
        before = self.day_open_first
        self.day_open_first = self.calendar.day_of(self.watermark - self.lateness)
        self.closes_next = self.calendar.end_of(self.day_open_first) + self.lateness
        ended = {day for day in self.open_days if day < self.day_open_first}
        if before is not None and before < self.day_open_first:
            ended.add(self.day_open_first - 1)
            ended.update(
                key.day
                for counts in self._all_rejections()
                for key in counts
                if key.day < self.day_open_first
            )
        for day in sorted(ended):
            self._end(self.open_days.pop(day) if day in self.open_days else self._new_day(day))

    def _end(self, closed: OpenDay) -> None:
        """Take the account-days of a day that was closed to those that are to be emitted."""
        version = closed.policy.version
        self.closing.extend(
            (account_day, version, NOT_ASKED) for account_day in closed.account_days
        )

    def _new_day(self, day: int) -> OpenDay:
        start, end = self.calendar.start_of(day), self.calendar.end_of(day)
        return OpenDay(day, start, end, *self.policies.for_day(day))

    def _all_rejections(self) -> Iterator[RejectionCounts]:
        yield self.rejections
        for bucket in self.buckets:
            if bucket.rejections:
                yield bucket.rejections

    def _take_rejections(self, day: int) -> Counter[tuple[str | None, str, str]]:
        """Return the rejections of a day by (segment, reason, branch), and forget them."""
        taken: Counter[tuple[str | None, str, str]] = Counter()
        for counts in self._all_rejections():
            for key in [key for key in counts if key.day == day]:
                taken[key.segment, key.reason, key.branch] += counts.pop(key)
        return taken

    def _count_rejection(self, counts: RejectionCounts, rejection: Rejection) -> None:
        """Count a rejection on the watermark's day; before the first transaction there is none."""
        if self.watermark is not None:
            day = self.calendar.day_of(self.watermark)
            key = RejectionKey(
                day, rejection.segment, rejection.reason.value, rejection.branch or ""
            )
            if key not in counts and len(counts) >= REJECTION_KINDS_MAX:
                key = RejectionKey(day, OTHERS, rejection.reason.value, OTHERS)
                self.names_beyond["rejections"] += 1
            counts[key] = counts.get(key, 0) + 1

    def names_held(self) -> dict[str, int]:
        """Return how many names each table holds that records fill; each has a bound."""
        return {
            "attributes": self.attributes.kinds(),
            "limits": max((of.limits.kinds() for of in self.open_days.values()), default=0),
            "rejections": sum(map(len, self._all_rejections())),
        }

    def _forget_if_empty(self, account: Account) -> None:
        if not account.days and account.review is None:
            del self.accounts[account.account_id]
            del self.buckets[account.bucket].accounts[account.account_id]
