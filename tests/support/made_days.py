"""Segment-days of a made population, straight from its movements: by numpy, without the engine."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from models.sketches.histogram import Sketch
from monitor.population import MadeDay, Population
from monitor.population.behaviour import CHANNELS, INSTITUTIONS, SEGMENTS, TYPES
from monitor.population.movements import Movements
from monitor.systemic.segment_day import HOT_Z, LimitDay, SegmentDay

SEGMENT_NAMES = tuple(dict.fromkeys(SEGMENTS))
SEGMENT_OF_TYPE = np.array([SEGMENT_NAMES.index(SEGMENTS[t]) for t in range(len(TYPES))])


class Limit(NamedTuple):
    """A limit on a day's debits, or on a day's transactions."""

    threshold_id: str
    above: int
    is_count: bool = False


Limits = Callable[[int], dict[str, list[Limit]]]
"""The limits of each segment on a day of the run, counted from 0."""


class OwnUsual:
    """Each account's own mean and spread of a logarithm, shrunk to all accounts' of its segment."""

    PRIOR = 6.0

    def __init__(self, segment: Ints) -> None:
        self.segment = segment
        self.count, self.mean, self.square = (np.zeros(segment.size) for _ in range(3))

    def learn(self, account: Ints, values: Floats) -> None:
        size = self.segment.size
        seen = np.bincount(account, minlength=size)
        self.count += seen
        share = np.bincount(account, values, size)
        square = np.bincount(account, values**2, size)
        self.mean += share
        self.square += square

    def z(self, account: Ints, values: Floats) -> Floats:
        """Return by how many standard deviations values are above the account's own usual."""
        segment_of = self.segment
        count = np.bincount(segment_of, self.count)
        mean = np.bincount(segment_of, self.mean) / np.maximum(count, 1)
        variance = np.bincount(segment_of, self.square) / np.maximum(count, 1) - mean**2
        n, prior = self.count[account], self.PRIOR
        own_mean = (self.mean[account] + prior * mean[segment_of[account]]) / (n + prior)
        own_square = self.square[account] / np.maximum(n, 1)
        own_variance = np.maximum(own_square - (self.mean[account] / np.maximum(n, 1)) ** 2, 0.05)
        spread = (n * own_variance + prior * variance[segment_of[account]]) / (n + prior)
        return (values - own_mean) / np.sqrt(np.maximum(spread, 0.05))


KNOWN_FROM = 5

OfSegments = dict[str | None, SegmentDay]


class SegmentDays:
    """Makes the segment-days of each made day, by what the days before were like."""

    def __init__(self, population: Population, limits: Limits) -> None:
        self.population = population
        self.limits = limits
        self.segment = SEGMENT_OF_TYPE[population.drawn.type]
        self.sums, self.payments = OwnUsual(self.segment), OwnUsual(self.segment)
        self.paid = np.zeros((population.accounts, INSTITUTIONS), bool)

    def days(self) -> Iterator[tuple[int, OfSegments]]:
        """Yield each day's ordinal and its segment-days."""
        for number, made in enumerate(self.population.made_days()):
            yield made.day.toordinal(), self._day(number, made)

    def _day(self, number: int, made: MadeDay) -> OfSegments:
        gone = np.zeros(made.reverses.size, bool)
        gone[made.reverses >= 0] = True
        gone[made.reverses[made.reverses >= 0]] = True
        rows = made.movements.taken(np.flatnonzero(~gone))
        size = self.segment.size
        sums = np.bincount(rows.account, rows.amount, size)
        active = np.flatnonzero(np.bincount(rows.account, minlength=size))
        logs = np.log(np.maximum(sums[active], 1))
        z = self.sums.z(active, logs)
        known = self.sums.count[active] >= KNOWN_FROM
        hot = known & (z > HOT_Z)
        payment_logs = np.log(rows.amount)
        payment_z = self.payments.z(rows.account, payment_logs)
        strange = (
            (rows.is_credit == 0) & (payment_z > HOT_Z)
            & ~self.paid[rows.account, rows.institution]
            & (self.payments.count[rows.account] >= KNOWN_FROM)
        )  # fmt: skip
        limits = self.limits(number)
        out: OfSegments = {}
        for place, name in enumerate(SEGMENT_NAMES):
            rows_active = active[self.segment[active] == place]
            here = strange & (self.segment[rows.account] == place)
            pairs = {
                (int(a), int(i))
                for a, i in zip(rows.account[here], rows.institution[here], strict=True)
            }
            is_here = self.segment[active] == place
            hot_here = is_here & hot
            out[name] = SegmentDay(
                day=made.day.toordinal(), segment=name, account_days=int(rows_active.size),
                limits={
                    limit.threshold_id: self._limit_day(limit, rows, rows_active)
                    for limit in limits.get(name, ())
                },
                known=int((is_here & known).sum()), hot=int(hot_here.sum()),
                hot_payers=dict(Counter(("institution", f"BANK{i:02d}") for _, i in pairs)),
                rejections={},
            )  # fmt: skip
        self.sums.learn(active, logs)
        self.payments.learn(rows.account, payment_logs)
        debit = rows.is_credit == 0
        self.paid[rows.account[debit], rows.institution[debit]] = True
        return out

    def _limit_day(self, limit: Limit, rows: Movements, accounts: Ints) -> LimitDay:
        size = self.segment.size
        counted = (
            np.ones(rows.account.size, np.int64)
            if limit.is_count
            else np.where(rows.is_credit == 0, rows.amount, 0)
        )
        values = np.bincount(rows.account, counted, size).astype(np.int64)
        sketch = Sketch()
        sketch.add(values[accounts])
        over = accounts[values[accounts] > limit.above]
        is_over = np.zeros(size, bool)
        is_over[over] = True
        places = np.flatnonzero(is_over[rows.account])
        places = places[np.argsort(rows.account[places], kind="stable")]
        account = rows.account[places]
        running = np.cumsum(counted[places])
        first = np.searchsorted(account, over)
        before = running[first] - counted[places[first]] if over.size else running[:0]
        within = running - np.repeat(before, np.diff(np.append(first, account.size)))
        tips = np.flatnonzero(within > limit.above)
        tipped, at = np.unique(account[tips], return_index=True)
        tip = places[tips[at]]
        causes: Counter[tuple[str, str]] = Counter()
        for a, row in zip(tipped.tolist(), tip.tolist(), strict=True):
            causes["institution", f"BANK{rows.institution[row]:02d}"] += 1
            causes["branch", f"B{self.population.drawn.branch[a]:02d}"] += 1
            causes["channel", CHANNELS[rows.channel[row]]] += 1
            causes["counterparty", f"C{rows.counterparty[row]}"] += 1
        return LimitDay(limit.above, int(over.size), sketch, dict(causes))
