"""Alerts by limit, exact and beside them what a sketch tells; the limit that a budget needs."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, count, takewhile
from typing import Final, NamedTuple

import numpy as np

from models.sketch import VALUE_MAX, CountsAbove, Ints, Sketch
from monitor.whatif import LimitDays

# Limits that a person would set: two digits, closer together where they are small.
_STEPS: Final = (*range(10, 20), *range(20, 50, 2), *range(50, 100, 5))


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


def sketch_of(days: LimitDays) -> Sketch:
    """Return a sketch of what the account-days come to."""
    sketch = Sketch()
    sketch.add(days.values)
    return sketch


def curve_of(days: LimitDays, sketch: Sketch, limits: Ints) -> Curve:
    """Return the account-days over each limit, by count and by sketch."""
    values = np.sort(days.values)
    alerts = values.size - np.searchsorted(values, limits, side="right")
    return Curve(limits, alerts.astype(np.int64, copy=False), sketch.counts_above(limits))


def limit_for(days: LimitDays, sketch: Sketch, alerts_per_day: Fraction) -> BudgetLimit | None:
    """Return the limit for a budget, Q(1 - B / N); None where there is no account-day."""
    values = np.sort(days.values)
    if not values.size:
        return None
    allowed = int(alerts_per_day * len(days.business_days))
    limit = int(values[-1 - allowed]) if allowed < values.size else 0
    by_day = days.alerts_by_day(limit)
    sketch_limit = sketch.limit_for(allowed)
    return BudgetLimit(
        alerts_per_day,
        limit,
        int(by_day.sum()),
        int(by_day.max()),
        int(np.count_nonzero(by_day > float(alerts_per_day))),
        sketch_limit,
        int(np.count_nonzero(values > sketch_limit)),
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
