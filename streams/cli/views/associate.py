"""Association rules with their figures, as `weir associate` prints them."""

from collections.abc import Iterator
from typing import Any

from monitor.insight.associate import Found, Wanted
from monitor.insight.table import Table
from streams.cli.views.describe import chance, percent
from streams.cli.views.text import plain


def fields_of(found: Found, wanted: Wanted, table: Table, target: str | None) -> dict[str, Any]:
    """Return all rules for a program."""
    return {
        "rows": table.rows,
        "min_support": wanted.support_min,
        "min_confidence": wanted.confidence_min,
        "target": target,
        "itemsets": found.itemsets,
        "confidence_most": found.confidence_most,
        "rules": [one.fields() for one in found.associations],
    }


def lines_of(
    found: Found, wanted: Wanted, table: Table, target: str | None, top: int
) -> Iterator[str]:
    """Yield the first rules for a person, a line each."""
    among = "the rows" if target is None else f"the rows with {plain(target)}"
    yield (
        f"{table.rows:,} rows; {found.itemsets:,} sets of values that at least"
        f" {percent(wanted.support_min)} of {among} have"
    )
    if not found.associations:
        yield (
            f"No rule is right in {percent(wanted.confidence_min)} of its rows, or says more than a"
            f" shorter one; the most sure is right in {percent(found.confidence_most)}."
        )
        return
    yield f"{'support':>9} {'confidence':>10} {'lift':>6} {'leverage':>8} {'rows':>7}       p  rule"
    for one in found.associations[:top]:
        yield (
            f"{percent(one.support):>9} {percent(one.confidence):>10} {one.lift:>6.2f}"
            f" {one.leverage:>8.3f} {one.rows_given:>7,}"
            f" {chance(one.p_value_adjusted):>7}  {plain(one.text())}"
        )
    left = len(found.associations) - top
    if left > 0:
        yield f"{left:,} more rules (--top, or --json for all)"
