"""The gauges of one partition: they take what is taken in, and tell of limits that are exceeded.

For each account a gauge has cells, the sums of what it measured by business day or, for a rolling
window, by event time. What a limit is asked is counted from these cells again whenever one changes,
so order of arrival within the lateness decides nothing, and a reversal takes out what came in.

A rolling window of length w at the time t holds what is after t - w and up to t. Windows are asked
for at the times of what they measure. One that exceeds its limit begins an alert, which stands for
all windows that overlap it: those that end before t + w.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.core.account import Account, AccountDay
from monitor.core.alert import Alert, Cause, Status
from monitor.core.gauged import Cell, Gauged, GaugeTold, Group, MeasuredItem, OfPeriod, Share
from monitor.core.threshold import scope_of
from monitor.core.transaction import DEBIT, Transaction
from monitor.engine.keeping import GaugeKeeping
from monitor.gauges.gauge import Gauge, add, between
from monitor.gauges.limit import GaugeLimit, GaugeLimits
from monitor.gauges.paid import PAID, PAID_GAUGE, is_payment, of_new
from monitor.gauges.telling import period_alert
from monitor.ledger.ledger import NO_AMOUNT, SERIES_BITS, Ledger
from monitor.ledger.watermark import NEVER
from monitor.policy.policy import PolicyBook

FROM_EVER: Final = 0
"""A gauge that was there before the first record."""

_NOTHING: Final[Mapping[OfPeriod, GaugeTold]] = MappingProxyType({})


class Exceeded(NamedTuple):
    """A period of a group that exceeds a limit: it begins `at`, and `value` is its greatest."""

    limit: GaugeLimit
    at: int
    value: int
    share: Share | None = None
    active: int = 0


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
        self.keeping = GaugeKeeping(ledger)
        self._ledger = ledger
        self._gauges: dict[str, Gauge] = {}
        self._policies = policies
        self._limits: dict[int, GaugeLimits] = {}  # by the version of the policy
        self._least: dict[str, int] = {}  # what must be exceeded at least, by any limit on a gauge
        self.begin()

    @property
    def is_on(self) -> bool:
        """Whether anything is measured."""
        return bool(self._gauges)

    def begin(self) -> None:
        """Measure what the policies in force now ask for."""
        self._gauges, self._least = {}, {}
        for limit in (limit for policy in self._policies.policies for limit in policy.gauges):
            name, least = limit.gauge.name, limit.tiers[0].above
            self._gauges[name] = limit.gauge
            self._least[name] = min(least, self._least.get(name, least))
        self.keeping.begin(self._gauges)
        self._limits = {p.version: GaugeLimits(p.gauges) for p in self._policies.policies}
        begun = self._begun()
        self.since = {name: self.since.get(name, begun) for name in self._gauges}

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
        cause: Cause,
    ) -> None:
        """Measure a transaction that was taken in; `content` says what is left of it."""
        day, calendar = account_day.day, self._ledger.calendar
        taken = tuple(
            gauge_name
            for gauge_name, gauge in self._gauges.items()
            if gauge.takes(transaction, day, calendar)
        )
        pays = (
            self.keeping.new_within
            and transaction.direction == DEBIT
            and transaction.counterparty_id
        )
        if not taken and not pays:
            return
        account = account_day.account
        gauged = account.gauged
        if gauged is None:
            gauged = account.gauged = Gauged()
        self.keeping.trim(gauged)
        left, counted = _left_of(content)
        origin = transaction.origin
        item = MeasuredItem(
            day,
            transaction.event_time,
            transaction.direction,
            transaction.currency,
            left,
            counted,
            origin.counterparty,
            origin.institution,
            taken,
        )
        gauged.items[name] = item
        self._pay(account, gauged, None, item, cause)
        for gauge_name in taken:
            self._move(account, gauged, gauge_name, None, item, cause)
        self.keeping.keep(account, gauged, item)

    def reverse(self, account: Account, name: str, content: int, cause: Cause) -> None:
        """Measure again a transaction of which reversals have left something else."""
        gauged = account.gauged
        item = None if gauged is None else gauged.items.get(name)
        if gauged is None or item is None:
            return
        left, counted = _left_of(content)
        after = item._replace(left=left, counted=counted)
        gauged.items[name] = after
        self._pay(account, gauged, item, after, cause)
        for gauge_name in item.gauges:
            if gauge_name in self._gauges:
                self._move(account, gauged, gauge_name, item, after, cause)

    def _move(
        self,
        account: Account,
        gauged: Gauged,
        gauge_name: str,
        before: MeasuredItem | None,
        after: MeasuredItem,
        cause: Cause,
    ) -> None:
        """Take an item out of its cell, put what is left of it there, and look at its periods."""
        gauge = self._gauges[gauge_name]
        group = gauge_name, gauge.per_of(after)
        cells = gauged.cells.setdefault(group, [])
        if before is not None:
            add(cells, gauge, before, -1)
        add(cells, gauge, after, 1)
        if not cells:
            del gauged.cells[group]
        account_day = account.day_of(after.day)
        assert account_day is not None, "an item is of an open account-day"
        why = Why.GREW if before is None else Why.REVERSED
        change = Touch(account_day, gauge.at_of(after), cause, why)
        self._look(gauged, gauge, group, change)

    def _pay(
        self,
        account: Account,
        gauged: Gauged,
        before: MeasuredItem | None,
        after: MeasuredItem,
        cause: Cause,
    ) -> None:
        """Note whom an item has paid, and look at later days on which that is no news, or is."""
        if not self.keeping.new_within or not is_payment(after):
            return
        paid = gauged.cells.setdefault(PAID, [])
        count = len(paid)
        if before is not None:
            add(paid, PAID_GAUGE, before, -1)
        add(paid, PAID_GAUGE, after, 1)
        is_same = len(paid) == count
        if not paid:
            del gauged.cells[PAID]
        for group in [] if is_same else list(gauged.cells):
            gauge = self._gauges.get(group[0])
            if gauge is None or gauge.where.new_within is None:
                continue
            for later in range(after.day + 1, after.day + gauge.where.new_within + 1):
                account_day = account.day_of(later)
                if account_day is not None:
                    for at in self._times(gauge, gauged.cells.get(group, []), later):
                        change = Touch(account_day, at, cause, Why.DECIDED)
                        self._look(gauged, gauge, group, change)

    def decide_again(self, account_day: AccountDay, cause: Cause) -> None:
        """Look again at the periods of an account-day that other limits may decide for now."""
        gauged = account_day.account.gauged
        if gauged is None:
            return
        for group in list(gauged.cells):
            gauge = self._gauges.get(group[0])
            if gauge is None:
                continue
            for at in self._times(gauge, gauged.cells[group], account_day.day):
                self._look(gauged, gauge, group, Touch(account_day, at, cause, Why.DECIDED))

    def _times(self, gauge: Gauge, cells: list[Cell], day: int) -> list[int]:
        """Return the moments of a group's cells on a business day."""
        calendar = self._ledger.calendar
        first, last = day, day
        if gauge.period.is_rolling:
            first, last = calendar.start_of(day), calendar.end_of(day) - 1
        return sorted({cell.at for cell in between(cells, first, last)})

    # -- what is told -----------------------------------------------------------------------------

    def _look(self, gauged: Gauged, gauge: Gauge, group: Group, change: Touch) -> None:
        """Tell what has changed of the periods that a moment is in."""
        told = gauged.told.get(group, _NOTHING)
        cells: Sequence[Cell] = gauged.cells.get(group, ())
        if gauge.where.new_within is not None:
            paid = gauged.cells.get(PAID, ())
            cells = of_new(gauge, cells, paid, self._ledger.calendar.day_of)
        if gauge.period.is_rolling:
            if self._tells_nothing_new(gauge, group, cells, told, change):
                return
            standing = self._windows(gauge, group, cells, told, change)
            reach = self.keeping.opened() - gauge.period.length
            concerned = {period for period in told if period[0] > reach}
        else:
            first, _ = gauge.period.days_of(change.account_day.day)
            standing = self._of_days(gauge, group, first, cells, change)
            concerned = {period for period in told if period[0] == first}
        for found in standing:
            period = found.at, found.limit.limit_id
            if period not in concerned or self._is_reached(gauge, found.at, told[period], change):
                self._tell(gauged, group, found, change)
            concerned.discard(period)
        for at, limit_id in sorted(concerned):
            if told[at, limit_id].status != Status.WITHDRAWN:
                limit = self._named(gauge, limit_id, self._day_of(gauge, at))
                of_period = self._cells_at(gauge, cells, at)
                value = limit.counted(gauge.value_of(of_period), of_period)
                share, active = gauge.share_of(of_period), gauge.active_before(cells, at)
                found = Exceeded(limit, at, value, share, active)
                self._tell(gauged, group, found, change, stands=False)
        if gauge.silence is not None and change.why is not Why.DECIDED:
            self._look_after(gauged, gauge, group, change)

    def _look_after(self, gauged: Gauged, gauge: Gauge, group: Group, change: Touch) -> None:
        """Look at the next day on which something was: what came before it has changed."""
        cells = gauged.cells.get(group, ())
        following = between(cells, change.at + 1, cells[-1].at) if cells else ()
        if following:
            account_day = change.account_day.account.day_of(following[0].at)
            assert account_day is not None, "it is after an open day"
            later = change._replace(account_day=account_day, at=account_day.day, why=Why.DECIDED)
            self._look(gauged, gauge, group, later)

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
        cells: Sequence[Cell],
        told: Mapping[OfPeriod, GaugeTold],
        change: Touch,
    ) -> bool:
        """Return whether the windows that a change reaches tell nothing, as nearly always.

        What comes at the latest time reaches one window, that which ends then. It tells nothing if
        it exceeds no limit, or if an alert stands that it belongs to, and is no higher tier of it.
        """
        if (
            change.why is not Why.GREW
            or not gauge.only_grows
            or not cells
            or cells[-1].at != change.at
        ):
            return False
        length = gauge.period.length
        of_window = self._cells_at(gauge, cells, change.at)
        value = gauge.value_of(of_window)
        if value <= self._least[group[0]]:
            return True
        clock = self._ledger.marks.clock
        return any(
            each.status != Status.WITHDRAWN
            and began <= change.at < began + length
            and clock < began + length
            and (limit := self._decided(gauge, group, change, change.at, of_window)) is not None
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
        cells: Sequence[Cell],
        change: Touch,
    ) -> list[Exceeded]:
        """Return the period that begins with a day, if it exceeds the limit that decides for it."""
        of_period = self._cells_at(gauge, cells, first)
        value, active = gauge.value_of(of_period), gauge.active_before(cells, first)
        if value <= self._least[group[0]] or first - gauge.days_before < self.since[group[0]]:
            return []
        if gauge.silence is not None and not active:
            return []
        latest = change.account_day.account.day_of(of_period[-1].at) or change.account_day
        limit = self._deciding(group, first, latest)
        if limit is None or not limit.is_exceeded(value, of_period):
            return []
        return [Exceeded(limit, first, value, gauge.share_of(of_period), active)]

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
        length, opened = gauge.period.length, self.keeping.opened()
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
        for at in sorted({cell.at for cell in between(cells, first, last)}):
            of_window = self._cells_at(gauge, cells, at)
            value = gauge.value_of(of_window)
            if value <= self._least[group[0]]:
                continue
            limit = (
                self._decided(gauge, group, change, at, of_window)
                if at >= opened
                else self._closed(gauge, at, of_window, stands)
            )
            if limit is None:
                continue
            place = latest.get(limit.limit_id)
            if place is None or at >= found[place].at + length:
                latest[limit.limit_id] = len(found)
                found.append(Exceeded(limit, at, value, gauge.share_of(of_window)))
            elif value > found[place].value:
                share = gauge.share_of(of_window)
                found[place] = found[place]._replace(value=value, share=share)
        return found

    def _decided(
        self, gauge: Gauge, group: Group, change: Touch, at: int, cells: Sequence[Cell]
    ) -> GaugeLimit | None:
        """Return the limit that a window which ends on an open day exceeds; None if none is."""
        calendar = self._ledger.calendar
        day = calendar.day_of(at)
        account_day = change.account_day.account.day_of(day)
        assert account_day is not None, "an open day has the account-days of what is measured"
        since = self.since[group[0]]
        if since != FROM_EVER and at - gauge.period.length + 1 < calendar.start_of(
            since + gauge.days_before
        ):
            return None
        limit = self._deciding(group, day, account_day)
        return limit if limit and limit.is_exceeded(gauge.value_of(cells), cells) else None

    def _closed(
        self, gauge: Gauge, at: int, cells: Sequence[Cell], stands: Iterable[OfPeriod]
    ) -> GaugeLimit | None:
        """Return the limit that a window which ended on a closed day exceeded, as it was told."""
        value = gauge.value_of(cells)
        for began, limit_id in stands:
            limit = self._named(gauge, limit_id, self._ledger.calendar.day_of(began))
            if began <= at < began + gauge.period.length and limit.is_exceeded(value, cells):
                return limit
        return None

    def _deciding(self, group: Group, day: int, account_day: AccountDay) -> GaugeLimit | None:
        """Return the limit on a gauge that the policy of a day has for an account-day."""
        policy, _ = self._policies.for_day(day)
        return self._limits[policy.version].deciding(group[0], scope_of(account_day))

    def _named(self, gauge: Gauge, limit_id: str, day: int) -> GaugeLimit:
        """Return a limit on a gauge that was told of; the policy of that day is asked first."""
        policy, _ = self._policies.for_day(day)
        return next(
            limit
            for version in (policy.version, *self._limits)
            for limit in self._limits[version].stated
            if limit.limit_id == limit_id and limit.gauge == gauge
        )

    def _cells_at(self, gauge: Gauge, cells: Sequence[Cell], at: int) -> Sequence[Cell]:
        """Return what the period that begins with a day has, or the window that ends at a time."""
        if gauge.period.is_rolling:
            return between(cells, at - gauge.period.length + 1, at)
        return between(cells, *gauge.period.days_of(at))

    def _day_of(self, gauge: Gauge, at: int) -> int:
        return self._ledger.calendar.day_of(at) if gauge.period.is_rolling else at

    def _end_of(self, gauge: Gauge, at: int) -> int:
        """Return the event time from which on nothing belongs to a period any more."""
        if gauge.period.is_rolling:
            return at + gauge.period.length
        _, last = gauge.period.days_of(at)
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
        limit, at, value, share, active = found
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
            said = before.value, before.limit, before.severity
            more = before.share, before.active
            if said == (value, above, severity) and more == (share, active):
                return
        origin = before.origin if before is not None and stood else change.cause.origin
        revision = 1 if before is None else before.revision + 1
        told = GaugeTold(status.value, revision, value, above, severity, origin, share, active)
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
            )
        )


def _left_of(content: int) -> tuple[int, int]:
    """Return what is left of a transaction in minor units, and whether it counts: 1 or 0."""
    units = content >> SERIES_BITS
    return (0 if content & NO_AMOUNT else units), int(units > 0)
