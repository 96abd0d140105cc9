"""An account and its open days: totals by currency and direction, and what was told of them."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from monitor.core.attributes import NO_ATTRIBUTES, Attributes
from monitor.core.business_day import day_text
from monitor.core.gauged import Gauged
from monitor.core.money import EXPONENT, amount_text
from monitor.core.review import DayFacts, Review
from monitor.core.transaction import CREDIT, DEBIT, Origin, Transaction
from monitor.core.waiting import Waiting

COUNT_DEBIT: Final = 0
AMOUNT_DEBIT: Final = 1
COUNT_CREDIT: Final = 2
AMOUNT_CREDIT: Final = 3
ZERO: Final = 4
"""Places in `Totals`. `ZERO` always holds 0, so that any measure is the sum of two places."""

Totals = list[int]
"""[debit count, debit minor units, credit count, credit minor units, 0] of one currency."""

NO_TOTALS: Final[Totals] = []
"""Of an account-day whose first transaction is still to come."""

SERIES: Final = tuple(
    (direction, currency) for currency in sorted(EXPONENT) for direction in (DEBIT, CREDIT)
)
"""Every (direction, currency) there is; a transaction belongs to one. Its place here is a small
number for memory only: what is written down names the series in full, so the table may grow."""

SERIES_INDEX: Final[dict[str, dict[str, int]]] = {
    direction: {
        currency: index for index, (side, currency) in enumerate(SERIES) if side == direction
    }
    for direction in (DEBIT, CREDIT)
}
"""The place in `SERIES`, by direction and then by currency."""


class Told(NamedTuple):
    """What was told last of one threshold on one account-day.

    `revision` counts what was told (1 is the first); `value` and `limit` are in minor units or
    transactions. `origin` is that of the transaction that took the day over the limit; None if a
    policy did.
    """

    status: str
    revision: int
    value: int
    limit: int
    origin: Origin | None = None


NEVER: Final = -(1 << 62)
"""The `segment_time` of an account-day that no transaction has named a segment of yet."""

NOTHING_TOLD: Final[Mapping[str, Told]] = MappingProxyType({})
"""Of most account-days; it is shared, because they are many."""


class AccountDay:
    """What one account did on one business day, so far.

    `counts` are the totals of `currency`, its first; those of further currencies are in `more`. An
    account-day is one of many millions, so it holds no dictionary that it may not need.
    `segment` is that of the latest event which names one, so arrival order is nothing to it; where
    none does (`segment_time` is `NEVER` then) it is that of the account's `attributes`.
    `peer_group` is the one that the models had its account in when the day began.
    `watches` are the thresholds that watch this day, by series (see core/threshold.py, which comes
    after this file); they are the engine's to set.
    `facts` are those of an account-day that came near enough to a limit to be looked at closer.
    """

    __slots__ = (
        "account", "attributes", "counts", "currency", "day", "facts", "more", "peer_group",
        "segment", "segment_time", "told", "watches",
    )  # fmt: skip

    def __init__(
        self,
        account: "Account",
        day: int,
        watches: Mapping[int, tuple[Any, ...]] | None = None,
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> None:
        self.account = account
        self.day = day
        self.currency = ""
        self.counts: Totals = NO_TOTALS
        self.more: dict[str, Totals] | None = None
        self.told = NOTHING_TOLD
        self.attributes = attributes
        self.segment = attributes.segment
        self.segment_time = NEVER
        self.peer_group: str | None = None
        self.watches = watches if watches is not None else {}
        self.facts: DayFacts | None = None

    @property
    def totals(self) -> dict[str, Totals]:
        """The totals by currency."""
        if not self.currency:
            return {}
        return {self.currency: self.counts, **(self.more or {})}

    def totals_now(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Return a copy of the totals by currency, which nothing changes any more."""
        first = (self.currency, tuple(self.counts))
        if self.more is None:
            return (first,)
        return (first, *((currency, tuple(figures)) for currency, figures in self.more.items()))

    def totals_in(self, currency: str) -> Totals:
        """Return the totals of a currency, to be added to; they begin at nothing."""
        if currency == self.currency:
            return self.counts
        if not self.currency:
            self.currency, self.counts = currency, [0, 0, 0, 0, 0]
            return self.counts
        if self.more is None:
            self.more = {}
        return self.more.setdefault(currency, [0, 0, 0, 0, 0])

    def note(self, threshold_id: str, told: Told) -> None:
        """Note what was told last of a threshold."""
        self.told = {**self.told, threshold_id: told}


class Account:
    """One account of a partition: its open days, and the bucket of state that it is kept in.

    `tag` begins the keys of its transactions in the open days, and no other account's; `kept` is
    for the state layer, which keeps there what it last wrote of the account. `review` has its days
    over or near a limit, `gauged` what gauges have measured of it. `waiting` are its reversals
    whose originals are still to come, in the order in which they came. `held_until` is the last
    business day that holds a reversal of it.
    """

    __slots__ = (
        "account_id",
        "bucket",
        "days",
        "gauged",
        "held_until",
        "kept",
        "review",
        "tag",
        "waiting",
    )

    def __init__(self, account_id: str, bucket: int, tag: str) -> None:
        self.account_id = account_id
        self.bucket = bucket
        self.tag = tag
        self.days: tuple[AccountDay, ...] = ()
        self.waiting: tuple[Waiting, ...] = ()
        self.held_until = 0
        self.kept = b""
        self.review: Review | None = None
        self.gauged: Gauged | None = None

    def day_of(self, day: int) -> AccountDay | None:
        """Return an open account-day; None if the account has none."""
        for account_day in self.days:
            if account_day.day == day:
                return account_day
        return None

    def drop(self, account_day: AccountDay) -> None:
        """Forget an account-day that was emitted."""
        self.days = tuple(day for day in self.days if day is not account_day)


class Scored(NamedTuple):
    """A transaction that was taken in and is to be scored, its business day, and its offset.

    `is_in_breach`, `segment` and `totals` are its account-day's as they were once it was taken in;
    `product` is the one that the account-day's attributes name.
    """

    transaction: Transaction
    day: int
    offset: int
    is_in_breach: bool
    segment: str | None
    product: str | None
    totals: tuple[tuple[str, tuple[int, ...]], ...]


class ClosedDay(NamedTuple):
    """An account-day as it stood when the watermark closed it: nothing changes it any more."""

    account_day: AccountDay
    policy_version: int
    score: float | None = None  # how rare its models find it, as a tail probability

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self.account_day.account.account_id

    def fields(self) -> dict[str, object]:
        """Return the account-day as it is written; `breaches` are the limits that it is over."""
        account_day = self.account_day
        return {
            "account_id": self.account_id,
            "business_day": day_text(account_day.day),
            "segment": account_day.segment,
            "branch": account_day.attributes.branch,
            "product": account_day.attributes.product,
            "peer_group": account_day.peer_group,
            "totals": day_totals(account_day),
            "breaches": sorted(
                threshold_id
                for threshold_id, told in account_day.told.items()
                if told.value > told.limit
            ),
            "policy_version": self.policy_version,
            "score": self.score,
        }


def day_totals(account_day: AccountDay) -> list[dict[str, object]]:
    """Return the totals of an account-day as they are written, one entry a currency."""
    return written_totals(account_day.totals.items())


def written_totals(
    totals_by_currency: Iterable[tuple[str, Sequence[int]]],
) -> list[dict[str, object]]:
    """Return totals as they are written, one entry a currency."""
    return [
        {
            "currency": currency,
            "debit_count": totals[COUNT_DEBIT],
            "debit_amount": amount_text(totals[AMOUNT_DEBIT], EXPONENT[currency]),
            "credit_count": totals[COUNT_CREDIT],
            "credit_amount": amount_text(totals[AMOUNT_CREDIT], EXPONENT[currency]),
        }
        for currency, totals in sorted(totals_by_currency)
    ]
