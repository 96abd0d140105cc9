"""The stream's tree over a table's rows: each row is first predicted, then learned."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from models.condition import Row
from models.judging import roc_area
from models.stream_tree import StreamTree
from monitor.insight.attribute import NONE
from monitor.insight.recount import Counted, counted
from monitor.insight.rules import for_label
from monitor.insight.sample import Sample


class Streamed(NamedTuple):
    """The rules of a tree that saw each row once, in order, and how often it was right.

    `accuracy` and `roc_area` (as of other trees) are prequential: over all rows but the first, each
    predicted before it was learned. Whoever always says what was most frequent so far is right in
    `accuracy_of_most_frequent`.
    """

    rules: list[Counted]
    accuracy: float
    roc_area: float
    accuracy_of_most_frequent: float


def streamed_of(sample: Sample, then: str | None = None) -> Streamed:
    """Let a stream's tree learn a sample; `then` as for the other tree. Raises InsightError.

    A missing category is a category of its own.
    """
    tree = StreamTree(sample.nominal)
    rows = [_named(row, sample.nominal) for row in sample.rows()]
    labels = sample.label.texts()
    seen: Counter[str] = Counter()
    shares = np.zeros(len(rows))
    right = of_most_frequent = 0
    for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
        if seen:
            told = tree.predict(row)
            right += _greatest(told) == label
            of_most_frequent += _greatest(seen) == label
            shares[place] = told.get(then or "", 0.0)
        tree.learn(row, label)
        seen[label] += 1
    predicted = max(1, len(rows) - 1)
    rules = counted(for_label(tree.rules(), sample, then), rows, labels)
    area = float("nan")
    if then is not None:
        area = roc_area(np.array([label == then for label in labels[1:]], np.bool_), shares[1:])
    return Streamed(rules, right / predicted, area, of_most_frequent / predicted)


def _named(row: Row, nominal: frozenset[str]) -> Row:
    return {
        name: NONE if value is None and name in nominal else value for name, value in row.items()
    }


def _greatest(weights: dict[str, float] | Counter[str]) -> str:
    """Return the key with the greatest weight, the first by name among equal ones."""
    return min(weights, key=lambda label: (-weights[label], label))
