"""A decision tree of all rows at once, as ID3 and C4.5 grow it.

Categories are split many ways, numbers in two: Quinlan, Induction of decision trees (1986), and
C4.5: Programs for machine learning (1993). No library that is kept gives this tree (all splits of
scikit-learn's are in two), so it is here; the tests hold it against scikit-learn's on attributes
with two values, where both are the same tree.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Final, NamedTuple

import numpy as np

from models.rules.condition import Condition, Row, Rule, merged
from monitor.insight.gain import Split, entropy, split_of
from monitor.insight.sample import Sample
from monitor.insight.table import InsightError

CRITERIA: Final = ("gain", "ratio")
DEPTH_MAX: Final = 50
_ROUNDING: Final = 1e-12


class Growth(NamedTuple):
    """How a tree grows.

    `depth_max` splits stand at most between the root and a leaf, `rows_min` rows are at least in
    each leaf. `criterion`: `gain` takes the attribute with the greatest information gain (ID3),
    `ratio` the one with the greatest gain ratio among those whose gain is at least the mean (C4.5).
    """

    depth_max: int = 5
    rows_min: int = 2
    criterion: str = "gain"

    def check(self) -> None:
        """Raise InsightError where it cannot be."""
        if not 0 <= self.depth_max <= DEPTH_MAX:
            raise InsightError(f"a depth of {self.depth_max} is none: 0 to {DEPTH_MAX}")
        if self.rows_min < 1:
            raise InsightError(f"at least {self.rows_min} rows in a leaf is none: 1 or more")
        if self.criterion not in CRITERIA:
            raise InsightError(f"criterion {self.criterion} is none: {' or '.join(CRITERIA)}")


class Node(NamedTuple):
    """Some of the rows: how many have each label, and how they are parted further, if at all."""

    counts: tuple[int, ...]
    attribute: str | None = None
    gain: float = 0.0
    conditions: tuple[Condition, ...] = ()
    children: tuple["Node", ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self.counts)

    @property
    def label(self) -> int:
        """The number of the label that most rows have, the first of equal ones."""
        return self.counts.index(max(self.counts))

    @property
    def errors(self) -> int:
        """How many of the rows have another label."""
        return self.rows - max(self.counts)

    def leaf(self) -> "Node":
        """Return it without what is below."""
        return Node(self.counts)

    def leaves(self) -> Iterator["Node"]:
        """Yield the leaves from left to right."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def reached(self, row: Row) -> "Node":
        """Return the leaf that a row comes to, or the node where it meets no condition."""
        for condition, child in zip(self.conditions, self.children, strict=True):
            if condition.holds(row):
                return child.reached(row)
        return self

    @property
    def depth(self) -> int:
        """The number of splits between this node and its deepest leaf."""
        return 1 + max(child.depth for child in self.children) if self.children else 0


def grow(sample: Sample, growth: Growth) -> Node:
    """Return the tree of a sample.

    A node is parted until its rows have one label or no split is allowed, also where no attribute
    says anything alone; what has then said nothing altogether is taken back. The same sample, the
    same tree: of equal attributes the first in the table's order splits. Raises InsightError if
    `growth` cannot be.
    """
    growth.check()
    return _without_gainless(_node(sample, growth, growth.depth_max))


def rules_of(node: Node, labels: tuple[str, ...]) -> list[Rule]:
    """Return one rule for each leaf, from left to right: no row meets two of them."""
    return [Rule(merged(path), labels[leaf.label]) for path, leaf in paths(node)]


def paths(
    node: Node, path: tuple[Condition, ...] = ()
) -> Iterator[tuple[tuple[Condition, ...], Node]]:
    """Yield each leaf with the conditions that lead to it."""
    if not node.children:
        yield path, node
    for condition, child in zip(node.conditions, node.children, strict=True):
        yield from paths(child, (*path, condition))


def _node(sample: Sample, growth: Growth, depth: int) -> Node:
    codes, labels = sample.label.codes, len(sample.label.values)
    counts = np.bincount(codes, minlength=labels)
    leaf = Node(tuple(counts.tolist()))
    if not depth or not leaf.errors:
        return leaf
    splits = [split_of(feature, codes, labels, growth.rows_min) for feature in sample.features]
    split = _best([split for split in splits if split is not None], growth.criterion)
    if split is None:
        return leaf
    places = [np.flatnonzero(split.part == part) for part in range(len(split.conditions))]
    children = tuple(_node(sample.part(place), growth, depth - 1) for place in places)
    return leaf._replace(
        attribute=split.attribute, gain=split.gain, conditions=split.conditions, children=children
    )


def _best(splits: list[Split], criterion: str) -> Split | None:
    """Return the first of the best splits; a last digit of rounding makes none better."""
    if not splits:
        return None
    if criterion == "ratio":
        mean = sum(split.gain for split in splits) / len(splits)
        splits = [split for split in splits if split.gain >= mean - _ROUNDING]
    values = [split.ratio if criterion == "ratio" else split.gain for split in splits]
    best = max(values)
    return next(
        split for split, value in zip(splits, values, strict=True) if value >= best - _ROUNDING
    )


def _without_gainless(node: Node) -> Node:
    """Take back subtrees whose leaves have the labels' shares of their own root."""
    if not node.children:
        return node
    after = sum(leaf.rows * entropy(np.array(leaf.counts)) for leaf in node.leaves())
    before = node.rows * entropy(np.array(node.counts))
    if before - after <= _ROUNDING * node.rows:
        return node.leaf()
    return node._replace(children=tuple(_without_gainless(child) for child in node.children))


CONFIDENCE: Final = 0.25
_HALVINGS: Final = 50


def pruned(node: Node, confidence: float = CONFIDENCE) -> Node:
    """Return the tree without the subtrees that do not pay, from the leaves up."""
    if not node.children:
        return node
    kept = node._replace(children=tuple(pruned(child, confidence) for child in node.children))
    below = sum(_errors(leaf, confidence) for leaf in kept.leaves())
    return node.leaf() if _errors(node, confidence) <= below else kept


@lru_cache(maxsize=4096)
def error_rate_limit(errors: int, rows: int, confidence: float = CONFIDENCE) -> float:
    """Return the rate at which so few errors of so many rows are as probable as `confidence`."""
    if errors >= rows:
        return 1.0
    low, high = errors / rows, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(errors, rows, middle) > confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _errors(node: Node, confidence: float) -> float:
    return node.rows * error_rate_limit(node.errors, node.rows, confidence) if node.rows else 0.0


def _at_most(errors: int, rows: int, rate: float) -> float:
    """Return the probability of so many errors or fewer."""
    if not 0 < rate < 1:
        return float(rate <= 0)
    of_error, of_none = log(rate), log1p(-rate)
    all_ways = lgamma(rows + 1)
    return sum(
        exp(
            all_ways - lgamma(wrong + 1) - lgamma(rows - wrong + 1)
            + wrong * of_error + (rows - wrong) * of_none
        )
        for wrong in range(errors + 1)
    )  # fmt: skip
