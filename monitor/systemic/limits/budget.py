"""Compare limits with the breach budget that the policy states, from their first day on.

The share test compares a segment with its own history alone, so a limit that was always wrong is
its usual. Here the measured values of the last whole weeks are compared with the budget: far too
many account-days are over a limit even a quarter higher, or far too few over one a quarter lower.
Whole weeks have every weekday equally often; variance is that of the days (quasi-Poisson).
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from models.sketches.histogram import VALUE_MAX, Sketch
from monitor.systemic.segment_day import measured
from monitor.systemic.tails import gamma_poisson_tail, normal_tail

TOLERATED: Final = Fraction(5, 4)
"""A limit is right if the one that the budget asks for is within so many times of it."""

FALSE_LOOKS: Final = 1e-5
"""The probability of a look at most. A limit is looked at once a day: of 1,000 days at the very
edge of the tolerated, one in a hundred limits is told wrongly at most, however looks depend."""

DAYS_LEAST: Final = 14
WEEKS_MAX: Final = 4
SUGGESTED_LEAST: Final = 10
"""Account-days that the budget allows: from fewer, no quantile so far out is known."""

_PHI_PRIOR: Final = 1.5
_PHI_PRIOR_DAYS: Final = 7
_PHI_LEAST: Final = 1.01
_EXPECTED_LEAST: Final = 0.3

ValuesOfDays = Sequence[tuple[int, int, Sketch]]
"""Business days in order, each with its breaches and the measured values of its account-days."""


class OffBudget(NamedTuple):
    """A limit that is clearly off its breach budget: too low where `is_exceeded`, else too high.

    `share` of the `account_days` was over the limit on the days counted, from `began` on.
    `probability` is that of so many account-days over `asked`, the limit at the edge of the
    tolerated (or of so few). `suggested` restores the budget; None if the days allow too few
    account-days to know. Limits are in minor units, or transactions.
    """

    above: int
    budget: float
    is_exceeded: bool
    breaches: int
    account_days: int
    days: int
    began: int
    asked: int
    phi: float
    probability: float
    suggested: int | None

    @property
    def share(self) -> float:
        """The share of account-days over the limit."""
        return self.breaches / self.account_days

    @property
    def ratio(self) -> float | None:
        """The limit over the one that the budget asks for."""
        return None if self.suggested is None else self.above / max(self.suggested, 1)


class BudgetWatch:
    """Which limit was told to be off which budget, so that each is told once."""

    def __init__(self, state: Iterable[Sequence[Any]] = ()) -> None:
        self._told: dict[tuple[str | None, str], tuple[int, float]] = {
            (segment, threshold_id): (above, budget)
            for segment, threshold_id, above, budget in state
        }

    def dump(self) -> list[list[Any]]:
        """Return its state, as JSON has it."""
        ordered = sorted(self._told.items(), key=lambda item: (item[0][0] or "", item[0]))
        return [[*about, *told] for about, told in ordered]

    def forget_other(self, segment: str | None, threshold_id: str, above: int) -> None:
        """Forget what was told of a limit when it was another one."""
        if self._told.get((segment, threshold_id), (above,))[0] != above:
            del self._told[segment, threshold_id]

    def is_told(self, segment: str | None, threshold_id: str, above: int, budget: float) -> bool:
        """Return whether a limit was told to be off a budget."""
        return self._told.get((segment, threshold_id)) == (above, budget)

    def note(self, segment: str | None, threshold_id: str, found: OffBudget) -> None:
        """Note that a limit is told."""
        self._told[segment, threshold_id] = found.above, found.budget


def off_budget(of_days: ValuesOfDays, above: int, budget: float) -> OffBudget | None:
    """Return what the last whole weeks of some days say of a limit; None if it may be right.

    `of_days` has the days under this very limit; None, too, while they are too few.
    """
    if not of_days:
        return None
    last = of_days[-1][0]
    weeks = min((last - of_days[0][0] + 1) // 7, WEEKS_MAX)
    of_days = [of_day for of_day in of_days if of_day[0] > last - 7 * weeks]
    among = [measured(values) for *_, values in of_days]
    account_days = sum(among)
    if len(of_days) < DAYS_LEAST or not account_days:
        return None
    allowed = budget * account_days
    breaches = sum(count for _, count, _ in of_days)
    is_exceeded = breaches > allowed
    asked = edge_of(above, is_exceeded=is_exceeded)
    over = [values.count_above(asked) for *_, values in of_days]
    # What a bucket leaves open is taken for the limit.
    cases = [count.least if is_exceeded else count.most for count in over]
    phi = _phi([day for day, *_ in of_days], cases, among)
    probability = _probability(sum(cases), allowed, phi, is_exceeded=is_exceeded)
    if probability > FALSE_LOOKS:
        return None
    together = Sketch()
    for *_, values in of_days:
        together.merge(values)
    suggested = together.limit_for(math.floor(allowed)) if allowed >= SUGGESTED_LEAST else None
    return OffBudget(
        above,
        budget,
        is_exceeded,
        breaches,
        account_days,
        len(of_days),
        of_days[0][0],
        asked,
        phi,
        probability,
        suggested,
    )


def edge_of(above: int, *, is_exceeded: bool) -> int:
    """Return the greatest limit that is tolerated in place of one, or else the least.

    It is a step away at least: a limit of few transactions has no room for a quarter.
    """
    if is_exceeded:
        return min(max(math.ceil(above * TOLERATED), above + 1), VALUE_MAX)
    return max(min(math.floor(above / TOLERATED), above - 1), 0)


def _probability(cases: int, allowed: float, phi: float, *, is_exceeded: bool) -> float:
    """Return the probability of so many cases or more, or else of so few or fewer.

    The normal tail is the greater one below the mean, and the lesser one above it.
    """
    if is_exceeded:
        return gamma_poisson_tail(cases, allowed, allowed / (phi - 1))
    return normal_tail((allowed - cases - 0.5) / math.sqrt(phi * allowed))


def _phi(days: Sequence[int], cases: Sequence[int], among: Sequence[int]) -> float:
    """Return the over-dispersion of days around the share of their weekday.

    It is shrunk towards 1.5 as by a week of days.
    """
    of_weekday: dict[int, list[int]] = {}
    for place, day in enumerate(days):
        of_weekday.setdefault(day % 7, []).append(place)
    squares = 0.0
    for places in of_weekday.values():
        share = sum(cases[n] for n in places) / max(sum(among[n] for n in places), 1)
        squares += sum(
            (cases[n] - share * among[n]) ** 2 / max(share * among[n], _EXPECTED_LEAST)
            for n in places
        )
    freedom = len(days) - len(of_weekday)
    return max((squares + _PHI_PRIOR_DAYS * _PHI_PRIOR) / (freedom + _PHI_PRIOR_DAYS), _PHI_LEAST)
