"""The stream's tree over a table's rows: each row is first predicted, then learned."""

from collections import Counter
from typing import NamedTuple

from models.stream_tree import StreamTree
from monitor.insight.recount import Counted, counted
from monitor.insight.rules import for_label
from monitor.insight.sample import Sample


class Streamed(NamedTuple):
    """The rules of a tree that saw each row once, in order, and how often it was right.

    `accuracy` is prequential: over all rows but the first, each predicted before it was learned.
    Whoever always says what was most frequent so far is right in `accuracy_of_most_frequent`.
    """

    rules: list[Counted]
    accuracy: float
    accuracy_of_most_frequent: float


def streamed_of(sample: Sample, then: str | None = None) -> Streamed:
    """Let a stream's tree learn a sample; `then` as for the other tree. Raises InsightError."""
    tree = StreamTree(sample.nominal)
    rows, labels = sample.rows(), sample.label.texts()
    seen: Counter[str] = Counter()
    right = of_most_frequent = 0
    for row, label in zip(rows, labels, strict=True):
        if seen:
            right += _greatest(tree.predict(row)) == label
            of_most_frequent += _greatest(seen) == label
        tree.learn(row, label)
        seen[label] += 1
    predicted = max(1, len(rows) - 1)
    rules = counted(for_label(tree.rules(), sample, then), rows, labels)
    return Streamed(rules, right / predicted, of_most_frequent / predicted)


def _greatest(weights: dict[str, float] | Counter[str]) -> str:
    """Return the key with the greatest weight, the first by name among equal ones."""
    return min(weights, key=lambda label: (-weights[label], label))
