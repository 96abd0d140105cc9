"""Information gain and gain ratio: the worth of a split of rows for their label.

H is the entropy of the labels in bits, -sum of p log2 p. A split into parts has the gain
H(rows) - sum of n_i / n H(part i), and the split information -sum of n_i / n log2 n_i / n; the gain
ratio is gain over split information: Quinlan, Induction of decision trees (1986).
"""

from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from models.rules.condition import Among, Between, Condition
from monitor.insight.cut import entropies, round_between
from monitor.insight.sample import Feature, Numbers, Sample
from monitor.insight.table import NONE, Attribute


class Split(NamedTuple):
    """Rows in parts by one feature: row i goes to `part[i]`, whose condition it meets."""

    attribute: str
    conditions: tuple[Condition, ...]
    part: Ints
    gain: float
    ratio: float


class Relevance(NamedTuple):
    """What one attribute says about the label, in bits, over all rows.

    `ratio` is 0 where the rows do not differ. `cut` is the cut point of a column of numbers, which
    is split in two; a category is one part each. A missing value is a category of its own.
    """

    attribute: str
    gain: float
    ratio: float
    parts: int
    cut: float | None


def entropy(counts: Ints) -> float:
    """Return the entropy in bits of labels by their counts."""
    return float(entropies(counts[None])[0])


def relevances(sample: Sample) -> list[Relevance]:
    """Return what each attribute says about the label, the greatest gain first."""
    found = []
    for feature in sample.features:
        split = split_of(feature, sample.label.codes, len(sample.label.values), 1)
        if split is None:
            found.append(Relevance(feature.name, 0.0, 0.0, 1, None))
            continue
        first = split.conditions[0]
        cut = first.up_to if isinstance(first, Between) else None
        parts = len(split.conditions)
        found.append(Relevance(feature.name, split.gain, split.ratio, parts, cut))
    return sorted(found, key=lambda relevance: (-relevance.gain, relevance.attribute))


def split_of(feature: Feature, label: Ints, labels: int, rows_min: int) -> Split | None:
    """Return the best split by a feature whose parts all have enough rows; None if none has.

    Numbers are parted in two, where the gain is greatest; the rows without one go to the larger
    part. Categories are parted each from each; those with too few rows are one part together, or,
    where that is too small as well, go with the largest.
    """
    if isinstance(feature, Numbers):
        return _split_of_numbers(feature, label, labels, rows_min)
    return _split_of_categories(feature, label, labels, rows_min)


def _split_of_categories(
    attribute: Attribute, label: Ints, labels: int, rows_min: int
) -> Split | None:
    sizes = attribute.counts()
    parts = _parts(sizes, rows_min)
    if len(parts) < 2:  # noqa: PLR2004 - one part is no split
        return None
    part_of = np.zeros(len(sizes), np.int64)
    for place, codes in enumerate(parts):
        part_of[codes] = place
    conditions = tuple(
        Among(attribute.name, tuple(_value(attribute.values[code]) for code in codes))
        for codes in parts
    )
    part = part_of[attribute.codes]
    counts = np.bincount(part * labels + label, minlength=len(parts) * labels)
    return _split(attribute.name, conditions, part, counts.reshape(len(parts), labels))


def _parts(sizes: Ints, rows_min: int) -> list[list[int]]:
    """Return the codes of each part, the parts in the order of their first codes."""
    there = [code for code, size in enumerate(sizes.tolist()) if size]
    parts = [[code] for code in there if sizes[code] >= rows_min]
    rare = [code for code in there if sizes[code] < rows_min]
    if rare and sizes[rare].sum() >= rows_min:
        parts.append(rare)
    elif rare and parts:
        largest = max(parts, key=lambda codes: int(sizes[codes[0]]))
        largest += rare
    return sorted(sorted(codes) for codes in parts)


def _split_of_numbers(feature: Numbers, label: Ints, labels: int, rows_min: int) -> Split | None:
    missing = np.isnan(feature.values)
    known = np.flatnonzero(~missing)
    order = known[np.argsort(feature.values[known], kind="stable")]
    values = feature.values[order]
    ends = np.flatnonzero(values[:-1] < values[1:]) + 1
    if not ends.size:
        return None
    below = np.zeros((len(order), labels), np.int64)
    below[np.arange(len(order)), label[order]] = 1
    below = below.cumsum(axis=0)
    to_left = 2 * ends >= len(order)
    without = np.bincount(label[missing], minlength=labels)
    left = below[ends - 1] + np.where(to_left[:, None], without, 0)
    right = below[-1] + without - left
    fits = np.minimum(left.sum(axis=1), right.sum(axis=1)) >= rows_min
    if not fits.any():
        return None
    after = np.where(fits, _after(left, right), np.inf)
    best = int(after.argmin())
    end, is_left = int(ends[best]), bool(to_left[best])
    cut = round_between(float(values[end - 1]), float(values[end]))
    has_missing = bool(missing.any())
    conditions = (
        Between(feature.name, None, cut, or_missing=has_missing and is_left),
        Between(feature.name, cut, None, or_missing=has_missing and not is_left),
    )
    part = np.where(missing, int(not is_left), feature.values > cut).astype(np.int64)
    return _split(feature.name, conditions, part, np.stack((left[best], right[best])))


def _after(left: Ints, right: Ints) -> Floats:
    """Return the entropy that is left after each split in two, weighted by rows."""
    of_left, of_right = left.sum(axis=1), right.sum(axis=1)
    total = of_left * entropies(left) + of_right * entropies(right)
    after: Floats = total / (of_left + of_right)
    return after


def _split(name: str, conditions: tuple[Condition, ...], part: Ints, counts: Ints) -> Split:
    sizes = counts.sum(axis=1)
    after = float((sizes * entropies(counts)).sum() / sizes.sum())
    gain = max(0.0, entropy(counts.sum(axis=0)) - after)
    return Split(name, conditions, part, gain, gain / entropy(sizes))


def _value(text: str) -> str | None:
    return None if text == NONE else text
