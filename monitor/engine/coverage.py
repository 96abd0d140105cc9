"""Currencies that no limit watches, and limits whose currency never comes.

A limit on amounts is of one currency. If none is of the currency that comes, no total of it can
ever raise an alert, which is a hole that nobody sees unless it is counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from monitor.core.account import SERIES
from monitor.engine.step import Step
from monitor.ledger.ledger import SERIES_MASK
from monitor.policy.policy import Policy, PolicyBook


def unwatched(policies: PolicyBook, step: Step) -> Counter[str]:
    """Return how many transactions are in a currency that no limit of their day watches.

    `step` is of an engine that decides by `policies`.
    """
    counts: Counter[str] = Counter()
    if not any(limits.unwatched for limits in policies.limit_sets):
        return counts  # as with nearly every policy: nothing is looked at one by one
    counted = Counter(
        (entry.day, entry.content & SERIES_MASK) for entry in step.entries if entry.reverses is None
    )
    for rows in step.entry_rows:
        counted.update(rows.count_series())
    for (day, series), count in counted.items():
        _, currency = SERIES[series]
        policy, limits = policies.for_day(day)
        if currency in limits.unwatched and not _is_gauged(policy, currency):
            counts[currency] += count
    return counts


def _is_gauged(policy: Policy, currency: str) -> bool:
    """Return whether a limit on a gauge watches a currency, whoever it is for.

    Where a policy names no currency at all, a count of all is enough.
    """
    of_gauges = {limit.gauge.currency for limit in policy.gauges}
    names_none = not any(threshold.currency for threshold in policy.every_threshold)
    return currency in of_gauges or (None in of_gauges and names_none)


def currencies_seen(policies: PolicyBook) -> dict[str, bool]:
    """Return the currencies that limits name, and whether a transaction in them has come."""
    seen = {currency for limits in policies.limit_sets for currency in limits.seen}
    named = {t.currency for policy in policies.policies for t in policy.every_threshold}
    return {currency: currency in seen for currency in sorted(filter(None, named))}


def coverage_lines(unwatched: Mapping[str, int], unseen: Iterable[str]) -> list[str]:
    """Return what is to be said of currencies, for a person; nothing where all is as it should."""
    lines = [
        f"no limit watches {currency}: {count:,} transactions"
        for currency, count in sorted(unwatched.items())
    ]
    lines += [f"limits in {currency} watched no transaction: none came" for currency in unseen]
    return lines
