"""How a rule that was learned from dispositions stands beside an alert."""

from typing import Any

from monitor.insight.recount import Counted


def rule_line(one: Counted) -> str:
    """Return a rule as a person reads it beside an alert."""
    return f"{one.rule.text()}  ({one.hits} of {one.rows})"


def rule_fields(one: Counted) -> dict[str, Any]:
    """Return a rule as an alert shows it to a program."""
    return {
        "text": one.rule.text(),
        "then": one.rule.label,
        "confidence": one.confidence,
        "count": one.hits,
        "rows": one.rows,
    }
