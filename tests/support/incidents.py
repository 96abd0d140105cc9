"""Incidents as their alerts state them, for tests: short to write."""

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.core.business_day import day_text
from monitor.core.transaction import Origin
from monitor.review.membership import Explanations, Verdicts


def incident(name: str, days: Iterable[int], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the fields of a systemic alert; of all account-days of institution I1 by default."""
    return {
        "alert_id": name,
        "status": "raised",
        "verdict": "external-cause",
        "segment": None,
        "threshold_id": None,
        "cause": {"type": "institution", "value": "I1"},
        "grouped": 1,
        "evidence": {"days": [day_text(day) for day in sorted(days)]},
    } | changes


def of_limit(
    name: str, days: Iterable[int], threshold_id: str, segment: str | None = None
) -> dict[str, Any]:
    """Return the fields of an alert about a limit in one segment."""
    return incident(
        name, days, threshold_id=threshold_id, segment=segment, cause=None,
        verdict="population-shift",
    )  # fmt: skip


def verdicts(*incidents: Mapping[str, Any], decided: int = 0) -> Verdicts:
    """Return what systemic alerts explain, each as fields of its latest revision."""
    explanations = Explanations()
    for fields in incidents:
        explanations.take(fields)
    return explanations.verdicts(decided)


def account_alert(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the fields of an account's alert that say whether it is a member."""
    origin = changes.pop("origin", None)
    evidence = {} if origin is None else {"origin": _named(Origin(*origin))}
    return {
        "kind": "daily-amount",
        "status": "raised",
        "business_day": "2026-01-05",
        "segment": "retail",
        "threshold_id": "daily-amount",
        "partition": 0,
        "evidence": evidence,
    } | changes


def _named(origin: Origin) -> dict[str, str]:
    return {name: value for name, value in origin._asdict().items() if value is not None}
