"""Associations: which values of a table's rows come together, and what follows from which.

An item is a column's value. X => y has support (the share of the rows that have both), confidence
(the share of the rows with X that have y too), lift (confidence over y's share of all rows: 1 says
nothing) and leverage (support less what it would be if X and y were independent): Agrawal and
others, Mining association rules (1993); Piatetsky-Shapiro (1991) for leverage.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import ceil
from typing import Any, Final, NamedTuple

import numpy as np

from models.arrays import Bools
from monitor.insight.cut import Cut, attributes_of
from monitor.insight.table import NONE, Attribute, InsightError, Table, rows_of
from monitor.insight.weights import chance_of

Itemset = tuple[int, ...]
"""Numbers of items, from the least."""


def frequent_itemsets(has: Bools, least: int, items_max: int) -> dict[Itemset, int]:
    """Return the itemsets of at most `items_max` items that at least `least` rows have.

    `has` says of each row which items it has. In the order of size, then of the items.
    """
    import pandas as pd  # noqa: PLC0415 - half a second that only this needs
    from mlxtend.frequent_patterns import fpgrowth  # noqa: PLC0415 - the same

    rows, items = has.shape
    if not rows or not items or least > rows:
        return {}
    # Half a row less than the least count: a share of rows is rounded, a count is not.
    share = (max(least, 1) - 0.5) / rows
    found = fpgrowth(pd.DataFrame(has), min_support=share, max_len=items_max)
    counts = {
        tuple(sorted(map(int, itemset))): round(support * rows)
        for support, itemset in zip(found["support"], found["itemsets"], strict=True)
    }
    return {
        itemset: counts[itemset]
        for itemset in sorted(counts, key=lambda itemset: (len(itemset), itemset))
    }


def least_count(share: float, rows: int) -> int:
    """Return the least number of rows whose share is at least this one."""
    count = ceil(share * rows)
    while count > 1 and (count - 1) / rows >= share:
        count -= 1
    return max(1, count)


ITEMS_MAX: Final = 4


class Item(NamedTuple):
    """A column's value."""

    column: str
    value: str

    def text(self) -> str:
        """Return it for a person; an interval names its column itself."""
        is_interval = f" {self.column} " in f" {self.value} "
        return self.value if is_interval else f"{self.column}={self.value}"


class Association(NamedTuple):
    """A rule `given` => `then` by its counts of rows."""

    given: tuple[Item, ...]
    then: Item
    rows_both: int
    rows_given: int
    rows_then: int
    rows: int
    candidates: int = 1
    """How many rules it was chosen from: among many, some look good by chance."""

    @property
    def support(self) -> float:
        """The share of all rows that have all items."""
        return self.rows_both / self.rows

    @property
    def confidence(self) -> float:
        """The share of the rows with what is given that have what follows."""
        return self.rows_both / self.rows_given

    @property
    def lift(self) -> float:
        """The confidence over the share of all rows that have what follows."""
        return self.rows_both * self.rows / (self.rows_given * self.rows_then)

    @property
    def leverage(self) -> float:
        """The support less what it were if both sides were independent."""
        return self.support - self.rows_given * self.rows_then / self.rows**2

    @property
    def p_value(self) -> float:
        """How likely so many rows have both sides where they have nothing to do with each other."""
        return chance_of(self.rows_both, self.rows_given, self.rows_then, self.rows)

    @property
    def p_value_adjusted(self) -> float:
        """The same for any of the rules that it was chosen from, at most (Bonferroni)."""
        return min(1.0, self.p_value * self.candidates)

    def text(self) -> str:
        """Return it for a person."""
        return f"IF {' AND '.join(item.text() for item in self.given)} THEN {self.then.text()}"

    def fields(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "if": [item._asdict() for item in self.given],
            "then": self.then._asdict(),
            "text": self.text(),
            "rows": self.rows_given,
            "count": self.rows_both,
            "support": self.support,
            "confidence": self.confidence,
            "lift": self.lift,
            "leverage": self.leverage,
            "p_value": self.p_value,
            "p_value_adjusted": self.p_value_adjusted,
        }


class Wanted(NamedTuple):
    """Which associations to find.

    `support_min` is a share of all rows, or of the target's where one is given. At most `items_max`
    items stand in a rule. `redundant`: give also those that say no more than a shorter one.
    `missing`: a missing value is an item, too.
    """

    support_min: float = 0.05
    confidence_min: float = 0.6
    items_max: int = ITEMS_MAX
    redundant: bool = False
    missing: bool = False

    def check(self) -> None:
        """Raise InsightError where nothing can be so."""
        if not 0 < self.support_min <= 1:
            raise InsightError(f"a support of {self.support_min} is none: above 0, up to 1")
        if not 0 <= self.confidence_min <= 1:
            raise InsightError(f"a confidence of {self.confidence_min} is none: 0 to 1")
        if self.items_max < 2:  # noqa: PLR2004 - one on each side
            raise InsightError(f"{self.items_max} items make no rule: 2 or more")


class FoundAssociations(NamedTuple):
    """Associations, the greatest leverage first, and what they were chosen from."""

    associations: list[Association]
    itemsets: int
    confidence_most: float
    """The greatest confidence of a candidate, found or not; 0 where there is none."""


class _Counts(NamedTuple):
    """Rows by itemset: of the left side, and of both sides; the empty itemset is all rows."""

    given: Mapping[Itemset, int]
    both: Mapping[tuple[Itemset, int], int]


def associations_of(attributes: Mapping[str, Attribute], wanted: Wanted) -> FoundAssociations:
    """Return what follows from what, one item on the right side. Raises InsightError."""
    wanted.check()
    rows = _rows(attributes)
    items, has = _items(attributes, rows, missing=wanted.missing)
    sizes = frequent_itemsets(has, least_count(wanted.support_min, rows), wanted.items_max)
    both = {
        (_less(itemset, item), item): count for itemset, count in sizes.items() for item in itemset
    }
    counts = _Counts({(): rows, **sizes}, both)
    candidates = [pair for pair in both if pair[0]]
    return _found(items, counts, candidates, wanted, len(sizes))


def associations_with(
    table: Table, condition: str, wanted: Wanted, cuts: Mapping[str, Cut] | None = None
) -> FoundAssociations:
    """Return what a value, COL=VALUE, follows from.

    Itemsets are sought among the rows that have it, so that a rare value's are found as well; their
    confidence, lift and leverage are over all rows. Columns of numbers that `cuts` do not name are
    cut where that says most about the value. Raises InsightError if no row has it.
    """
    wanted.check()
    column, target = rows_of(table, condition)
    others = table.without([column])
    given_cuts = {name: cut for name, cut in (cuts or {}).items() if name != column}
    attributes = attributes_of(others, given_cuts, target.astype(np.int64))
    items, has = _items(attributes, len(target), missing=wanted.missing)
    of_target = int(target.sum())
    least = least_count(wanted.support_min, of_target)
    sizes = frequent_itemsets(has[target], least, wanted.items_max - 1)
    place = len(items)
    of_item = np.ascontiguousarray(has.T)
    given = {itemset: int(np.logical_and.reduce(of_item[list(itemset)]).sum()) for itemset in sizes}
    counts = _Counts(
        {(): len(target), **given, (place,): of_target},
        {((), place): of_target, **{(itemset, place): n for itemset, n in sizes.items()}},
    )
    candidates = [(itemset, place) for itemset in sizes]
    then = Item(column, condition[len(column) + 1 :])
    return _found([*items, then], counts, candidates, wanted, len(sizes))


def _found(
    items: list[Item],
    counts: _Counts,
    candidates: Sequence[tuple[Itemset, int]],
    wanted: Wanted,
    itemsets: int,
) -> FoundAssociations:
    rows, most = counts.given[()], 0.0
    chosen = []
    for given, then in candidates:
        sides = tuple(items[item] for item in given), items[then]
        together, alone = counts.both[given, then], counts.given[given]
        of_then = counts.given[(then,)]
        association = Association(*sides, together, alone, of_then, rows, len(candidates))
        most = max(most, association.confidence)
        if association.confidence >= wanted.confidence_min and (
            wanted.redundant or not _is_redundant(given, then, counts)
        ):
            chosen.append(association)
    chosen.sort(
        key=lambda association: (-association.leverage, -association.lift, association.text())
    )
    return FoundAssociations(chosen, itemsets, most)


def _is_redundant(given: Itemset, then: int, counts: _Counts) -> bool:
    """Return whether fewer items, or none at all, give at least the same confidence."""
    rows, both = counts.given[given], counts.both[given, then]
    return any(
        counts.both[fewer, then] * rows >= both * counts.given[fewer] for fewer in _fewer(given)
    )


def _fewer(itemset: Itemset) -> Iterator[Itemset]:
    for size in range(len(itemset)):
        yield from combinations(itemset, size)


def _less(itemset: Itemset, item: int) -> Itemset:
    return tuple(kept for kept in itemset if kept != item)


def _items(
    attributes: Mapping[str, Attribute], rows: int, *, missing: bool
) -> tuple[list[Item], Bools]:
    """Return the items of all columns, and which row has which."""
    items, columns = [], []
    for attribute in attributes.values():
        for code, value in enumerate(attribute.values):
            if missing or value != NONE:
                items.append(Item(attribute.name, value))
                columns.append(attribute.codes == code)
    has = np.stack(columns, axis=1) if columns else np.zeros((rows, 0), np.bool_)
    return items, has


def _rows(attributes: Mapping[str, Attribute]) -> int:
    return next((len(attribute.codes) for attribute in attributes.values()), 0)
