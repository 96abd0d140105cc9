"""Rules for a label of a table's rows: what each attribute says, the tree, and what it is worth."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from models.evaluation import roc_area
from models.rules.condition import Row, Rule
from models.rules.stream_tree import StreamTree
from monitor.insight.gain import Relevance, relevances
from monitor.insight.rule_counts import Counted, counted
from monitor.insight.sample import Sample
from monitor.insight.table import NONE, InsightError
from monitor.insight.tree import Growth, Node, grow, pruned, rules_of

FOLDS: Final = 10


class Learned(NamedTuple):
    """A tree with its rules, and how often it is right.

    `accuracy` is over the rows that it was grown from, `unseen` over rows that other trees, grown
    alike, had not seen. Whoever always says the most frequent label is right in
    `accuracy_of_most_frequent` of the rows.
    """

    sample: Sample
    relevances: list[Relevance]
    tree: Node
    rules: list[Counted]
    accuracy: float
    unseen: "Unseen"
    accuracy_of_most_frequent: float


class Unseen(NamedTuple):
    """How good trees are over rows that they had not seen.

    `roc_area` is how probably a row that has the label asked for is given a higher share of it than
    one that has not: .5 says nothing. NaN where no label was asked for.
    """

    accuracy: float
    roc_area: float


def learned_of(
    sample: Sample, growth: Growth, *, prune: bool = False, then: str | None = None
) -> Learned:
    """Grow a tree and count its rules.

    `then`: every leaf is told as a rule for this label, not for the one that most of its rows have:
    with a rare label, a leaf where it is five times as frequent as elsewhere may still have more of
    the others. Raises InsightError if no row has it, or `growth` cannot be.
    """
    labels = sample.label.texts()
    tree = _tree(sample, growth, prune=prune)
    rules = for_label(rules_of(tree, sample.label.values), sample, then)
    return Learned(
        sample,
        relevances(sample),
        tree,
        counted(rules, sample.rows(), labels),
        1 - sum(leaf.errors for leaf in tree.leaves()) / len(labels),
        unseen_of(sample, growth, prune=prune, then=then),
        max(Counter(labels).values()) / len(labels),
    )


def for_label(rules: Sequence[Rule], sample: Sample, then: str | None) -> list[Rule]:
    """Return the rules with `then` for their label, if one is given. Raises InsightError."""
    if then is None:
        return list(rules)
    if then not in sample.label.values:
        known = ", ".join(sample.label.values)
        raise InsightError(f"no row has {sample.label.name}={then[:80]}: there are {known}")
    return [rule._replace(label=then) for rule in rules]


def unseen_of(sample: Sample, growth: Growth, *, prune: bool, then: str | None = None) -> Unseen:
    """Return how good trees are about rows left out when they were grown.

    Every row is left out once, row i with the rows i + 10, i + 20 and so on: no draw, so that the
    same table gives the same figure.
    """
    rows, codes = sample.rows(), sample.label.codes
    folds = min(FOLDS, len(rows))
    shares = np.zeros((len(rows), len(sample.label.values)))
    for fold in range(folds):
        is_out = np.arange(len(rows)) % folds == fold
        tree = _tree(sample.part(np.flatnonzero(~is_out)), growth, prune=prune)
        for place in np.flatnonzero(is_out).tolist():
            node = tree.reached(rows[place])
            shares[place] = np.array(node.counts) / node.rows
    accuracy = float((shares.argmax(axis=1) == codes).mean())
    if then is None:
        return Unseen(accuracy, float("nan"))
    wanted = sample.label.values.index(then)
    return Unseen(accuracy, roc_area(codes == wanted, shares[:, wanted]))


def _tree(sample: Sample, growth: Growth, *, prune: bool) -> Node:
    tree = grow(sample, growth)
    return pruned(tree) if prune else tree


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
