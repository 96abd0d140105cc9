"""The share of a segment: rises alarm, the calendar is learned, alarmed days teach nothing."""

from datetime import date

import numpy as np
import pytest

from monitor.systemic.share import (
    HISTORY_LEAST,
    CalendarFactors,
    DayCount,
    ShareReading,
    ShareSeries,
    kinds_of,
    pay_kinds,
)

FIRST = date(2026, 1, 5).toordinal()


def observed(series: ShareSeries, day: int, cases: int, among: int = 2_000) -> ShareReading | None:
    count = DayCount(FIRST + day, cases, among)
    reading = series.read(count)
    series.learn(count, reading, paused=False)
    return reading


def quiet(days: int, seed: int = 1, mean: float = 20) -> ShareSeries:
    series = ShareSeries()
    rng = np.random.default_rng(seed)
    for day in range(days):
        observed(series, day, int(rng.poisson(mean)))
    return series


def test_nothing_is_said_before_a_week_of_history() -> None:
    series = ShareSeries()
    said = [observed(series, day, 20) is not None for day in range(HISTORY_LEAST + 1)]
    assert said == [False] * HISTORY_LEAST + [True]


def test_a_day_twice_as_high_three_times_alarms_and_a_usual_one_never() -> None:
    rng = np.random.default_rng(3)
    series = ShareSeries()
    quiet_days = [observed(series, day, int(rng.poisson(20))) for day in range(200)]
    assert not any(reading.alarmed for reading in quiet_days if reading)
    readings = [observed(series, 200 + day, 40) for day in range(3)]
    assert any(reading is not None and reading.alarmed for reading in readings)


def test_reading_changes_nothing() -> None:
    series = quiet(20)
    before = series.dump()
    series.read(DayCount(FIRST + 20, 90, 2_000))
    assert series.dump() == before


def test_days_that_alarmed_and_those_that_led_there_are_no_history() -> None:
    series = quiet(20)
    history = list(series.history)
    for day in range(20, 26):
        observed(series, day, 60)
    assert series.history[: len(history)] == history
    assert all(count.cases < 60 for count in series.history)


def test_what_lasts_is_adopted() -> None:
    series = quiet(20)
    for day in range(20, 34):
        observed(series, day, 60)
    series.adopt()
    reading = observed(series, 34, 60)
    assert reading is not None
    assert not reading.alarmed
    assert reading.expected == pytest.approx(60, rel=0.05)


def test_a_small_rise_of_many_alarms_on_the_day_where_rho_adapts() -> None:
    counts = [DayCount(FIRST + day, 400, 8_000) for day in range(20)]
    alarmed = {}
    for adaptive in (False, True):
        series = ShareSeries(adaptive=adaptive)
        for count in counts:
            series.learn(count, series.read(count), paused=False)
        reading = series.read(DayCount(FIRST + 20, 540, 8_000))
        alarmed[adaptive] = reading is not None and reading.alarmed
    assert alarmed == {False: False, True: True}


def test_kinds_of_days() -> None:
    assert kinds_of(date(2026, 2, 27).toordinal()) == (
        "weekday 4",
        ["day 27", "end 1", "last business day"],
    )
    assert kinds_of(date(2026, 2, 28).toordinal()) == ("weekday 5", ["day 28", "end 0"])
    assert kinds_of(date(2026, 4, 30).toordinal()) == (
        "weekday 3",
        ["day 30", "end 0", "last business day"],
    )
    assert kinds_of(date(2026, 1, 15).toordinal()) == ("weekday 3", ["day 15"])


def test_a_month_end_has_a_factor_once_two_were_seen() -> None:
    calendar = CalendarFactors()
    ends = [date(2026, month, day).toordinal() for month, day in ((1, 31), (2, 28), (3, 31))]
    factors = []
    for day in ends:
        factors.append(calendar.factor(day))
        calendar.learn(day, 200, 40.0, 1.0)
    assert factors[:2] == [1.0, 1.0]
    assert factors[2] > 3.5
    assert calendar.factor(date(2026, 4, 15).toordinal()) == 1.0
    assert CalendarFactors(calendar.dump()).factor(ends[2]) == calendar.factor(ends[2])


def pay_day(day: int) -> bool:
    return date.fromordinal(FIRST + day).day == 25


@pytest.mark.parametrize("stated", [frozenset(), pay_kinds([25])])
def test_a_stated_pay_day_is_silent_until_two_were_seen(stated: frozenset[str]) -> None:
    series = quiet(10)
    series.calendar.stated = stated
    rng = np.random.default_rng(7)
    said: dict[int, ShareReading | None] = {}
    for day in range(10, 120):
        reading = observed(series, day, int(rng.poisson(80 if pay_day(day) else 20)))
        assert reading is not None or pay_day(day)
        if pay_day(day):
            said[day] = reading
            if reading is None:
                assert all(count.day != FIRST + day for count in series.history)
            else:
                series.settle(is_calendar=True)
    readings = list(said.values())
    assert len(readings) == 4
    if stated:
        assert readings[:2] == [None, None]
        assert [reading.factor > 3 for reading in readings[2:] if reading] == [True, True]
        assert not any(reading.alarmed for reading in readings if reading)
    else:
        assert [reading is not None and reading.alarmed for reading in readings[:2]] == [True, True]


def test_a_stated_pay_day_alarms_if_it_is_more_than_pay_days_are() -> None:
    series = quiet(10)
    series.calendar.stated = pay_kinds([25])
    days = [day for day in range(10, 90) if pay_day(day)]
    readings = [
        observed(series, day, (60 if day != days[-1] else 300) if pay_day(day) else 20)
        for day in range(10, days[-1] + 1)
    ]
    last = readings[-1]
    assert last is not None
    assert last.alarmed


def test_pay_days_that_are_not_stated_change_nothing() -> None:
    """As do stated ones on other days: the state is the same up to the first of them."""
    plain, stated = quiet(15), quiet(15)
    stated.calendar.stated = pay_kinds([31, -1, 0])
    assert [observed(plain, 15, 30), plain.dump()] == [observed(stated, 15, 30), stated.dump()]
