"""The limit that the days before would have set, and the account-days over that one.

T* is the (1 - p) quantile of the 28 days before the run began, p the share that breached then. If
the run's account-days are over T* no more often than before, the population has not moved: what
moved is the limit, by T / T*. Otherwise the population has moved, whatever the limit.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from models.sketches.histogram import Sketch
from monitor.systemic.segment_day import LimitDay, measured
from monitor.systemic.tails import normal_tail

NOT_MOVED: Final = 0.01
"""The population has not moved where the run's breaches of T* are as probable as this."""

LIMIT_CHANGED: Final = 0.97
"""A limit can be mis-set now only where it was changed: to so much of what it was, or less."""

BREACHES_LEAST: Final = 10
"""Of the history: from fewer, no quantile so far out is known."""


class Counterfactual(NamedTuple):
    """What the history's own limit says of a run.

    `ratio` is T / T*; `breaches` and `expected` are the run's account-days over T*, `probability`
    that of so many or more; `above_before` is the limit that the history had, in its own unit.
    """

    ratio: float
    breaches: int
    expected: float
    probability: float
    above: int
    above_before: int
    history_breaches: int

    @property
    def is_known(self) -> bool:
        """Whether the history has breaches enough to tell."""
        return self.history_breaches >= BREACHES_LEAST

    @property
    def limit_was_lowered(self) -> bool:
        """Whether the limit now is clearly below the one that the history had."""
        return self.above <= LIMIT_CHANGED * self.above_before

    @property
    def population_moved(self) -> bool:
        """Whether account-days are over the history's own limit more often than by chance."""
        return self.probability <= NOT_MOVED


class LimitMemory:
    """The measured values of the days that one limit of a segment may be asked about."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._days: dict[int, tuple[int, int, Sketch]] = {
            day: (above, breaches, _sketch(counts))
            for day, above, breaches, counts in (state or {}).get("days", ())
        }

    def dump(self) -> dict[str, Any]:
        """Return its state, as JSON has it."""
        return {
            "days": [
                [day, above, breaches, values.counts.tolist()]
                for day, (above, breaches, values) in sorted(self._days.items())
            ]
        }

    def keep(self, day: int, limit: LimitDay, days: Iterable[int]) -> None:
        """Take in a day, and forget all that are not of `days`."""
        self._days[day] = (limit.above, limit.breaches, limit.values.copy())
        kept = {*days, day}
        self._days = {
            kept_day: values for kept_day, values in self._days.items() if kept_day in kept
        }

    def together(self, days: Iterable[int]) -> Sketch:
        """Return the measured values of some days, those that are kept."""
        return _together(self._days[day][2] for day in days if day in self._days)

    def since_change(self, days: Iterable[int], above: int) -> list[tuple[int, int, Sketch]]:
        """Return those of some days since which the limit is `above`: breaches and values."""
        changed = max((day for day, (was, *_) in self._days.items() if was != above), default=0)
        return [
            (day, *self._days[day][1:])
            for day in sorted(days)
            if day in self._days and day > changed
        ]

    def ask(
        self, history: Iterable[int], run: Iterable[int], factor: Callable[[int], float], phi: float
    ) -> Counterfactual | None:
        """Return what the days of the history say of the days of a run.

        `factor` gives what the calendar multiplies a day's share by, `phi` is the over-dispersion.
        None without any history.
        """
        before = [(day, *self._days[day]) for day in history if day in self._days]
        now = [(day, *self._days[day]) for day in run if day in self._days]
        values = _together(sketch for *_, sketch in before)
        breaches = sum(breaching for _, _, breaching, _ in before)
        if not values.total or not breaches or not now:
            return None
        star = values.quantile(1 - breaches / values.total)
        # The bucket's end: what lies above it is counted exactly, before and now.
        end = values.bucket(round(star))[1]
        history_over = values.count_above(end).most
        asked = sum(measured(sketch) * factor(day) for day, *_, sketch in before)
        share = history_over / max(asked, 1.0)
        over = sum(sketch.count_above(end).most for *_, sketch in now)
        expected = sum(measured(sketch) * share * factor(day) for day, *_, sketch in now)
        variance = phi * expected + expected**2 / max(history_over, 1)
        z = (over - 0.5 - expected) / math.sqrt(max(variance, 1e-9))
        above = now[-1][1]
        return Counterfactual(
            above / max(star, 1.0), over, expected, normal_tail(z), above,
            round(float(np.median([limit for _, limit, *_ in before]))), breaches,
        )  # fmt: skip

    def limit_for(self, days: Iterable[int], share: float | None) -> int:
        """Return the least limit that so great a share of some days' account-days is over, at most.

        Without a share it is the one that breached on those days.
        """
        kept = [self._days[day] for day in days if day in self._days]
        values = _together(sketch for _, _, sketch in kept)
        allowed = (
            sum(breaches for _, breaches, _ in kept)
            if share is None
            else math.floor(share * measured(values))
        )
        return values.limit_for(allowed)


def _together(sketches: Iterable[Sketch]) -> Sketch:
    values = Sketch()
    for sketch in sketches:
        values.merge(sketch)
    return values


def _sketch(counts: list[int]) -> Sketch:
    sketch = Sketch()
    sketch.add_counts(np.array(counts, np.int64))
    return sketch
