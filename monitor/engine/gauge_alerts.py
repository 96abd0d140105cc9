"""The alerts of limits on gauges: which periods exceed one, and what is told of them.

What a limit is asked is counted from an account's cells whenever one changes, so order of arrival
within the lateness decides nothing.

A rolling window of length w at the time t holds what is after t - w and up to t. Windows are asked
for at the times of what they measure. One that exceeds its limit begins an alert, which stands for
all windows that overlap it: those that end before t + w.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.core.account import Account, AccountDay
from monitor.core.alert import Alert, Cause, Status
from monitor.core.gauged import Cell, Gauged, GaugeTold, Group, NearDay, OfPeriod, Share, UsualDays
from monitor.core.threshold import Scope, scope_of
from monitor.engine.superseded import SupersededGauges
from monitor.engine.touch import Touch, Why
from monitor.gauges.conversion import Conversion
from monitor.gauges.gauge import Gauge, between, window_values
from monitor.gauges.limit import GaugeLimit, GaugeLimits
from monitor.gauges.paid import of_new, paid_days
from monitor.gauges.telling import period_alert
from monitor.gauges.watched import Watched, days_of
from monitor.ledger.ledger import Ledger
from monitor.ledger.watermark import NEVER
from monitor.policy.policy import PolicyBook

FROM_EVER: Final = 0
"""A gauge that was there before the first record."""

CLOSED_DAY: Final = itemgetter(0)

_NOTHING: Final[Mapping[OfPeriod, GaugeTold]] = MappingProxyType({})


class Exceeded(NamedTuple):
    """A period of a group that exceeds a limit: it begins `at`, and `value` is its greatest.

    `cells` are what that value is of.
    """

    limit: GaugeLimit
    at: int
    value: int
    share: Share | None = None
    active: int = 0
    usual: UsualDays | None = None
    near: tuple[NearDay, ...] = ()
    cells: Sequence[Cell] = ()


class GaugeAlerts:
    """Looks at the periods of gauges, and tells of limits that are exceeded: into `alerts`.

    `watched` are the gauges of all policy versions, by their names, but for those of superseded
    ones that nothing can be told of any more. `since` has the first business day that each of them
    measures whole: for one that a later policy brings, that is after every day of which there are
    records. Nothing is told of periods that it has not measured whole. `changed` is the first
    business day of which there was no record yet when policies changed last.
    """

    def __init__(self, ledger: Ledger, policies: PolicyBook) -> None:
        self.alerts: list[Alert] = []
        self.since: dict[str, int] = {}
        self.changed = FROM_EVER
        self.watched: dict[str, Watched] = {}
        self._ledger = ledger
        self._policies = policies
        self._limits: dict[int, GaugeLimits] = {}  # by the version of the policy, in their order
        self._places: dict[int, int] = {}  # of the versions in that order
        self._stating: dict[str, list[int]] = {}  # the versions that have limits on a gauge
        self._superseded = SupersededGauges(policies.policies)
        self._conversion = Conversion(policies.rates_for, ledger.calendar)
        self._is_whole_ever = True  # whether all gauges were there before the first record

    def begin(self) -> None:
        """Watch what the policies in force now ask for.

        What was watched before is watched on, to be withdrawn where it stands no more.
        """
        self._conversion.begin()
        policies = self._policies.policies
        self.watched, self._superseded = {}, SupersededGauges(policies)
        needless = self._needless()
        needless -= self.since.keys()
        for limit in (limit for policy in policies for limit in policy.gauges):
            if limit.gauge.name in needless:
                continue
            name, asked = limit.gauge.name, (limit.tiers[0].above, limit.least_whole)
            watched = self.watched.get(name)
            if watched is None:
                self.watched[name] = Watched(limit.gauge, *asked, self._ledger.calendar)
            else:
                watched.note(*asked)
        self._limits = {policy.version: GaugeLimits(policy.gauges) for policy in policies}
        self._places = {policy.version: place for place, policy in enumerate(policies)}
        self._stating = {}
        for policy in policies:
            for name in {limit.gauge.name for limit in policy.gauges}:
                self._stating.setdefault(name, []).append(policy.version)
        begun = self.begun()
        self.since = {name: self.since.get(name, begun) for name in self.watched}
        self._is_whole_ever = not any(self.since.values())

    def days_closed(self) -> bool:
        """Watch no more what nothing can be told of any more; return whether that was anything."""
        needless = self._needless()
        needless &= self.watched.keys()
        for name in needless:
            del self.watched[name], self.since[name]
        return bool(needless)

    def _needless(self) -> set[str]:
        """Return the names of gauges that nothing can be told of any more.

        There are none while an account is alone: a second one may come on days that it has closed.
        """
        ledger = self._ledger
        first = None if ledger.marks.is_alone else ledger.day_open_first
        return self._superseded.needless(self.since, self.changed, first)

    def begun(self) -> int:
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
            since += limit.gauge.days_before
            if period.is_rolling:
                begins = calendar.start_of(since) + period.length - 1
            else:
                first, last = days_of(period, since)
                begins = calendar.start_of(since if first == since else last + 1)
            if clock < begins:
                found[limit.limit_id] = begins
        return found

    def grew(
        self,
        gauged: Gauged,
        group: Group,
        account_day: AccountDay,
        at: int,
        cause: Callable[[], Cause],
        latest: int | None,
    ) -> None:
        """Tell what is new of a group to which something has come, as nearly always is nothing.

        `latest` is what the latest period or window comes to, or may at most, if that is known.
        """
        watched, told = self.watched[group[0]], gauged.told.get(group, _NOTHING)
        if latest is not None and gauged.cells[group][-1].at == at:
            is_quiet = self._is_window_quiet if watched.is_rolling else self._is_period_quiet
            if is_quiet(watched, latest, told, account_day, at):
                return
        self.look(gauged, group, Touch(account_day, at, cause(), Why.GREW))

    def look(self, gauged: Gauged, group: Group, change: Touch) -> None:
        """Tell what has changed of the periods that a moment is in."""
        gauge = self.watched[group[0]].gauge
        told = gauged.told.get(group, _NOTHING)
        cells: Sequence[Cell] = gauged.cells.get(group, ())
        if gauge.where.new_within is not None:
            cells = of_new(gauge, cells, paid_days(gauged), self._ledger.calendar.day_of)
        if gauge.period.is_rolling:
            standing = self._windows(gauge, group, cells, told, change)
            reach = self.opened(change.account_day.account) - gauge.period.length
            concerned = {period for period in told if period[0] > reach}
        else:
            first, _ = days_of(gauge.period, change.account_day.day)
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
                usual = gauge.usual_of(cells, at, self.since[group[0]])
                value = self._value_at(gauge, of_period, at, usual)
                near = gauge.near_of(of_period, at)
                share, active = gauge.share_of(of_period), self._active_before(gauge, cells, at)
                value = limit.counted(value, of_period)
                found = Exceeded(limit, at, value, share, active, usual, near, of_period)
                self._tell(gauged, group, found, change, stands=False)
        watched = self.watched[group[0]]
        if (watched.remembered or watched.days_near) and change.why is not Why.DECIDED:
            self._look_after(gauged, group, change)

    def _look_after(self, gauged: Gauged, group: Group, change: Touch) -> None:
        """Look at the later days on which something was: what came before them has changed.

        After a silence that is the next one, and of a usual all; of days that are near a limit, as
        many as are counted together.
        """
        cells, near = gauged.cells.get(group, ()), self.watched[group[0]].days_near
        last = change.at + near if near else cells[-1].at if cells else 0
        following = between(cells, change.at + 1, last)
        days = sorted({cell.at for cell in following})
        for day in days if self.watched[group[0]].gauge.silence is None else days[:1]:
            account_day = change.account_day.account.day_of(day)
            assert account_day is not None, "it is after an open day"
            later = change._replace(account_day=account_day, at=account_day.day, why=Why.DECIDED)
            self.look(gauged, group, later)

    def _is_reached(self, gauge: Gauge, at: int, told: GaugeTold, change: Touch) -> bool:
        """Return whether a change may have changed what was told of a period.

        It does not reach the windows of another alert, which is only looked at with the others.
        """
        return (
            not gauge.period.is_rolling
            or told.status == Status.WITHDRAWN
            or abs(at - change.at) < gauge.period.length
        )

    def _is_window_quiet(
        self,
        watched: Watched,
        value: int,
        told: Mapping[OfPeriod, GaugeTold],
        account_day: AccountDay,
        at: int,
    ) -> bool:
        """Return whether the windows that a change reaches tell nothing, as nearly always.

        What comes at the latest time reaches one window, that which ends then. It tells nothing if
        it exceeds no limit, or if an alert stands that it belongs to, and is no higher tier of it.
        """
        if not watched.only_grows:
            return False
        if value <= watched.least:
            return True
        limit = self._of_open_day(watched, account_day, at)
        if limit is None or value <= limit.threshold.above:
            return True
        tier, clock = limit.tier_of(value), self._ledger.marks.clock
        assert tier is not None, "it exceeds the lowest one"
        return any(
            each.status != Status.WITHDRAWN
            and limit_id == limit.limit_id
            and began <= at < began + watched.length
            and clock < began + watched.length
            and tier.above <= each.limit
            for (began, limit_id), each in told.items()
        )

    def _is_period_quiet(
        self,
        watched: Watched,
        value: int,
        told: Mapping[OfPeriod, GaugeTold],
        account_day: AccountDay,
        _at: int,
    ) -> bool:
        """Return whether the period of the latest day tells nothing, as nearly always.

        It does not if it exceeds no limit and nothing is told of it; or if it is told to exceed
        the tier that it exceeds now, and goes on.
        """
        if watched.within is not None:
            return False  # the limit is that of the last day with a new one
        first, last = days_of(watched.period, account_day.day)
        stands = {
            limit_id: each
            for (began, limit_id), each in told.items()
            if began == first and each.status != Status.WITHDRAWN
        }
        limit = None
        if value > watched.least:
            limit = self._of_open_day(watched, account_day, first)
        if limit is None or value <= limit.threshold.above:
            return not stands
        each, tier = stands.get(limit.limit_id), limit.tier_of(value)
        return (
            watched.is_exact
            and len(stands) == 1
            and each is not None
            and tier is not None
            and tier.above <= each.limit
            and self._ledger.marks.clock < self._ledger.calendar.end_of(last)
        )

    def _of_open_day(self, watched: Watched, account_day: AccountDay, at: int) -> GaugeLimit | None:
        """Return the limit that decides on the window that ends on a day, or on its period.

        A window ends `at` a time of that day, and a period begins with the business day `at`.
        """
        if not self._is_whole(watched.gauge, watched.name, at):
            return None
        policy, _ = self._policies.for_day(account_day.day if watched.is_rolling else at)
        return self._deciding(policy.version, watched, scope_of(account_day), at)

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
        usual = gauge.usual_of(cells, first, self.since[group[0]])
        value = self._value_at(gauge, of_period, first, usual)
        watched = self.watched[group[0]]
        if value <= watched.least or not self._is_whole(gauge, watched.name, first):
            return []
        active = self._active_before(gauge, cells, first)
        found = self._whose(change.account_day.account, of_period[-1].at)
        if found is None or (gauge.silence is not None and not active):
            return []
        _, scope = found
        policy, _ = self._policies.for_day(first)
        limit = self._deciding(policy.version, watched, scope, first)
        if limit is None or not limit.is_exceeded(value, of_period):
            return []
        share, near = gauge.share_of(of_period), gauge.near_of(of_period, first)
        return [Exceeded(limit, first, value, share, active, usual, near, of_period)]

    def _value_at(
        self, gauge: Gauge, cells: Sequence[Cell], day: int, usual: UsualDays | None
    ) -> int:
        if gauge.base is not None:
            return self._conversion.value_of(gauge, cells)
        return gauge.value_at(cells, day, usual)

    def _active_before(self, gauge: Gauge, cells: Sequence[Cell], day: int) -> int:
        """Return the last day before a silence; 0 if it is of before what was measured whole.

        A late row may be of a day before that, and the account may have had something after it.
        """
        active = gauge.active_before(cells, day)
        return active if self._is_whole_ever or active >= self.since[gauge.name] else 0

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
        account = change.account_day.account
        length, opened = gauge.period.length, self.opened(account)
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
        watched = self.watched[group[0]]
        least = watched.least
        for at, value, of_window in window_values(
            gauge, cells, first, last, self._conversion.value_of
        ):
            if value <= least:
                continue
            limit = self._decided(watched, account, at)
            if limit is None or not limit.is_exceeded(value, of_window):
                continue
            if at < opened and not any(
                began <= at < began + length and limit_id == limit.limit_id
                for began, limit_id in stands
            ):
                continue  # it is of an alert that began before those that may still change
            place = latest.get(limit.limit_id)
            if place is None or at >= found[place].at + length:
                latest[limit.limit_id] = len(found)
                share = gauge.share_of(of_window)
                found.append(Exceeded(limit, at, value, share, cells=of_window))
            elif value > found[place].value:
                share = gauge.share_of(of_window)
                found[place] = found[place]._replace(value=value, share=share, cells=of_window)
        return found

    def _decided(self, watched: Watched, account: Account, at: int) -> GaugeLimit | None:
        """Return the limit that decides on the window which ends at a time; None if none does.

        On one that ended on a closed day it is the one that decided when that day closed.
        """
        if not self._is_whole(watched.gauge, watched.name, at):
            return None
        found = self._whose(account, self._ledger.calendar.day_of(at))
        if found is None:
            return None
        version, scope = found
        return self._deciding(version, watched, scope, at)

    def _is_whole(self, gauge: Gauge, name: str, at: int) -> bool:
        """Return whether a gauge measures all of the period or the window of a moment.

        The moment is a business day, or the event time at which the window ends.
        """
        if self._is_whole_ever:
            return True
        since = self.since.get(name, FROM_EVER)  # of one that is watched no more, it is long past
        if since == FROM_EVER:
            return True
        since += gauge.days_before
        if gauge.period.is_rolling:
            return at - gauge.period.length + 1 >= self._ledger.calendar.start_of(since)
        return days_of(gauge.period, at)[0] >= since

    def _deciding(self, version: int, watched: Watched, scope: Scope, at: int) -> GaugeLimit | None:
        """Return the limit on a gauge that decides by a policy version; None if none does.

        A limit that measures something else since this version decides as it did before, as long
        as what it measures now is not whole: else a list that changes would leave a gap.
        """
        limit = self._limits[version].deciding(watched.name, scope)
        if limit is not None or len(self._limits) == 1:
            return limit
        place = self._places[version]
        for earlier in reversed(self._stating[watched.name]):
            if self._places[earlier] >= place:
                continue
            limit = self._limits[earlier].deciding(watched.name, scope)
            if limit is not None:
                is_waited_for = all(
                    self._waits(each.named(limit.limit_id), watched.gauge, at)
                    for each in self._after(earlier, place)
                )
                return limit if is_waited_for else None
        return None

    def _after(self, version: int, place: int) -> Iterator[GaugeLimits]:
        """Yield the limits of the versions after one, up to that at a place: the oldest first."""
        return islice(self._limits.values(), self._places[version] + 1, place + 1)

    def _waits(self, later: GaugeLimit | None, gauge: Gauge, at: int) -> bool:
        """Return whether a limit of a later version measures something else, and not yet whole."""
        return later is not None and not self._is_whole(
            later.gauge, later.gauge.name, self._moment(gauge, later, at)
        )

    def _moment(self, gauge: Gauge, other: GaugeLimit, at: int) -> int:
        """Return a moment of a gauge as one of another limit's gauge."""
        if gauge.period.is_rolling == other.gauge.period.is_rolling:
            return at
        calendar = self._ledger.calendar
        return calendar.day_of(at) if gauge.period.is_rolling else calendar.start_of(at)

    def _whose(self, account: Account, day: int) -> tuple[int, Scope] | None:
        """Return the policy version and the scope of an account on a day that gauges measured.

        Of a closed day they are those by which it closed; None if a version that did not measure
        yet decided on it.
        """
        first = self._ledger.first_open_to(account.account_id)
        if first is None or day >= first:
            account_day = account.day_of(day)
            assert account_day is not None, "an open day has the account-days of what is measured"
            policy, _ = self._policies.for_day(day)
            return policy.version, scope_of(account_day)
        closed = [] if account.gauged is None else account.gauged.closed
        place = bisect_right(closed, day, key=CLOSED_DAY) - 1
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

    def _cells_at(self, gauge: Gauge, cells: Sequence[Cell], at: int) -> Sequence[Cell]:
        """Return what the period that begins with a day has, or the window that ends at a time."""
        if gauge.period.is_rolling:
            return between(cells, at - gauge.period.length + 1, at)
        first, last = days_of(gauge.period, at)
        return between(cells, first - gauge.days_near, last)

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
        limit, at, value, share, active, usual, near, cells = found
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
            more = before.share, before.active, before.usual, before.near
            if said == (value, above, severity) and more == (share, active, usual, near):
                return
        why = None
        if tier is None and limit.tier_of(value) is not None:
            is_decided = change.why is Why.DECIDED or not gauge.period.is_rolling
            why = "another limit decides" if is_decided else "its windows are of another alert"
        origin = before.origin if before is not None and stood else change.cause.origin
        revision = 1 if before is None else before.revision + 1
        measured = share, active, usual, near
        told = GaugeTold(status.value, revision, value, above, severity, origin, *measured)
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
                self._conversion.sum_of(gauge, cells),
            )
        )

    def opened(self, account: Account) -> int:
        """Return the event time from which on days are open to an account."""
        first = self._ledger.first_open_to(account.account_id)
        return NEVER if first is None else self._ledger.calendar.start_of(first)
