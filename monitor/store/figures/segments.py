"""Answers how segments of accounts do: their closed days, and this week against those before.

Partitions tell of each closed business day by segment; what they tell adds up. Amounts stay whole
numbers, minor units or transactions, and so do the quantiles: a sketch knows in which bucket of
values one lies, and both ends of it are told.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, Row, case, func, select

from models.sketches.histogram import Sketch
from monitor.core.business_day import day_of_text, day_text
from monitor.store.schema import IS_SYSTEMIC, account_days, alerts, segment_days
from monitor.systemic.assembly import SILENT_DAYS

WEEK: Final = 7
BEFORE: Final = 28
"""Calendar days: a week up to the last closed business day of all, and the days before it."""

QUANTILES: Final = (50, 90, 99)
"""In per cent."""

SAMPLE_MAX: Final = 2000
"""Account-days that a description is made of, at most."""


class Span(NamedTuple):
    """Business days (texts): the week from `week` to `last`, and those before, from `first` on."""

    first: str
    week: str
    last: str


def latest_span(connection: Connection) -> Span | None:
    """Return the latest week that partitions told of, and the weeks before; None without any.

    It ends with the last day that every partition told of; one that is more than a week behind the
    others is not waited for, as nobody else waits for it.
    """
    its = segment_days.c
    latest: str | None = connection.execute(select(func.max(its.business_day))).scalar()
    if latest is None:
        return None
    awaited = day_text(day_of_text(latest) - SILENT_DAYS)
    last_of = select(func.max(its.business_day)).where(its.business_day >= awaited)
    last = min(connection.execute(last_of.group_by(its.partition)).scalars())
    number = day_of_text(last)
    return Span(day_text(number - WEEK - BEFORE + 1), day_text(number - WEEK + 1), last)


class ReportedDay(NamedTuple):
    """A closed business day, as the partitions of the transactions topic report it."""

    business_day: str
    partitions: Sequence[int]
    account_days: int
    breaches: int


def closed_days(connection: Connection, limit: int = 14) -> list[ReportedDay]:
    """Return what partitions say of the latest business days, the latest first.

    A partition without any account-day on a day is not among its partitions.
    """
    columns = segment_days.c
    latest = select(columns.business_day).distinct()
    days = connection.execute(latest.order_by(columns.business_day.desc()).limit(limit)).scalars()
    sums = select(
        columns.business_day,
        columns.partition,
        func.sum(columns.account_days),
        func.sum(columns.breaches),
    ).where(columns.business_day.in_(days.all()))
    found: dict[str, list[tuple[int, int, int]]] = {}
    for day, *counted in connection.execute(sums.group_by(columns.business_day, columns.partition)):
        found.setdefault(day, []).append((counted[0], int(counted[1]), int(counted[2])))
    return [
        ReportedDay(
            day,
            sorted(partition for partition, _, _ in its),
            sum(account_days for _, account_days, _ in its),
            sum(breaches for _, _, breaches in its),
        )
        for day, its in sorted(found.items(), reverse=True)
    ]


class SegmentSums(NamedTuple):
    """A segment's counts (empty name: accounts without one), of the week and of the days before.

    Days are those with an active account; breaches are account-days over a limit, of all limits.
    """

    segment: str
    days: int
    account_days: int
    breaches: int
    days_before: int
    account_days_before: int
    breaches_before: int


def segment_sums(connection: Connection, span: Span) -> list[SegmentSums]:
    """Return the counts of every segment of the span, those with most account-days first."""
    columns = segment_days.c
    is_week = columns.business_day >= span.week
    is_active = columns.account_days > 0

    def summed(column: Any, condition: Any) -> Any:  # noqa: ANN401 - expressions
        return func.coalesce(func.sum(case((condition, column), else_=0)), 0)

    def days(condition: Any) -> Any:  # noqa: ANN401 - expressions
        return func.count(func.distinct(case((condition & is_active, columns.business_day))))

    chosen = (
        select(
            columns.segment,
            *(
                number
                for condition in (is_week, ~is_week)
                for number in (
                    days(condition),
                    summed(columns.account_days, condition),
                    summed(columns.breaches, condition),
                )
            ),
        )
        .where(columns.business_day.between(span.first, span.last))
        .group_by(columns.segment)
    )
    rows = [SegmentSums(row[0], *map(int, row[1:])) for row in connection.execute(chosen)]
    return sorted(
        (row for row in rows if row.account_days or row.account_days_before),
        key=lambda row: (-row.account_days, -row.account_days_before, row.segment),
    )


class _Values(msgspec.Struct):
    relative_error: float
    buckets: list[int]
    counts: list[int]


class _LimitDay(msgspec.Struct):
    threshold_id: str
    above: int
    breaches: int
    values: _Values


class _Record(msgspec.Struct):
    business_day: str
    account_days: int
    known: int
    hot: int
    limits: list[_LimitDay]


_decode: Final = msgspec.json.Decoder(_Record).decode


class LimitSpan:
    """What the account-days of some days came to at a limit.

    `lowest` and `highest` are the limits that were in force (minor units, or transactions);
    `values` has the value of each account-day that the limit watched.
    """

    def __init__(self, relative_error: float) -> None:
        self.relative_error = relative_error
        self.breaches = 0
        self.lowest: int | None = None
        self.highest: int | None = None
        self._buckets: list[int] = []
        self._counts: list[int] = []

    @cached_property
    def values(self) -> Sketch:
        """The values of all that was added; nothing may be added after it was asked for."""
        counts = np.zeros(max(self._buckets, default=-1) + 1, np.int64)
        np.add.at(counts, self._buckets, self._counts)
        values = Sketch(self.relative_error)
        values.add_counts(counts)
        return values

    @property
    def measured(self) -> int:
        """The account-days that the limit watched."""
        return self.values.total

    def add(self, limit: _LimitDay) -> None:
        """Count what a part of a segment-day says."""
        self._buckets += limit.values.buckets
        self._counts += limit.values.counts
        self.breaches += limit.breaches
        if limit.values.counts:
            self.lowest = limit.above if self.lowest is None else min(self.lowest, limit.above)
            self.highest = limit.above if self.highest is None else max(self.highest, limit.above)


class DaySums(NamedTuple):
    """A business day of a segment."""

    business_day: str
    account_days: int
    breaches: int
    known: int
    hot: int


class LimitDrift(NamedTuple):
    """A limit in the week and in the days before; None if it watched nothing then."""

    threshold_id: str
    week: LimitSpan | None
    before: LimitSpan | None


class SegmentFigures(NamedTuple):
    """A segment over a span: its days, the latest first, and its limits by their ids.

    `left_out` counts what other sketches say that cannot be added up with the latest ones.
    """

    days: Sequence[DaySums]
    limits: Sequence[LimitDrift]
    left_out: int


def segment_figures(connection: Connection, segment: str, span: Span) -> SegmentFigures | None:
    """Return what the days of a segment came to; None if nothing is told of it in the span."""
    days: dict[str, list[int]] = {}
    limits: dict[str, list[LimitSpan | None]] = {}
    error: float | None = None
    left_out = 0
    for record in _records(connection, segment, span):
        is_before = record.business_day < span.week
        sums = days.setdefault(record.business_day, [0, 0, 0, 0])
        breaches = sum(limit.breaches for limit in record.limits)
        told = (record.account_days, breaches, record.known, record.hot)
        days[record.business_day] = [*map(sum, zip(sums, told, strict=True))]
        for limit in record.limits:
            error = limit.values.relative_error if error is None else error
            if limit.values.relative_error != error:
                left_out += 1
                continue
            spans = limits.setdefault(limit.threshold_id, [None, None])
            its = spans[is_before]
            if its is None:
                its = spans[is_before] = LimitSpan(error)
            its.add(limit)
    if not days:
        return None
    return SegmentFigures(
        [DaySums(day, *sums) for day, sums in days.items()],
        [LimitDrift(name, *spans) for name, spans in sorted(limits.items())],
        left_out,
    )


def _records(connection: Connection, segment: str, span: Span) -> Iterator[_Record]:
    """Yield what partitions told of a segment, the latest day first."""
    columns = segment_days.c
    chosen = (
        select(columns.record)
        .where(columns.business_day.between(span.first, span.last), columns.segment == segment)
        .order_by(columns.business_day.desc(), columns.partition, columns.part)
    )
    for record in connection.execute(chosen).scalars():
        yield _decode(record)


def quantile(values: Sketch, percent: int) -> tuple[int, int]:
    """Return the least and the greatest value of the bucket that a quantile is in.

    It is the value at place floor(percent * (total - 1) / 100) of all in order, from place 0 on.
    Raises ValueError for an empty sketch.
    """
    if not values.total:
        raise ValueError("an empty sketch has no quantile")
    place = percent * (values.total - 1) // 100
    return values.bounds(int(np.searchsorted(np.cumsum(values.counts), place, side="right")))


class Distance(NamedTuple):
    """How far two sketches are apart: the greatest difference of their shares at or below a value.

    That is the statistic of Kolmogorov and Smirnov over the ends of the buckets; `at` is the value
    where it is, and `is_higher` whether the first has fewer at or below it: it lies higher.
    """

    difference: Fraction
    at: int
    is_higher: bool


def distance(first: Sketch, second: Sketch) -> Distance | None:
    """Return how far two sketches of one error are apart; None if one is empty."""
    if not (first.total and second.total):
        return None
    size = max(first.counts.size, second.counts.size)
    sums = [
        np.cumsum(np.pad(sketch.counts, (0, size - sketch.counts.size))).tolist()
        for sketch in (first, second)
    ]
    # Whole numbers of Python's own: a product of two counts may outgrow 64 bits.
    apart = [below * second.total - other * first.total for below, other in zip(*sums, strict=True)]
    place = max(range(size), key=lambda number: abs(apart[number]))
    return Distance(
        Fraction(abs(apart[place]), first.total * second.total),
        first.bounds(place)[1],
        apart[place] < 0,
    )


def verdicts_of(connection: Connection, segment: str, limit: int = 20) -> Sequence[Row[Any]]:
    """Return the latest systemic alerts about a segment, the latest business day first.

    Those that name no segment are about all of them, and are not among these.
    """
    chosen = select(alerts).where(IS_SYSTEMIC, alerts.c.segment == segment)
    return connection.execute(
        chosen.order_by(alerts.c.business_day.desc(), alerts.c.alert_id).limit(limit)
    ).all()


class AccountSample(NamedTuple):
    """Records of account-days of one closed day, of any segments."""

    business_day: str
    records: Sequence[Mapping[str, Any]]
    is_all: bool


def account_sample(connection: Connection, limit: int = SAMPLE_MAX) -> AccountSample | None:
    """Return account-days of the latest closed day, so many at most; None if none is known."""
    its = account_days.c
    day: str | None = connection.execute(select(func.max(its.business_day))).scalar()
    if day is None:
        return None
    chosen = select(its.record).where(its.business_day == day).limit(limit + 1)
    records = [msgspec.json.decode(record) for record in connection.execute(chosen).scalars()]
    return AccountSample(day, records[:limit], len(records) <= limit)
