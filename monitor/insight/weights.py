"""Counts of a class of rows: t-weights, d-weights, information gain, marks, a crosstab.

Of a tuple of values with n rows, of which n_c are of class c, whose rows are N_c (Han and Kamber,
Data Mining: Concepts and Techniques, on concept description):

    t-weight = n_c / N_c     how typical the tuple is of the class; over its tuples they sum to 1
    d-weight = n_c / n       how far the tuple tells the class; over the classes they sum to 1
"""

from collections.abc import Iterable, Mapping
from math import exp, lgamma
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bools, Ints
from monitor.insight.cut import entropies
from monitor.insight.table import Attribute, InsightError

_NEGLIGIBLE: Final = 1e-17


def chance_of(both: int, first: int, second: int, rows: int) -> float:
    """Return the probability that so many rows or more have two things.

    `first` of all rows have the one, `second` the other.
    Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.
    """
    most = min(first, second)
    least = max(0, first + second - rows)
    if both <= least:
        return 1.0
    if both > most:
        return 0.0
    term = exp(
        _log_ways(first, both) + _log_ways(rows - first, second - both) - _log_ways(rows, second)
    )
    total = term
    for count in range(both, most):
        term *= (first - count) * (second - count)
        term /= (count + 1) * (rows - first - second + count + 1)
        total += term
        if term < total * _NEGLIGIBLE and count * rows > first * second:
            break
    return min(1.0, total)


def _log_ways(total: int, chosen: int) -> float:
    return lgamma(total + 1) - lgamma(chosen + 1) - lgamma(total - chosen + 1)


CELLS_MAX: Final = 400
"""Cells of a crosstab that a person may still look through."""


class Weight(NamedTuple):
    """Rows of one class among those of some values."""

    rows: int
    t_weight: float
    d_weight: float


class FrequentValue(NamedTuple):
    """A value that is more frequent in a class than elsewhere.

    `share_elsewhere` is the value's share of the other rows, `lift` is t-weight over the value's
    share of all rows, `gain` the information on the class (bits) that having the value or not has.
    `p_value` is how likely the class has as many rows of the value by chance: Fisher's exact test.
    """

    attribute: str
    value: str
    rows: int
    t_weight: float
    d_weight: float
    share_elsewhere: float
    lift: float
    gain: float
    p_value: float


class Crosstab(NamedTuple):
    """Rows of two classes by two attributes: `weights[a, b]` has the target's and the contrast's.

    Weights are of the whole table: the t-weights of a class sum to 1 over all cells. Cells without
    rows are not there.
    """

    row: Attribute
    column: Attribute
    weights: Mapping[tuple[str, str], tuple[Weight, Weight]]


def weights_of(counts: tuple[int, int], totals: tuple[int, int]) -> tuple[Weight, Weight]:
    """Return the weights of some values in two classes, by their rows and all rows of each."""
    both = sum(counts)
    target, contrast = (
        Weight(count, count / total if total else 0.0, count / both if both else 0.0)
        for count, total in zip(counts, totals, strict=True)
    )
    return target, contrast


def information_gain(attribute: Attribute, is_target: Bools) -> tuple[float, float]:
    """Return how far an attribute tells the class: gain in bits, and gain over its own entropy.

    Gain = H(class) - sum over values of share * H(class where the attribute has the value); the
    gain ratio (Quinlan) sets it against the entropy of the values, of which many tell by chance.
    """
    counts = _by_class(attribute, is_target)
    rows = counts.sum(axis=1)
    total = counts.sum(axis=0)
    after = float((entropies(counts) * rows).sum()) / max(int(rows.sum()), 1)
    gain = max(0.0, float(entropies(total[None])[0]) - after)
    own = float(entropies(rows[None])[0])
    return gain, gain / own if own else 0.0


def marks_of(attributes: Iterable[Attribute], is_target: Bools) -> list[FrequentValue]:
    """Return the values more frequent in the class than elsewhere, those that tell most first."""
    target = int(is_target.sum())
    elsewhere = len(is_target) - target
    found = []
    for attribute in attributes:
        counts = _by_class(attribute, is_target)
        gains = _gains(counts, np.array([target, elsewhere]))
        for value, (count, other), gain in zip(
            attribute.values, counts.tolist(), gains.tolist(), strict=True
        ):
            if count * elsewhere > other * target:
                (weight, _) = weights_of((count, other), (target, elsewhere))
                share = (count + other) / len(is_target)
                found.append(
                    FrequentValue(
                        attribute.name, value, *weight, other / elsewhere,
                        weight.t_weight / share, gain,
                        chance_of(count, target, count + other, len(is_target)),
                    )
                )  # fmt: skip
    return sorted(found, key=lambda mark: (-mark.gain, mark.attribute, mark.value))


def crosstab(row: Attribute, column: Attribute, is_target: Bools) -> Crosstab:
    """Return the classes' rows by two attributes. Raises InsightError if cells are too many."""
    cells = len(row.values) * len(column.values)
    if cells > CELLS_MAX:
        raise InsightError(
            f"crosstab of {row.name} and {column.name} has {cells:,} cells, more than {CELLS_MAX}:"
            " give them a hierarchy or cut points, or fewer values"
        )
    width = len(column.values)
    both = Attribute("", tuple(map(str, range(cells))), row.codes * width + column.codes)
    counts = _by_class(both, is_target).tolist()
    totals = (int(is_target.sum()), int((~is_target).sum()))
    return Crosstab(
        row,
        column,
        {
            (row.values[cell // width], column.values[cell % width]): weights_of(
                tuple(pair), totals
            )
            for cell, pair in enumerate(counts)
            if any(pair)
        },
    )


def _by_class(attribute: Attribute, is_target: Bools) -> Ints:
    """Return the rows of each value, in the class and elsewhere: (values, 2)."""
    return np.stack([attribute.counts(is_target), attribute.counts(~is_target)], axis=1)


def _gains(counts: Ints, total: Ints) -> NDArray[np.float64]:
    """Return the information on the class that each value has, taken against all others."""
    rows = int(total.sum())
    without = total - counts
    after = entropies(counts) * counts.sum(axis=1) + entropies(without) * without.sum(axis=1)
    gains: NDArray[np.float64] = np.maximum(0.0, entropies(total[None])[0] - after / rows)
    return gains
