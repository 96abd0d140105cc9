"""A segment's daily share of account-days (over a limit, or hot), watched for a lasting rise.

The test is Page's CUSUM (1954) of the quasi-Poisson likelihood ratio for a rate `rho` times as
great: g <- max(0, g + (k ln rho - lam (rho - 1)) / phi), an alarm where g > h. `lam` is what the
last 28 days lead to expect, `phi` their over-dispersion. Without a rise it runs at least e^h days
between alarms in the mean (Lorden 1971), also where rho is chosen anew each day before k is seen.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from monitor.policy.systemic import LAST_BUSINESS_DAY

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
_LAST_BUSINESS_DAY: Final = "last business day"


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
        kinds.append(_LAST_BUSINESS_DAY)
    return f"weekday {on.weekday()}", kinds


def pay_kinds(pay_days: Iterable[int]) -> frozenset[str]:
    """Return the kinds of days that a policy states as pay-days.

    >>> sorted(pay_kinds([15, -1, 0]))
    ['day 15', 'end 0', 'last business day']
    """
    return frozenset(
        _LAST_BUSINESS_DAY
        if day == LAST_BUSINESS_DAY
        else f"day {day}"
        if day > 0
        else f"end {-day - 1}"
        for day in pay_days
    )


class CalendarFactors:
    """By how much each kind of day multiplies what is expected of one series.

    On a pay-day, of a kind that is `stated`, nothing is asked until its factor is known.

    A factor is (seen + a) / (expected + a) with a = `SHRINK`: the gamma-Poisson posterior mean with
    a prior of mean 1. Of several kinds that a day is in its month, the one furthest from 1 counts.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        # kind -> days seen, cases (older ones faded), what was expected of them, their spread
        self._seen: dict[str, list[float]] = {
            kind: list(sums) for kind, sums in (state or {}).items()
        }
        self.stated: frozenset[str] = frozenset()  # the policy's, so no state

    def is_awaited(self, day: int) -> bool:
        """Return whether a day is a stated pay-day of which too few were seen for a factor."""
        kinds = [kind for kind in kinds_of(day)[1] if kind in self.stated] if self.stated else []
        return bool(kinds) and all(self._seen.get(kind, [0])[0] < SEEN_LEAST for kind in kinds)

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
        seen, cases_before, to, variance = self._seen.get(kind, [0, 0.0, 0.0, 0.0])
        self._seen[kind] = [
            seen + 1,
            cases_before * FADES + cases,
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


RHO: Final = 1.7
RHO_LEAST: Final = 1.3
ALARM: Final = 7.0
"""h: e^7 is 1,097 days between alarms, for each segment and limit."""

HISTORY_DAYS: Final = 28
HISTORY_LEAST: Final = 7
RUN_DAYS_MAX: Final = 7
"""What has not alarmed for so long is history, run or not: so a wrong history mends itself."""

PHI_PRIOR: Final = 1.5
PHI_PRIOR_DAYS: Final = 7
_EXPECTED_LEAST: Final = 0.3
"""In a squared residual over its expectation: below, one case by chance would be the whole sum."""


class DayCount(NamedTuple):
    """Cases of a day, and of how many account-days."""

    day: int
    cases: int
    account_days: int


class ShareReading(NamedTuple):
    """What a day's share says: `expected` cases, their over-dispersion, and the CUSUM then.

    `run` has the days of the run that the CUSUM is in, this one last: where it alarmed, the
    likeliest days of the rise. `factor` is the calendar's part in `expected`.
    """

    today: DayCount
    expected: float
    phi: float
    factor: float
    statistic: float
    alarmed: bool
    run: tuple[DayCount, ...]


class RunDay(NamedTuple):
    """A day and what was expected of it without the calendar; a `paused` one is no history."""

    counted: DayCount
    expected: float
    phi: float
    paused: bool


class ShareSeries:
    """One series of daily counts. Days that alarmed do not become history.

    A day joins the history once its run has ended without an alarm: a rise that takes three days to
    alarm never teaches that it is usual. `adaptive` chooses rho by how much is counted.
    """

    def __init__(self, state: Mapping[str, Any] | None = None, *, adaptive: bool = False) -> None:
        state = state or {}
        self.adaptive = adaptive
        self.history = [DayCount(*count) for count in state.get("history", ())]
        self.run = [_run_day(run_day) for run_day in state.get("run", ())]
        self.aside = [_run_day(run_day) for run_day in state.get("aside", ())]
        self.statistic = float(state.get("statistic", 0.0))
        self.calendar = CalendarFactors(state.get("calendar"))

    def dump(self) -> dict[str, Any]:
        """Return its state, as JSON has it."""
        return {
            "history": [list(count) for count in self.history],
            "run": [[list(count), *rest] for count, *rest in self.run],
            "aside": [[list(count), *rest] for count, *rest in self.aside],
            "statistic": self.statistic,
            "calendar": self.calendar.dump(),
        }

    @property
    def days(self) -> set[int]:
        """The days that it may still be asked about."""
        return {c.day for c in self.history} | {
            run_day.counted.day for run_day in (*self.run, *self.aside)
        }

    def read(self, count: DayCount) -> ShareReading | None:
        """Return what a day says, and change nothing.

        None while there are too few days before, and on a stated pay-day that is to be learned.
        """
        if len(self.history) < HISTORY_LEAST or self.calendar.is_awaited(count.day):
            return None
        share, phi = self._share(), self._phi()
        factor = self.calendar.factor(count.day)
        expected = count.account_days * share * factor
        seen = sum(before.cases for before in self.history)
        spread = phi * (1 + expected / (seen + 1))  # the history is only so well known itself
        rho = _rho(expected, spread) if self.adaptive else RHO
        step = (count.cases * math.log(rho) - expected * (rho - 1)) / spread
        statistic = max(0.0, self.statistic + step)
        before = [run_day.counted for run_day in self.run] if statistic > 0 else []
        return ShareReading(
            count, expected, phi, factor, statistic, statistic > ALARM, (*before, count)
        )

    def learn(self, count: DayCount, reading: ShareReading | None, *, paused: bool) -> None:
        """Take a day in. While `paused` (an incident had it) it does not become history.

        Nor does a stated pay-day that is to be learned: it says by how much such days are more.
        """
        if reading is None:
            if len(self.history) < HISTORY_LEAST:
                self._remember([count])
            elif not paused:
                expected = count.account_days * self._share()
                self.calendar.learn(count.day, count.cases, expected, self._phi())
            return
        self.run.append(RunDay(count, reading.expected / reading.factor, reading.phi, paused))
        self.statistic = 0.0 if reading.alarmed else reading.statistic
        if not self.statistic:
            self._end_run(is_alarmed=reading.alarmed)
        elif len(self.run) > RUN_DAYS_MAX:
            first = self.run.pop(0)
            self._put([first], is_alarmed=False)

    def _end_run(self, *, is_alarmed: bool) -> None:
        self._put(self.run, is_alarmed=is_alarmed)
        self.run = []

    def _put(self, days: list[RunDay], *, is_alarmed: bool) -> None:
        joined = [run_day for run_day in days if not (run_day.paused or is_alarmed)]
        self.aside += [run_day for run_day in days if run_day.paused or is_alarmed]
        self.aside = self.aside[-HISTORY_DAYS:]
        self._remember([run_day.counted for run_day in joined])
        self._learn_calendar(joined)

    def adopt(self) -> None:
        """Take what was set aside as the new usual: it has lasted."""
        if len(self.aside) >= HISTORY_LEAST:
            self.history = [run_day.counted for run_day in self.aside]
        self.aside, self.run, self.statistic = [], [], 0.0

    def settle(self, *, is_calendar: bool) -> None:
        """Forget what was set aside, but what it says of the calendar where that may be its cause.

        A pay-day alarms until it is known; so it is by the days that alarmed that it is learned.
        """
        if is_calendar:
            self._learn_calendar(self.aside)
        self.aside = []

    def _learn_calendar(self, days: list[RunDay]) -> None:
        for count, expected, phi, _ in days:
            self.calendar.learn(count.day, count.cases, expected, phi)

    def _remember(self, counts: list[DayCount]) -> None:
        self.history = [*self.history, *counts][-HISTORY_DAYS:]

    def _share(self) -> float:
        """Return the share of the history on a day that is as any other."""
        return (sum(c.cases for c in self.history) + 0.5) / (
            sum(c.account_days * self.calendar.factor(c.day) for c in self.history) + 1
        )

    def _phi(self) -> float:
        """Return the over-dispersion, shrunk towards 1.5 as by a week of days, and at least 1."""
        share = self._share()
        squares = 0.0
        for count in self.history:
            expected = count.account_days * share * self.calendar.factor(count.day)
            squares += (count.cases - expected) ** 2 / max(expected, _EXPECTED_LEAST)
        prior = PHI_PRIOR_DAYS * PHI_PRIOR
        return max((squares + prior) / (len(self.history) + PHI_PRIOR_DAYS), 1.0)


def _rho(expected: float, phi: float) -> float:
    """Return the least rise, up to `RHO`, that one day can alarm by: where many are counted, less.

    A rise to rho adds about lam (rho - 1)^2 / (2 phi) in a day; that is h here.
    """
    return min(max(1 + math.sqrt(2 * ALARM * phi / max(expected, 1e-9)), RHO_LEAST), RHO)


def _run_day(fields: Sequence[Any]) -> RunDay:
    count, expected, phi, paused = fields
    return RunDay(DayCount(*count), expected, phi, paused)
