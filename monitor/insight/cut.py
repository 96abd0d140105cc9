"""Numbers as intervals: by given cut points, of equal frequency, or learned against a label.

A cut point c parts `x <= c` from `x > c`, so cut points 30 and 55 make `age <= 30`,
`30 < age <= 55` and `age > 55`. A learned cut point is the roundest number that parts the same
rows, so that what a person reads of an interval is exact.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from monitor.insight.table import (
    NONE,
    Attribute,
    InsightError,
    Table,
    attribute_of,
    attribute_of_codes,
)

DISTINCT_MAX: Final = 6
"""A column of at most so many different numbers is taken as it is, unless cut points are given."""

INTERVALS: Final = 3
"""Intervals of equal frequency that a column of numbers has where nothing else says more."""

_DIGITS_MAX: Final = 17


class Cut(NamedTuple):
    """How a column of numbers is cut: at `points`, or in `intervals` of equal frequency."""

    points: tuple[float, ...] = ()
    intervals: int = 0


def cut_of(text: str) -> tuple[str, Cut]:
    """Return what `--cut` states: `age=30,55`, or `age=equal:4` for equal frequency.

    Raises InsightError if it states neither.
    """
    name, _, stated = text.rpartition("=")
    kind, is_counted, count = stated.partition(":")
    try:
        cut = (
            Cut(intervals=int(count))
            if is_counted
            else Cut(tuple(float(point) for point in stated.split(",")))
        )
    except ValueError:
        cut = Cut()
    is_equal = kind == "equal" and cut.intervals > 1
    if not name or not (cut.points or is_equal):
        raise InsightError(
            f"cut {text[:80]!r} is none: write COL=30,55 (cut points) or COL=equal:4 (intervals)"
        )
    if cut.points:
        check_points(name, cut.points)
    return name, cut


def check_points(name: str, points: Sequence[float]) -> None:
    """Raise InsightError unless cut points are finite and rise."""
    if not (points and all(map(math.isfinite, points)) and list(points) == sorted(set(points))):
        raise InsightError(f"cut points of {name} are {list(points)}: finite ones that rise")


def attributes_of(
    table: Table,
    cuts: Mapping[str, Cut] | None = None,
    label: Sequence[int] | Ints | None = None,
    distinct_max: int = DISTINCT_MAX,
) -> dict[str, Attribute]:
    """Return every column as categories, by name.

    Words stay as they are. A column of numbers is cut as `cuts` say; else it stays as it is, with
    at most `distinct_max` different ones; else cut points are learned against the `label` (a class
    of each row), and where none is given, or no cut pays, in `INTERVALS` of equal frequency.
    Raises InsightError if a cut is of no column, or of words.
    """
    cuts = cuts or {}
    table.check(*cuts)
    for name in cuts:
        if name not in table.numbers:
            raise InsightError(f"column {name} cannot be cut: not all its values are numbers")
    classes = None if label is None else np.asarray(label, np.int64)
    made = {}
    for name in table.names:
        numbers = table.numbers.get(name)
        if numbers is None:
            made[name] = attribute_of(name, table.columns[name])
        elif name not in cuts and _distinct(numbers) <= distinct_max:
            made[name] = _as_they_are(name, numbers)
        else:
            made[name] = intervals_of(name, numbers, _points(numbers, cuts.get(name), classes))
    return made


def intervals_of(name: str, numbers: Floats, points: Sequence[float]) -> Attribute:
    """Return numbers as the intervals between cut points; a NaN is `NONE`."""
    codes = np.searchsorted(np.array(points, np.float64), numbers, side="left")
    codes[np.isnan(numbers)] = len(points) + 1
    values = [*interval_names(name, points), NONE]
    return attribute_of_codes(name, values, codes.astype(np.int64))


def interval_names(name: str, points: Sequence[float]) -> list[str]:
    """Return the names of the intervals: `age <= 30`, `30 < age <= 55`, `age > 55`."""
    if not points:
        return [f"any {name}"]
    ends = [number_text(point) for point in points]
    between = [f"{low} < {name} <= {high}" for low, high in pairwise(ends)]
    return [f"{name} <= {ends[0]}", *between, f"{name} > {ends[-1]}"]


def number_text(value: float) -> str:
    """Return the shortest text that is exactly this number: 30, not 30.0."""
    return repr(float(value)).removesuffix(".0")


def equal_frequency(numbers: Floats, intervals: int) -> list[float]:
    """Return cut points that part the numbers, NaN aside, in parts as equal as ties let them be."""
    values = np.sort(numbers[~np.isnan(numbers)])
    ends = np.nonzero(values[:-1] < values[1:])[0] + 1  # rows at or below a possible cut point
    if not len(ends):
        return []
    wanted = len(values) * np.arange(1, intervals) / intervals
    chosen = {int(ends[np.abs(ends - place).argmin()]) for place in wanted}
    return [round_between(values[end - 1], values[end]) for end in sorted(chosen)]


def entropy_cuts(numbers: Floats, label: Ints) -> list[float]:
    """Return the cut points that pay for their own description; none may.

    A part is cut where the classes' entropy falls most, as long as the gain exceeds
    (log2(N - 1) + log2(3^k - 2) - (k E - k1 E1 - k2 E2)) / N, for N rows of k classes: Fayyad and
    Irani, Multi-interval discretization of continuous-valued attributes (1993). NaN is left out.
    """
    known = ~np.isnan(numbers)
    order = np.argsort(numbers[known], kind="stable")
    values = numbers[known][order]
    _, classes = np.unique(label[known][order], return_inverse=True)
    points: list[float] = []
    parts = [(0, len(values))]
    while parts:
        start, end = parts.pop()
        cut = _best_cut(values[start:end], classes[start:end])
        if cut is not None:
            points.append(round_between(values[start + cut - 1], values[start + cut]))
            parts += [(start, start + cut), (start + cut, end)]
    return sorted(points)


def round_between(low: float, high: float) -> float:
    """Return the number with the fewest digits that is at least `low` and below `high`."""
    middle = low + (high - low) / 2
    for digits in range(_DIGITS_MAX):
        rounded = f"{middle:.{digits}e}"
        unit = float(f"1e{int(rounded.partition('e')[2]) - digits}")
        below = f"{float(rounded) - unit:.{digits}e}"  # of 7 and 8: 7, where 7.5 is rounded to 8
        for candidate in map(float, (rounded, below)):
            if low <= candidate < high:
                return candidate
    return float(low)


def _best_cut(values: Floats, classes: Ints) -> int | None:
    """Return after how many rows to cut sorted values; None if no cut pays."""
    ends = np.nonzero(values[:-1] < values[1:])[0] + 1
    if not len(ends):
        return None
    present, codes = np.unique(classes, return_inverse=True)
    rows, count = len(values), len(present)
    below = np.zeros((rows, count))
    below[np.arange(rows), codes] = 1.0
    below = below.cumsum(axis=0)
    total = below[-1]
    left = below[ends - 1]
    entropy_left, entropy_right = entropies(left), entropies(total - left)
    after = (ends * entropy_left + (rows - ends) * entropy_right) / rows
    best = int(after.argmin())
    entropy = float(entropies(total[None])[0])
    classes_left = int((left[best] > 0).sum())
    classes_right = int((total - left[best] > 0).sum())
    spent = count * entropy - classes_left * entropy_left[best]
    spent -= classes_right * entropy_right[best]
    price = (math.log2(rows - 1) + math.log2(3**count - 2) - spent) / rows
    return int(ends[best]) if entropy - after[best] > price else None


def entropies(counts: Floats | Ints) -> Floats:
    """Return the entropy in bits of each row of counts; 0 of a row without any."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    logs = np.log2(np.where(shares > 0, shares, 1.0))
    result: Floats = -(shares * logs).sum(axis=1)
    return result


def _points(numbers: Floats, cut: Cut | None, label: Ints | None) -> Sequence[float]:
    if cut is not None:
        return cut.points or equal_frequency(numbers, cut.intervals)
    learned = [] if label is None else entropy_cuts(numbers, label)
    return learned or equal_frequency(numbers, INTERVALS)


def _distinct(numbers: Floats) -> int:
    return len(np.unique(numbers[~np.isnan(numbers)]))


def _as_they_are(name: str, numbers: Floats) -> Attribute:
    """Return numbers as categories, one for each different number; a NaN is `NONE`."""
    known = np.unique(numbers[~np.isnan(numbers)])
    codes = np.searchsorted(known, numbers)
    codes[np.isnan(numbers)] = len(known)
    values = [*map(number_text, known.tolist()), NONE]
    return attribute_of_codes(name, values, codes.astype(np.int64))
