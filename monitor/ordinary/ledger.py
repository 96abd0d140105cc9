"""The ledger of a partition whose ordinary accounts stand in arrays.

An account is an `Account` from when somebody asks for it until nothing of it is remarkable.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from monitor.core.account import Account, AccountDay
from monitor.core.review_fields import review_fields
from monitor.core.threshold import LimitSet
from monitor.core.transaction import Rejection, Transaction
from monitor.core.waiting import kept_id
from monitor.ledger.ledger import KeptRows, Ledger, OpenDay
from monitor.ordinary import room
from monitor.ordinary.accounts import BETWEEN_IDS, OrdinaryAccounts
from monitor.ordinary.ids import IdContents
from monitor.ordinary.kept import kept_rows
from monitor.policy.policy import PolicyBook

_encode: Final = msgspec.msgpack.Encoder().encode


class _RestingAccounts:
    """Accounts of which a review is kept beside their rows; they have no days meanwhile."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._of_buckets: defaultdict[int, dict[str, bytes | None]] = defaultdict(dict)

    def get(self, account_id: str) -> Account | None:
        return self._accounts.get(account_id)

    def put(self, account: Account) -> None:
        account.kept = b""  # its rows go on: what was written of it is not what it will be
        self._accounts[account.account_id] = account
        self._of_buckets[account.bucket][account.account_id] = None

    def take(self, account_id: str) -> Account | None:
        """Let an account rest no more, and return it; None if it did not."""
        account = self._accounts.pop(account_id, None)
        if account is not None:
            del self._of_buckets[account.bucket][account_id]
        return account

    def deal(self, bucket_of: Callable[[str], int]) -> None:
        """Note in which buckets the accounts are from here on."""
        texts = {
            account_id: text
            for of_bucket in self._of_buckets.values()
            for account_id, text in of_bucket.items()
        }
        self._of_buckets.clear()
        for account_id, account in self._accounts.items():
            account.bucket = bucket_of(account_id)
            self._of_buckets[account.bucket][account_id] = texts[account_id]

    def kept(self, buckets: Iterable[int]) -> Iterator[tuple[str, bytes]]:
        """Yield the accounts in some buckets with their reviews as state keeps them."""
        for bucket in buckets:
            of_bucket = self._of_buckets[bucket]
            for account_id, text in of_bucket.items():
                made = _kept_review(self._accounts[account_id]) if text is None else text
                of_bucket[account_id] = made
                yield account_id, made


def _kept_review(account: Account) -> bytes:
    assert account.review is not None
    try:
        return _encode(review_fields(account.review, int))
    except OverflowError:  # a sum beyond 64 bits: as text then, as `streams/state/accounts.py`
        return _encode(review_fields(account.review, str))


class OrdinaryLedger(Ledger):
    """A ledger, with the accounts that stand in `ordinary` beside those in `accounts`.

    There are none before `begin_rows`: until then it is a ledger as any other.
    """

    def __init__(self, partition: int, policies: PolicyBook, buckets: int) -> None:
        super().__init__(partition, policies, buckets)
        self.ordinary: OrdinaryAccounts | None = None
        self.woken: list[str] = []  # accounts that may be rows again before long
        self._resting = _RestingAccounts()
        # The first account of those that limits name alike, by what they name of it.
        self._stands_for: dict[tuple[tuple[str | None, ...], ...], str] = {}

    def begin_rows(self) -> OrdinaryAccounts:
        """Let accounts stand in rows from here on, as they become ordinary; return their arrays."""
        if self.ordinary is None:
            self.ordinary = OrdinaryAccounts(len(self.buckets))
            self.know_days()
            for account in self.accounts.values():
                self.ordinary.make_object(account, self.open_days)
            for day, open_day in self.open_days.items():
                held = open_day.contents
                assert isinstance(held, dict), "no table had it before"
                open_day.contents = contents = IdContents(self.ordinary.ids, day)
                for key, content in held.items():
                    contents[key] = content
        return self.ordinary

    def deal(self, buckets: int) -> None:
        """Deal the accounts into more buckets, those that stand in rows, too."""
        super().deal(buckets)
        self._resting.deal(self.bucket_of)
        if self.ordinary is not None:
            self.ordinary.arrays = room.dealt(self.ordinary.arrays, buckets)

    def restore_bucket(
        self,
        number: int,
        accounts: Iterable[tuple[str, Callable[[Account], tuple[AccountDay, ...]]]],
    ) -> tuple[list[Account], list[AccountDay]]:
        """Put back a bucket's accounts with their days; kernels know then that they are objects."""
        restored, closed = super().restore_bucket(number, accounts)
        if self.ordinary is not None:
            for account in restored:
                self.ordinary.make_object(account, self.open_days)
        return restored, closed

    def account(self, account_id: str) -> Account:
        """Return an account by its id, out of its rows if it has any; a new one if it is new."""
        account = self.accounts.get(account_id)
        if account is None:
            account = self._resting.take(account_id)
            if account is None:
                account = super().account(account_id)
            else:
                self.accounts[account_id] = account
                self.buckets[account.bucket].accounts[account_id] = account
            if self.ordinary is not None:
                self.ordinary.make_object(account, self.open_days)
        return account

    def wake(self, account: Account) -> None:
        """See that an account which somebody remembers is there, with its days."""
        if self._resting.get(account.account_id) is account:
            self.awake(account.account_id)

    def awake(self, account_id: str) -> Account:
        """Return an account of which something is held, with its days."""
        account = self.accounts.get(account_id)
        if account is None:
            account = self.account(account_id)
            self.woken.append(account_id)
        return account

    def noted_of(self, open_day: OpenDay) -> list[AccountDay]:
        """Return the account-days of an open day that came near a limit.

        Of those in rows, the ones of which something was told, or whose account has a review,
        become objects; nobody asks for the others.
        """
        if self.ordinary is not None:
            for account_id in self.ordinary.near_accounts(open_day.day):
                self.awake(account_id)
        return super().noted_of(open_day)

    def near_accounts(self, closed: OpenDay) -> list[str]:
        """Return the accounts that came near a limit on a day that has closed."""
        near = super().near_accounts(closed)
        return near if closed.rows is None else near + closed.rows.near_accounts()

    def find(self, account_id: str) -> Account | None:
        """Return an account of which something is held; None if nothing is."""
        return self.account(account_id) if self.is_held(account_id) else None

    def is_held(self, account_id: str) -> bool:
        """Return whether anything is held of an account."""
        return account_id in self.accounts or (
            self.ordinary is not None and self.ordinary.has_rows(account_id)
        )

    def count_accounts(self) -> int:
        """Return of how many accounts anything is held."""
        of_rows = 0 if self.ordinary is None else self.ordinary.count()
        return len(self.accounts) + of_rows

    def make_objects(self) -> None:
        """Make objects of all accounts, for what concerns them all."""
        if self.ordinary is not None:
            for account_id in list(self.ordinary.account_ids()):
                self.account(account_id)

    def make_rows(self, account: Account) -> None:
        """Make rows of an account, if nothing of it is remarkable."""
        if (
            self.ordinary is not None
            and not account.waiting
            and account.gauged is None
            and self.accounts.get(account.account_id) is account
            and self.ordinary.put_rows(account, self.open_days, self.own_id(account.account_id))
        ):
            del self.accounts[account.account_id]
            del self.buckets[account.bucket].accounts[account.account_id]
            self.dirty.discard(account)
            account.days = ()  # rows now; it and they would be a cycle, which nobody frees for long
            if account.review is not None:
                self._resting.put(account)

    def own_id(self, account_id: str) -> str | None:
        """Return the account whose limits an account has, if it or a list of it has any; else None.

        Accounts of the same lists have the same limits, and the first of them stands for all.
        """
        named = tuple(limits.named_by(account_id) for limits in self._limit_sets())
        if all(its == (None,) for its in named):
            return None
        return self._stands_for.setdefault(named, account_id)

    def _limit_sets(self) -> Iterator[LimitSet]:
        """Yield the limits of all versions: days of the account may begin by any of them."""
        yield from self.policies.limit_sets
        yield from (open_day.limits for open_day in self.open_days.values())

    @property
    def asks_own(self) -> bool:
        """Whether an account that begins may have limits that others of its segment have not."""
        return bool(self.attributes.known) or any(
            limits.has_owners for limits in self._limit_sets()
        )

    def forget_if_empty(self, account: Account) -> None:
        """Forget an account of which nothing is held."""
        super().forget_if_empty(account)
        if self.ordinary is not None and self.accounts.get(account.account_id) is not account:
            self.ordinary.forget_object(account)

    def look_up(self, items: Iterable[Transaction | Rejection]) -> None:
        """Look up in one go the ids of transactions on which Python is to decide."""
        transactions = (item for item in items if isinstance(item, Transaction))
        self.begin_rows().ids.look_up(
            item.account_id + BETWEEN_IDS + kept_id(item.transaction_id) for item in transactions
        )

    def day_holding(self, key: str) -> OpenDay | None:
        """Return the open day that holds a transaction; None if none does."""
        day = None if self.ordinary is None else self.ordinary.ids.day_of(key)
        return super().day_holding(key) if day is None else self.open_days.get(day)

    def hold(self, account: Account, open_day: OpenDay) -> None:
        """Note an account that holds reversals; by its tag its ids are known without it, too."""
        open_day.holders[account] = None

    def take_dirty(self) -> set[int]:
        """Return the buckets that must be written, and forget that they must."""
        dirty = super().take_dirty()
        return dirty if self.ordinary is None else dirty.union(self.ordinary.take_dirty())

    @property
    def is_dirty(self) -> bool:
        """Whether a bucket must be written."""
        return super().is_dirty or (self.ordinary is not None and self.ordinary.is_dirty)

    def rows_of(self, buckets: Sequence[int]) -> list[KeptRows]:
        """Return the accounts of each of some buckets that are no objects, as they are kept."""
        if self.ordinary is None:
            return super().rows_of(buckets)
        return kept_rows(
            self.ordinary.arrays,
            self.ordinary.kept_peers(),
            self.ordinary.told,
            {
                self.ordinary.number_of(account_id): text
                for account_id, text in self._resting.kept(buckets)
            },
            buckets,
        )

    def _tag_for(self, account_id: str) -> str:
        return account_id + BETWEEN_IDS

    def _new_day(self, day: int) -> OpenDay:
        open_day = super()._new_day(day)
        if self.ordinary is not None:
            open_day.contents = IdContents(self.ordinary.ids, day)
        return open_day

    def open_day(self, day: int) -> OpenDay | None:
        """Return a day that still takes transactions; None if it is closed."""
        is_new = day not in self.open_days
        open_day = super().open_day(day)
        if is_new and open_day is not None:
            self.know_days()
        return open_day

    def forget_open_day(self, day: int) -> None:
        """Let a day that holds nothing be open no more."""
        del self.open_days[day]
        self.know_days()

    def know_days(self) -> None:
        """Say to the arrays which days are open, and by which limits."""
        if self.ordinary is not None:
            days = [self.open_days[day] for day in sorted(self.open_days)]
            self.ordinary.open_days_are(days)

    def _end(self, closed: OpenDay) -> None:
        if self.ordinary is not None:
            closed.rows = self.ordinary.close(closed)
        super()._end(closed)

    def _close_days(self) -> None:
        super()._close_days()
        self.know_days()
