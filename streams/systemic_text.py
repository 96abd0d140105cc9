"""A systemic alert in a line, for a person to read."""

from collections.abc import Mapping
from typing import Any, Final

_WORDS: Final = {
    "limit-mis-set": "the limit is set wrongly",
    "external-cause": "something outside",
    "population-shift": "the whole population has moved",
    "data-fault": "the data is at fault",
    "undecided": "many at once, undecided why",
}


def systemic_text(alert: Mapping[str, Any]) -> str:
    """Return what a systemic alert says: its verdict, and what it is about."""
    parts = [_WORDS[alert["verdict"]]]
    cause = alert["cause"]
    if cause is not None:
        parts.append(f"{cause['type']} {cause['value']}, {cause['lift']:.1f} times its usual share")
    if alert["limit_ratio"] is not None:
        parts.append(f"{alert['limit_ratio']:.2f} of the limit that history would set")
    if alert["suggested_limit"] is not None:
        parts.append(f"set {alert['suggested_limit']}")
    if alert["threshold_id"] is not None:
        parts.append(f"limit {alert['threshold_id']}")
    if alert["grouped"]:
        parts.append(f"{alert['grouped']:,} alerts under it")
    return "; ".join(parts)


def whose(alert: Mapping[str, Any]) -> str:
    """Return whose an alert is: the account's, or a segment's."""
    if alert["kind"] != "systemic":
        return str(alert["account_id"])
    return "all segments" if alert["segment"] is None else str(alert["segment"])
