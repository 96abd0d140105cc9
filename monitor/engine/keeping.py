"""The keeping of what gauges hold of each account, until nothing can change what is told of it."""

from collections.abc import Mapping
from typing import Final

from monitor.core.account import Account
from monitor.core.gauged import Cell, Gauged, MeasuredItem
from monitor.gauges.gauge import Gauge, between
from monitor.gauges.paid import PAID, is_payment
from monitor.ledger.ledger import Ledger
from monitor.ledger.watermark import NEVER

PAID_DAYS_MAX: Final = 5_000
"""Closed days, each of one counterparty, on which an account has paid; the oldest go first."""

_REACH_DAYS: Final = 64
"""Two of the longest windows, or a month: so far back is what may still be told of."""


class GaugeKeeping:
    """Keeps what the gauges of a partition need, and gives it back in time."""

    def __init__(self, ledger: Ledger) -> None:
        self.new_within = 0  # days for which any gauge asks whom an account has paid
        self._ledger = ledger
        self._gauges: Mapping[str, Gauge] = {}
        self._due: dict[int, dict[Account, None]] = {}
        self._busy: dict[int, dict[Account, None]] = {}  # of which more is kept than a last day

    def begin(self, gauges: Mapping[str, Gauge]) -> None:
        """Keep from now on what these gauges need, by their names."""
        self._gauges = gauges
        self.new_within = max((g.where.new_within or 0 for g in gauges.values()), default=0)

    def opened(self) -> int:
        """Return the event time from which on days are open."""
        first = self._ledger.day_open_first
        return NEVER if first is None else self._ledger.calendar.start_of(first)

    def keep(self, account: Account, gauged: Gauged, item: MeasuredItem) -> None:
        """Keep what an item has brought for as long as it may be needed."""
        due, busy = max(gauged.due, item.day), max(gauged.busy, item.day)
        for name in item.gauges:
            gauge = self._gauges[name]
            last = self._last_needed(gauge, gauge.at_of(item))
            busy = max(busy, last)
            due = max(due, last if gauge.silence is None else last + gauge.silence.remembered)
        if self.new_within and is_payment(item):
            due = max(due, item.day + self.new_within)
        self._keep_until(account, gauged, due, busy)

    def _last_needed(self, gauge: Gauge, at: int) -> int:
        """Return the last business day on which a moment is needed, but for a silence after it."""
        if gauge.period.is_rolling:
            return self._ledger.calendar.day_of(at + 2 * gauge.period.length)
        return gauge.period.days_of(at)[1]

    def _keep_until(self, account: Account, gauged: Gauged, due: int, busy: int) -> None:
        if due != gauged.due:
            self._due.get(gauged.due, {}).pop(account, None)
            gauged.due = due
        self._due.setdefault(due, {})[account] = None
        if busy != gauged.busy:
            self._busy.get(gauged.busy, {}).pop(account, None)
            gauged.busy = busy
        if busy < due:
            self._busy.setdefault(busy, {})[account] = None

    def restored(self, account: Account) -> None:
        """Take an account that was put back: what is not needed any more is given back in time."""
        gauged = account.gauged
        if gauged is not None:
            days = [item.day for item in gauged.items.values()]
            for (name, _), cells in gauged.cells.items():
                if name in self._gauges:
                    days.append(self._last_needed(self._gauges[name], cells[-1].at))
            self._keep_until(account, gauged, gauged.due, min(max(days, default=0), gauged.due))

    def names_held(self) -> dict[str, int]:
        """Return how many accounts are remembered for as long as a silence may be told of them."""
        return {"silences": sum(map(len, self._due.values()))} if self._has_silence else {}

    @property
    def _has_silence(self) -> bool:
        return any(gauge.silence is not None for gauge in self._gauges.values())

    def days_closed(self) -> None:
        """Give back what nothing can change any more, once days have closed."""
        first = self._ledger.day_open_first
        if first is None:
            return
        for day in [day for day in self._busy if day < first]:
            for account in self._busy.pop(day):
                gauged = account.gauged
                if gauged is not None and self.trim(gauged):
                    self._ledger.dirty.add(account)
        for day in [day for day in self._due if day < first]:
            for account in self._due.pop(day):
                gauged = account.gauged
                if gauged is not None and gauged.busy < day and self._has_silence:
                    self._ledger.names_beyond["silences"] += 1
                account.gauged = None
                self._ledger.forget_if_empty(account)

    def trim(self, gauged: Gauged) -> bool:
        """Give back what an account does not need any more; return whether that was anything."""
        first = self._ledger.day_open_first or 0
        if gauged.trimmed == first:
            return False
        gauged.trimmed, before = first, gauged.size
        gauged.items = {name: item for name, item in gauged.items.items() if item.day >= first}
        for group, cells in list(gauged.cells.items()):
            if group == PAID:
                self._trim_paid(gauged, first)
                continue
            gauge = self._gauges.get(group[0])
            needed = [cell for cell in cells if gauge and self._is_needed(gauge, cell.at, 2)]
            if gauge is not None and gauge.silence is not None:
                rested = between(cells, first - gauge.silence.remembered, first - 1)
                needed = [Cell(cell.at, "", [0, 0, 0, 0]) for cell in rested[-1:]] + needed
            if needed:
                gauged.cells[group] = needed
            else:
                del gauged.cells[group]
        for group, told in list(gauged.told.items()):
            gauge = self._gauges.get(group[0])
            for period in list(told):
                if not (gauge and self._is_needed(gauge, period[0], 1)):
                    del told[period]
            if not told:
                del gauged.told[group]
        return gauged.size != before

    def _trim_paid(self, gauged: Gauged, first: int) -> None:
        """Give back whom an account has paid so long ago that nobody is known by it any more."""
        cells = gauged.cells.pop(PAID)
        kept = [*between(cells, first - self.new_within - _REACH_DAYS, cells[-1].at)]
        beyond = max(len(between(kept, 0, first - 1)) - PAID_DAYS_MAX, 0)
        if beyond:
            self._ledger.names_beyond["payees"] += beyond
        if self.new_within and kept[beyond:]:
            gauged.cells[PAID] = kept[beyond:]

    def _is_needed(self, gauge: Gauge, at: int, lengths: int) -> bool:
        """Return whether a moment may still change what is told, within so many windows."""
        if gauge.period.is_rolling:
            return at > self.opened() - lengths * gauge.period.length
        return gauge.period.days_of(at)[1] >= (self._ledger.day_open_first or 0)
