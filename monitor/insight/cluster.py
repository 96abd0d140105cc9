"""Rows that are alike: coarse groups, fine groups inside them, and what sets each of them apart.

Every row becomes a point. A column of numbers has mean 0 and standard deviation 1, after
logarithms where it is skewed and with its outermost hundredths drawn in; a missing number is at
the mean, and 1 in a field of its own. A column of words has a field for each word, in which the
row that has it is 0.7: two rows that differ in a word are as far apart as two that differ by a
standard deviation in a number.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Bools, Floats, Ints
from models.peers.levels import k_means, squared_distances
from monitor.insight.cut import Cut, attributes_of
from monitor.insight.table import NONE, Attribute, InsightError, Table
from monitor.insight.weights import FrequentValue, marks_of

WORDS_MAX: Final = 12
"""A column of more different words than this makes no groups: each would be a group of its own."""

SAMPLE_ROWS: Final = 20_000
"""Of more rows than this, so many are drawn to find the centres; then all rows have their group."""

NOT_ASKED_FOR: Final = "not asked for"

_WORD: Final = np.sqrt(0.5)
_SKEWED: Final = 1.0
_OUTERMOST: Final = (1.0, 99.0)


class Mean(NamedTuple):
    """The mean of a column in a group and elsewhere, of the rows that have it; in its own unit."""

    column: str
    mean: float | None
    mean_elsewhere: float | None


class Group(NamedTuple):
    """Rows that are alike: `1` is a coarse group, `1.2` a fine one inside it; the greatest is 1.

    What sets it apart is told against all other rows of the table.
    """

    name: str
    is_row: Bools
    marks: list[FrequentValue]
    means: list[Mean]

    @property
    def rows(self) -> int:
        """The number of its rows."""
        return int(self.is_row.sum())


class Groups(NamedTuple):
    """Coarse groups, each followed by its fine ones.

    `columns` made them and `left_out` did not, by reason; `explained_coarse` and `explained` are
    the shares of the points' spread (sum of squares) that lies between coarse and fine groups.
    `means` are those of all rows, by column of numbers.
    """

    groups: list[Group]
    columns: list[str]
    left_out: dict[str, str]
    explained_coarse: float
    explained: float
    means: dict[str, float | None]


def cluster(
    table: Table,
    columns: Sequence[str] = (),
    sizes: tuple[int, int] = (3, 3),
    cuts: Mapping[str, Cut] | None = None,
    seed: int = 1,
) -> Groups:
    """Return at most so many coarse groups, and in each at most so many fine ones.

    The groups are made of some columns, or of all; described they are by all. The order of the rows
    changes nothing. Raises InsightError if a column is not there, or none can make groups.
    """
    table.check(*columns)
    described = table.without(set(table.keys()) - set(columns))
    attributes = attributes_of(described, cuts)
    left_out = _left_out(described, columns)
    used = [name for name in columns or described.names if name not in left_out]
    if not used:
        reasons = ", ".join(f"{name} ({why})" for name, why in left_out.items())
        raise InsightError(f"no column can make groups: {reasons}")
    x = points_of(described, used)
    coarse, fine = _levels(x, sizes, seed)
    found: list[Group] = []
    for place in range(int(coarse.max()) + 1):
        is_row = coarse == place
        found.append(_group(f"{place + 1}", is_row, described, attributes))
        parts = int(fine[is_row].max()) + 1
        found += [
            _group(f"{place + 1}.{part + 1}", is_row & (fine == part), described, attributes)
            for part in range(parts)
            if parts > 1
        ]
    both = np.unique(np.stack([coarse, fine]), axis=1, return_inverse=True)[1].ravel()
    means = {name: _mean(numbers) for name, numbers in described.numbers.items()}
    return Groups(found, used, left_out, _explained(x, coarse), _explained(x, both), means)


def points_of(table: Table, columns: Sequence[str]) -> Floats:
    """Return each row as a point: (rows, fields)."""
    fields: list[Floats] = []
    for name in columns:
        numbers = table.numbers.get(name)
        if numbers is None:
            texts = [NONE if text is None else text for text in table.columns[name]]
            fields += [
                np.array([_WORD if text == word else 0.0 for text in texts])
                for word in sorted(set(texts))
            ]
            continue
        is_missing = np.isnan(numbers)
        fields.append(np.where(is_missing, 0.0, _scaled(numbers)))
        if is_missing.any():
            fields.append(is_missing.astype(np.float64))
    return np.stack(fields, axis=1)


def _scaled(numbers: Floats) -> Floats:
    """Return numbers with mean 0 and standard deviation 1, without those far out; NaN stays."""
    known = np.sort(numbers[~np.isnan(numbers)])  # so that their order changes no last bit of a sum
    spread = float(known.std())
    if spread and known[0] >= 0:
        skewness = float((((known - known.mean()) / spread) ** 3).mean())
        if skewness > _SKEWED:
            numbers, known = np.log1p(numbers), np.log1p(known)
    low, high = np.percentile(known, _OUTERMOST)
    drawn_in = np.clip(known, low, high)
    spread = float(drawn_in.std())
    result: Floats = (np.clip(numbers, low, high) - drawn_in.mean()) / (spread or 1.0)
    return result


def _left_out(table: Table, columns: Sequence[str]) -> dict[str, str]:
    """Return the columns that make no groups, with the reason."""
    reasons = {}
    for name in table.names:
        words = len(set(table.columns[name]))
        if columns and name not in columns:
            reasons[name] = NOT_ASKED_FOR
        elif name not in table.numbers and words > WORDS_MAX:
            reasons[name] = f"{words:,} different words"
        elif words == 1:
            reasons[name] = "one value"
    return reasons


def _levels(x: Floats, sizes: tuple[int, int], seed: int) -> tuple[Ints, Ints]:
    """Return the coarse group of each row, and its fine group inside that."""
    order = np.lexsort(x.T)  # so that the order of the rows changes nothing
    x = x[order]
    coarse, fine = np.empty(len(x), np.int64), np.zeros(len(x), np.int64)
    found = _nearest(x, sizes[0], seed)
    coarse[order] = found
    for place in range(int(found.max()) + 1):
        is_row = found == place
        fine[order[is_row]] = _nearest(x[is_row], sizes[1], seed)
    return coarse, fine


def _nearest(x: Floats, count: int, seed: int) -> Ints:
    """Return the group of each point: numbers from 0, the greatest group first, none empty."""
    rng = np.random.default_rng(seed)
    drawn = x if len(x) <= SAMPLE_ROWS else x[np.sort(rng.permutation(len(x))[:SAMPLE_ROWS])]
    centres = k_means(rng, drawn, min(count, len(drawn)))
    nearest = squared_distances(x, centres).argmin(axis=1)
    points = np.bincount(nearest, minlength=len(centres))
    ranks = np.argsort(np.lexsort((*centres.T, -points)))
    result: Ints = ranks[nearest].astype(np.int64)
    return result


def _group(name: str, is_row: Bools, table: Table, attributes: Mapping[str, Attribute]) -> Group:
    few = [attribute for attribute in attributes.values() if len(attribute.values) < table.rows]
    means = [
        Mean(column, _mean(numbers[is_row]), _mean(numbers[~is_row]))
        for column, numbers in table.numbers.items()
    ]
    return Group(name, is_row, marks_of(few, is_row), means)


def _mean(numbers: Floats) -> float | None:
    known = numbers[~np.isnan(numbers)]
    return math.fsum(known) / len(known) if len(known) else None


def _explained(x: Floats, groups: Ints) -> float:
    """Return the share of the points' spread that lies between groups."""
    total = float(((x - x.mean(axis=0)) ** 2).sum())
    if not total:
        return 0.0
    inside = sum(
        float(((x[groups == group] - x[groups == group].mean(axis=0)) ** 2).sum())
        for group in np.unique(groups).tolist()
    )
    return 1.0 - inside / total
