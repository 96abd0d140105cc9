"""The figures of segments against a plain recount of the values themselves, on both databases."""

import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.sketches.histogram import Sketch
from monitor.core.business_day import day_text
from monitor.store.figures.segments import (
    BEFORE,
    QUANTILES,
    WEEK,
    Distance,
    account_sample,
    distance,
    latest_span,
    quantile,
    segment_figures,
    segment_sums,
    verdicts_of,
)
from monitor.store.intake import Intake
from monitor.store.records import Read, RecordSort
from monitor.store.store import Store
from monitor.systemic.record import SegmentRecord
from monitor.systemic.segment_day import LimitDay, SegmentDay
from tests.support.laws import examples, law
from tests.support.stored import MONDAY, NOW, made_record, read_alert

SEGMENTS = (None, "retail", "a/b?%")
LIMIT_IDS = ("daily-amount", "daily-count")

tried = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example empties the store
)


class Told:
    """A limit of a segment-day, with the values themselves."""

    def __init__(self, rng: random.Random, threshold_id: str) -> None:
        self.threshold_id = threshold_id
        self.above = rng.choice([100, 200])
        self.values = [rng.randrange(1000) for _ in range(rng.randrange(8))]

    @property
    def breaches(self) -> int:
        return sum(value > self.above for value in self.values)

    def limit_day(self) -> LimitDay:
        return LimitDay(self.above, self.breaches, sketch_of(self.values), {})


def sketch_of(values: Sequence[int]) -> Sketch:
    sketch = Sketch()
    sketch.add(np.array(values, np.int64))
    return sketch


class Day:
    """What a partition tells of a segment on a day."""

    def __init__(self, rng: random.Random) -> None:
        self.day = MONDAY + rng.randrange(50)
        self.partition = rng.randrange(2)
        self.segment = rng.choice(SEGMENTS)
        self.account_days = rng.randrange(9)
        self.hot = rng.randrange(3)
        self.limits = [Told(rng, name) for name in LIMIT_IDS if rng.random() < 0.8]

    @property
    def breaches(self) -> int:
        return sum(limit.breaches for limit in self.limits)

    def fields(self) -> dict[str, Any]:
        made = SegmentDay(
            self.day,
            self.segment,
            self.account_days,
            {limit.threshold_id: limit.limit_day() for limit in self.limits},
            self.hot + 1,
            self.hot,
            {},
            {},
        )
        return SegmentRecord(self.partition, 1, made).fields()


def read_of(offset: int, sort: RecordSort, value: Any) -> Read:  # noqa: ANN401 - as Read's
    return Read(sort, f"t.{sort}", 0, offset, NOW, value)


def taken(store: Store, seed: int) -> list[Day]:
    """Empty a store of the topics, take made segment-days, and return those that hold."""
    rng = random.Random(seed)  # noqa: S311 - made data
    days = [Day(rng) for _ in range(rng.randrange(1, 120))]
    intake = Intake(store)
    intake.forget()
    intake.take([read_of(at, RecordSort.SEGMENT_DAY, day.fields()) for at, day in enumerate(days)])
    return list({(day.day, day.partition, day.segment): day for day in days}.values())


def last_of(days: list[Day]) -> int:
    """Return the last day that every partition told of, but for those a week behind."""
    latest: dict[int, int] = {}
    for day in days:
        latest[day.partition] = max(day.day, latest.get(day.partition, 0))
    return min(last for last in latest.values() if last >= max(latest.values()) - 7)


def is_in(day: Day, last: int, *, is_week: bool) -> bool:
    first = last - WEEK + 1 if is_week else last - WEEK - BEFORE + 1
    end = last if is_week else last - WEEK
    return first <= day.day <= end


@tried
@given(seed=st.integers(0, 10**6))
def test_segments_are_counted_as_partitions_told(either_store: Store, seed: int) -> None:
    days = taken(either_store, seed)
    last = last_of(days)
    with either_store.reading() as connection:
        span = latest_span(connection)
        assert span is not None
        found = segment_sums(connection, span)
    assert span == (day_text(last - WEEK - BEFORE + 1), day_text(last - WEEK + 1), day_text(last))
    expected = set()
    for segment in SEGMENTS:
        row: list[int] = []
        for is_week in (True, False):
            its = [d for d in days if d.segment == segment and is_in(d, last, is_week=is_week)]
            row += [
                len({d.day for d in its if d.account_days}),
                sum(d.account_days for d in its),
                sum(d.breaches for d in its),
            ]
        if row[1] or row[4]:
            expected.add((segment or "", *row))
    assert set(found) == expected
    assert [row.account_days for row in found] == sorted(
        (row.account_days for row in found), reverse=True
    )


@tried
@given(seed=st.integers(0, 10**6), segment=st.sampled_from(SEGMENTS))
def test_a_segment_has_what_its_days_came_to(
    either_store: Store, seed: int, segment: str | None
) -> None:
    told = taken(either_store, seed)
    last = last_of(told)
    its = [
        day
        for day in told
        if day.segment == segment
        and (is_in(day, last, is_week=True) or is_in(day, last, is_week=False))
    ]
    with either_store.reading() as connection:
        span = latest_span(connection)
        assert span is not None
        found = segment_figures(connection, segment or "", span)
    if found is None:
        assert its == []
        return
    assert found.left_out == 0
    told_of = [(day.day, (day.account_days, day.breaches, day.hot + 1, day.hot)) for day in its]
    dates = sorted({day.day for day in its}, reverse=True)
    assert list(found.days) == [
        (
            day_text(date),
            *(
                sum(numbers[place] for number, numbers in told_of if number == date)
                for place in range(4)
            ),
        )
        for date in dates
    ]
    limits = {limit.threshold_id: limit for limit in found.limits}
    assert set(limits) == {limit.threshold_id for day in its for limit in day.limits}
    for name, drift in limits.items():
        for span_found, is_week in ((drift.week, True), (drift.before, False)):
            parts = [
                limit
                for day in its
                if is_in(day, last, is_week=is_week)
                for limit in day.limits
                if limit.threshold_id == name
            ]
            if span_found is None:
                assert parts == []
                continue
            values = sorted(value for limit in parts for value in limit.values)
            assert span_found.measured == len(values)
            assert span_found.breaches == sum(limit.breaches for limit in parts)
            limits_of = [limit.above for limit in parts if limit.values]
            assert span_found.lowest == min(limits_of, default=None)
            assert span_found.highest == max(limits_of, default=None)
            for percent in QUANTILES if values else ():
                least, greatest = quantile(span_found.values, percent)
                assert least <= values[percent * (len(values) - 1) // 100] <= greatest


values = st.lists(st.integers(0, 10**12), max_size=40)


@law(200)
@given(first=values, second=values)
def test_the_distance_is_the_greatest_difference_of_shares(
    first: list[int], second: list[int]
) -> None:
    found = distance(sketch_of(first), sketch_of(second))
    if found is None:
        assert not (first and second)
        return
    ends = {sketch_of([value]).bucket(value)[1] for value in [*first, *second]}
    apart = {
        end: Fraction(sum(value <= end for value in first), len(first))
        - Fraction(sum(value <= end for value in second), len(second))
        for end in ends
    }
    assert found.difference == max(map(abs, apart.values()))
    if found.difference:
        assert apart[found.at] == (-found.difference if found.is_higher else found.difference)
    assert distance(sketch_of(second), sketch_of(first)) == (
        found if not found.difference else Distance(found.difference, found.at, not found.is_higher)
    )


def test_the_distance_of_many_values_is_exact() -> None:
    first, second = Sketch(), Sketch()
    first.add_counts(np.array([2**62, 1], np.int64))
    second.add_counts(np.array([2**62, 2], np.int64))
    found = distance(first, second)
    assert found is not None
    assert found.difference == Fraction(2**62, 2**62 + 1) - Fraction(2**62, 2**62 + 2)
    with pytest.raises(ValueError, match="empty"):
        quantile(Sketch(), 50)


def test_a_sketch_of_another_error_is_left_out_and_counted(either_store: Store) -> None:
    rng = random.Random(4)  # noqa: S311 - made data
    intake = Intake(either_store)
    made = []
    for number, error in ((0, 0.02), (1, 0.01)):
        day = Day(rng)
        day.day, day.partition, day.segment = MONDAY + number, 0, "retail"
        day.limits = [Told(rng, "daily-amount")]
        day.limits[0].values = [5, 7]
        fields = day.fields()
        fields["limits"][0]["values"]["relative_error"] = error
        made.append(read_of(number, RecordSort.SEGMENT_DAY, fields))
    intake.take(made)
    with either_store.reading() as connection:
        span = latest_span(connection)
        assert span is not None
        found = segment_figures(connection, "retail", span)
    assert found is not None
    assert found.left_out == 1
    (limit,) = found.limits
    assert limit.week is not None
    assert (limit.week.measured, len(found.days)) == (2, 2)


def test_verdicts_and_samples_are_those_of_the_store(either_store: Store) -> None:
    intake = Intake(either_store)
    with either_store.reading() as connection:
        assert (latest_span(connection), account_sample(connection)) == (None, None)
    names = ["incident-0", "incident-1", "outlier/A1/739621"]
    intake.take([read_alert(at, made_record(name, 1)) for at, name in enumerate(names)])
    intake.take(
        [
            read_of(
                at,
                RecordSort.ACCOUNT_DAY,
                {
                    "account_id": f"A{at}",
                    "business_day": day_text(MONDAY + at // 3),
                    "segment": "x",
                },
            )
            for at in range(6)
        ]
    )
    with either_store.reading() as connection:
        found = [row.alert_id for row in verdicts_of(connection, "retail")]
        whole, part = account_sample(connection), account_sample(connection, 2)
    expected = {name for name in names[:2] if made_record(name, 1).get("segment") == "retail"}
    assert set(found) == expected
    assert expected
    assert whole is not None
    assert part is not None
    assert (len(whole.records), whole.is_all, whole.business_day) == (3, True, day_text(MONDAY + 1))
    assert (len(part.records), part.is_all) == (2, False)
    assert Counter(record["segment"] for record in whole.records) == {"x": 3}
