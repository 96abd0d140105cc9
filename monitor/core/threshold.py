"""A limit on a business day's amount or count: which accounts it is for, and which one decides."""

from enum import StrEnum
from typing import Final, NamedTuple

from monitor.core.account import (
    AMOUNT_CREDIT,
    AMOUNT_DEBIT,
    COUNT_CREDIT,
    COUNT_DEBIT,
    SERIES,
    ZERO,
    AccountDay,
)
from monitor.core.transaction import CREDIT, DEBIT


class Measure(StrEnum):
    """What a limit is put on."""

    AMOUNT = "amount"
    COUNT = "count"
    RARITY = "rarity"  # of the outlier models: one account-day in so many is as strange


LIMIT_MEASURES: Final = (Measure.AMOUNT, Measure.COUNT)
"""What a policy can put a limit on."""


class Direction(StrEnum):
    """Which transactions a limit measures."""

    DEBIT = DEBIT
    CREDIT = CREDIT
    BOTH = "both"


class Severity(StrEnum):
    """How much a breach matters, as the policy has it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_PLACES: Final = {
    (Measure.AMOUNT, Direction.DEBIT): (AMOUNT_DEBIT, ZERO),
    (Measure.AMOUNT, Direction.CREDIT): (AMOUNT_CREDIT, ZERO),
    (Measure.AMOUNT, Direction.BOTH): (AMOUNT_DEBIT, AMOUNT_CREDIT),
    (Measure.COUNT, Direction.DEBIT): (COUNT_DEBIT, ZERO),
    (Measure.COUNT, Direction.CREDIT): (COUNT_CREDIT, ZERO),
    (Measure.COUNT, Direction.BOTH): (COUNT_DEBIT, COUNT_CREDIT),
}


class Threshold(NamedTuple):
    """One limit: an account-day breaches it when its total is greater than `above`, not equal.

    `above` is in minor units of `currency` for an amount, in transactions for a count. A count
    without a currency counts those of every currency. `account_id` or `segment` is its scope;
    neither makes it the default.
    """

    threshold_id: str
    measure: Measure
    direction: Direction
    currency: str | None
    above: int
    severity: Severity
    account_id: str | None
    segment: str | None

    @property
    def subject(self) -> tuple[Measure, Direction, str | None]:
        """What it measures: among limits with one subject, the most specific decides alone."""
        return self.measure, self.direction, self.currency

    @property
    def specificity(self) -> int:
        """0 for a default, 1 for a segment's limit, 2 for an account's."""
        return 2 if self.account_id is not None else 1 if self.segment is not None else 0

    def value_of(self, account_day: AccountDay) -> int:
        """Return what the account-day amounts to, in this limit's own unit."""
        first, second = _PLACES[self.measure, self.direction]
        if self.currency is not None:
            totals = account_day.totals.get(self.currency)
            return 0 if totals is None else totals[first] + totals[second]
        return sum(totals[first] + totals[second] for totals in account_day.totals.values())


class Watch(NamedTuple):
    """A threshold as it is asked on every transaction: which places of the totals to add up."""

    first: int
    second: int
    above: int
    all_currencies: bool
    threshold: Threshold


Watches = dict[int, tuple[Watch, ...]]
"""The watches that a transaction can move, by its place in `SERIES`; filled as series come."""


class LimitSet:
    """The limits of one policy version, and which of them decide for an account."""

    def __init__(self, thresholds: tuple[Threshold, ...]) -> None:
        self._thresholds = thresholds
        self._own = {t.account_id for t in thresholds if t.account_id is not None}
        self._watches: dict[tuple[str | None, str | None], Watches] = {}

    def deciding(self, account_id: str, segment: str | None) -> tuple[Threshold, ...]:
        """Return the limits that decide for an account of a segment, in the policy's order."""
        best: dict[tuple[Measure, Direction, str | None], Threshold] = {}
        for threshold in self._thresholds:
            if threshold.account_id not in (None, account_id):
                continue
            if threshold.segment not in (None, segment):
                continue
            rival = best.get(threshold.subject)
            if rival is None or rival.specificity < threshold.specificity:
                best[threshold.subject] = threshold
        return tuple(t for t in self._thresholds if best.get(t.subject) is t)

    def watches_of(self, account_id: str, segment: str | None) -> Watches:
        """Return the (shared, growing) watches of an account of a segment."""
        key = (account_id if account_id in self._own else None, segment)
        watches = self._watches.get(key)
        if watches is None:
            watches = self._watches[key] = {}
        return watches

    def watch(self, account_id: str, segment: str | None, series: int) -> tuple[Watch, ...]:
        """Return the watches that a transaction of a series can move, and keep them."""
        direction, currency = SERIES[series]
        moved = tuple(
            Watch(*_PLACES[t.measure, t.direction], t.above, t.currency is None, t)
            for t in self.deciding(account_id, segment)
            if t.currency in (None, currency) and t.direction in (Direction.BOTH, direction)
        )
        self.watches_of(account_id, segment)[series] = moved
        return moved
