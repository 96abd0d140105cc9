"""The alert that tells of a systemic notice: what stands on the alerts topic."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from monitor.core.alert import Kind, Status, written
from monitor.core.business_day import day_text, event_time_text
from monitor.core.threshold import Severity, Threshold


class Verdict(StrEnum):
    """What so many account-days at once must come from."""

    LIMIT_MIS_SET = "limit-mis-set"
    EXTERNAL_CAUSE = "external-cause"
    POPULATION_SHIFT = "population-shift"
    DATA_FAULT = "data-fault"
    UNDECIDED = "undecided"


class SystemicCause(NamedTuple):
    """What the account-days have in common: a `type` of `CAUSE_TYPES`, and its value.

    `lift` is how many times its usual share it has, `share` the share now, and `fdr` the bound on
    false discoveries among all values that were asked on that day.
    """

    type: str
    value: str
    lift: float
    share: float
    fdr: float


class DecidedBy(NamedTuple):
    """The number that decided a verdict, and what it is."""

    name: str
    number: float


class Member(NamedTuple):
    """An account-day over a limit that an incident stands for."""

    day: int
    account_id: str
    threshold_id: str


class SystemicNotice(NamedTuple):
    """What is known of one incident up to a business day; the latest revision holds.

    `segment` None is all segments. `limit_ratio` is the limit in force over the one that history
    would set; `suggested_limit` restores the breach share, in the limit's own unit (minor units, or
    transactions). `days` are the business days that alarmed so far, `grouped` the account-days over
    limits that it explains, and `counted` those that it would if its verdict were decided; some of
    these are the `members`, the earliest first.
    """

    systemic_id: str
    revision: int
    status: Status
    verdict: Verdict
    business_day: int
    segment: str | None
    threshold_id: str | None
    cause: SystemicCause | None
    limit_ratio: float | None
    suggested_limit: int | None
    decided_by: DecidedBy
    days: tuple[int, ...]
    grouped: int
    counted: int
    members: tuple[Member, ...]
    evidence: dict[str, object]


ALL_SEGMENTS: Final = "*"
"""The key of an alert that is of all segments."""


class SystemicAlert(NamedTuple):
    """A notice, and what goes with it: it is of no account, and by no single record.

    `threshold` is the limit that it is about, where it is about one; `event_time` is the end of the
    business day that was decided on last. `members` are the ids of some of the account alerts that
    it explains, `absent` the partitions that its days were decided without, where they were.
    """

    notice: SystemicNotice
    severity: Severity
    threshold: Threshold | None
    policy_version: int
    event_time: int
    members: tuple[str, ...] = ()
    absent: Mapping[int, Sequence[int]] = {}

    @property
    def alert_id(self) -> str:
        """Its id: the same for the same incident, for ever."""
        return self.notice.systemic_id

    @property
    def revision(self) -> int:
        """Counts what was told of it."""
        return self.notice.revision

    @property
    def kind(self) -> Kind:
        """Systemic."""
        return Kind.SYSTEMIC

    @property
    def status(self) -> Status:
        """What it says now."""
        return self.notice.status

    @property
    def key(self) -> str:
        """The key of its record: the segment, `*` for all; so its subject, too."""
        return self.notice.segment or ALL_SEGMENTS

    def fields(self) -> dict[str, object]:
        """Return it as it is written: money as decimal text, days and times as text."""
        notice = self.notice
        suggested: str | int | None = notice.suggested_limit
        if notice.suggested_limit is not None and self.threshold is not None:
            suggested = written(self.threshold, notice.suggested_limit)
        evidence = {**notice.evidence, "days": [day_text(day) for day in notice.days]}
        if self.absent:
            evidence["absent"] = [
                {"business_day": day_text(day), "partitions": [*numbers]}
                for day, numbers in sorted(self.absent.items())
            ]
        return {
            "alert_id": notice.systemic_id,
            "revision": notice.revision,
            "kind": self.kind.value,
            "status": notice.status.value,
            "severity": self.severity.value,
            "account_id": None,
            "business_day": day_text(notice.business_day),
            "segment": notice.segment,
            "threshold_id": notice.threshold_id,
            "verdict": notice.verdict.value,
            "cause": None if notice.cause is None else notice.cause._asdict(),
            "limit_ratio": notice.limit_ratio,
            "suggested_limit": suggested,
            "decided_by": notice.decided_by._asdict(),
            "grouped": notice.grouped,
            "members": [*self.members],
            "members_total": notice.grouped,
            "policy_version": self.policy_version,
            "evidence": evidence,
            "event_time": event_time_text(self.event_time),
        }
