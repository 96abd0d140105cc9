"""Alerts by limit, exact and beside them what a sketch tells; the limit that a budget needs."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, count, takewhile
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Ints
from models.limit_sketches import LimitSketches
from models.sketch import VALUE_MAX, CountsAbove
from monitor.whatif import LimitDays

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
    values = np.sort(days.values)
    alerts = values.size - np.searchsorted(values, limits, side="right")
    sketched = sketches.over(_SCOPE, _SUBJECT).counts_above(limits)
    return Curve(limits, alerts.astype(np.int64, copy=False), sketched)


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
