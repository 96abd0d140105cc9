"""What the segments of one partition did on a day that closes: all account-days at once, by column.

It is done once a day, so that a record costs nothing more; and it counts what stands when the day
closes, so late and reversing transactions are in it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.sketch import VALUE_MAX, Sketch
from monitor.core.account import COUNT_CREDIT, COUNT_DEBIT, ZERO, AccountDay
from monitor.core.names import KINDS_MAX, OTHERS, SEGMENTS_MAX, within
from monitor.core.threshold import LimitSet, Threshold, places_of, scope_of
from monitor.systemic.segment_day import CAUSE_TYPES, INSTITUTION, LimitDay, SegmentDay

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TOTALS: Final = ZERO + 1
"""Numbers in the totals of one currency."""

SUM_MAX: Final = VALUE_MAX // 2
"""A total is taken for this at most, so that two of them add up within 64 bits."""


class Usual(NamedTuple):
    """Of which account-days the models know the usual, and which of them are far above it."""

    is_known: Bools
    is_hot: Bools


class _Rows(NamedTuple):
    """The totals of account-days, a row for each currency of each.

    `of` is the place of the row's account-day; `currencies` has the number of each currency.
    """

    of: Ints
    currency: Ints
    totals: Ints
    currencies: dict[str, int]


class _Limit(NamedTuple):
    """What is counted of one limit in one segment."""

    above: int
    values: list[Ints]
    causes: Counter[tuple[str, str]]
    breaches: list[int]


def segment_days_of(
    day: int,
    account_days: Sequence[AccountDay],
    limits: LimitSet,
    usual: Usual | None,
    hot_payers: Mapping[tuple[str | None, str], int],
    rejections: Mapping[tuple[str | None, str, str], int],
) -> tuple[SegmentDay, ...]:
    """Return the segments of a day, by name; a day of nothing is one of no segment, all zeros.

    An account-day is active where a transaction of it stands: what was taken back is not. Limits
    for one account are left out: they say nothing of many. `hot_payers` are by (segment,
    institution), `rejections` by (segment, reason, branch).

    The `SEGMENTS_MAX` greatest segments are told apart, and in each the `KINDS_MAX` most frequent
    names of a kind; all others are counted as `OTHERS`.
    """
    rows = _rows_of(account_days)
    seen = Counter(of.segment for of in account_days)
    seen.update({key[0]: 0 for key in [*hot_payers, *rejections]})
    told_apart = within(seen, SEGMENTS_MAX, lambda _: OTHERS).keys()
    payers = _by_told_apart(hot_payers, told_apart)
    rejected = _by_told_apart(rejections, told_apart)
    is_active = _is_active(rows, len(account_days))
    counted: dict[str | None, dict[str, _Limit]] = {}
    places: dict[str | None, list[Ints]] = {}
    for group in _by_watches(account_days):
        segment = account_days[int(group[0])].segment
        if segment not in told_apart:
            segment = OTHERS
        active = group[is_active[group]]
        places.setdefault(segment, []).append(active)
        _count(counted.setdefault(segment, {}), account_days, active, limits, rows)
    names = {*places, *payers, *rejected} or {None}
    return tuple(
        _segment_day(
            day, segment, places.get(segment, []), counted.get(segment, {}), usual,
            {(INSTITUTION, name): n for (name,), n in payers.get(segment, {}).items()},
            {(why, branch): n for (why, branch), n in rejected.get(segment, {}).items()},
        )
        for segment in sorted(names, key=lambda name: name or "")
    )  # fmt: skip


def others_in(of_day: Iterable[SegmentDay]) -> Counter[str]:
    """Return how much of a day was counted as `OTHERS`, by table."""
    counts: Counter[str] = Counter()
    for of in of_day:
        if of.segment == OTHERS:
            counts["segment-days"] += of.account_days
        causes = [limit.causes for limit in of.limits.values()]
        for table in (of.hot_payers, of.rejections, *causes):
            counts["causes"] += sum(n for (_, name), n in table.items() if name == OTHERS)
    return +counts


def _by_told_apart(
    counts: Mapping[Any, int], told_apart: Collection[str | None]
) -> dict[str | None, Counter[tuple[str, ...]]]:
    """Return counts, whose keys begin with a segment, by segment: `OTHERS` for further ones."""
    by_segment: dict[str | None, Counter[tuple[str, ...]]] = {}
    for (segment, *rest), count in counts.items():
        under = segment if segment in told_apart else OTHERS
        by_segment.setdefault(under, Counter())[tuple(rest)] += count
    return by_segment


def _named(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return counts by (type, name) within their bound, in order."""
    kept = within(counts, KINDS_MAX, lambda key: (key[0], OTHERS))
    return dict(sorted(kept.items()))


def _segment_day(  # noqa: PLR0913, PLR0917 - what it is made of, each by itself
    day: int,
    segment: str | None,
    places: list[Ints],
    counted: Mapping[str, _Limit],
    usual: Usual | None,
    hot_payers: dict[tuple[str, str], int],
    rejections: dict[tuple[str, str], int],
) -> SegmentDay:
    active = np.concatenate([np.empty(0, np.int64), *places])
    known, hot = (0, 0) if usual is None else (int(of[active].sum()) for of in usual)
    return SegmentDay(
        day=day,
        segment=segment,
        account_days=active.size,
        limits={name: _limit_day(counted[name]) for name in sorted(counted)},
        known=known,
        hot=hot,
        hot_payers=_named(hot_payers),
        rejections=_named(rejections),
    )


def _limit_day(limit: _Limit) -> LimitDay:
    values = Sketch()
    values.add(np.concatenate(limit.values))
    return LimitDay(limit.above, sum(limit.breaches), values, _named(limit.causes))


# -- account-days by column -----------------------------------------------------------------------


def _rows_of(account_days: Sequence[AccountDay]) -> _Rows:
    currencies: dict[str, int] = {}
    number = currencies.setdefault
    firsts = [number(of.currency, len(currencies)) for of in account_days]
    more = [
        (place, number(currency, len(currencies)), totals)
        for place, account_day in enumerate(account_days)
        if account_day.more is not None
        for currency, totals in account_day.more.items()
    ]
    totals = chain((of.counts for of in account_days), (row[2] for row in more))
    return _Rows(
        of=np.array([*range(len(account_days)), *(row[0] for row in more)], np.int64),
        currency=np.array([*firsts, *(row[1] for row in more)], np.int64),
        totals=_table(totals, len(account_days) + len(more)),
        currencies=currencies,
    )


def _table(totals: Iterable[Sequence[int]], count: int) -> Ints:
    rows = [of or (0,) * TOTALS for of in totals]  # an account-day without one is restored so
    try:
        flat = np.fromiter(chain.from_iterable(rows), np.int64, count * TOTALS)
    except OverflowError:  # a sum beyond 64 bits: it is above any limit all the same
        capped = (min(number, SUM_MAX) for number in chain.from_iterable(rows))
        flat = np.fromiter(capped, np.int64, count * TOTALS)
    return np.minimum(flat, SUM_MAX).reshape(count, TOTALS)


def _is_active(rows: _Rows, count: int) -> Bools:
    transactions = rows.totals[:, COUNT_DEBIT] + rows.totals[:, COUNT_CREDIT]
    return np.bincount(rows.of, transactions, count) > 0


def _by_watches(account_days: Sequence[AccountDay]) -> Iterator[Ints]:
    """Yield the places of account-days of one segment that the same limits decide for.

    They share `watches`; account-days of several segments may.
    """
    numbers: dict[tuple[int, str | None], int] = {}
    number = numbers.setdefault
    group = np.array(
        [number((id(of.watches), of.segment), len(numbers)) for of in account_days], np.int64
    )
    order = np.argsort(group, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if order.size else ()


# -- limits ---------------------------------------------------------------------------------------


def _count(
    counted: dict[str, _Limit],
    account_days: Sequence[AccountDay],
    places: Ints,
    limits: LimitSet,
    rows: _Rows,
) -> None:
    """Count what the limits of account-days say, which all have the same ones."""
    if not places.size:
        return
    first = account_days[int(places[0])]
    for threshold in limits.deciding(*scope_of(first)):
        if threshold.account_id is not None:
            continue
        watched, values = _values(threshold, places, rows, len(account_days))
        if not values.size:
            continue
        limit = counted.setdefault(
            threshold.threshold_id, _Limit(threshold.above, [], Counter(), [])
        )
        over = watched[values > threshold.above]
        limit.values.append(values)
        limit.breaches.append(over.size)
        for place in over.tolist():
            limit.causes.update(_causes(account_days[place], threshold))


def _values(threshold: Threshold, places: Ints, rows: _Rows, count: int) -> tuple[Ints, Ints]:
    """Return which account-days have something that a limit measures, and how much each has."""
    first, second = places_of(threshold)
    amounts = rows.totals[:, first] + rows.totals[:, second]
    if threshold.currency is not None:
        number = rows.currencies.get(threshold.currency, -1)
        is_of = rows.currency == number
        row = np.full(count, -1, np.int64)
        row[rows.of[is_of]] = np.flatnonzero(is_of)
        watched = places[row[places] >= 0]
        return watched, amounts[row[watched]]
    sums = np.zeros(count, np.int64)
    np.add.at(sums, rows.of, amounts)
    return places, sums[places]


def _causes(account_day: AccountDay, threshold: Threshold) -> Iterator[tuple[str, str]]:
    """Yield where the transaction came from that took an account-day over a limit."""
    told = account_day.told.get(threshold.threshold_id)
    if told is not None and told.origin is not None:
        for type_, value in zip(CAUSE_TYPES, told.origin, strict=True):
            if value is not None:
                yield type_, value
