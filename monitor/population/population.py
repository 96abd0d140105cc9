"""A population, and the days that are made of it one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from models.arrays import Ints
from monitor.core.money import EXPONENT
from monitor.population.anomalies import anomalous_movements
from monitor.population.behaviour import Accounts, draw_accounts, usual_movements
from monitor.population.faults import LATE_DAYS_MAX, SOUND, with_faults
from monitor.population.incidents import Incident, applied, incidents_of
from monitor.population.movements import USUAL, MadeDay, Movements
from monitor.population.needs import Needs, drawn_needs

ACCOUNTS_MAX: Final = 10_000_000
ANOMALY_SHARE: Final = 0.0012
"""Anomalies an account and day: about one account in 14 has one within 60 days."""

GROWTH_A_DAY: Final = 0.001
REVERSAL_SHARE: Final = 0.002
REVERSED_BEFORE: Final = 82_800
"""Second of the day: the shortest day, where the clocks go forward, ends there."""

DAYS_MAX: Final = 3660

YEAR_FIRST: Final = 1900
YEAR_LAST: Final = 2999
"""Event times outside are none (see `monitor.core.business_day`)."""

_ACCOUNTS, _INCIDENTS, _USUAL, _ANOMALIES, _GIFTS, _REVERSALS, _FAULTS, _NEEDS = range(8)


class PopulationError(ValueError):
    """Arguments that make no population."""


@dataclass(frozen=True)
class Population:
    """A seeded population. Raises PopulationError, with all problems, where there can be none.

    `anomaly_share` is the mean number of anomalies an account and day; amounts grow by the factor
    exp(`growth_a_day`) from day to day; business days begin at midnight in `time_zone`. The first
    `days` of a longer run with the same other arguments are the same.
    """

    accounts: int
    days: int
    seed: int
    start: date = date(2026, 1, 5)
    currency: str = "EUR"
    anomaly_share: float = ANOMALY_SHARE
    with_incidents: bool = False
    with_faults: bool = False
    time_zone: str = "UTC"
    growth_a_day: float = GROWTH_A_DAY
    with_needs: bool = False
    drawn: Accounts = field(init=False, repr=False, compare=False)
    incidents: tuple[Incident, ...] = field(init=False, repr=False, compare=False)
    needs: Needs | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise PopulationError("; ".join(problems))
        object.__setattr__(self, "drawn", draw_accounts(self._rng(_ACCOUNTS), self.accounts))
        incidents = (
            incidents_of(self._rng(_INCIDENTS), self.drawn, self.days)
            if self.with_incidents
            else []
        )
        object.__setattr__(self, "incidents", tuple(incidents))
        needs = drawn_needs(self._rng(_NEEDS), self.drawn) if self.with_needs else None
        object.__setattr__(self, "needs", needs)

    def _problems(self) -> Iterator[str]:
        if not 1 <= self.accounts <= ACCOUNTS_MAX:
            yield f"accounts is {self.accounts}: from 1 to {ACCOUNTS_MAX:,}"
        if not 1 <= self.days <= DAYS_MAX:
            yield f"days is {self.days}: from 1 to {DAYS_MAX}"
        elif not (
            date(YEAR_FIRST, 1, 1).toordinal() + LATE_DAYS_MAX
            < self.start.toordinal()
            < date(YEAR_LAST, 12, 31).toordinal() - self.days
        ):
            yield f"start is {self.start}: its days are to lie in {YEAR_FIRST} to {YEAR_LAST}"
        if self.seed < 0:
            yield f"seed is {self.seed}: from 0 on"
        if not 0 <= self.anomaly_share <= 1:
            yield f"anomalies is {self.anomaly_share:g} an account and day: from 0 to 1"
        if EXPONENT.get(self.currency) != 2:  # noqa: PLR2004 - amounts are made in cents
            yield f"currency is {self.currency!r}: one of two decimals, e.g. EUR"
        if self.time_zone not in available_timezones():
            yield f"time zone is {self.time_zone!r}: not in the IANA list, e.g. Europe/Berlin"

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key))
        )

    def made_days(self) -> Iterator[MadeDay]:
        """Yield each day of the run; memory holds one at a time."""
        made_before = 0
        for number in range(self.days):
            made = self._made_day(number, made_before)
            made_before += made.numbers.size
            yield self._faulted(made, number)

    def _made_day(self, number: int, made_before: int) -> MadeDay:
        day = date.fromordinal(self.start.toordinal() + number)
        movements = Movements.joined(
            [
                self._usual(day, number),
                *anomalous_movements(self._rng(_ANOMALIES, number), self.drawn, self.anomaly_share),
            ]
        )
        for incident in self.incidents:
            if number in incident.days:
                movements = applied(self._rng(_GIFTS, number), incident, self.drawn, movements)
        movements, reverses = _with_reversals(self._rng(_REVERSALS, number), movements)
        count = reverses.size
        begin, end = self._bounds(day)
        return MadeDay(
            day, movements,
            moments=np.minimum(begin + movements.second, end - 1),  # a day may have 23 hours
            numbers=np.arange(made_before, made_before + count),
            reverses=reverses,
            faults=np.full(count, SOUND),
        )  # fmt: skip

    def _usual(self, day: date, number: int) -> Movements:
        growth, rng = self.growth_a_day * number, self._rng(_USUAL, number)
        if self.needs is None:
            return usual_movements(rng, self.drawn, day, growth)
        of_day = self.needs.changed(self.drawn, number)
        usual = usual_movements(rng, of_day, day, growth)
        return self.needs.labelled(usual, self.accounts, number)

    def _faulted(self, made: MadeDay, number: int) -> MadeDay:
        return with_faults(self._rng(_FAULTS, number), made, number) if self.with_faults else made

    def _bounds(self, day: date) -> tuple[int, int]:
        zone = ZoneInfo(self.time_zone)
        begin, end = (
            int(datetime.combine(date.fromordinal(ordinal), time(), zone).timestamp())
            for ordinal in (day.toordinal(), day.toordinal() + 1)
        )
        return begin, end


def _with_reversals(rng: np.random.Generator, movements: Movements) -> tuple[Movements, Ints]:
    """Add reversals, within some hours and the same day, and put all in the order of time.

    Returns the movements, and for each the place of the one that it takes back (or -1). What has
    a label is not taken back: a label stays true.
    """
    count = movements.account.size
    is_reversed = (rng.random(count) < REVERSAL_SHARE) & (movements.label == USUAL)
    reversed_places = np.flatnonzero(is_reversed)
    reversing = movements.taken(reversed_places)
    later = reversing.second + rng.integers(600, 6 * 3600, reversed_places.size)
    is_same_day = later < REVERSED_BEFORE
    reversed_places = reversed_places[is_same_day]
    reversing = reversing._replace(second=later).taken(np.flatnonzero(is_same_day))
    both = Movements.joined([movements, reversing])
    order = np.argsort(both.second, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    reverses = np.full(order.size, -1)
    reverses[place[count + np.arange(reversed_places.size)]] = place[reversed_places]
    return both.taken(order), reverses
