"""Itemsets that many rows have, by FP-growth (Han and others, 2000) as mlxtend has it."""

from math import ceil

from models.arrays import Bools

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
    return {itemset: counts[itemset] for itemset in sorted(counts, key=lambda one: (len(one), one))}


def least_count(share: float, rows: int) -> int:
    """Return the least number of rows whose share is at least this one."""
    count = ceil(share * rows)
    while count > 1 and (count - 1) / rows >= share:
        count -= 1
    return max(1, count)
