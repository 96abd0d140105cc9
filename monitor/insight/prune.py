"""Pruning by pessimistic errors, as C4.5 does: a subtree has to pay for its leaves.

A leaf with N rows, E of them wrong, is taken to err in N U(E, N) rows, where U is the upper limit
of the error rate at the confidence 25 %: the p at which E or fewer errors of N are 25 % probable.
A subtree whose leaves together are taken to err no less than their root as a leaf is cut: Quinlan,
C4.5 (1993), section 4.2. Subtrees are not raised to their parent's place, as C4.5 may do.
"""

from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Final

from monitor.insight.tree import Node

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
