"""Segment-days of one partition, summed up some account-days at a time as a day closes.

It is done once a day, so that a record costs nothing more, and in pieces, so that no alert waits
for it. It counts what stands when the day closes, so late and reversing transactions are in it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

import numpy as np

from models.arrays import Bools, Ints
from models.sketches.histogram import VALUE_MAX, Sketch
from monitor.core.account import COUNT_CREDIT, COUNT_DEBIT, AccountDay, Totals
from monitor.core.names import KINDS_MAX, OTHERS, SEGMENTS_MAX, within
from monitor.core.threshold import LimitSet, Threshold, places_of, scope_of
from monitor.core.transaction import Origin
from monitor.systemic.record import breach_fields
from monitor.systemic.segment_day import CAUSE_TYPES, INSTITUTION, Breach, LimitDay, SegmentDay

NAMED_LEAST: Final = 100
"""Accounts over a limit that are named of each cause, and of all together, where there is room."""

NAMED_BYTES_MAX: Final = 128 << 10
"""Of one segment-day's names, all limits together, as JSON."""


class Usual(NamedTuple):
    """Of which account-days the models know the usual, and which of them are far above it."""

    is_known: Bools
    is_hot: Bools


class RowGroup(NamedTuple):
    """Account-days of a day that stand in rows, in one currency, and over no limit.

    The same limits decide for all of them, as for `like`. `totals` has a row for each, as `Totals`,
    and `numbers` their numbers.
    """

    like: AccountDay
    segment: str | None
    currency: str
    totals: Ints
    numbers: Ints


class SummedRows(Protocol):
    """Account-days of a closed day by numbers from 0 on: rows, and some that are objects by now."""

    def __len__(self) -> int:
        """Return how many they are."""
        ...

    def segments(self) -> Counter[str | None]:
        """Return how many account-days each segment has."""
        ...

    def objects(self, begin: int, end: int) -> Iterator[tuple[int, AccountDay]]:
        """Yield those of some numbers that are objects, each with its own."""
        ...

    def groups(self, begin: int, end: int) -> Iterator[RowGroup]:
        """Yield all others with some numbers."""
        ...


VALUES_HELD: Final = 1000
"""Values of a limit that are held until they are added to its sketch, in one go."""


class _Limit:
    """What is counted of one limit in one segment."""

    __slots__ = ("above", "accounts", "breaches", "causes", "held", "values")

    def __init__(self, above: int) -> None:
        self.above = above
        self.breaches = 0
        self.causes: Counter[tuple[str, str]] = Counter()
        self.accounts: list[Breach] = []
        self.held: list[int] = []
        self.values: Sketch | None = None  # None: there is none yet

    def add(self, value: int) -> None:
        self.held.append(min(value, VALUE_MAX))
        if len(self.held) >= VALUES_HELD:
            self._sketch()

    def add_all(self, values: Ints) -> None:
        """Add several values, none of which is over the limit."""
        self.held += values.tolist()
        if len(self.held) >= VALUES_HELD:
            self._sketch()

    def limit_day(self, named_bytes: int) -> LimitDay | None:
        """Return what the limit came to; None if nothing was measured.

        So many bytes are there for the names of accounts over it.
        """
        values = self._sketch() if self.held else self.values
        if values is None:
            return None
        return LimitDay(
            self.above, self.breaches, values, _within_kinds(self.causes),
            tuple(_named(self.accounts, named_bytes)),
        )  # fmt: skip

    def _sketch(self) -> Sketch:
        if self.values is None:
            self.values = Sketch()
        self.values.add(np.array(self.held, np.int64))
        self.held = []
        return self.values


_Asked = tuple[Threshold, int, int, _Limit]
"""A limit that decides, the two places in `Totals` that it adds up, and what is counted of it."""


class _Segment:
    """What is counted of one segment."""

    __slots__ = ("active", "hot", "hot_payers", "known", "limits", "rejections")

    def __init__(self) -> None:
        self.active = self.known = self.hot = 0
        self.limits: dict[str, _Limit] = {}
        self.hot_payers: Counter[tuple[str, str]] = Counter()
        self.rejections: Counter[tuple[str, str]] = Counter()


class DaySum:
    """Sums up the account-days of a day, some at a time; in which pieces changes nothing.

    An account-day is active where a transaction of it stands: what was taken back is not. Limits
    for one account are left out: they say nothing of many. `hot_payers` are by (segment,
    institution), `rejections` by (segment, reason, branch). `rows`
    are further account-days; `usual` has them after the others, by their numbers.

    The `SEGMENTS_MAX` greatest segments are told apart, and in each the `KINDS_MAX` most frequent
    names of a kind; all others are counted as `OTHERS`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that a day has
        self,
        day: int,
        account_days: Sequence[AccountDay],
        limits: LimitSet,
        usual: Usual | None,
        hot_payers: Mapping[tuple[str | None, str], int],
        rejections: Mapping[tuple[str | None, str, str], int],
        rows: SummedRows | None = None,
    ) -> None:
        self._day = day
        self._rows = rows
        self._account_days = account_days
        self._limits = limits
        self._usual = usual
        self._place = 0
        seen = Counter(account_day.segment for account_day in account_days)
        if rows is not None:
            seen += rows.segments()
        seen.update({key[0]: 0 for key in [*hot_payers, *rejections]})
        self._told_apart = within(seen, SEGMENTS_MAX, lambda _: OTHERS).keys()
        self._segments: dict[str | None, _Segment] = {}
        for (segment, institution), count in hot_payers.items():
            self._segment(segment).hot_payers[INSTITUTION, institution] += count
        for (segment, reason, branch), count in rejections.items():
            self._segment(segment).rejections[reason, branch] += count
        # By the id of watches, which segments may share, and the segment.
        self._asked: dict[tuple[int, str | None], tuple[_Segment, list[_Asked]]] = {}
        self._told: list[SegmentDay] = []
        self._summing = self._sum_up()
        self.is_done = False

    @property
    def segment_days(self) -> tuple[SegmentDay, ...]:
        """The segments of the day, by name; a day of nothing is one of no segment, all zeros."""
        return tuple(self._told)

    def work(self, units: int) -> int:
        """Count so many account-days, or sum up so many limits and segments; return how many."""
        objects = len(self._account_days)
        count = objects + (0 if self._rows is None else len(self._rows))
        if self._place < count:
            begin, end = self._place, min(self._place + units, count)
            for place in range(begin, min(end, objects)):
                self._count(self._account_days[place], place)
            if end > objects:
                self._count_rows(max(begin - objects, 0), end - objects)
            self._place = end
            return end - begin
        done = sum(1 for _ in islice(self._summing, units))
        self.is_done = done < units
        return done

    def others(self) -> Counter[str]:
        """Return how much of the day was counted as `OTHERS`, by table."""
        counts: Counter[str] = Counter()
        for segment_day in self._told:
            if segment_day.segment == OTHERS:
                counts["segment-days"] += segment_day.account_days
            causes = [limit.causes for limit in segment_day.limits.values()]
            for table in (segment_day.hot_payers, segment_day.rejections, *causes):
                counts["causes"] += sum(n for (_, name), n in table.items() if name == OTHERS)
        return +counts

    def _segment(self, name: str | None) -> _Segment:
        return self._segments.setdefault(name if name in self._told_apart else OTHERS, _Segment())

    def _count_rows(self, begin: int, end: int) -> None:
        """Count account-days that are rows, or were."""
        assert self._rows is not None
        objects = len(self._account_days)
        for number, account_day in self._rows.objects(begin, end):
            self._count(account_day, objects + number)
        for group in self._rows.groups(begin, end):
            segment, limits = self._asked_of(group.like, group.segment)
            totals = group.totals
            is_active = (totals[:, COUNT_DEBIT] != 0) | (totals[:, COUNT_CREDIT] != 0)
            active = totals[is_active]
            segment.active += len(active)
            if self._usual is not None:
                places = objects + group.numbers[is_active]
                segment.known += int(np.count_nonzero(self._usual.is_known[places]))
                segment.hot += int(np.count_nonzero(self._usual.is_hot[places]))
            for threshold, first, second, limit in limits:
                if threshold.currency in {None, group.currency}:
                    limit.add_all(active[:, first] + active[:, second])

    def _count(self, account_day: AccountDay, place: int) -> None:
        """Count an account-day; `place` is that of what the models know of it."""
        segment, limits = self._asked_of(account_day, account_day.segment)
        if not _is_active(account_day):
            return
        segment.active += 1
        if self._usual is not None:
            segment.known += int(self._usual.is_known[place])
            segment.hot += int(self._usual.is_hot[place])
        for threshold, first, second, limit in limits:
            currency = threshold.currency
            if account_day.more is not None:
                if currency is not None and not _stands(account_day.totals.get(currency)):
                    continue
                value = threshold.value_of(account_day)
            elif currency is None or currency == account_day.currency:
                value = account_day.counts[first] + account_day.counts[second]
            else:
                continue
            limit.add(value)
            if value > threshold.above:
                origin = _origin(account_day, threshold)
                limit.breaches += 1
                limit.causes.update(_pairs(origin))
                limit.accounts.append(Breach(account_day.account.account_id, origin))

    def _asked_of(self, like: AccountDay, segment: str | None) -> tuple[_Segment, list[_Asked]]:
        """Return where account-days of a segment are counted that share their watches with one."""
        key = id(like.watches), segment
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = self._ask(like, segment)
        return asked

    def _ask(self, like: AccountDay, name: str | None) -> tuple[_Segment, list[_Asked]]:
        """Return the same, found first: for these few limits."""
        segment = self._segment(name)
        asked: list[_Asked] = []
        for threshold in self._limits.deciding(*scope_of(like)):
            if threshold.account_id is None:
                limit = segment.limits.setdefault(threshold.threshold_id, _Limit(threshold.above))
                asked.append((threshold, *places_of(threshold), limit))
        return segment, asked

    def _sum_up(self) -> Iterator[None]:
        """Make the segment-days, and yield after each limit and each segment."""
        if not self._segments:
            self._segments[None] = _Segment()
        for name, counted in sorted(self._segments.items(), key=lambda item: item[0] or ""):
            limits = {}
            for threshold_id, counted_limit in sorted(counted.limits.items()):
                limit_day = counted_limit.limit_day(NAMED_BYTES_MAX // len(counted.limits))
                if limit_day is not None:
                    limits[threshold_id] = limit_day
                yield
            self._told.append(
                SegmentDay(
                    day=self._day,
                    segment=name,
                    account_days=counted.active,
                    limits=limits,
                    known=counted.known,
                    hot=counted.hot,
                    hot_payers=_within_kinds(counted.hot_payers),
                    rejections=_within_kinds(counted.rejections),
                )
            )
            yield


def _within_kinds(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return counts by (type, name) within their bound, in order."""
    return dict(sorted(within(counts, KINDS_MAX, lambda key: (key[0], OTHERS)).items()))


def _is_active(account_day: AccountDay) -> bool:
    return _stands(account_day.counts) or any(map(_stands, (account_day.more or {}).values()))


def _stands(figures: Totals | None) -> bool:
    """Return whether any transaction of a currency stands: one that was not taken back."""
    return bool(figures and (figures[COUNT_DEBIT] or figures[COUNT_CREDIT]))


def _origin(account_day: AccountDay, threshold: Threshold) -> Origin | None:
    """Return where the transaction came from that took an account-day over a limit."""
    told = account_day.told.get(threshold.threshold_id)
    return None if told is None else told.origin


def _pairs(origin: Origin | None) -> Iterator[tuple[str, str]]:
    """Yield what an origin names, each with its type."""
    if origin is not None:
        for type_, value in zip(CAUSE_TYPES, origin, strict=True):
            if value is not None:
                yield type_, value


def _named(accounts: Iterable[Breach], bytes_left: int) -> Iterator[Breach]:
    """Yield those that are named, in order: the first of each cause, and of all, while it fits."""
    seen: Counter[tuple[str, str] | None] = Counter()
    for breach in sorted(accounts, key=lambda breach: breach.account_id):
        keys = [None, *_pairs(breach.origin)]
        if all(seen[key] >= NAMED_LEAST for key in keys):
            continue
        bytes_left -= len(json.dumps(breach_fields(breach))) + 1
        if bytes_left < 0:
            return
        seen.update(keys)
        yield breach
