"""Replays files once, and answers what would alert if one limit were another."""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from monitor.core.alert import Status, written
from monitor.core.as_of import AsOf
from monitor.core.attributes import AttributeBook
from monitor.core.business_day import day_text
from monitor.core.threshold import Threshold
from monitor.policy.policy import Policy, PolicyBook
from monitor.systemic.alert import SystemicAlert
from monitor.whatif import (
    AccountChange,
    BudgetLimit,
    Change,
    Curve,
    LimitDays,
    change_of,
    changed_policy,
    curve_of,
    limit_for,
    limit_of,
    limits_around,
    sketches_of,
)
from streams.feed.reader import Batch
from streams.replay.replay import Replay, Totals


class Answer(NamedTuple):
    """What came of the question; `withdrawn` are alerts of the limit that did not stand."""

    threshold: Threshold
    change: Change
    curve: Curve
    account_days: int
    accounts: int
    sketch_error: float
    budget: BudgetLimit | None
    withdrawn: int
    totals: Totals


def whatif(  # noqa: PLR0913 - a question, and what it is asked of
    policy: Policy, threshold: Threshold, above: int, batches: Iterable[Batch],
    partitions: int, alerts_per_day: Fraction | None = None,
    *, attributes: AttributeBook | None = None, as_of: AsOf | None = None,
) -> Answer:  # fmt: skip
    """Return what would be if `above` were the limit of a threshold of the policy (in its unit).

    The batches are replayed as `weir replay` does. With `alerts_per_day` the limit that this budget
    needs is in the answer too. `attributes` are those of the accounts, where they are known; rows
    that are dated ahead of `as_of` are rejected.
    """
    runs = [_Run(policy, threshold, partitions, attributes, as_of)]
    if _has_peer_groups(policy):
        # Models do not learn from a breach: by another limit accounts may be in other groups.
        changed = changed_policy(policy, threshold, above)
        changed_limit = limit_of(changed, threshold.threshold_id)
        runs.append(_Run(changed, changed_limit, partitions, attributes, as_of))
    for batch in batches:
        for run in runs:
            run.observe(batch)
    for run in runs:
        run.end()
    days = runs[0].days
    sketches = sketches_of(days)
    budget = None if alerts_per_day is None else limit_for(days, sketches, alerts_per_day)
    marked = [threshold.above, above] + ([] if budget is None else [budget.limit])
    return Answer(
        threshold=threshold,
        change=change_of(days, runs[-1].days, above),
        curve=curve_of(days, sketches, limits_around(days, marked)),
        account_days=days.values.size,
        accounts=days.accounts,
        sketch_error=sketches.relative_error,
        budget=budget,
        withdrawn=len(runs[0].withdrawn),
        totals=runs[0].replay.totals,
    )


class _Run:
    """A replay by one policy, and the account-days of one limit that come of it."""

    def __init__(
        self,
        policy: Policy,
        threshold: Threshold,
        partitions: int,
        attributes: AttributeBook | None,
        as_of: AsOf | None,
    ) -> None:
        if not _has_peer_groups(policy):
            # No limit needs the models, and they take time.
            policy = policy._replace(outliers=None)
        policy = policy._replace(reviews=(), systemic=None)  # these follow from limits
        self.replay = Replay(PolicyBook([policy]), partitions, attributes, as_of)
        self.days = LimitDays(policy, threshold)
        self.withdrawn: set[str] = set()

    def observe(self, batch: Batch) -> None:
        told = self.replay.observe(batch)
        for alert in told.alerts:
            if isinstance(alert, SystemicAlert):
                continue  # of no account
            if alert.threshold.threshold_id == self.days.threshold.threshold_id:
                if alert.status is Status.WITHDRAWN:
                    self.withdrawn.add(alert.alert_id)
                else:
                    self.withdrawn.discard(alert.alert_id)
        for closed in told.account_days:
            self.days.add(closed.account_id, closed.account_day)

    def end(self) -> None:
        for account_id, account_day in self.replay.open_account_days():
            self.days.add(account_id, account_day)


def _has_peer_groups(policy: Policy) -> bool:
    return any(threshold.peer_group is not None for threshold in policy.every_threshold)


def a_day(alerts: int, days: int) -> float:
    """Return alerts a business day in the mean, to the hundredth; 0 of no days."""
    return round(alerts / days, 2) if days else 0.0


def fields_of(answer: Answer, seconds: float) -> dict[str, object]:
    """Return the answer as `--json` prints it: money as decimal text, days as text."""
    threshold, change = answer.threshold, answer.change
    now, then = ([getattr(day, when) for day in change.days] for when in ("now", "then"))
    return {
        "limit": {
            "id": threshold.threshold_id,
            "measure": threshold.measure.value,
            "direction": threshold.direction.value,
            "currency": threshold.currency,
            "account": threshold.account_id,
            "peer_group": threshold.peer_group,
            "segment": threshold.segment,
        },
        "business_days": len(change.days),
        "account_days": answer.account_days,
        "accounts": answer.accounts,
        "now": _alerts(threshold, change.above_now, now, change.accounts_now),
        "then": _alerts(threshold, change.above_then, then, change.accounts_then),
        "withdrawn_now": answer.withdrawn,
        "starting": [_account(threshold, account) for account in change.starting],
        "stopping": [_account(threshold, account) for account in change.stopping],
        "changing": [_account(threshold, account) for account in change.changing],
        "by_day": [
            {**day._asdict(), "business_day": day_text(day.business_day)} for day in change.days
        ],
        "suggested": _budget(answer),
        "sketch_relative_error": answer.sketch_error,
        "curve": list(curve_rows(answer)),
        "replay": answer.totals.fields(seconds),
    }


def curve_rows(answer: Answer) -> Iterable[dict[str, str | int | float]]:
    """Yield the curve a limit at a time: alerts of all days, and a day; the sketch's bounds."""
    days = len(answer.change.days)
    limits, alerts, sketched = answer.curve
    columns = (limits, alerts, sketched.least, sketched.most)
    for limit, exact, least, most in zip(*(column.tolist() for column in columns), strict=True):
        yield {
            "limit": written(answer.threshold, limit),
            "alerts": exact,
            "alerts_per_day": a_day(exact, days),
            "sketch_alerts_least": least,
            "sketch_alerts_most": most,
        }


def _alerts(
    threshold: Threshold, above: int, alerts: list[int], accounts: int
) -> dict[str, object]:
    return {
        "above": written(threshold, above),
        "alerts": sum(alerts),
        "accounts": accounts,
        "alerts_per_day": {
            "mean": a_day(sum(alerts), len(alerts)),
            "min": min(alerts, default=0),
            "max": max(alerts, default=0),
        },
    }


def _account(threshold: Threshold, account: AccountChange) -> dict[str, object]:
    return {
        "account_id": account.account_id,
        "days_now": account.days_now,
        "days_then": account.days_then,
        "value_greatest": written(threshold, account.value_greatest),
    }


def _budget(answer: Answer) -> dict[str, object] | None:
    budget, threshold, days = answer.budget, answer.threshold, len(answer.change.days)
    if budget is None:
        return None
    return {
        "budget_alerts_per_day": float(budget.alerts_per_day),
        "limit": written(threshold, budget.limit),
        "alerts": budget.alerts,
        "alerts_per_day": {"mean": a_day(budget.alerts, days), "max": budget.alerts_most},
        "days_over_budget": budget.days_over,
        "sketch_limit": written(threshold, budget.sketch_limit),
        "sketch_alerts": budget.sketch_alerts,
    }
