"""The accounts of one partition, their open days, and the watermark that closes them.

It decides nothing, and knows nobody who does: days that end are handed over by `take_ended`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from zlib import crc32

from monitor.core.account import SERIES, Account, AccountDay
from monitor.core.attributes import NO_ATTRIBUTES, AttributeBook
from monitor.core.names import OTHERS, REJECTION_KINDS_MAX
from monitor.core.threshold import LimitSet, scope_of
from monitor.core.transaction import Rejection
from monitor.core.waiting import Waiting, kept_id
from monitor.ledger.rejections import RejectionCounts, RejectionKey
from monitor.ledger.rows import Contents, DayRows
from monitor.ledger.watermark import NEVER, Lone, Marks, Watermark
from monitor.policy.policy import Policy, PolicyBook

BUCKETS: Final = 256
"""Buckets of state that a partition begins with by default."""

BUCKETS_MAX: Final = 65_536
"""That a partition can have."""

WAITING: Final = -1
"""The content of a reversal that waits for its original."""

SERIES_BITS: Final = 12
"""Content is `left << SERIES_BITS | series`; one whole number a transaction. `left` is its amount
in minor units, less what reversals have taken back of it."""

NO_AMOUNT: Final = 1 << (SERIES_BITS - 1)
"""Set in the content of a transaction of 0.00: what is left of it is the transaction itself, 1."""

OF_NO_AMOUNT: Final = 1 << SERIES_BITS | NO_AMOUNT
"""The content of such a transaction of which nothing is taken back, less its series."""

SERIES_MASK: Final = NO_AMOUNT - 1

assert len(SERIES) <= SERIES_MASK


class Link(NamedTuple):
    """What a reversal takes back: the transaction's key, and the day that holds it."""

    key: str
    day: int


class Entry(NamedTuple):
    """A transaction that was taken in, as state keeps it until its day closes.

    `offset` is that of the record by which it was: a reversal that waited was taken in by the
    record of its original. `kept_id` and `content` are as at that moment; what reversals have taken
    back since follows from their own entries, by `reverses`: the kept id and the day of another.
    `day` is the business day that holds it: of a reversal, at least that of what it takes back.
    """

    offset: int
    account_id: str
    kept_id: str
    day: int
    content: int
    reverses: tuple[str, int] | None = None


class KeptRows(NamedTuple):
    """Accounts of a bucket that are no objects: how many, and their bytes, one after the other."""

    accounts: int
    data: bytes | memoryview


NO_ROWS: Final = KeptRows(0, b"")


class OpenDay:
    """A business day that still takes transactions: what it holds, by key, and whose it is.

    A key is the tag of the account and the kept id (core/waiting.py). `links` are those of the
    reversals among `contents`, `holders` the accounts that have any, or have some that wait.
    """

    __slots__ = (
        "account_days", "contents", "day", "end", "holders", "limits", "links", "noted", "policy",
        "rows", "start",
    )  # fmt: skip

    def __init__(self, day: int, start: int, end: int, policy: Policy, limits: LimitSet) -> None:
        self.day = day
        self.start = start
        self.end = end
        self.policy = policy
        self.limits = limits
        self.contents: Contents = {}
        self.links: dict[str, Link] = {}
        self.holders: dict[Account, None] = {}
        self.account_days: dict[AccountDay, None] = {}  # in the order in which they began
        self.rows: DayRows | None = None  # of a closed day: those that are no objects
        self.noted: dict[AccountDay, None] = {}  # those that came near a limit: they have facts


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
        self.marks = Watermark(policies.calendar.leap, policies.calendar.lead)
        self.closes_next = NEVER + 1  # the watermark at which the first open day closes
        self.lone_closes_next = NEVER + 1  # the same for the clock of an account that is alone
        self.lone: Lone | None = None  # until nothing that it closed alone is open to others
        self.day_open_first: int | None = None
        self.offset_last = -1
        self.offset_recovered_last = -1
        self.closing_offset = -1  # of the record whose event time closed days
        self.reversals_waiting = 0
        self._tags = 0
        self.dirty: set[Account] = set()
        self.dirty_buckets: set[int] = set()  # beside those of the accounts
        self.rejections: RejectionCounts = {}  # of records that are known to no bucket
        # What was counted as `OTHERS`, by table, since this object began:
        self.names_beyond: Counter[str] = Counter()
        self._ended: list[OpenDay] = []  # since they were taken last

    def open_transactions(self) -> int:
        """Return how many transactions the open days hold."""
        return sum(len(open_day.contents) for open_day in self.open_days.values())

    def bucket_of(self, account_id: str) -> int:
        """Return the bucket of state that an account belongs to."""
        return crc32(account_id.encode()) % len(self.buckets)

    # -- recovery: the state layer puts back what it kept -----------------------------------------

    @property
    def watermark(self) -> int | None:
        """The event time by which days close; None until records of two accounts have come."""
        return None if self.marks.is_alone else self.marks.time

    @property
    def clock(self) -> int | None:
        """The event time that days go by; None before the first transaction."""
        return None if self.marks.first == NEVER else self.marks.clock

    def begin_with(self, buckets: int) -> None:
        """Let the ledger, which is empty, have so many buckets: as many as its state has."""
        self.buckets = [Bucket() for _ in range(buckets)]

    def deal(self, buckets: int) -> None:
        """Deal the accounts into more buckets, which all must be written then.

        They are a multiple of those before, so each is of one of these, and has its offset.
        """
        before, self.buckets = self.buckets, [Bucket() for _ in range(buckets)]
        assert not buckets % len(before), "each is of one bucket before"
        for number, bucket in enumerate(self.buckets):
            bucket.offset_last = before[number % len(before)].offset_last
        for number, bucket in enumerate(before):
            self.buckets[number].rejections = bucket.rejections
            if bucket.rejections:
                self.dirty_buckets.add(number)
        for account in self.accounts.values():
            account.bucket = self.bucket_of(account.account_id)
            self.buckets[account.bucket].accounts[account.account_id] = account
            self.dirty_buckets.add(account.bucket)

    def restore_watermark(self, marks: Marks, lone: Lone | None = None) -> None:
        """Set the watermark that the seal has, before accounts and entries are put back."""
        self.marks.restore(marks)
        self.lone = lone
        if not self.marks.is_alone:
            self._set_first_open()
        elif lone is not None:
            self.day_open_first = lone.day_open_first
            self.lone_closes_next = self._lone_closes_next()

    def restore_bucket(
        self,
        number: int,
        accounts: Iterable[tuple[str, Callable[[Account], tuple[AccountDay, ...]]]],
    ) -> tuple[list[Account], list[AccountDay]]:
        """Put back a bucket's accounts with their days.

        Each account comes as its id, and a function that gives the days it had. Returns the
        accounts, and those of their days that are closed: they are to be closed again.
        """
        bucket = self.buckets[number]
        restored, closed = [], []
        for account_id, days_of in accounts:
            account = Account(account_id, number, self._tag_for(account_id))
            self.accounts[account_id] = bucket.accounts[account_id] = account
            restored.append(account)
            account.days = days_of(account)
            for waiting in account.waiting:
                self.mark_waiting(account, waiting)
            for account_day in account.days:
                day = account_day.day
                open_day = self.open_days.get(day) or self.open_day(day)
                if open_day is None or self.is_closed_to(account.account_id, day):
                    closed.append(account_day)
                    continue
                open_day.account_days[account_day] = None
                if account_day.facts is not None:
                    open_day.noted[account_day] = None
                account_day.watches = open_day.limits.watches_of(*scope_of(account_day))
        return restored, closed

    def restore_entries(self, entries: Iterable[Entry]) -> None:
        """Put back transactions that were taken in; those of closed days have no place any more."""
        for _, account_id, name, day, content, reverses in entries:
            if self.is_closed_to(account_id, day):
                continue  # it was alone then
            open_day = self.open_day(day)
            if open_day is None:
                continue
            account = self.account(account_id)
            key = account.tag + name
            open_day.contents[key] = content
            if reverses is not None:
                open_day.links[key] = Link(account.tag + reverses[0], reverses[1])
                self.hold(account, open_day)

    def entries_restored(self) -> None:
        """Take out of transactions what reversals have taken back, once all entries are there."""
        take_back(self.open_days)

    def restore_rejections(self, into: RejectionCounts, counts: RejectionCounts) -> None:
        """Put back how many records were rejected on the days that are open."""
        first = self.day_open_first
        into.update((key, n) for key, n in counts.items() if first is None or key.day >= first)

    # -- accounts and days ------------------------------------------------------------------------

    def account(self, account_id: str) -> Account:
        """Return an account by its id; it begins if there is none."""
        account = self.accounts.get(account_id)
        if account is None:
            encoded = account_id.encode()
            bucket = crc32(encoded) % len(self.buckets)
            account = Account(account_id, bucket, self._tag_for(account_id))
            self.accounts[account_id] = self.buckets[bucket].accounts[account_id] = account
        return account

    def _tag_for(self, account_id: str) -> str:  # noqa: ARG002 - whoever has tables asks for it
        """Return the tag of an account that begins: see `Account`."""
        self._tags += 1
        return tag_of(self._tags)

    def find(self, account_id: str) -> Account | None:
        """Return an account of which something is held; None if nothing is."""
        return self.accounts.get(account_id)

    def is_held(self, account_id: str) -> bool:
        """Return whether anything is held of an account."""
        return account_id in self.accounts

    def take_dirty(self) -> set[int]:
        """Return the buckets that must be written, and forget that they must."""
        dirty = self.dirty_buckets | {account.bucket for account in self.dirty}
        self.dirty.clear()
        self.dirty_buckets.clear()
        return dirty

    @property
    def is_dirty(self) -> bool:
        """Whether a bucket must be written."""
        return bool(self.dirty)

    def rows_of(self, buckets: Sequence[int]) -> list[KeptRows]:
        """Return the accounts of each of some buckets that are no objects, as they are kept."""
        return [NO_ROWS] * len(buckets)

    def count_accounts(self) -> int:
        """Return of how many accounts anything is held."""
        return len(self.accounts)

    def wake(self, account: Account) -> None:
        """See that an account which somebody remembers is there, with its days."""

    def awake(self, account_id: str) -> Account:
        """Return an account of which something is held, with its days."""
        return self.accounts[account_id]

    def noted_of(self, open_day: OpenDay) -> list[AccountDay]:
        """Return the account-days of an open day that came near a limit."""
        return [account_day for account_day in open_day.noted if account_day.facts is not None]

    def near_accounts(self, closed: OpenDay) -> list[str]:
        """Return the accounts that came near a limit on a day that has closed.

        One without facts is done with: so it is if a crash lets a day close twice.
        """
        return [
            account_day.account.account_id
            for account_day in closed.noted
            if account_day.facts is not None
        ]

    def hold(self, account: Account, open_day: OpenDay) -> None:
        """Keep an account, though it may have no account-day, for as long as a day is open."""
        open_day.holders[account] = None
        account.held_until = max(account.held_until, open_day.day)

    def mark_waiting(self, account: Account, waiting: Waiting) -> None:
        """Let the day of a reversal that waits know of it: its id is taken."""
        open_day = self.open_day(waiting.day)
        assert open_day is not None, "what waits is rejected when its day closes"
        open_day.contents[account.tag + kept_id(waiting.transaction_id)] = WAITING
        self.hold(account, open_day)
        self.reversals_waiting += 1

    def open_day(self, day: int) -> OpenDay | None:
        """Return a day that still takes transactions; None if it is closed."""
        open_day = self.open_days.get(day)
        if open_day is None:
            if self.day_open_first is not None and day < self.day_open_first:
                return None
            open_day = self.open_days[day] = self._new_day(day)
        return open_day

    def account_day(
        self, account: Account, open_day: OpenDay, peer_group: str | None
    ) -> AccountDay:
        """Begin the account-day of an account that has none on an open day yet."""
        account_id = account.account_id
        of_account = self.attributes.known.get(account_id, NO_ATTRIBUTES)
        segment, _, product = of_account
        watches = open_day.limits.watches_of(account_id, segment, peer_group, product)
        account_day = AccountDay(account, open_day.day, watches, of_account)
        account_day.peer_group = peer_group
        account.days += (account_day,)
        open_day.account_days[account_day] = None
        return account_day

    def day_holding(self, key: str) -> OpenDay | None:
        """Return the open day that holds a transaction; None if none does."""
        for open_day in self.open_days.values():
            if key in open_day.contents:
                return open_day
        return None

    @property
    def has_ended(self) -> bool:
        """Whether days have ended since they were taken last."""
        return bool(self._ended)

    def take_ended(self) -> list[OpenDay]:
        """Return the days that have ended since the last call, the earliest first."""
        ended, self._ended = self._ended, []
        return ended

    def _close_days(self) -> None:
        """Close the days that end, lateness included, at or before the watermark.

        The last of them is closed even where nothing happened on it: so others know that it is.
        """
        before = self.day_open_first
        if before is None and self.marks.earliest != NEVER:
            before = self.calendar.day_of(self.marks.earliest - self.lateness)
        first = self._set_first_open()
        ended = {day for day in self.open_days if day < first}
        if before is not None and before < first:
            ended.add(first - 1)
            ended.update(
                key.day for counts in self._all_rejections() for key in counts if key.day < first
            )
        for day in sorted(ended):
            held = self.open_days.pop(day) if day in self.open_days else self._new_day(day)
            self._end(held)

    def _end(self, closed: OpenDay) -> None:
        """Take a day that has closed to those that have ended."""
        self._ended.append(closed)

    def _set_first_open(self) -> int:
        """Set the first day that is open by the clock, and when it closes; return it."""
        first = self.day_open_first = self.calendar.day_of(self.marks.clock - self.lateness)
        closes_next = self.calendar.end_of(first) + self.lateness
        if self.marks.is_alone:
            assert self.lone is not None, "a record came before days close"
            self.lone = Lone(self.lone.account_id, first)
            self.lone_closes_next = closes_next
        else:
            self.closes_next = closes_next
            self._keep_lone()
        return first

    def _keep_lone(self) -> None:
        """Forget the account that was alone once what it closed is closed to everybody."""
        lone, first = self.lone, self.day_open_first or 0
        if lone is not None and (lone.day_open_first or 0) <= first:
            self.lone = None

    def go_on(self, offset: int) -> None:
        """Close days by the watermark; the first time, a second account's record has come."""
        lone = self.lone
        if lone is not None and lone.offset is None:
            self.lone = lone._replace(offset=offset)
        self.closing_offset = offset
        self._close_days()

    def lead(self, offset: int, account_id: str, event_time: int) -> bool:
        """Take an event time of an account that is alone, or far ahead; return whether it is ahead.

        That is: by more than the lead of all other accounts or, alone, by more than the leap of its
        own records before. The watermark follows the second account then.
        """
        marks = self.marks
        if not marks.is_alone:
            if marks.second > marks.time:
                marks.time = marks.second
                if marks.time >= self.closes_next:
                    self.go_on(offset)
            return account_id == marks.leader and event_time > marks.second + marks.lead
        if offset <= self.offset_last:
            return False  # a redelivery: what it led up to is known
        if self.lone is None:
            self.lone = Lone(account_id, None)
        goes_on = marks.lead_alone(event_time)
        if self.day_open_first is None:  # nothing is late before something has closed
            self.lone_closes_next = self._lone_closes_next()
        if goes_on and marks.lone >= self.lone_closes_next:
            self.closing_offset = offset
            self._close_days()
        return event_time > marks.lone

    def beat(self, offset: int, event_time: int) -> bool:
        """Take the time of a heartbeat; return whether days have ended.

        The watermark goes on as if records of two accounts had come at that time.
        """
        marks = self.marks
        if event_time <= marks.second:
            return False
        marks.second = event_time
        marks.first = max(marks.first, event_time)
        marks.time = max(
            marks.time, marks.first if marks.first - event_time <= marks.lead else event_time
        )
        if marks.time >= self.closes_next:
            self.go_on(offset)
        return self.has_ended

    def _lone_closes_next(self) -> int:
        first = self.day_open_first
        if first is None:
            first = self.calendar.day_of(self.marks.earliest)
        return self.calendar.end_of(first) + self.lateness

    def is_closed_to(self, account_id: str, day: int) -> bool:
        """Return whether an account closed an open day by its own records, when it was alone."""
        lone = self.lone
        return (
            lone is not None
            and lone.account_id == account_id
            and lone.day_open_first is not None
            and day < lone.day_open_first
        )

    def first_open_to(self, account_id: str) -> int | None:
        """Return the first day that takes transactions of an account."""
        lone = self.lone
        if lone is not None and lone.account_id == account_id and lone.day_open_first is not None:
            return max(lone.day_open_first, self.day_open_first or 0)
        return self.day_open_first

    def is_summed_up(self, day: int) -> bool:
        """Return whether a day was closed before, by an account that was alone then."""
        lone = self.lone
        return (
            lone is not None and lone.offset is not None and self.is_closed_to(lone.account_id, day)
        )

    def _new_day(self, day: int) -> OpenDay:
        start, end = self.calendar.start_of(day), self.calendar.end_of(day)
        return OpenDay(day, start, end, *self.policies.for_day(day))

    def _all_rejections(self) -> Iterator[RejectionCounts]:
        yield self.rejections
        for bucket in self.buckets:
            if bucket.rejections:
                yield bucket.rejections

    def take_rejections(self, day: int) -> Counter[tuple[str | None, str, str]]:
        """Return the rejections of a day by (segment, reason, branch), and forget them."""
        taken: Counter[tuple[str | None, str, str]] = Counter()
        for counts in self._all_rejections():
            for key in [key for key in counts if key.day == day]:
                taken[key.segment, key.reason, key.branch] += counts.pop(key)
        return taken

    def count_rejection(self, counts: RejectionCounts, rejection: Rejection) -> None:
        """Count a rejection on the clock's day; before the first transaction there is none."""
        if self.clock is not None:
            day = self.calendar.day_of(self.clock)
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
            "limits": max(
                (open_day.limits.kinds() for open_day in self.open_days.values()), default=0
            ),
            "rejections": sum(map(len, self._all_rejections())),
        }

    def forget_if_empty(self, account: Account) -> None:
        """Forget an account of which nothing is held."""
        if (
            not account.days
            and account.review is None
            and account.gauged is None
            and not account.waiting
            and account.held_until < (self.day_open_first or 0)
        ):
            del self.accounts[account.account_id]
            del self.buckets[account.bucket].accounts[account.account_id]


_TAG_DIGITS: Final = "".join(map(chr, range(ord("!"), ord("~") + 1)))


def tag_of(number: int) -> str:
    """Return the tag of a number from 1 on. No tag begins another one: a blank ends each.

    So the keys of two accounts can never meet, whatever ids they have.
    """
    digits = ""
    while number:
        number, digit = divmod(number, len(_TAG_DIGITS))
        digits += _TAG_DIGITS[digit]
    return digits + " "


def take_back(open_days: Mapping[int, OpenDay]) -> None:
    """Take out of each transaction what is left of its reversals.

    What is left of a transaction is its amount less what is left of each of its reversals, so that
    the order in which they came is nothing to it: each is done once all of its own reversals are.
    """
    links = {
        (key, day): link
        for day, open_day in open_days.items()
        for key, link in open_day.links.items()
    }
    unsettled = Counter((link.key, link.day) for link in links.values())
    ready = [node for node in links if not unsettled[node]]
    for key, day in ready:
        link = links[key, day]
        target = open_days.get(link.day)
        if target is None or link.key not in target.contents:
            continue  # its day is closed, or was by its account alone: nothing of it can change
        target.contents[link.key] -= open_days[day].contents[key] >> SERIES_BITS << SERIES_BITS
        unsettled[link.key, link.day] -= 1
        if not unsettled[link.key, link.day] and (link.key, link.day) in links:
            ready.append((link.key, link.day))
