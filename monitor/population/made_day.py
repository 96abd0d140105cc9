"""A population, and the days that are made of it one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from monitor.core.money import EXPONENT
from monitor.population.anomaly import anomalous_movements
from monitor.population.behaviour import Accounts, draw_accounts
from monitor.population.incident import Incident, applied, incidents_of
from monitor.population.movements import Movements
from monitor.population.usual import usual_movements

ACCOUNTS_MAX: Final = 10_000_000
ANOMALY_SHARE: Final = 0.0012
"""Anomalies an account and day: about one account in 14 has one within 60 days."""

REVERSAL_SHARE: Final = 0.002

_ACCOUNTS, _INCIDENTS, _USUAL, _ANOMALIES, _GIFTS, _REVERSALS = range(6)


class PopulationError(ValueError):
    """Arguments that make no population."""


class MadeDay(NamedTuple):
    """One day: its movements in the order of time, and the place that each takes back (or -1)."""

    day: date
    movements: Movements
    reverses: np.ndarray


@dataclass(frozen=True)
class Population:
    """A seeded population. Raises PopulationError where the arguments make none."""

    accounts: int
    days: int
    seed: int
    start: date = date(2026, 1, 5)
    currency: str = "EUR"
    anomaly_share: float = ANOMALY_SHARE
    with_incidents: bool = False
    drawn: Accounts = field(init=False, repr=False, compare=False)
    incidents: tuple[Incident, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = []
        if not 1 <= self.accounts <= ACCOUNTS_MAX:
            problems.append(f"accounts is {self.accounts}: from 1 to {ACCOUNTS_MAX:,}")
        if not 1 <= self.days <= 3660:  # noqa: PLR2004 - ten years
            problems.append(f"days is {self.days}: from 1 to 3660")
        if self.seed < 0:
            problems.append(f"seed is {self.seed}: from 0 on")
        if not 0 <= self.anomaly_share <= 1:
            problems.append(f"anomalies is {self.anomaly_share}: a share from 0 to 1")
        if EXPONENT.get(self.currency) != 2:  # noqa: PLR2004 - amounts are made in cents
            problems.append(f"currency is {self.currency}: one of two decimals, e.g. EUR")
        if problems:
            raise PopulationError("; ".join(problems))
        object.__setattr__(self, "drawn", draw_accounts(self._rng(_ACCOUNTS), self.accounts))
        incidents = (
            incidents_of(self._rng(_INCIDENTS), self.drawn, self.days)
            if self.with_incidents
            else []
        )
        object.__setattr__(self, "incidents", tuple(incidents))

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key))
        )

    def made_days(self) -> Iterator[MadeDay]:
        """Yield each day of the run; memory holds one at a time."""
        for number in range(self.days):
            yield self._made_day(number)

    def _made_day(self, number: int) -> MadeDay:
        day = date.fromordinal(self.start.toordinal() + number)
        movements = Movements.joined(
            [
                usual_movements(self._rng(_USUAL, number), self.drawn, day, number),
                *anomalous_movements(self._rng(_ANOMALIES, number), self.drawn, self.anomaly_share),
            ]
        )
        for incident in self.incidents:
            if number in incident.days:
                movements = applied(self._rng(_GIFTS, number), incident, self.drawn, movements)
        return _with_reversals(self._rng(_REVERSALS, number), day, movements)


def _with_reversals(rng: np.random.Generator, day: date, movements: Movements) -> MadeDay:
    """Add reversals, within some hours and the same day, and put all in the order of time."""
    count = movements.account.size
    reversed_places = np.flatnonzero(rng.random(count) < REVERSAL_SHARE)
    reversing = movements.taken(reversed_places)
    later = reversing.second + rng.integers(600, 6 * 3600, reversed_places.size)
    is_same_day = later < 86_400  # noqa: PLR2004 - seconds of a day
    reversed_places = reversed_places[is_same_day]
    reversing = reversing._replace(second=later).taken(np.flatnonzero(is_same_day))
    both = Movements.joined([movements, reversing])
    order = np.argsort(both.second, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    reverses = np.full(order.size, -1)
    reverses[place[count + np.arange(reversed_places.size)]] = place[reversed_places]
    return MadeDay(day, both.taken(order), reverses)
