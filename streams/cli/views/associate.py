"""Association rules with their figures, as `weir associate` prints them."""

from collections.abc import Iterator
from typing import Any

from monitor.insight.associate import FoundAssociations, Wanted
from monitor.insight.table import Table
from streams.cli.views.describe import chance, percent
from streams.cli.views.text import plain


def fields_of(
    found: FoundAssociations, wanted: Wanted, table: Table, target: str | None
) -> dict[str, Any]:
    """Return all rules for a program."""
    return {
        "rows": table.rows,
        "min_support": wanted.support_min,
        "min_confidence": wanted.confidence_min,
        "target": target,
        "itemsets": found.itemsets,
        "confidence_most": found.confidence_most,
        "rules": [association.fields() for association in found.associations],
    }


def lines_of(
    found: FoundAssociations, wanted: Wanted, table: Table, target: str | None, top: int
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
    for association in found.associations[:top]:
        yield (
            f"{percent(association.support):>9} {percent(association.confidence):>10}"
            f" {association.lift:>6.2f} {association.leverage:>8.3f} {association.rows_given:>7,}"
            f" {chance(association.p_value_adjusted):>7}  {plain(association.text())}"
        )
    left = len(found.associations) - top
    if left > 0:
        yield f"{left:,} more rules (--top, or --json for all)"
