"""A segment-day and a systemic alert as they are really made, for tests."""

from monitor.core.alert import Status
from monitor.core.business_day import MICROSECONDS
from monitor.core.threshold import Severity
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.systemic.alert import (
    DecidedBy,
    Member,
    SystemicAlert,
    SystemicCause,
    SystemicNotice,
    Verdict,
)
from monitor.systemic.record import SegmentRecord, segment_records_of
from tests.support.transactions import POLICY, observed, transaction

DAY = 739_621


def a_segment_record() -> SegmentRecord:
    """Return what an engine tells of a day with a breach, a rejection and a cause."""
    policy = policy_of(POLICY + "[systemic]\n")._replace(outliers=None)
    engine = Engine(0, PolicyBook([policy]))
    items = [
        transaction("T1", amount="900", counterparty_institution="I1", branch="B1"),
        transaction("T1", branch="B1"),
        transaction("T2", hours=24 * 9),
    ]
    (of_day, *_) = observed(engine, *items).segment_days
    (record,) = segment_records_of(3, of_day)
    return record


def a_systemic_alert(**changes: object) -> SystemicAlert:
    """Return an alert of a limit that is about a cause, too."""
    notice = SystemicNotice(
        systemic_id="91709f0a-8cfe-5847-aace-1909cd2100f2",
        revision=2,
        status=Status.RESTATED,
        verdict=Verdict.LIMIT_MIS_SET,
        business_day=DAY,
        segment="business",
        threshold_id="daily-amount",
        cause=SystemicCause("institution", "I1", 7.5, 0.25, 0.001),
        limit_ratio=0.6,
        suggested_limit=83_350,
        decided_by=DecidedBy("counterfactual_probability", 0.4),
        days=(DAY - 1, DAY),
        grouped=12,
        counted=12,
        members=(Member(DAY, "A1", "daily-amount"),),
        evidence={"breaches": 12},
    )
    threshold = policy_of(POLICY).thresholds[0]
    event_time = 1_767_744_000 * MICROSECONDS
    return SystemicAlert(
        notice._replace(**changes),  # type: ignore[arg-type]  # the test's own
        Severity.HIGH, threshold, 1, event_time, ("12a0bb4e-6d2f-5d18-a2a4-6d0f2b6a2c1d",),
        {DAY: [3]},
    )  # fmt: skip
