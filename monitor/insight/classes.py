"""Classes of rows, by conditions COL=VALUE."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.arrays import Bools
from monitor.insight.attribute import NONE
from monitor.insight.table import InsightError, Table

VALUES_TOLD: Final = 12
"""Values that a message names of a column that has not the one that was asked for."""


def classes_of(
    table: Table, target: Sequence[str], against: Sequence[str] = ()
) -> tuple[set[str], Bools, Bools]:
    """Return the columns that make the classes, and the rows of the target and of the contrast.

    A row for which one of the conditions holds is of the class; no `against` is all other rows.
    Raises InsightError if a condition is none or holds for no row, or a row is in both classes.
    """
    wanted = [rows_of(table, condition) for condition in target]
    unwanted = [rows_of(table, condition) for condition in against]
    is_target = _any(table, [found for _, found in wanted])
    is_contrast = _any(table, [found for _, found in unwanted]) if against else ~is_target
    if (is_target & is_contrast).any():
        raise InsightError("some rows are both of the target and of what it is set against")
    return {name for name, _ in wanted + unwanted}, is_target, is_contrast


def rows_of(table: Table, condition: str) -> tuple[str, Bools]:
    """Return the column of a condition COL=VALUE, and the rows for which it holds.

    `(none)` is the value that is missing. Raises InsightError, which names the values there are,
    where no row has it.
    """
    places = [place for place, mark in enumerate(condition) if mark == "="]
    names = [condition[:place] for place in places if condition[:place] in table.columns]
    if not names:
        table.check(condition[: places[0]] if places else condition)
        raise InsightError(f"{condition[:80]!r} is no condition: write COL=VALUE")
    name = names[0]
    wanted = condition[len(name) + 1 :]
    values = [NONE if text is None else text for text in table.columns[name]]
    found = np.array([value == wanted for value in values], np.bool_)
    if not found.any():
        there = sorted(set(values))
        further = len(there) - VALUES_TOLD
        more = f" and {further:,} more" if further > 0 else ""
        told = ", ".join(there[:VALUES_TOLD])
        raise InsightError(f"no row has {name}={wanted[:80]}: the column has {told}{more}")
    return name, found


def _any(table: Table, conditions: Sequence[Bools]) -> Bools:
    """Return the rows for which one of the conditions holds."""
    is_any = np.zeros(table.rows, np.bool_)
    for condition in conditions:
        is_any |= condition
    return is_any
