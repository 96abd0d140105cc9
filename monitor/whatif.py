"""Alerts under another limit: exact, from the totals of account-days.

A limit concerns the account-days that it decides for, and no others: where a more specific one
takes its place, nothing changes. So the answer is that of two replays, by the policy as it is and
by the changed one.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import chain, count, takewhile
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Ints
from models.sketches.histogram import VALUE_MAX, CountsAbove
from models.sketches.limits import LimitSketches
from monitor.core.account import AccountDay
from monitor.core.money import EXPONENT, minor_units
from monitor.core.threshold import LimitSet, Measure, Scope, Threshold, scope_of
from monitor.policy.policy import Policy

_WHOLE_DIGITS_MAX: Final = 18


class WhatIfError(ValueError):
    """A question that has no answer: a limit that is not there, or no amount."""


class DayAlerts(NamedTuple):
    """Account-days of a business day that the limit decides for, and those over it."""

    business_day: int
    account_days: int
    now: int
    then: int


class AccountChange(NamedTuple):
    """On how many days an account is over the limit, and its greatest day in the limit's unit."""

    account_id: str
    days_now: int
    days_then: int
    value_greatest: int


class Change(NamedTuple):
    """What another limit would change; accounts with the most breach days come first.

    `starting` have alerts then and none now, `stopping` the reverse, `changing` have some both
    now and then, and not on as many days.
    """

    above_now: int
    above_then: int
    days: tuple[DayAlerts, ...]
    accounts_now: int
    accounts_then: int
    starting: tuple[AccountChange, ...]
    stopping: tuple[AccountChange, ...]
    changing: tuple[AccountChange, ...]


class LimitDays:
    """The account-days that one limit of a policy decides for, and what each comes to."""

    def __init__(self, policy: Policy, threshold: Threshold) -> None:
        self.threshold = threshold
        self._limits = LimitSet(policy.thresholds)
        self._own = self._limits.named_accounts
        self._decides: dict[tuple[str | None, ...], bool] = {}
        self._places: dict[str, int] = {}
        self._account, self._day, self._value = array("q"), array("q"), array("q")
        self._business_days: set[int] = set()

    def add(self, account_id: str, account_day: AccountDay) -> None:
        """Take an account-day as it stands at the end; each once."""
        _, segment, peer_group, product = scope_of(account_day)
        scope = account_id, segment, peer_group, product
        if self._takes(account_day.day, scope):
            self._append(account_id, account_day.day, self.threshold.value_of(account_day))

    def add_totals(self, day: int, scope: Scope, totals: Mapping[str, Sequence[int]]) -> None:
        """Take an account-day that was written: its totals by currency, as `Totals` has them."""
        if self._takes(day, scope):
            self._append(scope[0], day, self.threshold.value_of_totals(totals))

    def add_columns(
        self, business_days: Iterable[int], accounts: Sequence[str], columns: Sequence[Ints]
    ) -> None:
        """Take account-days that it decides for, as columns: places in `accounts`, days, values.

        `business_days` are all those on which any account did anything. No account twice.
        """
        places, days, values = columns
        named = [self._places.setdefault(name, len(self._places)) for name in accounts]
        self._business_days.update(business_days)
        self._account.frombytes(np.array(named, np.int64)[places].tobytes())
        self._day.frombytes(days.astype(np.int64).tobytes())
        self._value.frombytes(np.minimum(values, VALUE_MAX).astype(np.int64).tobytes())

    @property
    def own_accounts(self) -> frozenset[str]:
        """The accounts that limits name, by themselves or in a list."""
        return self._own

    def _takes(self, day: int, scope: Scope) -> bool:
        """Return whether the limit decides for an account-day; the business day counts anyway."""
        self._business_days.add(day)
        return self.decides(scope)

    def decides(self, scope: Scope) -> bool:
        """Return whether the limit decides for whoever has a scope."""
        account_id, *groups = scope
        key = (account_id if account_id in self._own else None, *groups)
        decides = self._decides.get(key)
        if decides is None:
            deciding = self._limits.deciding(account_id, *groups)
            decides = self._decides[key] = self.threshold in deciding
        return decides

    def _append(self, account_id: str, day: int, value: int) -> None:
        self._account.append(self._places.setdefault(account_id, len(self._places)))
        self._day.append(day)
        # No limit is as great as this, so that nothing is lost by cutting there.
        self._value.append(min(value, VALUE_MAX))

    @property
    def values(self) -> Ints:
        """What each account-day comes to, in the limit's own unit."""
        return np.array(self._value, np.int64)

    @property
    def accounts(self) -> int:
        """How many accounts the limit decides for, on one day at least."""
        return len(self._places)

    @property
    def business_days(self) -> tuple[int, ...]:
        """Every business day on which any account did anything, in order."""
        return tuple(sorted(self._business_days))

    def alerts_by_day(self, above: int) -> Ints:
        """Return the account-days over a limit, for each of the business days."""
        return self._by_day(self.values > above)

    def values_by_day(self) -> list[Ints]:
        """Return what each account-day comes to, for each of the business days."""
        ends = np.cumsum(self.account_days_by_day())
        in_order = self.values[np.argsort(np.array(self._day, np.int64), kind="stable")]
        return np.split(in_order, ends[:-1]) if ends.size else []

    def account_days_by_day(self) -> Ints:
        """Return the account-days that it decides for, for each of the business days."""
        return self._by_day(self.values >= 0)

    def days_by_account(self, above: int) -> Counter[str]:
        """Return on how many days each account is over a limit, of those that are on any."""
        account = np.array(self._account, np.int64)[self.values > above]
        days = np.bincount(account, minlength=self.accounts)
        named = zip(self._places, days.tolist(), strict=True)
        return Counter({name: number for name, number in named if number})

    def greatest_by_account(self) -> Counter[str]:
        """Return what the greatest day of each account comes to."""
        greatest = np.zeros(self.accounts, np.int64)
        np.maximum.at(greatest, np.array(self._account, np.int64), self.values)
        return Counter(dict(zip(self._places, greatest.tolist(), strict=True)))

    def _by_day(self, is_counted: np.ndarray) -> Ints:
        days = np.array(self.business_days, np.int64)
        place = np.searchsorted(days, np.array(self._day, np.int64)[is_counted])
        return np.bincount(place, minlength=days.size).astype(np.int64, copy=False)


def change_of(now: LimitDays, then: LimitDays, above: int) -> Change:
    """Return what would be otherwise if the limit were another (in its own unit).

    `now` has the account-days of the policy as it is, `then` those of the changed one: the same
    ones, unless peer groups came out otherwise.
    """
    above_now = now.threshold.above
    columns = (
        now.business_days,
        now.account_days_by_day().tolist(),
        now.alerts_by_day(above_now).tolist(),
        then.alerts_by_day(above).tolist(),
    )
    days_now, days_then = now.days_by_account(above_now), then.days_by_account(above)
    greatest = now.greatest_by_account() | then.greatest_by_account()  # the greater of both
    changed = [
        AccountChange(name, days_now[name], days_then[name], greatest[name])
        for name in days_now.keys() | days_then.keys()
        if days_now[name] != days_then[name]
    ]
    changed.sort(key=lambda c: (-max(c.days_now, c.days_then), -c.value_greatest, c.account_id))
    return Change(
        above_now=above_now,
        above_then=above,
        days=tuple(DayAlerts(*counts) for counts in zip(*columns, strict=True)),
        accounts_now=len(days_now),
        accounts_then=len(days_then),
        starting=tuple(c for c in changed if not c.days_now),
        stopping=tuple(c for c in changed if not c.days_then),
        changing=tuple(c for c in changed if c.days_now and c.days_then),
    )


def changed_policy(policy: Policy, threshold: Threshold, above: int) -> Policy:
    """Return the policy with another limit in place of a threshold's."""
    return policy._replace(
        thresholds=tuple(
            stated._replace(above=above) if stated is threshold else stated
            for stated in policy.thresholds
        )
    )


def limit_of(policy: Policy, threshold_id: str) -> Threshold:
    """Return a limit by its id. Raises WhatIfError, which names the ids that it can be."""
    for threshold in policy.thresholds:
        if threshold.threshold_id == threshold_id:
            return threshold
    ids = ", ".join(threshold.threshold_id for threshold in policy.thresholds)
    known = f"the policy has {ids}" if ids else "the policy has none"
    if any(limit.limit_id == threshold_id for limit in policy.gauges):
        raise WhatIfError(
            f"limit {threshold_id} is not on a day's amount or count: of others nothing is"
            f" counted. On these {known}"
        )
    if policy.gauges:
        others = ", ".join(limit.limit_id for limit in policy.gauges)
        known += f"; of its other limits nothing is counted: {others}"
    raise WhatIfError(
        f"no limit {threshold_id[:80]!r} in the policy. On a day's amount or count {known}"
    )


def above_of(text: str, threshold: Threshold) -> int:
    """Return the limit that `--above` writes, in its own unit. Raises WhatIfError if it is none."""
    if threshold.measure is Measure.COUNT:
        if text.isascii() and text.isdigit() and len(text) <= _WHOLE_DIGITS_MAX:
            return int(text)
        raise WhatIfError(
            f"--above is {text[:40]!r}: {threshold.threshold_id} is a limit on a count: write a"
            " whole number, e.g. 10"
        )
    assert threshold.currency is not None
    exponent = EXPONENT[threshold.currency]
    minor = minor_units(text, exponent)
    if minor is None:
        example = f"500.{'0' * exponent}" if exponent else "500"
        raise WhatIfError(
            f"--above is {text[:40]!r}: {threshold.threshold_id} is a limit in"
            f" {threshold.currency}: write an amount from 0 on with at most {exponent} decimals,"
            f" e.g. {example}"
        )
    return minor


# Limits that a person would set: two digits, closer together where they are small.
_STEPS: Final = (*range(10, 20), *range(20, 50, 2), *range(50, 100, 5))

# One limit has one scope and one subject: what they are called is nobody's concern.
_SCOPE: Final = "of the limit"
_SUBJECT: Final = "of the limit"


class Curve(NamedTuple):
    """Account-days over each of some limits, in order; `sketched` is between bounds."""

    limits: Ints
    alerts: Ints
    sketched: CountsAbove


class BudgetLimit(NamedTuple):
    """The least limit with at most `alerts_per_day` alerts a day, in the mean of the days.

    `limit` is exact; `sketch_limit` is what a sketch gives, with the alerts that it has. All are in
    the limit's own unit; `days_over` are the days with more alerts than the budget has.
    """

    alerts_per_day: Fraction
    limit: int
    alerts: int
    alerts_most: int
    days_over: int
    sketch_limit: int
    sketch_alerts: int


def sketches_of(days: LimitDays) -> LimitSketches:
    """Return sketches of what the account-days come to, as they would be kept day by day."""
    every = days.business_days
    sketches = LimitSketches(days_max=every[-1] - every[0] + 1 if every else 1)
    for day, values in zip(every, days.values_by_day(), strict=True):
        sketches.add(day, _SCOPE, _SUBJECT, values)
    return sketches


def curve_of(days: LimitDays, sketches: LimitSketches, limits: Ints) -> Curve:
    """Return the account-days over each limit, by count and by sketch."""
    sketched = sketches.over(_SCOPE, _SUBJECT).counts_above(limits)
    return Curve(limits, exact_counts(np.sort(days.values), limits), sketched)


def exact_counts(values: Ints, limits: Ints) -> Ints:
    """Return how many values, which are in order, are over each limit."""
    above = values.size - np.searchsorted(values, limits, side="right")
    return above.astype(np.int64, copy=False)


def limit_for(
    days: LimitDays, sketches: LimitSketches, alerts_per_day: Fraction
) -> BudgetLimit | None:
    """Return the limit for a budget, Q(1 - B / N); None if there is no account-day."""
    values = np.sort(days.values)
    suggestion = sketches.suggest(_SCOPE, _SUBJECT, alerts_per_day)
    if suggestion is None:
        return None
    allowed = int(alerts_per_day * len(days.business_days))
    limit = int(values[-1 - allowed]) if allowed < values.size else 0
    by_day = days.alerts_by_day(limit)
    return BudgetLimit(
        alerts_per_day=alerts_per_day,
        limit=limit,
        alerts=int(by_day.sum()),
        alerts_most=int(by_day.max()),
        days_over=int(np.count_nonzero(by_day > float(alerts_per_day))),
        sketch_limit=suggestion.limit,
        sketch_alerts=suggestion.values_above,
    )


def limits_around(days: LimitDays, marked: Iterable[int]) -> Ints:
    """Return limits that a person would set, in order, from where most alert to where none does.

    From half of the account-days that have a value at all, or the least of the marked, to the
    greatest value, or the greatest of the marked. The marked ones are among them.
    """
    marked = [limit for limit in marked if limit <= VALUE_MAX]
    values = days.values
    values = np.sort(values[values > 0])
    ends = (int(values[values.size // 2]), int(values[-1])) if values.size else ()
    low, high = min((*marked, *ends)), max((*marked, *ends))
    round_ones = list(takewhile(lambda limit: limit <= VALUE_MAX, _round_limits()))
    below = max((limit for limit in round_ones if limit <= low), default=0)
    above = min((limit for limit in round_ones if limit >= high), default=high)
    chosen = {limit for limit in round_ones if below <= limit <= above}
    return np.array(sorted(chosen.union(marked)), np.int64)


def _round_limits() -> Iterable[int]:
    return chain(range(10), (step * 10**power for power in count() for step in _STEPS))
