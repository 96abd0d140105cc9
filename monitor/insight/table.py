"""A table of customers, accounts or alerts: each column as text, and as numbers where it is so."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

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
        kept = {name: of for name, of in self.numbers.items() if name not in left_out}
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
