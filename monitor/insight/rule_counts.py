"""The worth of rules over stored rows: counted one by one, never read from a tree."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from models.arrays import Bools
from models.rules.condition import Condition, Row, Rule


class Counted(NamedTuple):
    """A rule, and how many of all rows meet its conditions, by their labels.

    `all_rows` and `all_labelled` are all the rows, and those of them with the rule's label.
    """

    rule: Rule
    counts: Mapping[str, int]
    all_rows: int
    all_labelled: int

    @property
    def rows(self) -> int:
        """How many rows meet the conditions."""
        return sum(self.counts.values())

    @property
    def hits(self) -> int:
        """How many rows meet the conditions and have the label."""
        return self.counts.get(self.rule.label, 0)

    @property
    def support(self) -> float:
        """The hits' share of all rows."""
        return self.hits / self.all_rows if self.all_rows else 0.0

    @property
    def confidence(self) -> float:
        """The hits' share of the rows that meet the conditions; 0 where none does."""
        return self.hits / self.rows if self.rows else 0.0

    @property
    def lift(self) -> float:
        """The confidence over the label's share of all rows; 0 where no row has the label."""
        if not self.all_labelled:
            return 0.0
        return self.confidence * self.all_rows / self.all_labelled

    def fields(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "if": [condition.fields() for condition in self.rule.conditions],
            "then": self.rule.label,
            "text": self.rule.text(),
            "rows": self.rows,
            "count": self.hits,
            "support": self.support,
            "confidence": self.confidence,
            "lift": self.lift,
            "labels": dict(self.counts),
        }


def counted(rules: Iterable[Rule], rows: Sequence[Row], labels: Sequence[str]) -> list[Counted]:
    """Return the rules with their counts over these rows, the greatest lift first.

    `labels` are the rows' own. Raises ValueError if they are not as many.
    """
    if len(rows) != len(labels):
        raise ValueError(f"{len(rows)} rows have {len(labels)} labels")
    names, codes = np.unique(np.array(labels, np.str_), return_inverse=True)
    total = np.bincount(codes, minlength=len(names))
    # Paths of a tree share their conditions: each is asked of a row once.
    holds: dict[Condition, Bools] = {}
    found = []
    for rule in rules:
        met = np.ones(len(rows), np.bool_)
        for condition in rule.conditions:
            if condition not in holds:
                holds[condition] = np.fromiter(map(condition.holds, rows), np.bool_, len(rows))
            met &= holds[condition]
        counts = np.bincount(codes[met], minlength=len(names)).tolist()
        by_label = {str(name): count for name, count in zip(names, counts, strict=True) if count}
        all_labelled = int(total[names == rule.label].sum())
        found.append(Counted(rule, by_label, len(rows), all_labelled))
    return sorted(
        found,
        key=lambda rule_counted: (-rule_counted.lift, -rule_counted.hits, rule_counted.rule.text()),
    )


def rule_line(rule_counted: Counted) -> str:
    """Return a rule as a person reads it beside an alert."""
    return f"{rule_counted.rule.text()}  ({rule_counted.hits} of {rule_counted.rows})"


def rule_fields(rule_counted: Counted) -> dict[str, Any]:
    """Return a rule as an alert shows it to a program."""
    return {
        "text": rule_counted.rule.text(),
        "then": rule_counted.rule.label,
        "confidence": rule_counted.confidence,
        "count": rule_counted.hits,
        "rows": rule_counted.rows,
    }
