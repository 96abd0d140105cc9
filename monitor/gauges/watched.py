"""A gauge as it is asked record by record: what it comes to is kept up, not added up again.

The sums are of what is asked for most, a group's latest period or the window that ends with its
latest cell. They follow from the cells: state does not keep them, and whatever changes earlier
cells drops them.
"""

from bisect import bisect_left, bisect_right
from functools import lru_cache
from typing import Final

from monitor.core.gauged import Cell, Gauged, Group, MeasuredItem, Sums
from monitor.core.threshold import Measure
from monitor.gauges.gauge import AT, Gauge, add, add_to, between, named_by, summed
from monitor.gauges.period import Period
from monitor.gauges.where import GaugeFilter

_DAYS_CACHED: Final = 1 << 12

days_of: Final = lru_cache(_DAYS_CACHED)(Period.days_of)
"""The first and the last business day of the period that a day is in."""


class Watched:
    """A gauge that is measured, and the least that must be exceeded by any limit on it."""

    __slots__ = (
        "asks",
        "gauge",
        "is_rolling",
        "is_summed",
        "least",
        "length",
        "name",
        "per",
        "period",
        "remembered",
        "silence",
    )

    def __init__(self, gauge: Gauge, least: int) -> None:
        self.gauge = gauge
        self.name = gauge.name
        self.least = least
        self.period = gauge.period
        self.per = gauge.per
        self.silence = gauge.silence
        remembers = gauge.silence or gauge.usual
        self.remembered = 0 if remembers is None else remembers.remembered
        self.is_summed = gauge.is_summed
        self.is_rolling = gauge.period.is_rolling
        self.length = gauge.period.length
        self.asks = (gauge.per, gauge.distinct, gauge.where) != (None, None, GaugeFilter())

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
            add(cells, at, self.gauge.what_of(item), item, 1)
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
        last, silence, usual = cells[count - 1].at, self.silence, self.gauge.usual
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
        return days_of(self.period, day_open_first)[0]

    def _counted(self, cells: list[Cell], item: MeasuredItem) -> int | None:
        gauge, at = self.gauge, self.at_of(item)
        if gauge.where.new_within is not None and gauge.measure is Measure.SHARE:
            return None  # the share among those that are new may be greater than among all
        if self.remembered and cells[-1].at != at:
            return None  # later days have another day before them
        if gauge.usual is not None:
            return gauge.ratio_of(gauge.usual_of(cells, at))
        if not self.is_rolling:
            return gauge.value_of(between(cells, *days_of(self.period, item.day)))
        if cells[-1].at != at:
            return None
        if gauge.measure is Measure.DISTINCT and len(cells) <= self.least:
            return len(cells)
        return gauge.value_of(between(cells, at - self.length + 1, at))

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
                sums.totals = [
                    mine - its for mine, its in zip(sums.totals, first.totals, strict=True)
                ]
                sums.begin += 1
        return self.gauge.value_of_totals(sums.totals)
