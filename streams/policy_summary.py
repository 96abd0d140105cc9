"""A policy, as a person wants to see it."""

from monitor.core.alert import written
from monitor.core.threshold import Threshold
from monitor.policy import Policy
from monitor.review_rule import WHOLE, ReviewRule


def summary(policy: Policy) -> dict[str, object]:
    """Return what a policy states: version, calendar, each limit, when to review."""
    return {
        "version": policy.version,
        "effective_from": policy.effective_from_text or "ever",
        "calendar": policy.calendar.text(),
        "limits": {threshold.threshold_id: _limit(threshold) for threshold in policy.thresholds},
        "reviews": [_review(rule) for rule in policy.reviews],
    }


def scope_text(threshold: Threshold) -> str:
    """Return whom a limit is for."""
    if threshold.account_id is not None:
        return f"account {threshold.account_id}"
    if threshold.peer_group is not None:
        return f"peer group {threshold.peer_group}"
    if threshold.segment is not None:
        return f"segment {threshold.segment}"
    if threshold.product is not None:
        return f"product {threshold.product}"
    return "everyone"


def _review(rule: ReviewRule) -> str:
    near = f"days above {rule.near_permille / 1000:g} of a limit count half, " * (
        rule.near_permille < WHOLE
    )
    return (
        f"{rule.days} breach days within {rule.window_days} business days, {near}"
        f"for {scope_text(rule.threshold)}, {rule.threshold.severity.value}"
    )


def _limit(threshold: Threshold) -> str:
    return (
        f"{threshold.direction.value} {threshold.measure.value} of a day over"
        f" {written(threshold, threshold.above)} {threshold.currency or ''}".rstrip()
        + f", for {scope_text(threshold)}, {threshold.severity.value}"
    )
