"""From what partitions tell to what is told of it: joined days, detection, systemic alerts.

Pure: the same records in the same order tell the same, and what was dumped goes on alike.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from monitor.core.alert import Status, alert_id
from monitor.core.names import OTHERS, SEGMENTS_MAX
from monitor.core.threshold import Threshold
from monitor.policy.policy import Policy, PolicyBook, threshold_of
from monitor.policy.systemic import REACH_DAYS
from monitor.systemic.alert import SystemicAlert, SystemicNotice
from monitor.systemic.assembly import Joining, Segments
from monitor.systemic.detector import Systemic
from monitor.systemic.record import SegmentRecord
from monitor.systemic.segment_day import merged


class KnownSegments:
    """At most `SEGMENTS_MAX` names of segments, in the order in which they came."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = dict.fromkeys(names)

    def dump(self) -> list[str]:
        """Return the names, as JSON has them."""
        return list(self._names)

    def within(self, segments: Segments) -> Segments:
        """Return a day's segments with those that found no place as one, named `OTHERS`."""
        kept: Segments = {}
        for name, segment_day in segments.items():
            under = self._place(name)
            part = segment_day._replace(segment=under)
            kept[under] = merged([kept[under], part]) if under in kept else part
        return kept

    def _place(self, name: str | None) -> str | None:
        if name is None or name == OTHERS or name in self._names:
            return name
        if len(self._names) >= SEGMENTS_MAX:
            return OTHERS
        self._names[name] = None
        return name


class DecidedDay(NamedTuple):
    """A business day that was decided: what is told of it, and the account alerts that it had.

    `raised` is the account-days over limits when it closed, `grouped` those that were grouped under
    a systemic alert now (an incident that is found late groups days before, too).
    """

    day: int
    alerts: list[SystemicAlert]
    raised: int
    grouped: int

    @property
    def shown(self) -> int:
        """Alerts that a team has before it of this day, where it works incidents as one."""
        news = sum(alert.status is Status.RAISED for alert in self.alerts)
        return max(self.raised - self.grouped, 0) + news


class SystemicRun:
    """The systemic detection over all partitions, day by day, by the policies in force."""

    def __init__(
        self, policies: PolicyBook, partitions: int, state: Mapping[str, Any] | None = None
    ) -> None:
        self._policies = policies
        state = state or {}
        self.joining = Joining(partitions, state.get("joining"))
        self._known = KnownSegments(state.get("segments", ()))
        self._state: Mapping[str, Any] | None = state.get("systemic")
        self._systemic: Systemic | None = None
        self._absent: dict[int, list[int]] = dict(state.get("absent", ()))

    def take(self, told: SegmentRecord, offset: int = 0) -> None:
        """Take what a partition tells; `offset` is where it stands on its topic."""
        self.joining.take(told, offset)

    def decide(self, silent: Collection[int] = ()) -> Iterator[DecidedDay]:
        """Yield what comes of each day that is whole; of `silent` ones see `Joining.ready`."""
        for day, segments in self.joining.ready(silent):
            yield self._decide(day, segments)

    def dump(self) -> dict[str, Any]:
        """Return what it goes on by, as JSON has it."""
        state = self._state if self._systemic is None else self._systemic.dump()
        return {
            "joining": self.joining.dump(),
            "segments": self._known.dump(),
            "systemic": state,
            "absent": sorted(self._absent.items()),
        }

    def _decide(self, day: int, segments: Segments) -> DecidedDay:
        policy, _ = self._policies.for_day(day)
        segments = self._known.within(segments)
        raised = sum(
            limit.breaches
            for segment_day in segments.values()
            for limit in segment_day.limits.values()
        )
        if policy.systemic is None:
            return DecidedDay(day, [], raised, 0)
        if self._systemic is None:
            self._systemic = Systemic(policy.systemic, self._state)
        self._systemic.settings = policy.systemic
        before = {notice.systemic_id: notice.grouped for notice in self._systemic.open_notices}
        notices = self._systemic.observe(day, segments)
        self._note_absent(day)
        grouped = sum(
            max(notice.grouped - before.get(notice.systemic_id, 0), 0) for notice in notices
        )
        return DecidedDay(day, [self._alert(notice, policy) for notice in notices], raised, grouped)

    def _note_absent(self, day: int) -> None:
        """Keep which partitions a day was decided without, while an incident may be about it."""
        assert self._systemic is not None
        if self.joining.absent:
            self._absent[day] = list(self.joining.absent)
        if self._absent:
            of_open = {
                open_day for notice in self._systemic.open_notices for open_day in notice.days
            }
            self._absent = {
                absent_day: numbers
                for absent_day, numbers in self._absent.items()
                if absent_day in of_open or day - absent_day < REACH_DAYS
            }

    def _alert(self, notice: SystemicNotice, policy: Policy) -> SystemicAlert:
        assert policy.systemic is not None
        members = notice.members if notice.grouped else ()
        return SystemicAlert(
            notice,
            policy.systemic.severity,
            _threshold(policy, notice.threshold_id),
            policy.version,
            self._policies.calendar.calendar().end_of(notice.business_day),
            tuple(
                alert_id(
                    threshold_of(member.threshold_id, self._policies, policy),
                    member.account_id,
                    member.day,
                )
                for member in members
            ),
            {day: partitions for day, partitions in self._absent.items() if day in notice.days},
        )


def _threshold(policy: Policy, threshold_id: str | None) -> Threshold | None:
    return next(
        (threshold for threshold in policy.thresholds if threshold.threshold_id == threshold_id),
        None,
    )
