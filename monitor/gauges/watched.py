"""A gauge as it is asked record by record: what it comes to is kept up, not added up again.

The sums are of what is asked for most, a group's latest period or the window that ends with its
latest cell. They follow from the cells: state does not keep them, and whatever changes earlier
cells drops them.
"""

from bisect import bisect_left, bisect_right
from functools import lru_cache
from typing import Final

from monitor.core.account import AMOUNT_CREDIT, AMOUNT_DEBIT
from monitor.core.business_day import Calendar
from monitor.core.gauged import Cell, Gauged, Group, MeasuredItem, Sums
from monitor.core.threshold import Measure
from monitor.gauges.gauge import AT, WHOLE, Gauge, add, add_to, between, named_by, summed, take_off
from monitor.gauges.paid import is_new_in, paid_days
from monitor.gauges.period import Period
from monitor.gauges.where import Takes

_DAYS_CACHED: Final = 1 << 12

days_of: Final = lru_cache(_DAYS_CACHED)(Period.days_of)
"""The first and the last business day of the period that a day is in."""


_OF_PARTS: Final = frozenset({Measure.LARGEST, Measure.DISTINCT, Measure.SHARE})

_OF_NEW: Final = frozenset({Measure.AMOUNT, Measure.COUNT, Measure.DISTINCT})
"""Measures that never grow by what is left out."""


def _is_kept_up(gauge: Gauge) -> bool:
    """Return whether what a gauge that is not summed comes to is kept up in sums all the same."""
    if gauge.silence is not None or gauge.usual is not None or gauge.base is not None:
        return False
    if gauge.where.new_within is not None:
        return gauge.measure in _OF_NEW
    return gauge.measure is Measure.DISTINCT or (
        gauge.measure in _OF_PARTS and not gauge.period.is_rolling
    )


def _together(parts: tuple[Takes, ...]) -> Takes | None:
    """Return what asks for all parts; None if there are none."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    first, others = parts[0], _together(parts[1:])
    assert others is not None, "there are several"
    return lambda item, day, calendar: first(item, day, calendar) and others(item, day, calendar)


class Watched:
    """A gauge that is measured, and the least that must be exceeded by any limit on it.

    `least_whole` is the least sum that any limit on it asks for beside that. `takes` says of a
    transaction of a direction and currency that may be taken whether it is; None if each is.
    `only_grows` says whether no value falls by what is taken at the latest moment. With
    `is_exact`, what is said of a period at once is what it comes to, and not what it may.
    """

    __slots__ = (
        "_calendar",
        "_is_kept_up",
        "days_near",
        "gauge",
        "is_exact",
        "is_rolling",
        "is_summed",
        "least",
        "least_whole",
        "length",
        "name",
        "only_grows",
        "per",
        "period",
        "remembered",
        "takes",
        "within",
    )

    def __init__(self, gauge: Gauge, least: int, least_whole: int, calendar: Calendar) -> None:
        self.gauge = gauge
        self.name = gauge.name
        self.least = least
        self.least_whole = least_whole
        self.period = gauge.period
        self.per = gauge.per
        remembers = gauge.silence or gauge.usual
        self.remembered = 0 if remembers is None else remembers.remembered
        self.days_near = gauge.days_near
        self.is_summed = gauge.is_summed
        self.is_rolling = gauge.period.is_rolling
        self.length = gauge.period.length
        self.within = gauge.where.new_within
        self.takes = _together(tuple(gauge.parts()))
        self._calendar = calendar
        self._is_kept_up = _is_kept_up(gauge)
        self.only_grows = gauge.measure not in {Measure.NET, Measure.SHARE, Measure.NEAR}
        self.is_exact = self.is_summed or (self._is_kept_up and self.within is None)

    def note(self, least: int, least_whole: int) -> None:
        """Note a further limit on it."""
        self.is_exact = self.is_exact and least_whole == self.least_whole
        self.least = min(self.least, least)
        self.least_whole = min(self.least_whole, least_whole)

    def group_of(self, item: MeasuredItem) -> Group:
        """Return the group that an item is of."""
        return self.name, "" if self.per is None else named_by(item, self.per)

    def at_of(self, item: MeasuredItem) -> int:
        """Return the moment at which an item stands: an event time, or a business day."""
        return item.event_time if self.is_rolling else item.day

    def take(self, gauged: Gauged, group: Group, item: MeasuredItem) -> int | None:
        """Add an item to its group's cells; return what its period or its window comes to at most.

        Only if that is the latest one, and can be said at once: None if not.
        """
        cells = gauged.cells.get(group)
        if cells is None:
            cells = gauged.cells[group] = []
        at = item.event_time if self.is_rolling else item.day
        if not self.is_summed:
            what = self.gauge.what_of(item)
            add(cells, at, what, item, 1)
            if self._is_kept_up:
                return self._kept_up(gauged, group, cells, item, what)
            return self._counted(cells, item)
        add(cells, at, "", item, 1)
        if self.is_rolling:
            return self._window(gauged, group, cells, item)
        return self._period(gauged, group, cells, item)

    def put_back(
        self, gauged: Gauged, group: Group, before: MeasuredItem, after: MeasuredItem
    ) -> None:
        """Take an item out of its cell, and put what is left of it there."""
        cells = gauged.cells.setdefault(group, [])
        at, gauge = self.at_of(before), self.gauge
        add(cells, at, gauge.what_of(before), before, -1)
        add(cells, at, gauge.what_of(after), after, 1)
        gauged.sums.pop(group, None)
        if not cells:
            del gauged.cells[group]

    def forget_before(self, gauged: Gauged, group: Group, at: int) -> None:
        """Give back a group's cells before a moment."""
        cells = gauged.cells[group]
        count = bisect_left(cells, at, key=AT)
        if not count:
            return
        last, silence, usual = cells[count - 1].at, self.gauge.silence, self.gauge.usual
        if usual is not None:
            oldest = bisect_left(cells, at - usual.remembered, key=AT)
            count = min(max(count - usual.days, oldest), count)
        del cells[:count]
        if silence is not None and last >= at - silence.remembered:
            cells.insert(0, Cell(last, "", [0, 0, 0, 0]))
        if not cells:
            del gauged.cells[group]
        sums = gauged.sums.get(group)
        if sums is None:
            return
        if self.is_rolling:
            sums.begin -= count
        if sums.begin < 0 or not cells:
            del gauged.sums[group]

    def needed_from(self, day_open_first: int, opened: int, lengths: int) -> int:
        """Return the first moment that may still change what is told, within so many windows.

        `opened` is the event time at which the first open day begins.
        """
        if self.is_rolling:
            return opened - lengths * self.length + 1
        return days_of(self.period, day_open_first)[0] - self.days_near

    def _counted(self, cells: list[Cell], item: MeasuredItem) -> int | None:
        gauge, at = self.gauge, self.at_of(item)
        if self.within is not None or gauge.base is not None:
            # The share among those that are new may be greater than among all; and what amounts of
            # all currencies come to, rates say.
            return None
        if (self.remembered or self.days_near) and cells[-1].at != at:
            return None  # later days have another day before them
        if gauge.usual is not None:
            if gauge.value_of_totals(cells[-1].totals) < self.least_whole:
                return 0
            return gauge.ratio_of(gauge.usual_of(cells, at))
        if gauge.silence is not None and not gauge.active_before(cells, at):
            return 0
        if not self.is_rolling:
            first, last = days_of(self.period, item.day)
            return gauge.value_at(between(cells, first - self.days_near, last), first, None)
        if cells[-1].at != at:
            return None
        return gauge.value_of(between(cells, at - self.length + 1, at))

    def _kept_up(
        self, gauged: Gauged, group: Group, cells: list[Cell], item: MeasuredItem, what: int | str
    ) -> int | None:
        """Return what the latest period or window comes to; of new counterparties at most.

        One that was new when it was measured may not be so for late rows; one that was known is
        new for a reversal only, and that drops the sums.
        """
        at, sums = self.at_of(item), gauged.sums.get(group)
        days = () if self.is_rolling else days_of(self.period, item.day)
        if self.is_rolling and cells[-1].at != at:
            gauged.sums.pop(group, None)
            return None
        if sums is None or (days and sums.at < days[0]):
            begin = bisect_right(cells, at - self.length, key=AT) if self.is_rolling else 0
            sums = gauged.sums[group] = Sums(days[0] if days else at, begin, [0, 0, 0, 0])
            sums.parts = {}
            for cell in between(cells, *days) if days else cells[begin:]:
                if self._is_new(gauged, cell.what, cell.at):
                    self._count(sums, cell.what, cell.totals, 1)
        elif days and sums.at != days[0]:
            return None
        else:
            if self._is_new(gauged, what, at):
                its = [0, 0, 0, 0]
                add_to(its, item, 1)
                self._count(sums, what, its, 1)
            if self.is_rolling:
                sums.at = at
                while (first := cells[sums.begin]).at <= at - self.length:
                    if self._is_new(gauged, first.what, first.at):
                        self._count(sums, first.what, first.totals, -1)
                    sums.begin += 1
        return self._value_of(sums)

    def _is_new(self, gauged: Gauged, what: int | str, at: int) -> bool:
        if self.within is None:
            return True
        day = self._calendar.day_of(at) if self.is_rolling else at
        return is_new_in(paid_days(gauged), str(what), day, self.within)

    def _count(self, sums: Sums, what: int | str, totals: list[int], sign: int) -> None:
        """Count what has come into the cells of sums, or has gone out of them (`sign` is -1)."""
        count_out, paid_out, count_in, paid_in = totals
        mine = sums.totals
        mine[0] += sign * count_out
        mine[1] += sign * paid_out
        mine[2] += sign * count_in
        mine[3] += sign * paid_in
        measure, parts = self.gauge.measure, sums.parts
        assert parts is not None, "they are kept up"
        if measure is Measure.LARGEST:
            assert isinstance(what, int), "its cells are told apart by amounts"
            sums.most = max(sums.most, what)
        elif measure is Measure.SHARE and what:
            part = parts[what] = parts.get(what, 0) + paid_out + paid_in
            sums.most = max(sums.most, part)
        elif measure is Measure.DISTINCT:
            count = parts.get(what, 0) + sign * (count_out + count_in)
            if count:
                parts[what] = count
            else:
                del parts[what]

    def _value_of(self, sums: Sums) -> int:
        measure = self.gauge.measure
        if measure is Measure.LARGEST:
            return sums.most
        if measure is Measure.DISTINCT:
            return len(sums.parts or ())
        if measure is not Measure.SHARE:
            return self.gauge.value_of_totals(sums.totals)
        whole = sums.totals[AMOUNT_DEBIT] + sums.totals[AMOUNT_CREDIT]
        if whole < self.least_whole or not sums.parts or not whole:
            return 0
        return -(-WHOLE * sums.most // whole)

    def _period(
        self, gauged: Gauged, group: Group, cells: list[Cell], item: MeasuredItem
    ) -> int | None:
        first, last = days_of(self.period, item.day)
        sums = gauged.sums.get(group)
        if sums is None or sums.at < first:
            sums = gauged.sums[group] = Sums(first, 0, summed(between(cells, first, last)))
        elif sums.at == first:
            add_to(sums.totals, item, 1)
        else:
            return None
        return self.gauge.value_of_totals(sums.totals)

    def _window(
        self, gauged: Gauged, group: Group, cells: list[Cell], item: MeasuredItem
    ) -> int | None:
        at = item.event_time
        if cells[-1].at != at:
            gauged.sums.pop(group, None)
            return None
        sums = gauged.sums.get(group)
        if sums is None:
            begin = bisect_right(cells, at - self.length, key=AT)
            sums = gauged.sums[group] = Sums(at, begin, summed(cells[begin:]))
        else:
            add_to(sums.totals, item, 1)
            sums.at = at
            gone = at - self.length
            while (first := cells[sums.begin]).at <= gone:
                take_off(sums.totals, first.totals)
                sums.begin += 1
        return self.gauge.value_of_totals(sums.totals)
