"""A limit on a business day's amount or count: which accounts it is for, and which one decides."""

from collections.abc import Mapping, Sequence
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
from monitor.core.names import NameList
from monitor.core.transaction import CREDIT, DEBIT


class Measure(StrEnum):
    """What a limit is put on."""

    AMOUNT = "amount"
    COUNT = "count"
    LARGEST = "largest"  # of gauges, as those up to `near`: the greatest single amount
    NET = "net"  # what goes out less what comes in, or the other way
    THROUGH = "through"  # the lesser of what comes in and goes out: that passes through
    DISTINCT = "distinct"  # how many counterparties or institutions
    SHARE = "share"  # the greatest one's part of the sum, per mille
    RATIO = "ratio"  # how many times the account's own usual, per cent
    NEAR = "near"  # on how many days the sum was just below another limit
    RARITY = "rarity"  # of the outlier models: one account-day in so many is as strange
    BREACH_DAYS = "breach-days"  # of an account that is reviewed


LIMIT_MEASURES: Final = (
    Measure.AMOUNT,
    Measure.COUNT,
    Measure.LARGEST,
    Measure.NET,
    Measure.THROUGH,
    Measure.DISTINCT,
    Measure.SHARE,
    Measure.RATIO,
    Measure.NEAR,
)
"""What a policy can put a limit on."""

MONEY_MEASURES: Final = (Measure.AMOUNT, Measure.LARGEST, Measure.NET, Measure.THROUGH)
"""Those that are in minor units of a currency."""

OF_A_CURRENCY: Final = (*MONEY_MEASURES, Measure.SHARE, Measure.RATIO, Measure.NEAR)
"""Those that add amounts up, which needs one currency."""


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


_OF_ACCOUNT: Final = 32
_OF_LIST: Final = 16
_OF_GROUP: Final = (4, 8)  # coarse and fine
_OF_SEGMENT: Final = 2
_OF_PRODUCT: Final = 1
"""Each is more than all after it together: a scope of several keys goes by the first of them."""


class Threshold(NamedTuple):
    """One limit: an account-day breaches it when its total is greater than `above`, not equal.

    `above` is in minor units of `currency` for an amount, in transactions for a count. A count
    without a currency counts those of every currency. Its scope is `account_id`, `peer_group` (of
    the models: all of "B", or "B2" in it), `segment`, `product` and `in_list` (the accounts of a
    list), as far as they are stated: none makes it the default.
    """

    threshold_id: str
    measure: Measure
    direction: Direction
    currency: str | None
    above: int
    severity: Severity
    account_id: str | None
    segment: str | None
    peer_group: str | None = None
    product: str | None = None
    in_list: NameList | None = None

    @property
    def subject(self) -> tuple[Measure, Direction, str | None]:
        """What it measures: among limits with one subject, the most specific decides alone."""
        return self.measure, self.direction, self.currency

    @property
    def specificity(self) -> int:
        """How narrow its scope is; no two scopes that one account-day is in are equally so.

        0 is a default. A product is less than a segment, that less than a coarse peer group, that
        less than a fine one, that less than a list, and that less than an account. Of several keys
        the first of these decides, then the next. Two lists that compete have no account in common.
        """
        peer_group = self.peer_group or ""
        return (
            (self.account_id is not None) * _OF_ACCOUNT
            + (self.in_list is not None) * _OF_LIST
            + (_OF_GROUP[len(peer_group) - 1] if peer_group else 0)
            + (self.segment is not None) * _OF_SEGMENT
            + (self.product is not None) * _OF_PRODUCT
        )

    def is_for(
        self,
        account_id: str,
        segment: str | None,
        peer_group: str | None,
        product: str | None = None,
    ) -> bool:
        """Return whether an account of a segment, a peer group and a product is in its scope."""
        return (
            self.account_id in (None, account_id)
            and self.segment in (None, segment)
            and self.product in (None, product)
            and (self.in_list is None or account_id in self.in_list.names)
            and (
                self.peer_group is None
                or (peer_group is not None and peer_group.startswith(self.peer_group))
            )
        )

    def value_of(self, account_day: AccountDay) -> int:
        """Return what the account-day amounts to, in this limit's own unit."""
        first, second = places_of(self)
        if account_day.more is None:  # as nearly every day
            counts = account_day.counts
            if counts and self.currency in {None, account_day.currency}:
                return counts[first] + counts[second]
            return 0
        return self.value_of_totals(account_day.totals)

    def value_of_totals(self, by_currency: Mapping[str, Sequence[int]]) -> int:
        """Return what totals (as `Totals` has them) amount to, in this limit's own unit."""
        first, second = places_of(self)
        if self.currency is not None:
            totals = by_currency.get(self.currency)
            return 0 if totals is None else totals[first] + totals[second]
        return sum(totals[first] + totals[second] for totals in by_currency.values())


Scope = tuple[str, str | None, str | None, str | None]
"""Whose an account-day is: its account, segment, peer group and product."""


def scope_of(account_day: AccountDay) -> Scope:
    """Return whose an account-day is: by that its limits are found."""
    return (
        account_day.account.account_id,
        account_day.segment,
        account_day.peer_group,
        account_day.attributes.product,
    )


def places_of(threshold: Threshold) -> tuple[int, int]:
    """Return the two places in `Totals` that a limit adds up."""
    return _PLACES[threshold.measure, threshold.direction]


class Watch(NamedTuple):
    """A threshold as it is asked on every transaction: which places of the totals to add up.

    `look_above` is the sum from which on the account-day is looked at closer: at most the limit.
    """

    first: int
    second: int
    look_above: int
    all_currencies: bool
    threshold: Threshold


Watches = dict[int, tuple[Watch, ...]]
"""The watches that a transaction can move, by its place in `SERIES`; filled as series come."""


class LimitSet:
    """The limits of one policy version, and which of them decide for an account-day.

    An account-day is looked at closer from `look_permille` thousandths of a limit on; None is: from
    when it is over it. `seen` has the currencies that came, `unwatched` those of them that no limit
    watches, whatever the account.
    """

    def __init__(self, thresholds: tuple[Threshold, ...], look_permille: int | None = None) -> None:
        self.look_permille = look_permille
        self._thresholds = thresholds
        self._own: dict[str, list[int]] = {}  # the places of an account's own limits
        self._shared: list[int] = []  # those of all others
        for place, threshold in enumerate(thresholds):
            if threshold.account_id is None:
                self._shared.append(place)
            else:
                self._own.setdefault(threshold.account_id, []).append(place)
        self._has_peer_groups = any(t.peer_group is not None for t in thresholds)
        self.seen: set[str] = set()
        self.unwatched: set[str] = set()
        self._segments = {t.segment for t in thresholds}
        self._products = {t.product for t in thresholds}
        self._lists = tuple({t.in_list: None for t in thresholds if t.in_list is not None})
        self._watches: dict[tuple[str | None, ...], Watches] = {}
        self._decide: dict[tuple[str | None, ...], tuple[Threshold, ...]] = {}

    def deciding(
        self,
        account_id: str,
        segment: str | None,
        peer_group: str | None = None,
        product: str | None = None,
    ) -> tuple[Threshold, ...]:
        """Return the limits that decide for such an account-day, in the policy's order."""
        key = self._key(account_id, segment, peer_group, product)
        deciding = self._decide.get(key)
        if deciding is None:
            deciding = self._deciding(account_id, segment, peer_group, product)
            self._decide[key] = deciding
        return deciding

    def _deciding(
        self, account_id: str, segment: str | None, peer_group: str | None, product: str | None
    ) -> tuple[Threshold, ...]:
        best: dict[tuple[Measure, Direction, str | None], Threshold] = {}
        places = sorted([*self._shared, *self._own.get(account_id, ())])
        candidates = [self._thresholds[place] for place in places]
        for threshold in candidates:
            if not threshold.is_for(account_id, segment, peer_group, product):
                continue
            rival = best.get(threshold.subject)
            if rival is None or rival.specificity < threshold.specificity:
                best[threshold.subject] = threshold
        deciding = {id(threshold) for threshold in best.values()}
        return tuple(threshold for threshold in candidates if id(threshold) in deciding)

    def watches_of(
        self,
        account_id: str,
        segment: str | None,
        peer_group: str | None = None,
        product: str | None = None,
    ) -> Watches:
        """Return the (shared, growing) watches of such an account-day."""
        key = self._key(account_id, segment, peer_group, product)
        watches = self._watches.get(key)
        if watches is None:
            watches = self._watches[key] = {}
        return watches

    def _key(
        self, account_id: str, segment: str | None, peer_group: str | None, product: str | None
    ) -> tuple[str | None, ...]:
        """Return what of a scope tells limits apart: names that no limit has do not.

        So what is kept by it has a bound that the policy sets, whatever names records have.
        """
        return (
            *self.named_by(account_id),
            segment if segment in self._segments else None,
            peer_group if self._has_peer_groups else None,
            product if product in self._products else None,
        )

    def named_by(self, account_id: str) -> tuple[str | None, ...]:
        """Return what limits name of an account: itself, if it has its own, and its lists."""
        own = account_id if account_id in self._own else None
        if not self._lists:  # as nearly every policy
            return (own,)
        return own, *(its.digest for its in self._lists if account_id in its.names)

    @property
    def named_accounts(self) -> frozenset[str]:
        """All accounts that limits name, by themselves or in a list."""
        return frozenset(self._own).union(*(its.names for its in self._lists))

    @property
    def has_owners(self) -> bool:
        """Whether there are limits for one account, or for those of a list."""
        return bool(self._own or self._lists)

    def kinds(self) -> int:
        """Return how many kinds of account-days are told apart by what decides for them."""
        return max(len(self._watches), len(self._decide))

    def watch(self, account_day: AccountDay, series: int) -> tuple[Watch, ...]:
        """Return the watches that a transaction of a series can move, and keep them."""
        direction, currency = SERIES[series]
        self.seen.add(currency)
        if not self.is_watched(currency):
            self.unwatched.add(currency)
        scope = scope_of(account_day)
        moved = tuple(
            Watch(*places_of(t), self._look_above(t), t.currency is None, t)
            for t in self.deciding(*scope)
            if t.currency in (None, currency) and t.direction in (Direction.BOTH, direction)
        )
        self.watches_of(*scope)[series] = moved
        return moved

    def is_watched(self, currency: str) -> bool:
        """Return whether a limit on amounts is in a currency, whoever it is for.

        Where a policy has none on amounts at all, a count is enough.
        """
        amounts = {t.currency for t in self._thresholds if t.measure is Measure.AMOUNT}
        if amounts:
            return currency in amounts
        return any(t.currency in (None, currency) for t in self._thresholds)

    def _look_above(self, threshold: Threshold) -> int:
        if self.look_permille is None:
            return threshold.above
        return threshold.above * self.look_permille // 1000

    def is_looked_at(self, account_day: AccountDay) -> bool:
        """Return whether an account-day, as it stands, is to be looked at before it is over."""
        return self.look_permille is not None and any(
            threshold.value_of(account_day) > self._look_above(threshold)
            for threshold in self.deciding(*scope_of(account_day))
        )
