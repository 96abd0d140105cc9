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


def scope_text(threshold: Threshold) -> str:
    """Return whom a limit is for."""
    if threshold.account_id is not None:
        return f"account {threshold.account_id}"
    if threshold.peer_group is not None:
        return f"peer group {threshold.peer_group}"
    if threshold.segment is not None:
        return f"segment {threshold.segment}"
    return "everyone"


def _limit(threshold: Threshold) -> str:
    return (
        f"{threshold.direction.value} {threshold.measure.value} of a day over"
        f" {written(threshold, threshold.above)} {threshold.currency or ''}".rstrip()
        + f", for {scope_text(threshold)}, {threshold.severity.value}"
    )
