"""The figures of `weir evaluate` for a person: one table, and what it says in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.table import Table

LEVELS: Final = {"transactions": "Transactions", "account_days": "Account-days"}
NOTHING: Final = "-"


def verdict_of(figures: Mapping[str, Any]) -> str:
    """Return in words how the models' average precision stands to the rule's.

    Above means that the whole 95 % interval of the gain is.
    """
    low, high = figures["gain_interval"]
    gain = figures["gain"]
    if gain is None or low is None:
        return "nothing is labelled here, so nothing can be said"
    interval = f"95 % {low:+.3f} to {high:+.3f}"
    if low > 0:
        return f"above the rule by {gain:.3f} ({interval})"
    if high < 0:
        return f"not above the rule but below it, by {-gain:.3f} ({interval})"
    return f"not above the rule: the gain is {gain:+.3f} ({interval})"


def table_of(fields: Mapping[str, Any]) -> Table:
    """Return the figures as a table: for each level the models' and the rule's."""
    table = Table(title=f"Models ({fields['detector']}) and the ratio rule")
    table.add_column("")
    for name in LEVELS.values():
        table.add_column(f"{name}:\nmodels", justify="right")
        table.add_column("\nrule", justify="right")
    for name, cells in _rows([fields[level] for level in LEVELS]):
        table.add_row(name, *cells)
    return table


def lines_of(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the figures say, and what they are of, a sentence a line."""
    for level, name in LEVELS.items():
        yield f"{name}: {verdict_of(fields[level])}."
    alerts = fields["alerts_per_day"]
    yield (
        f"Judged {fields['judged_from']} to {fields['judged_to']}, after {fields['warm_up_days']}"
        f" days of warm-up: {fields['judged']:,} of {fields['rows']:,} rows, {fields['seeds']}"
        f" seed{'s' if fields['seeds'] > 1 else ''}, {fields['partitions']} partitions."
    )
    yield (
        f"Alerts a day: {alerts['mean']:.1f} raised, {alerts['reported']:.1f} with those restated;"
        f" the budget is {alerts['budget']}."
        f" Engine and models: {fields['cpu_us_per_transaction']:.1f} us a transaction."
    )
    if fields["rejected"]:
        yield f"{fields['rejected']:,} rows were rejected; weir replay tells which, and why."
    if fields["labels_unmatched"]:
        yield f"{fields['labels_unmatched']:,} labels name what the table has not."


def _rows(levels: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    yield "judged", [cell for one in levels for cell in (f"{one['judged']:,}", "")]
    yield "positive", [cell for one in levels for cell in (f"{one['positives']:,}", "")]
    for name, key in (("average precision", "ap"), ("ROC area", "auc")):
        yield (
            name,
            [cell for one in levels for cell in (_spread(one[key]), _shown(one[f"rule_{key}"]))],
        )
    for count in levels[0]["precision_at"]:
        for name in ("precision", "recall"):
            key = f"{name}_at"
            yield (
                f"{name}, best {count} a day",
                [_shown(one[which][count]) for one in levels for which in (key, f"rule_{key}")],
            )
    for kind in sorted({kind for one in levels for kind in one["by_kind"]}):
        yield (
            f"average precision of {kind} alone",
            [
                _shown(one[which].get(kind))
                for one in levels
                for which in ("by_kind", "rule_by_kind")
            ],
        )


def _shown(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _spread(values: Sequence[float | None]) -> str:
    """Return the mean over seeds, with the least and the greatest where they differ."""
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    mean, low, high = sum(known) / len(known), min(known), max(known)
    if f"{low:.3f}" == f"{high:.3f}":
        return f"{mean:.3f}"
    return f"{mean:.3f}\n[{low:.3f} {high:.3f}]"
