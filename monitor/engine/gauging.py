"""The gauges of one partition: they take what is taken in, and forget what nobody needs any more.

For each account a gauge has cells, the sums of what it measured by business day or, for a rolling
window, by event time. A reversal takes out of them what came in.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from monitor.core.account import Account, AccountDay
from monitor.core.alert import Alert, Cause
from monitor.core.business_day import MICROSECONDS
from monitor.core.gauged import Cell, ClosedScope, Gauged, MeasuredItem
from monitor.core.threshold import scope_of
from monitor.core.transaction import DEBIT, Transaction
from monitor.engine.gauge_alerts import CLOSED_DAY, FROM_EVER, GaugeAlerts
from monitor.engine.touch import Touch, Why
from monitor.gauges.gauge import Gauge, Party, add, between, named_by
from monitor.gauges.paid import PAID, is_payment, note_paid
from monitor.gauges.watched import Watched, days_of
from monitor.ledger.ledger import NO_AMOUNT, SERIES_BITS, Ledger, OpenDay
from monitor.policy.policy import PolicyBook

_PERIOD_DAYS_MAX: Final = 31 + 2
"""The longest period of the calendar, and a day for a change of the clock at either end."""

PAID_DAYS_MAX: Final = 5_000
"""Closed days, each of one counterparty, on which an account has paid; the oldest go first."""

CHANGED: Final = ""
"""Under what state keeps a day that is of no gauge."""

_DAY_LENGTH: Final = 86_400 * MICROSECONDS


class Gauging:
    """Measures by the gauges of all policy versions; `take_alerts` has what is told of them."""

    def __init__(self, ledger: Ledger, policies: PolicyBook) -> None:
        self._ledger = ledger
        self._policies = policies
        self._telling = GaugeAlerts(ledger, policies)
        self._watched: dict[str, Watched] = {}
        self._of_series: dict[tuple[str, str], tuple[Watched, ...]] = {}  # direction and currency
        self._lasts: dict[tuple[int, tuple[str, ...]], tuple[int, int, int]] = {}
        self._due: dict[int, dict[Account, None]] = {}
        self._busy: dict[int, dict[Account, None]] = {}  # of which more is kept than a last day
        self._new_within = 0  # days for which any gauge asks whom an account has paid
        self._reach = 0  # days before the first open one that may still be asked for
        self.begin()

    @property
    def is_on(self) -> bool:
        """Whether anything is measured."""
        return bool(self._watched)

    @property
    def since(self) -> dict[str, int]:
        """The first business day that each gauge measures whole, by its name."""
        return self._telling.since

    @property
    def kept(self) -> dict[str, int]:
        """The same as state keeps it: under no name, the first day after policies changed last.

        That is kept where nothing is measured any more, too: else it would be, after a recovery.
        """
        since, changed = self._telling.since, self._telling.changed
        has_gauges = any(policy.gauges for policy in self._policies.policies)
        return {**since, CHANGED: changed} if has_gauges and self._has_versions else {**since}

    @property
    def _has_versions(self) -> bool:
        return len(self._policies.versions) > 1

    def begin(self) -> None:
        """Measure what the policies in force now ask for, which have changed."""
        self._telling.changed = self._telling.begun()
        self._telling.begin()
        self._measure()

    def _measure(self) -> None:
        self._lasts.clear()
        self._watched, self._of_series = self._telling.watched, {}
        lengths = (2 * watched.length for watched in self._watched.values())
        within = (watched.within or 0 for watched in self._watched.values())
        self._new_within = max(within, default=0)
        self._reach = _PERIOD_DAYS_MAX + max(lengths, default=0) // _DAY_LENGTH

    def restore(self, kept: Mapping[str, int]) -> None:
        """Put back since when gauges have measured, as state kept it; others begin now."""
        self._telling.since = {name: day for name, day in kept.items() if name != CHANGED}
        changed = self._telling.begun() if self._has_versions else FROM_EVER
        self._telling.changed = kept.get(CHANGED, changed)  # a build before has not kept it
        self._telling.begin()
        self._measure()

    def waiting(self) -> dict[str, int]:
        """Return which limits cannot decide yet, and the event time from which each does."""
        return self._telling.waiting()

    def take_alerts(self) -> list[Alert]:
        """Return what was told since the last call."""
        alerts, self._telling.alerts = self._telling.alerts, []
        return alerts

    # -- what comes -------------------------------------------------------------------------------

    def take(
        self,
        transaction: Transaction,
        name: str,
        content: int,
        account_day: AccountDay,
        cause: Callable[[], Cause],
    ) -> None:
        """Measure a transaction that was taken in; `content` says what is left of it."""
        day, calendar = account_day.day, self._ledger.calendar
        taken = [
            watched
            for watched in self._watched_of(transaction)
            if watched.takes is None or watched.takes(transaction, day, calendar)
        ]
        pays = self._new_within and transaction.direction == DEBIT and transaction.counterparty_id
        if not taken and not pays:
            return
        account = account_day.account
        gauged = account.gauged
        if gauged is None:
            gauged = account.gauged = Gauged()
        self._trim(account, gauged)
        left, counted = _left_of(content)
        item = gauged.items[name] = MeasuredItem(
            day,
            transaction.event_time,
            transaction.direction,
            transaction.currency,
            left,
            counted,
            transaction.counterparty_id,
            transaction.counterparty_institution,
            tuple([watched.name for watched in taken]),
        )
        if pays:
            self._pay(account, gauged, None, item, cause)
        if counted:
            for watched in taken:
                group = watched.group_of(item)
                value = watched.take(gauged, group, item)
                if value is None or value > watched.least or group in gauged.told:
                    at = watched.at_of(item)
                    self._telling.grew(gauged, group, account_day, at, cause, value)
        self._keep(account, gauged, item, taken)

    def _watched_of(self, transaction: Transaction) -> tuple[Watched, ...]:
        """Return the gauges that may take a transaction, by what it says first."""
        series = transaction.direction, transaction.currency
        found = self._of_series.get(series)
        if found is None:
            found = self._of_series[series] = tuple(
                watched for watched in self._watched.values() if watched.gauge.may_take(*series)
            )
        return found

    def reverse(self, account: Account, name: str, content: int, cause: Cause) -> None:
        """Measure again a transaction of which reversals have left something else."""
        gauged = account.gauged
        item = None if gauged is None else gauged.items.get(name)
        if gauged is None or item is None:
            return
        left, counted = _left_of(content)
        after = item._replace(left=left, counted=counted)
        gauged.items[name] = after
        account_day = account.day_of(item.day)
        assert account_day is not None, "an item is of an open account-day"
        self._pay(account, gauged, item, after, lambda: cause)
        for gauge_name in item.gauges:
            watched = self._watched.get(gauge_name)
            if watched is not None:
                group = watched.group_of(item)
                watched.put_back(gauged, group, item, after)
                at = watched.at_of(item)
                self._telling.look(gauged, group, Touch(account_day, at, cause, Why.REVERSED))

    def _pay(
        self,
        account: Account,
        gauged: Gauged,
        before: MeasuredItem | None,
        after: MeasuredItem,
        cause: Callable[[], Cause],
    ) -> None:
        """Note whom an item has paid, and look at later days on which that is no news, or is."""
        if not self._new_within or not is_payment(after):
            return
        paid = gauged.cells.setdefault(PAID, [])
        count, whom = len(paid), named_by(after, Party.COUNTERPARTY)
        if before is not None:
            add(paid, before.day, whom, before, -1)
        add(paid, after.day, whom, after, 1)
        is_same = len(paid) == count
        if not paid:
            del gauged.cells[PAID]
        if is_same:
            return
        note_paid(gauged, whom, after.day)
        if before is not None:
            self._drop_sums_of_new(gauged)
        if any(account_day.day > after.day for account_day in account.days):
            self._look_at_new(account, gauged, after.day, cause)

    def _look_at_new(
        self, account: Account, gauged: Gauged, day: int, cause: Callable[[], Cause]
    ) -> None:
        """Look at the days after one: whom it has paid is new to them no more, or again."""
        for group in list(gauged.cells):
            watched = self._watched.get(group[0])
            within = None if watched is None else watched.within
            if watched is None or within is None:
                continue
            for account_day in account.days:
                if day < account_day.day <= day + within:
                    cells = gauged.cells.get(group, [])
                    for at in self._times(watched.gauge, cells, account_day.day):
                        change = Touch(account_day, at, cause(), Why.DECIDED)
                        self._telling.look(gauged, group, change)

    def _drop_sums_of_new(self, gauged: Gauged) -> None:
        """Drop what is kept up of new counterparties: others may be new now that were known."""
        for group in list(gauged.sums):
            watched = self._watched.get(group[0])
            if watched is None or watched.within is not None:
                del gauged.sums[group]

    def decide_again(self, account_day: AccountDay, cause: Cause) -> None:
        """Look again at the periods of an account-day that other limits may decide for now."""
        gauged = account_day.account.gauged
        if gauged is None:
            return
        for group in list(gauged.cells):
            watched = self._watched.get(group[0])
            if watched is None:
                continue
            for at in self._times(watched.gauge, gauged.cells[group], account_day.day):
                self._telling.look(gauged, group, Touch(account_day, at, cause, Why.DECIDED))

    def _times(self, gauge: Gauge, cells: list[Cell], day: int) -> list[int]:
        """Return the moments of a group's cells on a business day."""
        calendar = self._ledger.calendar
        first, last = day, day
        if gauge.period.is_rolling:
            first, last = calendar.start_of(day), calendar.end_of(day) - 1
        return sorted({cell.at for cell in between(cells, first, last)})

    # -- what is given back -----------------------------------------------------------------------

    def _keep(
        self, account: Account, gauged: Gauged, item: MeasuredItem, taken: Iterable[Watched]
    ) -> None:
        """Keep what an item has brought for as long as it may be needed."""
        found = self._lasts.get((item.day, item.gauges))
        if found is None:
            found = self._lasts[item.day, item.gauges] = _lasts_of(item.day, taken)
        due, busy, length = max(gauged.due, found[0]), max(gauged.busy, found[1]), found[2]
        if self._new_within and is_payment(item):
            due = max(due, item.day + self._new_within)
        last, calendar = item.event_time + 2 * length, self._ledger.calendar
        if last >= calendar.end_of(busy):
            busy = calendar.day_of(last)
        self._keep_until(account, gauged, max(due, busy), busy)

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

    def _last_needed(self, watched: Watched, at: int) -> int:
        """Return the last business day on which a moment is needed, but for a silence after it."""
        if watched.is_rolling:
            return self._ledger.calendar.day_of(at + 2 * watched.length)
        return days_of(watched.period, at)[1] + watched.days_near

    def restored(self, account: Account) -> None:
        """Take an account that was put back: what is not needed any more is given back in time."""
        gauged = account.gauged
        if gauged is not None:
            days = [item.day for item in gauged.items.values()]
            for (name, _), cells in gauged.cells.items():
                if name in self._watched:
                    days.append(self._last_needed(self._watched[name], cells[-1].at))
            self._due.setdefault(gauged.due, {})[account] = None
            busy = min(max(days, default=0), gauged.due)
            self._keep_until(account, gauged, gauged.due, busy)

    def names_held(self) -> dict[str, int]:
        """Return how many accounts are remembered: a silence or a usual may be told of them."""
        return {"silences": sum(map(len, self._due.values()))} if self._remembers else {}

    @property
    def _remembers(self) -> bool:
        return any(watched.remembered for watched in self._watched.values())

    def note_closed(self, closed: OpenDay) -> None:
        """Keep by which scope and policy the account-days of a day that has closed were decided."""
        if not self._watched:
            return
        for account_day in closed.account_days:
            account = account_day.account
            gauged = account.gauged
            if gauged is None:
                continue
            _, *whose = scope_of(account_day)
            now = ClosedScope(closed.day, closed.policy.version, *whose)
            if not gauged.closed or gauged.closed[-1][1:] != now[1:]:
                gauged.closed.append(now)
                self._ledger.dirty.add(account)

    def days_closed(self) -> None:
        """Give back what nothing can change any more, once days have closed."""
        first = self._ledger.day_open_first
        if first is None:
            return
        self._lasts.clear()
        if self._telling.days_closed():
            self._measure()
        for day in [day for day in self._busy if day < first]:
            for account in self._busy.pop(day):
                gauged = account.gauged
                if gauged is not None and self._trim(account, gauged):
                    self._ledger.dirty.add(account)
        for day in [day for day in self._due if day < first]:
            for account in self._due.pop(day):
                gauged = account.gauged
                if gauged is not None and gauged.busy < day and self._remembers:
                    self._ledger.names_beyond["silences"] += 1
                account.gauged = None
                self._ledger.forget_if_empty(account)

    def _trim(self, account: Account, gauged: Gauged) -> bool:
        """Give back what an account does not need any more; return whether that was anything."""
        first = self._ledger.first_open_to(account.account_id)
        if first is None or gauged.trimmed == first:
            return False
        gauged.trimmed, before = first, gauged.size
        opened = self._telling.opened(account)
        gauged.items = {name: item for name, item in gauged.items.items() if item.day >= first}
        self._trim_paid(gauged, first)
        for group in list(gauged.cells):
            watched = self._watched.get(group[0])
            if watched is not None:
                watched.forget_before(gauged, group, watched.needed_from(first, opened, 2))
            elif group != PAID:
                del gauged.cells[group]
                gauged.sums.pop(group, None)
        place = bisect_right(gauged.closed, first - self._reach, key=CLOSED_DAY) - 1
        if place > 0:
            del gauged.closed[:place]
        for group, told in list(gauged.told.items()):
            watched = self._watched.get(group[0])
            needed = None if watched is None else watched.needed_from(first, opened, 1)
            for period in list(told):
                if needed is None or period[0] < needed:
                    del told[period]
            if not told:
                del gauged.told[group]
        return gauged.size != before

    def _trim_paid(self, gauged: Gauged, first: int) -> None:
        """Give back whom an account has paid so long ago that nobody is known by it any more."""
        cells = gauged.cells.pop(PAID, [])
        if not cells or not self._new_within:
            gauged.paid = None
            return
        kept = [*between(cells, first - self._new_within - self._reach, cells[-1].at)]
        beyond = max(len(between(kept, 0, first - 1)) - PAID_DAYS_MAX, 0)
        if beyond:
            self._ledger.names_beyond["payees"] += beyond
            self._drop_sums_of_new(gauged)
        if len(kept) - beyond < len(cells):
            gauged.paid = None
        if kept[beyond:]:
            gauged.cells[PAID] = kept[beyond:]


def _lasts_of(day: int, taken: Iterable[Watched]) -> tuple[int, int, int]:
    """Return on which day something of an item is needed last, and the length of its windows.

    The first day is that of what is remembered, 0 if nothing is; the second that of all else.
    """
    due, busy, length = 0, day, 0
    for watched in taken:
        if watched.is_rolling:
            length = max(length, watched.length)
            continue
        last = days_of(watched.period, day)[1]
        busy = max(busy, last + watched.days_near)
        due = max(due, last + watched.remembered if watched.remembered else 0)
    return due, busy, length


def _left_of(content: int) -> tuple[int, int]:
    """Return what is left of a transaction in minor units, and whether it counts: 1 or 0."""
    units = content >> SERIES_BITS
    return (0 if content & NO_AMOUNT else units), int(units > 0)
