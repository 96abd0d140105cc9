"""The gauges of one partition: they take what is taken in, and tell of limits that are exceeded.

For each account a gauge has cells, the sums of what it measured by business day or, for a rolling
window, by event time. What a limit is asked is counted from these cells again whenever one changes,
so order of arrival within the lateness decides nothing, and a reversal takes out what came in.

A rolling window of length w at the time t holds what is after t - w and up to t. Windows are asked
for at the times of what they measure. One that exceeds its limit begins an alert, which stands for
all windows that overlap it: those that end before t + w.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from operator import itemgetter
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.core.account import Account, AccountDay
from monitor.core.alert import Alert, Cause, Status
from monitor.core.business_day import MICROSECONDS
from monitor.core.gauged import (
    Cell,
    ClosedScope,
    Gauged,
    GaugeTold,
    Group,
    MeasuredItem,
    OfPeriod,
)
from monitor.core.threshold import Scope, scope_of
from monitor.core.transaction import Transaction
from monitor.gauges.gauge import Gauge, between, window_values
from monitor.gauges.limit import GaugeLimit, GaugeLimits
from monitor.gauges.telling import period_alert
from monitor.gauges.watched import Watched, days_of
from monitor.ledger.ledger import NO_AMOUNT, SERIES_BITS, Ledger, OpenDay
from monitor.ledger.watermark import NEVER
from monitor.policy.policy import PolicyBook

FROM_EVER: Final = 0
"""A gauge that was there before the first record."""


_DAY: Final = itemgetter(0)

_PERIOD_DAYS_MAX: Final = 31 + 2
"""The longest period of the calendar, and a day for a change of the clock at either end."""

DAY_LENGTH: Final = 86_400 * MICROSECONDS


_NOTHING: Final[Mapping[OfPeriod, GaugeTold]] = MappingProxyType({})


class Exceeded(NamedTuple):
    """A period of a group that exceeds a limit: it begins `at`, and `value` is its greatest."""

    limit: GaugeLimit
    at: int
    value: int


class Why(Enum):
    """Why a period is looked at again."""

    GREW = auto()
    REVERSED = auto()
    DECIDED = auto()  # by another limit, or by the limits of another scope


class Touch(NamedTuple):
    """Something has changed at a moment of an open account-day."""

    account_day: AccountDay
    at: int
    cause: Cause
    why: Why


class Gauging:
    """Watches the gauges of all policy versions; what it tells goes into `alerts`.

    `since` has the first business day that each gauge measures whole: for one that a later policy
    brings, that is after every day of which there are records. Nothing is told of periods that it
    has not measured whole.
    """

    def __init__(self, ledger: Ledger, policies: PolicyBook) -> None:
        self.alerts: list[Alert] = []
        self.since: dict[str, int] = {}
        self._ledger = ledger
        self._policies = policies
        self._watched: dict[str, Watched] = {}
        self._of_series: dict[tuple[str, str], tuple[Watched, ...]] = {}  # direction and currency
        self._limits: dict[int, GaugeLimits] = {}  # by the version of the policy
        self._due: dict[int, dict[Account, None]] = {}
        self._reach = 0  # days before the first open one that may still be asked for
        self.begin()

    @property
    def is_on(self) -> bool:
        """Whether anything is measured."""
        return bool(self._watched)

    def begin(self) -> None:
        """Measure what the policies in force now ask for."""
        self._watched, self._of_series = {}, {}
        for limit in (limit for policy in self._policies.policies for limit in policy.gauges):
            least = limit.tiers[0].above
            watched = self._watched.setdefault(limit.gauge.name, Watched(limit.gauge, least))
            watched.least = min(watched.least, least)
        lengths = (2 * watched.length for watched in self._watched.values())
        self._reach = _PERIOD_DAYS_MAX + max(lengths, default=0) // DAY_LENGTH
        self._limits = {p.version: GaugeLimits(p.gauges) for p in self._policies.policies}
        begun = self._begun()
        self.since = {name: self.since.get(name, begun) for name in self._watched}

    def restore_since(self, since: Mapping[str, int]) -> None:
        """Put back since when gauges have measured; others begin now."""
        self.since = {**since}
        self.begin()

    def _begun(self) -> int:
        """Return the first business day of which there is no record yet.

        Records of one account that is far ahead of all others are no reason to wait: a limit would
        wait for as long as a slip of the pen says. They are not measured.
        """
        marks, calendar = self._ledger.marks, self._ledger.calendar
        if marks.first == NEVER:
            return FROM_EVER
        return calendar.day_of(min(marks.first, marks.clock + marks.lead)) + 1

    def waiting(self) -> dict[str, int]:
        """Return which limits cannot decide yet, and the event time from which each does.

        Such a limit came with a later policy, and no period or window of it is measured whole yet.
        """
        calendar, clock = self._ledger.calendar, self._ledger.marks.clock
        found: dict[str, int] = {}
        for limit in self._policies.policies[-1].gauges:
            since, period = self.since[limit.gauge.name], limit.gauge.period
            if since == FROM_EVER:
                continue
            if period.is_rolling:
                begins = calendar.start_of(since) + period.length - 1
            else:
                first, last = days_of(period, since)
                begins = calendar.start_of(since if first == since else last + 1)
            if clock < begins:
                found[limit.limit_id] = begins
        return found

    def take_alerts(self) -> list[Alert]:
        """Return what was told since the last call."""
        alerts, self.alerts = self.alerts, []
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
            if not watched.asks or watched.gauge.asks_no_more(transaction, day, calendar)
        ]
        if not taken:
            return
        account = account_day.account
        gauged = account.gauged
        if gauged is None:
            gauged = account.gauged = Gauged()
        self._trim(gauged)
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
        if counted:
            for watched in taken:
                group = watched.group_of(item)
                value = watched.take(gauged, group, item)
                if value is None or value > watched.least or group in gauged.told:
                    at = watched.at_of(item)
                    self._look(gauged, group, Touch(account_day, at, cause(), Why.GREW), value)
        self._keep_until(account, gauged, self._needed_until(gauged, item, taken))

    def _watched_of(self, transaction: Transaction) -> tuple[Watched, ...]:
        """Return the gauges that may take a transaction, by what it says first."""
        series = transaction.direction, transaction.currency
        found = self._of_series.get(series)
        if found is None:
            found = self._of_series[series] = tuple(
                watched for watched in self._watched.values() if watched.gauge.is_of(*series)
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
        for gauge_name in item.gauges:
            watched = self._watched.get(gauge_name)
            if watched is not None:
                group = watched.group_of(item)
                watched.put_back(gauged, group, item, after)
                at = watched.at_of(item)
                self._look(gauged, group, Touch(account_day, at, cause, Why.REVERSED))

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
                self._look(gauged, group, Touch(account_day, at, cause, Why.DECIDED))

    def _times(self, gauge: Gauge, cells: list[Cell], day: int) -> list[int]:
        """Return the moments of a group's cells on a business day."""
        calendar = self._ledger.calendar
        first, last = day, day
        if gauge.period.is_rolling:
            first, last = calendar.start_of(day), calendar.end_of(day) - 1
        return sorted({cell.at for cell in between(cells, first, last)})

    # -- what is told -----------------------------------------------------------------------------

    def _look(self, gauged: Gauged, group: Group, change: Touch, latest: int | None = None) -> None:
        """Tell what has changed of the periods that a moment is in.

        `latest` is what the latest window has, if that is known.
        """
        gauge = self._watched[group[0]].gauge
        told = gauged.told.get(group, _NOTHING)
        cells = gauged.cells.get(group, ())
        if gauge.period.is_rolling:
            if latest is not None and self._tells_nothing_new(gauge, group, latest, told, change):
                return
            standing = self._windows(gauge, group, cells, told, change)
            reach = self._opened() - gauge.period.length
            concerned = {period for period in told if period[0] > reach}
        else:
            first, last = days_of(gauge.period, change.account_day.day)
            of_period = between(cells, first, last)
            standing = self._of_days(gauge, group, first, of_period, change)
            concerned = {period for period in told if period[0] == first}
        for found in standing:
            period = found.at, found.limit.limit_id
            if period not in concerned or self._is_reached(gauge, found.at, told[period], change):
                self._tell(gauged, group, found, change)
            concerned.discard(period)
        for at, limit_id in sorted(concerned):
            if told[at, limit_id].status != Status.WITHDRAWN:
                limit = self._named(gauge, limit_id, self._day_of(gauge, at))
                value = self._value_at(gauge, cells, at)
                found = Exceeded(limit, at, value)
                self._tell(gauged, group, found, change, stands=False)

    def _is_reached(self, gauge: Gauge, at: int, told: GaugeTold, change: Touch) -> bool:
        """Return whether a change may have changed what was told of a period.

        It does not reach the windows of another alert, which is only looked at with the others.
        """
        return (
            not gauge.period.is_rolling
            or told.status == Status.WITHDRAWN
            or abs(at - change.at) < gauge.period.length
        )

    def _tells_nothing_new(
        self,
        gauge: Gauge,
        group: Group,
        value: int,
        told: Mapping[OfPeriod, GaugeTold],
        change: Touch,
    ) -> bool:
        """Return whether the windows that a change reaches tell nothing, as nearly always.

        What comes at the latest time reaches one window, that which ends then. It tells nothing if
        it exceeds no limit, or if an alert stands that it belongs to, and is no higher tier of it.
        """
        if not gauge.only_grows:
            return False
        length = gauge.period.length
        if value <= self._watched[group[0]].least:
            return True
        clock = self._ledger.marks.clock
        return any(
            each.status != Status.WITHDRAWN
            and began <= change.at < began + length
            and clock < began + length
            and (limit := self._decided(gauge, group, change.at, value, change)) is not None
            and limit.limit_id == limit_id
            and (tier := limit.tier_of(value)) is not None
            and tier.above <= each.limit
            for (began, limit_id), each in told.items()
        )

    def _of_days(
        self,
        gauge: Gauge,
        group: Group,
        first: int,
        of_period: Sequence[Cell],
        change: Touch,
    ) -> list[Exceeded]:
        """Return the period that begins with a day, if it exceeds the limit that decides for it."""
        value = gauge.value_of(of_period)
        if value <= self._watched[group[0]].least or first < self.since[group[0]]:
            return []
        account = change.account_day.account
        found = self._whose(account, of_period[-1].at)
        if found is None:
            return []
        _, scope = found
        policy, _ = self._policies.for_day(first)
        limit = self._limits[policy.version].deciding(group[0], scope)
        if limit is None or limit.tier_of(value) is None:
            return []
        return [Exceeded(limit, first, value)]

    def _windows(
        self,
        gauge: Gauge,
        group: Group,
        cells: Sequence[Cell],
        told: Mapping[OfPeriod, GaugeTold],
        change: Touch,
    ) -> list[Exceeded]:
        """Return the windows that begin alerts, with the greatest value of those that overlap each.

        As long as nothing stands, no window exceeds its limit but those that a change reaches.
        """
        length, opened = gauge.period.length, self._opened()
        stands = [
            period
            for period, each in told.items()
            if each.status != Status.WITHDRAWN and period[0] > opened - length
        ]
        first, last = change.at, change.at + length - 1
        if stands:
            first = min(opened - length + 1, first)
            last = cells[-1].at if cells else first
        found: list[Exceeded] = []
        latest: dict[str, int] = {}  # the place of the last alert of each limit
        least = self._watched[group[0]].least
        for at, value in window_values(gauge, cells, first, last):
            if value <= least:
                continue
            limit = self._decided(gauge, group, at, value, change)
            if limit is None or not (
                # Of a closed day: it is of an alert that began before it, or with it.
                at >= opened
                or any(
                    began <= at < began + length and limit_id == limit.limit_id
                    for began, limit_id in stands
                )
            ):
                continue
            place = latest.get(limit.limit_id)
            if place is None or at >= found[place].at + length:
                latest[limit.limit_id] = len(found)
                found.append(Exceeded(limit, at, value))
            elif value > found[place].value:
                found[place] = found[place]._replace(value=value)
        return found

    def _decided(
        self, gauge: Gauge, group: Group, at: int, value: int, change: Touch
    ) -> GaugeLimit | None:
        """Return the limit that a window exceeds; None if none is.

        One that ended on a closed day exceeds what it exceeded when that day closed.
        """
        calendar = self._ledger.calendar
        since = self.since[group[0]]
        if since != FROM_EVER and at - gauge.period.length + 1 < calendar.start_of(since):
            return None
        found = self._whose(change.account_day.account, calendar.day_of(at))
        if found is None:
            return None
        version, scope = found
        limit = self._limits[version].deciding(group[0], scope)
        return None if limit is None or limit.tier_of(value) is None else limit

    def _whose(self, account: Account, day: int) -> tuple[int, Scope] | None:
        """Return the policy version and the scope of an account on a day that gauges measured.

        Of a closed day they are those by which it closed; None if a version that did not measure
        yet decided on it.
        """
        first = self._ledger.day_open_first
        if first is None or day >= first:
            account_day = account.day_of(day)
            assert account_day is not None, "an open day has the account-days of what is measured"
            policy, _ = self._policies.for_day(day)
            return policy.version, scope_of(account_day)
        closed = [] if account.gauged is None else account.gauged.closed
        place = bisect_right(closed, day, key=_DAY) - 1
        if place < 0:
            return None
        _, version, segment, peer_group, product = closed[place]
        return version, (account.account_id, segment, peer_group, product)

    def _named(self, gauge: Gauge, limit_id: str, day: int) -> GaugeLimit:
        """Return a limit on a gauge that was told of; the policy of that day is asked first."""
        policy, _ = self._policies.for_day(day)
        return next(
            limit
            for version in (policy.version, *self._limits)
            for limit in self._limits[version].stated
            if limit.limit_id == limit_id and limit.gauge == gauge
        )

    def _value_at(self, gauge: Gauge, cells: Sequence[Cell], at: int) -> int:
        """Return what the period that begins with a day has, or the window that ends at a time."""
        if gauge.period.is_rolling:
            return gauge.value_of(between(cells, at - gauge.period.length + 1, at))
        return gauge.value_of(between(cells, *days_of(gauge.period, at)))

    def _day_of(self, gauge: Gauge, at: int) -> int:
        return self._ledger.calendar.day_of(at) if gauge.period.is_rolling else at

    def _end_of(self, gauge: Gauge, at: int) -> int:
        """Return the event time from which on nothing belongs to a period any more."""
        if gauge.period.is_rolling:
            return at + gauge.period.length
        _, last = days_of(gauge.period, at)
        return self._ledger.calendar.end_of(last)

    def _tell(
        self,
        gauged: Gauged,
        group: Group,
        found: Exceeded,
        change: Touch,
        *,
        stands: bool = True,
    ) -> None:
        """Tell how a limit stands on a period, where that differs from what was told last."""
        limit, at, value = found
        gauge = limit.gauge
        of_group = gauged.told.setdefault(group, {})
        before = of_group.get((at, limit.limit_id))
        stood = before is not None and before.status != Status.WITHDRAWN
        tier = limit.tier_of(value) if stands else None
        if tier is None:
            assert before is not None, "it was told"
            status, above, severity = Status.WITHDRAWN, before.limit, before.severity
        else:
            status = Status.RESTATED if stood else Status.RAISED
            above, severity = tier.above, tier.severity.value
        if stood and before is not None and tier is not None:
            goes_on = self._ledger.marks.clock < self._end_of(gauge, at)
            is_higher = above > before.limit
            is_same = above == before.limit
            if goes_on and (
                (change.why is Why.GREW and not is_higher)
                or (change.why is Why.DECIDED and is_same)
            ):
                return  # as a day's alert: what it grows by tells nothing new
            if (before.value, before.limit, before.severity) == (value, above, severity):
                return
        why = None
        if tier is None and limit.tier_of(value) is not None:
            is_decided = change.why is Why.DECIDED or not gauge.period.is_rolling
            why = "another limit decides" if is_decided else "its windows are of another alert"
        origin = before.origin if before is not None and stood else change.cause.origin
        revision = 1 if before is None else before.revision + 1
        told = GaugeTold(status.value, revision, value, above, severity, origin)
        of_group[at, limit.limit_id] = told
        day = self._day_of(gauge, at)
        policy, _ = self._policies.for_day(day)
        self.alerts.append(
            period_alert(
                limit,
                group[1],
                at,
                day,
                told,
                None if before is None else before.value,
                change.account_day,
                policy.version,
                change.cause,
                self._ledger.calendar,
                why,
            )
        )

    # -- what is given back -----------------------------------------------------------------------

    def _opened(self) -> int:
        """Return the event time from which on days are open."""
        first = self._ledger.day_open_first
        return NEVER if first is None else self._ledger.calendar.start_of(first)

    def _needed_until(self, gauged: Gauged, item: MeasuredItem, taken: Iterable[Watched]) -> int:
        """Return the last business day on which what an item has brought is needed."""
        day, length = max(item.day, gauged.due), 0
        for watched in taken:
            if watched.is_rolling:
                length = max(length, watched.length)
            else:
                day = max(day, days_of(watched.period, item.day)[1])
        last, calendar = item.event_time + 2 * length, self._ledger.calendar
        return day if last < calendar.end_of(day) else calendar.day_of(last)

    def _keep_until(self, account: Account, gauged: Gauged, day: int) -> None:
        if day != gauged.due:
            self._due.get(gauged.due, {}).pop(account, None)
            gauged.due = day
            self._due.setdefault(day, {})[account] = None

    def restored(self, account: Account) -> None:
        """Take an account that was put back: what is not needed any more is given back in time."""
        gauged = account.gauged
        if gauged is not None:
            self._due.setdefault(gauged.due, {})[account] = None

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
        for day in [day for day in self._due if day < first]:
            for account in self._due.pop(day):
                account.gauged = None
                self._ledger.forget_if_empty(account)

    def _trim(self, gauged: Gauged) -> None:
        """Give back what an account that goes on does not need any more."""
        first = self._ledger.day_open_first
        if first is None or gauged.trimmed == first:
            return
        gauged.trimmed = first
        opened = self._opened()
        gauged.items = {name: item for name, item in gauged.items.items() if item.day >= first}
        for group in list(gauged.cells):
            watched = self._watched.get(group[0])
            if watched is not None:
                watched.forget_before(gauged, group, watched.needed_from(first, opened, 2))
            else:
                del gauged.cells[group]
        place = bisect_right(gauged.closed, first - self._reach, key=_DAY) - 1
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


def _left_of(content: int) -> tuple[int, int]:
    """Return what is left of a transaction in minor units, and whether it counts: 1 or 0."""
    units = content >> SERIES_BITS
    return (0 if content & NO_AMOUNT else units), int(units > 0)
