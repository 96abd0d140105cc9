"""A policy, as a person wants to see it."""

from monitor.core.alert import written
from monitor.core.threshold import Threshold
from monitor.policy import Policy


def summary(policy: Policy) -> dict[str, object]:
    """Return what a policy states: its version, from when, its calendar, and each limit."""
    return {
        "version": policy.version,
        "effective_from": policy.effective_from_text or "ever",
        "calendar": policy.calendar.text(),
        "limits": {threshold.threshold_id: _limit(threshold) for threshold in policy.thresholds},
    }


def _limit(threshold: Threshold) -> str:
    scope = "everyone"
    if threshold.account_id is not None:
        scope = f"account {threshold.account_id}"
    elif threshold.segment is not None:
        scope = f"segment {threshold.segment}"
    return (
        f"{threshold.direction.value} {threshold.measure.value} of a day over"
        f" {written(threshold, threshold.above)} {threshold.currency or ''}".rstrip()
        + f", for {scope}, {threshold.severity.value}"
    )
