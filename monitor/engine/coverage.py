"""Currencies that no limit watches, and limits whose currency never comes.

A limit on amounts is of one currency. If none is of the currency that comes, no total of it can
ever raise an alert, which is a hole that nobody sees unless it is counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.core.account import SERIES
from monitor.core.business_day import day_text
from monitor.engine.step import Step
from monitor.ledger.ledger import SERIES_MASK
from monitor.policy.policy import Policy, PolicyBook


class WithoutRate(NamedTuple):
    """A currency that has no rate on a business day."""

    currency: str
    day: int


def unwatched(policies: PolicyBook, step: Step) -> Counter[str]:
    """Return how many transactions are in a currency that no limit of their day watches.

    `step` is of an engine that decides by `policies`.
    """
    counts: Counter[str] = Counter()
    if not any(limits.unwatched for limits in policies.limit_sets):
        return counts  # as with nearly every policy: nothing is looked at one by one
    for (day, series), count in _counted(step).items():
        _, currency = SERIES[series]
        policy, limits = policies.for_day(day)
        if currency in limits.unwatched and not _is_gauged(policy, currency):
            counts[currency] += count
    return counts


def _counted(step: Step) -> Counter[tuple[int, int]]:
    """Return how many transactions a step has taken of each business day and series."""
    counted = Counter(
        (entry.day, entry.content & SERIES_MASK) for entry in step.entries if entry.reverses is None
    )
    for rows in step.entry_rows:
        counted.update(rows.count_series())
    return counted


def _is_gauged(policy: Policy, currency: str) -> bool:
    """Return whether a limit on a gauge watches a currency, whoever it is for.

    One that converts watches all: what has no rate is counted by `undecided`. Where a policy names
    no currency at all, a count of all is enough.
    """
    if _converts(policy):
        return True
    of_gauges = {limit.gauge.currency for limit in policy.gauges}
    names_none = not any(threshold.currency for threshold in policy.every_threshold)
    return currency in of_gauges or (None in of_gauges and names_none)


def _converts(policy: Policy) -> bool:
    """Return whether a limit of a policy is on amounts of all currencies in one base."""
    return any(limit.gauge.base is not None for limit in policy.gauges)


def undecided(policies: PolicyBook, step: Step) -> Counter[WithoutRate]:
    """Return how many transactions have no rate on their day that a limit of the day converts by.

    `step` is of an engine that decides by `policies`. So the limit is undecided there, as long as
    what is known of it does not exceed it already.
    """
    counts: Counter[WithoutRate] = Counter()
    if not any(map(_converts, policies.policies)):
        return counts
    for (day, series), count in _counted(step).items():
        direction, currency = SERIES[series]
        policy, _ = policies.for_day(day)
        if any(
            not _has_rate(policies, limit.gauge.base, currency, day)
            for limit in policy.gauges
            if limit.gauge.base is not None and limit.gauge.may_take(direction, currency)
        ):
            counts[WithoutRate(currency, day)] += count
    return counts


def _has_rate(policies: PolicyBook, base: str, currency: str, day: int) -> bool:
    rates = policies.rates_for(day, base)
    return currency == base or (rates is not None and rates.rate_of(currency, day) is not None)


def currencies_seen(policies: PolicyBook) -> dict[str, bool]:
    """Return the currencies that limits name, and whether a transaction in them has come."""
    seen = {currency for limits in policies.limit_sets for currency in limits.seen}
    named = {
        *(t.currency for policy in policies.policies for t in policy.thresholds),
        *(limit.gauge.currency for policy in policies.policies for limit in policy.gauges),
    }
    return {currency: currency in seen for currency in sorted(filter(None, named))}


def undecided_lines(undecided: Mapping[WithoutRate, int]) -> list[str]:
    """Return what is to be said of currencies without a rate, for a person."""
    return [
        f"no rate of {currency} on {day_text(day)}, limits on all currencies are undecided:"
        f" {count:,} transactions"
        for (currency, day), count in sorted(undecided.items())
    ]


def coverage_lines(unwatched: Mapping[str, int], unseen: Iterable[str]) -> list[str]:
    """Return what is to be said of currencies, for a person; nothing where all is as it should."""
    lines = [
        f"no limit watches {currency}: {count:,} transactions"
        for currency, count in sorted(unwatched.items())
    ]
    lines += [f"limits in {currency} watched no transaction: none came" for currency in unseen]
    return lines
