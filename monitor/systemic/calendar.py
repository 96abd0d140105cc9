"""The calendar as it is learned: days of the month, month ends and weekdays that are unlike others.

Nobody states pay-days. A kind of day has a factor of its own once two such days have been seen and
together they are clearly off; before that it is as any other day.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

SEEN_LEAST: Final = 2
CLEAR_ABOVE_Z: Final = 2.0
CLEAR_BELOW_Z: Final = 3.0
"""Together so many standard deviations off: nearer, a factor would be noise, and one below 1 would
alarm by it."""

SHRINK: Final = 5.0
"""A factor is shrunk towards 1 as by so many expected cases that came as expected."""

FADES: Final = 0.75
"""What older days of a kind still count when a new one comes: the last four or so decide."""

PHI_MAX: Final = 4.0
"""Of what is asked here: a greater over-dispersion is mostly the calendar that is to be learned."""

_SATURDAY: Final = 5


def kinds_of(day: int) -> tuple[str, list[str]]:
    """Return a day's weekday, and what it is in its month: `day 25`, `end 0`, `last business day`.

    The last three days of a month are counted from its end, too, since months differ in length.
    """
    on = date.fromordinal(day)
    kinds = [f"day {on.day}"]
    to_end = next(
        ahead for ahead in range(31) if date.fromordinal(day + ahead + 1).month != on.month
    )
    if to_end <= 2:  # noqa: PLR2004 - the last three days
        kinds.append(f"end {to_end}")
    rest = (date.fromordinal(day + ahead) for ahead in range(1, to_end + 1))
    if on.weekday() < _SATURDAY and all(later.weekday() >= _SATURDAY for later in rest):
        kinds.append("last business day")
    return f"weekday {on.weekday()}", kinds


class CalendarFactors:
    """By how much each kind of day multiplies what is expected of one series.

    A factor is (seen + a) / (expected + a) with a = `SHRINK`: the gamma-Poisson posterior mean with
    a prior of mean 1. Of several kinds that a day is in its month, the one furthest from 1 counts.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        # kind -> days seen, cases (older ones faded), what was expected of them, their spread
        self._seen: dict[str, list[float]] = {
            kind: list(sums) for kind, sums in (state or {}).items()
        }

    def factor(self, day: int) -> float:
        """Return what multiplies the expected cases of a day; 1 where nothing is known of it."""
        weekday, kinds = kinds_of(day)
        return self._factor(weekday) * self._of_month(kinds)

    def learn(self, day: int, cases: int, expected: float, phi: float) -> None:
        """Take in a day: its cases, and what was expected of it without any factor.

        `phi` is the variance of cases over what is expected of them.
        """
        weekday, kinds = kinds_of(day)
        by_weekday, by_month = self._factor(weekday), self._of_month(kinds)
        self._add(weekday, cases, expected * by_month, phi)
        for kind in kinds:
            self._add(kind, cases, expected * by_weekday, phi)

    def dump(self) -> dict[str, Any]:
        """Return its state, as JSON has it."""
        return {kind: list(sums) for kind, sums in sorted(self._seen.items())}

    def _add(self, kind: str, cases: int, expected: float, phi: float) -> None:
        seen, of, to, variance = self._seen.get(kind, [0, 0.0, 0.0, 0.0])
        self._seen[kind] = [
            seen + 1,
            of * FADES + cases,
            to * FADES + expected,
            variance * FADES**2 + min(phi, PHI_MAX) * expected,
        ]

    def _factor(self, kind: str) -> float:
        seen, cases, expected, variance = self._seen.get(kind, [0, 0.0, 0.0, 0.0])
        clear = CLEAR_ABOVE_Z if cases > expected else CLEAR_BELOW_Z
        if seen < SEEN_LEAST or abs(cases - expected) < clear * max(variance, 1.0) ** 0.5:
            return 1.0
        return (cases + SHRINK) / (expected + SHRINK)

    def _of_month(self, kinds: list[str]) -> float:
        factors = [self._factor(kind) for kind in kinds]
        return max(factors, key=lambda factor: max(factor, 1 / factor))
