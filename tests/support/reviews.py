"""Reviews counted by other means: plain sums of a stream's items, and windows tried one by one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.core.alert import Alert, Kind
from monitor.core.business_day import day_of_text, day_text
from monitor.core.transaction import Transaction
from tests.support.transactions import POLICY

LIMIT_MINOR = 500_00
COUNT_LIMIT = 3

REVIEW = """
[[review]]
days = 2
window_days = 4
near_share = 0.8
severity = "critical"
[[review]]
days = 3
window_days = 6
near_share = 0.95
scope = { segment = "retail" }
"""
REVIEWED = POLICY.replace('"UTC"', '"UTC"\nallowed_lateness = "72h"') + REVIEW
LATE = POLICY.replace('"UTC"', '"UTC"\nallowed_lateness = "600h"') + REVIEW
"""All days of a short stream stay open, so that it may arrive in any order."""

Days = Mapping[int, bool]
"""Business days that count, each with whether it is near only."""


class Rule(NamedTuple):
    days: int
    window_days: int
    near_permille: int


USUAL = Rule(2, 4, 800)
RETAIL = Rule(3, 6, 950)


def counted_days(items: Iterable[Transaction]) -> dict[tuple[str, bool], dict[int, bool]]:
    """Return the counted days of each (account, whether it is retail), by plain adding."""
    sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    retail: dict[str, bool] = {}
    own: dict[tuple[str, str], Transaction] = {}
    for item in items:
        own.setdefault((item.account_id, item.transaction_id), item)
    gone = {(item.account_id, item.reverses) for item in own.values() if item.reverses}
    for item in own.values():
        retail[item.account_id] = item.segment == "retail"
        if item.reverses or (item.account_id, item.transaction_id) in gone:
            continue
        totals = sums[item.account_id, day_of(item)]
        totals[0] += item.amount_minor * (item.direction == "debit")
        totals[1] += 1
    found: dict[tuple[str, bool], dict[int, bool]] = defaultdict(dict)
    for (account, day), (amount, count) in sums.items():
        rule = RETAIL if retail[account] else USUAL
        if amount > LIMIT_MINOR or count > COUNT_LIMIT:
            found[account, retail[account]][day] = False
        elif (
            1000 * amount > rule.near_permille * LIMIT_MINOR
            or 1000 * count > rule.near_permille * COUNT_LIMIT
        ):
            found[account, retail[account]][day] = True
    return found


def reviews_of(days: Days, rule: Rule) -> dict[int, list[tuple[int, bool]]]:
    """Return the reviews that days make, by their first day: one calendar day after the other."""
    found: dict[int, list[tuple[int, bool]]] = {}
    current: int | None = None
    quiet, free_from = 0, 0
    for day in range(min(days, default=0), max(days, default=-1) + 1):
        if current is not None:
            if day in days:
                found[current].append((day, days[day]))
                quiet = 0
            else:
                quiet += 1
                if quiet == rule.window_days:
                    current, free_from = None, day
            continue
        begin = max(day - rule.window_days + 1, free_from)
        window = [earlier for earlier in range(begin, day + 1) if earlier in days]
        halves = sum(1 if days[earlier] else 2 for earlier in window)
        if day in days and halves >= 2 * rule.days:
            current, quiet = window[0], 0
            found[current] = [(earlier, days[earlier]) for earlier in window]
    return found


def recounted(items: Iterable[Transaction]) -> dict[tuple[str, int], list[tuple[int, bool]]]:
    """Return every review that a stream's items make, by account and first day."""
    return {
        (account, first): listed
        for (account, is_retail), days in counted_days(items).items()
        for first, listed in reviews_of(days, RETAIL if is_retail else USUAL).items()
    }


def reviews_in(alerts: Iterable[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.kind is Kind.REVIEW]


def standing(alerts: Iterable[Alert]) -> dict[tuple[str, int], list[tuple[int, bool]]]:
    """Return the reviews that stand at last, as they list their days."""
    last = {alert.alert_id: alert for alert in reviews_in(alerts)}
    return {
        (alert.account_id, alert.business_day): listed_days(alert)
        for alert in last.values()
        if alert.status != "withdrawn"
    }


def listed_days(alert: Alert) -> list[tuple[int, bool]]:
    days = alert.evidence["days"]
    assert isinstance(days, list)
    return [(day_of_text(day["business_day"]), day["kind"] == "near") for day in days]


def day_of(item: Transaction) -> int:
    return item.event_time // 86_400_000_000 + 719_163


__all__ = [
    "LATE", "REVIEWED", "counted_days", "day_of", "day_text", "listed_days", "recounted",
    "reviews_in", "reviews_of", "standing",
]  # fmt: skip
