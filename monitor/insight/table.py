"""A table of customers, accounts or alerts: each column as text, and as numbers where it is so."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bools, Floats, Ints

_NUMBER: Final = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""A number as text. What begins with further zeros, as 0042 does, is a code and no number."""


class InsightError(ValueError):
    """What was asked of a table cannot be answered: a column or a value that it has not."""


class Table(NamedTuple):
    """Columns of one length, by name; None is a value that is missing.

    `columns` has the text of every column; `numbers` has those of which every value that is there
    is a number, NaN where it is missing. Make one by `table_of`.
    """

    names: tuple[str, ...]
    columns: Mapping[str, list[str | None]]
    numbers: Mapping[str, Floats]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[self.names[0]]) if self.names else 0

    def column(self, name: str) -> list[str | None]:
        """Return a column's text. Raises InsightError, which names the columns there are."""
        self.check(name)
        return self.columns[name]

    def check(self, *names: str) -> None:
        """Raise InsightError, which names the columns there are, unless these are among them."""
        for name in names:
            if name not in self.columns:
                there = ", ".join(self.names)
                raise InsightError(f"no column {name[:80]!r} in the table: it has {there}")

    def without(self, names: Iterable[str]) -> "Table":
        """Return the table without some columns. Raises InsightError if it has not one."""
        left_out = set(names)
        self.check(*sorted(left_out))
        return self.only([name for name in self.names if name not in left_out])

    def only(self, names: Sequence[str]) -> "Table":
        """Return some columns, in this order. Raises InsightError if it has not one."""
        self.check(*names)
        return Table(
            tuple(names),
            MappingProxyType({name: self.columns[name] for name in names}),
            MappingProxyType({name: self.numbers[name] for name in names if name in self.numbers}),
        )

    def rows_where(self, is_wanted: NDArray[np.bool_]) -> "Table":
        """Return the rows for which it is true."""
        wanted = is_wanted.tolist()
        columns = {name: list(compress(self.columns[name], wanted)) for name in self.names}
        numbers = {name: column[is_wanted] for name, column in self.numbers.items()}
        return Table(self.names, MappingProxyType(columns), MappingProxyType(numbers))

    def as_words(self, names: Iterable[str]) -> "Table":
        """Return the table with some columns taken as words, also where they are numbers."""
        left_out = set(names)
        kept = {name: numbers for name, numbers in self.numbers.items() if name not in left_out}
        return self._replace(numbers=MappingProxyType(kept))

    def keys(self) -> list[str]:
        """Return the columns that only name the rows: called ..._id, each value another one."""
        return [
            name
            for name in self.names
            if name.lower().endswith("id") and self.rows == len({*self.columns[name]} - {None})
        ]


def table_of(columns: Mapping[str, Sequence[str | None]]) -> Table:
    """Return the table of some columns of text; an empty or blank text is a missing value.

    Raises InsightError if they differ in length.
    """
    texts = {
        name: [None if text is None else text.strip() or None for text in column]
        for name, column in columns.items()
    }
    lengths = {len(column) for column in texts.values()}
    if len(lengths) > 1:
        raise InsightError(f"columns of different lengths: {sorted(lengths)}")
    numbers = {name: found for name in texts if (found := _numbers(texts[name])) is not None}
    return Table(tuple(texts), MappingProxyType(texts), MappingProxyType(numbers))


def _numbers(column: list[str | None]) -> Floats | None:
    """Return a column as numbers; None if a value is none, or no value is there."""
    values = []
    for text in column:
        if text is None:
            values.append(math.nan)
            continue
        if _NUMBER.fullmatch(text) is None or not math.isfinite(value := float(text)):
            return None
        values.append(value)
    numbers = np.array(values, np.float64)
    return None if np.isnan(numbers).all() else numbers


NONE: Final = "(none)"
"""The category of the rows in which a value is missing."""


class Attribute(NamedTuple):
    """A column as categories: row i has `values[codes[i]]`.

    `values` are different and each has rows: intervals and numbers from the least, words by the
    alphabet, merged ones in the order of what they were merged of, and `NONE` last.
    """

    name: str
    values: tuple[str, ...]
    codes: Ints

    def texts(self) -> list[str]:
        """Return the category of each row."""
        return [self.values[code] for code in self.codes.tolist()]

    def counts(self, chosen: NDArray[np.bool_] | None = None) -> Ints:
        """Return the number of rows of each category, all or the `chosen` ones."""
        codes = self.codes if chosen is None else self.codes[chosen]
        return np.bincount(codes, minlength=len(self.values))

    def mapped(self, to: Mapping[str, str]) -> "Attribute":
        """Return it with values replaced, equal ones merged; what `to` has not stays."""
        replaced = [to.get(value, value) for value in self.values]
        merged = list(dict.fromkeys(replaced))
        merged.sort(key=lambda value: value == NONE)
        places = {value: place for place, value in enumerate(merged)}
        return Attribute(
            self.name,
            tuple(merged),
            np.array([places[value] for value in replaced], np.int64)[self.codes],
        )


def attribute_of(name: str, column: Sequence[str | None]) -> Attribute:
    """Return a column of words as categories."""
    known = sorted({text for text in column if text is not None and text != NONE})
    values = [*known, NONE] if len(known) < len(set(column)) else known
    places: dict[str | None, int] = {value: place for place, value in enumerate(values)}
    places[None] = len(values) - 1
    return Attribute(name, tuple(values), np.array([places[cell] for cell in column], np.int64))


def attribute_of_codes(name: str, values: Sequence[str], codes: Ints) -> Attribute:
    """Return categories by their codes, those without rows left out."""
    used = np.bincount(codes, minlength=len(values)) > 0
    places = np.cumsum(used) - 1
    kept = tuple(value for value, is_used in zip(values, used.tolist(), strict=True) if is_used)
    return Attribute(name, kept, places[codes].astype(np.int64))


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
