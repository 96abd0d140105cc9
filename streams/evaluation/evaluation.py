"""Judges the models as they are by what is known of a table: scored first, learned after."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from monitor.core.business_day import day_text
from monitor.policy.document import policy_of
from monitor.policy.models import OutlierSettings
from monitor.policy.policy import Policy
from streams.evaluation.levels import Level, account_days_of, figures_of, transactions_of
from streams.evaluation.runs import SeedRun
from streams.evaluation.table import TransactionTable
from streams.evaluation.teaching import LEVELS, Analysts, taught_of, teaching_fields
from streams.evaluation.truth import Truth
from streams.feed.mapping import FeedError

OPEN_POLICY: Final = """\
version = 1

[calendar]
time_zone = "UTC"

# A policy watches at least one limit: this one never bites.
[[limit]]
id = "none"
measure = "count"
above = 1000000000000

[budget]
alerts_per_day = {alerts_per_day}
warm_up_days = {warm_up_days}
"""
"""What decides where nobody states a policy: the models alone."""

ALERTS_PER_DAY: Final = 20
WARM_UP_DAYS: Final = 30


class Evaluation(NamedTuple):
    """What came of it: both levels with their scores, and the figures as `--json` prints them."""

    transactions: Level
    account_days: Level
    fields: dict[str, Any]


def policy_for(stated: Policy | None, budget: int | None, warm_up_days: int | None) -> Policy:
    """Return the policy to judge by: the one stated or the open one, with another budget if given.

    Raises PolicyError if they do not fit a policy, FeedError if it has no budget.
    """
    alerts = ALERTS_PER_DAY if budget is None else budget
    days = WARM_UP_DAYS if warm_up_days is None else warm_up_days
    text = OPEN_POLICY.format(alerts_per_day=alerts, warm_up_days=days)
    given = policy_of(text, "what --budget and --warm-up-days make")
    assert given.outliers is not None
    if stated is None:
        return given
    settings = stated.outliers
    if settings is None or not settings.is_told:
        if budget is None:
            raise FeedError(["it has no [budget], so it has no models: state --budget"], "policy")
        return stated._replace(outliers=given.outliers)
    if budget is not None:
        settings = settings._replace(alerts_per_day=budget)
    if warm_up_days is not None:
        settings = settings._replace(warm_up_days=warm_up_days)
    return stated._replace(outliers=settings)


def outliers_of(policy: Policy) -> OutlierSettings:
    """Return the settings of the models of a policy that `policy_for` made."""
    assert policy.outliers is not None
    return policy.outliers


def with_seed(policy: Policy, seed: int) -> Policy:
    """Return a policy whose models begin with another seed."""
    settings = outliers_of(policy)
    models = settings.models._replace(seed=seed)
    return policy._replace(outliers=settings._replace(models=models))


def evaluation_of(
    table: TransactionTable,
    truth: Truth,
    runs: Sequence[SeedRun],
    policy: Policy,
    partitions: int,
    analysts: Analysts | None = None,
) -> Evaluation:
    """Judge the runs of several seeds, and what analysts would have taught them.

    Raises FeedError if no judged day has a positive, or no label of the analysts comes in time.
    """
    settings = outliers_of(policy)
    is_taken = runs[0].day > 0
    if not is_taken.any():
        raise FeedError(["no row of it is a transaction"], "the table")
    first = int(runs[0].day[is_taken].min()) + settings.warm_up_days
    last = int(runs[0].day.max())
    if analysts is not None:
        _check_labels_come(analysts, first, last)
    transactions = transactions_of(table, truth, runs, first)
    account_days = account_days_of(table, truth, runs, first)
    if not account_days.is_positive.any():
        wanted = [name for name, is_wanted in zip(*truth[:2], strict=True) if is_wanted]
        problem = (
            f"nothing of kind {', '.join(wanted)} is labelled from {day_text(first)} on: the days"
            f" before are the warm-up (--warm-up-days), and the last is {day_text(last)}"
        )
        raise FeedError([problem], "the labels")
    taken, rejected = int(is_taken.sum()), table.rejected + runs[0].rejected
    fields: dict[str, Any] = {
        "rows": table.rows,
        "rejected": rejected.total(),
        "rejected_by_reason": dict(sorted(rejected.items())),
        "reversals": table.rows - taken - rejected.total(),
        "judged": int(transactions.is_judged.sum()),
        "judged_from": day_text(first),
        "judged_to": day_text(last),
        "warm_up_days": settings.warm_up_days,
        "partitions": partitions,
        "seeds": len(runs),
        "detector": settings.models.detector,
        "kinds": sorted(name for name, is_wanted in zip(*truth[:2], strict=True) if is_wanted),
        "labels_unmatched": truth.unmatched,
        "transactions": figures_of(transactions),
        "account_days": figures_of(account_days),
        "cpu_us_per_transaction": round(
            float(np.mean([run.cpu_seconds for run in runs])) / taken * 1e6, 3
        ),
        "alerts_per_day": _alerts(runs, first, last, settings.alerts_per_day),
        "models": [warmth.fields() for warmth in runs[0].warmth],
    }
    if analysts is not None:
        taught = [taught_of(table, truth, run, partitions, first, analysts) for run in runs]
        untaught = {name: fields[name]["ap"] for name in LEVELS}
        fields["teaching"] = teaching_fields(table, truth, taught, first, analysts, untaught)
    return Evaluation(transactions, account_days, fields)


def check_labels_come(table: TransactionTable, policy: Policy, analysts: Analysts) -> None:
    """Raise FeedError if no label of the analysts can be in a score, before the models run.

    The days are those of the first and the last row: no more can be judged.
    """
    calendar = policy.calendar.calendar()
    first, last = (calendar.day_of(table.transactions[place].event_time) for place in (0, -1))
    _check_labels_come(analysts, first + outliers_of(policy).warm_up_days, last)


def _check_labels_come(analysts: Analysts, first: int, last: int) -> None:
    """Raise FeedError if labels of the first judged day come too late for the last one's scores."""
    days, most = max(last - first + 1, 0), last - first - 1
    if analysts.label_after_days <= most or not days:  # without a judged day that is the problem
        return
    todo = (
        f"--label-after-days must be at most {most:,}, not {analysts.label_after_days:,}"
        if most > 0
        else "give more days, or leave --dispositions-per-day out"
    )
    judged = "only 1 day is judged" if days == 1 else f"only {days:,} days are judged"
    raise FeedError(
        [f"no label of the analysts would be in a score, because {judged}: {todo}"], "the input"
    )


def _alerts(runs: Sequence[SeedRun], first: int, last: int, budget: int) -> dict[str, Any]:
    """Return the outlier alerts of judged days, the mean over seeds.

    `mean` and `by_day` are those raised; `reported` is the mean of all that the budget is for:
    those raised and those restated.
    """
    by_day = {
        day_text(day): round(sum(run.alerts[day] for run in runs) / len(runs), 3)
        for day in range(first, last + 1)
    }
    days = max(len(by_day), 1)
    reports = sum(run.reports[day] for run in runs for day in range(first, last + 1))
    return {
        "budget": budget,
        "mean": round(sum(by_day.values()) / days, 3),
        "reported": round(reports / len(runs) / days, 3),
        "by_day": by_day,
    }
