"""Periods that a gauge measures over: of the calendar, or windows that roll with event time."""

from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from monitor.core.business_day import MICROSECONDS


class PeriodSpan(StrEnum):
    """How long a period is, and where it begins."""

    DAY = "day"
    WEEK = "week"  # of ISO 8601: from Monday on
    MONTH = "month"
    WINDOW = "window"


_DAYS_FROM: Final = 3 * 86_400
"""A window of so many seconds or more is said in days; 24h is no day of a calendar."""

_UNITS: Final = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


class Period(NamedTuple):
    """A period of business days, or a rolling window of `length` microseconds of event time."""

    span: PeriodSpan
    length: int = 0

    @property
    def is_rolling(self) -> bool:
        """Whether it is a window, which ends with each transaction."""
        return self.span is PeriodSpan.WINDOW

    def days_of(self, day: int) -> tuple[int, int]:
        """Return the first and the last business day of the period that a day is in.

        >>> week = Period(PeriodSpan.WEEK).days_of(date(2026, 1, 1).toordinal())
        >>> [date.fromordinal(day).isoformat() for day in week]
        ['2025-12-29', '2026-01-04']
        """
        of_day = date.fromordinal(day)
        if self.span is PeriodSpan.WEEK:
            first = day - of_day.weekday()
            return first, first + 6
        if self.span is PeriodSpan.MONTH:
            first = of_day.replace(day=1).toordinal()
            later = date.fromordinal(first + 31).replace(day=1).toordinal()
            return first, later - 1
        return day, day

    @property
    def text(self) -> str:
        """The period as a policy states it: `week`, or the length of a window as `24h`."""
        if not self.is_rolling:
            return self.span.value
        seconds = self.length // MICROSECONDS
        unit, size = next(
            (unit, size)
            for unit, size in _UNITS
            if seconds % size == 0 and (unit != "d" or seconds >= _DAYS_FROM)
        )
        return f"{seconds // size}{unit}"


class AccountSilence(NamedTuple):
    """So many business days without a transaction, of an account that is `remembered` so long."""

    days: int
    remembered: int

    @property
    def text(self) -> str:
        """The days as a policy states them."""
        return f"{self.days}d"


class AccountUsual(NamedTuple):
    """How much an account usually has: on its last so many `days` with anything.

    They are looked for on the `remembered` business days before a day.
    """

    days: int
    remembered: int


class NearSums(NamedTuple):
    """The sums of a day that are near another limit, in minor units: both ends are included.

    Such days are counted over so many business `days`, of which the last one is near itself; over
    those of the gauge's period if `days` is 0.
    """

    low: int
    high: int
    days: int


DAY: Final = Period(PeriodSpan.DAY)
