"""The features of an alert that rules over dispositions may ask for: a fixed list."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any, Final

Features = dict[str, str | float | None]

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR: Final = slice(11, 13)
"""Where the hour stands in an RFC 3339 text."""


CATEGORIES: Final = {
    "kind": "The alert's kind.",
    "threshold": "Its `threshold_id`.",
    "segment": "The account's segment.",
    "direction": "The direction that the limit measures.",
    "currency": "The limit's currency.",
    "weekday": "Of the business day: `Mon` to `Sun`.",
    "reading": "Of a review: its most likely meaning.",
    "verdict": "Of a systemic alert.",
}
"""Features that are texts, and what each is. What an alert does not have is `none`, a text like
others: a tree passes over what is missing, and would split where most alerts have nothing."""

NUMBERS: Final = {
    "times_limit": "Value divided by limit, 10 at most.",
    "hour": "Of the record that tipped it, in UTC: 0 to 23.",
    "transactions": "Of the account-day, up to that record; 100 at most.",
    "debit_share": "The part that went out, of all that moved in the currency: 0 to 1.",
    "corrections": "How often it was restated or withdrawn.",
    "breach_days": "Of a review: its days over a limit; else 0.",
    "near_days": "Of a review: its days just below one; else 0.",
}
"""Features that are numbers. Amounts are none of them: a rule is to hold in every currency.

Those without an end are cut off: the tree looks for its bounds between the least and the greatest
of a feature, and one alert of a thousand times its limit would leave nothing to see below.
"""

_TIMES_MAX: Final = 10.0
_TRANSACTIONS_MAX: Final = 100.0


def features_of(alert: Mapping[str, Any]) -> Features:
    """Return the features of an alert as it is written.

    None is a number that cannot be had (nothing moved, say): it meets no condition.
    """
    evidence: Mapping[str, Any] = alert.get("evidence") or {}
    totals: list[Mapping[str, Any]] = evidence.get("totals") or []
    return {
        "kind": _text(alert.get("kind")),
        "threshold": _text(alert.get("threshold_id")),
        "segment": _text(alert.get("segment")),
        "direction": _text(alert.get("direction")),
        "currency": _text(alert.get("currency")),
        "weekday": _WEEKDAYS[date.fromisoformat(alert["business_day"]).weekday()],
        "reading": _text(evidence.get("reading")),
        "verdict": _text(alert.get("verdict")),
        "times_limit": _at_most(_TIMES_MAX, _ratio(alert.get("value"), alert.get("limit"))),
        "hour": _hour(alert.get("event_time")),
        "transactions": _at_most(_TRANSACTIONS_MAX, _transactions(totals)),
        "debit_share": _debit_share(totals, alert.get("currency")),
        "corrections": float(alert["revision"] - 1),
        "breach_days": _days(evidence.get("breach_days")),
        "near_days": _days(evidence.get("near_days")),
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else "none"


def _hour(event_time: object) -> float | None:
    return float(event_time[_HOUR]) if isinstance(event_time, str) else None


def _days(value: object) -> float:
    return float(value) if isinstance(value, int) else 0.0


def _at_most(most: float, value: float | None) -> float | None:
    return None if value is None else min(value, most)


def _ratio(part: object, whole: object) -> float | None:
    """Return one figure divided by another, exactly until the very end; None by nothing."""
    if not isinstance(part, str | int) or not isinstance(whole, str | int):
        return None
    by = Fraction(whole)
    return float(Fraction(part) / by) if by else None


def _transactions(totals: list[Mapping[str, Any]]) -> float | None:
    if not totals:
        return None
    return float(sum(entry["debit_count"] + entry["credit_count"] for entry in totals))


def _debit_share(totals: list[Mapping[str, Any]], currency: object) -> float | None:
    """Return the share of one currency: the limit's, or the day's only one."""
    of_currency = (
        [entry for entry in totals if entry["currency"] == currency] if currency else totals
    )
    if len(of_currency) != 1:
        return None
    debits = Fraction(of_currency[0]["debit_amount"])
    moved = debits + Fraction(of_currency[0]["credit_amount"])
    return float(debits / moved) if moved else None
