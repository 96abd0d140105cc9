"""An alert: one threshold, one account-day, one id, however often its record comes."""

from enum import StrEnum
from typing import Final, NamedTuple, Self
from uuid import UUID, uuid5

from monitor.core.account import AccountDay, day_totals
from monitor.core.business_day import day_text, event_time_text
from monitor.core.money import EXPONENT, amount_text
from monitor.core.threshold import MONEY_MEASURES, Measure, Threshold
from monitor.core.transaction import Origin

_NAMESPACE: Final = UUID("6f0c1a52-6a0e-5a1b-9c55-77e1f2d1a0c4")
"""Of alert ids. Never changed: a replay years later must give the same ids."""


SUPPRESSED: Final = "suppressed"
"""The field of the mark; it is absent where nothing is suppressed."""


class Kind(StrEnum):
    """What an alert is about."""

    DAILY_AMOUNT = "daily-amount"
    DAILY_COUNT = "daily-count"
    LIMIT = "limit"  # on a gauge: of another period, measure or part than those two
    OUTLIER = "outlier"
    REVIEW = "review"
    SYSTEMIC = "systemic"


NEVER_SUPPRESSED: Final = (Kind.REVIEW, Kind.SYSTEMIC)
"""The kinds that no suppression of a policy marks: they are of more than a limit and its day."""

LIMIT_KINDS: Final = (Kind.DAILY_AMOUNT.value, Kind.DAILY_COUNT.value)
"""The kinds of an account-day over a limit of its own."""


_KINDS: Final = {
    Measure.AMOUNT: Kind.DAILY_AMOUNT,
    Measure.COUNT: Kind.DAILY_COUNT,
    Measure.RARITY: Kind.OUTLIER,
    Measure.BREACH_DAYS: Kind.REVIEW,
}


class Status(StrEnum):
    """What an alert says now; the last one told is the one that holds."""

    RAISED = "raised"
    RESTATED = "restated"
    WITHDRAWN = "withdrawn"


class Cause(NamedTuple):
    """The record by which something was told: where it stands, and what it named."""

    transaction_id: str | None  # None if a policy was the cause
    event_time: int
    partition: int
    offset: int
    origin: Origin | None = None


class Suppressed(NamedTuple):
    """The mark of an alert that a policy suppresses up to a business day, and why.

    It is told, counted and kept as any other; nobody has to work it.
    """

    until: int
    reason: str

    def fields(self) -> dict[str, object]:
        """Return it as it is written."""
        return {"until": day_text(self.until), "reason": self.reason}


class Alert(NamedTuple):
    """What is told of one threshold on one account-day.

    `value` and `limit` are in minor units of `currency`, transactions where it is a count, N where
    one account-day in N is as strange (`score` is that as a tail probability), or days of a review;
    `revision` counts what was told of this id, so (alert_id, revision) tells a repetition.
    """

    alert_id: str
    revision: int
    kind: Kind
    status: Status
    threshold: Threshold
    account_id: str
    business_day: int
    value: int
    value_before: int | None
    segment: str | None
    policy_version: int
    evidence: dict[str, object]
    cause: Cause
    score: float | None = None
    suppressed: Suppressed | None = None

    @classmethod
    def of(  # noqa: PLR0913 - what an alert states, each by its name
        cls, threshold: Threshold, account_id: str, business_day: int, *, status: Status,
        revision: int, value: int, value_before: int | None, segment: str | None,
        policy_version: int, evidence: dict[str, object], cause: Cause, score: float | None = None,
    ) -> Self:  # fmt: skip
        """Return the alert of a threshold on an account-day: its id and its kind follow."""
        return cls(
            alert_id(threshold, account_id, business_day), revision, kind_of(threshold), status,
            threshold, account_id, business_day, value, value_before, segment, policy_version,
            evidence, cause, score,
        )  # fmt: skip

    @property
    def key(self) -> str:
        """The key of its record: the account."""
        return self.account_id

    def fields(self) -> dict[str, object]:
        """Return the alert as it is written: money as decimal text, days and times as text."""
        threshold, cause = self.threshold, self.cause
        return {
            "alert_id": self.alert_id,
            "revision": self.revision,
            "kind": self.kind.value,
            "status": self.status.value,
            "severity": threshold.severity.value,
            "account_id": self.account_id,
            "business_day": day_text(self.business_day),
            "segment": self.segment,
            "threshold_id": threshold.threshold_id,
            "direction": threshold.direction.value,
            "currency": threshold.currency,
            "value": written(threshold, self.value),
            "limit": written(threshold, threshold.above),
            "value_before": None
            if self.value_before is None
            else written(threshold, self.value_before),
            "score": self.score,
            "policy_version": self.policy_version,
            "evidence": self.evidence,
            "transaction_id": cause.transaction_id,
            "event_time": event_time_text(cause.event_time),
            "partition": cause.partition,
            "offset": cause.offset,
            **({} if self.suppressed is None else {SUPPRESSED: self.suppressed.fields()}),
        }


def written(threshold: Threshold, value: int) -> str | int:
    """Return a threshold's value as it is written: decimal text for money, a number for a count."""
    if threshold.measure not in MONEY_MEASURES:
        return value
    assert threshold.currency is not None
    return amount_text(value, EXPONENT[threshold.currency])


def kind_of(threshold: Threshold) -> Kind:
    """Return the kind of alert that a threshold raises."""
    return _KINDS[threshold.measure]


def alert_id(threshold: Threshold, account_id: str, business_day: int) -> str:
    """Return the id of the alert: the same for the same kind, threshold, account and day.

    A UUID of version 5 over the four, each with its length before it, so that no two share a text.
    """
    return id_of(kind_of(threshold), threshold.threshold_id, account_id, day_text(business_day))


def id_of(kind: Kind, *parts: str) -> str:
    """Return the id of what is known by its kind and some texts, in their order."""
    named = (kind.value, *parts)
    return str(uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in named)))


def evidence_of(account_day: AccountDay, threshold: Threshold, value: int) -> dict[str, object]:
    """Return what a person needs to see why: the day's own totals, and by how much it is over."""
    evidence: dict[str, object] = {"totals": day_totals(account_day)}
    over_by = value - threshold.above
    if over_by > 0:
        evidence["over_by"] = written(threshold, over_by)
    if threshold.above > 0:
        evidence["times_limit"] = ratio_text(value, threshold.above)
    return evidence


def origin_fields(origin: Origin | None) -> dict[str, object]:
    """Return the part of the evidence that names an origin, without what it does not name."""
    named = {} if origin is None else {k: v for k, v in origin._asdict().items() if v is not None}
    return {"origin": named} if named else {}


def ratio_text(value: int, limit: int) -> str:
    """Return a value divided by a limit (not 0), with two decimals, rounded half up."""
    hundredths = (200 * value + limit) // (2 * limit)  # rounded half up, in integers
    return f"{hundredths // 100}.{hundredths % 100:02d}"
