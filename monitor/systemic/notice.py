"""What is told of many account-days at once: a notice with a verdict, and what decided it."""

from enum import StrEnum
from typing import NamedTuple

from monitor.core.alert import Status


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
