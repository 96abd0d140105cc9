"""From what partitions tell to what is told of it: joined days, detection, systemic alerts.

Pure: the same records in the same order tell the same, and what was dumped goes on alike.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from monitor.core.alert import Status
from monitor.core.business_day import day_of_text
from monitor.core.noted_day import Grouped
from monitor.core.threshold import Threshold
from monitor.joining import Joining, Segments
from monitor.known_segments import KnownSegments
from monitor.policy import Policy, PolicyBook
from monitor.segment_record import SegmentRecord
from monitor.systemic.notice import SystemicNotice
from monitor.systemic.systemic import Systemic
from monitor.systemic_alert import SystemicAlert


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
        }

    def _decide(self, day: int, segments: Segments) -> DecidedDay:
        policy, _ = self._policies.for_day(day)
        segments = self._known.within(segments)
        raised = sum(limit.breaches for of in segments.values() for limit in of.limits.values())
        if policy.systemic is None:
            return DecidedDay(day, [], raised, 0)
        if self._systemic is None:
            self._systemic = Systemic(policy.systemic, self._state)
        self._systemic.settings = policy.systemic
        before = {notice.systemic_id: notice.grouped for notice in self._systemic.open_notices}
        notices = self._systemic.observe(day, segments)
        grouped = sum(
            max(notice.grouped - before.get(notice.systemic_id, 0), 0) for notice in notices
        )
        return DecidedDay(day, [self._alert(of, policy) for of in notices], raised, grouped)

    def _alert(self, notice: SystemicNotice, policy: Policy) -> SystemicAlert:
        assert policy.systemic is not None
        return SystemicAlert(
            notice,
            policy.systemic.severity,
            _threshold(policy, notice.threshold_id),
            policy.version,
            self._policies.calendar.calendar().end_of(notice.business_day),
        )


def _threshold(policy: Policy, threshold_id: str | None) -> Threshold | None:
    return next((of for of in policy.thresholds if of.threshold_id == threshold_id), None)


def grouped_by(fields: Mapping[str, Any]) -> set[Grouped]:
    """Return which days an alert explains, off its fields as they are written."""
    if fields["status"] == Status.WITHDRAWN.value:
        return set()
    return {
        (fields["segment"], fields["threshold_id"], day_of_text(day))
        for day in fields["evidence"]["days"]
    }
