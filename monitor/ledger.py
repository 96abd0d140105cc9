"""What one partition holds: its accounts, their open days, and the watermark that closes them.

No clock, no I/O. The engine, which decides, is built upon it; recovery puts back what was kept.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from zlib import crc32

from xxhash import xxh3_64_intdigest

from monitor.core.account import SERIES, Account, AccountDay
from monitor.core.attributes import NO_ATTRIBUTES, AttributeBook
from monitor.core.threshold import LimitSet, scope_of
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

    __slots__ = ("account_days", "contents", "end", "limits", "noted", "policy", "start")

    def __init__(self, start: int, end: int, policy: Policy, limits: LimitSet) -> None:
        self.start = start
        self.end = end
        self.policy = policy
        self.limits = limits
        self.contents: dict[int, int] = {}
        self.account_days: list[AccountDay] = []
        self.noted: list[AccountDay] = []  # those that came near a limit: they have facts


class Bucket:
    """The accounts that are written together, and the offset that they include."""

    __slots__ = ("accounts", "offset_last")

    def __init__(self) -> None:
        self.offset_last = -1
        self.accounts: dict[str, Account] = {}


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
            start, end = self.calendar.start_of(day), self.calendar.end_of(day)
            open_day = self.open_days[day] = OpenDay(start, end, *self.policies.for_day(day))
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
        """Close the days that end, lateness included, at or before the watermark."""
        assert self.watermark is not None
        self.day_open_first = self.calendar.day_of(self.watermark - self.lateness)
        self.closes_next = self.calendar.end_of(self.day_open_first) + self.lateness
        for day in sorted(day for day in self.open_days if day < self.day_open_first):
            closed = self.open_days.pop(day)
            self._end(closed)

    def _end(self, closed: OpenDay) -> None:
        """Take the account-days of a day that was closed to those that are to be emitted."""
        version = closed.policy.version
        self.closing.extend(
            (account_day, version, NOT_ASKED) for account_day in closed.account_days
        )

    def _forget_if_empty(self, account: Account) -> None:
        if not account.days and account.review is None:
            del self.accounts[account.account_id]
            del self.buckets[account.bucket].accounts[account.account_id]
